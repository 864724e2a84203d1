"""How fast candidates are checked; run with ``pytest tests/benchmarks --benchmark-only``."""

import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from nbutils import augmentation, facts
from nbutils.examples import find_alike, read_examples, sentences

DATA = Path(__file__).parents[2] / "data" / "growth"
CANDIDATES = read_examples(DATA / "candidates.jsonl")
PARENTS = read_examples(DATA / "formatted.jsonl", id_field="report_id")
OTHERS = [*PARENTS, *read_examples(DATA / "test.jsonl")]
FRESH = """
import sys, time
sys.path.insert(0, sys.argv[1])
from test_gate_speed import CANDIDATES, OTHERS, augmentation, facts

began = time.process_time()
augmentation.gate(CANDIDATES, OTHERS, facts.read_glossary())
print(time.process_time() - began)
"""


def test_400_candidates(benchmark: Any) -> None:
    glossary = facts.read_glossary()
    gated = benchmark.pedantic(
        augmentation.gate, (CANDIDATES, OTHERS, glossary), rounds=5, warmup_rounds=1
    )
    assert 300 < gated["passed"].sum() < 400


def test_400_candidates_in_a_fresh_process(benchmark: Any) -> None:
    command = [sys.executable, "-c", FRESH, str(Path(__file__).parent)]

    def run() -> float:
        return float(subprocess.run(command, capture_output=True, text=True, check=True).stdout)

    benchmark.extra_info["processor_seconds"] = benchmark.pedantic(run, rounds=1)
    assert benchmark.extra_info["processor_seconds"] < 5


@pytest.mark.parametrize("size", [1_000, 4_000, 16_000])
def test_likeness_of_texts_that_share_sentences(benchmark: Any, size: int) -> None:
    rng = random.Random(0)
    known = [s for e in [*CANDIDATES, *PARENTS] for s in sentences(e.output)]
    texts = [" ".join(rng.sample(known, 7)) for _ in range(size)]
    twins = {i: i + size // 2 for i in range(0, size // 2, 20)}
    for first, second in twins.items():
        texts[second] = texts[first].replace("0", "1")
    found = benchmark.pedantic(find_alike, (texts, 0.8), rounds=1)
    assert dict(found).items() >= twins.items()


def test_diversity_of_400_candidates(benchmark: Any) -> None:
    frame = benchmark.pedantic(augmentation.diversity, (CANDIDATES, PARENTS), rounds=3)
    assert len(frame) == 10
