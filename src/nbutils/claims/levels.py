"""Levels: numbers that repeat a value, a mean or an extreme of the input."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from nbutils.claims import grammar
from nbutils.claims.context import Sentence
from nbutils.claims.grammar import Span
from nbutils.claims.pairs import mean, point
from nbutils.claims.source import Operand, Series, Source

if TYPE_CHECKING:
    from nbutils.claims.judge import Judge
    from nbutils.claims.work import Work

MEAN = re.compile(
    r"\b(?:average\w*|averaging|mean|means|typical\w*|on the whole|overall|usual|norm\w*)\b"
)
_MEAN_NEAR = re.compile(
    r"\b(?:averag(?:es?|ed|ing)|(?:mean|average)(?: of| is| was|,|:)?)(?: \w+){0,3} ?~?$"
)
_MEAN_AFTER = re.compile(r"^(?:,| \() ?(?:the mean|the average)\b|^,? ?\(?on average\b")
OTHERS = re.compile(
    r"\b(?:other|others|rest|remaining|ordinary|either side|around it|everything|outside|elsewhere|"
    r"without|apart from|except|excluding|usual|normal|weekdays?|working)\b"
)
SPLIT = re.compile(
    r"\b(?:before|after|since|then|afterwards|earlier|later|once|prior|half|halves|average\w*|mean|"
    r"means|around|usual|normal|weeks|months|quarters|days|norm|level)\b"
)
_AFTER = re.compile(
    r"^[ (]{0,2}(?:over|across|through|up to|, ?the (?:mean|average) (?:of|for)|"
    r"the (?:mean|average) "
    r"(?:of|for)|on average (?:in|over|for|across)|from|between|in|for|by|at|on|\(|of|"
    r"during|as of)?[ (]{0,2}"
    r"(?:the )?$"
)
_BEFORE = re.compile(
    r"^(?:'s)?(?: (?:it|the \w+|(?!and\b|but\b|then\b|to\b|at\b)\w+))?[ ]?(?:[:(=]|"
    r"(?:have |had )?averag(?:es?|ed|ing)|"
    r"(?:mean|average)(?: of| is| was)?|was|were|is|at|with|stood at|came in at|reached|hit|of|had|"
    r"(?:is|was|were|stands?|stood)(?: back| still| down| up| now)? at|"
    r"(?:is|was) (?:the )?(?:best|worst|highest|lowest|peak|low|high)(?: at| with|,)?|"
    r"reads?|came back to|, at|being|has|shows?|stands at|closed at|ended at|were at)[ (]{0,2}"
    r"(?:only |just |still |about |~|also |back at |alone at )?$"
    r"|^[ (]{1,2}$"
)
_HIGH = re.compile(
    r"\b(?:highest|peak\w*|high|maximum|max|top|best|record)(?: (?!\d)\w+){0,2},? ?\(?$"
)
_LOW = re.compile(r"\b(?:lowest|low|trough|bottom\w*|minimum|min|worst)(?: (?!\d)\w+){0,2},? ?\(?$")
_LOW_OR_HIGH = re.compile(r"\b(?:its|the|an?) (?:low|high|peak|maximum|minimum)(?: of| at| is)? ?$")
_MOVED_TO = re.compile(
    r"\b(?:fell|rose|dropped|climbed|jumped|returned|slid|slipped|back|up|down|touched|hit|reached|"
    r"leapt|sank)(?: back| down| up)? (?:to|at)? ?(?:about |only |just )?~?$"
)
_OTHER_NEAR = re.compile(r"\b(?:other|others|rest|remaining)\b[^.,;]{0,30}$")
_NOW = re.compile(r"\b(?:now|latest|final|currently|today|most recent)(?: [\w']+){0,3} ?~?$")
_FROM = re.compile(r"\bfrom(?: about| roughly| around| a| an| the| some)* ?~?$")
_TO = re.compile(
    r"^(?: in [^,.;()]{3,24}?)?,?(?: down| up| back| all the way| only| just)? ?"
    r"(?:to|until|→|->|-->|and ended at|through to)(?: about| only| just| roughly| around)? ?~?$"
)
_UP_TO = re.compile(r"^ ?(?:through|up to) (?:the )?$")
_ONWARD = re.compile(r"^ ?\(?(?:from|since)\b")
_BETWEEN = re.compile(r"\bbetween(?: about)? ?~?$")
_JOIN = re.compile(r"^ ?(?:-|\u2013|\u2014|to|and|or) ?$")


def averaged_after(after: str) -> bool:
    """Whether "on average" or "the mean" follows a number."""
    return bool(_MEAN_AFTER.match(after))


def factor(span: Span, unit: str) -> float | None:
    """What a printed number is multiplied by to stand in a series' unit; None if it cannot."""
    own = span.unit
    if unit == "rate":
        if own == "%":
            return 0.01
        return 1.0 if own == "" and not span.spelled and span.value <= 3 and span.decimals else None
    if unit == "percent":
        if own == "%":
            return 1.0
        if own or span.spelled:
            return None
        return 100.0 if span.value <= 3 and span.decimals > 1 else 1.0
    if span.spelled:
        return 1.0 if own and unit[:-1] == own else None
    if unit == "money":
        return 1.0 if own in ("money", "") else None
    if unit in ("days", "hours"):
        return 1.0 if own in ("", unit[:-1]) else None
    return 1.0 if own in ("", "points", "money") else None


