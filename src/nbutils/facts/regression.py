"""The Regression block of a case: parsed, so that its figures can be stated and verified."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

# the brief analysis stays short: two predictors that matter, two that do not
SHOWN = 2


@dataclass(frozen=True)
class Predictor:
    """One predictor of a regression block; what the block does not give is None.

    Attributes
    ----------
    name : str
        As written, ``"plan_tier = Growth"`` for a level of a category.
    coefficient, odds_ratio, p : float or None
        As printed; ``p_is_bound`` says that ``p`` is an upper bound (``p<0.001``).
    odds_interval, points_interval : tuple of float or None
        Ends of the 95% intervals.
    points : float or None
        Average marginal effect, signed: percentage points of the outcome, or its unit.
    where : tuple of float
        The points of some groups, where they differ: ``(9.4 where plan_tier = Starter)``.
    step : str
        What the points belong to: ``"one more"``, ``"Growth instead of Starter"``.
    significant : bool
        Whether the evidence supports the predictor.
    """

    name: str
    coefficient: float | None = None
    odds_ratio: float | None = None
    p: float | None = None
    p_is_bound: bool = False
    significant: bool = True
    odds_interval: tuple[float, float] | None = None
    points: float | None = None
    points_interval: tuple[float, float] | None = None
    where: tuple[float, ...] = ()
    step: str = ""

    @property
    def plain(self) -> str:
        """The name in words: ``"days to first value"``."""
        return " ".join(self.name.replace("_", " ").split())

    @property
    def rises(self) -> bool | None:
        """Whether the outcome is higher where the predictor is; None if the block does not say."""
        for value, neutral in ((self.coefficient, 0), (self.points, 0), (self.odds_ratio, 1)):
            if value is not None and value != neutral:
                return value > neutral
        return None


@dataclass(frozen=True)
class Regression:
    """A regression block: kind, n, pseudo-R2, outcome and the predictors in their order."""

    kind: str = ""
    n: int | None = None
    pseudo_r2: float | None = None
    outcome: str = ""
    predictors: tuple[Predictor, ...] = field(default_factory=tuple)

    @property
    def significant(self) -> tuple[Predictor, ...]:
        """The predictors the evidence supports."""
        return tuple(p for p in self.predictors if p.significant)

    @property
    def unsupported(self) -> tuple[Predictor, ...]:
        """The predictors that it does not."""
        return tuple(p for p in self.predictors if not p.significant)

    def evidence(self) -> str:
        r"""What the block shows, in one clause: its first predictors, and what is not shown.

        Examples
        --------
        >>> block = "logistic, n=900, outcome paid\n- seats_invited: coef 0.4, odds ratio 1.49"
        >>> parse_regression(block).evidence()
        'seats invited goes with higher odds of paid (odds ratio 1.49)'
        """
        outcome = self.outcome or "the outcome"
        odds = any(p.odds_ratio is not None for p in self.significant)
        what = "odds" if odds else "values"
        said: list[str] = []
        for predictor in self.significant[:SHOWN]:
            if predictor.rises is None:
                continue
            way = "higher" if predictor.rises else "lower"
            of = "" if said else f" of {outcome}"
            goes = "" if said else " goes"
            said.append(f"{predictor.plain}{goes} with {way} {what}{of}{_figure(predictor)}")
        none = [f"{p.plain}{_p(p)}" for p in self.unsupported[:SHOWN]]
        parts = [_joined(said)] if said else []
        if none:
            verb = "are" if len(none) > 1 else "is"
            parts.append(f"{_joined(none)} {verb} not significant")
        return "; ".join(parts)


def _figure(predictor: Predictor) -> str:
    if predictor.odds_ratio is not None:
        return f" (odds ratio {predictor.odds_ratio:.2f})"
    if predictor.coefficient is not None:
        return f" (coefficient {abs(predictor.coefficient):g})"
    if predictor.points is not None:
        return f" ({abs(predictor.points):g} points for {predictor.step})"
    return ""


def _p(predictor: Predictor) -> str:
    if predictor.p is None:
        return ""
    text = f"{predictor.p:.3f}" if predictor.p < 0.1 else f"{predictor.p:.2f}"
    return f" (p{'<' if predictor.p_is_bound else '='}{text})"


def _joined(parts: list[str]) -> str:
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"


_FLOAT = r"([-+\u2212]?\d*\.?\d+)"
_ENDS = rf"\s*\[{_FLOAT}(?:,| to)\s*{_FLOAT}\]"
_POINTS = re.compile(
    r";\s*(?P<step>[^;:]+):\s*(?P<size>\d*\.?\d+)\s*(?P<unit>points?|[^\d\s;]*)\s*"
    r"(?P<way>more|less|higher|lower)[^;\[]*(?:\[(?P<low>[^,\]]+?)(?:,| to)\s*(?P<high>[^\]]+)\])?"
)
_WHERE = re.compile(r"(\d+\.?\d*) where ")


def parse_regression(text: str) -> Regression | None:
    r"""Read a regression block; None if there is none.

    Parameters
    ----------
    text : str
        A head (``logistic, n=2280, pseudo-R2=0.119, outcome paid``) and a line for each predictor,
        ``- name: coef 0.4, odds ratio 1.49 [1.30, 1.71], p<0.001; one more: 3.1 points more
        [2.2, 4.0]``. Lines of another form say what the block cannot, and are left aside.

    Examples
    --------
    >>> block = "logistic, n=2280, pseudo-R2=0.119\n- price_seen: not significant (p=0.38)"
    >>> parse_regression(block).predictors[0].significant
    False
    """
    head, *rest = text.strip().splitlines() or [""]
    if not head:
        return None
    n = re.search(r"\bn\s*=\s*([\d,]*\d)", head)
    r2 = re.search(r"R\S?2?\s*=\s*" + _FLOAT, head)
    outcome = re.search(r"\boutcome\s*[:=]?\s*([\w ]+)", head)
    return Regression(
        kind=re.split(r"[,;]", head)[0].strip(),
        n=int(n[1].replace(",", "")) if n else None,
        pseudo_r2=_number(r2[1]) if r2 else None,
        outcome=outcome[1].strip() if outcome else "",
        predictors=tuple(p for line in rest if (p := _predictor(line))),
    )


def _number(text: str) -> float:
    return float(text.replace("\u2212", "-"))


def _predictor(line: str) -> Predictor | None:
    match = re.match(r"\s*[-*•]\s*([^:]+):\s*(.*)", line)
    if not match:
        return None
    name, rest = match.groups()
    coefficient = re.search(r"\bcoef\w*\s*[=:]?\s*" + _FLOAT, rest)
    odds = re.search(rf"\bodds ratio\s*[=:]?\s*{_FLOAT}(?:{_ENDS})?", rest)
    p = re.search(r"\bp\s*([<=])\s*" + _FLOAT, rest)
    points = _POINTS.search(rest)
    sign = -1 if points and points["way"] in ("less", "lower") else 1
    return Predictor(
        name=name.strip(),
        coefficient=_number(coefficient[1]) if coefficient else None,
        odds_ratio=_number(odds[1]) if odds else None,
        p=_number(p[2]) if p else None,
        p_is_bound=bool(p and p[1] == "<"),
        significant="not significant" not in rest.lower(),
        odds_interval=(_number(odds[2]), _number(odds[3])) if odds and odds[2] else None,
        points=sign * float(points["size"]) if points else None,
        points_interval=_ends(points) if points else None,
        where=tuple(sign * float(x) for x in _WHERE.findall(rest)),
        step=points["step"].strip() if points else "",
    )


def _ends(points: re.Match[str]) -> tuple[float, float] | None:
    """Ends of the interval of a size, which may change its sign, as printed."""
    try:
        return (_number(points["low"]), _number(points["high"])) if points["low"] else None
    except ValueError:
        return None
