"""The output as the verifier sees it: sections, sentences, cues, and the periods they name."""

from __future__ import annotations

import itertools
import re
from dataclasses import dataclass, field
from typing import Any

from nbutils.claims import masks
from nbutils.claims.grammar import lowered
from nbutils.claims.source import Operand, Source, named_periods, stems

_SECTION = re.compile(
    r"^[ \t>#*_]*(analysis|summary|recommended actions?|recommendations?|action|"
    r"next steps?|urgency)"
    r"[ \t*_]*:",
    re.IGNORECASE | re.MULTILINE,
)
_STOP = re.compile(r"[.!?](?=[\s\"')*]|$)|\n+|(?<=\s)/(?=\s)")
_UP = (
    r"rose|rises?|risen|rising|increas\w+|climb\w*|grew|grows?|grown|growing|growth|up|higher|"
    r"jump\w*|surg\w+|soar\w*|added|gain(?:ed|s|ing)?|above|plus|more|wider|widen\w*|longer|"
    r"lengthen\w*|rise|extra|additional|increase|upward"
)
_DOWN = (
    r"fell|falls?|fallen|falling|declin\w+|decreas\w+|drop\w*|down|lower|lowered|slid|slides?|"
    r"slipp\w+|slip|shr[aiu]nk\w*|sank|sunk|plung\w+|tumbl\w+|los[st]|loses?|losing|loss|below|"
    r"minus|fewer|less|narrow\w*|shorter|shorten\w*|reduc\w+|dip\w*|cut|under|beneath|downward"
)
# "gave up", "signed up": no direction
_NO_UP = "".join(
    rf"(?<!{verb} )" for verb in ("gave", "give", "gives", "signed", "sign", "set", "made", "ended")
)
_DIRECTION = re.compile(rf"(?<![-\w]){_NO_UP}(?:(?P<up>{_UP})|(?P<down>{_DOWN}))\b", re.IGNORECASE)
_STRONG = re.compile(
    rf"(?<![-\w]){_NO_UP}(?:(?P<up>rose|risen|rises|rising|increased?|increases|climb(?:ed|s)?|grew|grown|grows|"
    r"jump(?:ed|s)?|surged|up|higher|rise)|"
    r"(?P<down>fell|fallen|falls|falling|fall|declin(?:ed|es|e)|decreas(?:ed|es|e)|drop(?:ped|s)?|"
    r"down|lower|slid|slipped|shrank|sank|plunged|tumbled|dipped))\b",
    re.IGNORECASE,
)
_NEGATED = re.compile(r"\b(?:not|never|no|without|neither|nor|n't|instead of|rather than)\b|n't\b")
_CLAUSE = re.compile(r"[;:]|\b(?:but|while|whereas|although|though|however|then|yet)\b")
_FIRST_LAST = re.compile(
    r"\b(?P<which>first|last|final|latest|previous|past|recent|earlier|opening|closing|most recent)"
    r"(?: (?P<count>\d{1,2}|[a-z]+))?(?: (?:weekly|monthly|quarterly|daily|full))? "
    r"(?P<noun>days?|weeks?|months?|quarters?|years?|cohorts?|periods?|values?|readings?)\b"
    r"|\b(?P<which2>first|last) (?P<count2>two|three|four|five|six|seven|eight)\b",
)
_ORDINALS = [
    "first",
    "second",
    "third",
    "fourth",
    "fifth",
    "sixth",
    "seventh",
    "eighth",
    "ninth",
    "tenth",
]
_ORDINAL = re.compile(
    rf"\b({'|'.join(_ORDINALS[1:])}) (?:day|week|month|quarter|year|cohort|period|value)\b"
)
_EACH = re.compile(
    r"^[^.;,]{0,18}?\b(?:a|an|per|each|every) (day|week|month|quarter|year|cohort|period)\b"
)


_MONTHS_OF = {f"q{k + 1}": masks.MONTHS[3 * k : 3 * k + 3] for k in range(4)}
MAX_SENTENCE = 1200


@dataclass(slots=True)
class Sentence:
    """One sentence of the output with the periods it names and the levels found in it."""

    start: int
    end: int
    section: str
    text: str
    low: str
    index: int
    windows: list[tuple[int, int]] = field(default_factory=list)
    marks: list[tuple[int, int, int, int]] = field(default_factory=list)
    levels: list[tuple[int, Operand]] = field(default_factory=list)
    words: frozenset[str] = frozenset()
    works: list[Any] = field(default_factory=list)