def same(a: Span, b: Span) -> bool:
    """Whether two numbers are the same number in the same unit, hedges allowed for."""
    if a.unit != b.unit and not (a.unit in ("pp", "points") and b.unit in ("pp", "points")):
        return False
    return abs(a.value - b.value) <= 1e-9 * max(1.0, abs(a.value))


def scaled(span: Span, by: float) -> tuple[float, float]:
    """The interval of a number in a series' unit."""
    low, high = span.interval()
    return (low * by, high * by) if span.sign >= 0 else (-high * by, -low * by)


def inside(value: float, interval: tuple[float, float]) -> bool:
    """Whether a value lies in a closed interval."""
    return interval[0] <= value <= interval[1]


def attached(sentence: Sentence, span: Span) -> list[tuple[int, int]]:
    """The periods that a number is tied to directly: "0.41 in week 4", "week 4 (0.41)"."""
    found, earlier = [], []
    near = far = 99
    for start, end, low, high in sentence.marks:
        if span.end <= start <= span.end + 24:
            gap = sentence.low[span.end - sentence.start : start - sentence.start]
            if _AFTER.match(gap):
                # "0.80 or 0.81 through week 6" holds up to it
                found.append((0 if _UP_TO.match(gap) else low, high))
                near = min(near, len(gap))
        elif end <= span.start <= end + 30:
            gap = sentence.low[end - sentence.start : span.start - sentence.start]
            if _BEFORE.match(gap):
                earlier.append((low, high))
                far = min(far, len(gap))
    return earlier if far < near or not found else found


