"""Keep or reject, and why: reports that look alike and are not."""

from pathlib import Path

import pandas as pd
import pytest

from nbutils import curation, facts
from nbutils.examples import DataFileError, Example, read_examples, read_jsonl

HEAD = """Metric: Booking rate (share of visits that end in a booking)
Context: Hotels, consumer, Italy
Data: [4.2%, 4.1%, 4.3%, 3.6%, 3.5%, 3.5%] (last 6 weeks)
Cohort size: ~80,000 visits per week
Recent changes: new calendar on mobile since week 4
"""
FINDING = (
    "Weeks 1 to 3 average 4.2% and weeks 4 to 6 average 3.53%, a loss of 0.67 points or about 530 "
    "bookings a week. The break falls in the week in which the calendar changed, and desktop, "
    "which kept the old one, stayed at 4.6%. No price changed in that time."
)
ACTION = "Web team puts the old calendar back for a random half of mobile visits, for two weeks."
URGENCY = "High, as the loss is there every week."
FOUND = (
    "Hello all, the workshop moves from Tuesday to Thursday, in the big room. Bring lunch and your "
    "slides; who joins from home uses the usual link. The train at eight is the one to take, the "
    "hotel is full, and there are snacks afterwards for everybody who stays and helps."
)


def report(finding: str = FINDING, action: str = ACTION, urgency: str = URGENCY) -> str:
    return f"{HEAD}\nAnalysis: {finding}\nRecommended action: {action}\nUrgency: {urgency}"


def screened(*texts: str) -> pd.DataFrame:
    frame = pd.DataFrame({"id": [f"r{i}" for i in range(len(texts))], "text": texts})
    return curation.screen(frame, facts.read_glossary())


def reasons(*texts: str) -> list[str]:
    return list(screened(*texts).iloc[-1]["reasons"])


@pytest.mark.parametrize(
    "text",
    [
        report(),
        report(
            action="No change. Maria re-checks on 12 June with three more weeks; growth owns it."
        ),
        report(action="Discuss the calendar with mobile on Monday, then test the old one on 50%."),
        report(action="Monitor by phone model until 3 May and roll back if iOS is under 3%."),
        report(FINDING + " The rate fell in all but one week."),
        report(FINDING.replace("No price", "Giulia in Milan says that no Salesforce price")),
        report(FINDING + " The PMS (property management system) logs show no outage; PMS is fine."),
    ],
)
def test_a_careful_report_is_kept(text: str) -> None:
    assert reasons(text) == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (report("The story is mixed. " * 12), ["vague"]),
        (report(action="One to watch. Let's keep an eye on it."), ["no_action"]),
        (
            report(action="Everybody should be aware of the trend and stay close to it."),
            ["no_action"],
        ),
        (report(action="-"), ["no_action"]),
        (
            report(FINDING + " It is a Marlow case.", "Put the Marlow gate back for half of them."),
            ["undefined_jargon"],
        ),
        (report(FINDING + " The VRX says so.", "Reset the VRX for half."), ["undefined_jargon"]),
        (
            report("The rate fell every week, from 4.2% to 3.5%, 0.7 points or 16.7%."),
            ["contradicts_data"],
        ),
        (
            report("The rate went from 4.2% to 3.5%, a fall of 27%; 0.7 points in six weeks."),
            ["contradicts_data"],
        ),
        (
            report("The rate was flat at 4.2% for five weeks and then broke, to 3.5%, 0.7 points."),
            ["contradicts_data"],
        ),
        (report().split(" for a random")[0], ["truncated"]),
        (report().replace("3.6%, 3.5%, 3.5%", "#REF!, #REF!, #REF!"), ["truncated"]),
        ("Rates fell by 3 points. Do something about it.", ["too_short"]),
        (FOUND, ["off_topic"]),
        (
            "Bookings fell by 12% and cancellations rose by 7 points, some 530 a week, because the "
            "calendar is hard to use on a phone; 40% of guests say so and 3 of 10 call the desk. "
            "Put the old one back for half of the visits from 3 May. Urgency: high, it is costly.",
            ["ungrounded"],
        ),
    ],
)
def test_each_reason_is_named_and_quoted(text: str, expected: list[str]) -> None:
    row = screened(text).iloc[0]
    assert row["reasons"] == expected
    assert not row["keep"]
    assert len(row["evidence"]) == len(expected)
    assert all(row["evidence"])


def test_of_two_alike_the_first_stays() -> None:
    table = screened(report(), report(), FOUND)
    assert table["keep"].tolist() == [True, False, False]
    assert "r0" in table["evidence"][1][0]


def test_ten_thousand_copies_are_one_report() -> None:
    frame = pd.DataFrame({"id": range(10_000), "text": [report()] * 10_000})
    found = curation.screen(frame)
    assert found["keep"].sum() == 1
    assert found["keep"].iloc[0]
    assert set(map(tuple, found["reasons"][1:])) == {("near_duplicate",)}


def test_a_series_with_text_in_it_is_no_series() -> None:
    assert reasons(report().replace("4.3%, 3.6%", "about four, 3.6%")) != []


@pytest.mark.parametrize("text", ["", " ", None, float("nan")])
def test_an_empty_report_is_too_short(text: str) -> None:
    assert reasons(text) == ["too_short"]


def test_bad_frames_are_named() -> None:
    with pytest.raises(DataFileError, match=r"no column 'text' .*found: id"):
        curation.screen(pd.DataFrame({"id": ["a"]}))
    with pytest.raises(DataFileError, match="no reports"):
        curation.screen(pd.DataFrame({"id": [], "text": []}))


