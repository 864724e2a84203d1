"""What a reader of a fit has to know, in sentences."""

from __future__ import annotations

import math

import pandas as pd

from nbutils.stats import holm

from .bearing import rarer
from .coding import Design
from .estimating import EVENTS_PER_TERM
from .inputs import Prepared
from .outcomes import LINEAR, LOGISTIC

FEW_CLUSTERS = 30
_LOST = 0.05


def remarks(
    given: Prepared,
    design: Design,
    *,
    kind: str,
    separated: tuple[str, ...],
    tests: pd.DataFrame,
    profiled: bool,
) -> tuple[str, ...]:
    """`Fit.notes`."""
    said = [*_coded(given), *_lost(given), *_lost_by_outcome(given, kind)]
    if kind != LINEAR:
        said += _few(given, design, kind, separated, profiled)
    return (*said, *_clustered(given), *_crossed(design), *_several(tests))


def _coded(given: Prepared) -> list[str]:
    if not given.outcome.values:
        return []
    zero, one = given.outcome.values
    name = given.dropped["column"].iloc[0]
    return [f"Of {name}, '{one}' is taken as 1 and '{zero}' as 0."]


def _lost(given: Prepared) -> list[str]:
    lost = given.rows - len(given.y)
    if lost <= _LOST * given.rows:
        return []
    worst = given.dropped.sort_values("missing", ascending=False, kind="stable").iloc[0]
    return [
        f"{lost:,} of {given.rows:,} rows ({lost / given.rows:.0%}) are left out because a value "
        f"is missing, most often {worst['column']} ({worst['missing']:,} rows): the figures hold "
        f"for the complete rows, which may differ from the others."
    ]


def _lost_by_outcome(given: Prepared, kind: str) -> list[str]:
    """Columns that are missing more often with one outcome than with the other."""
    said = []
    adjusted = holm(list(given.dropped["p"]))
    for row, p in zip(given.dropped.to_dict("records"), adjusted, strict=True):
        if p is not None and p < 0.05:
            there, here = (_level(row[f"outcome_{k}"], kind) for k in ("missing", "present"))
            said.append(
                f"Where {row['column']} is missing the outcome is {there} on average, elsewhere "
                f"{here} ({_p(p)}): leaving those rows out may bias the figures."
            )
    return said


def _level(mean: float, kind: str) -> str:
    return f"{mean:.4g}" if kind == LINEAR else f"{mean:.1%}"


def _few(
    given: Prepared, design: Design, kind: str, separated: tuple[str, ...], profiled: bool
) -> list[str]:
    rare = rarer(given.y)
    count = len(design.columns)
    why = []
    if separated:
        what = " with ".join(separated)
        why.append(
            f"The data are separated: {what} tells the outcomes apart without an exception, so "
            f"that its effect has no finite estimate by maximum likelihood."
        )
    if rare < EVENTS_PER_TERM * count:
        why.append(
            f"There are {rare:,} rows of the rarer outcome for {count} coefficients, fewer than "
            f"{EVENTS_PER_TERM} each."
        )
    if kind == LOGISTIC:
        return [f"{line} Estimates may be too far from 0." for line in why]
    method = "from the profile of its likelihood" if profiled else "Wald's"
    return [
        *(why or ["The plain likelihood has no maximum that could be found."]),
        f"The fit is penalised (Firth 1993), which keeps every "
        f"estimate finite and draws probabilities slightly towards one half; intervals and "
        f"p-values are {method}.",
    ]


def _clustered(given: Prepared) -> list[str]:
    if given.groups is None:
        return []
    count = int(given.groups.max()) + 1
    name = given.dropped["column"].iloc[-1]
    said = (
        f"Errors are robust to what rows of one {name} have in common ({count:,} clusters, t with "
        f"{count - 1:,} degrees of freedom)"
    )
    if count >= FEW_CLUSTERS:
        return [f"{said}."]
    return [f"{said}; with fewer than about {FEW_CLUSTERS} clusters they are still too small."]


def _crossed(design: Design) -> list[str]:
    """How to read coefficients beside a product."""
    return [
        f"With {a} x {b} in the fit, the coefficients of {a} and {b} by themselves hold only where "
        f"the other is at its reference or 0; read the effects by level."
        for a, b in design.interactions
    ]


def _several(tests: pd.DataFrame) -> list[str]:
    if len(tests) < 2:
        return []
    lost = tests.loc[(tests["p"] < 0.05) & ~tests["significant"], "predictor"]
    more = f" Tested alone, {' and '.join(lost)} would count too." if len(lost) else ""
    return [
        f"{len(tests)} predictors were tested at once: p-values are adjusted after Holm, and below "
        f"0.05 counts as significant.{more}"
    ]


def _p(p: float) -> str:
    return "p<0.001" if p < 0.001 else f"p={math.floor(p * 1000) / 1000:.3f}"
