"""What is wrong with one example by itself: case, form, length, direction, numbers."""

from __future__ import annotations

import re

from nbutils import claims, facts
from nbutils.examples import Case, CaseError, Example, parse_answer, parse_case

MAX_WORDS = 230
REFUTED = ("contradicted", "unit_confusion")
_WORSE = re.compile(
    r"\b(?:deteriorat\w*|weaken\w*|worse\w*|broken? down|(?:not|failed to) recover\w*|lost ground|"
    r"losing ground)\b"
)
_BETTER = re.compile(
    r"\b(?:improv\w*|strengthen\w*|gained ground|"
    r"welcome (?:change|drop|fall|gain|jump|move|news|rise|step|trend))\b"
)
_NOT_SAID = re.compile(
    r"\b(?:no|not|never|nor|neither|without|rather than|instead of|nothing|hardly|if|whether|could|"
    r"may|might|would|should)\b[^.;]{0,24}$"
)


def first_fault(example: Example, *, strict: bool = True) -> tuple[str, str] | None:
    """The first reason why an example cannot be trained on.

    Parameters
    ----------
    example : Example
        Case and answer.
    strict : bool
        Whether a number that the case does not yield is a fault too, and not only one that it
        refutes. Analysts combine numbers over more steps than the verifier follows: a strict gate
        turns away more than half of their sound answers, and about a fifth of a teacher's.

    Returns
    -------
    tuple of str or None
        ``case``, ``format``, ``length``, ``direction`` or ``numbers``, and the evidence; None if
        there is none.
    """
    try:
        case = parse_case(example.input)
    except CaseError as error:
        return "case", str(error)
    answer = parse_answer(example.output)
    missing = [n for n in ("analysis", "action", "urgency") if not getattr(answer, n)]
    if missing:
        return "format", f"no {' and no '.join(missing)} in the answer"
    words = len(example.output.split())
    if words > MAX_WORDS:
        return "length", f"{words} words, at most {MAX_WORDS}"
    told = told_wrong_way(case, answer.analysis)
    if told:
        return "direction", told
    if misread := claims.misread(example.input, example.output):
        return "direction", f"'{misread[0].text}': {misread[0].derivation}"
    found = claims.verify(example.input, example.output).claims
    faults = claims.WRONG if strict else REFUTED
    wrong = next((c for c in found if c.verdict in faults), None)
    return ("numbers", f"'{wrong.text}': {wrong.derivation}") if wrong else None


def told_wrong_way(case: Case, analysis: str) -> str | None:
    r"""How an analysis tells a good move as a bad one, or a bad one as good; None if it does not.

    Read from its first two sentences, and only where the facts know which direction is good.

    Examples
    --------
    >>> case = parse_case("Metric: Churn rate\nData: [4.1%, 3.6%, 3.2%, 2.8%] (last 4 months)")
    >>> told_wrong_way(case, "Churn has deteriorated, from 4.1% to 2.8%.")
    "'deteriorated': Churn rate moved down, which is good"
    """
    opening = " ".join(re.split(r"(?<=[.!?])\s", analysis)[:2]).lower()
    better, worse = _said(_BETTER, opening), _said(_WORSE, opening)
    if bool(better) == bool(worse):
        return None
    # read only now, for computing them takes the time and few openings judge
    found = facts.compute(case)
    if found.good is None or found.good == bool(better):
        return None
    news = "good" if found.good else "bad"
    return f"'{better or worse}': {case.metric} moved {found.direction}, which is {news}"


def _said(pattern: re.Pattern[str], low: str) -> str:
    """The first word of a pattern that is stated, not denied or supposed."""
    for match in pattern.finditer(low):
        if "recover" in match[0] or not _NOT_SAID.search(low[: match.start()]):
            return match[0]
    return ""
