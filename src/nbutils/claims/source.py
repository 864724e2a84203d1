"""The input as the verifier sees it: series with their periods, and numbers with their words."""

from __future__ import annotations

import re
from bisect import bisect_right
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from nbutils.claims import masks
from nbutils.claims.grammar import Span
from nbutils.claims.tables import Table, read_tables, separated
from nbutils.examples import Case, CaseError, parse_case

MAX_LITERALS = 2000
MAX_PERIODS = 400
_WORD = re.compile(r"[a-z]{3,}")
_STOP = frozenset(
    [
        "the",
        "and",
        "for",
        "with",
        "that",
        "from",
        "this",
        "was",
        "were",
        "are",
        "has",
        "have",
        "had",
        "been",
        "but",
        "not",
        "its",
        "per",
        "all",
        "each",
        "into",
        "than",
        "then",
        "over",
        "under",
        "about",
        "since",
        "after",
        "before",
        "while",
        "when",
        "which",
        "what",
        "who",
        "same",
        "more",
        "less",
        "week",
        "weeks",
        "month",
        "months",
        "quarter",
        "quarters",
        "day",
        "days",
        "year",
        "years",
        "last",
        "first",
        "one",
        "two",
        "share",
        "metric",
        "data",
        "context",
        "notes",
        "recent",
        "changes",
        "cohort",
        "size",
        "only",
        "both",
        "other",
    ]
)
_BARE_LIST = re.compile(r"\s*(?:Data:)?\s*\[[^\]\"{]*\]\s*(?:\([^()]*\))?\s*$")
_LABELLED_LIST = re.compile(r"^[^\[\]\n|{}]{1,40}[:=][ \t]*(\[[^\[\]\n\"{]{5,}\])", re.MULTILINE)
_MONTH_INDEX = {name[:3]: i for i, name in enumerate(masks.MONTHS)}
_MONTH_NAME = re.compile(
    rf"\b(?:{'|'.join(m.capitalize() for m in masks.MONTHS)}"
    rf"|{'|'.join(m[:3].capitalize() for m in masks.MONTHS)}|Sept)\b\.?"
)
_QUARTER = re.compile(r"\bQ([1-4])(?:[ -]?((?:19|20)\d\d))?\b")
_YEAR_AFTER = re.compile(r",? ((?:19|20)\d\d)\b")
_NUMBERED = re.compile(r"\b(?:month|quarter) (\d{1,2}) (?:\(|is |was |= ?)$")
_RUN_FROM = re.compile(r"\b(?:quarters|months) (?:run|are|shown are|go) (?:from )?$")
_PER = re.compile(r"\bper (100|1,?000|10,?000)\b")
_AGO = re.compile(r"\b(\d+|[a-z]+) (day|week|month|quarter|year)s? ago\b", re.IGNORECASE)
_GAP_METRIC = re.compile(r"\b(?:gap|minus|difference|lead)\b", re.IGNORECASE)


def stems(text: str) -> frozenset[str]:
    """The content words of a text, cut to five letters so that "trials" meets "trial"."""
    return frozenset(w[:5] for w in _WORD.findall(text.lower()) if w not in _STOP)


def ordered_stems(text: str) -> list[str]:
    """The content words of a lowered text in their order, cut as in `stems`."""
    return [w[:5] for w in _WORD.findall(text) if w not in _STOP]


@dataclass(slots=True)
class Operand:
    """A number with its exact value, and when it was (an index, half-way for a mean)."""

    value: float
    printed: float
    time: float | None
    series: Series | None
    note: str


