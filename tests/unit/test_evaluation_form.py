"""Form and judgement of one answer, held against what people wrote."""

from __future__ import annotations

import pytest
from evaluation_cases import DATA, held_out

from nbutils import evaluation, facts
from nbutils.examples import Example, facts_of, parse_answer, read_examples, read_jsonl
from nbutils.gates import MAX_WORDS

LABELS = {row["id"]: row["flaw"] for row in read_jsonl(DATA / "candidate_labels.jsonl")}


@pytest.fixture(scope="module")
def gold() -> list[str]:
    return [e.output for e in read_examples(DATA / "formatted.jsonl", id_field="report_id")]


# --------------------------------------------------------------------------- form


def test_gold_answers_are_in_the_house_form_and_spoilt_ones_are_not() -> None:
    cases = held_out()
    assert all(all(evaluation.check_format(c.output).values()) for c in cases)
    text = cases[0].output
    assert not evaluation.check_format(text.replace("Urgency: High", "Urgency: Huge"))[
        "urgency_level"
    ]
    assert not evaluation.check_format(text.split("Urgency")[0])["three_sections"]
    assert not evaluation.check_format(text + "\n" + text)["three_sections"]
    assert not evaluation.check_format("Sure! " + text)["nothing_else"]
    assert not evaluation.check_format(text + " and so on" * 200)["length"]
    assert not any(evaluation.check_format("").values())


def test_the_simple_checks_turn_away_most_answers_of_analysts(gold: list[str]) -> None:
    assert len(gold) == 160
    assert all(all(evaluation.check_format(text).values()) for text in gold)
    passed = sum(all(evaluation.simple_checks(text).values()) for text in gold)
    assert passed < 40


def test_the_simple_checks_pass_any_text_that_holds_the_words() -> None:
    empty = "urgency analysis action " * 20
    assert all(evaluation.simple_checks(empty).values())
    assert not any(evaluation.check_format(empty)[k] for k in ("three_sections", "urgency_level"))
    long = "urgency analysis action " + "word " * 148
    assert [k for k, ok in evaluation.simple_checks(long).items() if not ok] == ["words"]
    assert len(long.split()) < MAX_WORDS


def test_every_check_is_counted_by_system(gold: list[str]) -> None:
    table = evaluation.by_check({"people": gold, "silent": [""]}).set_index(["label", "system"])
    assert len(table) == 2 * (5 + 4)
    assert set(table.xs("people", level="system").filter(like="ours", axis=0)["value"]) == {1.0}
    assert table.loc[("simple: words", "people"), "value"] < 0.25
    silent = table.xs("silent", level="system")
    assert set(silent["value"]) == {0.0}
    assert set(silent["n"]) == {1}
    assert (silent["high"] < 1).all()
    assert not table.isna().any().any()


# --------------------------------------------------------------------------- direction


def test_the_direction_of_composed_analyses_is_that_of_the_facts(candidates: list[Example]) -> None:
    found = [facts_of(e.input) for e in candidates if LABELS[e.id] is None]
    known = [f for f in found if f]
    assert len(known) == len(found) == 301
    right = sum(evaluation.stated_direction(f.brief()) == f.direction for f in known)
    assert right / len(known) >= 0.98


@pytest.mark.parametrize(
    ("analysis", "direction"),
    [
        ("Sign-ups rose from 100 to 130 a week.", "up"),
        ("The rate has fallen for three weeks in a row.", "down"),
        ("The rate has not fallen; it climbed by 2 points.", "up"),
        ("It went from 0.40 to 0.44 over the quarter.", "up"),
        ("The moves are within the range of chance.", "flat"),
        ("The rate is flat.", "flat"),
        ("It fell in week 3 and has recovered since.", "mixed"),
        ("Growth levelled off in March.", "mixed"),
        ("Here is the weekly report.", ""),
    ],
)
def test_the_direction_is_read_from_plain_words(analysis: str, direction: str) -> None:
    assert evaluation.stated_direction(analysis) == direction


# --------------------------------------------------------------------------- turn


def steps_in_week_6() -> facts.Facts:
    found = facts_of(held_out(1)[0].input)
    assert found is not None
    assert (found.shape.kind, found.shape.start) == ("step", 5)
    return found


@pytest.mark.parametrize(
    ("analysis", "named"),
    [
        ("The rate broke in week 6.", True),
        ("The rate broke 4 weeks ago.", True),
        ("It was lower in each of the last four weeks.", True),
        ("The rate broke in week 5.", False),
        ("It has been lower since the phone check.", False),
    ],
)
def test_the_period_of_the_turn_is_named_in_several_ways(analysis: str, named: bool) -> None:
    assert evaluation.names_turn(steps_in_week_6(), analysis) is named


def test_a_series_that_does_not_turn_has_nothing_to_name() -> None:
    known = facts_of("Metric: x\nContext: y\nData: [0.5, 0.5, 0.5, 0.5] (last 4 weeks)")
    assert known is not None
    assert not evaluation.names_turn(known, "Week 1, week 2, week 3 and week 4.")


# --------------------------------------------------------------------------- action


def faults(example: Example, action: str = "") -> list[str]:
    known = facts_of(example.input)
    assert known is not None
    return evaluation.action_faults(known.case, action or parse_answer(example.output).action)


def test_every_vague_action_is_found_and_hardly_a_good_one(candidates: list[Example]) -> None:
    bad = [e for e in candidates if LABELS[e.id] in ("vague_action", "no_action")]
    assert len(bad) == 14
    assert all(faults(e) for e in bad)
    good = [e for e in candidates if LABELS[e.id] is None]
    assert sum(bool(faults(e)) for e in good) <= 5


def test_an_action_that_was_done_or_is_ruled_out_is_found() -> None:
    case = held_out(1)[0]
    noted = Example("a", "i", f"{case.input}\nNotes: Payments risk cannot change fraud thresholds.")
    done = "Make phone verification mandatory before the first invoice from 18 March."
    assert faults(case, done) == ["already done"]
    undone = "Make phone verification before the first invoice optional for a random half."
    assert faults(case, undone) == []
    banned = "Payments risk should change the fraud thresholds on Monday for new accounts."
    assert faults(case, banned) == []
    assert faults(noted, banned) == ["ruled out"]