def windows_for_means(
    sentence: Sentence, before: Sentence | None, source: Source
) -> Iterator[tuple[int, int]]:
    """Windows whose mean a sentence may speak of: those it names, then those around changes."""
    n = source.n
    for low, high in sentence.windows:
        if high - low > 1:
            yield low, high
    for low, high in sentence.windows or (before.windows if before else []):
        yield from ((0, low), (low, n), (high, n), (0, high))
    for k in source.splits:
        yield from ((0, k), (k, n), (k + 1, n))
    yield from itertools.pairwise(source.splits)
    yield 0, n
    for word in re.findall(
        r"\b(?:two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|\d{1,2})\b",
        sentence.low[:400],
    ):
        k = int(word) if word.isdigit() else int(grammar.SPELLED[word])
        if 1 < k < n:
            yield from ((0, k), (n - k, n))
            for split in source.splits[:3]:
                # "three weeks before, two affected": beside what the input says has changed
                yield from (w for w in ((split, split + k), (split - k, split)) if w[1] <= n)
        if 1 < k == n - 2 and "between" in sentence.low:
            yield 1, n - 1
    if "year" in sentence.low and source.case:
        lag = {"quarter": 4, "month": 12}.get(source.case.period, n)
        yield from ((i, i + lag) for i in range(0, n - lag + 1, lag))
        yield max(0, n - lag), n
    if source.case and source.case.period == "day" and "week" in sentence.low:
        yield from ((i, i + 7) for i in range(n % 7, n - 6, 7))
    if (n > 3 and "half" in sentence.low) or "halves" in sentence.low:
        yield from ((0, n // 2), (n - n // 2, n))
    for low, high in before.windows if before else []:
        yield from ((low, high), (0, low), (low, n), (high, n))


def means(
    sentence: Sentence, before: Sentence | None, source: Source, series: Series
) -> Iterator[Operand]:
    """Means that a sentence may speak of."""
    seen = set()
    for low, high in windows_for_means(sentence, before, source):
        if high - low > 1 and (low, high) not in seen:
            seen.add((low, high))
            operand = mean(series, low, high)
            if operand:
                yield operand
    listed = [o.value for _, o in sentence.levels[-3:] if o.series is series]
    for size in (2, 3):
        if len(listed) >= size:
            value = sum(listed[-size:]) / size
            yield Operand(value, value, None, series, f"mean of the {size} values named")
    yield from list(_tied_means(series, sentence, []))
    if OTHERS.search(sentence.low) or (sentence.windows and "against" in sentence.low):
        yield from others(sentence, before, series)


def others(sentence: Sentence, before: Sentence | None, series: Series) -> Iterator[Operand]:
    """Means of what remains without the periods named, or without those that stand out."""
    known = [i for i, v in enumerate(series.values) if v is not None]
    if len(known) < 3:
        return
    by_value = sorted(known, key=lambda i: series.values[i] or 0.0)
    named = [{i for w in s.windows for i in range(*w)} for s in (sentence, before) if s]
    out = [*named, *(named[:1] and [named[0] | named[-1]])]
    said = {int(grammar.SPELLED.get(w, 0)) for w in re.findall(r"[a-z]+", sentence.low[:400])}
    said |= {int(d) for d in re.findall(r"\b\d{1,2}\b", sentence.low[:400])} | {1}
    for k in range(1, min(len(known) // 2, 6) + 1):
        if k in said or len(known) - k in said:
            out += [set(by_value[-k:]), set(by_value[:k])]
    out.append({by_value[0], by_value[-1]})
    for left_out in out:
        kept = [series.values[i] or 0.0 for i in known if i not in left_out]
        picked = [series.values[i] or 0.0 for i in known if i in left_out]
        for group, what in ((kept, "the other"), (picked, "those")):
            if left_out and group and kept:
                value = sum(group) / len(group)
                yield Operand(value, value, None, series, f"mean of {what} {len(group)} periods")


def points(series: Series, indexes: Iterable[int]) -> Iterator[Operand]:
    """Values of some periods as operands."""
    for i in indexes:
        operand = point(series, i)
        if operand:
            yield operand


def first_inside(found: Iterable[Operand], wanted: tuple[float, float]) -> Operand | None:
    """The first operand in an interval."""
    return next((o for o in found if inside(o.value, wanted)), None)


# --------------------------------------------------------------------------- one number


def find(judge: Judge, work: Work, series: Series, wanted: tuple[float, float]) -> Operand | None:
    """The value, mean or extreme that a number repeats, read from the words around it."""
    sentence, source = work.sentence, judge.source
    before = judge.before(sentence)
    left, right = judge.context(work)
    if len(series.values) == source.n:
        tied = attached(sentence, work.span)
        found: Iterable[Operand]
        averaged = bool(_MEAN_NEAR.search(left)) or bool(_MEAN_AFTER.match(right))
        if any(high - low > 1 for low, high in tied):
            tied = [(low, high) for low, high in tied if high - low > 1]
        if averaged and not tied and _OTHER_NEAR.search(left):
            return first_inside(others(sentence, before, series), wanted)
        if averaged and tied:
            return first_inside(_tied_means(series, sentence, tied), wanted)
        wide = [w for w in tied if w[1] - w[0] > 1]
        said = MEAN.search(left) or MEAN.search(right[:26]) or (MEAN.search(sentence.low) and wide)
        if said and not _MOVED_TO.search(left) and (averaged or not _LOW_OR_HIGH.search(left)):
            found = _tied_means(series, sentence, wide) if wide else ()
            if not tied:
                found = means(sentence, before, source, series)
            operand = first_inside(found, wanted)
            if operand:
                return operand
        if right.startswith(" now") and not tied:
            return first_inside(points(series, _ends(series)), wanted)
        spoken = tied or ([] if averaged else sentence.windows)
        named = [i for w in spoken for i in range(*w)]
        if "from" in left[-20:]:
            named += [low - 1 for low, _ in tied]
        operand = first_inside(points(series, named), wanted)
        if operand or averaged:
            return operand
        if tied and series.main:
            since = [(low, source.n) for low, _ in tied] if _ONWARD.match(right) else []
            whole = [*wide, *since]
            return first_inside(_tied_means(series, sentence, whole), wanted) if whole else None
    extreme = _extreme(left, series)
    if extreme is not None and series.main:
        named_extremes = _window_extremes(sentence, before, source, series)
        operand = first_inside([*extreme, *named_extremes], wanted)
        if operand or not re.search(r"\b(?:best|worst)\b", left[-40:]):
            return operand
    if series.main and _NOW.search(left[-28:]) and not sentence.windows:
        return first_inside(points(series, _ends(series)), wanted)
    if MEAN.search(left) and not series.main and len(series.values) != source.n:
        over_all = mean(series, 0, len(series.values))
        if over_all and inside(over_all.value, wanted):
            return over_all
    operand = first_inside(points(series, outward(series)), wanted)
    moved = _MOVED_TO.search(left)
    if (
        operand is None
        and len(series.values) == source.n
        and not moved
        and (SPLIT.search(left[-30:]) or SPLIT.search(right[:20]))
    ):
        operand = first_inside(means(sentence, before, source, series), wanted)
    return operand


def _ends(series: Series) -> list[int]:
    known = [i for i, v in enumerate(series.values) if v is not None]
    return known[-1:]


def _tied_means(
    series: Series, sentence: Sentence, tied: list[tuple[int, int]]
) -> Iterator[Operand]:
    """Means of the windows tied to a number; of either side, where a single period is named."""
    n = len(series.values)
    for low, high in tied:
        sides = [(low, high)] if high - low > 1 else [(0, low), (low, n), (high, n), (0, high)]
        yield from (m for side in sides if (m := mean(series, *side)))
    named = sorted(
        {i for low, high in sentence.windows if high - low == 1 for i in range(low, high)}
    )
    values = [v for i in named if (v := series.at(i)) is not None]
    if len(values) > 1:
        value = sum(values) / len(values)
        yield Operand(value, value, None, series, f"mean of the {len(values)} periods named")


def _extreme(left: str, series: Series) -> list[Operand] | None:
    known = [i for i, v in enumerate(series.values) if v is not None]
    pick = max if _HIGH.search(left) else min if _LOW.search(left) else None
    if pick is None or not known:
        return None
    # the best may be the highest or the lowest, depending on the metric
    both = {pick(known, key=lambda i: series.values[i] or 0.0)}
    if re.search(r"\b(?:best|worst|record|top|bottom)\b", left[-30:]):
        both |= {f(known, key=lambda i: series.values[i] or 0.0) for f in (max, min)}
    return list(points(series, sorted(both)))


def _window_extremes(
    sentence: Sentence, before: Sentence | None, source: Source, series: Series
) -> Iterator[Operand]:
    """Highest and lowest values of the windows that a sentence may speak of."""
    for low, high in windows_for_means(sentence, before, source):
        inner = [i for i in range(max(low, 0), min(high, source.n)) if series.at(i) is not None]
        if inner:
            for pick in (max, min):
                yield from points(series, [pick(inner, key=lambda i: series.values[i] or 0.0)])


def outward(series: Series) -> list[int]:
    """All indexes, the ends first: an unlabelled value most often names an end."""
    n = len(series.values)
    return [0, n - 1, *range(1, n - 1)] if n > 1 else [0]


# --------------------------------------------------------------------------- lists and ranges


def listed(series: Series, intervals: list[tuple[float, float]]) -> list[int] | None:
    """Where a list of three or more numbers runs through a series: the index of each item.

    An alignment that fits all items but one is a list with one wrong number; it is returned too.
    """
    size, n = len(intervals), len(series.values)
    best, hits = None, 0
    for start in range(n - size + 1):
        fit = 0
        for k, wanted in enumerate(intervals):
            value = series.values[start + k]
            fit += value is not None and inside(value, wanted)
        if fit > hits:
            best, hits = list(range(start, start + size)), fit
    return best if best is not None and hits >= max(size - 1, 2) else None


def ranged(
    series: Series, low: tuple[float, float], high: tuple[float, float]
) -> tuple[int, int] | None:
    """Indexes of the lowest and highest value of some stretch that spans exactly this range."""
    values = series.values
    n = len(values)
    for size in range(min(n, 40), 1, -1):
        for start in range(n - size + 1):
            known = [i for i in range(start, start + size) if values[i] is not None]
            if len(known) < 2:
                continue
            small = min(known, key=lambda i: values[i] or 0.0)
            large = max(known, key=lambda i: values[i] or 0.0)
            if inside(values[small] or 0.0, low) and inside(values[large] or 0.0, high):
                return small, large
    known = sorted((i for i in range(n) if values[i] is not None), key=lambda i: values[i] or 0.0)
    for cut in range(1, min(len(known) // 2, 6) + 1):
        # the range of the others, once the lowest or highest few are set apart
        for kept in (known[cut:], known[:-cut]):
            if inside(values[kept[0]] or 0.0, low) and inside(values[kept[-1]] or 0.0, high):
                return kept[0], kept[-1]
    return None


def moves(series: Series, a: tuple[float, float], b: tuple[float, float]) -> list[tuple[int, int]]:
    """Indexes of the moves from one value to a later one, the longest first."""
    n = len(series.values)
    starts = [i for i in range(n) if (v := series.at(i)) is not None and inside(v, a)]
    ends = [i for i in range(n - 1, -1, -1) if (v := series.at(i)) is not None and inside(v, b)]
    return [(i, j) for i in starts[:12] for j in ends[:12] if i < j]
