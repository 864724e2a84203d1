"""The whole path on the real model, as a user runs it: once, again, killed, and by hand."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import nbformat
import pytest

pytest.importorskip("torch")
ROOT = Path(__file__).parents[2]
# stands for a user's own; nothing is asked with it, and nothing may show it
KEY = "sk-not-a-key-but-looks-like-one-0123456789"


def environment(artifacts: Path) -> dict[str, str]:
    kept = {k: v for k, v in os.environ.items() if not k.startswith("NBUTILS_A")}
    given = {"NBUTILS_ARTIFACTS": str(artifacts), "HF_HUB_OFFLINE": "1", "OPENAI_API_KEY": KEY}
    return {**kept, **given}


def nbutils(artifacts: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "nbutils.cli", *arguments]
    return subprocess.run(
        command, cwd=ROOT, env=environment(artifacts), capture_output=True, text=True, check=False
    )


@pytest.fixture(scope="module")
def artifacts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished smoke run; the first attempt is killed in the middle of training."""
    folder = tmp_path_factory.mktemp("artifacts")
    command = [sys.executable, "-m", "nbutils.cli", "run", "--profile", "smoke"]
    first = subprocess.Popen(
        command, cwd=ROOT, env=environment(folder), stdout=subprocess.DEVNULL, text=True
    )
    checkpoints = folder / "runs" / "smoke" / "checkpoints"
    deadline = time.monotonic() + 600
    while not list(checkpoints.glob("checkpoint-*/trainer_state.json")):
        assert first.poll() is None, "the run ended before its first checkpoint"
        assert time.monotonic() < deadline
        time.sleep(0.1)
    first.send_signal(signal.SIGKILL)
    first.wait()
    assert not (folder / "runs" / "smoke" / "adapter").exists()
    done = nbutils(folder, "run", "--profile", "smoke")
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


def read(artifacts: Path, name: str) -> Any:
    return json.loads((artifacts / "runs" / "smoke" / name).read_text(encoding="utf-8"))


def test_a_killed_run_goes_on_where_it_was(artifacts: Path) -> None:
    assert read(artifacts, "training.json")["resumed_from_step"] > 0
    assert not (artifacts / "runs" / "smoke" / "checkpoints").exists()


def test_every_stage_left_its_files_and_page(artifacts: Path) -> None:
    record = read(artifacts, "run.json")
    assert (record["status"], record["profile"]) == ("done", "smoke")
    pages = [p.stem for p in sorted((ROOT / "notebooks").glob("*.ipynb"))]
    for page in pages:
        assert read(artifacts, f"{page[:2]}.json")["outputs"]
    for page in ("index", *pages):
        text = (artifacts / "reports" / "smoke" / f"{page}.html").read_text(encoding="utf-8")
        assert "<script" not in text
        assert str(ROOT) not in text
    assert read(artifacts, "training.json")["evaluations"] >= 3


SYSTEMS = {"base", "prompted", "retrieved", "tuned", "no_facts", "best_of", "composed"}


def test_the_front_page_compares_the_systems(artifacts: Path) -> None:
    page = (artifacts / "reports" / "smoke" / "index.html").read_text(encoding="utf-8")
    for words in ("Base, zero-shot", "in the prompt", "Fine-tuned", "invented", "proves the path"):
        assert words in page
    scores = read(artifacts, "scores.json")
    assert {m["system"] for m in scores["metrics"]} == SYSTEMS
    assert {c["outcome"] for c in scores["comparisons"]} <= {
        "better",
        "worse",
        "not shown",
        "identical",
    }
    rows = (artifacts / "runs" / "smoke" / "predictions.jsonl").read_text(encoding="utf-8")
    assert len(rows.splitlines()) == 5 * 4 + 2 * 2  # two systems answer two cases only


def test_the_regression_finds_what_was_planted_and_its_block_is_tried(artifacts: Path) -> None:
    regression, grounding = (read(artifacts, f"{n}.json") for n in ("regression", "grounding"))
    supported = {p["predictor"] for p in regression["predictors"] if p["significant"]}
    assert "time_to_first_value_days" in supported
    assert "company_size_bucket" not in supported
    assert {m["block"] for m in grounding["metrics"]} == {"with", "without", "shuffled"}
    page = (artifacts / "reports" / "smoke" / "index.html").read_text(encoding="utf-8")
    assert grounding["verdict"] in page
    rows = (artifacts / "runs" / "smoke" / "grounded_predictions.jsonl").read_text("utf-8")
    assert len(rows.splitlines()) == 3 * 4


