"""A judge held against people: how far its ratings agree with theirs, and lean."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from statistics import median

import pandas as pd

from nbutils import stats

from .by_case import kappa_by_case, mean_by_case, share_by_case
from .judge_verdict import lacks, verdict
from .judging import Judged
from .preferring import Preferred
from .rating import FEWEST, Answers, Ratings, distinct, item_of, rated_items

_LABELS = {
    "harshness": "Judge minus people, in points",
    "kappa": "Weighted kappa of judge and people",
    "exact": "Less than half a point apart",
    "within_one": "At most one point apart",
    "error": "Mean absolute error of the judge, in points",
    "constant_error": "The same of always giving the people's median",
    "slope_judge": "Judge's points per 100 words more",
    "slope_people": "People's points per 100 words more",
    "slope_difference": "Judge's minus people's points per 100 words more",
    "repeats_equal": "Answers with equal ratings in all readings",
    "repeats_kappa": "Weighted kappa of first and second reading",
    "swap": "Preferences that hold when the order is swapped",
    "first": "Preferences for the answer shown first",
}


@dataclass(frozen=True)
class Calibration:
    """How a judge compares with people; made by `calibrate`.

    Attributes
    ----------
    n, cases : int
        Answers that people rated and the judge judged, and the cases they belong to.
    measures : dict of str to Estimate
        ``harshness`` (mean of judge minus people), ``kappa`` (quadratic weights), ``exact``,
        ``within_one``, ``error`` and ``constant_error`` (mean absolute error of the judge, and of
        always giving the people's median), ``slope_judge``, ``slope_people`` and
        ``slope_difference`` (points per 100 words), all on those ``n`` answers; ``repeats_equal``
        and ``repeats_kappa`` on all answers read twice or more; ``swap`` and ``first`` on all
        pairs compared, where there are any. A value of None: not defined, or too few for it.
    usable : bool
        Whether the judge's ratings may stand in for people's.
    verdict : str
        The same with its reasons, one sentence without its full stop.
    """

    n: int
    cases: int
    measures: Mapping[str, stats.Estimate]
    usable: bool
    verdict: str

    def table(self) -> pd.DataFrame:
        """``metric``, ``label``, ``value``, ``low``, ``high``, ``n``; None where not defined."""
        rows = [
            {"metric": name, "label": _LABELS[name], **vars(found)}
            for name, found in self.measures.items()
        ]
        columns = ["metric", "label", "value", "low", "high", "n"]
        return pd.DataFrame(rows, columns=columns, dtype=object)


def calibrate(
    judged: Judged, ratings: Ratings, answers: Answers, preferred: Preferred | None = None
) -> Calibration:
    """Hold a judge's ratings against the mean of people's, answer by answer.

    Parameters
    ----------
    judged : Judged
        The judge's readings; the mean of an answer's readings counts.
    ratings : sequence of mapping
        Lines of the run's ``ratings.jsonl``; ratings of other answers are left out.
    answers : mapping
        System to rows with ``id``, ``instruction``, ``input`` and ``output``.
    preferred : Preferred, optional
        For the consistency under swapped positions.

    Returns
    -------
    Calibration
        Usable only with at least 30 answers rated by people, a lower end of weighted kappa above
        0.4, and an error below that of always giving the people's median.
        Intervals are by case, for answers to one case depend on each other.
    """
    said, strays = rated_items(answers, ratings)
    data = _joined(judged, said, answers)
    measures = {**_against_people(data), **_repeats(judged)}
    if preferred is not None:
        measures |= {"swap": preferred.consistent, "first": preferred.first}
    missing = lacks(len(data), measures)
    told = verdict(len(said), strays, len(data), measures, missing)
    return Calibration(len(data), data["case"].nunique(), measures, not missing, told)


def judged_usefulness(answers: Answers, judged: Judged, calibration: Calibration) -> pd.DataFrame:
    """The judge's mean rating by system, if it may be shown at all.

    Returns
    -------
    DataFrame
        ``system``, ``value`` (0 to 5), ``low``, ``high`` (95%, resampled by case) and ``n``
        (answers judged). Empty unless the calibration is usable: a judge that has not been held
        against people measures nothing that may be called usefulness.
    """
    means = {item: sum(found) / len(found) for item, found in _by_item(judged).items()}
    rows = []
    for system, found in answers.items() if calibration.usable else ():
        known = [(means[item_of(r)], r["input"]) for r in found if item_of(r) in means]
        if known:
            value = mean_by_case([v for v, _ in known], [case for _, case in known])
            rows.append({"system": system, **vars(value)})
    return pd.DataFrame(rows, columns=["system", "value", "low", "high", "n"], dtype=object)


# --------------------------------------------------------------------------- measures


def _joined(
    judged: Judged, said: Mapping[str, Mapping[str, int]], answers: Answers
) -> pd.DataFrame:
    """One row an answer with both: ``judge`` and ``people`` (Fraction), ``words``, ``case``."""
    rows_of = distinct(answers)
    rows = []
    for item, found in _by_item(judged).items():
        if item in said and item in rows_of:
            row, given = rows_of[item], list(said[item].values())
            judge = Fraction(sum(found), len(found))
            people = Fraction(sum(given), len(given))
            words = len(row["output"].split())
            rows.append({"judge": judge, "people": people, "words": words, "case": row["input"]})
    return pd.DataFrame(rows, columns=["judge", "people", "words", "case"])


def _against_people(data: pd.DataFrame) -> dict[str, stats.Estimate]:
    pairs = list(zip(data["judge"], data["people"], strict=True))
    apart = [abs(a - b) for a, b in pairs]
    middle = median(data["people"]) if pairs else Fraction(0)
    cases = data["case"].tolist()

    def mean(values: Sequence[Fraction]) -> stats.Estimate:
        return mean_by_case([float(v) for v in values], cases)

    differences = [a - b for a, b in pairs]
    slopes = {"judge": [a for a, _ in pairs], "people": [b for _, b in pairs]}
    slopes["difference"] = differences
    return {
        "harshness": mean(differences),
        "kappa": _kappa(pairs, cases),
        "exact": share_by_case([d < Fraction(1, 2) for d in apart], cases),
        "within_one": share_by_case([d <= 1 for d in apart], cases),
        "error": mean(apart),
        "constant_error": mean([abs(b - middle) for _, b in pairs]),
        **{f"slope_{k}": _slope([float(v) for v in s], data) for k, s in slopes.items()},
    }


def _kappa(pairs: Sequence[tuple[Fraction, Fraction]], cases: Sequence[str]) -> stats.Estimate:
    """Weighted kappa of means, which are not rounded.

    Quadratic weights do not depend on the step of the scale: kappa of halves counted as 0, 1, 2
    is the kappa of the halves.
    """
    if len(pairs) < FEWEST:
        return stats.Estimate(None, None, None, len(pairs))
    step = math.lcm(*(value.denominator for pair in pairs for value in pair))
    return kappa_by_case([(int(a * step), int(b * step)) for a, b in pairs], cases)


def _slope(values: Sequence[float], data: pd.DataFrame) -> stats.Estimate:
    """Points per 100 words more by least squares, its error by case (Liang and Zeger 1986)."""
    n, groups = len(data), pd.factorize(data["case"])[0]
    if len(set(groups)) < FEWEST or data["words"].nunique() < 2:
        return stats.Estimate(None, None, None, n)
    from statsmodels.api import OLS, add_constant

    design = add_constant(data["words"].to_numpy(float) / 100)
    fitted = OLS(values, design).fit(cov_type="cluster", cov_kwds={"groups": groups}, use_t=True)
    low, high = (float(end) for end in fitted.conf_int()[1])
    # values that lie on a line, or are all equal, have no spread to judge by
    slope, spread = round(float(fitted.params[1]), 12), high - low > 1e-9
    return stats.Estimate(slope, low if spread else None, high if spread else None, n)


def _repeats(judged: Judged) -> dict[str, stats.Estimate]:
    """How far a judge agrees with itself, on answers read at least twice."""
    found = {item: ratings for item, ratings in _by_item(judged).items() if len(ratings) > 1}
    case_of = dict(zip(judged.readings["item"], judged.readings["id"], strict=True))
    cases = [str(case_of[item]) for item in found]
    pairs = [(Fraction(r[0]), Fraction(r[1])) for r in found.values()]
    equal = share_by_case([len(set(r)) == 1 for r in found.values()], cases)
    return {"repeats_equal": equal, "repeats_kappa": _kappa(pairs, cases)}


def _by_item(judged: Judged) -> dict[str, list[int]]:
    """Item to its ratings, in the order of the readings."""
    found: dict[str, list[int]] = {}
    for row in judged.readings.sort_values("reading", kind="stable").to_dict("records"):
        found.setdefault(row["item"], []).append(int(row["rating"]))
    return found
