"""Where the numbers of a text stand: one pass that tells claims from labels, dates and names."""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import pairwise

from nbutils.claims.grammar import SPELLED, START, STARTERS, Span, lowered, span_at

MONTHS = [
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
]
_MONTH = (
    r"(?:jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?"
    r"|sept?(?:ember)?|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?)\.?"
)
_YEAR = r"(?:,? (?:19|20)\d\d\b)?"
# dates, times, split shares, years, ordinals, confidence levels, identifiers
_DIGIT_MASK = re.compile(
    rf"\d{{1,2}}(?:st|nd|rd|th)?(?:(?: to | and |-|"
    rf"\u2013)\d{{1,2}})?(?: of)? {_MONTH}(?![a-z]){_YEAR}"
    r"|(?:19|20)\d\d-\d\d(?:-\d\d)?\b|\d{1,2}[/.]\d{1,2}[/.](?:19|20)?\d\d\b"
    r"|\d{1,2}:\d\d\b|(?:24/7|50[/:]50|50-50|80/20)\b"
    r"|(?:19|20)\d\d[/\u2013-](?:19|20)?\d\d\b"
    r"|(?:19|20)\d\d\b(?![.,]\d|[ \u00a0]?%| [a-z]+(?:s|ers|ing)\b(?<!was)(?<!this)(?<!its))"
    r"|\d{1,9}(?:st|nd|rd|th)\b"
    r"|(?:9[059]|99\.9)[ ]?%[ -](?:confidence|interval|ci|credible|level|significance)"
    r"|\d{1,12}[a-jlno-wyz][a-z]{0,20}\d\w*"
)
_LIST_MARK = re.compile(r"\d{1,3}[.)](?=[ \t])")
# versions, steps, quarters, months with a day or year, addresses, names with digits
_WORD_MASK = re.compile(
    rf"{_MONTH} \d{{1,2}}(?:st|nd|rd|th)?(?![\d%]|[.,%]\d){_YEAR}|{_MONTH},? (?:19|20)\d\d\b"
    r"|q[1-4](?:[- /'](?:19|20)?\d\d)?\b|(?:fy|h[12]|cy)[- ']?(?:20)?\d{0,2}\b"
    r"|(?:version|release|v|step|phase|tier|stage|level|option|figure|table|section|variant|page"
    r"|mails?|e-mails?|emails?|item|note|series|wave|batch|plan|group|arm|ios|android|app|gen|no\.)"
    r"[ ]?\d{1,3}(?:\.\d+)*(?!,?\d)(?: (?:and|or|to) \d+)?\b(?![ ]?%| (?:percent|points|times))"
    r"|https?://\S+|[a-z_]\w*\d\w*(?:-\d+)?\b|[a-z]+-\d+(?:\.\d+)?\b(?!%)"
)
_MASK_WORDS = frozenset(
    [
        "jan",
        "feb",
        "mar",
        "apr",
        "may",
        "jun",
        "jul",
        "aug",
        "sep",
        "sept",
        "oct",
        "nov",
        "dec",
        "version",
        "release",
        "v",
        "step",
        "phase",
        "tier",
        "stage",
        "level",
        "option",
        "figure",
        "table",
        "section",
        "variant",
        "page",
        "mail",
        "mails",
        "e",
        "email",
        "emails",
        "item",
        "note",
        "series",
        "wave",
        "batch",
        "plan",
        "group",
        "arm",
        "ios",
        "android",
        "app",
        "gen",
        "no",
        "http",
        "https",
        "fy",
        "cy",
    ]
) | frozenset(MONTHS)
_PERIOD = "day|week|wk|month|quarter|qtr|year|cohort|period"
_NOT_LABEL = (
    r"(?![\d.,]*\d?[ ]?%|\.\d|,\d{3}|\d| (?:points|percent|pp|days?|hours?|weeks?|months?|"
    r"quarters?|years?|times)\b)"
)
# "14 in quarter 1 and 41 in quarter 6": the second number is no label
_NOT_NEXT = rf"{_NOT_LABEL}(?! (?:in|for|at|by|on) (?:the )?(?:{_PERIOD}|first|last|final)\b| of\b)"
_PERIODS = frozenset(p + s for p in _PERIOD.split("|") for s in ("", "s"))
_LABEL = re.compile(
    rf"(?P<noun>{_PERIOD})s?[ -]?#?(?P<nums>\d{{1,3}}{_NOT_LABEL}"
    rf"(?:(?: to | through | until |-|\u2013|\u2014)(?:(?:{_PERIOD}) )?\d{{1,2}}{_NOT_LABEL})?"
    rf"(?:(?:, ?(?:and )?| and | or | & )(?:(?:{_PERIOD})s? )?\d{{1,2}}"
    rf"(?:(?:[-\u2013]| to )\d{{1,2}})?{_NOT_NEXT}){{0,9}})"
)
# "each week 40 users leave": a number of users, not a week
_RATE_BEFORE = re.compile(r"\b(?:each|every|per|a) $")
_TELLING = _PERIODS | _MASK_WORDS | STARTERS
_JOINS = frozenset("0123456789_-")
_TOKEN = re.compile(r"[a-z_]+|\d")
_NUMBER_PIECE = re.compile(r"\d+|to|through|until|-|\u2013|\u2014")
_BEFORE_DIGIT = frozenset("-+\u2212\u2013$€£¥. \u00a0")


