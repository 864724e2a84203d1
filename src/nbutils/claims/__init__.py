"""Numeric claims: every number of an analysis, bound to operands, recomputed and judged.

A number is *supported* when the words around it name operands of the input and the operation on
them gives it: half a unit of its last printed digit either way, hedges read as sets. A number that
merely could be derived from some pair of values is not. Module by module: `grammar` reads what a
number says by itself, `masks` finds the numbers and leaves out dates, labels and names, `source`
reads the input, `context` the sentences; `judge` decides; `selftest` measures all of it. Against
the series of a case, `levels`, `changes`, `amounts`, `durations` and `statistics` bind and
recompute. Any other input is read by `tables` as cells with the words of their rows and columns;
`naming` finds which of them a sentence names, `combine` what they give together, `free` decides.
`course` reads what is
said of a series without a number. `formulas` reads arithmetic that is written out.
"""

from __future__ import annotations

import re

from nbutils.claims.course import Told, misread
from nbutils.claims.judge import Judge
from nbutils.claims.selftest import on_texts, self_test
from nbutils.claims.source import read
from nbutils.claims.verdict import KINDS, VERDICTS, WRONG, Claim, Verdict

__all__ = [
    "KINDS",
    "VERDICTS",
    "WRONG",
    "Claim",
    "Told",
    "Verdict",
    "digit_score",
    "misread",
    "on_texts",
    "self_test",
    "verify",
]

_DIGITS = re.compile(r"\d+(?:\.\d+)?")


def verify(input_text: str, output_text: str) -> Verdict:
    r"""Read the numbers of an analysis and say of each whether the input supports it.

    Parameters
    ----------
    input_text : str
        The case (see `nbutils.examples.parse_case`). Any other text is read as a table (separated
        by bars, tabs, commas, semicolons or blanks, or HTML), as JSON, as "key: value" records, or
        as prose; each number belongs to the row and column, or the clause, that names it.
    output_text : str
        The analysis. Any text at all is accepted; the time taken is linear in its length.

    Returns
    -------
    Verdict
        One claim per number, in order: ``supported``; ``contradicted`` (bound to operands that
        give something else, or told in the wrong direction); ``unsupported`` (not in the input and
        not derivable); ``unit_confusion`` (percent for percentage points, odds for probability);
        ``proposal`` (part of what is proposed, not a statement); ``unchecked`` (no operands are
        named, and the number is too loose to be called wrong).

    Examples
    --------
    >>> case = "Metric: CVR\nData: [0.42, 0.38, 0.31] (last 3 weeks)"
    >>> verdict = verify(case, "CVR fell from 0.42 to 0.31, down 26%.")
    >>> verdict.claims[2].derivation
    '(0.31 - 0.42) / 0.42 = -26.2%, printed as 26%'
    >>> verdict.precision, verdict.faithful
    (1.0, True)
    """
    return Verdict(Judge(read(input_text), output_text).run())


def digit_score(input_text: str, output_text: str) -> float | None:
    """Share of the output's digit strings that stand in the input: the published way.

    Shown beside `verify` for comparison; a correct "declined 26%" lowers it, a wrong number that
    happens to stand in the input does not. None for a text without digits.

    Examples
    --------
    >>> digit_score("Data: [0.42, 0.31]", "from 0.42 to 0.31, down 26%")
    0.6666666666666666
    """
    printed = _DIGITS.findall(output_text)
    given = set(_DIGITS.findall(input_text))
    return sum(number in given for number in printed) / len(printed) if printed else None
