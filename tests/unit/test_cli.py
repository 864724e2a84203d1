"""The command line on a small repository of its own, with real kernels."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import nbformat
import pytest

from nbutils import cli

CASE = (
    "Metric: D7 Retention (share of new users active on day 7)\n"
    "Context: consumer app\n"
    "Data: [0.42, 0.39, 0.36] (last 3 weeks)\n"
    "Cohort size: 1000 new users per week\n"
    "Recent changes: none"
)

SETUP = 'from nbutils import runs\nrun = runs.open_run(RUN, stage="{}")'
NOTEBOOKS = {
    "01_first": (
        'RUN = "latest"  # name\nLIMIT = 2  # rows\nTASK = "growth"  # data',
        SETUP.format("01"),
        'source = run.input(runs.data_dir(TASK) / "reports.jsonl")\n'
        "rows = source.read_text().splitlines()[:LIMIT]",
        'run.write_jsonl("curated.jsonl", [{"row": r} for r in rows])',
        'run.finish({"kept": len(rows)}, {"in": 3, "out": len(rows)})',
    ),
    "02_second": (
        'RUN = "latest"  # name\nKEEP = True  # keep all',
        SETUP.format("02"),
        'rows = run.read_jsonl("curated.jsonl")\nrun.write_jsonl("train.jsonl", rows[:1])',
        "run.finish({}, {})",
    ),
    "03_third": (
        'RUN = "latest"  # name\nepochs = 1.0  # passes\nsteps = 2  # steps\nnap = 0.0  # seconds',
        SETUP.format("03"),
        "import json, time\n"
        'train = run.read_jsonl("train.jsonl")\n'
        'state = run.path("adapter") / "state.json"\n'
        "begin = json.loads(state.read_text()) if state.exists() else 0",
        "for step in range(begin, steps):\n"
        '    run.progress(step + 1, steps, "steps", loss=0.5)\n'
        "    state.parent.mkdir(exist_ok=True)\n"
        "    state.write_text(json.dumps(step + 1))\n"
        "    time.sleep(nap)",
        'if epochs > 2:\n    raise ValueError("epochs beyond the plan")',
        'run.finish({"began_at": begin}, {})',
    ),
}
PROFILE = """\
description: tiny
minutes: {"01": 0.1, 02: 0.1, 03: 0.2}
parameters:
  01: {limit: 3}
  03: {EPOCHS: 2}
"""


def _notebook(path: Path, sources: tuple[str, ...]) -> None:
    cells = [nbformat.v4.new_markdown_cell(f"# {path.stem}\n\nWhat is done?")]
    cells += [nbformat.v4.new_code_cell(source) for source in sources]
    cells[1].metadata["tags"] = ["parameters"]
    nbformat.write(nbformat.v4.new_notebook(cells=cells), path)


def _build(root: Path) -> Path:
    (root / "notebooks" / "profiles").mkdir(parents=True)
    (root / "data" / "growth").mkdir(parents=True)
    (root / "pyproject.toml").touch()
    (root / "data" / "growth" / "reports.jsonl").write_text('{"a": 1}\n{"a": 2}\n{"a": 3}\n')
    (root / "notebooks" / "profiles" / "tiny.yaml").write_text(PROFILE)
    for name, sources in NOTEBOOKS.items():
        _notebook(root / "notebooks" / f"{name}.ipynb", sources)
    return root


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository whose run `tiny` is done; tests copy it."""
    root = _build(tmp_path_factory.mktemp("finished") / "repo")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NBUTILS_ROOT", str(root))
        patch.delenv("NBUTILS_ARTIFACTS", raising=False)
        assert cli.main(["run", "--profile", "tiny"]) == 0
    return root


@pytest.fixture
def fresh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("NBUTILS_ROOT", str(tmp_path / "repo"))
    monkeypatch.delenv("NBUTILS_ARTIFACTS", raising=False)
    return _build(tmp_path / "repo")


@pytest.fixture
def done(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, finished: Path) -> Path:
    monkeypatch.setenv("NBUTILS_ROOT", str(tmp_path / "repo"))
    monkeypatch.delenv("NBUTILS_ARTIFACTS", raising=False)
    shutil.copytree(finished, tmp_path / "repo")
    return tmp_path / "repo"


