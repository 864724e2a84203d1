"""Any input that is no case: tables, records, lists and prose, read as cells with their keys.

A cell is a number with the words that say whose it is (its row) and what it is (its column). In
prose the clause is the row and the words between two separators are the column.
"""

from __future__ import annotations

import json
import re
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise

from nbutils.claims import masks
from nbutils.claims.grammar import Span, lowered

MAX_CELLS = 2000
_ALIGNED = re.compile(r"\S+(?: \S+)*")
_RULE = re.compile(r"^[\s|:+=-]*$")
_CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z])|_")
_KEY = re.compile(r"q[1-4]\b|(?:19|20)\d\d|[a-z]+")
_ISO_MONTH = re.compile(r"\b((?:19|20)\d\d)-(0[1-9]|1[0-2])\b")
_MONTH = re.compile(rf"\b({'|'.join(f'{m[:3]}(?:{m[3:]})?' for m in masks.MONTHS)})\b")
_SCALES = {"thousand": 1e3, "million": 1e6, "billion": 1e9}
_SCALE = re.compile(r"\b(?:in |us)?(thousand|million|billion)s?\b|\(000'?s?\)")
_CAPTION = re.compile(
    r"(?:\bin (?:\w+ ){0,3}?|[$€£] ?|\b(?:usd|eur|gbp|dollars?|euros?) (?:in )?)"
    r"(thousand|million|billion)s?\b"
)
_PERCENT = re.compile(r"%|\b(?:per ?cent|pct|percentage)\b")
_MONEY = re.compile(r"[$€£]|\b(?:usd|eur|gbp|dollars?|euros?)\b")
_NEGATIVE = re.compile(r"\([$€£]?\s?[\d,.]+\s?%?\)$")
_HEAD = re.compile(r"\s*([^:=;]{1,50}):(?!\d)")
_FIELD_NAME = re.compile(r"\b([A-Za-z_][A-Za-z0-9_]{0,29}) ?[:=] ?[$€£]?$")
_NUMBERED = re.compile(
    r"\b(weeks?|wk|days?|months?|quarters?|periods?|years?|cohorts?|phases?|waves?|groups?|rounds?|"
    r"games?|sites?|stores?|Weeks?|Days?|Months?|Quarters?|Periods?|Cohorts?|Phases?|Groups?|"
    r"Rounds?|Games?|Sites?|Stores?) ?\d{1,3}(?:(?:, | and | to |-|\u2013)\d{1,3}\b)*(?![.,]?\d|%)"
    r"|\b([A-Za-z]{3,}) [A-H]\b(?!')"
)
_ENTRY = re.compile(r"(?:and )?[^\d;:,.]{1,40}[$€£]?\d[\d.,]*\s*%?\s*[.;]?\s*$")
_VARIANT = re.compile(r"_([a-h])\b")
_TAG = re.compile(r"</(t[dhr])>", re.IGNORECASE)
_SCORE = re.compile(r"\d[-\u2013]\d")
_DIGITS = re.compile(r"\d{1,4}")
_COUNTER = re.compile(
    r"week|wk|day|month|quarter|year|period|rank|game|round|no\.?|id|#|number|cohort|phase|group|"
    r"site|store"
)
_YEARLY = re.compile(r"year|date|season|month|quarter|period|fiscal|since|founded|born|from|until")
_YEAR = re.compile(r"\b(?:19|20)\d\d\b")
_CLAUSE = re.compile(r"[;\n]|[.!?](?=\s)")
_FRAGMENT = re.compile(r"[,;|()\n]|\b(?:and|against|versus|vs)\b|[.!?](?=\s)")
_LIST_GAP = re.compile(r"^[\s,;|/\]\[]*(?:and )?$")
_STOP = frozenset(
    (
        "the and for with that from this was were are has have had been but not its all into than "
        "then over under about since after before while when which what who same more less "
        "a an of in on at by to is it as or be per each out up down year years "
        "thousand million billion usd eur gbp dollars euros percent pct"
    ).split()
)
_WHOLE = frozenset(
    ["n", "total", "all", "sampl", "respo", "base", "overa", "reven", "sales", "turno"]
)


