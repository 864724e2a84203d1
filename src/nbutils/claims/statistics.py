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
_RATIO = re.compile(r"\b(?:odds ratios?)\b[ =:]*(?:of |is |was |at |about )*[=:]? ?$")
_COEFFICIENT = re.compile(r"\b(?:coef\w*|beta|slope|estimate|effect)\b[^.;]{0,25}$")
_SIZE = re.compile(r"\bn ?= ?$|\br(?:2|²|-squared)? ?= ?$|\bpseudo-r\S* ?(?:=|of) ?$")
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
    named = _named(block, work)
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
            return work.settle("contradicted", "statistic", text)
        return False
    if _COEFFICIENT.search(before):
        given = [abs(p.coefficient) for p in named if p.coefficient is not None]
        return _settle(work, given, wanted, "coefficient")
    return False


def _named(block: Regression, work: Work) -> list[Predictor]:
    """The predictors whose names the sentence speaks of; all of them if it names none."""
    words = work.sentence.words
    scored = [(len(stems(p.name.replace("_", " ")) & words), p) for p in block.predictors]
    best = max((s for s, _ in scored), default=0)
    return [p for s, p in scored if s > 0] if best else list(block.predictors)


def _settle(work: Work, given: list[float], wanted: tuple[float, float], what: str) -> bool:
    for value in given:
        if inside(value, wanted):
            return work.settle("supported", "statistic", f"the regression gives {what} {value:g}")
    stated = ", ".join(f"{v:g}" for v in given[:4]) or "none"
    return work.settle("contradicted", "statistic", f"the regression gives {what}: {stated}")


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
                return work.settle("unit_confusion", "statistic", text)
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
            return work.settle("supported", "statistic", text)
    if not wrong:
        for value in (p.odds_ratio for p in others if p.odds_ratio is not None):
            if inside(abs(value - 1) * 100, wanted) and (not sign or (value - 1) * sign > 0):
                text = f"{value:g} - 1 = {(value - 1) * 100:+.0f}% odds"
                return work.settle("supported", "statistic", text)
    if wrong:
        return work.settle("contradicted", "statistic", f"the other way round: {wrong}")
    return False
