"""Two systems on the same documents: the difference, and whether it is shown."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from .intervals import score_bounds
from .resampling import RESAMPLES, TINY, Z95, bca, documents, resampled

MCNEMAR = "McNemar mid-p"
PERMUTATION = "paired permutation"
# standard normal quantile of 80%, the power of `Comparison.detectable`
Z80 = 0.841621


@dataclass(frozen=True)
class Comparison:
    """A paired difference, candidate minus baseline.

    Attributes
    ----------
    difference, low, high : float or None
        Difference and its 95% interval; None where no document has both, no interval for one
        document.
    p : float or None
        Two-sided p-value.
    n : int
        Documents compared.
    outcome : str
        ``"better"``, ``"worse"``, ``"not shown"`` or ``"identical"``.
    detectable : float or None
        Smallest true difference that as many documents with the same spread would show in 80% of
        the trials, two-sided at 5%: (1.96 + 0.84) standard errors (Bloom 1995, Evaluation Review
        19, 547-556), the error from the linearised influence of each document on the difference.
        A normal approximation: too small for few documents. None for fewer than two or no spread.
    test : str
        Where the p-value comes from: ``"McNemar mid-p"``, ``"paired permutation"`` or, where
        nothing was compared, ``""``.
    """

    difference: float | None
    low: float | None
    high: float | None
    p: float | None
    n: int
    outcome: str
    detectable: float | None
    test: str


def compare(
    baseline: tuple[ArrayLike, ArrayLike],
    candidate: tuple[ArrayLike, ArrayLike],
    *,
    better: str = "up",
    seed: int = 0,
) -> Comparison:
    """Compare two systems on the same documents, in the same order.

    Plain yes/no scores have exact counts: the p-value is McNemar's mid-p (Fagerland, Lydersen and
    Laake 2013), the interval Newcombe's for paired proportions (1998, method 10). Everything else
    is resampled by document: a paired permutation test and a BCa interval (Efron 1987), or one
    from two Wilson intervals where every document shows the same difference.

    Parameters
    ----------
    baseline, candidate : tuple of array_like, shape (documents,)
        Numerators and denominators, as in `ratio`; for a plain yes/no score the denominators are
        ones. A document counts where both systems have at least one item.
    better : str
        ``"up"`` if larger values are better, else ``"down"``.
    seed : int
        Of the resampling; without effect on plain yes/no scores.

    Returns
    -------
    Comparison
        "better" or "worse" only if the interval excludes 0 and p is below 0.05.

    Raises
    ------
    ValueError
        If lists are not of equal length, or a document with items has no finite number.

    Examples
    --------
    >>> ones = [1] * 10
    >>> found = compare(([0] * 8 + [1] * 2, ones), ([1] * 10, ones))
    >>> found.difference, round(found.p, 4), found.outcome, found.test
    (0.8, 0.0039, 'better', 'McNemar mid-p')
    """
    table = _both(baseline, candidate)
    n = table.shape[1]
    if n == 0:
        return Comparison(None, None, None, None, 0, "not shown", None, "")
    plain = bool((table[[1, 3]] == 1).all() and np.isin(table[[0, 2]], (0, 1)).all())
    test = MCNEMAR if plain else PERMUTATION
    # compared as shares, document by document: 2 of 4 and 1 of 2 are the same
    if np.allclose(table[0] * table[3], table[2] * table[1]):
        edge = 0.0 if n > 1 else None
        return Comparison(0.0, edge, edge, 1.0, n, "identical", None, test)
    observed = float(_difference(table.sum(axis=1)))
    p, low, high = _counted(table) if plain else _by_resampling(table, observed, seed)
    if n == 1:
        return Comparison(observed, None, None, p, n, "not shown", None, test)
    outcome = _outcome(observed, p, low, high, better)
    return Comparison(observed, low, high, p, n, outcome, _detectable(table), test)


def holm(p_values: Sequence[float | None]) -> list[float | None]:
    """P-values adjusted for how many were tested (Holm 1979), in the given order.

    Parameters
    ----------
    p_values : sequence of float or None
        None, or NaN as a frame writes it, where nothing was tested; these do not count.

    Returns
    -------
    list of float or None
        At most 1, never below the p-value itself, in the same order of size; None where nothing
        was tested.

    Examples
    --------
    >>> holm([0.04, None, 0.01])
    [0.04, None, 0.02]
    """
    tested = [(p, i) for i, p in enumerate(p_values) if p is not None and not math.isnan(p)]
    found: list[float | None] = [None] * len(p_values)
    largest = 0.0
    for rank, (p, i) in enumerate(sorted(tested)):
        largest = max(largest, min(1.0, (len(tested) - rank) * p))
        found[i] = largest
    return found


def _both(
    baseline: tuple[ArrayLike, ArrayLike], candidate: tuple[ArrayLike, ArrayLike]
) -> np.ndarray:
    """Numerator and denominator of the baseline, then of the candidate, where both have items."""
    a, b = documents(*baseline), documents(*candidate)
    if a[0].shape != b[0].shape:
        raise ValueError(
            f"{len(a[0])} documents of the baseline and {len(b[0])} of the candidate: expected the "
            f"same documents in the same order."
        )
    return np.stack([*a, *b])[:, (a[1] > 0) & (b[1] > 0)]


def _difference(sums: np.ndarray) -> np.ndarray:
    """Candidate's pooled share minus the baseline's, from the four sums."""
    a_num, a_den, b_num, b_den = sums
    return np.asarray(b_num / b_den - a_num / a_den)


def _outcome(observed: float, p: float, low: float, high: float, better: str) -> str:
    if p >= 0.05 or (low <= TINY and high >= -TINY):
        return "not shown"
    return "better" if (observed > 0) == (better == "up") else "worse"


def _detectable(table: np.ndarray) -> float | None:
    """`Comparison.detectable`; the influence is of first order, as for any ratio of sums."""
    n = table.shape[1]
    sums = table.sum(axis=1)
    a = (table[0] - sums[0] / sums[1] * table[1]) / sums[1]
    b = (table[2] - sums[2] / sums[3] * table[3]) / sums[3]
    spread = float(np.std(n * (b - a), ddof=1))
    return (Z95 + Z80) * spread / math.sqrt(n) if spread > TINY else None


def _counted(table: np.ndarray) -> tuple[float, float, float]:
    """P-value and interval of plain yes/no scores, from the four counts."""
    a, b = table[0] == 1, table[2] == 1
    counts = [int(cell.sum()) for cell in (a & b, b & ~a, a & ~b, ~a & ~b)]
    return _mcnemar(counts[1], counts[2]), *_newcombe(*counts)


def _mcnemar(gained: int, lost: int) -> float:
    """McNemar's mid-p (Fagerland, Lydersen and Laake 2013, BMC Med. Res. Methodology 13, 91)."""
    n, k = gained + lost, min(gained, lost)
    ways, here = 2**n, math.comb(n, k)
    if gained == lost:
        return 1 - here / ways / 2
    return (2 * sum(math.comb(n, i) for i in range(k + 1)) - here) / ways


