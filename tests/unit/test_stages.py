"""Curation and augmentation on small inputs."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from nbutils import augmentation, curation, facts, review
from nbutils.errors import UserError
from nbutils.examples import DataFileError, Example, read_examples
from nbutils.gates import first_fault

DATA = Path(__file__).parents[2] / "data" / "growth"
GOOD = """Metric: Activation Rate (share of new users who finish onboarding)
Context: B2B SaaS, SMB, UK
Data: [0.44, 0.43, 0.45, 0.44, 0.37, 0.36, 0.37, 0.36] (last 8 weeks)
Cohort size: ~1,400 sign-ups per week
Recent changes: phone verification mandatory from week 5

Analysis: Weeks 1 to 4 average 0.44 and weeks 5 to 8 average 0.365, a loss of 7.5 points. The break
is in the week in which the phone check went live, and the rate is flat on either side of it.
Recommended action: Growth makes the check optional for a random 50% for two weeks from 18 March.
Urgency: High — about 105 activated users fewer every week."""


def screened(text: str, *others: str) -> list[str]:
    frame = pd.DataFrame({"id": [f"r{i}" for i in range(len(others) + 1)], "text": [*others, text]})
    return list(curation.screen(frame, facts.read_glossary()).iloc[-1]["reasons"])


@pytest.mark.parametrize(
    ("text", "reasons"),
    [
        (GOOD, []),
        ("Rates fell. Do something.", ["too_short"]),
        (GOOD.split("for a random")[0], ["truncated"]),
        (
            GOOD.replace(
                "Growth makes the check optional for a random 50% for two weeks from 18 March.",
                "Definitely one to watch! Let's keep an eye on it over the holidays.",
            ),
            ["no_action"],
        ),
        (
            GOOD.replace("the week in which the phone check", "the ZQX week; ZQX and the PRW cap"),
            ["undefined_jargon"],
        ),
        (
            "Hello all, the workshop moves from Tuesday to Thursday, in the big room. Bring lunch "
            "and your slides; who will join from home uses the usual link. The meeting ends at "
            "noon and there are snacks afterwards for everybody who stays and helps to tidy up.",
            ["off_topic"],
        ),
    ],
)
def test_the_screen_names_the_reason(text: str, reasons: list[str]) -> None:
    assert screened(text) == reasons


def test_a_reworded_twin_is_found_and_the_first_one_stays() -> None:
    twin = GOOD.replace("a loss of 7.5 points", "so 7.5 points went").replace(
        "UK", "United Kingdom"
    )
    assert screened(twin, GOOD) == ["near_duplicate"]
    assert screened(GOOD, twin.replace("0.45", "0.46").replace("Activation", "Sign-up")) == []


def test_reports_without_columns_or_rows_are_refused() -> None:
    with pytest.raises(DataFileError, match="no column 'text'"):
        curation.screen(pd.DataFrame({"id": ["a"]}))
    with pytest.raises(DataFileError, match="no reports"):
        curation.screen(pd.DataFrame({"id": [], "text": []}))


def test_the_screen_is_scored_against_labels() -> None:
    found = pd.DataFrame(
        {"id": ["a", "b", "c"], "keep": [True, False, False], "reasons": [[], ["vague"], ["vague"]]}
    )
    labels = pd.DataFrame(
        {"id": ["a", "b", "c"], "label": ["keep", "reject", "keep"], "reasons": [[], ["vague"], []]}
    )
    table = curation.score(found, labels).set_index("metric")
    assert table.loc["keep or reject right", "value"] == pytest.approx(2 / 3)
    assert table.loc["vague found", ["value", "n"]].tolist() == [1.0, 1]
    assert curation.read_labels(Path("nowhere.jsonl")).empty


def test_only_verified_pairs_of_kept_reports_are_curated() -> None:
    formatted = read_examples(DATA / "formatted.jsonl", id_field="report_id")
    formatted = [e for e in formatted if first_fault(e, strict=False) is None][:4]
    wrong = replace(formatted[0], output=formatted[0].output.replace("Urgency:", "So:"))
    verdicts = pd.DataFrame(
        {
            "id": [e.id for e in formatted[:3]] + ["r999"],
            "keep": [True, True, False, True],
            "reasons": [[], [], ["vague"], []],
        }
    )
    kept, dropped = curation.curate([wrong, *formatted[1:]], verdicts)
    assert [e.id for e in kept] == [formatted[1].id]
    by_id = dropped.set_index("id")
    assert by_id.loc[wrong.id, "step"] == "gate"
    assert by_id.loc[wrong.id, "reason"] == "format: no urgency in the answer"
    assert by_id.loc[formatted[2].id, "reason"] == "report rejected: vague"
    assert by_id.loc["r999", "step"] == "format"


def test_a_family_is_never_divided(candidates: list[Example]) -> None:
    base = candidates[:30]
    twins = [replace(e, id=e.id + "b", input=e.input.replace("0.4", "0.6")) for e in base[:10]]
    placed = curation.assign([*base, *twins], 0.3, seed=3)
    side = {e.id: e.meta["side"] for e in placed}
    assert all(side[e.id] == side[e.id + "b"] for e in base[:10])
    assert set(side.values()) == {"train", "val"}


# --------------------------------------------------------------------------- augmentation


@pytest.fixture
def reviewed(candidates: list[Example]) -> tuple[list[Example], pd.DataFrame, pd.DataFrame]:
    """Six candidates: approved, half reviewed, rejected, edited, unreviewed, stopped by a gate."""
    items = [review.Item.from_example(e) for e in candidates[:6]]

    def said(item: int, reviewer: str, decision: str, **more: str) -> dict[str, str]:
        found = items[item]
        return {"item": found.hash, "reviewer": reviewer, "decision": decision, **more}

    lines = [said(0, "x", "approve"), said(0, "y", "approve"), said(1, "x", "approve")]
    lines += [said(2, "x", "reject", reason="vague"), said(2, "y", "reject")]
    lines += [said(3, "x", "approve"), said(3, "y", "edit", edit="mended")]
    gated = pd.DataFrame({"id": [e.id for e in candidates[:6]], "passed": [True] * 5 + [False]})
    return candidates[:6], gated, review.settle(items, lines)


def test_only_what_two_reviewers_approved_is_left(reviewed: Any) -> None:
    items, _, settled = reviewed
    approved = augmentation.approved(items, settled)
    assert [(x.id, x.output) for x in approved] == [
        (items[0].id, items[0].output),
        (items[3].id, "mended"),
    ]
    assert settled["reason"].tolist()[2] == "no reason given; vague"


def test_what_is_not_reviewed_is_counted_among_what_passed(reviewed: Any) -> None:
    _, gated, settled = reviewed
    counts = augmentation.review_counts(gated, settled)
    assert counts == {"reviewable": 5, "not_reviewed": 2}


def test_training_waits_for_the_review_and_says_how_to_go_on(reviewed: Any) -> None:
    _, gated, settled = reviewed
    augmentation.require_review(gated, settled, 3, "trial")
    augmentation.require_review(gated, settled, 0, "trial")
    said = "2 of 5 candidates are not reviewed, and 4 have to be decided .* `nbutils review trial`"
    with pytest.raises(UserError, match=said):
        augmentation.require_review(gated, settled, 4, "trial")
    # where fewer were generated than required, all of them are
    with pytest.raises(UserError, match="and 5 have to be decided"):
        augmentation.require_review(gated, settled, 100, "trial")
    none = gated.assign(passed=False)
    augmentation.require_review(none, settled, 100, "trial")


def test_gates_catch_what_code_can_see(candidates: list[Example]) -> None:
    good = candidates[0]
    spoilt = {
        "broken": replace(good, id="broken", output=good.output.replace("Urgency:", "So:")),
        "wrong": replace(
            candidates[4],
            id="wrong",
            output="Analysis: It fell from 0.99 to 0.01, down 98 points."
            "\nRecommended action: Test it.\nUrgency: High — 98 points.",
        ),
        "case": replace(candidates[5], id="case", input="Metric: x"),
        "long": replace(
            candidates[6],
            id="long",
            output=candidates[6].output.replace("Analysis:", "Analysis: " + "and so on " * 80),
        ),
        "twin": replace(good, id="twin", output=good.output.replace("9 points", "8 points")),
    }
    gated = augmentation.gate([good, *spoilt.values()], others=[]).set_index("id")
    assert gated["gate"].to_dict() == {
        good.id: "",
        "broken": "format",
        "wrong": "numbers",
        "case": "case",
        "long": "length",
        "twin": "numbers" if gated.loc["twin", "gate"] == "numbers" else "near_duplicate",
    }
    leaked = augmentation.gate([good], others=[replace(good, id="held out")])
    assert leaked["gate"].tolist() == ["near_duplicate"]
