"""The text of one document: Word, HTML, Markdown or plain text."""

from __future__ import annotations

import re
import warnings
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

DOCUMENTS = (".docx", ".htm", ".html", ".md", ".txt")
MAX_BYTES = 20_000_000

_OLE = b"\xd0\xcf\x11\xe0"
_CONTROL = re.compile(r"[\x00-\x08\x0e-\x1f]")
_SPACE = re.compile(r"[ \t\r\n\f]+")
_WORD = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
_FALLBACK = "{http://schemas.openxmlformats.org/markup-compatibility/2006}Fallback"
_DROPPED = frozenset({"script", "style", "template", "title"})
_BLOCKS = frozenset(
    "address article aside blockquote br caption center dd div dl dt fieldset figcaption figure "
    "footer form h1 h2 h3 h4 h5 h6 header hr li main nav ol p pre section table ul".split()
)
_MAX_NESTED = 50


class Unread(Exception):
    """Why a file or a row is not read: one sentence with the remedy."""


def read_document(file: Path) -> tuple[str, str]:
    """Text of a document and a note on its encoding, empty if there is nothing to note.

    Parameters
    ----------
    file : path
        One of `DOCUMENTS`.

    Raises
    ------
    Unread
        If it is not what its extension says. The libraries raise other errors on damaged files.
    """
    suffix = file.suffix.lower()
    if suffix == ".docx":
        check_zip(file, 10 * MAX_BYTES, MAX_BYTES)
        return _docx_text(file), ""
    text, note = decode(file.read_bytes())
    return (_html_text(text) if suffix in (".htm", ".html") else text), note


def decode(data: bytes) -> tuple[str, str]:
    """Text and a note on its encoding: UTF-8, UTF-16 if it says so, else cp1252.

    Raises
    ------
    Unread
        If the bytes are none of these or hold NUL.
    """
    note = ""
    try:
        wide = data.startswith((b"\xff\xfe", b"\xfe\xff"))
        text = data.decode("utf-16" if wide else "utf-8-sig")
    except UnicodeDecodeError:
        text, note = data.decode("cp1252", "replace"), "read as cp1252"
    if "\x00" in text:
        raise Unread("binary content (NUL bytes): give it its true extension or save it as text.")
    # cp1252 takes nearly any byte for a letter; control characters tell binary data apart
    if note and ("\ufffd" in text or _CONTROL.search(text)):
        raise Unread("neither UTF-8 nor Windows text (cp1252): save it as UTF-8.")
    return text, note


def check_zip(file: Path, limit: int, text_limit: int) -> None:
    """See that a .docx or .xlsx file is one and stays in bounds, before anything is unpacked.

    Parameters
    ----------
    file : path
        The file.
    limit, text_limit : int
        Bytes, unpacked: of all parts together, and of the largest that is no picture. XML takes
        some fifty times its size in memory.

    Raises
    ------
    Unread
        If it has a password, is no zip archive, or unpacks to more than a limit.
    """
    suffix = file.suffix.lower()
    with file.open("rb") as stream:
        if stream.read(4) == _OLE:
            raise Unread(
                f"the file has a password or is of an older Office: save it as {suffix} without "
                f"password."
            )
    if not zipfile.is_zipfile(file):
        raise Unread(f"no {suffix} file inside: give it its true extension or save it anew.")
    with zipfile.ZipFile(file) as parts:
        sizes = {part.filename: part.file_size for part in parts.infolist()}
    text = max((size for name, size in sizes.items() if "/media/" not in name), default=0)
    for size, most in ((sum(sizes.values()), limit), (text, text_limit)):
        if size > most:
            raise Unread(
                f"the file unpacks to {size / 1e6:.0f} MB, more than {most / 1e6:.0f} MB: "
                f"divide it or take the pictures out."
            )


def _docx_text(file: Path) -> str:
    from docx import Document

    with file.open("rb") as stream:
        body: Any = Document(stream).element.body
    # text boxes stand twice, moved text also at its old place
    for twin in list(body.iter(_FALLBACK, f"{_WORD}moveFrom")):
        twin.getparent().remove(twin)
    return "\n".join(_docx_blocks(body))


