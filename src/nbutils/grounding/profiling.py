"""Intervals and tests of a penalised fit, from the profile of its likelihood."""

from __future__ import annotations

import numpy as np

from .newton import Solved, maximise
from .reference import quantile

# above this many entries of the design the profiles would take minutes; Wald's intervals serve
LARGEST = 150_000


class Profile:
    """The profile of Firth's likelihood (Heinze and Schemper 2002, Stat. in Medicine 21, 2409).

    Parameters
    ----------
    x : ndarray, shape (rows, columns)
        The design, intercept first.
    y : ndarray, shape (rows,)
        0.0 or 1.0.
    """

    def __init__(self, x: np.ndarray, y: np.ndarray) -> None:
        # scaled but not centred, so that each raw coefficient, the intercept too, is one of these
        self.scale = np.where(np.ptp(x, axis=0) > 0, x.std(axis=0), 1.0)
        self.x, self.y = x / self.scale, y
        self.best = maximise(self.x, y, penalised=True)
        self.errors = np.sqrt(np.diag(np.linalg.inv(self.best.information)))

    def p_value(self, columns: list[int]) -> float:
        """Of the penalised likelihood-ratio test that these coefficients are 0."""
        from scipy.special import chdtrc

        start, fixed = self.best.beta.copy(), np.zeros(len(self.best.beta), dtype=bool)
        start[columns], fixed[columns] = 0.0, True
        null = maximise(self.x, self.y, penalised=True, start=start, fixed=fixed)
        return float(chdtrc(len(columns), max(2 * (self.best.objective - null.objective), 0.0)))

    def interval(self, column: int) -> tuple[float, float] | None:
        """The 95% interval of one coefficient; None where the profile stays too flat to end it."""
        ends = [self._end(column, way) for way in (-1.0, 1.0)]
        if ends[0] is None or ends[1] is None:
            return None
        return ends[0] / self.scale[column], ends[1] / self.scale[column]

    def _end(self, column: int, way: float) -> float | None:
        """Where the deviance from the best has grown to the quantile, on one side."""
        from scipy.optimize import brentq

        middle, error = self.best.beta[column], self.errors[column]
        near, far = 0.0, 2.0
        while self._excess(column, middle + way * far * error) < 0:
            near, far = far, 2 * far
            if far > 64:
                return None
        return float(
            brentq(
                lambda at: self._excess(column, at),
                middle + way * near * error,
                middle + way * far * error,
                xtol=1e-6 * error,
            )
        )

    def _excess(self, column: int, value: float) -> float:
        return 2 * (self.best.objective - self._at(column, value).objective) - quantile(None) ** 2

    def _at(self, column: int, value: float) -> Solved:
        """The best of the others with this one held."""
        start, fixed = self.best.beta.copy(), np.zeros(len(self.best.beta), dtype=bool)
        start[column], fixed[column] = value, True
        return maximise(self.x, self.y, penalised=True, start=start, fixed=fixed)
