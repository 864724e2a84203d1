"""From a version back to the reports, on a run of a few rows that is built by hand."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from nbutils.deployment.lineage import lineage, said, steps, to_json
from nbutils.deployment.registering import lineage_tags
from nbutils.deployment.versions import Version
from nbutils.errors import MissingInput, UserError
from nbutils.examples import DataFileError, to_jsonl
from nbutils.records import digest
from nbutils.review import item_hash

PROOF = {"passed": True, "verdict": "Equal on 8 cases."}
CASE = "Metric: Activation Rate\nData: [0.44, 0.43, 0.37] (last 3 weeks)"


def example(name: str, **more: Any) -> dict[str, Any]:
    return {
        "id": name,
        "instruction": f"Analyse {name}.",
        "input": CASE,
        "output": "It fell.",
    } | more


def candidate(name: str, seed: str) -> dict[str, Any]:
    made = {"seed_id": seed, "metric": "churn", "pattern": "dip", "made_by": {"model": "teacher-1"}}
    return example(name, **made, passed=True)


def decision(row: dict[str, Any], reviewer: str, said: str, edit: str | None = None) -> Any:
    item = item_hash(row["instruction"], row["input"], row["output"])
    return {"item": item, "id": row["id"], "reviewer": reviewer, "decision": said, "edit": edit}


def scores(faithful: list[int], form: list[int] | None = None) -> list[dict[str, Any]]:
    """Rows of predictions.jsonl: the tuned model's on so many cases, and one of the base."""
    rows = [
        example(f"h{i}", system="tuned", faithful=bool(ok), house_form=bool(shaped))
        for i, (ok, shaped) in enumerate(zip(faithful, form or [1] * len(faithful), strict=True))
    ]
    return [*rows, example("h0", system="base", faithful=False, house_form=False)]


def write(folder: Path, name: str, content: Any) -> None:
    text = to_jsonl(content) if isinstance(content, list) else json.dumps(content)
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(text, encoding="utf-8")


def record(folder: Path, inputs: dict[str, list[str]], outputs: dict[str, list[str]]) -> None:
    """The records of the stages, with the hashes of what is there now."""
    root = folder.parents[2]
    for stage in outputs:
        read = {n: digest(root / n if n.startswith("data/") else folder / n) for n in inputs[stage]}
        made = {n: digest(folder / n) for n in outputs[stage]}
        write(folder, f"{stage}.json", {"stage": stage, "inputs": read, "outputs": made})


def finished_run(
    root: Path, name: str = "run-1", *, gate: str = "passed", predictions: Any = None
) -> Path:
    """A merged run: two reports, one by rules; a candidate as it came, and one edited."""
    folder = root / "data" / "runs" / name
    write(
        root,
        "data/growth/reports.jsonl",
        [{"id": f"r{i}", "text": f"Report {i}."} for i in (1, 2, 3)],
    )
    seeds = [example("r1", report_id="r1", made_by="teacher"), example("r2", made_by="rules")]
    first, second = candidate("t1", "r1"), candidate("t2", "r1")
    lines = [decision(c, who, "approve") for c in (first, second) for who in ("ann", "bob")]
    lines[3] = decision(second, "bob", "edit", "It fell by 7 points.")
    edited = {**second, "output": "It fell by 7 points."}
    metric = {
        "metric": "faithful",
        "system": "tuned",
        "value": 0.9,
        "low": 0.8,
        "high": 1.0,
        "n": 9,
    }
    files = {
        "run.json": {"commit": "c0ffee", "dirty": True, "profile": "cpu"}
        | {"parameters": {"01": {"TASK": "growth", "REPORTS": "reports.jsonl"}}},
        "screened.jsonl": [{"id": f"r{i}", "keep": i < 3} for i in (1, 2, 3)],
        "curated.jsonl": seeds,
        "candidates.jsonl": [first, second],
        "decisions.jsonl": lines,
        "train.jsonl": [*seeds, first, edited],
        "plan.json": {"base_model": "tiny", "form": "brief", "steps": 2, "rows": 4},
        "predictions.jsonl": predictions or scores([1] * 8),
        "scores.json": {"metrics": [metric, {**metric, "system": "base"}]},
        "gate.json": {"outcome": gate, "verdict": f"{gate.capitalize()}: so it is."},
        "adapter/adapter_config.json": {"r": 8},
        "adapter/nbutils.json": {"base": "tiny"},
        "adapter/adapter_model.safetensors": {"weights": name},
    }
    for file, content in files.items():
        write(folder, file, content)
    stages(folder)
    merge(folder)
    return folder / "merged"


