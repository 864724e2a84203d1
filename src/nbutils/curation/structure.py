"""A raw report taken apart: what was measured, and what the analyst concludes."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace

import pandas as pd

from nbutils.curation.passages import Passages, split_passages
from nbutils.curation.series import Listed, find_series, unreadable
from nbutils.examples import Case, CaseError, parse_case

_METRIC = re.compile(
    r"\b(?:[\w/&'-]+ ){0,2}?(?:rate|ratio|score|churn|retention|conversion|cvr|ctr|nps|csat|grr|"
    r"nrr|mrr|arr|arpu|cac|ltv|dau|wau|mau|adoption|activation|completion|utilisation|utilization|"
    r"revenue|share|acceptance|opt-in|time to [a-z -]+|length|cost|ups|leads?|sqls|mqls|pqls|"
    r"rating|growth|trials|accounts|users|sessions per [a-z ]+|tickets|time|value)\b",
    re.IGNORECASE,
)
_STRONG = re.compile(
    r"\b(?:churn|retention|conversion|cvr|ctr|nps|csat|grr|nrr|arpu|cac|ltv|dau|wau|mau|adoption|"
    r"activation|completion|utili[sz]ation|acceptance|opt-in|rate|ratio|score|rating|growth)\b",
    re.IGNORECASE,
)
_PLACES = re.compile(
    r"\b(?:UK|US|USA|DACH|EMEA|APAC|LATAM|Nordics?|France|French|Iberia|Germany|German|Benelux|"
    r"Italy|Spain|Europe|EU|India|Japan|Canada|Australia|Brazil|Mexico|MENA|ANZ|global)\b"
)
_SEGMENTS = re.compile(
    r"\b(?:SMB|mid-?market|enterprise|consumers?|start-?ups?|B2B|B2C)\b", re.IGNORECASE
)
_COHORT = re.compile(
    r"(?P<about>~|\bc\. ?|\b(?:about|around|roughly|approx(?:imately|\.)?|some|circa)\s)?\s?"
    r"(?P<cur>[$€£]|\b(?:EUR|USD|GBP) )?(?P<n>\d{1,3}(?:,\d{3})+|\d+(?:\.\d+)?)(?![\d%.,]*\d|%)"
    r"(?P<k>\s?(?:k|m|bn|million|thousand)\b)?"
    r"(?:\s+(?P<what>(?!(?:percent|points?|pts?|pp|days?|weeks?|months?|quarters?|years?|hours?|"
    r"minutes?|of|to|and|in|on|or|at|vs|against|is|per|a|each|every|recent)\b)[a-z][\w'-]*"
    r"(?: (?!(?:per|each|every|a|on|in|and|of|with|so|see|from)\b)[\w'-]+){0,4}))?"
    r"(?P<per>\s?(?:/|\b(?:per|a|each|every)\s)\s?(?:sign-up )?"
    r"(?:week|wk|month|mth|mo|quarter|qtr|day|cohort|year)\b)?",
    re.IGNORECASE,
)
_BASE = re.compile(
    r"\b(?:cohort size|cohort|base|volume|intake|mau|wau|dau|opening mrr|mrr|sample|accounts?|"
    r"paid seats|visits|sends|each|one cohort|pqls|mqls|sqls)\b[^.\n\d$€£]{0,40}$",
    re.IGNORECASE,
)
_MONTH_NAME = r"(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)[a-z]*\.?"
_PERIODS = (
    (
        "week",
        r"\bw/[ce]\b|\b(?:\d+|[a-z]+) (?:weekly|weeks?|wks?)\b|\bweekly|\bwkly|"
        r"\bby (?:\S+ )?week|\bweek\b",
    ),
    ("month", r"\bmonthly|\b(?:\d+|[a-z]+) months?\b|\bby month|\bmonth\b"),
    ("quarter", r"\bquarterly|\bquarters?\b|\bq[1-4]\b"),
    ("day", r"\bdaily\b|\blast \d+ days|\bmon(?:day)? to sun|\bby day\b|\busers/day"),
    ("month", r"\b(?:jan|feb|mar|apr|may|june?|july?|aug|sep|oct|nov|dec)[a-z]*\b"),
    ("year", r"\byearly\b|\byears\b|\bannual"),
)


# a page of prose over a month of daily values is long; what is much longer is no single report
MAX_CHARS = 40_000


@dataclass(frozen=True)
class Structured:
    """What rules could read out of a report; a field that they could not find is empty.

    Attributes
    ----------
    style : str
        ``house`` (labelled lines), ``table``, ``memo``, ``email``, ``notes`` or ``chat``.
    metric, definition, context, changes, notes : str
        As the labelled lines of a case (see `nbutils.examples.Case`).
    printed : tuple of str
        The items of the series as written.
    values : tuple of float or None
        The series; None for a missing period.
    unit, currency, period : str
        As in `nbutils.examples.Case`; empty if unknown.
    stretch : str
        From when to when the series runs, as written ("June to November 2023").
    cohort : float or None
        Size of one period's cohort.
    cohort_text : str
        The cohort as written.
    analysis, action, urgency, reason : str
        What the analyst concludes; ``urgency`` is High, Medium, Low or empty.
    problem : str
        Why a labelled series cannot be read, if it cannot.
    """

    style: str = ""
    metric: str = ""
    definition: str = ""
    context: str = ""
    printed: tuple[str, ...] = ()
    values: tuple[float | None, ...] = ()
    unit: str = ""
    currency: str = ""
    period: str = ""
    stretch: str = ""
    cohort: float | None = None
    cohort_text: str = ""
    changes: str = ""
    notes: str = ""
    analysis: str = ""
    action: str = ""
    urgency: str = ""
    reason: str = ""
    problem: str = ""

    @property
    def missing(self) -> tuple[str, ...]:
        """The fields without which no training pair can be made."""
        needed = {
            "metric": self.metric,
            "series": self.printed,
            "period": self.period,
            "analysis": self.analysis,
            "action": self.action,
            "urgency": self.urgency,
        }
        return tuple(name for name, value in needed.items() if not value)

    @property
    def case_text(self) -> str:
        """The labelled lines of the case, as `nbutils.examples.parse_case` reads them."""
        name = f"{self.metric} ({self.definition})" if self.definition else self.metric
        count = len(self.printed)
        stretch = f", {self.stretch}" if self.stretch else ""
        lines = [
            f"Metric: {name or 'the metric'}",
            f"Context: {self.context}" if self.context else "",
            f"Data: [{', '.join(self.printed)}] (last {count} {self.period or 'period'}s{stretch})",
            f"Cohort size: {self.cohort_text}" if self.cohort_text else "",
            f"Recent changes: {self.changes}" if self.changes else "",
            f"Notes: {self.notes}" if self.notes else "",
        ]
        return "\n".join(line for line in lines if line)

    def case(self) -> Case:
        """The case that was read.

        Raises
        ------
        CaseError
            If there is no series, or it cannot be a case.
        """
        return parse_case(self.case_text)


def structure(text: str, known: Mapping[str, Mapping[str, str]] | None = None) -> Structured:
    r"""Take a report apart by rules.

    Parameters
    ----------
    text : str
        A report in any of the known styles; what lies beyond `MAX_CHARS` is not read.
    known : mapping, optional
        The glossary's terms by lower-cased name, as `facts.read_glossary` returns; a metric named
        there without a definition takes the glossary's.

    Returns
    -------
    Structured

    Examples
    --------
    >>> found = structure("Logo churn, US\nlast 4 months: 2.1%, 2.2%, 2.1%, 2.6%\n~300 accounts")
    >>> found.metric, found.values, found.unit, found.period, found.cohort
    ('Logo churn', (2.1, 2.2, 2.1, 2.6), 'percent', 'month', 300.0)
    """
    text = text[:MAX_CHARS]
    parts = split_passages(text)
    name, definition = _metric(parts, known or {})
    problem = unreadable(parts)
    listed = None if problem else find_series(parts, name)
    near = f"{listed.around} {listed.heading}" if listed else ""
    cohort, cohort_text = _cohort(parts, listed)
    found = Structured(
        style=_style(text, parts, listed),
        metric=name,
        definition=definition,
        context=parts.labels.get("context", "") or _context(parts.head),
        printed=listed.printed if listed else (),
        period=_period(near, parts, cohort_text),
        stretch=_stretch(near, listed),
        cohort=cohort,
        cohort_text=cohort_text,
        changes=_changes(parts),
        notes=_notes(parts, listed),
        analysis=parts.analysis,
        action=parts.action,
        urgency=parts.urgency,
        reason=parts.reason,
        problem=problem,
    )
    return _with_units(found, near)


def _style(text: str, parts: Passages, listed: Listed | None) -> str:
    if "metric" in parts.labels:
        return "house"
    if listed and listed.table:
        return "table"
    opening = text.lstrip()[:60].lower()
    if re.match(r"\W*(?:memo\b|to: )", opening):
        return "memo"
    if re.match(r"\W*subject:", opening):
        return "email"
    bullets = len(re.findall(r"^\s*[-*•] ", text, re.MULTILINE))
    return "notes" if bullets >= 3 or re.match(r"\W*(?:my )?notes?\b", opening) else "chat"


# --------------------------------------------------------------------------- metric


def _metric(parts: Passages, known: Mapping[str, Mapping[str, str]]) -> tuple[str, str]:
    """Name and definition: from the labelled line, else the likeliest phrase of the opening."""
    if labelled := parts.labels.get("metric"):
        head, _, tail = labelled.partition("(")
        name, _, more = head.strip(" .:;").partition(", ")
        definition = tail.strip().removesuffix(")").strip() or more
        return name, definition or known.get(name.lower(), {}).get("definition", "")
    named = [
        (match.start(), _whole_name(parts.head, match), match.end())
        for name, term in known.items()
        if term.get("direction") != "neutral"
        and (match := re.search(rf"\b{re.escape(name)}(?:s\b|\b)", parts.head[:500], re.IGNORECASE))
        and (len(name) > 4 or match[0].isupper())
    ]
    named += [(m.start(), _trimmed(m[0]), m.end()) for m in _METRIC.finditer(parts.head[:600])]
    if not named:
        return _title(parts.head)
    _, _, name, end = min((not _STRONG.search(name), at, name, end) for at, name, end in named)
    return name, _definition(parts.head, end) or known.get(name.lower(), {}).get("definition", "")


_TITLE = re.compile(
    r"^[\s*#>_-]*(?:(?:memo|note|notes|subject|re|fw|fwd|to|for)\b[^:\n]{0,12}:[ \t]*(?:re: ?)*|"
    r"memo\b"
    r"(?: on\b)?[ \t]*(?:\u2014|-)?[ \t]*\n*)*(?P<title>[^\n|]{4,})",
    re.IGNORECASE,
)


def _title(head: str) -> tuple[str, str]:
    """The first phrase of the opening, where no word of it is known to name a metric."""
    match = _TITLE.match(head)
    if not match:
        return "", ""
    phrase = re.split(r"[,:(.;?!\u2013\u2014]| - | in | for ", match["title"])[0]
    words = phrase.strip(" *#_").split()
    return (" ".join(words), _definition(head, match.end())) if len(words) <= 7 else ("", "")


def _whole_name(head: str, match: re.Match[str]) -> str:
    """The known name with what belongs to it: "MQL" of "MQL-to-SQL rate"."""
    tail = re.match(
        r"(?:[-/:][\w/-]+)?(?: (?:churn|rate|conversion|score|growth|length)\b)?",
        head[match.end() :],
    )
    start = re.search(r"(?:[\w-]+[-/])?$", head[: match.start()])
    before = start[0] if start else ""
    return before + match[0] + (tail[0] if tail else "")


_FILLER = frozenset(
    "the our a an on of for by in is at and re subject memo note notes quick one numbers look "
    "please "
    "to my what happened weekly monthly daily quarterly quarter week french nordic nordics uk us "
    "dach "
    "apac latam iberia france smb enterprise consumer mid-market slow median average about since "
    "workspace billing campaigns ledger pocket has been with this that side behind figures".split()
)


def _trimmed(phrase: str) -> str:
    """A metric's name without the words of the sentence around it."""
    words = phrase.strip(" -*#:").split()
    last = max((k for k, w in enumerate(words[:-1]) if w.lower() in _FILLER), default=-1)
    return " ".join(words[last + 1 :])


