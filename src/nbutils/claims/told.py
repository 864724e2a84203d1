"""What the readings of a series' course share: the clause, its subject, the steps, the way."""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import pairwise

from nbutils.claims import masks
from nbutils.claims.context import Sentence
from nbutils.claims.source import Series, Source

PERIOD = r"(?:days?|weeks?|wks?|months?|mths?|quarters?|qtrs?|years?|cohorts?|periods?|steps?)"
NUMBER = r"(?:two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|\d{1,2})"
UP = (
    r"(?:r[io]se[sn]?|rising|risen|increas(?:ed|ing|es)|climb(?:ed|s|ing)|gr[eo]wn?|growing|"
    r"gone up|went up|up|higher|lengthened|longer|jumped)"
)
DOWN = (
    r"(?:fell|fallen|falls|falling|declin(?:ed|es|ing)|decreas(?:ed|es|ing)|dropp(?:ed|ing)|"
    r"drops|slid|sliding|"
    r"come down|came down|gone down|went down|(?<!up and )down|lower|shortened|shorter|slipped|"
    r"shr[au]nk)"
)
MOVE = re.compile(
    rf"\b(?:(?P<up>{UP}|rises?|gains?)|(?P<down>{DOWN}|falls?|drops?|losses|declines?))\b"
)
HEDGED = re.compile(
    r"\b(?:almost|nearly|not|n't|most|hardly|mostly|nor|neither|would|should|could|if|target|goal|"
    r"(?:but|except|bar|save) (?:one|two|the)|apart from|with (?:one|the) exception|better than|"
    r"per|average|mean)\b|n't\b"
)
ELSEWHERE = re.compile(
    r"\b(?:android|ios|desktop|mobile|holdout|control|others?|those|segment|organic|paid|free|"
    r"competitors?|them|its denominator|volume|price|accounts that|users who|customers who|where)\b"
)
PLACE = re.compile(r"\b(?:[Ii]n|[Ff]or|[Aa]t|[Oo]utside) ([A-Z][a-z]{2,})")
MONTHS = frozenset(name[:3] for name in masks.MONTHS)


@dataclass(frozen=True, slots=True)
class Told:
    """A statement about the course of a series that the series refutes.

    ``text`` is the statement as it stands, ``derivation`` what the series shows instead.
    """

    text: str
    derivation: str


def clause_of(sentence: Sentence, start: int, end: int) -> tuple[str, int]:
    """The clause around a match, and where in the sentence it begins."""
    low = sentence.low
    begin = max(
        (m.end() for m in re.finditer(r"[;:,(]|\bbut\b|\bwhile\b|\bwhereas\b", low[:start])),
        default=0,
    )
    stop = re.search(r"[;:,)]|\bbut\b|\bwhile\b|\bwhereas\b", low[end:])
    return low[begin : end + stop.start() if stop else len(low)], begin


def other_subject(sentence: Sentence, source: Source, clause: str) -> bool:
    """Whether a clause speaks of a group, or of another series, and not of the metric itself."""
    if ELSEWHERE.search(clause.replace("each other", "")) and not speaks_of(clause, source):
        return True
    at = sentence.low.find(clause)
    named = PLACE.findall(sentence.text[at : at + len(clause)]) if at >= 0 else []
    known = source.text.lower()
    return any(name.lower() not in known and name[:3].lower() not in MONTHS for name in named)


def speaks_of(clause: str, source: Source) -> bool:
    """Whether a clause names the metric itself."""
    name = source.case.metric.lower() if source.case else ""
    return bool(name) and name in clause


def steps_into(main: Series, low: int, high: int) -> list[tuple[int, float, float]]:
    """Period, value before and value after of each step into the periods [low, high)."""
    known = [(i, v) for i, v in enumerate(main.values) if v is not None]
    pairs = pairwise(known)
    return [(j, a, b) for (_, a), (j, b) in pairs if low <= j < high]


def window_of(sentence: Sentence, source: Source, match: re.Match[str]) -> tuple[int, int] | None:
    """The periods that a statement covers; None where "since" leaves them open."""
    after = sentence.low[match.end() : match.end() + 60]
    since = re.match(r"[^.;,]{0,12}?\bsince\b(?P<what> \w+)?", after)
    marks = [m for m in sentence.marks if abs(m[0] - sentence.start - match.end()) < 45]
    if since and re.match(r"[^.;,]{0,12}?\bsince (?:the )?(?:start|beginning|first)\b", after):
        return 1, source.n
    if since:
        tied = [m for m in marks if 0 <= m[0] - sentence.start - match.end() < 30]
        if tied:
            return tied[0][2] + 1, source.n
        return (source.splits[0], source.n) if since["what"] and source.splits else None
    if re.search(
        r"\b(?:then|afterwards|thereafter)\b",
        sentence.low[max(0, match.start() - 12) : match.end() + 12],
    ):
        return None
    wide = [m for m in marks if m[3] - m[2] > 1]
    return (wide[0][2] + 1, wide[0][3]) if wide else (1, source.n)


def way_of(text: str) -> int:
    """+1 for up, -1 for down, 0 if a text says neither or both."""
    ways = {1 if m["up"] else -1 for m in MOVE.finditer(text)}
    return ways.pop() if len(ways) == 1 else 0


def first_against(main: Series, low: int, high: int, way: int) -> tuple[int, float, float] | None:
    """The first step of a window that goes the other way."""
    return next((s for s in steps_into(main, low, high) if (s[2] - s[1]) * way < 0), None)


def last_unit(main: Series) -> float:
    """One unit of the last printed digit."""
    return float(10.0**-main.decimals)


def all_inside(main: Series, window: tuple[int, int], low: float, high: float) -> bool:
    """Whether all known values of a window lie between two levels."""
    known = [v for v in main.values[window[0] : window[1]] if v is not None]
    return all(low - 1e-9 <= v <= high + 1e-9 for v in known)
