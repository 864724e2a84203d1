"""Tables that a regression cannot take: one clear sentence each."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from nbutils.errors import UserError
from nbutils.grounding.fitting import fit

PREDICTORS = ["steps", "plan"]


def users(n: int = 300, seed: int = 3) -> pd.DataFrame:
    """A plain table with an effect of steps."""
    rng = np.random.default_rng(seed)
    table = pd.DataFrame(
        {
            "steps": rng.integers(0, 7, n),
            "days": rng.gamma(2.0, 2.0, n).round(2),
            "plan": rng.choice(["Starter", "Growth", "Scale"], n, p=[0.5, 0.3, 0.2]),
            "week": rng.integers(0, 40, n),
        }
    )
    table["active"] = (rng.random(n) < 1 / (1 + np.exp(1 - 0.4 * table["steps"]))).astype(int)
    return table


CHANGES: dict[str, tuple[Callable[[pd.DataFrame], pd.DataFrame], str]] = {
    "constant": (lambda t: t.assign(steps=4), "'steps' is the same in all 300 complete rows"),
    "constant text": (lambda t: t.assign(plan="Free"), "'plan' is the same in all 300 complete"),
    "infinite": (
        lambda t: t.assign(steps=t["steps"].astype(float).replace({3: np.inf})),
        r"'steps' holds infinite values in \d+ rows",
    ),
    "missing column": (lambda t: t.rename(columns={"steps": "step"}), "'steps': did you mean step"),
    "empty": (lambda t: t[:0], "the table has no rows"),
    "twice": (
        lambda t: pd.concat([t, t[["steps"]]], axis=1),
        "2 columns called 'steps'; expected one of each",
    ),
    "20 rows": (lambda t: t[:20], "only 20 complete rows; a regression needs at least 30"),
    "many missing": (
        lambda t: t.assign(steps=t["steps"].where(t.index < 25)),
        r"only 25 complete rows \(275 more have missing values\)",
    ),
    "all missing": (
        lambda t: t.assign(steps=np.nan),
        "no row is complete: of 300 rows 'steps' is missing in 300",
    ),
    "never together": (
        lambda t: t.assign(
            steps=t["steps"].where(t.index < 100), plan=t["plan"].where(t.index >= 100)
        ),
        "no row is complete: of 300 rows 'steps' is missing in 200",
    ),
    "free text": (
        lambda t: t.assign(plan=[f"note {i}" for i in range(len(t))]),
        "'plan' holds 300 different texts in 300 rows",
    ),
    "numbers as text": (
        lambda t: t.assign(steps=(t["steps"] + t["days"]).astype(str)),
        "'steps' holds .* different texts .* convert them if they are numbers",
    ),
    "dates": (
        lambda t: t.assign(plan=pd.date_range("2026-01-01", periods=len(t))),
        "'plan' holds dates or times",
    ),
    "lists": (lambda t: t.assign(plan=[["a"]] * len(t)), "'plan' holds lists or other objects"),
    "one row of a level": (
        lambda t: t.assign(plan=t["plan"].where(t.index > 0, "Trial")),
        "'plan' has 'Trial' in one complete row only",
    ),
    "three values": (
        lambda t: t.assign(active=t["active"] + (t["steps"] == 6)),
        r"'active' has 3 values \(0, 1, 2\); expected two",
    ),
    "three words": (
        lambda t: t.assign(active=np.where(t["steps"] > 5, "maybe", t["active"].astype(str))),
        r"'active' has 3 values \(0, 1, maybe\)",
    ),
    "one outcome": (lambda t: t.assign(active=1), "'active' is the same in all 300 complete rows"),
    "one word": (lambda t: t.assign(active="yes"), "'active' is the same in all 300 complete"),
    "few events": (
        lambda t: t.assign(active=(t.index < 2).astype(int)),
        "2 of 300 complete rows have the rarer outcome, for 3 coefficients",
    ),
}


@pytest.mark.parametrize("name", CHANGES)
def test_a_table_that_cannot_be_fitted_gets_one_sentence(name: str) -> None:
    change, said = CHANGES[name]
    table = users()
    with pytest.raises(UserError, match=said) as caught:
        fit(change(table), "active", PREDICTORS)
    assert "\n" not in str(caught.value)
    pd.testing.assert_frame_equal(table, users())


@pytest.mark.parametrize(
    ("same", "named"),
    [
        (lambda t: t["steps"], "'steps' and 'copy'"),
        (lambda t: 12.5 - 3 * t["steps"], "'steps' and 'copy'"),
        (lambda t: t["steps"] + 2 * t["days"], "'steps' and 'days' and 'copy'"),
        (lambda t: (t["plan"] == "Growth").map({True: "yes", False: "no"}), "'plan' and 'copy'"),
    ],
)
def test_columns_that_say_the_same_are_named(
    same: Callable[[pd.DataFrame], pd.Series], named: str
) -> None:
    table = users()
    with pytest.raises(UserError, match=f"columns {named} say the same"):
        fit(table.assign(copy=same(table)), "active", ["steps", "days", "plan", "copy"])


def test_a_number_far_from_zero_is_not_taken_for_the_intercept() -> None:
    table = users()
    near, far = (
        fit(table.assign(steps=table["steps"] + shift), "active", PREDICTORS)
        for shift in (0, 20_260_000)
    )
    assert far.terms["coefficient"][1] == pytest.approx(near.terms["coefficient"][1], rel=1e-6)
    assert far.terms["se"][1] == pytest.approx(near.terms["se"][1], rel=1e-6)


@pytest.mark.parametrize(
    ("predictors", "asked", "said"),
    [
        (["active", "steps"], {}, "'active' is the outcome and among the predictors"),
        (["steps", "steps"], {}, "predictor 'steps' is named twice"),
        ([], {}, "expected a list of at least one column"),
        ("steps", {}, "expected a list of at least one column"),
        (PREDICTORS, {"kind": "probit"}, "kind is 'probit'; expected one of auto, logistic"),
        (PREDICTORS, {"cluster": "plan"}, "'plan' is the cluster and also"),
        (PREDICTORS, {"cluster": "wek"}, "no column 'wek': did you mean week"),
        (["steps", "days"], {"cluster": "plan"}, "'plan' makes 3 clusters, expected at least 6"),
        (PREDICTORS, {"interactions": [("steps", "days")]}, "needs 'days' among the predictors"),
        (PREDICTORS, {"interactions": ["steps"]}, "interaction 'steps' is not a pair"),
        (PREDICTORS, {"interactions": [("plan", "plan")]}, "expected two different predictors"),
        (
            PREDICTORS,
            {"interactions": [("steps", "plan"), ("plan", "steps")]},
            "interaction plan x steps is named twice",
        ),
    ],
)
def test_a_request_that_makes_no_sense_gets_one_sentence(
    predictors: list[str], asked: dict[str, object], said: str
) -> None:
    with pytest.raises(UserError, match=said):
        fit(users(), "active", predictors, **asked)  # type: ignore[arg-type]


def test_a_linear_fit_needs_rows_and_no_row_that_decides_alone() -> None:
    table = users(60)
    table["spend"] = table["days"] * 3 + table["steps"]
    with pytest.raises(UserError, match="outcome 'plan' is text"):
        fit(table, "plan", ["steps"], kind="linear")
    alone = table.assign(odd=(table.index == 7).astype(int))
    with pytest.raises(UserError, match="row 8 of the complete rows decides a coefficient"):
        fit(alone, "spend", ["steps", "odd"])
    wide = pd.concat(
        [table[:30]] + [table["days"][:30].rename(f"c{i}") ** i for i in range(2, 5)], axis=1
    )
    rng = np.random.default_rng(0)
    for i in range(10):
        wide[f"r{i}"] = rng.normal(size=len(wide))
    with pytest.raises(
        UserError, match="30 complete rows for 10 coefficients; expected at least 33"
    ):
        fit(wide, "spend", [f"r{i}" for i in range(10)])


def test_an_interaction_without_rows_is_named() -> None:
    table = users().assign(invited=lambda t: t["plan"].where(t["plan"] == "Scale", "no"))
    with pytest.raises(UserError, match="no complete row, or each, has plan = Growth x invited ="):
        fit(table, "active", ["plan", "invited"], interactions=[("plan", "invited")])


def test_what_is_dropped_is_counted_and_said() -> None:
    table = users(2_000)
    rng = np.random.default_rng(5)
    # missing more often among the active
    gone = rng.random(len(table)) < np.where(table["active"] == 1, 0.2, 0.04)
    table["steps"] = table["steps"].astype(float).mask(gone)
    table.loc[:9, "plan"] = [" ", None] * 5
    found = fit(table, "active", ["steps", "plan"])
    counts = found.dropped.set_index("column")["missing"]
    complete = table["steps"].notna() & table["plan"].notna() & (table["plan"] != " ")
    assert counts.to_dict() == {"active": 0, "steps": int(gone.sum()), "plan": 10}
    assert (found.rows, found.n) == (2_000, int(complete.sum()))
    said = " ".join(found.notes)
    assert "are left out because a value is missing, most often steps" in said
    assert "Where steps is missing the outcome is" in said
    assert "Where plan is missing" not in said


@pytest.mark.parametrize(
    ("values", "one"),
    [
        ((0, 1), ()),
        ((False, True), ()),
        ((1, 2), ("1", "2")),
        (("No", "Yes"), ("No", "Yes")),
        (("churned", "kept"), ("churned", "kept")),
    ],
)
def test_what_is_taken_as_one_is_said(values: tuple[object, object], one: tuple[str, ...]) -> None:
    table = users()
    plain = fit(table, "active", PREDICTORS)
    coded = fit(table.assign(active=[values[v] for v in table["active"]]), "active", PREDICTORS)
    assert coded.values == one
    assert coded.terms["coefficient"].tolist() == plain.terms["coefficient"].tolist()
    assert any("is taken as 1" in note for note in coded.notes) == bool(one)


def test_nullable_and_object_columns_read_as_what_they_hold() -> None:
    table = users()
    plain = fit(table, "active", ["steps", "plan"])
    odd = table.assign(
        active=table["active"].astype(bool).astype("boolean"),
        steps=table["steps"].astype("Int64"),
        plan=table["plan"].astype("category").cat.add_categories(["Unused"]),
    ).set_index(pd.Index(range(50, 350)))
    assert fit(odd, "active", ["steps", "plan"]).terms.equals(plain.terms)
    mixed = table.assign(steps=table["steps"].astype(object), plan=table["plan"].astype(object))
    assert fit(mixed, "active", ["steps", "plan"]).terms.equals(plain.terms)
