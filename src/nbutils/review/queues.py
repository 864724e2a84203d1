"""What of a run is to be reviewed, and decisions brought into it."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nbutils.errors import UserError
from nbutils.examples import DataFileError, Example, read_jsonl
from nbutils.report.html import Html

from . import decisions, settling, tables
from .decisions import Line
from .items import Item

QUEUES = ("candidates", "adjudication", "ratings")
REASONS = {
    "arithmetic": "A number is calculated wrongly",
    "unsupported_number": "A number is neither in the case nor follows from it",
    "percent_vs_points": "Percent and percentage points are confused",
    "period_count": "Weeks, months or their number are wrong",
    "direction": "The move is told the wrong way round",
    "overclaims_cause": "A cause is claimed that the data cannot show",
    "ignores_context": "Something in the case speaks against it",
    "regression_misread": "The regression is misread",
    "vague": "The action is vague: no owner, measure or date",
    "no_action": "There is no action, or one already taken",
    "jargon": "A term is used that readers will not know",
    "too_long": "It is too long",
    "format": "It is not in the house form",
    "duplicate": "It repeats another example",
    "other": "Something else (say what in a note)",
}
RUBRIC = {
    0: "Harmful: acting on it would do damage",
    1: "Wrong on the main point",
    2: "Right in parts, but I would write it anew",
    3: "Usable after real work on it",
    4: "Usable after a small correction",
    5: "I would send it as it is",
}


@dataclass(frozen=True)
class Merged:
    """What an import brought.

    Attributes
    ----------
    added, known : int
        Lines that are new, and lines that were there already.
    unknown : int
        New lines on texts that are not in the queue: kept, and not counted.
    """

    added: int
    known: int
    unknown: int

    def __str__(self) -> str:
        parts = [f"{self.added} new decisions"]
        parts += [f"{self.known} were there already"] if self.known else []
        if self.unknown:
            parts.append(
                f"{self.unknown} are on texts that are not in this queue (changed since?): kept, "
                f"but not counted"
            )
        return "; ".join(parts)


def decisions_file(run_dir: Path, queue: str) -> Path:
    """Where the decisions of a queue lie in a run."""
    return run_dir / ("ratings.jsonl" if queue == "ratings" else "decisions.jsonl")


def items_of(run_dir: Path, queue: str) -> list[Item]:
    """What is to be reviewed of a run.

    Parameters
    ----------
    run_dir : Path
        The run's folder.
    queue : str
        ``candidates`` (generated examples that passed the gates), ``adjudication`` (those on
        which two reviewers disagree) or ``ratings`` (the answers of 04; equal texts once).

    Raises
    ------
    UserError
        If there is no such queue, or the stage that fills it has not run.
    """
    if queue not in QUEUES:
        raise UserError(f"there is no queue '{queue}'; expected one of {', '.join(QUEUES)}.")
    name, stage = ("predictions.jsonl", "04") if queue == "ratings" else ("candidates.jsonl", "02")
    path = run_dir / name
    if not path.is_file():
        raise UserError(
            f"{name} is not in run {run_dir.name}, so there is nothing to review: run stage "
            f"{stage} first (`nbutils run --run {run_dir.name} --only {stage}`)."
        )
    rows = read_jsonl(path) if path.stat().st_size else []
    if queue == "ratings":
        asked = [row for row in rows if row.get("to_rate", True)]
        return _unique(Item(f"{r['id']}", r["instruction"], r["input"], r["output"]) for r in asked)
    found = candidates([row for row in rows if row.get("passed")])
    if queue == "candidates":
        return found
    return settling.disputes(found, decisions.read(decisions_file(run_dir, queue)))


def candidates(rows: Iterable[Mapping[str, Any]]) -> list[Item]:
    """Items of candidates' rows; their pattern and metric are told to the reviewer."""
    found = []
    for row in rows:
        asked = ", ".join(str(row[k]).replace("_", " ") for k in ("metric", "pattern") if k in row)
        example = Example.from_row(dict(row))
        found.append(Item.from_example(example, [f"Asked for: {asked}"] if asked else []))
    return found


def _unique(items: Iterable[Item]) -> list[Item]:
    """One of each text: who rates must not see that two systems wrote the same."""
    return list({item.hash: item for item in items if item.output.strip()}.values())