@dataclass(slots=True)
class Label:
    """A period named by its number: "week 4", "weeks 1-4", "months 2, 3 and 4" (from 1)."""

    start: int
    end: int
    noun: str
    groups: list[tuple[int, int]]


@dataclass(slots=True)
class Scan:
    """What one pass over a text finds."""

    spans: list[Span]
    labels: list[Label]
    masked: frozenset[str]


def scan(text: str) -> Scan:
    """The numbers of a text that state something, its numbered periods, and what was left out.

    Examples
    --------
    >>> found = scan("In week 4 of 2023 the rate fell by 2.5 points to 31%.")
    >>> [span.text for span in found.spans], [label.groups for label in found.labels]
    (['2.5 points', '31%'], [[(4, 4)]])
    """
    low = lowered(text)
    spans: list[Span] = []
    marks: list[Label] = []
    hidden: list[str] = []
    done = 0
    for token in _TOKEN.finditer(low):
        start, end = token.span()
        if start < done:
            continue
        if token[0] not in _TELLING and low[end : end + 1] not in _JOINS and token[0] > "9":
            continue
        label = _label(low, token)
        end = label.end if label else _masked(low, text, token)
        if label:
            marks.append(label)
        elif end > start:
            hidden += re.findall(r"\d+(?:\.\d+)?", low[start:end])
        else:
            span = _span(text, low, token, done)
            if span:
                spans.append(span)
                end = span.end
        done = max(done, end)
    return Scan(spans, marks, frozenset(hidden))


def _label(low: str, token: re.Match[str]) -> Label | None:
    if token[0] not in _PERIODS:
        return None
    match = _LABEL.match(low, token.start())
    if not match or _RATE_BEFORE.search(low, max(0, token.start() - 8), token.start()):
        return None
    noun = match["noun"].replace("wk", "week").replace("qtr", "quarter")
    groups = _groups(match["nums"])
    if len(groups) > 2 and any(b[0] <= a[0] for a, b in pairwise(groups)):
        # "won by quarter 24, 26, 25": values, for periods are told in their order
        return None
    return Label(match.start(), match.end(), noun, groups)


def _groups(nums: str) -> list[tuple[int, int]]:
    groups: list[tuple[int, int]] = []
    ranged = False
    for piece in _NUMBER_PIECE.findall(nums):
        if not piece.isdigit():
            ranged = True
        elif ranged and groups:
            groups[-1] = (groups[-1][0], int(piece))
            ranged = False
        else:
            groups.append((int(piece), int(piece)))
    return groups


def _masked(low: str, text: str, token: re.Match[str]) -> int:
    """The end of a label, date or name that begins with this token, 0 if none does."""
    start, end = token.span()
    if start and (low[start - 1].isalnum() or low[start - 1] == "_"):
        return 0
    if token[0].isdigit():
        if start and low[start - 1] == ".":
            return 0
        match = _DIGIT_MASK.match(low, start)
        if match is None and not low[low.rfind("\n", max(0, start - 8), start) + 1 : start].strip():
            at_line = start == 0 or "\n" in low[max(0, start - 8) : start]
            match = _LIST_MARK.match(low, start) if at_line else None
        return match.end() if match else 0
    joined = end < len(low) and (low[end].isdigit() or low[end] in "_-")
    if not joined and token[0] not in _MASK_WORDS:
        return 0
    if token[0] == "may" and text[start] == "m":
        return 0
    match = _WORD_MASK.match(low, start)
    return match.end() if match else 0


def _span(text: str, low: str, token: re.Match[str], done: int) -> Span | None:
    """The number that begins with this token, its sign and currency before it."""
    start = token.start()
    if not token[0].isdigit():
        match = START.match(low, start) if token[0] in STARTERS else None
        return span_at(text, low, match) if match else None
    first = start
    while first > done and start - first < 5 and low[first - 1] in _BEFORE_DIGIT:
        first -= 1
    for position in range(first, start + 1):
        match = START.match(low, position)
        if match and match.end() > start:
            return span_at(text, low, match)
    return None


def whole_number(word: str) -> int:
    """The value of "7" or "seven", 0 if it is neither."""
    return int(word) if word.isdigit() else int(SPELLED.get(word, 0))
