"""Settings of the evaluation, and the gate with its three outcomes."""

from __future__ import annotations

import json
import re
from typing import Any

import pandas as pd
import pytest

from nbutils import evaluation, review
from nbutils.errors import UserError
from nbutils.models import Budget, Service

# --------------------------------------------------------------------------- settings


def test_without_settings_the_published_limits_hold_and_nobody_is_paid() -> None:
    found = evaluation.settings({}, {}, {}, {})
    assert found.limits == {"house_form": 0.96, "numbers_right": 0.91, "usefulness": 4.3}
    assert (found.shots, found.best_of, found.explore) == ((1, 2), 3, False)
    assert found.costs == {"machine_hour": 0.10, "review_hour": 60.0, "review_hours": 0.0}
    assert (found.service, found.budget, found.judge) == (None, None, False)


def test_what_is_given_takes_the_place_of_what_is_not() -> None:
    found = evaluation.settings(
        {"shots": "1, 3", "probes": 0},
        {"usefulness": None, "faithful": 0.5, "house_form": 1, "explore": True},
        {"review_hours": 3},
        {"model": "m", "base_url": "http://here/v1", "prices": [1, 4], "dollars": 2, "judge": True},
    )
    assert (found.shots, found.probes, found.controls) == ((1, 3), 0, 12)
    assert found.limits == {"house_form": 1.0, "numbers_right": 0.91, "faithful": 0.5}
    assert found.explore
    assert found.costs["review_hours"] == 3.0
    assert found.service == Service("m", "http://here/v1", (1.0, 4.0))
    assert (found.budget, found.judge) == (Budget(2.0, 500), True)


@pytest.mark.parametrize(
    ("setting", "value", "message"),
    [
        ("sizes", {"shot": "1"}, "SIZES has 'shot'; expected any of prompt_cases, shots,"),
        ("gate", {"form": 0.9}, "GATE has 'form'; expected any of house_form, .* explore"),
        ("costs", {"hour": 1}, "COSTS has 'hour'; expected any of machine_hour,"),
        ("endpoint", {"url": "x"}, "ENDPOINT has 'url'; expected any of model, base_url,"),
        ("sizes", {"probes": -1}, "probes is -1; expected a whole number from 0 on"),
        ("sizes", {"probes": 1.5}, "probes is 1.5; expected a whole number"),
        ("sizes", {"probes": True}, "probes is True; expected a whole number"),
        ("sizes", {"best_of": 0}, "best_of is 0; expected a whole number from 1 on"),
        ("sizes", {"shots": "1,two"}, "shots is '1,two'; expected numbers of examples like '1,2'"),
        ("sizes", {"shots": "0"}, "shots is '0'"),
        ("gate", {"house_form": 96}, "house_form is 96; expected a number from 0 to 1, or None"),
        ("gate", {"usefulness": 5.1}, "usefulness is 5.1; expected a number from 0 to 5"),
        ("gate", {"house_form": -0.1}, "GATE: house_form is -0.1; expected a number of at least 0"),
        ("gate", {"house_form": "0.9"}, "GATE: house_form is '0.9'; expected a number"),
        ("costs", {"machine_hour": float("nan")}, "COSTS: machine_hour is nan"),
        ("costs", {"review_hour": None}, "COSTS: review_hour is None"),
        ("endpoint", {"base_url": "http://x"}, "ENDPOINT names no model: add 'model'"),
        ("endpoint", {"model": "m", "prices": 3}, "prices is 3; expected two numbers"),
        ("endpoint", {"model": "m", "prices": [1]}, r"prices is \[1\]; expected two numbers"),
        ("endpoint", {"model": "m", "prices": [1, "a"]}, "ENDPOINT: prices is 'a'"),
        ("endpoint", {"model": "m", "dollars": "ten"}, "ENDPOINT: dollars is 'ten'"),
        ("endpoint", {"model": "m", "calls": None}, "ENDPOINT: calls is None"),
    ],
)
def test_a_wrong_setting_is_named(setting: str, value: dict[str, Any], message: str) -> None:
    given = {"sizes": {}, "gate": {}, "costs": {}, "endpoint": {}, setting: value}
    with pytest.raises(UserError, match=message):
        evaluation.settings(**given)


# --------------------------------------------------------------------------- gate

NOBODY = evaluation.usefulness({}, [])
FEW = "n = {}, at least 10 are needed"
HIGH = {"value": 0.97, "low": 0.9, "high": 1.0}
SAME = {"outcome": "identical", "difference": 0.0, "low": 0.0, "high": 0.0}


