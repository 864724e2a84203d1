"""Diagnostics that find planted problems, and the list of levers."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from statsmodels.stats.outliers_influence import variance_inflation_factor
from statsmodels.stats.power import NormalIndPower
from statsmodels.stats.proportion import proportion_effectsize

from nbutils.errors import UserError
from nbutils.grounding.diagnostics import Diagnosis, diagnose
from nbutils.grounding.fitting import Fit, fit
from nbutils.grounding.heldout import roc_area
from nbutils.grounding.levers import levers, per_arm

MOVABLE = {"steps": "easy", "days": "hard", "plan": "not", "share": "easy", "noise": "easy"}


def users(n: int, seed: int = 0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    table = pd.DataFrame(
        {
            "steps": rng.integers(0, 7, n),
            "days": rng.gamma(2.0, 2.0, n),
            "plan": rng.choice(["Starter", "Growth", "Scale"], n, p=[0.5, 0.3, 0.2]),
            "share": rng.random(n),
            "noise": rng.normal(size=n),
            "week": rng.integers(0, 40, n),
        }
    )
    eta = -0.8 + 0.35 * table["steps"] - 0.2 * table["days"] + 0.8 * (table["plan"] == "Scale")
    table["eta"] = eta + 1.2 * table["share"]
    table["active"] = (rng.random(n) < 1 / (1 + np.exp(-table["eta"]))).astype(int)
    return table


def value(found: Diagnosis, check: str) -> pd.Series:
    return found.checks.set_index("check").loc[check]


@pytest.fixture(scope="module")
def plain() -> tuple[Fit, pd.DataFrame, Diagnosis]:
    table = users(3_000)
    found = fit(table, "active", list(MOVABLE))
    return found, table, diagnose(found, table, seed=1)


def test_a_sound_fit_has_no_problems(plain: tuple[Fit, pd.DataFrame, Diagnosis]) -> None:
    found, table, seen = plain
    assert seen.problems == []
    assert seen.checks["finding"].str.endswith(".").all()
    assert 0.7 < value(seen, "discrimination")["value"] < 0.85
    assert seen.calibration["n"].sum() == 600
    assert (seen.calibration["low"] < seen.calibration["high"]).all()
    assert seen.checks.equals(diagnose(found, table, seed=1).checks)


def test_each_planted_problem_is_found_and_named() -> None:
    table = users(3_000)
    rng = np.random.default_rng(2)
    table["minutes"] = 60 * table["days"] + rng.normal(0, 20, len(table))
    bent = table["eta"] + 0.5 * (table["steps"] - 3) ** 2
    table["active"] = (rng.random(len(table)) < 1 / (1 + np.exp(-bent))).astype(int)
    found = fit(table, "active", ["steps", "days", "minutes"])
    seen = diagnose(found, table)
    assert not value(seen, "linearity steps")["ok"]
    assert not value(seen, "collinearity days")["ok"]
    assert value(seen, "collinearity steps")["ok"]
    assert any("days is mostly told by the other predictors" in line for line in seen.problems)
    assert any("steps does not act along a straight line" in line for line in seen.problems)
    x = sm.add_constant(table[["steps", "days", "minutes"]].astype(float)).to_numpy()
    theirs = variance_inflation_factor(x, 2)
    assert value(seen, "collinearity days")["value"] == pytest.approx(theirs, rel=1e-6)


def test_the_row_that_moves_a_coefficient_most_is_named_with_about_its_effect() -> None:
    table = users(300).set_index(pd.Index([f"u{i}" for i in range(300)]))
    table.loc["u17", ["noise", "active"]] = [9.0, 1 - int(table.loc["u17", "active"])]
    table.loc["u17", "days"] = 30.0
    for outcome in ("active", "days"):
        found = fit(table, outcome, ["steps", "noise"])
        row = value(diagnose(found, table), "influence (one row)")
        without = fit(table.drop(index="u17"), outcome, ["steps", "noise"])
        plain = sm.OLS if outcome == "days" else sm.Logit
        x = sm.add_constant(table[["steps", "noise"]].astype(float))
        error = plain(table[outcome], x).fit(**({} if outcome == "days" else {"disp": 0})).bse
        moved = abs(without.beta[2] - found.beta[2]) / error["noise"]
        assert "row u17 of the table would move noise" in row["finding"]
        assert row["value"] == pytest.approx(moved, rel=0.3 if outcome == "active" else 1e-6)


def test_a_separated_fit_says_so_and_few_rows_are_no_crash() -> None:
    rng = np.random.default_rng(1)
    table = pd.DataFrame({"used": [0] * 40 + [1] * 12, "x": rng.normal(size=52)})
    table["kept"] = [1] * 12 + [0] * 28 + [1] * 12
    found = fit(table, "kept", ["used", "x"])
    seen = diagnose(found, table)
    assert not value(seen, "separation")["ok"]
    assert "used tells the outcomes apart" in value(seen, "separation")["finding"]
    assert "Too few held-out rows" in value(seen, "discrimination")["finding"]
    assert seen.calibration.empty


def test_a_fit_of_one_week_is_too_sure_of_another() -> None:
    """Forty predictors of noise on few rows: what fits here does not hold on held-out rows."""
    rng = np.random.default_rng(3)
    table = pd.DataFrame(rng.normal(size=(400, 40)), columns=[f"x{i}" for i in range(40)])
    table["active"] = rng.integers(0, 2, 400)
    seen = diagnose(fit(table, "active", [f"x{i}" for i in range(40)], kind="logistic"), table)
    slope = value(seen, "calibration slope")
    assert not slope["ok"]
    assert "too extreme" in slope["finding"]
    assert not value(seen, "discrimination")["ok"]


@pytest.mark.parametrize("asked", [{"cluster": "week"}, {"interactions": [("steps", "plan")]}])
def test_clusters_interactions_and_numbers_are_diagnosed_too(asked: dict[str, object]) -> None:
    table = users(1_500)
    table["spend"] = 4 + 2 * table["steps"] + np.random.default_rng(4).normal(0, 3, len(table))
    for outcome in ("active", "spend"):
        found = fit(table, outcome, ["steps", "plan"], **asked)  # type: ignore[arg-type]
        seen = diagnose(found, table)
        assert value(seen, "stability of sign steps")["value"] == 1.0
        assert value(seen, "discrimination")["ok"]


def test_the_area_under_the_curve_is_the_share_of_pairs_with_delongs_error() -> None:
    """Against the pairs themselves, ties as halves, and the variance by its definition."""
    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, 80).astype(float)
    score = np.round(y + rng.normal(size=80), 1)
    area, (low, high) = roc_area(y, score)
    pairs = np.sign(score[y == 1][:, None] - score[y == 0]) / 2 + 0.5
    assert area == pytest.approx(pairs.mean())
    ones, zeros = pairs.mean(axis=1).var(ddof=1), pairs.mean(axis=0).var(ddof=1)
    error = np.sqrt(ones / pairs.shape[0] + zeros / pairs.shape[1])
    assert high - low == pytest.approx(2 * 1.959964 * error)


def test_levers_are_ranked_by_what_moves_and_how_far(
    plain: tuple[Fit, pd.DataFrame, Diagnosis],
) -> None:
    found, _, _ = plain
    ranked = levers(found, movable=MOVABLE)
    assert ranked["lever"].tolist()[:3] == ["steps: one more", "share: 0.2 more", "days: one more"]
    assert ranked["lever"].tolist()[3] == "plan: Scale instead of Starter"
    assert ranked.loc[ranked["shown"] == "not shown", "predictor"].tolist() == ["noise", "plan"]
    effects = found.effects.set_index("term")
    first, share = ranked.iloc[0], ranked.iloc[1]
    assert share["points"] == pytest.approx(0.2 * effects.loc["share", "points"])
    before = effects.loc["steps", "before"] / 100
    assert first["per_arm"] == per_arm(before, before + first["points"] / 100)
    assert first["per_arm_low"] > first["per_arm"]
    # no test of what cannot be moved, none sized by what is not shown
    assert ranked.loc[3:, "per_arm"].isna().all()
    higher = levers(found, movable=MOVABLE, power=0.9, baseline=0.2)
    assert higher["per_arm"][0] == per_arm(0.2, 0.2 + first["points"] / 100, power=0.9)


def test_a_significant_interaction_lists_its_lever_by_level() -> None:
    table = users(3_000)
    eta = table["eta"] + 0.5 * (table["plan"] == "Growth") * table["steps"]
    rng = np.random.default_rng(6)
    table["active"] = (rng.random(len(table)) < 1 / (1 + np.exp(-eta))).astype(int)
    found = fit(table, "active", ["steps", "plan"], interactions=[("steps", "plan")])
    ranked = levers(found, movable={"steps": "easy", "plan": "not"})
    assert set(ranked["lever"][:3]) == {
        f"steps: one more where plan = {level}" for level in ("Starter", "Growth", "Scale")
    }
    assert "steps: one more" not in ranked["lever"].tolist()


def test_the_size_of_a_test_is_near_that_of_the_arcsine_method() -> None:
    """The published formula and Cohen's arcsine transformation agree within a few rows."""
    for control, treated in ((0.4, 0.45), (0.1, 0.13), (0.6, 0.5)):
        effect = proportion_effectsize(control, treated)
        theirs = NormalIndPower().solve_power(effect_size=effect, alpha=0.05, power=0.8)
        assert per_arm(control, treated) == pytest.approx(theirs, rel=0.01)
    assert per_arm(0.4, 0.4) is None
    assert per_arm(0.9, 1.05) is None


@pytest.mark.parametrize(
    ("change", "asked", "said"),
    [
        ({"steps": "maybe"}, {}, "movable says 'maybe' of 'steps'; expected one of easy, hard"),
        ({"stepps": "easy"}, {}, "movable names 'stepps', .* expected steps"),
        ({"steps": None}, {}, "movable says 'None' of 'steps'"),
        ({}, {"power": 80}, "power is 80; expected a share between 0 and 1"),
        ({}, {"baseline": 40.0}, "baseline is 40.0"),
    ],
)
def test_a_wrong_word_about_a_lever_is_named(
    plain: tuple[Fit, pd.DataFrame, Diagnosis],
    change: dict[str, str],
    asked: dict[str, float],
    said: str,
) -> None:
    with pytest.raises(UserError, match=said):
        levers(plain[0], movable=MOVABLE | change, **asked)


def test_a_predictor_that_movable_leaves_out_is_named(
    plain: tuple[Fit, pd.DataFrame, Diagnosis],
) -> None:
    with pytest.raises(UserError, match="movable does not say whether 'noise' can be moved"):
        levers(plain[0], movable={k: v for k, v in MOVABLE.items() if k != "noise"})
