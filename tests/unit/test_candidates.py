"""Generated candidates: the gates that reports pass too, and how varied the candidates are."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from itertools import combinations, product
from pathlib import Path

import pandas as pd
import pytest

from nbutils import augmentation, curation, facts, gates
from nbutils.examples import (
    Example,
    alike_sets,
    find_alike,
    jaccard,
    read_examples,
    read_jsonl,
    shingles,
)

DATA = Path(__file__).parents[2] / "data" / "growth"
CASE = """Metric: Checkout completion (share of carts that are paid)
Context: Grocery shop, Poland
Data: [0.62, 0.61, 0.63, 0.62, 0.54, 0.53, 0.54] (last 7 weeks)
Cohort size: ~2,000 carts per week
Recent changes: courier choice moved behind the payment page in week 5"""
ANSWER = """Analysis: Completion held between 0.61 and 0.63 for four weeks and has stood at 0.53 \
or 0.54 since week 5, when the courier choice moved. Nothing else is on record.
Recommended action: Checkout team moves the courier choice back for a random half of carts.
Urgency: High — the rate has not come back in three weeks."""
REWORDED = """Analysis: From week 5 on, 0.53 or 0.54 of the carts are paid; until then it was 0.61 \
to 0.63. That is the week in which the choice of courier moved behind the payment page.
Recommended action: Give every second customer the old order of pages.
Urgency: High — three weeks without recovery."""
LONGER = CASE.replace("0.54] (last 7", "0.54, 0.53] (last 8")
CALM = """Analysis: The last four weeks read 0.54, 0.53, 0.54 and 0.53, so the level is stable.
Recommended action: Keep selling as before and look again next month.
Urgency: Low — no further loss."""
NEXT_MONTH = LONGER.replace("0.53] (last 8", "0.53, 0.52, 0.51] (last 10")
ALARM = """Analysis: Half of the carts, 0.51, are paid now, the lowest of ten weeks.
Recommended action: Phone twenty buyers who gave up.
Urgency: High — buyers turn away in greater numbers."""
SECOND_VIEW = """Metric: Completion at the till
Context: Warsaw depot
Data: [0.62, 0.61, 0.63, 0.62, 0.54, 0.53, 0.54] (last 7 weeks)
Recent changes: spring holidays"""


def example(name: str, case: str = CASE, answer: str = ANSWER) -> Example:
    return Example(name, "Analyze the trend and recommend an action.", case, answer)


def gate(*candidates: Example, others: tuple[Example, ...] = ()) -> dict[str, str]:
    found = augmentation.gate(candidates, others, facts.read_glossary())
    assert found["passed"].eq(found["gate"] == "").all()
    return dict(zip(found["id"], found["gate"], strict=True))


@pytest.fixture(scope="module")
def candidates() -> list[Example]:
    return read_examples(DATA / "candidates.jsonl")


@pytest.fixture(scope="module")
def parents() -> list[Example]:
    return read_examples(DATA / "formatted.jsonl", id_field="report_id")


@pytest.fixture(scope="module")
def gated(candidates: list[Example], parents: list[Example]) -> pd.DataFrame:
    others = [*parents, *read_examples(DATA / "test.jsonl")]
    found = augmentation.gate(candidates, others, facts.read_glossary())
    flaws = {r["id"]: r["flaw"] or "none" for r in read_jsonl(DATA / "candidate_labels.jsonl")}
    return found.assign(flaw=found["id"].map(flaws))


# --------------------------------------------------------------------------- the glossary


@pytest.mark.parametrize(
    ("said", "fault"),
    [
        ("The ZQX fell and the ZQX cap was not lifted.", "glossary"),
        ("The Corvid line moved, and the Corvid line is what counts.", "glossary"),
        ("The ZQX fell.", ""),
        ("The ZQX (zone of quick exits) fell and the ZQX cap was not lifted.", ""),
        ("MRR and CAC were level; MRR is not at risk, nor is CAC.", ""),
    ],
)
def test_a_term_that_comes_back_must_be_known_or_explained(said: str, fault: str) -> None:
    answer = ANSWER.replace("Nothing else is on record.", said)
    assert gate(example("a", answer=answer)) == {"a": fault}


def test_terms_of_the_case_and_of_the_urgency_count_too() -> None:
    notes = f"{CASE}\nNotes: the VRX was paused in week 2"
    assert gate(example("a", notes)) == {"a": ""}
    urgent = ANSWER.replace("three weeks.", "three weeks and the VRX is low.")
    assert gate(example("a", notes, urgent)) == {"a": "glossary"}


def test_the_terms_are_named_and_a_metric_with_a_definition_is_none() -> None:
    case = CASE.replace("Checkout completion", "QRV")
    answer = ANSWER.replace("Completion held", "QRV and ZQX held").replace("Nothing", "No QRV, ZQX")
    bare = case.replace(" (share of carts that are paid)", "")
    found = augmentation.gate([example("a", case, answer), example("b", bare, answer)], [])
    assert found["evidence"].tolist() == ["not explained: ZQX", "not explained: QRV, ZQX"]
    placed = example("a", CASE.replace("Poland", "ZQX"), answer.replace("QRV", "It"))
    assert gate(placed) == {"a": ""}


# --------------------------------------------------------------------------- repeats


def test_a_reworded_answer_to_the_same_case_repeats_it() -> None:
    found = augmentation.gate([example("b", answer=REWORDED)], [example("a")])
    assert found.loc[0, "gate"] == "near_duplicate"
    assert found.loc[0, "evidence"].endswith(" as a")


def test_a_candidate_equal_to_its_parent_but_for_numbers_repeats_it() -> None:
    swaps = {"0.62": "0.72", "0.61": "0.71", "0.63": "0.73", "0.53": "0.58", "0.54": "0.59"}
    case, answer = CASE.replace("2,000", "3,100"), ANSWER
    for old, new in swaps.items():
        case, answer = case.replace(old, new), answer.replace(old, new)
    found = augmentation.gate([example("b", case, answer)], [example("a")])
    assert found.loc[0, ["gate", "evidence"]].tolist() == [
        "near_duplicate",
        "repeats a, but for numbers",
    ]


def test_of_two_alike_the_first_stays_and_other_cases_are_left_alone() -> None:
    # one shop's next case: many words in common, another series and another finding
    other = example("c", LONGER.replace("0.62, 0.61, 0.63", "0.53, 0.55, 0.52"), CALM)
    found = gate(example("a"), example("b", answer=REWORDED), other)
    assert found == {"a": "", "b": "near_duplicate", "c": ""}


# --------------------------------------------------------------------------- contradictions


def test_one_case_that_goes_on_must_not_be_judged_the_other_way_round() -> None:
    found = augmentation.gate([example("b", LONGER, CALM)], [example("a")])
    assert found.loc[0, "gate"] == "contradiction"
    assert found.loc[0, "evidence"].startswith("a: High: 'Checkout team moves")
    assert gate(example("b", LONGER, CALM.replace("Low", "Medium")), others=(example("a"),)) == {
        "b": ""
    }
    elsewhere = LONGER.replace("Poland", "Spain")
    assert gate(example("b", elsewhere, CALM), others=(example("a"),)) == {"b": ""}


def test_opposite_actions_on_one_series_contradict_each_other() -> None:
    keep = ANSWER.replace("moves the courier choice back for a random half of carts", "{}")
    first = example("a", answer=keep.format("stops the courier choice"))
    answer = """Analysis: Fewer people finish. The fall came with the holidays.