def merge(folder: Path) -> None:
    weights = (folder / "adapter" / "adapter_model.safetensors").read_text()
    names = ("adapter_model.safetensors", "adapter_config.json", "nbutils.json")
    hashes = " ".join(digest(folder / "adapter" / n)[:16] for n in names)
    write(folder, "merged/model.safetensors", {"merged": weights})
    write(folder, "merged/nbutils.json", {"adapter": hashes})


def stages(folder: Path) -> None:
    made = {
        "01": ["screened.jsonl", "curated.jsonl"],
        "02": ["candidates.jsonl", "decisions.jsonl", "train.jsonl"],
        "03": ["adapter", "plan.json"],
        "04": ["predictions.jsonl", "scores.json", "gate.json"],
    }
    if (folder / "training.json").is_file():  # older runs do not say which rows were trained on
        made["03"].append("training.json")
    read = {
        "01": ["data/growth/reports.jsonl"],
        "02": ["curated.jsonl"],
        "03": ["train.jsonl"],
        "04": ["adapter", "train.jsonl"],
    }
    record(folder, read, made)


def version(merged: Path, **changes: str) -> Version:
    tags = {**lineage_tags(merged, PROOF), **changes}
    return Version("growth", 3, str(merged), "2026-01-02T03:04:05+00:00", ("champion",), tags)


@pytest.fixture
def merged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("NBUTILS_ROOT", str(tmp_path))
    return finished_run(tmp_path)


def of(frame: pd.DataFrame, step: str) -> dict[Any, dict[Any, Any]]:
    return frame[frame["step"] == step].set_index("id").to_dict("index")


# --------------------------------------------------------------------------- at registration


def test_the_tags_say_what_the_model_stands_on(merged: Path) -> None:
    tags = lineage_tags(merged, PROOF)
    run = merged.parent
    assert (tags["run"], tags["commit"], tags["dirty"], tags["profile"]) == (
        ("run-1", "c0ffee", "True", "cpu")
    )
    assert (tags["gate.outcome"], tags["gate.verdict"]) == ("passed", "Passed: so it is.")
    assert json.loads(tags["proof"]) == PROOF
    assert json.loads(tags["metric.faithful"]) == {"value": 0.9, "low": 0.8, "high": 1.0, "n": 9}
    assert tags["hash.merged"] == digest(merged)
    assert tags["hash.plan.json"] == digest(run / "plan.json")
    assert tags["hash.data/growth/reports.jsonl"] == digest(
        run.parents[1] / "growth" / "reports.jsonl"
    )
    assert list(json.loads(tags["cases"]).values()) == [[1, 1]] * 8


@pytest.mark.parametrize("name", ["gate.json", "run.json", "scores.json", "04.json", "adapter"])
def test_a_run_that_lacks_a_file_is_not_registered(merged: Path, name: str) -> None:
    path = merged.parent / name
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    stage = "01" if name == "run.json" else "04"
    with pytest.raises(MissingInput, match=rf"{name} is not in run run-1: .*{stage}"):
        lineage_tags(merged, PROOF)


def test_a_merged_folder_that_is_gone_or_empty_is_not_registered(merged: Path) -> None:
    shutil.rmtree(merged)
    with pytest.raises(MissingInput, match="merged of run run-1 is missing or empty: merge first"):
        lineage_tags(merged, PROOF)
    merged.mkdir()
    with pytest.raises(MissingInput, match="missing or empty"):
        lineage_tags(merged, PROOF)


def test_a_proof_says_yes_or_no(merged: Path) -> None:
    with pytest.raises(UserError, match="lacks 'passed', expected true or false"):
        lineage_tags(merged, {"verdict": "Equal."})


def test_a_stage_run_again_without_those_after_it_is_refused(merged: Path) -> None:
    run = merged.parent
    write(run, "adapter/adapter_model.safetensors", {"weights": "of a second training"})
    with pytest.raises(UserError, match="adapter of run run-1 was made anew and stage 04 has seen"):
        lineage_tags(merged, PROOF)
    third = json.loads((run / "03.json").read_text())
    write(run, "03.json", third | {"outputs": {"adapter": digest(run / "adapter")}})
    with pytest.raises(UserError, match=r"stage 04 has read another one, .* run stage 04 again"):
        lineage_tags(merged, PROOF)
    stages(run)
    with pytest.raises(UserError, match="not merged from the adapter that was evaluated"):
        lineage_tags(merged, PROOF)
    merge(run)
    lineage_tags(merged, PROOF)


def test_where_all_weights_are_trained_the_model_itself_is_registered(merged: Path) -> None:
    model = merged.parent / "adapter"
    assert lineage_tags(model, PROOF)["hash.merged"] == digest(model)


def test_predictions_without_the_tuned_model_or_a_column_are_refused(merged: Path) -> None:
    run = merged.parent
    for rows, why in (
        (scores([])[-1:], "has no row of the system 'tuned'"),
        ([{"id": "h1", "system": "tuned"}], "field 'instruction' is missing"),
    ):
        write(run, "predictions.jsonl", rows)
        stages(run)
        with pytest.raises(DataFileError, match=why):
            lineage_tags(merged, PROOF)