def test_the_merged_model_is_the_one_that_was_evaluated_and_stays_challenger(
    artifacts: Path,
) -> None:
    serving = read(artifacts, "serving.json")
    assert serving["proof"]["passed"]
    # two cases without data go to a person, whatever the model can do
    assert {"path": "person", "reason": "case", "n": 2} in [
        {k: row[k] for k in ("path", "reason", "n")} for row in serving["paths"]
    ]
    assert "version 1 of growth" in serving["registry"]
    assert "stays challenger" in serving["registry"]
    card = (artifacts / "runs" / "smoke" / "merged" / "README.md").read_text("utf-8")
    assert "smoke run, which proves the path and not the quality" in card
    assert nbutils(artifacts, "lineage", "challenger").returncode == 0
    refused = nbutils(artifacts, "promote", "challenger")
    assert refused.returncode == 2
    assert "gate" in refused.stderr


def test_nothing_held_out_was_trained_on(artifacts: Path) -> None:
    from nbutils.examples import find_alike, read_examples

    run = artifacts / "runs" / "smoke"
    train, val = (read_examples(run / f"{side}.jsonl") for side in ("train", "val"))
    test = read_examples(ROOT / "data" / "growth" / "test.jsonl")
    assert not {e.input for e in train} & {e.input for e in [*val, *test]}
    texts = [e.input + e.output for e in [*train, *test]]
    crossing = [p for p in find_alike(texts, 0.8) if p[0] < len(train) <= p[1]]
    assert not crossing
    kept_out = {e.id for e in val}
    assert not any(e.meta.get("seed_id") in kept_out for e in train)


def test_the_gate_stops_nothing_that_only_explores(artifacts: Path) -> None:
    gate = read(artifacts, "gate.json")
    assert gate["outcome"] in ("failed", "not shown")
    assert gate["explore"]
    assert read(artifacts, "04.json")["halt"] == ""
    page = (artifacts / "reports" / "smoke" / "04_evaluation.html").read_text(encoding="utf-8")
    for words in ("not rated yet", "no judge was asked", "counts only", "Adversarial probes"):
        assert words in page


def test_no_file_holds_the_key(artifacts: Path) -> None:
    files = [p for p in artifacts.rglob("*") if p.is_file()]
    assert len(files) > 30
    assert [p for p in files if KEY.encode() in p.read_bytes()] == []
    page = (artifacts / "reports" / "smoke" / "02_augmentation.html").read_text(encoding="utf-8")
    assert "no MODEL is named, so no endpoint was asked" in page


def test_a_second_run_skips_everything(artifacts: Path) -> None:
    begun = time.monotonic()
    again = nbutils(artifacts, "run", "--profile", "smoke")
    assert again.returncode == 0
    assert again.stdout.count("skip") >= 6
    assert time.monotonic() - begun < 60


def test_new_ratings_are_scored_without_answering_again(artifacts: Path) -> None:
    from nbutils import review

    run = artifacts / "runs" / "smoke"
    kept = (run / "completions.jsonl").read_bytes()
    item = review.items_of(run, "ratings")[0]
    line = {"item": item.hash, "reviewer": "anna", "decision": "rate", "rating": 4}
    review.append(run / "ratings.jsonl", [{**line, "at": "2026-11-22T08:00:00+00:00"}])
    again = nbutils(artifacts, "run", "--profile", "smoke")
    assert again.returncode == 0, again.stdout + again.stderr
    assert "ratings.jsonl is new" in again.stdout
    assert (run / "completions.jsonl").read_bytes() == kept
    page = (artifacts / "reports" / "smoke" / "04_evaluation.html").read_text(encoding="utf-8")
    assert "rated by one person" in page


def test_a_notebook_runs_by_hand_from_its_own_folder(artifacts: Path) -> None:
    """As in JupyterLab: defaults, the notebook's folder, and the latest run."""
    from nbclient import NotebookClient

    for name in ("01_curation", "02_augmentation"):
        notebook = nbformat.read(ROOT / "notebooks" / f"{name}.ipynb", as_version=4)
        kernel = {"env": environment(artifacts), "cwd": str(ROOT / "notebooks")}
        client = NotebookClient(notebook, timeout=300, kernel_name="python3")
        client.execute(**kernel)
    assert read(artifacts, "run.json")["stages"]["02"]["status"] == "done by hand"


def test_a_missing_input_names_what_to_run_first(tmp_path: Path) -> None:
    nothing = nbutils(tmp_path, "run", "--profile", "smoke", "--only", "03")
    assert nothing.returncode == 2
    assert "`nbutils run --profile smoke --run smoke` first" in nothing.stderr
    assert not (tmp_path / "runs").exists()
    assert nbutils(tmp_path, "run", "--profile", "smoke", "--only", "01").returncode == 0
    failed = nbutils(tmp_path, "run", "--profile", "smoke", "--only", "03")
    assert failed.returncode == 1
    assert "run 02_augmentation first" in failed.stdout + failed.stderr
