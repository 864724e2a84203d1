"""The gate, which says whether the model may be used: passed, failed, or not shown."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from .comparing import MEASURES
from .showing import FEWEST

MARGIN = 0.05
RATERS = 2  # one person's scale is not everybody's
USEFULNESS = "usefulness"

Check = dict[str, Any]


def gate(
    summary: pd.DataFrame,
    compared: pd.DataFrame,
    rated: pd.DataFrame,
    *,
    limits: Mapping[str, float],
    candidate: str = "tuned",
    baseline: str = "prompted",
    explore: bool = False,
) -> dict[str, Any]:
    """Decide whether the candidate may be used, with the reason for each check.

    Two questions a measure. Level: passed if the value reaches the limit; failed if its whole
    interval lies below; else not shown. Comparison: the candidate must not be worse than the
    baseline; passed if it is better or identical, or if the interval excludes a loss of more than
    5 points; failed if it is shown to be worse; else not shown. On fewer than `FEWEST` cases
    neither is shown. Usefulness has a level only, and is not shown until at least `RATERS` people
    have rated at least `FEWEST` answers.

    Parameters
    ----------
    summary, compared, rated : DataFrame
        See `summarize`, `compare`, `usefulness`.
    limits : mapping of str to float
        See `Settings`.
    candidate, baseline : str
        Names of systems.
    explore : bool
        Whether later stages may go on all the same; only noted here.

    Returns
    -------
    dict
        ``outcome`` (``"passed"``, ``"failed"``, ``"not shown"``), ``passed`` (bool), ``explore``,
        ``verdict`` (a sentence) and ``checks``: list of dict with ``metric``, ``requirement``,
        ``outcome``, ``passed`` (None: not shown), ``reason``.
    """
    checks: list[Check] = []
    for metric, least in limits.items():
        if metric == USEFULNESS:
            checks.append(_useful(rated, candidate, least))
            continue
        own = summary[(summary["metric"] == metric) & (summary["system"] == candidate)].iloc[0]
        pair = compared[(compared["metric"] == metric) & (compared["baseline"] == baseline)].iloc[0]
        checks += [_level(metric, own, least), _not_worse(metric, pair)]
    outcome = _worst([c["outcome"] for c in checks])
    return {
        "outcome": outcome,
        "passed": outcome == "passed",
        "explore": explore,
        "limits": dict(limits),
        "verdict": _verdict(checks, outcome, USEFULNESS in limits),
        "checks": checks,
    }


def _level(metric: str, own: pd.Series, least: float) -> Check:
    value, low, high = (
        None if pd.isna(own[k]) else float(own[k]) for k in ("value", "low", "high")
    )
    if value is None:
        outcome, reason = "not shown", "no value: no answer has what is measured"
    elif own["n"] < FEWEST:
        outcome, reason = "not shown", _few(own["n"])
    else:
        ends = f" [{low:.2f}, {high:.2f}]" if low is not None and high is not None else ""
        reason = f"{value:.3f}{ends} on {own['n']} cases"
        below = high is not None and high < least
        outcome = "passed" if value >= least else "failed" if below else "not shown"
    return _check(metric, f"at least {least:g}", outcome, reason)


def _not_worse(metric: str, pair: pd.Series) -> Check:
    requirement = f"not worse than the best prompt by more than {MARGIN:g}"
    if pair["n"] < FEWEST:
        return _check(metric, requirement, "not shown", _few(pair["n"]))
    if pair["outcome"] == "worse":
        outcome = "failed"
    elif pair["outcome"] in ("better", "identical"):
        outcome = "passed"
    else:
        low = pair["low"]
        outcome = "passed" if pd.notna(low) and low > -MARGIN else "not shown"
    reason = f"{pair['outcome']}, n = {pair['n']}"
    if pd.notna(pair["difference"]) and pd.notna(pair["low"]):
        reason = f"{pair['difference']:+.2f} [{pair['low']:+.2f}, {pair['high']:+.2f}]: {reason}"
    if pair["outcome"] == "not shown" and pd.notna(pair["detectable"]):
        reason += f"; a difference of {pair['detectable']:.2f} would probably have shown"
    return _check(metric, requirement, outcome, reason)


def _useful(rated: pd.DataFrame, candidate: str, least: float) -> Check:
    requirement = f"at least {least:g} of 5, rated by people"
    own = rated[rated["system"] == candidate]
    if own.empty:
        return _check(USEFULNESS, requirement, "not shown", "not rated yet")
    row = own.iloc[0]
    said = f"{row['value']:.2f}, rated answers: {row['n']}, raters: {row['raters']}"
    if row["n"] < FEWEST or row["raters"] < RATERS:
        said += f"; at least {FEWEST} answers and {RATERS} raters are needed"
        return _check(USEFULNESS, requirement, "not shown", said)
    reached = row["value"] >= least
    above = pd.isna(row["high"]) or row["high"] >= least
    outcome = "passed" if reached else "not shown" if above else "failed"
    return _check(USEFULNESS, requirement, outcome, said)


def _few(n: int) -> str:
    return f"n = {n}, at least {FEWEST} are needed"


def _check(metric: str, requirement: str, outcome: str, reason: str) -> Check:
    passed = {"passed": True, "failed": False}.get(outcome)
    return {
        "metric": metric,
        "requirement": requirement,
        "outcome": outcome,
        "passed": passed,
        "reason": reason,
    }


def _worst(outcomes: list[str]) -> str:
    for outcome in ("failed", "not shown"):
        if outcome in outcomes:
            return outcome
    return "passed" if outcomes else "not shown"


def _verdict(checks: list[Check], outcome: str, rated: bool) -> str:
    names = {m.name: m.label.lower() for m in MEASURES} | {USEFULNESS: "usefulness"}
    if outcome == "passed":
        what = " and ".join(names[m] for m in dict.fromkeys(c["metric"] for c in checks))
        left = "" if rated else "; usefulness was not asked for, people have to rate it"
        return f"Passed: the fine-tuned model reaches its limits on {what}{left}."
    if not checks:
        return "Not shown: the gate has no limits."
    open_ = [c for c in checks if c["outcome"] == outcome]
    what = ", ".join(f"{names[c['metric']]} ({c['requirement']}; {c['reason']})" for c in open_[:3])
    more = f" and {len(open_) - 3} more" if len(open_) > 3 else ""
    word = "Failed" if outcome == "failed" else "Not shown"
    return f"{word}: {what}{more}."


def halt(gate: Mapping[str, Any]) -> str:
    """Why the run must not go on to merging, in a sentence; empty if it may."""
    if gate["passed"] or gate["explore"]:
        return ""
    return (
        f"{gate['verdict']} Nothing is merged or served from this run: see 'What failed, and why' "
        f"on its page, mend the data and train again, or go on all the same by 'explore' in GATE: "
        f'--param "04.GATE={{explore: true}}" on the command line.'
    )
