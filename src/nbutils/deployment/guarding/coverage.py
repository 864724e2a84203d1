"""What the guard is worth on held-out cases: how many answers pass, how many of those are right."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

import pandas as pd

from nbutils import stats

from .answered import PATHS

CURVE = ("threshold", "coverage", "risk", "low", "high", "n")
SUMMARY = ("metric", "group", "value", "low", "high", "n")


def risk_coverage(rows: Iterable[Mapping[str, Any]]) -> pd.DataFrame:
    """Coverage and risk at each threshold (El-Yaniv and Wiener 2010).

    Parameters
    ----------
    rows : iterable of mapping
        One for each held-out case: ``confidence`` (any number that is larger for surer answers,
        a probability or a tier of verdicts; None for an answer that can never pass) and ``right``
        (whether a reference says that the answer is right).

    Returns
    -------
    DataFrame
        A row for each confidence that occurs, from the strictest on: ``threshold``, ``coverage``
        (share of all rows with at least this confidence), ``risk`` (share of wrong ones among
        those, with its 95% Wilson interval ``low`` and ``high``) and ``n`` (those).
    """
    listed = list(rows)
    known = [(float(r["confidence"]), bool(r["right"])) for r in listed if _has(r, "confidence")]
    found = []
    for threshold in sorted({confidence for confidence, _ in known}, reverse=True):
        above = [right for confidence, right in known if confidence >= threshold]
        risk = stats.wilson(above.count(False), len(above))
        coverage = len(above) / len(listed)
        found.append((threshold, coverage, risk.value, risk.low, risk.high, risk.n))
    return pd.DataFrame(found, columns=list(CURVE))


def guarded(rows: Iterable[Mapping[str, Any]]) -> pd.DataFrame:
    """How many cases got an answer, by which path, and how many of the answers are right.

    Parameters
    ----------
    rows : iterable of mapping
        One for each held-out case: ``path`` (of `PATHS`), ``right`` (of the answer given; ignored
        for a person's case) and, where the first answer was judged as well, ``right_alone``
        (whether the model's answer is right when nothing guards it).

    Returns
    -------
    DataFrame
        ``metric``, ``group``, ``value``, ``low``, ``high`` (95%, Wilson), ``n``. Metric
        ``answered`` is the share of all cases with an answer (group ``"all"``), or by the path;
        ``right`` the share of right ones among the answers given, and in the group ``"alone"``
        among all answers without the guard. ``value`` is None where there is none to count.

    Raises
    ------
    ValueError
        If a path is unknown.
    """
    listed = list(rows)
    if unknown := {str(r["path"]) for r in listed} - set(PATHS):
        raise ValueError(f"unknown path {', '.join(sorted(unknown))}; expected {', '.join(PATHS)}.")
    given = [r for r in listed if r["path"] != "person"]
    found = [_share("answered", "all", [r["path"] != "person" for r in listed])]
    found += [_share("answered", path, [r["path"] == path for r in listed]) for path in PATHS]
    found.append(_share("right", "all", [bool(r["right"]) for r in given]))
    for path in PATHS[:-1]:
        found.append(_share("right", path, [bool(r["right"]) for r in given if r["path"] == path]))
    alone = [bool(r["right_alone"]) for r in listed if _has(r, "right_alone")]
    found += [_share("right", "alone", alone)] if alone else []
    return pd.DataFrame(found, columns=list(SUMMARY), dtype=object)


def _share(metric: str, group: str, which: Sequence[bool]) -> dict[str, Any]:
    return {"metric": metric, "group": group, **asdict(stats.wilson(sum(which), len(which)))}


def _has(row: Mapping[str, Any], key: str) -> bool:
    return key in row and not pd.isna(row[key])
