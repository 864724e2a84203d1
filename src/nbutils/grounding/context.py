"""The regression as the prompt carries it: what it shows in plain units, and what it cannot say."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from .coding import CROSS
from .fitting import Fit

LIMITS = (
    "This shows association, not cause: who differs in one of these may differ in much else; what "
    "is not significant may still have a small effect."
)


def context(fit: Fit) -> str:
    """The Regression block of a case.

    Parameters
    ----------
    fit : Fit
        See `nbutils.grounding.fit`.

    Returns
    -------
    str
        A head with kind, n, pseudo-R2 and outcome; a line for each predictor, what is supported
        first and the clearest before the others; last a line on what the regression cannot say.
        Within an interaction a coefficient holds at one level only, so the average effect in
        points stands alone there, with the levels that differ from it. Read back by
        `nbutils.facts.parse_regression`; `nbutils.claims.verify` holds answers against it.
    """
    size = "R2" if fit.kind == "linear" else "pseudo-R2"
    head = f"{fit.kind}, n={fit.n}, {size}={fit.pseudo_r2:.3f}, outcome {fit.outcome}"
    adjusted = ", p adjusted for several predictors" if len(fit.predictors) > 1 else ""
    shown = [line for name in _supported(fit) for line in _lines(fit, name)]
    none = fit.predictors[~fit.predictors["significant"]]
    none = none[~none["predictor"].str.contains(CROSS, regex=False)]
    shown += [
        f"- {r['predictor']}: not significant ({_p(r['p_adjusted'])})"
        for r in none.to_dict("records")
    ]
    return "\n".join([head + adjusted, *shown, LIMITS])


def _supported(fit: Fit) -> list[str]:
    """Predictors that the evidence supports, the clearest first; interactions are told in them."""
    effects = fit.effects[fit.effects["where"] == ""]
    width = (effects["high"] - effects["low"]).clip(lower=1e-12)
    clear = (effects["points"].abs() / width).groupby(effects["predictor"]).max()
    found = list(fit.predictors.loc[fit.predictors["significant"], "predictor"])
    return sorted((n for n in found if CROSS not in n), key=lambda name: -clear[name])


def _lines(fit: Fit, name: str) -> list[str]:
    """A line a term; a level that does not differ by itself from the reference is left out."""
    effects = fit.effects[fit.effects["predictor"] == name]
    average = effects[effects["where"] == ""]
    clear = average[average["low"] * average["high"] > 0] if len(average) > 1 else average
    crossed = fit.predictors["predictor"].map(lambda p: CROSS in p and name in p.split(CROSS))
    p = float(fit.predictors.set_index("predictor")["p_adjusted"][name])
    terms = fit.terms.set_index("term")
    return [
        f"- {row['term']}: {_figures(terms.loc[row['term']], fit.kind, bool(crossed.any()))}{_p(p)}"
        f"{_effect(row, _differing(effects, row), fit.kind)}"
        for row in clear.to_dict("records")
    ]


def _figures(term: pd.Series, kind: str, crossed: bool) -> str:
    if crossed:
        return ""
    said = f"coef {term['coefficient']:.3f}, "
    if kind != "linear":
        ends = f"[{term['odds_low']:.2f}, {term['odds_high']:.2f}]"
        said += f"odds ratio {term['odds_ratio']:.2f} {ends}, "
    return said


def _effect(row: Mapping[Any, Any], differing: str, kind: str) -> str:
    if kind == "linear":
        return ""
    ends = sorted((abs(row["low"]), abs(row["high"])))
    way = "more" if row["points"] > 0 else "less"
    sure = f" [{ends[0]:.1f}, {ends[1]:.1f}]" if row["low"] * row["high"] > 0 else ""
    return f"; {row['step']}: {abs(row['points']):.1f} points {way}{sure}{differing}"


def _differing(effects: pd.DataFrame, average: Mapping[Any, Any]) -> str:
    """The groups whose effect differs from the average beyond its own interval."""
    groups = effects[(effects["where"] != "") & (effects["step"] == average["step"])]
    same_sign = groups["points"] * average["points"] > 0
    apart = (groups["low"] > average["points"]) | (groups["high"] < average["points"])
    said = [
        f"{abs(r['points']):.1f} where {r['where']}"
        for r in groups[apart & same_sign].to_dict("records")
    ]
    return f" ({', '.join(said)})" if said else ""


def _p(p: float) -> str:
    return "p<0.001" if p < 0.001 else f"p={p:.3f}" if p < 0.1 else f"p={p:.2f}"
