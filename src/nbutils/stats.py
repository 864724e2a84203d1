"""Intervals and paired comparisons with three outcomes: better, worse, not shown."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

RESAMPLES = 5000
Z95 = 1.959964


@dataclass(frozen=True)
class Estimate:
    """A value with its 95% interval and the number of documents behind it; None: not defined."""

    value: float | None
    low: float | None
    high: float | None
    n: int


@dataclass(frozen=True)
class Comparison:
    """A paired difference, candidate minus baseline.

    Attributes
    ----------
    difference, low, high : float or None
        Difference and its 95% bootstrap interval (from two Wilson intervals where every document
        shows the same difference); None where no document has both.
    p : float or None
        Two-sided paired permutation p-value.
    n : int
        Documents compared.
    outcome : str
        ``"better"``, ``"worse"``, ``"not shown"`` or ``"identical"``.
    """

    difference: float | None
    low: float | None
    high: float | None
    p: float | None
    n: int
    outcome: str


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
    p, z2 = successes / n, Z95**2
    middle = (p + z2 / (2 * n)) / (1 + z2 / n)
    half = Z95 / (1 + z2 / n) * math.sqrt(p * (1 - p) / n + z2 / (4 * n * n))
    low = 0.0 if successes == 0 else middle - half
    high = 1.0 if successes == n else middle + half
    return Estimate(p, low, high, n)


def kappa(pairs: Sequence[tuple[float, float]], *, weighted: bool = False) -> Estimate:
    """Agreement of two raters beyond chance, with its 95% interval.

    Parameters
    ----------
    pairs : sequence of (number, number)
        What the two raters said of each item; booleans are numbers.
    weighted : bool
        Whether a difference counts by its square (Cohen 1968) and not as right or wrong
        (Cohen 1960).

    Returns
    -------
    Estimate
        The interval is from the asymptotic error (Fleiss, Cohen and Everitt 1969). Where the two
        agree throughout that error is 0, and the lower end is taken from the Wilson interval of
        the agreement instead; without any error otherwise (one rater says one thing only) there
        is no interval. None where both said one and the same thing throughout: what is agreed by
        chance is then all there is.

    Examples
    --------
    >>> e = kappa([(1, 1)] * 20 + [(0, 0)] * 20)
    >>> e.value, round(e.low, 2)
    (1.0, 0.82)
    >>> kappa([(1, 1), (1, 1)]).value is None
    True
    """
    levels = sorted({level for pair in pairs for level in pair})
    if len(levels) < 2:
        return Estimate(None, None, None, len(pairs))
    from statsmodels.stats.inter_rater import cohens_kappa

    lowest, highest = (int(levels[0]), int(levels[-1])) if weighted else (0, len(levels) - 1)
    size = highest - lowest + 1
    table = np.zeros((size, size))
    for a, b in pairs:
        # weights follow the distance of the levels, also of those that nobody used
        i, j = (int(a), int(b)) if weighted else (levels.index(a), levels.index(b))
        table[i - lowest, j - lowest] += 1
    if np.trace(table) == len(pairs):
        shares = table.sum(axis=0) / len(pairs)
        by_chance = float((shares**2).sum())
        least = wilson(len(pairs), len(pairs)).low or 0.0
        return Estimate(1.0, max((least - by_chance) / (1 - by_chance), -1.0), 1.0, len(pairs))
    with np.errstate(invalid="ignore", divide="ignore"):
        found = cohens_kappa(table, wt="quadratic" if weighted else None)
    if not found.std_kappa > 0:
        return Estimate(float(found.kappa), None, None, len(pairs))
    low, high = max(float(found.kappa_low), -1.0), min(float(found.kappa_upp), 1.0)
    return Estimate(float(found.kappa), low, high, len(pairs))


def ratio(numerators: ArrayLike, denominators: ArrayLike, *, seed: int = 0) -> Estimate:
    """A share of items pooled over documents, the interval from resampling documents.

    Items of one document depend on each other, so documents are resampled, not items (Efron and
    Tibshirani 1993, chapter 8). If every document agrees, resampling shows no spread; the
    Wilson interval over documents is then given, which is wider than the truth, not narrower.

    Parameters
    ----------
    numerators, denominators : array_like, shape (documents,)
        Items that count and items in all, by document; documents without items drop out.

    Returns
    -------
    Estimate
        ``n`` is the number of documents with at least one item.
    """
    num, den = _arrays(numerators, denominators)
    num, den = num[den > 0], den[den > 0]
    if not len(den):
        return Estimate(None, None, None, 0)
    value = float(num.sum() / den.sum())
    if value in (0.0, 1.0):
        edge = wilson(len(den) if value else 0, len(den))
        return Estimate(value, edge.low, edge.high, len(den))
    if len(den) == 1:
        return Estimate(value, None, None, 1)
    rows = np.random.default_rng(seed).integers(0, len(den), (RESAMPLES, len(den)))
    low, high = np.quantile(num[rows].sum(1) / den[rows].sum(1), [0.025, 0.975])
    return Estimate(value, float(low), float(high), len(den))


def compare(
    baseline: tuple[ArrayLike, ArrayLike],
    candidate: tuple[ArrayLike, ArrayLike],
    *,
    better: str = "up",
    seed: int = 0,
) -> Comparison:
    """Compare two systems on the same documents, in the same order.

    Parameters
    ----------
    baseline, candidate : tuple of array_like, shape (documents,)
        Numerators and denominators, as in `ratio`; for a plain yes/no score the denominators are
        ones. A document counts where both systems have at least one item.
    better : str
        ``"up"`` if larger values are better, else ``"down"``.

    Returns
    -------
    Comparison
        "better" or "worse" only if the interval excludes 0 and the permutation p is below 0.05.
    """
    a, b = _arrays(*baseline), _arrays(*candidate)
    both = (a[1] > 0) & (b[1] > 0)
    table = np.stack([a[0][both], a[1][both], b[0][both], b[1][both]])
    n = int(both.sum())
    if n == 0:
        return Comparison(None, None, None, None, 0, "not shown")
    observed = float(_difference(table[:, None])[0])
    # compared as shares, document by document: 2 of 4 and 1 of 2 are the same
    if np.allclose(table[0] * table[3], table[2] * table[1]):
        return Comparison(0.0, 0.0, 0.0, 1.0, n, "identical")
    rng = np.random.default_rng(seed)
    drawn = _difference(table[:, rng.integers(0, n, (RESAMPLES, n))])
    low, high = (float(q) for q in np.quantile(drawn, [0.025, 0.975]))
    if high - low < 1e-9:
        low, high = _of_two_shares(table, observed)
    swap = rng.integers(0, 2, (RESAMPLES, n)).astype(bool)
    swapped = np.where(swap, table[[2, 3, 0, 1]][:, None], table[:, None])
    extreme = np.abs(_difference(swapped)) >= abs(observed) - 1e-12
    p = float((extreme.sum() + 1) / (RESAMPLES + 1))
    if p >= 0.05 or low <= 0 <= high:
        return Comparison(observed, low, high, p, n, "not shown")
    good = (observed > 0) == (better == "up")
    return Comparison(observed, low, high, p, n, "better" if good else "worse")


def _of_two_shares(table: np.ndarray, observed: float) -> tuple[float, float]:
    """The interval of a difference where resampling shows no spread, 0 of 60 against 60 of 60.

    Newcombe's hybrid score interval over documents (1998, Statistics in Medicine 17, method 10,
    without the gain from pairing): from the two Wilson intervals.
    """
    n = table.shape[1]
    shares = table[0].sum() / table[1].sum(), table[2].sum() / table[3].sum()
    a, b = (wilson(round(float(share) * n), n) for share in shares)
    below = math.hypot((b.value or 0.0) - (b.low or 0.0), (a.high or 0.0) - (a.value or 0.0))
    above = math.hypot((b.high or 0.0) - (b.value or 0.0), (a.value or 0.0) - (a.low or 0.0))
    return max(-1.0, observed - below), min(1.0, observed + above)


def _difference(table: np.ndarray) -> np.ndarray:
    """Candidate's pooled share minus the baseline's; table (4, resamples, documents)."""
    a_num, a_den, b_num, b_den = table.sum(axis=2)
    return np.asarray(b_num / b_den - a_num / a_den)


def _arrays(numerators: ArrayLike, denominators: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    num, den = np.asarray(numerators, dtype=float), np.asarray(denominators, dtype=float)
    if num.shape != den.shape or num.ndim != 1:
        raise ValueError(
            f"numerators {num.shape} and denominators {den.shape}: expected two lists of equal "
            f"length, one entry a document."
        )
    return num, den


def family_labels(groups: Sequence[Sequence[int]], n: int) -> list[int]:
    """Number the connected components of ``n`` items, given groups of items that belong together.

    Examples
    --------
    >>> family_labels([[0, 2], [2, 3]], 5)
    [0, 1, 0, 0, 2]
    """
    parent = list(range(n))

    def find(i: int) -> int:
        while parent[i] != i:
            parent[i] = parent[parent[i]]
            i = parent[i]
        return i

    for group in groups:
        for item in group[1:]:
            a, b = sorted((find(group[0]), find(item)))
            parent[b] = a
    order: dict[int, int] = {}
    return [order.setdefault(find(i), len(order)) for i in range(n)]
