"""Resampling of documents, and intervals from it; used by `ratio` and `compare`."""

from __future__ import annotations

from statistics import NormalDist

import numpy as np
from numpy.typing import ArrayLike

RESAMPLES = 5000
Z95 = 1.959964
# below this two shares are the same: sums of fractions differ in the last digits
TINY = 1e-12

_NORMAL = NormalDist()


def documents(numerators: ArrayLike, denominators: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    """Numerators and denominators by document, as two arrays of floats.

    Raises
    ------
    ValueError
        If the two are not lists of equal length, or a document with items has no finite number.
    """
    num, den = np.asarray(numerators, dtype=float), np.asarray(denominators, dtype=float)
    if num.shape != den.shape or num.ndim != 1:
        raise ValueError(
            f"numerators {num.shape} and denominators {den.shape}: expected two lists of equal "
            f"length, one entry a document."
        )
    wrong = np.flatnonzero((den > 0) & ~(np.isfinite(num) & np.isfinite(den)))
    if len(wrong):
        i = wrong[0]
        raise ValueError(
            f"document {i}: {num[i]} of {den[i]} items; expected finite numbers, or a denominator "
            f"of 0 where nothing was measured."
        )
    return num, den


def resampled(table: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Row sums of `table` (rows, documents) over documents drawn with replacement.

    Returns
    -------
    ndarray, shape (rows, RESAMPLES)
    """
    n = table.shape[1]
    drawn = rng.integers(0, n, (RESAMPLES, n)) + n * np.arange(RESAMPLES)[:, None]
    times = np.bincount(drawn.ravel(), minlength=RESAMPLES * n).reshape(RESAMPLES, n)
    return np.asarray(table @ times.T.astype(float))


def bca(drawn: np.ndarray, value: float, left_out: np.ndarray) -> tuple[float, float]:
    """The bias-corrected and accelerated 95% interval (Efron 1987, JASA 82, 171-185).

    Parameters
    ----------
    drawn : ndarray, shape (RESAMPLES,)
        The statistic of every resample.
    value : float
        The statistic of the documents themselves.
    left_out : ndarray, shape (documents,)
        The statistic without each document, for the acceleration.

    Returns
    -------
    tuple of float
        The plain percentile interval where BCa is not defined: all resamples on one side of the
        value, or an acceleration that would turn the quantiles round.
    """
    below = float((np.mean(drawn < value - TINY) + np.mean(drawn <= value + TINY)) / 2)
    low, high = np.quantile(drawn, _quantiles(below, _acceleration(left_out)))
    return float(low), float(high)


def _acceleration(left_out: np.ndarray) -> float:
    """A sixth of the skewness of the jackknife values."""
    away = left_out.mean() - left_out
    spread = float((away**2).sum())
    return float((away**3).sum()) / (6 * spread**1.5) if spread > TINY**2 else 0.0


def _quantiles(below: float, acceleration: float) -> tuple[float, float]:
    plain = (_NORMAL.cdf(-Z95), _NORMAL.cdf(Z95))
    if not 0 < below < 1:
        return plain
    bias = _NORMAL.inv_cdf(below)
    ends = (bias - Z95, bias + Z95)
    if any(acceleration * end >= 1 for end in ends):
        return plain
    low, high = (_NORMAL.cdf(bias + end / (1 - acceleration * end)) for end in ends)
    return low, high
