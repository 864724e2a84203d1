"""Spans: what a number says by itself, with its unit, its hedge and its last digit.

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
_ONES = [
    "zero",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
    "thirteen",
    "fourteen",
    "fifteen",
    "sixteen",
    "seventeen",
    "eighteen",
    "nineteen",
]
_TENS = ["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"]
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

_CUR = r"(?:us\$|[$€£¥]|\b(?:usd|eur|gbp)\s)"
# bounded repeats: a number that fails to match must fail in constant time
_DIGITS = r"\d{1,3}(?:[,\u00a0\u202f]\d{3}){1,6}(?:\.\d{1,12})?|\d{1,18}(?:\.\d{1,12})?|\.\d{1,12}"
_WORD = "|".join([*_TENS, *sorted(_ONES, key=len, reverse=True)])
_PART = "|".join(_PARTS)
START = re.compile(
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
    rf"|\b(?P<dozen>(?:half )?a dozen)\b"
)
STARTERS = frozenset(
    [*_TENS, *_ONES, *_TIMES, *_PARTS, *(p + "s" for p in _PARTS), "a", "usd", "eur", "gbp", "us"]
)
_TAIL = re.compile(
    r"(?P<mag>[kmb](?![a-z])|bn\b|mn\b"
    r"|[ \u00a0-](?:hundred|thousand|million|billion|dozen|bn|mn)\b)?"
    r"(?P<unit>[ \u00a0]?%(?:[ -]?points?\b|[ -]?pts?\b)?"
    r"|[ \u00a0-]?(?:percentage[ -]points?|percent(?:age)?[ -]points?|per ?cent(?! points?)"
    r"|percent|pp|ppts?|p\.p\.|basis points?|bps?)(?![a-z])"
    r"|[ -]?(?:fold)\b|[ ]?[x×](?![a-z0-9]| ?\d)|[ -]times?\b"
    r"|[ \u00a0-](?:(?:extra|full|further|more|whole|fewer|other|odd|lost) )?(?:points?|pts?)\b"
    r"|[ \u00a0]?(?:usd|eur|gbp|dollars?|euros?|pounds?)\b|[ ]?[€£$](?!\d)"
    r"|[ \u00a0-](?:(?:full|more|straight|consecutive|calendar|whole|weekly|daily|monthly|"
    r"quarterly|quiet|flat|stable|steady|single|further|good|low|high|"
    r"working|business|ordinary|normal|other|later|earlier) )?"
    r"(?:minutes?|hours?|days?|weeks?|months?|quarters?|years?|seconds?)\b(?! (?:of age)))?",
)
_NOUN = re.compile(r"[ \u00a0-]{1,2}([a-z][a-z'-]{0,24})(?:[ ]([a-z][a-z'-]{0,24}))?")

_HEDGES = {
    "about": "about|around|roughly|approximately|approx|approx.|some|circa|ca.|close to|near|or so"
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
_HEDGE_OF = {words: hedge for hedge, listed in _HEDGES.items() for words in listed.split("|")}
_FILLERS = frozenset(["a", "an", "the", "only", "some"])
_SIGNS = frozenset("-+\u2212$\u20ac\u00a3~")


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
    scale: float = 1.0
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
        wide += abs(value) * 1e-9
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
    left = left[:-1] if left[-1:] in _SIGNS else left
    if left[-1:] not in (" ", "\u00a0"):
        return ""
    words = left.split()[-5:]
    for skipped in (1, 0) if words and words[-1] in _FILLERS else (0,):
        end = len(words) - skipped
        # the longest first: "just under" before "under"
        for begin in range(max(0, end - 4), end):
            hedge = _HEDGE_OF.get(" ".join(words[begin:end]).lstrip("([\"'\u201c-\u2014/"))
            if hedge:
                return hedge
    return ""


_OF_A_POINT = re.compile(r" of (?:a|one) (?:percentage )?point\b")
_ASCII_LOWER = {upper: upper + 32 for upper in range(65, 91)}
_GLUED = re.compile(r"[A-Za-z]")


def lowered(text: str) -> str:
    """The text in lower case with every offset kept (a few letters grow when lowered)."""
    low = text.lower()
    return low if len(low) == len(text) else text.translate(_ASCII_LOWER)


def span_at(text: str, low: str, match: re.Match[str]) -> Span | None:
    """Read the number that `START` has found; None if it is part of a name."""
    if match["digits"] or match["digitsB"]:
        return _digits(text, low, match)
    start, end = match.span()
    word = match.group()
    if match["frac"]:
        value = _fraction(word)
        tail = _OF_A_POINT.match(low, end)
        unit = "pp" if tail else "part"
        end = tail.end() if tail else end
        span = Span(start, end, text[start:end], value, 0.02 * value, 0.1 * value, unit)
        return _finish(text, low, span)
    if match["oneof"]:
        first, second = SPELLED.get(match["of1"].lower(), 0), SPELLED.get(match["of2"].lower(), 0)
        if not first or not second or first > second:
            return None
        value = first / second
        return _finish(text, low, Span(start, end, text[start:end], value, 0.05 * value, 0, "part"))
    if match["times"]:
        value = _TIMES[word]
        return _finish(text, low, Span(start, end, text[start:end], value, 0.1 * value, 0, "x"))
    return _spelled(text, low, start, end, word)


def _fraction(word: str) -> float:
    pieces = re.split(r"[ -]", word)
    part = (
        next(_PARTS[p.rstrip("s")] for p in pieces if p.rstrip("s") in _PARTS or p in _PARTS)
        if word != "half"
        else 2
    )
    top = SPELLED.get(pieces[0], 1.0)
    return top / part


def _spelled(text: str, low: str, start: int, end: int, word: str) -> Span | None:
    if "dozen" in word:
        value = 6.0 if word.startswith("half") else 12.0
    else:
        value = sum(SPELLED[w] for w in word.split("-"))
    tail = _TAIL.match(low, end)
    scale, unit = _scale_unit(tail)
    if tail and tail["mag"] and len(tail["mag"].strip(" -")) < 3:
        return None
    span = Span(start, tail.end() if tail else end, "", value * scale, scale, scale, unit)
    span.spelled = True
    return _finish(text, low, span)


def _digits(text: str, low: str, match: re.Match[str]) -> Span | None:
    start, end = match.span()
    digits = match["digits"] or match["digitsB"]
    currency = (match["cur"] or match["curB"] or "").strip().upper()
    sign = match["sign"] or match["sign2"] or ""
    if match["digitsB"]:
        start = match.start("curB") if match["curB"] else match.start("digitsB")
    tail = _TAIL.match(low, end)
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
        start,
        tail_end,
        "",
        float(plain) * scale,
        step * scale,
        round_step * scale,
        "money" if currency and not unit else unit,
        currency,
        decimals=decimals,
    )
    span.scale = scale
    if sign:
        # a dash after a digit or letter joins a range; standing free it is a sign
        span.sign = 1 if sign == "+" else -1
    return _finish(text, low, span)


def _currency_of(unit: str) -> str:
    low = unit.strip().lower()
    for symbol, names in (
        ("$", ("$", "usd", "dollar")),
        ("€", ("€", "eur")),
        ("£", ("£", "gbp", "pound")),
    ):
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
    if (
        (raw.startswith("%") and len(raw) > 1)
        or raw.startswith(("percentage", "pp", "p.p"))
        or (raw.startswith("percent") and "point" in raw)
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


def _finish(text: str, low: str, span: Span) -> Span:
    span.text = text[span.start : span.end]
    span.hedge = hedge_before(low, span.start)
    if not span.hedge and low.startswith((" at most", " or less", " or fewer"), span.end):
        span.hedge = "at most"
    noun = _NOUN.match(low, span.end)
    if noun:
        span.noun, span.noun2 = noun[1].lower(), (noun[2] or "").lower()
    return span
