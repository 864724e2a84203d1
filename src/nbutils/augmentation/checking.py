"""Generated candidates: gates by code, decisions by reviewers, and what may be trained on."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import pandas as pd

from nbutils import gates
from nbutils.examples import (
    Case,
    CaseError,
    Example,
    find_alike,
    parse_answer,
    parse_case,
)

ALIKE = 0.8


def gate(
    candidates: Sequence[Example],
    others: Sequence[Example],
    glossary: Mapping[str, Any] | None = None,
) -> pd.DataFrame:
    """Check every candidate by code, by the rules that reports pass.

    Parameters
    ----------
    candidates : sequence of Example
        In order; of two alike, and of two that contradict each other, the first stays. What
        repeats a candidate that is stopped is stopped too, what contradicts one is not.
    others : sequence of Example
        What candidates must not repeat or contradict: parents, and the held-out cases.
    glossary : mapping, optional
        Known terms by lower-cased name, as `facts.read_glossary` returns.

    Returns
    -------
    DataFrame
        ``id``, ``passed`` (bool), ``gate`` (the first fault, empty if passed) and ``evidence``.
        The faults, in this order: ``case``, ``format``, ``length``, ``direction`` and ``numbers``
        (see `gates.first_fault`); ``glossary``: a term comes back that neither the glossary nor
        the text explains; ``near_duplicate``: equal but for numbers to another or an earlier
        candidate, or a rewording of it (see `gates.near_duplicates`); ``contradiction``: one case
        with an opposite urgency or action (see `gates.conflicts`) as another or an earlier
        candidate without fault.
    """
    everything = [*others, *candidates]
    known = {str(term).lower() for term in glossary or {}}
    cases = [_case(e) for e in everything]
    found: dict[int, tuple[str, str]] = {}
    repeated = _repeated(everything, cases)
    for position in range(len(others), len(everything)):
        example, case = everything[position], cases[position]
        fault = gates.first_fault(example) or (_unexplained(example, case, known) if case else None)
        if fault or position in repeated:
            found[position] = fault or ("near_duplicate", repeated[position])
    found |= _contradicting(everything, cases, len(others), found)
    rows = [
        (candidate.id, position not in found, *found.get(position, ("", "")))
        for position, candidate in enumerate(candidates, start=len(others))
    ]
    return pd.DataFrame(rows, columns=["id", "passed", "gate", "evidence"])


def _case(example: Example) -> Case | None:
    try:
        return parse_case(example.input)
    except CaseError:
        return None


def _unexplained(example: Example, case: Case, known: Collection[str]) -> tuple[str, str] | None:
    answer = parse_answer(example.output)
    prose = "\n".join([case.changes, case.notes, answer.analysis, answer.action, answer.reason])
    own = gates.own_names(case.metric, case.definition, case.context)
    terms = gates.unknown_terms(_text(example), prose, known, own)
    return ("glossary", f"not explained: {', '.join(terms)}") if terms else None


def _repeated(examples: Sequence[Example], cases: Sequence[Case | None]) -> dict[int, str]:
    """Position of each that repeats an earlier one, with the evidence."""
    texts, names = [_text(e) for e in examples], [e.id for e in examples]
    series = [case.values if case else None for case in cases]
    found = {later: text for later, _, text in gates.near_duplicates(texts, series, names=names)}
    for first, later in find_alike(texts, ALIKE):
        found.setdefault(later, f"repeats {names[first]}, but for numbers")
    return found


def _contradicting(
    examples: Sequence[Example], cases: Sequence[Case | None], first: int, stopped: Collection[int]
) -> dict[int, tuple[str, str]]:
    """Position of each, from the first on, that contradicts an earlier one that is not stopped."""
    rows = []
    for position, (example, case) in enumerate(zip(examples, cases, strict=True)):
        if case and position not in stopped:
            answer = parse_answer(example.output)
            rows.append(
                {
                    "id": position,
                    "series": case.values,
                    "metric": case.metric,
                    "context": case.context,
                    "urgency": answer.urgency,
                    "action": answer.action,
                }
            )
    columns = ["id", "series", "metric", "context", "urgency", "action"]
    found: dict[int, tuple[str, str]] = {}
    pairs = gates.conflicts(pd.DataFrame(rows, columns=columns))
    for earlier, later, evidence in pairs[["first", "second", "evidence"]].itertuples(index=False):
        if later >= first and earlier not in found:
            found.setdefault(later, ("contradiction", f"{examples[earlier].id}: {evidence}"))
    return found


def _text(example: Example) -> str:
    return f"{example.input}\n{example.output}"


def by_gate(gated: pd.DataFrame) -> pd.DataFrame:
    """Candidates stopped, by gate: ``gate``, ``candidates`` and an ``example`` of the evidence."""
    stopped = gated[~gated["passed"].astype(bool)]
    grouped = stopped.groupby("gate")
    return grouped.agg(candidates=("id", "size"), example=("evidence", "first")).reset_index()
