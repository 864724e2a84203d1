"""A regression of a table: logistic or linear, checked, with effects in plain units."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from nbutils.errors import UserError

from .bearing import check_design, check_size, rarer
from .coding import Design, learn
from .effects import average_effects
from .estimating import EVENTS_PER_TERM, FIRTH, Estimated, NoEstimate, estimate, mean_of
from .inputs import Prepared, prepare
from .outcomes import LINEAR, LOGISTIC
from .profiling import LARGEST, Profile
from .remarks import remarks
from .summarising import predictor_table, term_table


@dataclass(frozen=True, eq=False)
class Fit:
    """A fitted regression, which can be applied to other rows.

    Attributes
    ----------
    kind : str
        ``"logistic"``, ``"logistic, penalised (Firth)"`` or ``"linear"``.
    outcome : str
    n : int
        Complete rows, on which everything here stands.
    rows : int
        Rows of the table.
    events : int or None
        Rows whose outcome is 1; None for a linear fit.
    values : tuple of str
        What was taken as 0 and 1 where the outcome was not 0 and 1 itself.
    mean, spread : float
        Mean and standard deviation of the outcome (as 0 and 1).
    dropped : DataFrame
        `column`, `missing` and more; see `nbutils.grounding.inputs.Prepared`.
    pseudo_r2 : float
        McFadden's (1974), for a penalised fit with the plain likelihood at its coefficients; R2
        for a linear one.
    terms : DataFrame
        One row a coefficient, the first the intercept (`predictor` "(intercept)"): `predictor`,
        `term`, `reference` (empty for a number), `coefficient` (log odds, or units of the outcome,
        by one unit), `se`, `low`, `high` (95%), `p`, `odds_ratio`, `odds_low`, `odds_high` (NaN
        for the intercept and linear fits), `standardised` (by one standard deviation of a number,
        as it is for a level; for a linear fit in standard deviations of the outcome).
    predictors : DataFrame
        One row a predictor or interaction: `predictor`, `p` (joint test of all its columns; of a
        predictor within an interaction, of the products too: whether it plays a part at all),
        `p_adjusted` (Holm over the rows), `significant` (adjusted below 0.05), `df` (columns).
    effects : DataFrame
        See `nbutils.grounding.effects.average_effects`.
    notes : tuple of str
        Sentences that a reader of the figures has to know.
    separated : tuple of str
        Terms without a finite estimate by maximum likelihood.
    cluster : str or None
    clusters : int or None
        How many.
    design : Design
    beta, covariance : ndarray
        Of the design's columns, the intercept first.
    df : float or None
        Degrees of freedom of the t reference; None: normal.
    """

    kind: str
    outcome: str
    n: int
    rows: int
    events: int | None
    values: tuple[str, ...]
    mean: float
    spread: float
    dropped: pd.DataFrame
    pseudo_r2: float
    terms: pd.DataFrame
    predictors: pd.DataFrame
    effects: pd.DataFrame
    notes: tuple[str, ...]
    separated: tuple[str, ...]
    cluster: str | None
    clusters: int | None
    design: Design
    beta: np.ndarray
    covariance: np.ndarray
    df: float | None

    def predict(self, table: pd.DataFrame) -> pd.Series:
        """The fitted outcome of other rows: a probability, or a number.

        Returns
        -------
        Series of float
            With the table's index; NaN where a predictor is missing.

        Raises
        ------
        UserError
            See `Design.matrix`.
        """
        eta = self.design.matrix(table) @ self.beta
        return pd.Series(mean_of(eta, self.kind), index=table.index, name=self.outcome)


def fit(
    table: pd.DataFrame,
    outcome: str,
    predictors: Sequence[str],
    *,
    kind: str = "auto",
    cluster: str | None = None,
    interactions: Sequence[tuple[str, str]] = (),
) -> Fit:
    """Fit a regression to the complete rows of a table.

    Text, categories and truth values are coded by level against the most common one; numbers keep
    their units. A logistic fit is by maximum likelihood; where it has fewer than 10 rows of the
    rarer outcome for each coefficient, or the data are separated, by Firth's penalised likelihood
    (1993, Biometrika 80, 27-38), with profile intervals and likelihood-ratio tests (Wald's beyond
    150,000 entries of the design, or with clusters). A linear one is by least squares with HC3
    errors. With `cluster`, errors are robust to what rows of a cluster have in common.

    Parameters
    ----------
    table : DataFrame
        One row a person, account or the like.
    outcome : str
        Its column: two values, or a number with more than ten.
    predictors : sequence of str
        Their columns.
    kind : str
        ``"auto"``; ``"logistic"`` for maximum likelihood however few the events; ``"linear"``.
    cluster : str, optional
        Column that says which rows belong together.
    interactions : sequence of (str, str)
        Pairs of predictors whose product enters too.

    Raises
    ------
    UserError
        If a column is missing, named twice, constant, free text, a linear function of others or
        holds infinite values; if the outcome has three values or is a predictor; if fewer than 30
        rows are complete, or there are fewer rows of the rarer outcome than coefficients, or fewer
        than 6 clusters; if `kind` is ``"logistic"`` and the data are separated.
    """
    given = prepare(
        table, outcome, predictors, kind=kind, cluster=cluster, interactions=interactions
    )
    design = learn(given.frame, interactions)
    x = design.matrix(given.frame)
    check_design(x, design)
    check_size(given, design, cluster)
    found, name, separated = _estimated(given, x, design, forced=kind == LOGISTIC)
    profile = _profile(given, x, name)
    terms = term_table(design, found, name, profile, float(given.y.std(ddof=1)))
    tests = predictor_table(design, found, profile)
    effects = average_effects(design, x, found, name)
    said = remarks(
        given,
        design,
        kind=name,
        separated=separated,
        tests=tests,
        profiled=profile is not None,
    )
    return Fit(
        kind=name,
        outcome=outcome,
        n=len(given.y),
        rows=given.rows,
        events=None if name == LINEAR else int(given.y.sum()),
        values=given.outcome.values,
        mean=float(given.y.mean()),
        spread=float(given.y.std(ddof=1)),
        dropped=given.dropped,
        pseudo_r2=_explained(given.y, x, found, name),
        terms=terms,
        predictors=tests,
        effects=effects,
        notes=said,
        separated=separated,
        cluster=cluster,
        clusters=None if given.groups is None else int(given.groups.max()) + 1,
        design=design,
        beta=found.beta,
        covariance=found.covariance,
        df=found.df,
    )


def _estimated(
    given: Prepared, x: np.ndarray, design: Design, *, forced: bool
) -> tuple[Estimated, str, tuple[str, ...]]:
    """The coefficients, the kind of fit they needed, and terms that are separated."""
    kind = given.outcome.kind
    separated: tuple[str, ...] = ()
    few = kind == LOGISTIC and rarer(given.y) < EVENTS_PER_TERM * len(design.columns)
    try:
        found = estimate(x, given.y, kind=kind, groups=given.groups)
        if forced or not few:
            return found, kind, ()
    except NoEstimate as none:
        separated = tuple(design.columns[i - 1].term for i in none.columns)
        if forced:
            raise UserError(
                f"no finite estimate exists: {_apart(separated)}; let kind be auto for a penalised "
                f"fit, or leave it out."
            ) from None
    return estimate(x, given.y, kind=FIRTH, groups=given.groups), FIRTH, separated


def _apart(separated: tuple[str, ...]) -> str:
    if not separated:
        return "the likelihood has no maximum that can be found"
    return f"{' with '.join(separated)} tells the outcomes apart without an exception"


def _profile(given: Prepared, x: np.ndarray, kind: str) -> Profile | None:
    if kind != FIRTH or given.groups is not None or x.size > LARGEST:
        return None
    return Profile(x, given.y)


def _explained(y: np.ndarray, x: np.ndarray, found: Estimated, kind: str) -> float:
    if kind == LINEAR:
        left = y - x @ found.beta
        return float(1 - left @ left / ((y - y.mean()) @ (y - y.mean())))
    p = y.mean()
    return float(1 - found.loglik / (len(y) * (p * np.log(p) + (1 - p) * np.log(1 - p))))
