from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest

from nbutils import provenance, records, runs
from nbutils.examples import DataFileError


@pytest.fixture(autouse=True)
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "pyproject.toml").touch()
    (tmp_path / "notebooks").mkdir()
    for name in ("01_curation", "02_augmentation"):
        (tmp_path / "notebooks" / f"{name}.ipynb").write_text('{"cells": []}')
    monkeypatch.delenv("NBUTILS_ROOT", raising=False)
    monkeypatch.delenv("NBUTILS_ARTIFACTS", raising=False)
    monkeypatch.delenv("NBUTILS_RUNNER", raising=False)
    monkeypatch.chdir(tmp_path / "notebooks")
    return tmp_path


# --------------------------------------------------------------------------- folders


def test_the_root_is_found_from_below_or_named(
    root: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert runs.root() == root
    assert runs.artifacts() == root / "data" / "runs"
    assert runs.reports() == root / "reports"
    monkeypatch.chdir(tmp_path_factory.mktemp("elsewhere"))
    with pytest.raises(runs.RunError, match="start inside the repository, or set NBUTILS_ROOT"):
        runs.root()
    monkeypatch.setenv("NBUTILS_ROOT", str(root))
    assert runs.root() == root


def test_one_variable_moves_runs_and_reports(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NBUTILS_ARTIFACTS", str(root / "drive"))
    assert runs.artifacts() == root / "drive" / "runs"
    assert runs.reports() == root / "drive" / "reports"


def test_data_folder_must_be_there_and_hold_something(root: Path) -> None:
    with pytest.raises(runs.MissingInput, match="data/growth does not exist: restore it"):
        runs.data_dir()
    (root / "data" / "growth").mkdir(parents=True)
    (root / "data" / "growth" / ".gitkeep").touch()
    with pytest.raises(runs.MissingInput, match="data/growth is empty: restore it"):
        runs.data_dir()
    (root / "data" / "growth" / "a.jsonl").touch()
    assert runs.data_dir() == root / "data" / "growth"


# --------------------------------------------------------------------------- opening


@pytest.mark.parametrize(
    "name", ["", ".", "..", "a/b", "../a", "a\\b", "a b", "-a", "a\n", "x" * 65]
)
def test_run_names_that_are_no_folder_names(name: str) -> None:
    with pytest.raises(runs.RunError, match="cannot be used: take letters"):
        runs.open_run(name, "01")
    assert not runs.artifacts().exists()


def test_only_the_first_stage_makes_a_run() -> None:
    with pytest.raises(runs.MissingInput, match="there is no run yet: run 01_curation first"):
        runs.open_run("latest", "03")
    assert runs.open_run("latest", "01").name == "default"
    with pytest.raises(runs.MissingInput, match=r"no run 'demo' \(existing runs: default\)"):
        runs.open_run("demo", "03")
    assert runs.open_run("latest", "03").name == "default"


def test_latest_is_the_run_touched_last() -> None:
    for name, age in (("one", 10), ("two", 20)):
        run = runs.open_run(name, "01")
        moment = (run.dir / "run.json").stat().st_mtime - age
        os.utime(run.dir / "run.json", (moment, moment))
    assert runs.open_run("latest", "02").name == "one"


def test_a_run_opened_by_hand_says_where_it_comes_from(root: Path) -> None:
    run = runs.open_run("demo", "01")
    run.finish({}, {})
    about = json.loads((run.dir / "run.json").read_text())
    assert about["profile"] is None
    assert about["commit"] is None
    assert about["hardware"]["cores"] >= 1
    assert about["packages"]["numpy"] == np.__version__
    assert about["stages"]["01"]["status"] == "done by hand"
    assert {"started", "finished"} <= set(about["stages"]["01"])
    assert str(root) not in json.dumps(about)


# --------------------------------------------------------------------------- reading and writing


def test_files_go_through_and_come_back() -> None:
    run = runs.open_run("demo", "01")
    run.write_json("families.json", {"a": np.float32(0.5), "é": np.arange(2)})
    run.write_jsonl("curated.jsonl", [{"a": np.int64(1)}, {"a": None}])
    run.write_jsonl("screened.jsonl", [])
    assert run.read_json("families.json") == {"a": 0.5, "é": [0, 1]}
    assert run.read_jsonl("curated.jsonl") == [{"a": 1}, {"a": None}]
    assert run.read_jsonl("screened.jsonl") == []
    with pytest.raises(DataFileError, match="field 'b' is missing"):
        run.read_jsonl("curated.jsonl", required=["b"])


def test_nan_is_refused_and_the_old_file_stays() -> None:
    run = runs.open_run("demo", "01")
    run.write_json("families.json", 1)
    with pytest.raises(runs.RunError, match=r"families\.json cannot be written.*write None"):
        run.write_json("families.json", {"a": np.nan})
    with pytest.raises(runs.RunError, match="write None"):
        run.write_jsonl("curated.jsonl", [{"a": 1}, {"a": np.float32("inf")}])
    assert run.read_json("families.json") == 1
    assert sorted(p.name for p in run.dir.iterdir()) == ["families.json", "run.json"]


def test_a_folder_appears_whole_or_not_at_all() -> None:
    run = runs.open_run("demo", "01")
    with run.write_dir("adapter") as folder:
        (folder / "old").touch()

    def fails() -> None:
        with run.write_dir("adapter") as folder:
            (folder / "new").touch()
            raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        fails()
    assert [p.name for p in (run.dir / "adapter").iterdir()] == ["old"]
    with run.write_dir("adapter") as folder:
        (folder / "new").touch()
    assert [p.name for p in (run.dir / "adapter").iterdir()] == ["new"]
    assert sorted(p.name for p in run.dir.iterdir()) == ["adapter", "run.json"]


def test_missing_files_name_the_notebook_that_writes_them() -> None:
    run = runs.open_run("demo", "01")
    with pytest.raises(runs.MissingInput) as caught:
        run.read_jsonl("train.jsonl")
    assert str(caught.value) == "train.jsonl is not in run demo: run 02_augmentation first."
    with pytest.raises(runs.MissingInput, match="adapter is not in run demo: run stage 03 first"):
        run.need("adapter/")
    (run.dir / "adapter").mkdir()
    with pytest.raises(runs.MissingInput, match="run stage 03 first"):
        run.need("adapter")
    with pytest.raises(
        runs.MissingInput, match=r"02\.json is not in run demo: run 02_augmentation"
    ):
        run.read_json("02.json")
    with pytest.raises(runs.MissingInput, match=r"typo\.json is not in run demo: check the name"):
        run.read_json("typo.json")
    with pytest.raises(runs.MissingInput, match=r"data/x\.jsonl does not exist"):
        run.input("data/x.jsonl")


def test_broken_json_names_the_notebook_to_run_again() -> None:
    run = runs.open_run("demo", "01")
    (run.dir / "families.json").write_text("{")
    with pytest.raises(runs.RunError, match=r"families\.json of run demo is not JSON.*01_curation"):
        run.read_json("families.json")


@pytest.mark.parametrize("name", ["", ".", "..", "../x", "/etc/x", "a/../../x"])
def test_nothing_outside_the_run_is_written(name: str) -> None:
    run = runs.open_run("demo", "01")
    with pytest.raises(runs.RunError, match="lies outside the run folder"):
        run.write_json(name, 1)
    with pytest.raises(runs.RunError, match="lies outside the run folder"):
        run.path(name)


# --------------------------------------------------------------------------- the stage's record


def test_finish_records_what_was_read_and_written(root: Path) -> None:
    (root / "data").mkdir()
    (root / "data" / "raw.jsonl").write_text("{}\n")
    first = runs.open_run("demo", "01")
    first.input(root / "data" / "raw.jsonl")
    first.write_jsonl("curated.jsonl", [{"a": 1}])
    first.read_jsonl("curated.jsonl")  # its own: no input
    first.finish({"kept": np.float64(1)}, {"in": 1, "out": np.int64(1)})
    record = json.loads((first.dir / "01.json").read_text())
    assert record["inputs"] == {"data/raw.jsonl": records.digest(root / "data" / "raw.jsonl")}
    assert list(record["outputs"]) == ["curated.jsonl"]
    assert record["metrics"] == {"kept": 1}
    assert record["counts"] == {"in": 1, "out": 1}
    assert record["seconds"] >= 0

    second = runs.open_run("demo", "03")
    second.read_jsonl("curated.jsonl")
    second.read_json("run.json")  # changes all the time: never an input
    (second.path("adapter")).mkdir()
    (second.dir / "adapter" / "weights").write_text("1")
    second.path("never_written.json")
    second.path("curated.jsonl")  # another stage's, though asked for as a path
    second.finish({}, {})
    record = json.loads((first.dir / "03.json").read_text())
    assert list(record["inputs"]) == ["curated.jsonl"]
    assert list(record["outputs"]) == ["adapter"]
    about = json.loads((first.dir / "run.json").read_text())
    assert list(about["inputs"]) == ["data/raw.jsonl"]


def test_an_input_counts_as_it_was_when_read() -> None:
    run = runs.open_run("demo", "01")
    (run.dir / "train.jsonl").write_text("{}\n")
    before = records.digest(run.dir / "train.jsonl")
    run.need("train.jsonl")
    (run.dir / "train.jsonl").write_text("{}\n{}\n")
    run.finish({}, {})
    assert json.loads((run.dir / "01.json").read_text())["inputs"] == {"train.jsonl": before}


def test_an_optional_file_is_noted_whether_it_is_there_or_not() -> None:
    run = runs.open_run("demo", "01")
    assert run.optional("ratings.jsonl") == run.dir / "ratings.jsonl"
    (run.dir / "reviews.jsonl").write_text("{}\n")
    run.optional("reviews.jsonl")
    # a file that comes after it was looked for counts as absent
    (run.dir / "ratings.jsonl").write_text("{}\n")
    run.finish({}, {})
    inputs = json.loads((run.dir / "01.json").read_text())["inputs"]
    reviews = records.digest(run.dir / "reviews.jsonl")
    assert inputs == {"ratings.jsonl": runs.ABSENT, "reviews.jsonl": reviews}
    assert runs.outside(run.dir, {"gone.jsonl": runs.ABSENT, "data/x": "ab"}) == {"data/x": "ab"}


def test_a_record_says_why_no_stage_may_come_after_it() -> None:
    for halt in ("", "The gate is not passed."):
        run = runs.open_run("demo", "01")
        run.finish({}, {}, halt=halt)
        assert json.loads((run.dir / "01.json").read_text())["halt"] == halt


def test_a_folder_is_hashed_by_names_and_contents(tmp_path: Path) -> None:
    folder = tmp_path / "adapter"
    folder.mkdir()
    hashes = {records.digest(folder)}
    (folder / "a").write_text("1")
    hashes.add(records.digest(folder))
    (folder / "a").write_text("2")
    hashes.add(records.digest(folder))
    (folder / "a").rename(folder / "b")
    hashes.add(records.digest(folder))
    assert len(hashes) == 4


# --------------------------------------------------------------------------- progress


def test_progress_is_written_at_most_once_a_second(monkeypatch: pytest.MonkeyPatch) -> None:
    run = runs.open_run("demo", "01")
    moment = 1000.0
    monkeypatch.setattr("nbutils.runs.time.time", lambda: moment)
    written = []
    for step in range(1, 41):
        moment += 0.25
        run.progress(step, 40, "steps", loss=0.51234)
        written.append(json.loads((run.dir / "progress.json").read_text())["done"])
    assert len(set(written)) == 11
    assert written[-1] == 40
    run.finish({}, {})
    assert not (run.dir / "progress.json").exists()


def test_progress_line_says_how_long_it_takes() -> None:
    record = {"what": "steps", "first": 10, "since": 0.0, "time": 60.0, "done": 30, "total": 90}
    assert records.progress_line(record) == "steps 30/90, 3:00 left"
    assert records.progress_line(record, moment=90.0) == "steps 30/90, 2:30 left"
    record["extra"] = {"loss": 0.51234, "epoch": 1}
    assert records.progress_line(record) == "steps 30/90, loss 0.512, epoch 1, 3:00 left"
    assert records.progress_line({**record, "done": 90, "extra": {}}) == "steps 90/90"


# --------------------------------------------------------------------------- provenance


def _notebook(path: Path, *sources: str, tags: tuple[str, ...] = ()) -> Path:
    cells = [{"cell_type": "code", "source": s, "metadata": {"tags": list(tags)}} for s in sources]
    path.write_text(json.dumps({"cells": cells}))
    return path


def test_parameters_are_names_and_literals(root: Path) -> None:
    path = root / "notebooks" / "05_x.ipynb"
    _notebook(path, 'A = -1.5  # why\nb: int = 3\nC = None\nD = ["x"]', tags=("parameters",))
    assert provenance.parameters_of(path) == {"A": -1.5, "b": 3, "C": None, "D": ["x"]}
    for wrong in ("A = 1 + len('x')", "A, B = 1, 2", "print(1)", "A: int"):
        _notebook(path, wrong, tags=("parameters",))
        with pytest.raises(runs.UserError, match="is not NAME = literal"):
            provenance.parameters_of(path)
    path.write_text("{}")
    with pytest.raises(runs.UserError, match=r"05_x\.ipynb is not a notebook"):
        provenance.parameters_of(path)


def test_code_counts_as_far_as_it_is_imported(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = root / "nbutils"
    (package / "facts").mkdir(parents=True)
    files = {
        "training.py": "def fit():\n    from . import models\n",
        "models.py": "from nbutils.facts import compute\n",
        "facts/__init__.py": "from .series import compute\n",
        "facts/series.py": "compute = 1\n",
        "evaluation.py": "x = 1\n",
        "report.py": "x = 1\n",
    }
    for name, text in files.items():
        (package / name).write_text(text)
    monkeypatch.setattr(provenance, "__file__", str(package / "provenance.py"))
    notebook = root / "notebooks" / "03_training.ipynb"
    _notebook(notebook, "%pip install x\nfrom nbutils import report, training", "!ls", "1 +")
    before = provenance.code_hash(notebook)
    (package / "evaluation.py").write_text("x = 2\n")
    (package / "report.py").write_text("x = 2\n")
    (package / "facts" / "series.py").write_text("# a comment\ncompute  =  1\n")
    assert provenance.code_hash(notebook) == before
    for name in ("facts/series.py", "models.py", "training.py"):
        text = (package / name).read_text()
        (package / name).write_text(text + "y = 2\n")
        assert provenance.code_hash(notebook) != before
        (package / name).write_text(text)
    assert provenance.code_hash(notebook) == before