def sentences(text: str, source: Source, marks: list[masks.Label]) -> list[Sentence]:
    """Split a text at full stops and line ends; a heading opens a section."""
    heads = [(m.start(), m[1].lower()) for m in _SECTION.finditer(text)]
    edges = sorted({0, len(text), *(m.end() for m in _STOP.finditer(text)), *(h[0] for h in heads)})
    edges = _shortened(edges)
    found: list[Sentence] = []
    head, mark, section = 0, 0, "analysis"
    for start, end in itertools.pairwise(edges):
        while head < len(heads) and heads[head][0] <= start:
            name = heads[head][1]
            section = "urgency" if name == "urgency" else "action"
            section = "analysis" if name in ("analysis", "summary") else section
            head += 1
        chunk = text[start:end]
        if not chunk.strip():
            continue
        own = []
        while mark < len(marks) and marks[mark].start < end:
            own.append(marks[mark])
            mark += 1
        sentence = Sentence(start, end, section, chunk, lowered(chunk), len(found))
        _periods(sentence, own, source)
        sentence.words = stems(chunk[:1500])
        found.append(sentence)
    return found


def _shortened(edges: list[int]) -> list[int]:
    """No stretch longer than `MAX_SENTENCE`, so that reading stays linear in any text."""
    found: list[int] = []
    for start, end in itertools.pairwise(edges):
        found += range(start, end, MAX_SENTENCE)
    return [*found, edges[-1]]


def _periods(sentence: Sentence, marks: list[masks.Label], source: Source) -> None:
    """Fill the windows [low, high) of periods that a sentence names."""
    count = source.n
    if not count or not source.case:
        return
    for mark in marks[:20]:
        if mark.noun not in (source.case.period or mark.noun, "cohort", "period"):
            continue
        for low, high in mark.groups:
            if 1 <= low <= high <= count:
                _add(sentence, mark.start, mark.end, low - 1, high)
        first, last = mark.groups[0][0], mark.groups[-1][1]
        if 1 < len(mark.groups) == last - first + 1 and first >= 1 and last <= count:
            _add(sentence, mark.start, mark.end, first - 1, last)
    low_text = sentence.low
    for match in _FIRST_LAST.finditer(low_text):
        _first_last(sentence, match, count)
    for match in _ORDINAL.finditer(low_text):
        i = _ORDINALS.index(match[1])
        if i < count:
            _add(sentence, sentence.start + match.start(), sentence.start + match.end(), i, i + 1)
    if source.names:
        _name_windows(sentence, source)


def _name_windows(sentence: Sentence, source: Source) -> None:
    """Periods told by month or quarter, "January to April" as a window."""
    previous: tuple[int, int, int] | None = None
    for name, start, end in named_periods(sentence.text):
        places = source.periods_named(name)
        if not places and name[0] == "q":
            # a quarter of a monthly series
            months = [source.periods_named(m[:3]) for m in _MONTHS_OF[name[:2]]]
            if all(months):
                _add(sentence, sentence.start + start, sentence.start + end, *_stretch(months))
        for i in places:
            _add(sentence, sentence.start + start, sentence.start + end, i, i + 1)
        if not places:
            continue
        i = places[-1]
        if previous and previous[0] < i:
            gap = sentence.low[previous[2] : start].strip()
            joined = gap in ("to", "-", "\u2013", "through", "until")
            if joined or (gap == "and" and i == previous[0] + 1):
                at = sentence.start + previous[1]
                _add(sentence, at, sentence.start + end, previous[0], i + 1)
        previous = i, start, end


def _stretch(months: list[list[int]]) -> tuple[int, int]:
    """The window of the latest months that follow each other."""
    return months[-1][-1] - len(months) + 1, months[-1][-1] + 1


def _add(sentence: Sentence, start: int, end: int, low: int, high: int) -> None:
    sentence.windows.append((low, high))
    sentence.marks.append((start, end, low, high))


def _first_last(sentence: Sentence, match: re.Match[str], count: int) -> None:
    which = match["which"] or match["which2"]
    word = match["count"] or match["count2"] or ""
    if not word and (which == "earlier" or (match["noun"] or "").endswith("s")):
        return
    size = masks.whole_number(word) if word else 1
    if not 0 < size <= count:
        return
    first = which in ("first", "opening", "earlier")
    if which == "previous" and not word:
        low, high = count - 2, count - 1
    else:
        low, high = (0, size) if first else (count - size, count)
    start, end = sentence.start + match.start(), sentence.start + match.end()
    _add(sentence, start, end, max(low, 0), high)
    if not first and sentence.low[: match.start()].endswith(("first and ", "first and the ")):
        _add(sentence, start, end, 0, size)


