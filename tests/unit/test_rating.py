"""What people said of the answers: agreement, status, and signs counted meanwhile."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from nbutils import review, stats
from nbutils.evaluation.by_case import kappa_by_case, mean_by_case, share_by_case
from nbutils.evaluation.indicators import LABELS, indicators, signs
from nbutils.evaluation.rating import (
    rated_items,
    rater_agreement,
    rating_status,
    usefulness,
)
from nbutils.examples import parse_answer, read_examples, read_jsonl
from nbutils.records import dumps

DATA = Path(__file__).parents[2] / "data" / "growth"


def answers_of(count: int, *systems: str) -> dict[str, list[dict[str, Any]]]:
    return {
        name: [
            {"id": f"c{n}", "instruction": "i", "input": f"case {n}", "output": f"{name} {n}"}
            for n in range(count)
        ]
        for name in systems or ("base",)
    }


def rate(answers: dict[str, list[dict[str, Any]]], rater: str, *ratings: int) -> list[Any]:
    """One rater's ratings of the answers, in order, as many as are given."""
    rows = [row for found in answers.values() for row in found]
    return [
        {
            "item": review.item_hash(row["instruction"], row["input"], row["output"]),
            "reviewer": rater,
            "decision": "rate",
            "rating": rating,
        }
        for row, rating in zip(rows, ratings, strict=False)
    ]


def strays(count: int, rater: str = "anna") -> list[dict[str, Any]]:
    return rate(answers_of(count, "another run"), rater, *[3] * count)


def without_nan(frame: Any) -> None:
    """Refused by JSON, as in every file of a run."""
    json.loads(dumps(frame.to_dict("records"), "rows"))


# --------------------------------------------------------------------------- agreement


def test_two_raters_are_compared_on_what_both_rated() -> None:
    answers = answers_of(16)
    one = [0, 1, 2, 3, 4, 5, 4, 3, 2, 1, 0, 2]
    two = [0, 1, 2, 3, 4, 5, 5, 4, 3, 2, 1, 4]
    lines = rate(answers, "anna", *one) + rate(answers, "ben", *two, 5, 5) + strays(9, "ben")
    table = rater_agreement(lines, answers)
    assert len(table) == 1
    row = table.iloc[0]
    assert (row["rater_a"], row["rater_b"], row["n"], row["note"]) == ("anna", "ben", 12, "")
    assert (row["exact"], row["within_one"]) == (6 / 12, 11 / 12)
    # by hand: 1 - sum (a - b)^2 / sum over all pairs of ratings (a_i - b_j)^2 / n
    apart = sum((a - b) ** 2 for a, b in zip(one, two, strict=True))
    by_chance = sum((a - b) ** 2 for a in one for b in two) / 12
    assert row["kappa"] == pytest.approx(1 - apart / by_chance)
    assert row["low"] < row["kappa"] < row["high"]


def test_three_raters_make_three_pairs_and_one_without_common_answers_says_so() -> None:
    answers = answers_of(30)
    levels = [n % 6 for n in range(30)]
    lines = rate(answers, "anna", *levels[:15]) + rate(answers, "ben", *levels)
    lines += rate({"base": answers["base"][15:]}, "cleo", *levels[15:])
    table = rater_agreement(lines, answers).set_index(["rater_a", "rater_b"])
    assert table["n"].to_dict() == {("anna", "ben"): 15, ("anna", "cleo"): 0, ("ben", "cleo"): 15}
    apart = table.loc[("anna", "cleo")]
    assert apart["note"] == "no answer was rated by both"
    assert apart[["kappa", "low", "high", "exact", "within_one"]].tolist() == [None] * 5
    assert table.loc[("anna", "ben"), "kappa"] == 1.0
    without_nan(table)


