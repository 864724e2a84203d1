"""What a text says of a series without a number: "every week", "flat for five weeks", "the lowest".

`verify` judges numbers. A write-up can have every number right and still tell the series wrongly;
these statements are read by rules of their own, and only those that the series refutes are given.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

from nbutils.claims import masks
from nbutils.claims.changes import show
from nbutils.claims.context import Sentence, sentences
from nbutils.claims.source import Series, Source, read

_PERIOD = r"(?:days?|weeks?|wks?|months?|mths?|quarters?|qtrs?|years?|cohorts?|periods?|steps?)"
_NUMBER = r"(?:two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|\d{1,2})"
_UP = (
    r"(?:r[io]se[sn]?|rising|risen|increas(?:ed|ing|es)|climb(?:ed|s|ing)|gr[eo]wn?|growing|"
    r"gone up|went up|up|higher|lengthened|longer|jumped)"
)
_DOWN = (
    r"(?:fell|fallen|falls|falling|declin(?:ed|es|ing)|decreas(?:ed|es|ing)|dropp(?:ed|ing)|"
    r"drops|slid|sliding|"
    r"come down|came down|gone down|went down|(?<!up and )down|lower|shortened|shorter|slipped|"
    r"shr[au]nk)"
)
_MOVE = re.compile(
    rf"\b(?:(?P<up>{_UP}|rises?|gains?)|(?P<down>{_DOWN}|falls?|drops?|losses|declines?))\b"
)
# the move stands right before: "has fallen in each of the last five weeks", "done so in every step"
_EVERY = re.compile(
    rf"\b(?:(?P<up>{_UP})|(?P<down>{_DOWN})|done so)(?: again| steadily| further)?(?: in| at|"
    rf" with)? (?:every|each)"
    rf"(?: single| one)?(?: of (?:the |these |those |its )?(?:last |past )?(?:{_NUMBER} )?)?"
    rf"(?: other)? ?(?:weekly |monthly |quarterly )?{_PERIOD}\b"
    rf"|\b(?:every|each) {_PERIOD} (?:[^.;,]{{0,60}} )?(?:(?:has been|was|is|came in|ended) "
    rf"(?:(?P<up2>above|higher|longer)|(?P<down2>below|weaker|lower|shorter))(?: than)?|"
    rf"(?P<up4>beat))"
    rf" (?:the )?(?:one before|last|previous)"
    rf"|\b(?:(?P<up3>rise|climb|growth)|(?P<down3>fall|decline|slide)) (?:is|was|"
    rf"has been) (?:unbroken|uninterrupted)"
)
_EXCEPT = re.compile(r",? (?:but|except|bar|save|apart from|with the exception)\b")
_IN_A_ROW = re.compile(
    rf"\b(?P<n>{_NUMBER}) (?:(?P<what>{_PERIOD}|rises?|falls?|drops?|gains?|losses|declines?) )?"
    rf"(?:in a row|running|straight|in succession|out of (?P<of>{_NUMBER}))\b"
)
_HEDGED = re.compile(
    r"\b(?:almost|nearly|not|n't|most|hardly|mostly|nor|neither|would|should|could|if|target|goal|"
    r"(?:but|except|bar|save) (?:one|two|the)|apart from|with (?:one|the) exception|better than|"
    r"per|average|mean)\b|n't\b"
)
_ELSEWHERE = re.compile(
    r"\b(?:android|ios|desktop|mobile|holdout|control|others?|those|segment|organic|paid|free|"
    r"competitors?|them|its denominator|volume|price|accounts that|users who|customers who|where)\b"
)
_PLACE = re.compile(r"\b(?:[Ii]n|[Ff]or|[Aa]t|[Oo]utside) ([A-Z][a-z]{2,})")
_MONTHS = frozenset(name[:3] for name in masks.MONTHS)
_FLAT = re.compile(
    r"\b(?:sat|held|flat|level|steady|stable|stayed|stood|unchanged|hovered|remained)\b"
    r"(?: \w+){0,2}? (?:at|around|near|between)(?: about| around)? "
    r"(?P<low>[$€£]?\d[\d.,]*)\s?%?(?:\s?(?:-|\u2013|to|and)\s?(?P<high>[$€£]?\d[\d.,]*)\s?%?)?"
    rf"[^.;]{{0,12}}?\b(?:for|over|in|through(?:out)?)(?: the)?(?P<where> first|"
    rf" last)? (?P<n>{_NUMBER}) {_PERIOD}\b"
    r"(?P<rest> before| since| after| to)?"
)
_HELD = re.compile(
    r"\b(?:stayed|remained|held|kept|sat) (?:at|on|near|around) (?:that|this|the new|the same|"
    r"its new) level\b"
    r"|\b(?:has|have|had) (?:stayed|remained|held) there\b"
    r"|\b(?:gain|lift|effect|improvement|increase|level|jump) (?:has|had) held\b"
)
_RECORD = re.compile(
    r"\b(?:is|was|marks?|marked) (?:also |now |still )?(?:the |its |our )"
    r"(?P<end>highest|lowest|best|worst|peak|low point|lowest point|highest point)\b"
    r"(?: (?!of (?:the )?(?:others?|rest)\b)\w+){0,2}?(?: (?:so far|yet|of all|on record|"
    rf"(?:in|of) (?:the|this|our) (?:whole )?(?:series|run|period|{_NUMBER} {_PERIOD}|half year|"
    rf"year)|print|cohort|{_PERIOD})\b|[.,;]|$)"
)
_NEVER = re.compile(
    r"\b(?:never|at no (?:time|point)|not once|in no \w+)(?: (?!not)\w+){0,3} "
    r"(?P<side>under|below|over|above|less than|more than|lower than|higher than) "
    r"(?P<value>\d[\d,]*(?:\.\d+)?)(?P<sign>\s?%)?(?!\.?\d|\s?(?:points?|pts|pp|of))"
)
_BACK = re.compile(
    r"\b(?:(?:fully|completely|entirely|all the way) (?:back|recovered)|"
    r"(?:back|returned|recovered) (?:to|at|on) (?:its|the|their) (?:old|former|previous|normal|"
    r"usual|original)"
    r" (?:level|value|rate)|back (?:to )?where (?:it|we) (?:was|were)|full recovery)\b"
)
_WITHIN = re.compile(
    r"\b(?:flat|steady|level|stable|unchanged|within|stays?|stayed)\b[^.;]{0,60}?\bwithin "
    r"(?P<size>half a|a single|a|one|\d+(?:\.\d+)?) (?:percentage )?points?\b(?! of (?:the|last))"
)
_AFTER_BEFORE = re.compile(
    r"\b(?:after|since)\b[^.;]{0,60}?\b(?:(?P<up>beat|above|higher than|better than|exceeds?|"
    r"exceeded|more than)|(?P<down>below|lower than|worse than|under|"
    r"less than))\b[^.;]{0,30}?\bbefore\b"
)
_STILL = re.compile(
    r"\b(?:the|our) (?:share|rate|series|metric|figure|number|score|level|value|line) "
    r"(?:(?:has|have|is|was) )?(?:stayed put|not moved|flat|unchanged|stayed (?:flat|level|"
    r"the same))\b"
)
_BEFORE_SINCE = re.compile(
    r"\b(?P<first>before|since|after)\b[^;]{0,60}?(?P<a>\d[\d,]*(?:\.\d+)?)\s?%?(?! (?:weeks|"
    r"months|days))"
    r"[^;]{0,60}?\b(?:since|after|before)\b[^;]{0,40}?(?P<b>\d[\d,]*(?:\.\d+)?)"
)
_NEVER_MOVED = re.compile(
    r"\b(?:has |have )?never (?:once |yet )?(?:(?P<down>slipped|fallen|fell|dropped|dipped|"
    r"declined|gone (?:down|back)|went (?:down|back)|looked back)(?! (?:below|under|to))|"
    r"(?P<up>risen|rose|recovered|gone up|went up)(?! (?:above|over|to)))\b"
)
_RECORD_WAS = re.compile(
    rf"\bthe (?P<end>lowest|highest|best|worst) (?:single )?(?:{_PERIOD}|value|point|reading) "
    r"(?:is|was|came in|fell in|being)(?: in)? (?:the )?"
)
_PEAKED = re.compile(
    r"\b(?:(?:peaked|(?:its|their|the|a) (?:peak|high|top|maximum|highest point))|"
    r"(?P<low>bottomed(?: out)?|(?:its|their|the|a) (?:low|trough|minimum|lowest point)))"
    r"(?: (?:at|of|with) [$€£]?\d[\d.,]*\d%?| of [$€£]?\d%?)?(?: was| came)?(?: in| at|"
    r" with)? (?:the )?"
)
_OF_MANY = re.compile(
    r"\b(?:second|first|last year|previous|earlier|other|local|both|two|three|each|every|every \w+|"
    r"low or|high or|after|since)\b[^.;]{0,30}$"
)
_NEVER_ABOVE = re.compile(
    r"\b(?:never|at no point|no \w+)(?: \w+){0,2} (?P<side>above|over|below|under|exceed\w*|"
    r"beneath) "
    r"(?:the |its |that of )?$"
)
_GROWING = re.compile(
    r"\b(?:steps?|rises?|gains?|falls?|drops?|losses|slide|decline|growth)\b[^.;]{0,20}?\b"
    r"(?:(?:is|are|get|gets|getting|become|becoming)(?: \w+)? (?P<more>bigger|larger|steeper|"
    r"faster|stronger)|"
    r"(?P<accelerat>accelerat\w+)|(?P<no>no sign of (?:slowing|easing|stopping)))\b"
)

_NOW = re.compile(
    r"\bnow\b(?: [a-z']+){0,3} (?P<after>\d[\d.,]*\d|\d)(?P<sign>\s?%)?(?! of| points| pts| pp|"
    r" days? (?:more|less|longer|shorter))"
    r"|(?:\bat|\bis|\bare|\bis at) (?P<before>\d[\d.,]*\d|\d)(?P<sign2>\s?%)? now\b"
)


@dataclass(frozen=True, slots=True)
class Told:
    """A statement about the course of a series that the series refutes.

    ``text`` is the statement as it stands, ``derivation`` what the series shows instead.
    """

    text: str
    derivation: str


def misread(input_text: str, output_text: str) -> list[Told]:
    r"""Statements of an analysis about the course of the series that the series refutes.

    Read are: a move in every period or in N periods running, an extreme, a level held for N
    periods or since, a bound never passed, and steps that grow. Hedged statements ("almost every
    week") and those of other groups than the case's own are left alone, so that what is given is
    wrong; what is not given need not be right.

    Parameters
    ----------
    input_text, output_text : str
        As in `nbutils.claims.verify`; an input that is no case gives none.

    Examples
    --------
    >>> case = "Metric: CVR\nData: [2.1%, 2.3%, 2.2%, 2.6%] (last 4 weeks)"
    >>> [told.derivation for told in misread(case, "CVR has risen every week, from 2.1% to 2.6%.")]
    ['period 3 moved from 2.3 to 2.2']
    """
    source = read(input_text)
    main = source.main
    if main is None or sum(v is not None for v in main.values) < 3:
        return []
    found = []
    labels = masks.scan(output_text).labels
    for sentence in sentences(output_text[:20_000], source, labels):
        if sentence.section != "action":
            found += [told for rule in _RULES for told in rule(sentence, source, main)]
    return found


def _clause(sentence: Sentence, start: int, end: int) -> tuple[str, int]:
    """The clause around a match, and where in the sentence it begins."""
    low = sentence.low
    begin = max(
        (m.end() for m in re.finditer(r"[;:,(]|\bbut\b|\bwhile\b|\bwhereas\b", low[:start])),
        default=0,
    )
    stop = re.search(r"[;:,)]|\bbut\b|\bwhile\b|\bwhereas\b", low[end:])
    return low[begin : end + stop.start() if stop else len(low)], begin


def _other_subject(sentence: Sentence, source: Source, clause: str) -> bool:
    """Whether a clause speaks of a group, or of another series, and not of the metric itself."""
    if _ELSEWHERE.search(clause.replace("each other", "")) and not _own(clause, source):
        return True
    at = sentence.low.find(clause)
    named = _PLACE.findall(sentence.text[at : at + len(clause)]) if at >= 0 else []
    known = source.text.lower()
    return any(name.lower() not in known and name[:3].lower() not in _MONTHS for name in named)


def _own(clause: str, source: Source) -> bool:
    name = source.case.metric.lower() if source.case else ""
    return bool(name) and name in clause


def _steps(main: Series, low: int, high: int) -> list[tuple[int, float, float]]:
    """Period, value before and value after of each step into the periods [low, high)."""
    known = [(i, v) for i, v in enumerate(main.values) if v is not None]
    pairs = pairwise(known)
    return [(j, a, b) for (_, a), (j, b) in pairs if low <= j < high]


def _window(sentence: Sentence, source: Source, match: re.Match[str]) -> tuple[int, int] | None:
    """The periods that a statement covers; None where "since" leaves them open."""
    after = sentence.low[match.end() : match.end() + 60]
    since = re.match(r"[^.;,]{0,12}?\bsince\b(?P<what> \w+)?", after)
    marks = [m for m in sentence.marks if abs(m[0] - sentence.start - match.end()) < 45]
    if since and re.match(r"[^.;,]{0,12}?\bsince (?:the )?(?:start|beginning|first)\b", after):
        return 1, source.n
    if since:
        tied = [m for m in marks if 0 <= m[0] - sentence.start - match.end() < 30]
        if tied:
            return tied[0][2] + 1, source.n
        return (source.splits[0], source.n) if since["what"] and source.splits else None
    if re.search(
        r"\b(?:then|afterwards|thereafter)\b",
        sentence.low[max(0, match.start() - 12) : match.end() + 12],
    ):
        return None
    wide = [m for m in marks if m[3] - m[2] > 1]
    return (wide[0][2] + 1, wide[0][3]) if wide else (1, source.n)


def _way(text: str) -> int:
    """+1 for up, -1 for down, 0 if a text says neither or both."""
    ways = {1 if m["up"] else -1 for m in _MOVE.finditer(text)}
    return ways.pop() if len(ways) == 1 else 0


def _against(main: Series, low: int, high: int, way: int) -> tuple[int, float, float] | None:
    """The first step of a window that goes the other way."""
    return next((s for s in _steps(main, low, high) if (s[2] - s[1]) * way < 0), None)


def _every(sentence: Sentence, source: Source, main: Series) -> Iterator[Told]:
    for match in _EVERY.finditer(sentence.low):
        clause, begin = _clause(sentence, match.start(), match.end())
        if _HEDGED.search(clause) or _other_subject(sentence, source, clause):
            continue
        if _EXCEPT.match(sentence.low, match.end()):
            continue
        up = match["up"] or match["up2"] or match["up3"] or match["up4"]
        down = match["down"] or match["down2"] or match["down3"]
        way = 1 if up else -1 if down else _way(sentence.low[: match.start()])
        window = _window(sentence, source, match)
        step = (
            _against(main, *window, way) if way and window and window[1] - window[0] > 1 else None
        )
        if step:
            text = f"period {step[0] + 1} moved from {show(step[1])} to {show(step[2])}"
            yield Told(sentence.text[begin : begin + len(clause)].strip(), text)


def _in_a_row(sentence: Sentence, source: Source, main: Series) -> Iterator[Told]:
    for match in _IN_A_ROW.finditer(sentence.low):
        clause, begin = _clause(sentence, match.start(), match.end())
        size = masks.whole_number(match["n"])
        way = _way(match["what"] or "") or _way(clause[: match.start() - begin])
        if match["of"] and masks.whole_number(match["of"]) != size:
            continue
        if not way or size > source.n - 1 or _HEDGED.search(clause):
            continue
        if _other_subject(sentence, source, clause):
            continue
        longest = _longest(main, way)
        if longest < size:
            text = f"the longest run in that direction has {longest} steps"
            yield Told(sentence.text[begin : begin + len(clause)].strip(), text)


def _longest(main: Series, way: int) -> int:
    best = run = 0
    for _, a, b in _steps(main, 1, len(main.values)):
        run = run + 1 if (b - a) * way > 0 else 0
        best = max(best, run)
    return best


def _unit(main: Series) -> float:
    """One unit of the last printed digit."""
    return float(10.0**-main.decimals)


def _flat(sentence: Sentence, source: Source, main: Series) -> Iterator[Told]:
    by = {"rate": 0.01}.get(main.unit, 1.0)
    for match in _FLAT.finditer(sentence.low):
        clause, _ = _clause(sentence, match.start(), match.end())
        size = masks.whole_number(match["n"])
        if size > source.n or size < 2 or _other_subject(sentence, source, clause):
            continue
        ends = [
            float(match[g].strip("$€£.,").replace(",", "")) for g in ("low", "high") if match[g]
        ]
        scale = by if max(ends) > 1.5 else 1.0
        bottom, top = min(ends) * scale, max(ends) * scale
        room = max(1.5 * _unit(main), 0.03 * top)
        last = (match["where"] or "") == " last" or (match["rest"] or "") in (
            " since",
            " after",
            " to",
        )
        windows = [(source.n - size, source.n)] if last else [(0, size)]
        if (match["rest"] or "") == " before" and source.splits:
            windows = [(k - size, k) for k in source.splits if k >= size] or windows
        elif not last and not match["where"]:
            windows = [(k, k + size) for k in range(source.n - size + 1)]
        if not any(_inside(main, w, bottom - room, top + room) for w in windows):
            low, high = windows[0]
            shown = ", ".join(show(v) for v in main.values[low:high] if v is not None)
            yield Told(match[0], f"the series reads {shown} there")


def _inside(main: Series, window: tuple[int, int], low: float, high: float) -> bool:
    known = [v for v in main.values[window[0] : window[1]] if v is not None]
    return all(low - 1e-9 <= v <= high + 1e-9 for v in known)


def _held(sentence: Sentence, source: Source, main: Series) -> Iterator[Told]:
    """Whether a level that is said to have been kept since is the level of what follows."""
    for match in _HELD.finditer(sentence.low):
        clause, _ = _clause(sentence, match.start(), match.end())
        if _HEDGED.search(clause) or _other_subject(sentence, source, clause):
            continue
        before_it = [m for m in sentence.marks if m[1] - sentence.start <= match.start()]
        named = [m[2] for m in before_it[::-1] if m[3] - m[2] == 1]
        places = [i for i in (*named, *source.splits) if 0 < i < source.n - 1]
        if not places:
            continue
        level = main.values[places[0]]
        later = [v for v in main.values[places[0] + 1 :] if v is not None]
        before = [v for v in main.values[: places[0]] if v is not None]
        if level is None or len(later) < 2 or not before:
            continue
        gain = level - sum(before) / len(before)
        lost = [v for v in later if (v - level) * gain < 0 and abs(v - level) > 0.7 * abs(gain)]
        if lost and lost[-1] == later[-1]:
            yield Told(match[0], f"it went from {show(level)} to {show(later[-1])} afterwards")


def _record(sentence: Sentence, source: Source, main: Series) -> Iterator[Told]:
    """A period that is called the highest or lowest."""
    for match in _RECORD.finditer(sentence.low):
        at = sentence.start + match.start()
        marks = [
            m for m in sentence.marks if m[1] <= at + 4 and at - m[1] < 12 and m[3] - m[2] == 1
        ]
        clause, _ = _clause(sentence, match.start(), match.end())
        if not marks or _HEDGED.search(clause) or _other_subject(sentence, source, clause):
            continue
        value = main.values[marks[-1][2]]
        known = [v for v in main.values if v is not None]
        ends = {"highest": (max,), "lowest": (min,), "peak": (max,)}.get(
            match["end"].split()[0], (min, max)
        )
        if "low point" in match["end"]:
            ends = (min,)
        if value is not None and all(value != f(known) for f in ends):
            ends_at = f"{show(min(known))} to {show(max(known))}"
            text = f"it is {show(value)}; the series runs from {ends_at}"
            yield Told(sentence.text[match.start() : match.end()].strip(), text)


def _peaked(sentence: Sentence, source: Source, main: Series) -> Iterator[Told]:
    """A period in which the series is said to have peaked or bottomed out."""
    known = [v for v in main.values if v is not None]
    for match in _PEAKED.finditer(sentence.low):
        at = sentence.start + match.end()
        marks = [m for m in sentence.marks if 0 <= m[0] - at <= 3 and m[3] - m[2] == 1]
        clause, _ = _clause(sentence, match.start(), match.end())
        if not marks or _HEDGED.search(clause) or _OF_MANY.search(sentence.low[: match.end()]):
            continue
        value = main.values[marks[0][2]]
        end = min(known) if match["low"] else max(known)
        if value is not None and value != end and not _other_subject(sentence, source, clause):
            text = f"it is {show(value)} there; the {'lowest' if match['low'] else 'highest'} is"
            yield Told(match[0], f"{text} {show(end)}")


def _passed(sentence: Sentence, source: Source, main: Series) -> Iterator[Told]:
    """A level that is said never to have been passed: "at no time under 40%"."""
    known = [v for v in main.values if v is not None]
    for match in _NEVER.finditer(sentence.low):
        clause, _ = _clause(sentence, match.start(), match.end())
        if _other_subject(sentence, source, clause) or re.search(
            r"\b(?:if|should|would)\b", clause
        ):
            continue
        value = float(match["value"].replace(",", ""))
        if match["sign"] and main.unit == "rate":
            value /= 100
        low, high = min(known), max(known)
        if not 0.5 * low <= value <= 2 * high:
            continue
        under = match["side"] in ("under", "below", "less than", "lower than")
        passed = [v for v in known if (v < value - 1e-9 if under else v > value + 1e-9)]
        if passed:
            yield Told(match[0], f"{show(passed[0])} is {'under' if under else 'over'} it")


def _back(sentence: Sentence, source: Source, main: Series) -> Iterator[Told]:
    """A recovery that is said to be complete, though the last value is far from the old level."""
    match = _BACK.search(sentence.low)
    values = main.values
    places = [k for k in source.splits if 0 < k < source.n - 1]
    if match is None or values[-1] is None or _HEDGED.search(sentence.low[: match.start()][-30:]):
        return
    clause, _ = _clause(sentence, match.start(), match.end())
    if _other_subject(sentence, source, clause):
        return
    steps = _steps(main, 1, source.n)
    widest = max(steps, key=lambda s: abs(s[2] - s[1]), default=None)
    at = places[0] if places else widest[0] if widest else 0
    before = main.mean(0, at)
    after = [v for v in values[at:] if v is not None]
    if before is None or len(after) < 2:
        return
    farthest = max(after, key=lambda v: abs(v - before))
    if abs(values[-1] - before) > 0.4 * abs(farthest - before) > 0:
        yield Told(match[0], f"it ends at {show(values[-1])}, the level before was {show(before)}")


def _within(sentence: Sentence, source: Source, main: Series) -> Iterator[Told]:
    """A series that is said to lie within some points, and does not."""
    by = {"rate": 0.01}.get(main.unit, 1.0)
    known = [v for v in main.values if v is not None]
    for match in _WITHIN.finditer(sentence.low):
        clause, _ = _clause(sentence, match.start(), match.end())
        wide = [m for m in sentence.marks if m[3] - m[2] < source.n]
        if wide or _other_subject(sentence, source, clause):
            continue
        size = {"half a": 0.5, "a": 1.0, "one": 1.0, "a single": 1.0}.get(match["size"])
        room = (size if size is not None else float(match["size"])) * by
        if max(known) - min(known) > 2 * room + _unit(main):
            text = f"it runs from {show(min(known))} to {show(max(known))}"
            yield Told(match[0], text)


def _means(sentence: Sentence, source: Source, main: Series) -> Iterator[Told]:
    """The stretch after a change compared with the one before it, the wrong way round."""
    for match in _AFTER_BEFORE.finditer(sentence.low):
        clause, _ = _clause(sentence, match.start(), match.end())
        if _HEDGED.search(clause.replace("average", "").replace("mean", "")):
            continue
        pairs = [(main.mean(0, k), main.mean(k, source.n)) for k in source.splits]
        known = [(b, a) for b, a in pairs if b is not None and a is not None]
        if not known or _other_subject(sentence, source, clause):
            continue
        up = match["up"] is not None
        if all((a < b) if up else (a > b) for b, a in known):
            text = f"the mean before is {show(known[0][0])}, after it {show(known[0][1])}"
            yield Told(match[0], text)


def _bound(sentence: Sentence, source: Source, main: Series) -> Iterator[Told]:
    """A level of a named period that is said never to have been passed."""
    for start, _, low, high in sentence.marks:
        before = sentence.low[max(0, start - sentence.start - 60) : start - sentence.start]
        match = _NEVER_ABOVE.search(before)
        level = main.values[low] if match and high - low == 1 else None
        if match is None or level is None:
            continue
        above = match["side"] in ("above", "over") or match["side"].startswith("exceed")
        passed = [
            v
            for v in main.values[low + 1 :]
            if v is not None and ((v > level) if above else (v < level))
        ]
        if passed:
            yield Told(match[0].strip(), f"{show(passed[0])} against {show(level)}")


def _growing(sentence: Sentence, source: Source, main: Series) -> Iterator[Told]:
    """Steps that are said to grow, or a move that is said not to slow, though the last turned."""
    for match in _GROWING.finditer(sentence.low):
        clause, _ = _clause(sentence, match.start(), match.end())
        steps = _steps(main, 1, source.n)
        if len(steps) < 3 or _HEDGED.search(clause.replace("no sign", "")):
            continue
        if _other_subject(sentence, source, clause):
            continue
        moved = main.values[-1] or 0.0
        first = next(v for v in main.values if v is not None)
        last = steps[-1][2] - steps[-1][1]
        if (moved - first) * last < 0:
            moved_last = f"from {show(steps[-1][1])} to {show(steps[-1][2])}"
            text = f"the last step goes the other way, {moved_last}"
            yield Told(match[0], text)


def _now(sentence: Sentence, source: Source, main: Series) -> Iterator[Told]:
    """A level told as today's that the series had long ago and has no longer."""
    known = [v for v in main.values if v is not None]
    for match in _NOW.finditer(sentence.low):
        clause, _ = _clause(sentence, match.start(), match.end())
        if _HEDGED.search(clause) or _other_subject(sentence, source, clause):
            continue
        value = float((match["after"] or match["before"]).replace(",", ""))
        percent = (match["sign"] or match["sign2"]) and main.unit == "rate"
        level = value / 100 if percent else value
        room = max(0.5 * _unit(main), 1e-9)
        if abs(known[0] - level) <= 1e-9 and all(abs(v - level) > room for v in known[-2:]):
            yield Told(match[0], f"that is the first value; the last is {show(known[-1])}")


def _still(sentence: Sentence, source: Source, main: Series) -> Iterator[Told]:
    """A metric that is called flat as a whole though it moved all along in one direction."""
    steps = _steps(main, 1, source.n)
    match = _STILL.search(sentence.low)
    parts = [m for m in sentence.marks if m[3] - m[2] < source.n]
    if match is None or len(steps) < 4 or parts:
        return
    clause, _ = _clause(sentence, match.start(), match.end())
    if _HEDGED.search(clause) or _other_subject(sentence, source, clause):
        return
    first, last = steps[0][1], steps[-1][2]
    one_way = sum((b - a) * (last - first) > 0 for _, a, b in steps) >= 0.8 * len(steps)
    if first and one_way and abs(last - first) > 0.12 * abs(first):
        yield Told(match[0], f"it moved from {show(first)} to {show(last)}")


def _swapped(sentence: Sentence, source: Source, main: Series) -> Iterator[Told]:
    """The mean before a change told as that after it, and the other way round."""
    if not re.search(r"\b(?:mean|average[ds]?)\b", sentence.low):
        return
    for match in _BEFORE_SINCE.finditer(sentence.low):
        told = [float(match[g].replace(",", "")) for g in ("a", "b")]
        by = 0.01 if main.unit == "rate" and max(told) > 2 else 1.0
        before, after = (x * by for x in (told if match["first"] == "before" else told[::-1]))
        for k in source.splits:
            old, new = main.mean(0, k), main.mean(k, source.n)
            if old is None or new is None or abs(old - new) < 3 * _unit(main):
                continue
            near = 0.6 * _unit(main)
            if abs(before - new) <= near and abs(after - old) <= near:
                text = f"the mean before is {show(old)}, after it {show(new)}"
                yield Told(match[0], text)


def _slipped(sentence: Sentence, source: Source, main: Series) -> Iterator[Told]:
    """A move that is said never to have happened: "it has never once slipped back"."""
    for match in _NEVER_MOVED.finditer(sentence.low):
        clause, _ = _clause(sentence, match.start(), match.end())
        window = _window(sentence, source, match)
        if window is None or _other_subject(sentence, source, clause):
            continue
        step = _against(main, *window, 1 if match["down"] else -1)
        if step:
            yield Told(
                match[0], f"period {step[0] + 1} moved from {show(step[1])} to {show(step[2])}"
            )


def _named_record(sentence: Sentence, source: Source, main: Series) -> Iterator[Told]:
    """The period that is named as the highest or lowest: "the lowest month was July"."""
    known = [v for v in main.values if v is not None]
    for match in _RECORD_WAS.finditer(sentence.low):
        at = sentence.start + match.end()
        marks = [m for m in sentence.marks if 0 <= m[0] - at <= 4 and m[3] - m[2] == 1]
        clause, _ = _clause(sentence, match.start(), match.end())
        value = main.values[marks[0][2]] if marks else None
        if value is None or _other_subject(sentence, source, clause):
            continue
        ends = {"lowest": [min(known)], "highest": [max(known)]}
        if value not in ends.get(match["end"], [min(known), max(known)]):
            text = f"it is {show(value)}; the series runs from {show(min(known))}"
            yield Told(match[0], f"{text} to {show(max(known))}")


_RULES = (
    _slipped,
    _named_record,
    _still,
    _swapped,
    _passed,
    _back,
    _within,
    _means,
    _now,
    _peaked,
    _every,
    _in_a_row,
    _flat,
    _held,
    _record,
    _bound,
    _growing,
)
