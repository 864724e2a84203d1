"""Near-duplicates and reports of one case that disagree."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from pathlib import Path

import pandas as pd
import pytest

from nbutils.examples import DataFileError, jaccard
from nbutils.gates.conflicts import conflicts, stances
from nbutils.gates.duplicates import near_duplicates, series_key

DATA = Path(__file__).parents[2] / "data" / "growth"

SERIES = [0.61, 0.6, 0.62, 0.61, 0.53, 0.52, 0.54]
REPORT = """Metric: Checkout completion (orders paid as a share of baskets opened)
Context: Pantry, consumer, Poland
Data: [0.61, 0.6, 0.62, 0.61, 0.53, 0.52, 0.54] (last 7 weeks)
Cohort size: ~12,300 baskets per week
Recent changes: the courier choice moved behind the address page in week 5

Analysis: Completion stepped down in week 5 and has not come back: 0.61 on average before, 0.53
since, 13% less, so about 984 orders a week
are missing. The address page now loses 17.4% of its visitors where it lost 9.2%, and the
help desk logged 312 questions about couriers against 48 before. A bank outage on one evening
cost at most 75 orders, which explains little of it.
Recommended action: Checkout team moves the courier choice back to the basket from 6 May and
compares two weeks with the 26 before. Guardrail: returned parcels per 1,000.
Urgency: High, since every week costs 984 orders."""
REWORDED = """Subject: we hid the couriers and people leave

From week 5 on fewer Polish shoppers of Pantry pay for what is in their basket. Weekly completion:
61%, 60%, 62%, 61%, 53%, 52%, 54%. With some 12.3k baskets that makes 984 orders fewer each week.
What changed is where they pick a courier: no longer in the basket but after the address form. Of
those who reach that form 0.174 now give up (it was 9.2%), and support had 312 messages on the
subject, up from 48. I also looked at the night when the bank was down, and 75 orders is all it can
account for. Please put the choice of courier back where it was, at the start of May.
Urgent: high."""
OTHER_MARKET = """Metric: Checkout completion (orders paid as a share of baskets opened)
Context: Pantry, consumer, Spain
Data: [0.61, 0.6, 0.62, 0.61, 0.53, 0.52, 0.54] (last 7 weeks)
Cohort size: ~4,150 baskets per week
Recent changes: free delivery ended for small baskets in week 5

