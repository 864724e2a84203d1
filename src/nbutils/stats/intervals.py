"""A share with its 95% interval: of independent items, and pooled over documents."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from .resampling import TINY, Z95, bca, documents, resampled


@dataclass(frozen=True)
class Estimate:
    """A value with its 95% interval and the number of documents behind it; None: not defined."""

    value: float | None
    low: float | None
    high: float | None
    n: int


def wilson(successes: int, n: int) -> Estimate:
    """A proportion with its Wilson score interval (Wilson 1927).

    Examples
    --------
    >>> e = wilson(46, 46)
    >>> e.value, round(e.low, 2)
    (1.0, 0.92)
    """
    if n == 0:
        return Estimate(None, None, None, 0)
    return Estimate(successes / n, *score_bounds(successes, n), n)


def score_bounds(successes: int, n: int) -> tuple[float, float]:
    """The two ends of `wilson`, for ``n`` above 0."""
    p, z2 = successes / n, Z95**2
    middle = (p + z2 / (2 * n)) / (1 + z2 / n)
    half = Z95 / (1 + z2 / n) * math.sqrt(p * (1 - p) / n + z2 / (4 * n * n))
    low = 0.0 if successes == 0 else middle - half
    high = 1.0 if successes == n else middle + half
    return low, high


def ratio(numerators: ArrayLike, denominators: ArrayLike, *, seed: int = 0) -> Estimate:
    """A share of items pooled over documents, the interval from resampling documents.

    Items of one document depend on each other, so documents are resampled, not items (Efron and
    Tibshirani 1993, chapter 8). The interval is BCa (Efron 1987): near 0 and 1 the resampled
    shares are skewed, and the plain percentiles lie too far towards the edge.

    Parameters
    ----------
    numerators, denominators : array_like, shape (documents,)
        Items that count and items in all, by document; documents without items drop out.
    seed : int
        Of the resampling.

    Returns
    -------
    Estimate
        ``n`` is the number of documents with at least one item. If every document is at 0 or every
        one at 1, resampling shows no spread; the Wilson interval over documents is then given,
        which is wider than the truth, not narrower. No interval for one document, nor where all
        show the same share in between.

    Raises
    ------
    ValueError
        If the two are not lists of equal length, or a document with items has no finite number.

    Examples
    --------
    >>> e = ratio([4, 1, 3, 0, 2], [4, 2, 3, 1, 4])
    >>> round(e.value, 2), e.n
    (0.71, 5)
    >>> ratio([1, 2], [2, 4])
    Estimate(value=0.5, low=None, high=None, n=2)
    """
    num, den = documents(numerators, denominators)
    table = np.stack([num, den])[:, den > 0]
    top, bottom = table.sum(axis=1)
    n = table.shape[1]
    if n == 0:
        return Estimate(None, None, None, 0)
    value = float(top / bottom)
    if value in (0.0, 1.0):
        return Estimate(value, *score_bounds(n if value else 0, n), n)
    if np.ptp(table[0] / table[1]) < TINY:
        return Estimate(value, None, None, n)
    left_out = (top - table[0]) / (bottom - table[1])
    drawn_top, drawn_bottom = resampled(table, np.random.default_rng(seed))
    return Estimate(value, *bca(drawn_top / drawn_bottom, value, left_out), n)