def decided(
    own: dict[str, Any] = HIGH,
    pair: dict[str, Any] = SAME,
    rated: pd.DataFrame = NOBODY,
    limits: dict[str, float] | None = None,
    explore: bool = False,
) -> dict[str, Any]:
    summary = pd.DataFrame([{"metric": "house_form", "system": "tuned", "n": 60, **own}])
    fixed = {"metric": "house_form", "baseline": "prompted", "n": 60, "detectable": None}
    found = evaluation.gate(
        summary,
        pd.DataFrame([{**fixed, **pair}]),
        rated,
        limits={"house_form": 0.9} if limits is None else limits,
        candidate="tuned",
        baseline="prompted",
        explore=explore,
    )
    json.dumps(found, allow_nan=False)
    return found


def outcomes(found: dict[str, Any]) -> list[str]:
    shown = {"passed": True, "failed": False, "not shown": None}
    assert [c["passed"] for c in found["checks"]] == [shown[c["outcome"]] for c in found["checks"]]
    return [c["outcome"] for c in found["checks"]]


@pytest.mark.parametrize(
    ("own", "outcome", "reason"),
    [
        (HIGH, "passed", "0.970 [0.90, 1.00] on 60 cases"),
        ({"value": 0.9, "low": 0.8, "high": 0.95}, "passed", "0.900 [0.80, 0.95] on 60 cases"),
        ({"value": 0.85, "low": 0.7, "high": 0.9}, "not shown", "0.850 [0.70, 0.90] on 60 cases"),
        ({"value": 0.5, "low": 0.4, "high": 0.6}, "failed", "0.500 [0.40, 0.60] on 60 cases"),
        ({"value": 0.5, "low": None, "high": None}, "not shown", "0.500 on 60 cases"),
        (
            {"value": None, "low": None, "high": None, "n": 0},
            "not shown",
            "no value: no answer has what is measured",
        ),
        ({"value": 1.0, "low": 0.21, "high": 1.0, "n": 1}, "not shown", FEW.format(1)),
        ({"value": 1.0, "low": 0.7, "high": 1.0, "n": 9}, "not shown", FEW.format(9)),
        ({"value": 0.0, "low": 0.0, "high": 0.3, "n": 9}, "not shown", FEW.format(9)),
        ({**HIGH, "n": 10}, "passed", "0.970 [0.90, 1.00] on 10 cases"),
    ],
)
def test_a_level_is_passed_failed_or_not_shown(
    own: dict[str, Any], outcome: str, reason: str
) -> None:
    found = decided(own)
    assert outcomes(found) == [outcome, "passed"]
    assert found["checks"][0]["reason"] == reason
    assert found["checks"][0]["requirement"] == "at least 0.9"
    assert found["outcome"] == outcome


@pytest.mark.parametrize(
    ("pair", "outcome", "reason"),
    [
        (SAME, "passed", "identical"),
        (
            {"outcome": "better", "difference": 0.2, "low": 0.1, "high": 0.3},
            "passed",
            "+0.20 [+0.10, +0.30]: better",
        ),
        (
            {"outcome": "not shown", "difference": 0.0, "low": -0.04, "high": 0.04},
            "passed",
            "-0.04",
        ),
        (
            {"outcome": "not shown", "difference": 0.0, "low": -0.05, "high": 0.1},
            "not shown",
            "n = 60",
        ),
        (
            {"outcome": "not shown", "difference": 0, "low": -0.2, "high": 0.2, "detectable": 0.14},
            "not shown",
            "a difference of 0.14 would probably have shown",
        ),
        (
            {"outcome": "worse", "difference": -0.02, "low": -0.03, "high": -0.01},
            "failed",
            "-0.02 [-0.03, -0.01]: worse, n = 60",
        ),
        (
            {"outcome": "not shown", "difference": None, "low": None, "high": None, "n": 0},
            "not shown",
            FEW.format(0),
        ),
        ({**SAME, "n": 9}, "not shown", FEW.format(9)),
        (
            {"outcome": "worse", "difference": -1.0, "low": -1.0, "high": -0.3, "n": 9},
            "not shown",
            FEW.format(9),
        ),
        ({**SAME, "n": 10}, "passed", "identical, n = 10"),
    ],
)
def test_a_comparison_is_passed_failed_or_not_shown(
    pair: dict[str, Any], outcome: str, reason: str
) -> None:
    found = decided(pair=pair)
    assert outcomes(found) == ["passed", outcome]
    assert reason in found["checks"][1]["reason"]
    assert found["outcome"] == outcome


