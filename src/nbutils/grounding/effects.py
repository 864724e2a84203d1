"""Average marginal effects: how far the outcome moves with each predictor, with intervals."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from .coding import Column, Design, Variable
from .estimating import Estimated, mean_of
from .newton import chunks
from .outcomes import LINEAR
from .reference import quantile

COLUMNS = ("predictor", "term", "where", "step", "points", "low", "high", "before", "n")


@dataclass(frozen=True)
class _Asked:
    """One effect: a step of a variable, in all rows or where another has some level."""

    variable: Variable
    level: str
    where: tuple[Variable, str] | None = None

    @property
    def discrete(self) -> bool:
        return bool(self.level) or self.variable.switch

    @property
    def step(self) -> str:
        if self.level:
            return f"{self.level} instead of {self.variable.levels[0]}"
        return "1 instead of 0" if self.variable.switch else "one more"

    @property
    def condition(self) -> str:
        return f"{self.where[0].name} = {self.where[1]}" if self.where else ""

    @property
    def term(self) -> str:
        main = Column(self.variable.name, ((self.variable, self.level),)).term
        return f"{main} where {self.condition}" if self.where else main


def average_effects(design: Design, x: np.ndarray, found: Estimated, kind: str) -> pd.DataFrame:
    """The average marginal effect of every predictor over the rows of a design.

    For a number the mean slope, scaled to one unit; for a level, and for a number that is only 0
    or 1, the mean difference between all rows having it and all having the reference (0), the
    other columns as they are. Where a level enters an interaction, the effect of the other
    variable is also given over the rows of each level. The intervals are by the delta method, the
    rows taken as given (Greene 2012, Econometric Analysis, 7th edition, section 17.3.2).

    Returns
    -------
    DataFrame
        `predictor`; `term` (unique; of an effect over all rows, that of `Fit.terms`); `where`
        (``"plan_tier = Growth"``, or empty: all rows); `step`; `points`, `low` and `high`
        (percentage points of a 0/1 outcome, units of a number); `before` (mean fitted outcome
        of those rows, at the reference for a level, in the same unit); `n` (rows).
    """
    size = 1.0 if kind == LINEAR else 100.0
    rows = []
    for asked in _asked(design):
        value, gradient, before, n = _averaged(design, x, found.beta, kind, asked)
        half = quantile(found.df) * float(np.sqrt(gradient @ found.covariance @ gradient))
        points = (size * value, size * (value - half), size * (value + half), size * before)
        names = (asked.variable.name, asked.term, asked.condition, asked.step)
        rows.append((*names, *points, n))
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _asked(design: Design) -> Iterator[_Asked]:
    for variable in design.variables:
        for level in variable.levels[1:] or ("",):
            yield _Asked(variable, level)
    for pair in design.interactions:
        first, second = (design.by_name[name] for name in pair)
        for moved, held in ((first, second), (second, first)):
            for level in moved.levels[1:] or ("",):
                for at in held.levels:
                    yield _Asked(moved, level, (held, at))


def _averaged(
    design: Design, x: np.ndarray, beta: np.ndarray, kind: str, asked: _Asked
) -> tuple[float, np.ndarray, float, int]:
    """Mean effect, its gradient by the coefficients, mean outcome before it, and rows."""
    value, gradient, before, n = 0.0, np.zeros(len(beta)), 0.0, 0
    for part in chunks(len(x)):
        rows = x[part]
        if asked.where is not None:
            rows = rows[_at_level(design, rows, *asked.where)]
        if asked.discrete:
            low, high = (_set(design, rows, asked, on) for on in (False, True))
            value += float((mean_of(high @ beta, kind) - mean_of(low @ beta, kind)).sum())
            gradient += _slope(high, beta, kind) @ high - _slope(low, beta, kind) @ low
            before += float(mean_of(low @ beta, kind).sum())
        else:
            raised = _raised(design, rows, asked.variable)
            steepness, slope = raised @ beta, _slope(rows, beta, kind)
            value += float(slope @ steepness)
            gradient += slope @ raised + (_curve(rows, beta, kind) * steepness) @ rows
            before += float(mean_of(rows @ beta, kind).sum())
        n += len(rows)
    return value / n, gradient / n, before / n, n


def _slope(rows: np.ndarray, beta: np.ndarray, kind: str) -> np.ndarray:
    """Change of the outcome by that of the linear predictor."""
    if kind == LINEAR:
        return np.ones(len(rows))
    p = mean_of(rows @ beta, kind)
    return p * (1 - p)


def _curve(rows: np.ndarray, beta: np.ndarray, kind: str) -> np.ndarray:
    if kind == LINEAR:
        return np.zeros(len(rows))
    p = mean_of(rows @ beta, kind)
    return p * (1 - p) * (1 - 2 * p)


def _at_level(design: Design, rows: np.ndarray, variable: Variable, level: str) -> np.ndarray:
    """Which rows have a level; the reference where all columns of the variable are 0."""
    places = design.of(variable.name)
    if level == variable.levels[0]:
        return np.asarray(~rows[:, places].any(axis=1))
    return np.asarray(rows[:, places[variable.levels.index(level) - 1]] == 1)


def _other(design: Design, rows: np.ndarray, column: Column, name: str) -> np.ndarray | float:
    """What a product column multiplies the variable by; 1 for the variable's own column."""
    for factor in column.factors:
        if factor[0].name != name:
            places = design.of(factor[0].name)
            at = factor[0].levels.index(factor[1]) - 1 if factor[1] else 0
            return rows[:, places[at]]
    return 1.0


def _set(design: Design, rows: np.ndarray, asked: _Asked, on: bool) -> np.ndarray:
    """The rows as if each had the level (the number 1), or the reference (0)."""
    found, name = rows.copy(), asked.variable.name
    for i in design.involving(name):
        column = design.columns[i - 1]
        own = next(level for v, level in column.factors if v.name == name)
        here = on and own == asked.level
        found[:, i] = _other(design, rows, column, name) if here else 0.0
    return found


def _raised(design: Design, rows: np.ndarray, variable: Variable) -> np.ndarray:
    """How each column grows with one unit of a number."""
    found = np.zeros_like(rows)
    for i in design.involving(variable.name):
        found[:, i] = _other(design, rows, design.columns[i - 1], variable.name)
    return found
