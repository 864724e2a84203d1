"""What an answer judges, apart from its numbers: direction, timing, urgency and action."""

from __future__ import annotations

import re
from collections.abc import Sequence

from nbutils import claims, facts
from nbutils.examples import Case, sentences
from nbutils.gates import weakness

_FLAT = re.compile(
    r"\bnois[ey]\b|no more than the usual scatter|within the [^.]{0,24}\bchance|by chance alone|"
    r"nothing (?:has |really )?(?:happened|moved|changed|to explain)|nothing here\b|"
    r"(?:carry|show|has|have|is|tells?|with) no (?:clear |real |visible )?"
    r"(?:trend|story|direction|drift)\b|"
    r"ordinary (?:variation|ups and downs|weeks)|random\b|neither praised nor blamed|"
    r"no visible mark",
    re.IGNORECASE,
)
_STILL = re.compile(
    r"\b(?:flat|stable|steady|unchanged|standing still|no (?:change|movement)|stayed between|"
    r"ends where it began|hardly moved)\b",
    re.IGNORECASE,
)
_BACK = re.compile(
    r"\bback\b(?! (?:more|office|to (?:work|school)))|return(?:ed|s|ing)? to\b|\brecover(?:ed|y)\b|"
    r"\bit has not lasted\b|\b(?:old|previous|earlier|starting|former) level\b(?! and)|"
    r"\b(?:dip|spike|blip|one-off|bump|hole|ceiling|season\w*|summer\w*|plateau\w*|banked|rebound\w*)\b|"
    r"(?:level|flatten)(?:l?ed|ling|ing|s)? (?:out|off)|temporary|short-lived|"
    r"peaks? (?:every|each)|every (?:summer|winter|spring|autumn|quarter end|fourth)|"
    r"\b(?:whole|there|\d[\d.,]*%?|normal|well) again\b|\b(?:it|climb|rise|dip|growth) is over\b|"
    r"(?:has|have) (?:stayed|been stuck)[^.]{0,30}\b(?:since|for)|"
    r"\bstuck (?:at|between)|(?:stands|sticks|stood) out|exactly where it started|gone a \w+ later|"
    r"outside (?:week|month|quarter|day|them)\b|outlier|exception|out of line|used to be\b|"
    r"\b(?:then|and) stopped|(?:is|are) finished|has run out|climb ended",
    re.IGNORECASE,
)
_UP = re.compile(
    r"\b(?:rose|risen|rises?|rising|grew|grown|grows?|growing|growth|climb\w*|increas\w*|"
    r"jump\w*|gain\w*|(?:went|going|gone|stepped|moved|is|are) up|up (?:from|by|every|\d)|higher|"
    r"doubled|accelerat\w*|surg\w*|lengthen\w*|widen\w*|longer|dearer|more often|better)\b|"
    r"^(?:Analysis: )?up\b",
    re.IGNORECASE,
)
_DOWN = re.compile(
    r"\b(?:fell|fallen|falls?|falling|drop\w*|declin\w*|decreas\w*|lost|los(?:es|ing|s)|slid\w*|"
    r"sank|sinking|shr[aui]nk\w*|(?:went|going|gone|stepped|moved|is|are) down|down (?:from|by|"
    r"every|\d)|lower|halved|slip\w*|erod\w*|shorten\w*|shorter|narrow\w*|fewer|cheaper|broke|"
    r"worse\w*)\b|^(?:Analysis: )?down\b",
    re.IGNORECASE,
)
_DENIED = re.compile(
    r"\b(?:no|not|never|without|neither|nor|hardly|whether|if)\b[^.;,]{0,18}$", re.I
)

_ENDS = re.compile(
    r"\bfrom [^\w.]{0,2}(\d[\d,]*(?:\.\d+)?)[^.;]{0,40}? to [^\w.]{0,2}(\d[\d,]*(?:\.\d+)?)",
    re.IGNORECASE,
)

_LEVEL = re.compile(
    r"(?:mean of )?periods? (\d+)(?:-(\d+))?: -?[^\d-]*(-?\d[\d,]*(?:\.\d+)?)", re.IGNORECASE
)

_NUMBERS = {w: i for i, w in enumerate("zero one two three four five six seven eight nine".split())}
_PERIOD = r"(?:day|week|month|quarter|year|period|cohort)s?"
_NAMED = re.compile(rf"\b{_PERIOD} (\d{{1,2}})\b", re.IGNORECASE)
_AGO = re.compile(rf"\b(\d{{1,2}}|{'|'.join(_NUMBERS)}) {_PERIOD} ago\b", re.IGNORECASE)
_LAST = re.compile(
    rf"\b(?:last|past|latest|final) (\d{{1,2}}|{'|'.join(_NUMBERS)}) {_PERIOD}\b", re.IGNORECASE
)

