"""Numbers read together: lists, ranges, and moves from one value to another."""

from __future__ import annotations

import itertools
import re
from typing import TYPE_CHECKING

from nbutils.claims import binding, levels, masks
from nbutils.claims.changes import show
from nbutils.claims.context import Sentence
from nbutils.claims.grammar import lowered
from nbutils.claims.levels import factor, inside, same, scaled
from nbutils.claims.pairs import ordered
from nbutils.claims.source import Series
from nbutils.claims.work import CROWDED

if TYPE_CHECKING:
    from nbutils.claims.judge import Judge
    from nbutils.claims.work import Work

_LIST = re.compile(r"^(?:,? (?:and |then |and then |and now |and finally )?)$")
_WHOLE = re.compile(
    r"\b(?:in a row|every|each|steadily|without|running|never|no|over|in all|total|straight|"
    r"uninterrupted|steady|month by month|week by week|whole)\b"
)
_SINCE = re.compile(r"\b(?:since|after|then|before|once|until|when|while|first|later|by)\b")
# moves of a part of the series, which its ends say nothing about
_APART = re.compile(r"\b(?:ordinary|usual|normal|others?|year (?:before|earlier)|last year)\b")
_SINGLE = re.compile(
    r"\b(?:largest|biggest|steepest|sharpest|single|smallest|one step|overnight)\b"
)
_OVER = re.compile(
    r"\b(?:over|in|within) (?:the )?(\d{1,2}|[a-z]+) (?:days|weeks|months|quarters|years|cohorts)\b"
)
_VERB_FROM = re.compile(
    r"(?<![-\w])(?:(?P<up>rose|risen|rising|rises|increased|increasing|climbed|climbing|grew|grown|jumped|"
    r"surged|up|gained)|(?P<down>fell|fallen|falling|falls|declined|declining|decreased|dropped|"
    r"dropping|down|slid|slipped|shrank|sank|plunged|tumbled|dipped|lost))"
    r"(?: \w+){0,6},? from(?: \w+)? ?~?$"
)


def read_groups(judge: Judge) -> None:
    """Lists, ranges and from-to moves are read as a whole."""
    works = [w for w in judge.works if not w.verdict and len(w.sentence.works) <= CROWDED]
    i = 0
    while i < len(works) - 1:
        j = i
        while j + 1 < len(works) and j - i < 14 and _listed(judge, works[j], works[j + 1]):
            j += 1
        if j - i >= 2:
            _list(judge, works[i : j + 1])
        elif i + 1 < len(works):
            _two(judge, works[i], works[i + 1])
        i = max(j, i + 1)


def _listed(judge: Judge, a: Work, b: Work) -> bool:
    gap = judge.output[a.span.end : b.span.start]
    return len(gap) < 12 and a.span.unit == b.span.unit and bool(_LIST.match(gap))


def _list(judge: Judge, items: list[Work]) -> None:
    for series in judge.source.series:
        by = factor(items[0].span, series.unit)
        if by is None or judge.says_change(items[0]) or items[0].span.unit in ("points", "pp"):
            continue
        indexes = levels.listed(series, [scaled(w.span, by) for w in items])
        if indexes is None:
            continue
        named = items[0].sentence.windows
        for work, operand in zip(items, levels.points(series, indexes), strict=False):
            if inside(operand.value, scaled(work.span, by)):
                judge.is_level(work, operand, by)
            elif _or_before(judge, work):
                continue
            elif len(items) > 3 or work not in (items[0], items[-1]) or not named:
                text = f"the list runs through {operand.note}, which is {show(operand.value)}"
                work.settle("contradicted", "level", text)
        return
    if not _deviations(judge, items):
        _steps(judge, items)


def _or_before(judge: Judge, work: Work) -> bool:
    """Whether "at 0.29 or 0.30, then" gives a number as an alternative, not as part of a list."""
    return judge.output[max(0, work.span.start - 4) : work.span.start] == " or "


