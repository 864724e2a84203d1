from __future__ import annotations

from pathlib import Path

import pytest

from nbutils import examples
from nbutils.examples import (
    CaseError,
    DataFileError,
    Example,
    find_alike,
    messages,
    parse_answer,
    parse_case,
    read_examples,
    read_jsonl,
    target,
)

CASE = (
    "Metric: Activation Rate (share of new users who finish onboarding)\n"
    "Context: B2B SaaS, SMB, UK\n"
    "Data: [0.44, 0.43, 0.45, 0.44, 0.37, 0.36, 0.37, 0.36] (last 8 weeks)\n"
    "Cohort size: ~1,400 sign-ups per week\n"
    "Recent changes: Phone verification mandatory from week 5"
)
ANSWER = (
    "Analysis: It dropped from 0.44 to 0.36.\n"
    "Recommended action: Growth makes the check optional for half. Measure activation. Decide.\n"
    "Urgency: High — 105 users a week."
)
EXAMPLE = Example("x", "Analyze the trend.", CASE, ANSWER)


@pytest.mark.parametrize(
    ("data", "values", "unit", "currency"),
    [
        ("[0.42, 0.39] (last 2 weeks)", (0.42, 0.39), "rate", ""),
        ("[31.2%, 30.6%]", (31.2, 30.6), "percent", ""),
        ("[$1,240, $1,310] (last 2 months)", (1240.0, 1310.0), "money", "$"),
        ("[42, null, 40]", (42.0, None, 40.0), "count", ""),
        ("[-0.1, 0.2]", (-0.1, 0.2), "rate", ""),
        ("[−3, 4]", (-3.0, 4.0), "count", ""),
        ("[12k, 13.5k]", (12000.0, 13500.0), "number", ""),
        ("[1.2M, 1.3M]", (1.2e6, 1.3e6), "number", ""),
        ("[€3.50, €3.75]", (3.5, 3.75), "money", "€"),
        ("[0,42; 0,39; 0,4]", (0.42, 0.39, 0.4), "rate", ""),
        ("[31,2%; 30,6%]", (31.2, 30.6), "percent", ""),
        ("[1,240; 1,310]", (1240.0, 1310.0), "count", ""),
        ("[3; 4]", (3.0, 4.0), "count", ""),
        ("[7]", (7.0,), "count", ""),
        ("[0.0, 0.0]", (0.0, 0.0), "rate", ""),
    ],
)
def test_series_are_read(
    data: str, values: tuple[float | None, ...], unit: str, currency: str
) -> None:
    case = parse_case(f"Metric: Something\nData: {data}")
    assert case.values == pytest.approx(values)
    assert (case.unit, case.currency) == (unit, currency)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "no 'Metric:' line"),
        ("Metric: X", "no 'Data:' line"),
        ("Metric: X\nData: see the sheet", "expected a series like"),
        ("Metric: X\nData: []", "is empty"),
        ("Metric: X\nData: [1, two, 3]", "value 2 of the series is 'two'"),
        ("Metric: X\nData: [null, n/a]", "every value of the series is missing"),
        ("Metric: X\nData: [0.4, 40%]", "mixes units"),
        ("Metric: X\nData: [1, 2, 3] (last 5 weeks)", "3 values but says last 5 weeks"),
    ],
)
def test_bad_cases_say_what_was_expected(text: str, said: str) -> None:
    with pytest.raises(CaseError, match=said.replace("[", r"\[")):
        parse_case(text)


def test_cohort_period_and_changes_are_read() -> None:
    case = parse_case(CASE)
    assert (case.cohort, case.cohort_unit, case.period) == (1400.0, "sign-ups", "week")
    assert case.changes.startswith("Phone")
    assert parse_case(CASE.replace("~1,400 sign-ups per week", "n/a")).cohort is None
    money = parse_case(CASE.replace("~1,400 sign-ups per week", "~$1.2M opening MRR per month"))
    assert (money.cohort, money.cohort_currency) == (1.2e6, "$")
    assert parse_case(CASE.replace("~1,400 sign-ups", "~300 MQLs")).cohort == 300


