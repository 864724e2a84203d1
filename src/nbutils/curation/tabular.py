"""Rows of tables with one report a row: CSV, Excel and JSON lines."""

from __future__ import annotations

import csv
import datetime as dt
import json
import re
import warnings
from collections.abc import Iterable, Iterator
from itertools import zip_longest
from pathlib import Path
from typing import Any

from nbutils.curation.documents import Unread, check_zip, decode

TABLES = (".csv", ".jsonl", ".xlsx")
MAX_TABLE_BYTES = 500_000_000

# label ("row 7"), the row or the reason why it is not read, and a note
Row = tuple[str, "dict[str, Any] | str", str]

_HALF_CHARACTER = re.compile(rb"\\u[dD][89a-fA-F]")


def read_table(file: Path, text_field: str) -> list[Row]:
    """Rows of a table that has a column `text_field`.

    Parameters
    ----------
    file : path
        One of `TABLES`.
    text_field : str
        The column that must be there; it may be empty in single rows.

    Returns
    -------
    list of tuple
        Label (``row N``: the line of a .jsonl file, else the row as a spreadsheet counts, with
        the heading in row 1), the row as a dict or the reason why it is not read, and a note.
        Rows with nothing in them are passed over. Cells of .csv and .xlsx are text.

    Raises
    ------
    Unread
        If no such column or no row is found.
    """
    read = {".csv": _csv, ".jsonl": _jsonl, ".xlsx": _xlsx}[file.suffix.lower()]
    rows = read(file, text_field)
    if not rows:
        raise Unread("the table has no rows: fill or remove it.")
    return rows


def as_text(value: Any) -> str:
    """A cell as text: 7.0 as ``7``, a date as ``2024-03-11``, nothing as an empty text."""
    if value is None or value != value:
        return ""
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() else f"{value:.15g}"
    if isinstance(value, dt.datetime):
        return value.isoformat(" ").removesuffix(" 00:00:00")
    return str(value)


def _csv(file: Path, text_field: str) -> list[Row]:
    text, note = decode(file.read_bytes())
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    mark, heading = _delimiter(text, text_field)
    # strict, because else a quotation mark that is never closed swallows the rest in silence
    lines = (line[0] for line in re.finditer(r"[^\n]+\n?|\n", text))
    rows = enumerate(csv.reader(lines, delimiter=mark, strict=True), start=1)
    next(rows)
    return [(label, row, note) for label, row in _by_heading(heading, _until_error(rows))]


def _delimiter(text: str, text_field: str) -> tuple[str, list[str]]:
    """Comma, semicolon (Excel in much of Europe) or tab: the one that gives the text column."""
    found: list[list[str]] = []
    for mark in ",;\t":
        heading = _named(next(csv.reader(text.split("\n", 1)[:1], delimiter=mark), []))
        if text_field in heading:
            return mark, heading
        found.append(heading)
    raise Unread(_no_column(text_field, sorted(found, key=len)[-1]))


def _until_error(
    rows: Iterator[tuple[int, list[str]]],
) -> Iterator[tuple[int, list[str] | str]]:
    number = 1
    try:
        for number, cells in rows:
            yield number, cells
    except csv.Error as error:
        yield (
            number + 1,
            f"from this row on the table is broken ({error}), mostly by a quotation mark in a "
            f"cell: mend it and save anew.",
        )


def _by_heading(
    heading: list[str], rows: Iterable[tuple[int, list[str] | str]]
) -> Iterator[tuple[str, dict[str, Any] | str]]:
    for number, cells in rows:
        if isinstance(cells, str):
            yield f"row {number}", cells
        elif any(cells[len(heading) :]):
            yield (
                f"row {number}",
                f"the row has {len(cells)} cells and the heading {len(heading)}: put texts with "
                f"separators into quotation marks.",
            )
        elif any(cell.strip() for cell in cells):
            yield f"row {number}", dict(zip_longest(heading, cells[: len(heading)], fillvalue=""))


def _named(cells: Iterable[str]) -> list[str]:
    """Headings that are unique and not empty, so that no column is lost."""
    names: list[str] = []
    for number, cell in enumerate(cells, start=1):
        name = cell.strip() or f"column {number}"
        names.append(f"{name} ({number})" if name in names else name)
    return names


def _no_column(text_field: str, found: Iterable[str]) -> str:
    names = ", ".join(list(dict.fromkeys(found))[:20]) or "none"
    return (
        f"no column '{text_field}' (found: {names}): rename the one with the report or name it "
        f"in text_field."
    )


def _jsonl(file: Path, text_field: str) -> list[Row]:
    data = file.read_bytes()
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        data = decode(data)[0].encode()
    # line by line, so that one line in another encoding does not spoil the others
    lines = enumerate(data.splitlines(), start=1)
    rows = [_json_row(number, line) for number, line in lines if line.strip()]
    fields = dict.fromkeys(k for _, row, _ in rows if isinstance(row, dict) for k in row)
    if rows and not fields:
        raise Unread(f"no line is a JSON object with fields; of the first: {rows[0][1]}")
    if rows and text_field not in fields:
        raise Unread(_no_column(text_field, fields))
    return rows


def _json_row(number: int, line: bytes) -> Row:
    label, note = f"row {number}", ""
    try:
        text, note = decode(line)
        row = json.loads(text)
        if _HALF_CHARACTER.search(line):
            json.dumps(row, ensure_ascii=False).encode()
    except Unread as fault:
        return label, str(fault), note
    except UnicodeEncodeError:
        return label, f"line {number} holds half a character (\\ud8..): export it anew.", note
    except (ValueError, RecursionError) as error:
        return label, f"line {number} is not JSON ({error}): mend or remove it.", note
    if not isinstance(row, dict):
        kind = type(row).__name__
        return label, f'line {number} is a JSON {kind}, expected {{"id": ...}}: mend it.', note
    return label, row, note


def _xlsx(file: Path, text_field: str) -> list[Row]:
    from openpyxl import load_workbook  # type: ignore[import-untyped]

    check_zip(file, 2 * MAX_TABLE_BYTES, 2 * MAX_TABLE_BYTES)
    found: list[Row] = []
    seen: list[str] = []
    with warnings.catch_warnings(), file.open("rb") as stream:
        # notes on styles and lists that are not kept
        warnings.simplefilter("ignore")
        for sheet in load_workbook(stream, read_only=True, data_only=True).worksheets:
            rows = _sheet(sheet)
            heading = _named(next(rows, (0, []))[1])
            if text_field in heading and found:
                reason = "only the first sheet with the text column is read: save it as its own."
                found.append((f"sheet {sheet.title}", reason, ""))
            elif text_field in heading:
                found = [(label, row, "") for label, row in _by_heading(heading, rows)]
            seen += heading
    if text_field not in seen:
        raise Unread(_no_column(text_field, seen))
    return found


def _sheet(sheet: Any) -> Iterator[tuple[int, list[str]]]:
    """Rows with something in them, their cells as text."""
    # the size that a file states is often wrong and would cut rows off
    sheet.reset_dimensions()
    for number, values in enumerate(sheet.iter_rows(values_only=True), start=1):
        # Excel writes a carriage return so, and openpyxl leaves it
        cells = [as_text(v).replace("_x000D_", "\r") for v in values]
        if any(cells):
            yield number, cells