@pytest.mark.parametrize(
    ("one", "two", "kappa", "note"),
    [
        ([4] * 12, [4] * 12, None, "both gave 4 throughout"),
        ([4] * 12, [3, 4, 5] * 4, 0.0, "anna gave 4 throughout, so kappa is 0"),
        ([4] * 12, [2] * 12, 0.0, "anna gave 4 throughout and ben gave 2 throughout"),
        ([3], [4], None, "1 answer in common, kappa needs 10"),
        ([3, 4, 5], [4, 4, 5], None, "3 answers in common, kappa needs 10"),
    ],
)
def test_too_few_or_equal_ratings_are_told_and_give_no_interval(
    one: list[int], two: list[int], kappa: float | None, note: str
) -> None:
    answers = answers_of(12)
    table = rater_agreement(rate(answers, "anna", *one) + rate(answers, "ben", *two), answers)
    row = table.iloc[0]
    assert note in row["note"]
    assert row["kappa"] is None if kappa is None else row["kappa"] == pytest.approx(kappa)
    assert (row["low"], row["high"]) == (None, None)
    assert (row["n"], row["exact"] is None) == (len(one), False)
    without_nan(table)


def test_one_rater_or_only_another_runs_ratings_give_no_row() -> None:
    answers = answers_of(12)
    assert rater_agreement(rate(answers, "anna", *[3] * 12), answers).empty
    assert rater_agreement(strays(12) + strays(12, "ben"), answers).empty
    assert rater_agreement([], answers).columns.tolist()[:3] == ["rater_a", "rater_b", "n"]


# --------------------------------------------------------------------------- status


def test_the_status_says_how_many_were_rated_by_whom() -> None:
    answers = answers_of(60, "base", "prompted", "tuned")
    one = rate(answers, "anna", *[3] * 12)
    assert rating_status(answers, []) == "not rated yet"
    told = "12 of 180 answers rated by one person: no agreement can be given"
    assert rating_status(answers, one) == told
    two = one + rate(answers, "ben", *[4] * 20)
    assert rating_status(answers, two) == (
        "20 of 180 answers rated by 2 people, 12 by two or more of them"
    )
    apart = one + rate({"tuned": answers["tuned"]}, "ben", 4, 4)
    assert rating_status(answers, apart) == (
        "14 of 180 answers rated by 2 people, none by two of them: no agreement can be given"
    )


def test_ratings_of_another_run_are_counted_and_left_out() -> None:
    answers = answers_of(2)
    assert rating_status(answers, strays(30)) == (
        "not rated yet; 30 ratings belong to answers of another run and are left out"
    )
    assert rating_status(answers, rate(answers, "anna", 3) + strays(1)) == (
        "1 of 2 answers rated by one person: no agreement can be given; "
        "1 rating belongs to answers of another run and is left out"
    )
    assert rated_items(answers, strays(30)) == ({}, 30)
    assert usefulness(answers, strays(30)).empty


def test_an_empty_answer_is_none_that_could_be_rated() -> None:
    answers = {"base": [{"id": "c1", "instruction": "i", "input": "c", "output": " "}]}
    assert rating_status(answers, []) == "there are no answers to rate"
    assert rating_status(answers_of(1), rate(answers_of(1), "anna", 5)).startswith("1 of 1 answer ")


def test_an_undone_rating_does_not_count_and_the_last_one_stands() -> None:
    answers = answers_of(2)
    first, second = rate(answers, "anna", 1, 2)
    undone = {**second, "decision": "undo", "rating": None, "at": "2"}
    lines = [{**first, "at": "0"}, {**second, "at": "1"}, undone, {**first, "rating": 4, "at": "3"}]
    assert list(rated_items(answers, lines)[0].values()) == [{"anna": 4}]


def test_usefulness_of_equal_or_single_ratings_has_no_nan() -> None:
    answers = answers_of(3)
    for ratings in ([4, 4, 4], [2]):
        table = usefulness(answers, rate(answers, "anna", *ratings))
        assert table.loc[0, ["low", "high", "n"]].tolist() == [None, None, len(ratings)]
        without_nan(table)


