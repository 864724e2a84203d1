"""The gate before training, one reason at a time."""

import pytest

from nbutils import gates
from nbutils.examples import parse_case, read_examples, read_jsonl

FALLING = "Metric: Churn rate\nData: [4.1%, 3.6%, 3.2%, 2.8%] (last 4 months)"
RISING = "Metric: Activation Rate\nData: [0.31, 0.34, 0.38, 0.42] (last 4 weeks)"
CLIMBING = "Metric: Churn rate\nData: [2.8%, 3.2%, 3.6%, 4.1%] (last 4 months)"
UNKNOWN = "Metric: Zorblings by e-mail\nData: [310, 280, 240, 190] (last 4 weeks)"


@pytest.mark.parametrize(
    ("case", "analysis", "word"),
    [
        (FALLING, "Churn has deteriorated, from 4.1% to 2.8%.", "deteriorated"),
        (FALLING, "Churn has improved, from 4.1% to 2.8%.", None),
        (FALLING, "Churn fell from 4.1% to 2.8%.", None),
        (RISING, "Activation has weakened, from 0.31 to 0.42.", "weakened"),
        (RISING, "It went from 0.31 to 0.42, which is no deterioration.", None),
        (RISING, "If nothing is done it may deteriorate.", None),
        (RISING, "Mobile got worse while the whole improved.", None),
        (CLIMBING, "Mobile improved while the whole got worse.", None),
        (RISING, "The welcome mail was changed. It rose from 0.31 to 0.42.", None),
        (UNKNOWN, "Zorblings have deteriorated, from 310 to 190.", None),
    ],
)
def test_good_news_told_as_bad_is_a_fault(case: str, analysis: str, word: str | None) -> None:
    found = gates.told_wrong_way(parse_case(case), analysis)
    assert (found is None) if word is None else (found is not None and f"'{word}'" in found)


def test_every_candidate_told_the_wrong_way_is_stopped_and_no_good_one() -> None:
    flaws = {r["id"]: r["flaw"] for r in read_jsonl("data/growth/candidate_labels.jsonl")}
    stopped = set()
    for candidate in read_examples("data/growth/candidates.jsonl"):
        fault = gates.first_fault(candidate, strict=False)
        if fault and fault[0] == "direction":
            stopped.add(candidate.id)
    assert stopped == {i for i, flaw in flaws.items() if flaw == "wrong_direction"}
