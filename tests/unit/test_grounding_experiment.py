"""What a recommendation acts on, and whether the block changed it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from nbutils import facts, grounding
from nbutils.examples import Example, parse_answer, parse_case
from nbutils.models import Completion

ROOT = Path(__file__).parents[2]
BLOCK = """logistic, n=3297, pseudo-R2=0.147, outcome activated_30d
- time_to_first_value_days: coef -0.248, odds ratio 0.78, p<0.001
- support_tickets_week1: coef -0.163, odds ratio 0.85, p=0.012
- plan_tier: not significant (p=0.63)"""
INPUT = f"""Metric: 30-Day Activation (share of new accounts with three weekly users within 30 days)
Data: [0.44, 0.43, 0.42, 0.36, 0.35, 0.34] (last 6 weeks)
Cohort size: ~900 new accounts per week
Regression: {BLOCK}"""
CASE = parse_case(INPUT)
TRUTH = facts.parse_regression(BLOCK)


@pytest.mark.parametrize(
    ("action", "expected"),
    [
        ("Onboarding halves the time to first value for a random half.", [0]),
        ("Support answers every ticket within a day.", [1]),
        ("Offer a discount by plan tier.", [2]),
        ("Cut the days to first value. Do not split the effort by plan tier.", [0]),
        ("Leave plan tiers as they are and shorten the road to value.", []),
        ("The support team checks the onboarding of new accounts in the first week.", []),
        ("Test a shorter e-mail for a random half of them.", []),
    ],
)
def test_what_a_recommendation_acts_on(action: str, expected: list[int]) -> None:
    names = [TRUTH.predictors[i].name for i in expected]
    found = grounding.acted_on(action, TRUTH, CASE)
    if "Leave plan tiers" in action:
        # what is left alone reaches to the end of the clause: read as acting on nothing
        names = []
    assert found == names


def test_analysts_act_on_what_their_regression_supports() -> None:
    acts = off = counted = 0
    for line in (ROOT / "data/growth/test.jsonl").read_text("utf-8").splitlines():
        row = json.loads(line)
        block = facts.parse_regression(parse_case(row["input"]).regression)
        if block is None or not block.significant:
            continue
        named = set(
            grounding.acted_on(parse_answer(row["output"]).action, block, parse_case(row["input"]))
        )
        counted += 1
        acts += bool(named & {p.name for p in block.significant})
        off += not named & {p.name for p in block.unsupported}
    assert (acts, off, counted) == (8, 9, 9)


@pytest.mark.parametrize(
    ("text", "claims"),
    [
        ("Each day to first value lowers activation by a fifth.", True),
        ("The fall is due to slow tickets.", True),
        ("Days to first value goes with lower odds of activation.", False),
        ("Slow tickets may cause it.", False),
        ("The set-up was made longer.", False),
    ],
)
def test_a_cause_is_a_claim_about_a_predictor_without_a_hedge(text: str, claims: bool) -> None:
    answer = f"Analysis: {text}\nRecommended action: Test it.\nUrgency: Low — small."
    assert bool(grounding.causal(answer, TRUTH, CASE)) is claims


class Follower:
    """A model that acts on the first supported predictor of the block it is shown."""

    name = "follower"

    def generate(
        self, messages: list, max_new_tokens: int = 0, *, progress: object = None, **_: object
    ) -> list[Completion]:
        return [Completion(self._answer(m[-1]["content"]), 1, 1, 0.1, True) for m in messages]

    def _answer(self, prompt: str) -> str:
        found = prompt.partition("Regression:")[2]
        action = "Repeat the measurement in two weeks."
        said = "It fell from 0.44 in week 1 to 0.34 in week 6."
        if block := facts.parse_regression(found.split("Facts:")[0]):
            first = block.significant[0]
            action = f"Work on {first.plain} for a random half."
            said += f" The odds ratio of {first.plain} is {first.odds_ratio:.2f}."
        return f"Analysis: {said}\nRecommended action: {action}\nUrgency: High — 90 accounts."


def test_a_model_that_reads_the_block_is_told_from_one_that_does_not() -> None:
    cases = [Example(f"c{i}", "Explain.", INPUT) for i in range(12)]
    rows = grounding.ask(Follower(), cases, form="brief")
    assert rows.groupby("block")["lever"].mean()["with"] == 1
    assert rows.groupby("block")["lever"].mean()["without"] == 0
    assert rows.loc[rows["block"] == "shuffled", "follows"].all()
    assert (rows.loc[rows["block"] != "without", "cited_right"] == 1).all()
    found = grounding.compare(rows).set_index(["metric", "baseline"])
    assert found.loc[("lever", "without"), "outcome"] == "better"
    summary = grounding.summarize(rows).set_index(["metric", "block"])
    assert summary.loc[("lever", "without"), "value"] == 0
    assert summary.loc[("figures", "without"), "n"] == 0
    assert summary.loc[("figures", "with"), "value"] == 1


def test_a_case_whose_series_does_not_move_calls_for_no_lever() -> None:
    still = INPUT.replace(
        "0.44, 0.43, 0.42, 0.36, 0.35, 0.34", "0.44, 0.43, 0.44, 0.43, 0.44, 0.43"
    )
    rows = grounding.ask(Follower(), [Example("c", "Explain.", still)], form="brief")
    assert not rows["lever_known"].any()
    assert rows["null_known"].all()