@dataclass(slots=True)
class Series:
    """Values in the order of the periods; ``unit`` and ``scale`` as in `examples.Case`."""

    values: list[float | None]
    unit: str
    name: str = "series"
    words: frozenset[str] = frozenset()
    main: bool = False
    decimals: int = 0
    gap: bool = False
    sums: list[float] = field(default_factory=list)
    counts: list[int] = field(default_factory=list)
    points: list[Operand | None] = field(default_factory=list)

    def __post_init__(self) -> None:
        total, count = 0.0, 0
        self.sums, self.counts = [0.0], [0]
        for value in self.values:
            if value is not None:
                total, count = total + value, count + 1
            self.sums.append(total)
            self.counts.append(count)
        self.points = [
            None if v is None else Operand(v, v, float(i), self, f"period {i + 1}")
            for i, v in enumerate(self.values)
        ]

    def mean(self, low: int, high: int) -> float | None:
        """Mean of the values with index ``low`` up to but without ``high``."""
        low, high = max(low, 0), min(high, len(self.values))
        if high <= low or self.counts[high] == self.counts[low]:
            return None
        return (self.sums[high] - self.sums[low]) / (self.counts[high] - self.counts[low])

    def at(self, index: int) -> float | None:
        """The value with this index, None if missing or outside."""
        return self.values[index] if 0 <= index < len(self.values) else None


@dataclass(slots=True)
class Literal:
    """A number that stands in the input outside a series, and the words around it."""

    span: Span
    clause: int
    words: frozenset[str]
    line: str


@dataclass(slots=True)
class Source:
    """Everything that can be read from an input."""

    case: Case | None
    text: str
    series: list[Series]
    literals: list[Literal]
    splits: list[int]
    names: dict[str, list[int]]
    words: frozenset[str]
    masked: frozenset[str]
    tables: list[Table] = field(default_factory=list)
    memo: dict[str, Any] = field(default_factory=dict)

    @property
    def per(self) -> float:
        """The base of a metric told per 100 or per 1,000, 0 of any other."""
        match = _PER.search(self.case.definition) if self.case else None
        return float(match[1].replace(",", "")) if match else 0.0

    @property
    def main(self) -> Series | None:
        """The series that the case is about, if there is one."""
        return self.series[0] if self.series and self.series[0].main else None

    def periods_named(self, name: str) -> list[int]:
        """Indexes of the periods with a calendar name; a year that is told must be theirs."""
        word = name.split()[0]
        dated = any(key.startswith(f"{word} ") for key in self.names)
        return self.names.get(name if dated else word, [])

    @property
    def n(self) -> int:
        """Number of periods of the main series."""
        return len(self.main.values) if self.main else 0


@lru_cache(maxsize=128)
def read(text: str) -> Source:
    """Read any input; the five-line form gives a `Case`, anything else lists and numbers.

    The last ones are kept: many answers are judged against one input.
    """
    text = "\n".join(line for line in text.split("\n") if line.strip())
    if _BARE_LIST.match(text):
        text = f"Metric: series\nData: {text.strip().removeprefix('Data:')}"
    try:
        case = parse_case(text)
    except CaseError:
        case = None
    if case is None and (rescued := _rescued(text)):
        text, case = rescued
    if case and len(case.values) > MAX_PERIODS:
        case = None
    if case is None:
        text = separated(text)
    scanned = masks.scan(text)
    marks, found = scanned.labels, scanned.spans[:MAX_LITERALS]
    literals = _literals(text, found)
    tables = read_tables(text, found) if case is None else []
    series = _lists(text, literals, case) if case else []
    if case:
        main = Series(
            list(case.values),
            case.unit,
            case.metric,
            stems(f"{case.metric} {case.definition}"),
            True,
            case.decimals,
        )
        main.gap = bool(_GAP_METRIC.search(f"{case.metric} {case.definition}"))
        series.insert(0, main)
    series += _gaps(series)
    splits = _splits(text, marks, case)
    return Source(
        case,
        text,
        series,
        literals,
        splits,
        _names(case),
        stems(text[:4000]),
        scanned.masked,
        tables,
    )


