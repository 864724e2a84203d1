"""The shape of a short series: flat, trend, step, bump or accelerating, by likelihood.

Business series here have 4 to 16 values, so every model is tried at every position and the best
is exact. A penalised likelihood (BIC) was chosen over the ``ruptures`` library: the search space is
tiny, the evidence against the flat and the straight line is wanted, not only a position, and it
costs no dependency.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Shape:
    """The model that explains a series best.

    Attributes
    ----------
    kind : str
        ``"flat"``, ``"trend"`` (a straight line), ``"step"`` (one lasting change of level),
        ``"bump"`` (a change that went back), ``"accelerating"`` (a line that bends).
    start, end : int or None
        Index (from 0) of the first value of the new level; for a bump also of the first value
        after it.
    before, after : float or None
        Mean before ``start``; mean from ``start`` on (for a bump: from ``start`` to ``end``).
    evidence : float
        BIC of the flat model minus BIC of this one; above 2 is positive, above 6 strong evidence
        (Kass and Raftery 1995, section 4.1). 0 for flat.
    over_line : float
        The same against the straight line.
    tried : int
        At how many places the model was tried; a test of its shift must allow for them.
    """

    kind: str
    start: int | None = None
    end: int | None = None
    before: float | None = None
    after: float | None = None
    evidence: float = 0.0
    over_line: float = 0.0
    tried: int = 1


def fit_shape(values: Sequence[float | None], resolution: float = 0.0, noise: float = 0.0) -> Shape:
    """Choose the shape of a series by BIC.

    Parameters
    ----------
    values : sequence of float or None
        None for a missing period; positions keep their place in time.
    resolution : float
        Unit of the last printed digit: residuals below its rounding error do not count.
    noise : float
        Known standard deviation of one value from sampling; 0 if unknown.

    Returns
    -------
    Shape
        ``flat`` for fewer than four values.
    """
    index = np.array([i for i, v in enumerate(values) if v is not None])
    y = np.array([v for v in values if v is not None], dtype=float)
    if len(y) < 4 or np.ptp(y) == 0:
        return Shape("flat")
    floor = max(resolution**2 / 12, noise**2, 1e-12 * float(np.max(np.abs(y))) ** 2)
    scores = {
        "flat": (_bic(_rss_mean(y), len(y), 1, floor), None, None),
        "trend": (_bic(_rss_poly(index, y, 1), len(y), 2, floor), None, None),
        "step": _best_step(y, floor),
        "bump": _best_bump(y, floor),
    }
    if len(y) >= 6 and _bends(y):
        scores["accelerating"] = (_bic(_rss_poly(index, y, 2), len(y), 3, floor), None, None)
    kind = min(scores, key=lambda k: scores[k][0])
    score, start, end = scores[kind]
    tried = {"step": len(_step_places(len(y))), "bump": len(_bump_places(len(y)))}
    flat, line = scores["flat"][0], scores["trend"][0]
    if start is None:
        return Shape(kind, evidence=flat - score, over_line=line - score)
    inside = y[start:end]
    outside = y[:start] if end is None else np.concatenate([y[:start], y[end:]])
    return Shape(
        kind,
        start=int(index[start]),
        end=None if end is None else int(index[end]),
        before=float(outside.mean()),
        after=float(inside.mean()),
        evidence=flat - score,
        over_line=line - score,
        tried=tried[kind],
    )


def _bic(rss: float, n: int, parameters: int, floor: float) -> float:
    # the error variance is bounded below: rounded or sampled values carry at least that much
    variance = max(rss / n, floor)
    return n * math.log(variance) + rss / variance + (parameters + 1) * math.log(n)


def _rss_mean(y: np.ndarray) -> float:
    return float(((y - y.mean()) ** 2).sum()) if len(y) else 0.0


def _rss_poly(x: np.ndarray, y: np.ndarray, degree: int) -> float:
    return float(((y - np.polyval(np.polyfit(x, y, degree), x)) ** 2).sum())


def _step_places(n: int) -> list[int]:
    """Where a lasting change may begin; a single first or last value is a spike, not a level."""
    return list(range(2, n - 1))


def _bump_places(n: int) -> list[tuple[int, int]]:
    """Where an exception may begin and end: what lasts longer than the rest is the level."""
    return [
        (start, end)
        for start in range(1, n - 1)
        for end in range(start + 1, n)
        if end - start <= min(n // 2, n - 3)
    ]


def _best_step(y: np.ndarray, floor: float) -> tuple[float, int, None]:
    """One lasting change of level."""
    rss, k = min((_rss_mean(y[:k]) + _rss_mean(y[k:]), k) for k in _step_places(len(y)))
    return _bic(rss, len(y), 3, floor), k, None


def _best_bump(y: np.ndarray, floor: float) -> tuple[float, int, int]:
    """A change of level that went back to where it came from."""
    fits = [
        (_rss_mean(np.concatenate([y[:start], y[end:]])) + _rss_mean(y[start:end]), start, end)
        for start, end in _bump_places(len(y))
    ]
    rss, start, end = min(fits, default=(math.inf, 1, 2))
    return _bic(rss, len(y), 4, floor), start, end


def _bends(y: np.ndarray) -> bool:
    """Whether the steps keep their sign and grow: what a reader calls accelerating."""
    steps = np.diff(y)
    half = len(steps) // 2
    same = (steps >= 0).all() or (steps <= 0).all()
    return bool(same and abs(steps[half:].mean()) > 1.5 * abs(steps[:half].mean()))
