"""Figures of a regression: odds ratios, coefficients, p-values, n, and odds in percent."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from nbutils.claims.context import direction
from nbutils.claims.levels import inside
from nbutils.claims.source import stems
from nbutils.facts.regression import Predictor, Regression, parse_regression

if TYPE_CHECKING:
    from nbutils.claims.judge import Judge
    from nbutils.claims.work import Work

_P = re.compile(r"\bp(?:-value)?s?(?: (?:of|is|was|at))? ?[=<>≤≥]?(?: about)? ?$")
_RATIO = re.compile(
    r"\bodds ratios?\b(?:[ =:]*(?:of |is |was |at |about )*[=:]? ?$|"
    r" (?:of|for) [^.;,\d]{1,45} (?:is|was|of) (?:about )?$)"
)
_COEFFICIENT = re.compile(r"\b(?:coef\w*|beta|slope|estimate|effect)\b[^.;]{0,25}$")
_SIZE = re.compile(r"\bn ?= ?$|\br(?:2|²|-squared)? ?(?:=|of) ?$|\bpseudo-r\S* ?(?:=|of) ?$")
_BETWEEN = re.compile(
    r"(?:[\[(]|\bbetween|\bfrom)(?: \S+ ?(?:,|to|and))? ?$|[\[(][^\])]{1,12}(?:,|to) ?$"
)
_WORD = re.compile(r"[a-z][a-z'-]*")
_CHANCE = re.compile(r"\b(?:probabilit\w+|chances?|likelihood|likel\w+)\b")


def regression(judge: Judge) -> Regression | None:
    """The parsed block of the case, if it has one."""
    case = judge.source.case
    return parse_regression(case.regression) if case and case.regression else None


def statistic(judge: Judge, work: Work) -> bool:
    """Judge a number that quotes the regression; False if it does not."""
    block = judge.regression
    if block is None:
        return False
    before, after = judge.context(work)
    beside = _beside(block, work)
    named = beside or list(block.predictors)
    wanted = work.span.interval()
    if _P.search(before):
        given = [p.p for p in named if p.p is not None]
        return _settle(work, given, wanted, "p")
    if _RATIO.search(before):
        given = [p.odds_ratio for p in named if p.odds_ratio is not None]
        return _settle(work, given, wanted, "odds ratio")
    if _SIZE.search(before):
        given = [float(x) for x in (block.n, block.pseudo_r2) if x is not None]
        return _settle(work, given, wanted, "the block")
    if work.span.unit == "%" and ("odds" in work.sentence.low or _CHANCE.search(after)):
        if _odds(work, named, block.predictors, wanted, after):
            return True
        if "odds" in f"{before[-45:]}{after[:20]}":
            ratios = ", ".join(f"{p.odds_ratio:g}" for p in named if p.odds_ratio is not None)
            text = f"the regression gives odds ratio {ratios or 'none'}"
            return work.settle("contradicted", "regression", text)
        return False
    if _points(work, beside) or _end_of_interval(work, beside, before):
        return True
    if _COEFFICIENT.search(before):
        given = [abs(p.coefficient) for p in named if p.coefficient is not None]
        return _settle(work, given, wanted, "coefficient")
    return False


def _beside(block: Regression, work: Work) -> list[Predictor]:
    """The predictors named next to a number, before and after it.

    A figure belongs to the name beside it, so that two figures that are swapped do not pass.
    """
    low, start = work.sentence.low, work.span.start - work.sentence.start
    places = [(at, p) for p in block.predictors for at in _places(p, block, low)]
    before = [(at, p) for at, p in places if at < start]
    after = [(at, p) for at, p in places if at >= start]
    found = [max(before, key=lambda x: x[0])[1]] if before else []
    found += [min(after, key=lambda x: x[0])[1]] if after else []
    return found


def _places(predictor: Predictor, block: Regression, low: str) -> list[int]:
    """Where a sentence names a predictor, by the words that no other predictor has."""
    own = stems(predictor.plain)
    others = [stems(p.plain) for p in block.predictors if p is not predictor]
    others.append(stems(block.outcome.replace("_", " ")))
    words = own.difference(*others) or own
    return [m.start() for m in _WORD.finditer(low) if m[0][:5] in words]


def quoted(judge: Judge, work: Work) -> bool:
    """Settle a bare figure that stands in the block beside the predictor that is named."""
    block, span = judge.regression, work.span
    if block is None or span.unit not in ("", "money", "x") or not span.decimals:
        return False
    for predictor in _beside(block, work):
        for value in (predictor.odds_ratio, predictor.coefficient, predictor.p):
            if value is not None and inside(abs(value), span.interval()):
                text = f"the regression gives {value:g} for {predictor.plain}"
                return work.settle("supported", "regression", text)
    return False


def _points(work: Work, named: list[Predictor]) -> bool:
    """A marginal effect in points; a number that is none may still be a move of the series."""
    if work.span.unit not in ("pp", "points"):
        return False
    sign = direction(work.sentence, work.span.start, work.span.end)
    for predictor in named:
        for size in (predictor.points, *predictor.where):
            if size is None or not inside(abs(size), work.span.interval()):
                continue
            text = f"the regression gives {size:+g} points for {predictor.step} ({predictor.plain})"
            right = not sign or size * sign > 0
            return work.settle("supported" if right else "contradicted", "regression", text)
    return False


def _end_of_interval(work: Work, named: list[Predictor], before: str) -> bool:
    if work.span.unit not in ("", "pp", "points") or not _BETWEEN.search(before):
        return False
    for predictor in named:
        for ends in filter(None, (predictor.odds_interval, predictor.points_interval)):
            if any(inside(abs(end), work.span.interval()) for end in ends):
                text = f"the regression gives an interval from {ends[0]:g} to {ends[1]:g}"
                return work.settle("supported", "regression", text)
    return False


def _settle(work: Work, given: list[float], wanted: tuple[float, float], what: str) -> bool:
    for value in given:
        if inside(value, wanted):
            return work.settle("supported", "regression", f"the regression gives {what} {value:g}")
    stated = ", ".join(f"{v:g}" for v in given[:4]) or "none"
    return work.settle("contradicted", "regression", f"the regression gives {what}: {stated}")


def _odds(
    work: Work,
    named: list[Predictor],
    others: tuple[Predictor, ...],
    wanted: tuple[float, float],
    after: str,
) -> bool:
    ratios = [p.odds_ratio for p in named if p.odds_ratio is not None]
    if _CHANCE.search(after[:40]):
        for value in ratios:
            if inside(abs(value - 1) * 100, wanted) or inside(value * 100, wanted):
                text = f"an odds ratio of {value:g} is a change of odds, not a probability"
                return work.settle("unit_confusion", "regression", text)
        return False
    sign = direction(work.sentence, work.span.start, work.span.end)
    wrong = ""
    for value in ratios:
        change = (value - 1) * 100
        if inside(abs(change), wanted):
            text = f"{value:g} - 1 = {change:+.0f}% odds, printed as {work.span.text}"
            if sign and change * sign < 0:
                wrong = text
                continue
            return work.settle("supported", "regression", text)
    if not wrong:
        for value in (p.odds_ratio for p in others if p.odds_ratio is not None):
            if inside(abs(value - 1) * 100, wanted) and (not sign or (value - 1) * sign > 0):
                text = f"{value:g} - 1 = {(value - 1) * 100:+.0f}% odds"
                return work.settle("supported", "regression", text)
    if wrong:
        return work.settle("contradicted", "regression", f"the other way round: {wrong}")
    return False
