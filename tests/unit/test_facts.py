from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nbutils import facts
from nbutils.examples import Example, facts_of, parse_case


def of(data: str, metric: str = "Activation Rate", rest: str = "") -> facts.Facts:
    return facts.compute(parse_case(f"Metric: {metric}\nData: {data}\n{rest}"))


STEP = "[0.44, 0.43, 0.45, 0.44, 0.37, 0.36, 0.37, 0.36] (last 8 weeks)"
COHORT = "Cohort size: ~1,400 sign-ups per week\n"


def test_a_step_is_found_with_its_means() -> None:
    found = of(STEP, rest=COHORT)
    assert (found.shape.kind, found.shape.start) == ("step", 4)
    assert (found.shape.before, found.shape.after) == pytest.approx((0.44, 0.365))
    assert found.affected == pytest.approx(105)
    assert (found.direction, found.good, found.beyond_noise) == ("down", False, True)
    assert found.percent == pytest.approx(-18.18, abs=0.01)


@pytest.mark.parametrize(
    ("data", "kind", "direction"),
    [
        ("[0.40, 0.38, 0.37, 0.35, 0.33, 0.32] (last 6 weeks)", "trend", "down"),
        ("[$31, $31, $33, $34, $37, $41, $47, $55] (last 8 weeks)", "accelerating", "up"),
        ("[0.27, 0.27, 0.28, 0.20, 0.21, 0.27, 0.28, 0.27] (last 8 weeks)", "bump", "mixed"),
        ("[0.41, 0.42, 0.40, 0.41, 0.42, 0.41] (last 6 weeks)", "flat", "flat"),
        ("[5, 5, 5, 5, 5]", "flat", "flat"),
    ],
)
def test_shapes(data: str, kind: str, direction: str) -> None:
    found = of(data)
    assert (found.shape.kind, found.direction) == (kind, direction)


def test_noise_is_binomial_for_shares() -> None:
    found = of("[0.50, 0.52, 0.49, 0.51] (last 4 weeks)", rest="Cohort size: ~100 users per week")
    assert found.noise == pytest.approx(1.96 * np.sqrt(2 * 0.505 * 0.495 / 100), rel=0.001)
    assert found.beyond_noise is False
    assert of("[0.50, 0.52, 0.49, 0.51]").noise is None


def test_noise_covers_what_chance_does() -> None:
    """Unchanged series should look beyond noise in about 5%; with the choice of shape it is 8%."""
    rng = np.random.default_rng(0)
    beyond = 0
    for _ in range(400):
        values = ", ".join(f"{v / 2000:.3f}" for v in rng.binomial(2000, 0.4, 8))
        found = of(f"[{values}] (last 8 weeks)", rest="Cohort size: 2000 users per week")
        beyond += bool(found.beyond_noise)
    assert beyond / 400 < 0.1


@pytest.mark.parametrize(
    ("metric", "expected"),
    [
        ("Monthly Logo Churn", "down"),
        ("Quiet Trials", "down"),
        ("Save Rate", "up"),
        ("CAC payback", "down"),
        ("MRR churn", "down"),
        ("NPS", "up"),
        ("Retention gap", "unknown"),
        ("Zorbling", "unknown"),
        ("LTV:CAC", "up"),
        ("CAC payback / LTV", "down"),
    ],
)
def test_polarity(metric: str, expected: str) -> None:
    assert of("[1, 2, 3, 4]", metric).polarity == expected


@pytest.mark.parametrize(
    ("changes", "index"),
    [
        ("verification from week 5", 4),
        ("form live 4 weeks ago", 4),
        ("new price three weeks ago", 5),
        ("none", None),
        ("on 3 May", None),
        ("in week 40", None),
    ],
)
def test_changes_are_dated(changes: str, index: int | None) -> None:
    assert of(STEP, rest=f"Recent changes: {changes}").change_at == index


def test_zero_base_one_value_and_missing_periods_give_no_wrong_number() -> None:
    assert of("[0, 4, 6, 8]").percent is None
    single = of("[7]")
    assert single.steps == ()
    assert "no trend can be read" in single.brief()
    gaps = of("[4.1%, null, 3.8%, 3.7%] (last 4 weeks)")
    assert gaps.missing == (1,)
    assert "no value for week 2" in gaps.brief()
    assert [s.end.index for s in gaps.steps] == [2, 3]


def test_regression_and_segments_are_read() -> None:
    block = (
        "Regression: logistic, n=2,280, pseudo-R2=0.119, outcome churned_90d\n"
        "- pause_option_seen: coef -0.462, odds ratio 0.63, p<0.001\n"
        "- discount_seen: not significant (p=0.22)\n"
    )
    notes = "Notes: trials from paid search by week: 92, 95, 90, 93, 44, 41, 46, 42\n"
    found = of(STEP, rest=notes + block)
    assert found.regression is not None
    assert (found.regression.n, found.regression.pseudo_r2) == (2280, 0.119)
    assert [p.name for p in found.regression.significant] == ["pause_option_seen"]
    assert found.regression.predictors[0].odds_ratio == 0.63
    assert list(found.segments.values()) == [(92, 95, 90, 93, 44, 41, 46, 42)]


def test_the_block_is_stable_and_short(candidates: list[Example]) -> None:
    for example in candidates:
        known = facts_of(example.input)
        assert known is not None
        block = known.render()
        assert block == facts_of(example.input).render()  # type: ignore[union-attr]
        assert block.startswith("Facts:\n- move: ")
        assert len(block) < 800
        assert "nan" not in block


@settings(max_examples=200, deadline=None)
@given(
    st.lists(
        st.one_of(st.none(), st.floats(-1e6, 1e6).map(lambda v: round(v, 2))),
        min_size=1,
        max_size=16,
    ).filter(lambda values: any(v is not None for v in values))
)
def test_any_series_gives_facts(values: list[float | None]) -> None:
    listed = ", ".join("null" if v is None else f"{v:.2f}" for v in values)
    found = of(f"[{listed}]")
    known = [v for v in values if v is not None]
    assert (found.high.value, found.low.value) == (max(known), min(known))
    assert found.change == pytest.approx(known[-1] - known[0])
    assert found.render()
    assert found.brief()
