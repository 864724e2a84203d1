"""Durations and counts of periods."""

from __future__ import annotations

import itertools
import math
import re
from typing import TYPE_CHECKING

from nbutils.claims.grammar import PERIOD_WORDS
from nbutils.claims.source import Series

if TYPE_CHECKING:
    from nbutils.claims.judge import Judge
    from nbutils.claims.work import Work

_SELECTS_BEFORE = re.compile(
    r"\b(?:first|last|past|previous|next|final|latest|other|remaining|most recent|recent|"
    r"opening|these|those|same) $"
)
_RUN_AFTER = re.compile(
    r"^,? (?:running|in a row|straight|in succession|without|on end|consecutive\w*|shown|of data|"
    r"on record|in the series)\b"
)
_RUN_BEFORE = re.compile(
    r"\b(?:over|across|lasted|spans?|covers?|during|throughout|through|past|last)"
    r"(?: the| all| only| just| about| some| now| nearly| over)* $"
)
_STEPS = re.compile(
    r"^(?:straight |consecutive |weekly |monthly |quarterly |daily |successive |equal |"
    r"small |even )?"
    r"(?:steps?|intervals?|falls?|rises?|drops?|gains?|losses|increases?|declines?|moves?|values?|"
    r"readings?|periods?|cohorts?|data points|times|points)\b"
)
_HELD = re.compile(
    r"\b(?:(?P<side>below|under|above|over) \S+|(?:stayed|held|sat|remained|stood|was|been|kept|"
    r"read) (?:at |between |within )?~?[\d.,%$€£k]+(?: (?:or|and|to) ~?[\d.,%$€£k]+)?)"
    r" for (?:all )?$"
)
_PEAK = re.compile(r"\b(?:peak|trough|lowest|highest|bottom)\b")
_BEYOND = re.compile(r"\b(?:under|above|below|over|beyond|at least|within|between|outside)\b")
_DAYS = {"day": 1, "week": 7, "month": 30.4, "quarter": 91.3, "year": 365.25}


def runs(series: Series) -> set[int]:
    """Lengths of the stretches that rise, fall, or stay within a narrow band, in periods."""
    values = [v for v in series.values if v is not None]
    found: set[int] = set()
    for better in (
        lambda a, b: b > a,
        lambda a, b: b < a,
        lambda a, b: b >= a,
        lambda a, b: b <= a,
    ):
        length = 0
        for a, b in zip(values, [*values[1:], None], strict=False):
            if b is not None and better(a, b):
                length += 1
            else:
                if length:
                    found |= {length, length + 1}
                length = 0
    return found


def lengths(judge: Judge, work: Work) -> set[int]:
    """Numbers of periods that the case or the text gives."""
    source = judge.source
    n = source.n
    edges = {0, n, *source.splits}
    before = judge.before(work.sentence)
    for low, high in work.sentence.windows or (before.windows if before else ()):
        edges |= {low, high}
    main = source.main
    if main and _PEAK.search(work.sentence.low):
        known = [i for i, v in enumerate(main.values) if v is not None]
        edges |= {max(known, key=lambda i: main.values[i] or 0.0)}
        edges |= {min(known, key=lambda i: main.values[i] or 0.0)}
    found = {abs(a - b) for a in edges for b in edges} | {n - 1}
    if main:
        found |= runs(main) | _flat(main)
        if _BEYOND.search(work.sentence.low):
            found |= _beyond(main, work)
    return found - {0}


def _beyond(series: Series, work: Work) -> set[int]:
    """How many values lie above or below a level that the sentence names."""
    values = [v for v in series.values if v is not None]
    found: set[int] = set()
    for _, operand in work.sentence.levels[:6]:
        level = operand.printed
        for n in (
            sum(v < level for v in values),
            sum(v > level for v in values),
            sum(v <= level for v in values),
            sum(v >= level for v in values),
        ):
            found.add(n)
    return found


def _flat(series: Series) -> set[int]:
    """Lengths of the stretches that hardly move, against the range of the series."""
    values = [v for v in series.values if v is not None]
    small = 0.15 * (max(values) - min(values)) if values else 0.0
    found, length = set(), 1
    for a, b in itertools.pairwise(values):
        if abs(b - a) <= small:
            length += 1
        else:
            found.add(length)
            length = 1
    return found | {length}