@dataclass(slots=True)
class Cell:
    """A number of the input: ``value`` as printed, ``scale`` what its header multiplies it by."""

    value: float
    unit: str
    decimals: int
    scale: float
    text: str
    row: int
    column: int
    label: str
    score: str = ""


@dataclass
class Table:
    """Cells, the words of their rows and columns, and the order of both where time gives one.

    Attributes
    ----------
    cells : list of Cell
        In the order of the text.
    rows, columns : dict
        The words that name each row and column.
    when_row, when_column : dict
        The time of a row or column, where its label tells one.
    prose : bool
        Whether the rows are clauses, and columns only the words around a number.
    names : set of float
        Numbers that are labels, such as the 18 and 29 of an age group.
    by_name : dict
        Columns by the name under which they were opened.
    """

    cells: list[Cell] = field(default_factory=list)
    rows: dict[int, frozenset[str]] = field(default_factory=dict)
    columns: dict[int, frozenset[str]] = field(default_factory=dict)
    when_row: dict[int, float] = field(default_factory=dict)
    when_column: dict[int, float] = field(default_factory=dict)
    prose: bool = False
    names: set[float] = field(default_factory=set)
    by_name: dict[str, int] = field(default_factory=dict)

    def column(self, name: str, row: int, words: frozenset[str]) -> int:
        """The column of a name, a new one where it has none yet or the row has filled it."""
        place = self.by_name.get(name, -1) if name or not self.prose else -1
        if place < 0 or (
            self.cells and (self.cells[-1].row, self.cells[-1].column) == (row, place)
        ):
            place = len(self.columns)
            self.by_name.setdefault(name, place)
        self.columns[place] = words
        return place

    def when(self, a: Cell, b: Cell) -> tuple[float, float] | None:
        """The times of two cells of one series, None if nothing orders them."""
        for same, times, own, other in (
            (a.row == b.row, self.when_column, a.column, b.column),
            (a.column == b.column, self.when_row, a.row, b.row),
        ):
            if same and own in times and other in times:
                return times[own], times[other]
        return None

    @cached_property
    def lines(self) -> dict[tuple[str, int], list[Cell]]:
        """The cells of each row and column, in their order."""
        found: dict[tuple[str, int], list[Cell]] = {}
        for cell in self.cells:
            found.setdefault(("row", cell.row), []).append(cell)
            found.setdefault(("column", cell.column), []).append(cell)
        for (kind, _), members in found.items():
            if kind == "row":
                members.sort(key=lambda c: self.when_column.get(c.column, c.column))
            else:
                members.sort(key=lambda c: self.when_row.get(c.row, c.row))
        return found

    @cached_property
    def values(self) -> list[tuple[float, int]]:
        """The values that a text may print for each cell, sorted, with the cell's place."""
        return sorted(
            (value * by, place)
            for place, cell in enumerate(self.cells)
            for value in [abs(cell.value)]
            for by in {1.0, cell.scale, 1e3, 100.0}
        )

    @cached_property
    def wholes(self) -> list[Cell]:
        """Cells that tell a total, a number of all, or a revenue: bases of shares."""
        found = []
        for cell in self.cells:
            words = self.columns.get(cell.column, frozenset()) | self.rows[cell.row]
            if words & _WHOLE:
                found.append(cell)
        return found[:20]

    @cached_property
    def few_columns(self) -> list[list[Cell]]:
        """The columns of more than one cell, where there are few of them."""
        several = [
            cells for (kind, _), cells in self.lines.items() if kind == "column" and len(cells) > 1
        ]
        return several if len(several) <= 8 and not self.prose else []

    def near(self, low: float, high: float) -> list[Cell]:
        """Cells that may be printed as a number between two bounds."""
        first = bisect_left(self.values, (low, -1))
        found = []
        for value, place in self.values[first : first + 200]:
            if value > high:
                break
            found.append(place)
        return [self.cells[place] for place in dict.fromkeys(sorted(found))]

    def series(self, cell: Cell) -> Iterator[list[Cell]]:
        """The row and the column of a cell, in their order."""
        for name in (("row", cell.row), ("column", cell.column)):
            members = [c for c in self.lines.get(name, ())[:400] if c.unit == cell.unit]
            if len(members) > 1 and not (self.prose and name[0] == "column"):
                yield members