def _ran(output: str) -> list[str]:
    return [line[:2] for line in output.splitlines() if ": done in" in line]


def _record(root: Path, name: str) -> dict:
    return json.loads((root / "data" / "runs" / "tiny" / name).read_text())


def _run(*arguments: str) -> int:
    return cli.main(["run", "--profile", "tiny", *arguments])


# --------------------------------------------------------------------------- a whole run


def test_a_run_leaves_its_record_and_its_pages(finished: Path) -> None:
    run = _record(finished, "run.json")
    assert run["status"] == "done"
    assert run["profile"] == "tiny"
    assert run["parameters"]["01"] == {"LIMIT": 3, "TASK": "growth"}
    assert run["parameters"]["03"] == {"epochs": 2.0, "steps": 2, "nap": 0.0}
    assert list(run["inputs"]) == ["data/growth/reports.jsonl"]
    assert {"cpu", "cores", "memory_gb", "gpu"} == set(run["hardware"])
    first = _record(finished, "01.json")
    assert first["metrics"] == {"kept": 3}
    assert list(first["outputs"]) == ["curated.jsonl"]
    assert list(_record(finished, "03.json")["outputs"]) == ["adapter"]
    pages = {p.name for p in (finished / "reports" / "tiny").iterdir()}
    assert pages >= {"index.html"} | {f"{n}.html" for n in NOTEBOOKS}
    assert pages >= {f"{n}.ipynb" for n in NOTEBOOKS}
    assert not [p for p in pages if p.startswith(".")]
    for path in (finished / "data" / "runs" / "tiny").glob("*.json"):
        assert str(finished) not in path.read_text()
    executed = (finished / "reports" / "tiny" / "01_first.ipynb").read_text()
    assert str(finished) not in executed


