"""What a model is: something that answers conversations."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from nbutils.errors import UserError

Messages = list[dict[str, str]]
Progress = Callable[[int, int, str], None]


class ModelError(UserError):
    """A model that cannot be found or used; the message says what to do."""


@dataclass(frozen=True)
class Completion:
    """One answer of a model.

    Attributes
    ----------
    text : str
        The answer without special tokens, stripped.
    prompt_tokens, completion_tokens : int
        Token counts; the end-of-turn token counts.
    seconds : float
        Wall time; for a batch, the batch's time divided by its size.
    stopped : bool
        Whether the model ended its turn by itself, not by the token limit.
    latency : float
        Seconds from the start of its batch to its last token: what a request waits when the
        machine answers a batch.
    pieces : tuple of str
        The answer token by token, where the model gives it.
    logprobs : tuple of float
        Natural logarithm of each piece's probability; empty for sampled answers.
    """

    text: str
    prompt_tokens: int
    completion_tokens: int
    seconds: float
    stopped: bool
    latency: float = 0.0
    pieces: tuple[str, ...] = ()
    logprobs: tuple[float, ...] = ()


class Model(Protocol):
    """Anything that answers chat messages."""

    name: str

    def generate(
        self,
        messages: list[Messages],
        max_new_tokens: int = 256,
        *,
        progress: Progress | None = None,
        temperature: float = 0.0,
        seed: int = 0,
    ) -> list[Completion]:
        """Answer every conversation, in the order given; greedily at temperature 0."""
        ...
