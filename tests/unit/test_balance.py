"""What the examples are about, and what a person should look at next."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from nbutils import stats
from nbutils.balance import DIMENSIONS, balance, describe, wanted
from nbutils.curation.queue import look_next
from nbutils.examples import DataFileError, Example, read_examples, read_jsonl

DATA = Path(__file__).parents[2] / "data" / "growth"
CASE = """Metric: {metric}
Context: {context}
Data: [{data}] (last {n} {period}s)
Cohort size: ~2000 accounts per {period}"""


def example(
    data: str,
    *,
    metric: str = "Activation Rate (share of new users)",
    context: str = "B2B SaaS, SMB segment, UK market",
    period: str = "week",
    name: str = "a",
) -> Example:
    text = CASE.format(
        metric=metric, context=context, data=data, n=data.count(",") + 1, period=period
    )
    return Example(name, "Analyze.", text, "Analysis: x.\nUrgency: High — y.")


@pytest.fixture(scope="module")
def formatted() -> list[Example]:
    return read_examples(DATA / "formatted.jsonl", id_field="report_id")


@pytest.fixture(scope="module")
def described(formatted: list[Example]) -> pd.DataFrame:
    return describe(formatted)


@pytest.mark.parametrize(
    ("data", "period", "pattern", "direction"),
    [
        ("0.44, 0.43, 0.45, 0.44, 0.37, 0.36, 0.37, 0.36", "week", "step", "down"),
        ("0.30, 0.33, 0.35, 0.38, 0.41, 0.43", "week", "drift", "up"),
        ("0.34, 0.35, 0.34, 0.46, 0.41, 0.35, 0.34", "week", "spike", "mixed"),
        ("0.30, 0.33, 0.29, 0.32, 0.30, 0.28, 0.31", "week", "noise", "flat"),
        ("0.41, 0.41, 0.42, 0.41, 0.42, 0.41", "week", "level", "flat"),
        ("0.41, 0.30, 0.31, 0.42, 0.29, 0.31, 0.41, 0.30, 0.30", "week", "seasonal", "flat"),
        # one cycle and a bit: facts see no season, the same two months a year later do
        (
            "0.36, 0.21, 0.36, 0.37, 0.37, 0.34, 0.36, 0.37, 0.37, 0.36, 0.36, 0.37, 0.36, 0.22",
            "month",
            "seasonal",
            "flat",
        ),
        # a low that does not return in the second year is none
        (
            "0.36, 0.21, 0.36, 0.37, 0.37, 0.34, 0.36, 0.37, 0.37, 0.36, 0.36, 0.37, 0.36, 0.36",
            "month",
            "spike",
            "mixed",
        ),
        ("0.30, 0.40, 0.50", "week", "short", "up"),
    ],
)
def test_the_pattern_is_read_from_the_series(
    data: str, period: str, pattern: str, direction: str
) -> None:
    row = describe([example(data, period=period)]).iloc[0]
    assert (row["pattern"], row["direction"]) == (pattern, direction)


@pytest.mark.parametrize(
    ("metric", "family"),
    [
        ("MRR churn (share of MRR lost)", "retention"),
        ("Paid-search lead cost (US$)", "cost"),
        ("MQL-to-SQL rate (share of leads accepted)", "conversion"),
        ("Onboarding e-mail open rate (share of e-mails)", "engagement"),
        ("Tether Score (account health from 0 to 100)", "engagement"),
        ("Spark Rate (share of new workspaces that complete set-up after sign-up)", "activation"),
        ("Lift Ratio (expansion MRR divided by contraction plus churned MRR)", "revenue"),
        ("Widgets per box (how many lie in one)", "other"),
    ],
)
def test_the_family_is_read_from_the_name_and_else_from_the_definition(
    metric: str, family: str
) -> None:
    row = describe([example("0.1, 0.2, 0.1, 0.2", metric=metric)]).iloc[0]
    assert (row["metric"], row["family"]) == (metric.partition(" (")[0].lower(), family)


def test_other_families_can_be_given() -> None:
    made = [example("1.1, 2.0, 1.1", metric="Widgets per box (n)")]
    assert describe(made, families={"goods": "widgets?"}).iloc[0]["family"] == "goods"


def test_segment_and_market_are_read_in_every_known_form() -> None:
    contexts = {
        "B2B SaaS (Workspace), SMB segment (agencies only), UK market": ("SMB", "UK"),
        "SaaS (Pocket, Android only), consumer segment, LATAM market (Brazil)": (
            "consumer",
            "LATAM",
        ),
        "B2B SaaS, mid-market segment, DACH market; target is 0.45": ("mid-market", "DACH"),
        "Pocket, consumer, DACH": ("consumer", "DACH"),
        "freemium design tool, self-serve SMB, LATAM; day 1 is a Monday": ("SMB", "LATAM"),
        "B2B SaaS, mid-market, Atlantis": ("mid-market", "Atlantis"),
        "a tool that helps us": ("unknown", "unknown"),
    }
    made = [
        example("1.1, 2.0, 1.1", context=c, name=f"e{i}") for i, c in enumerate([*contexts, ""])
    ]
    found = describe(made)
    read = list(zip(found["segment"], found["market"], strict=True))
    assert read == [*contexts.values(), ("unknown", "unknown")]


def test_real_examples_are_described_completely(
    formatted: list[Example], described: pd.DataFrame
) -> None:
    assert described["id"].tolist() == [e.id for e in formatted]
    unknown = (described[list(DIMENSIONS)] == "unknown").sum().sum()
    assert unknown == 0
    assert set(described["urgency"]) == {"High", "Medium", "Low"}
    assert set(described["segment"]) == {"SMB", "mid-market", "enterprise", "consumer"}
    reports = {r["id"]: r for r in read_jsonl(DATA / "reports.jsonl")}
    truth = [reports[i]["market"] for i in described["id"]]
    assert described["market"].tolist() == truth


def test_patterns_agree_with_what_the_writers_of_candidates_meant(
    candidates: list[Example],
) -> None:
    found = describe(candidates)
    meant = pd.Series([e.meta["pattern"] for e in candidates])
    same = {
        "step_up": "step",
        "step_down": "step",
        "steady_rise": "drift",
        "steady_decline": "drift",
        "accelerating": "drift",
        "spike": "spike",
        "dip_recovery": "spike",
        "noise": "noise",
    }
    clear = meant.isin(list(same))
    agree = found["pattern"][clear] == meant[clear].map(same)
    # 239 of 263 when written; the others are within noise by their own cohort size
    assert agree.mean() > 0.88


def test_a_share_is_over_or_under_only_if_its_whole_interval_is() -> None:
    values = ["a"] * 85 + ["b"] * 20 + ["c"] * 6 + ["unknown"] * 9
    frame = pd.DataFrame({"id": range(120), "market": values})
    table = balance(frame, by=["market"]).set_index("value")
    assert table["standing"].to_dict() == {"a": "over", "b": "", "c": "under", "unknown": ""}
    assert table.loc["a", "even"] == pytest.approx(1 / 3)
    assert table.loc["a", ["share", "low", "high"]].tolist() == pytest.approx(
        [85 / 120, stats.wilson(85, 120).low, stats.wilson(85, 120).high]
    )
    assert pd.isna(table.loc["unknown", "even"])


def test_balance_counts_every_example_once_a_dimension(described: pd.DataFrame) -> None:
    table = balance(described)
    sums = table.groupby("dimension", sort=False)["examples"].sum()
    assert sums.to_dict() == dict.fromkeys(DIMENSIONS, len(described))
    standing = table.set_index(["dimension", "value"])["standing"]
    assert standing["market", "UK"] == "over"
    assert standing["segment", "enterprise"] == "under"


def test_holes_are_wanted_first_and_the_most_surprising_of_them_before_others() -> None:
    pairs = [("x", "step")] * 8 + [("x", "drift")] * 8 + [("y", "step")] * 4 + [("z", "drift")]
    frame = pd.DataFrame([*pairs, ("other", "spike")], columns=["family", "pattern"])
    table = wanted(frame, 10)
    assert table[["family", "pattern", "have"]].to_numpy().tolist() == [
        ["y", "drift", 0],
        ["z", "step", 0],
        ["z", "drift", 1],
    ]
    assert table["reason"].tolist()[0].startswith("No example; ")
    assert table["reason"].tolist()[2] == "1 example; an even share would be 3.5."
    assert len(wanted(frame, 1)) == 1


def test_the_wanted_cells_of_the_real_set_are_empty_ones(described: pd.DataFrame) -> None:
    table = wanted(described, 5)
    assert table["have"].tolist() == [0] * 5
    assert (table.iloc[0]["family"], table.iloc[0]["pattern"]) == ("revenue", "spike")


def test_what_cannot_be_described_is_refused() -> None:
    with pytest.raises(DataFileError, match="no examples to describe"):
        describe([])
    with pytest.raises(DataFileError, match="example a: its case cannot be read"):
        describe([replace(example("1.1, 2.0"), input="Metric: x")])
    with pytest.raises(DataFileError, match="no column 'market'"):
        balance(pd.DataFrame({"id": ["a"], "family": ["x"]}), by=["family", "market"])
    with pytest.raises(DataFileError, match="no rows"):
        wanted(pd.DataFrame({"family": [], "pattern": []}), 3)


# --------------------------------------------------------------------------- look at next


def screened(*rows: tuple[bool, list[str], list[str]]) -> pd.DataFrame:
    named = [(f"r{i}", *row) for i, row in enumerate(rows)]
    return pd.DataFrame(named, columns=["id", "keep", "reasons", "doubts"])


TEXTS = [
    "activation fell after the phone check went live and nobody knows why it stays low",
    "churn rose when the price went up and the large customers are the ones who leave",
    "referrals doubled in the week of the campaign and went back as soon as it was over",
    "the newsletter is opened less since the sender changed to a name that nobody knows",
    "seats are used less in the summer months and the same was seen a year ago in August",
]


def test_the_most_doubtful_comes_first_and_certain_ones_last() -> None:
    frame = screened(
        (True, [], []),
        (True, [], ["only 2 figures"]),
        (False, ["vague"], ["a date is named", "an owner is named"]),
        (False, ["vague", "no_action"], ["a date is named", "one", "two"]),
        (False, ["vague"], []),
    )
    table = look_next(frame, TEXTS).set_index("id")
    assert table.index.tolist()[:2] == ["r2", "r1"]
    assert set(table.index[2:]) == {"r0", "r3", "r4"}
    assert table.loc["r2", "doubts"] == "a date is named; an owner is named"
    assert table.loc["r2", "why"].startswith("Rejected (vague) with 2 doubts; ")
    assert table.loc["r1", "why"].startswith("Kept with 1 doubt; ")
    assert table.loc["r3", "why"].startswith("Rejected (vague, no_action) without doubt; ")


def test_of_equally_doubtful_ones_the_least_like_a_kept_one_comes_first() -> None:
    near = TEXTS[0].replace("stays low", "is low").replace("phone", "mail")
    doubtful = (False, ["vague"], ["a date is named"])
    frame = screened((True, [], []), doubtful, doubtful)
    table = look_next(frame, [TEXTS[0], near, TEXTS[1]])
    # r0 itself is too much like r1 to be named beside it
    assert table["id"].tolist() == ["r2", "r1"]
    assert table.iloc[0]["novelty"] > 0.9 > table.iloc[1]["novelty"]
    assert "is r0 (likeness" in table.iloc[1]["why"]


def test_of_two_that_are_alike_only_one_is_named() -> None:
    doubtful = (True, [], ["only 2 figures"])
    twin = TEXTS[0].replace("nobody knows", "nobody says")
    table = look_next(screened(doubtful, doubtful, doubtful), [TEXTS[0], twin, TEXTS[1]])
    assert len(table) == 2
    assert "r2" in table["id"].tolist()


def test_the_order_is_the_same_every_time_and_ends_at_n() -> None:
    reports = pd.DataFrame(read_jsonl(DATA / "reports.jsonl"))
    frame = pd.DataFrame(
        {
            "id": reports["id"],
            "keep": True,
            "reasons": [[] for _ in range(len(reports))],
            "doubts": [["only 2 figures"] if i % 7 == 0 else [] for i in range(len(reports))],
        }
    )
    first = look_next(frame, reports["text"].tolist(), n=12)
    assert len(first) == 12
    assert first["doubts"].all()
    assert first["novelty"].is_monotonic_decreasing
    pd.testing.assert_frame_equal(first, look_next(frame, reports["text"].tolist(), n=12))


def test_screened_reports_without_doubts_or_texts_are_refused() -> None:
    with pytest.raises(DataFileError, match="no column 'doubts'"):
        look_next(screened((True, [], [])).drop(columns="doubts"), TEXTS[:1])
    with pytest.raises(DataFileError, match="5 texts for 1 screened"):
        look_next(screened((True, [], [])), TEXTS)
