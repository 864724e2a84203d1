"""The one gate between a written example and training: case, form, length, numbers."""

from __future__ import annotations

from nbutils import claims
from nbutils.examples import CaseError, Example, parse_answer, parse_case

MAX_WORDS = 230
# what the case refutes; what it merely does not hold is left to the reviewers to judge
WRONG = ("contradicted", "unit_confusion")


def first_fault(example: Example) -> tuple[str, str] | None:
    """The first reason why an example cannot be trained on.

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
    wrong = next((c for c in found if c.verdict in WRONG), None)
    return ("numbers", f"'{wrong.text}': {wrong.derivation}") if wrong else None
