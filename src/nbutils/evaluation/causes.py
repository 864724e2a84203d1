"""Back to the data: what failed, for which cause, what it was trained on, and what to change."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from nbutils import claims
from nbutils.examples import URGENCIES, Example

from .retrieval import Index

ADVICE = {
    "form": "Check that every training answer passes the format checks; more epochs or rows if "
    "the loss was still falling.",
    "number": "Have augmentation ask for this kind of number; look at the nearest examples for the "
    "same slip, and reject them in review.",
    "direction": "Have augmentation ask for this pattern; the balance table of 01 shows how many "
    "examples have it.",
    "timing": "Add examples whose changes are dated; check the timing lines of the nearest ones.",
    "urgency": "Let two reviewers settle the urgency of the nearest examples: the model learns "
    "what they say.",
    "action": "Reject examples with such an action in review, or compose the pair anew in 01.",
    "cut off": "Raise MAX_NEW_TOKENS, or leave longer answers out of training.",
}


def causes(
    rows: pd.DataFrame, cases: Sequence[Example], train: Sequence[Example], *, nearest: int = 3
) -> pd.DataFrame:
    """The failing answers of a system, grouped by cause.

    Parameters
    ----------
    rows : DataFrame
        The rows of one system from `answer`.
    cases : sequence of Example
        The held-out cases.
    train : sequence of Example
        What was trained on.
    nearest : int
        How many training examples to name a cause.

    Returns
    -------
    DataFrame
        ``cause`` (as in "number: relative change contradicted"), ``cases`` (how many), ``share``
        of all, ``ids`` (up to five), ``nearest`` (ids of the training examples most like them),
        ``do``: what curation or augmentation should change. Most common first; empty if nothing
        failed.
    """
    found: dict[str, list[str]] = {}
    accepted = {c.id: (c.meta.get("expect") or {}).get("urgency", []) for c in cases}
    for row in rows.to_dict("records"):
        for cause in _of(row, accepted.get(row["id"], [])):
            found.setdefault(cause, []).append(str(row["id"]))
    index, by_id = Index(train), {c.id: c for c in cases}
    table = [
        {
            "cause": cause,
            "cases": len(ids),
            "share": len(ids) / len(rows),
            "ids": ", ".join(ids[:5]) + (" ..." if len(ids) > 5 else ""),
            "nearest": ", ".join(_near(index, [by_id[i] for i in ids if i in by_id], nearest)),
            "do": ADVICE[cause.split(":")[0]],
        }
        for cause, ids in sorted(found.items(), key=lambda item: (-len(item[1]), item[0]))
    ]
    columns = ["cause", "cases", "share", "ids", "nearest", "do"]
    return pd.DataFrame(table, columns=columns)


def _of(row: Mapping[Any, Any], accepted: Sequence[str]) -> list[str]:
    """The causes for which one answer fails; each once."""
    found = [
        f"form: {str(k)[7:].replace('_', ' ')}"
        for k in row
        if str(k).startswith("format_") and not row[k]
    ]
    if not row["stopped"]:
        found.append("cut off: the longest answer allowed")
    wrong = [c for c in row["claims"] if c["verdict"] in claims.WRONG]
    found += [f"number: {c['kind']} {c['verdict'].replace('_', ' ')}" for c in wrong]
    if row["direction_known"] and not row["direction_ok"]:
        found.append(f"direction: said {row['direction'] or 'nothing'}")
    if row["timing_known"] and not row["timing_ok"]:
        found.append("timing: the turn is not named")
    if row["urgency_known"] and not row["urgency_ok"]:
        found.append(f"urgency: {_too(row['urgency'], accepted)}")
    found += [f"action: {fault}" for fault in row["action_faults"]]
    return list(dict.fromkeys(found))


def _too(given: str, accepted: Sequence[str]) -> str:
    if given not in URGENCIES:
        return "none given"
    places = [URGENCIES.index(a) for a in accepted if a in URGENCIES]
    return "too high" if URGENCIES.index(given) < min(places) else "too low"


def _near(index: Index, cases: Sequence[Example], k: int) -> list[str]:
    """The training examples that are nearest to most of the cases."""
    counts = Counter(e.id for case in cases for e in index.nearest(case, k))
    return [name for name, _ in counts.most_common(k)]


def wrong_kinds(scored: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Where wrong numbers come from: kind of claim by system.

    Returns
    -------
    DataFrame
        ``system`` and one column a kind of claim that occurs: wrong numbers per 100 answers.
    """
    counts = {
        system: Counter(
            c["kind"] for found in frame["claims"] for c in found if c["verdict"] in claims.WRONG
        )
        for system, frame in scored.items()
    }
    kinds = [k for k in claims.KINDS if any(k in c for c in counts.values())]
    rows = [
        {"system": s, **{k: 100 * c[k] / max(len(scored[s]), 1) for k in kinds}}
        for s, c in counts.items()
    ]
    return pd.DataFrame(rows, columns=["system", *kinds])
