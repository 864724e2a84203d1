"""What the guard gives back: an answer or an honest refusal, with the path that led there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from .checking import Checked

PATHS = ("model", "retry", "fallback", "person")


@dataclass(frozen=True)
class Attempt:
    """One call of a model, and what came of it.

    Attributes
    ----------
    path : str
        ``"model"``, ``"retry"`` or ``"fallback"``.
    model : str
        Version of the model that was asked.
    outcome : str
        ``"passed"``; a reason of `Checked`; ``"cut_off"`` (the token limit ended it),
        ``"confidence"`` (too low); or the code of a `Fault`.
    detail : str
        The evidence; empty if it passed.
    seconds : float
        Of the call and its checks.
    text : str
        The answer; empty if there was none.
    checked : Checked or None
        Its verdicts; None if there was no answer.
    confidence : float or None
        Calibrated probability of being right; None where it is not known.
    prompt_tokens, completion_tokens : int
        As the server counts them; 0 if it does not.
    """

    path: str
    model: str
    outcome: str
    detail: str
    seconds: float
    text: str = ""
    checked: Checked | None = None
    confidence: float | None = None
    prompt_tokens: int = 0
    completion_tokens: int = 0

    @property
    def passed(self) -> bool:
        """Whether the answer may be given."""
        return self.outcome == "passed"

    def to_dict(self) -> dict[str, Any]:
        """Which model was asked on which path and what came of it; without the text."""
        told = {"path": self.path, "model": self.model, "outcome": self.outcome}
        return {**told, "seconds": round(self.seconds, 4)}


@dataclass(frozen=True)
class Answered:
    """The end of one case.

    Attributes
    ----------
    id : str
        The request's id, under which a case also stands in the person's queue.
    path : str
        One of `PATHS`.
    text : str
        A model's answer that passed, or a sentence that there is none.
    reason : str
        Why a person has it: ``"case"`` or the outcome of the best attempt; empty otherwise.
    attempts : tuple of Attempt
        All calls, in order; none if no model was asked.
    seconds : float
        From the request to here.
    """

    id: str
    path: str
    text: str
    reason: str
    attempts: tuple[Attempt, ...]
    seconds: float

    @property
    def shown(self) -> Attempt | None:
        """The attempt that was given, or for a person's case the one that came closest."""
        return best(self.attempts)

    @property
    def model(self) -> str:
        """Version of the model whose answer is given; empty for a person's case."""
        shown = self.shown
        return shown.model if shown and self.path != "person" else ""

    @property
    def tokens(self) -> dict[str, int]:
        """Tokens of all calls together, by the names of the chat completions."""
        asked = sum(a.prompt_tokens for a in self.attempts)
        said = sum(a.completion_tokens for a in self.attempts)
        return {
            "prompt_tokens": asked,
            "completion_tokens": said,
            "total_tokens": asked + said,
        }

    def to_dict(self) -> dict[str, Any]:
        """The field ``guard`` of a response.

        ``path``, ``reason``, ``model``, ``seconds``, ``confidence``, ``verified`` (an answer is
        given and every number in it is supported; ``not_verified`` lists the others),
        ``verdicts`` (of the answer given, or of the one that came closest; None if there is none)
        and ``attempts``.
        """
        shown = self.shown
        verdicts = shown.checked.to_dict() if shown and shown.checked else None
        given = self.path != "person"
        return {
            "path": self.path,
            "reason": self.reason,
            "model": self.model,
            "seconds": round(self.seconds, 4),
            "confidence": shown.confidence if shown else None,
            "verified": bool(given and verdicts and not verdicts["not_verified"]),
            "verdicts": verdicts,
            "attempts": [attempt.to_dict() for attempt in self.attempts],
        }


def best(attempts: tuple[Attempt, ...]) -> Attempt | None:
    """The attempt that passed, or the answer that came closest; None if there is no answer.

    Closest is the first of those in the house form with the fewest wrong numbers.
    """

    def distance(attempt: Attempt) -> tuple[bool, bool, int]:
        checked = attempt.checked
        wrong = checked.numbers if checked else {}
        count = sum(wrong.get(v, 0) for v in ("contradicted", "unsupported", "unit_confusion"))
        return not attempt.passed, not (checked and checked.claims), count

    return min((a for a in attempts if a.text), key=distance, default=None)
