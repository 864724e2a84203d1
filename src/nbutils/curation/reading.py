"""Reports from the files people keep them in; what cannot be read is listed with its reason."""

from __future__ import annotations

import hashlib
import os
import stat
from collections import Counter
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

import pandas as pd

from nbutils.curation.documents import DOCUMENTS, MAX_BYTES, Unread, read_document
from nbutils.curation.tabular import MAX_TABLE_BYTES, TABLES, as_text, read_table
from nbutils.examples import DataFileError

COLUMNS = ("id", "text", "source", "sha256", "note")
FORMATS = (*DOCUMENTS, *TABLES)

_EXCEL_CELL = 32_767


def read_reports(
    path: str | Path, *, text_field: str = "text", id_field: str = "id"
) -> tuple[pd.DataFrame, pd.DataFrame]:
    r"""Read the reports of a folder or of one file.

    Documents (.md, .txt, .docx, .html, .htm) hold one report each; tables (.csv, .xlsx, .jsonl)
    one a row. A folder is searched with its subfolders; hidden files and the ``~$`` lock files of
    Office are passed over, links to folders and links out of the folder are listed, not followed.

    Text is read as UTF-8, as UTF-16 if it says so, else as cp1252. Line ends become ``\n`` and
    spaces at line ends go; tabs and non-breaking spaces stay. Of a Word file the body is read as
    if all tracked changes were accepted, without headers, footers, footnotes, comments and list
    numbers. Tables in Word and HTML become ``| a | b |`` rows; those with one cell a row, or with
    tables inside, are taken for layout and become plain lines. Of a workbook the first sheet with
    the text column is read, its cells as text.

    Parameters
    ----------
    path : path
        A folder, or one file.
    text_field, id_field : str
        Columns of tables that hold the report and its id.

    Returns
    -------
    reports : DataFrame
        By path, then as in the file: ``id``, ``text``, ``source`` (file relative to the folder,
        in tables with ``, row N``: the line of a .jsonl file, else the row as a spreadsheet
        counts, with the heading in row 1), ``sha256`` (first 16 hex digits, of the text as kept),
        ``note`` (what was noticed, mostly empty) and the further columns of tables; one of these
        that bears a name above gets ``_in_file`` added. The id of a document is its file name
        without extension, or its path where files share the name; a row without id is called
        after file and row. An id that stands twice is renamed ``ID-2``, ``ID-3``, and noted.
    unread : DataFrame
        ``source`` and ``reason``, for every file and row that was not read: unknown or damaged
        format, password, binary content, no text, over `MAX_BYTES` (documents) or
        `MAX_TABLE_BYTES`, no text column, a broken line.

    Raises
    ------
    DataFileError
        If the path does not exist or the folder holds no files. A folder of which nothing could
        be read is no error.
    """
    files = _files(Path(path))
    stems = _stems([source for source, _ in files])
    records: list[dict[str, Any]] = []
    unread: list[tuple[str, str]] = []
    for source, file in files:
        for where, found in _read(file, source, stems[source], (text_field, id_field)):
            if isinstance(found, str):
                unread.append((where, found))
            else:
                records.append({**found, "source": where})
    reports = pd.DataFrame(_renamed(records), columns=None if records else list(COLUMNS))
    return reports, pd.DataFrame(unread, columns=["source", "reason"])


def _files(root: Path) -> list[tuple[str, Path | str]]:
    """Source and file, or source and why it is not read; by path."""
    if root.is_file():
        return [(root.name, root)]
    if not root.is_dir():
        raise DataFileError(
            f"{root}: no such file or folder; expected reports there ({', '.join(FORMATS)}): "
            f"check the path."
        )
    found = sorted(_walk(root), key=lambda pair: pair[0])
    if not found:
        raise DataFileError(
            f"{root}: the folder holds no files; expected reports there ({', '.join(FORMATS)}): "
            f"add some or check the path."
        )
    return found


def _walk(root: Path) -> Iterator[tuple[str, Path | str]]:
    def source(file: Path | str) -> str:
        # a name that is not UTF-8 would break the frame
        return os.fsencode(Path(file).relative_to(root).as_posix()).decode("utf-8", "replace")

    denied: list[OSError] = []
    for place, folders, names in os.walk(root, onerror=denied.append):
        folders[:] = [f for f in folders if not f.startswith(".")]
        for folder in (Path(place, f) for f in folders):
            if folder.is_symlink():
                yield source(folder), "a link to a folder is not followed: copy the folder here."
        for file in (Path(place, n) for n in names if not n.startswith((".", "~$"))):
            yield source(file), _link_fault(file, root) or file
    for error in denied:
        reason = f"the folder cannot be opened ({error.strerror}): check its permissions."
        yield source(error.filename), reason


