"""The Regression block of a case: parsed, so that its figures can be stated and verified."""

from __future__ import annotations

import re
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Predictor:
    """One predictor of a regression block; what the block does not give is None."""

    name: str
    coefficient: float | None = None
    odds_ratio: float | None = None
    p: float | None = None
    p_is_bound: bool = False
    significant: bool = True


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


_FLOAT = r"([-+\u2212]?\d*\.?\d+)"


def parse_regression(text: str) -> Regression | None:
    r"""Read a regression block; None if there is none.

    Examples
    --------
    >>> block = "logistic, n=2280, pseudo-R2=0.119\n- price_seen: not significant (p=0.38)"
    >>> parse_regression(block).predictors[0].significant
    False
    """
    head, *rest = text.strip().splitlines() or [""]
    if not head:
        return None
    n = re.search(r"\bn\s*=\s*([\d,]+)", head)
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
    odds = re.search(r"\bodds ratio\s*[=:]?\s*" + _FLOAT, rest)
    p = re.search(r"\bp\s*([<=])\s*" + _FLOAT, rest)
    return Predictor(
        name=name.strip(),
        coefficient=_number(coefficient[1]) if coefficient else None,
        odds_ratio=_number(odds[1]) if odds else None,
        p=_number(p[2]) if p else None,
        p_is_bound=bool(p and p[1] == "<"),
        significant="not significant" not in rest.lower(),
    )
