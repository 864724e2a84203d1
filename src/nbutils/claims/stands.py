"""Levels told without a recomputation: flat, held, recovered, the peak, never passed, today."""

from __future__ import annotations

import re
from collections.abc import Iterator

from nbutils.claims import masks
from nbutils.claims.changes import show
from nbutils.claims.context import Sentence
from nbutils.claims.source import Series, Source
from nbutils.claims.told import (
    HEDGED,
    NUMBER,
    PERIOD,
    Told,
    all_inside,
    clause_of,
    last_unit,
    other_subject,
    steps_into,
)

_FLAT = re.compile(
    r"\b(?:sat|held|flat|level|steady|stable|stayed|stood|unchanged|hovered|remained)\b"
    r"(?: \w+){0,2}? (?:at|around|near|between)(?: about| around)? "
    r"(?P<low>[$€£]?\d[\d.,]*)\s?%?(?:\s?(?:-|\u2013|to|and)\s?(?P<high>[$€£]?\d[\d.,]*)\s?%?)?"
    rf"[^.;]{{0,12}}?\b(?:for|over|in|through(?:out)?)(?: all)?(?: the)?(?P<where> first|"
    rf" last)? (?P<n>{NUMBER}) {PERIOD}\b"
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
    rf"(?:in|of) (?:the|this|our) (?:whole )?(?:series|run|period|{NUMBER} {PERIOD}|half year|"
    rf"year)|print|cohort|{PERIOD})\b|[.,;]|$)"
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
_BEFORE_SINCE = re.compile(
    r"\b(?P<first>before|since|after)\b[^;]{0,60}?(?P<a>\d[\d,]*(?:\.\d+)?)\s?%?(?! (?:weeks|"
    r"months|days))"
    r"[^;]{0,60}?\b(?:since|after|before)\b[^;]{0,40}?(?P<b>\d[\d,]*(?:\.\d+)?)"
)
_RECORD_WAS = re.compile(
    rf"\bthe (?P<end>lowest|highest|best|worst) (?:single )?(?:{PERIOD}|value|point|reading) "
    r"(?:is|was|came in|fell in|being)(?: in)? (?:the )?"
)
_TIMES = re.compile(r"\b(?:have|has|had) (?:more than |even )?(?P<word>doubled|tripled|halved)\b")
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
_NOW = re.compile(
    r"\bnow\b(?: [a-z']+){0,3} (?P<after>\d[\d.,]*\d|\d)(?P<sign>\s?%)?(?! of| points| pts| pp|"
    r" days? (?:more|less|longer|shorter))"
    r"|(?:\bat|\bis|\bare|\bis at) (?P<before>\d[\d.,]*\d|\d)(?P<sign2>\s?%)? now\b"
)


def _flat(sentence: Sentence, source: Source, main: Series) -> Iterator[Told]:
    by = {"rate": 0.01}.get(main.unit, 1.0)
    for match in _FLAT.finditer(sentence.low):
        clause, _ = clause_of(sentence, match.start(), match.end())
        size = masks.whole_number(match["n"])
        if size > source.n or size < 2 or other_subject(sentence, source, clause):
            continue
        ends = [
            float(match[g].strip("$€£.,").replace(",", "")) for g in ("low", "high") if match[g]
        ]
        scale = by if max(ends) > 1.5 else 1.0
        bottom, top = min(ends) * scale, max(ends) * scale
        room = max(1.5 * last_unit(main), 0.03 * top)
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
        if not any(all_inside(main, w, bottom - room, top + room) for w in windows):
            low, high = windows[0]
            shown = ", ".join(show(v) for v in main.values[low:high] if v is not None)
            yield Told(match[0], f"the series reads {shown} there")


def _held(sentence: Sentence, source: Source, main: Series) -> Iterator[Told]:
    """Whether a level that is said to have been kept since is the level of what follows."""
    for match in _HELD.finditer(sentence.low):
        clause, _ = clause_of(sentence, match.start(), match.end())
        if HEDGED.search(clause) or other_subject(sentence, source, clause):
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
        clause, _ = clause_of(sentence, match.start(), match.end())
        if not marks or HEDGED.search(clause) or other_subject(sentence, source, clause):
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
        clause, _ = clause_of(sentence, match.start(), match.end())
        if not marks or HEDGED.search(clause) or _OF_MANY.search(sentence.low[: match.end()]):
            continue
        value = main.values[marks[0][2]]
        end = min(known) if match["low"] else max(known)
        if value is not None and value != end and not other_subject(sentence, source, clause):
            text = f"it is {show(value)} there; the {'lowest' if match['low'] else 'highest'} is"
            yield Told(match[0], f"{text} {show(end)}")


def _passed(sentence: Sentence, source: Source, main: Series) -> Iterator[Told]:
    """A level that is said never to have been passed: "at no time under 40%"."""
    known = [v for v in main.values if v is not None]
    for match in _NEVER.finditer(sentence.low):
        clause, _ = clause_of(sentence, match.start(), match.end())
        if other_subject(sentence, source, clause) or re.search(r"\b(?:if|should|would)\b", clause):
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
    if match is None or values[-1] is None or HEDGED.search(sentence.low[: match.start()][-30:]):
        return
    clause, _ = clause_of(sentence, match.start(), match.end())
    if other_subject(sentence, source, clause):
        return
    steps = steps_into(main, 1, source.n)
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
        clause, _ = clause_of(sentence, match.start(), match.end())
        wide = [m for m in sentence.marks if m[3] - m[2] < source.n]
        if wide or other_subject(sentence, source, clause):
            continue
        size = {"half a": 0.5, "a": 1.0, "one": 1.0, "a single": 1.0}.get(match["size"])
        room = (size if size is not None else float(match["size"])) * by
        if max(known) - min(known) > 2 * room + last_unit(main):
            text = f"it runs from {show(min(known))} to {show(max(known))}"
            yield Told(match[0], text)


def _means(sentence: Sentence, source: Source, main: Series) -> Iterator[Told]:
    """The stretch after a change compared with the one before it, the wrong way round."""
    for match in _AFTER_BEFORE.finditer(sentence.low):
        clause, _ = clause_of(sentence, match.start(), match.end())
        if HEDGED.search(clause.replace("average", "").replace("mean", "")):
            continue
        pairs = [(main.mean(0, k), main.mean(k, source.n)) for k in source.splits]
        known = [(b, a) for b, a in pairs if b is not None and a is not None]
        if not known or other_subject(sentence, source, clause):
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


def _now(sentence: Sentence, source: Source, main: Series) -> Iterator[Told]:
    """A level told as today's that the series had long ago and has no longer."""
    known = [v for v in main.values if v is not None]
    for match in _NOW.finditer(sentence.low):
        clause, _ = clause_of(sentence, match.start(), match.end())
        if HEDGED.search(clause) or other_subject(sentence, source, clause):
            continue
        value = float((match["after"] or match["before"]).replace(",", ""))
        percent = (match["sign"] or match["sign2"]) and main.unit == "rate"
        level = value / 100 if percent else value
        room = max(0.5 * last_unit(main), 1e-9)
        if abs(known[0] - level) <= 1e-9 and all(abs(v - level) > room for v in known[-2:]):
            yield Told(match[0], f"that is the first value; the last is {show(known[-1])}")


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
            if old is None or new is None or abs(old - new) < 3 * last_unit(main):
                continue
            near = 0.6 * last_unit(main)
            if abs(before - new) <= near and abs(after - old) <= near:
                text = f"the mean before is {show(old)}, after it {show(new)}"
                yield Told(match[0], text)


def _named_record(sentence: Sentence, source: Source, main: Series) -> Iterator[Told]:
    """The period that is named as the highest or lowest: "the lowest month was July"."""
    known = [v for v in main.values if v is not None]
    for match in _RECORD_WAS.finditer(sentence.low):
        at = sentence.start + match.end()
        marks = [m for m in sentence.marks if 0 <= m[0] - at <= 4 and m[3] - m[2] == 1]
        clause, _ = clause_of(sentence, match.start(), match.end())
        value = main.values[marks[0][2]] if marks else None
        if value is None or other_subject(sentence, source, clause):
            continue
        ends = {"lowest": [min(known)], "highest": [max(known)]}
        if value not in ends.get(match["end"], [min(known), max(known)]):
            text = f"it is {show(value)}; the series runs from {show(min(known))}"
            yield Told(match[0], f"{text} to {show(max(known))}")


def _multiplied(sentence: Sentence, source: Source, main: Series) -> Iterator[Told]:
    """A metric that is said to have doubled, tripled or halved and never did."""
    name = source.case.metric.lower().split() if source.case else []
    known = [v for v in main.values if v is not None]
    for match in _TIMES.finditer(sentence.low):
        clause, _ = clause_of(sentence, match.start(), match.end())
        named = any(word in clause for word in name[-1:]) or clause.lstrip().startswith("it ")
        if not named or HEDGED.search(clause) or other_subject(sentence, source, clause):
            continue
        if re.search(r"\d", clause) or min(known) <= 0:
            continue
        times = {"doubled": 2.0, "tripled": 3.0, "halved": 0.5}[match["word"]]
        pairs = [(a, b) for i, a in enumerate(known) for b in known[i + 1 :]]
        reached = [
            b / a for a, b in pairs if (b / a >= 0.9 * times if times > 1 else b / a <= 0.55)
        ]
        if not reached:
            text = f"it went from {show(known[0])} to {show(known[-1])}"
            yield Told(match[0], text)


RULES = (
    _multiplied,
    _named_record,
    _swapped,
    _passed,
    _back,
    _within,
    _means,
    _now,
    _peaked,
    _flat,
    _held,
    _record,
    _bound,
)
