"""Which reports are worth training on, why the others are not, and which belong together."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from nbutils import claims
from nbutils.examples import (
    CaseError,
    DataFileError,
    find_alike,
    parse_answer,
    parse_case,
)

REASONS = (
    "vague",
    "no_action",
    "undefined_jargon",
    "contradicts_data",
    "near_duplicate",
    "truncated",
    "off_topic",
    "too_short",
    "ungrounded",
)
MIN_WORDS = 40
ALIKE = 0.8

_NUMBER = re.compile(r"(?<![\w.])[-+−]?[$€£]?\d[\d,]*(?:\.\d+)?\s?%?")
_SERIES = re.compile(
    r"(?:[A-Za-z]{0,12}\s?)[$€£]?\d[\d,]*(?:\.\d+)?\s?%?"
    r"(?:\s?(?:,|;|->|→|\||/)\s?(?:and\s)?[A-Za-z]{0,12}\s?[$€£]?\d[\d,]*(?:\.\d+)?\s?%?){2,}"
)
_TABLE_ROW = re.compile(r"^\s*\|.*\d.*\|\s*$", re.MULTILINE)
_ACTION = re.compile(
    r"\b(?:recommended action|recommendation|action|proposal|proposed|what i'd do|next steps?|"
    r"my suggestion|suggest\w*|i would|i'd|plan|to do)\b\W",
    re.IGNORECASE,
)
_URGENCY = re.compile(r"\burgen(?:cy|t)\b", re.IGNORECASE)
_WATCH = re.compile(
    r"keep(?:ing)? (?:an|a close) eye|\bmonitor|one to watch|worth (?:a|discuss|watching)|"
    r"\bdiscuss|on the radar|stay close|let's see|see what|see where|continue to (?:observe|watch)|"
    r"wait and see|happy to (?:talk|join)|further thought|have a (?:proper )?(?:chat|talk)",
    re.IGNORECASE,
)
_LOGISTICS = re.compile(
    r"\b(?:agenda|room|lunch|snacks?|meeting|workshop|session|invite|calendar|join(?:s|ing)? from|"
    r"slides|dashboard tile|refresh|booking|train|hotel|vacation|party|team event|seating)\b",
    re.IGNORECASE,
)
_ACRONYM = re.compile(r"\b(?:[A-Z][A-Z0-9]{1,5}(?:-\d)?)s?\b")
# acronyms of places, offices and everyday business that need no glossary
_COMMON = frozenset(
    re.findall(
        r"\S+",
        """
        A AB API APAC APR ARM ATM B2B B2C BI CEO CET CFO COO CPO CRM CS CSM CSV CTA CTO
        DACH DE DNS DSO EMEA EU EUR FAQ FR FY GBP GDPR GMT HR HTTP ID IP IT KPI LATAM LOI
        NDA OK OS PDF PM PMM PR Q QA QR RFP RND ROI SAML SCIM SDK SDR SE SEO SIM SLA SMS
        SQL SSO SUV TBC TBD TV UI UK URL US USA USD UX VAT VIP VP W WC WK PO PS RE TO AM
        CC FW NB FYI EOD ETA MOM YOY QOQ WOW YTD AE AI APP BST
        """,
    )
)


def screen(reports: pd.DataFrame, glossary: Mapping[str, Any] | None = None) -> pd.DataFrame:
    """Keep or reject raw reports, with reasons and the evidence for each.

    Parameters
    ----------
    reports : DataFrame
        Columns ``id`` and ``text``; in the order of writing, so that of two alike the first stays.
    glossary : mapping, optional
        Known terms by lower-cased name, as `facts.read_glossary` returns.

    Returns
    -------
    DataFrame
        One row a report: ``id``, ``keep`` (bool), ``reasons`` (list of str, from `REASONS`) and
        ``evidence`` (list of str, one for each reason).

    Raises
    ------
    DataFileError
        If a column is missing or there are no reports.
    """
    for column in ("id", "text"):
        if column not in reports:
            raise DataFileError(
                f"the reports have no column '{column}' (found: {', '.join(reports.columns)}); "
                f"expected id and text: rename or add it."
            )
    if reports.empty:
        raise DataFileError("there are no reports to screen: check the file or folder.")
    known = {t.lower() for t in glossary or {}}
    twins = _duplicates(reports["text"].tolist())
    found = []
    for position, (name, text) in enumerate(zip(reports["id"], reports["text"], strict=True)):
        checks = _checks(str(text), known)
        if position in twins:
            original = reports["id"].iloc[twins[position]]
            checks["near_duplicate"] = f"the same series and case as {original}"
        found.append(
            {
                "id": name,
                "keep": not checks,
                "reasons": list(checks),
                "evidence": list(checks.values()),
            }
        )
    return pd.DataFrame(found, columns=["id", "keep", "reasons", "evidence"])


def _checks(text: str, known: set[str]) -> dict[str, str]:
    """Reason to evidence for one report by itself; what makes others meaningless comes first."""
    words = text.split()
    if len(words) < MIN_WORDS:
        return {"too_short": f"{len(words)} words, expected {MIN_WORDS} or more"}
    body, action = _split(text)
    if _off_topic(text, action):
        return {"off_topic": "no finding and no action: " + _quote(text)}
    if cut := _cut_off(text):
        return {"truncated": cut}
    found: dict[str, str] = {}
    figures = _figures(body)
    if figures < 2:
        found["vague"] = f"{figures} figures in the analysis: {_quote(body)}"
    if weak := _weak_action(action):
        found.setdefault(*weak)
    if terms := _unknown_terms(text, body + " " + action, known):
        found["undefined_jargon"] = "not in the glossary, not explained: " + ", ".join(terms)
    if wrong := _contradiction(text):
        found["contradicts_data"] = wrong
    return found


def _split(text: str) -> tuple[str, str]:
    """Prose of the analysis and text of the action (the last third if nothing marks it)."""
    lines = [
        line
        for line in text.splitlines()
        if not re.match(
            r"\s*(?:Metric|Context|Data|Cohort|Recent changes|Subject|To)\b[^:]*:", line
        )
        and not _TABLE_ROW.match(line)
    ]
    prose = "\n".join(lines)
    answer = parse_answer(prose)
    if answer.action:
        return answer.analysis or prose[: prose.find(answer.action)], answer.action
    without = _URGENCY.split(prose)[0] if _URGENCY.search(prose) else prose
    marks = [m.start() for m in _ACTION.finditer(without) if m.start() > len(without) * 0.4]
    start = marks[0] if marks else len(without) * 2 // 3
    return without[:start], without[start:]


def _off_topic(text: str, action: str) -> bool:
    if _URGENCY.search(text) and _SERIES.search(text):
        return False
    has_series = bool(_SERIES.search(text) or len(_TABLE_ROW.findall(text)) >= 3)
    logistics = len({m.group().lower() for m in _LOGISTICS.finditer(text)})
    return logistics >= (3 if has_series else 2) or (not has_series and not _URGENCY.search(text))


def _cut_off(text: str) -> str:
    end = text.rstrip()
    if _URGENCY.search(end[len(end) // 3 :]) or re.search(
        r"[.!?)\]\"'»”*_|]$|[.!?]\s*\W{1,3}$", end
    ):
        return ""
    return f"ends in mid-sentence: …{end[-60:]}"


def _figures(body: str) -> int:
    without = _SERIES.sub(" ", body, count=1)
    return len(_NUMBER.findall(without))


def _weak_action(action: str) -> tuple[str, str] | None:
    """An action without any date, size or count is none, or says nothing."""
    if _NUMBER.search(action) or len(action.split()) < 3:
        return ("no_action", "no action found") if len(action.split()) < 3 else None
    watch = _WATCH.search(action)
    if watch:
        return "no_action", f"'{watch.group()}' is no action: {_quote(action)}"
    return "vague", f"no date, owner's task or size in: {_quote(action)}"


def _unknown_terms(text: str, prose: str, known: set[str]) -> list[str]:
    """Acronyms and coined names that the prose uses twice and nobody explained."""
    counts: dict[str, int] = {}
    for match in _ACRONYM.finditer(prose):
        term = match.group().rstrip("s")
        if term.rstrip("0123456789-") in _COMMON or term.lower() in known:
            continue
        if re.search(rf"\b{re.escape(term)}s?\s*\(|\({re.escape(term)}s?\)", text):
            continue
        counts[term] = counts.get(term, 0) + 1
    return sorted(t for t, n in counts.items() if n >= 2)


def _contradiction(text: str) -> str:
    """The first claim of a house-style report that its own series refutes."""
    try:
        parse_case(text)
    except CaseError:
        return ""
    start = text.find("Analysis:")
    if start < 0:
        return ""
    verdict = claims.verify(text[:start], text[start:])
    wrong = [c for c in verdict.claims if c.verdict == "contradicted"]
    return f"'{wrong[0].text}': {wrong[0].derivation}" if wrong else ""


def _duplicates(texts: Sequence[str]) -> dict[int, int]:
    """Position of a report to that of the earlier one it repeats."""
    twins: dict[int, int] = {}
    seen: dict[tuple[str, ...], int] = {}
    for position, text in enumerate(texts):
        match = max(_SERIES.finditer(text), key=lambda m: len(m.group()), default=None)
        numbers = tuple(re.findall(r"\d+(?:\.\d+)?", match.group())) if match else ()
        if len(numbers) >= 4:
            first = seen.setdefault(numbers, position)
            if first != position:
                twins[position] = first
    for first, second in find_alike(texts, ALIKE):
        twins.setdefault(second, twins.get(first, first))
    return twins


def _quote(text: str, size: int = 90) -> str:
    short = " ".join(text.split())
    return f"'{short[:size]}…'" if len(short) > size else f"'{short}'"


def by_reason(screened: pd.DataFrame) -> pd.DataFrame:
    """Rejected reports by reason: ``reason``, ``reports``, and one ``example`` of the evidence."""
    pairs = [
        (reason, evidence)
        for row in screened.to_dict("records")
        for reason, evidence in zip(row["reasons"], row["evidence"], strict=True)
    ]
    frame = pd.DataFrame(pairs, columns=["reason", "example"])
    table = frame.groupby("reason").agg(reports=("reason", "size"), example=("example", "first"))
    return table.sort_values("reports", ascending=False).reset_index()
