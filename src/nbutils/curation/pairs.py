"""From kept reports to pairs of case and answer that may be trained on."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pandas as pd

from nbutils import claims
from nbutils.curation.structure import Structured
from nbutils.examples import FORMS, CaseError, Example, parse_case, sentences, target
from nbutils.gates import REFUTED, first_fault


def curate(
    formatted: Sequence[Example],
    screened: pd.DataFrame,
    read: Mapping[str, Structured] | None = None,
) -> tuple[list[Example], pd.DataFrame]:
    """Make one pair of each kept report, or say why there is none.

    A teacher's formatted pair comes first; it must carry the report's own series and pass the
    gate. Where there is no such pair, one is made by rules if everything a pair needs could be read
    out of the report and every number of it follows from its case.

    Parameters
    ----------
    formatted : sequence of Example
        A teacher's pairs, each with the report's id; may be empty.
    screened : DataFrame
        As `screen` returns.
    read : mapping, optional
        Id of the report to what `structure` read out of it; without it the series is not compared
        and no pair is made by rules.

    Returns
    -------
    tuple
        The curated examples, with ``made_by`` (``"teacher"`` or ``"rules"``) in their ``meta``; and
        what was left out: ``id``, ``step`` (``screen``, ``series``, ``gate`` or ``format``) and
        ``reason``. A kept report without a pair is listed: it waits for a person.
    """
    verdicts = {row["id"]: row for row in screened.to_dict("records")}
    kept, dropped = [], []
    for example in formatted:
        step, reason = _fault(example, verdicts.get(example.id), (read or {}).get(example.id))
        if step:
            dropped.append((example.id, step, reason))
        else:
            kept.append(_made(example, "teacher"))
    done = {e.id for e in kept} | {i for i, step, _ in dropped if step == "screen"}
    back = {i: reason for i, _, reason in dropped}
    for name, row in verdicts.items():
        if row["keep"] and name not in done:
            pair = from_rules(name, read[name]) if read and name in read else "nobody formatted it"
            if isinstance(pair, Example):
                kept.append(_made(pair, "rules"))
            elif name not in back:
                dropped.append((name, "format", f"waits for a person: {pair}"))
    return kept, pd.DataFrame(dropped, columns=["id", "step", "reason"])


def from_rules(name: str, parts: Structured) -> Example | str:
    """A pair made of what rules read out of a report, or why there is none."""
    if parts.missing:
        return f"no {' and no '.join(parts.missing)} could be read"
    parts = _with_evidence(parts)
    example = Example(
        name,
        f"Analyze the following {parts.metric} trend and provide a recommended action.",
        parts.case_text,
        f"Analysis: {_flat(parts.analysis)}\nRecommended action: {_flat(parts.action)}\n"
        f"Urgency: {parts.urgency} \u2014 {_flat(parts.reason) or 'as the analyst judged it'}",
    )
    fault = first_fault(example, strict=True)
    return f"{fault[0]}: {fault[1]}" if fault else example


_DERIVED = re.compile(
    r"\b(?:about|roughly|some|around|means?|makes|that is|i\.e|amounts?|comes? to|more|fewer|less|"
    r"extra|additional|in all|together|total|lost|gain(?:ed|s)?|(?:a|per|each) (?:day|week|month|"
    r"quarter|year))\b|[~=]|/\s?(?:day|wk|week|month)",
    re.IGNORECASE,
)
_EVIDENCE = frozenset(["level", "duration", "share"])


def _with_evidence(parts: Structured) -> Structured:
    """The report with its evidence of other groups among the notes, as a teacher would put it.

    Evidence are levels, spans of time and plain counts that the case cannot yield and nothing
    shows as derived. Changes, percents of change, and counts told as "about", "a week" or "more"
    are conclusions: they must follow from the case.
    """
    found = claims.verify(parts.case_text, parts.analysis).claims
    notes, at = [parts.notes] if parts.notes else [], 0
    for sentence in sentences(parts.analysis):
        start = parts.analysis.find(sentence, at)
        at = start + len(sentence)
        open_ = [c for c in found if start <= c.start < at and c.verdict in claims.WRONG]
        plain = not _DERIVED.search(sentence)
        given = all(
            c.verdict == "unsupported"
            and (c.kind in _EVIDENCE or (plain and c.kind in ("count", "money")))
            for c in open_
        )
        if open_ and given:
            notes.append(_flat(sentence))
    return replace(parts, notes=" ".join(notes))


def _fault(
    example: Example, verdict: Mapping[Any, Any] | None, parts: Structured | None
) -> tuple[str, str]:
    """The step that a teacher's pair fails at and why; empty if it passes."""
    if verdict is None:
        return "screen", "there is no such report"
    if not verdict["keep"]:
        return "screen", f"report rejected: {', '.join(verdict['reasons'])}"
    if other := _other_series(example, parts):
        return "series", other
    fault = first_fault(example, strict=False)
    return ("gate", ": ".join(fault)) if fault else ("", "")


