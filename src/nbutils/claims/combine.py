"""What cells give together: changes, shares, ratios, sums and means, and what is compared."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from nbutils.claims.changes import show
from nbutils.claims.grammar import PERIOD_WORDS, Span
from nbutils.claims.tables import Cell, Table

_RANGE = re.compile(r"\b(?:range|spread|span)\b")
_OVERALL = re.compile(
    r"\bfirst\b.*\blast\b|\bstart\b.*\bend\b|"
    r"\b(?:over|in) the (?:\w+ )?(?:whole|period|series|days|weeks|months|quarters|years?)\b"
)
_PER = re.compile(r"\b(?:per|each|every|an?)\b")
Found = tuple[Table, Cell]
Result = tuple[float, str]


def repeats(span: Span, cell: Cell) -> bool:
    """Whether a printed number is a cell's, rounding, hedge and scale allowed for."""
    if not same_unit(span, cell):
        return False
    value, (low, high) = abs(cell.value), span.interval()
    if span.sign < 0 < cell.value:
        return False
    exact = span.decimals >= cell.decimals and not span.hedge and span.scale == 1
    values = {value, value * cell.scale, value * span.scale}
    if span.scale >= 1e6 and value >= 1e3 and cell.scale == 1:
        # a table in thousands that does not say so
        values.add(value * 1e3)
    if span.unit == "%" and cell.unit == "" and value <= 1 and cell.decimals > 1:
        values.add(100 * value)
    if exact:
        return any(abs(v - span.value) <= 1e-9 * max(1.0, v) for v in values)
    return any(low <= v <= high for v in values)


def same_unit(span: Span, cell: Cell) -> bool:
    """Whether a printed number and a cell may be told in the same unit."""
    if span.unit in PERIOD_WORDS:
        return cell.unit in (span.unit, "")
    own = {"points": "", "pp": "%"}.get(span.unit, span.unit)
    theirs = {"points": "", "pp": "%"}.get(cell.unit, cell.unit)
    if own == theirs or (cell.unit == "points" and span.unit == "pp"):
        return True
    if "%" in (own, theirs):
        return "" in (own, theirs)
    return {own, theirs} <= {"", "money"} or (own == "" and theirs in PERIOD_WORDS)


def unique(found: Iterable[Found]) -> list[Found]:
    """Each cell once, in order."""
    return list({id(cell): (table, cell) for table, cell in found}.values())


def score_of(carried: list[Found]) -> bool:
    """Whether the last two cells told are the two sides of a score."""
    (table, a), (other, b) = carried[:2]
    return table is other and (a.row == b.row or a.column == b.column) and a.unit == b.unit == ""


def neighbours(table: Table, cell: Cell) -> Iterator[Cell]:
    """The cells before a cell, and the first and last, in a series that time orders."""
    for series in table.series(cell):
        if len(series) > 1 and table.when(series[0], series[1]):
            place = next(k for k, c in enumerate(series) if c is cell)
            if place:
                yield series[place - 1]
            yield series[0]
            yield series[-1]


def previous(table: Table, cell: Cell) -> Iterator[Cell]:
    """What a cell is compared with when nothing else is named: the one before, the only other."""
    for series in table.series(cell):
        place = next(k for k, c in enumerate(series) if c is cell)
        if len(series) == 2:
            yield series[1 - place]
        elif place and table.when(series[0], series[1]):
            yield series[place - 1]


def spans(table: Table, cell: Cell, low: str) -> Iterator[tuple[Cell, Cell]]:
    """Lowest and highest where a range is spoken of, first and last where a whole period is."""
    for series in table.series(cell):
        if _RANGE.search(low):
            yield min(series, key=lambda c: c.value), max(series, key=lambda c: c.value)
        if _OVERALL.search(low):
            yield series[0], series[-1]


def ends(table: Table) -> Iterator[Cell]:
    """First, last, highest and lowest of the only series of a table."""
    series = list(table.series(table.cells[0]))
    if len(series) == 1:
        members = series[0]
        yield from (members[0], members[-1])
        yield max(members, key=lambda c: c.value)
        yield min(members, key=lambda c: c.value)


