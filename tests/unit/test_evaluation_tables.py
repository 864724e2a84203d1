"""Labels, slices, costs and causes: from counts made by hand."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pandas as pd
import pytest
from evaluation_cases import held_out, scored, two_systems

from nbutils import evaluation
from nbutils.evaluation.causes import ADVICE
from nbutils.evaluation.labels import MISSING
from nbutils.evaluation.scoring import score
from nbutils.examples import URGENCIES, Example, target
from nbutils.models import Completion
from nbutils.records import dumps

# --------------------------------------------------------------------------- labels


def test_classes_are_counted_with_what_an_analyst_accepts() -> None:
    accepted = [["High"], ["High", "Medium"], ["Medium"], ["Low"], ["Low"], ["Low"]]
    given = ["High", "Medium", "High", "Low", "Low", "huge"]
    table = evaluation.by_class(accepted, given, URGENCIES).set_index("label")
    assert table.loc["High", ["precision", "recall", "n", "given"]].tolist() == [0.5, 1.0, 1, 2]
    assert table.loc["Medium", ["precision", "recall", "n", "given"]].tolist() == [1.0, 0.5, 2, 1]
    assert table.loc["Low", ["precision", "recall", "n", "given"]].tolist() == [1.0, 2 / 3, 3, 2]
    assert table.loc["Low", "f1"] == pytest.approx(0.8)
    whole = table.loc["all"]
    assert (whole["accuracy"], whole["n"], whole["given"]) == (4 / 6, 6, 5)
    assert whole["precision"] == pytest.approx(2.5 / 3)
    assert whole["low"] < 4 / 6 < whole["high"]
    dumps(table.to_dict("records"), "classes")


def test_a_class_that_nobody_gave_or_needed_is_not_defined() -> None:
    table = evaluation.by_class([["Low"]], ["Low"], URGENCIES).set_index("label")
    assert table.loc["High", ["precision", "recall", "f1", "n"]].tolist() == [None, None, None, 0]
    assert table.loc["all", "f1"] == 1.0
    assert evaluation.by_class([], [], URGENCIES).iloc[-1]["accuracy"] is None


def test_a_missing_label_has_a_column_of_its_own() -> None:
    table = evaluation.confusion([["High"], ["High"], ["Low"]], ["High", "", "?"], URGENCIES)
    by_right = table.set_index("right")
    assert by_right.loc["High"].tolist() == [1, 0, 0, 1]
    assert by_right.loc["Low", f"given {MISSING}"] == 1
    assert table.drop(columns="right").to_numpy().sum() == 3
    whole = evaluation.confusion([["High"]], ["High"], URGENCIES)
    assert whole.columns.tolist() == ["right", "given High", "given Medium", "given Low"]


def test_overconfidence_is_told_from_calibration() -> None:
    bold, found = evaluation.calibration([0.9] * 20, [True, False] * 10, bins=2)
    assert found["error"] == pytest.approx(0.4)
    assert found["brier"] == pytest.approx(0.41)
    assert (bold["said"] - bold["value"]).tolist() == pytest.approx([0.4, 0.4])
    said = [0.2] * 10 + [0.8] * 10
    right = [True] * 2 + [False] * 8 + [True] * 8 + [False] * 2
    fair, found = evaluation.calibration(said, right, bins=2)
    assert fair["value"].tolist() == [0.2, 0.8]
    assert found["error"] == pytest.approx(0.0)
    assert found["brier"] == pytest.approx(0.16)
    assert fair["n"].tolist() == [10, 10]
    none, found = evaluation.calibration([], [])
    assert none.empty
    assert found == {"brier": None, "error": None}
    one, _ = evaluation.calibration([0.7], [True])
    assert one["n"].tolist() == [1]


def test_the_confidence_is_that_of_the_token_of_the_level() -> None:
    case = held_out(1)[0]
    text = "Analysis: It fell.\nRecommended action: Test it.\nUrgency: High — soon."
    pieces = ("Analysis: It fell.\nRecommended action: Test it.\n", "Urg", "ency", ":", " High")
    done = Completion(text, 1, 1, 0.1, True, 0.1, pieces, (-9.0, -8.0, -7.0, -6.0, -0.5))
    rows = pd.DataFrame([score(case, done)])
    assert rows["urgency_confidence"].tolist() == [pytest.approx(0.6065, abs=1e-4)]
    labels = evaluation.urgency(rows, [case])
    assert labels.calibrated.startswith("mean confidence 0.61, right in 1.00, Brier score 0.15")
    assert labels.accuracy == "1.00 [0.21, 1.00] of 1"
    told = labels.table.set_index("label")["precision, recall, F1"]
    assert (told["High"], told["Low"]) == ("1.00, 1.00, 1.00", "none, none, none")


def test_cases_without_labels_are_left_out() -> None:
    cases = [replace(c, meta={}) for c in held_out(3)]
    labels = evaluation.urgency(two_systems(cases)["tuned"], cases)
    assert labels.accuracy == "no case has a label"
    assert labels.calibrated == "no probabilities are known"
    assert labels.table["n"].tolist() == [0, 0, 0, 0]


# --------------------------------------------------------------------------- slices


def marked(hits: list[bool]) -> pd.DataFrame:
    ids = [f"c{n}" for n in range(len(hits))]
    return pd.DataFrame({"id": ids, "house_form": hits, "supported": 1, "checked": 2})


def placed(**counts: int) -> pd.DataFrame:
    names = [name for name, n in counts.items() for _ in range(n)]
    return pd.DataFrame({"id": [f"c{n}" for n in range(len(names))], "segment": names})


def test_cases_are_described_by_what_they_are_about() -> None:
    cases = held_out()
    about = evaluation.describe([*cases, Example("x", "i", "Metric: x")])
    assert about["id"].tolist() == [c.id for c in cases]
    first = about.iloc[0]
    assert (first["segment"], first["market"], first["pattern"]) == ("SMB", "Iberia", "step_down")
    assert (first["length"], first["cohort"]) == ("9 values or more", "given")
    assert not about.isna().any().any()
    none = evaluation.describe([Example("x", "i", "Metric: x")])
    assert none.empty
    rows = marked([True])
    assert evaluation.by_slice(rows, rows, none, "house_form").empty


def test_small_slices_show_counts_only_and_holm_corrects_the_others() -> None:
    before = marked([False] * 5 + [True] * 5 + [False] * 5 + [True] * 5 + [False] * 9)
    after = marked([True] * 29)
    both = evaluation.by_slice(after, before, placed(A=10, B=10, C=9), "house_form")
    table = both.set_index("slice")
    assert table.loc["C", ["n", "shown", "outcome"]].tolist() == [9, "9 of 9", "counts only"]
    assert table.loc["C", ["gain", "p", "p_holm"]].tolist() == [None, None, None]
    assert table.loc["A", "p"] == pytest.approx(1 / 32)
    assert table.loc["A", "p_holm"] == pytest.approx(2 / 32)
    assert table.loc["A", ["gain", "outcome"]].tolist() == [0.5, "not shown"]
    assert table.loc["A", "shown"] == "1.00 [0.72, 1.00]"
    # tested alone the same gain is shown
    alone = evaluation.by_slice(after, before, placed(A=10, C=19).iloc[:15], "house_form")
    assert alone["outcome"].tolist() == ["better", "counts only"]
    assert evaluation.by_slice(before, after, placed(A=10), "house_form")["outcome"][0] == "worse"
    dumps(both.to_dict("records"), "slices")


def test_a_small_slice_counts_items_of_answers_that_have_some() -> None:
    rows = marked([True] * 3)
    table = evaluation.by_slice(rows, rows, placed(A=3), "numbers_right")
    assert table["shown"].tolist() == ["3 of 6"]
    nothing = rows.assign(supported=0, checked=0)
    assert evaluation.by_slice(nothing, rows, placed(A=3), "numbers_right")["shown"][0] == "none"


def test_parity_tells_how_far_the_worst_segment_lies_behind() -> None:
    about = placed(A=10, B=10, C=9).assign(market="UK")
    before = marked([True] * 5 + [False] * 5 + [True] * 8 + [False] * 2 + [False] * 9)
    after = marked([True] * 10 + [True] * 9 + [False] + [False] * 9)
    found = evaluation.parity(before, after, about, "house_form")
    table = found.set_index(["dimension", "slice"])
    gap = table.loc[("segment", "best minus worst")]
    assert (gap["before"], gap["after"], gap["n"]) == ("0.30", "0.10", None)
    assert table.loc[("segment", "C"), ["n", "before", "after"]].tolist() == [9, "0 of 9", "0 of 9"]
    assert ("market", "best minus worst") not in table.index
    assert table.loc[("market", "UK"), "n"] == 29
    dumps(found.to_dict("records"), "parity")


# --------------------------------------------------------------------------- costs

PRICES = {"machine_hour": 3.6, "review_hour": 60.0, "review_hours": 1.0}


def priced(**seconds: float) -> pd.DataFrame:
    rows = {
        name: pd.DataFrame(
            {"seconds": s, "latency": [s, 3 * s], "prompt_tokens": [100, 200]}
        ).assign(completion_tokens=10)
        for name, s in seconds.items()
    }
    return evaluation.costs(rows, PRICES)


def test_answers_cost_the_seconds_of_the_machine_or_what_was_charged() -> None:
    row = priced(tuned=2.0).iloc[0]
    assert row["per_1000"] == pytest.approx(2.0)
    assert (row["p50"], row["per_hour"], row["n"]) == (4.0, 1800, 2)
    assert row["p95"] == pytest.approx(5.8)
    assert (row["tokens_in"], row["tokens_out"]) == (150, 10)
    rows = scored(["a", "b"], held_out(2)).assign(cost=[0.01, 0.03])
    assert evaluation.costs({"endpoint": rows}, PRICES)["per_1000"][0] == pytest.approx(20.0)


def test_a_fine_tune_has_paid_for_itself_after_n_requests_or_never() -> None:
    table = priced(tuned=1.0, prompted=3.0, same=1.0, composed=0.0)
    paid = evaluation.break_even(table, "tuned", PRICES, training_seconds=1000, data_dollars=0.5)
    by_system = paid.set_index("system")
    assert by_system.loc["prompted", "saved_per_1000"] == pytest.approx(2.0)
    assert by_system.loc["prompted", "fixed"] == pytest.approx(61.5)  # training, data, review
    assert by_system.loc["prompted", "requests"] == 30_750
    assert by_system.loc["prompted", "said"] == "after 30,750 requests"
    assert by_system.loc["same", ["requests", "said"]].tolist() == [None, "never: it saves nothing"]
    assert by_system.loc["composed", "saved_per_1000"] == pytest.approx(-1.0)
    assert by_system.loc["composed", "said"] == "never: it saves nothing"
    dumps(paid.to_dict("records"), "paid")


def test_quality_stands_beside_cost() -> None:
    found = two_systems(held_out(4))
    found["prompted"] = found["prompted"].assign(checked=0, seconds=0.3)
    table = evaluation.costs(found, PRICES)
    paid = evaluation.break_even(table, "tuned", PRICES, training_seconds=100)
    names = {"tuned": "Fine-tuned"}
    rows = evaluation.decision(evaluation.summarize(found), table, paid, names).set_index("system")
    assert rows.index.tolist() == ["prompted", "Fine-tuned"]
    quality = rows["form, numbers, urgency"]
    assert quality.tolist() == ["0%, no value, 0%", "100%, 100%, 100%"]
    assert rows.loc["Fine-tuned", "tuned pays"] == ""
    assert rows.loc["prompted", "tuned pays"].startswith("after ")
    assert rows.loc["Fine-tuned", "seconds, p50 / p95"] == "0.4 / 0.4"


# --------------------------------------------------------------------------- causes

RIGHT = {
    **{"stopped": True, "claims": [], "action_faults": []},
    **{f"{k}_{end}": True for k in ("direction", "timing", "urgency") for end in ("known", "ok")},
}


def spoilt(cases: list[Example], *faults: dict[str, Any]) -> pd.DataFrame:
    rows = scored([target(c) for c in cases], cases).to_dict("records")
    given = [*faults, *[{}] * (len(rows) - len(faults))]
    return pd.DataFrame([{**r, **RIGHT, **f} for r, f in zip(rows, given, strict=True)])


def test_every_cause_is_named_once_with_its_advice() -> None:
    cases = [replace(c, meta={"expect": {"urgency": ["Medium"]}}) for c in held_out(12)]
    slip = {"kind": "relative change", "verdict": "contradicted"}
    made_up = {"kind": "level", "verdict": "unit_confusion"}
    rows = spoilt(
        cases,
        {"format_length": False},
        {"stopped": False},
        {"claims": [slip, slip, {"kind": "level", "verdict": "supported"}]},
        {"claims": [made_up]},
        {"direction_ok": False, "direction": "up"},
        {"direction_ok": False, "direction": ""},
        {"timing_ok": False},
        {"urgency_ok": False, "urgency": "High"},
        {"urgency_ok": False, "urgency": "Low"},
        {"urgency_ok": False, "urgency": ""},
        {"action_faults": ["already done"]},
    )
    table = evaluation.causes(rows, cases, cases, nearest=2).set_index("cause")
    assert set(table.index) == {
        *("form: length", "cut off: the longest answer allowed"),
        *("number: relative change contradicted", "number: level unit confusion"),
        *("direction: said up", "direction: said nothing", "timing: the turn is not named"),
        *("urgency: too high", "urgency: too low", "urgency: none given"),
        "action: already done",
    }
    assert {cause.split(":")[0] for cause in table.index} == set(ADVICE)
    assert all(ADVICE[cause.split(":")[0]] == row["do"] for cause, row in table.iterrows())
    assert set(table["cases"]) == {1}
    assert table.loc["form: length", "share"] == pytest.approx(1 / 12)
    # the case itself is among the examples here, so it is the nearest
    assert all(row["nearest"].split(", ")[0] == row["ids"] for _, row in table.iterrows())


def test_the_most_common_cause_comes_first_and_nothing_unknown_is_blamed() -> None:
    cases = held_out(9)
    unknown = {f"{k}_known": False for k in ("direction", "timing", "urgency")}
    rows = spoilt(cases, *[{"stopped": False}] * 7, {"timing_ok": False})
    table = evaluation.causes(rows, cases, [])
    assert table["cases"].tolist() == [7, 1]
    assert table["ids"][0] == "h001, h002, h003, h004, h005 ..."
    assert table["nearest"].tolist() == ["", ""]
    failed = {f"{k}_ok": False for k in ("direction", "timing", "urgency")}
    assert evaluation.causes(spoilt(cases, {**failed, **unknown}), cases, cases).empty


def test_wrong_numbers_are_counted_by_kind_and_system() -> None:
    slip = {"kind": "relative change", "verdict": "contradicted"}
    fine = {"kind": "level", "verdict": "supported"}
    found = {
        "base": pd.DataFrame({"claims": [[slip, slip], [fine], [], []]}),
        "tuned": pd.DataFrame({"claims": [[fine]]}),
    }
    table = evaluation.wrong_kinds(found)
    assert table.to_dict("records") == [
        {"system": "base", "relative change": 50.0},
        {"system": "tuned", "relative change": 0.0},
    ]
