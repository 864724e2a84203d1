"""Reports of every style taken apart by rules."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nbutils import curation
from nbutils.examples import parse_case

HOUSE = """Metric: Refund rate (share of orders returned within 30 days)
Context: Shop, consumer, Poland
Data: [4.1%, 4.0%, 4.2%, 5.0%, 5.1%, 4.9%] (March to August 2024)
Cohort size: about 12,500 orders a month
Recent changes: free returns from month 4

Analysis: March to May average 4.1%, June to August 5.0%.
Recommended action: Limit free returns to first orders for half of the customers from 2 September.
Urgency: Medium — about 113 refunds a month."""
MEMO = """MEMO
To: Logistics
Re: Time to delivery, Iberia

Median days from order to door, eight weeks, oldest first: 3.1, 3.2, 3.1, 3.0, 3.8, 3.9, 3.8, 4.0.
About 2,300 parcels a week.

The median stepped up by 0.8 days in week 5, when the second depot closed.

Proposal: reopen the depot's evening shift from 4 March for four weeks.

Urgency: High, as complaints follow within days."""
MAIL = """Subject: newsletter CTR

Hi both,

CTR by month, January to June: 2.4%, 2.3%, 2.4%, 2.9%, 3.0%, 3.0%. We send to roughly 40,000 people.

It is up 0.6 points since the new layout in April.

I suggest we keep the layout and test the subject line on a random half in July.

Low urgency: nothing is lost by waiting."""
CHAT = """weekly logo churn, Lite plan, last 6 weeks: 1.1, 1.2, 1.1, 1.6, 1.7, 1.6 %. ~900 accounts

so it's up by half a point since wk 4, that's when the trial got shorter

proposal: longer trial back for a random half from monday, read it after 3 wks
urgency: medium, about 5 accounts a wk"""
NOTES = """notes, sessions per user, 3 June

- last 6 weeks: 3.0 / 3.1 / 3.0 / 3.4 / 3.5 / 3.5
- ~48,000 weekly active users
- up 0.5 since week 1

Do: keep the new start page, re-check on 1 July.
Urgency: low, nothing hurts."""
TABLE = """Win rate, enterprise, US

| Month | Deals | Win rate |
|---|---|---|
| Jan | 40 | 21% |
| Feb | 42 | 20% |
| Mar | 41 | 22% |
| Apr | 39 | 17% |

About 40 deals a month.

The rate fell by 5 points in April.

Action: old script back for half the reps from 6 May.
Urgency: high. Four deals fewer."""


@pytest.mark.parametrize(
    ("text", "style", "metric", "values", "unit", "period", "cohort"),
    [
        (HOUSE, "house", "Refund rate", (4.1, 4.0, 4.2, 5.0, 5.1, 4.9), "percent", "month", 12500),
        (MEMO, "memo", "", (3.1, 3.2, 3.1, 3.0, 3.8, 3.9, 3.8, 4.0), "days", "week", 2300),
        (MAIL, "email", "CTR", (2.4, 2.3, 2.4, 2.9, 3.0, 3.0), "percent", "month", 40000),
        (CHAT, "chat", "logo churn", (1.1, 1.2, 1.1, 1.6, 1.7, 1.6), "percent", "week", 900),
        (NOTES, "notes", "sessions per user", (3, 3.1, 3, 3.4, 3.5, 3.5), "number", "week", 48000),
        (TABLE, "table", "Win rate", (21, 20, 22, 17), "percent", "month", 40),
    ],
)
def test_each_style_is_taken_apart(
    text: str,
    style: str,
    metric: str,
    values: tuple[float, ...],
    unit: str,
    period: str,
    cohort: float,
) -> None:
    found = curation.structure(text)
    assert (found.style, found.values, found.unit) == (style, values, unit)
    assert metric in found.metric
    assert (found.period, found.cohort) == (period, cohort)
    assert found.analysis
    assert found.action
    assert found.urgency in ("High", "Medium", "Low")


@pytest.mark.parametrize("text", [HOUSE, MAIL, CHAT, NOTES, TABLE])
def test_what_was_read_is_a_case_again(text: str) -> None:
    found = curation.structure(text)
    case = parse_case(found.case_text)
    assert case.values == found.values
    assert found.missing == ()


def test_the_glossary_names_the_metric_and_lends_its_definition() -> None:
    glossary = {"spark rate": {"definition": "share of new workspaces set up", "direction": "up"}}
    found = curation.structure("spark rate, UK: 31%, 30%, 29%, 28% (last 4 weeks)", glossary)
    assert (found.metric, found.definition) == ("spark rate", "share of new workspaces set up")


def test_windows_line_ends_and_a_pasted_table_are_read() -> None:
    pasted = "CSAT by month\r\n\r\nMonth\tCSAT\r\nJan\t81\r\nFeb\t82\r\nMar\t80\r\nApr\t84\r\n"
    assert curation.structure(pasted.replace("\r\n", "\n")).values == (81, 82, 80, 84)
    assert curation.structure(HOUSE.replace("\n", "\r\n")).values[0] == 4.1


@pytest.mark.parametrize(
    ("data", "values"),
    [
        ("[0.41, n/a, 0.44, 0.43] (last 4 weeks)", (0.41, None, 0.44, 0.43)),
        ("[1,250, 1,310, 1,290] (last 3 weeks)", (1250, 1310, 1290)),
        ("£412, £405, £398 (last 3 quarters)", (412, 405, 398)),
        ("Jan 2.1%, Feb 2.3%, Mar 2.2%", (2.1, 2.3, 2.2)),
        ("12 -> 13 -> 15 -> 14 (last 4 weeks)", (12, 13, 15, 14)),
        ("unknown", ()),
        ("[some, words, here] (last 3 weeks)", ()),
    ],
)
def test_lists_of_every_form(data: str, values: tuple[float | None, ...]) -> None:
    assert curation.structure(f"Metric: Sign-ups\nData: {data}\n\nAnalysis: x").values == values


def test_dates_and_numbered_steps_are_no_series() -> None:
    assert curation.structure("Plan for 2021, 2022, 2023 and 2024. Steps 1, 2, 3, 4.").values == ()


def test_what_is_missing_is_named() -> None:
    found = curation.structure("Metric: CSAT\nData: [80, 81, 79] (last 3 weeks)\n\nAnalysis: flat.")
    assert "urgency" in found.missing
    assert "series" not in found.missing


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=600))
def test_any_text_is_taken_apart_without_an_error(text: str) -> None:
    found = curation.structure(text)
    assert isinstance(found.missing, tuple)


def test_a_page_of_numbers_is_one_series_and_what_lies_beyond_the_limit_is_not_read() -> None:
    assert len(curation.structure("1.5, " * 3_000).printed) == 3_000
    limit = curation.structure.__globals__["MAX_CHARS"]
    assert len(curation.structure("1.5, " * 100_000).printed) <= limit // 5 + 1
