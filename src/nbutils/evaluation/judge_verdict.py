"""Whether a judge may stand in for people, and why, in words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from nbutils import stats

from .rating import FEWEST

ENOUGH = 30  # answers rated by people, below which no judge stands in for them
LEAST_KAPPA = 0.4  # what the lower end of weighted kappa must exceed
UNRATED = "not calibrated: no person has rated"

_NONE = stats.Estimate(None, None, None, 0)


def lacks(n: int, measures: Mapping[str, stats.Estimate]) -> list[str]:
    """What keeps a judge from standing in for people; empty if nothing does.

    Parameters
    ----------
    n : int
        Answers that both rated.
    measures : mapping
        See `nbutils.evaluation.calibrating.Calibration`.
    """
    few = [] if n >= ENOUGH else [f"{n} of the answers were rated by both, {ENOUGH} are needed"]
    return [*few, *_by_kappa(measures["kappa"]), *_by_error(measures)]


def verdict(
    rated: int, strays: int, n: int, measures: Mapping[str, stats.Estimate], missing: Sequence[str]
) -> str:
    """Whether a judge may stand in for people, as a sentence without its full stop.

    Parameters
    ----------
    rated, strays : int
        Answers that people rated, and ratings that belong to other answers.
    n : int
        Answers that both rated.
    measures, missing
        See `lacks`, and what it returned.
    """
    left = f"; {strays} ratings belong to answers of another run" if strays else ""
    if not rated:
        return UNRATED + left
    if not n:
        return f"not calibrated: the judge has judged no answer that people rated{left}"
    tail = "".join(f"; {doubt}" for doubt in _leanings(measures)) + left
    if missing:
        return f"the judge may not stand in for people: {'; '.join(missing)}{tail}"
    kappa, error = measures["kappa"], measures["error"]
    return (
        f"the judge may stand in for people on such answers: weighted kappa {kappa.value:.2f} "
        f"({kappa.low:.2f} to {kappa.high:.2f}) and a mean error of {error.value:.2f} points on "
        f"{n} answers{tail}"
    )


def _by_kappa(kappa: stats.Estimate) -> Iterator[str]:
    if kappa.value is None:
        why = "so few answers" if kappa.n < FEWEST else "ratings that are all equal"
        yield f"weighted kappa is not defined for {why}"
    elif kappa.low is None:
        yield f"weighted kappa is {kappa.value:.2f} without an interval, for one side never varies"
    elif kappa.low <= LEAST_KAPPA:
        yield (
            f"weighted kappa is {kappa.value:.2f} and may be as low as {kappa.low:.2f}, where "
            f"more than {LEAST_KAPPA} is needed"
        )


def _by_error(measures: Mapping[str, stats.Estimate]) -> Iterator[str]:
    error, constant = measures["error"].value, measures["constant_error"].value
    if error is not None and constant is not None and error >= constant:
        yield (
            f"its mean error of {error:.2f} points is not below the {constant:.2f} of always "
            f"giving the people's median"
        )


def _leanings(measures: Mapping[str, stats.Estimate]) -> Iterator[str]:
    """Which way a judge leans, where the data show it, whatever the verdict."""
    harsh = measures["harshness"]
    if harsh.value and _side(harsh, 0.0):
        way = "harsher" if harsh.value < 0 else "milder"
        yield f"it is {way} than people by {abs(harsh.value):.2f} points"
    slope = measures["slope_difference"]
    if slope.value and _side(slope, 0.0):
        more = "more" if slope.value > 0 else "fewer"
        yield f"it gives {abs(slope.value):.2f} points {more} than people for 100 words more"
    if side := _side(measures.get("first", _NONE), 0.5):
        yield f"it prefers the answer shown {'first' if side > 0 else 'second'}"


def _side(found: stats.Estimate, middle: float) -> int:
    """1 or -1 if an interval lies above or below a value, else 0; without one, where it is."""
    if found.value is None or (found.low is None and found.n < FEWEST):
        return 0
    low = found.value if found.low is None else found.low
    high = found.value if found.high is None else found.high
    return int(low > middle) - int(high < middle)
