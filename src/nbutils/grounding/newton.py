"""Likelihood of the logistic model, plain or penalised after Firth, maximised by Newton steps."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

# rows taken at a time: bounds the memory for a million of them
CHUNK = 65_536
_LONGEST = 5.0
_TINY_STEP = 1e-9
# Newton's error squares from step to step, so that 30 are plenty where a maximum exists; the
# penalised score has no such steps and closes in by a constant share
_STEPS = {False: 30, True: 500}


@dataclass(frozen=True, eq=False)
class Solved:
    """Where the search ended.

    Attributes
    ----------
    beta : ndarray, shape (columns,)
    information : ndarray, shape (columns, columns)
        Of the plain likelihood at `beta`.
    loglik : float
        The plain log-likelihood at `beta`.
    objective : float
        What was maximised: `loglik`, or with half the log-determinant of the information.
    step : ndarray, shape (columns,)
        The last step that was tried.
    converged : bool
        False where the steps did not come to an end.
    """

    beta: np.ndarray
    information: np.ndarray
    loglik: float
    objective: float
    step: np.ndarray
    converged: bool


def maximise(
    x: np.ndarray,
    y: np.ndarray,
    *,
    penalised: bool = False,
    start: np.ndarray | None = None,
    fixed: np.ndarray | None = None,
) -> Solved:
    """Find the coefficients of a logistic model.

    Newton steps on the score, halved where the objective does not rise. With `penalised`, the
    score is Firth's (1993, Biometrika 80, 27-38), which maximises the likelihood times the root of
    the determinant of the information; its maximum is always finite.

    Parameters
    ----------
    x : ndarray, shape (rows, columns)
        Of full rank; columns of like size, or the end of the steps is not recognised.
    y : ndarray, shape (rows,)
        0.0 or 1.0.
    penalised : bool
        Whether to add Firth's penalty.
    start : ndarray, shape (columns,), optional
        Where to begin; zeros.
    fixed : ndarray of bool, shape (columns,), optional
        Coefficients that stay where they start. The penalty still counts them, as the profile of
        a penalised likelihood demands (Heinze and Schemper 2002).
    """
    beta = np.zeros(x.shape[1]) if start is None else np.array(start, dtype=float)
    free = np.ones(x.shape[1], dtype=bool) if fixed is None else ~fixed
    here, step = _look(x, y, beta, penalised), np.zeros_like(beta)
    for _ in range(_STEPS[penalised]):
        proposed = _proposed(here, free)
        if proposed is None:
            break
        # the penalised score may overshoot for ever, from one side of the top to the other
        step = proposed / 2 if penalised and float(proposed @ step) < 0 else proposed
        if np.abs(step).max(initial=0.0) < _TINY_STEP:
            return here.solved(beta, step, True)
        found = _risen(x, y, beta, here, step, penalised)
        if found is None:
            # at the very top rounding hides the rise
            return here.solved(beta, step, bool(np.abs(step).max() < 1e-6))
        beta, here = found
    return here.solved(beta, step, False)


def separates(x: np.ndarray, y: np.ndarray, direction: np.ndarray) -> bool:
    """Whether going that way makes no row less likely: then no finite maximum exists.

    Complete or quasi-complete separation (Albert and Anderson 1984, Biometrika 71, 1-10).
    """
    signed = np.where(y > 0.5, 1.0, -1.0) * (x @ direction)
    return bool(signed.max() > 0 and signed.min() >= -1e-6 * signed.max())


def probabilities(eta: np.ndarray) -> np.ndarray:
    """The inverse of the logit."""
    from scipy.special import expit

    return np.asarray(expit(eta))


def leverages(x: np.ndarray, weights: np.ndarray, inverse: np.ndarray) -> np.ndarray:
    """Diagonal of the hat matrix; `inverse` is that of the weighted cross-product of x."""
    found = np.empty(len(x))
    for part in chunks(len(x)):
        found[part] = np.einsum("ij,ij->i", x[part] @ inverse, x[part])
    return found * weights


def chunks(rows: int) -> Iterator[slice]:
    """Slices that cover the rows."""
    return (slice(at, at + CHUNK) for at in range(0, rows, CHUNK))


# --------------------------------------------------------------------------- at one point


@dataclass(frozen=True, eq=False)
class _Point:
    loglik: float
    objective: float
    score: np.ndarray
    information: np.ndarray

    def solved(self, beta: np.ndarray, step: np.ndarray, converged: bool) -> Solved:
        return Solved(beta, self.information, self.loglik, self.objective, step, converged)


def _look(x: np.ndarray, y: np.ndarray, beta: np.ndarray, penalised: bool) -> _Point:
    k = x.shape[1]
    loglik, score, information = 0.0, np.zeros(k), np.zeros((k, k))
    for part in chunks(len(x)):
        rows, eta = x[part], x[part] @ beta
        p = probabilities(eta)
        loglik += float(y[part] @ eta - np.logaddexp(0.0, eta).sum())
        score += rows.T @ (y[part] - p)
        information += rows.T @ (rows * (p * (1 - p))[:, None])
    if not penalised:
        return _Point(loglik, loglik, score, information)
    sign, size = np.linalg.slogdet(information)
    if sign <= 0:
        return _Point(loglik, -np.inf, score, information)
    return _Point(loglik, loglik + size / 2, _modified(x, y, beta, information), information)


def _modified(
    x: np.ndarray, y: np.ndarray, beta: np.ndarray, information: np.ndarray
) -> np.ndarray:
    """Firth's score."""
    return modified_residuals(x, y, beta, np.linalg.inv(information)) @ x


def modified_residuals(
    x: np.ndarray, y: np.ndarray, beta: np.ndarray, inverse: np.ndarray
) -> np.ndarray:
    """The residuals of Firth's score: y - p + h (1/2 - p), h the leverage."""
    p = probabilities(x @ beta)
    return np.asarray(y - p + leverages(x, p * (1 - p), inverse) * (0.5 - p))


def _proposed(here: _Point, free: np.ndarray) -> np.ndarray | None:
    """The Newton step of the free coefficients, not too long; None where there is none."""
    step = np.zeros(len(free))
    try:
        step[free] = np.linalg.solve(here.information[np.ix_(free, free)], here.score[free])
    except np.linalg.LinAlgError:
        return None
    if not np.isfinite(step).all():
        return None
    return step * min(1.0, _LONGEST / max(np.abs(step).max(initial=0.0), _TINY_STEP))


def _risen(
    x: np.ndarray, y: np.ndarray, beta: np.ndarray, here: _Point, step: np.ndarray, penalised: bool
) -> tuple[np.ndarray, _Point] | None:
    """Where the step, or a part of it, leads up; None if it does not."""
    floor = here.objective - 1e-11 * (1 + abs(here.objective))
    for halved in range(25):
        tried = beta + step / 2**halved
        there = _look(x, y, tried, penalised)
        if there.objective >= floor:
            return tried, there
    return None
