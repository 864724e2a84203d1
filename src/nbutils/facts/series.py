"""The facts of one case: endpoints, changes, shape, sampling noise, size and good direction."""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from statistics import NormalDist
from typing import TYPE_CHECKING, Any

import numpy as np
import yaml

from nbutils.facts.regression import Regression, parse_regression
from nbutils.facts.shape import Shape, fit_shape

if TYPE_CHECKING:
    from nbutils.examples import Case

Z95 = 1.959964


@dataclass(frozen=True)
class Point:
    """One value of the series; ``index`` counts from 0."""

    index: int
    value: float


@dataclass(frozen=True)
class Step:
    """The change from one known value to the next known one."""

    start: Point
    end: Point

    @property
    def change(self) -> float:
        """End minus start, in the unit of the series."""
        return self.end.value - self.start.value


@dataclass(frozen=True)
class Facts:
    """What code can say about a case. All values are in the unit of the series.

    Attributes
    ----------
    case : Case
        Where the facts come from.
    first, last, high, low : Point
        End points and extremes (of equal extremes the first).
    steps : tuple of Step
        Changes between neighbouring known values.
    mean, first_half, second_half : float
        Means; the middle value of an odd series belongs to neither half.
    slope : float
        Least-squares change per period.
    shape : Shape
        The best model of the series and its evidence.
    change_at : int or None
        Index of a recorded change whose time can be read from "week 5" or "4 weeks ago".
    noise : float or None
        95% half-width of what sampling alone does to ``move`` at this cohort size; None where
        the metric is no share or count, or the cohort is unknown.
    scatter : float
        Standard deviation of the series around its shape.
    polarity : str
        ``"up"``, ``"down"`` (lower is better) or ``"unknown"``.
    missing : tuple of int
        Indices of missing periods.
    season : int or None
        Length in periods of a repeating pattern, where the series is long enough to show one.
    segments : dict of str to tuple of float
        Further series of the same length found in Notes or Context.
    regression : Regression or None
        The parsed Regression block.
    """

    case: Case
    first: Point
    last: Point
    high: Point
    low: Point
    steps: tuple[Step, ...]
    mean: float
    first_half: float
    second_half: float
    slope: float
    shape: Shape
    change_at: int | None
    noise: float | None
    scatter: float
    polarity: str
    missing: tuple[int, ...] = ()
    season: int | None = None
    segments: dict[str, tuple[float, ...]] = field(default_factory=dict)
    regression: Regression | None = None

    @property
    def change(self) -> float:
        """Last minus first."""
        return self.last.value - self.first.value

    @property
    def percent(self) -> float | None:
        """Change of the ends in percent of the first value; None if that is 0."""
        return percent_change(self.first.value, self.last.value)

    @property
    def move(self) -> float:
        """The move that matters: the shift of level for a step or a bump, else last minus first."""
        if self.shape.before is not None and self.shape.after is not None:
            return self.shape.after - self.shape.before
        return self.change

    @property
    def largest(self) -> Step | None:
        """The largest step by size; None for a single value."""
        return max(self.steps, key=lambda s: abs(s.change), default=None)

    @property
    def beyond_noise(self) -> bool | None:
        """Whether the move is more than chance; None where neither cohort nor series can tell."""
        if self.shape.kind == "flat":
            return False if len(self.steps) >= 3 else None
        if self.noise is not None:
            return abs(self.move) > self.noise
        return True if self.shape.evidence > 2 else None

    @property
    def direction(self) -> str:
        """``"up"``, ``"down"``, ``"flat"`` (within noise) or ``"mixed"`` (went back)."""
        if self.shape.kind == "bump":
            return "mixed"
        if self.move == 0 or self.beyond_noise is False:
            return "flat"
        return "up" if self.move > 0 else "down"

    @property
    def good(self) -> bool | None:
        """Whether the move is good news; None if flat, mixed or of unknown polarity."""
        if self.polarity == "unknown" or self.direction not in ("up", "down"):
            return None
        return self.direction == self.polarity

    @property
    def affected(self) -> float | None:
        """People (or money, for a money cohort) per period that the move stands for.

        Share metrics: move times cohort. Amounts per head: move times cohort in money. Counts and
        amounts: the move itself. None where the product would mean nothing.
        """
        case = self.case
        if case.unit in ("rate", "percent") and _is_share(case):
            return None if case.cohort is None else abs(self.move) * case.cohort / full_scale(case)
        if case.unit == "count":
            return abs(self.move) * case.scale
        if case.unit == "money" and _per_head(case) and case.cohort and not case.cohort_currency:
            return abs(self.move) * case.cohort
        return None

    def render(self) -> str:
        """The ``Facts:`` block that the prompt carries."""
        from nbutils.facts.words import render

        return render(self)

    def brief(self) -> str:
        """The analysis in a few fixed sentences."""
        from nbutils.facts.words import brief

        return brief(self)

    def standing(self) -> str:
        """What the move comes to by now, in one phrase; urgency hangs on it most."""
        from nbutils.facts.words import standing

        return standing(self)

    @property
    def usual_urgency(self) -> str:
        """The level that the standing suggests: ``"High"``, ``"Medium"`` or ``"Low"``.

        Low for what has not lasted or is no more than chance, High for lasting bad news, else
        Medium. Of 413 analysts' and approved examples of the demonstration 71% have this level; no
        further fact, nor a logistic regression on twenty of them, came closer.
        """
        if self.shape.kind == "bump" or self.direction == "flat":
            return "Low"
        return "High" if self.good is False else "Medium"

    def size(self) -> str:
        """The size of the move in one phrase, for the reason behind an urgency."""
        from nbutils.facts.words import size

        return size(self)


