"""Means, shares and kappas of answers, several of which may belong to one case."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from nbutils import stats


def mean_by_case(values: Sequence[float], cases: Sequence[Any]) -> stats.Estimate:
    """A mean with its 95% interval from resampling cases, for values of any range.

    Answers to one case depend on each other, so whole cases are drawn. Values without spread, or
    of one case, have no interval. ``n`` counts values.
    """
    if not values:
        return stats.Estimate(None, None, None, 0)
    # as a share of a range that no value reaches the end of: `stats.ratio` treats 0 and 1 apart
    bottom, span = min(values) - 1, max(values) - min(values) + 2
    found = share_by_case([(v - bottom) / span for v in values], cases)
    mean = sum(values) / len(values)
    if found.low is None or found.high is None:
        return stats.Estimate(mean, None, None, len(values))
    return stats.Estimate(mean, found.low * span + bottom, found.high * span + bottom, len(values))


def share_by_case(hits: Sequence[float], cases: Sequence[Any]) -> stats.Estimate:
    """A share of answers with its 95% interval from `stats.ratio` over cases; ``n`` is answers."""
    groups = pd.factorize(pd.Series(list(cases), dtype=object))[0]
    sums = np.bincount(groups, weights=np.asarray(hits, dtype=float))
    return replace(stats.ratio(sums, np.bincount(groups)), n=len(groups))


def kappa_by_case(pairs: Sequence[tuple[int, int]], cases: Sequence[Any]) -> stats.Estimate:
    """Quadratically weighted kappa, its interval widened where answers to one case go together.

    Value and interval are those of `stats.kappa`. Its error takes answers as independent; the
    error from the influence of whole cases (infinitesimal jackknife, Efron 1982, chapter 6) takes
    its place where it is larger.
    """
    found = stats.kappa(pairs, weighted=True)
    if found.value is None or found.low is None or found.high is None:
        return found
    groups = pd.factorize(pd.Series(list(cases), dtype=object))[0]
    sums = np.bincount(groups, weights=_influence(pairs))
    error = float(np.sqrt((sums**2).sum() * len(sums) / max(len(sums) - 1, 1))) / len(pairs)
    low, high = found.value - stats.Z95 * error, found.value + stats.Z95 * error
    return replace(found, low=max(min(found.low, low), -1.0), high=min(max(found.high, high), 1.0))


def _influence(pairs: Sequence[tuple[int, int]]) -> np.ndarray:
    """How much each pair moves kappa, 1 - O / E with O the mean of (a - b)^2 and E that of all
    a with all b.
    """
    a, b = np.asarray(pairs, dtype=float).T
    apart = (a - b) ** 2
    crossed = (a - b.mean()) ** 2 + b.var() + (b - a.mean()) ** 2 + a.var()
    seen, by_chance = apart.mean(), crossed.mean() / 2
    moved = (apart - seen) / by_chance - seen * (crossed - 2 * by_chance) / by_chance**2
    return np.asarray(-moved)
