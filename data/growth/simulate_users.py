"""Simulate a user-level table with planted truth: users.csv, users_changes.csv, users_truth.json.

Run ``python data/growth/simulate_users.py`` from the root of the repository; a folder as argument
is written to instead. The same files come out every time. The truth is for measuring how well a
fit does, never an input to one; the log of changes is what an analyst would know.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

SEED = 20260105
N = 6_200
WEEKS = 10

# share of the sign-ups; the typical days to first value, the only way in which markets differ
MARKETS = {
    "US": (0.26, 4.4),
    "UK": (0.20, 4.0),
    "DACH": (0.18, 4.2),
    "APAC": (0.14, 4.8),
    "France": (0.12, 4.5),
    "Nordics": (0.10, 3.8),
}
PLANS = {"Starter": 0.36, "Growth": 0.40, "Scale": 0.24}
SIZES = ("1-10", "11-50", "51-200", "200+")
SIZE_BY_PLAN = {
    "Starter": (0.52, 0.38, 0.08, 0.02),
    "Growth": (0.17, 0.50, 0.26, 0.07),
    "Scale": (0.03, 0.22, 0.41, 0.34),
}
REFERENCE = {"plan_tier": "Growth", "company_size_bucket": "11-50"}

STEPS, DAYS, TICKETS = (
    "onboarding_steps_completed",
    "time_to_first_value_days",
    "support_tickets_week1",
)
INTERACTION = f"{STEPS} x plan_tier"
INTERCEPT = -0.52
COEFFICIENTS = {
    STEPS: 0.28,
    DAYS: -0.15,
    TICKETS: -0.10,
    "plan_tier = Starter": -1.25,
    "plan_tier = Scale": 0.50,
    "company_size_bucket = 1-10": 0.0,
    "company_size_bucket = 51-200": 0.0,
    "company_size_bucket = 200+": 0.0,
    f"{INTERACTION} = Starter": 0.24,
    f"{INTERACTION} = Scale": 0.0,
}

QUEUE = "Set-up calls moved from booked slots to a shared queue from week 6"
SAMPLE = "Sample data loaded by default in new workspaces from week 4"
CHECKLIST = "Onboarding checklist moved behind the Help menu, in stages between weeks 2 and 10"
EXTRA_DAYS = {"UK": 2.5, "DACH": 2.5}
QUEUE_WEEK, SAMPLE_WEEK = 6, 4
SAMPLE_MARKET, SAMPLE_FACTOR = "US", 0.6
DECLINE_MARKET, DECLINE = "APAC", 0.16

UNKNOWN_SIZE = {"Starter": 0.09, "Growth": 0.05, "Scale": 0.03}
UNKNOWN_DAYS = 0.02
EXPORT_MARKET, EXPORT_WEEKS = "Nordics", (7, 8)


def complete_table(rng: np.random.Generator) -> pd.DataFrame:
    """Every sign-up with every value known: the columns of users.csv without the outcome."""
    week = np.sort(rng.integers(1, WEEKS + 1, N))
    market = rng.choice(list(MARKETS), N, p=[share for share, _ in MARKETS.values()])
    plan = rng.choice(list(PLANS), N, p=list(PLANS.values()))
    # complexity of the set-up: hidden, raises both days and tickets
    complexity = rng.triangular(-2.4, 0.0, 2.4, N)
    return pd.DataFrame(
        {
            "user_id": [f"u{i:05d}" for i in range(1, N + 1)],
            "week": week,
            "market": market,
            "plan_tier": plan,
            "company_size_bucket": _sizes(plan, rng),
            STEPS: _steps(market, week, rng),
            DAYS: _days(market, week, complexity, rng),
            TICKETS: rng.poisson(np.exp(-0.65 + 0.85 * complexity)),
        }
    )


def _sizes(plan: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    bounds = np.cumsum([SIZE_BY_PLAN[p] for p in plan], axis=1)[:, :-1]
    return np.array(SIZES)[(rng.random((N, 1)) > bounds).sum(axis=1)]


def _steps(market: np.ndarray, week: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Of six steps, more spread than a binomial; one market loses a little every week."""
    lost = np.where(market == DECLINE_MARKET, DECLINE * (week - 1), 0.0)
    share = 0.58 - lost / 6
    return rng.binomial(6, rng.beta(3.5 * share, 3.5 * (1 - share)))


