"""One answer, scored on every layer."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from nbutils import claims, facts
from nbutils.examples import URGENCIES, Example, facts_of, parse_answer
from nbutils.models import Completion

from .form import check_format, simple_checks
from .judgement import action_faults, names_turn, stated_direction, turns


def score(example: Example, completion: Completion) -> dict[str, Any]:
    """Score one answer on every layer.

    Parameters
    ----------
    example : Example
        The held-out case. ``meta["expect"]`` may hold ``urgency``, the levels an analyst accepts,
        and ``direction``.
    completion : Completion
        The model's answer.

    Returns
    -------
    dict
        ``id``, ``instruction``, ``input``, ``output``. Form: the checks of `check_format` as
        ``format_...`` and of `simple_checks` as ``simple_...``, ``house_form``, ``simple_form``,
        ``stopped``. Numbers: counts of claims (``stated``, ``supported``, ``wrong``, ``checked``),
        ``faithful``, ``precision``, ``coverage``, ``digits``. Judgement: ``direction`` and
        ``urgency`` as stated; ``direction_ok``, ``timing_ok``, ``urgency_ok``, each with a
        ``..._known`` that says whether there is something to be right about;
        ``urgency_confidence`` (probability of the level's first token, None without),
        ``action_faults`` and ``action_ok``. Price: ``prompt_tokens``, ``completion_tokens``,
        ``seconds``, ``latency``. ``logprob`` (mean over the tokens, None if not known). Last
        ``claims`` (list of dict).
    """
    checks, simple = check_format(completion.text), simple_checks(completion.text)
    verdict = claims.verify(example.input, completion.text)
    wrong = verdict.count(*claims.WRONG)
    supported = verdict.count("supported")
    return {
        "id": example.id,
        "instruction": example.instruction,
        "input": example.input,
        "output": completion.text,
        **{f"format_{k}": v for k, v in checks.items()},
        **{f"simple_{k}": v for k, v in simple.items()},
        "house_form": all(checks.values()),
        "simple_form": all(simple.values()),
        "stopped": completion.stopped,
        "stated": len(verdict.claims) - verdict.count("proposal"),
        "supported": supported,
        "wrong": wrong,
        "checked": supported + wrong,
        "faithful": verdict.faithful,
        "precision": verdict.precision,
        "coverage": verdict.coverage,
        "digits": claims.digit_score(example.input, completion.text),
        **_judgement(example, completion, verdict),
        "prompt_tokens": completion.prompt_tokens,
        "completion_tokens": completion.completion_tokens,
        "seconds": completion.seconds,
        "latency": completion.latency,
        "logprob": _mean(completion.logprobs),
        "claims": [c.to_dict() for c in verdict.claims],
    }


def _judgement(example: Example, completion: Completion, verdict: claims.Verdict) -> dict[str, Any]:
    expect: Mapping[str, Any] = example.meta.get("expect") or {}
    known = facts_of(example.input)
    answer = parse_answer(completion.text)
    analysis = answer.analysis or completion.text
    direction = stated_direction(analysis, _of_analysis(completion.text, answer.analysis, verdict))
    faults = action_faults(known.case, answer.action) if known else []
    return {
        "direction": direction,
        "direction_ok": direction == expect.get("direction"),
        "direction_known": "direction" in expect,
        **_timing(known, analysis),
        "urgency": answer.urgency,
        "urgency_ok": answer.urgency in expect.get("urgency", []),
        "urgency_known": bool(expect.get("urgency")),
        "urgency_confidence": _confidence(completion, answer.urgency),
        "action_faults": faults,
        "action_ok": bool(answer.action) and not faults,
    }


def _timing(known: facts.Facts | None, analysis: str) -> dict[str, bool]:
    there = bool(known and turns(known))
    return {"timing_ok": bool(known and names_turn(known, analysis)), "timing_known": there}


def _of_analysis(text: str, analysis: str, verdict: claims.Verdict) -> list[claims.Claim]:
    """The claims of the analysis; of a text without sections, all."""
    begin = text.find(analysis) if analysis else 0
    end = begin + len(analysis) if analysis else len(text)
    return [c for c in verdict.claims if begin <= c.start < end]


def _mean(logprobs: tuple[float, ...]) -> float | None:
    return sum(logprobs) / len(logprobs) if logprobs else None


def _confidence(completion: Completion, urgency: str) -> float | None:
    """How probable the model held the token with which the level of urgency begins."""
    if urgency not in URGENCIES or not completion.logprobs:
        return None
    said = ""
    for piece, logprob in zip(completion.pieces, completion.logprobs, strict=False):
        heading = said.lower().rfind("urgency")
        if heading >= 0 and any(c.isalpha() for c in piece) and ":" in said[heading:]:
            return math.exp(logprob)
        said += piece
    return None
