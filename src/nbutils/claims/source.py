"""The input as the verifier sees it: series with their periods, and numbers with their words."""

from __future__ import annotations

import re
from bisect import bisect_right
from dataclasses import dataclass, field
from typing import Any

from nbutils.claims import masks
from nbutils.claims.grammar import Span
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
_MONTH_INDEX = {name[:3]: i for i, name in enumerate(masks.MONTHS)}
MONTH_NAME = re.compile(
    r"\b(jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*\.?(?![a-z])", re.IGNORECASE
)
QUARTER = re.compile(r"\bQ([1-4])(?:[ -]?((?:19|20)\d\d))?\b")
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
    names: dict[str, int]
    words: frozenset[str]
    masked: frozenset[str]
    owners: dict[str, int] = field(default_factory=dict)
    memo: dict[str, Any] = field(default_factory=dict)

    @property
    def main(self) -> Series | None:
        """The series that the case is about, if there is one."""
        return self.series[0] if self.series and self.series[0].main else None

    @property
    def n(self) -> int:
        """Number of periods of the main series."""
        return len(self.main.values) if self.main else 0


def read(text: str) -> Source:
    """Read any input; the five-line form gives a `Case`, anything else lists and numbers."""
    text = "\n".join(line for line in text.split("\n") if line.strip())
    try:
        case = parse_case(text)
    except CaseError:
        case = None
    if case and len(case.values) > MAX_PERIODS:
        case = None
    scanned = masks.scan(text)
    marks, found = scanned.labels, scanned.spans[:MAX_LITERALS]
    literals = _literals(text, found)
    owners = _owners(literals) if case is None else {}
    series = _lists(text, literals, case)
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
        owners,
    )


def _literals(text: str, found: list[Span]) -> list[Literal]:
    """Numbers outside the Data line, each with the words of its clause and its line's label."""
    borders = [0] + [m.end() for m in re.finditer(r"[;\n]|[.!?](?=\s)", text)]
    data = re.search(r"^[ \t]*Data[ \t]*:.*$", text, re.MULTILINE | re.IGNORECASE)
    hidden = data.span() if data else (-1, -1)
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
            cache[clause] = stems(chunk), label[1].strip().lower() if label else ""
        literals.append(Literal(span, clause, *cache[clause]))
    return literals


def _owners(literals: list[Literal]) -> dict[str, int]:
    """Words that stand in one clause only: they say whose number it is."""
    seen: dict[str, int] = {}
    for clause, words in {lit.clause: lit.words for lit in literals}.items():
        for word in words:
            seen[word] = -1 if word in seen else clause
    return {word: clause for word, clause in seen.items() if clause >= 0}


def _lists(text: str, literals: list[Literal], case: Case | None) -> list[Series]:
    """Runs of three or more numbers with nothing but separators between them."""
    found: list[Series] = []
    run: list[Literal] = []
    for literal in [*literals, None]:
        if literal and run:
            gap = text[run[-1].span.end : literal.span.start]
            if len(gap) <= 6 and not gap.strip(" ,;|\t").removeprefix("and"):
                run.append(literal)
                continue
        joint = text[run[0].span.end : run[1].span.start] if len(run) == 2 else ""
        if len(run) >= 3 or "|" in joint or "\t" in joint:
            found.append(_series(text, run, case))
        run = [literal] if literal else []
    return found[:50]


def _newest_first(text: str) -> bool:
    """Whether a table's columns are years in falling order."""
    line = text.lstrip().partition("\n")[0]
    years = re.findall(r"\b(?:19|20)\d\d\b", line)
    return len(years) > 1 and years == sorted(years, reverse=True) and years[0] != years[-1]


def _series(text: str, run: list[Literal], case: Case | None) -> Series:
    start = run[0].span.start
    before = re.split(r"[.;\n]", text[max(0, start - 90) : start])[-1]
    values: list[float | None] = [lit.span.value * (lit.span.sign or 1) for lit in run]
    if _newest_first(text):
        values.reverse()
    unit = {"%": "percent", "pp": "percent", "money": "money"}.get(run[0].span.unit, "number")
    if unit == "number" and case and case.unit in ("rate", "percent"):
        known = [abs(v) for v in values if v is not None]
        if max(known) <= 1 and any(lit.span.decimals for lit in run):
            unit = "rate"
        elif "%" in before:
            unit = "percent"
    by = {("rate", "percent"): 0.01, ("percent", "rate"): 100.0}.get(
        (case.unit if case else "", unit)
    )
    if by and case:
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
    for match in MONTH_NAME.finditer(f"{case.changes}\n{case.notes}") if names else ():
        found.append(names.get(match[1].lower(), 0))
    for match in QUARTER.finditer(f"{case.changes}\n{case.notes}") if names else ():
        full = f"q{match[1]} {match[2]}" if match[2] else f"q{match[1]}"
        found.append(names.get(full, 0))
    return sorted({i for i in found if 0 < i < count})


def _names(case: Case | None) -> dict[str, int]:
    """Month and quarter names to the index of their period, from "(January to September)"."""
    if not case:
        return {}
    count = len(case.values)
    note = case.period_note
    if case.period == "month":
        named = MONTH_NAME.findall(note)
        if not named:
            return {}
        first = _MONTH_INDEX[named[0].lower()[:3]]
        if len(named) == 1 and re.search(r"\b(?:to|until|ending)\b", note):
            first -= count - 1
        return {masks.MONTHS[(first + i) % 12][:3]: i for i in range(max(0, count - 12), count)}
    if case.period == "quarter":
        quarter = QUARTER.search(note) or QUARTER.search(case.changes)
        if quarter and QUARTER.search(note):
            return _quarters(int(quarter[1]), int(quarter[2] or 0), count)
    return {}


def _quarters(first: int, year: int, count: int) -> dict[str, int]:
    names = {}
    for i in range(count):
        quarter = (first - 1 + i) % 4 + 1
        names[f"q{quarter}"] = i
        if year:
            names[f"q{quarter} {year + (first - 1 + i) // 4}"] = i
    return names
