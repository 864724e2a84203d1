"""Coefficients and their covariance: logistic, penalised logistic and linear."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from nbutils.errors import UserError

from .newton import chunks, leverages, maximise, modified_residuals, probabilities, separates
from .outcomes import LINEAR, LOGISTIC

# the rule of thumb below which a logistic fit is penalised (Peduzzi et al. 1996, J Clin Epidemiol
# 49, 1373-1379)
EVENTS_PER_TERM = 10
FIRTH = "logistic, penalised (Firth)"
# smallest eigenvalue of the columns' correlations that still counts as different from 0
_RANK = 1e-10


class NoEstimate(Exception):
    """No finite maximum of the likelihood; `columns` are those whose coefficients run away."""

    def __init__(self, columns: list[int]) -> None:
        super().__init__("no finite maximum of the likelihood")
        self.columns = columns


@dataclass(frozen=True, eq=False)
class Estimated:
    """Coefficients of a design, intercept first.

    Attributes
    ----------
    beta : ndarray, shape (columns,)
    covariance : ndarray, shape (columns, columns)
    df : float or None
        Of the t reference; None: normal.
    loglik : float
        Of a logistic model, without the penalty; NaN for a linear one.
    """

    beta: np.ndarray
    covariance: np.ndarray
    df: float | None
    loglik: float


def estimate(
    x: np.ndarray, y: np.ndarray, *, kind: str, groups: np.ndarray | None = None
) -> Estimated:
    """Fit one model.

    Parameters
    ----------
    x : ndarray, shape (rows, columns)
        A column of ones first; of full rank, see `dependent`.
    y : ndarray, shape (rows,)
    kind : str
        ``"logistic"`` (maximum likelihood), ``"logistic, penalised (Firth)"`` or ``"linear"``.
    groups : ndarray of int, shape (rows,), optional
        Cluster of each row; the covariance is then the clustered sandwich with the factor
        G/(G-1) (n-1)/(n-k), and the reference t with G-1 degrees of freedom (Cameron and Miller
        2015, Journal of Human Resources 50, 317-372). Without it, the inverse information and
        the normal, or for a linear model HC3 (MacKinnon and White 1985) and t with n-k.

    Raises
    ------
    NoEstimate
        If the data are separated, or the search does not end; not for the penalised kind.
    UserError
        If one row alone decides a coefficient of a linear model, or the search of the penalised
        kind does not end.
    """
    centre, scale = x.mean(axis=0), x.std(axis=0)
    centre[0], scale[0] = 0.0, 1.0
    z = (x - centre) / scale
    found = _linear(z, y, groups) if kind == LINEAR else _logistic(z, y, kind, groups)
    # back to the raw columns; centring only moved the intercept
    back = np.diag(1 / scale)
    back[0, 1:] = -centre[1:] / scale[1:]
    return replace(found, beta=back @ found.beta, covariance=back @ found.covariance @ back.T)


def robustly(
    x: np.ndarray, y: np.ndarray, *, kind: str, groups: np.ndarray | None = None
) -> Estimated:
    """`estimate` on part of the rows: penalised where they are separated.

    Columns that do not vary there have coefficient 0 and no covariance.
    """
    varied = np.ptp(x, axis=0) > 0
    varied[0] = True
    part = x[:, varied]
    try:
        found = estimate(part, y, kind=kind, groups=groups)
    except NoEstimate:
        found = estimate(part, y, kind=FIRTH, groups=groups)
    beta, covariance = np.zeros(x.shape[1]), np.zeros((x.shape[1], x.shape[1]))
    beta[varied], covariance[np.ix_(varied, varied)] = found.beta, found.covariance
    return replace(found, beta=beta, covariance=covariance)


def dependent(x: np.ndarray) -> list[int]:
    """Columns that are a linear function of each other; empty if the rank is full."""
    total, cross = np.zeros(x.shape[1]), np.zeros((x.shape[1], x.shape[1]))
    centre, scale = x.mean(axis=0), x.std(axis=0)
    scale[0] = 1.0
    for part in chunks(len(x)):
        rows = (x[part] - centre) / scale
        total += rows.sum(axis=0)
        cross += rows.T @ rows
    values, vectors = np.linalg.eigh(cross[1:, 1:] / len(x))
    if values[0] > _RANK:
        return []
    weight = np.abs(vectors[:, 0])
    return [int(i) + 1 for i in np.flatnonzero(weight > 1e-3 * weight.max())]


def mean_of(eta: np.ndarray, kind: str) -> np.ndarray:
    """The outcome that a linear predictor stands for."""
    return eta if kind == LINEAR else probabilities(eta)


# --------------------------------------------------------------------------- each kind


def _logistic(z: np.ndarray, y: np.ndarray, kind: str, groups: np.ndarray | None) -> Estimated:
    penalised = kind != LOGISTIC
    solved = maximise(z, y, penalised=penalised)
    if not solved.converged and not penalised:
        running = np.abs(solved.step) > 0.1 * np.abs(solved.step).max()
        running[0] = False
        known = separates(z, y, solved.step)
        raise NoEstimate([int(i) for i in np.flatnonzero(running)] if known else [])
    if not solved.converged:
        raise UserError(
            "no maximum of the penalised likelihood was found; expected columns of like size that "
            "tell more than one row apart: group rare levels or leave predictors out."
        )
    bread = np.linalg.inv(solved.information)
    if groups is None:
        return Estimated(solved.beta, bread, None, solved.loglik)
    if penalised:
        residuals = modified_residuals(z, y, solved.beta, bread)
    else:
        residuals = y - probabilities(z @ solved.beta)
    covariance, df = _clustered(z, residuals, bread, groups)
    return Estimated(solved.beta, covariance, df, solved.loglik)


def _linear(z: np.ndarray, y: np.ndarray, groups: np.ndarray | None) -> Estimated:
    q, r = np.linalg.qr(z)
    inverse = np.linalg.inv(r)
    beta, bread = inverse @ (q.T @ y), inverse @ inverse.T
    residuals = y - z @ beta
    if groups is not None:
        covariance, df = _clustered(z, residuals, bread, groups)
        return Estimated(beta, covariance, df, np.nan)
    slack = 1 - leverages(z, np.ones(len(z)), bread)
    if slack.min() < 1e-9:
        raise UserError(
            f"row {int(slack.argmin()) + 1} of the complete rows decides a coefficient all by "
            f"itself; expected several rows behind each: leave out the column in which it is alone."
        )
    weighted = z * (residuals / slack)[:, None]
    return Estimated(
        beta, bread @ (weighted.T @ weighted) @ bread, float(len(z) - z.shape[1]), np.nan
    )


def _clustered(
    z: np.ndarray, residuals: np.ndarray, bread: np.ndarray, groups: np.ndarray
) -> tuple[np.ndarray, float]:
    """The clustered sandwich and its degrees of freedom."""
    # of a part of the rows, whose clusters need not be numbered through
    _, code = np.unique(groups, return_inverse=True)
    count, (n, k) = int(code.max()) + 1, z.shape
    sums = np.stack([np.bincount(code, column * residuals, count) for column in z.T], axis=1)
    factor = count / (count - 1) * (n - 1) / (n - k)
    return factor * (bread @ (sums.T @ sums) @ bread), float(count - 1)
