"""From a table to what a regression can take: the columns read, checked, and complete rows kept."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from nbutils.errors import UserError

from .columns import as_levels, as_numbers, is_numeric, need
from .outcomes import Outcome, read_outcome

MIN_ROWS = 30
# more levels than this, or than half the rows, is taken for free text
MOST_LEVELS = 20


@dataclass(frozen=True, eq=False)
class Prepared:
    """The complete rows.

    Attributes
    ----------
    frame : DataFrame
        The predictors, float or categorical, with the table's index.
    y : ndarray of float, shape (rows,)
    outcome : Outcome
        What was read of the outcome's column.
    groups : ndarray of int, shape (rows,), or None
        Cluster of each row, 0 and up.
    rows : int
        Rows of the table.
    dropped : DataFrame
        By column (`column`): rows in which it is missing (`missing`), and the mean of the outcome
        there and elsewhere (`outcome_missing`, `outcome_present`), with the p-value of a
        Mann-Whitney test that the two differ (`p`, NaN where nothing can be compared).
    """

    frame: pd.DataFrame
    y: np.ndarray
    outcome: Outcome
    groups: np.ndarray | None
    rows: int
    dropped: pd.DataFrame


def prepare(
    table: pd.DataFrame,
    outcome: str,
    predictors: Sequence[str],
    *,
    kind: str = "auto",
    cluster: str | None = None,
    interactions: Sequence[tuple[str, str]] = (),
) -> Prepared:
    """Read and check the named columns and keep the rows in which none is missing.

    Raises
    ------
    UserError
        See `nbutils.grounding.fitting.fit`.
    """
    _check_names(table, outcome, predictors, cluster, interactions)
    read = read_outcome(table[outcome], outcome, kind)
    frame = pd.DataFrame({name: _predictor(table[name], name) for name in predictors})
    missing = frame.isna()
    missing.insert(0, outcome, np.isnan(read.y))
    if cluster is not None:
        missing[cluster] = table[cluster].isna()
    keep = ~missing.any(axis=1).to_numpy()
    _check_left(missing, keep)
    kept, y = frame[keep], read.y[keep]
    _check_outcome(y, outcome)
    for name in kept:
        _check_predictor(kept[name], str(name))
    groups = None if cluster is None else pd.factorize(table.loc[keep, cluster])[0]
    dropped = _dropped(missing, read.y)
    return Prepared(_used(kept), y, read, groups, len(table), dropped)


def _check_names(
    table: pd.DataFrame,
    outcome: str,
    predictors: Sequence[str],
    cluster: str | None,
    interactions: Sequence[tuple[str, str]],
) -> None:
    if isinstance(predictors, str) or not len(predictors):
        raise UserError(f"predictors is {predictors!r}; expected a list of at least one column.")
    need(table, [outcome, *predictors, *([] if cluster is None else [cluster])])
    if table.empty:
        raise UserError("the table has no rows; expected one row a person or account.")
    if outcome in predictors:
        raise UserError(
            f"'{outcome}' is the outcome and among the predictors; it would explain itself: "
            f"take it out of the predictors."
        )
    for name in predictors:
        if list(predictors).count(name) > 1:
            raise UserError(f"predictor '{name}' is named twice; name each once.")
    if cluster is not None and cluster in [outcome, *predictors]:
        raise UserError(
            f"'{cluster}' is the cluster and also the outcome or a predictor; give it one part."
        )
    _check_pairs(predictors, interactions)


def _check_pairs(predictors: Sequence[str], interactions: Sequence[tuple[str, str]]) -> None:
    seen: set[frozenset[str]] = set()
    for pair in interactions:
        if isinstance(pair, str) or len(pair) != 2 or pair[0] == pair[1]:
            raise UserError(
                f"interaction {pair!r} is not a pair; expected two different predictors, "
                f'like ("steps", "plan").'
            )
        if unknown := [name for name in pair if name not in predictors]:
            raise UserError(
                f"interaction {' x '.join(pair)} needs '{unknown[0]}' among the predictors too: "
                f"add it."
            )
        if frozenset(pair) in seen:
            raise UserError(f"interaction {' x '.join(pair)} is named twice; name each once.")
        seen.add(frozenset(pair))


def _predictor(values: pd.Series, name: str) -> pd.Series:
    if is_numeric(values) or not values.notna().any():
        return pd.Series(as_numbers(values, name), index=values.index)
    found = as_levels(values, name)
    count, rows = int(found.nunique()), int(found.notna().sum())
    if count > MOST_LEVELS or count > max(rows / 2, 2):
        raise UserError(
            f"column '{name}' holds {count:,} different texts in {rows:,} rows, expected at most "
            f"{MOST_LEVELS}: group them, convert them if they are numbers, or leave it out."
        )
    return found


def _check_left(missing: pd.DataFrame, keep: np.ndarray) -> None:
    if not keep.any():
        worst = missing.sum().idxmax()
        raise UserError(
            f"no row is complete: of {len(keep):,} rows '{worst}' is missing in "
            f"{int(missing[worst].sum()):,}; leave it out, or fill it in."
        )
    if keep.sum() < MIN_ROWS:
        lost = f" ({len(keep) - keep.sum()} more have missing values)" if not keep.all() else ""
        raise UserError(
            f"only {keep.sum()} complete rows{lost}; a regression needs at least {MIN_ROWS}: "
            f"collect more."
        )


def _check_outcome(y: np.ndarray, outcome: str) -> None:
    if np.ptp(y) == 0:
        raise UserError(
            f"outcome '{outcome}' is the same in all {len(y):,} complete rows; expected rows of "
            f"both kinds."
        )


def _check_predictor(values: pd.Series, name: str) -> None:
    if values.nunique() < 2:
        raise UserError(
            f"column '{name}' is the same in all {len(values):,} complete rows, so that it can "
            f"explain nothing: leave it out."
        )
    if isinstance(values.dtype, pd.CategoricalDtype):
        counts = values.value_counts()
        if len(single := counts[counts == 1]):
            raise UserError(
                f"column '{name}' has '{single.index[0]}' in one complete row only; "
                f"expected at least two: group it with another level."
            )


def _used(frame: pd.DataFrame) -> pd.DataFrame:
    """Without levels that no complete row has."""
    text = frame.select_dtypes("category").columns
    return frame.assign(**{name: frame[name].cat.remove_unused_categories() for name in text})


def _dropped(missing: pd.DataFrame, y: np.ndarray) -> pd.DataFrame:
    """Missing values by column, and whether the outcome differs where they are missing."""
    from scipy.stats import mannwhitneyu

    known, rows = ~np.isnan(y), []
    for name in missing:
        gone = missing[name].to_numpy()
        there, here = y[known & gone], y[known & ~gone]
        p = np.nan
        if min(len(there), len(here)) >= 5 and np.ptp(y[known]) > 0:
            p = float(mannwhitneyu(there, here, method="asymptotic").pvalue)
        means = [float(part.mean()) if len(part) else np.nan for part in (there, here)]
        rows.append((name, int(gone.sum()), *means, p))
    columns = ["column", "missing", "outcome_missing", "outcome_present", "p"]
    return pd.DataFrame(rows, columns=columns)
