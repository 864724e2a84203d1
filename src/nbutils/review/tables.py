"""Decisions out to a spreadsheet or a page's file, and back."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from nbutils.examples import DataFileError

from .decisions import DECISIONS, Line, check, standing
from .items import Item

SUFFIXES = (".csv", ".xlsx", ".jsonl")
SHOWN = ("id", "item", "instruction", "input", "output", "findings")
FILLED = ("reviewer", "decision", "reason", "edited_output", "rating", "note")
# names that other tools and earlier files use for the same thing
_ALSO = {"edit": "edited_output", "usefulness": "rating"}
_FORMULA = re.compile(r"^[=+\-@\t\r]")
_CELL_LIMIT = 32767


# --------------------------------------------------------------------------- out


def write_table(
    file: Path, items: Sequence[Item], lines: Iterable[Mapping[str, Any]], reviewer: str
) -> None:
    """Write a queue as a table to fill in; what the reviewer decided already is filled in.

    Parameters
    ----------
    file : Path
        Ends in ``.csv``, ``.xlsx`` or ``.jsonl``.
    items : sequence of Item
        In the order in which they are to be shown.
    lines : iterable of mapping
        Earlier decisions; only those of this reviewer are shown, so that the review stays blind.
    reviewer : str
        Whose table it is.

    Raises
    ------
    DataFileError
        If the suffix is none of the three, or a text does not fit into a cell.
    """
    _known_suffix(file)
    said = {item: line for (name, item), line in standing(lines).items() if name == reviewer}
    rows = [_row(item, said.get(item.hash, {}), reviewer) for item in items]
    file.parent.mkdir(parents=True, exist_ok=True)
    {".csv": _to_csv, ".xlsx": _to_xlsx, ".jsonl": _to_jsonl}[file.suffix.lower()](file, rows)


def _row(item: Item, line: Mapping[str, Any], reviewer: str) -> dict[str, Any]:
    shown = item.front()
    return {
        **{key: shown[key] for key in SHOWN if key != "findings"},
        "findings": "\n".join(shown["findings"]),
        "reviewer": reviewer,
        "decision": line.get("decision"),
        "reason": line.get("reason"),
        "edited_output": line.get("edit"),
        "rating": line.get("rating"),
        "note": line.get("note"),
    }


def _to_jsonl(file: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    file.write_text("".join(json.dumps(r, ensure_ascii=False) + "\n" for r in rows), "utf-8")


def _to_csv(file: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    # the mark at the beginning lets Excel read UTF-8
    with file.open("w", encoding="utf-8-sig", newline="") as out:
        writer = csv.DictWriter(out, [*SHOWN, *FILLED])
        writer.writeheader()
        writer.writerows({key: _harmless(value) for key, value in row.items()} for row in rows)


def _harmless(value: Any) -> Any:
    """Text that a spreadsheet would run as a formula gets an apostrophe in front."""
    return "'" + value if isinstance(value, str) and _FORMULA.match(value) else value


def _to_xlsx(file: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    from openpyxl import Workbook  # type: ignore[import-untyped]
    from openpyxl.styles import Alignment, Font  # type: ignore[import-untyped]
    from openpyxl.utils import get_column_letter  # type: ignore[import-untyped]

    book = Workbook()
    sheet = book.active
    assert sheet is not None
    sheet.title, sheet.freeze_panes = "review", "C2"
    wide = {"input": 55, "output": 70, "findings": 35, "edited_output": 70, "note": 30}
    for column, name in enumerate([*SHOWN, *FILLED], start=1):
        sheet.cell(1, column, name).font = Font(bold=True)
        sheet.column_dimensions[get_column_letter(column)].width = wide.get(name, 14)
        for number, row in enumerate(rows, start=2):
            cell = sheet.cell(number, column)
            cell.alignment = Alignment(wrap_text=True, vertical="top")
            cell.value = _fitting(row[name], f"{row['id']}, {name}")
            if isinstance(row[name], str):
                cell.data_type = "s"  # else a text that begins with = would become a formula
    book.save(file)


def _fitting(value: Any, where: str) -> Any:
    if not isinstance(value, str):
        return value
    if len(value) > _CELL_LIMIT:
        raise DataFileError(
            f"{where}: {len(value)} characters, and a cell holds {_CELL_LIMIT}: export as .jsonl."
        )
    # XML has no room for control characters
    return re.sub(r"[\x00-\x08\x0b\x0c\x0e-\x1f]", "\ufffd", value)


# --------------------------------------------------------------------------- back


def read_table(file: Path, items: Sequence[Item]) -> tuple[dict[str, Any], list[Line]]:
    """Read decisions from a page's file or a table that was filled in.

    Parameters
    ----------
    file : Path
        A ``.jsonl`` file from the page (its first line names run and queue), or a ``.jsonl``,
        ``.csv`` or ``.xlsx`` table with ``id`` or ``item``, ``reviewer``, ``decision`` and, where
        they apply, ``reason``, ``edited_output``, ``rating`` and ``note``. Rows without a
        decision are skipped.
    items : sequence of Item
        The queue; a row that names no item by hash gets that of its id, or, if it has none,
        ``id:`` and the id, so that nothing is lost.

    Returns
    -------
    tuple of dict and list of dict
        The header of a page's file (empty for a table), and decision lines.

    Raises
    ------
    DataFileError
        If the file cannot be read, lacks a column, or a row is no decision; the row is named.
    """
    _known_suffix(file)
    if not file.is_file():
        raise DataFileError(f"{file} does not exist; expected a file of decisions: check the path.")
    read = {".csv": _from_csv, ".xlsx": _from_xlsx, ".jsonl": _from_jsonl}[file.suffix.lower()]
    rows = list(read(file))
    header = rows.pop(0)[1] if rows and "nbutils_review" in rows[0][1] else {}
    hashes = {item.id: item.hash for item in items}
    found = (_line(row, f"{file.name}, row {n},", hashes) for n, row in rows)
    return header, [line for line in found if line]


def _line(row: Mapping[str, Any], where: str, hashes: Mapping[str, str]) -> Line | None:
    if "at" in row and "client" in row:  # a page's own line is kept as it is
        check(row, where)
        return dict(row)
    told = {_ALSO.get(str(k), str(k)): _told(v) for k, v in row.items()}
    decision = str(told.get("decision") or "").lower()
    rating = _rating(told.get("rating"), where)
    if not decision and rating is not None:
        decision = "rate"
    if not decision:
        return None
    if decision not in DECISIONS:
        raise DataFileError(
            f"{where} decides '{decision}'; expected one of {', '.join(DECISIONS)}: correct it."
        )
    name = str(told.get("id") or "")
    # a row of an item that is not here is kept under a name that no item has
    item = told.get("item") or hashes.get(name) or (f"id:{name}" if name else None)
    line = {"item": item, "id": name, "reviewer": told.get("reviewer"), "decision": decision}
    line |= {"reason": told.get("reason"), "edit": _edited(told, decision), "rating": rating}
    line |= {"note": told.get("note")}
    check(line, where)
    return line


def _told(value: Any) -> Any:
    return (value.strip() or None) if isinstance(value, str) else value


def _edited(told: Mapping[str, Any], decision: str) -> str | None:
    text = told.get("edited_output") if decision == "edit" else None
    return text[1:] if text and text.startswith("'") and _FORMULA.match(text[1:]) else text


def _rating(value: Any, where: str) -> int | None:
    if value is None or value == "":
        return None
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = -1.0
    if number not in range(6):
        raise DataFileError(f"{where} has the rating '{value}'; expected a whole number, 0 to 5.")
    return int(number)


def _from_jsonl(file: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    from nbutils.examples import read_jsonl

    yield from enumerate(read_jsonl(file), start=1)


def _from_csv(file: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    data = file.read_bytes()
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:  # Excel saves "CSV" in the machine's own code page
        text = data.decode("cp1252", errors="replace")
    head = text.partition("\n")[0]
    mark = max(",;\t", key=head.count)
    yield from _records(list(csv.reader(io.StringIO(text, newline=""), delimiter=mark)), file)


def _from_xlsx(file: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    import zipfile

    from openpyxl import load_workbook
    from openpyxl.utils.exceptions import (  # type: ignore[import-untyped]
        InvalidFileException,
    )

    try:
        book = load_workbook(file, read_only=True, data_only=True)
    except (zipfile.BadZipFile, InvalidFileException, KeyError, OSError) as error:
        raise DataFileError(
            f"{file.name} is not a workbook ({error}): save it as .xlsx again."
        ) from None
    sheet = book["review"] if "review" in book.sheetnames else book.worksheets[0]
    yield from _records([list(row) for row in sheet.iter_rows(values_only=True)], file)


def _records(rows: Sequence[Sequence[Any]], file: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    heads = [str(cell or "").strip().lower() for cell in rows[0]] if rows else []
    named = {_ALSO.get(head, head) for head in heads}
    for column, also in (("id", "item"), ("reviewer", ""), ("decision", "rating")):
        if not {column, also} & named:
            raise DataFileError(
                f"{file.name} has no column '{column}' (found: {', '.join(heads) or 'none'}): "
                f"export the queue again and fill that in."
            )
    for number, row in enumerate(rows[1:], start=2):
        yield number, {h: v for h, v in zip(heads, row, strict=False) if h}


def _known_suffix(file: Path) -> None:
    if file.suffix.lower() not in SUFFIXES:
        raise DataFileError(
            f"{file.name} ends in '{file.suffix}'; expected {', '.join(SUFFIXES)}: rename it or "
            f"save it as one of them."
        )
