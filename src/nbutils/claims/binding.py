"""Binding: which pairs of operands a text speaks of, from the surest to the loosest."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterator
from itertools import pairwise
from typing import TYPE_CHECKING

from nbutils.claims import pairs
from nbutils.claims.context import Sentence
from nbutils.claims.pairs import Pair
from nbutils.claims.source import Operand, Series, Source

if TYPE_CHECKING:
    from nbutils.claims.judge import Judge
    from nbutils.claims.work import Work

_GAP = re.compile(
    r"\b(?:gap|apart|differen\w+|between|lead|ahead|behind|against|spread|both|than|minus|above|below)\b"
)
_STEPS = re.compile(
    r"\b(?:each|every|steps?|monthly|weekly|daily|quarterly|latest|of the last|a month|"
    r"a week|successive|one before)\b"
)
_SINCE = re.compile(
    r"\b(?:since|from|by|until|after|before|last|over|took|up to|then|now|gone|compared|than)\b"
)
_BETWEEN = re.compile(
    r"\b(?:from|between) (?:the )?(?:day|week|month|quarter|year|cohort)s? \d+ (?:to|and) "
)
_AGAINST = re.compile(
    r"\b(?:above|below|against|short|shortfall|under|clear of|beyond|measured|compared|"
    r"surplus|over "
    r"the|over its|missing|lead|behind|ahead)\b"
)
_OVERALL = re.compile(r"\bover the (?:whole )?(?:period|series|stretch)\b|\b(?:overall|in all)\b")
_EVERY = re.compile(r"\b(?:each|every)\b")
_TOGETHER = re.compile(
    r"\b(?:each other|one another|within|differ\w*|wander\w*|var(?:y|ied|ies)|moved by)\b"
)
ZERO = Operand(0.0, 0.0, None, None, "nothing")


def strong(judge: Judge, work: Work) -> list[Pair]:
    """Pairs that the sentence itself names."""
    if "strong" not in work.memo:
        told = [o for at, o in work.sentence.levels if at < work.span.start]
        means = [o for o in told if o.note.startswith("mean")][-2:]
        found = [pairs.ordered(a, b, "the two means named") for a, b in pairwise(means)]
        found += pairs.explicit(work.sentence, work.span.start)
        found += pairs.cumulative(work.sentence, judge.source)
        work.memo["strong"] = found + list(pairs.labelled(work.sentence, judge.source))
    return work.memo["strong"]


def medium(judge: Judge, work: Work) -> list[Pair]:
    """Pairs that the text has just spoken of, and first to last."""
    if "medium" not in work.memo:
        work.memo["medium"] = _medium(judge, work)
    return work.memo["medium"]


def _medium(judge: Judge, work: Work) -> list[Pair]:
    sentence, source = work.sentence, judge.source
    before = judge.before(sentence)
    found = judge.used[:-4:-1] if sentence.section == "analysis" else judge.used[:-40:-1]
    if not sentence.levels:
        if not sentence.windows and source.main:
            for k in source.splits[:1]:
                found = found + list(pairs.split(source.main, k, source.n))[:1]
        if _SINCE.search(sentence.low) or not sentence.windows:
            found = found + list(pairs.around(sentence, source))[:8]
        if before:
            found += pairs.explicit(before, before.end)[:6]
            found += list(pairs.labelled(before, source))[:4]
    elif before:
        nearest = min(sentence.levels, key=lambda item: abs(item[0] - work.span.start))[1]
        found = found + [
            pairs.ordered(a, nearest, "with the sentence before") for _, a in before.levels[-6:]
        ]
    alone = len(sentence.levels) < 2 or not sentence.windows or _OVERALL.search(sentence.low)
    if not between(sentence) and alone:
        found = found + pairs.ends(source)
    until = bisect_left(judge.means, sentence.index, key=lambda item: item[0])
    found += [pair for _, pair in judge.means[max(0, until - 3) : until]]
    told = len(sentence.levels) > 1 or (before is not None and len(before.levels) > 1)
    if _AGAINST.search(sentence.low) and not told:
        found += list(pairs.against_levels(sentence, source))
        if before:
            found += list(pairs.against_levels(before, source))
    if "hal" in sentence.low or "differ" in sentence.low:
        found += pairs.halves(source)
    if pairs.says_range(sentence.low):
        found += pairs.extremes(source, range_only=not pairs.says_extreme(sentence.low))
    if pairs.says_step(sentence.low):
        found += pairs.steps(source)[:1]
    if _STEPS.search(sentence.low) and source.main:
        stepped = pairs.steps(source)
        if _EVERY.search(sentence.low):
            inner = [range(low, high) for low, high in sentence.windows if high - low > 1]
            found += [p for p in stepped if any(p.b.time in window for window in inner)]
        found += stepped[-1:] + [p for p in stepped if p.b.time == source.n - 1]
    found += pairs.latest(sentence, source)
    if _TOGETHER.search(sentence.low):
        edges = [*sentence.windows, *((k, source.n) for k in source.splits), (0, source.n)]
        found += [p for low, high in edges[:6] for p in pairs.range_of(source, low, high)]
    found += pairs.beside_splits(sentence, source)
    if sentence.windows:
        for series in source.series[1:4]:
            if len(series.values) == source.n:
                found += list(pairs.labelled(sentence, source, series))
                found += list(pairs.around(sentence, source, series))[:8]
    if "year" in sentence.low:
        found += pairs.years(source)[:4]
    own = work.sentence.words - (source.main.words if source.main else frozenset())
    found += list(pairs.literal_pairs(source, own, source.case.unit if source.case else ""))[:6]
    if len(source.series) <= 5:
        for series in source.series[1:]:
            if not series.gap:
                found += pairs.ends(source, series)
    if says_gap(work):
        found += list(pairs.literal_gaps(source))
        for series in source.series[1:]:
            if series.gap:
                found += pairs.ends(source, series)
                found += [Pair(ZERO, p.b, "the two series") for p in pairs.ends(source, series)]
    return found


def between(sentence: Sentence) -> bool:
    """Whether a sentence names two periods and no level: then no other pair is meant."""
    return bool(sentence.windows) and not sentence.levels and bool(_BETWEEN.search(sentence.low))


def says_steps(work: Work) -> bool:
    """Whether a sentence speaks of successive changes."""
    return bool(_STEPS.search(work.sentence.low))


def step_series(series: Series, by: float) -> Series:
    """The sizes of the changes from each period to the next, as a series of their own."""
    sizes: list[float | None] = []
    for a, b in zip(series.values, series.values[1:], strict=False):
        sizes.append(None if a is None or b is None else abs(b - a) * by)
    return Series(sizes, "number")


def says_gap(work: Work) -> bool:
    """Whether a sentence compares two groups."""
    return bool(_GAP.search(work.sentence.low))


def of_case(source: Source) -> list[Pair]:
    """Pairs that the case alone suggests, whatever the text says."""
    if "pairs" in source.memo:
        return list(source.memo["pairs"])
    found = list(pairs.best_split(source))
    if source.main:
        for k in source.splits[:6]:
            found += pairs.split(source.main, k, source.n)
    found += pairs.extremes(source) + pairs.steps(source)[:12] + pairs.years(source)[:8]
    for series in source.series[1:6]:
        found += pairs.ends(source, series) + pairs.steps(source, series)[:2]
    source.memo["pairs"] = found
    return found


def weak(judge: Judge, work: Work) -> list[Pair]:
    """Pairs that the case suggests though the sentence does not name them."""
    if "weak" not in work.memo:
        work.memo["weak"] = list(_weak(judge, work))
    return work.memo["weak"]


def _weak(judge: Judge, work: Work) -> Iterator[Pair]:
    source = judge.source
    yield from pairs.ends(source)
    yield from pairs.around(work.sentence, source)
    yield from of_case(source)
    unit = source.case.unit if source.case else ""
    yield from pairs.literal_pairs(source, work.sentence.words, unit)
    before = judge.before(work.sentence)
    yield from pairs.against_levels(work.sentence, source)
    if before:
        yield from pairs.against_levels(before, source)
        yield from pairs.labelled(before, source)
        yield from pairs.around(before, source)
        yield from pairs.explicit(before, before.end)
