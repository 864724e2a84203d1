"""From reviewed candidates to what may be trained on."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd

from nbutils.errors import UserError
from nbutils.examples import URGENCIES, Example, parse_answer, read_jsonl

UNDECIDED = "not reviewed"


def candidate_rows(candidates: Sequence[Example], gated: pd.DataFrame) -> list[dict[str, Any]]:
    """Rows of ``candidates.jsonl``: each candidate, its origin, and what the gates said."""
    said: dict[Any, dict[Any, Any]] = gated.set_index("id").to_dict("index")
    return [candidate.to_row() | said[candidate.id] for candidate in candidates]


def review_counts(gated: pd.DataFrame, settled: pd.DataFrame) -> dict[str, int]:
    """``passed`` the gates, so ``reviewable``, and ``not_reviewed`` of them."""
    passed = set(gated.loc[gated["passed"], "id"])
    waiting = settled[settled["id"].isin(passed)]["status"] == UNDECIDED
    return {"reviewable": len(passed), "not_reviewed": int(waiting.sum())}


def require_review(gated: pd.DataFrame, settled: pd.DataFrame, least: int, run: str) -> None:
    """Stop before training if too few of the candidates that passed the gates are decided.

    Parameters
    ----------
    gated, settled : DataFrame
        From `gate` and `review.settle`.
    least : int
        How many must be decided; where fewer passed the gates, all of them.
    run : str
        Name of the run, for the remedy.

    Raises
    ------
    UserError
        If fewer are.
    """
    counts = review_counts(gated, settled)
    decided = counts["reviewable"] - counts["not_reviewed"]
    needed = min(least, counts["reviewable"])
    if decided < needed:
        raise UserError(
            f"{counts['not_reviewed']} of {counts['reviewable']} candidates are not reviewed, and "
            f"{needed} have to be decided before training: make a page with `nbutils review "
            f"{run}`, bring two reviewers' files back with `nbutils review {run} --import "
            f"FILE`, then `nbutils run --run {run}`; or set 02.REQUIRE_REVIEW=0 to train without."
        )


def approved(candidates: Sequence[Example], settled: pd.DataFrame) -> list[Example]:
    """The approved candidates, with the reviewers' text."""
    text = settled.loc[settled["status"] == "approved"].set_index("id")["output"].to_dict()
    return [replace(c, output=text[c.id]) for c in candidates if c.id in text]


def read_labels(path: Path) -> list[dict[str, Any]]:
    """Labels of candidates (``id``, ``flaw``), to measure with; none if there is no file."""
    return read_jsonl(path, ["id", "flaw"]) if path.is_file() else []


def flaws_caught(
    gated: pd.DataFrame, settled: pd.DataFrame, labels: Iterable[Mapping[str, Any]]
) -> pd.DataFrame:
    """How many planted flaws the gates and the reviewers caught, by kind.

    Parameters
    ----------
    gated, settled : DataFrame
        From `gate` and `review.settle`.
    labels : iterable of mapping
        ``id`` and ``flaw`` (None for a good candidate): for measuring, never an input.

    Returns
    -------
    DataFrame
        ``flaw`` (``none`` for good ones), ``n``, ``by_gates``, ``by_reviewers``, ``trained_on``.
    """
    flaw = {row["id"]: row.get("flaw") or "none" for row in labels}
    frame = gated.merge(settled, on="id")
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
