"""Layer 1: the form of an answer."""

from __future__ import annotations

import re

from nbutils.examples import URGENCIES, parse_answer
from nbutils.gates import MAX_WORDS

_HEADS = re.compile(r"^[ \t*#]*(Analysis|Recommended action|Urgency)[ \t*]*:", re.I | re.M)


def check_format(output_text: str) -> dict[str, bool]:
    r"""Check the house form of an answer.

    Parameters
    ----------
    output_text : str
        A model's answer.

    Returns
    -------
    dict of str to bool
        ``three_sections`` (each heading once, in order, text in each), ``urgency_level`` (High,
        Medium or Low), ``urgency_reason`` (something follows the level), ``length`` (at most 230
        words), ``nothing_else`` (no text before, no copied case lines).

    Examples
    --------
    >>> text = "Analysis: It fell.\nRecommended action: Test it.\nUrgency: Low — a small move."
    >>> all(check_format(text).values())
    True
    """
    text = output_text.strip()
    answer = parse_answer(text)
    heads = [h.capitalize() for h in _HEADS.findall(text)]
    complete = bool(answer.analysis and answer.action)
    return {
        "three_sections": heads == ["Analysis", "Recommended action", "Urgency"] and complete,
        "urgency_level": answer.urgency in URGENCIES,
        "urgency_reason": len(answer.reason.split()) >= 2,
        "length": 0 < len(text.split()) <= MAX_WORDS,
        "nothing_else": bool(re.match(r"[*#\s]*Analysis", text, re.I))
        and not re.search(r"^(?:Metric|Data|Facts|Context)\s*:", text, re.M),
    }
