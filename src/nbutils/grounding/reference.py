"""Normal and t, chi-squared and F: quantiles and p-values, by degrees of freedom or without."""

from __future__ import annotations

import numpy as np


def quantile(df: float | None, share: float = 0.975) -> float:
    """Of the t distribution, or of the normal where `df` is None."""
    from scipy.special import ndtri, stdtrit

    return float(ndtri(share) if df is None else stdtrit(df, share))


def two_sided(statistic: np.ndarray, df: float | None) -> np.ndarray:
    """P-values of statistics that are t, or normal where `df` is None."""
    from scipy.special import ndtr, stdtr

    below = -np.abs(statistic)
    return np.asarray(2 * (ndtr(below) if df is None else stdtr(df, below)))


def joint(beta: np.ndarray, covariance: np.ndarray, df: float | None) -> float:
    """P-value of Wald's test that all these coefficients are 0.

    Against chi-squared, or F where the reference has degrees of freedom.
    """
    from scipy.special import chdtrc, fdtrc

    # a covariance from few clusters may lack the rank
    wald = float(beta @ np.linalg.pinv(covariance, hermitian=True) @ beta)
    count = len(beta)
    return float(chdtrc(count, wald) if df is None else fdtrc(count, df, wald / count))