def gathered(
    pool: list[Found], tables: list[Table], span: Span, total: bool, mean: bool, stated: bool
) -> Iterator[Result]:
    """Sums and means of whole series and of the cells named, in the scale of the table."""
    groups: list[tuple[str, list[Cell]]] = []
    for table, cell in pool[:6]:
        groups += [(f"the series of {cell.label}", s) for s in table.series(cell)]
    if not stated:
        groups += [("a column", s) for table in tables for s in table.few_columns]
    cells = [c for _, c in pool]
    if stated:
        groups += [("the values named", cells[:k]) for k in range(2, 6) if len(cells) >= k]
    else:
        for own in ("column", "row"):
            for place in {getattr(c, own) for c in cells}:
                members = [c for c in cells if getattr(c, own) == place]
                groups.append(("the values named", members))
    for what, members in groups:
        if len(members) > 1 and all(_addable(span, c) for c in members):
            whole = sum(c.value * c.scale for c in members)
            for by in {1.0, members[0].scale}:
                if total:
                    yield abs(whole) / by, f"sum of {what} ({len(members)} values)"
                if mean:
                    yield abs(whole) / by / len(members), f"mean of {what} ({len(members)} values)"


def complements(pool: list[Found], change: bool) -> Iterator[Result]:
    """What is missing to the whole, and how far a ratio is from one."""
    for _, cell in pool:
        if cell.unit == "%" and not change and 0 < cell.value < 100:
            yield 100 - cell.value, f"100% - {cell.text}"
        elif cell.unit == "" and cell.decimals > 1 and 0 < cell.value < 3:
            yield abs(1 - cell.value) * 100, f"{cell.text} - 1"


def of_whole(pool: list[Found]) -> Iterator[Result]:
    """The share of a cell in its column, or in the number of all that the table tells."""
    for table, cell in pool:
        if cell.unit == "%" or cell.row < 0 or table.prose:
            continue
        column = table.lines.get(("column", cell.column), [])[:400]
        members = [c for c in column if c.unit == cell.unit]
        whole = sum(c.value for c in members)
        if len(members) > 2 and whole:
            yield cell.value / whole * 100, f"{cell.text} of {show(whole)}"
        for other in table.wholes:
            apart = other.row != cell.row and other.column != cell.column and len(members) > 1
            fits = other is not cell and not (apart and table.when_column)
            if fits and other.value > cell.value:
                yield cell.value / other.value * 100, f"{cell.text} / {other.text}"


def _addable(span: Span, cell: Cell) -> bool:
    if span.unit in ("%", "pp"):
        return cell.unit in ("%", "pp")
    return cell.unit in ("", "money", "points") or cell.unit in PERIOD_WORDS


def pair(
    span: Span, table: Table, a: Cell, b: Cell, together: bool, sign: int, low: str
) -> Iterator[Result]:
    """What two cells give in the unit of a number; ``low`` is the sentence unless of a change."""
    times = table.when(a, b) if together else None
    if times and times[0] > times[1]:
        a, b = b, a
    if min(a.row, b.row) < 0 and span.unit not in ("%", "part", "x"):
        return
    x, y = a.value * a.scale, b.value * b.scale
    shares = a.unit == "%", b.unit == "%"
    line = together and (a.row == b.row or a.column == b.column or table.prose)
    line = line or min(a.row, b.row) < 0
    wrong_way = bool(times and sign and (y - x) * sign < 0 and max(x, y) > 0)
    if span.unit in ("%", "part", "x"):
        by = 100.0 if span.unit == "%" else 1.0
        if shares[0] != shares[1]:
            return
        for first, second, p, q in ((x, y, a, b), (y, x, b, a)):
            if not first:
                continue
            if span.unit == "%" and not (times and p is b) and line and not wrong_way:
                text = f"({q.text} - {p.text}) / {p.text}"
                yield abs(second - first) / abs(first) * by, text
            if low and line and (span.unit == "x" or abs(second) <= abs(first)):
                yield abs(second / first) * by, f"{q.text} / {p.text}"
        return
    if shares[0] and shares[1]:
        if span.unit in ("pp", "points", "") and not wrong_way:
            yield abs(x - y), f"{b.text} - {a.text}"
        return
    if shares[0] or shares[1]:
        if span.unit in ("", "money"):
            yield abs(x * y) / 100, f"{a.text} of {b.text}"
        return
    if span.unit == "pp" or wrong_way:
        return
    if span.unit == "money" and low and "money" in (a.unit, b.unit) and a.unit != b.unit:
        yield abs(x * y), f"{a.text} x {b.text}"
    for by in {1.0, a.scale}:
        yield abs(x - y) / by, f"{b.text} - {a.text}"
        if low:
            yield abs(x + y) / by, f"{a.text} + {b.text}"
    if line and x and y and _PER.search(low):
        yield abs(y / x), f"{b.text} / {a.text}"
        yield abs(x / y), f"{a.text} / {b.text}"
