"""A run as it is asked for: checked, planned, and each stage's reason to run or be skipped."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nbutils import folders, provenance
from nbutils.errors import MissingInput, UserError
from nbutils.records import RUN_FILE, digest, read_record
from nbutils.runs import ABSENT

from . import profiles
from .profiles import Stage


@dataclass
class Request:
    """What was asked for on the command line; None where nothing was said."""

    profile: str | None = None
    run: str | None = None
    start: str | None = None
    only: str | None = None
    parameters: Sequence[str] = ()
    force: bool = False


@dataclass
class Book:
    """A run that is being made: its folders and its stages."""

    name: str
    profile: str
    root: Path
    run_dir: Path
    out_dir: Path
    stages: list[Stage]
    request: Request

    def executed(self, stage: Stage) -> Path:
        """Where the executed notebook of a stage lies."""
        return self.out_dir / f"{stage.name}.ipynb"

    def record(self, stage: Stage) -> Path:
        """Where the stage's own record lies."""
        return self.run_dir / f"{stage.number}.json"


def open_book(request: Request) -> Book:
    """Check the whole request; writes nothing.

    Raises
    ------
    UserError
        If anything in the request, the profile or the folders is wrong.
    """
    name = request.run
    if name == "latest":
        name = folders.find().name
    recorded = None
    if name is not None:
        folders.check_name(name)
        recorded = read_record(folders.artifacts() / name / RUN_FILE).get("profile")
    profile = request.profile or recorded or profiles.DEFAULT_PROFILE
    name = name or folders.check_name(profile)
    book = Book(
        name,
        profile,
        folders.root(),
        folders.artifacts() / name,
        folders.reports() / name,
        profiles.plan(profile, request.parameters),
        request,
    )
    _check_profile(book)
    every = book.stages
    book.stages = profiles.choose(every, request.start, request.only)
    _check_selection(book, every)
    return book


def _check_profile(book: Book) -> None:
    recorded = read_record(book.run_dir / RUN_FILE).get("profile")
    if recorded and recorded != book.profile:
        raise UserError(
            f"run {book.name} was made with profile {recorded}, not {book.profile}; a run has one "
            f"profile: choose another --run NAME, or drop --profile."
        )


def _check_selection(book: Book, every: list[Stage]) -> None:
    numbers = [s.number for s in book.stages]
    for text in book.request.parameters:
        if text.partition(".")[0].zfill(2) not in numbers:
            raise UserError(
                f"--param {text} has no effect, as only {', '.join(numbers)} would run: drop it, "
                f"or include that stage."
            )
    if book.stages[0] is not every[0] and not (book.run_dir / RUN_FILE).is_file():
        raise MissingInput(
            f"there is no run '{book.name}' to go on with: make it with "
            f"`nbutils run{_profile_option(book)} --run {book.name}` first."
        )
    tasks = {v for s in book.stages for k, v in s.parameters.items() if k.upper() == "TASK"}
    for task in tasks or {"growth"}:
        folders.data_dir(task)


def fingerprint(stage: Stage) -> dict[str, Any]:
    """What decides, besides its input files, whether a stage would do the same again."""
    return {
        "notebook": provenance.notebook_hash(stage.notebook),
        "code": provenance.code_hash(stage.notebook),
        "parameters": stage.parameters,
    }


def reason_to_run(book: Book, stage: Stage) -> str:
    """Why a stage has to run; empty if everything it depends on and made is unchanged."""
    record = read_record(book.record(stage))
    if book.request.force:
        return "--force"
    if not record:
        return "not done yet"
    made_by = record.get("made_by")
    if made_by is None:
        return "last done by hand"
    current = fingerprint(stage)
    for key, what in (("notebook", "the notebook"), ("code", "the code")):
        if made_by[key] != current[key]:
            return f"{what} has changed"
    before, after = made_by["parameters"], current["parameters"]
    for name in sorted(before.keys() | after.keys()):
        if before.get(name) != after.get(name):
            return f"{name.lower()} was {before.get(name)!r}, is {after.get(name)!r}"
    for kind in ("inputs", "outputs"):
        for key, old in record[kind].items():
            path = book.run_dir / key
            if not path.exists() and kind == "inputs":
                path = book.root / key
            if old == ABSENT:
                if path.exists():
                    return f"{key} is new"
                continue
            if not path.exists():
                return f"{key} is gone"
            if digest(path) != old:
                return f"{key} has changed"
    return "" if book.executed(stage).is_file() else "its executed notebook is gone"


def resume_command(book: Book, stage: Stage | None = None) -> str:
    """The command that goes on where the run stopped."""
    number = stage.number if stage else None
    command = f"nbutils run{_profile_option(book)} --run {shlex.quote(book.name)}"
    if book.request.only:
        command += f" --only {book.stages[0].number}"
    elif number or book.request.start:
        command += f" --from {number or book.stages[0].number}"
    for text in book.request.parameters:
        if number is None or text.partition(".")[0].zfill(2) >= number:
            command += f" --param {shlex.quote(text)}"
    return command


def _profile_option(book: Book) -> str:
    return "" if book.profile == profiles.DEFAULT_PROFILE else f" --profile {book.profile}"