def _dated(text: str) -> str:
    """The text with 2024-03 written as "2024 march"."""
    return _ISO_MONTH.sub(lambda m: f"{m[1]} {masks.MONTHS[int(m[2]) - 1]}", text)


def keys(text: str) -> frozenset[str]:
    """The words, years and quarters of a label, words cut to five letters."""
    text = _dated(text)
    text = _VARIANT.sub(lambda m: f" {m[1].upper()}", text)
    words = _KEY.findall(f"{text} {_CAMEL.sub(' ', text)}".lower())
    return frozenset([w[:5] for w in words if w not in _STOP] + [k for k, _, _ in numbered(text)])


def numbered(text: str) -> list[tuple[str, int, int]]:
    """Names with a number or letter, "week 3", "server B", as keys with their offsets."""
    found = []
    for match in _NUMBERED.finditer(text):
        noun = match[1] or match[2]
        stem = noun.lower().removesuffix("s").replace("wk", "week")[:5]
        first = match.start()
        for part in re.finditer(r"\d+|\b[A-H]\b", match[0][len(noun) :]):
            end = match.start() + len(noun) + part.end()
            found.append((f"{stem} {part[0]}", first, end))
            first = end
    return found


def order(label: str) -> float | None:
    """When a label was, on a scale of its own: years, quarters, months, or a counted period."""
    low = _dated(label).lower()
    year = re.search(r"\b(?:fy ?)?((?:19|20)\d\d)\b", low)
    quarter = re.search(r"\bq([1-4])\b", low)
    month = _MONTH.search(low)
    counted = re.search(r"\b(?:day|week|month|quarter|year|period|wk) ?(\d{1,3})\b", low)
    if not (year or quarter or month or counted):
        return None
    within = int(quarter[1]) / 5 if quarter else 0.0
    if month:
        within = [m[:3] for m in masks.MONTHS].index(month[1][:3]) / 12
    return (float(year[1]) if year else 0.0) + (int(counted[1]) if counted else within)


def read_tables(text: str, spans: list[Span]) -> list[Table]:
    """Every number of a text as a cell; tables keep their rows and columns."""
    spans = spans[:MAX_CELLS]
    whole = _json(text)
    if whole:
        return [whole]
    caption = _CAPTION.search(text.lower()[:2000])
    scale = _SCALES[caption[1]] if caption else 1.0
    found: list[Table] = []
    records, prose = Table(), Table(prose=True)
    starts = [s.start for s in spans]
    for start, end, mark in _blocks(text):
        own = spans[bisect_left(starts, start) : bisect_left(starts, end)]
        if mark:
            found += _grids(text, start, end, mark, own, scale)
        else:
            _clauses(records, prose, text, start, end, own, scale)
    return [t for t in (*found, records, prose) if t.cells]


def _blocks(text: str) -> Iterator[tuple[int, int, str]]:
    """Stretches of lines: tables with the mark between their fields, and the rest."""
    lines = [(m.start(), m.end(), m[0]) for m in re.finditer(r"[^\n]+", text)]
    marks = [_mark(line) for _, _, line in lines]
    i = 0
    while i < len(lines):
        j = i + 1
        while j < len(lines) and marks[j] == marks[i]:
            j += 1
        size = 3 if marks[i] in (",", ";") else 2
        yield lines[i][0], lines[j - 1][1], marks[i] if j - i >= size else ""
        i = j


def separated(text: str) -> str:
    """The text with tabs between the fields of comma-separated lines and of HTML tables.

    So 10,8 are two numbers; every offset is kept.
    """
    text = _TAG.sub(lambda m: ("\n" if "r" in m[1] else "\t").rjust(len(m[0])), text)
    pieces = list(text)
    for start, end, mark in _blocks(text):
        quoted = False
        for i in range(start, end if mark in (",", ";") else start):
            quoted ^= text[i] == '"'
            if text[i] == mark and not quoted:
                pieces[i] = "\t"
    return "".join(pieces)


