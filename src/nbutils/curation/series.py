"""The series of a report: a labelled list, a column of a table, or a run of numbers in prose."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from itertools import pairwise, zip_longest
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nbutils.curation.passages import Passages

_MISSING = r"#REF!|#N/A|n/?a\b|null\b|nan\b|none\b|missing\b|tbc\b|\u2013(?=[\s,|])|\u2014"
_NUMBER = (
    rf"(?:[-\u2212+]?[$€£]?\d{{1,3}}(?:,\d{{3}})+(?:\.\d+)?|"
    rf"[-\u2212+]?[$€£]?\d+(?:\.\d+)?)\s?(?:%|[kKmM](?![A-Za-z])|pp\b)?|{_MISSING}"
)
_NAME = (
    r"(?:(?:[A-Z][a-z]{2,11}|[a-z]{3}(?<=jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|"
    r"dec))\.?(?: \d{2,4})?:? |[Ww]eek \d+:? |Q[1-4](?: \d{2,4})?:? )?"
)
_SEPARATOR = (
    r"\s*(?:,|;|/|\||\u2192|->|\u00b7|\s-(?=\s)|\s\u2013(?=\s))\s*(?:(?:and|then)\s+)?|"
    r"\s+(?:and|then)\s+|[ \t]+|[ \t]*\n(?=(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|"
    r"Sep|Oct|Nov|Dec|Mon|Tue|Wed|Thu|Fri|Sat|Sun|[Ww]eek \d|Q[1-4])[a-z]*[ \d])"
)
_THEN = re.compile(r"\bbefore\b[^;]*\b(?:after|since|from then|in the)\b|\bthen\b|\band since\b")
_RUN = re.compile(
    rf"(?<![\w.,])(?:{_NAME})(?:{_NUMBER})(?:(?:{_SEPARATOR})(?:{_NAME})(?:{_NUMBER})(?![\w/-]|"
    rf"[.,]\d)){{2,}}"
)
_ITEM = re.compile(rf"(?:{_NAME})(?P<value>{_NUMBER})(?![\w])")
_PERIOD_HEAD = re.compile(
    r"^\W*(?:week|wk|month|mth|quarter|qtr|day|date|cohort|period|year|w/c|20\d\d|time)?\b", re.I
)
_CALENDAR = re.compile(
    r"^\W*(?:\d{1,2} )?(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec|mon|tue|wed|thu|fri|"
    r"sat|sun|"
    r"q[1-4]|w(?:ee)?k|20\d\d)",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Listed:
    """A series where it stands: its items, its text, the line around it, whether in a table."""

    printed: tuple[str, ...]
    text: str
    around: str
    heading: str = ""
    table: bool = False


def find_series(parts: Passages, about: str) -> Listed | None:
    """The main series of a report, None if it holds no list of two values or more.

    A labelled list comes first, then the column of a table whose heading is likest to the metric,
    then the longest run of numbers in the opening, then in the whole report.
    """
    labelled = parts.labels.get("data", "")
    if labelled and (found := _run(labelled, least=2)):
        return found
    if table := _from_table(parts.head, about):
        return table
    return _run(parts.head, least=3) or _run(parts.text, least=4)


def unreadable(parts: Passages) -> str:
    """What stands in a bracketed series that is no number; empty if all of it can be read."""
    match = re.search(r"\[([^\]\n]*\d[^\]\n]*)\]", parts.labels.get("data", ""))
    if not match:
        return ""
    items = [i.strip() for i in re.split(r",\s+|[;|]\s*", match[1].strip(" ,;"))]
    for position, item in enumerate(items, start=1):
        if not re.fullmatch(rf"(?:{_NAME})(?:{_NUMBER}|\?|-|)\s*(?:days?|hours?|points?)?", item):
            return (
                f"value {position} of its series is '{item[:30]}'; expected a number, or null "
                f"for a missing period"
            )
    return ""


def runs(text: str) -> list[tuple[int, int, tuple[str, ...]]]:
    """Start, end and items of the lists of three numbers or more, in order."""
    found = []
    for match in _RUN.finditer(text):
        run = _one_list(match[0])
        items = _undated(run, tuple(_tidy(m["value"]) for m in _ITEM.finditer(run)))
        if sum(bool(re.search(r"\d", i)) for i in items) > 1 and not _dates(items):
            found.append((match.start(), match.start() + len(run), items))
    return _joined(text, found)


Run = tuple[int, int, tuple[str, ...]]


def _joined(text: str, found: list[Run]) -> list[Run]:
    """Two lists of one sentence that tell of before and after are one series."""
    joined: list[Run] = []
    for start, end, items in found:
        last = joined[-1] if joined else None
        between = text[last[1] : start] if last else ""
        if last and len(between) < 90 and _THEN.search(f"{between}{text[end : end + 40]}"):
            broken = re.search(r"[.;\n](?!\d)", between)
            if not broken and _alike(last[2], items):
                joined[-1] = (last[0], end, (*last[2], *items))
                continue
        joined.append((start, end, items))
    return joined


def _alike(first: tuple[str, ...], second: tuple[str, ...]) -> bool:
    """Whether two lists may be of one measure: as many decimals, sizes within a factor three."""
    a, b = (
        [float(re.sub(r"[^\d.]", "", i)) for i in items if re.search(r"\d", i)]
        for items in (first, second)
    )
    places = {len(i.rstrip("%").partition(".")[2]) for i in (*first, *second)}
    return len(places) == 1 and max(a + b) <= 3 * max(min(a + b), 1e-9)


def _one_list(run: str) -> str:
    """A run up to where its separator changes: "5.2 5.0 5.3 | 240 visits" ends before the bar."""
    items = list(_ITEM.finditer(run))
    between = [run[a.end() : b.start()] for a, b in pairwise(items)]
    kinds = [re.sub(r"\s|and|then", "", text) for text in between]
    usual = Counter(kinds).most_common(1)[0][0] if kinds else ""
    # what stands before the first separator may be a date that leads to the list
    for item, text, kind in list(zip(items, between, kinds, strict=False))[1:]:
        if kind != usual and not re.search(r"and|then", text):
            return run[: item.end()]
    return run


def _run(text: str, least: int) -> Listed | None:
    best: Listed | None = None
    for start, end, items in runs(text):
        if len(items) >= least and (best is None or len(items) > len(best.printed)):
            printed = _in_one_unit(items, text[end:])
            best = Listed(printed, text[start:end], _line_around(text, start, end))
    if best is None and least == 2 and "[" in text:
        pair = tuple(_tidy(m["value"]) for m in _ITEM.finditer(text[text.index("[") :]))
        best = Listed(pair, text, text) if len(pair) > 1 else None
    return best


def _in_one_unit(items: tuple[str, ...], after: str) -> tuple[str, ...]:
    """The items with the sign that only the last one, or what follows the list, carries."""
    bare = [i for i in items if re.search(r"\d", i) and not i.endswith("%")]
    closed = bool(re.match(r"\]?\s?%", after)) or (items[-1].endswith("%") and len(bare) > 1)
    if bare and re.match(r"\]?\s*days\b", after):
        return tuple(f"{i} days" if i in bare else i for i in items)
    if not bare or not closed:
        return items
    return tuple(i if i in ("null",) or i.endswith("%") else f"{i}%" for i in items)


def _undated(run: str, items: tuple[str, ...]) -> tuple[str, ...]:
    """The items without a date that leads to them: "to 12 November: 0.24, 0.25"."""
    dated = re.match(r"\s*\d{1,2} [A-Z][a-z]{2,8}(?: \d{4})?: ", run)
    return items[1 + dated[0].count(" 20") :] if dated else items


def _tidy(item: str) -> str:
    bare = item.strip()
    if not re.search(r"\d", bare):
        return "null"
    return re.sub(r"\s+", "", bare)


def _dates(items: tuple[str, ...]) -> bool:
    """Whether a run of numbers is a list of years, days or a date."""
    numbers = [i for i in items if re.search(r"\d", i)]
    years = sum(bool(re.fullmatch(r"(?:19|20)\d\d", n)) for n in numbers)
    steps = [int(n) for n in numbers if n.isdigit()]
    counted = len(steps) == len(numbers) and steps == list(range(steps[0], steps[0] + len(steps)))
    return years > len(numbers) / 2 or counted


def _line_around(text: str, start: int, end: int) -> str:
    first = max(text.rfind("\n", 0, start), text.rfind(". ", 0, start)) + 1
    stop = [p for p in (text.find("\n", end), text.find(". ", end)) if p >= 0]
    last = min(stop) if stop else len(text)
    return f"{text[first:start]} {text[end:last]}"


# --------------------------------------------------------------------------- tables


def _from_table(head: str, about: str) -> Listed | None:
    """The column of the first table whose heading is likest to the metric."""
    rows = _rows(head)
    if len(rows) < 2 or max(len(rows), len(rows[0])) < 4:
        return None
    if _is_sideways(rows):
        rows = [list(column) for column in zip_longest(*rows, fillvalue="")]
    header, body = rows[0], rows[1:]
    width = max(len(r) for r in body)
    columns = [[r[k] if k < len(r) else "" for r in body] for k in range(width)]
    wanted = set(re.findall(r"[a-z]+", about.lower()))
    scored = []
    for k, column in enumerate(columns):
        values = [_cell(cell) for cell in column]
        numbers = sum(v != "null" for v in values)
        title = header[k] if k < len(header) else ""
        if numbers < max(2, len(values) / 3) or (k == 0 and not _named(title, wanted)):
            continue
        words = re.findall(r"[a-z]+", title.lower())
        shared = len(set(words) & wanted)
        likeness = shared if shared > 0.5 * len(words) else 0
        scored.append((-likeness, k, values, title))
    if not scored:
        return None
    _, _, values, title = min(scored, key=lambda item: item[:2])
    while values and values[-1] == "null":
        values = values[:-1]
    if "%" in title and not any("%" in v for v in values):
        values = [f"{v}%" if v != "null" else v for v in values]
    names = " ".join(header[:1] + [row[0] for row in body if row])
    return Listed(
        tuple(values),
        "\n".join(" ".join(r) for r in rows),
        f"{title} {names}",
        header[0] if header else "",
        True,
    )


def _is_sideways(rows: list[list[str]]) -> bool:
    """Whether the periods run along the first line: each further line is a series with its name."""
    first, names = rows[0][1:], [row[0] for row in rows[1:]]
    told = sum(bool(_CALENDAR.match(c) or re.fullmatch(r"\d{1,2}", c)) for c in first)
    numbered = sum(_cell(name) != "null" or bool(_CALENDAR.match(name)) for name in names)
    return len(first) > 2 and told > len(first) / 2 and not numbered


def _named(title: str, wanted: set[str]) -> bool:
    return bool(set(re.findall(r"[a-z]+", title.lower())) & wanted) and not _PERIOD_HEAD.fullmatch(
        title
    )


def _rows(head: str) -> list[list[str]]:
    """Cells of the first run of table lines; rules such as |---|---| are left out."""
    rows: list[list[str]] = []
    for line in head.splitlines():
        cells = _cells(line)
        if cells:
            if not all(re.fullmatch(r"[-: ]*", c) for c in cells):
                rows.append(cells)
        elif len(rows) > 1:
            break
        else:
            rows = []
    return rows


def _cells(line: str) -> list[str]:
    bare = line.strip()
    if bare.startswith("|") or bare.count("|") >= 2:
        return [c.strip(" *") for c in bare.strip("|").split("|")]
    if "\t" in bare:
        return [c.strip() for c in bare.split("\t")]
    return []


def _cell(text: str) -> str:
    match = re.fullmatch(rf"\W*?({_NUMBER})\W*", text.strip())
    if not match or not re.search(r"\d", match[1]) or _CALENDAR.match(text):
        return "null"
    return _tidy(match[1])