def _definition(head: str, end: int) -> str:
    """The bracket that follows a name, if it defines and does not count."""
    match = re.match(r"[^(\n.]{0,30}\(([^()\n]{8,160})\)", head[end:])
    return match[1].strip() if match and not re.match(r"[~\d$€£]", match[1]) else ""


# --------------------------------------------------------------------------- context and cohort


def _context(head: str) -> str:
    """Segment and market, as far as the opening names them."""
    segment, market = _SEGMENTS.search(head), _PLACES.search(head)
    named = [f"{segment[0]} segment"] if segment else []
    return ", ".join(named + ([f"{market[0]} market"] if market else []))


_CHANGED = re.compile(
    r"\b(?:went live|go(?:es|ing)? live|live (?:for|since|from)|launch\w*|roll(?:ed|ing)? out|"
    r"rollout|"
    r"introduc\w+|switched|raised|lowered|moved (?:from|to)|closed|opened|added|removed|renamed|"
    r"redesign\w*|relaunch\w*|rebuilt|replaced|dropped from|ended|began|started|release[d ]|"
    r"change[sd]?\b(?: in the period)?:|was the first|since (?:the|we|they)|got (?:shorter|longer)|"
    r"new (?:\w+ ){1,3}(?:since|from|in|on))\b",
    re.IGNORECASE,
)
_WHEN = re.compile(
    rf"\b(?:since|from|in|at|with|on|after|before|until|of) (?:the )?(?:start of |end of |early |"
    rf"mid |late )?"
    rf"(?:\d{{1,2}} )?(?:week|wk|month|quarter|cohort|day|{_MONTH_NAME}|Q[1-4])\b|\bnone\b",
    re.IGNORECASE,
)


