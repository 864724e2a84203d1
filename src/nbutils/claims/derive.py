"""Free derivations: amounts of one passage that give a number, tried from the nearest outwards.

Any pair of amounts under any operation would accept a third of all wrong percents. So the amounts
are tried in circles, those of the sentence first, and in every circle the results that lie near
the printed number are counted: where they cover more than a small share of what might have stood
there, a match is no evidence.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from nbutils.claims.changes import show
from nbutils.claims.grammar import PERIOD_WORDS, Span
from nbutils.claims.source import Literal, Series

if TYPE_CHECKING:
    from nbutils.claims.judge import Judge
    from nbutils.claims.work import Work

# the largest share of the neighbourhood that the results of each circle may cover
CHANCES = {
    "told": 0.5,
    "sentence": 0.16,
    "passage": 0.10,
    "clause": 0.12,
    "sums": 0.12,
    "lists": 0.08,
}
_TOTAL = re.compile(
    r"\b(?:total|together|sums?|in all|altogether|add(?:s|ed)? up|pool\w*|so far|overall|combined|"
    r"all (?:\w+ )?(?:days|weeks|months|quarters)|cost|brought|over)\b"
)
_OUT_OF = re.compile(r"\b\d[\d,]* (?:out )?of \d")
_RATIO = re.compile(
    r"\b(?:share|per|divid\w+|multipl\w+|times|ratio|each|rates?|minus|less|gap|difference|gave|"
    r"give|gives|made|make|out of|accounts were|were)\b"
)
Result = tuple[float, str]


@dataclass(slots=True)
class Amount:
    """An operand of a free derivation: ``unit`` is ``share``, ``number``, ``money`` or ``x``."""

    value: float
    unit: str
    note: str


def derive(judge: Judge, work: Work) -> bool:
    """Settle a number that amounts of its passage give, and hardly another would by chance."""
    span = work.span
    unit, by = _target(judge, span)
    before = judge.context(work)[0].rstrip()
    if not unit or (span.unit == "%" and judge.says_change(work)):
        return False
    level = unit == "share" and span.unit == "%" and judge.level_context(work)
    rates = judge.source.case is not None and judge.source.case.unit in ("rate", "percent")
    wanted = span.interval()[0] * by, span.interval()[1] * by
    for circle, results in _circles(judge, work, unit):
        if level and circle != "clause" and rates and not before.endswith("="):
            continue
        found = unlikely(results, wanted, CHANCES[circle], 2 * span.step * by)
        if found:
            kind = {"share": "share", "x": "ratio", "money": "money"}.get(unit, judge.kind(work))
            if span.unit in ("pp", "points"):
                kind = "point change"
            text = f"{found[1]} = {show(found[0] / by)}, printed as {span.text}"
            return work.settle("supported", kind, text)
    return False


def unlikely(
    results: Iterable[Result], wanted: tuple[float, float], chance: float, width: float = 0.0
) -> Result | None:
    """The first result in the interval, if few results lie near it."""
    low, high = wanted
    width = min(high - low, width) if width else high - low
    near: set[float] = set()
    hit: Result | None = None
    for value, how in results:
        if 0.6 * low <= value <= 1.5 * high:
            near.add(round(value, 9))
            if hit is None and low <= value <= high:
                hit = value, how
    return hit if hit and len(near) * width <= chance * max(high, 1e-12) else None


# --------------------------------------------------------------------------- circles


def _circles(judge: Judge, work: Work, unit: str) -> Iterator[tuple[str, Iterator[Result]]]:
    own, earlier = _stated(judge, work)
    percent = work.span.unit in ("%", "part")
    times = _times(judge, work)
    if unit in ("number", "money"):
        yield "told", _told_pairs(judge, work, unit)
    yield "sentence", _combine(own[:6], unit, [], percent)
    cohort = _cohort(judge)
    passage = [*own[:5], *cohort[:3], *earlier[:7]]
    total = unit == "number" and bool(_TOTAL.search(work.sentence.low))
    yield "passage", _combine(passage, unit, times, percent, total)
    for clause in _clauses(judge, work):
        yield "clause", _combine([*clause, *own[:2], *cohort[:1]], unit, times[:1], percent)
    yield "sums", _sums(judge, work, unit, cohort)
    yield "lists", _across(judge, work, unit)


def _stated(judge: Judge, work: Work) -> tuple[list[Amount], list[Amount]]:
    """What the sentence and the two before it state, the nearest first."""
    unit = judge.source.case.unit if judge.source.case else ""
    found: tuple[list[Amount], list[Amount]] = ([], [])
    near = judge.recent(work, 2)
    near.sort(key=lambda w: (w.sentence is not work.sentence, abs(w.span.start - work.span.start)))
    for other in near:
        amount = as_amount(judge, other, unit)
        side = found[other.sentence is not work.sentence]
        if amount and all(amount.value != known.value for known in side):
            side.append(amount)
    if work.sentence.section == "urgency":
        # the last line sums up: it may take up anything told before
        for other in reversed(judge.works[-40:]):
            if other.kind in ("point change", "count", "money") and other.verdict == "supported":
                amount = as_amount(judge, other, unit)
                if amount and other.span.start < work.span.start and len(found[1]) < 8:
                    found[1].append(amount)
    return found


def _told_pairs(judge: Judge, work: Work, unit: str) -> Iterator[Result]:
    """The differences of amounts told one after the other, the nearest pairs of them."""
    case = judge.source.case.unit if judge.source.case else ""
    told = [w for w in judge.recent(work, 1) if w.span.end <= work.span.start and w.span.value > 0]
    amounts = [(w, a) for w in told[:8] if (a := as_amount(judge, w, case)) and a.unit == unit]
    for apart in (1, 2):
        # side by side, or every other one: "104 of 120, since then 85 of 120"
        pairs = zip(amounts, amounts[apart:], strict=False)
        differ = [(a, b) for (_, a), (_, b) in pairs if a.value != b.value]
        yield from ((abs(a.value - b.value), f"{a.note} - {b.note}") for a, b in differ[:2])


def _cohort(judge: Judge) -> list[Amount]:
    """The numbers of the cohort line."""
    unit = judge.source.case.unit if judge.source.case else ""
    found = []
    for literal in judge.source.literals[:60]:
        if literal.line == "cohort size" and literal.span.unit in ("", "money", "%"):
            found.append(_literal(literal, unit))
    return found


def _clauses(judge: Judge, work: Work) -> list[list[Amount]]:
    """The amounts of clauses of the input that speak of the same thing, the likest first."""
    unit = judge.source.case.unit if judge.source.case else ""
    words = work.sentence.words
    before = judge.before(work.sentence)
    around = words | before.words if before else words
    groups: dict[int, list[Literal]] = {}
    for literal in judge.source.literals[:200]:
        if literal.line not in ("metric", "cohort size", "regression") and not literal.span.spelled:
            groups.setdefault(literal.clause, []).append(literal)
    scored = []
    for clause, members in groups.items():
        likeness = 2 * len(members[0].words & words) + len(members[0].words & around)
        if likeness:
            scored.append((-likeness, clause, members))
    found = []
    for _, _, members in sorted(scored, key=lambda item: item[:2])[:4]:
        usable = [m for m in members if m.span.unit in ("", "%", "money", "pp")]
        found.append([_literal(m, unit) for m in usable[:6]])
    return found


def _times(judge: Judge, work: Work) -> list[float]:
    """Numbers of periods that the passage counts: "three weeks", "weeks 5-7"."""
    before = judge.before(work.sentence)
    found = [
        w.span.value
        for w in work.sentence.works[:60]
        if w.span.unit in PERIOD_WORDS and w.span.value > 1
    ]
    if before:
        found += [w.span.value for w in before.works[:20] if w.span.unit in PERIOD_WORDS]
    windows = [*work.sentence.windows, *(before.windows if before else [])]
    found += [float(high - low) for low, high in windows]
    found += [float(k) for k in judge.source.splits]
    found += [float(judge.source.n - k) for k in judge.source.splits]
    return [k for k in dict.fromkeys(found) if k > 1][:4]


# --------------------------------------------------------------------------- combinations


def _combine(
    amounts: list[Amount], unit: str, times: list[float], percent: bool, total: bool = False
) -> Iterator[Result]:
    """Sums, differences, products and quotients of amounts, and of one with a number of periods."""
    for size in (2, 3, 4, 5):
        # "14, 11 and 3: 28 in all": the sum of the amounts nearest to it
        near = [a for a in amounts if a.unit == unit][:size]
        if len(near) == size:
            yield sum(a.value for a in near), " + ".join(a.note for a in near)
    for i, a in enumerate(amounts):
        if a.unit == unit:
            yield from ((a.value * k, f"{a.note} x {k:g}") for k in times)
            yield from ((a.value / k, f"{a.note} / {k:g}") for k in times)
        if a.unit == "share" and unit == "share":
            yield 1 - a.value, f"100% - {a.note}"
        for b in amounts[i + 1 :]:
            for value, own, how in results(a, b):
                # the sum or difference of two percents is in points, never a percent
                if not percent and unit == "share" and " / " in how:
                    continue
                if own == unit == "share" and percent and (" + " in how or " - " in how):
                    continue
                if own == unit:
                    yield value, how
                    yield from ((value * k, f"{how} x {k:g}") for k in times[:2] if total)
                if own == "x" and unit == "share" and percent:
                    yield value, how
                    yield abs(value - 1), f"{how} - 1"


def results(a: Amount, b: Amount) -> Iterator[tuple[float, str, str]]:
    """What two amounts give together: value, unit and how."""
    if a.unit == b.unit:
        if a.unit == "share":
            yield a.value * b.value, "share", f"{a.note} of {b.note}"
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
            if y.unit == "number" and y.value:
                yield x.value / y.value, "share", f"{x.note} / {y.note}"
        elif x.unit == "number" and y.unit == "money":
            yield x.value * y.value, "money", f"{x.note} x {y.note}"
            if x.value:
                yield y.value / x.value, "money", f"{y.note} / {x.note}"


def _sums(judge: Judge, work: Work, unit: str, cohort: list[Amount]) -> Iterator[Result]:
    """Sums over periods, of the values or of what lies above a mean that the text names."""
    source = judge.source
    at = work.sentence.index
    passage = judge.sentences[max(0, at - 3) : at + 1][::-1]
    windows = list(dict.fromkeys([w for s in passage[:3] for w in s.windows] + [(0, source.n)]))[:6]
    windows += [w for k in source.splits[:3] for w in ((k, source.n), (0, k))]
    if _TOTAL.search(work.sentence.low) or _OUT_OF.search(work.sentence.low):
        for series in source.series[:5]:
            for low, high in windows if len(series.values) == source.n else [(0, source.n)]:
                total = sum(v for v in series.values[low:high] if v is not None)
                for value, own in _in_units(total, series, cohort):
                    if own == unit:
                        yield value, f"sum of {series.name}, periods {low + 1}-{high}"
    told = [a for a in _stated(judge, work)[0] if a.unit == "share"]
    for size in (2, 3, 4):
        for amount in cohort[:1]:
            if len(told) >= size and amount.unit == unit and _TOTAL.search(work.sentence.low):
                parts = told[:size]
                text = " + ".join(a.note for a in parts)
                yield sum(a.value for a in parts) * amount.value, f"({text}) of {amount.note}"
    main = source.main
    yield from _of_cohort(judge, unit, cohort)
    if main is None or not _TOTAL.search(work.sentence.low):
        return
    levels = [item for sentence in passage for item in sentence.levels]
    bases = {o.value: o for _, o in levels if o.series is main and o.note.startswith("mean")}
    for base in list(bases.values())[:4]:
        for low, high in windows:
            known = [v for v in main.values[low:high] if v is not None]
            excess = abs(sum(v - base.value for v in known))
            if len(known) > 1:
                for value, own in _in_units(excess, main, cohort):
                    if own == unit:
                        yield value, f"sum of what periods {low + 1}-{high} differ from {base.note}"


def _of_cohort(judge: Judge, unit: str, cohort: list[Amount]) -> Iterator[Result]:
    """The first, last, highest and lowest value and the means around changes, of the cohort."""
    source, main = judge.source, judge.source.main
    by = {"rate": 1.0, "percent": 0.01}.get(main.unit) if main else None
    if main is None or by is None:
        return
    known = [v for v in main.values if v is not None]
    found = {known[0], known[-1], max(known), min(known)} if known else set()
    for k in source.splits[:3]:
        found |= {m for m in (main.mean(0, k), main.mean(k, source.n)) if m is not None}
    for amount in cohort[:2]:
        if amount.unit == unit:
            yield from ((v * by * amount.value, f"{show(v)} of {amount.note}") for v in found)


def _in_units(total: float, series: Series, cohort: list[Amount]) -> Iterator[tuple[float, str]]:
    share = {"rate": 1.0, "percent": 0.01}.get(series.unit)
    if not share:
        yield total, "money" if series.unit == "money" else "number"
        return
    yield total * share, "share"
    for amount in cohort[:2]:
        if amount.unit != "share":
            yield total * share * amount.value, amount.unit


def _across(judge: Judge, work: Work, unit: str) -> Iterator[Result]:
    """Series against each other and against the cohort, in the periods that a sentence names."""
    source = judge.source
    if not _RATIO.search(work.sentence.low):
        return
    periods = [low for low, high in work.sentence.windows if high - low == 1][:3]
    periods = list(dict.fromkeys([*periods, source.n - 1, 0]))
    rows = [s for s in source.series[:5] if len(s.values) == source.n and not s.gap]
    cohort = _cohort(judge)[:2]
    for i in periods:
        amounts = [amount for s in rows if (amount := _of_series(s, i))]
        for k, a in enumerate(amounts):
            for b in [*amounts[k + 1 :], *cohort]:
                for value, own, how in results(a, b):
                    if own == unit:
                        yield value, how
                    if own == "x" and (unit == "share" or work.span.decimals):
                        yield value, how


def _of_series(series: Series, i: int) -> Amount | None:
    value = series.at(i)
    if value is None:
        return None
    share = {"rate": 1.0, "percent": 0.01}.get(series.unit)
    kind = "share" if share else "money" if series.unit == "money" else "number"
    return Amount(value * (share or 1.0), kind, f"{series.name} in period {i + 1}")


# --------------------------------------------------------------------------- units


def as_amount(judge: Judge, work: Work, unit: str) -> Amount | None:
    """A settled claim as an operand."""
    span = work.span
    operand = work.operand
    if operand is not None and unit in ("rate", "percent") and span.unit != "money":
        own = operand.series.unit if operand.series else unit
        if own in ("rate", "percent"):
            return Amount(operand.value * (1.0 if own == "rate" else 0.01), "share", span.text)
    rate = unit in ("rate", "percent")
    if rate and work.kind == "relative change":
        # a percent of a rate is no share of the cohort
        return None
    if span.unit in ("%", "pp") or (span.unit == "points" and rate):
        exact = abs(work.pair.diff) * work.by if work.pair and work.by else span.value
        low, high = span.interval()
        return Amount((exact if low <= exact <= high else span.value) / 100, "share", span.text)
    if span.unit == "money":
        return Amount(span.value, "money", span.text)
    if work.kind == "point change" and rate and span.decimals < 2:
        return Amount(span.value / 100, "share", span.text)
    if span.unit in ("", "points", unit.removesuffix("s")) and not (
        span.spelled and span.value < 2
    ):
        if operand is not None and judge.source.per and operand.series is judge.source.main:
            return Amount(span.value / judge.source.per, "share", span.text)
        return Amount(span.value, "number", span.text)
    return None


def _literal(literal: Literal, unit: str) -> Amount:
    span = literal.span
    if span.unit in ("%", "pp") or (unit == "rate" and span.value < 1 and span.decimals):
        value = span.value / 100 if span.unit in ("%", "pp") else span.value
        return Amount(value, "share", span.text)
    return Amount(span.value, "money" if span.unit == "money" else "number", span.text)


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
    if span.unit == "points" or (case is not None and f"{span.unit}s" == case.unit):
        return "number", 1.0
    return "", 1.0