Analysis: Completion was 0.61 on average and is 0.53 since week 5, 13% less. At its
lowest it was 0.52, 8.5 points under the start. Baskets under 35 euros
fell by 21.5 points, larger ones by 0.6, so the fee explains nearly all: 332 orders a week. Of 640
people asked at the exit, 403 named the delivery fee.
Recommended action: Pricing offers free delivery from 25 euros to all of Spain from 3 June.
Urgency: Medium, as margin per order rose by 1.85 euros meanwhile."""
FOLLOW_UP = REPORT.replace("0.54] (last 7", "0.54, 0.55] (last 8").replace(
    "not come", "hardly come"
)
OTHERS = {"12,300": "8,700", "12.3k": "8.7k", "984": "696", "312": "97", "17.4": "14.8", "48": "19"}
OTHERS |= {"0.174": "0.148", "9.2": "8.6"}
OTHER_SERIES = [0.44, 0.46, 0.45, 0.4, 0.41, 0.4]


def with_other_numbers(text: str) -> str:
    for number, other in OTHERS.items():
        text = text.replace(number, other)
    return text


FEW_OTHER = with_other_numbers(REPORT)
FAMILY = FEW_OTHER.replace(str(SERIES)[1:-1], str(OTHER_SERIES)[1:-1]).replace("0.6", "0.4")
REWORDED_OTHER = "\n".join(REPORT.splitlines()[:2]) + with_other_numbers(REWORDED)
UNLIKE = """Stand-up notes, warehouse robots. Picks per hour 88, 91, 90, 97, 103, 104 since the new
grippers came in. Broken jars went from 14 to 9 in 1,000. I would order six more for the northern
hall in July and decide on the rest when the lease of the old ones ends."""


def found(
    *texts: str, series: Sequence[Sequence[float | None] | None] | None = None
) -> list[tuple[int, int]]:
    return [(later, first) for later, first, _ in near_duplicates(texts, series)]


def typos(text: str, count: int) -> str:
    words = text.split(" ")
    letters = [i for i, w in enumerate(words) if w.isalpha() and len(w) > 4]
    for i in random.Random(3).sample(letters, count):
        words[i] = words[i][1] + words[i][0] + words[i][2:]
    return " ".join(words)


def test_the_eight_labelled_repetitions_are_found_and_no_other_report() -> None:
    reports, labels = (
        [json.loads(line) for line in (DATA / name).read_text(encoding="utf-8").splitlines()]
        for name in ("reports.jsonl", "labels.jsonl")
    )
    truth = {row["id"]: row["dup_of"] for row in labels if row["dup_of"]}
    series = {row["id"]: row["series"] for row in labels}
    ids = [row["id"] for row in reports]
    rows = near_duplicates([r["text"] for r in reports], [series[i] for i in ids], names=ids)
    assert {ids[later]: ids[first] for later, first, _ in rows} == truth
    assert all(evidence.endswith(ids[first]) for _, first, evidence in rows)
    assert len(truth) == 8


@pytest.mark.parametrize(
    ("later", "series"),
    [
        (REPORT.upper().replace("\n", "  "), None),
        (REPORT.replace("12,300", "12300").replace(":", " -").replace("'", "\u2019"), None),
        ("Subject: FW: checkout, please read\n\n" + REPORT, None),
        (REPORT + "\n\nRegards, Ola (tel. 22 555 01)", None),
        (typos(REPORT, 6), None),
        (REPORT.partition("Recommended action")[0], None),
        ("Subject: please read\n" + REPORT, SERIES[:6]),
        (REPORT.replace("6 May", "13 June 2025"), SERIES),
        (REWORDED, SERIES),
        (REWORDED, [61.0, 60.0, 62.0, 61.0, 53.0, 52.0, 54.0]),
        (REWORDED.replace("984", "980").replace("48", "50"), [61, 60, 62, 61, 53, 52, 54]),
        (REWORDED, [0.61, 0.60, 0.62, 0.61, 0.53, 0.52, 0.540004]),
    ],
    ids=(
        "case and blanks, punctuation, a title, a signature, typos, cut at the end, "
        "a series misread, another date, reworded, reworded in percent, some numbers rounded, "
        "the fifth digit"
    ).split(", "),
)
def test_a_report_told_again_is_found(later: str, series: Sequence[float] | None) -> None:
    assert found(REPORT, UNLIKE, later, series=[SERIES, None, series]) == [(2, 0)]


@pytest.mark.parametrize(
    ("later", "series"),
    [
        (FOLLOW_UP, [*SERIES, 0.55]),
        (FAMILY, OTHER_SERIES),
        (FAMILY, None),
        (FEW_OTHER, None),
        (OTHER_MARKET, SERIES),
        (REWORDED_OTHER, SERIES),
        (REWORDED, None),
        (REWORDED, [0.61, 0.60, 0.62, 0.61, 0.53, 0.52, 0.55]),
        (REWORDED, [0.61, 0.60, 0.62, None, 0.53, 0.52, 0.54]),
        (UNLIKE, SERIES),
        ("", SERIES),
        ("Checkout completion again.", SERIES),
    ],
    ids=(
        "a month later, other numbers, other numbers without series, a few other numbers, "
        "the series by chance in another market, by chance with words, reworded without series, "
        "another last value, a value missing, the series by chance, empty, a few words"
    ).split(", "),
)
def test_a_report_of_its_own_is_not_found(later: str, series: Sequence[float] | None) -> None:
    assert found(REPORT, later, series=[SERIES, series]) == []


def test_the_evidence_says_what_is_the_same_and_with_which_report() -> None:
    texts = [REPORT, REPORT.upper(), REWORDED, "Subject: again\n" + REPORT]
    rows = near_duplicates(texts, [SERIES] * 4, names=["r1", "r2", "r3", "r4"])
    assert rows == [
        (1, 0, "same text as r1"),
        (2, 0, "same series and 7 of 7 other numbers as r1"),
        (3, 0, "99% the same word triples as r1"),
    ]


def test_a_series_of_few_or_equal_values_says_nothing() -> None:
    assert found(REPORT, REWORDED, series=[[61, 60, 62], [61, 60, 62]]) == []
    assert found(REPORT, REWORDED, series=[[9, 9, 9, 9], [9, 9, 9, 9]]) == []
    assert series_key([1, 2, None, float("nan"), 3]) == ()


@pytest.mark.parametrize(
    ("one", "two"),
    [
        ([0.019, 0.02, 0.018, 0.021], [1.9, 2.0, 1.8, 2.1]),
        ([0.99999, 0.5, 0.25, 0.75], [100, 50, 25, 75]),
        ([0.10005, 0.3, 0.31, 0.29], [10.005, 30, 31, 29]),
        ([-0.02, 0.0, 0.01, None, 0.03], [-2, -0.0, 1, None, 3]),
        ([1.08, 1.02, 1.11, 0.98], [108, 102, 111, 98]),
    ],
)
def test_shares_and_percents_stand_on_one_scale(
    one: list[float | None], two: list[float | None]
) -> None:
    assert series_key(one) == series_key(two) != ()


def test_without_other_numbers_the_content_words_decide() -> None:
    form = "Metric, context, data, analysis, recommended action, urgency high, recent changes. "
    bare = "Basket conversion fell when couriers were hidden behind addresses: 61, 60, 62, 53."
    twin = "Since couriers were hidden behind the addresses, basket conversion went 61, 60, 62, 53."
    other = "Robots fell behind with worn grippers and break more jars: 61, 60, 62, 53."
    series = [[61, 60, 62, 53]] * 2
    assert found(form + bare, form + twin, series=series) == [(1, 0)]
    assert found(form + bare, form + other, series=series) == []


def test_dates_years_and_weeks_are_no_evidence() -> None:
    when = "On 14 March 2025, week 23, 2025-06-11, June 30: "
    one, two = when + "robots pick quickly.", when + "shoppers leave baskets unpaid."
    series = [[61, 60, 62, 53]] * 2
    assert found(one, two, series=series) == []
    numbers = " 231 marketing mails, 412 decline, 77."
    assert found(one + numbers, two + numbers, series=series) == [(1, 0)]
    assert found(one + " 231 of 412, 77.", two + " 77 of 412, 231.", series=series) == [(1, 0)]


def test_a_passage_left_out_is_no_other_case() -> None:
    shorter = UNLIKE.replace("Broken jars went from 14 to 9 in 1,000. ", "")
    assert shorter != UNLIKE
    assert found(UNLIKE, shorter) == [(1, 0)]


def test_a_copy_that_has_the_series_stands_for_an_original_without() -> None:
    mistyped = typos(REPORT, 4)
    assert found(REPORT, mistyped, REWORDED, series=[None, SERIES, SERIES]) == [(1, 0), (2, 0)]


def test_short_texts_are_found_only_if_they_are_the_same() -> None:
    assert found("See the sheet.", "see the sheet", "See this sheet.") == [(1, 0)]
    assert found("", "...", "") == []
    assert found("Don't panic: 1,400!", "dont panic 1400", "Don\u2019t panic; 1,400") == [
        (1, 0),
        (2, 0),
    ]
    assert found("Net \u22125 now", "net -5 now", "Net 5 now") == [(1, 0)]


def test_a_chain_leads_to_the_first_report() -> None:
    words = UNLIKE.split()
    second = " ".join(["Quick minutes", *words[6:]])
    third = " ".join(["Quick minutes", *words[6:-6], "is due for renewal"])
    rows = near_duplicates([UNLIKE, second, third, third], names=["a", "b", "c", "d"])
    assert [(later, first) for later, first, _ in rows] == [(1, 0), (2, 0), (3, 0)]
    assert rows[1][2].endswith("word triples as b, which repeats a")
    assert rows[2][2] == "same text as c, which repeats a"


def test_ten_thousand_copies_give_one_row_each() -> None:
    rows = near_duplicates([REPORT] * 10_000, [SERIES] * 10_000)
    assert len(rows) == 9_999
    assert {first for _, first, _ in rows} == {0}


def test_a_thousand_mistyped_copies_lead_to_the_first() -> None:
    generator = random.Random(1)
    words = REPORT.split()
    copies = []
    for number in range(1000):
        mistyped = list(words)
        mistyped[generator.randrange(40, len(words))] += f"x{'y' * (number % 7)}"
        copies.append(" ".join(mistyped))
    rows = near_duplicates([REPORT, *copies])
    assert {first for _, first, _ in rows} == {0}
    assert len(rows) == 1000


def test_every_pair_above_the_bar_is_found_among_random_texts() -> None:
    generator = random.Random(0)
    vocabulary = ["".join(generator.choices("aeioubdfglmnprst", k=6)) for _ in range(800)]
    texts = [" ".join(generator.choices(vocabulary, k=90)) for _ in range(150)]
    for source in range(100):
        words = texts[source].split()
        for place in generator.sample(range(90), generator.randint(1, 6)):
            words[place] = generator.choice(vocabulary)
        texts.append(" ".join(words))
    triples = [
        frozenset(" ".join(w[i : i + 3]) for i in range(len(w) - 2))
        for w in (t.split() for t in texts)
    ]
    truth = {
        (later, first)
        for later in range(len(texts))
        for first in range(later)
        if jaccard(triples[later], triples[first]) >= 0.7
    }
    assert len(truth) > 60
    assert set(found(*texts)) == truth


def test_the_order_decides_which_is_the_original() -> None:
    assert found(REWORDED, UNLIKE, REPORT, series=[SERIES, None, SERIES]) == [(2, 0)]
    assert near_duplicates([]) == []


def test_what_is_no_text_or_does_not_fit_is_refused() -> None:
    with pytest.raises(DataFileError, match="2 texts and 1 series; expected one for each"):
        near_duplicates([REPORT, REWORDED], [SERIES])
    with pytest.raises(DataFileError, match="1 texts and 2 names"):
        near_duplicates([REPORT], names=["a", "b"])
    with pytest.raises(DataFileError, match="report 1: the text is float"):
        near_duplicates([REPORT, float("nan")])  # type: ignore[list-item]


def case(name: str, **given: object) -> dict[str, object]:
    usual = {
        "series": SERIES,
        "metric": "Checkout completion",
        "context": "Pantry, Poland",
        "urgency": "Medium",
        "action": "",
    }
    return {"id": name, **usual, **given}


def opposed(*cases: dict[str, object]) -> list[tuple[str, str, str]]:
    rows = conflicts(pd.DataFrame(cases)).itertuples(index=False)
    return [(row.first, row.second, row.conflict) for row in rows]


def test_high_against_low_urgency_of_one_case_is_a_conflict() -> None:
    high = case("a", urgency="High", action="Move the courier choice back by Friday.")
    low = case("b", urgency="Low", action="Wait for June.", series=[100 * v for v in SERIES])
    medium = case("c")
    assert opposed(high, medium, low) == [("a", "b", "urgency")]
    frame = conflicts(pd.DataFrame([high, low]))
    assert frame["evidence"].tolist() == [
        "High: 'Move the courier choice back by Friday.' against Low: 'Wait for June.'"
    ]
    assert frame.columns.tolist() == ["first", "second", "conflict", "evidence"]


@pytest.mark.parametrize(
    ("one", "two", "opposite"),
    [
        ("Keep the phone check.", "Remove the phone check from 6 May.", True),
        ("Roll the banner out to Spain.", "Roll the banner back.", True),
        ("Growth to extend phone verification to DACH.", "Pause phone verification.", True),
        ("Restore the old form.", "Keep the new form.", True),
        ("The welcome mail stays.", "The welcome mail should be stopped.", True),
        ("Do not remove the banner.", "Remove the banner.", True),
        ("Restore the old form.", "Remove the new form.", False),
        ("Revert to the old form.", "Take the new form down.", False),
        ("Do not remove the banner.", "Keep the banner.", False),
        ("Keep the banner unless spam rises.", "Kill the banner.", True),
        ("Keep the phone check.", "Remove the banner.", False),
        ("Keep the check.", "If spam falls, remove the check.", False),
        ("Keep the check.", "Pause the check for a random 50% of sign-ups.", False),
        ("Pause the check and keep the check.", "Keep the check.", False),
        ("Ship checkout tips.", "Stop checkout calls.", False),
        ("Keep a log.", "", False),
    ],
)
def test_opposite_actions_on_one_object_are_a_conflict(one: str, two: str, opposite: bool) -> None:
    expected = [("a", "b", "action")] if opposite else []
    assert opposed(case("a", action=one), case("b", action=two)) == expected


def test_the_clauses_that_disagree_are_quoted() -> None:
    first = case("a", action="Payments writes to all shops. Keep the phone check, as it works.")
    second = case("b", action="Remove the phone check; tell support.", urgency="")
    evidence = conflicts(pd.DataFrame([first, second]))["evidence"].tolist()
    assert evidence == ["'Keep the phone check' against 'Remove the phone check'"]


@pytest.mark.parametrize(
    ("changed", "one_case"),
    [
        ({"series": [*SERIES, 0.55, 0.56]}, True),
        ({"series": [*SERIES[3:], 0.58, 0.6, 0.61]}, True),
        ({"series": SERIES[2:6]}, True),
        ({"series": [0.5, 0.58, *SERIES]}, True),
        ({"series": [*SERIES[4:], 0.58, 0.6, 0.61]}, False),
        ({"series": [*SERIES, 0.55], "context": "Pantry, Spain"}, False),
        ({"series": [0.4, 0.41, 0.39, 0.42]}, False),
        ({"series": [0.3, *SERIES[1:5], 0.7, 0.8]}, False),
        ({"metric": "Parcels returned"}, False),
        ({"metric": ""}, True),
        ({"context": "Poland (Pantry)"}, True),
        ({"series": None}, False),
        ({"series": SERIES[:3]}, False),
    ],
)
def test_one_case_is_the_same_series_or_one_that_goes_on(
    changed: dict[str, object], one_case: bool
) -> None:
    rows = opposed(case("a", urgency="High"), case("b", **{"urgency": "Low", **changed}))
    assert bool(rows) == one_case


def test_a_longer_series_of_no_named_metric_is_no_case() -> None:
    nameless = {"metric": "", "context": ""}
    longer = case("b", urgency="Low", **nameless, series=[*SERIES, 0.55])
    assert opposed(case("a", urgency="High", **nameless), longer) == []


def test_a_pair_is_named_once_for_each_kind_and_empty_frames_are_fine() -> None:
    a = case("a", urgency="High", action="Stop the webinars.")
    b = case("b", urgency="Low", action="Continue the webinars.")
    assert opposed(a, b, case("c")) == [("a", "b", "urgency"), ("a", "b", "action")]
    assert conflicts(pd.DataFrame([a]).iloc[:0]).empty
    assert stances("") == {}


def test_a_missing_column_is_named() -> None:
    with pytest.raises(DataFileError, match="no column 'action'"):
        conflicts(pd.DataFrame([case("a")]).drop(columns="action"))
