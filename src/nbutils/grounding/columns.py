"""One column of a table: whether it holds numbers, levels or neither."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches

import numpy as np
import pandas as pd
from pandas.api import types

from nbutils.errors import UserError


def need(table: pd.DataFrame, names: Sequence[str]) -> None:
    """Check that the columns are there, each once.

    Raises
    ------
    UserError
        Names the first that is not and near spellings.
    """
    held = [str(name) for name in table.columns]
    for name in names:
        if held.count(name) > 1:
            raise UserError(
                f"the table has {held.count(name)} columns called '{name}'; expected one of each: "
                f"rename or drop the others."
            )
        if name not in table.columns:
            near = get_close_matches(name, held, n=3, cutoff=0.6)
            hint = f"did you mean {' or '.join(near)}?" if near else f"it has {_listed(held)}."
            raise UserError(f"the table has no column '{name}': {hint}")


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - 12} more" if len(names) > 12 else ""
    return ", ".join(names[:12]) + more if names else "no columns"


def is_numeric(values: pd.Series) -> bool:
    """Whether a column holds numbers; truth values are levels."""
    if types.is_bool_dtype(values.dtype):
        return False
    if values.dtype == object:
        return pd.api.types.infer_dtype(values, skipna=True) in (
            "integer",
            "floating",
            "decimal",
            "mixed-integer-float",
        )
    return bool(types.is_numeric_dtype(values.dtype))


def as_numbers(values: pd.Series, name: str) -> np.ndarray:
    """A column of numbers as floats, NaN where missing.

    Raises
    ------
    UserError
        If it is not one of numbers, or holds infinite ones.
    """
    # a column without any value has no type of its own
    if not is_numeric(values) and values.notna().any():
        raise UserError(
            f"column '{name}' is {values.dtype}, expected numbers: convert it, "
            f"for example with pandas.to_numeric."
        )
    numbers = values.to_numpy(dtype=float, na_value=np.nan)
    if count := int(np.isinf(numbers).sum()):
        raise UserError(
            f"column '{name}' holds infinite values in {count} rows; expected finite numbers: "
            f"mend them, or set them to missing."
        )
    return numbers


def as_levels(values: pd.Series, name: str) -> pd.Series:
    """A column of text, categories or truth values as a categorical of str; blank is missing.

    Raises
    ------
    UserError
        If it holds dates, or lists and the like.
    """
    if types.is_datetime64_any_dtype(values.dtype) or types.is_timedelta64_dtype(values.dtype):
        raise UserError(
            f"column '{name}' holds dates or times; expected numbers or a few levels: make it a "
            f"number of days since a fixed date, or a month."
        )
    try:
        found = (
            values if isinstance(values.dtype, pd.CategoricalDtype) else values.astype("category")
        )
    except TypeError:
        raise UserError(
            f"column '{name}' holds lists or other objects; expected numbers or a few levels: "
            f"leave it out."
        ) from None
    return _of_text(found)


def _of_text(found: pd.Series) -> pd.Series:
    """The same categories as text: two that read alike become one, blank ones missing."""
    names = [str(level) for level in found.cat.categories]
    kept = list(dict.fromkeys(level for level in names if level.strip()))
    if len(kept) == len(names):
        return found.cat.rename_categories(names)
    table = np.array([kept.index(level) if level.strip() else -1 for level in names] + [-1])
    codes = table[found.cat.codes.to_numpy()]
    dtype = pd.CategoricalDtype(kept, ordered=found.cat.ordered)
    return pd.Series(pd.Categorical.from_codes(codes, dtype=dtype), index=found.index)
