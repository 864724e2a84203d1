"""Whether a fit can be trusted: what to look at, each with a sentence and a verdict."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from .checking import COLUMNS, Check, row
from .estimating import EVENTS_PER_TERM
from .fitting import Fit
from .heldout import calibration_checks, curve, discrimination, hold_out
from .inputs import prepare
from .lines import linearity
from .newton import leverages, probabilities
from .outcomes import LINEAR, LOGISTIC
from .stability import stability

# what refits or sorts rows looks at no more of them than this
MOST_ROWS = 100_000
# variance inflation above which an effect is mostly told by the other predictors
_INFLATED = 5.0


@dataclass(frozen=True, eq=False)
class Diagnosis:
    """What `diagnose` found.

    Attributes
    ----------
    checks : DataFrame
        `check`, `finding` (a sentence), `value`, `low`, `high` (95%, NaN where there is none),
        `n`, `ok` (bool).
    calibration : DataFrame
        The curve on the held-out fifth, by tenths of the prediction: `predicted`, `observed`
        (means), `low`, `high` (95%: Wilson of a share, t of a number), `n`. Empty where the rows
        were too few.
    """

    checks: pd.DataFrame
    calibration: pd.DataFrame

    @property
    def problems(self) -> list[str]:
        """The sentences of what is not in order."""
        return list(self.checks.loc[~self.checks["ok"], "finding"])


def diagnose(fit: Fit, table: pd.DataFrame, *, seed: int = 0) -> Diagnosis:
    """Check a fit against the table it was made from.

    - `separation`, `events`: whether the data bear this many coefficients.
    - `collinearity NAME`: the variance inflation factor, for several columns GVIF**(1/df) (Fox and
      Monette 1992, JASA 87, 178-183), of the variables by themselves, without products; ok below 5.
    - `influence`: the largest Cook's distance and the largest change of a coefficient in its own
      errors if one row were left out, by one step (Pregibon 1981, Annals of Statistics 9,
      705-724); ok below 1.
    - `linearity NAME`: p-value (Holm) of a bend in the line of a number, see
      `nbutils.grounding.lines.linearity`; ok from 0.05.
    - `discrimination`, `calibration intercept`, `calibration slope`: on a held-out fifth (of the
      clusters, if there are any), fitted on the rest: the area under the ROC curve with its
      interval (DeLong et al. 1988, Biometrics 44, 837-845; rows taken as independent), R2 for a
      linear fit; then the line of the outcome on the prediction, ideally 0 and 1 (Cox 1958).
    - `stability of sign NAME`, `stability of significance NAME`: of each significant predictor, the
      share of 200 bootstrap refits in which it keeps its sign, and p below 0.05; ok from 0.95 and
      0.8.

    Rows are a random 100,000 at most, and 10,000 for the bootstrap; `n` says how many.

    Parameters
    ----------
    fit : Fit
    table : DataFrame
        The table of the fit.
    seed : int
        Of the sample, the held-out fifth and the bootstrap.

    Raises
    ------
    UserError
        If the table lacks a column of the fit, or its content changed so that it cannot be read.
    """
    rng = np.random.default_rng(seed)
    labels, x, y, groups = _rows(fit, table, rng)
    split = hold_out(fit, x, y, groups, rng)
    found = [
        *_separation(fit),
        *_collinearity(fit, x),
        *_influence(fit, x, y, labels),
        *linearity(fit, x, y, groups),
        *discrimination(split, rng),
        *calibration_checks(split),
        *stability(fit, x, y, groups, rng),
    ]
    frame = pd.DataFrame([list(check) for check in found], columns=list(COLUMNS))
    return Diagnosis(frame.astype({"ok": bool, "n": int}), curve(split))


def _rows(
    fit: Fit, table: pd.DataFrame, rng: np.random.Generator
) -> tuple[pd.Index, np.ndarray, np.ndarray, np.ndarray | None]:
    kind = LINEAR if fit.kind == LINEAR else LOGISTIC
    names = list(fit.design.by_name)
    given = prepare(table, fit.outcome, names, kind=kind, cluster=fit.cluster)
    n = len(given.y)
    keep = np.arange(n) if n <= MOST_ROWS else np.sort(rng.choice(n, MOST_ROWS, replace=False))
    frame = given.frame.iloc[keep]
    groups = None if given.groups is None else given.groups[keep]
    return frame.index, fit.design.matrix(frame), given.y[keep], groups


def _separation(fit: Fit) -> list[Check]:
    if fit.events is None:
        return []
    rare, count = min(fit.events, fit.n - fit.events), len(fit.design.columns)
    apart = " with ".join(fit.separated)
    said = (
        f"{apart} tells the outcomes apart without an exception; the fit is penalised."
        if apart
        else "No predictor tells the outcomes apart without an exception."
    )
    per = f"{rare:,} rows of the rarer outcome for {count} coefficients, {rare / count:.1f} each"
    enough = rare >= EVENTS_PER_TERM * count
    return [
        row("separation", said, len(fit.separated), fit.n, not fit.separated),
        row("events", f"{per}{'.' if enough else ': few.'}", rare / count, fit.n, enough),
    ]


def _collinearity(fit: Fit, x: np.ndarray) -> list[Check]:
    variables = list(fit.design.by_name)
    if len(variables) < 2:
        return []
    places = {name: fit.design.of(name) for name in variables}
    order = [i for name in variables for i in places[name]]
    varied = [i for i in order if np.ptp(x[:, i]) > 0]
    related = pd.DataFrame(np.corrcoef(x[:, varied], rowvar=False), index=varied, columns=varied)
    whole = np.linalg.slogdet(related.to_numpy())[1]
    return [_inflation(name, places[name], related, whole, len(x)) for name in variables]


def _inflation(name: str, places: list[int], related: pd.DataFrame, whole: float, n: int) -> Check:
    own = [i for i in places if i in related.index]
    rest = related.index.difference(own)
    logs = [np.linalg.slogdet(related.loc[part, part].to_numpy())[1] for part in (own, rest)]
    value = float(np.exp((sum(logs) - whole) / max(len(own), 1)))
    ok = value < _INFLATED
    said = (
        f"{name} varies enough by itself (inflation {value:.1f})."
        if ok
        else f"{name} is mostly told by the other predictors (inflation {value:.1f}): its interval "
        f"is {np.sqrt(value):.1f} times as wide as it would be alone."
    )
    return row(f"collinearity {name}", said, value, n, ok)


def _influence(fit: Fit, x: np.ndarray, y: np.ndarray, labels: pd.Index) -> list[Check]:
    """Cook's distance and the one-step change of each coefficient, of plain errors."""
    eta = x @ fit.beta
    p = eta if fit.kind == LINEAR else probabilities(eta)
    weights = np.ones(len(y)) if fit.kind == LINEAR else p * (1 - p)
    bread = np.linalg.pinv((x * weights[:, None]).T @ x, hermitian=True)
    slack = np.maximum(1 - leverages(x, weights, bread), 1e-9)
    scale = float((y - p) @ (y - p) / (len(y) - x.shape[1])) if fit.kind == LINEAR else 1.0
    changes = (x @ bread) * ((y - p) / slack)[:, None]
    # Cook's: the change measured by the information
    cook = np.einsum("ij,ij->i", changes @ np.linalg.pinv(bread), changes) / (scale * x.shape[1])
    # of the intercept nobody asks
    shifts = np.abs(changes)[:, 1:] / np.sqrt(scale * np.maximum(np.diag(bread)[1:], 1e-300))
    worst, column = np.unravel_index(int(shifts.argmax()), shifts.shape)
    term = fit.design.columns[int(column)].term
    largest, far = float(shifts[worst, column]), float(cook.max())
    verdict = "no row decides alone" if largest < 1 else "look at it"
    return [
        row("influence (Cook)", f"The largest Cook's distance is {far:.2g}.", far, len(y), far < 1),
        row(
            "influence (one row)",
            f"Left out, row {labels[int(worst)]} of the table would move {term} by "
            f"{largest:.2g} of its errors, more than any other row: {verdict}.",
            largest,
            len(y),
            largest < 1,
        ),
    ]
