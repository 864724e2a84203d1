"""Spans: where the numbers of a text stand, and what each one says by itself.

Every pattern is free of nested quantifiers, so reading takes time linear in the text.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

PERIOD_WORDS = {
    "day": "day",
    "week": "week",
    "month": "month",
    "quarter": "quarter",
    "year": "year",
    "hour": "hour",
    "minute": "minute",
    "second": "second",
}
_ONES = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen "
    "fifteen sixteen seventeen eighteen nineteen"
).split()
_TENS = "twenty thirty forty fifty sixty seventy eighty ninety".split()
SPELLED = {w: float(i) for i, w in enumerate(_ONES)} | {
    w: 10.0 * i for i, w in enumerate(_TENS, start=2)
}
_PARTS = {
    "half": 2,
    "third": 3,
    "quarter": 4,
    "fourth": 4,
    "fifth": 5,
    "sixth": 6,
    "seventh": 7,
    "eighth": 8,
    "ninth": 9,
    "tenth": 10,
}
_TIMES = {
    "twice": 2.0,
    "thrice": 3.0,
    "double": 2.0,
    "doubled": 2.0,
    "doubles": 2.0,
    "triples": 3.0,
    "doubling": 2.0,
    "triple": 3.0,
    "tripled": 3.0,
    "trebled": 3.0,
    "quadrupled": 4.0,
    "halved": 0.5,
    "halving": 0.5,
}
_MAGNITUDE = {
    "k": 1e3,
    "thousand": 1e3,
    "m": 1e6,
    "mn": 1e6,
    "million": 1e6,
    "millions": 1e6,
    "b": 1e9,
    "bn": 1e9,
    "billion": 1e9,
    "hundred": 1e2,
    "dozen": 12.0,
}

_CUR = r"(?:US\$|[$€£¥]|\b(?:USD|EUR|GBP)\s)"
_DIGITS = r"\d{1,3}(?:[,\u00a0\u202f]\d{3})+(?:\.\d+)?|\d+(?:\.\d+)?|\.\d+"
_WORD = "|".join([*_TENS, *sorted(_ONES, key=len, reverse=True)])
_PART = "|".join(_PARTS)
_START = re.compile(
    rf"(?<![\w.,/])(?P<sign>[-+\u2212\u2013])?(?:(?P<cur>{_CUR})[ \u00a0]?)?(?P<sign2>[-+\u2212])?"
    rf"(?P<digits>{_DIGITS})(?![.,]?\d)"
    rf"|(?<=[-\u2013\u2014\u2192/,~])(?P<curB>{_CUR})?(?P<digitsB>{_DIGITS})(?![.,]?\d)"
    rf"|\b(?P<frac>(?:(?:a|one|two|three|four)[ -](?P<part>{_PART})s?|half)\b"
    rf"(?= of\b| as\b| the\b| its\b|[.,;)])"
    rf"|(?<=\bby )half\b|(?<=\bby a )(?:{_PART})\b)"
    rf"|\b(?P<oneof>(?P<of1>{_WORD}) (?:in|out of) (?:every )?(?P<of2>{_WORD}))\b"
    rf"|\b(?P<times>{'|'.join(_TIMES)})\b"
    rf"|\b(?P<word>(?:{_WORD})(?:-(?:{'|'.join(_ONES[1:10])}))?)\b(?!-\w*(?:step|way|off|page|"
    rf"by|to|click|size|arm|part)\b)"
    rf"|\b(?P<dozen>(?:half )?a dozen)\b",
    re.IGNORECASE,
)
_TAIL = re.compile(
    r"(?P<mag>[kKmMbB](?![A-Za-z])|bn\b|mn\b"
    r"|[ \u00a0-](?:hundred|thousand|million|billion|dozen|bn|mn)\b)?"
    r"(?P<unit>[ \u00a0]?%(?:[ -]?points?\b|[ -]?pts?\b)?"
    r"|[ \u00a0-]?(?:percentage[ -]points?|percent(?:age)?[ -]points?|per ?cent(?! points?)"
    r"|percent|pp|ppts?|p\.p\.|basis points?|bps?)(?![A-Za-z])"
    r"|[ -]?(?:fold)\b|[ ]?[x×](?![A-Za-z0-9]| ?\d)|[ -]times?\b"
    r"|[ \u00a0-](?:(?:extra|full|further|more|whole|fewer|other|odd|lost) )?(?:points?|pts?)\b"
    r"|[ \u00a0]?(?:USD|EUR|GBP|dollars?|euros?|pounds?)\b|[ ]?[€£$](?!\d)"
    r"|[ \u00a0-](?:(?:full|more|straight|consecutive|calendar|whole|weekly|daily|monthly|"
    r"quarterly|quiet|flat|stable|steady|single|further|good|low|high|"
    r"working|business|ordinary|normal|other|later|earlier) )?"
    r"(?:minutes?|hours?|days?|weeks?|months?|quarters?|years?|seconds?)\b(?! (?:of age)))?",
    re.IGNORECASE,
)
_NOUN = re.compile(r"[ \u00a0-]{1,2}([A-Za-z][A-Za-z'-]{0,24})(?:[ ]([A-Za-z][A-Za-z'-]{0,24}))?")

_HEDGES = {
    "about": "about|around|roughly|approximately|approx\\.?|some|circa|ca\\.|close to|near|or so"
    "|in the region of|something like|on the order of",
    "nearly": "nearly|almost|just under|just below|not quite|a little under|slightly under|"
    "slightly below|a shade under|approaching",
    "just over": "just over|just above|a little over|a little more than|slightly over|"
    "slightly above|slightly more than|a shade over|a bit over",
    "over": "more than|over|above|exceeding|greater than|upwards of|beyond|higher than",
    "at least": "at least|no less than|no fewer than|not less than",
    "under": "less than|fewer than|under|below|lower than",
    "at most": "at most|no more than|up to|not more than|as many as",
}
_HEDGE = re.compile(
    r"(?:"
    + "|".join(rf"(?P<{name.replace(' ', '_')}>\b(?:{words}))" for name, words in _HEDGES.items())
    + r")[ \u00a0](?:a |an |the |only |some )?[-+\u2212$€£~]?$",
    re.IGNORECASE,
)


@dataclass(slots=True)
class Span:
    """A number in a text.

    ``value`` is as printed (7.5 for "7.5 points"), ``step`` one unit of its last printed digit,
    ``round_step`` one unit of its last digit other than zero, ``unit`` one of ``%``, ``pp``,
    ``x``, ``money``, ``points``, ``part``, a period word, or empty.
    """

    start: int
    end: int
    text: str
    value: float
    step: float
    round_step: float
    unit: str = ""
    currency: str = ""
    hedge: str = ""
    sign: int = 0
    spelled: bool = False
    decimals: int = 0
    noun: str = ""
    noun2: str = ""

    def interval(self) -> tuple[float, float]:
        """The numbers that this one may stand for, rounding and hedge allowed for."""
        return interval(self.value, self.step, self.round_step, self.hedge)


def interval(value: float, step: float, round_step: float, hedge: str) -> tuple[float, float]:
    """The set of numbers that may be printed as ``value`` with this hedge.

    Half a unit of the last printed digit either way; "nearly 30" is [27, 30), "more than 30" is
    (30, 45], "about 1,400" also allows for rounding to its last digit other than zero.
    """
    half = step / 2 + abs(value) * 1e-9 + 1e-12
    if hedge == "about":
        rough = 0.02 if abs(value) < 100 * round_step else 0.005
        wide = max(half, min(round_step / 2, 0.05 * abs(value)), rough * abs(value))
        return value - wide, value + wide
    if hedge == "nearly":
        return 0.9 * value, value + (half if step < 1 else 0)
    if hedge == "just over":
        return value - 1e-12, 1.1 * value + half
    if hedge == "over":
        return value - 1e-12, 1.5 * value + half
    if hedge == "at least":
        return value - half, 1.5 * value + half
    if hedge in ("under", "at most"):
        return value / 1.5 - half, value + (half if hedge == "at most" else 0)
    return value - half, value + half


def hedge_before(text: str, start: int) -> str:
    """The hedge that ends just before ``start``, or an empty string."""
    left = text[max(0, start - 28) : start]
    if left.endswith(("~", "≈", "c.")):
        return "about"
    match = _HEDGE.search(left)
    return match.lastgroup.replace("_", " ") if match and match.lastgroup else ""


MONTHS = (
    "january february march april may june july august september october november december".split()
)
_MONTH = (
    r"(?:jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?"
    r"|sept?(?:ember)?|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?)\.?"
)
_MASK = re.compile(
    r"^[ \t]*\d{1,3}[.)](?=[ \t])"
    rf"|\b\d{{1,2}}(?:st|nd|rd|th)?(?: of)? {_MONTH}(?![a-z])(?:,? (?:19|20)\d\d\b)?"
    rf"|\b\d{{1,2}}(?: to | and |-|\u2013)\d{{1,2}} {_MONTH}(?![a-z])(?:,? (?:19|20)\d\d\b)?"
    rf"|\b{_MONTH} \d{{1,2}}(?:st|nd|rd|th)?(?![\d.,%]\d|[\d%])(?:,? (?:19|20)\d\d\b)?"
    rf"|\b{_MONTH},? (?:19|20)\d\d\b"
    r"|\b(?:19|20)\d\d-\d\d(?:-\d\d)?\b|\b\d{1,2}[/.]\d{1,2}[/.](?:19|20)?\d\d\b"
    r"|\b\d{1,2}:\d\d\b|\b(?:24/7|50[/:]50|50-50|80/20)\b"
    r"|\b(?:19|20)\d\d(?:[/\u2013-](?:19|20)?\d\d)\b"
    r"|\bQ[1-4](?:[- /'](?:19|20)?\d\d)?\b|\b(?:FY|H[12]|CY)[- ']?(?:20)?\d{0,2}\b"
    r"|\b(?:19|20)\d\d\b(?![.,]\d|[ \u00a0]?%| [a-z]+(?:s|ers|ing)\b(?<!was)(?<!this)(?<!its))"
    r"|\b\d+(?:st|nd|rd|th)\b"
    r"|\b(?:9[059]|99\.9)[ ]?%[ -](?:confidence|interval|CI|credible|level|significance)"
    r"|\b(?:version|release|v|step|phase|tier|stage|level|option|figure|table|section|variant|page"
    r"|mails?|e-mails?|emails?|item|note|series|wave|batch|plan|group|arm|iOS|Android|App|Gen|No\.|"
    r"#)[ ]?\d+(?:\.\d+)*(?: (?:and|or|to) \d+)?\b(?![ ]?%| (?:percent|points|times))"
    r"|https?://\S+|\b[A-Za-z_]\w*\d\w*(?:-\d+)?\b|\b\d+[A-Za-jlno-wyzA-JLNO-Z][A-Za-z]*\d\w*"
    r"|\b[A-Za-z]+-\d+(?:\.\d+)?\b(?!%)",
    re.IGNORECASE | re.MULTILINE,
)
_NOT_LABEL = r"(?![\d.,]*\d?[ ]?%|\.\d|,\d{3}|\d| (?:points|percent|pp)\b)"
_PERIOD = "day|week|wk|month|quarter|qtr|year|cohort|period"
_LABEL = re.compile(
    rf"\b(?P<noun>{_PERIOD})s?[ -]?#?(?P<nums>\d{{1,3}}{_NOT_LABEL}"
    rf"(?:(?: to | through | until |-|\u2013|\u2014)(?:(?:{_PERIOD}) )?\d{{1,2}}{_NOT_LABEL})?"
    rf"(?:(?:, ?(?:and )?| and | or | & )(?:(?:{_PERIOD})s? )?\d{{1,2}}(?:[-\u2013]\d{{1,2}})?"
    rf"{_NOT_LABEL}){{0,9}})",
    re.IGNORECASE,
)
_GLUED = re.compile(r"[A-Za-z]")


@dataclass(slots=True)
class Label:
    """A period named by its number: "week 4", "weeks 1-4", "months 2, 3 and 4" (from 1)."""

    start: int
    end: int
    noun: str
    groups: list[tuple[int, int]]


def labels(text: str) -> list[Label]:
    """The numbered periods that a text names."""
    found = []
    for match in _LABEL.finditer(text):
        noun = match["noun"].lower().rstrip("s").replace("wk", "week").replace("qtr", "quarter")
        found.append(Label(match.start(), match.end(), noun, _groups(match["nums"])))
    return found


def _groups(nums: str) -> list[tuple[int, int]]:
    groups: list[tuple[int, int]] = []
    ranged = False
    for piece in re.findall(r"\d+|to|through|until|-|\u2013|\u2014", nums):
        if not piece.isdigit():
            ranged = True
        elif ranged and groups:
            groups[-1] = (groups[-1][0], int(piece))
            ranged = False
        else:
            groups.append((int(piece), int(piece)))
    return groups


def masked_numbers(text: str) -> frozenset[str]:
    """The digits inside dates, versions, labels and the like."""
    return frozenset(d for m in _MASK.finditer(text) for d in re.findall(r"\d+(?:\.\d+)?", m[0]))


def spans(text: str, found_labels: list[Label] | None = None) -> list[Span]:
    """The numbers of a text that state something, in order; dates, labels and the like left out."""
    masked = [(m.start(), m.end()) for m in _MASK.finditer(text)]
    masked += [(lab.start, lab.end) for lab in (found_labels or labels(text))]
    masked.sort()
    found: list[Span] = []
    at = 0
    position = 0
    while match := _START.search(text, position):
        start, end = match.span()
        while at < len(masked) and masked[at][1] <= start:
            at += 1
        hidden = next((m for m in masked[at : at + 3] if m[0] < end and start < m[1]), None)
        if hidden:
            position = max(hidden[1], start + 1)
            continue
        span = _span(text, match)
        position = max(end, span.end if span else end)
        if span:
            found.append(span)
    return found


def _span(text: str, match: re.Match[str]) -> Span | None:
    if match["digits"] or match["digitsB"]:
        return _digits(text, match)
    start, end = match.span()
    word = match.group().lower()
    if match["frac"]:
        value = _fraction(word)
        tail = re.compile(r" of (?:a|one) (?:percentage )?point\b").match(text, end)
        unit = "pp" if tail else "part"
        end = tail.end() if tail else end
        return _finish(text, Span(start, end, text[start:end], value, 0.02 * value, 0, unit))
    if match["oneof"]:
        first, second = SPELLED.get(match["of1"].lower(), 0), SPELLED.get(match["of2"].lower(), 0)
        if not first or not second or first > second:
            return None
        value = first / second
        return _finish(text, Span(start, end, text[start:end], value, 0.05 * value, 0, "part"))
    if match["times"]:
        value = _TIMES[word]
        return _finish(text, Span(start, end, text[start:end], value, 0.1 * value, 0, "x"))
    return _spelled(text, start, end, word)


def _fraction(word: str) -> float:
    pieces = re.split(r"[ -]", word)
    part = next(_PARTS[p.rstrip("s")] for p in pieces if p.rstrip("s") in _PARTS or p in _PARTS) \
        if word != "half" else 2
    top = SPELLED.get(pieces[0], 1.0)
    return top / part


def _spelled(text: str, start: int, end: int, word: str) -> Span | None:
    if "dozen" in word:
        value = 6.0 if word.startswith("half") else 12.0
    else:
        value = sum(SPELLED[w] for w in word.split("-"))
    tail = _TAIL.match(text, end)
    scale, unit = _scale_unit(tail)
    if tail and tail["mag"] and len(tail["mag"].strip(" -")) < 3:
        return None
    span = Span(start, tail.end() if tail else end, "", value * scale, scale, scale, unit)
    span.spelled = True
    return _finish(text, span)


def _digits(text: str, match: re.Match[str]) -> Span | None:
    start, end = match.span()
    digits = match["digits"] or match["digitsB"]
    currency = (match["cur"] or match["curB"] or "").strip()
    sign = match["sign"] or match["sign2"] or ""
    if match["digitsB"]:
        start = match.start("curB") if match["curB"] else match.start("digitsB")
    tail = _TAIL.match(text, end)
    tail_end = tail.end() if tail else end
    if tail_end < len(text) and _GLUED.match(text[tail_end]) and tail_end == end:
        return None
    scale, unit = _scale_unit(tail)
    plain = re.sub(r"[^\d.]", "", digits)
    decimals = len(plain.partition(".")[2])
    step = 10.0**-decimals
    if decimals:
        round_step = step
    else:
        round_step = 10.0 ** (len(plain) - len(plain.rstrip("0"))) if plain.strip("0") else 1.0
    if unit == "money":
        currency = currency or _currency_of(tail["unit"] if tail else "")
    span = Span(
        start, tail_end, "", float(plain) * scale, step * scale, round_step * scale,
        "money" if currency and not unit else unit, currency, decimals=decimals,
    )
    if sign:
        # a dash after a digit or letter joins a range; standing free it is a sign
        span.sign = 1 if sign == "+" else -1
    return _finish(text, span)


def _currency_of(unit: str) -> str:
    low = unit.strip().lower()
    for symbol, names in (("$", ("$", "usd", "dollar")), ("€", ("€", "eur")), ("£", ("£", "gbp", "pound"))):
        if low.startswith(names):
            return symbol
    return ""


def _scale_unit(tail: re.Match[str] | None) -> tuple[float, str]:
    if not tail:
        return 1.0, ""
    scale = _MAGNITUDE.get((tail["mag"] or "").strip(" -\u00a0").lower(), 1.0)
    raw = (tail["unit"] or "").lower().strip(" -\u00a0")
    if not raw:
        return scale, ""
    if "basis" in raw or raw.startswith("bp"):
        return scale * 0.01, "pp"
    if raw.startswith("%") and len(raw) > 1 or raw.startswith(("percentage", "pp", "p.p")) or (
        raw.startswith("percent") and "point" in raw
    ):
        return scale, "pp"
    if raw in ("%", "percent", "per cent"):
        return scale, "%"
    if raw in ("x", "×", "fold") or raw.startswith("time"):
        return scale, "x"
    word = raw.split()[-1].rstrip("s")
    if word in ("point", "pt"):
        return scale, "points"
    if word in PERIOD_WORDS:
        return scale, word
    return scale, "money"


def _finish(text: str, span: Span) -> Span:
    span.text = text[span.start : span.end]
    span.hedge = hedge_before(text, span.start)
    if not span.hedge and text.startswith((" at most", " or less", " or fewer"), span.end):
        span.hedge = "at most"
    noun = _NOUN.match(text, span.end)
    if noun:
        span.noun, span.noun2 = noun[1].lower(), (noun[2] or "").lower()
    return span