def _other_series(example: Example, parts: Structured | None) -> str:
    """How a pair's series differs from its report's, percent and share being the same."""
    if parts is None or not parts.values:
        return ""
    try:
        pair = [v for v in parse_case(example.input).values if v is not None]
    except CaseError:
        return ""
    own = [v for v in parts.values if v is not None]
    # what was read may stop short of a series that runs over several lines
    pair, whole = pair[: len(own)], pair
    if len(pair) == len(own) > 2 and any(
        all(abs(a * by - b) <= 1e-6 * max(1.0, abs(b)) for a, b in zip(pair, own, strict=True))
        for by in (1, 100, 0.01, 1000, 0.001)
    ):
        return ""
    return f"its series {_shown(whole)} is not the report's {_shown(own)}"


def _shown(values: Sequence[float]) -> str:
    return "[" + ", ".join(f"{v:g}" for v in values) + "]"


def _made(example: Example, by: str) -> Example:
    return Example(
        example.id,
        example.instruction,
        example.input,
        example.output,
        {**example.meta, "made_by": by},
    )


def _flat(text: str) -> str:
    return " ".join(text.split())


def check_forms(examples: Sequence[Example]) -> pd.DataFrame:
    """Whether both forms of every answer say what their case yields.

    Returns
    -------
    DataFrame
        One row a form: ``form``, ``answers`` (number), ``numbers`` (with a definite verdict),
        ``supported`` (share of them), ``refuted`` (number that the case contradicts).
    """
    rows = []
    for form in FORMS:
        found = [claims.verify(e.input, target(e, form=form)) for e in examples]
        right = sum(v.count("supported") for v in found)
        checked = right + sum(v.count(name) for v in found for name in claims.WRONG)
        refuted = sum(v.count(name) for v in found for name in REFUTED)
        share = right / checked if checked else None
        rows.append(
            {
                "form": form,
                "answers": len(examples),
                "numbers": checked,
                "supported": share,
                "refuted": refuted,
            }
        )
    return pd.DataFrame(rows, columns=["form", "answers", "numbers", "supported", "refuted"])


def funnel(
    reports: pd.DataFrame,
    unread: pd.DataFrame,
    screened: pd.DataFrame,
    curated: Sequence[Example],
    dropped: pd.DataFrame,
) -> pd.DataFrame:
    """What became of every report: ``step``, ``reports`` at it, and ``left`` after it.

    The steps are: found, could not be read, rejected by each reason (a report with several counts
    under its first), no pair passed, curated.
    """
    found = len(reports) + len(unread)
    first = [r[0] for r in screened["reasons"] if r]
    rows = [("found", found), ("not readable", -len(unread))]
    rows += [(f"rejected: {name}", -first.count(name)) for name in _by_size(first)]
    # a teacher's pair that was sent back may have been replaced by one made by rules
    done = {e.id for e in curated}
    waiting = dropped[(dropped["step"] != "screen") & ~dropped["id"].isin(done)]
    rows += [(f"no pair: {name}", -int(n)) for name, n in waiting["step"].value_counts().items()]
    left, steps = 0, []
    for name, change in rows:
        left += change
        steps.append({"step": name, "reports": abs(change), "left": left})
    steps.append({"step": "curated", "reports": len(curated), "left": len(curated)})
    return pd.DataFrame(steps, columns=["step", "reports", "left"])


def _by_size(names: Sequence[str]) -> list[str]:
    return sorted(set(names), key=lambda name: (-list(names).count(name), name))
