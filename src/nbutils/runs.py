"""The run folder: where stages meet, and the record of what each one read, wrote and took."""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from . import provenance
from .errors import MissingInput, RunError, UserError
from .examples import read_jsonl
from .folders import (
    FIRST_STAGE,
    artifacts,
    cache,
    check_name,
    data_dir,
    find,
    notebook_name,
    reports,
    root,
)
from .records import (
    PROGRESS_FILE,
    RUN_FILE,
    digest,
    dumps,
    note,
    now,
    progress_line,
    write_text,
)

__all__ = [
    "MissingInput",
    "Run",
    "RunError",
    "UserError",
    "artifacts",
    "cache",
    "check_name",
    "data_dir",
    "find",
    "open_run",
    "reports",
    "root",
]

WRITERS = {
    "01": ("screened.jsonl", "curated.jsonl", "families.json"),
    "02": (
        "candidates.jsonl",
        "attempts.jsonl",
        "recorded_cache",
        "decisions.jsonl",
        "train.jsonl",
        "val.jsonl",
    ),
    "03": ("plan.json", "adapter", "training_log.jsonl", "training.json"),
    "04": ("predictions.jsonl", "claims.jsonl", "scores.json", "gate.json", "ratings.jsonl"),
    "05": ("regression.json", "grounded_predictions.jsonl", "grounding.json"),
    "06": ("merged", "serving.json"),
    "07": ("drift.json", "triggers.json", "next_batch.jsonl"),
}

_RECORD = re.compile(r"(\d\d)\.json")


# --------------------------------------------------------------------------- one stage of a run

ABSENT = ""  # instead of the digest of an optional file that was not there


def open_run(name: str, stage: str) -> Run:
    """Open a run for one stage; the first call of every notebook.

    Parameters
    ----------
    name : str
        Name of the run, or ``"latest"`` for the one touched last. Stage 01 creates a run that is
        missing (``"latest"`` then becomes ``"default"``).
    stage : str
        The notebook's number, ``"03"``.

    Returns
    -------
    Run

    Raises
    ------
    RunError
        If the name cannot be one.
    MissingInput
        If another stage than 01 opens a run that does not exist.
    """
    try:
        folder = find(name)
    except MissingInput:
        if stage != FIRST_STAGE:
            raise
        folder = artifacts() / ("default" if name == "latest" else name)
    run = Run(folder, stage)
    if not under_runner():
        if not (folder / RUN_FILE).exists():
            note(folder, name=folder.name, profile=None, **provenance.environment(root()))
        opened = {"started": run._started, "status": "opened by hand"}
        note(folder, status="open", stages={stage: opened}, parameters={stage: _parameters(stage)})
    return run