def _deviations(judge: Judge, items: list[Work]) -> bool:
    """A list of distances to a level: "weeks 4 to 6 fell short of it by 14, 11 and 3 points"."""
    main = judge.source.main
    sentence = items[0].sentence
    before = judge.before(sentence)
    named = [*sentence.levels, *(before.levels if before else [])]
    if main is None:
        return False
    by = {"rate": 100.0}.get(main.unit, 1.0)
    for _, level in named[:6]:
        away = [None if v is None else abs(v - level.value) * by for v in main.values]
        indexes = levels.listed(Series(away, "number"), [w.span.interval() for w in items])
        if indexes is None or not all(
            inside(away[i] or 0.0, w.span.interval()) for i, w in zip(indexes, items, strict=True)
        ):
            continue
        for work, index in zip(items, indexes, strict=True):
            text = f"period {index + 1} against {level.note}: {show(away[index] or 0.0)}"
            work.settle("supported", "point change", text)
        return True
    return False


def _steps(judge: Judge, items: list[Work]) -> None:
    """A list of successive changes: "losses of 0.2, 0.5 and 0.8 points"."""
    unit = judge.source.case.unit if judge.source.case else ""
    in_points = {"rate": 100.0, "percent": 1.0}.get(unit, 1.0)
    for series in judge.source.series:
        by = judge.factor(items[0].span, series)
        tries = (
            {in_points} if items[0].span.unit in ("pp", "points") else {1 / (by or 1.0), in_points}
        )
        for scale in tries:
            stepped = binding.step_series(series, scale)
            indexes = levels.listed(stepped, [w.span.interval() for w in items])
            if indexes is None:
                continue
            for work, index in zip(items, indexes, strict=True):
                value = stepped.values[index] or 0.0
                ok = inside(value, work.span.interval())
                text = f"step into period {index + 2} is {show(value)}"
                kind = "money" if work.span.unit == "money" else "point change"
                work.settle("supported" if ok else "contradicted", kind, text)
            return


def _two(judge: Judge, a: Work, b: Work) -> None:
    gap = lowered(judge.output[a.span.end : b.span.start])
    if a.sentence is not b.sentence or len(gap) > 40:
        return
    if gap.strip() == "and" and _two_steps(judge, a, b):
        return
    left = judge.context(a)[0]
    if levels._FROM.search(left) and levels._TO.match(gap):
        _move(judge, a, b)
    elif levels._JOIN.match(gap) and (
        (gap.strip() != "or" and gap.strip() != "and") or levels._BETWEEN.search(left)
    ):
        _range(judge, a, b)


def _two_steps(judge: Judge, a: Work, b: Work) -> bool:
    """Read "The last two quarters added 1.5 and 1.4 points": two successive changes."""
    main = judge.source.main
    if main is None or b.span.unit not in ("pp", "points", "money", ""):
        return False
    by = {"rate": 0.01, "percent": 1.0}.get(main.unit, 1.0)
    if by != 1.0 and b.span.unit not in ("pp", "points"):
        return False
    sizes = binding.step_series(main, 1 / by).values
    for low, high in a.sentence.windows:
        if high - low == 2 and low > 0 and (judge.says_change(a) or judge.says_change(b)):
            found = list(zip((a, b), (low - 1, low), strict=True))
            if all(inside(sizes[i] or 0.0, w.span.interval()) for w, i in found):
                for work, i in found:
                    text = f"step into period {i + 2} is {show(sizes[i] or 0.0)}"
                    work.settle("supported", "point change", text)
                return True
    return False


