"""Amounts: people and money affected, ratios, sampling noise."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from nbutils import facts
from nbutils.claims import binding, changes, pairs
from nbutils.claims.changes import show
from nbutils.claims.grammar import Span
from nbutils.claims.levels import inside
from nbutils.claims.source import MAX_PERIODS

if TYPE_CHECKING:
    from nbutils.claims.judge import Judge
    from nbutils.claims.work import Work

_NOISE = re.compile(
    r"\b(?:chance|noise|noisy|standard errors?|standard deviation|random|margin|luck|sampling|"
    r"wander|expected|expect|binomial|scatter|fluctuat\w+)\b"
)
_HALF = re.compile(r"\b(?:each|half|halves|evenly|equal\w*)\b")


def count(judge: Judge, work: Work) -> bool:
    """People or money affected: the cohort times a change that the text speaks of."""
    case = judge.source.case
    span = work.span
    if not case or case.cohort is None or span.unit not in ("", "money"):
        return False
    if span.decimals > 1 and span.unit == "":
        return False
    by = {"rate": 1.0, "percent": 0.01, "money": case.scale}.get(case.unit, 1.0)
    wanted = span.interval()
    told = [
        w.pair for w in work.sentence.works[:60] if w.verdict == "supported" and w.pair is not None
    ]
    explicit = pairs.explicit(work.sentence, span.start)
    bound = [*told[::-1], *explicit, *judge.used[:-24:-1], *binding.strong(judge, work)]
    if not told:
        bound += binding.medium(judge, work)
    for pair in bound:
        for value in changes.values(pair, work, by):
            total = abs(value) * case.cohort
            if inside(total, wanted):
                text = f"{show(case.cohort)} x {show(abs(value))} = {show(total)}"
                return work.settle("supported", _kind(span), f"{text} ({pair.bound})")
    if _recent_times_base(judge, work, wanted):
        return True
    if _HALF.search(work.sentence.low) and inside(case.cohort / 2, wanted):
        return work.settle("supported", _kind(span), f"half of {show(case.cohort)}")
    for _, operand in work.sentence.levels:
        for value in (operand.value, operand.printed):
            if inside(value * by * case.cohort, wanted):
                text = (
                    f"{show(case.cohort)} x {show(value * by)} = {show(value * by * case.cohort)}"
                )
                return work.settle("supported", _kind(span), text)
    return False


def _recent_times_base(judge: Judge, work: Work, wanted: tuple[float, float]) -> bool:
    """The change told last, on a group whose size the input gives: "7 points of the 1,050"."""
    told = [
        w
        for w in judge.recent(work, 1)
        if w.kind in ("point change", "share") and w.span.start < work.span.start
    ]
    bases = [
        lit.span
        for lit in judge.source.literals[:60]
        if lit.span.unit in ("", "money") and lit.span.value >= 20 and not lit.span.spelled
    ]
    bases += [w.span for w in judge.recent(work, 0) if w.kind == "count" and w.span.value >= 20]
    for other in told[:2]:
        for base in bases[:8]:
            total = other.span.value / 100 * base.value
            if inside(total, wanted):
                text = f"{other.span.text} of {base.text} = {show(total)}"
                return work.settle("supported", _kind(work.span), text)
    return False


def _kind(span: Span) -> str:
    return "money" if span.unit == "money" else "count"


# --------------------------------------------------------------------------- ratios and noise


def ratio(judge: Judge, work: Work) -> bool:
    """Times, twice, doubled, halved: two bound operands in that proportion."""
    span = work.span
    low, high = span.interval()
    if span.text.lower().startswith(("doubl", "halv", "tripl", "trebl", "quadr", "twice")):
        low, high = _word_interval(span)
    bound = [*binding.strong(judge, work), *binding.medium(judge, work)]
    for pair in [*bound, *binding.weak(judge, work)]:
        for a, b in ((pair.a.value, pair.b.value), (pair.b.value, pair.a.value)):
            if a and b and low <= b / a <= high:
                text = f"{show(b)} / {show(a)} = {show(b / a)}"
                return work.settle("supported", "ratio", f"{text} ({pair.bound})")
    return False


def _word_interval(span: Span) -> tuple[float, float]:
    value = span.value
    if span.hedge == "nearly":
        return 0.8 * value, 1.001 * value
    if span.hedge in ("over", "just over", "at least"):
        return 0.999 * value, 1.6 * value
    wide = 0.15 if span.hedge == "about" else 0.1
    return (1 - wide) * value, (1 + wide) * value


def noise(judge: Judge, work: Work) -> bool:
    """Sampling noise: one or two standard errors of a rate, or what `nbutils.facts` computes."""
    case, main = judge.source.case, judge.source.main
    if not case or not main or not _NOISE.search(work.sentence.low):
        return False
    known = [v for v in main.values if v is not None]
    if "scatter" not in judge.source.memo:
        judge.source.memo["scatter"] = (
            facts.compute(case).noise if 1 < len(known) <= MAX_PERIODS else None
        )
    in_points = {"rate": 100.0}.get(case.unit, 1.0)
    found = [("beyond chance", judge.source.memo["scatter"])]
    found += [
        (name, factor * error) for error in _share_error(judge) for name, factor in _errors(judge)
    ]
    low, high = work.span.interval()
    for name, size in found:
        by = _noise_unit(judge, work.span, in_points)
        if size is None or by is None:
            continue
        value = abs(size) * by
        # the share that enters the formula is itself rounded: allow a fiftieth
        if low - 0.02 * value <= value <= high + 0.02 * value:
            return work.settle("supported", "statistic", f"{name} is {show(value)}")
    return False


def _noise_unit(judge: Judge, span: Span, in_points: float) -> float | None:
    case = judge.source.case
    if case is None:
        return None
    if span.unit in ("pp", "points", "%"):
        return in_points
    if span.unit == "" and case.unit in ("rate", "percent") and case.cohort:
        return case.cohort * in_points / 100
    return 1.0 if span.unit in ("", "money", "day", "hour") else None


def _share_error(judge: Judge) -> list[float]:
    """The standard error of one value of a rate, in the unit of the series."""
    case, main = judge.source.case, judge.source.main
    level = main.mean(0, judge.source.n) if main else None
    if case is None or not case.cohort or level is None or case.unit not in ("rate", "percent"):
        return []
    full = 1.0 if case.unit == "rate" else 100.0
    share = level / full
    return [full * math.sqrt(share * (1 - share) / case.cohort)] if 0 < share < 1 else []


def _errors(judge: Judge) -> Iterator[tuple[str, float]]:
    for z, name in ((1.0, "one standard error"), (1.96, "1.96 errors"), (2.0, "two errors")):
        yield name, z
        yield f"{name} of a difference", z * math.sqrt(2)
