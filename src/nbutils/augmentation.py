"""Generated candidates: gates by code, decisions by reviewers, and what may be trained on."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd

from nbutils.examples import (
    URGENCIES,
    DataFileError,
    Example,
    find_alike,
    parse_answer,
    read_examples,
    read_jsonl,
)
from nbutils.gates import first_fault

DECISIONS = ("approve", "edit", "reject")
ALIKE = 0.8


def read_candidates(path: Path) -> list[Example]:
    """Generated candidates; none if there is no file, and then only reports are trained on."""
    return read_examples(path) if path.is_file() else []


def read_reviews(path: Path) -> list[dict[str, Any]]:
    """Reviewers' decisions; none if there is no file, and then nothing generated is approved."""
    return read_jsonl(path, ["id", "reviewer", "decision"]) if path.is_file() else []


def by_parent(
    candidates: Sequence[Example], sides: Mapping[str, str]
) -> tuple[list[Example], list[Example]]:
    """Divide candidates by whether their parent is kept for validation.

    Parameters
    ----------
    candidates : sequence of Example
        ``meta["seed_id"]`` names the parent.
    sides : mapping
        Id of each curated example to its side, ``"train"`` or ``"val"``.

    Returns
    -------
    tuple of list of Example
        The usable ones, and the children of validation examples, which would carry them over.

    Raises
    ------
    DataFileError
        If a candidate names no parent.
    """
    usable: list[Example] = []
    left: list[Example] = []
    for candidate in candidates:
        if not candidate.meta.get("seed_id"):
            raise DataFileError(
                f"candidate {candidate.id} has no 'seed_id'; expected the id of the report it was "
                f"made from: add it or remove the candidate."
            )
        side = sides.get(candidate.meta["seed_id"])
        (left if side == "val" else usable).append(candidate)
    return usable, left


def gate(candidates: Sequence[Example], others: Sequence[Example]) -> pd.DataFrame:
    """Check every candidate by code: case, format, length, numbers, likeness to others.

    Parameters
    ----------
    candidates : sequence of Example
        In order; of two alike the first stays.
    others : sequence of Example
        What candidates must not repeat: parents, and the held-out cases.

    Returns
    -------
    DataFrame
        ``id``, ``passed`` (bool), ``gate`` (``case``, ``format``, ``length``, ``numbers`` or
        ``near_duplicate``; empty if passed) and ``evidence``.
    """
    everything = [*others, *candidates]
    pairs = find_alike([e.input + "\n" + e.output for e in everything], ALIKE)
    twins = {second: first for first, second in reversed(pairs)}
    rows = []
    for position, candidate in enumerate(candidates, start=len(others)):
        found = first_fault(candidate)
        if not found and position in twins:
            found = ("near_duplicate", f"repeats {everything[twins[position]].id}")
        name, evidence = found or ("", "")
        rows.append({"id": candidate.id, "passed": not name, "gate": name, "evidence": evidence})
    return pd.DataFrame(rows, columns=["id", "passed", "gate", "evidence"])


def by_gate(gated: pd.DataFrame) -> pd.DataFrame:
    """Candidates stopped, by gate: ``gate``, ``candidates`` and an ``example`` of the evidence."""
    stopped = gated[~gated["passed"].astype(bool)]
    grouped = stopped.groupby("gate")
    return grouped.agg(candidates=("id", "size"), example=("evidence", "first")).reset_index()


def decide(decisions: Iterable[Mapping[str, Any]], candidates: Sequence[Example]) -> pd.DataFrame:
    """Bring two blind reviewers' decisions together; what is not decided twice is not approved.

    Parameters
    ----------
    decisions : iterable of mapping
        Rows with ``id``, ``reviewer``, ``decision`` (approve, edit or reject) and, for an edit,
        ``edited_output``. A reviewer's later decision replaces an earlier one.
    candidates : sequence of Example
        What was to be reviewed.

    Returns
    -------
    DataFrame
        One row a candidate: ``id``, ``status`` (``approved``, ``rejected``, ``disputed`` or
        ``not reviewed``), ``reviewers`` (int), ``reason``, and ``output``, the approved text.

    Raises
    ------
    DataFileError
        If a decision is none of the three, or an edit has no text.
    """
    known = {c.id: c for c in candidates}
    by_item: dict[str, dict[str, Mapping[str, Any]]] = {}
    for number, row in enumerate(decisions, start=1):
        _check_decision(row, number)
        if row["id"] in known:
            by_item.setdefault(row["id"], {})[row["reviewer"]] = row
    rows = [_settle(c, list(by_item.get(c.id, {}).values())) for c in candidates]
    return pd.DataFrame(rows, columns=["id", "status", "reviewers", "reason", "output"])


