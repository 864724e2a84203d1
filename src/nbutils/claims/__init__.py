"""Numeric claims: every number of an analysis, bound to operands, recomputed and judged."""

from __future__ import annotations

import re

from nbutils.claims.judge import Judge
from nbutils.claims.source import read
from nbutils.claims.verdict import KINDS, VERDICTS, Claim, Verdict

__all__ = ["KINDS", "VERDICTS", "Claim", "Verdict", "digit_score", "verify"]


def verify(input_text: str, output_text: str) -> Verdict:
    """Read the numbers of an analysis and say of each whether the input supports it.

    Parameters
    ----------
    input_text : str
        The case; any other text is read as numbers, lists and tables.
    output_text : str
        The analysis.

    Returns
    -------
    Verdict
    """
    return Verdict(Judge(read(input_text), output_text).run())


def digit_score(input_text: str, output_text: str) -> float | None:
    """Share of the output's digit strings that stand in the input (the published way)."""
    printed = re.findall(r"\d+(?:\.\d+)?", output_text)
    given = set(re.findall(r"\d+(?:\.\d+)?", input_text))
    return sum(p in given for p in printed) / len(printed) if printed else None