_KNOWN_LABELS = frozenset(
    "metric context ctx data cohort volume sample base changes notes to re subject from".split()
) | {"cohort size", "recent changes"}


def _changes(parts: Passages) -> str:
    """What changed and when: the labelled line, else the first sentences that tell of a change."""
    for label in ("recent changes", "changes"):
        if label in parts.labels:
            return parts.labels[label]
    told = re.split(r"(?<=[.!?;])\s+|\n+", f"{parts.head}\n{parts.analysis}")
    found = [
        s.strip(" -*\u2022\t")
        for s in told
        if _CHANGED.search(s) and _WHEN.search(s) and len(s.split()) <= 40 and "|" not in s
    ]
    return " ".join(found[:2])


def _notes(parts: Passages, listed: Listed | None) -> str:
    """What the opening gives beside the case: further series, splits, counts; with numbers only.

    Only the opening counts: what the analysis concludes must follow from the case, and would
    verify itself if it stood among the givens.
    """
    told = [parts.labels["notes"]] if parts.labels.get("notes") else []
    series = listed.text.strip()[:40] if listed else ""
    for line in parts.head.splitlines()[1:]:
        label = re.match(r"[ \t*#-]*([A-Za-z][A-Za-z ]{1,18}?)(?: ?\([^)]*\))? ?:", line)
        known = label is not None and label[1].lower().strip() in _KNOWN_LABELS
        rowlike = line.count("|") > 1 or "\t" in line
        if re.search(r"\d", line) and not known and not rowlike and not (series and series in line):
            told.append(line.strip(" -*\u2022\t"))
    return " ".join(t if t.endswith((".", ";", "!")) else f"{t}." for t in told)