def _docx_blocks(container: Any) -> Iterator[str]:
    """Paragraphs and tables of the body or of a cell, in order.

    Not by python-docx's own iteration, which leaves out content controls, tracked insertions and
    text boxes.
    """
    for block in _own(container, ("p", "tbl"), ("tc", "body")):
        if block.tag == f"{_WORD}p":
            yield "".join(run.text for run in _own(block, ("r",), ("p",)))
        else:
            rows = [_own(row, ("tc",), ("tr",)) for row in _own(block, ("tr",), ("tbl",))]
            yield _table_text([["\n".join(_docx_blocks(cell)) for cell in row] for row in rows])


def _own(parent: Any, tags: Sequence[str], owners: Sequence[str]) -> list[Any]:
    """Descendants that belong to `parent` and not to another owner within it."""
    above = [_WORD + owner for owner in owners]
    inside = parent.iter(*(_WORD + tag for tag in tags))
    return [node for node in inside if next(node.iterancestors(*above), None) is parent]


def _html_text(markup: str) -> str:
    page: list[str] = []
    # open tables: rows of cells of parts
    tables: list[list[list[list[str]]]] = []
    verbatim = 0
    for kind, value in _html_events(markup):
        if kind == "text":
            _innermost(tables, page).append(value if verbatim else _SPACE.sub(" ", value))
            continue
        if value in _BLOCKS:
            _innermost(tables, page).append("\n")
        if value == "pre":
            verbatim += 1 if kind == "start" else -1
        elif value == "table" and kind == "end":
            rows = [["".join(cell) for cell in row] for row in tables.pop()]
            _innermost(tables, page).append(f"\n{_table_text(rows)}\n")
        elif kind == "start":
            _open(value, tables)
    lines = (line.strip(" ") for line in "".join(page).split("\n"))
    return "\n".join(line for line in lines if line)


def _open(name: str, tables: list[list[list[list[str]]]]) -> None:
    """Begin a table, row or cell; ends of rows and cells do not count, they are often left out."""
    if name == "table":
        tables.append([])
        if len(tables) > _MAX_NESTED:
            raise Unread(f"tables nested more than {_MAX_NESTED} deep: save it as text.")
    elif tables and name == "tr":
        tables[-1].append([])
    elif tables and name in ("td", "th"):
        if not tables[-1]:
            tables[-1].append([])
        tables[-1][-1].append([])


def _innermost(tables: list[list[list[list[str]]]], page: list[str]) -> list[str]:
    """The open cell, or the page; a caption stands in no cell and goes before its table."""
    return next((rows[-1][-1] for rows in reversed(tables) if rows and rows[-1]), page)


def _html_events(markup: str) -> Iterator[tuple[str, str]]:
    """Starts and ends of elements, and text; by a stack of its own, as pages may nest deep."""
    from bs4 import BeautifulSoup, CData, NavigableString, Tag

    with warnings.catch_warnings():
        # notes on markup that looks like XML or like a file name
        warnings.simplefilter("ignore")
        soup = BeautifulSoup(_without_loose_ends(markup), "html.parser")
    todo: list[Any] = [soup]
    while todo:
        node = todo.pop()
        if isinstance(node, tuple):
            yield node
        elif isinstance(node, Tag) and node.name not in _DROPPED:
            yield "start", node.name
            todo.append(("end", node.name))
            todo.extend(reversed(node.contents))
        # comments and scripts are of other classes
        elif type(node) in (NavigableString, CData):
            yield "text", str(node)


def _without_loose_ends(markup: str) -> str:
    """Openings that nothing closes as plain text; html.parser takes quadratic time over them."""
    for opening, closing in (("<!--", "-->"), ("<![", "]>"), ("<", ">")):
        end = markup.rfind(closing) + 1
        markup = markup[:end] + markup[end:].replace(opening, f"&lt;{opening[1:]}")
    return markup


def _table_text(rows: Sequence[Sequence[str]]) -> str:
    """Rows as ``| a | b |``; a table for layout (one cell a row, tables within) as its lines."""
    nested = any("\n| " in f"\n{cell}" for row in rows for cell in row)
    if nested or all(len(row) < 2 for row in rows):
        return "\n".join(cell for row in rows for cell in row)
    flat = [[_SPACE.sub(" ", cell).strip(" ") for cell in row] for row in rows if row]
    return "\n".join(f"| {' | '.join(row)} |" for row in flat)