def test_a_mean_is_resampled_by_case_and_may_be_0_or_1() -> None:
    values, cases = [-1.0, 1.0, -2.0, 2.0, 0.0, 0.0], ["a", "a", "b", "b", "c", "c"]
    assert mean_by_case(values, cases).low is None  # every case has the mean 0
    found = mean_by_case([0.0, 2.0, 1.0, 1.0], ["a", "b", "c", "d"])
    assert (found.value, found.n) == (1.0, 4)
    assert found.low is not None
    assert found.high is not None
    assert 0 <= found.low < 1 < found.high <= 2
    wide = mean_by_case([0.0, 0.0, 2.0, 2.0] * 5, [n // 2 for n in range(20)])
    narrow = mean_by_case([0.0, 0.0, 2.0, 2.0] * 5, list(range(20)))
    assert (wide.high or 0) - (wide.low or 0) > (narrow.high or 0) - (narrow.low or 0)
    assert mean_by_case([], []).value is None


def test_kappa_of_answers_that_go_together_by_case_has_a_wider_interval() -> None:
    base = [(0, 1), (1, 1), (2, 4), (3, 3), (4, 4), (5, 3), (2, 2), (4, 5), (1, 3), (5, 5)]
    alone = kappa_by_case(base, range(10))
    plain = stats.kappa(base, weighted=True)
    assert alone.value == plain.value
    # each answer four times over is no more evidence than once; answers taken as independent are
    four = kappa_by_case(base * 4, list(range(10)) * 4)
    assert four.value == pytest.approx(alone.value)
    assert four.low == pytest.approx(alone.low)
    assert four.low < plain.low + 1e-9 < stats.kappa(base * 4, weighted=True).low
    assert kappa_by_case([(4, 4)] * 12, range(12)).value is None


def test_a_share_is_of_answers_and_its_interval_of_cases() -> None:
    found = share_by_case([1, 1, 0, 1], ["a", "a", "b", "b"])
    assert (found.value, found.n) == (0.75, 4)
    whole = share_by_case([1] * 4, ["a", "a", "b", "b"])
    assert (whole.low, whole.n) == (stats.wilson(2, 2).low, 4)
    assert share_by_case([], []).value is None


# --------------------------------------------------------------------------- indicators


def test_indicators_are_counted_for_each_system() -> None:
    full = (
        "Analysis: Sign-ups fell.\nRecommended action: Growth makes the check optional for two "
        "weeks and compares activation.\nUrgency: High — it lasts."
    )
    rows = [
        {"id": "a", "instruction": "i", "input": "Metric: Sign-ups", "output": full},
        {"id": "b", "instruction": "i", "input": "Metric: Churn", "output": "no idea at all"},
        {"id": "c", "instruction": "i", "input": "Metric: Churn", "output": ""},
    ]
    table = indicators({"base": rows, "silent": [rows[2]]})
    assert table["metric"].unique().tolist() == list(LABELS)
    found = table.set_index(["system", "metric"])
    assert found.loc[("base", "words"), ["value", "n"]].tolist() == [12.5, 2]
    for sign in ("owner", "measure", "date"):
        assert found.loc[("base", sign), ["value", "n"]].tolist() == [1 / 3, 3]
        assert found.loc[("silent", sign), "value"] == 0.0
    words = "analysis sign-ups fell recommended action growth makes check optional weeks "
    pooled = len((words + "compares activation urgency high lasts idea").split())
    assert found.loc[("base", "overlap"), "value"] == pytest.approx(1 / pooled)
    assert found.loc[("silent", "words"), ["value", "low", "n"]].tolist() == [None, None, 0]
    without_nan(table)


@pytest.mark.parametrize(
    ("action", "expected"),
    [
        ("From 3 April account managers call the 40 biggest accounts.", {"owner", "date"}),
        ("Marketing efforts should be increased.", set()),
        ("Increase marketing and improve product features.", set()),
        ("No rollback. Re-check on 7 October.", {"date"}),
        ("Legal signs off. If the gap is under 2 points, stop.", {"owner", "measure"}),
        ("Discuss it at one of the next team meetings.", set()),
        ("", set()),
    ],
)
def test_signs_of_an_action(action: str, expected: set[str]) -> None:
    assert {name for name, there in signs(action).items() if there} == expected


def test_signs_tell_analysts_actions_from_vague_ones() -> None:
    good = [signs(parse_answer(e.output).action) for e in read_examples(DATA / "test.jsonl")]
    for sign in ("owner", "measure", "date"):
        assert sum(found[sign] for found in good) >= 0.85 * len(good)
    labels = {row["id"]: row["flaw"] for row in read_jsonl(DATA / "candidate_labels.jsonl")}
    vague = [
        signs(parse_answer(e.output).action)
        for e in read_examples(DATA / "candidates.jsonl")
        if labels.get(e.id) in ("vague_action", "no_action")
    ]
    assert len(vague) == 14
    assert sum(found["measure"] or found["date"] for found in vague) <= 2