class Run:
    """One stage's hold on a run folder; made by `open_run`.

    Every file that is read or written through it is noted, and `finish` writes the record.

    Attributes
    ----------
    name : str
        Name of the run.
    dir : Path
        Its folder.
    stage : str
        The notebook's number.
    """

    def __init__(self, folder: Path, stage: str) -> None:
        self.name, self.dir, self.stage = folder.name, folder, stage
        self._read: dict[str, str] = {}
        self._written: set[str] = set()
        self._asked: set[str] = set()
        self._begun, self._started = time.monotonic(), now()
        self._progress: dict[str, Any] = {}

    def __repr__(self) -> str:
        return f"Run('{self.name}', stage='{self.stage}')"

    def path(self, name: str) -> Path:
        """Where to write ``name`` with other means; noted as an output if it is there at the end.

        A file of another stage counts as an input instead; `need` is the better way to read it.
        """
        path = self._inside(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        self._asked.add(_key(name))
        return path

    def need(self, name: str) -> Path:
        """Path of a file or folder that must be there; noted as an input.

        Raises
        ------
        MissingInput
            If it is not; the message names the notebook that writes it.
        """
        path, key = self._inside(name), _key(name)
        if not path.exists() or (path.is_dir() and not any(path.iterdir())):
            writer = writer_of(key)
            remedy = f"run {notebook_name(writer)} first" if writer else "check the name"
            raise MissingInput(f"{key} is not in run {self.name}: {remedy}.")
        if key not in {*self._written, RUN_FILE, PROGRESS_FILE}:
            self._read.setdefault(key, digest(path))
        return path

    def optional(self, name: str) -> Path:
        """Path of a file of the run that may be missing; noted, so that its coming counts."""
        path = self._inside(name)
        if path.exists():
            return self.need(name)
        self._read.setdefault(_key(name), ABSENT)
        return path

    def input(self, path: str | Path) -> Path:
        """Path of a file outside the run (relative ones start at the repository); noted.

        Raises
        ------
        MissingInput
            If there is no such file or folder.
        """
        absolute = root() / path
        key = Path(os.path.relpath(absolute, root())).as_posix()
        if not absolute.exists():
            raise MissingInput(f"{key} does not exist: restore it or correct the path.")
        self._read.setdefault(key, digest(absolute))
        return absolute

    def read_json(self, name: str) -> Any:
        """Content of a JSON file of this run; raises `MissingInput` as `need` does."""
        path = self.need(name)
        try:
            return json.loads(path.read_text(encoding="utf-8"))
        except ValueError as error:
            writer = notebook_name(writer_of(_key(name)) or self.stage)
            raise RunError(
                f"{name} of run {self.name} is not JSON ({error}): run {writer} again."
            ) from None

    def read_jsonl(self, name: str, required: Iterable[str] = ()) -> list[dict[str, Any]]:
        """Rows of a JSONL file of this run; a file without rows gives an empty list.

        Raises
        ------
        MissingInput, nbutils.examples.DataFileError
            If the file is missing; if a line is not JSON or lacks a field.
        """
        path = self.need(name)
        return read_jsonl(path, tuple(required)) if path.stat().st_size else []

    def write_json(self, name: str, obj: Any) -> None:
        """Write a JSON file whole or not at all; NaN is refused with `RunError`."""
        self._write(name, dumps(obj, name, indent=1) + "\n")

    def write_jsonl(self, name: str, rows: Iterable[dict[str, Any]]) -> None:
        """Write a JSONL file whole or not at all; NaN is refused with `RunError`."""
        self._write(name, "".join(dumps(row, name) + "\n" for row in rows))

    @contextmanager
    def write_dir(self, name: str) -> Iterator[Path]:
        """Give an empty folder to fill; it takes the place of ``name`` only if nothing fails."""
        path = self._inside(name)
        self._written.add(_key(name))
        temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
        temporary.mkdir(parents=True)
        try:
            yield temporary
            if path.exists():
                shutil.rmtree(path)
            os.replace(temporary, path)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)

    def progress(self, done: int, total: int, what: str, **extra: Any) -> None:
        """Say how far a long cell is; cheap enough to call at every step.

        Under the runner a small file that it polls, in a live notebook one line that is rewritten.

        Parameters
        ----------
        done, total : int
            How many of how many.
        what : str
            What is counted, in the plural (``"steps"``).
        **extra
            Further values to show, such as ``loss=0.71``.
        """
        last, moment = self._progress, time.time()
        if last.get("what") != what:
            last = {"what": what, "first": done, "since": moment, "time": 0.0}
        if moment - last["time"] < 1 and done < total:
            return
        self._progress = {**last, "stage": self.stage, "done": done, "total": total}
        self._progress |= {"time": moment, "extra": extra}
        if not under_runner() and provenance.live_kernel():
            end = "\n" if done >= total else ""
            sys.stdout.write(f"\r{progress_line(self._progress):<79}{end}")
            sys.stdout.flush()
        else:
            write_text(self.dir / PROGRESS_FILE, dumps(self._progress, PROGRESS_FILE))

    def finish(self, metrics: dict[str, Any], counts: dict[str, Any], halt: str = "") -> None:
        """Write ``NN.json``: the stage is done; the last call of every notebook.

        Parameters
        ----------
        metrics : dict
            Headline metrics, JSON values.
        counts : dict
            What came in and what went out.
        halt : str
            Why the stages after this one must not run, in a sentence; empty if they may. The
            runner then stops with exit code 3.
        """
        inputs, outputs = self._inputs_and_outputs()
        record = {
            "stage": self.stage,
            "metrics": metrics,
            "counts": counts,
            "halt": halt,
            "seconds": round(time.monotonic() - self._begun, 1),
            "finished": now(),
            "inputs": inputs,
            "outputs": outputs,
        }
        text = dumps(record, f"{self.stage}.json", indent=1) + "\n"
        write_text(self.dir / f"{self.stage}.json", text)
        (self.dir / PROGRESS_FILE).unlink(missing_ok=True)
        if not under_runner():
            done = {"started": self._started, "finished": now(), "status": "done by hand"}
            note(self.dir, stages={self.stage: done}, inputs=outside(self.dir, inputs))

    def _inputs_and_outputs(self) -> tuple[dict[str, str], dict[str, str]]:
        """Hashes by name; what a stage both reads and writes (a log, a checkpoint) is its own."""
        ours = self._written | {k for k in self._asked if writer_of(k) in (None, self.stage)}
        outputs = {k: digest(self.dir / k) for k in sorted(ours) if (self.dir / k).exists()}
        others = {k for k in self._asked - ours if (self.dir / k).exists()}
        inputs = {**{k: digest(self.dir / k) for k in others}, **self._read}
        return {k: inputs[k] for k in sorted(inputs) if k not in outputs}, outputs

    def _write(self, name: str, text: str) -> None:
        path = self._inside(name)
        self._written.add(_key(name))
        write_text(path, text)

    def _inside(self, name: str) -> Path:
        path = Path(os.path.normpath(self.dir / name))
        if not name or self.dir not in path.parents:
            raise RunError(
                f"'{name}' lies outside the run folder: name a file inside it, or use "
                f"run.input(path) for one elsewhere."
            )
        return path


def under_runner() -> bool:
    """Whether ``nbutils run`` started this kernel: it keeps run.json and shows the progress."""
    return bool(os.environ.get("NBUTILS_RUNNER"))


def writer_of(name: str) -> str | None:
    """Number of the stage that writes a file of a run; None if no stage is known to."""
    if record := _RECORD.fullmatch(name):
        return record[1]
    top = name.split("/")[0]
    return next((stage for stage, names in WRITERS.items() if top in names), None)


def outside(run_dir: Path, inputs: dict[str, str]) -> dict[str, str]:
    """The inputs that do not lie in the run folder."""
    return {k: v for k, v in inputs.items() if v != ABSENT and not (run_dir / k).exists()}


def _key(name: str) -> str:
    return Path(os.path.normpath(name)).as_posix()


def _parameters(stage: str) -> dict[str, Any]:
    """The notebook's parameters as they stand in the live kernel."""
    notebook = root() / "notebooks" / f"{notebook_name(stage)}.ipynb"
    return provenance.live_parameters(notebook) if notebook.is_file() else {}
