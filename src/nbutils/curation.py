"""Which reports are worth training on, why the others are not, and which belong together."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from nbutils import claims, stats
from nbutils.examples import (
    CaseError,
    DataFileError,
    Example,
    find_alike,
    parse_answer,
    parse_case,
    read_jsonl,
)
from nbutils.gates import first_fault

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


# --------------------------------------------------------------------------- against labels


def read_labels(path: Path) -> pd.DataFrame:
    """Labels of reports: columns ``id``, ``label``, ``reasons``; no rows if there is no file."""
    columns = ["id", "label", "reasons"]
    rows = read_jsonl(path, columns) if path.is_file() else []
    return pd.DataFrame(rows, columns=columns)


def score(screened: pd.DataFrame, labels: pd.DataFrame) -> pd.DataFrame:
    """Compare the screen with labels.

    Parameters
    ----------
    screened : DataFrame
        As `screen` returns.
    labels : DataFrame
        Columns ``id``, ``label`` (``"keep"`` or ``"reject"``) and ``reasons`` (list of str).

    Returns
    -------
    DataFrame
        ``metric`` (accuracy, precision and recall of keeping, recall of each reason), ``value``,
        ``low``, ``high`` (Wilson), ``n``.
    """
    both = screened.merge(labels[["id", "label", "reasons"]], on="id", suffixes=("", "_true"))
    kept, true = both["keep"].to_numpy(), (both["label"] == "keep").to_numpy()
    rows: list[tuple[str, int, int]] = [
        ("keep or reject right", int((kept == true).sum()), len(both)),
        ("kept that should be kept", int((kept & true).sum()), int(kept.sum())),
        ("keepers that are kept", int((kept & true).sum()), int(true.sum())),
    ]
    for reason in REASONS:
        named = np.array([reason in r for r in both["reasons_true"]])
        hit = np.array([reason in r for r in both["reasons"]])
        if named.any():
            rows.append((f"{reason} found", int((named & hit).sum()), int(named.sum())))
    return pd.DataFrame(
        [{"metric": name, **vars(stats.wilson(k, n))} for name, k, n in rows],
        columns=["metric", "value", "low", "high", "n"],
    )


# --------------------------------------------------------------------------- pairs and families


def curate(
    formatted: Sequence[Example], screened: pd.DataFrame
) -> tuple[list[Example], pd.DataFrame]:
    """Keep the formatted pairs of kept reports that pass the gate.

    Parameters
    ----------
    formatted : sequence of Example
        One for a report, with the report's id.
    screened : DataFrame
        As `screen` returns.

    Returns
    -------
    tuple
        The curated examples, and what was left out: ``id``, ``step`` (``screen``, ``format`` or
        ``gate``) and ``reason``. A kept report without a formatted pair is listed too.
    """
    verdicts = {row["id"]: row for row in screened.to_dict("records")}
    kept, dropped = [], []
    for example in formatted:
        if example.id not in verdicts:
            dropped.append((example.id, "screen", "there is no such report"))
        elif not verdicts[example.id]["keep"]:
            reasons = ", ".join(verdicts[example.id]["reasons"])
            dropped.append((example.id, "screen", f"report rejected: {reasons}"))
        elif fault := first_fault(example, strict=False):
            dropped.append((example.id, "gate", ": ".join(fault)))
        else:
            kept.append(example)
    done = {e.id for e in formatted}
    waiting = [i for i, row in verdicts.items() if row["keep"] and i not in done]
    dropped += [(i, "format", "kept, but nobody formatted it yet") for i in waiting]
    return kept, pd.DataFrame(dropped, columns=["id", "step", "reason"])


def assign(examples: Sequence[Example], val_share: float, *, seed: int = 0) -> list[Example]:
    """Note family and side (``"train"`` or ``"val"``) in each example's ``meta``."""
    family = families(examples)
    sides = split(family, val_share, seed=seed)
    return [
        replace(e, meta={**e.meta, "family": f, "side": s})
        for e, f, s in zip(examples, family, sides, strict=True)
    ]


def families(examples: Sequence[Example]) -> list[int]:
    """Family number of every example: cases equal but for their numbers belong together."""
    return stats.family_labels(find_alike([e.input for e in examples], ALIKE), len(examples))


def split(family: Sequence[int], val_share: float, *, seed: int = 0) -> list[str]:
    """``"train"`` or ``"val"`` for every example; a family is never divided."""
    names = sorted(set(family))
    sizes = {f: list(family).count(f) for f in names}
    rng = np.random.default_rng(seed)
    wanted, taken, val = val_share * len(family), 0, set()
    for name in rng.permutation(names).tolist():
        if taken < wanted:
            val.add(name)
            taken += sizes[name]
    return ["val" if f in val else "train" for f in family]
