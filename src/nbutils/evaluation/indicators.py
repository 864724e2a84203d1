"""Signs that can be counted while nobody has rated; none of them measures usefulness."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from nbutils import stats
from nbutils.examples import parse_answer, sentences

from .by_case import mean_by_case
from .rating import Answers

LABELS = {
    "words": "Words in an answer (mean)",
    "owner": "Actions that name an owner",
    "measure": "Actions that name a measure or a threshold",
    "date": "Actions that name a date or a period",
    "overlap": "Words of an answer that stand in its case",
}

# an owner does something at the start of a clause, after a date at most: "Marketing puts", "From 3
# April account managers call"; "Marketing efforts should" and "increase marketing" name none
_ROLE = (
    r"(?:teams?|squads?|owners?|leads?|heads? of \w+|managers?|analysts?|directors?|engineers?|"
    r"designers?|researchers?|engineering|product|growth|marketing|sales|finance|support|pricing|"
    r"monetisation|monetization|acquisition|activation|retention|lifecycle|crm|billing|payments?|"
    r"risk|onboarding|success|partnerships?|operations|ops|revops|analytics|platform|legal|design|"
    r"research|content|seo|development|management|generation|implementation|renewals|mobile|ux|bi|"
    r"deputy|you)"
)
_NO_VERB = (
    r"(?:is|was|has|does|this|its|efforts|campaigns|channels|features|costs|rates|users|results|"
    r"materials|metrics|tools|pages|e?-?mails|numbers|strategies|customers|activities|accounts)"
)
_OWNER = re.compile(
    r"\bowners?\b|\bowned by\b"
    r"|\bthe (?!next )(?:[\w-]+ ){1,3}(?:team|squad|manager|analyst|lead)\b"
    rf"|^(?:(?:from|by|on|in|for|at|of) (?:\S+ ){{1,5}}?)?(?:\w+ly |then |the |our |a )?"
    rf"(?:[\w'&-]+ ){{0,3}}?{_ROLE} (?:(?:\w+ly )?(?!{_NO_VERB}\b)[a-z-]+[a-rt-z]s\b|and {_ROLE} )"
    rf"|^(?:(?:from|by|on|in|for|at) (?:\S+ ){{1,5}}?)?(?:the |our )?(?:[\w'&-]+ ){{0,2}}?"
    rf"(?:teams|leads|managers|analysts|engineers|designers|researchers) [a-z]+",
    re.IGNORECASE,
)
_MEASURE = re.compile(
    r"\b(?:measur\w+|metrics?|guardrails?|kpis?|targets?|goal is|thresholds?|success (?:is|means)|"
    r"compar(?:e[ds]?|ing|ison)|counts?|counting|track(?:s|ing)?|reports?|judged?|holdout|"
    r"control (?:group|arm)|a/b|random\w*)\b"
    r"|\b(?:if|unless|once|until|when|only|while)\b[^.;]{0,80}\d"
    r"|\b(?:under|over|below|above|least|by) [$£€~]?\d[\d.,]*\s?(?:%|percent|points?|pts?|per\b)",
    re.IGNORECASE,
)
_MONTHS = r"(?:jan|feb|mar|apr|may|june?|july?|aug|sept?|oct|nov|dec)(?:[a-z]*)"
_DAYS = r"(?:mon|tues|wednes|thurs|fri|satur|sun)day"
_NUMBER = r"(?:\d+|a|one|two|three|four|five|six|seven|eight|nine|ten|twelve)"
_DATE = re.compile(
    rf"\b{_DAYS}\b|\b\d{{1,2}}(?:st|nd|rd|th)? {_MONTHS}\b|\b{_MONTHS} \d{{1,2}}\b"
    rf"|\b20\d\d-\d\d-\d\d\b|\b(?:today|tomorrow)\b"
    rf"|\b(?:by|next|this|end of|before|until|from|in) (?:the )?"
    rf"(?:{_MONTHS}|week|month|quarter|sprint|release|q[1-4])\b"
    rf"|\b{_NUMBER}[ -](?:more |further |full |working )?(?:day|week|month|quarter)s?\b"
    rf"|\bday {_NUMBER}\b",
    re.IGNORECASE,
)
_WORD = re.compile(r"[a-z][a-z'-]{3,}")


def indicators(answers: Answers) -> pd.DataFrame:
    """Count signs of each system's answers, to be shown under that name until people have rated.

    They are plain rules on words: an answer can name an owner, a measure and a date and be
    useless, or do without and be right. They do not measure usefulness and enter no gate.

    Parameters
    ----------
    answers : mapping
        System to rows with ``input`` and ``output``; answers without text count in the shares and
        not in the means.

    Returns
    -------
    DataFrame
        One row a sign and system: ``metric``, ``label``, ``system``, ``value``, ``low``, ``high``
        (95%) and ``n``. ``words``: mean of the answers (n answers). ``owner``, ``measure`` and
        ``date``: shares of answers whose recommended action has one (Wilson). ``overlap``: share
        of an answer's different words of four letters or more that stand in its case, pooled over
        answers; near 1 it recites, near 0 it speaks of something else. None where not defined.
    """
    rows = [
        {"metric": metric, "label": LABELS[metric], "system": system, **vars(found)}
        for metric in LABELS
        for system, answered in answers.items()
        for found in [_estimate(metric, answered)]
    ]
    columns = ["metric", "label", "system", "value", "low", "high", "n"]
    return pd.DataFrame(rows, columns=columns, dtype=object)


def signs(action: str) -> dict[str, bool]:
    """Whether a recommended action names an owner, a measure or threshold, and a date or period.

    Examples
    --------
    >>> signs("Growth makes the check optional for two weeks and compares activation.")
    {'owner': True, 'measure': True, 'date': True}
    >>> signs("Keep an eye on the rate.")
    {'owner': False, 'measure': False, 'date': False}
    """
    clauses = [c.strip() for s in sentences(action) for c in re.split(r"[,;:]| while | and ", s)]
    return {
        "owner": any(_OWNER.search(clause) for clause in clauses),
        "measure": bool(_MEASURE.search(action)),
        "date": bool(_DATE.search(action)),
    }


def _estimate(metric: str, rows: Sequence[Mapping[str, Any]]) -> stats.Estimate:
    written = [row for row in rows if row["output"].strip()]
    if metric == "words":
        lengths = [float(len(row["output"].split())) for row in written]
        return mean_by_case(lengths, [row["input"] for row in written])
    if metric == "overlap":
        shared = [_shared(row) for row in written]
        return stats.ratio([found for found, _ in shared], [words for _, words in shared])
    hits = [signs(parse_answer(row["output"]).action)[metric] for row in rows]
    return stats.wilson(sum(hits), len(hits))


def _shared(row: Mapping[str, Any]) -> tuple[int, int]:
    """Different words of an answer that stand in its case, and all of them."""
    words, known = (set(_WORD.findall(row[key].lower())) for key in ("output", "input"))
    return len(words & known), len(words)
