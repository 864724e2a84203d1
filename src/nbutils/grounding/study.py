"""What is studied: a table, its outcome, its predictors, and how it becomes cases."""

from __future__ import annotations

import difflib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from nbutils.errors import UserError
from nbutils.runs import Run

from .cases import Groups
from .levers import MOVABLE
from .tables import read_table

KEYS = ("interactions", "cluster", "time", "by", "metric", "unit", "about", "changes", "truth")


@dataclass(frozen=True)
class Study:
    """A table with what it is studied for; made by `open_study`.

    Attributes
    ----------
    table : DataFrame
        One row a person.
    outcome : str
        Its column.
    predictors : dict
        Column to how movable it is: ``"easy"``, ``"hard"``, ``"not"``.
    fitting : dict
        Keyword arguments of `nbutils.grounding.fit`: ``interactions``, ``cluster``.
    groups : Groups
        How the table becomes cases.
    changes : DataFrame or None
        Log of changes, see `nbutils.grounding.table_cases`.
    truth : dict
        Planted effects of simulated data, ``coefficients`` and ``effects_points`` by term; empty
        for real data.
    """

    table: pd.DataFrame
    outcome: str
    predictors: dict[str, str]
    fitting: dict[str, Any] = field(default_factory=dict)
    groups: Groups = field(default_factory=Groups)
    changes: pd.DataFrame | None = None
    truth: dict[str, Any] = field(default_factory=dict)


def open_study(
    run: Run,
    folder: Path,
    table: str,
    *,
    outcome: str = "",
    predictors: Mapping[str, str] | None = None,
    design: Mapping[str, Any] | None = None,
) -> Study:
    """Read a table with its description; the hashes of all files go into the run's record.

    A file of the table's name that ends in ``.yaml`` describes it: ``outcome``, ``predictors`` and
    the keys of ``design``. What is given here counts before the file.

    Parameters
    ----------
    run : Run
        The run.
    folder : Path
        The task's data.
    table : str
        See `read_table`.
    outcome : str
        Column; empty: as the description says.
    predictors : mapping of str to str
        Column to how movable it is; empty: as the description says.
    design : mapping
        ``interactions`` (pairs of predictors), ``cluster`` (column), ``time``, ``by`` (groupings,
        columns of one joined by ``+``), ``metric``, ``unit``, ``about``, ``changes`` and ``truth``
        (files beside the table).

    Raises
    ------
    UserError
        If the outcome or the predictors are not given, or a setting is unknown or wrong.
    """
    frame, path = read_table(table, folder)
    said = _description(run, path)
    asked = {**said, **(design or {})}
    settings = {k: v for k, v in asked.items() if k not in ("outcome", "predictors")}
    _check(settings, KEYS, "DESIGN")
    outcome = outcome or str(said.get("outcome", ""))
    movable = dict(predictors or said.get("predictors") or {})
    _check_named(outcome, movable, table)
    beside = path.parent if path else Path(folder)
    if path:
        run.input(path)
    changes, truth = settings.get("changes"), settings.get("truth")
    return Study(
        table=frame,
        outcome=outcome,
        predictors=movable,
        fitting=_fitting(settings, outcome, movable),
        groups=_groups(settings),
        changes=pd.read_csv(run.input(beside / changes)) if changes else None,
        truth=json.loads(run.input(beside / truth).read_text("utf-8")) if truth else {},
    )


def _description(run: Run, path: Path | None) -> dict[str, Any]:
    file = path.with_suffix(".yaml") if path else None
    if file is None or not file.is_file():
        return {}
    try:
        said = yaml.safe_load(run.input(file).read_text("utf-8"))
    except yaml.YAMLError as error:
        raise UserError(f"{file.name} is not YAML ({error}): mend it or remove it.") from None
    if not isinstance(said, dict):
        raise UserError(f"{file.name} holds no settings; expected 'outcome: ...' and others.")
    return said


def _check(settings: Mapping[str, Any], known: tuple[str, ...], where: str) -> None:
    for key in settings:
        if key not in known:
            near = difflib.get_close_matches(str(key), known, 1)
            hint = f"did you mean {near[0]}?" if near else "remove it."
            raise UserError(f"{where} has '{key}'; expected of {', '.join(known)}: {hint}")


def _check_named(outcome: str, movable: Mapping[str, str], table: str) -> None:
    if not outcome or not movable:
        what = "outcome" if not outcome else "predictors"
        raise UserError(
            f"no {what} named for {table}: set {what.upper()}, e.g. OUTCOME = 'churned' and "
            f"PREDICTORS = {{'tickets': 'easy'}}, or write them into a YAML file of its name."
        )
    for name, how in movable.items():
        if how not in MOVABLE:
            raise UserError(
                f"PREDICTORS says that '{name}' is {how!r} to move; expected one of "
                f"{', '.join(MOVABLE)}."
            )


def _fitting(
    settings: Mapping[str, Any], outcome: str, movable: Mapping[str, str]
) -> dict[str, Any]:
    pairs = [tuple(pair) for pair in settings.get("interactions") or ()]
    for pair in pairs:
        if len(pair) != 2 or not set(pair) <= set(movable):
            raise UserError(
                f"the interaction {list(pair)} is not a pair of predictors of {outcome}; expected "
                f"two of {', '.join(movable)}."
            )
    return {"interactions": pairs, "cluster": settings.get("cluster")}


def _groups(settings: Mapping[str, Any]) -> Groups:
    by = tuple(tuple(c.strip() for c in str(g).split("+")) for g in settings.get("by") or ())
    words = {k: str(settings[k]) for k in ("metric", "unit", "about", "time") if settings.get(k)}
    return Groups(by=by, **words)
