"""Where a system is good and where it is not: slices of the held-out cases, and parity."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pandas as pd

from nbutils import balance, stats
from nbutils.examples import CaseError, Example, parse_case

from .comparing import Measure, estimate, measure, paired
from .showing import FEWEST, with_interval

DIMENSIONS = ("family", "direction", "pattern", "segment", "market", "length", "cohort")
SHORT, LONG = 6, 9
COUNTS = "counts only"


def describe(cases: Sequence[Example]) -> pd.DataFrame:
    """What each case is about.

    Parameters
    ----------
    cases : sequence of Example
        A case that cannot be read is left out. Fields of ``meta`` and of its ``expect``
        (segment, market, pattern, direction) count before what is read from the text.

    Returns
    -------
    DataFrame
        ``id`` and the columns `DIMENSIONS`; ``length`` is short (up to 6 values), medium or long
        (from 9), ``cohort`` given or not given.
    """
    known = [c for c in cases if _readable(c)]
    frame = balance.describe(known) if known else pd.DataFrame(columns=["id", *DIMENSIONS])
    for name in ("segment", "market", "pattern", "direction"):
        told = [c.meta.get(name) or (c.meta.get("expect") or {}).get(name) for c in known]
        frame[name] = [t or held for t, held in zip(told, frame[name], strict=True)]
    parsed = [parse_case(c.input) for c in known]
    frame["length"] = [_length(len(p.values)) for p in parsed]
    frame["cohort"] = ["given" if p.cohort else "not given" for p in parsed]
    return frame[["id", *DIMENSIONS]]


def _readable(case: Example) -> bool:
    try:
        parse_case(case.input)
    except CaseError:
        return False
    return True


def _length(n: int) -> str:
    if n <= SHORT:
        return f"up to {SHORT} values"
    return f"{LONG} values or more" if n >= LONG else f"{SHORT + 1} to {LONG - 1} values"


def by_slice(
    candidate: pd.DataFrame, baseline: pd.DataFrame, described: pd.DataFrame, metric: str
) -> pd.DataFrame:
    """One measure of the candidate, slice by slice, with the gain over a baseline.

    Parameters
    ----------
    candidate, baseline : DataFrame
        Rows of two systems from `answer`.
    described : DataFrame
        See `describe`.
    metric : str
        Name of one of `MEASURES`.

    Returns
    -------
    DataFrame
        ``dimension``, ``slice``, ``n``, ``shown`` (``"0.93 [0.78, 0.98]"``; under ten cases the
        count alone), ``gain`` (difference to the baseline, None under ten), ``p`` of the paired
        test, ``p_holm`` corrected over all slices tested (Holm 1979), ``outcome`` by that. Slices
        with counts only come last.
    """
    wanted = measure(metric)
    rows: list[dict[str, Any]] = []
    for dimension, name, ids in _slices(described):
        mine, other = (f[f["id"].isin(ids)] for f in (candidate, baseline))
        found = estimate(mine, wanted)
        tested = paired(other, mine, wanted) if found.n >= FEWEST else None
        rows.append(
            {
                "dimension": dimension,
                "slice": name,
                "n": found.n,
                "shown": _shown(found, mine, wanted),
                "gain": tested.difference if tested else None,
                "p": tested.p if tested else None,
            }
        )
    corrected = stats.holm([r["p"] for r in rows])
    full = [
        {**r, "p_holm": p, "outcome": _outcome(r["gain"], p)}
        for r, p in zip(rows, corrected, strict=True)
    ]
    full.sort(key=lambda r: r["outcome"] == COUNTS)  # what can be tested first
    columns = ["dimension", "slice", "n", "shown", "gain", "p", "p_holm", "outcome"]
    return pd.DataFrame(full, columns=columns, dtype=object)  # keeps None


def parity(
    before: pd.DataFrame, after: pd.DataFrame, described: pd.DataFrame, metric: str
) -> pd.DataFrame:
    """Whether tuning made segments or markets more unequal: the bias check.

    Parameters
    ----------
    before, after : DataFrame
        Rows of the prompted base and of the tuned model.
    described : DataFrame
        See `describe`.
    metric : str
        Name of one of `MEASURES`.

    Returns
    -------
    DataFrame
        ``dimension``, ``slice``, ``n``, ``before`` and ``after`` (as ``shown`` in `by_slice`); then
        for each dimension a row ``"best minus worst"`` over its slices of at least ten cases, if
        there are two.
    """
    wanted = measure(metric)
    rows: list[dict[str, object]] = []
    for dimension in ("segment", "market"):
        values: dict[str, list[float]] = {"before": [], "after": []}
        for _, name, ids in _slices(described[["id", dimension]]):
            row: dict[str, object] = {"dimension": dimension, "slice": name}
            for side, frame in (("before", before), ("after", after)):
                part = frame[frame["id"].isin(ids)]
                found = estimate(part, wanted)
                row |= {"n": found.n, side: _shown(found, part, wanted)}
                if found.n >= FEWEST and found.value is not None:
                    values[side].append(found.value)
            rows.append(row)
        if len(values["after"]) > 1 and len(values["before"]) > 1:
            gaps = {k: f"{max(v) - min(v):.2f}" for k, v in values.items()}
            named = {"dimension": dimension, "slice": "best minus worst", "n": None}
            rows.append({**named, **gaps})
    columns = ["dimension", "slice", "n", "before", "after"]
    return pd.DataFrame(rows, columns=columns, dtype=object)  # keeps None


def _slices(described: pd.DataFrame) -> list[tuple[str, str, set[str]]]:
    found = []
    for dimension in described.columns[1:]:
        for name, part in described.groupby(dimension, sort=False):
            found.append((str(dimension), str(name), set(part["id"])))
    return found


def _shown(found: stats.Estimate, rows: pd.DataFrame, wanted: Measure) -> str:
    if not found.n:
        return "none"
    if found.n < FEWEST:
        whole = replace(wanted, denominator=None)
        top = rows[wanted.numerator].sum()
        bottom = rows[wanted.denominator].sum() if wanted.denominator else estimate(rows, whole).n
        return f"{top:g} of {bottom:g}"
    return with_interval(found.value, found.low, found.high)


def _outcome(gain: float | None, p: float | None) -> str:
    if gain is None or pd.isna(gain):
        return COUNTS
    if p is None or pd.isna(p) or p >= 0.05:
        return "not shown"
    return "better" if gain > 0 else "worse"
