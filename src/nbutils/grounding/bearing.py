"""Whether rows, events and columns can bear the coefficients that are asked of them."""

from __future__ import annotations

import numpy as np

from nbutils.errors import UserError

from .coding import Design
from .estimating import EVENTS_PER_TERM, dependent
from .inputs import Prepared
from .outcomes import LINEAR, LOGISTIC

# with fewer clusters than this the sandwich is no estimate at all
MIN_CLUSTERS = 6


def rarer(y: np.ndarray) -> int:
    """Rows of the rarer outcome."""
    return int(min(y.sum(), len(y) - y.sum()))


def check_design(x: np.ndarray, design: Design) -> None:
    """Refuse columns that do not vary or are a linear function of others, with their names."""
    empty = [c.term for i, c in enumerate(design.columns, 1) if np.ptp(x[:, i]) == 0]
    if empty:
        raise UserError(
            f"no complete row, or each, has {empty[0]}, so that its effect cannot be told: "
            f"group levels, or leave the interaction out."
        )
    if places := dependent(x):
        names = dict.fromkeys(design.columns[i - 1].predictor for i in places)
        what = " and ".join(f"'{name}'" for name in names)
        raise UserError(
            f"columns {what} say the same: one is a linear function of the others, so that their "
            f"effects cannot be told apart; leave one of them out."
        )


def check_size(given: Prepared, design: Design, cluster: str | None) -> None:
    """Refuse more coefficients than the rows, the events or the clusters can bear."""
    count, n = len(design.columns), len(given.y)
    if given.outcome.kind == LOGISTIC and rarer(given.y) < count:
        raise UserError(
            f"{rarer(given.y)} of {n:,} complete rows have the rarer outcome, for {count} "
            f"coefficients; expected at least one each, better {EVENTS_PER_TERM}: leave predictors "
            f"out, group levels or collect more."
        )
    if given.outcome.kind == LINEAR and n < 3 * (count + 1):
        raise UserError(
            f"{n} complete rows for {count} coefficients; expected at least {3 * (count + 1)}: "
            f"leave predictors out, group levels or collect more."
        )
    if given.groups is not None and (clusters := int(given.groups.max()) + 1) < MIN_CLUSTERS:
        raise UserError(
            f"column '{cluster}' makes {clusters} clusters, expected at least {MIN_CLUSTERS}: make "
            f"it a predictor, or leave it out."
        )