def test_the_second_call_skips_everything(done: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = _record(done, "run.json")
    assert _run() == 0
    out = capsys.readouterr().out
    assert _ran(out) == []
    assert out.count("skipped, unchanged") == 3
    assert f"Report: {done / 'reports' / 'tiny' / 'index.html'}" in out
    assert _record(done, "run.json") == before


def test_a_run_is_found_by_name_without_its_profile(
    done: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["run", "--run", "tiny"]) == 0
    assert "profile tiny" in capsys.readouterr().out


def test_changed_parameter_runs_its_stage_only(
    done: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _run("--param", "03.Steps=3") == 0
    out = capsys.readouterr().out
    assert _ran(out) == ["03"]
    assert "steps was 2, is 3" in out
    assert _record(done, "run.json")["parameters"]["03"]["steps"] == 3


def test_changed_input_runs_what_depends_on_it(
    done: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    # 02 keeps the first row only: its output stays the same, so 03 is left alone
    (done / "data" / "growth" / "reports.jsonl").write_text('{"a": 1}\n{"a": 5}\n')
    assert _run() == 0
    out = capsys.readouterr().out
    assert _ran(out) == ["01", "02"]
    assert "data/growth/reports.jsonl has changed" in out
    assert "run only if 01 changes its input" in out


def test_changed_notebook_text_runs_it_and_outputs_in_it_do_not(
    done: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = done / "notebooks" / "02_second.ipynb"
    notebook = nbformat.read(path, as_version=4)
    notebook.cells[1].outputs = [nbformat.v4.new_output("stream", text="hello")]
    nbformat.write(notebook, path)
    assert _run() == 0
    assert _ran(capsys.readouterr().out) == []
    notebook.cells[0].source += " More."
    nbformat.write(notebook, path)
    assert _run() == 0
    assert _ran(capsys.readouterr().out) == ["02"]


def test_tampered_or_missing_output_is_made_again(
    done: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (done / "data" / "runs" / "tiny" / "train.jsonl").write_text("{}\n")
    assert _run("--only", "02") == 0
    assert "train.jsonl has changed" in capsys.readouterr().out
    shutil.rmtree(done / "data" / "runs" / "tiny" / "adapter")
    assert _run() == 0
    out = capsys.readouterr().out
    assert "adapter is gone" in out
    assert _ran(out) == ["03"]


def _change(root: Path, name: str, old: str, new: str) -> None:
    path = root / "notebooks" / f"{name}.ipynb"
    notebook = nbformat.read(path, as_version=4)
    for cell in notebook.cells:
        cell.source = cell.source.replace(old, new)
    nbformat.write(notebook, path)


def test_a_stage_that_says_halt_stops_those_after_it(
    done: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _change(done, "02_second", "run.finish({}, {})", 'run.finish({}, {}, halt="Not shown: x.")')
    assert _run("--param", "03.steps=3") == 3
    captured = capsys.readouterr()
    assert _ran(captured.out) == ["02"]
    assert "nbutils: stopped by 02_second: Not shown: x." in captured.err
    assert f"Report: {done / 'reports' / 'tiny' / 'index.html'}" in captured.out
    run = _record(done, "run.json")
    assert (run["status"], run["failed_stage"]) == ("done", None)
    # nothing has changed: the stage is not run again, and stops the run as before
    assert _run("--param", "03.steps=3") == 3
    captured = capsys.readouterr()
    assert _ran(captured.out) == []
    assert "02_second: skipped, unchanged" in captured.out
    assert "03_third" not in captured.out.split("02_second: skipped")[1]
    assert "stopped by 02_second" in captured.err


def test_an_optional_file_that_came_is_a_reason_to_run(
    done: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    more = 'run.finish({"rated": run.optional("ratings.jsonl").exists()}, {})'
    _change(done, "02_second", "run.finish({}, {})", more)
    assert _run("--only", "02") == 0
    capsys.readouterr()
    assert _run() == 0
    assert _ran(capsys.readouterr().out) == []
    (done / "data" / "runs" / "tiny" / "ratings.jsonl").write_text("{}\n")
    assert _run() == 0
    out = capsys.readouterr().out
    assert _ran(out) == ["02"]
    assert "ratings.jsonl is new" in out
    assert _record(done, "02.json")["metrics"] == {"rated": True}


def test_from_only_and_force(done: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert _run("--from", "2", "--force") == 0
    assert _ran(capsys.readouterr().out) == ["02", "03"]
    assert _run("--only", "01", "--force") == 0
    assert _ran(capsys.readouterr().out) == ["01"]


def test_a_page_that_is_gone_is_drawn_without_running(
    done: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page = done / "reports" / "tiny" / "02_second.html"
    page.unlink()
    assert _run() == 0
    assert _ran(capsys.readouterr().out) == []
    assert page.is_file()
    page.unlink()
    assert cli.main(["report"]) == 0
    assert page.is_file()
    assert "index.html" in capsys.readouterr().out


def test_artifacts_may_live_elsewhere(
    fresh: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NBUTILS_ARTIFACTS", str(tmp_path / "drive"))
    assert cli.main(["run", "--profile", "tiny", "--run", "far"]) == 0
    assert (tmp_path / "drive" / "runs" / "far" / "03.json").is_file()
    assert (tmp_path / "drive" / "reports" / "far" / "index.html").is_file()
    assert not (fresh / "reports").exists()


# --------------------------------------------------------------------------- failure and resume


def test_a_failure_says_where_why_and_how_to_go_on(
    done: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _run("--param", "03.epochs=3", "--param", "01.limit=3") == 1
    error = capsys.readouterr().err
    assert "03_third failed in cell 5 of 6: ValueError: epochs beyond the plan" in error
    assert 'line 2 of the cell: raise ValueError("epochs beyond the plan")' in error
    assert "nbutils run --profile tiny --run tiny --from 03 --param 03.epochs=3" in error
    assert "01.limit" not in error
    run = _record(done, "run.json")
    assert (run["status"], run["failed_stage"]) == ("failed", "03")
    assert run["error"] == "cell 5 of 6: ValueError: epochs beyond the plan"
    reports = done / "reports" / "tiny"
    assert "epochs beyond the plan" in (reports / "03_third.html").read_text()
    assert "Failed in 03" in (reports / "index.html").read_text()
    assert not (done / "data" / "runs" / "tiny" / "03.json").exists()
    # another stage's success does not hide it, its own does
    assert _run("--only", "01") == 0
    assert _record(done, "run.json")["status"] == "failed"
    assert _run("--from", "03") == 0
    assert _record(done, "run.json")["status"] == "done"
    assert _record(done, "run.json")["error"] is None


def test_a_notebook_without_finish_is_a_failure(
    fresh: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _notebook(fresh / "notebooks" / "01_first.ipynb", (*NOTEBOOKS["01_first"][:-1], "1 + 1"))
    assert _run() == 1
    assert "ended without run.finish(metrics, counts)" in capsys.readouterr().err


def test_a_dead_kernel_is_a_failure(fresh: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sources = (*NOTEBOOKS["01_first"][:2], "import os\nos._exit(9)")
    _notebook(fresh / "notebooks" / "01_first.ipynb", sources)
    assert _run() == 1
    assert "01_first failed in cell 3 of 3: the kernel died" in capsys.readouterr().err
    assert _record(fresh, "run.json")["status"] == "failed"


def _start(root: Path, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "nbutils.cli", "run", "--profile", "tiny", *arguments],
        env={**os.environ, "NBUTILS_ROOT": str(root)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def _wait_for_step(root: Path, step: int) -> None:
    state = root / "data" / "runs" / "tiny" / "adapter" / "state.json"
    end = time.monotonic() + 60
    while time.monotonic() < end:
        if state.is_file() and (state.read_text() or "0") >= str(step):
            return
        time.sleep(0.1)
    raise AssertionError("stage 03 did not get under way")


def _still_writing(root: Path, seconds: float) -> bool:
    state = root / "data" / "runs" / "tiny" / "adapter" / "state.json"
    before = state.read_text()
    time.sleep(seconds)
    return state.read_text() != before


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_killed_run_resumes_where_it_was(
    done: Path, how: signal.Signals, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.rmtree(done / "data" / "runs" / "tiny" / "adapter")
    process = _start(done, "--param", "03.steps=9", "--param", "03.nap=0.7")
    _wait_for_step(done, 2)
    progress = _record(done, "progress.json")
    assert (progress["stage"], progress["what"], progress["total"]) == ("03", "steps", 9)
    process.send_signal(how)
    out, _ = process.communicate(timeout=30)
    time.sleep(1.5 if how == signal.SIGKILL else 0)  # the kernel looks for its parent each second
    assert not _still_writing(done, 1.0)
    if how != signal.SIGKILL:
        assert process.returncode == 130
        assert "nbutils run --profile tiny --run tiny --param 03.steps=9" in out
        assert _record(done, "run.json")["status"] == "interrupted"
        assert _record(done, "run.json")["stages"]["03"]["status"] == "interrupted"
    assert not (done / "data" / "runs" / "tiny" / "03.json").exists()
    reached = int((done / "data" / "runs" / "tiny" / "adapter" / "state.json").read_text())
    assert 2 <= reached < 9
    assert _run("--param", "03.steps=9", "--param", "03.nap=0.0") == 0
    assert _ran(capsys.readouterr().out) == ["03"]
    assert _record(done, "03.json")["metrics"] == {"began_at": reached}
    left = [p.name for p in (done / "reports" / "tiny").iterdir() if p.name.startswith(".")]
    assert left == []


def test_two_runners_do_not_share_a_run(done: Path) -> None:
    import fcntl

    with (done / "data" / "runs" / "tiny" / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        process = _start(done)
        _, error = process.communicate(timeout=30)
    assert process.returncode == 2
    assert "run tiny is being made by another nbutils run" in error


# --------------------------------------------------------------------------- wrong input

TINY = ["run", "--profile", "tiny"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["run", "--profile", "tny"], "there is no profile 'tny': did you mean 'tiny'?"),
        (["run"], "there is no profile 'cpu': choose one of tiny"),
        ([*TINY, "--run", "../x"], "the run name '../x' cannot be used"),
        ([*TINY, "--run", "/tmp/x"], "the run name '/tmp/x' cannot be used"),
        ([*TINY, "--run", ".."], "the run name '..' cannot be used"),
        ([*TINY, "--run", ""], "the run name '' cannot be used"),
        ([*TINY, "--run", "latest"], "there is no run yet: run 01_first first"),
        ([*TINY, "--from", "09"], "there is no stage '09': choose one of 01, 02, 03"),
        ([*TINY, "--only", "02"], "there is no run 'tiny' to go on with"),
        ([*TINY, "--param", "03.epoch=1"], "no parameter 'epoch': did you mean 'epochs'?"),
        ([*TINY, "--param", "03.run=x"], "use --run NAME"),
        ([*TINY, "--param", "07.epochs=1"], "there is no stage '07'"),
        ([*TINY, "--param", "epochs=1"], "expected STAGE.NAME=VALUE"),
        ([*TINY, "--param", "03.steps=1.5"], "steps of 03_third is 1.5 (float), expected int"),
        ([*TINY, "--param", "03.steps=true"], "is True (bool), expected int"),
        ([*TINY, "--param", "03.epochs=many"], "'many' (str), expected float"),
        ([*TINY, "--param", "03.epochs=nan"], "expected float like its default 1.0"),
        ([*TINY, "--param", "02.keep=1"], "expected bool like its default True"),
        ([*TINY, "--param", "01.task=sales"], "the data folder data/sales does not exist"),
        (["report", "--run", "tiny"], "there is no run 'tiny'"),
        (["report"], "there is no run yet"),
        (["check", "none.jsonl"], "none.jsonl: no such file"),
    ],
)
def test_wrong_input_is_one_sentence_and_writes_nothing(
    fresh: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    assert cli.main(arguments) == 2
    captured = capsys.readouterr()
    assert captured.err.startswith("nbutils: ")
    assert message in captured.err
    assert captured.err.count("\n") == 1
    assert captured.out == ""
    assert not (fresh / "data" / "runs").exists()
    assert not (fresh / "reports").exists()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("parameters: {03: {epochs: 2e-4}}", "YAML reads that as text, write 2.0e-4"),
        ("parameters: {03: {epochs: 'x'}}", "expected float like its default 1.0: write a finite"),
        ("parameters: {03: {epochs: true}}", "is True (bool), expected float"),
        ("parameters: {03: {epochs: .inf}}", "write a finite number"),
        ("parameters: {03: {rate: 1}}", "profile tiny: 03_third has no parameter 'rate'"),
        ("parameters: {03: 5}", "stage 03 holds 5, expected names and values"),
        ("parameters: {09: {}}", "there is no stage '09'"),
        ("parameters: [1]", "expected one entry a stage"),
        ("parameters: {01: {task: 3}}", "write it in quotes"),
        ("parameter: {}", "unknown key 'parameter': did you mean 'parameters'?"),
        ("minutes: {03: long}", "write a number of minutes"),
        ("minutes: [", "profile tiny is not YAML"),
        ("", "profile tiny holds no keys"),
    ],
)
def test_wrong_profiles_are_refused(
    fresh: Path, capsys: pytest.CaptureFixture[str], text: str, message: str
) -> None:
    (fresh / "notebooks" / "profiles" / "tiny.yaml").write_text(text)
    assert _run() == 2
    assert message in capsys.readouterr().err
    assert not (fresh / "data" / "runs").exists()


def test_missing_and_empty_data_folder(fresh: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (fresh / "data" / "growth" / "reports.jsonl").unlink()
    assert _run() == 2
    assert "the data folder data/growth is empty: restore it" in capsys.readouterr().err
    (fresh / "data" / "growth").rmdir()
    assert _run() == 2
    assert "the data folder data/growth does not exist: restore" in capsys.readouterr().err
    assert not (fresh / "data" / "runs").exists()


def test_a_run_keeps_its_profile(done: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (done / "notebooks" / "profiles" / "cpu.yaml").write_text("description: x")
    assert cli.main(["run", "--profile", "cpu", "--run", "tiny"]) == 2
    assert "run tiny was made with profile tiny, not cpu" in capsys.readouterr().err


def test_a_parameter_of_a_stage_left_out_is_refused(
    done: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _run("--only", "03", "--param", "01.limit=1") == 2
    assert "has no effect" in capsys.readouterr().err


def test_the_profiles_in_git_are_right(monkeypatch: pytest.MonkeyPatch) -> None:
    from nbutils.runner import profiles

    repository = Path(__file__).parents[2]
    monkeypatch.setenv("NBUTILS_ROOT", str(repository))
    names = [p.stem for p in (repository / "notebooks" / "profiles").glob("*.yaml")]
    assert {"smoke", "cpu"} <= set(names)
    for name in names:
        assert len(profiles.plan(name)) >= 4


# --------------------------------------------------------------------------- a terminal


def test_a_terminal_shows_one_line_that_moves(done: Path) -> None:
    import pty

    more = ("--only", "03", "--param", "03.nap=1.1", "--param", "03.steps=5")
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "nbutils.cli", *TINY, *more],
        env={**os.environ, "NBUTILS_ROOT": str(done), "COLUMNS": "100"},
        stdout=theirs,
        stderr=theirs,
    )
    os.close(theirs)
    shown = b""
    while True:
        try:
            shown += os.read(ours, 4096)
        except OSError:  # the other end is closed
            break
    assert process.wait(timeout=30) == 0
    live = [x for x in shown.decode().split("\r\x1b[K") if x.startswith("03_third  cell")]
    assert any("cell 4 of 6" in x and "steps 4/5, loss 0.5, 0:0" in x for x in live)
    assert not any("cell 6 of 6" in x and "steps" in x for x in live)
    assert not any("\n" in x for x in live)


# --------------------------------------------------------------------------- check, help


def test_check_prints_a_table_and_a_total(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    good = "Analysis: D7 Retention fell from 0.42 to 0.36."
    bad = "Analysis: D7 Retention fell from 0.42 to 0.31."
    rows = [{"id": "a", "input": CASE, "output": good}, {"input": CASE, "output": bad}]
    file = tmp_path / "rows.jsonl"
    file.write_text("".join(json.dumps(r) + "\n" for r in rows))
    assert cli.main(["check", str(file)]) == 0
    head, first, second, total = capsys.readouterr().out.splitlines()
    assert head.split()[:4] == ["row", "precision", "coverage", "faithful"]
    assert first.split()[0] == "a"
    assert "yes" in first
    assert second.split()[0] == "2"
    assert "0.31" in second
    assert total.startswith("n = 2: 1 faithful")
    assert cli.main(["check", str(file), "--json"]) == 0
    verdicts = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [v["row"] for v in verdicts] == ["a", "2"]
    assert [v["faithful"] for v in verdicts] == [True, False]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("not json", "line 2: not JSON"),
        ('{"input": "x"}', "line 2: field 'output' is missing"),
        ('{"input": 3, "output": "x"}', "row 2: field 'input' is int, expected text"),
    ],
)
def test_check_names_file_and_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], line: str, message: str
) -> None:
    file = tmp_path / "rows.jsonl"
    file.write_text(json.dumps({"input": CASE, "output": "Analysis: stable."}) + f"\n{line}\n")
    assert cli.main(["check", str(file)]) == 2
    captured = capsys.readouterr()
    assert message in captured.err
    assert str(file) in captured.err
    assert captured.out == ""


def test_check_needs_a_file_or_the_self_test(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["check"]) == 2
    assert "name a JSON Lines file, or use --self-test" in capsys.readouterr().err


def test_the_verifier_is_measured_on_a_users_own_texts(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "rows.jsonl"
    right = "Analysis: D7 retention fell from 0.42 to 0.36, down 14%."
    rows = [{"input": CASE, "output": right}, {"input": CASE, "output": f"{right} Costs: 17.35."}]
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert cli.main(["check", str(file), "--self-test", "--json"]) == 0
    found = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert (found[0]["test"], found[0]["n"]) == ("accusation", 7)
    assert found[0]["recall"] == pytest.approx(1 / 7)
    planted = next(row for row in found if row["group"] == "all" and row["test"] == "perturbation")
    assert (planted["n"], planted["recall"]) == (6, 1.0)


def test_help_is_quick_and_loads_nothing_heavy() -> None:
    code = (
        "import sys, nbutils.cli\n"
        "try: nbutils.cli.main(['--help'])\n"
        "except SystemExit: pass\n"
        "heavy = {'numpy', 'pandas', 'papermill', 'nbformat', 'torch', 'yaml', 'matplotlib'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    begun = time.monotonic()
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
    assert time.monotonic() - begun < 2  # a loaded machine; the figure to keep is 0.5 s
