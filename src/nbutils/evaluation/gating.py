"""The gate, which says whether the model may be used."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from .comparing import MEASURES

_SYSTEMS = {"base": "the untuned base", "prompted": "the base with its best prompt"}


def gate(
    summary: pd.DataFrame,
    compared: pd.DataFrame,
    *,
    candidate: str,
    baseline: str,
    thresholds: Mapping[str, float],
) -> dict[str, Any]:
    """Decide whether the candidate passes, with the reason for each check.

    Parameters
    ----------
    thresholds : mapping of str to float
        Metric to the value that the candidate must reach; it must also be better than the
        baseline, shown and not only seen.

    Returns
    -------
    dict
        ``passed``, ``verdict`` (a sentence) and ``checks`` (list of dict with ``metric``,
        ``requirement``, ``passed``, ``reason``).
    """
    checks = []
    for metric, least in thresholds.items():
        own = summary[(summary["metric"] == metric) & (summary["system"] == candidate)].iloc[0]
        pair = compared[(compared["metric"] == metric) & (compared["baseline"] == baseline)].iloc[0]
        reached = pd.notna(own["value"]) and own["value"] >= least
        checks.append(
            {
                "metric": metric,
                "requirement": f"at least {least:.2f}, and shown to be better than "
                f"{_SYSTEMS[baseline]}",
                "passed": bool(reached and pair["outcome"] == "better"),
                "reason": f"{_share(own['value'])} on {own['n']} cases; against "
                f"{_SYSTEMS[baseline]}: {pair['outcome']}",
            }
        )
    failed = [str(c["metric"]) for c in checks if not c["passed"]]
    return {"passed": not failed, "checks": checks, "verdict": _verdict(checks, failed, baseline)}


def _verdict(checks: list[dict[str, Any]], failed: list[str], baseline: str) -> str:
    names = {m.name: m.label.lower() for m in MEASURES}
    if not failed:
        what = " and ".join(names[c["metric"]] for c in checks)
        return f"The fine-tuned model is better than {_SYSTEMS[baseline]} on: {what}."
    return (
        f"Not shown: the fine-tuned model does not pass on {', '.join(names[f] for f in failed)}."
    )


def _share(value: float | None) -> str:
    return "no value" if value is None or pd.isna(value) else f"{value:.2f}"
