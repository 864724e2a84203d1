"""Arithmetic written out in a text: "0.7 + 1.5 + 1.9", "0.25 x 700 = 175"."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from nbutils.claims.changes import show

if TYPE_CHECKING:
    from nbutils.claims.judge import Judge
    from nbutils.claims.work import Work

_SIGN = re.compile(
    r"^ ?([+*/=x\u00d7\u2212-]|times|plus|minus|divided by|is|makes) ?[$\u20ac\u00a3]?$"
)
_SIGNS = {"plus": "+", "minus": "-", "\u2212": "-", "x": "*", "\u00d7": "*", "times": "*"}
_SIGNS |= {"divided by": "/", "is": "=", "makes": "="}


def read_formulas(judge: Judge) -> None:
    """Settle the open numbers of formulas whose arithmetic holds and whose result is supported.

    A formula whose result the input supports determines its operands as far as they are few: at
    most half of them may be open.
    """
    for sentence in judge.sentences:
        works = sentence.works[:60]
        start = 0
        while start < len(works) - 1:
            signs: list[str] = []
            end = start
            while end + 1 < len(works):
                gap = judge.output[works[end].span.end : works[end + 1].span.start].lower()
                sign = _SIGN.match(gap)
                if not sign:
                    break
                signs.append(_SIGNS.get(sign[1], sign[1]))
                end += 1
            if len(signs) > 1:
                before = works[start - 1] if start else None
                _settle(judge, works[start : end + 1], signs, before)
            start = max(end, start + 1)


def _settle(judge: Judge, works: list[Work], signs: list[str], before: Work | None) -> None:
    """One formula, with its result after the equals sign or as the number it stands beside."""
    if "=" in signs:
        cut = signs.index("=")
        operands, result, signs = works[: cut + 1], works[cut + 1], signs[:cut]
    else:
        gap = judge.output[before.span.end : works[0].span.start] if before else "-"
        if before is None or gap not in (" (", ": ", " = ", ", "):
            return
        operands, result = works, before
    unsettled = [w for w in operands if not w.verdict]
    if not unsettled or result.verdict != "supported" or 2 * len(unsettled) > len(operands):
        return
    value = _evaluate([w.span.value * (w.span.sign or 1) for w in operands], signs)
    low, high = result.span.interval()
    # percent and points count as a hundredth where the result does not
    if value is None or not any(low <= abs(value) * by <= high for by in (1.0, 0.01, 100.0)):
        return
    text = f"{_written(operands, signs)} = {show(value)}, as {result.span.text} says"
    for work in unsettled:
        work.settle("supported", judge.kind(work), text)


def _evaluate(values: list[float], signs: list[str]) -> float | None:
    """Products and quotients first, then sums and differences; None where it divides by zero."""
    terms, kept = [values[0]], list[str]()
    for sign, value in zip(signs, values[1:], strict=True):
        if sign == "*":
            terms[-1] *= value
        elif sign == "/":
            if not value:
                return None
            terms[-1] /= value
        else:
            kept.append(sign)
            terms.append(value)
    total = terms[0]
    for sign, term in zip(kept, terms[1:], strict=True):
        total += term if sign == "+" else -term
    return total


def _written(operands: list[Work], signs: list[str]) -> str:
    pieces = [operands[0].span.text]
    for sign, work in zip(signs, operands[1:], strict=True):
        pieces += [sign.replace("*", "x"), work.span.text]
    return " ".join(pieces)