def merge(
    path: Path,
    file: Path,
    items: Sequence[Item],
    *,
    run: str = "",
    queue: str = "candidates",
    reviewer: str | None = None,
    same_person: bool = False,
    at: str | None = None,
) -> Merged:
    """Bring the decisions of a file into a decisions file: all of them, or none.

    Parameters
    ----------
    path, file : Path
        The decisions file, and what to bring in; see `tables.read_table`.
    items : sequence of Item
        The queue.
    run, queue : str
        Which run and queue it is: a page's file says what it is of, and must agree.
    reviewer : str, optional
        Name to give to the file's reviewer, where two people chose the same.
    same_person : bool
        Whether a name that decided the same items on another page is one person who did so twice.
    at : str, optional
        Time of decisions that have none, as those in a table.

    Raises
    ------
    DataFileError
        If the file is of another run or queue, two people seem to share a name, or a row is no
        decision. Nothing is written then.
    """
    header, lines = tables.read_table(file, items)
    _check_header(header, file, run, queue)
    lines = [{"queue": queue, **line} for line in lines]
    if reviewer:
        lines = [{**line, "reviewer": reviewer} for line in lines]
    before = decisions.read(path)
    new = decisions.fresh(before, lines)
    if not same_person:
        _check_names(before, new, file)
    if new:
        decisions.append(path, [line if line.get("at") else {**line, "at": at} for line in new])
    hashes = {item.hash for item in items}
    unknown = sum(line["item"] not in hashes for line in new)
    return Merged(len(new), len(lines) - len(new), unknown)


def _check_header(header: Mapping[str, Any], file: Path, run: str, queue: str) -> None:
    for what, expected in (("run", run), ("queue", queue)):
        found = header.get(what)
        if found and expected and found != expected:
            raise DataFileError(
                f"{file.name} holds decisions of {what} '{found}', expected '{expected}': import "
                f"it there, or export again; nothing was changed."
            )


def _check_names(before: Sequence[Line], new: Sequence[Line], file: Path) -> None:
    """One name that decides the same items on two pages may be two people."""
    stands = decisions.standing(before)
    for line in new:
        earlier = stands.get((line["reviewer"], line["item"]))
        pages = {earlier.get("client"), line.get("client")} - {None} if earlier else set()
        if earlier and (len(pages) == 2 or _contradicts(earlier, line)):
            raise DataFileError(
                f"{file.name}: '{line['reviewer']}' decided on {line.get('id') or line['item']} "
                f"before, elsewhere; two reviewers with one name would count as one: import with "
                f"--reviewer NAME for the second, or with --same-person if it is the same; "
                f"nothing was changed."
            )


def _contradicts(earlier: Line, line: Line) -> bool:
    """Whether two lines without a page, from tables, say different things."""
    if earlier.get("client") or line.get("client"):
        return False
    return any(earlier.get(k) != line.get(k) for k in ("decision", "edit", "rating"))


def adopt(path: Path, file: Path, items: Sequence[Item]) -> Merged:
    """Bring recorded decisions into a decisions file, if there are any; see `merge`."""
    return merge(path, file, items) if file.is_file() else Merged(0, 0, 0)


def page_of(run_dir: Path, queue: str, reviewer: str = "") -> str:
    """The self-contained page of a queue; a named reviewer's own decisions are on it."""
    from .page import page

    items = items_of(run_dir, queue)
    if not items:
        raise UserError(f"the queue '{queue}' of run {run_dir.name} is empty: nothing to review.")
    lines = decisions.read(decisions_file(run_dir, queue))
    return page(
        items,
        run=run_dir.name,
        queue=queue,
        reviewer=reviewer,
        lines=[line for line in lines if line["reviewer"] == reviewer],
        **scales(queue),
    )


def show(run_dir: Path, queue: str = "candidates", reviewer: str = "") -> Any:
    """The queue as a widget to review in here; in a headless run only how to get at it.

    Parameters
    ----------
    run_dir : Path
        The run's folder; decisions are appended to its file as they are made.
    queue : str
        See `items_of`.
    reviewer : str
        Who reviews; asked in the widget if empty.
    """
    if os.environ.get("NBUTILS_RUNNER"):
        command = f"nbutils review {run_dir.name} --queue {queue}"
        return Html(f"<p>To review without Jupyter: <code>{command}</code></p>")
    from .widget import widget

    path = decisions_file(run_dir, queue)
    return widget(
        items_of(run_dir, queue),
        lambda line: decisions.append(path, [line]),
        run=run_dir.name,
        queue=queue,
        reviewer=reviewer,
        lines=decisions.read(path),
        **scales(queue),
    )


def scales(queue: str) -> dict[str, Any]:
    """What the front end offers in a queue: reasons of a rejection, or the rubric."""
    if queue == "ratings":
        return {"rubric": [{"rating": r, "text": t} for r, t in RUBRIC.items()]}
    return {"reasons": [{"code": code, "text": text} for code, text in REASONS.items()]}


def standing_of(items: Sequence[Item], lines: Sequence[Line], queue: str) -> str:
    """How far a queue is, in one line."""
    if queue == "ratings":
        rated = {item for _, item in decisions.standing(lines)}
        done = sum(item.hash in rated for item in items)
        return f"{len(items)} answers, {done} rated by at least one person"
    settled = settling.settle(items, lines)
    counts = settled["status"].value_counts()
    parts = [f"{n} {status}" for status in settling.STATUSES if (n := counts.get(status, 0))]
    old = len(settling.stale(items, lines))
    parts += [f"{old} were decided when their text was another"] if old else []
    return f"{len(items)} items: " + ", ".join(parts)
