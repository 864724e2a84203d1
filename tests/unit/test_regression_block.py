"""The Regression block: read, told in the facts, and every figure of it verified."""

from __future__ import annotations

import pytest

from nbutils import claims, facts
from nbutils.examples import parse_case

CASE = """Metric: Activation (share of sign-ups active within 30 days)
Context: SaaS, US market
Data: [0.42, 0.41, 0.40, 0.37] (last 4 weeks)
Cohort size: ~900 sign-ups per week
Regression: logistic, n=5512, pseudo-R2=0.121, outcome activated_30d, p adjusted
- time_to_first_value_days: coef -0.148, odds ratio 0.86 [0.83, 0.90], p<0.001; one more: 3.1 points less [2.2, 4.0] (5.2 where plan_tier = Starter)
- plan_tier = Scale: coef 0.505, odds ratio 1.66 [1.40, 1.96], p<0.001; Scale instead of Growth: 11.3 points more [7.0, 15.6]
- company_size_bucket: not significant (p=0.38)
This shows association, not cause."""  # noqa: E501


def test_intervals_points_and_steps_are_read() -> None:
    found = facts.compute(parse_case(CASE)).regression
    assert found is not None
    days, plan, size = found.predictors
    assert (found.n, found.outcome, len(found.predictors)) == (5512, "activated_30d", 3)
    assert (days.odds_interval, days.points, days.points_interval) == ((0.83, 0.9), -3.1, (2.2, 4))
    assert (plan.step, plan.points, plan.rises) == ("Scale instead of Growth", 11.3, True)
    assert (size.significant, size.rises, size.p) == (False, None, 0.38)


def test_the_facts_and_the_brief_analysis_tell_what_the_block_shows() -> None:
    known = facts.compute(parse_case(CASE))
    said = (
        "time to first value days goes with lower odds of activated_30d (odds ratio 0.86) and "
        "plan tier = Scale with higher odds (odds ratio 1.66); company size bucket (p=0.38) is "
        "not significant"
    )
    assert f"- regression: {said}; association, not cause" in known.render()
    assert f"In the regression {said}. That is association, not cause." in known.brief()
    verdict = claims.verify(CASE, f"Analysis: {known.brief()}")
    assert {c.verdict for c in verdict.claims} == {"supported"}


def test_a_linear_regression_is_told_by_its_coefficients() -> None:
    block = facts.parse_regression("linear, n=90, outcome arpu\n- seats: coef -2.31, p=0.004")
    assert block is not None
    assert block.evidence() == "seats goes with lower values of arpu (coefficient 2.31)"


def test_a_block_without_a_supported_predictor_says_so() -> None:
    block = facts.parse_regression("logistic\n- a_x: not significant (p=0.4)\n- b: not significant")
    assert block is not None
    assert block.evidence() == "a x (p=0.40) and b are not significant"


@pytest.mark.parametrize(
    ("text", "verdict"),
    [
        ("One more day to first value goes with 3.1 points lower activation.", "supported"),
        ("One more day to first value goes with 3.1 points higher activation.", "contradicted"),
        ("One more day to first value lowers activation by 11.3 points.", "unsupported"),
        ("On Starter a day to first value goes with 5.2 points less activation.", "supported"),
        ("The odds ratio of time to first value is 0.86.", "supported"),
        ("The odds ratio of time to first value is 1.66.", "contradicted"),
        ("Time to first value stands out (0.86).", "supported"),
        ("Time to first value stands out (1.66).", "unsupported"),
        ("Activation falls with time to first value, p<0.001.", "supported"),
        ("Activation falls with time to first value, p=0.38.", "contradicted"),
        ("Scale has an odds ratio between 1.40 and 1.96.", "supported"),
        ("The fit has a pseudo-R2 of 0.121.", "supported"),
        ("The fit has a pseudo-R2 of 0.212.", "contradicted"),
    ],
)
def test_a_figure_counts_beside_its_own_predictor_only(text: str, verdict: str) -> None:
    found = [c for c in claims.verify(CASE, text).claims if c.verdict != "unchecked"]
    assert {c.verdict for c in found} == {verdict}, found


def test_two_figures_that_are_swapped_do_not_pass() -> None:
    right = "Time to first value has an odds ratio of 0.86 and plan tier Scale one of 1.66."
    assert claims.verify(CASE, right).faithful
    swapped = right.replace("0.86", "x").replace("1.66", "0.86").replace("x", "1.66")
    assert not claims.verify(CASE, swapped).faithful


def test_one_more_day_is_the_step_of_an_effect_and_no_claim() -> None:
    (claim,) = claims.verify(CASE, "One more day to first value goes with less.").claims
    assert claim.verdict == "unchecked"