def test_an_id_that_stands_twice_is_named_and_nothing_is_lost() -> None:
    found = curation.screen(pd.DataFrame({"id": ["a", "a", "b"], "text": [report(), FOUND, "x"]}))
    assert found["keep"].tolist() == [True, False, False]
    assert "the id a stands twice: rename one" in found["doubts"][0]
    assert found["doubts"][2] == []


def test_many_reports_are_judged_as_few_are(monkeypatch: pytest.MonkeyPatch) -> None:
    texts = [report(), report(action="Keep an eye on it."), FOUND, "short"]
    few = screened(*texts)
    monkeypatch.setattr(curation.screening, "PARALLEL", 2)
    pd.testing.assert_frame_equal(few, screened(*texts))


def test_doubts_say_what_nearly_decided_otherwise() -> None:
    row = screened(report(FINDING + " Only the Quorum list moved.")).iloc[0]
    assert row["keep"]
    assert any("Quorum" in doubt for doubt in row["doubts"])


def test_the_confusion_says_what_was_said_instead() -> None:
    found = screened(report(), report(action="Keep an eye on it.").replace("4.2%", "4.4%"), FOUND)
    labels = pd.DataFrame(
        [
            {"id": "r0", "label": "reject", "reasons": ["vague"]},
            {"id": "r1", "label": "reject", "reasons": ["vague"]},
            {"id": "r2", "label": "reject", "reasons": ["off_topic"]},
        ]
    )
    table = curation.confusion(found, labels).set_index("label")
    assert table.loc["vague", ["reports", "named", "kept"]].tolist() == [2, 0, 1]
    assert "no_action 1" in table.loc["vague", "instead"]
    assert table.loc["off_topic", "named"] == 1


def test_reports_of_other_hands_are_mostly_judged_as_their_authors_did() -> None:
    reports = pd.DataFrame(read_jsonl("data/screening/reports.jsonl", ["id", "text"]))
    labels = curation.read_labels(Path("data/screening/labels.jsonl"))
    parts = [
        curation.screen(part, facts.read_glossary())
        for _, part in reports.groupby("set", sort=False)
    ]
    found = curation.score(pd.concat(parts), labels).set_index("metric")["value"]
    assert found["keep or reject right"] >= 0.9
    assert found["contradicts_data rightly said"] >= 0.6
    read = {r["id"]: curation.structure(r["text"]) for r in reports.to_dict("records")}
    by_field = curation.score_fields(read, labels).set_index(["field", "style"])["value"]
    assert by_field["series", "all"] >= 0.97


# --------------------------------------------------------------------------- pairs


def test_a_pair_needs_the_reports_own_series() -> None:
    read = {"r0": curation.structure(report())}
    found = screened(report())
    other = read["r0"].case_text.replace("4.2%", "5.2%")
    teacher = Example("r0", "Explain.", other, "Analysis: a\nRecommended action: b\nUrgency: Low")
    kept, dropped = curation.curate([teacher], found, read)
    assert "is not the report's [4.2, 4.1" in dropped["reason"][0]
    assert [e.meta["made_by"] for e in kept] == ["rules"]
    frame = pd.DataFrame({"id": ["r0"], "text": [report()]})
    none = pd.DataFrame({"source": [], "reason": []})
    left = curation.funnel(frame, none, found, kept, dropped)["left"]
    assert left.tolist() == [1, 1, 1]


def test_a_share_and_its_percent_are_one_series() -> None:
    read = {"r0": curation.structure(report())}
    as_share = read["r0"].case_text.replace(
        "4.2%, 4.1%, 4.3%, 3.6%, 3.5%, 3.5%", "0.042, 0.041, 0.043, 0.036, 0.035, 0.035"
    )
    answer = (
        "Analysis: It fell from 0.042 to 0.035.\nRecommended action: Test.\nUrgency: Low — small."
    )
    kept, dropped = curation.curate(
        [Example("r0", "Explain.", as_share, answer)], screened(report()), read
    )
    assert dropped.empty
    assert kept[0].meta["made_by"] == "teacher"


def test_rules_make_a_pair_where_every_number_follows() -> None:
    text = report("The rate fell from 4.2% to 3.5%, 0.7 points or 16.7%, and 3.5% is the low.")
    pair = curation.from_rules("r0", curation.structure(text))
    assert isinstance(pair, Example)
    assert pair.output.startswith("Analysis: The rate fell")
    given = curation.from_rules(
        "r0", curation.structure(report("It fell from 4.2% to 3.5%. Desktop stayed at 4.6%."))
    )
    assert isinstance(given, Example)
    assert "Notes: Desktop stayed at 4.6%." in given.input
    told = report("It fell from 4.2% to 3.5%, about 9,000 bookings less a week.")
    assert "9,000" in str(curation.from_rules("r0", curation.structure(told)))
    assert "no series" in str(curation.from_rules("r1", curation.structure("a chat about nothing")))


def test_nothing_is_lost_in_the_funnel() -> None:
    texts = [report(), FOUND, "short", report(action="Keep an eye on it.").replace("4.2", "4.4")]
    frame = pd.DataFrame({"id": list("abcd"), "text": texts})
    found = curation.screen(frame)
    read = {i: curation.structure(t) for i, t in zip(frame["id"], texts, strict=True)}
    kept, dropped = curation.curate([], found, read)
    unread = pd.DataFrame({"source": ["x.bin"], "reason": ["binary"]})
    table = curation.funnel(frame, unread, found, kept, dropped).set_index("step")
    assert table.loc["found", "reports"] == 5
    assert table["left"].iloc[-2] == table.loc["curated", "left"] == len(kept)


def test_both_forms_are_checked() -> None:
    examples = read_examples("data/growth/formatted.jsonl", id_field="report_id")[:20]
    table = curation.check_forms(examples).set_index("form")
    assert table.loc["brief", "refuted"] == 0
    assert table.loc["brief", "supported"] > 0.97