def direction(sentence: Sentence, start: int, end: int, strong: bool = False) -> int:
    """+1 or -1 if the words around a number say up or down, else 0."""
    pattern = _STRONG if strong else _DIRECTION
    after = sentence.low[end - sentence.start : end - sentence.start + 34]
    near = re.match(
        r"[ ,)(]*(?:percentage points? |points? |percent )?(?:in relative terms |or more )?"
        r"(?P<w>lower|higher|fewer|less|more|down|up|below|above|drop|rise|fall|increase|decline|"
        r"decrease|growth|reduction|loss|shorter|longer)\b(?! or )",
        after,
    )
    if near and not after.lstrip(" ,)(").startswith("or more"):
        word = near["w"]
        return 1 if re.fullmatch(_UP, word) else -1
    before = sentence.low[max(0, start - sentence.start - 110) : start - sentence.start]
    cuts = [m.end() for m in _CLAUSE.finditer(before)]
    clause = before[cuts[-1] :] if cuts else before
    matches = list(pattern.finditer(clause))
    if not matches or _NEGATED.search(clause[max(0, matches[-1].start() - 25) : matches[-1].end()]):
        return 0
    return 1 if matches[-1]["up"] else -1


def per_period(sentence: Sentence, end: int) -> bool:
    """Whether "a week", "per month" follows a number."""
    return bool(_EACH.match(sentence.low[end - sentence.start :][:40]))


_MODAL = re.compile(
    r"\b(?:should|would|will|shall|could|might|may|must|can|if|once|when|whenever|unless|whether|"
    r"until|target\w*|aim\w*|goal|at least|pass mark|threshold|let|expect\w*|otherwise|"
    r"only if|provided|ship|keep|adopt)\b"
)
_PAST = re.compile(
    r"\b(?:was|were|has been|have been|has (?:already )?\w+ed|have (?:already )?\w+ed|fell|rose|"
    r"dropped|declined|averaged|went|stood|brought|grew|climbed|is now|are now|has "
    r"(?:fallen|risen|grown|dropped)|have (?:fallen|risen|grown)|slipped|"
    r"missed|met|exceeded|took|lost)\b"
)
_PROPOSES = re.compile(
    r"\b(?:we (?:should|recommend|propose|suggest|need to|will|could)|i (?:recommend|"
    r"propose|suggest)|"
    r"should (?:be|aim|test|try|set|run|cut|raise|launch|roll|keep|offer)|recommend(?:ed|ation)?|"
    r"aim(?:ing)? (?:for|at)|target(?:s|ing)? (?:of|a|an|is|are|for|at|below|above)|"
    r"let us|let's|the goal|success (?:is|means|criterion))\b"
)
_IMPERATIVE = re.compile(
    r"^[\s*\-\u2022\d.)>]{0,12}(?:please|test|run|launch|keep|roll|offer|ship|cut|raise|set|send|move|"
    r"try|pause|"
    r"restore|revert|switch|split|measure|compare|hold|give|ask|call|start|stop|show|limit|reduce|"
    r"increase|allocate|schedule|invest|focus|prioriti[sz]e|introduce|adopt|target|aim|re-?check|"
    r"monitor|review|consider|extend|assign|pull|put|plan)\b",
    re.IGNORECASE,
)
_PART_END = re.compile(r"[;:]|, (?:and|but|so) |\bbut\b|\bwhile\b|\u2014")


def proposes(sentence: Sentence, start: int) -> bool:
    """Whether the clause around a number proposes, sets a target or a condition.

    In the action section a number counts as proposed unless its clause tells what was; elsewhere
    only where the words say that something is to be done.
    """
    at = start - sentence.start
    left = [m.end() for m in _PART_END.finditer(sentence.low, max(0, at - 160), at)]
    right = _PART_END.search(sentence.low, at)
    begin = left[-1] if left else max(0, at - 160)
    clause = sentence.low[begin : right.start() if right else at + 120]
    cut = at - begin
    if sentence.section == "action":
        told = _PAST.search(clause[max(0, cut - 45) : cut])
        return not told or bool(_MODAL.search(clause))
    if sentence.section == "urgency" and not _PROPOSES.search(clause):
        return False
    if _PROPOSES.search(clause[: cut + 1]):
        return not _PAST.search(clause)
    return bool(_IMPERATIVE.match(sentence.text)) and not _PAST.search(sentence.low)
