"""Lines appended to files: the log of requests and the queue of a person."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from nbutils import records, review
from nbutils.errors import UserError
from nbutils.examples import Example

from .answered import Answered, Attempt


def append_line(path: Path, row: Mapping[str, Any], *, sync: bool = False) -> None:
    """Add one JSON line in one write; the file is made readable for its owner only.

    It is opened anew each time, so that it can be rotated while the service runs. With ``sync``
    the line is on disk when this returns.
    """
    line = json.dumps(row, ensure_ascii=False, allow_nan=False) + "\n"
    flags = os.O_APPEND | os.O_CREAT | os.O_WRONLY
    file = os.open(path, flags, 0o600)
    try:
        data = line.encode()
        if os.write(file, data) != len(data):
            raise OSError(f"{path.name}: the line was written in part")
        if sync:
            os.fsync(file)
    finally:
        os.close(file)


def prepare_file(path: Path, what: str) -> None:
    """Make the folder, and move a last line that a kill left broken aside.

    Raises
    ------
    UserError
        If nothing can be written there; ``what`` is named in the message.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.is_file():
            review.mend(path)
        os.close(os.open(path, os.O_APPEND | os.O_CREAT | os.O_WRONLY, 0o600))
    except OSError as error:
        raise UserError(
            f"the {what} {path} cannot be written ({error.strerror}): choose a file in a folder "
            f"of yours."
        ) from None


def case_hash(example: Example) -> str:
    """16 hex digits of SHA-256 over instruction and case: equal requests have equal ones."""
    text = json.dumps([example.instruction, example.input], ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def request_row(
    status: int,
    *,
    id: str,
    example: Example | None = None,
    answered: Answered | None = None,
    error: str = "",
    redact: bool = False,
) -> dict[str, Any]:
    """One line of the request log.

    Parameters
    ----------
    status : int
        HTTP status of the response.
    id : str
        The request's id.
    example : Example, optional
        What was asked; None if the request could not be read.
    answered : Answered, optional
        What was given; None if nothing was.
    error : str
        Code of the error that was given instead.
    redact : bool
        Leave out every text: instruction, case, answer, numbers and derivations. What stays of
        them are the hash of the case and the counts.

    Returns
    -------
    dict
        ``time`` (UTC), ``id``, ``status``, ``error``; with an example ``case`` (its hash),
        ``instruction`` and ``input``; with an answer ``output`` and the fields of
        `Answered.to_dict` and of ``tokens``.
    """
    row: dict[str, Any] = {"time": records.now(), "id": id, "status": status, "error": error}
    if example:
        row["case"] = case_hash(example)
        row |= {} if redact else {"instruction": example.instruction, "input": example.input}
    if answered:
        row |= {} if redact else {"output": answered.text}
        row |= {**answered.to_dict(), **answered.tokens}
        if redact and row["verdicts"]:
            row["verdicts"] = {k: row["verdicts"][k] for k in ("format", "numbers")}
    return row


def queue_row(
    example: Example, id: str, reason: str, detail: str, attempt: Attempt | None
) -> dict[str, Any]:
    """A case for a person, as `review.candidates` reads it.

    ``id``, ``instruction``, ``input``, ``output`` (the answer that came closest, turned away;
    empty if no model was asked), ``time``, ``reason``, ``detail``, ``model``, ``verdicts`` and
    ``passed`` (true: it is to be reviewed).
    """
    checked = attempt.checked if attempt else None
    return {
        "id": id,
        "instruction": example.instruction,
        "input": example.input,
        "output": attempt.text if attempt else "",
        "time": records.now(),
        "reason": reason,
        "detail": detail,
        "model": attempt.model if attempt else "",
        "verdicts": checked.to_dict() if checked else None,
        "passed": True,
    }
