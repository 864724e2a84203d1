"""Columns of a table as columns of a design: numbers as they are, text by level."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import product

import numpy as np
import pandas as pd

from nbutils.errors import UserError

from .columns import as_levels, as_numbers, is_numeric, need

CROSS = " x "


@dataclass(frozen=True)
class Variable:
    """One predictor: text with its levels, the reference first, or a number.

    Attributes
    ----------
    name : str
    levels : tuple of str
        Empty for a number. The reference is the most common one.
    spread : float
        Standard deviation of a number.
    switch : bool
        Whether the number is only ever 0 or 1.
    """

    name: str
    levels: tuple[str, ...] = ()
    spread: float = 1.0
    switch: bool = False


@dataclass(frozen=True)
class Column:
    """One column of the design: a predictor, a level of one, or the product of two of these."""

    predictor: str
    factors: tuple[tuple[Variable, str], ...]

    @property
    def term(self) -> str:
        """As people read it: ``"plan_tier = Growth"``."""
        return CROSS.join(f"{v.name} = {level}" if level else v.name for v, level in self.factors)

    @property
    def reference(self) -> str:
        """The levels it is compared with, empty for a number."""
        return CROSS.join(v.levels[0] for v, level in self.factors if level)

    @property
    def spread(self) -> float:
        """What one standard deviation is; 1 for a level."""
        return float(np.prod([v.spread for v, level in self.factors if not level]))


@dataclass(frozen=True)
class Design:
    """What was learnt of the predictors, and how it is applied to other rows."""

    variables: tuple[Variable, ...]
    interactions: tuple[tuple[str, str], ...] = ()

    @cached_property
    def by_name(self) -> dict[str, Variable]:
        """The variables."""
        return {variable.name: variable for variable in self.variables}

    @property
    def predictors(self) -> list[str]:
        """Names of the variables, then of the interactions: ``"a x b"``."""
        return [*self.by_name, *(CROSS.join(pair) for pair in self.interactions)]

    @cached_property
    def columns(self) -> tuple[Column, ...]:
        """The columns after the intercept, in the order of `matrix`."""
        pairs = [tuple(self.by_name[name] for name in pair) for pair in self.interactions]
        groups = [*((v,) for v in self.variables), *pairs]
        return tuple(
            Column(CROSS.join(v.name for v in group), tuple(zip(group, levels, strict=True)))
            for group in groups
            for levels in product(*(v.levels[1:] or ("",) for v in group))
        )

    def of(self, predictor: str) -> list[int]:
        """Where the columns of a predictor, or of an interaction, stand in the matrix."""
        return [i for i, c in enumerate(self.columns, 1) if c.predictor == predictor]

    def involving(self, name: str) -> list[int]:
        """Where the columns stand into which a variable enters, products included."""
        return [
            i for i, c in enumerate(self.columns, 1) if any(v.name == name for v, _ in c.factors)
        ]

    def matrix(self, table: pd.DataFrame) -> np.ndarray:
        """The design of a table's rows.

        Returns
        -------
        ndarray, shape (rows, 1 + columns)
            A column of ones first; NaN where a value is missing.

        Raises
        ------
        UserError
            If a column is missing, holds text in place of numbers or infinite values, or has a
            level that was not there when the design was learnt.
        """
        need(table, list(self.by_name))
        found = np.empty((len(table), 1 + len(self.columns)))
        found[:, 0] = 1.0
        at: dict[tuple[str, str], int] = {}
        for variable in self.variables:
            self._fill(found, variable, table[variable.name], at)
        for i, column in enumerate(self.columns, 1):
            if len(column.factors) > 1:
                first, second = (at[v.name, level] for v, level in column.factors)
                np.multiply(found[:, first], found[:, second], out=found[:, i])
        return found

    def _fill(
        self,
        found: np.ndarray,
        variable: Variable,
        values: pd.Series,
        at: dict[tuple[str, str], int],
    ) -> None:
        places = self.of(variable.name)
        if not variable.levels:
            at[variable.name, ""] = places[0]
            found[:, places[0]] = as_numbers(values, variable.name)
            return
        codes = _codes(values, variable)
        for code, place in enumerate(places, 1):
            at[variable.name, variable.levels[code]] = place
            found[:, place] = codes == code
            found[codes < 0, place] = np.nan


def learn(frame: pd.DataFrame, interactions: Sequence[tuple[str, str]] = ()) -> Design:
    """The design of a frame without missing values: levels, references and spreads.

    Parameters
    ----------
    frame : DataFrame
        The predictors, float or categorical, as `nbutils.grounding.inputs.prepare` leaves them.
    interactions : sequence of (str, str)
        Pairs of predictors whose product enters as well.
    """
    pairs = tuple((str(a), str(b)) for a, b in interactions)
    return Design(tuple(_variable(str(name), frame[name]) for name in frame), pairs)


def _variable(name: str, values: pd.Series) -> Variable:
    if is_numeric(values):
        numbers = values.to_numpy(dtype=float)
        switch = bool(np.isin(numbers, (0.0, 1.0)).all())
        return Variable(name, (), float(numbers.std(ddof=1)), switch)
    counts = values.value_counts(sort=False)
    levels = [str(level) for level in counts.index if counts[level] > 0]
    reference = max(levels, key=lambda level: counts[level])
    return Variable(name, (reference, *(level for level in levels if level != reference)))


def _codes(values: pd.Series, variable: Variable) -> np.ndarray:
    given = as_levels(values, variable.name)
    known = given.cat.set_categories(list(variable.levels))
    unseen = given[known.isna() & given.notna()]
    if len(unseen):
        raise UserError(
            f"column '{variable.name}' holds '{unseen.iloc[0]}' in {len(unseen)} rows, which the "
            f"fit never saw; expected one of {', '.join(variable.levels)}: drop or recode them."
        )
    return known.cat.codes.to_numpy()