def _move(judge: Judge, a: Work, b: Work) -> None:
    """Read "From A to B": a later value, and the direction that the verb says."""
    for series in judge.source.series:
        by_a, by_b = factor(a.span, series.unit), factor(b.span, series.unit)
        if by_a is None or by_b is None:
            by_a = by_b = by_a or by_b
        if by_a is None or by_b is None:
            continue
        moves = levels.moves(series, scaled(a.span, by_a), scaled(b.span, by_b))
        moves = [m for m in moves if not series.main or _plausible(judge, a, b, m, series)]
        if not moves:
            continue
        fit = [m for m in moves if not series.main or _role(judge, a.sentence, series, *m)]
        found = (fit or moves)[0]
        if not fit:
            text = f"no such move: the series goes from {show(series.values[0] or 0)} to "
            b.settle("contradicted", "level", text + show(series.values[-1] or 0))
            return
        for work, index, by in ((a, found[0], by_a), (b, found[1], by_b)):
            operand = levels.point(series, index)
            if operand:
                judge.is_level(work, operand, by)
        _directed(judge, a, b)
        if a.operand and b.operand:
            pair = ordered(a.operand, b.operand, "from and to")
            judge.moves.append((a.span.start, b.span.end, pair))
        return
    _half_move(judge, a, b)


def _half_move(judge: Judge, a: Work, b: Work) -> None:
    """Read "From A to B" where only B is where the series ends, or only A where it begins."""
    main = judge.source.main
    by_a = factor(a.span, main.unit) if main else None
    by_b = factor(b.span, main.unit) if main else None
    by_a, by_b = by_a or by_b, by_b or by_a
    if main is None or by_a is None or by_b is None:
        return
    moved = _VERB_FROM.search(judge.context(a)[0])
    if moved and a.span.value == b.span.value:
        for work in (a, b):
            work.settle("contradicted", "level", "from and to are the same")
        return
    if moved and _reversed(judge, a, b, main, scaled(a.span, by_a), scaled(b.span, by_b)):
        return
    if a.sentence.windows:
        return
    known = [v for v in main.values if v is not None]
    starts, stops = scaled(a.span, by_a), scaled(b.span, by_b)
    given = [lit for lit in judge.source.literals if same(a.span, lit.span)]
    other = {lit.clause for lit in judge.source.literals if same(b.span, lit.span)}
    if any(lit.clause in other for lit in given):
        return
    if inside(known[-1], stops) and levels.find(judge, a, main, starts) is None:
        a.settle("contradicted", "level", f"the series begins at {show(known[0])}")
    elif inside(known[0], starts) and levels.find(judge, b, main, stops) is None:
        b.settle("contradicted", "level", f"the series ends at {show(known[-1])}")


def _reversed(
    judge: Judge,
    a: Work,
    b: Work,
    main: Series,
    start: tuple[float, float],
    stop: tuple[float, float],
) -> bool:
    """Both values stand in the series, but the first one later than the second."""
    first, second = (levels.find(judge, w, main, x) for w, x in ((a, start), (b, stop)))
    if not first or not second or first.time is None or second.time is None:
        return False
    if first.time < second.time or any(same(a.span, lit.span) for lit in judge.source.literals):
        return False
    return a.settle("contradicted", "level", f"{first.note} comes after {second.note}")


def _plausible(judge: Judge, a: Work, b: Work, found: tuple[int, int], series: Series) -> bool:
    """Periods tied to the two numbers, if any, must be those of the move."""
    for work, index in ((a, found[0]), (b, found[1])):
        tied = [low for low, high in levels.attached(work.sentence, work.span) if high - low == 1]
        if tied and index not in tied and (work is b or index + 1 not in tied):
            return False
    return True


