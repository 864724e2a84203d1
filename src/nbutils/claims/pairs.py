"""Binding: which two operands a change is about, read from the words around it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from nbutils.claims.context import Operand, Sentence
from nbutils.claims.source import Series, Source

_STEP = re.compile(
    r"\b(?:largest|biggest|steepest|sharpest|greatest|deepest|single|one|smallest|widest) "
    r"(?:\w+ )?(?:step|drop|fall|rise|loss|gain|jump|move|change|decline|increase|swing|dip)|"
    r"\bstep\b|\bsteps\b|\bstepped\b|\bjump|\bdrop|\bfell\b|\brose\b|\bshift"
)
_RANGE = re.compile(
    r"\b(?:range|band|spread|swing|swings|gap between|highest|lowest|peak|trough|between|separate|"
    r"best|worst|low|high|fluctuat|bounc|wobbl|noise|corridor|moves?)\b"
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
    def span(self) -> float:
        """How many periods lie between, 0 if unknown."""
        if self.a.time is None or self.b.time is None:
            return 0.0
        return abs(self.b.time - self.a.time)


def point(series: Series, i: int) -> Operand | None:
    """The value of one period as an operand."""
    value = series.at(i)
    return None if value is None else Operand(value, value, float(i), series, f"period {i + 1}")


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


def labelled(sentence: Sentence, source: Source) -> Iterator[Pair]:
    """Pairs made by the periods that a sentence names."""
    series = source.main
    if series is None or not sentence.windows:
        return
    windows = list(dict.fromkeys(sentence.windows))[:6]
    n = source.n
    for k, (low, high) in enumerate(windows):
        here = mean(series, low, high) if high - low > 1 else point(series, low)
        if here is None:
            continue
        for other_low, other_high in windows[k + 1 :]:
            wide = other_high - other_low > 1
            there = mean(series, other_low, other_high) if wide else point(series, other_low)
            if there:
                yield ordered(here, there, "periods named")
        if high - low == 1:
            yield from _around(series, low, n)
        else:
            first, last = point(series, low), point(series, high - 1)
            if first and last:
                yield Pair(first, last, "ends of the window")
            for other in (mean(series, 0, low), mean(series, high, n)):
                if other:
                    yield ordered(here, other, "window against the rest")


def _around(series: Series, i: int, n: int) -> Iterator[Pair]:
    here = point(series, i)
    before, last, first = point(series, i - 1), point(series, n - 1), point(series, 0)
    if here is None:
        return
    if before:
        yield Pair(before, here, "step into the period named")
    if last and i < n - 1:
        yield Pair(here, last, "since the period named")
    if first and i > 0:
        yield Pair(first, here, "up to the period named")
    yield from split(series, i, n)


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


def literal_pairs(source: Source, words: frozenset[str], unit: str) -> Iterator[Pair]:
    """Neighbouring numbers of one clause of the input that speaks of the same thing."""
    previous = None
    for literal in source.literals[:200]:
        span = literal.span
        if previous and previous.clause == literal.clause and previous.span.unit == span.unit:
            overlap = literal.words & words
            if span.unit in ("", unit, "%", "money") and not span.spelled and overlap:
                by = 0.01 if span.unit == "%" and unit == "rate" else 1.0
                a, b = (
                    Operand(s.value * by, s.value * by, None, None, "the input")
                    for s in (previous.span, span)
                )
                yield Pair(a, b, "side by side in the input")
        previous = literal


def extremes(source: Source) -> list[Pair]:
    """Lowest and highest value, each against the last, and against each other."""
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
    found += [Pair(x, last, "high or low to last") for x in (high, low) if x.time != last.time]
    found += [Pair(first, x, "first to high or low") for x in (high, low) if x.time != first.time]
    return found


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