def ratings(*given: int, raters: str = "anna bert") -> pd.DataFrame:
    """What people, two if not said otherwise, say of as many answers of the tuned model."""
    rows = [{"instruction": "i", "input": f"{n}", "output": "o"} for n in range(len(given))]
    lines = [
        {
            "item": review.item_hash("i", row["input"], "o"),
            "reviewer": rater,
            "decision": "rate",
            "rating": rating,
        }
        for rater in raters.split()
        for row, rating in zip(rows, given, strict=True)
    ]
    return evaluation.usefulness({"tuned": rows}, lines)


NEEDED = "at least 10 answers and 2 raters are needed"


@pytest.mark.parametrize(
    ("rated", "outcome", "reason"),
    [
        (NOBODY, "not shown", "not rated yet"),
        (ratings(*[5, 5, 4, 5] * 3), "passed", "4.75, rated answers: 12, raters: 2"),
        (ratings(*[5, 4, 3, 5, 4] * 2), "not shown", "4.20, rated answers: 10, raters: 2"),
        (ratings(*[1, 2, 1, 2, 1] * 2), "failed", "1.40, rated answers: 10, raters: 2"),
        (ratings(*[2] * 10), "not shown", "2.00, rated answers: 10, raters: 2"),
        (ratings(*[5] * 9), "not shown", f"5.00, rated answers: 9, raters: 2; {NEEDED}"),
        (ratings(*[1, 2, 1] * 3), "not shown", f"1.33, rated answers: 9, raters: 2; {NEEDED}"),
        (
            ratings(*[5] * 10, raters="anna"),
            "not shown",
            f"5.00, rated answers: 10, raters: 1; {NEEDED}",
        ),
        (ratings(5, raters="anna"), "not shown", f"5.00, rated answers: 1, raters: 1; {NEEDED}"),
    ],
)
def test_usefulness_waits_for_people(rated: pd.DataFrame, outcome: str, reason: str) -> None:
    found = decided(rated=rated, limits={"usefulness": 4.3})
    assert outcomes(found) == [outcome]
    assert found["checks"][0]["reason"] == reason
    assert found["checks"][0]["requirement"] == "at least 4.3 of 5, rated by people"


def test_the_worse_outcome_wins_and_the_verdict_names_it() -> None:
    low = {"value": 0.5, "low": 0.4, "high": 0.6}
    both = {"house_form": 0.9, "usefulness": 4.3}
    found = decided(low, limits=both)
    assert outcomes(found) == ["failed", "passed", "not shown"]
    assert (found["outcome"], found["passed"]) == ("failed", False)
    assert found["verdict"] == (
        "Failed: answers in the house form (at least 0.9; 0.500 [0.40, 0.60] on 60 cases)."
    )
    found = decided(limits=both)
    assert (found["outcome"], found["passed"]) == ("not shown", False)
    assert found["verdict"].startswith("Not shown: usefulness (at least 4.3 of 5")
    assert found["verdict"].endswith("not rated yet).")
    found = decided(limits=both, rated=ratings(*[5] * 10))
    assert (found["outcome"], found["passed"]) == ("passed", True)
    assert found["verdict"].endswith("its limits on answers in the house form and usefulness.")
    assert "people have to rate it" in decided()["verdict"]


def test_a_gate_without_limits_shows_nothing() -> None:
    found = decided(limits={})
    assert (found["outcome"], found["checks"]) == ("not shown", [])
    assert found["verdict"] == "Not shown: the gate has no limits."


def test_the_run_goes_on_if_passed_or_if_told_to() -> None:
    low = {"value": 0.5, "low": 0.4, "high": 0.6}
    assert evaluation.halt(decided()) == ""
    assert evaluation.halt(decided(low, explore=True)) == ""
    said = evaluation.halt(decided(low))
    assert said.startswith("Failed: answers in the house form")
    assert "Nothing is merged or served" in said
    assert said.endswith(
        """by 'explore' in GATE: --param "04.GATE={explore: true}" on the command line."""
    )
    assert evaluation.halt(decided(limits={"usefulness": 4.3})).startswith("Not shown: usefulness")


def test_the_command_that_a_halted_run_names_is_one_that_works() -> None:
    from nbutils.runner import profiles

    low = {"value": 0.5, "low": 0.4, "high": 0.6}
    (text,) = re.findall(r'--param "(.*?)"', evaluation.halt(decided(low)))
    (stage,) = [s for s in profiles.plan("cpu", [text]) if s.number == "04"]
    given = evaluation.settings({}, stage.parameters["GATE"], {}, {})
    assert given.explore
