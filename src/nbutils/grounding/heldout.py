"""How well a fit does on rows it has not seen: discrimination and calibration."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from nbutils.errors import UserError
from nbutils.stats import Z95, wilson

from .bearing import MIN_CLUSTERS
from .checking import Check, row
from .estimating import estimate, mean_of, robustly
from .fitting import Fit
from .newton import maximise
from .outcomes import LINEAR, LOGISTIC
from .reference import quantile

_BINS = 10
# fewer of either outcome than this among the held-out rows say nothing
_FEWEST = 10


@dataclass(frozen=True, eq=False)
class HeldOut:
    """The held-out rows: outcome, linear predictor of the fit on the others, clusters."""

    y: np.ndarray
    eta: np.ndarray
    groups: np.ndarray | None
    kind: str

    @property
    def enough(self) -> bool:
        """Whether there are rows to judge by."""
        if self.kind == LINEAR:
            return len(self.y) >= 2 * _FEWEST
        return min(self.y.sum(), len(self.y) - self.y.sum()) >= _FEWEST

    @property
    def predicted(self) -> np.ndarray:
        """Probability or number."""
        return mean_of(self.eta, self.kind)


def hold_out(
    fit: Fit, x: np.ndarray, y: np.ndarray, groups: np.ndarray | None, rng: np.random.Generator
) -> HeldOut:
    """Fit on four fifths and predict the rest; whole clusters are held out, if there are any."""
    unit = np.arange(len(y)) if groups is None else np.unique(groups, return_inverse=True)[1]
    order = rng.permutation(int(unit.max()) + 1)
    held = np.isin(unit, order[: max(len(order) // 5, 1)])
    kind = LINEAR if fit.kind == LINEAR else LOGISTIC
    rest, away = (~held, held)
    if kind == LOGISTIC and np.ptp(y[rest]) == 0:
        return HeldOut(y[:0], y[:0], None, kind)
    try:
        found = robustly(x[rest], y[rest], kind=fit.kind)
    except (np.linalg.LinAlgError, UserError):
        # levels that only the held-out rows told apart
        return HeldOut(y[:0], y[:0], None, kind)
    inside = None if groups is None else groups[away]
    return HeldOut(y[away], x[away] @ found.beta, inside, kind)


def discrimination(split: HeldOut, rng: np.random.Generator) -> list[Check]:
    """The area under the ROC curve, or R2 of a number."""
    n = len(split.y)
    if not split.enough:
        return [_too_few("discrimination", n)]
    if split.kind == LINEAR:
        value, ends = _r2(split, rng)
        said = f"On held-out rows the fit explains {max(value, 0.0):.0%} of the variance."
        return [row("discrimination", said, value, n, ends[0] > 0, ends)]
    value, ends = roc_area(split.y, split.eta)
    said = f"Of two held-out rows with different outcomes, the fit ranks {value:.0%} rightly"
    verdict = "." if ends[0] > 0.5 else ", no better than chance (50%)."
    return [row("discrimination", said + verdict, value, n, ends[0] > 0.5, ends)]


def roc_area(y: np.ndarray, score: np.ndarray) -> tuple[float, tuple[float, float]]:
    """The area under the ROC curve with DeLong's 95% interval (1988), by ranks."""
    from scipy.stats import rankdata

    ones, zeros = score[y > 0.5], score[y <= 0.5]
    m, n = len(ones), len(zeros)
    together = rankdata(np.concatenate([ones, zeros]))
    # the share of the other outcome's rows that each row is ranked rightly against
    of_ones = (together[:m] - rankdata(ones)) / n
    of_zeros = 1 - (together[m:] - rankdata(zeros)) / m
    area = float(of_ones.mean())
    half = Z95 * float(np.sqrt(of_ones.var(ddof=1) / m + of_zeros.var(ddof=1) / n))
    return area, (max(area - half, 0.0), min(area + half, 1.0))


