"""Agreement of two raters: beyond chance, and as plain shares."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypedDict

import numpy as np

from .intervals import Estimate, wilson


class Agreement(TypedDict):
    """What `agreement` returns."""

    exact: Estimate
    within_one: Estimate
    kappa: Estimate
    n: int


def agreement(pairs: Sequence[tuple[float, float]]) -> Agreement:
    """How far two raters agree on whole-numbered ratings.

    Parameters
    ----------
    pairs : sequence of (number, number)
        What the two raters said of each item.

    Returns
    -------
    dict
        ``exact`` (share of items rated alike) and ``within_one`` (at most one apart), with Wilson
        intervals; ``kappa``, weighted; ``n``, items. Without pairs every value is None.

    Raises
    ------
    ValueError
        If a rating is not a whole number.

    Examples
    --------
    >>> found = agreement([(5, 5), (4, 5), (2, 5), (3, 3)])
    >>> found["exact"].value, found["within_one"].value, found["n"]
    (0.5, 0.75, 4)
    """
    apart = [abs(a - b) for a, b in pairs]
    return {
        "exact": wilson(sum(distance == 0 for distance in apart), len(apart)),
        "within_one": wilson(sum(distance <= 1 for distance in apart), len(apart)),
        "kappa": kappa(pairs, weighted=True),
        "n": len(apart),
    }


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

    Raises
    ------
    ValueError
        If `weighted` and a rating is not a whole number.

    Examples
    --------
    >>> e = kappa([(1, 1)] * 20 + [(0, 0)] * 20)
    >>> e.value, round(e.low, 2)
    (1.0, 0.82)
    >>> kappa([(1, 1), (1, 1)]).value is None
    True
    """
    levels = sorted({level for pair in pairs for level in pair})
    if weighted:
        _check_whole(levels)
    if len(levels) < 2:
        return Estimate(None, None, None, len(pairs))
    table = _table(pairs, levels, weighted)
    if np.trace(table) == len(pairs):
        return _throughout(table)
    from statsmodels.stats.inter_rater import cohens_kappa

    with np.errstate(invalid="ignore", divide="ignore"):
        found = cohens_kappa(table, wt="quadratic" if weighted else None)
    if not found.std_kappa > 0:
        return Estimate(float(found.kappa), None, None, len(pairs))
    low, high = max(float(found.kappa_low), -1.0), min(float(found.kappa_upp), 1.0)
    return Estimate(float(found.kappa), low, high, len(pairs))


def _check_whole(levels: Sequence[float]) -> None:
    for level in levels:
        if not float(level).is_integer():
            raise ValueError(
                f"a rating of {level}: weighted kappa expects whole numbers; give the ratings as "
                f"they were made, not their means."
            )


def _table(
    pairs: Sequence[tuple[float, float]], levels: Sequence[float], weighted: bool
) -> np.ndarray:
    """Counts by what the two said; weighted, also of levels in between that nobody used."""
    lowest, highest = (int(levels[0]), int(levels[-1])) if weighted else (0, len(levels) - 1)
    table = np.zeros((highest - lowest + 1,) * 2)
    for a, b in pairs:
        # weights follow the distance of the levels, so the unused ones keep their places
        i, j = (int(a), int(b)) if weighted else (levels.index(a), levels.index(b))
        table[i - lowest, j - lowest] += 1
    return table


def _throughout(table: np.ndarray) -> Estimate:
    """Kappa where the two agree on every item, on more than one level."""
    n = int(table.sum())
    by_chance = float(((table.sum(axis=0) / n) ** 2).sum())
    least = wilson(n, n).low or 0.0
    return Estimate(1.0, max((least - by_chance) / (1 - by_chance), -1.0), 1.0, n)