def _days(
    market: np.ndarray, week: np.ndarray, complexity: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    typical = np.array([MARKETS[m][1] for m in market])
    sample = (market == SAMPLE_MARKET) & (week >= SAMPLE_WEEK)
    queue = np.where(week >= QUEUE_WEEK, [EXTRA_DAYS.get(m, 0.0) for m in market], 0.0)
    days = typical * np.exp(0.5 * complexity + 0.3 * rng.normal(size=N))
    return np.maximum((days * np.where(sample, SAMPLE_FACTOR, 1.0) + queue).round(1), 0.1)


def design(users: pd.DataFrame) -> pd.DataFrame:
    """One column a term, named as in COEFFICIENTS, for users without missing values."""
    columns = {}
    for term in COEFFICIENTS:
        head, _, level = term.partition(" = ")
        numeric, _, categorical = head.rpartition(" x ")
        if not level:
            columns[term] = users[term].astype(float)
        else:
            is_level = (users[categorical or head] == level).astype(float)
            columns[term] = is_level * users[numeric] if numeric else is_level
    return pd.DataFrame(columns)


def probability(users: pd.DataFrame) -> pd.Series:
    """The true probability that each user is active after 30 days."""
    logit = INTERCEPT + design(users) @ pd.Series(COEFFICIENTS)
    return 1 / (1 + np.exp(-logit))


def with_missing(users: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    """The table as it would be exported: some values are not known, whatever the outcome."""
    size_lost = rng.random(N) < users["plan_tier"].map(UNKNOWN_SIZE)
    days_lost = rng.random(N) < UNKNOWN_DAYS
    failed = (users["market"] == EXPORT_MARKET) & users["week"].isin(EXPORT_WEEKS)
    return users.assign(
        **{
            "company_size_bucket": users["company_size_bucket"].mask(size_lost),
            DAYS: users[DAYS].mask(days_lost),
            TICKETS: users[TICKETS].astype("Int64").mask(failed),
        }
    )


def limit(users: pd.DataFrame, terms: list[str]) -> dict[str, float]:
    """What a logistic model on these terms alone tends to: fitted to the true probabilities."""
    x = np.column_stack([np.ones(len(users)), design(users)[terms]])
    truth, beta = probability(users).to_numpy(), np.zeros(len(terms) + 1)
    for _ in range(25):  # Newton; a handful of steps is enough
        p = 1 / (1 + np.exp(-x @ beta))
        beta = beta + np.linalg.solve(x.T @ (x * (p * (1 - p))[:, None]), x.T @ (truth - p))
    return {term: _rounded(b) for term, b in zip(terms, beta[1:], strict=True)}


def effects(users: pd.DataFrame) -> dict[str, float]:
    """Average change of the probability in points, for each term, by the potential outcomes.

    Of a number: everybody as they are and with one more. Of a level: everybody at the level and
    everybody at the reference. Of the interaction: one more step, among the users of each plan.
    """
    found: dict[str, float] = {}
    for term in COEFFICIENTS:
        head, _, level = term.partition(" = ")
        if head == INTERACTION:
            continue
        if level:
            found[term] = _change(users, {head: level}, {head: REFERENCE[head]})
        else:
            found[term] = _change(users, {term: users[term] + 1}, {})
    for plan in PLANS:
        some = users[users["plan_tier"] == plan]
        found[f"{INTERACTION} = {plan}"] = _change(some, {STEPS: some[STEPS] + 1}, {})
    return found


def _change(users: pd.DataFrame, after: dict[str, Any], before: dict[str, Any]) -> float:
    change = probability(users.assign(**after)) - probability(users.assign(**before))
    return _rounded(100 * change.mean(), 2)


def truth(users: pd.DataFrame, exported: pd.DataFrame) -> dict[str, Any]:
    """The content of users_truth.json."""
    return {
        "what": "Truth planted in users.csv by simulate_users.py; never an input to a fit.",
        "seed": SEED,
        "n": N,
        "outcome": "activated_30d",
        "scale": "logit; the reference of each category is its most common level",
        "reference_levels": REFERENCE,
        "intercept": INTERCEPT,
        "coefficients": COEFFICIENTS,
        "meaning": _MEANING,
        "without_interaction": {
            "what": "what the model on the five predictors without the interaction tends to; it "
            "is not the truth, the steps then get one slope for all plans",
            "coefficients": limit(users, [t for t in COEFFICIENTS if " x " not in t]),
        },
        "interaction": {
            "predictors": [STEPS, "plan_tier"],
            "coefficient": COEFFICIENTS[f"{INTERACTION} = Starter"],
            "meaning": "the steps count for more on Starter; on Scale as on Growth",
        },
        "null_predictor": {
            "predictor": "company_size_bucket",
            "correlated_with": "plan_tier",
            "meaning": "no effect; larger companies take larger plans, so it looks associated "
            "with activation one by one, and is not beside plan_tier",
        },
        "confounded_pair": _pair(users),
        "effects_points": {
            "what": "average over all sign-ups of the change of the true probability, in "
            "percentage points: one more, or the level instead of the reference; by plan (x) "
            "over the sign-ups on that plan",
            "points": effects(users),
        },
        "market_and_week": "no effect of their own: markets differ in typical days to first value "
        "and in the events, and both act through the predictors",
        "missing": _missing(exported),
        "events": _events(),
        "quiet_markets": {"markets": ["France", "Nordics"], "recent_change": "None in the period"},
    }


_MEANING = {
    STEPS: "each further step raises the odds by a third on Growth and Scale, more on Starter",
    DAYS: "each further day to first value lowers activation by about 3 points",
    TICKETS: "each ticket lowers activation a little; most of what it seems to do without days in "
    "the model is the slow set-up behind it",
    "plan_tier = Starter": "less active than Growth; the figure is at 0 steps, and the gap closes "
    "with the steps",
    "plan_tier = Scale": "more active than Growth at any number of steps",
    "company_size_bucket": "no effect at any level",
}


def _pair(users: pd.DataFrame) -> dict[str, Any]:
    def without(dropped: str) -> list[str]:
        return [term for term in COEFFICIENTS if term != dropped]

    return {
        "predictors": [TICKETS, DAYS],
        "cause": "a hidden complexity of the set-up raises both and acts through nothing else",
        "own": {TICKETS: COEFFICIENTS[TICKETS], DAYS: COEFFICIENTS[DAYS]},
        "without_the_other": {
            TICKETS: limit(users, without(DAYS))[TICKETS],
            DAYS: limit(users, without(TICKETS))[DAYS],
        },
        "alone": {TICKETS: limit(users, [TICKETS])[TICKETS], DAYS: limit(users, [DAYS])[DAYS]},
        "meaning": "without days in the model, tickets get about three times their own effect",
    }


def _missing(exported: pd.DataFrame) -> dict[str, Any]:
    def row(column: str, why: str) -> dict[str, Any]:
        lost = exported[column].isna()
        return {"rows": int(lost.sum()), "share": _rounded(lost.mean()), "why": why}

    return {
        "company_size_bucket": row(
            "company_size_bucket",
            "not given at sign-up: at random given the plan (9% of Starter, 5% of Growth, 3% of "
            "Scale)",
        ),
        DAYS: row(DAYS, "event not logged: 2% at random"),
        TICKETS: row(TICKETS, "export failed: all sign-ups of Nordics in weeks 7 and 8"),
        "complete_rows": int(exported.notna().all(axis=1).sum()),
        "meaning": "none depends on the outcome, so complete rows give the planted coefficients",
    }


def _events() -> list[dict[str, Any]]:
    def event(market: str, week: int, what: str, change: str) -> dict[str, Any]:
        return {"market": market, "week": week, "what": what, "recent_change": change}

    slower = [
        event(m, QUEUE_WEEK, f"{DAYS} rises by {days} days, at once and for good", QUEUE)
        for m, days in EXTRA_DAYS.items()
    ]
    faster = f"{DAYS} falls to {SAMPLE_FACTOR:.0%} of what it was, at once and for good"
    fewer = f"{STEPS} falls by {DECLINE} a week on average, to week {WEEKS}"
    return [
        *slower,
        event(SAMPLE_MARKET, SAMPLE_WEEK, faster, SAMPLE),
        event(DECLINE_MARKET, 2, fewer, CHECKLIST),
    ]


def _rounded(value: float, digits: int = 4) -> float:
    return round(float(value), digits) + 0.0


def main(folder: Path) -> None:
    """Write the three files into the folder, each whole or not at all."""
    rng = np.random.default_rng(SEED)
    users = complete_table(rng)
    active = (rng.random(N) < probability(users)).astype(int)
    exported = with_missing(users, rng).assign(activated_30d=active)
    _write(folder / "users.csv", exported.to_csv(index=False, lineterminator="\n"))
    log = pd.DataFrame(_events())[["market", "week", "recent_change"]]
    log = log.rename(columns={"recent_change": "change"})
    _write(folder / "users_changes.csv", log.to_csv(index=False, lineterminator="\n"))
    text = json.dumps(truth(users, exported), indent=2, ensure_ascii=False)
    _write(folder / "users_truth.json", text + "\n")


def _write(path: Path, text: str) -> None:
    part = path.with_suffix(".part")
    part.write_text(text, encoding="utf-8", newline="\n")
    part.replace(path)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent)