# --------------------------------------------------------------------------- back to the reports


def test_every_link_is_there_from_the_version_to_the_reports(merged: Path) -> None:
    frame = lineage(version(merged))
    run = merged.parent
    assert (frame["missing"] == "").all()
    assert of(frame, "version")["growth/3"]["what"] == (
        "champion, registered 2026-01-02T03:04:05+00:00, gate passed"
    )
    assert of(frame, "run")["run-1"]["hash"] == "c0ffee"
    assert "not committed" in of(frame, "run")["run-1"]["what"]
    assert of(frame, "adapter")["adapter"]["hash"] == digest(run / "adapter")
    rows = of(frame, "training row")
    assert {i: r["source"] for i, r in rows.items()} == (
        {"r1": "r1", "r2": "r2", "t1": "t1", "t2": "t2"}
    )
    assert rows["t2"]["hash"] == item_hash("Analyse t2.", CASE, "It fell by 7 points.")
    made = of(frame, "candidate")
    assert made["t1"]["what"] == "proposed by teacher-1; ann: approve; bob: approve"
    assert made["t2"]["what"] == "proposed by teacher-1; ann: approve; bob: edit"
    assert {r["source"] for r in made.values()} == {"r1"}
    reports = of(frame, "report")
    assert {i: r["n"] for i, r in reports.items()} == {"r1": 3, "r2": 1}
    assert reports["r1"]["hash"] == hashlib.sha256(b"Report 1.").hexdigest()[:16]
    assert reports["r2"]["what"] == "kept by the screen"
    file = of(frame, "file")["data/growth/reports.jsonl"]
    assert (file["what"], file["n"]) == ("as the run read it", 4)
    assert file["hash"] == digest(run.parents[1] / "growth" / "reports.jsonl")
    assert said(frame) == (
        "growth/3 goes back to 2 reports over 4 training rows, 2 of them generated; no link is "
        "missing."
    )


def test_the_lineage_in_short_and_as_json(merged: Path) -> None:
    frame = lineage(version(merged))
    short = steps(frame).set_index("step")
    assert short["things"].to_dict() == (
        {"version": 1, "run": 1, "adapter": 1, "data": 1, "training row": 4}
        | {"candidate": 2, "report": 2, "file": 1}
    )
    assert json.loads(to_json(frame)) == frame.to_dict("records")


def changed(name: str) -> Callable[[Path], Any]:
    return lambda run: (run / name).write_text((run / name).read_text() + "\n", encoding="utf-8")


def gone(name: str) -> Callable[[Path], Any]:
    return lambda run: (run / name).unlink()


REPORTS = "../../growth/reports.jsonl"


@pytest.mark.parametrize(
    ("harm", "step", "named"),
    [
        (gone("screened.jsonl"), "report", "screened.jsonl is not there any more"),
        (gone("candidates.jsonl"), "candidate", "candidates.jsonl is not there any more"),
        (changed("candidates.jsonl"), "candidate", "candidates.jsonl is not what it was at"),
        (gone("decisions.jsonl"), "candidate", "decisions.jsonl is not there any more"),
        (changed("decisions.jsonl"), "candidate", "decisions.jsonl is not what it was at"),
        (gone("train.jsonl"), "data", "train.jsonl is not there any more"),
        (gone("plan.json"), "adapter", "plan.json is not there any more"),
        (gone("merged/model.safetensors"), "version", "merged is not what it was at registration"),
        (gone(REPORTS), "file", "data/growth/reports.jsonl is not there any more"),
        (changed(REPORTS), "file", "data/growth/reports.jsonl is not what it was at"),
    ],
)
def test_a_missing_link_is_named(
    merged: Path, harm: Callable[[Path], Any], step: str, named: str
) -> None:
    registered = version(merged)
    harm(merged.parent)
    frame = lineage(registered)
    assert named in frame.loc[frame["step"] == step, "missing"].iloc[0]
    assert named in said(frame)


def test_nothing_is_taken_from_a_file_that_changed(merged: Path) -> None:
    registered = version(merged)
    for name in ("decisions.jsonl", REPORTS):
        changed(name)(merged.parent)
    frame = lineage(registered)
    assert of(frame, "candidate")["t1"]["what"] == "proposed by teacher-1"
    assert of(frame, "report")["r1"]["hash"] == ""
    finished_run(merged.parents[3], predictions=scores([1, 0]))
    write(merged.parent, "train.jsonl", [example("r1", report_id="r9")])
    assert of(lineage(registered), "report") == {}