def _check_decision(row: Mapping[str, Any], number: int) -> None:
    for key in ("id", "reviewer", "decision"):
        if not row.get(key):
            raise DataFileError(
                f"decision {number} has no '{key}'; every decision needs id, reviewer and "
                f"decision: add it or remove the row."
            )
    if row["decision"] not in DECISIONS:
        raise DataFileError(
            f"decision {number} is '{row['decision']}'; expected one of {', '.join(DECISIONS)}."
        )
    if row["decision"] == "edit" and not row.get("edited_output"):
        raise DataFileError(f"decision {number} is an edit without 'edited_output': add the text.")


def _settle(candidate: Example, found: list[Mapping[str, Any]]) -> dict[str, Any]:
    """Approved needs two who approve; of two edits the second reviewer's stands for both."""
    row = {"id": candidate.id, "reviewers": len(found), "reason": "", "output": ""}
    rejecting = [d for d in found if d["decision"] == "reject"]
    if len(found) < 2:
        return row | {"status": "not reviewed"}
    if len(rejecting) == len(found):
        reasons = sorted({str(d.get("reason") or "no reason given") for d in rejecting})
        return row | {"status": "rejected", "reason": "; ".join(reasons)}
    if rejecting:
        return row | {"status": "disputed", "reason": "one approves, one rejects"}
    edits = [str(d["edited_output"]) for d in found if d["decision"] == "edit"]
    return row | {"status": "approved", "output": edits[-1] if edits else candidate.output}


def approved(candidates: Sequence[Example], decided: pd.DataFrame) -> list[Example]:
    """The approved candidates, with the reviewers' text."""
    text = decided.loc[decided["status"] == "approved"].set_index("id")["output"].to_dict()
    return [replace(c, output=text[c.id]) for c in candidates if c.id in text]


def read_labels(path: Path) -> list[dict[str, Any]]:
    """Labels of candidates (``id``, ``flaw``), to measure with; none if there is no file."""
    return read_jsonl(path, ["id", "flaw"]) if path.is_file() else []


def flaws_caught(
    gated: pd.DataFrame, decided: pd.DataFrame, labels: Iterable[Mapping[str, Any]]
) -> pd.DataFrame:
    """How many planted flaws the gates and the reviewers caught, by kind.

    Parameters
    ----------
    gated, decided : DataFrame
        From `gate` and `decide`.
    labels : iterable of mapping
        ``id`` and ``flaw`` (None for a good candidate): for measuring, never an input.

    Returns
    -------
    DataFrame
        ``flaw`` (``none`` for good ones), ``n``, ``by_gates``, ``by_reviewers``, ``trained_on``.
    """
    flaw = {row["id"]: row.get("flaw") or "none" for row in labels}
    frame = gated.merge(decided, on="id")
    frame["flaw"] = frame["id"].map(flaw)
    frame["trained_on"] = frame["passed"] & (frame["status"] == "approved")
    grouped = frame.groupby("flaw")
    table = pd.DataFrame(
        {
            "n": grouped.size(),
            "by_gates": grouped["passed"].apply(lambda p: int((~p).sum())),
            "by_reviewers": grouped["status"].apply(lambda s: int((s == "rejected").sum())),
            "trained_on": grouped["trained_on"].sum().astype(int),
        }
    )
    return table.sort_values("n", ascending=False).reset_index()


def composition(train: Sequence[Example], val: Sequence[Example]) -> pd.DataFrame:
    """What each side is made of: ``side``, ``reports``, ``generated`` and urgencies."""
    rows = []
    for side, examples in (("train", train), ("val", val)):
        urgency = [parse_answer(e.output).urgency for e in examples]
        generated = sum("seed_id" in e.meta for e in examples)
        rows.append(
            {
                "side": side,
                "reports": len(examples) - generated,
                "generated": generated,
                **{level: urgency.count(level) for level in URGENCIES},
            }
        )
    return pd.DataFrame(rows)