_WORD = re.compile(r"[a-z][a-z'-]{3,}")
_EMPTY = frozenset(
    "this that with from week weeks month months quarter quarters since were been have will made "
    "live every each into over during after before their there which other same first last next "
    "none only also than them they year years days made began started ended went since mid about "
    "more less new user users account accounts customer customers team rate share".split()
)
_OTHERWISE = re.compile(
    r"\b(?:revert\w*|roll\w* (?:it |the \w+ )?back|restor\w+|undo|remov\w+|reinstat\w+|paus\w+|"
    r"stop\w*|keep\w*|kept|leave\w*|compar\w+|test\w*|random\w*|half|holdout|hold back|split\w*|"
    r"audit\w*|check\w*|recheck\w*|skip\w*|optional|old|previous|earlier|extend\w*|again|without|"
    r"switch\w* off|replac\w+|instead|repeat\w*|measur\w+|ask\w*|review\w*|why|fix\w*|repair\w*|"
    r"back|both|versus|against|return\w*|limit\w*|rest of|also|too|elsewhere|remaining)\b",
    re.IGNORECASE,
)
_RULED_OUT = re.compile(
    r"\b(?:cannot|can't|must not|may not|not possible|not allowed|no longer possible|frozen|"
    r"ruled out|fixed until|not before|no (?:release|change|engineer\w*)s? (?:until|before))\b",
    re.IGNORECASE,
)


def stated_direction(analysis: str, found: Sequence[claims.Claim] = ()) -> str:
    """Which way an analysis says the metric went.

    By rules, in this order: "flat" if it is called noise; "mixed" if it went and came back,
    levelled off or is seasonal; else by the levels that it states, in the order of their periods;
    else by the first word that moves.

    Parameters
    ----------
    analysis : str
        The analysis section; of a text without sections, all of it.
    found : sequence of Claim, optional
        What `nbutils.claims.verify` found in it.

    Returns
    -------
    str
        ``"up"``, ``"down"``, ``"flat"``, ``"mixed"``, or empty if nothing is said.

    Examples
    --------
    >>> stated_direction("Conversion fell from 4% to 2% and came back to 4%.")
    'mixed'
    """
    if _FLAT.search(analysis):
        return "flat"
    if _said(_BACK, analysis):
        return "mixed"
    return _by_levels(found) or _by_words(analysis)


def _by_levels(found: Sequence[claims.Claim]) -> str:
    """The direction of the levels stated, by their periods; empty for fewer than two."""
    levels = {}
    for claim in found:
        match = _LEVEL.match(claim.derivation)
        if claim.verdict == "supported" and match:
            levels[int(match[1]) + int(match[2] or match[1])] = float(match[3].replace(",", ""))
    values = [levels[time] for time in sorted(levels)]
    spread = max(values, default=0.0) - min(values, default=0.0)
    if spread == 0:
        return ""
    change = values[-1] - values[0]
    if abs(change) < 0.25 * spread:
        return "mixed"
    return "up" if change > 0 else "down"


def _by_words(analysis: str) -> str:
    if ends := _ENDS.search(analysis):
        first, last = (float(ends[i].replace(",", "")) for i in (1, 2))
        if first != last:
            return "up" if last > first else "down"
    places = {"up": _said(_UP, analysis), "down": _said(_DOWN, analysis)}
    known = {way: match.start() for way, match in places.items() if match}
    if known:
        return min(known, key=lambda way: known[way])
    return "flat" if _STILL.search(analysis) else ""


def _said(pattern: re.Pattern[str], text: str) -> re.Match[str] | None:
    """The first match that is stated, not denied."""
    for match in pattern.finditer(text):
        if not _DENIED.search(text[: match.start()]):
            return match
    return None


def turns(known: facts.Facts) -> set[int]:
    """Where a series turns, as indices from 0: begin and end of a step or a bump; else empty."""
    shape = known.shape
    return {i for i in (shape.start, shape.end) if i is not None and shape.kind in ("step", "bump")}


def names_turn(known: facts.Facts, analysis: str) -> bool:
    """Whether an analysis names the period in which the series turns.

    "Week 5", "4 weeks ago" and "the last 3 weeks" are read; a change told by its cause alone
    ("since the new form") names no period.
    """
    n = len(known.case.values)
    named = {int(m[1]) - 1 for m in _NAMED.finditer(analysis)}
    named |= {n - _count(m[1]) for m in _AGO.finditer(analysis)}
    named |= {n - _count(m[1]) for m in _LAST.finditer(analysis)}
    return bool(named & turns(known))


def _count(text: str) -> int:
    low = text.lower()
    return _NUMBERS[low] if low in _NUMBERS else int(low)


def action_faults(case: Case, action: str) -> list[str]:
    """What speaks against a recommended action, as far as rules can see.

    Parameters
    ----------
    case : Case
        With its recent changes and notes.
    action : str
        The section of that name.

    Returns
    -------
    list of str
        ``"not concrete"`` (`nbutils.gates.weakness`), ``"already done"`` (a sentence repeats most
        of the words of a recorded change and does nothing else with it), ``"ruled out"`` (it
        repeats most of what the notes say cannot be done). Rules over words: they find plain
        cases only, and say nothing on whether the action is a good one.
    """
    found = ["not concrete"] if len(action.split()) < 4 or weakness(action) else []
    said = [s for s in sentences(action) if not _OTHERWISE.search(s)]
    if any(_repeats(s, part) for s in said for part in re.split(r"[;.]", case.changes)):
        found.append("already done")
    banned = [s for s in sentences(case.notes) if _RULED_OUT.search(s)]
    if any(_repeats(s, part) for s in said for part in banned):
        found.append("ruled out")
    return found


def _repeats(sentence: str, part: str) -> bool:
    """Whether a sentence holds most of the telling words of another text, at least three."""
    words, own = _stems(part), _stems(sentence)
    return len(words & own) >= max(3, 0.6 * len(words))


def _stems(text: str) -> set[str]:
    return {w[:5] for w in _WORD.findall(text.lower()) if w not in _EMPTY}
