"""All systems together: measures with intervals, and paired comparisons."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import pandas as pd

from nbutils import stats
from nbutils.examples import URGENCIES, Example


@dataclass(frozen=True)
class Measure:
    """One thing measured: ``numerator`` and ``denominator`` name columns of the scored rows."""

    name: str
    layer: str
    label: str
    numerator: str
    denominator: str | None = None


MEASURES = (
    Measure("house_form", "1 Format", "Answers in the house form", "house_form"),
    Measure("stopped", "1 Format", "Answers that end by themselves", "stopped"),
    Measure("numbers_right", "2 Facts", "Numbers right, of those stated", "supported", "checked"),
    Measure("faithful", "2 Facts", "Answers with numbers, none wrong", "faithful"),
    Measure("digit_score", "2 Facts", "Digit strings found in the input", "digits"),
    Measure("urgency_ok", "Judgement", "Urgency an analyst accepts", "urgency_ok", "urgency_known"),
)


def _counts(rows: pd.DataFrame, measure: Measure) -> tuple[Any, Any]:
    """Numerator and denominator by case; what is undefined for a case counts as no item."""
    top = rows[measure.numerator].astype(float)
    bottom = pd.Series(1.0, index=rows.index)
    if measure.denominator:
        bottom = rows[measure.denominator].astype(float)
    bottom = bottom.where(top.notna(), 0.0)
    return top.where(bottom > 0, 0.0).fillna(0.0).to_numpy(), bottom.to_numpy()


def summarize(scored: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Every measure of every system with its interval.

    Parameters
    ----------
    scored : mapping of str to DataFrame
        System to its rows from `answer`.

    Returns
    -------
    DataFrame
        ``layer``, ``metric``, ``label``, ``unit``, ``better``, ``system``, ``value``, ``low``,
        ``high``, ``n`` (cases with at least one item).
    """
    rows = []
    for measure in MEASURES:
        for system, frame in scored.items():
            estimate = _estimate(frame, measure)
            fixed = {
                "layer": measure.layer,
                "metric": measure.name,
                "label": measure.label,
                "unit": "share",
                "better": "up",
            }
            rows.append({**fixed, "system": system, **asdict(estimate)})
    return pd.DataFrame(rows)


def _estimate(frame: pd.DataFrame, measure: Measure) -> stats.Estimate:
    top, bottom = _counts(frame, measure)
    if measure.denominator is None and frame[measure.numerator].dtype == bool:
        return stats.wilson(int(top.sum()), len(frame))
    return stats.ratio(top, bottom)


def compare(scored: Mapping[str, pd.DataFrame], candidate: str) -> pd.DataFrame:
    """The candidate against every other system, paired by case.

    Returns
    -------
    DataFrame
        ``metric``, ``label``, ``baseline``, ``candidate``, ``difference``, ``low``, ``high``,
        ``p``, ``n``, ``outcome``.
    """
    rows = []
    for measure in MEASURES:
        for system in scored:
            if system == candidate:
                continue
            found = stats.compare(
                _counts(scored[system], measure), _counts(scored[candidate], measure)
            )
            named = {
                "metric": measure.name,
                "label": measure.label,
                "baseline": system,
                "candidate": candidate,
            }
            rows.append(named | asdict(found))
    return pd.DataFrame(rows)


