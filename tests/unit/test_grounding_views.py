"""The block of a real fit, and what readers see of fit and experiment."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd

from nbutils import claims, facts, grounding
from nbutils.grounding import Fit

DATA = Path(__file__).parents[2] / "data" / "growth"
TRUTH = json.loads((DATA / "users_truth.json").read_text("utf-8"))
STEPS, DAYS = "onboarding_steps_completed", "time_to_first_value_days"
MOVABLE = {
    STEPS: "easy",
    DAYS: "easy",
    "support_tickets_week1": "hard",
    "plan_tier": "hard",
    "company_size_bucket": "not",
}


@cache
def users() -> pd.DataFrame:
    return pd.read_csv(DATA / "users.csv")


@cache
def fitted() -> Fit:
    pairs = [(STEPS, "plan_tier")]
    return grounding.fit(users(), "activated_30d", list(MOVABLE), interactions=pairs)


def test_the_block_is_read_back_as_it_was_fitted() -> None:
    block = facts.parse_regression(grounding.context(fitted()))
    assert block is not None
    assert (block.n, block.outcome, round(fitted().pseudo_r2, 3)) == (
        fitted().n,
        "activated_30d",
        block.pseudo_r2,
    )
    found = {p.name: p for p in block.predictors}
    effects = fitted().effects.set_index("term")
    assert found[DAYS].points == round(effects.loc[DAYS, "points"], 1)
    assert found[DAYS].points_interval == tuple(
        sorted(abs(round(effects.loc[DAYS, k], 1)) for k in ("low", "high"))
    )
    assert [p.name for p in block.unsupported] == ["company_size_bucket"]


def test_within_an_interaction_no_coefficient_stands_alone() -> None:
    text = grounding.context(fitted())
    (line,) = [row for row in text.splitlines() if row.startswith(f"- {STEPS}:")]
    assert "coef" not in line
    assert "9.4 where plan_tier = Starter" in line
    assert " x " not in text


def test_what_the_block_says_is_verified_and_what_it_does_not_say_is_not() -> None:
    series = "Metric: Activation\nData: [0.46, 0.45, 0.41, 0.40]"
    case = f"{series}\nRegression: {grounding.context(fitted())}"
    right = "One more day to first value goes with 3.3 points less activation [2.8, 3.7]."
    assert claims.verify(case, right).faithful
    assert not claims.verify(case, right.replace("3.3", "7.2")).faithful
    assert not claims.verify(case, right.replace("less", "more")).faithful


def test_a_linear_fit_has_a_block_of_coefficients() -> None:
    rng = np.random.default_rng(3)
    table = pd.DataFrame({"seats": rng.normal(10, 3, 400), "noise": rng.normal(0, 1, 400)})
    table["arpu"] = 5 + 2 * table["seats"] + rng.normal(0, 4, 400)
    fit = grounding.fit(table, "arpu", ["seats", "noise"])
    block = facts.parse_regression(grounding.context(fit))
    assert block is not None
    assert [p.name for p in block.significant] == ["seats"]
    assert abs(block.significant[0].coefficient - 2) < 0.2
    assert "points" not in grounding.context(fit)
    assert "linear, n=400, R2=0.7" in grounding.context(fit)


def test_planted_effects_stand_beside_the_fitted_ones() -> None:
    coefficients = grounding.coefficients(fitted(), TRUTH)
    effects = grounding.effects(fitted(), TRUTH)
    assert (
        grounding.recovered(coefficients) == "10 of 10 planted values lie within the 95% interval"
    )
    assert grounding.recovered(effects) == "11 of 11 planted values lie within the 95% interval"
    moved = coefficients.assign(
        value=coefficients["value"] + 9 * (coefficients["source"] == "planted")
    )
    assert grounding.recovered(moved).startswith("0 of 10")
    own = grounding.coefficients(fitted(), {})
    assert set(own["source"]) == {"fitted"}
    assert grounding.recovered(own) == "nothing is planted in this table"


def test_the_records_are_json_and_the_tables_fit_a_page() -> None:
    found = grounding.diagnose(fitted(), users())
    levers = grounding.levers(fitted(), movable=MOVABLE)
    record = grounding.regression_record(fitted(), found, levers)
    assert json.loads(json.dumps(record, allow_nan=False))["n"] == fitted().n
    assert len(grounding.terms(fitted()).columns) <= 7
    missing = grounding.missing(fitted(), users()).set_index("column")
    assert missing.loc["plan_tier", "holds"].split(", ")[0] == "Growth"
    assert missing.loc[DAYS, "missing"] == users()[DAYS].isna().sum()


def result(lever: tuple[int, int, int]) -> pd.DataFrame:
    """Twenty cases under three blocks; the numbers say how many act on a lever."""
    rows = []
    for block, acting in zip(("with", "without", "shuffled"), lever, strict=True):
        for i in range(20):
            own = {"lever": i < acting, "lever_known": 1, "null_left": True, "null_known": 1}
            own |= {"follows": i < acting, "block_known": int(block != "without"), "asked": 1}
            own |= {"cited": 2 * (block != "without"), "cited_right": 2 * (block != "without")}
            own |= {"no_cause": True, "faithful": True, "input": "x", "output": "y", "claims": []}
            rows.append({"block": block, "id": f"c{i}", **own})
    return pd.DataFrame(rows)


def test_the_verdict_says_what_is_shown_and_what_is_not() -> None:
    rows = result((15, 3, 13))
    text = grounding.verdict(grounding.summarize(rows), grounding.compare(rows))
    assert "in 75% of 20 cases that moved, against 15% without it (better) and 65% with" in text
    assert text.endswith("(not shown).")
    still = rows.assign(lever_known=0)
    text = grounding.verdict(grounding.summarize(still), grounding.compare(still))
    assert "not shown: no case counts" in text


def test_a_reader_sees_the_measures_side_by_side_and_one_case_under_every_block() -> None:
    rows = result((15, 3, 13))
    table = grounding.wide(grounding.summarize(rows)).set_index("label")
    assert list(table.columns) == ["with block", "without block", "shuffled block"]
    assert table.loc["Acts on a supported lever", "without block"] == "0.15 [0.05, 0.36], n=20"
    assert table.loc["Figures of the regression right", "without block"] == "nothing to count"
    assert [e["kind"] for e in grounding.examples(rows)] == [
        "with the block",
        "without the block",
        "shuffled block",
    ]
