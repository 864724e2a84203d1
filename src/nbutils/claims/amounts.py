"""Amounts: people and money affected, shares, ratios, durations, statistics."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from nbutils import facts
from nbutils.claims import changes, pairs
from nbutils.claims.changes import CHANCE, show
from nbutils.claims.grammar import PERIOD_WORDS, Span
from nbutils.claims.levels import inside
from nbutils.claims.source import MAX_PERIODS, Literal

if TYPE_CHECKING:
    from nbutils.claims.judge import Judge, Work

_NOISE = re.compile(
    r"\b(?:chance|noise|noisy|standard errors?|standard deviation|random|margin|luck|sampling|"
    r"wander|expected|expect|binomial|scatter|fluctuat\w+)\b"
)
_HALF = re.compile(r"\b(?:each|half|halves|evenly|equal\w*)\b")


@dataclass(slots=True)
class Amount:
    """An operand of a free derivation: ``unit`` is ``share``, ``number``, ``money`` or ``x``."""

    value: float
    unit: str
    note: str


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
    bound = [*told[::-1], *explicit, *judge.used[:-24:-1]]
    if not told:
        bound += [*changes.strong(judge, work), *changes.medium(judge, work)]
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


# --------------------------------------------------------------------------- free derivations


def operands(judge: Judge, work: Work) -> list[Amount]:
    """Amounts that the sentence and its neighbour state, the cohort, and what the input ties in."""
    case = judge.source.case
    unit = case.unit if case else ""
    found: list[Amount] = []
    for other in judge.recent(work, 2):
        amount = as_amount(other, unit)
        if amount:
            found.append(amount)
    if case and case.cohort is not None:
        found.append(Amount(case.cohort, "money" if case.cohort_currency else "number", "cohort"))
    for series in judge.source.series[:4]:
        for low, high in work.sentence.windows[:3]:
            value = series.at(low) if high - low == 1 else None
            if value is not None:
                share = {"rate": 1.0, "percent": 0.01}.get(series.unit)
                kind = "share" if share else "money" if series.unit == "money" else "number"
                found.append(
                    Amount(value * (share or 1.0), kind, f"{series.name} in period {low + 1}")
                )
    words = work.sentence.words
    near = [
        lit for lit in judge.source.literals[:200] if lit.words & words and not lit.span.spelled
    ]
    found += [_literal(lit, unit) for lit in near[:14] if lit.span.unit in ("", "%", "money", "pp")]
    if case is None:
        # a table rarely repeats its currency in every cell
        found = [Amount(a.value, "number" if a.unit == "money" else a.unit, a.note) for a in found]
    return found


def as_amount(work: Work, unit: str) -> Amount | None:
    """A settled claim as an operand."""
    span = work.span
    if work.operand is not None and unit in ("rate", "percent") and span.unit != "money":
        by = 1.0 if unit == "rate" else 0.01
        if work.operand.series is None or work.operand.series.unit in ("rate", "percent"):
            own = 1.0 if work.operand.series and work.operand.series.unit == "rate" else by
            return Amount(work.operand.value * own, "share", span.text)
    if (
        span.unit == "%"
        or span.unit == "pp"
        or (span.unit == "points" and unit in ("rate", "percent"))
    ):
        return Amount(span.value / 100, "share", span.text)
    if span.unit == "money":
        return Amount(span.value, "money", span.text)
    if span.unit in ("", "points"):
        return Amount(span.value, "number", span.text)
    return None


def _literal(literal: Literal, unit: str) -> Amount:
    span = literal.span
    if span.unit in ("%", "pp") or (unit == "rate" and span.value < 1 and span.decimals):
        value = span.value / 100 if span.unit in ("%", "pp") else span.value
        return Amount(value, "share", span.text)
    return Amount(span.value, "money" if span.unit == "money" else "number", span.text)


def results(a: Amount, b: Amount) -> Iterator[tuple[float, str, str]]:
    """What two amounts give together: value, unit and how."""
    if a.unit == b.unit:
        if a.unit != "share":
            yield a.value + b.value, a.unit, f"{a.note} + {b.note}"
        yield abs(a.value - b.value), a.unit, f"{a.note} - {b.note}"
        for x, y in ((a, b), (b, a)):
            if y.value:
                yield x.value / y.value, "x", f"{x.note} / {y.note}"
        return
    for x, y in ((a, b), (b, a)):
        if x.unit == "share":
            yield x.value * y.value, y.unit, f"{x.note} of {y.note}"
            if x.value:
                yield y.value / x.value, y.unit, f"{y.note} / {x.note}"
        elif x.unit == "number" and y.unit == "money":
            yield x.value * y.value, "money", f"{x.note} x {y.note}"
            if x.value:
                yield y.value / x.value, "money", f"{y.note} / {x.note}"


def derive(judge: Judge, work: Work, chance: float = CHANCE) -> bool:
    """Two amounts of the same passage give the number, and hardly another would by chance.

    Any pair under any operation would accept a third of all wrong percents, so the results that
    lie near the printed number are counted: where they cover more than ``chance`` of what might
    have stood there, a match is no evidence.
    """
    span = work.span
    unit, by = _target(judge, span)
    before = judge.context(work)[0].rstrip()
    if span.unit == "%" and judge.says_change(work):
        return False
    if not unit or (unit == "share" and judge.level_context(work) and not before.endswith("=")):
        return False
    low, high = (edge * by for edge in span.interval())
    near: set[float] = set()
    hit: tuple[float, str] | None = None
    amounts = operands(judge, work)
    times = [
        w.span.value
        for w in work.sentence.works[:60]
        if w.span.unit in PERIOD_WORDS and w.span.value > 1
    ][:3]
    for value, how in _combinations(
        amounts, unit, judge.source.n if changes.paced(work) else 0, times, span.unit == "%"
    ):
        if 0.6 * low <= value <= 1.5 * high:
            near.add(round(value, 9))
            if hit is None and low <= value <= high:
                hit = value, how
    if hit is None or len(near) * (high - low) > chance * max(high, 1e-12):
        return False
    kind = {"share": "share", "x": "ratio", "money": "money"}.get(unit, judge.kind(work))
    if span.unit == "%" or span.unit == "part":
        kind = "share"
    elif span.unit in ("pp", "points"):
        kind = "point change"
    return work.settle("supported", kind, f"{hit[1]} = {show(hit[0] / by)}, printed as {span.text}")


def _combinations(
    amounts: list[Amount], unit: str, n: int, times: list[float], percent: bool
) -> Iterator[tuple[float, str]]:
    for size in (2, 3, 4, 5):
        # "14, 11 and 3: 28 in all": the sum of the amounts named last
        last = [a for a in amounts[:size] if a.unit == unit]
        if len(last) == size:
            yield sum(a.value for a in last), " + ".join(a.note for a in last)
    for i, a in enumerate(amounts):
        if a.unit == unit and times:
            yield from ((a.value * k, f"{a.note} x {k:g}") for k in times)
            yield from ((a.value / k, f"{a.note} / {k:g}") for k in times)
        if a.unit == unit and n > 2:
            yield a.value / (n - 1), f"{a.note} / {n - 1} steps"
            yield a.value / n, f"{a.note} / {n} periods"
            yield a.value * n, f"{a.note} x {n} periods"
        if a.unit == "share" and unit == "share":
            yield 1 - a.value, f"100% - {a.note}"
        for b in amounts[i + 1 :]:
            for value, own, how in results(a, b):
                # the sum or difference of two percents is in points, never a percent
                if own == unit == "share" and percent and " of " not in how:
                    continue
                if own == unit or (unit == "share" and own == "x"):
                    yield value, how
                if own == "x" and unit == "share":
                    yield abs(value - 1), f"{how} - 1"


def _target(judge: Judge, span: Span) -> tuple[str, float]:
    """The unit in which a printed number is derived, and the factor into it."""
    case = judge.source.case
    rate = case is not None and case.unit in ("rate", "percent")
    if span.unit == "%" or span.unit == "pp" or (span.unit == "points" and rate):
        return "share", 0.01
    if span.unit == "part":
        return "share", 1.0
    if span.unit in ("money", "x"):
        return span.unit, 1.0
    if span.unit == "":
        return ("share" if rate and span.decimals and span.value <= 1 else "number"), 1.0
    if span.unit == "points":
        return "number", 1.0
    return "", 1.0


# --------------------------------------------------------------------------- ratios and noise


def ratio(judge: Judge, work: Work) -> bool:
    """Times, twice, doubled, halved: two bound operands in that proportion."""
    span = work.span
    low, high = span.interval()
    if span.text.lower().startswith(("doubl", "halv", "tripl", "trebl", "quadr", "twice")):
        low, high = _word_interval(span)
    bound = [*changes.strong(judge, work), *changes.medium(judge, work)]
    for pair in [*bound, *changes.weak(judge, work)]:
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
