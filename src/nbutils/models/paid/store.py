"""Answers that are paid for, one file each, and JSON taken at its word."""

from __future__ import annotations

import json
import math
import os
from pathlib import Path
from typing import Any

from nbutils import records


class Store:
    """Answers that are paid for, one file each, named by the hash of what was asked.

    Parameters
    ----------
    folder : Path
        Holds ``<first two hex digits>/<sha256>.json``; made when something is stored.

    Attributes
    ----------
    notes : list of str
        One sentence for each file that could not be used.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.notes: list[str] = []

    def get(self, key: str) -> dict[str, Any] | None:
        """The record stored for a key; a file that is damaged is moved aside and is no record."""
        path = self._path(key)
        try:
            record = parse_json(path.read_bytes())
            _check_record(record, key)
        except FileNotFoundError:
            return None
        except ValueError as error:
            aside = _free_name(path)
            os.replace(path, aside)
            self.notes.append(
                f"{path.name} in the cache was damaged ({error}) and is now {aside.name}; what it "
                f"answered is asked again."
            )
            return None
        return dict(record)

    def put(self, key: str, record: dict[str, Any]) -> None:
        """Store a record, whole or not at all."""
        records.write_text(self._path(key), records.dumps(record, key, indent=1) + "\n")

    def _path(self, key: str) -> Path:
        return self.folder / key[:2] / f"{key}.json"


_NUMBERS = ("cost", "seconds", "attempt", "prompt_tokens", "completion_tokens")


def _check_record(record: Any, key: str) -> None:
    if not isinstance(record, dict) or record.get("key") != key:
        raise ValueError("it is no record of this request")
    if wrong := [name for name in _NUMBERS if not is_number(record.get(name))]:
        raise ValueError(f"'{wrong[0]}' is no number")
    if "body" not in record or not isinstance(record.get("request_id"), str):
        raise ValueError("the answer is missing")


def _free_name(path: Path) -> Path:
    """``<name>.broken``, numbered if there is one already: nothing is overwritten."""
    first = path.with_name(path.name + ".broken")
    others = (path.with_name(f"{path.name}.{n}.broken") for n in range(2, 1000))
    return next((p for p in (first, *others) if not p.exists()), first)


# --------------------------------------------------------------------------- JSON


def is_number(value: Any) -> bool:
    """Whether a value is a finite int or float (a bool is none)."""
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e300


def parse_json(text: str | bytes) -> Any:
    """JSON by the standard: NaN and infinity are a `ValueError`, as is any other fault."""
    try:
        return json.loads(text, parse_constant=_finite, parse_float=_finite)
    except RecursionError:
        raise ValueError("nested too deeply") from None


def _finite(digits: str) -> float:
    """Also 1e999, which Python reads as infinity."""
    if not math.isfinite(number := float(digits)):
        raise ValueError(f"{digits} is no number of JSON")
    return number
