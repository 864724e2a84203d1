"""Near-duplicates among 1,000 to 100,000 reports: time, peak memory, what is found.

Run with ``pytest tests/benchmarks/test_duplicates_scale.py --benchmark-only``; the memory of each
size is that of a process of its own.
"""

from __future__ import annotations

import json
import re
import resource
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from nbutils.gates.conflicts import conflicts
from nbutils.gates.duplicates import near_duplicates

Corpus = tuple[list[str], list[list[float]], dict[int, int]]


def corpus(size: int, seed: int = 0) -> Corpus:
    """Invented reports of 120 words with their series, and which repeats which: 1 in 20."""
    rng = np.random.default_rng(seed)
    syllables = [c + v for c in "bcdfghklmnprstvz" for v in "aeiou"]
    words = np.array(["".join(rng.choice(syllables, n)) for n in rng.integers(1, 5, 4000)])
    often = np.cumsum(1 / np.arange(10, 4010))
    often /= often[-1]

    def some(count: int) -> list[str]:
        return words[np.searchsorted(often, rng.random(count))].tolist()

    texts, series = [], []
    for _ in range(size):
        values = np.round(rng.uniform(0.05, 0.6) + rng.normal(0, 0.03, rng.integers(6, 10)), 3)
        body = some(95)
        body[::7] = [str(n) for n in rng.integers(10, 5000, len(body[::7]))]
        series.append(values.tolist())
        texts.append(f"Metric: {' '.join(some(2))} Data: {series[-1]} (weeks) {' '.join(body)}")
    origin = {}
    for later in range((size + 1) // 2, size, 10):
        first = int(rng.integers(0, size // 2))
        tokens = texts[first].split()
        wordy = [i for i, token in enumerate(tokens) if token.isalpha()]
        if later % 30 == 0:
            texts[later] = texts[first].upper()
        elif later % 30 == 10:
            for i in rng.choice(wordy, 4, replace=False):
                tokens[i] += "x"
            texts[later] = " ".join(tokens)
        else:
            for i, word in zip(wordy, some(len(wordy)), strict=True):
                tokens[i] = word
            texts[later] = " ".join(tokens)
        series[later], origin[later] = series[first], first
    return texts, series, origin


def family(size: int, numbers: int = 14) -> Corpus:
    """One template filled with other numbers again and again, and typed off 1 in 100 times."""
    rng = np.random.default_rng(1)
    template = corpus(1)[0][0].split()
    template = [w for w in template if w.isalpha()]
    places = np.linspace(2, len(template) - 2, numbers).astype(int)
    texts = []
    for _ in range(size):
        words = list(template)
        for place in places:
            words[place] = str(rng.integers(10, 100_000))
        texts.append(" ".join(words))
    origin = {}
    for later in range(size // 2, size, 50):
        origin[later] = int(rng.integers(0, size // 2))
        words = texts[origin[later]].split()
        words[5] += "x"
        words[40] += "x"
        texts[later] = " ".join(words)
    return texts, [[]] * size, origin


def memory(size: int) -> dict[str, int]:
    """Peak memory in MiB of a fresh process, before and after it looks for near-duplicates."""
    ran = subprocess.run(
        [sys.executable, __file__, str(size)], capture_output=True, text=True, check=True
    )
    return dict(json.loads(ran.stdout))


def peak() -> int:
    status = Path("/proc/self/status")
    if status.is_file():
        # ru_maxrss of a child starts with the peak of its parent
        return int(re.findall(r"VmHWM:\s+(\d+) kB", status.read_text())[0]) // 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


@pytest.mark.parametrize("size", [1_000, 10_000, 100_000])
def test_varied_reports(benchmark: Any, size: int) -> None:
    texts, series, origin = corpus(size)
    rows = benchmark.pedantic(near_duplicates, (texts, series), rounds=1)
    found = {later: first for later, first, _ in rows}
    benchmark.extra_info |= {"planted": len(origin), "found": len(found), **memory(size)}
    assert sum(found.get(later) == first for later, first in origin.items()) > 0.99 * len(origin)
    assert len(found.keys() - origin.keys()) < 0.001 * size
    assert benchmark.extra_info["after_mib"] < 1500


@pytest.mark.parametrize("size", [2_500, 10_000])
def test_one_template_with_other_numbers(benchmark: Any, size: int) -> None:
    texts, _, origin = family(size)
    rows = benchmark.pedantic(near_duplicates, (texts,), rounds=1)
    assert {later: first for later, first, _ in rows} == origin


@pytest.mark.parametrize("typed", [False, True], ids=["copied", "mistyped"])
def test_ten_thousand_copies_of_one_report(benchmark: Any, typed: bool) -> None:
    text, rng = corpus(1)[0][0], np.random.default_rng(2)
    texts = [text]
    for _ in range(9_999):
        words = text.split()
        words[rng.integers(20, len(words))] += f"x{'y' * rng.integers(0, 9)}" if typed else ""
        texts.append(" ".join(words))
    rows = benchmark.pedantic(near_duplicates, (texts,), rounds=1)
    assert len(rows) == 9_999
    assert {first for _, first, _ in rows} == {0}


def test_ten_thousand_reports_that_share_a_series(benchmark: Any) -> None:
    texts, series, _ = corpus(10_000, seed=3)
    rows = benchmark.pedantic(near_duplicates, (texts, [series[0]] * len(texts)), rounds=1)
    # the reworded third is lost: a report meets the 50 latest others with its series
    assert len(rows) >= 330


@pytest.mark.parametrize("size", [1_000, 10_000, 100_000])
def test_conflicts(benchmark: Any, size: int) -> None:
    _, series, origin = corpus(size)
    frame = pd.DataFrame(
        {"id": range(size), "series": series, "metric": "activation rate", "context": "UK"}
    )
    frame["urgency"] = ["Low" if i in origin else "High" for i in range(size)]
    frame["action"] = [f"{'Drop' if i in origin else 'Keep'} the banner." for i in range(size)]
    found = benchmark.pedantic(conflicts, (frame,), rounds=1)
    assert found["conflict"].value_counts().min() >= len(origin)


if __name__ == "__main__":
    reports = corpus(int(sys.argv[1]))
    before = peak()
    near_duplicates(*reports[:2])
    print(json.dumps({"before_mib": before, "after_mib": peak()}))