def percent_change(before: float, after: float) -> float | None:
    """Change in percent of ``before``; None if that is 0 (no percent of nothing)."""
    return None if before == 0 else (after - before) / abs(before) * 100


def full_scale(case: Case) -> float:
    """What the series prints for 100%: 1 for a rate, 100 for percent."""
    return 100.0 if case.unit == "percent" else 1.0


def compute(case: Case, *, glossary: Mapping[str, Any] | None = None) -> Facts:
    """Compute the facts of a case.

    Parameters
    ----------
    case : Case
        A parsed case with at least one known value.
    glossary : mapping, optional
        Terms with their good direction, as `read_glossary` returns; the demonstration task's own
        if not given.

    Returns
    -------
    Facts

    Raises
    ------
    ValueError
        If no value of the series is known.
    """
    points = [Point(i, v) for i, v in enumerate(case.values) if v is not None]
    if not points:
        raise ValueError("every value of the series is missing; expected at least one number.")
    x = np.array([p.index for p in points], dtype=float)
    y = np.array([p.value for p in points])
    resolution = 10.0**-case.decimals
    shape = fit_shape(case.values, resolution, _value_noise(case, float(y.mean())))
    half = len(y) // 2
    return Facts(
        case=case,
        first=points[0],
        last=points[-1],
        high=max(points, key=lambda p: p.value),
        low=min(points, key=lambda p: p.value),
        steps=tuple(Step(a, b) for a, b in itertools.pairwise(points)),
        mean=float(y.mean()),
        first_half=float(y[: half or 1].mean()),
        second_half=float(y[-(half or 1) :].mean()),
        slope=float(np.polyfit(x, y, 1)[0]) if len(y) > 1 else 0.0,
        shape=shape,
        change_at=change_index(case),
        noise=_move_noise(case, shape, y),
        scatter=_scatter(x, y, shape),
        polarity=polarity(case, read_glossary() if glossary is None else glossary),
        missing=tuple(i for i, v in enumerate(case.values) if v is None),
        season=_season(y),
        segments=segment_series(case),
        regression=parse_regression(case.regression),
    )


# --------------------------------------------------------------------------- noise


def _is_share(case: Case) -> bool:
    """A share of the cohort's people: revenue retention, gaps and growth are none."""
    about = f"{case.metric} {case.definition}".lower()
    known = [v for v in case.values if v is not None]
    inside = all(0 <= v <= full_scale(case) for v in known)
    money = re.search(
        r"\b(?:revenue|mrr|arr|nrr|grr|gap|difference|minus|growth|ratio|dau|score)\b", about
    )
    return inside and not money and not case.cohort_currency


def _per_head(case: Case) -> bool:
    return bool(re.search(r"\bper\b|\bcac\b|\barpu\b", f"{case.metric} {case.definition}".lower()))


def _value_noise(case: Case, level: float) -> float:
    """Sampling standard deviation of one value: binomial for shares, Poisson for counts."""
    if case.unit in ("rate", "percent") and _is_share(case) and case.cohort:
        p = level / full_scale(case)
        return math.sqrt(max(p * (1 - p), 0.0) / case.cohort) * full_scale(case)
    if case.unit == "count" and level > 0:
        return math.sqrt(level * case.scale) / case.scale
    return 0.0


def _move_noise(case: Case, shape: Shape, y: np.ndarray) -> float | None:
    sd = _value_noise(case, float(y.mean()))
    if sd == 0:
        return None
    if shape.start is None:
        return Z95 * sd * math.sqrt(2)
    inside = (shape.end or len(case.values)) - shape.start
    outside = max(len(y) - inside, 1)
    # the place was searched for, so the level is shared among the places tried (Bonferroni)
    z = NormalDist().inv_cdf(1 - 0.025 / shape.tried)
    return z * sd * math.sqrt(1 / inside + 1 / outside)


def _scatter(x: np.ndarray, y: np.ndarray, shape: Shape) -> float:
    if shape.start is not None:
        end = shape.end if shape.end is not None else math.inf
        inside = (x >= shape.start) & (x < end)
        fitted = np.where(inside, shape.after or 0.0, shape.before or 0.0)
        used = 2
    else:
        degree = {"flat": 0, "trend": 1, "accelerating": 2}[shape.kind]
        if len(y) <= degree + 1:
            return 0.0
        fitted = np.polyval(np.polyfit(x, y, degree), x)
        used = degree + 1
    return float(np.sqrt(((y - fitted) ** 2).sum() / max(len(y) - used, 1)))


