"""The outcome: two values for a logistic model, a number for a linear one."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from nbutils.errors import UserError

from .columns import as_levels, as_numbers, is_numeric

LOGISTIC, LINEAR = "logistic", "linear"
KINDS = ("auto", LOGISTIC, LINEAR)
# a number with fewer different values than this is not taken for a measurement
_MEASURED = 11


@dataclass(frozen=True, eq=False)
class Outcome:
    """An outcome as numbers.

    Attributes
    ----------
    y : ndarray of float, shape (rows,)
        0 and 1 for a logistic model; NaN where missing.
    kind : str
        ``"logistic"`` or ``"linear"``.
    values : tuple of str
        What became 0 and 1; empty where it was 0 and 1 or truth values already, or is linear.
    """

    y: np.ndarray
    kind: str
    values: tuple[str, ...] = ()


def read_outcome(values: pd.Series, name: str, kind: str = "auto") -> Outcome:
    """Read the outcome's column.

    Two values make it logistic; of two others than 0 and 1 the larger, or the later in the
    alphabet, is 1, as in R. More than ten different numbers make it linear.

    Raises
    ------
    UserError
        If `kind` is unknown, or the values do not fit it: three values, text for a linear model,
        more than two values for a logistic one.
    """
    if kind not in KINDS:
        raise UserError(f"kind is {kind!r}; expected one of {', '.join(KINDS)}.")
    if not is_numeric(values) and values.notna().any():
        return _text(as_levels(values, name), name, kind)
    y = as_numbers(values, name)
    found = np.unique(y[~np.isnan(y)])
    if kind == LINEAR or (kind == "auto" and len(found) >= _MEASURED):
        return Outcome(y, LINEAR)
    if len(found) > 2:
        raise UserError(_too_many(name, [f"{value:g}" for value in found], kind))
    if len(found) == 2 and not np.array_equal(found, (0.0, 1.0)):
        shown = (f"{found[0]:g}", f"{found[1]:g}")
        return Outcome(np.where(np.isnan(y), y, y == found[1]), LOGISTIC, shown)
    return Outcome(y, LOGISTIC)


def _text(values: pd.Series, name: str, kind: str) -> Outcome:
    levels = [str(level) for level in values.cat.categories if (values == level).any()]
    if not values.cat.ordered:
        levels = sorted(levels, key=lambda level: (level.lower(), level))
    if kind == LINEAR:
        raise UserError(
            f"outcome '{name}' is text ('{levels[0]}'), expected numbers for a linear model: "
            f"convert it, or let kind be auto."
        )
    if len(levels) > 2:
        raise UserError(_too_many(name, levels, kind))
    y = np.where(values.isna(), np.nan, values == levels[-1])
    # a column of one value is refused later, by the rows that are left
    said = len(levels) == 2 and levels != ["False", "True"]
    return Outcome(y.astype(float), LOGISTIC, tuple(levels) if said else ())


def _too_many(name: str, values: list[str], kind: str) -> str:
    listed = ", ".join(values[:5]) + (" and more" if len(values) > 5 else "")
    linear = "" if kind == LOGISTIC else f", or more than {_MEASURED - 1} different numbers"
    return (
        f"outcome '{name}' has {len(values)} values ({listed}); expected two{linear}: join or "
        f"drop some, or state kind='linear' if they are numbers that measure something."
    )
