"""Tasks with labels: accuracy, precision, recall and F1 by class, confusion, calibration."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from nbutils import stats
from nbutils.examples import URGENCIES, Example

from .showing import with_interval

MISSING = "none"


@dataclass(frozen=True)
class Labels:
    """What `urgency` finds, for readers.

    Attributes
    ----------
    table : DataFrame
        `by_class` in one column of text, with the columns of `confusion`.
    calibration : DataFrame
        See `calibration`.
    accuracy, calibrated : str
        A phrase each.
    """

    table: pd.DataFrame
    calibration: pd.DataFrame
    accuracy: str
    calibrated: str


def urgency(rows: pd.DataFrame, cases: Sequence[Example]) -> Labels:
    """How right a system is on urgency, from its rows of `answer`.

    Cases without accepted levels are left out.
    """
    accepted = {c.id: (c.meta.get("expect") or {}).get("urgency", []) for c in cases}
    known = rows[[bool(accepted.get(i)) for i in rows["id"]]]
    right = [accepted[i] for i in known["id"]]
    classes = by_class(right, list(known["urgency"]), URGENCIES)
    whole = classes.iloc[-1]
    sure = known[known["urgency_confidence"].notna()]
    bins, found = calibration(
        [float(x) for x in sure["urgency_confidence"]], [bool(x) for x in sure["urgency_ok"]]
    )
    accuracy = "no case has a label"
    if whole["accuracy"] is not None:
        said = with_interval(whole["accuracy"], whole["low"], whole["high"])
        accuracy = f"{said} of {whole['n']}"
    calibrated = "no probabilities are known"
    if found["brier"] is not None:
        calibrated = (
            f"mean confidence {sure['urgency_confidence'].mean():.2f}, right in "
            f"{sure['urgency_ok'].mean():.2f}, Brier score {found['brier']:.2f}, n = {len(sure)}"
        )
    given = confusion(right, list(known["urgency"]), URGENCIES).rename(columns={"right": "label"})
    given = given.astype(object)  # whole numbers stay whole beside the empty row of all
    scores = [
        ", ".join("none" if v is None else f"{v:.2f}" for v in row)
        for row in classes[["precision", "recall", "f1"]].itertuples(index=False)
    ]
    shown = classes[["label", "n"]].assign(**{"precision, recall, F1": scores})
    parts = shown.merge(given, how="left", on="label")
    return Labels(parts.where(parts.notna(), None), bins, accuracy, calibrated)


def by_class(
    accepted: Sequence[Sequence[str]], given: Sequence[str], levels: Sequence[str]
) -> pd.DataFrame:
    """How right the labels of a system are, class by class and in all.

    Parameters
    ----------
    accepted : sequence of sequence of str
        The labels that are right for each case, the best first. A case counts for the class given
        if that is accepted, else for the best.
    given : sequence of str
        The system's label; anything not in ``levels`` counts as `MISSING`.
    levels : sequence of str
        The classes, in order.

    Returns
    -------
    DataFrame
        ``label`` (each class, then ``all``), ``precision``, ``recall``, ``f1``, ``n`` (cases of the
        class), ``given`` (times it was given). For ``all``: ``precision`` is the mean over the
        classes (macro), as are the others; ``accuracy`` with ``low`` and ``high`` (Wilson)
        stands in that row alone. What is not defined is None.
    """
    truth, said = _pairs(accepted, given, levels)
    rows = []
    for level in levels:
        hit = sum(t == s == level for t, s in zip(truth, said, strict=True))
        n, times = truth.count(level), said.count(level)
        precision, recall = _share(hit, times), _share(hit, n)
        f1 = _share(2 * hit, n + times)
        rows.append(
            {
                "label": level,
                "precision": precision,
                "recall": recall,
                "f1": f1,
                "n": n,
                "given": times,
            }
        )
    right = sum(t == s for t, s in zip(truth, said, strict=True))
    whole = stats.wilson(right, len(truth))
    means = {k: _mean([r[k] for r in rows]) for k in ("precision", "recall", "f1")}
    total = {"label": "all", **means, "n": len(truth), "given": len(said) - said.count(MISSING)}
    rows.append({**total, "accuracy": whole.value, "low": whole.low, "high": whole.high})
    columns = ["label", "precision", "recall", "f1", "n", "given", "accuracy", "low", "high"]
    return pd.DataFrame(rows, columns=columns).astype(object).where(lambda f: f.notna(), None)


def confusion(
    accepted: Sequence[Sequence[str]], given: Sequence[str], levels: Sequence[str]
) -> pd.DataFrame:
    """Cases by what was right (rows) and what was given (columns), counts."""
    truth, said = _pairs(accepted, given, levels)
    columns = [*levels, *([MISSING] if MISSING in said else [])]
    rows = [
        {"right": level}
        | {
            f"given {c}": sum(t == level and s == c for t, s in zip(truth, said, strict=True))
            for c in columns
        }
        for level in levels
    ]
    return pd.DataFrame(rows)


def calibration(
    confidence: Sequence[float], right: Sequence[bool], bins: int = 5
) -> tuple[pd.DataFrame, dict[str, float | None]]:
    """Whether a model that says 80% is right in 80%.

    Parameters
    ----------
    confidence : sequence of float
        Probability that the model gave its own label, 0 to 1.
    right : sequence of bool
    bins : int
        Groups of equal size by confidence; fewer where values repeat.

    Returns
    -------
    tuple
        A frame with ``said`` (mean confidence), ``value`` (share right), ``low`` and ``high``
        (Wilson) and ``n``, one row a group; and ``brier`` (Brier 1950) and ``error``, the mean
        distance of the two weighted by n (expected calibration error), None without cases.
    """
    said, hit = np.asarray(confidence, dtype=float), np.asarray(right, dtype=float)
    if not len(said):
        columns = ["said", "value", "low", "high", "n"]
        return pd.DataFrame(columns=columns), {"brier": None, "error": None}
    groups = np.array_split(np.argsort(said, kind="stable"), min(bins, len(said)))
    rows = []
    for group in groups:
        share = stats.wilson(int(hit[group].sum()), len(group))
        rows.append({"said": float(said[group].mean()), **vars(share)})
    frame = pd.DataFrame(rows)
    apart = (frame["said"] - frame["value"]).abs()
    error = float((apart * frame["n"]).sum() / len(said))
    return frame, {"brier": float(((said - hit) ** 2).mean()), "error": error}


def _pairs(
    accepted: Sequence[Sequence[str]], given: Sequence[str], levels: Sequence[str]
) -> tuple[list[str], list[str]]:
    said = [s if s in levels else MISSING for s in given]
    pairs = zip(accepted, said, strict=True)
    return [s if s in right else right[0] for right, s in pairs], said


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None


def _mean(values: Sequence[object]) -> float | None:
    known = [float(v) for v in values if isinstance(v, int | float)]
    return sum(known) / len(known) if known else None