def _season(y: np.ndarray) -> int | None:
    """Lag (2 to 12) at which the detrended series repeats; needs two full cycles."""
    if len(y) < 8:
        return None
    x = np.arange(len(y))
    rest = y - np.polyval(np.polyfit(x, y, 1), x)
    if not (rest**2).sum() > 1e-9 * (y**2).sum():
        return None
    found = {
        lag: float((rest[lag:] * rest[:-lag]).sum() / (rest**2).sum()) * len(y) / (len(y) - lag)
        for lag in range(3, min(12, len(y) // 2) + 1)
    }
    lag, strength = max(found.items(), key=lambda item: item[1])
    return lag if strength > 0.7 else None


# --------------------------------------------------------------------------- what the words say

_DOWN = re.compile(
    r"\b(?:churn|cac|cost|costs|cpl|cpa|lead cost|ramp time|time to|days to|response time|"
    r"resolution|contact rate|tickets?|complaints?|bounce|cancel(?:led|lation)?s?|refunds?|"
    r"payback|unsubscribe|abandon\w*|quiet|drift|no-show|error|failure|latency|cycle|backlog|"
    r"waiting|wait|delay|contraction|downgrades?|lost|spam)\b",
    re.IGNORECASE,
)
_UP = re.compile(
    r"\b(?:rate|conversion|cvr|ctr|retention|activation|adoption|revenue|mrr|arr|nrr|grr|arpu|ltv|"
    r"nps|csat|score|rating|sign-?ups?|trials?|starts|dau|wau|mau|dau/mau|sessions|mqls?|sqls?|"
    r"pqls?|leads|win|renewals?|expansion|upgrades?|growth|stickiness|accepted|acceptance|"
    r"accounts|users|referrals?|lift|pipeline|completion|engagement)\b",
    re.IGNORECASE,
)


@lru_cache(maxsize=4)
def read_glossary(path: str | None = None) -> dict[str, dict[str, str]]:
    """Glossary terms by lower-cased name; the demonstration task's file if no path is given.

    Parameters
    ----------
    path : str, optional
        A YAML file with groups of ``Term: {direction: up|down|neutral, ...}``.

    Returns
    -------
    dict
        Empty if the demonstration file is not there.
    """
    file = Path(path) if path else _task_glossary()
    if path is None and not file.is_file():
        return {}
    groups = yaml.safe_load(file.read_text(encoding="utf-8")) or {}
    return {
        term.lower(): dict(entry or {})
        for group in groups.values()
        for term, entry in (group or {}).items()
    }


def _task_glossary() -> Path:
    return Path(__file__).resolve().parents[3] / "data" / "growth" / "glossary.yaml"


def polarity(case: Case, glossary: Mapping[str, Any]) -> str:
    """Which direction of the metric is good: the glossary first, then everyday names."""
    # of a ratio such as LTV:CAC what is divided decides
    metric = re.split(r"[:/]", case.metric.lower())[0]
    if re.search(r"\b(?:gap|divergence|difference|spread|share of)\b", metric):
        return "unknown"
    for term in sorted(glossary, key=len, reverse=True):
        if re.search(rf"\b{re.escape(term)}s?\b", metric):
            direction = glossary[term].get("direction", "neutral")
            # "CAC payback" is about CAC and "SQL win rate" is not an amount of SQLs
            if direction != "neutral":
                return "down" if _DOWN.search(metric) else direction
    if _DOWN.search(metric):
        return "down"
    return "up" if _UP.search(metric) else "unknown"


def change_index(case: Case) -> int | None:
    """Index of the first recorded change whose time is given in periods; None if none is."""
    if not case.period or not case.changes:
        return None
    n = len(case.values)
    ago = re.search(rf"\b(\d+|one|two|three|four|five|six)\s+{case.period}s? ago\b", case.changes)
    at = re.search(rf"\b{case.period}s?\s+(\d+)\b", case.changes, re.IGNORECASE)
    if at and (not ago or at.start() < ago.start()):
        index = int(at[1]) - 1
    elif ago:
        words = {"one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6}
        index = n - (words.get(ago[1]) or int(ago[1]))
    else:
        return None
    return index if 0 <= index < n else None


_SERIES = re.compile(
    r"(?P<name>[A-Za-z][\w %/'-]{2,60}?)\s*(?:by \w+)?[:=]?\s*\[?"
    r"(?P<list>[$€£]?\d[\d.]*%?(?:,\s+(?:and\s+)?[$€£]?\d[\d.]*%?){2,})\]?"
)


def segment_series(case: Case) -> dict[str, tuple[float, ...]]:
    """Further series of the same length as the case's own, named by the words before them."""
    found: dict[str, tuple[float, ...]] = {}
    for text in (case.notes, case.context):
        for match in _SERIES.finditer(text):
            values = tuple(float(v) for v in re.findall(r"\d+(?:\.\d+)?", match["list"]))
            if len(values) == len(case.values):
                found[match["name"].strip(" :=")] = values
    return found
