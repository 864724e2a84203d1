"""What could be moved, how far the outcome goes with it, and how large a test of it must be."""

from __future__ import annotations

import math
from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any

import numpy as np
import pandas as pd

from nbutils.errors import UserError

from .coding import CROSS
from .fitting import Fit
from .outcomes import LINEAR

MOVABLE = ("easy", "hard", "not")
COLUMNS = (
    "lever",
    "predictor",
    "points",
    "low",
    "high",
    "movable",
    "per_arm",
    "per_arm_low",
    "shown",
)


def levers(
    fit: Fit,
    *,
    movable: Mapping[str, str],
    power: float = 0.8,
    alpha: float = 0.05,
    baseline: float | None = None,
) -> pd.DataFrame:
    """Rank what a product could move by the effect that goes with a realistic step.

    The step is one unit of a number, or the round number next below its standard deviation where
    that is under 0.5 or above 20; and a change of level. Where an interaction of the predictor is
    significant, its effects by level of the other are listed in place of the one over all rows.
    The effects are associations: the test that each row sizes is there to find out whether moving
    the lever moves the outcome.

    Parameters
    ----------
    fit : Fit
    movable : mapping
        ``"easy"``, ``"hard"`` or ``"not"`` by predictor.
    power, alpha : float
        Of the test, two-sided.
    baseline : float, optional
        Share of the outcome in the control arm, between 0 and 1; otherwise the fitted one before
        the step. Without effect on a linear fit.

    Returns
    -------
    DataFrame
        `lever` (``"steps_completed: one more"``), `predictor`, `points`, `low`, `high` (as in
        `Fit.effects`, by the step), `movable`, `per_arm` (rows in each of two equal arms that show
        this effect with the stated power, if the whole arm makes the step), `per_arm_low` (the
        same for the end of the interval nearer to 0), `shown` (``"shown"`` or ``"not shown"``: the
        predictor is significant after Holm and the interval of the step excludes 0). First what is
        shown, the easy before the hard before what does not move, then by size. Sizes are missing
        where nothing is shown or nothing moves, or a share would leave 0 to 1.

    Raises
    ------
    UserError
        If `movable` lacks a predictor, names another or says anything else; if a share is not
        between 0 and 1.
    """
    _check(fit, movable)
    for name, value in (("power", power), ("alpha", alpha), ("baseline", baseline)):
        if value is not None and not 0 < value < 1:
            raise UserError(f"{name} is {value}; expected a share between 0 and 1.")
    rows = [
        _row(fit, effect, str(movable[effect["predictor"]]), (power, alpha, baseline))
        for effect in _listed(fit).to_dict("records")
    ]
    table = pd.DataFrame(rows, columns=list(COLUMNS))
    order = sorted(range(len(table)), key=lambda i: _rank(rows[i]))
    sizes = {"per_arm": "Int64", "per_arm_low": "Int64"}
    return table.iloc[order].reset_index(drop=True).astype(sizes)


def per_arm(
    control: float, treated: float, *, power: float = 0.8, alpha: float = 0.05
) -> int | None:
    """Size of each of two equal arms to tell two shares apart, two-sided.

    The normal approximation without continuity correction (Fleiss, Levin and Paik 2003,
    Statistical Methods for Rates and Proportions, 3rd edition, formula 4.14).

    Examples
    --------
    >>> per_arm(0.40, 0.45)
    1534
    """
    if not (0 < control < 1 and 0 < treated < 1) or control == treated:
        return None
    from scipy.special import ndtri

    middle = (control + treated) / 2
    apart = ndtri(1 - alpha / 2) * math.sqrt(2 * middle * (1 - middle))
    power_part = ndtri(power) * math.sqrt(control * (1 - control) + treated * (1 - treated))
    return math.ceil(((apart + power_part) / (treated - control)) ** 2)


