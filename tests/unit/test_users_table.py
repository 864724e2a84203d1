"""The simulated user-level table: reproducible, as its data card says, its truth recoverable."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from statsmodels.api import Logit

DATA = Path(__file__).parents[2] / "data" / "growth"
TRUTH = json.loads((DATA / "users_truth.json").read_text("utf-8"))
STEPS = "onboarding_steps_completed"
DAYS = "time_to_first_value_days"
TICKETS = "support_tickets_week1"
SIZE = "company_size_bucket"


@pytest.fixture(scope="module")
def users() -> pd.DataFrame:
    return pd.read_csv(DATA / "users.csv")


@pytest.fixture(scope="module")
def columns(users: pd.DataFrame) -> pd.DataFrame:
    """A column for each planted term, on complete rows; coded here, apart from the simulator."""
    known = users.dropna()
    coded = known[[STEPS, DAYS, TICKETS]].astype(float)
    for plan in ("Starter", "Scale"):
        coded[f"plan_tier = {plan}"] = (known["plan_tier"] == plan).astype(float)
        coded[f"{STEPS} x plan_tier = {plan}"] = coded[f"plan_tier = {plan}"] * known[STEPS]
    for size in ("1-10", "51-200", "200+"):
        coded[f"{SIZE} = {size}"] = (known[SIZE] == size).astype(float)
    return coded


def fitted(users: pd.DataFrame, columns: pd.DataFrame) -> Any:
    outcome = users.loc[columns.index, "activated_30d"]
    return Logit(outcome, columns.assign(intercept=1.0)).fit(disp=False)


def of_size(columns: pd.DataFrame) -> list[str]:
    return [str(name) for name in columns if str(name).startswith(SIZE)]


def joint_p(fit: Any, names: list[str]) -> float:
    some = fit.params[names].to_numpy()
    inverse = np.linalg.inv(fit.cov_params().loc[names, names].to_numpy())
    return float(stats.chi2.sf(some @ inverse @ some, len(names)))


def test_the_simulator_writes_the_committed_files_again(tmp_path: Path) -> None:
    script = DATA / "simulate_users.py"
    subprocess.run([sys.executable, str(script), str(tmp_path)], check=True)
    assert sorted(p.name for p in tmp_path.iterdir()) == [
        "users.csv",
        "users_changes.csv",
        "users_truth.json",
    ]
    for name in ("users.csv", "users_changes.csv", "users_truth.json"):
        assert (tmp_path / name).read_bytes() == (DATA / name).read_bytes()


def test_the_table_has_the_columns_and_ranges_of_the_data_card(users: pd.DataFrame) -> None:
    assert users.columns.tolist() == [
        *("user_id", "week", "market", "plan_tier", SIZE, STEPS, DAYS, TICKETS, "activated_30d")
    ]
    assert len(users) == TRUTH["n"] == users["user_id"].nunique()
    assert set(users["week"]) == set(range(1, 11))
    assert set(users["market"]) == {"US", "UK", "DACH", "APAC", "France", "Nordics"}
    assert set(users[SIZE].dropna()) == {"1-10", "11-50", "51-200", "200+"}
    assert set(users[STEPS]) == set(range(7))
    days = users[DAYS].dropna().to_numpy()
    assert days.min() > 0
    assert stats.skew(days) > 1
    assert (days == days.round(1)).all()
    assert set(users[TICKETS].dropna()) <= set(range(20))
    assert set(users["activated_30d"]) == {0, 1}
    assert 0.35 < users["activated_30d"].mean() < 0.5


def test_references_are_the_most_common_levels_with_and_without_gaps(users: pd.DataFrame) -> None:
    for column, reference in TRUTH["reference_levels"].items():
        assert users[column].mode()[0] == users.dropna()[column].mode()[0] == reference


def test_every_market_and_plan_has_sign_ups_enough_for_a_weekly_rate(users: pd.DataFrame) -> None:
    cells = users.groupby(["market", "plan_tier"]).size()
    assert len(cells) == 18
    assert cells.min() >= 100
    assert (cells / users["week"].nunique()).min() >= 8


def test_values_are_missing_where_and_as_often_as_recorded(users: pd.DataFrame) -> None:
    for column in (SIZE, DAYS, TICKETS):
        recorded = TRUTH["missing"][column]
        assert users[column].isna().sum() == recorded["rows"]
        assert users[column].isna().mean() == pytest.approx(recorded["share"], abs=1e-4)
    assert len(users.dropna()) == TRUTH["missing"]["complete_rows"]
    assert users.drop(columns=[SIZE, DAYS, TICKETS]).notna().all(axis=None)
    assert 0.045 < users[SIZE].isna().mean() < 0.075
    assert 0.01 < users[DAYS].isna().mean() < 0.03
    failed = (users["market"] == "Nordics") & users["week"].isin([7, 8])
    assert users[TICKETS].isna().equals(failed)


def test_every_planted_coefficient_lies_in_its_interval(
    users: pd.DataFrame, columns: pd.DataFrame
) -> None:
    intervals = fitted(users, columns).conf_int(alpha=0.001)
    planted = {**TRUTH["coefficients"], "intercept": TRUTH["intercept"]}
    assert set(intervals.index) == set(planted)
    outside = [t for t, value in planted.items() if not intervals[0][t] < value < intervals[1][t]]
    assert outside == []


def test_what_is_planted_can_be_seen(users: pd.DataFrame, columns: pd.DataFrame) -> None:
    p = fitted(users, columns).pvalues
    assert p[STEPS] < 0.001
    assert p[DAYS] < 0.001
    assert p[TICKETS] < 0.05
    assert p[f"{STEPS} x plan_tier = Starter"] < 0.001


def test_company_size_is_accused_one_by_one_and_cleared_beside_the_plan(
    users: pd.DataFrame, columns: pd.DataFrame
) -> None:
    names = of_size(columns)
    assert TRUTH["null_predictor"]["predictor"] == SIZE
    assert {TRUTH["coefficients"][name] for name in names} == {0.0}
    assert joint_p(fitted(users, columns[names]), names) < 0.01
    assert joint_p(fitted(users, columns), names) > 0.01


def test_tickets_without_days_take_about_three_times_their_effect(
    users: pd.DataFrame, columns: pd.DataFrame
) -> None:
    pair = TRUTH["confounded_pair"]
    assert 2.5 < pair["without_the_other"][TICKETS] / pair["own"][TICKETS] < 3.5
    own = fitted(users, columns).params[TICKETS]
    without = fitted(users, columns.drop(columns=DAYS))
    alone = fitted(users, columns[[TICKETS]])
    assert 2 < without.params[TICKETS] / own < 4
    assert 2 < alone.params[TICKETS] / own < 4
    for fit, expected in ((without, pair["without_the_other"]), (alone, pair["alone"])):
        low, high = fit.conf_int(alpha=0.001).loc[TICKETS]
        assert low < expected[TICKETS] < high


def test_the_model_without_the_interaction_finds_what_is_recorded(
    users: pd.DataFrame, columns: pd.DataFrame
) -> None:
    expected = TRUTH["without_interaction"]["coefficients"]
    intervals = fitted(users, columns[list(expected)]).conf_int(alpha=0.001)
    assert [t for t, v in expected.items() if not intervals[0][t] < v < intervals[1][t]] == []


def test_the_recorded_effects_agree_with_the_fit_of_the_table(
    users: pd.DataFrame, columns: pd.DataFrame
) -> None:
    points = TRUTH["effects_points"]["points"]
    assert -3.5 < points[DAYS] < -2.5
    slopes = fitted(users, columns).get_margeff().summary_frame()
    for term in (DAYS, TICKETS):
        slope, error = 100 * slopes.loc[term, ["dy/dx", "Std. Err."]]
        assert points[term] == pytest.approx(slope, abs=3.3 * error)
    by_plan = [points[f"{STEPS} x plan_tier = {p}"] for p in ("Starter", "Growth", "Scale")]
    assert by_plan[0] > max(by_plan[1:]) + 2
    assert min(by_plan) < points[STEPS] < max(by_plan)
    assert {points[name] for name in of_size(columns)} == {0.0}


def test_every_event_shows_in_its_market_and_in_no_quiet_one(users: pd.DataFrame) -> None:
    def change(market: str, column: str, week: int) -> tuple[float, float]:
        some = users[users["market"] == market].dropna(subset=[column])
        before, after = (some.loc[m, column] for m in (some["week"] < week, some["week"] >= week))
        return float(after.mean() - before.mean()), float(stats.ttest_ind(before, after).pvalue)

    for event in TRUTH["events"]:
        column = STEPS if event["what"].startswith(STEPS) else DAYS
        week = 6 if column == STEPS else event["week"]
        moved, p = change(event["market"], column, week)
        assert p < 0.001
        assert (moved > 0) is ("rises" in event["what"])
        if "2.5 days" in event["what"]:
            assert moved == pytest.approx(2.5, abs=0.5)
    for market in TRUTH["quiet_markets"]["markets"]:
        assert change(market, DAYS, 6)[1] > 0.01
        assert change(market, STEPS, 6)[1] > 0.01


def test_the_weekly_rate_moves_with_the_events(users: pd.DataFrame) -> None:
    rate = users.groupby(["market", users["week"] >= 6])["activated_30d"].mean().unstack()
    moved = rate[True] - rate[False]
    assert max(moved[["UK", "DACH", "APAC"]]) < -0.03
    assert moved["US"] > 0.03


def test_nothing_but_the_predictors_moves_the_outcome(
    users: pd.DataFrame, columns: pd.DataFrame
) -> None:
    markets = pd.get_dummies(users.loc[columns.index, "market"], dtype=float).drop(columns="US")
    wider = columns.join(markets).join(users["week"].astype(float))
    fit = fitted(users, wider)
    assert joint_p(fit, [*markets.columns, "week"]) > 0.01
