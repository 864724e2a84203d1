"""Sizes and times of a request, and the errors of what is beyond them."""

from __future__ import annotations

from dataclasses import dataclass

from nbutils.errors import UserError


@dataclass(frozen=True)
class Limits:
    """Sizes and times of a request.

    Attributes
    ----------
    seconds : float
        For the whole request, over all paths. Where there is a fallback, the model and its retry
        each get half of what is left, so that a server that hangs leaves time for it.
    max_new_tokens : int
        Of each answer.
    temperature : float
        Of the retry; everything else is greedy.
    characters : int
        Of instruction and case together.
    values : int
        Of the series; the facts of a series take time that grows with its square.
    body_bytes : int
        Of a request over HTTP.
    clients : int
        Requests at a time; more are told to wait.
    connections : int
        Calls of the servers at a time; further ones wait their turn within their time.
    """

    seconds: float = 30.0
    max_new_tokens: int = 320
    temperature: float = 0.7
    characters: int = 8_000
    values: int = 120
    body_bytes: int = 65_536
    clients: int = 512
    connections: int = 512


class TooLarge(UserError):
    """A case beyond the limits."""


class Unavailable(UserError):
    """No server gave an answer, or a person's case could not be written down."""
