"""Small files written whole or not at all, their hashes, and the lines read from them."""

from __future__ import annotations

import hashlib
import json
import math
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .errors import RunError

if TYPE_CHECKING:
    import pandas as pd

RUN_FILE, PROGRESS_FILE = "run.json", "progress.json"
SHARED = ("stages", "parameters", "inputs")  # entries of run.json to which each stage adds


def write_text(path: Path, text: str) -> None:
    """Write a file whole or not at all: to a temporary name beside it, then rename."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        temporary.write_text(text, encoding="utf-8", newline="\n")
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def digest(path: Path) -> str:
    """SHA-256 of a file, or of a folder by the names and contents of its files."""
    if path.is_dir():
        files = sorted(p for p in path.rglob("*") if p.is_file() and not p.name.endswith(".tmp"))
        lines = (f"{p.relative_to(path).as_posix()} {digest(p)}\n" for p in files)
        return hashlib.sha256("".join(lines).encode()).hexdigest()
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def dumps(obj: Any, name: str, indent: int | None = None) -> str:
    """JSON text with numpy values as plain ones; NaN is refused and ``name`` is blamed."""
    try:
        return json.dumps(obj, ensure_ascii=False, allow_nan=False, indent=indent, default=_plain)
    except ValueError as error:
        raise RunError(
            f"{name} cannot be written ({error}): JSON has no NaN or infinity, write None."
        ) from None


def _plain(obj: Any) -> Any:
    """Numpy scalars and arrays as Python's own."""
    if hasattr(obj, "tolist"):
        return obj.tolist()
    raise TypeError(f"a {type(obj).__name__} cannot be written as JSON")


def json_rows(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Rows of a frame for JSON, with Python's own values and None where one is not defined."""
    plain = frame.astype(object).where(frame.notna(), None)
    return [
        {str(k): v.item() if hasattr(v, "item") else v for k, v in row.items()}
        for row in plain.to_dict("records")
    ]


def read_record(path: Path) -> dict[str, Any]:
    """A JSON object from a file, or an empty one if there is no such file."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except ValueError as error:
        raise RunError(f"{path} is not JSON ({error}): remove it and run again.") from None


def note(run_dir: Path, **changes: Any) -> dict[str, Any]:
    """Change entries of run.json and return it; those that stages share are merged."""
    record = read_record(run_dir / RUN_FILE)
    for key, value in changes.items():
        record[key] = {**record.get(key, {}), **value} if key in SHARED else value
    write_text(run_dir / RUN_FILE, dumps(record, RUN_FILE, indent=1) + "\n")
    return record


def now() -> str:
    """The time in UTC, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def progress_line(record: dict[str, Any], moment: float | None = None) -> str:
    """One line from a progress record: ``"steps 30/87, loss 0.71, 4:10 left"``.

    ``moment`` is the time of asking (seconds since the epoch); without it, that of the record.
    """
    done, total = record["done"], record["total"]
    parts = [f"{record['what']} {done}/{total}"]
    for key, value in (record.get("extra") or {}).items():
        parts.append(f"{key} {value:.3g}" if isinstance(value, float) else f"{key} {value}")
    worked = done - record["first"]
    if worked > 0 and done < total:
        seconds = (record["time"] - record["since"]) / worked * (total - done)
        waited = (moment or record["time"]) - record["time"]
        parts.append(f"{clock(seconds - waited)} left")
    return ", ".join(parts)


def clock(seconds: float) -> str:
    """Seconds as ``m:ss`` or ``h:mm:ss``.

    Examples
    --------
    >>> clock(250), clock(3725)
    ('4:10', '1:02:05')
    """
    minutes, rest = divmod(math.ceil(max(seconds, 0)), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