def _mark(line: str) -> str:
    if "|" in line:
        return "|"
    if "\t" in line.strip():
        return "\t"
    # two blanks after a full stop are prose
    if re.search(r"[^\s.!?:;,] {2,}\S", line) or re.match(r" {6,}\S+$", line):
        return "  "
    for mark in ",;":
        if line.count(mark) > 1 and not re.search(rf"[.:]\s|{mark} ", line):
            return mark
    return ""


def _grids(
    text: str, start: int, end: int, mark: str, spans: list[Span], scale: float
) -> Iterator[Table]:
    """The tables of a block; a line of labels without a number begins a new one."""
    table, header, at = Table(), list[tuple[int, int, str]](), 0
    for number, line in enumerate(re.finditer(r"[^\n]+", text[start:end])):
        if _RULE.match(line[0]):
            continue
        begin = start + line.start()
        fields = _fields(line[0], mark)
        own: list[tuple[int, Span]] = []
        while at < len(spans) and spans[at].start < begin + len(line[0]):
            place = spans[at].start - begin
            column = next((k for k, f in enumerate(fields) if f[0] <= place < f[1]), None)
            if column is not None and not spans[at].spelled:
                own.append((column, spans[at]))
            at += 1
        counted = _counted(fields, header, own)
        own = own[1:] if counted else own
        own += _like_years(fields, header, {place for place, _ in own})
        if not own:
            if sum(bool(f[2].strip()) for f in fields) > 1 or not header:
                if table.cells:
                    yield table
                table, header = Table(), fields
            continue
        named = {place for place, _ in own}
        label = counted or " ".join(f[2].strip() for k, f in enumerate(fields) if k not in named)
        _row(table, number, label)
        for place, span in own:
            column = _under(header, fields[place]) if mark == "  " and header else place
            head = header[column][2].strip() if column < len(header) else ""
            cell = _cell(span, head, label, fields[place][2], scale)
            cell.row, cell.column = number, column
            cell.label = f"{label[:40]} {head[:30]}".strip()
            cell.score = _score(text, span)
            table.cells.append(cell)
            _column(table, column, head)
    if table.cells:
        yield table


def _counted(
    fields: list[tuple[int, int, str]],
    header: list[tuple[int, int, str]],
    own: list[tuple[int, Span]],
) -> str:
    """The label of a row that its first field counts, "Week 3"; empty if it counts nothing."""
    head = header[0][2].strip() if header else ""
    first = own and own[0][0] == 0 and fields[0][2].strip().isdigit()
    if not first or not _COUNTER.fullmatch(head.lower()):
        return ""
    others = " ".join(f[2].strip() for k, f in enumerate(fields) if k and k not in dict(own))
    return f"{head.rstrip('.')} {fields[0][2].strip()} {others}"


def _like_years(
    fields: list[tuple[int, int, str]], header: list[tuple[int, int, str]], taken: set[int]
) -> list[tuple[int, Span]]:
    """Values such as 1980 under a heading that is not one of years."""
    found = []
    for place, (start, end, printed) in enumerate(fields):
        head = header[place][2].strip() if place < len(header) else ""
        told = place and place not in taken and _YEAR.fullmatch(printed.strip())
        if told and head and not _YEARLY.search(head.lower()) and order(head) is None:
            found.append((place, Span(start, end, printed.strip(), float(printed), 1.0, 1.0)))
    return found


def _under(header: list[tuple[int, int, str]], field: tuple[int, int, str]) -> int:
    """The place of the heading that a field stands under, in columns aligned by blanks."""

    def away(place: int) -> int:
        start, end, _ = header[place]
        return min(abs(start - field[0]), abs(end - field[1]))

    return min(range(len(header)), key=away)


def _row(table: Table, row: int, label: str) -> None:
    table.rows[row] = keys(label)
    when = order(label)
    if when is not None:
        table.when_row[row] = when