def _role(judge: Judge, sentence: Sentence, series: Series, i: int, j: int) -> bool:
    """Whether a move without periods starts and ends where a reader would look."""
    if len(judge.source.series) > 1:
        return True
    whole = _WHOLE.search(sentence.low)
    single = _SINGLE.search(sentence.low)
    if j == i + 1 and (sentence.windows or single or not whole):
        return True
    over = _OVER.search(sentence.low)
    if over and masks.whole_number(over[1]) == j - i:
        return True
    known = [k for k, v in enumerate(series.values) if v is not None]
    ends = {f(series.values[k] or 0.0 for k in known) for f in (max, min)}
    peaks = {k for k in known if series.values[k] in ends}
    if _APART.search(sentence.low):
        return True
    named = {k for low, high in sentence.windows for k in (low, high - 1, high)}
    edges = peaks | named
    if not whole and _SINCE.search(sentence.low):
        edges |= turns(series)
    if _SINCE.search(sentence.low):
        edges |= set(judge.source.splits) | {k - 1 for k in judge.source.splits}
    return i in edges | {known[0]} and j in edges | {known[-1]}


def turns(series: Series) -> set[int]:
    """Where a series stops moving or begins to: a step of size beside one that is hardly any."""
    steps = [
        None if a is None or b is None else abs(b - a) for a, b in itertools.pairwise(series.values)
    ]
    large = max((s for s in steps if s is not None), default=0.0)
    found = set()
    for i in range(1, len(steps)):
        before, after = steps[i - 1], steps[i]
        if before is not None and after is not None:
            small, big = sorted((before, after))
            if small <= 0.15 * large and big >= 0.3 * large:
                found.add(i)
    return found


def _directed(judge: Judge, a: Work, b: Work) -> None:
    if a.operand is None or b.operand is None:
        return
    left = a.sentence.low[: a.span.start - a.sentence.start][-48:]
    verb = _VERB_FROM.search(left)
    if verb and re.search(r"\b(?:never|not|no|without|nor)\b", left[: verb.start() + 12]):
        return
    sign = 0 if not verb else 1 if verb["up"] else -1
    moved = b.operand.value - a.operand.value
    if sign and moved * sign <= 0:
        text = f"{show(a.operand.value)} to {show(b.operand.value)} goes the other way"
        a.settle("contradicted", a.kind, text)
        b.settle("contradicted", b.kind, text)


def _range(judge: Judge, a: Work, b: Work) -> None:
    for series in judge.source.series:
        by = factor(b.span, series.unit)
        if _step_range(judge, a, b, series):
            return
        if by is None or a.span.sign:
            continue
        found = levels.ranged(series, scaled(a.span, by), scaled(b.span, by))
        if found is None and series.main and levels._BETWEEN.search(judge.context(a)[0]):
            _half_range(judge, a, b, series, by)
            return
        if found:
            for work, index in zip((a, b), found, strict=True):
                operand = levels.point(series, index)
                if operand:
                    judge.is_level(work, operand, by)
            return


def _step_range(judge: Judge, a: Work, b: Work, series: Series) -> bool:
    """Read "Widened by 11 to 15 a month": the smallest and largest successive change."""
    points = b.span.unit in ("pp", "points")
    if not (points or judge.says_change(a) or binding.says_steps(a)):
        return False
    by = (1.0 if not points else 0.01) if series.unit == "rate" else factor(b.span, series.unit)
    if by is None:
        return False
    stepped = binding.step_series(series, 1 / by)
    found = levels.ranged(stepped, a.span.interval(), b.span.interval())
    if found is None:
        return False
    for work, index in zip((a, b), found, strict=True):
        text = f"step into period {index + 2} is {show(stepped.values[index] or 0.0)}"
        kind = "money" if work.span.unit == "money" else "point change"
        work.settle("supported", kind, text)
    return True


def _half_range(judge: Judge, a: Work, b: Work, series: Series, by: float) -> None:
    """Read "Between A and B" where only one end is that of the series: the other is wrong."""
    known = sorted(v for v in series.values if v is not None)
    low, high = scaled(a.span, by), scaled(b.span, by)
    if inside(known[0], low) and not inside(known[-1], high):
        b.settle("contradicted", "level", f"the highest value is {show(known[-1])}")
    elif inside(known[-1], high) and not inside(known[0], low):
        a.settle("contradicted", "level", f"the lowest value is {show(known[0])}")
