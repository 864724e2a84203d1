"""A fit and its experiment as tables, figures and records for readers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from nbutils.records import json_rows

from .coding import CROSS
from .context import context
from .diagnostics import Diagnosis
from .fitting import Fit
from .outcomes import LINEAR

FITTED, PLANTED = "fitted", "planted"
INTERCEPT = "(intercept)"


def missing(fit: Fit, table: pd.DataFrame) -> pd.DataFrame:
    """What each column holds, and whether those who lack it differ in the outcome.

    Returns
    -------
    DataFrame
        ``column``, ``holds`` (range or levels), ``missing`` (rows), ``outcome_missing``,
        ``outcome_present`` (mean of the outcome there and elsewhere), ``p`` (that they differ).
    """
    frame = fit.dropped.copy()
    frame.insert(1, "holds", [_holds(table[column]) for column in frame["column"]])
    return frame


def _holds(values: pd.Series) -> str:
    known = values.dropna()
    if pd.api.types.is_numeric_dtype(known) and not pd.api.types.is_bool_dtype(known):
        return f"{known.min():g} to {known.max():g}"
    return ", ".join(str(level) for level in known.value_counts().index[:5])


def terms(fit: Fit) -> pd.DataFrame:
    """The coefficients for a table.

    Returns
    -------
    DataFrame
        ``term``, ``compared_with`` (reference level), ``value``, ``low``, ``high`` (odds ratio;
        coefficient of a linear fit), ``p`` (of the whole predictor, Holm) and ``supported``.
    """
    rows = fit.terms[fit.terms["predictor"] != INTERCEPT]
    linear = fit.kind == LINEAR
    columns = ("coefficient", "low", "high") if linear else ("odds_ratio", "odds_low", "odds_high")
    tests = fit.predictors.set_index("predictor")
    return pd.DataFrame(
        {
            "term": list(rows["term"]),
            "compared_with": [reference or "one less" for reference in rows["reference"]],
            **{k: list(rows[c]) for k, c in zip(("value", "low", "high"), columns, strict=True)},
            "p": [tests.loc[p, "p_adjusted"] for p in rows["predictor"]],
            "supported": [
                "yes" if tests.loc[p, "significant"] else "no" for p in rows["predictor"]
            ],
        }
    )


def coefficients(fit: Fit, truth: Mapping[str, Any]) -> pd.DataFrame:
    """Coefficients beside what was planted, for a figure.

    Parameters
    ----------
    fit : Fit
    truth : mapping
        ``coefficients`` by term; empty for data that nobody planted.

    Returns
    -------
    DataFrame
        ``label``, ``source`` (``"fitted"``, ``"planted"``), ``value``, ``low``, ``high``.
    """
    rows = fit.terms[fit.terms["predictor"] != INTERCEPT]
    fitted = rows[["term", "coefficient", "low", "high"]]
    return _beside(
        fitted.set_axis(["label", "value", "low", "high"], axis=1), truth, "coefficients"
    )


def effects(fit: Fit, truth: Mapping[str, Any]) -> pd.DataFrame:
    """Average marginal effects beside what was planted; columns as of `coefficients`."""
    fitted = fit.effects[["term", "points", "low", "high"]].copy()
    where = fit.effects["where"] != ""
    fitted.loc[where, "term"] = fitted.loc[where, "term"].str.replace(" where ", CROSS, n=1)
    points = {"points": (truth.get("effects_points") or {}).get("points") or {}}
    frame = _beside(fitted.set_axis(["label", "value", "low", "high"], axis=1), points, "points")
    frame["label"] = frame["label"].str.replace(CROSS, ", ", n=1)
    return frame


def _beside(fitted: pd.DataFrame, truth: Mapping[str, Any], key: str) -> pd.DataFrame:
    planted = dict(truth.get(key) or {})
    own = [
        {"label": label, "value": planted[label]} for label in fitted["label"] if label in planted
    ]
    parts = [fitted.assign(source=FITTED)]
    if own:
        parts.append(pd.DataFrame(own).assign(source=PLANTED, low=float("nan"), high=float("nan")))
    return pd.concat(parts, ignore_index=True)


def recovered(frame: pd.DataFrame) -> str:
    """How many planted values the intervals hold, in a clause."""
    planted = frame[frame["source"] == PLANTED].set_index("label")["value"]
    if planted.empty:
        return "nothing is planted in this table"
    fitted = frame[frame["source"] == FITTED].set_index("label").loc[planted.index]
    held = int(((fitted["low"] <= planted) & (planted <= fitted["high"])).sum())
    return f"{held} of {len(planted)} planted values lie within the 95% interval"


def wide(summary: pd.DataFrame) -> pd.DataFrame:
    """The measures with a column a block, as ``value [low, high] (n)``."""
    frame = summary.copy()
    frame["shown"] = [_shown(row) for row in frame.to_dict("records")]
    order = list(dict.fromkeys(frame["block"]))
    labels = list(dict.fromkeys(frame["label"]))
    table = frame.pivot(index="label", columns="block", values="shown").loc[labels, order]
    return table.rename(columns=lambda block: f"{block} block").reset_index()


def _shown(row: Mapping[Any, Any]) -> str:
    if row["value"] is None or pd.isna(row["value"]):
        return "nothing to count"
    ends = "" if pd.isna(row["low"]) else f" [{row['low']:.2f}, {row['high']:.2f}]"
    return f"{row['value']:.2f}{ends}, n={row['n']}"


def examples(rows: pd.DataFrame) -> list[dict[str, Any]]:
    """One case under every block: the first whose series moved."""
    known = rows[rows["lever_known"] > 0]
    some = (known if len(known) else rows)["id"].iloc[0]
    return [
        {
            "kind": f"{row['block']} the block" if row["block"] != "shuffled" else "shuffled block",
            **{k: row[k] for k in ("id", "input", "output", "claims")},
        }
        for row in rows[rows["id"] == some].to_dict("records")
    ]


def verdict(summary: pd.DataFrame, compared: pd.DataFrame) -> str:
    """What the experiment shows of the recommendations, in a sentence."""
    levers = summary[summary["metric"] == "lever"].set_index("block")
    own = levers.loc["with"]
    if not own["n"]:
        return "Whether the regression changes the recommendations is not shown: no case counts."
    said = []
    for baseline, words in (("without", "without it"), ("shuffled", "with its figures shuffled")):
        row = compared[(compared["metric"] == "lever") & (compared["baseline"] == baseline)].iloc[0]
        said.append(f"{levers['value'][baseline]:.0%} {words} ({row['outcome']})")
    return (
        f"With the regression in the prompt the recommendation acts on a supported lever in "
        f"{own['value']:.0%} of {own['n']} cases that moved, against {' and '.join(said)}."
    )


def regression_record(fit: Fit, diagnosis: Diagnosis, levers: pd.DataFrame) -> dict[str, Any]:
    """Content of ``regression.json``."""
    return {
        "kind": fit.kind,
        "outcome": fit.outcome,
        "n": fit.n,
        "rows": fit.rows,
        "events": fit.events,
        "pseudo_r2": fit.pseudo_r2,
        "terms": json_rows(fit.terms),
        "predictors": json_rows(fit.predictors),
        "effects": json_rows(fit.effects),
        "dropped": json_rows(fit.dropped),
        "notes": list(fit.notes),
        "checks": json_rows(diagnosis.checks),
        "calibration": json_rows(diagnosis.calibration),
        "levers": json_rows(levers),
        "context": context(fit),
    }


def grounding_record(
    rows: pd.DataFrame, summary: pd.DataFrame, compared: pd.DataFrame
) -> dict[str, Any]:
    """Content of ``grounding.json``."""
    return {
        "n": int(rows["id"].nunique()),
        "verdict": verdict(summary, compared),
        "metrics": json_rows(summary),
        "comparisons": json_rows(compared),
    }


def headline(summary: pd.DataFrame) -> dict[str, float | None]:
    """The measure that counts under each block, for the stage's record."""
    rows = summary[summary["metric"].isin(["lever", "figures"])]
    return {
        f"{r['metric']}_{r['block']}": None if pd.isna(r["value"]) else float(r["value"])
        for r in rows.to_dict("records")
    }