def _cohort(parts: Passages, listed: Listed | None) -> tuple[float | None, str]:
    """Size of a period's cohort: a labelled line, else a count of things per period."""
    for label in (
        "cohort size",
        "cohort",
        "volume",
        "sample",
        "base",
        "mau",
        "wau",
        "opening mrr",
        "accounts",
    ):
        if label in parts.labels:
            match = _COHORT.search(parts.labels[label])
            if match:
                return _size(match), parts.labels[label]
    head = parts.head if not listed or listed.table else parts.head.replace(listed.text, " ; ", 1)
    for where in (head, parts.analysis[:300], parts.analysis[-200:]):
        if best := _likeliest(where):
            return _size(best), " ".join(best[0].split())
    return None, ""


def _likeliest(text: str) -> re.Match[str] | None:
    """The number that reads most like a cohort: "~1,400 sign-ups per week"."""
    scored = []
    for position, match in enumerate(_COHORT.finditer(text)):
        if _size(match) < 20 or re.fullmatch(r"(?:19|20)\d\d", match["n"]):
            continue
        led = bool(_BASE.search(text[max(0, match.start() - 60) : match.start()]))
        money = bool(match["cur"]) and not led
        score = (
            3 * bool(match["per"]) + 2 * bool(match["what"]) + 2 * bool(match["about"]) + 2 * led
        )
        if score - 3 * money >= 4:
            scored.append((-score, position, match))
    return min(scored, key=lambda item: item[:2])[2] if scored else None


def _size(match: re.Match[str]) -> float:
    by = {"k": 1e3, "thousand": 1e3, "m": 1e6, "million": 1e6, "bn": 1e9}
    return float(match["n"].replace(",", "")) * by.get((match["k"] or "").strip().lower(), 1.0)


