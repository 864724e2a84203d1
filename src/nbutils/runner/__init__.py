"""The run from end to end: skip what is unchanged, execute, render, say how to resume."""

from __future__ import annotations

import contextlib
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from nbutils import provenance
from nbutils.errors import UserError
from nbutils.records import RUN_FILE, clock, dumps, note, now, read_record, write_text
from nbutils.runs import outside, writer_of

from . import pages
from .book import Book, Request, fingerprint, open_book, reason_to_run, resume_command
from .profiles import Stage

if TYPE_CHECKING:
    from .execution import StageError

__all__ = ["Request", "run"]

LOCK_FILE = ".lock"
HALTED = 3


def run(request: Request, out: TextIO | None = None) -> int:
    """Make a run, or bring it up to date.

    Parameters
    ----------
    request : Request
        Profile, run name, stages and parameters.
    out : text stream, optional
        Where plan and progress are written; standard output by default.

    Returns
    -------
    int
        0, or 1 if a stage failed or a page could not be made, 3 if a stage said that none may come
        after it, 130 if interrupted.

    Raises
    ------
    UserError
        If anything in the request, the profile or the folders is wrong; nothing is written then.
    """
    out = out or sys.stdout
    book = open_book(request)
    book.run_dir.mkdir(parents=True, exist_ok=True)
    with _locked(book.run_dir, book.name):
        _print_plan(book, out)
        _note_begin(book)
        try:
            with _sigterm_as_interrupt():
                return _run_stages(book, out)
        except KeyboardInterrupt:
            note(book.run_dir, status="interrupted", finished=now())
            out.write(f"\nStopped. To go on: {resume_command(book)}\n")
            return 130


def _note_begin(book: Book) -> None:
    """Start run.json; an earlier failure is forgotten only if its stage is tried again."""
    before = read_record(book.run_dir / RUN_FILE)
    note(book.run_dir, name=book.name, profile=book.profile, status="running")
    if before.get("failed_stage") in (None, *(s.number for s in book.stages)):
        note(book.run_dir, failed_stage=None, error=None)


@contextlib.contextmanager
def _locked(run_dir: Path, name: str) -> Iterator[None]:
    """One runner a run; the lock goes with the process, however that ends."""
    try:
        import fcntl
    except ImportError:  # Windows has no such lock
        yield
        return
    with (run_dir / LOCK_FILE).open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise UserError(
                f"run {name} is being made by another nbutils run: wait for it, or choose "
                f"another --run NAME."
            ) from None
        yield


@contextlib.contextmanager
def _sigterm_as_interrupt() -> Iterator[None]:
    """Let `kill` and a closed terminal end the kernel as Ctrl-C does."""

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    names = [n for n in ("SIGTERM", "SIGHUP") if hasattr(signal, n)]
    before = {n: signal.signal(getattr(signal, n), interrupt) for n in names}
    try:
        yield
    finally:
        for name, handler in before.items():
            signal.signal(getattr(signal, name), handler)


def _print_plan(book: Book, out: TextIO) -> None:
    out.write(f"Run {book.name}, profile {book.profile}\n")
    running: set[str] = set()
    total = 0.0
    for stage in book.stages:
        why = reason_to_run(book, stage)
        sources = {writer_of(k) for k in read_record(book.record(stage)).get("inputs", {})}
        if why:
            minutes = f"about {stage.minutes:g} min" if stage.minutes is not None else ""
            total += stage.minutes or 0
            running.add(stage.number)
            what = f"run   {minutes:<15} {why}"
        elif waits := sorted(running & {s for s in sources if s}):
            what = f"run only if {', '.join(waits)} changes its input"
        else:
            what = "skip  nothing it depends on has changed"
        out.write(f"  {stage.name:<20} {what}\n")
    if total:
        out.write(f"Expected: about {total:g} minutes\n")
    out.flush()


# --------------------------------------------------------------------------- stage by stage


def _run_stages(book: Book, out: TextIO) -> int:
    complete, executed, halt = True, 0, ""
    for stage in book.stages:
        if halt:
            break
        if not reason_to_run(book, stage):
            out.write(f"{stage.name}: skipped, unchanged\n")
            complete &= pages.notebook(book.executed(stage), only_if_missing=True)
            halt = _halt(book, stage)
            continue
        if not executed:
            note(book.run_dir, **provenance.environment(book.root), started=now(), finished=None)
        executed += 1
        done = _run_stage(book, stage, out)
        complete &= pages.notebook(book.executed(stage))
        if not done:
            pages.front(book.run_dir, book.out_dir)
            return 1
        complete &= pages.front(book.run_dir, book.out_dir)
        halt = _halt(book, stage)
    failed_before = read_record(book.run_dir / RUN_FILE).get("failed_stage")
    note(book.run_dir, status="failed" if failed_before else "done")
    if executed:
        note(book.run_dir, finished=now())
    complete &= pages.front(book.run_dir, book.out_dir)
    if complete:
        out.write(f"Report: {book.out_dir / 'index.html'}\n")
    if halt:
        sys.stderr.write(f"nbutils: stopped by {halt}\n")
    return (HALTED if halt else 0) if complete else 1


def _halt(book: Book, stage: Stage) -> str:
    """Why no stage may come after this one, as its record says; empty if one may."""
    said = read_record(book.record(stage)).get("halt")
    return f"{stage.name}: {said}" if said else ""


def _run_stage(book: Book, stage: Stage, out: TextIO) -> bool:
    """Execute one notebook and complete its record; False if it failed."""
    from .execution import Job, StageError, execute

    made_by, started, begun = fingerprint(stage), now(), time.monotonic()
    # from here on the stage's outputs change: an old record must not vouch for them
    book.record(stage).unlink(missing_ok=True)
    note(
        book.run_dir,
        parameters={stage.number: stage.parameters},
        stages={stage.number: {"started": started, "status": "running"}},
    )
    out.write(f"{stage.name}: running\n")
    out.flush()
    run_name = next((k for k in stage.defaults if k.upper() == "RUN"), "RUN")
    given = {run_name: book.name, **stage.given}
    job = Job(stage.notebook, book.executed(stage), given, book.root, book.run_dir)
    try:
        execute(job, out)
        record = read_record(book.record(stage))
        if not record:
            raise StageError("the end", "the notebook ended without run.finish(metrics, counts)")
    except StageError as error:
        _report_failure(book, stage, error, started)
        return False
    except KeyboardInterrupt:
        note(book.run_dir, stages={stage.number: {"started": started, "status": "interrupted"}})
        raise
    write_text(book.record(stage), dumps({**record, "made_by": made_by}, "", indent=1) + "\n")
    done = {"started": started, "finished": now(), "status": "done"}
    inputs = outside(book.run_dir, record["inputs"])
    note(book.run_dir, stages={stage.number: done}, inputs=inputs)
    out.write(f"{stage.name}: done in {clock(time.monotonic() - begun)}\n")
    return True


def _report_failure(book: Book, stage: Stage, error: StageError, started: str) -> None:
    note(
        book.run_dir,
        status="failed",
        failed_stage=stage.number,
        error=f"{error.where}: {error.cause}",
        finished=now(),
        stages={stage.number: {"started": started, "finished": now(), "status": "failed"}},
    )
    lines = [f"nbutils: {stage.name} failed in {error.where}: {error.cause}"]
    lines += [f"  at      {error.line}"] if error.line else []
    lines += [
        f"  page    {book.out_dir / stage.name}.html",
        f"  resume  {resume_command(book, stage)}",
    ]
    sys.stderr.write("\n".join(lines) + "\n")
