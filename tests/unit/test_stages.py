"""Curation, augmentation and evaluation on small inputs."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from nbutils import augmentation, curation, evaluation, facts, review
from nbutils.errors import UserError
from nbutils.examples import URGENCIES, DataFileError, Example, read_examples, target
from nbutils.gates import first_fault
from nbutils.models import Completion

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


# --------------------------------------------------------------------------- evaluation


def test_gold_answers_are_in_the_house_form_and_spoilt_ones_are_not() -> None:
    cases = read_examples(DATA / "test.jsonl")
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


class Scripted:
    """A system whose answers are known: what evaluation must measure is then known too."""

    name = "scripted"

    def __init__(self, answers: list[str]) -> None:
        self.answers = answers

    def generate(self, messages, max_new_tokens=256, *, progress=None):  # type: ignore[no-untyped-def]
        return [Completion(a, 10, 5, 0.1, True) for a in self.answers]


def test_systems_are_compared_case_by_case() -> None:
    cases = read_examples(DATA / "test.jsonl")[:20]
    right = [target(c) for c in cases]
    wrong = ["The metric has fallen by 987%."] * 20
    scored = {
        name: pd.DataFrame(evaluation.answer(Scripted(texts), cases, form="brief"))
        for name, texts in (("prompted", wrong), ("tuned", right))
    }
    summary = evaluation.summarize(scored)
    value = summary.set_index(["metric", "system"])["value"]
    assert value["house_form", "tuned"] == 1.0
    assert value["house_form", "prompted"] == 0.0
    assert value["numbers_right", "prompted"] == 0.0
    assert value["numbers_right", "tuned"] > 0.95
    assert value["urgency_ok", "tuned"] >= 0.9
    compared = evaluation.compare(scored, "tuned")
    assert set(compared[compared["metric"] == "house_form"]["outcome"]) == {"better"}
    asked = {"candidate": "tuned", "baseline": "prompted"}
    passed = evaluation.gate(summary, compared, thresholds={"house_form": 0.9}, **asked)
    assert passed["passed"]
    failed = evaluation.gate(summary, compared, thresholds={"faithful": 1.1}, **asked)
    assert not failed["passed"]
    assert failed["verdict"].startswith("Not shown")
    content = evaluation.scores("brief", "1 example", summary, compared, [], cases)
    constant = max(sum(u in c.meta["expect"]["urgency"] for c in cases) for u in URGENCIES)
    assert f"accepted in {constant / 20:.0%}" in content["does_not_show"][0]
    kinds = [e["kind"] for e in evaluation.pick_examples(scored["tuned"], cases, "tuned")]
    assert kinds == ["typical", "best", "worst"]


def test_few_shot_prompts_are_nested_and_chosen_by_the_answers(candidates: list[Example]) -> None:
    sets = evaluation.shot_sets(candidates[:50], [1, 2, 99], form="brief")
    assert list(sets) == ["1 example", "2 examples"]
    assert sets["2 examples"][0] is sets["1 example"][0]
    val = candidates[50:52]

    class ByLength(Scripted):
        def generate(self, messages, max_new_tokens=256, *, progress=None):  # type: ignore[no-untyped-def]
            better = len(messages[0]) > 4
            text = target(val[0]) if better else "no idea"
            return [Completion(text, len(m), 5, 0.1, True) for m in messages]

    best, table = evaluation.choose_shots(ByLength([]), val, sets, form="brief")
    assert best == "2 examples"
    assert table["n"].tolist() == [2, 2]


def rated(item: str, rater: str, rating: int) -> dict[str, Any]:
    return {"item": item, "reviewer": rater, "decision": "rate", "rating": rating}


def test_usefulness_is_the_mean_of_what_people_said_of_each_system() -> None:
    answers = {
        name: [
            {"instruction": "i", "input": f"case {n}", "output": f"{name} {n}"} for n in range(4)
        ]
        for name in ("base", "tuned", "silent")
    }
    hashes = {
        name: [review.item_hash("i", row["input"], row["output"]) for row in rows]
        for name, rows in answers.items()
    }
    lines = [rated(h, "anna", r) for h, r in zip(hashes["base"], (0, 1, 1, 2), strict=True)]
    lines += [rated(h, "ben", r) for h, r in zip(hashes["base"], (1, 1, 2, 2), strict=True)]
    lines += [rated(h, "anna", 4) for h in hashes["tuned"]]
    lines += [rated("of another run", "anna", 0)]
    table = evaluation.usefulness(answers, lines).set_index("system")
    assert table.index.tolist() == ["base", "tuned"]
    assert table.loc["base", "value"] == pytest.approx(1.25)
    assert table.loc["base", ["n", "raters"]].tolist() == [4, 2]
    assert table.loc["base", "low"] < 1.25 < table.loc["base", "high"]
    assert table.loc["tuned", "value"] == 4
    assert pd.isna(table.loc["tuned", "low"])  # equal ratings show no spread to judge by
    assert evaluation.usefulness(answers, []).empty
