"""The one gate between a written example and training: case, form, length, numbers."""

from __future__ import annotations

from nbutils import claims
from nbutils.examples import CaseError, Example, parse_answer, parse_case

MAX_WORDS = 230
REFUTED = ("contradicted", "unit_confusion")


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
        ``case``, ``format``, ``length`` or ``numbers``, and the evidence; None if there is none.
    """
    try:
        parse_case(example.input)
    except CaseError as error:
        return "case", str(error)
    answer = parse_answer(example.output)
    missing = [n for n in ("analysis", "action", "urgency") if not getattr(answer, n)]
    if missing:
        return "format", f"no {' and no '.join(missing)} in the answer"
    words = len(example.output.split())
    if words > MAX_WORDS:
        return "length", f"{words} words, at most {MAX_WORDS}"
    found = claims.verify(example.input, example.output).claims
    faults = claims.WRONG if strict else REFUTED
    wrong = next((c for c in found if c.verdict in faults), None)
    return ("numbers", f"'{wrong.text}': {wrong.derivation}") if wrong else None