def _link_fault(file: Path, root: Path) -> str:
    if not file.is_symlink():
        return ""
    try:
        inside = file.resolve(strict=True).is_relative_to(root.resolve())
    except (OSError, RuntimeError):
        return "the link leads nowhere: mend it or copy the file here."
    return "" if inside else "the link leads out of the folder: copy the file here."


def _stems(sources: list[str]) -> dict[str, str]:
    paths = {source: PurePosixPath(source) for source in sources}
    shared = Counter(p.stem for p in paths.values())
    return {s: p.stem if shared[p.stem] == 1 else str(p.with_suffix("")) for s, p in paths.items()}


def _read(
    file: Path | str, source: str, stem: str, fields: tuple[str, str]
) -> Iterator[tuple[str, dict[str, Any] | str]]:
    """Sources, each with its record or the reason why there is none."""
    if isinstance(file, str):
        yield source, file
        return
    try:
        if _checked(file) in DOCUMENTS:
            yield source, _record(stem, *read_document(file), {})
            return
        rows = read_table(file, fields[0])
    # the libraries raise all kinds of errors on damaged files, and the others are to be read
    except Exception as error:
        yield source, _reason(error)
        return
    for label, row, note in rows:
        name = f"{stem}-{label.removeprefix('row ')}"
        yield (
            f"{source}, {label}",
            row if isinstance(row, str) else _of_row(row, name, note, fields),
        )


def _reason(error: Exception) -> str:
    if isinstance(error, Unread):
        return str(error)
    if isinstance(error, OSError) and error.strerror:
        return f"the file cannot be opened ({error.strerror}): check it and its permissions."
    said = " ".join(f"{type(error).__name__}: {error}".split())[:120]
    return f"the file is damaged ({said}): open it and save it anew."


def _checked(file: Path) -> str:
    """The extension, once kind and size of the file are seen to be in bounds; loads nothing."""
    suffix, status = file.suffix.lower(), file.stat()
    if not stat.S_ISREG(status.st_mode):
        raise Unread("no regular file: remove it.")
    if suffix not in FORMATS:
        raise Unread(
            f"files {f'with extension {suffix}' if suffix else 'without extension'} are not read: "
            f"save it as one of {', '.join(FORMATS)}."
        )
    limit = MAX_BYTES if suffix in DOCUMENTS else MAX_TABLE_BYTES
    if status.st_size > limit:
        size = f"{status.st_size / 1e6:.0f} MB, more than {limit / 1e6:.0f} MB"
        raise Unread(f"the file has {size}: divide it.")
    if not status.st_size:
        raise Unread("the file is empty: fill or remove it.")
    return suffix


def _of_row(
    row: dict[str, Any], name: str, note: str, fields: tuple[str, str]
) -> dict[str, Any] | str:
    text_field, id_field = fields
    text, given = row.get(text_field), as_text(row.get(id_field)).strip()
    if isinstance(text, (list, dict)):
        return f"the field '{text_field}' is a {type(text).__name__}: make it one text."
    if id_field in row and not given:
        note = _both(note, "no id: named after file and row")
    others = {k: v for k, v in row.items() if k not in fields}
    try:
        return _record(given or name, as_text(text), note, others)
    except Unread as fault:
        return str(fault)


def _record(name: str, text: str, note: str, others: dict[str, Any]) -> dict[str, Any]:
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    kept = "\n".join(line.rstrip(" ") for line in lines).strip("\n")
    if not kept.strip():
        raise Unread("there is no text in it: fill or remove it.")
    if "\x00" in kept:
        raise Unread("the text holds NUL characters, as binary data do: export it anew.")
    if len(text) == _EXCEL_CELL:
        note = _both(note, f"exactly {_EXCEL_CELL:,} characters, where Excel cuts a cell")
    digest = hashlib.sha256(kept.encode()).hexdigest()[:16]
    record = {"id": name, "text": kept, "source": "", "sha256": digest, "note": note}
    return record | {f"{k}_in_file" if k in record else k: v for k, v in others.items()}


def _renamed(records: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The records with ids that stand once."""
    taken = {r["id"] for r in records}
    times: Counter[str] = Counter()
    unique = []
    for record in records:
        name = new = record["id"]
        times[name] += 1
        if times[name] > 1:
            while (new := f"{name}-{times[name]}") in taken:
                times[name] += 1
            taken.add(new)
            note = _both(record["note"], f"id {name} stood twice: renamed")
            record = {**record, "id": new, "note": note}
        unique.append(record)
    return unique


def _both(*notes: str) -> str:
    return "; ".join(note for note in notes if note)