def _newcombe(both: int, gained: int, lost: int, neither: int) -> tuple[float, float]:
    """Newcombe's score interval for paired data (1998, Stat. in Medicine 17, 2635, method 10)."""
    n = both + gained + lost + neither
    margins = (both + gained) * (lost + neither) * (both + lost) * (gained + neither)
    product = both * neither - gained * lost
    # a positive correlation narrows the interval; it counts only beyond half the documents
    term = max(product - n / 2, 0.0) if product > 0 else product
    phi = term / math.sqrt(margins) if margins else 0.0
    return _square_and_add((gained - lost) / n, both + lost, both + gained, n, phi)


def _square_and_add(
    observed: float, baseline: int, candidate: int, n: int, phi: float
) -> tuple[float, float]:
    """The ends of a difference from two Wilson intervals, with the correlation of the two."""
    (a_low, a_high), (b_low, b_high) = score_bounds(baseline, n), score_bounds(candidate, n)
    a, b = baseline / n, candidate / n
    below, above = _joined(b - b_low, a_high - a, phi), _joined(b_high - b, a - a_low, phi)
    return max(-1.0, observed - below), min(1.0, observed + above)


def _joined(x: float, y: float, phi: float) -> float:
    """The root of x² - 2 phi x y + y², written so that rounding cannot make it negative."""
    return math.sqrt((x - y) ** 2 + 2 * (1 - phi) * x * y)


def _by_resampling(table: np.ndarray, observed: float, seed: int) -> tuple[float, float, float]:
    """Permutation p-value and BCa interval; table (4, documents)."""
    rng = np.random.default_rng(seed)
    drawn = _difference(resampled(table, rng))
    sums, swap = table.sum(axis=1), rng.integers(0, 2, (RESAMPLES, table.shape[1]))
    swapped = sums[:, None] + (table[[2, 3, 0, 1]] - table) @ swap.T.astype(float)
    extreme = np.abs(_difference(swapped)) >= abs(observed) - TINY
    p = float((extreme.sum() + 1) / (RESAMPLES + 1))
    # one document leaves nothing to leave out
    if table.shape[1] == 1 or np.ptp(drawn) < 1e-9:
        return p, *_of_two_shares(table, observed)
    return p, *bca(drawn, observed, _difference(sums[:, None] - table))


def _of_two_shares(table: np.ndarray, observed: float) -> tuple[float, float]:
    """The interval of a difference where resampling shows no spread, 0 of 60 against 60 of 60.

    Newcombe's method over documents, without the gain from pairing.
    """
    n = table.shape[1]
    shares = (table[0].sum() / table[1].sum(), table[2].sum() / table[3].sum())
    baseline, candidate = (round(float(share) * n) for share in shares)
    return _square_and_add(observed, baseline, candidate, n, 0.0)
