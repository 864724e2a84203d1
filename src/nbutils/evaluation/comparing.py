"""All systems together: measures with intervals, and paired comparisons."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import pandas as pd

from nbutils import stats
from nbutils.examples import URGENCIES, Example
from nbutils.records import json_rows

from .showing import with_interval


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
    Measure("simple_form", "1 Format", "The four simple checks", "simple_form"),
    Measure("stopped", "1 Format", "Answers that end by themselves", "stopped"),
    Measure("numbers_right", "2 Facts", "Numbers right, of those checked", "supported", "checked"),
    Measure("coverage", "2 Facts", "Numbers checked, of those stated", "checked", "stated"),
    Measure("faithful", "2 Facts", "Answers with numbers, none wrong", "faithful"),
    Measure("digit_score", "2 Facts", "Digit strings found in the input", "digits"),
    Measure(
        "direction_ok", "Judgement", "Direction as expected", "direction_ok", "direction_known"
    ),
    Measure("timing_ok", "Judgement", "Period of the turn named", "timing_ok", "timing_known"),
    Measure("urgency_ok", "Judgement", "Urgency an analyst accepts", "urgency_ok", "urgency_known"),
    Measure("action_ok", "Judgement", "Action concrete, open and new", "action_ok"),
)
# variants answer fewer cases or are other uses of the same model: no baselines of the front page
ROLES = {
    "tuned": "candidate",
    "composed": "reference",
    **dict.fromkeys(("retrieved", "no_facts", "best_of"), "variant"),
}


def _counts(rows: pd.DataFrame, wanted: Measure) -> tuple[Any, Any]:
    """Numerator and denominator by case; what is undefined for a case counts as no item."""
    top = rows[wanted.numerator].astype(float)
    bottom = pd.Series(1.0, index=rows.index)
    if wanted.denominator:
        bottom = rows[wanted.denominator].astype(float)
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
    for one in MEASURES:
        for system, frame in scored.items():
            fixed = {
                "layer": one.layer,
                "metric": one.name,
                "label": one.label,
                "unit": "share",
                "better": "up",
            }
            rows.append({**fixed, "system": system, **asdict(estimate(frame, one))})
    return pd.DataFrame(rows)


def estimate(frame: pd.DataFrame, wanted: Measure) -> stats.Estimate:
    """A measure of one system with its interval."""
    top, bottom = _counts(frame, wanted)
    if wanted.denominator is None and frame[wanted.numerator].dtype == bool:
        return stats.wilson(int(top.sum()), len(frame))
    return stats.ratio(top, bottom)


def compare(scored: Mapping[str, pd.DataFrame], candidate: str) -> pd.DataFrame:
    """The candidate against every other system, paired by case.

    Returns
    -------
    DataFrame
        ``metric``, ``label``, ``baseline``, ``candidate``, then the fields of
        `nbutils.stats.Comparison`. Only cases that both have answered are compared.
    """
    rows = []
    for one in MEASURES:
        for system in scored:
            if system == candidate:
                continue
            named = {
                "metric": one.name,
                "label": one.label,
                "baseline": system,
                "candidate": candidate,
            }
            found = paired(scored[system], scored[candidate], one)
            rows.append(named | asdict(found))
    return pd.DataFrame(rows)


def paired(baseline: pd.DataFrame, candidate: pd.DataFrame, wanted: Measure) -> stats.Comparison:
    """One measure of two systems, on the cases that both have answered."""
    both = [i for i in candidate["id"] if i in set(baseline["id"])]
    frames = [f.set_index("id").loc[both] for f in (baseline, candidate)]
    return stats.compare(_counts(frames[0], wanted), _counts(frames[1], wanted))


def measure(name: str) -> Measure:
    """The measure of this name."""
    return next(m for m in MEASURES if m.name == name)


def unanswered(scored: Mapping[str, pd.DataFrame], asked: Mapping[str, Sequence[str]]) -> list[str]:
    """A sentence for each system that lacks answers to cases it was asked.

    Parameters
    ----------
    scored : mapping of str to DataFrame
        System to its rows.
    asked : mapping of str to sequence of str
        System to the ids of the cases it was asked.
    """
    said = []
    for system, ids in asked.items():
        lacking = [i for i in ids if i not in set(scored[system]["id"])]
        if lacking:
            more = f" and {len(lacking) - 5} more" if len(lacking) > 5 else ""
            said.append(
                f"{system}: {len(lacking)} of {len(ids)} cases have no answer "
                f"({', '.join(lacking[:5])}{more}); they are left out of its scores and "
                f"comparisons."
            )
    return said


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


def prediction_rows(
    answers: Mapping[str, list[dict[str, Any]]], rated: Sequence[str]
) -> list[dict[str, Any]]:
    """Every answer with its scores, without the single claims; one row a system and case.

    ``to_rate`` says whether people are asked to rate it: the answers of the systems in ``rated``.
    """
    return [
        {
            "system": system,
            **{k: v for k, v in row.items() if k != "claims"},
            "to_rate": system in rated,
        }
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


def wide(
    summary: pd.DataFrame, systems: Sequence[str] = (), names: Mapping[str, str] | None = None
) -> pd.DataFrame:
    """The summary with a column a system (these, or all), as ``value [low, high]``: for a table.

    Columns carry the systems' names for readers, where those are given.
    """
    frame = summary.copy()
    frame["shown"] = [_shown(r) for r in frame.to_dict("records")]
    order = list(systems or dict.fromkeys(frame["system"]))
    table = frame.pivot(index=["layer", "label"], columns="system", values="shown")[order]
    labels = [(m.layer, m.label) for m in MEASURES]
    return table.loc[labels].reset_index().rename(columns=dict(names or {}))


def _shown(row: Mapping[Any, Any]) -> str:
    text = with_interval(row["value"], row["low"], row["high"])
    without = pd.notna(row["value"]) and pd.isna(row["low"])
    return f"{text} (n={row['n']})" if without else text


def headline(summary: pd.DataFrame) -> dict[str, float | None]:
    """Format and numbers of each system, for the stage's record."""
    picked = summary[summary["metric"].isin(["house_form", "numbers_right"])]
    return {
        f"{r['system']}_{r['metric']}": None if pd.isna(r["value"]) else r["value"]
        for r in picked.to_dict("records")
    }


def scores(
    summary: pd.DataFrame,
    compared: pd.DataFrame,
    examples: list[dict[str, Any]],
    cases: Sequence[Example],
    *,
    form: str,
    names: Mapping[str, str],
    notes: Sequence[str] = (),
) -> dict[str, Any]:
    """Content of ``scores.json``, from which the front page is built.

    Parameters
    ----------
    summary, compared : DataFrame
        See `summarize` and `compare`.
    examples : list of dict
        See `pick_examples`.
    cases : sequence of Example
        The held-out cases.
    form : str
        Form of the answers.
    names : mapping of str to str
        System to its name for readers, in the order of the columns.
    notes : sequence of str
        Further sentences on what is not shown.
    """
    return {
        "form": form,
        "n": len(cases),
        "systems": [
            {"name": name, "label": label, "role": ROLES.get(name, "baseline")}
            for name, label in names.items()
        ],
        "metrics": json_rows(summary),
        "comparisons": json_rows(compared),
        "examples": examples,
        "does_not_show": [
            *notes,
            *_constant_urgency(cases),
            "Whether the recommended actions are good ones: rules see only that they are concrete, "
            "open and new.",
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