def pick_examples(
    rows: pd.DataFrame, cases: Sequence[Example], system: str
) -> list[dict[str, Any]]:
    """A typical, the best and the worst answer of a system, by rule and not by taste.

    Ranked by house form, share of numbers right, urgency accepted, then id; the typical one is
    the middle of the ranking.
    """
    right = (rows["supported"] / rows["checked"]).where(rows["checked"] > 0, 0.0)
    order = rows.assign(right=right).sort_values(
        ["house_form", "right", "urgency_ok", "checked", "id"],
        ascending=[False, False, False, False, True],
    )
    inputs = {c.id: c.input for c in cases}
    places = {"typical": len(order) // 2, "best": 0, "worst": len(order) - 1}
    found = []
    for kind, place in places.items():
        row = order.iloc[place]
        found.append(
            {
                "kind": kind,
                "id": row["id"],
                "system": system,
                "input": inputs[row["id"]],
                "output": row["output"],
                "claims": row["claims"],
            }
        )
    return found


def prediction_rows(answers: Mapping[str, list[dict[str, Any]]]) -> list[dict[str, Any]]:
    """Every answer with its scores, without the single claims; one row a system and case."""
    return [
        {"system": system, **{k: v for k, v in row.items() if k != "claims"}}
        for system, rows in answers.items()
        for row in rows
    ]


def claim_rows(answers: Mapping[str, list[dict[str, Any]]]) -> list[dict[str, Any]]:
    """Every number of every answer with its verdict; one row a claim."""
    return [
        {"system": system, "id": row["id"], **claim}
        for system, rows in answers.items()
        for row in rows
        for claim in row["claims"]
    ]


def wide(summary: pd.DataFrame) -> pd.DataFrame:
    """The summary with a column a system, as ``value [low, high]``: for a table."""
    frame = summary.copy()
    frame["shown"] = [_interval(r) for r in frame.to_dict("records")]
    order = list(dict.fromkeys(frame["system"]))
    table = frame.pivot(index=["layer", "label"], columns="system", values="shown")[order]
    labels = [(m.layer, m.label) for m in MEASURES]
    return table.loc[labels].reset_index()


def _interval(row: Mapping[Any, Any]) -> str:
    if row["value"] is None or pd.isna(row["value"]):
        return "no value"
    if row["low"] is None or pd.isna(row["low"]):
        return f"{row['value']:.2f} (n={row['n']})"
    return f"{row['value']:.2f} [{row['low']:.2f}, {row['high']:.2f}]"


def headline(summary: pd.DataFrame) -> dict[str, float | None]:
    """Format and numbers of each system, for the stage's record."""
    picked = summary[summary["metric"].isin(["house_form", "numbers_right"])]
    return {
        f"{r['system']}_{r['metric']}": None if pd.isna(r["value"]) else r["value"]
        for r in picked.to_dict("records")
    }


def scores(
    form: str,
    prompt: str,
    summary: pd.DataFrame,
    compared: pd.DataFrame,
    examples: list[dict[str, Any]],
    cases: Sequence[Example],
) -> dict[str, Any]:
    """Content of ``scores.json``, from which the front page is built."""
    return {
        "form": form,
        "n": len(cases),
        "systems": [
            {"name": "base", "label": "Base, zero-shot", "role": "baseline"},
            {"name": "prompted", "label": f"Base, {prompt} in the prompt", "role": "baseline"},
            {"name": "tuned", "label": "Fine-tuned", "role": "candidate"},
        ],
        "metrics": _rows(summary),
        "comparisons": _rows(compared),
        "examples": examples,
        "does_not_show": [
            *_constant_urgency(cases),
            "Whether the recommended actions are good ones: no person has rated them.",
            f"How the model does on cases unlike these {len(cases)}, or on another company's.",
            "What training again with another seed would give: one adapter was trained.",
            "How a larger base model would do, tuned or prompted.",
        ],
    }


def _constant_urgency(cases: Sequence[Example]) -> list[str]:
    """The constant answer as a reference: what always writing the same urgency would reach."""
    accepted = [c.meta.get("expect", {}).get("urgency", []) for c in cases]
    if not any(accepted):
        return []
    level = max(URGENCIES, key=lambda u: sum(u in a for a in accepted))
    share = sum(level in a for a in accepted) / len(accepted)
    return [f"That urgency was judged: always writing '{level}' would be accepted in {share:.0%}."]


def _rows(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Rows for JSON, with None where a value is not defined."""
    return [
        {str(k): None if not isinstance(v, list) and pd.isna(v) else v for k, v in row.items()}
        for row in frame.to_dict("records")
    ]
