"""All systems together: what is missing, one case only, and what readers are shown."""

from __future__ import annotations

import json
from typing import Any

import pandas as pd
import pytest
from evaluation_cases import WRONG, held_out, scored, two_systems

from nbutils import evaluation, report, review
from nbutils.examples import URGENCIES, Example, target
from nbutils.records import dumps

NAMES = {"prompted": "Base, prompted", "tuned": "Fine-tuned"}


def content(found: dict[str, pd.DataFrame], cases: list[Example], **more: Any) -> dict[str, Any]:
    summary, compared = evaluation.summarize(found), evaluation.compare(found, "tuned")
    examples = evaluation.pick_examples(found["tuned"], cases, "tuned")
    said = evaluation.scores(summary, compared, examples, cases, form="brief", names=NAMES, **more)
    json.dumps(said, allow_nan=False)
    return said


def test_systems_are_compared_case_by_case() -> None:
    cases = held_out(20)
    found = two_systems(cases)
    summary = evaluation.summarize(found)
    value = summary.set_index(["metric", "system"])["value"]
    assert value["house_form", "tuned"] == 1.0
    assert value["house_form", "prompted"] == 0.0
    assert value["numbers_right", "prompted"] == 0.0
    assert value["numbers_right", "tuned"] > 0.95
    assert value["urgency_ok", "tuned"] >= 0.9
    assert value["direction_ok", "tuned"] >= 0.8
    assert value["timing_ok", "tuned"] >= 0.8
    compared = evaluation.compare(found, "tuned")
    assert set(compared[compared["metric"] == "house_form"]["outcome"]) == {"better"}
    asked = {"candidate": "tuned", "baseline": "prompted"}
    nobody = evaluation.usefulness({}, [])
    passed = evaluation.gate(summary, compared, nobody, limits={"house_form": 0.9}, **asked)
    assert passed["passed"]
    failed = evaluation.gate(summary, compared, nobody, limits={"digit_score": 1.1}, **asked)
    assert not failed["passed"]
    assert failed["verdict"].startswith("Failed: digit strings found in the input")


def test_scores_name_the_systems_and_what_is_not_shown() -> None:
    cases = held_out(20)
    said = content(two_systems(cases), cases, notes=["A note."])
    assert [s["role"] for s in said["systems"]] == ["baseline", "candidate"]
    assert [s["label"] for s in said["systems"]] == list(NAMES.values())
    constant = max(sum(u in c.meta["expect"]["urgency"] for c in cases) for u in URGENCIES)
    assert said["does_not_show"][0] == "A note."
    assert f"accepted in {constant / 20:.0%}" in said["does_not_show"][1]
    assert [e["kind"] for e in said["examples"]] == ["typical", "best", "worst"]


def test_the_worst_example_is_the_wrong_answer() -> None:
    cases = held_out(5)
    rows = scored([*(target(c) for c in cases[:4]), WRONG], cases)
    found = {e["kind"]: e for e in evaluation.pick_examples(rows, cases, "tuned")}
    assert found["worst"]["output"] == WRONG
    assert found["worst"]["input"] == cases[4].input
    assert found["best"]["output"] != WRONG


# --------------------------------------------------------------------------- missing answers


def test_a_missing_prediction_is_told_and_left_out_of_the_comparison() -> None:
    cases = held_out(12)
    found = two_systems(cases)
    found["prompted"] = found["prompted"].iloc[4:]
    ids = [c.id for c in cases]
    assert evaluation.unanswered(found, {"prompted": ids, "tuned": ids}) == [
        "prompted: 4 of 12 cases have no answer (h001, h002, h003, h004); they are left out of its "
        "scores and comparisons."
    ]
    compared = evaluation.compare(found, "tuned").set_index("metric")
    assert compared.loc["house_form", ["n", "difference", "outcome"]].tolist() == [8, 1.0, "better"]
    counts = evaluation.summarize(found).set_index(["metric", "system"])["n"]
    assert (counts["house_form", "prompted"], counts["house_form", "tuned"]) == (8, 12)
    content(found, cases)


def test_answers_are_paired_by_case_and_not_by_place() -> None:
    cases = held_out(6)
    texts = [target(c) for c in cases[:3]] + [WRONG] * 3
    rows = scored(texts, cases)
    found = {"prompted": rows.iloc[::-1].iloc[:5], "tuned": rows}
    compared = evaluation.compare(found, "tuned")
    assert set(compared["difference"].dropna()) == {0.0}
    assert set(compared[compared["difference"].notna()]["outcome"]) == {"identical"}


def test_more_than_five_missing_cases_are_counted() -> None:
    cases = held_out(12)
    found = {"base": scored([WRONG] * 2, cases[:2])}
    (said,) = evaluation.unanswered(found, {"base": [c.id for c in cases]})
    assert "10 of 12 cases have no answer (h003, h004, h005, h006, h007 and 5 more)" in said