def _rescued(text: str) -> tuple[str, Case] | None:
    """A case out of a text with one labelled list of numbers, whatever its labels or period say.

    Other labels, another language, no metric, or a period that contradicts the number of values:
    what is written about the series can be checked all the same.
    """
    lists = list(_LABELLED_LIST.finditer(text))
    if len(lists) != 1 or text.count("[") != 1:
        return None
    found = lists[0]
    metric = re.search(r"^[ \t]*Metric[ \t]*:[ \t]*(\S.*)$", text, re.MULTILINE)
    period = re.match(r"[ \t]*(\([^()\n]*\))", text[found.end() :])
    end = found.end() + (period.end() if period else 0)
    known = re.findall(
        r"^[ \t]*(?:Context|Cohort size|Recent changes)[ \t]*:.*$", text, re.MULTILINE
    )
    for note in (period[1] if period else "", ""):
        rest = f"{text[: found.start()]}. {text[end if note else found.end() :]}"
        rest = " ".join(rest.replace(":", ",").split())
        lines = [f"Metric: {metric[1] if metric else 'series'}", f"Data: {found[1]} {note}", *known]
        try:
            written = "\n".join([*lines, f"Notes: {rest}"])
            return written, parse_case(written)
        except CaseError:
            continue
    return None


def _literals(text: str, found: list[Span]) -> list[Literal]:
    """Numbers outside the Data line, each with the words of its clause and its line's label."""
    borders = [0] + [m.end() for m in re.finditer(r"[;\n]|[.!?](?=\s)", text)]
    data = re.search(r"^[ \t]*Data[ \t]*:.*$", text, re.MULTILINE | re.IGNORECASE)
    hidden = data.span() if data else (-1, -1)
    block = re.search(r"^[ \t]*Regression[ \t]*:", text, re.MULTILINE | re.IGNORECASE)
    cache: dict[int, tuple[frozenset[str], str]] = {}
    literals = []
    for span in found:
        if hidden[0] <= span.start < hidden[1]:
            continue
        clause = bisect_right(borders, span.start) - 1
        if clause not in cache:
            end = borders[clause + 1] if clause + 1 < len(borders) else len(text)
            chunk = text[borders[clause] : min(end, borders[clause] + 600)]
            label = re.match(r"\s*([A-Za-z ]{3,16}):", chunk)
            line = label[1].strip().lower() if label else ""
            if block and span.start > block.start():
                line = "regression"
            cache[clause] = stems(chunk), line
        literals.append(Literal(span, clause, *cache[clause]))
    return literals


def _lists(text: str, literals: list[Literal], case: Case) -> list[Series]:
    """Runs of three or more numbers with nothing but separators between them."""
    found: list[Series] = []
    run: list[Literal] = []
    for literal in [*literals, None]:
        if literal and run:
            gap = text[run[-1].span.end : literal.span.start]
            if len(gap) <= 6 and not gap.strip(" ,;").removeprefix("and"):
                run.append(literal)
                continue
        if len(run) >= 3:
            found.append(_series(text, run, case))
        run = [literal] if literal else []
    return found[:50]


def _series(text: str, run: list[Literal], case: Case) -> Series:
    start = run[0].span.start
    before = re.split(r"[.;\n]", text[max(0, start - 90) : start])[-1]
    values: list[float | None] = [lit.span.value * (lit.span.sign or 1) for lit in run]
    unit = {"%": "percent", "pp": "percent", "money": "money"}.get(run[0].span.unit, "number")
    if unit == "number" and case.unit in ("rate", "percent"):
        known = [abs(v) for v in values if v is not None]
        if max(known) <= 1 and any(lit.span.decimals for lit in run):
            unit = "rate"
        elif "%" in before:
            unit = "percent"
    by = {("rate", "percent"): 0.01, ("percent", "rate"): 100.0}.get((case.unit, unit))
    if by:
        values, unit = [None if v is None else v * by for v in values], case.unit
    return Series(values, unit, before.strip(" :[(,")[-40:] or "list", stems(before))


