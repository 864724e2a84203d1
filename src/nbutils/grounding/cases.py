"""From a user-level table to cases: the outcome by period, one case for each group of users."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from nbutils.errors import UserError
from nbutils.examples import PERIODS, Example

INSTRUCTION = (
    "Analyze the following trend, using the regression where it helps, and recommend an action."
)
# with fewer people a period a share is mostly chance
FEWEST = 8


@dataclass(frozen=True)
class Groups:
    """How a table becomes cases; made by `nbutils.grounding.settings`.

    Attributes
    ----------
    time : str
        Column with the number of the period, called by its unit (``"week"``); empty: no cases.
    by : tuple of tuple of str
        Groupings, each a set of columns whose values make the groups.
    metric : str
        What the outcome is called, with its definition in brackets.
    unit : str
        What a row is, in the plural.
    about : str
        What the product is.
    """

    time: str = ""
    by: tuple[tuple[str, ...], ...] = ()
    metric: str = ""
    unit: str = "users"
    about: str = ""


def table_cases(
    table: pd.DataFrame,
    outcome: str,
    groups: Groups,
    changes: pd.DataFrame | None = None,
) -> list[Example]:
    """Write a case for each group: the outcome by period, its size, and what was changed.

    Parameters
    ----------
    table : DataFrame
        One row a person.
    outcome : str
        Column of 0 and 1, shown as a share, or of numbers, shown as a mean.
    design : Groups
        Groupings, time and names.
    changes : DataFrame, optional
        Log of changes: some columns of a grouping (a change counts for every group with these
        values), the time, and ``change`` (a sentence).

    Returns
    -------
    list of Example
        Without reference answers; groups with fewer than 8 people a period at the mean, or fewer
        than 4 periods, are left out. In the order of the groupings and of the groups' values.

    Raises
    ------
    UserError
        If a column is missing, or the time is not a number.
    """
    if not groups.time:
        return []
    _check(table, [outcome, groups.time, *(c for by in groups.by for c in by)], groups.time)
    found = []
    for by in groups.by:
        parts = table.dropna(subset=list(by)).groupby(list(by), observed=True)
        for values, part in parts:
            key = dict(zip(by, values, strict=True))
            found += _case(part, key, outcome, groups, _of(changes, key, groups.time))
    return found


def _check(table: pd.DataFrame, columns: Sequence[str], time: str) -> None:
    lacking = [c for c in columns if c not in table.columns]
    if lacking:
        raise UserError(
            f"the table has no column '{lacking[0]}'; it has {', '.join(map(str, table.columns))}: "
            f"correct DESIGN or OUTCOME."
        )
    if not pd.api.types.is_numeric_dtype(table[time]):
        raise UserError(
            f"column '{time}' holds {table[time].iloc[0]!r}; expected the number of the period, "
            f"1 for the first: number the periods."
        )


def _of(changes: pd.DataFrame | None, key: Mapping[str, Hashable], time: str) -> pd.DataFrame:
    """The logged changes that concern a group."""
    if changes is None:
        return pd.DataFrame()
    if not {time, "change"} <= set(changes.columns):
        raise UserError(
            f"the log of changes has the columns {', '.join(map(str, changes.columns))}; expected "
            f"'{time}' and 'change', and columns of the groups: rename them."
        )
    own = [c for c in changes.columns if c not in (time, "change")]
    if not set(own) <= set(key):
        return pd.DataFrame()
    return changes[(changes[own] == pd.Series({c: key[c] for c in own})).all(axis=1)]


def _case(
    part: pd.DataFrame,
    key: Mapping[str, Hashable],
    outcome: str,
    groups: Groups,
    changes: pd.DataFrame,
) -> list[Example]:
    known = part.dropna(subset=[outcome, groups.time])
    if known.empty:
        return []
    first, last = (int(end(known[groups.time])) for end in (min, max))
    count = last - first + 1
    size = len(known) / count
    if count < 4 or size < FEWEST:
        return []
    means = known.groupby(groups.time)[outcome].mean().reindex(range(first, last + 1))
    period = groups.time if groups.time in PERIODS else "period"
    about = [groups.about, *(f"{c.replace('_', ' ')} {v}" for c, v in key.items())]
    lines = [
        f"Metric: {groups.metric or f'Mean {outcome}'}",
        f"Context: {', '.join(t for t in about if t)}",
        f"Data: [{', '.join(_shown(v) for v in means)}] (last {count} {period}s)",
        f"Cohort size: ~{size:.0f} {groups.unit} per {period}",
        f"Recent changes: {_logged(changes, groups.time, last, period)}",
    ]
    name = "/".join(map(str, key.values()))
    return [Example(f"table:{name}", INSTRUCTION, "\n".join(lines), "", {"group": name})]


def _shown(value: float) -> str:
    return "null" if pd.isna(value) else f"{value:.2f}"


def _logged(changes: pd.DataFrame, time: str, last: int, period: str) -> str:
    said = [
        f"{row['change']} ({last - row[time] + 1} {period}s ago)"
        for row in changes.to_dict("records")
    ]
    return "; ".join(said) or "none known"