def test_systems_without_a_case_in_common_show_nothing() -> None:
    cases = held_out(4)
    found = {"prompted": scored([WRONG] * 2, cases[:2]), "tuned": scored([WRONG] * 2, cases[2:])}
    compared = evaluation.compare(found, "tuned")
    assert set(compared["n"]) == {0}
    assert set(compared["outcome"]) == {"not shown"}
    content(found, cases)


# --------------------------------------------------------------------------- one case


def test_one_case_gives_a_result_without_nan_and_shows_no_difference() -> None:
    cases = held_out(1)
    found = two_systems(cases)
    summary, compared = evaluation.summarize(found), evaluation.compare(found, "tuned")
    assert set(compared["outcome"]) <= {"not shown", "identical"}
    assert compared["low"].isna().all()
    said = content(found, cases)
    assert {m["n"] for m in said["metrics"]} <= {0, 1}
    asked = {"candidate": "tuned", "baseline": "prompted"}
    limits = {"house_form": 0.96, "numbers_right": 0.91, "usefulness": 4.3}
    nobody = evaluation.usefulness({}, [])
    gate = evaluation.gate(summary, compared, nobody, limits=limits, **asked)
    assert gate["outcome"] == "not shown"
    assert "nan" not in json.dumps(gate, allow_nan=False).lower()
    silent = evaluation.wide(evaluation.summarize({"tuned": scored([""], cases)})).set_index(
        "label"
    )
    assert silent.loc["Numbers right, of those checked", "tuned"] == "no value"
    dumps(evaluation.headline(summary), "headline")


@pytest.mark.parametrize("count", [1, 24])
def test_every_table_fits_its_page_and_has_no_nan_even_of_one_case(count: int) -> None:
    cases = held_out(count)
    found = two_systems(cases)
    prices = {"machine_hour": 0.1, "review_hour": 60.0, "review_hours": 0.0}
    about = evaluation.describe(cases)
    labels = evaluation.urgency(found["tuned"], cases)
    table = evaluation.costs(found, prices)
    paid = evaluation.break_even(table, "tuned", prices, training_seconds=60)
    slices = evaluation.by_slice(found["tuned"], found["prompted"], about, "numbers_right")
    assert (set(slices["outcome"]) == {"counts only"}) == (count == 1)
    frames = [
        *(labels.table, labels.calibration, paid, slices.drop(columns="p")),
        evaluation.parity(found["prompted"], found["tuned"], about, "faithful"),
        evaluation.decision(evaluation.summarize(found), table, paid, NAMES),
        evaluation.causes(found["prompted"], cases, []),
        evaluation.wrong_kinds(found),
        evaluation.by_check({k: list(v["output"]) for k, v in found.items()}),
    ]
    for frame in frames:
        shown = str(report.table(frame, "A table."))
        assert "nan" not in (dumps(frame.to_dict("records"), "table") + shown).lower()
    dumps([*about.to_dict("records"), *table.to_dict("records")], "tables")
    assert labels.calibrated == "no probabilities are known"
    assert labels.accuracy.endswith(f"of {count}")


# --------------------------------------------------------------------------- tables


def test_the_wide_table_has_the_systems_that_are_asked_for_in_their_order() -> None:
    summary = evaluation.summarize(two_systems(held_out(12)))
    table = evaluation.wide(summary, ["tuned", "prompted"])
    assert table.columns.tolist() == ["layer", "label", "tuned", "prompted"]
    assert table["label"].tolist() == [m.label for m in evaluation.MEASURES]
    assert evaluation.wide(summary, ["tuned"]).columns.tolist() == ["layer", "label", "tuned"]
    assert table.iloc[0]["tuned"] == "1.00 [0.76, 1.00]"
    assert evaluation.wide(summary, names=NAMES).columns[2:].tolist() == list(NAMES.values())
    assert evaluation.wide(summary).columns.tolist() == ["layer", "label", "prompted", "tuned"]


def test_a_share_that_is_the_same_in_all_cases_is_shown_with_its_n() -> None:
    rows = two_systems(held_out(3))["tuned"].assign(supported=1, checked=2)
    table = evaluation.wide(evaluation.summarize({"tuned": rows})).set_index("label")
    assert table.loc["Numbers right, of those checked", "tuned"] == "0.50 (n=3)"


def test_rows_for_files_keep_every_answer_and_every_number() -> None:
    found = {k: v.to_dict("records") for k, v in two_systems(held_out(3)).items()}
    predictions = evaluation.prediction_rows(found, rated=["tuned"])
    claims = evaluation.claim_rows(found)
    assert [(r["system"], r["id"]) for r in predictions[:4]] == [
        *(("prompted", i) for i in ("h001", "h002", "h003")),
        ("tuned", "h001"),
    ]
    assert "claims" not in predictions[0]
    assert len(claims) == sum(len(r["claims"]) for rows in found.values() for r in rows)
    said = {c["verdict"] for c in claims if c["system"] == "prompted"}
    assert said <= {"contradicted", "unsupported"}


# --------------------------------------------------------------------------- ratings


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
