"""Whether the significant predictors would be found again in another sample."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from nbutils.errors import UserError
from nbutils.stats import wilson

from .checking import Check, row
from .estimating import Estimated, robustly
from .fitting import Fit
from .reference import joint

REFITS = 200
MOST_ROWS = 10_000
_SIGN, _AGAIN = 0.95, 0.8


def stability(
    fit: Fit, x: np.ndarray, y: np.ndarray, groups: np.ndarray | None, rng: np.random.Generator
) -> list[Check]:
    """Refit on bootstrap samples of the rows, or of whole clusters if there are any.

    The sign is that of the term with the smallest p-value; significance is p below 0.05 by Wald's
    test of all the predictor's columns, not adjusted.
    """
    named = list(fit.predictors.loc[fit.predictors["significant"], "predictor"])
    if not named:
        return []
    size = min(len(y), MOST_ROWS)
    refits = list(_refits(fit, x, y, groups, rng, size))
    return [check for name in named for check in _checks(fit, name, refits, size)]


def _refits(
    fit: Fit,
    x: np.ndarray,
    y: np.ndarray,
    groups: np.ndarray | None,
    rng: np.random.Generator,
    size: int,
) -> Iterator[Estimated]:
    if groups is None:
        chosen = rng.choice(len(y), size, replace=False)
        for _ in range(REFITS):
            drawn = rng.choice(chosen, size)
            yield from _refit(fit, x[drawn], y[drawn], None)
        return
    members = [np.flatnonzero(groups == g) for g in np.unique(groups)]
    for _ in range(REFITS):
        drawn, code = _clusters(members, rng, size)
        yield from _refit(fit, x[drawn], y[drawn], code)


def _clusters(
    members: list[np.ndarray], rng: np.random.Generator, size: int
) -> tuple[np.ndarray, np.ndarray]:
    """Whole clusters, drawn until there are as many as there were or rows enough."""
    rows: list[np.ndarray] = []
    while len(rows) < len(members) and sum(map(len, rows)) < size:
        rows.append(members[int(rng.integers(len(members)))])
    # a cluster drawn twice counts as two
    return np.concatenate(rows), np.repeat(np.arange(len(rows)), [len(part) for part in rows])


def _refit(
    fit: Fit, x: np.ndarray, y: np.ndarray, groups: np.ndarray | None
) -> Iterator[Estimated]:
    """One refit; none where the sample cannot bear it."""
    try:
        if np.ptp(y) > 0:
            yield robustly(x, y, kind=fit.kind, groups=groups)
    except (np.linalg.LinAlgError, UserError):
        return


def _checks(fit: Fit, name: str, refits: list[Estimated], size: int) -> Iterator[Check]:
    design = fit.design
    places = design.involving(name) if name in design.by_name else design.of(name)
    own = design.of(name)
    clearest = min(own, key=lambda i: float(fit.terms["p"].iloc[i]))
    kept = sum(float(found.beta[clearest]) * float(fit.beta[clearest]) > 0 for found in refits)
    again = sum(_significant(found, places) for found in refits)
    term = fit.terms["term"].iloc[clearest]
    yield _share(f"stability of sign {name}", f"{term} keeps its sign", kept, _SIGN, refits, size)
    yield _share(
        f"stability of significance {name}", f"{name} is found again", again, _AGAIN, refits, size
    )


def _significant(found: Estimated, places: list[int]) -> bool:
    return joint(found.beta[places], found.covariance[np.ix_(places, places)], found.df) < 0.05


def _share(
    check: str, what: str, count: int, wanted: float, refits: list[Estimated], size: int
) -> Check:
    share = wilson(count, len(refits))
    value = np.nan if share.value is None else share.value
    said = f"{what} in {count} of {len(refits)} samples of {size:,} rows drawn again."
    ends = (
        np.nan if share.low is None else share.low,
        np.nan if share.high is None else share.high,
    )
    return row(check, said, value, size, bool(value >= wanted), ends)
