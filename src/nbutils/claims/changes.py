"""Changes: points, percent and the metric's own unit, recomputed from bound operands."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from nbutils.claims import pairs
from nbutils.claims.context import Sentence, direction, per_period
from nbutils.claims.levels import factor, inside
from nbutils.claims.pairs import Pair
from nbutils.claims.source import Operand, Series, Source

if TYPE_CHECKING:
    from nbutils.claims.judge import Judge, Work

_PACE = re.compile(r"\b(?:pace|average\w*|each|every|steady|even|per|rate of)\b")
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
_PACE_OF = re.compile(r"\b(?:steps?|pace|slow\w*|shr[aiu]nk\w*|monthly loss|weekly loss)\b")
_AGAINST = re.compile(
    r"\b(?:above|below|against|short|shortfall|under|clear of|beyond|measured|compared|"
    r"surplus|over "
    r"the|over its|missing|lead|behind|ahead)\b"
)
# "the loss grows by 0.7 points" falls
_LOSS_MOVES = re.compile(
    r"\b(?:loss|losses|gap|shortfall|deficit|decline|difference|lead|excess|drop|surplus)\b"
    r"[^.;]{0,24}\b(?:gr[eo]w\w*|wid\w+|ris\w+|rose|increas\w+|shr[aiu]nk\w*|narrow\w*|fell|"
    r"fall\w*|clos\w+|slow\w*)\b"
)
# "while the weekend averages 12 points lower" compares groups, not times
_GROUPS = re.compile(r"\b(?:while|whereas|against|others?|rest|weekends?|weekdays?)\b")
_THAN_BEFORE = re.compile(r"^[ ,)(]*(?:lower|higher|less|more|fewer|shorter|longer)\b")
_COMPARES = re.compile(r"^[^.;]{0,30}?\b(?:than|above|below|short of|apart|behind|ahead)\b")
_RANGE_OF = re.compile(
    r"\b(?:band|range|spread|swing)(?: is| of| was|,| here| in all)*(?: only| just)? ?$"
)
_RANGE_AFTER = re.compile(r"^[ -](?:band|range|spread|swing)\b")
_PERCENT_BESIDE = re.compile(r"^(?: \(|,? or |, )(?:about |roughly |nearly |some )?$")
_MOVE_NOUN = (
    r"loss|drop|fall|gain|rise|increase|decrease|decline|difference|change|move|lift|jump|improvement"
)
_APPOSED = re.compile(
    rf"^(?: in [a-z]+ ?\d*| over [a-z0-9 ]+?)?[,:;]? ?(?:\(|(?:which |that |this )?(?:is|was|makes|"
    rf"means) |(?:[\d.,]+(?:%| points?| pp) )?(?:or |\()|an? (?:total |full )?(?:{_MOVE_NOUN}) of |"
    rf"up |down |plus |minus |by )*(?:about |roughly |some )?[~+\u2212-]?$"
)
_ELSEWHERE = re.compile(
    r"^(?: \w+)?,? (?:above|below|than|short|ahead|behind|of (?:which|the|it|that)|higher than|"
    r"lower than|less than|more than|from|a |per |each )"
)
_BEFORE_MOVE = re.compile(r"^(?: (?:in|over|within)(?: [a-z0-9]+){1,4})?(?:, (?:from )?| from )$")
# a pair bound by anything weaker than the words of the text must be unlikely to fit by chance
CHANCE = 0.12
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
        found = [pairs.ordered(*means, "the two means named")] if len(means) == 2 else []
        found += pairs.explicit(work.sentence, work.span.start)
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
    if not between(sentence) and (len(sentence.levels) < 2 or not sentence.windows):
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


def _of_case(source: Source) -> list[Pair]:
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
    yield from _of_case(source)
    unit = source.case.unit if source.case else ""
    yield from pairs.literal_pairs(source, work.sentence.words, unit)
    before = judge.before(work.sentence)
    yield from pairs.against_levels(work.sentence, source)
    if before:
        yield from pairs.against_levels(before, source)
        yield from pairs.labelled(before, source)
        yield from pairs.around(before, source)
        yield from pairs.explicit(before, before.end)


def judge_change(judge: Judge, work: Work, kind: str, by: float) -> bool:
    """Settle a change if some bound pair gives it; False if none does.

    ``by`` turns a difference into the printed unit; 0 asks for the change in percent.
    """
    wanted = work.span.interval()
    sign = _strict_sign(work)
    wrong: tuple[Pair, float] | None = None
    said = work.span.unit in ("pp", "points", "%") or judge.says_change(work)
    said = said or not judge.level_context(work) or per_period(work.sentence, work.span.end)
    if not by and judge.says_change(work) and _beside(judge, work, wanted):
        return True
    if by and _ranges(judge, work, kind, by, wanted):
        return True
    tied = apposed(judge, work)
    if tied:
        for value in values(tied, work, by):
            if inside(abs(value), wanted) and not (sign and value * sign < 0):
                return _support(judge, work, kind, tied, value, by)
        value = next(values(tied, work, by), None)
        slip = not by and _in_points(judge, tied, wanted)
        if value is not None and not slip and not work.span.hedge:
            text = f"expected: {explain(tied, value, by, work)}"
            return work.settle("contradicted", kind, text)
    named = strong(judge, work)
    bound = [*named, *medium(judge, work)]
    sure = len(named) + len(judge.used)
    for k, pair in enumerate(bound if said else ()):
        for value in values(pair, work, by):
            if not inside(abs(value), wanted):
                continue
            if sign and value * sign < 0 and pair.timed:
                if k < sure or pair.bound == "first to last":
                    wrong = wrong or (pair, value)
                continue
            return _support(judge, work, kind, pair, value, by)
    if wrong is None and not between(work.sentence):
        found = _gated(judge, work, by, wanted, () if said else bound)
        if found:
            return _support(judge, work, kind, found[0], found[1], by)
    if wrong is not None:
        text = explain(wrong[0], wrong[1], by, work)
        return work.settle("contradicted", kind, f"the other way round: {text}")
    if work.span.hedge == "at most":
        return work.settle("unchecked", kind, "a bound, not a value")
    return False


def _beside(judge: Judge, work: Work, wanted: tuple[float, float]) -> bool:
    """The percent of a change just told, "8 points (18%)": both must be of the same pair."""
    works = work.sentence.works
    at = next((i for i, w in enumerate(works) if w is work), 0)
    other = works[at - 1] if at else None
    if other is None or other.pair is None or other.verdict != "supported" or not other.by:
        return False
    if not _PERCENT_BESIDE.match(judge.output[other.span.end : work.span.start].lower()):
        return False
    bound = [other.pair, *strong(judge, work), *medium(judge, work), *_of_case(judge.source)]
    fits = [(p, v) for p in bound for v in values(p, work, 0.0) if inside(abs(v), wanted)]
    near = other.span.interval()
    for pair, value in fits:
        if any(inside(abs(v), near) for v in values(pair, other, other.by)):
            other.pair = pair
            return _support(judge, work, "relative change", pair, value, 0.0)
    if fits and fits[0][0] in strong(judge, work):
        pair, value = fits[0]
        size = next(values(pair, other, other.by), 0.0)
        text = f"the {work.span.text} beside it belongs to {explain(pair, size, other.by, other)}"
        other.settle("contradicted", other.kind, text)
        return _support(judge, work, "relative change", pair, value, 0.0)
    value = next(values(other.pair, work, 0.0), None)
    if value is None or work.span.hedge or _in_points(judge, other.pair, wanted):
        return False
    text = f"expected: {explain(other.pair, value, 0.0, work)}"
    return work.settle("contradicted", "relative change", text)


def _ranges(judge: Judge, work: Work, kind: str, by: float, wanted: tuple[float, float]) -> bool:
    """A range named so, "a band of 3 points": lowest to highest, of all or of a named window."""
    before, after = judge.context(work)
    if not (_RANGE_OF.search(before) or _RANGE_AFTER.match(after)) or work.span.hedge:
        return False
    source = judge.source
    windows = [(0, source.n), *work.sentence.windows]
    windows += [w for k in source.splits for w in ((0, k), (k, source.n))]
    found = [p for low, high in windows for p in pairs.range_of(source, low, high)]
    found += pairs.explicit(work.sentence, work.span.start)
    earlier = judge.before(work.sentence)
    found += pairs.explicit(earlier, earlier.end)[:4] if earlier else []
    for pair in found:
        if inside(abs(pair.diff) * by, wanted):
            return _support(judge, work, kind, pair, pair.diff * by, by)
    if not found or len(source.series) > 1:
        return False
    text = f"expected: {explain(found[0], abs(found[0].diff) * by, by, work)}"
    return work.settle("contradicted", kind, text)


def _in_points(judge: Judge, pair: Pair, wanted: tuple[float, float]) -> bool:
    """Whether a percent is the difference of a pair in points."""
    unit = judge.source.case.unit if judge.source.case else ""
    by = {"rate": 100.0, "percent": 1.0}.get(unit)
    return by is not None and inside(abs(pair.diff) * by, wanted)


def apposed(judge: Judge, work: Work) -> Pair | None:
    """The move that a change stands right beside: "from 0.42 to 0.31, down 11 points (26%)"."""
    start = work.span.start
    for begin, end, pair in judge.moves:
        if end <= start <= end + 60 and end <= work.sentence.end:
            gap = judge.output[end:start].lower()
            after = work.sentence.low[work.span.end - work.sentence.start :][:24]
            if _APPOSED.match(gap) and not _ELSEWHERE.match(after):
                return pair
        elif work.span.end <= begin <= work.span.end + 20:
            if _BEFORE_MOVE.match(judge.output[work.span.end : begin].lower()):
                return pair
    return None


def _support(judge: Judge, work: Work, kind: str, pair: Pair, value: float, by: float) -> bool:
    judge.used.append(pair)
    work.pair, work.by = pair, by
    return work.settle("supported", kind, explain(pair, value, by, work))


def _gated(
    judge: Judge, work: Work, by: float, wanted: tuple[float, float], more: Iterable[Pair]
) -> tuple[Pair, float] | None:
    """A weakly bound pair, accepted only where few such pairs lie near the number."""
    low, high = wanted
    near: set[float] = set()
    hit: tuple[Pair, float] | None = None
    for pair in [*more, *weak(judge, work)]:
        for value in values(pair, work, by):
            size = abs(value)
            if 0.6 * low <= size <= 1.5 * high:
                near.add(round(size, 6))
                if hit is None and low <= size <= high:
                    hit = pair, value
    width = min(high - low, 2 * work.span.step * (by or 1.0)) if work.span.hedge else high - low
    if hit and len(near) * width <= CHANCE * max(high, 1e-12):
        return hit
    return None


def values(pair: Pair, work: Work, by: float) -> Iterator[float]:
    """The change of a pair, exact and as printed, in all and per period."""
    exact, printed = (pair.a.value, pair.b.value), (pair.a.printed, pair.b.printed)
    for a, b in (exact,) if exact == printed else (exact, printed):
        if by:
            yield (b - a) * by
        elif a:
            yield (b - a) / abs(a) * 100
        if not by and b and (pair.a.series is not pair.b.series or pair.a.time is None):
            yield (a - b) / abs(b) * 100
    if pair.span > 1 and by and paced(work):
        yield pair.diff * by / pair.span


def paced(work: Work) -> bool:
    """Whether a change is said to be per period."""
    if work.paced is None:
        s = work.sentence
        before = s.low[max(0, work.span.start - s.start - 50) : work.span.start - s.start]
        work.paced = per_period(s, work.span.end) or bool(_PACE.search(before))
    return work.paced


def explain(pair: Pair, value: float, by: float, work: Work) -> str:
    """The derivation of a change, readable."""
    first, second = pair.a.value, pair.b.value
    if not by and abs((second - first) / (abs(first) or 1.0) * 100 - value) > 0.01 * abs(value):
        first, second = second, first
    a, b = show(first), show(second)
    if not by:
        base = first
        return f"({b} - {a}) / {show(abs(base))} = {value:+.1f}%, printed as {work.span.text}"
    each = " per period" if pair.span > 1 and abs(value) < abs(pair.diff * by) * 0.99 else ""
    return f"{b} - {a} = {value:+.4g}{each}, printed as {work.span.text} ({pair.bound})"


def show(value: float) -> str:
    """A number for a derivation: up to four significant digits, no exponent."""
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.4g}"


def _strict_sign(work: Work) -> int:
    """Up or down, where it is said by words that cannot mean better or worse or compare levels."""
    if work.span.sign:
        return work.span.sign
    s = work.sentence
    if _COMPARES.search(s.low[work.span.end - s.start :][:60]) or _PACE_OF.search(s.low):
        return 0
    if _LOSS_MOVES.search(s.low):
        return 0
    sign = direction(s, work.span.start, work.span.end, strong=True)
    if sign and _GROUPS.search(s.low) and _THAN_BEFORE.match(s.low[work.span.end - s.start :][:24]):
        return 0
    return sign


def confusion(judge: Judge, work: Work, by: float) -> bool:
    """Points written as percent: no relative change fits, but the difference in points does."""
    wanted = work.span.interval()
    for pair in [*strong(judge, work), *medium(judge, work)]:
        for value in values(pair, work, by):
            if inside(abs(value), wanted):
                text = (
                    f"{show(pair.a.value)} to {show(pair.b.value)} is {show(abs(value))} points, "
                    f"not percent"
                )
                return work.settle("unit_confusion", "relative change", text)
    return False


def in_input(judge: Judge, work: Work) -> bool:
    """A change between two numbers of one clause of the input, outside the series."""
    span, source = work.span, judge.source
    if source.case is None or not judge.says_change(work) or span.unit not in ("", "money", "%"):
        return False
    unit = source.case.unit
    own = work.sentence.words - (source.main.words if source.main else frozenset())
    wanted = span.interval()
    for pair in pairs.literal_pairs(source, own, unit, same_as=span.unit):
        size = abs(pair.diff) if span.unit != "%" else 0.0
        if span.unit == "%" and pair.a.value:
            size = abs(pair.diff / pair.a.value) * 100
        if size and inside(size, wanted):
            by = 0.0 if span.unit == "%" else 1.0
            kind = {"%": "relative change", "money": "money"}.get(span.unit, "count")
            return _support(judge, work, kind, pair, pair.diff, by)
    return False


def native(judge: Judge, work: Work) -> bool:
    """A change in the metric's own unit: days, money, score points, or a bare decimal."""
    source = judge.source
    for series in source.series[:6]:
        by = factor(work.span, series.unit)
        if by is None:
            continue
        thousands = work.span.unit == "money" or work.span.scale >= 1e3
        if series.main and thousands and source.case and source.case.scale != 1:
            by = 1 / source.case.scale
        kind = "money" if work.span.unit == "money" else "point change"
        if work.span.unit in ("day", "hour"):
            kind = "duration"
        if judge_change(judge, work, kind, 1 / by):
            return True
        if series.main and not source.series[1:]:
            break
    return False
