"""How sure a model was of an answer, as a probability of being right that was fitted to answers."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from nbutils.errors import UserError

_SURE = 0.05  # of finding a threshold that does not keep the risk


@dataclass(frozen=True)
class Confidence:
    """A calibrator with the threshold from which an answer is passed on; made by `fit_confidence`.

    Attributes
    ----------
    slope, intercept : float
        Log-odds of being right, by the mean log-probability of the answer's tokens.
    threshold : float
        The least confidence that passes.
    risk : float
        The share of wrong answers among those that pass which the threshold keeps.
    coverage : float
        Share of the rows it was fitted to that pass.
    n : int
        Those rows.
    """

    slope: float
    intercept: float
    threshold: float
    risk: float
    coverage: float
    n: int

    def of(self, logprob: float) -> float:
        """The probability that an answer with this mean log-probability is right."""
        return float(_sigmoid(self.intercept + self.slope * np.float64(logprob)))

    def passes(self, confidence: float) -> bool:
        """Whether an answer of this confidence may be passed on."""
        return confidence >= self.threshold


def fit_confidence(rows: Iterable[tuple[float, bool]], *, risk: float = 0.1) -> Confidence:
    """Fit a calibrator and its threshold to held-out answers.

    The calibrator is logistic with Platt's softened targets (1999, "Probabilistic outputs for
    support vector machines"), fitted by Newton's method; with some dozens of rows the isotonic
    one follows the noise. The threshold is the least that keeps the risk, found by testing
    thresholds from the one that passes the surest quarter on, and stopping at the first that fails
    (Angelopoulos and others 2021, "Learn then test", fixed-sequence testing): with 95% confidence
    no more than `risk` of the answers that pass are wrong, where cases are drawn like these.

    Parameters
    ----------
    rows : iterable of (float, bool)
        Mean log-probability of each answer, and whether it is right. They must be held out: of
        the same model, and not used to train it.
    risk : float
        Largest share of wrong answers among those that pass, between 0 and 1.

    Raises
    ------
    UserError
        If the rows show no threshold that keeps the risk.
    ValueError
        If a log-probability is not finite, or the risk is no share.
    """
    x, right = _arrays(rows)
    if not 0 < risk < 1:
        raise ValueError(f"risk is {risk}; expected a share between 0 and 1.")
    slope, intercept = _logistic(x, right) if len(x) else (0.0, 0.0)
    passing = _passing(x, right, risk) if slope > 0 else 0
    if not passing:
        least = math.ceil(math.log(_SURE) / math.log1p(-risk))
        raise UserError(
            f"of {len(x)} held-out answers {int(right.sum())} are right, which shows no threshold "
            f"with at most {risk:.0%} wrong above it (that takes the {least} surest, all right, at "
            f"least): fit with more answers, or state a larger risk."
        )
    # between the last that passes and the first that does not, lest rounding decide
    ordered = np.sort(x)[::-1]
    edge = ordered[passing - 1 : passing + 1].mean()
    threshold = float(_sigmoid(intercept + slope * edge))
    return Confidence(slope, intercept, threshold, risk, passing / len(x), len(x))


def _arrays(rows: Iterable[tuple[float, bool]]) -> tuple[np.ndarray, np.ndarray]:
    listed = list(rows)
    x = np.array([float(logprob) for logprob, _ in listed])
    if not np.isfinite(x).all():
        raise ValueError("a mean log-probability is not finite; leave out answers without one.")
    return x, np.array([bool(right) for _, right in listed], dtype=bool)


def _sigmoid(z: np.ndarray | np.float64) -> np.ndarray:
    return np.asarray(np.exp(-np.logaddexp(0.0, -z)))


def _logistic(x: np.ndarray, right: np.ndarray) -> tuple[float, float]:
    """Slope and intercept by Newton's method; softened targets keep them finite."""
    good, bad = int(right.sum()), int((~right).sum())
    target = np.where(right, (good + 1) / (good + 2), 1 / (bad + 2))
    middle, spread = x.mean(), x.std() or 1.0
    design = np.stack([(x - middle) / spread, np.ones_like(x)], axis=1)
    weights = np.zeros(2)
    for _ in range(50):
        p = _sigmoid(design @ weights)
        curvature = design.T @ (design * (p * (1 - p))[:, None]) + 1e-9 * np.eye(2)
        step = np.linalg.solve(curvature, design.T @ (target - p))
        weights = weights + step * min(1.0, 2.0 / max(np.abs(step).max(), 1e-12))
        if np.abs(step).max() < 1e-10:
            break
    slope = float(weights[0] / spread)
    return slope, float(weights[1] - slope * middle)


def _passing(x: np.ndarray, right: np.ndarray, risk: float) -> int:
    """How many of the surest answers pass; 0 if no threshold can be shown to keep the risk."""
    order = np.argsort(-x, kind="stable")
    ordered, wrong = x[order], np.cumsum(~right[order])
    found = 0
    for k in _ends(ordered):
        # so few cannot pass however right they are, or fail by a single one: no test begins there
        if k < len(x) / 4 or (1 - risk) ** k > _SURE:
            continue
        if _tail(int(wrong[k - 1]), k, risk) > _SURE:
            break
        found = k
    return found


def _ends(ordered: np.ndarray) -> Sequence[int]:
    """Numbers of answers that a threshold can part from the rest: equal ones stay together."""
    last = np.flatnonzero(np.append(ordered[1:] != ordered[:-1], True))
    return [int(k) + 1 for k in last]


def _tail(wrong: int, n: int, risk: float) -> float:
    """Probability of at most so many wrong ones of n, if each is wrong with this risk."""
    log_p, log_q = math.log(risk), math.log1p(-risk)
    total = math.lgamma(n + 1)
    terms = (
        total - math.lgamma(k + 1) - math.lgamma(n - k + 1) + k * log_p + (n - k) * log_q
        for k in range(wrong + 1)
    )
    return math.fsum(math.exp(term) for term in terms)
