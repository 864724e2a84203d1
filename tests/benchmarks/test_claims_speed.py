"""How fast the verifier is; run with ``pytest tests/benchmarks --benchmark-only``."""

import json
from pathlib import Path
from typing import Any

import pytest

from nbutils import claims

FIXTURES = Path(__file__).parents[1] / "fixtures" / "claims.jsonl"
DATA = Path(__file__).parents[2] / "data" / "growth"
CASE = json.loads(FIXTURES.read_text(encoding="utf-8").splitlines()[0])["input"]
SENTENCES = (
    "Activation Rate fell from 0.44 in week 1 to 0.36 in week 8, down 8 points (18%). "
    "The largest step was down 7 points in week 5, from 0.44 to 0.37. "
    "The mean was 0.44 before week 5 and 0.365 from then on, which is 7.5 points less. "
    "On 1,400 sign-ups a week that is about 105 fewer activated users. "
    "The phone check began in the same week, so the timing fits, but no group was left without it, "
    "and nothing in this series can tell the check from whatever else happened then. "
    "The rate has now stayed between 0.36 and 0.37 for four weeks, and it shows no sign of coming "
    "back on its own account. The weeks before it were as calm as those after it. "
)
ANALYSIS = f"Analysis: {SENTENCES}\nUrgency: High — about 112 fewer a week."


def test_one_analysis(benchmark: Any) -> None:
    verdict = benchmark(claims.verify, CASE, ANALYSIS)
    assert verdict.faithful


def test_160_analyses_of_cases_of_their_own(benchmark: Any) -> None:
    lines = (DATA / "formatted.jsonl").read_text(encoding="utf-8").splitlines()
    rows = [json.loads(line) for line in lines]

    def check() -> int:
        return sum(claims.verify(r["input"], r["output"]).count("supported") for r in rows)

    assert benchmark.pedantic(check, rounds=5, warmup_rounds=1) > 10 * len(rows)


def test_one_text_about_a_table(benchmark: Any) -> None:
    rows = [json.loads(line) for line in FIXTURES.read_text(encoding="utf-8").splitlines()]
    row = next(r for r in rows if r["id"] == "t003")
    assert benchmark(claims.verify, row["input"], row["output"]).count("supported") > 10


@pytest.mark.parametrize("lines", [50, 200, 800])
def test_time_grows_with_the_table(benchmark: Any, lines: int) -> None:
    table = "name | visits | orders\n" + "\n".join(
        f"Store{k:04d} | {1000 + 7 * k} | {100 + 3 * k}" for k in range(lines)
    )
    text = " ".join(f"Store{k:04d} had {1000 + 7 * k:,} visits." for k in range(0, lines, 2))
    verdict = benchmark.pedantic(claims.verify, (table, text), rounds=3, warmup_rounds=1)
    assert verdict.precision == 1.0


@pytest.mark.parametrize("times", [1, 4, 16, 64])
def test_time_grows_with_the_length(benchmark: Any, times: int) -> None:
    text = "Analysis: " + "\n".join([SENTENCES] * times)
    verdict = benchmark.pedantic(claims.verify, (CASE, text), rounds=3, warmup_rounds=1)
    assert verdict.precision == 1.0
    benchmark.extra_info["words"] = len(text.split())


@pytest.mark.parametrize("unit", ["1,", "9", "-1", "0.44 to ", "week 1, ", "a third of "])
def test_a_megabyte_of_repetition(benchmark: Any, unit: str) -> None:
    text = unit * (1_000_000 // len(unit))
    benchmark.pedantic(claims.verify, (CASE, text), rounds=1)