Recommended action: Extend the courier choice to all depots.
Urgency: High — a fall of this size has to be looked into."""
    assert gate(first, example("b", SECOND_VIEW, answer)) == {"a": "", "b": "contradiction"}


def test_what_contradicts_a_candidate_that_is_stopped_may_stay() -> None:
    wrong = example("a", answer=ANSWER.replace("0.61", "0.16"))
    assert gate(wrong, example("b", LONGER, CALM)) == {"a": "numbers", "b": ""}
    # c is against b alone, and b falls for a
    third = example("c", NEXT_MONTH, ALARM)
    found = gate(example("a"), example("b", LONGER, CALM), third)
    assert found == {"a": "", "b": "contradiction", "c": ""}
    # others contradict each other and stay what they are
    others = (example("a"), example("b", LONGER, CALM))
    assert gate(third, others=others) == {"c": "contradiction"}


def test_the_first_fault_is_the_reason() -> None:
    terms = ANSWER.replace("Nothing else", "The ZQX and another ZQX and nothing else")
    wrong = terms.replace("0.61", "0.16")
    first = example("first", answer=terms)
    assert gate(first, example("b", answer=terms), example("c", answer=wrong)) == {
        "first": "glossary",
        "b": "glossary",
        "c": "numbers",
    }
    unread = [example("x", "Metric: x"), example("y", "Metric: x")]
    assert set(gate(*unread).values()) == {"case"}
    assert gate() == {}


# --------------------------------------------------------------------------- the demonstration


def test_every_repeat_and_every_coined_term_of_the_demonstration_is_stopped(
    gated: pd.DataFrame,
) -> None:
    planted = gated[gated["flaw"].isin(["undefined_jargon", "near_duplicate"])]
    assert len(planted) == 13
    assert not planted["passed"].any()
    by_kind = Counter(zip(planted["flaw"], planted["gate"], strict=True))
    assert by_kind["undefined_jargon", "glossary"] == 6
    assert by_kind["near_duplicate", "near_duplicate"] >= 6


def test_the_gates_for_terms_repeats_and_contradictions_lose_no_good_candidate(
    gated: pd.DataFrame,
) -> None:
    good = gated[gated["flaw"] == "none"]
    assert set(good["gate"]) == {"", "numbers"}
    assert good["passed"].mean() > 0.9


def test_reports_and_candidates_pass_the_same_rules() -> None:
    assert curation.conflicts is gates.conflicts
    assert curation.near_duplicates is gates.near_duplicates


def test_nothing_alike_is_missed(candidates: list[Example]) -> None:
    texts = [e.input for e in candidates[:120]] + ["", "a b", "1 2 3", "a b"]
    sets = [shingles(text) for text in texts]
    for threshold in (0.2, 0.5, 0.8, 1.0):
        every = [[i, j] for i, j in combinations(range(len(texts)), 2)]
        assert find_alike(texts, threshold) == [
            [i, j] for i, j in every if jaccard(sets[i], sets[j]) >= threshold
        ]
        one, two = sets[:62], sets[62:]
        assert list(alike_sets(one, two, threshold)) == [
            (i, j) for i, j in product(range(62), repeat=2) if jaccard(one[i], two[j]) >= threshold
        ]


# --------------------------------------------------------------------------- diversity


def by_metric(frame: pd.DataFrame, group: str) -> dict[str, float]:
    return frame[frame["group"] == group].set_index("metric")["value"].to_dict()


def test_a_set_of_copies_is_less_varied(candidates: list[Example]) -> None:
    varied = candidates[:40]
    copies = [replace(e, id=f"{e.id}-{k}") for e in candidates[:4] for k in range(10)]
    frame = augmentation.diversity(copies, varied)
    assert frame.columns.tolist() == ["metric", "group", "value", "low", "high", "n"]
    wide, narrow = by_metric(frame, "parents"), by_metric(frame, "candidates")
    assert list(wide) == list(narrow)
    nearest = "likeness to the nearest"
    assert all(narrow[name] < value for name, value in wide.items() if name != nearest)
    assert narrow[nearest] == pytest.approx(1.0)
    assert wide[nearest] < 0.3
    assert (frame["low"] <= frame["value"]).all()
    assert (frame["value"] <= frame["high"]).all()
    assert frame["n"].eq(40).all()


def test_the_figures_of_one_answer_are_as_counted_by_hand() -> None:
    answer = "Analysis: up up up up.\nRecommended action: x.\nUrgency: Low — y."
    pair = [example("a", answer=answer), example("b", answer=answer)]
    found = by_metric(augmentation.diversity(pair, pair), "candidates")
    # 11 words make 10 pairs, and "up up" is three of them
    assert found == {
        "distinct word pairs": pytest.approx(8 / 10),
        "distinct openings": 1.0,
        "likeness to the nearest": 0.0,
        "different metrics": 1.0,
        "different patterns": 1.0,
    }


def test_four_copies_are_as_like_as_can_be(candidates: list[Example]) -> None:
    found = by_metric(augmentation.diversity(candidates[:1] * 4, candidates[:4]), "candidates")
    assert found["likeness to the nearest"] == pytest.approx(1.0)


def test_sets_of_unequal_size_are_measured_at_one_size(candidates: list[Example]) -> None:
    small, large = candidates[:160:8], candidates[:160]
    frame = augmentation.diversity(large, small)
    few, many = by_metric(frame, "parents"), by_metric(frame, "candidates")
    # by themselves 20 answers have far more distinct pairs than 160
    assert many["distinct word pairs"] == pytest.approx(few["distinct word pairs"], rel=0.05)
    assert frame.equals(augmentation.diversity(large, small))


def test_an_empty_group_has_no_figures_and_an_unreadable_case_no_metric() -> None:
    frame = augmentation.diversity([example("a", "Metric: x")] * 2, [])
    empty = frame[frame["group"] == "parents"]
    assert empty["value"].isna().all()
    assert empty["n"].eq(0).all()
    found = by_metric(frame, "candidates")
    assert (found["different metrics"], found["different patterns"]) == (0, 0)
