"""Layer 3: what people said of the answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from nbutils import review, stats


def usefulness(
    answers: Mapping[str, list[dict[str, Any]]], ratings: Sequence[Mapping[str, Any]]
) -> pd.DataFrame:
    """People's ratings of the answers, 0 to 5, by system; none as long as nobody has rated.

    Parameters
    ----------
    answers : mapping
        System to the rows of `score`.
    ratings : sequence of mapping
        Lines of the run's ``ratings.jsonl``; raters do not see which system wrote what.

    Returns
    -------
    DataFrame
        ``system``, ``value`` (mean over raters and answers), ``low``, ``high`` (95%, resampled by
        answer; None if all ratings are equal), ``n`` (answers rated) and ``raters``.
    """
    said: dict[str, dict[str, int]] = {}
    for (rater, item), line in review.standing(ratings).items():
        if line["rating"] is not None:
            said.setdefault(item, {})[rater] = line["rating"]
    rows = []
    for system, found in answers.items():
        hashes = [review.item_hash(r["instruction"], r["input"], r["output"]) for r in found]
        rated = [said[h] for h in hashes if h in said]
        if rated:
            raters = len({rater for r in rated for rater in r})
            rows.append({"system": system, **_mean_rating(rated), "raters": raters})
    return pd.DataFrame(rows, columns=["system", "value", "low", "high", "n", "raters"])


def _mean_rating(rated: Sequence[Mapping[str, int]]) -> dict[str, Any]:
    """The mean as a share of the highest rating, and back; equal ratings show no interval."""
    top = max(review.RUBRIC)
    share = stats.ratio([sum(r.values()) / top for r in rated], [len(r) for r in rated])
    found = {k: v * top if v is not None else None for k, v in vars(share).items() if k != "n"}
    if found["low"] == found["high"]:
        found |= {"low": None, "high": None}
    return {**found, "n": share.n}