def test_every_case_of_the_task_is_read(candidates: list[Example]) -> None:
    assert all(len(parse_case(e.input).values) >= 4 for e in candidates)


def test_jsonl_errors_name_file_and_line(tmp_path: Path) -> None:
    file = tmp_path / "x.jsonl"
    with pytest.raises(DataFileError, match="no such file"):
        read_jsonl(file)
    file.write_text("")
    with pytest.raises(DataFileError, match="no rows"):
        read_jsonl(file)
    file.write_text('{"id": "a"}\n{"id": \n')
    with pytest.raises(DataFileError, match=r"x\.jsonl, line 2: not JSON"):
        read_jsonl(file)
    file.write_text('{"id": "a"}\n[1]\n')
    with pytest.raises(DataFileError, match="line 2: found a JSON list"):
        read_jsonl(file)
    file.write_text('{"id": "a"}\n')
    with pytest.raises(DataFileError, match="line 1: field 'text' is missing"):
        read_jsonl(file, ["id", "text"])


def test_example_rows_are_checked(tmp_path: Path) -> None:
    file = tmp_path / "x.jsonl"
    file.write_text('{"id": "a", "instruction": "i"}\n')
    with pytest.raises(DataFileError, match="row 1: field 'input' is missing"):
        read_examples(file)
    row = '{"id": "a", "instruction": "i", "input": "c"}\n'
    file.write_text(row * 2)
    with pytest.raises(DataFileError, match="id 'a' stands twice"):
        read_examples(file)
    file.write_text(row.replace('"c"}', '"c", "output": 3}'))
    with pytest.raises(DataFileError, match="field 'output' is int"):
        read_examples(file)


def test_rows_survive_the_round_trip(tmp_path: Path) -> None:
    example = Example("ü\u2028x", "i", "c", "o — ✓", {"seed_id": "r1"})
    file = tmp_path / "x.jsonl"
    file.write_text(examples.to_jsonl([example.to_row()]), encoding="utf-8")
    assert read_examples(file) == [example]


def test_answers_are_taken_apart() -> None:
    answer = parse_answer(ANSWER)
    assert answer.analysis.startswith("It dropped")
    assert answer.action.endswith("Decide.")
    assert (answer.urgency, answer.reason) == ("High", "105 users a week.")
    assert parse_answer("nothing of the kind").urgency == ""
    assert parse_answer("**Urgency:** low - quiet").urgency == "Low"


def test_one_prompt_for_training_and_serving() -> None:
    turns = messages(EXAMPLE)
    assert [t["role"] for t in turns] == ["system", "user"]
    assert CASE in turns[-1]["content"]
    assert "Facts:" in turns[-1]["content"]
    assert ANSWER not in str(turns)
    assert "Facts:" not in messages(EXAMPLE, with_facts=False)[-1]["content"]
    shown = messages(EXAMPLE, shots=[EXAMPLE])
    assert [t["role"] for t in shown] == ["system", "user", "assistant", "user"]
    with pytest.raises(ValueError, match="expected one of brief, full"):
        messages(EXAMPLE, form="long")


def test_brief_form_keeps_the_judgement_and_composes_the_numbers() -> None:
    text = target(EXAMPLE)
    assert "fell from 0.44 in week 1 to 0.36 in week 8, down 8 points (18%)" in text
    assert "Measure activation.\nUrgency: High — about 105 of 1,400 sign-ups a week." in text
    assert "Decide" not in text
    assert target(EXAMPLE, form="full") == ANSWER


def test_likeness_ignores_numbers() -> None:
    texts = [CASE, CASE.replace("0.44", "0.51").replace("1,400", "900"), "something else entirely"]
    assert find_alike(texts, 0.9) == [[0, 1]]