def _column(table: Table, column: int, head: str) -> None:
    table.columns[column] = keys(head)
    when = order(head)
    if when is not None:
        table.when_column[column] = when


def _fields(line: str, mark: str) -> list[tuple[int, int, str]]:
    """The fields of a line with their offsets; a currency sign alone belongs to the next one."""
    if mark == "  ":
        found: list[tuple[int, int, str]] = []
        for m in _ALIGNED.finditer(line):
            if found and found[-1][2] in ("$", "€", "£"):
                found[-1] = found[-1][0], m.end(), line[found[-1][0] : m.end()]
            else:
                found.append((m.start(), m.end(), m[0]))
        return found
    fields, begin = [], 0
    for i, letter in enumerate(line + mark):
        if letter == mark:
            fields.append((begin, i, line[begin:i].strip('" ')))
            begin = i + 1
    if mark == "|" and len(fields) > 2:
        fields = fields[not fields[0][2] : len(fields) - (not fields[-1][2])]
    return fields


def _cell(span: Span, head: str, label: str, printed: str, scale: float) -> Cell:
    """A number with the unit and scale that its header, its row or the caption give it."""
    around = _CAMEL.sub(" ", f"{head} {label}").lower()
    own = _SCALE.search(lowered(head)) or _SCALE.search(lowered(label))
    by = scale
    if own:
        by = _SCALES.get(own[1] or "thousand", 1e3)
    unit = span.unit
    if not unit and _PERCENT.search(around):
        unit = "%"
    elif not unit and _MONEY.search(around):
        unit = "money"
    value = span.value * (span.sign or 1)
    if span.scale > 1 or unit == "%":
        by = 1.0
    if _NEGATIVE.search(printed.strip()):
        value = -abs(value)
    return Cell(value, unit, span.decimals, by, span.text, 0, 0, "")


def _clauses(
    records: Table, prose: Table, text: str, start: int, end: int, spans: list[Span], scale: float
) -> None:
    """Numbers of "key: value" lines and of prose: a row a clause, a column a label or number.

    Clauses that differ in their numbers and their first words alone are the rows of a table.
    """
    borders = [start, *(m.end() for m in _CLAUSE.finditer(text, start, end)), end]
    clauses: list[tuple[int, int, int, list[Span]]] = []
    shapes: Counter[str] = Counter()
    at = 0
    for left, right in pairwise(borders):
        head = _HEAD.match(text, left, min(right, left + 60))
        own: list[Span] = []
        while at < len(spans) and spans[at].start < right:
            if head and spans[at].start < head.end():
                records.names.add(spans[at].value)
            else:
                own.append(spans[at])
            at += 1
        if own:
            clauses.append((left, right, head.end() if head else left, own))
            shapes[_shape(text, right, own)] += 1
    for left, right, body, own in clauses:
        shape = _shape(text, right, own)
        alike = shapes[shape] > 1 and (
            len(own) > 1 or body > left or _ENTRY.match(text, body, right) is not None
        )
        _clause(records, prose, text, (left, body, right), own, shape if alike else "", scale)


def _shape(text: str, end: int, own: list[Span]) -> str:
    """A clause from its first number on, without its numbers."""
    pieces = [text[a.end : b.start] for a, b in pairwise(own)]
    return "#".join(["", *pieces, text[own[-1].end : min(end, own[-1].end + 80)]]).rstrip(" .;\n")