def _gaps(series: list[Series]) -> list[Series]:
    """The differences between series of equal length and unit."""
    found = []
    for k, first in enumerate(series[:3]):
        for second in series[k + 1 : 4]:
            if first.unit == second.unit and len(first.values) == len(second.values):
                values = [
                    None if a is None or b is None else abs(a - b)
                    for a, b in zip(first.values, second.values, strict=True)
                ]
                name = f"gap between {first.name} and {second.name}"
                found.append(Series(values, first.unit, name, gap=True))
    return found


def _splits(text: str, marks: list[masks.Label], case: Case | None) -> list[int]:
    """Indexes at which something is said to have changed (0 is the first period)."""
    if not case:
        return []
    count = len(case.values)
    found = []
    for mark in marks:
        if mark.noun in (case.period, "cohort", "period"):
            found += [edge - 1 for group in mark.groups for edge in group]
    for match in _AGO.finditer(f"{case.changes}\n{case.notes}"):
        ago = match[1].lower()
        number = masks.whole_number(ago)
        found.append(count - number)
    names = _names(case)
    for name, _, _ in named_periods(f"{case.changes}\n{case.notes}") if names else ():
        found += names.get(name, names.get(name.split()[0], []))
    return sorted({i for i in found if 0 < i < count})


def named_periods(text: str) -> list[tuple[str, int, int]]:
    """Months and quarters named in a text as keys of `Source.names`, with their offsets."""
    found = []
    for m in _MONTH_NAME.finditer(text):
        year = _YEAR_AFTER.match(text, m.end())
        name = m[0][:3].lower() + (f" {year[1]}" if year else "")
        found.append((name, m.start(), year.end() if year else m.end()))
    for m in _QUARTER.finditer(text):
        found.append((f"q{m[1]}" + (f" {m[2]}" if m[2] else ""), m.start(), m.end()))
    return found


def _names(case: Case | None) -> dict[str, list[int]]:
    """Calendar names to the indexes of their periods; "march" may stand for several.

    Read from the period's note, "(January to September)", or from a name tied to a numbered
    period elsewhere, "month 5 (May)".
    """
    length = {"month": 12, "quarter": 4}.get(case.period, 0) if case else 0
    if not case or not length:
        return {}
    count = len(case.values)
    for text, anchored in ((case.period_note, False), (case.notes, True), (case.changes, True)):
        for name, start, _ in named_periods(text):
            place, year = _place(name, length)
            if place is None:
                continue
            tie = _NUMBERED.search(text, max(0, start - 24), start) if anchored else None
            if anchored and not (tie or _RUN_FROM.search(text, max(0, start - 30), start)):
                continue
            ends = not anchored and re.search(r"\b(?:to|until|ending)\b", text[:start])
            index = int(tie[1]) - 1 if tie else count - 1 if ends else 0
            return _calendar(place - index, year, length, count)
    return {}


def _place(name: str, length: int) -> tuple[int | None, int]:
    """Month or quarter of a name, counted from 0 in its first year, and whether a year is told."""
    word, _, year = name.partition(" ")
    in_year = (
        _MONTH_INDEX.get(word) if length == 12 else int(word[1]) - 1 if word[0] == "q" else None
    )
    if in_year is None or (length == 12) != (word in _MONTH_INDEX):
        return None, 0
    return in_year + length * int(year or 0), int(year or 0)


def _calendar(first: int, year: int, length: int, count: int) -> dict[str, list[int]]:
    """Names of ``count`` periods from place ``first`` on, with their years where one is known."""
    found: dict[str, list[int]] = {}
    for i in range(count):
        in_year = (first + i) % length
        word = masks.MONTHS[in_year][:3] if length == 12 else f"q{in_year + 1}"
        found.setdefault(word, []).append(i)
        if year:
            found.setdefault(f"{word} {(first + i) // length}", []).append(i)
    return found
