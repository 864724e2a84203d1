"""Whether a number acts along a straight line."""

from __future__ import annotations

import numpy as np

from nbutils.stats import holm

from .checking import Check, row
from .estimating import dependent, robustly
from .fitting import Fit
from .reference import two_sided

# fewer different values leave no room for a bend
_VALUES = 5


def linearity(fit: Fit, x: np.ndarray, y: np.ndarray, groups: np.ndarray | None) -> list[Check]:
    """Test each number for a bend in its line, by Wald's test of a restricted cubic term.

    Three knots at the quantiles 0.1, 0.5 and 0.9 (Harrell 2015, Regression Modeling Strategies,
    section 2.4.5); its square where these coincide.

    Returns
    -------
    list of Check
        `value` is the p-value, adjusted after Holm over the numbers.
    """
    names = [v.name for v in fit.design.variables if not v.levels and not v.switch]
    found = {name: _bend(fit, x, y, groups, fit.design.of(name)[0]) for name in names}
    adjusted = holm([None if bend is None else bend[1] for bend in found.values()])
    return [
        _check(name, bend[0], p, len(y))
        for (name, bend), p in zip(found.items(), adjusted, strict=True)
        if bend is not None and p is not None
    ]


def bent(values: np.ndarray) -> np.ndarray:
    """The restricted cubic term of three knots, or the square, scaled to the values' range."""
    low, middle, high = np.quantile(values, (0.1, 0.5, 0.9))
    if min(middle - low, high - middle) <= 0:
        return np.asarray(((values - values.mean()) / values.std()) ** 2)
    a, b, c = (np.maximum(values - knot, 0.0) ** 3 for knot in (low, middle, high))
    return (a - b * (high - low) / (high - middle) + c * (middle - low) / (high - middle)) / (
        (high - low) ** 3
    )


def _bend(
    fit: Fit, x: np.ndarray, y: np.ndarray, groups: np.ndarray | None, place: int
) -> tuple[float, float] | None:
    """Coefficient and p-value of the bend; None where there is no room for one."""
    values = x[:, place]
    if len(np.unique(values)) < _VALUES:
        return None
    more = np.column_stack([x, bent(values)])
    if dependent(more[:, np.ptp(more, axis=0) > 0 | (np.arange(more.shape[1]) == 0)]):
        return None
    found = robustly(more, y, kind=fit.kind, groups=groups)
    error = float(np.sqrt(found.covariance[-1, -1]))
    if not error > 0:
        return None
    return float(found.beta[-1]), float(two_sided(found.beta[-1:] / error, found.df)[0])


def _check(name: str, bend: float, p: float, n: int) -> Check:
    if p >= 0.05:
        return row(f"linearity {name}", f"{name}: no bend shown (p={p:.2f}).", p, n, True)
    way = (
        "rises faster (or falls more slowly)" if bend > 0 else "rises more slowly (or falls faster)"
    )
    said = (
        f"{name} does not act along a straight line: the curve {way} at high values than at low "
        f"ones, and one effect for all values is an average."
    )
    return row(f"linearity {name}", said, p, n, False)
