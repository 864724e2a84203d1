"""Changes: points, percent and the metric's own unit, recomputed from bound operands."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from nbutils.claims import binding, pairs
from nbutils.claims.context import direction, per_period
from nbutils.claims.levels import factor, inside
from nbutils.claims.pairs import Pair

if TYPE_CHECKING:
    from nbutils.claims.judge import Judge
    from nbutils.claims.work import Work

_PACE = re.compile(r"\b(?:pace|average\w*|each|every|steady|even|per|rate of)\b[^\d;:]*$")
_PACE_OF = re.compile(r"\b(?:steps?|pace|slow\w*|shr[aiu]nk\w*|monthly loss|weekly loss)\b")
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
    "loss|drop|fall|gain|rise|increase|decrease|decline|difference|change|move|lift|jump|"
    "improvement"
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
_WITHIN = re.compile(r"\bwithin (?:about |roughly )?[$€£~]?$")
_OF_LEVEL = re.compile(r" of (?:it|its|that|the (?:mean|average)|their|each other)\b")
_NEVER = re.compile(r"\bnever (?:more than |over )?[$€£~]?$")
_FROM_START = re.compile(r"^ (?:above|below|from|off|away from) (?:the (?:start|first)|where)")
_SWUNG = re.compile(r"\b(?:swung|moved|wandered|varied|var(?:y|ies)|wanders?|swings?) by [$€£~]?$")
_AROUND = re.compile(r"^ (?:points? )?around (?:their|its|the) (?:mean|average)")
# a pair bound by anything weaker than the words of the text must be unlikely to fit by chance
CHANCE = 0.12


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
        expected = next(values(tied, work, by), None)
        slip = not by and _in_points(judge, tied, wanted)
        if expected is not None and not slip and not work.span.hedge:
            text = f"expected: {explain(tied, expected, by, work)}"
            return work.settle("contradicted", kind, text)
    named = binding.strong(judge, work)
    bound = [*named, *binding.medium(judge, work)]
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
    if wrong is None and not binding.between(work.sentence):
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
    strong = binding.strong(judge, work)
    bound = [other.pair, *strong, *binding.medium(judge, work), *binding.of_case(judge.source)]
    fits = [(p, v) for p in bound for v in values(p, work, 0.0) if inside(abs(v), wanted)]
    near = other.span.interval()
    for pair, value in fits:
        if any(inside(abs(v), near) for v in values(pair, other, other.by)):
            other.pair = pair
            return _support(judge, work, "relative change", pair, value, 0.0)
    if fits and fits[0][0] in strong:
        pair, value = fits[0]
        size = next(values(pair, other, other.by), 0.0)
        text = f"the {work.span.text} beside it belongs to {explain(pair, size, other.by, other)}"
        other.settle("contradicted", other.kind, text)
        return _support(judge, work, "relative change", pair, value, 0.0)
    expected = next(values(other.pair, work, 0.0), None)
    if expected is None or work.span.hedge or _in_points(judge, other.pair, wanted):
        return False
    text = f"expected: {explain(other.pair, expected, 0.0, work)}"
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
        gap = judge.output[work.span.end : begin].lower()
        if work.span.end <= begin <= work.span.end + 40 and _BEFORE_MOVE.match(gap):
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
    for pair in [*more, *binding.weak(judge, work)]:
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
    for pair in [*binding.strong(judge, work), *binding.medium(judge, work)]:
        for value in values(pair, work, by):
            if inside(abs(value), wanted):
                text = (
                    f"{show(pair.a.value)} to {show(pair.b.value)} is {show(abs(value))} points, "
                    f"not percent"
                )
                return work.settle("unit_confusion", "relative change", text)
    return False


def deviation(judge: Judge, work: Work) -> bool:
    """A bound on all distances to a level: "within 13 of it", "never 6 above the start"."""
    before, after = judge.context(work)
    source, main = judge.source, judge.source.main
    within = _WITHIN.search(before) and _OF_LEVEL.match(after)
    never = _NEVER.search(before) and _FROM_START.search(after)
    if main is None or not (within or never or (_AROUND.search(after) and _SWUNG.search(before))):
        return False
    unit = source.case.unit if source.case else ""
    by = {"rate": 100.0, "percent": 1.0}.get(unit) or 1 / (factor(work.span, unit) or 1.0)
    windows = [*work.sentence.windows, (0, source.n), *((0, k) for k in source.splits[:3])]
    for low, high in windows:
        known = [v for v in main.values[low:high] if v is not None]
        if len(known) < 2:
            continue
        base = known[0] if never else sum(known) / len(known)
        farthest = max(abs(v - base) for v in known) * by
        step = work.span.step
        if farthest <= work.span.value + step / 2 and work.span.value - farthest <= step:
            text = f"periods {low + 1}-{high} lie within {show(farthest)} of {show(base)}"
            return work.settle("supported", "point change", text)
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
        case, span = source.case, work.span
        thousands = case and case.scale != 1 and (span.scale >= 1e3 or span.value >= case.scale)
        if series.main and case and thousands:
            by = 1 / case.scale
        kind = "money" if work.span.unit == "money" else "point change"
        if work.span.unit in ("day", "hour"):
            kind = "duration"
        if judge_change(judge, work, kind, 1 / by):
            return True
        if series.main and not source.series[1:]:
            break
    return False
