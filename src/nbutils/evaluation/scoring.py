"""One answer, scored on every layer."""

from __future__ import annotations

from typing import Any

from nbutils import claims
from nbutils.examples import Example, parse_answer
from nbutils.models import Completion

from .form import check_format


def score(example: Example, completion: Completion) -> dict[str, Any]:
    """Score one answer on every layer.

    Parameters
    ----------
    example : Example
        The held-out case; ``meta["expect"]["urgency"]`` lists the levels an analyst accepts.
    completion : Completion
        The model's answer.

    Returns
    -------
    dict
        ``id``, ``instruction``, ``input``, ``output``, the checks of `check_format` as
        ``format_...``, ``house_form``, ``stopped``, counts of claims (``supported``, ``wrong``,
        ``checked``), ``faithful``,
        ``precision``, ``coverage``, ``digits``, ``urgency_ok``, ``urgency_known``, tokens, seconds
        and ``claims`` (list of dict).
    """
    checks = check_format(completion.text)
    verdict = claims.verify(example.input, completion.text)
    kinds = [c.verdict for c in verdict.claims]
    wrong = sum(kinds.count(v) for v in claims.WRONG)
    accepted = example.meta.get("expect", {}).get("urgency", [])
    return {
        "id": example.id,
        "instruction": example.instruction,
        "input": example.input,
        "output": completion.text,
        **{f"format_{k}": v for k, v in checks.items()},
        "house_form": all(checks.values()),
        "stopped": completion.stopped,
        "supported": kinds.count("supported"),
        "wrong": wrong,
        "checked": kinds.count("supported") + wrong,
        "faithful": verdict.faithful,
        "precision": verdict.precision,
        "coverage": verdict.coverage,
        "digits": claims.digit_score(example.input, completion.text),
        "urgency_ok": parse_answer(completion.text).urgency in accepted,
        "urgency_known": bool(accepted),
        "prompt_tokens": completion.prompt_tokens,
        "completion_tokens": completion.completion_tokens,
        "seconds": completion.seconds,
        "claims": [c.to_dict() for c in verdict.claims],
    }