def _check(fit: Fit, movable: Mapping[str, str]) -> None:
    names = list(fit.design.by_name)
    if missing := [name for name in names if name not in movable]:
        raise UserError(
            f"movable does not say whether '{missing[0]}' can be moved; expected one of "
            f"{', '.join(MOVABLE)} for each predictor: add it."
        )
    if unknown := [name for name in movable if name not in names]:
        near = get_close_matches(unknown[0], names, n=1)
        raise UserError(
            f"movable names '{unknown[0]}', which is no predictor of the fit; expected "
            f"{near[0] if near else ', '.join(names)}: correct it."
        )
    if wrong := [name for name in names if movable[name] not in MOVABLE]:
        raise UserError(
            f"movable says '{movable[wrong[0]]}' of '{wrong[0]}'; expected one of "
            f"{', '.join(MOVABLE)}."
        )


def _listed(fit: Fit) -> pd.DataFrame:
    """The effects over all rows, or by level where a significant interaction makes them differ."""
    crossed = _significant(fit) & {CROSS.join(pair) for pair in fit.design.interactions}
    apart = {
        name for pair in fit.design.interactions if CROSS.join(pair) in crossed for name in pair
    }
    effects = fit.effects
    by_level = effects["where"] != ""
    split = effects["predictor"].isin(apart & set(effects.loc[by_level, "predictor"]))
    other = [
        not at or any(_of(row, at) in (pair, pair[::-1]) for pair in _pairs(fit, crossed))
        for row, at in zip(effects["predictor"], effects["where"], strict=True)
    ]
    return effects[(by_level == split) & np.array(other)]


def _pairs(fit: Fit, crossed: set[str]) -> list[tuple[str, str]]:
    return [pair for pair in fit.design.interactions if CROSS.join(pair) in crossed]


def _of(predictor: str, where: str) -> tuple[str, str]:
    return predictor, where.split(" = ")[0]


def _significant(fit: Fit) -> set[str]:
    return set(fit.predictors.loc[fit.predictors["significant"], "predictor"])


def _row(
    fit: Fit, effect: Mapping[Any, Any], movable: str, asked: tuple[float, float, float | None]
) -> tuple[Any, ...]:
    amount, step = _step(fit, effect)
    points, low, high = (amount * effect[name] for name in ("points", "low", "high"))
    shown = effect["predictor"] in _significant(fit) and low * high > 0
    sizes: list[int | None] = [None, None]
    if shown and movable != "not":
        nearer = low if abs(low) < abs(high) else high
        sizes = [_size(fit, effect["before"], by, asked) for by in (points, nearer)]
    said = "shown" if shown else "not shown"
    return (step, effect["predictor"], points, low, high, movable, *sizes, said)


def _step(fit: Fit, effect: Mapping[Any, Any]) -> tuple[float, str]:
    """How many units the step is, and the step in words."""
    variable = fit.design.by_name[effect["predictor"]]
    where = f" where {effect['where']}" if effect["where"] else ""
    if variable.levels or variable.switch:
        return 1.0, f"{variable.name}: {effect['step']}{where}"
    if 0.5 <= variable.spread <= 20:
        return 1.0, f"{variable.name}: one more{where}"
    amount = _round(variable.spread)
    return amount, f"{variable.name}: {amount:,.12g} more{where}"


def _round(value: float) -> float:
    """The largest of 1, 2 and 5 times a power of ten that is not above the value."""
    power = 10.0 ** math.floor(math.log10(value))
    return float(max(k * power for k in (1, 2, 5) if k * power <= value))


def _size(
    fit: Fit, before: float, by: float, asked: tuple[float, float, float | None]
) -> int | None:
    power, alpha, baseline = asked
    if fit.kind != LINEAR:
        control = before / 100 if baseline is None else baseline
        return per_arm(control, control + by / 100, power=power, alpha=alpha)
    from scipy.special import ndtri

    # two means with the outcome's own spread (Fleiss, Levin and Paik's formula for shares, for
    # a common variance)
    reach = (ndtri(1 - alpha / 2) + ndtri(power)) * fit.spread / by
    return int(np.ceil(2 * reach**2))


def _rank(found: tuple[Any, ...]) -> tuple[bool, int, float]:
    _, _, points, _, _, movable, _, _, said = found
    return said != "shown", MOVABLE.index(movable), -abs(points)