def calibration_checks(split: HeldOut) -> list[Check]:
    """Intercept and slope of the outcome on the prediction (for a 0/1 outcome on its log odds)."""
    names = ("calibration intercept", "calibration slope")
    n = len(split.y)
    if not split.enough or np.ptp(split.eta) == 0:
        return [_too_few(name, n) for name in names]
    line = np.column_stack([np.ones(n), split.eta])
    found = robustly(line, split.y, kind=split.kind, groups=_several(split.groups))
    half = quantile(found.df) * np.sqrt(np.diag(found.covariance))
    slope, level = float(found.beta[1]), _level(split)
    return [
        _calibrated(names[0], level[0], (level[0] - level[1], level[0] + level[1]), 0.0, n),
        _calibrated(names[1], slope, (slope - half[1], slope + half[1]), 1.0, n),
    ]


def curve(split: HeldOut) -> pd.DataFrame:
    """Mean prediction and mean outcome by tenths of the prediction; see `Diagnosis`."""
    rows = []
    if split.enough:
        cuts = np.unique(np.quantile(split.predicted, np.linspace(0, 1, _BINS + 1)[1:-1]))
        which = np.searchsorted(cuts, split.predicted, side="left")
        for part in (which == i for i in np.unique(which)):
            y = split.y[part]
            rows.append((split.predicted[part].mean(), y.mean(), *_around(y, split.kind), len(y)))
    return pd.DataFrame(rows, columns=["predicted", "observed", "low", "high", "n"])


def _around(y: np.ndarray, kind: str) -> tuple[float, float]:
    if kind == LOGISTIC:
        share = wilson(int(y.sum()), len(y))
        return float(share.low or 0.0), float(1.0 if share.high is None else share.high)
    if len(y) < 2:
        return np.nan, np.nan
    half = quantile(len(y) - 1) * float(y.std(ddof=1) / np.sqrt(len(y)))
    return float(y.mean()) - half, float(y.mean()) + half


def _level(split: HeldOut) -> tuple[float, float]:
    """By how much predictions are off throughout, the slope held at 1, and half its interval."""
    ones = np.ones((len(split.y), 1))
    groups = _several(split.groups)
    if split.kind == LINEAR:
        found = estimate(ones, split.y - split.eta, kind=LINEAR, groups=groups)
        return float(found.beta[0]), quantile(found.df) * float(np.sqrt(found.covariance[0, 0]))
    line = np.column_stack([ones, split.eta])
    held = np.array([False, True])
    solved = maximise(line, split.y, start=np.array([0.0, 1.0]), fixed=held)
    return float(solved.beta[0]), Z95 / float(np.sqrt(solved.information[0, 0]))


def _several(groups: np.ndarray | None) -> np.ndarray | None:
    """Clusters of the held-out rows, where they are enough for a sandwich."""
    return groups if groups is not None and len(np.unique(groups)) >= MIN_CLUSTERS else None


def _calibrated(name: str, value: float, ends: tuple[float, float], ideal: float, n: int) -> Check:
    ok = ends[0] <= ideal <= ends[1]
    sized = f"{value:.2f} [{ends[0]:.2f}, {ends[1]:.2f}]"
    if ok:
        said = f"The {name} on held-out rows is {sized}, in accord with {ideal:.0f}."
    elif ideal:
        said = (
            f"Held-out predictions are too {'extreme' if value < 1 else 'cautious'}: slope {sized}."
        )
    else:
        said = (
            f"Held-out outcomes are {'higher' if value > 0 else 'lower'} than predicted: {sized}."
        )
    return row(name, said, value, n, ok, ends)


def _too_few(name: str, n: int) -> Check:
    said = f"Too few held-out rows ({n}) of either outcome to judge the {name}."
    return row(name, said, np.nan, n, False)


def _r2(split: HeldOut, rng: np.random.Generator) -> tuple[float, tuple[float, float]]:
    """R2 against the mean of the held-out rows, its interval from 500 resamples."""
    drawn = rng.integers(0, len(split.y), (500, len(split.y)))
    values = [_share(split.y[i], split.eta[i]) for i in drawn]
    low, high = np.quantile(values, (0.025, 0.975))
    return _share(split.y, split.eta), (float(low), float(high))


def _share(y: np.ndarray, predicted: np.ndarray) -> float:
    return float(1 - ((y - predicted) ** 2).sum() / ((y - y.mean()) ** 2).sum())