def test_a_run_folder_that_is_gone_leaves_what_the_registry_knows(merged: Path) -> None:
    registered = version(merged)
    shutil.rmtree(merged.parent)
    frame = lineage(registered)
    assert list(frame["step"]) == ["version", "run", "adapter", "data", "file"]
    assert said(frame).startswith("growth/3 goes back to 0 reports over 0 training rows")
    assert said(frame).count("is not there any more") == 4


def test_rows_that_nobody_approved_or_made_of_nothing_known_are_named(merged: Path) -> None:
    run = merged.parent
    first, second, third = candidate("t1", "r1"), candidate("t2", "r8"), candidate("t3", "r1")
    write(run, "train.jsonl", [example("r1", report_id="r9"), example("x"), first, second, third])
    write(run, "candidates.jsonl", [first, {**second, "output": "Other."}])
    lines = [decision(first, "ann", "approve"), decision(first, "bob", "reject")]
    lines += [decision({**second, "output": "Other."}, who, "approve") for who in ("ann", "bob")]
    write(run, "decisions.jsonl", lines)
    stages(run)
    frame = lineage(version(merged))
    assert of(frame, "training row")["x"]["missing"] == "the report of x is not on record"
    made = of(frame, "candidate")
    assert made["t1"]["missing"] == "t1 was trained on and is disputed"
    assert made["t2"]["missing"] == (
        "the report of its parent r8 is not known; t2 was trained on in another text than the "
        "approved one"
    )
    assert made["t3"]["missing"] == "t3 is not in candidates.jsonl"
    assert of(frame, "report")["r9"]["missing"] == (
        "r9 is not in screened.jsonl; r9 is not in data/growth/reports.jsonl"
    )
    data = of(frame, "data")["train.jsonl"]
    assert data["missing"] == "which 4 of the 5 rows were trained on is not on record"


def test_only_rows_that_were_trained_on_are_gone_back_from(merged: Path) -> None:
    run = merged.parent
    write(run, "plan.json", {"base_model": "tiny", "form": "brief", "steps": 2, "rows": 2})
    write(run, "training.json", {"rows": ["r1", "t2"]})
    stages(run)
    registered = version(merged)
    frame = lineage(registered)
    assert list(of(frame, "training row")) == ["r1", "t2"]
    assert list(of(frame, "candidate")) == ["t2"]
    assert {i: r["n"] for i, r in of(frame, "report").items()} == {"r1": 2}
    data = of(frame, "data")["train.jsonl"]
    assert (data["what"], data["n"]) == ("2 of its 4 rows were trained on", 2)
    assert "over 2 training rows, 1 of them generated; no link is missing" in said(frame)
    changed("training.json")(run)
    data = of(lineage(registered), "data")["train.jsonl"]
    assert data["missing"] == "which 2 of the 4 rows were trained on is not on record"
    assert data["n"] == 4


def test_rows_trained_on_that_are_not_in_the_file_are_counted(merged: Path) -> None:
    write(merged.parent, "training.json", {"rows": ["r1", "t1", "t8", "t9"]})
    stages(merged.parent)
    frame = lineage(version(merged))
    assert of(frame, "data")["train.jsonl"]["missing"] == (
        "2 of the 4 rows trained on are not in train.jsonl"
    )
    assert list(of(frame, "training row")) == ["r1", "t1"]


def test_reports_in_a_folder_are_found_by_the_name_of_their_file(merged: Path) -> None:
    run, root = merged.parent, merged.parents[3]
    for name in ("r1.md", "more/r2.md"):
        file = root / "data" / "growth" / "inbox" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"Report {name}.")
    inbox = root / "data" / "growth" / "inbox"
    asked = json.dumps({"TASK": "growth", "REPORTS": "inbox"})
    tags = {"parameters.01": asked, "hash.data/growth/inbox": digest(inbox)}
    reports = of(lineage(version(run / "merged", **tags)), "report")
    assert reports["r1"]["hash"] == digest(inbox / "r1.md")[:16]
    assert reports["r2"]["hash"] == digest(inbox / "more" / "r2.md")[:16]


def test_tags_written_by_hand_are_refused_or_named(merged: Path) -> None:
    with pytest.raises(
        UserError, match=r"the tag 'parameters\.01' of version 3 of growth is no JSON"
    ):
        lineage(version(merged, **{"parameters.01": "growth"}))
    by_hand = Version("growth", 4, str(merged), "", (), {"parameters.01": "{}"})
    frame = lineage(by_hand)
    assert of(frame, "version")["growth/4"]["missing"] == "the hash of merged is not on record"
    assert of(frame, "file")[""]["missing"] == "the file of the reports is not on record"
    with pytest.raises(UserError, match=r"the tag 'parameters\.01' .* is missing, as if written"):
        lineage(Version("growth", 4, str(merged), "", (), {}))
