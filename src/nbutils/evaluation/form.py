"""Layer 1: the form of an answer."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict

import pandas as pd

from nbutils import stats
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


def simple_checks(output_text: str) -> dict[str, bool]:
    r"""Four checks in the style of most published recipes: words that must occur, and a length.

    Shown beside `check_format` so that readers see what they let through (any text that holds the
    words) and what they turn away (an analyst's answer of more than 150 words).

    Returns
    -------
    dict of str to bool
        ``analysis``, ``action`` and ``urgency`` (the word occurs anywhere), ``words`` (50 to 150).

    Examples
    --------
    >>> list(simple_checks("urgency analysis action").values())
    [True, True, True, False]
    """
    low = output_text.lower()
    return {
        "analysis": "analysis" in low,
        "action": "action" in low,
        "urgency": "urgency" in low,
        "words": 50 <= len(output_text.split()) <= 150,
    }


def by_check(outputs: Mapping[str, Sequence[str]]) -> pd.DataFrame:
    """Every single check of `check_format` and `simple_checks`, by system.

    Parameters
    ----------
    outputs : mapping of str to sequence of str
        System to its answers; people's own answers show what a check is worth.

    Returns
    -------
    DataFrame
        ``label`` (``"ours: length"``, ``"simple: words"``), ``system``, ``value``, ``low`` and
        ``high`` (share passed, Wilson), ``n``.
    """
    rows = []
    for kind, check in (("ours", check_format), ("simple", simple_checks)):
        for system, texts in outputs.items():
            found = pd.DataFrame([check(text) for text in texts])
            for name in found:
                share = stats.wilson(int(found[name].sum()), len(found))
                label = f"{kind}: {str(name).replace('_', ' ')}"
                rows.append({"label": label, "system": system, **asdict(share)})
    return pd.DataFrame(rows)
