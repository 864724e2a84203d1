"""Binding: which two operands a change is about, read from the words around it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from nbutils.claims import masks
from nbutils.claims.context import Sentence
from nbutils.claims.source import Operand, Series, Source

_STEP = re.compile(
    r"\b(?:largest|biggest|steepest|sharpest|greatest|deepest|single|one|smallest|widest) "
    r"(?:\w+ )?(?:step|drop|fall|rise|loss|gain|jump|move|change|decline|increase|swing|dip)|"
    r"\bat once\b|\bovernight\b|\bimmediately\b|\bstep\b|\bsteps\b|\bstepped\b|\bjump|"
    r"\bdrop|\bfell\b|\brose\b|\bshift"
)
_RANGE = re.compile(
    r"\b(?:range|band|spread|swing|swings|gap between|highest|lowest|peak|trough|between|separate|"
    r"best|worst|low|high|bottom|shortfall|short|top|extremes?|surplus|fluctuat|bounc|"
    r"wobbl|noise|corridor|moves?|wander\w*|var(?:y|ies|ied))\b"
)


_LATEST = re.compile(r"\bthe (two|three|four|five|six|seven|\d{1,2}) (?:steps? )?since\b")
_BY = re.compile(r"\b(?:by|until) (?:the )?$")
_UNTIL = re.compile(r"\b(?:before|until|up to|already|prior)\b")
_SINCE = re.compile(r"\b(?:since|after|from then|afterwards)\b")
_EXTREME = re.compile(
    r"\b(?:highest|lowest|peak\w*|trough|best|worst|low|high|bottom|shortfall|short|top|surplus|"
    r"spike\w*|dip\w*)\b"
)


@dataclass(slots=True)
class Pair:
    """Two operands, the earlier one first; ``bound`` names the words that tie them."""

    a: Operand
    b: Operand
    bound: str

    @property
    def diff(self) -> float:
        """Change from the first to the second."""
        return self.b.value - self.a.value

    @property
    def timed(self) -> bool:
        """Whether both operands are of one series and in order of time."""
        return (
            self.a.time is not None and self.b.time is not None and self.a.series is self.b.series
        )

    @property
    def span(self) -> float:
        """How many periods lie between, 0 if unknown."""
        if self.a.time is None or self.b.time is None:
            return 0.0
        return abs(self.b.time - self.a.time)


def point(series: Series, i: int) -> Operand | None:
    """The value of one period as an operand."""
    return series.points[i] if 0 <= i < len(series.points) else None


def mean(series: Series, low: int, high: int) -> Operand | None:
    """The mean of a window as an operand."""
    value = series.mean(low, high)
    if value is None:
        return None
    where = f"mean of periods {low + 1}-{high}"
    return Operand(value, value, (low + high - 1) / 2, series, where)


def ordered(a: Operand, b: Operand, bound: str) -> Pair:
    """A pair with the earlier operand first; the order of mention decides where time does not."""
    if a.time is not None and b.time is not None and a.series is b.series and b.time < a.time:
        a, b = b, a
    return Pair(a, b, bound)


def explicit(sentence: Sentence, at: int) -> list[Pair]:
    """Pairs of levels printed in a sentence, those nearest to offset ``at`` first."""
    levels = sentence.levels
    if len(levels) < 2:
        return []
    order = sorted(range(len(levels) - 1), key=lambda i: abs(levels[i][0] - at))[:6]
    found = [ordered(levels[i][1], levels[i + 1][1], "named beside it") for i in order]
    if len(levels) <= 5:
        for i in range(len(levels)):
            found += [
                ordered(levels[i][1], levels[j][1], "named in the sentence")
                for j in range(i + 2, len(levels))
            ]
    else:
        found.append(ordered(levels[0][1], levels[-1][1], "named in the sentence"))
    return found


def labelled(sentence: Sentence, source: Source, series: Series | None = None) -> Iterator[Pair]:
    """Pairs made by the periods that a sentence names: two of them, or a step into one."""
    series = series or source.main
    if series is None:
        return
    windows = list(dict.fromkeys(sentence.windows))[:6]
    for k, (low, high) in enumerate(windows):
        here = over(series, low, high)
        if here is None:
            continue
        for other_low, other_high in windows[k + 1 :]:
            there = over(series, other_low, other_high)
            if there:
                yield ordered(here, there, "periods named")
        before, first, last = (point(series, i) for i in (low - 1, low, high - 1))
        if first and last and high - low > 1:
            yield Pair(first, last, "ends of the window")
        if before and last:
            yield Pair(before, last, "step into the period named")


def cumulative(sentence: Sentence, source: Source) -> Iterator[Pair]:
    """From the first value to the period that "by" or "until" names."""
    first = point(source.main, 0) if source.main else None
    for start, _, low, high in sentence.marks[:6]:
        told = sentence.low[max(0, start - sentence.start - 10) : start - sentence.start]
        here = point(source.main, low) if source.main and high - low == 1 else None
        if first and here and low and _BY.search(told):
            yield Pair(first, here, "up to the period named")


def around(sentence: Sentence, source: Source, series: Series | None = None) -> Iterator[Pair]:
    """Pairs that a named period suggests: since it, up to it, before and after it."""
    series = series or source.main
    if series is None:
        return
    n = source.n
    last, first = point(series, n - 1), point(series, 0)
    for low, high in list(dict.fromkeys(sentence.windows))[:5]:
        here = over(series, low, high)
        if here is None:
            continue
        if high - low == 1:
            if last and low < n - 1:
                yield Pair(here, last, "since the period named")
                before = point(series, low - 1)
                if before:
                    yield Pair(before, last, "since the period before the one named")
            if first and low > 0:
                yield Pair(first, here, "up to the period named")
            yield from split(series, low, n)
            continue
        start, end = point(series, low), point(series, high - 1)
        if start and end:
            yield Pair(start, end, "ends of the window")
        if series is source.main:
            yield from range_of(source, low, high)
        for other in (mean(series, 0, low), mean(series, high, n)):
            if other:
                yield ordered(here, other, "window against the rest")


def range_of(source: Source, low: int, high: int) -> list[Pair]:
    """The lowest against the highest value of a window of three periods or more."""
    series = source.main
    known = [o for i in range(low, high) if (o := point(series, i))] if series else []
    if len(known) < 3:
        return []
    low_end, high_end = (f(known, key=lambda o: o.value) for f in (min, max))
    return [ordered(low_end, high_end, "range of the window")]


def beside_splits(sentence: Sentence, source: Source) -> list[Pair]:
    """The whole move before, or since, a change that the input tells of."""
    series, n = source.main, source.n
    before, since = _UNTIL.search(sentence.low), _SINCE.search(sentence.low)
    found: list[Pair] = []
    if series is None or not (before or since):
        return found
    for k in source.splits[:4]:
        spans = [(0, k - 1, "up to the change")] if before else []
        if since:
            spans += [(k, n - 1, "since the change"), (k - 1, n - 1, "since the change")]
        for i, j, bound in spans:
            a, b = point(series, i), point(series, j)
            if a and b and i < j:
                found.append(Pair(a, b, bound))
    return found


def over(series: Series, low: int, high: int) -> Operand | None:
    """A period's value or a window's mean."""
    return mean(series, low, high) if high - low > 1 else point(series, low)


def split(series: Series, k: int, n: int) -> Iterator[Pair]:
    """Means before and from period ``k`` on, and the last value against the mean before."""
    before, after = mean(series, 0, k), mean(series, k, n)
    if before and after:
        yield Pair(before, after, f"before and from period {k + 1}")
    here = point(series, k)
    if before and here:
        yield Pair(before, here, f"mean before period {k + 1} to its value")


def ends(source: Source, series: Series | None = None) -> list[Pair]:
    """First to last value."""
    series = series or source.main
    if series is None:
        return []
    known = [i for i, v in enumerate(series.values) if v is not None]
    if len(known) < 2:
        return []
    first, last = point(series, known[0]), point(series, known[-1])
    return [Pair(first, last, "first to last")] if first and last else []


def literal_pairs(
    source: Source, words: frozenset[str], unit: str, same_as: str | None = None
) -> Iterator[Pair]:
    """Numbers of one clause of the input that speaks of the same thing, two and two.

    Neighbours first; with ``same_as`` only numbers printed in that unit.
    """
    groups: dict[tuple[int, str], list[Operand]] = {}
    for literal in source.literals[:200]:
        span = literal.span
        if literal.line in ("metric", "regression") or span.spelled or not literal.words & words:
            continue
        if (
            span.unit != same_as
            if same_as is not None
            else span.unit not in ("", unit, "%", "money")
        ):
            continue
        by = 0.01 if span.unit == "%" and unit == "rate" and same_as is None else 1.0
        value = span.value * by
        group = groups.setdefault((literal.clause, span.unit), [])
        if len(group) < 5:
            group.append(Operand(value, value, None, None, "the input"))
    for apart in range(1, 5):
        for group in groups.values():
            for a, b in zip(group, group[apart:], strict=False):
                yield Pair(a, b, "side by side in the input")


def halves(source: Source) -> list[Pair]:
    """The mean of the first half against that of the second."""
    series, n = source.main, source.n
    if series is None or n < 4:
        return []
    a, b = mean(series, 0, n // 2), mean(series, n - n // 2, n)
    return [Pair(a, b, "the two halves")] if a and b else []


def literal_gaps(source: Source) -> Iterator[Pair]:
    """A level of another group, told in the input, against the ends of the series."""
    series, case = source.main, source.case
    if series is None or not case:
        return
    unit = {"rate": "%", "percent": "%", "money": "money"}.get(case.unit, "")
    for literal in source.literals[:40]:
        span = literal.span
        if literal.line in ("metric", "cohort size", "regression") or span.spelled:
            continue
        decimal = case.unit == "rate" and not span.unit and span.decimals and span.value < 1
        if span.unit == unit or decimal:
            by = 0.01 if case.unit == "rate" and not decimal else 1.0
            other = Operand(span.value * by, span.value * by, None, None, "the input")
            for i in (len(series.values) - 1, 0):
                here = point(series, i)
                if here:
                    yield Pair(other, here, f"against {span.text} in the input")


def years(source: Source) -> list[Pair]:
    """Each period against the same one a year before, the latest first."""
    series, case = source.main, source.case
    lag = {"quarter": 4, "month": 12, "week": 52}.get(case.period, 0) if case else 0
    if series is None or not lag:
        return []
    found = []
    for i in range(len(series.values) - 1, lag - 1, -1):
        a, b = point(series, i - lag), point(series, i)
        if a and b:
            found.append(Pair(a, b, "a year apart"))
    return found


def extremes(source: Source, range_only: bool = False) -> list[Pair]:
    """Lowest and highest value against each other, and unless ``range_only`` against the rest."""
    series = source.main
    if series is None:
        return []
    known = [i for i, v in enumerate(series.values) if v is not None]
    if len(known) < 3:
        return []
    values = series.values
    high = point(series, max(known, key=lambda i: values[i] or 0.0))
    low = point(series, min(known, key=lambda i: values[i] or 0.0))
    last = point(series, known[-1])
    first = point(series, known[0])
    if not (high and low and last and first):
        return []
    found = [ordered(high, low, "high and low")]
    if range_only:
        return found
    for extreme in (high, low):
        usual = mean(series, 0, int(extreme.time or 0))
        if usual:
            found.append(Pair(usual, extreme, "mean before it to the high or low"))
    found += [Pair(x, last, "high or low to last") for x in (high, low) if x.time != last.time]
    found += [Pair(first, x, "first to high or low") for x in (high, low) if x.time != first.time]
    return found


def against_levels(sentence: Sentence, source: Source) -> Iterator[Pair]:
    """Each value of the series against a level that the sentence measures it by."""
    series = source.main
    if series is None:
        return
    known = [i for i, v in enumerate(series.values) if v is not None]
    named = {low for low, high in sentence.windows if high - low == 1}
    for pick in (max, min):
        named.add(pick(known, key=lambda i: series.values[i] or 0.0, default=0))
    for _, level in sentence.levels[:2]:
        for i in sorted({0, len(series.values) - 1} | named):
            here = point(series, i)
            if here:
                yield ordered(level, here, f"against {level.note}")


def steps(source: Source, series: Series | None = None) -> list[Pair]:
    """Changes from one period to the next, the largest first."""
    series = series or source.main
    if series is None:
        return []
    found = []
    for i in range(1, len(series.values)):
        a, b = point(series, i - 1), point(series, i)
        if a and b:
            found.append(Pair(a, b, f"step into period {i + 1}"))
    return sorted(found, key=lambda pair: -abs(pair.diff))


def latest(sentence: Sentence, source: Source) -> Iterator[Pair]:
    """The last steps, as many as are told: "the four since average 1.3"."""
    for match in _LATEST.finditer(sentence.low):
        k = masks.whole_number(match[1])
        last = point(source.main, source.n - 1) if source.main else None
        start = point(source.main, source.n - 1 - k) if source.main and 0 < k < source.n else None
        if start and last:
            yield Pair(start, last, f"the last {k} steps")


def best_split(source: Source) -> list[Pair]:
    """The split with the largest drop in squared error, means before and after."""
    series = source.main
    if series is None or len(series.values) < 4:
        return []
    n = len(series.values)

    def weight(k: int) -> float:
        before, after = series.mean(0, k), series.mean(k, n)
        return 0.0 if before is None or after is None else (before - after) ** 2 * k * (n - k)

    return list(split(series, max(range(1, n), key=weight), n))


def says_step(low: str) -> bool:
    """Whether a sentence speaks of a single step."""
    return bool(_STEP.search(low))


def says_range(low: str) -> bool:
    """Whether a sentence speaks of extremes or a range."""
    return bool(_RANGE.search(low))


def says_extreme(low: str) -> bool:
    """Whether a sentence speaks of one extreme, and not just of a range."""
    return bool(_EXTREME.search(low))
