"""The decisions file: one line a decision, only ever appended to, replayed to get the state."""

from __future__ import annotations

import json
import os
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from nbutils.examples import DataFileError

from .items import Item

Line = dict[str, Any]

DECISIONS = ("approve", "edit", "reject", "rate")
ACTIONS = (*DECISIONS, "skip", "undo")
RATINGS = range(6)
_SAYS = ("decision", "reason", "edit", "rating")


def read(path: Path) -> list[Line]:
    """Read a decisions file; one that does not exist yet holds none.

    A last line that was cut off while it was written is left out with a warning; `append` moves
    it aside.

    Raises
    ------
    DataFileError
        If another line is not a JSON object or not a decision.
    """
    whole, tail = _split(path)
    if tail:
        warnings.warn(_about_tail(path, tail), stacklevel=2)
    return list(_parsed(path, whole))


def append(path: Path, lines: Sequence[Mapping[str, Any]]) -> None:
    """Add decisions to the file, on disk when this returns.

    A broken last line is moved to ``<name>.broken`` first, so that nothing glues onto it.

    Raises
    ------
    DataFileError
        If a line is not a decision; nothing is written then.
    """
    for number, line in enumerate(lines, start=1):
        check(line, f"decision {number}")
    text = "".join(json.dumps(line, ensure_ascii=False, allow_nan=False) + "\n" for line in lines)
    path.parent.mkdir(parents=True, exist_ok=True)
    with _locked(path):
        mend(path)
        with path.open("ab") as file:
            file.write(text.encode())
            file.flush()
            os.fsync(file.fileno())


def mend(path: Path) -> str:
    """Move a last line that was cut off while it was written aside; say so in a sentence.

    Returns
    -------
    str
        Empty if there was nothing to mend.
    """
    whole, tail = _split(path)
    if not tail:
        if whole and not whole[-1].endswith(b"\n"):
            with path.open("ab") as file:
                file.write(b"\n")
        return ""
    aside = path.with_name(path.name + ".broken")
    with aside.open("ab") as file:
        file.write(tail + b"\n")
    with path.open("r+b") as file:
        file.truncate(sum(map(len, whole)))
    return _about_tail(path, tail)


def check(line: Mapping[str, Any], where: str) -> None:
    """Raise `DataFileError` if a line is not a decision; ``where`` is named in the message."""
    for key in ("item", "reviewer", "decision"):
        if not isinstance(line.get(key), str) or not line[key].strip():
            raise DataFileError(
                f"{where} has no '{key}'; every decision needs item, reviewer and decision: add "
                f"it or remove the row."
            )
    decision, rating = line["decision"], line.get("rating")
    if decision not in ACTIONS:
        raise DataFileError(
            f"{where} is '{decision}'; expected one of {', '.join(ACTIONS)}: correct it."
        )
    if decision == "edit" and not str(line.get("edit") or "").strip():
        raise DataFileError(f"{where} is an edit without a text: add the edited answer.")
    if decision == "rate" and rating is None:
        raise DataFileError(f"{where} is a rating without a number: add one from 0 to 5.")
    whole = isinstance(rating, int) and not isinstance(rating, bool)
    if rating is not None and not (whole and rating in RATINGS):
        raise DataFileError(f"{where} has the rating {rating!r}; expected a whole number, 0 to 5.")


def fresh(known: Sequence[Mapping[str, Any]], lines: Iterable[Line]) -> list[Line]:
    """The lines that say something new.

    A line of a page is known by its time and page, so that a file merged twice counts once. A row
    of a table has neither: it is known if it says what stands already.
    """
    seen, stands = {_identity(line) for line in known}, standing(known)
    found = []
    for line in lines:
        if line.get("client"):
            old = _identity(line) in seen
            seen.add(_identity(line))
        else:
            old = _said(stands.get((line["reviewer"], line["item"]), {})) == _said(line)
        if not old:
            found.append(line)
    return found


def standing(lines: Iterable[Mapping[str, Any]]) -> dict[tuple[str, str], Line]:
    """What each reviewer's decision on each item is after later ones, undone ones left out.

    Returns
    -------
    dict
        (reviewer, item) to the line that stands. An adjudication is kept under the reviewer
        ``"adjudicator"``, whoever made it. Lines are replayed by their time; those without one
        (imported from a table) come first, in the order of the file.
    """
    stacks: dict[tuple[str, str], list[Line]] = {}
    for line in sorted(lines, key=lambda found: str(found.get("at") or "")):
        name = "adjudicator" if line.get("queue") == "adjudication" else line["reviewer"]
        stack = stacks.setdefault((name, line["item"]), [])
        if line["decision"] in DECISIONS:
            stack.append(dict(line))
        elif line["decision"] == "undo" and stack:
            stack.pop()
    return {key: stack[-1] for key, stack in stacks.items() if stack}


def order(items: Sequence[Item], reviewer: str) -> list[Item]:
    """Items in the shuffled order in which a reviewer sees them.

    Each reviewer has an order of their own, so that tiredness falls on different items; it is
    the same after a restart, and an item that is added does not move the others.
    """
    return sorted(items, key=lambda item: (fnv1a(f"{reviewer}:{item.hash}"), item.hash))


def fnv1a(text: str) -> int:
    """The 32-bit FNV-1a hash (Fowler, Noll and Vo), which the browser computes as well.

    Examples
    --------
    >>> hex(fnv1a("foobar"))
    '0xbf9cf968'
    """
    value = 0x811C9DC5
    for byte in text.encode():
        value = (value ^ byte) * 0x01000193 & 0xFFFFFFFF
    return value


# --------------------------------------------------------------------------- the file


def _identity(line: Mapping[str, Any]) -> tuple[Any, ...]:
    return tuple(line.get(key) for key in ("at", "client", "item", "reviewer", *_SAYS))


def _said(line: Mapping[str, Any]) -> tuple[Any, ...]:
    return tuple(line.get(key) for key in _SAYS)


def _split(path: Path) -> tuple[list[bytes], bytes]:
    """Whole lines, and the beginning of one that was not finished."""
    data = path.read_bytes() if path.is_file() else b""
    *lines, last = data.split(b"\n")
    lines = [line + b"\n" for line in lines]
    if not last:
        return lines, b""
    return ([*lines, last], b"") if _is_object(last) else (lines, last)


def _is_object(line: bytes) -> bool:
    try:
        return isinstance(json.loads(line), dict)
    except ValueError:
        return False


def _about_tail(path: Path, tail: bytes) -> str:
    return (
        f"the last line of {path.name} was cut off while it was written "
        f"('{tail[:40].decode(errors='replace')}...'): it is left out, all others are kept; "
        f"decide that item again."
    )


def _parsed(path: Path, lines: Sequence[bytes]) -> Iterator[Line]:
    for number, raw in enumerate(lines, start=1):
        if not raw.strip():
            continue
        where = f"{path.name}, line {number},"
        if not _is_object(raw):
            raise DataFileError(
                f"{where} is not a JSON object; expected one decision a line: mend or remove it."
            )
        line = json.loads(raw)
        check(line, where)
        yield line


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """One writer at a time: the widget of a live notebook and an import may meet."""
    try:
        import fcntl
    except ImportError:  # Windows has no such lock
        yield
        return
    with path.with_name(f".{path.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
