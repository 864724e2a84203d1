"""Moves told without a number: every week, in a row, never slipped, steps that grow."""

from __future__ import annotations

import re
from collections.abc import Iterator

from nbutils.claims import masks
from nbutils.claims.changes import show
from nbutils.claims.context import Sentence
from nbutils.claims.source import Series, Source
from nbutils.claims.told import (
    DOWN,
    HEDGED,
    NUMBER,
    PERIOD,
    UP,
    Told,
    clause_of,
    first_against,
    other_subject,
    steps_into,
    way_of,
    window_of,
)

# the move stands right before: "has fallen in each of the last five weeks", "done so in every step"
_EVERY = re.compile(
    rf"\b(?:(?P<up>{UP})|(?P<down>{DOWN})|done so)(?: again| steadily| further)?(?: in| at|"
    rf" with)? (?:every|each)"
    rf"(?: single| one)?(?: of (?:the |these |those |its )?(?:last |past )?(?:{NUMBER} )?)?"
    rf"(?: other)? ?(?:weekly |monthly |quarterly )?{PERIOD}\b"
    rf"|\b(?:every|each) {PERIOD} (?:[^.;,]{{0,60}} )?(?:(?:has been|was|is|came in|ended) "
    rf"(?:(?P<up2>above|higher|longer)|(?P<down2>below|weaker|lower|shorter))(?: than)?|"
    rf"(?P<up4>beat))"
    rf" (?:the )?(?:one before|last|previous)"
    rf"|\b(?:(?P<up3>rise|climb|growth)|(?P<down3>fall|decline|slide)) (?:is|was|"
    rf"has been) (?:unbroken|uninterrupted)"
    rf"|\b(?:unbroken|uninterrupted) (?:(?P<up5>rise|climb|growth)|(?P<down5>fall|decline|slide))\b"
)
_EXCEPT = re.compile(r",? (?:but|except|bar|save|apart from|with the exception)\b")
_IN_A_ROW = re.compile(
    rf"\b(?P<n>{NUMBER}) (?:(?P<what>{PERIOD}|rises?|falls?|drops?|gains?|losses|declines?) )?"
    rf"(?:in a row|running|straight|in succession|out of (?P<of>{NUMBER}))\b"
)
_STILL = re.compile(
    r"\b(?:the|our) (?:share|rate|series|metric|figure|number|score|level|value|line) "
    r"(?:(?:has|have|is|was) )?(?:stayed put|not moved|flat|unchanged|stayed (?:flat|level|"
    r"the same))\b"
)
_NEVER_MOVED = re.compile(
    r"\b(?:has |have )?never (?:once |yet )?(?:(?P<down>slipped|fallen|fell|dropped|dipped|"
    r"declined|gone (?:down|back)|went (?:down|back)|looked back)(?! (?:below|under|to))|"
    r"(?P<up>risen|rose|recovered|gone up|went up)(?! (?:above|over|to)))\b"
)
_GROWING = re.compile(
    r"\b(?:steps?|rises?|gains?|falls?|drops?|losses|slide|decline|growth)\b[^.;]{0,20}?\b"
    r"(?:(?:is|are|get|gets|getting|become|becoming)(?: \w+)? (?P<more>bigger|larger|steeper|"
    r"faster|stronger)|"
    r"(?P<accelerat>accelerat\w+)|(?P<no>no sign of (?:slowing|easing|stopping)))\b"
)


def _every(sentence: Sentence, source: Source, main: Series) -> Iterator[Told]:
    for match in _EVERY.finditer(sentence.low):
        clause, begin = clause_of(sentence, match.start(), match.end())
        if HEDGED.search(clause) or other_subject(sentence, source, clause):
            continue
        if _EXCEPT.match(sentence.low, match.end()):
            continue
        up = match["up"] or match["up2"] or match["up3"] or match["up4"] or match["up5"]
        down = match["down"] or match["down2"] or match["down3"] or match["down5"]
        way = 1 if up else -1 if down else way_of(sentence.low[: match.start()])
        window = window_of(sentence, source, match)
        step = (
            first_against(main, *window, way)
            if way and window and window[1] - window[0] > 1
            else None
        )
        if step:
            text = f"period {step[0] + 1} moved from {show(step[1])} to {show(step[2])}"
            yield Told(sentence.text[begin : begin + len(clause)].strip(), text)


def _in_a_row(sentence: Sentence, source: Source, main: Series) -> Iterator[Told]:
    for match in _IN_A_ROW.finditer(sentence.low):
        clause, begin = clause_of(sentence, match.start(), match.end())
        size = masks.whole_number(match["n"])
        way = way_of(match["what"] or "") or way_of(clause[: match.start() - begin])
        if match["of"] and masks.whole_number(match["of"]) != size:
            continue
        if not way or size > source.n - 1 or HEDGED.search(clause):
            continue
        if other_subject(sentence, source, clause):
            continue
        longest = _longest(main, way)
        if longest < size:
            text = f"the longest run in that direction has {longest} steps"
            yield Told(sentence.text[begin : begin + len(clause)].strip(), text)


def _longest(main: Series, way: int) -> int:
    best = run = 0
    for _, a, b in steps_into(main, 1, len(main.values)):
        run = run + 1 if (b - a) * way > 0 else 0
        best = max(best, run)
    return best


def _growing(sentence: Sentence, source: Source, main: Series) -> Iterator[Told]:
    """Steps that are said to grow, or a move that is said not to slow, though the last turned."""
    for match in _GROWING.finditer(sentence.low):
        clause, _ = clause_of(sentence, match.start(), match.end())
        steps = steps_into(main, 1, source.n)
        if len(steps) < 3 or HEDGED.search(clause.replace("no sign", "")):
            continue
        if other_subject(sentence, source, clause):
            continue
        moved = main.values[-1] or 0.0
        first = next(v for v in main.values if v is not None)
        last = steps[-1][2] - steps[-1][1]
        if (moved - first) * last < 0:
            moved_last = f"from {show(steps[-1][1])} to {show(steps[-1][2])}"
            text = f"the last step goes the other way, {moved_last}"
            yield Told(match[0], text)


def _still(sentence: Sentence, source: Source, main: Series) -> Iterator[Told]:
    """A metric that is called flat as a whole though it moved all along in one direction."""
    steps = steps_into(main, 1, source.n)
    match = _STILL.search(sentence.low)
    parts = [m for m in sentence.marks if m[3] - m[2] < source.n]
    if match is None or len(steps) < 4 or parts:
        return
    clause, _ = clause_of(sentence, match.start(), match.end())
    if HEDGED.search(clause) or other_subject(sentence, source, clause):
        return
    first, last = steps[0][1], steps[-1][2]
    one_way = sum((b - a) * (last - first) > 0 for _, a, b in steps) >= 0.8 * len(steps)
    if first and one_way and abs(last - first) > 0.12 * abs(first):
        yield Told(match[0], f"it moved from {show(first)} to {show(last)}")


def _slipped(sentence: Sentence, source: Source, main: Series) -> Iterator[Told]:
    """A move that is said never to have happened: "it has never once slipped back"."""
    for match in _NEVER_MOVED.finditer(sentence.low):
        clause, _ = clause_of(sentence, match.start(), match.end())
        window = window_of(sentence, source, match)
        if window is None or other_subject(sentence, source, clause):
            continue
        step = first_against(main, *window, 1 if match["down"] else -1)
        if step:
            yield Told(
                match[0], f"period {step[0] + 1} moved from {show(step[1])} to {show(step[2])}"
            )


RULES = (_slipped, _still, _every, _in_a_row, _growing)
