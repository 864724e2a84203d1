"""Levels: numbers that repeat a value, a mean or an extreme of the input."""

from __future__ import annotations

import re
from collections.abc import Iterator

from nbutils.claims.context import Operand, Sentence
from nbutils.claims.grammar import Span
from nbutils.claims.pairs import mean, point
from nbutils.claims.source import Series, Source

MEAN = re.compile(r"\b(?:average\w*|averaging|mean|means|typical\w*|on the whole|overall level)\b")
OTHERS = re.compile(r"\b(?:other|others|rest|remaining|ordinary|either side|around it|everything)\b")
SPLIT = re.compile(
    r"\b(?:before|after|since|then|until|through|earlier|later|previous|from|now|once|pre|post|old|"
    r"new|up to|against|prior)\b"
)
_ATTACHED_AFTER = re.compile(r"^[ ,(]{0,2}(?:in|for|by|at|on|\(|of|during|, in|as of)?[ (]{0,2}(?:the )?$")
_ATTACHED_BEFORE = re.compile(
    r"^(?:'s)?[ ]?(?:[:(=,]|was|were|is|at|with|stood at|came in at|reached|hit|of|had|reads?|read|"
    r"came back to|, at|being|to|has|shows?|stands at|closed at|ended at|were at)?[ (]{0,2}"
    r"(?:only |just |still |about |~|also )?$"
)


def factor(span: Span, unit: str) -> float | None:
    """What a printed number is multiplied by to stand in a series' unit; None if it cannot."""
    own = span.unit
    if unit == "rate":
        if own == "%":
            return 0.01
        return 1.0 if own == "" and not span.spelled and span.value <= 1 else None
    if unit == "percent":
        if own == "%":
            return 1.0
        return 1.0 if own == "" and not span.spelled else None
    if unit == "money":
        return 1.0 if own in ("money", "") and not span.spelled else None
    if unit in ("days", "hours"):
        return 1.0 if own in ("", unit[:-1]) else None
    return 1.0 if own in ("", "points") else None


def scaled(span: Span, by: float) -> tuple[float, float]:
    """The interval of a number in a series' unit."""
    low, high = span.interval()
    sign = span.sign or 1
    return (low * by, high * by) if sign > 0 else (-high * by, -low * by)


def inside(value: float, interval: tuple[float, float]) -> bool:
    """Whether a value lies in a closed interval."""
    return interval[0] <= value <= interval[1]


def attached(sentence: Sentence, span: Span) -> list[tuple[int, int]]:
    """The periods that a number is tied to directly: "0.41 in week 4", "week 4 (0.41)"."""
    found = []
    for start, end, low, high in sentence.marks:
        if span.end <= start <= span.end + 14:
            gap = sentence.low[span.end - sentence.start : start - sentence.start]
            if _ATTACHED_AFTER.match(gap):
                found.append((low, high))
        elif end <= span.start <= end + 20:
            gap = sentence.low[end - sentence.start : span.start - sentence.start]
            if _ATTACHED_BEFORE.match(gap):
                found.append((low, high))
    return found


def windows_for_means(sentence: Sentence, before: Sentence | None, source: Source) -> Iterator[tuple[int, int]]:
    """Windows whose mean a sentence may speak of: those it names, then those around changes."""
    n = source.n
    named = sentence.windows or (before.windows if before else [])
    for low, high in sentence.windows:
        if high - low > 1:
            yield low, high
    for low, high in named:
        yield from ((0, low), (low, n), (high, n), (0, high))
    for k in source.splits:
        yield from ((0, k), (k, n), (k + 1, n))
    yield 0, n
    if before:
        for low, high in before.windows:
            yield from ((low, high), (0, low), (low, n), (high, n))


def means(sentence: Sentence, before: Sentence | None, source: Source, series: Series) -> Iterator[Operand]:
    """Means that a sentence may speak of."""
    seen = set()
    for low, high in windows_for_means(sentence, before, source):
        if high - low >= 1 and (low, high) not in seen:
            seen.add((low, high))
            operand = mean(series, low, high)
            if operand:
                yield operand
    if OTHERS.search(sentence.low):
        yield from others(sentence, before, series)


def others(sentence: Sentence, before: Sentence | None, series: Series) -> Iterator[Operand]:
    """Means of what remains without the periods named, or without the one that stands out."""
    known = [i for i, v in enumerate(series.values) if v is not None]
    if len(known) < 3:
        return
    by_value = sorted(known, key=lambda i: series.values[i] or 0.0)
    left_out = [{i for w in s.windows for i in range(*w)} for s in (sentence, before) if s]
    left_out += [{by_value[-1]}, {by_value[0]}, {by_value[0], by_value[-1]}]
    left_out += [set(by_value[-2:]), set(by_value[:2]), set(by_value[-3:]), set(by_value[:3])]
    for out in left_out:
        kept = [series.values[i] or 0.0 for i in known if i not in out]
        if out and kept:
            value = sum(kept) / len(kept)
            yield Operand(value, value, None, series, f"mean of the other {len(kept)} periods")


def points(series: Series, indexes: Iterator[int] | range | list[int]) -> Iterator[Operand]:
    """Values of some periods as operands."""
    for i in indexes:
        operand = point(series, i)
        if operand:
            yield operand