def _clause(
    records: Table,
    prose: Table,
    text: str,
    edges: tuple[int, int, int],
    own: list[Span],
    shape: str,
    scale: float,
) -> None:
    """One clause of numbers; ``edges`` are its begin, the end of its head, and its end."""
    left, body, right = edges
    chunk, head = text[left : min(right, left + 600)], keys(text[left:body])
    entry = len(own) == 1 and _ENTRY.match(chunk, body - left) is not None
    fields = _FIELD_NAME.search(text, max(left, own[0].start - 40), own[0].start) is not None
    table = records if body > left or entry or fields or shape else prose
    row = left
    table.rows[row] = keys(chunk) | frozenset(_DIGITS.findall(text[left:body]))
    when = order(text[left : body if body > left else own[0].start])
    if when is not None and (len(own) == 1 or shape):
        table.when_row[row] = when
    # "14, 12 and 9 in 2019, 2018 and 2017, respectively"
    years = _YEAR.findall(chunk) if len(own) > 1 else []
    years = years if len(years) == len(own) else []
    gaps = [text[a.end : b.start] for a, b in pairwise(own)]
    listed = len(own) > 2 and all(_LIST_GAP.match(gap) for gap in gaps) and not years
    for k, span in enumerate(own):
        edge = own[k - 1].end if k else body
        until = own[k + 1].start if k + 1 < len(own) else right
        name = _FIELD_NAME.search(text, max(edge, span.start - 40), span.start)
        before = (
            name[1] if name else _FRAGMENT.split(text[max(edge, span.start - 200) : span.start])[-1]
        )
        after = "" if name else _FRAGMENT.split(text[span.end : min(until, span.end + 200)])[0]
        if shape and not name:
            before = "" if keys(after) or not k else before
        label = "" if entry else f"{before} {span.text} {after}"
        words = keys(label) - head
        words = words - keys(" ".join(years)) | {years[k]} if years else words
        named = f"{shape} {k}" if shape else " ".join(sorted(words)) if not table.prose else ""
        column = table.column(named, row, words)
        cell = _cell(span, "", before[-40:], span.text, scale)
        cell.row, cell.column, cell.score = row, column, _score(text, span)
        cell.label = " ".join((label or chunk).split())[:50]
        table.cells.append(cell)
        if not entry and not table.prose:
            table.rows[row] -= words
        if listed or years:
            table.when_column[column] = float(years[k]) if years else float(k)


def _score(text: str, span: Span) -> str:
    """The words around a number that is one side of a score such as 104-98, else nothing."""
    around = text[max(0, span.start - 4) : span.end + 4]
    own = text[max(0, span.start - 2) : span.end + 2]
    return around if _SCORE.search(own) else ""


def _json(text: str) -> Table | None:
    """The numbers of a JSON text: a row a record or list, a column a field or place."""
    if text.lstrip()[:1] not in ("{", "["):
        return None
    try:
        data = json.loads(text)
    except (ValueError, RecursionError):
        return None
    table = Table()
    columns: dict[str, int] = {}

    def add(number: float, row: int, name: str, said: str, at: int | None = None) -> None:
        if not abs(number) < 1e300:
            return
        column = columns.setdefault(name if at is None else f"{name} {at}", len(columns))
        printed = f"{number:.12g}"
        decimals = len(printed.partition(".")[2])
        value = abs(float(number))
        span = Span(0, 0, printed, value, 10.0**-decimals, 0, decimals=decimals)
        cell = _cell(span, name, said, printed, 1.0)
        cell.value = float(number)
        cell.row, cell.column, cell.label = row, column, name
        table.cells.append(cell)
        table.columns[column] = keys(name) if at is None else frozenset()
        when = order(name) if at is None else float(at)
        if when is not None:
            table.when_column[column] = when

    def walk(node: object, path: str) -> None:
        if len(table.cells) >= MAX_CELLS:
            return
        row = len(table.rows)
        if isinstance(node, dict):
            said = " ".join(v for v in node.values() if isinstance(v, str))
            table.rows[row] = keys(f"{path} {said}")
            when = order(said)
            if when is not None:
                table.when_row[row] = when
            for name, value in node.items():
                if isinstance(value, int | float) and not isinstance(value, bool):
                    add(value, row, str(name), f"{path} {said}")
            for name, value in node.items():
                if isinstance(value, dict | list):
                    walk(value, f"{path} {said} {name}")
        elif isinstance(node, list):
            numbers = [v for v in node if isinstance(v, int | float) and not isinstance(v, bool)]
            if len(numbers) == len(node) and node:
                table.rows[row] = keys(path)
                for k, value in enumerate(numbers):
                    add(value, row, path.strip() or "list", "", k)
            else:
                for value in node:
                    walk(value, path)

    walk(data, "")
    return table if table.cells else None
