"""The tables of a fit: one row a coefficient, one row a predictor."""

from __future__ import annotations

import numpy as np
import pandas as pd

from nbutils.stats import holm

from .coding import Design
from .estimating import Estimated
from .outcomes import LINEAR
from .profiling import Profile
from .reference import joint, quantile, two_sided

INTERCEPT = "(intercept)"


def term_table(
    design: Design, found: Estimated, kind: str, profile: Profile | None, spread: float
) -> pd.DataFrame:
    """`Fit.terms`; intervals and p-values from the profile where there is one.

    An interval whose profile does not come down within 64 errors stays Wald's.
    """
    errors = np.sqrt(np.diag(found.covariance))
    half = quantile(found.df) * errors
    table = pd.DataFrame(
        {
            "predictor": [INTERCEPT, *(c.predictor for c in design.columns)],
            "term": [INTERCEPT, *(c.term for c in design.columns)],
            "reference": ["", *(c.reference for c in design.columns)],
            "coefficient": found.beta,
            "se": errors,
            "low": found.beta - half,
            "high": found.beta + half,
            "p": two_sided(found.beta / errors, found.df),
        }
    )
    if profile is not None:
        for i in range(len(table)):
            table.loc[i, "p"] = profile.p_value([i])
            if ends := profile.interval(i):
                table.loc[i, ["low", "high"]] = ends
    return table.assign(
        **_odds(table, kind), standardised=_standardised(design, found, kind, spread)
    )


def _odds(table: pd.DataFrame, kind: str) -> dict[str, np.ndarray]:
    ratios = {}
    for name, of in (("odds_ratio", "coefficient"), ("odds_low", "low"), ("odds_high", "high")):
        # a float ends at exp(709): one unit may be a tiny part of what the number spans
        ratios[name] = np.exp(np.minimum(table[of].to_numpy(dtype=float), 700.0))
        ratios[name][0 if kind != LINEAR else slice(None)] = np.nan
    return ratios


def _standardised(design: Design, found: Estimated, kind: str, spread: float) -> np.ndarray:
    by = np.array([np.nan, *(column.spread for column in design.columns)])
    return found.beta * by / (spread if kind == LINEAR else 1.0)


def predictor_table(design: Design, found: Estimated, profile: Profile | None) -> pd.DataFrame:
    """`Fit.predictors`, in the order of the design."""
    rows = []
    for name in design.predictors:
        places = design.of(name) if name not in design.by_name else design.involving(name)
        if profile is not None:
            p = profile.p_value(places)
        else:
            p = joint(found.beta[places], found.covariance[np.ix_(places, places)], found.df)
        rows.append((name, p, len(places)))
    table = pd.DataFrame(rows, columns=["predictor", "p", "df"])
    adjusted = np.array(holm(list(table["p"])), dtype=float)
    table = table.assign(p_adjusted=adjusted, significant=adjusted < 0.05)
    return table[["predictor", "p", "p_adjusted", "significant", "df"]]