# --------------------------------------------------------------------------- period and unit


def _period(near: str, parts: Passages, cohort_text: str) -> str:
    """The period of the series: named beside it, in the opening, or by its cohort."""
    for where in (near, cohort_text, parts.head[:500]):
        for period, pattern in _PERIODS:
            if re.search(pattern, where.lower()):
                return period
    return ""


_MONTH = _MONTH_NAME + r"(?: (?:19|20)\d\d)?"
_FROM_TO = re.compile(
    rf"\b({_MONTH}|Q[1-4](?: (?:19|20)\d\d)?)\s?(?:to|-|\u2013|until|through)\s?({_MONTH}|"
    rf"Q[1-4](?: (?:19|20)\d\d)?)\b",
    re.IGNORECASE,
)


def _stretch(near: str, listed: Listed | None) -> str:
    """From when to when the series runs, if that is written beside it or in its table."""
    match = _FROM_TO.search(near)
    if match:
        return f"{match[1]} to {match[2]}"
    months = re.findall(rf"\b{_MONTH}", listed.around) if listed and listed.table else []
    count = len(listed.printed) if listed else 0
    return f"{months[0]} to {months[-1]}" if len(months) == count > 0 else ""


def _with_units(found: Structured, near: str) -> Structured:
    """Unit, currency and values, by the rules of a case; empty if the series is none."""
    if not found.printed:
        return found
    if not any(re.search(r"[%$€£a-z]", item) for item in found.printed):
        days = _IN_DAYS.search(near) or _IN_DAYS.search(f"{found.definition} {found.metric}")
        items = [f"{i} days" if days and i != "null" else i for i in found.printed]
        found = replace(found, printed=tuple(items) if days else _in_percent(found, near))
    try:
        case = found.case()
    except CaseError:
        return replace(found, printed=())
    return replace(
        found, printed=case.printed, values=case.values, unit=case.unit, currency=case.currency
    )


_IN_DAYS = re.compile(
    r"\(days\b|\b(?:median|mean|average|avg\.?)(?: \w+)? days\b|\bin days\b(?! \d)", re.IGNORECASE
)
_SHARES = re.compile(
    r"\b(?:rate|churn|retention|conversion|cvr|ctr|grr|nrr|adoption|completion|activation|share|"
    r"utili[sz]ation|acceptance|opt-in|csat)\b|(?<!\w)% of\b|\bshare of\b|to-paid\b|"
    r"\bquiet trials\b",
    re.IGNORECASE,
)
_NO_SHARE = re.compile(
    r"\b(?:nps|score|ratio|rating|cost|arpu|cac|ltv|mrr per|count|number|per 100|per 1,000|out of|"
    r"(?:median|mean|average|avg)(?: \w+)? (?:days|hours)|in (?:days|hours))\b|[$€£]|:",
    re.IGNORECASE,
)


def _in_percent(found: Structured, near: str) -> tuple[str, ...]:
    """The items with the percent sign that the words around the series put on all of them."""
    numbers = [float(re.sub(r"[^\d.]", "", item) or 0) for item in found.printed]
    about = f"{found.metric} {found.definition}"
    said = bool(re.search(r"%|\bper ?cent\b", near)) or bool(_SHARES.search(about))
    if not said or _NO_SHARE.search(about) or (max(numbers) <= 2 and "%" not in near):
        return found.printed
    if max(numbers) > 200:
        return found.printed
    return tuple(item if not re.search(r"\d", item) else f"{item}%" for item in found.printed)


def fields(read: Mapping[str, Structured]) -> pd.DataFrame:
    """What was read out of many reports, one row each, by their id.

    Columns ``id``, ``style``, ``metric``, ``context``, ``series`` (list of float or None),
    ``unit``, ``period``, ``cohort``, ``urgency``, ``action`` and ``missing`` (what a pair still
    needs, joined by commas).
    """
    rows = [
        {
            "id": name,
            "style": found.style,
            "metric": found.metric,
            "context": found.context,
            "series": list(found.values) or None,
            "unit": found.unit,
            "period": found.period,
            "cohort": found.cohort,
            "urgency": found.urgency,
            "action": found.action,
            "missing": ", ".join(found.missing),
        }
        for name, found in read.items()
    ]
    return pd.DataFrame(rows)