def duration(judge: Judge, work: Work) -> bool:
    """Judge a number of periods; False if it is none."""
    source, span = judge.source, work.span
    case = source.case
    if not case or not source.main:
        return False
    if not case.period and span.unit in PERIOD_WORDS and span.value in (source.n, source.n - 1):
        return work.settle("supported", "duration", f"the series holds {source.n} values")
    steps = span.unit in ("", "x") and _counts_steps(work)
    if not steps and (not case.period or span.unit != case.period):
        return _other_unit(judge, work)
    whole = span.value == int(span.value)
    held = _held(judge, work) if whole and not span.hedge else None
    if held is not None:
        ok = int(span.value) in held
        counted = " or ".join(str(k) for k in sorted(held))
        return work.settle(
            "supported" if ok else "contradicted",
            "duration",
            f"the values named hold for {counted or 'no'} {case.period or 'period'}s",
        )
    if whole and int(span.value) in lengths(judge, work):
        return work.settle(
            "supported", "duration", f"{span.text}: a stretch of the {source.n} periods"
        )
    before, after = judge.context(work)
    if whole and 0 < span.value <= source.n and _SELECTS_BEFORE.search(before):
        return work.settle("supported", "duration", f"a window within the {source.n} periods")
    if work.sentence.section == "action":
        return False
    if re.search(r"\d-[a-z]", span.text):
        return work.settle("unchecked", "duration", "part of a name")
    if _RUN_AFTER.match(after) or _RUN_BEFORE.search(before):
        return work.settle(
            "contradicted",
            "duration",
            f"the series has {source.n} periods; no stretch named or running has this length",
        )
    return work.settle("unchecked", "duration", "which periods are counted is not said")


def _held(judge: Judge, work: Work) -> set[int] | None:
    """For how long the series stays at, below or above what is named; None if nothing is."""
    main, sentence = judge.source.main, work.sentence
    before = judge.context(work)[0]
    match = _HELD.search(before)
    if main is None or match is None:
        return None
    start = work.span.start - len(before)
    operands = [o for at, o in sentence.levels if start + match.start() <= at < work.span.start]
    if not operands:
        return None
    side = match["side"]
    half = max(abs(o.value - o.printed) for o in operands) + 1e-9
    low, high = (f(o.value for o in operands) for f in (min, max))
    if side:
        low, high = (-math.inf, low) if side in ("below", "under") else (high, math.inf)
    inside = [v is not None and low - half < v < high + half for v in main.values]
    lengths = {sum(1 for _ in group) for fits, group in itertools.groupby(inside) if fits}
    # the period in which a level is reached may be counted or not
    lengths |= {k - 1 for k in lengths} if not side else set()
    return (lengths | {sum(inside)}) - {0}


def _counts_steps(work: Work) -> bool:
    sentence = work.sentence
    after = sentence.low[work.span.end - sentence.start :][:30].lstrip()
    if work.span.unit == "x":
        return after.startswith(("in a row", "running", "in succession"))
    return bool(_STEPS.match(after))


_ONE_MORE = re.compile(r"(?:one|1) (?:more|extra|further|additional|fewer|less)\b")


def _other_unit(judge: Judge, work: Work) -> bool:
    """Durations in another unit than the series: the whole length converted, or not checkable."""
    case, span = judge.source.case, work.span
    if judge.regression and _ONE_MORE.match(judge.output[span.start :].lower()):
        return work.settle("unchecked", "duration", "the step that an effect belongs to")
    if span.unit not in PERIOD_WORDS or not case or case.period not in _DAYS:
        return False
    if re.search(rf"(?<!\d){span.value:g}{span.unit[0]}\b", case.regression):
        return work.settle("supported", "duration", "part of the regression's outcome")
    if span.unit in _DAYS and case.unit not in ("days", "hours"):
        source = judge.source
        for length in sorted({source.n, source.n - 1, *source.splits} - {0}):
            days = length * _DAYS[case.period]
            if abs(days - span.value * _DAYS[span.unit]) <= 0.02 * days:
                text = f"{length} {case.period}s"
                return work.settle("supported", "duration", f"{text} are {span.text}")
        before = judge.context(work)[0]
        given = any(lit.span.unit == span.unit for lit in judge.source.literals)
        if not given and not _RUN_BEFORE.search(before) and span.unit != case.period:
            return work.settle("unchecked", "duration", "another unit than the series")
    return False
