"""A teacher proposes examples: a real endpoint, or its recorded answers on loopback."""

from __future__ import annotations

import contextlib
import math
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pandas as pd

from nbutils import models
from nbutils.errors import UserError
from nbutils.examples import Example
from nbutils.models.paid import Progress, key_of, label, serve
from nbutils.records import digest

from .asking import MAX_TOKENS, Ask, Proposal, messages, plan_asks, recorded_asks

KEY = "OPENAI_API_KEY"
# an ask is sent once if all goes well; the rest of the allowance is for failures
CALLS_PER_ASK = 2


@dataclass(frozen=True)
class Teacher:
    """Who proposes; made by `teacher`.

    Attributes
    ----------
    asks : list of Ask
        What it will be asked.
    service : models.Service
        Model, address and prices; of a recorded teacher the address is known once it is served.
    recorded : dict
        Ask to recorded answer; empty for a real endpoint.
    said : str
        Who it is, in a sentence for the report.
    terms : tuple of str
        Glossary terms that the examples may use.
    """

    asks: list[Ask]
    service: models.Service
    recorded: Mapping[str, Proposal]
    said: str
    terms: tuple[str, ...] = ()


@dataclass(frozen=True)
class Proposed:
    """What came of it.

    Attributes
    ----------
    candidates : list of Example
        In the order of the asks; ``meta`` says where each comes from: ``seed_id``, ``metric``,
        ``pattern`` and ``made_by`` (model, prompt_hash, request_id, prompt_tokens,
        completion_tokens, cost in dollars, attempt, cached).
    lost : DataFrame
        Answers that gave no example: ``id``, ``status``, ``error``.
    said : str
        Teacher, calls and cost, and why it stopped if it did, in sentences for the report.
    spent : float
        Dollars, by this run's attempts log.
    """

    candidates: list[Example]
    lost: pd.DataFrame
    said: str
    spent: float = 0.0
    asks: list[Ask] = field(default_factory=list)


def teacher(
    seeds: Sequence[Example],
    n: int,
    *,
    model: str = "",
    base_url: str = "",
    prices: str = "",
    recorded: Path | None = None,
    terms: Sequence[str] = (),
) -> Teacher:
    """Choose who proposes examples: never a real endpoint and recorded answers both.

    Parameters
    ----------
    seeds : sequence of Example
        Parents, of the training side.
    n : int
        How many examples to ask for at most.
    model : str
        Name at the endpoint. There is no default, names expire; without one nothing but the
        recorded answers is used, even if a key is set, and the report says so.
    base_url : str
        An OpenAI-compatible endpoint; if empty ``$OPENAI_BASE_URL``, or OpenAI's own.
    prices : str
        Dollars per million tokens, in and out: ``"2.5, 10"``.
    recorded : Path, optional
        File of recorded answers; a file that does not exist holds none.
    terms : sequence of str
        Glossary terms that need no explanation.

    Raises
    ------
    UserError
        If an address or prices are given without a model, or the prices are no two numbers.
    """
    if model:
        service = models.Service(model, base_url, prices=_two(prices), key_env=KEY)
        said = f"Asked of {model} at {label(service)}."
        return Teacher(plan_asks(seeds, n), service, {}, said, tuple(terms))
    if base_url or prices.strip():
        raise UserError(
            f"{'BASE_URL' if base_url else 'PRICES'} is set but MODEL is empty: name the model to "
            f"ask, or clear both to replay the recorded answers."
        )
    if recorded is None or not recorded.is_file():
        return Teacher([], models.Service("recorded"), {}, "Nobody was asked: no MODEL is named.")
    asks, answers = recorded_asks(recorded, seeds)
    asks = asks[:n]
    said = (
        "Answers recorded earlier, replayed through the real client from a server on this "
        "machine; nothing was paid."
    )
    if os.environ.get(KEY):
        said += f" {KEY} is set, but no MODEL is named, so no endpoint was asked."
    # no key is read for it: whatever is set in the environment stays there
    service = models.Service("recorded", label=f"recorded:{digest(recorded)}", key_env="")
    return Teacher(asks, service, answers, said, tuple(terms))


def propose(
    teacher: Teacher,
    budget: float,
    *,
    cache: Path,
    attempts: Path,
    progress: Progress | None = None,
) -> Proposed:
    """Ask for every example once, within a budget; what was answered before is not asked again.

    Parameters
    ----------
    teacher : Teacher
    budget : float
        Dollars that this run may cost in all; a recorded teacher costs nothing. Calls are limited
        to twice the asks.
    cache : Path
        Folder of answers, shared by runs; a recorded teacher's lie beside the attempts instead.
    attempts : Path
        This run's log of calls, only ever appended to.
    progress : callable, optional
        Called with (done, total, what, cost=..., estimate=...).

    Returns
    -------
    Proposed

    Raises
    ------
    nbutils.models.ModelError
        If the endpoint refuses the key or the model, or fails too often. What was answered until
        then is kept and not paid again.
    """
    if not teacher.asks:
        return Proposed([], _lost([]), teacher.said)
    requests = [
        models.Request(
            ask.id,
            messages(ask, teacher.terms),
            schema=Proposal,
            max_tokens=MAX_TOKENS,
        )
        for ask in teacher.asks
    ]
    folder = attempts.parent / "recorded_cache" if teacher.recorded else cache
    dollars = math.inf if teacher.recorded else budget
    with _open(teacher, requests) as service:
        outcome = models.ask_all(
            requests,
            service,
            models.Budget(dollars=min(dollars, 1e9), calls=CALLS_PER_ASK * len(requests)),
            cache=folder,
            attempts=attempts,
            progress=progress,
        )
    asks = {ask.id: ask for ask in teacher.asks}
    good = [reply for reply in outcome.replies if reply.status == "answered"]
    candidates = [_candidate(asks[reply.id], reply) for reply in good]
    bad = [reply for reply in outcome.replies if reply.status != "answered"]
    return Proposed(
        candidates, _lost(bad), _said(teacher, outcome), outcome.spent, list(teacher.asks)
    )


def _two(prices: str) -> tuple[float, float]:
    try:
        first, second = (float(part) for part in prices.split(","))
    except ValueError:
        raise UserError(
            f"PRICES is '{prices}'; expected dollars per million tokens, in and out, such as "
            f"'2.5, 10': look them up at the endpoint's provider."
        ) from None
    return first, second


@contextlib.contextmanager
def _open(teacher: Teacher, requests: Sequence[models.Request]) -> Iterator[models.Service]:
    """The service with its address; a recorded teacher is served on loopback meanwhile."""
    if not teacher.recorded:
        yield teacher.service
        return
    answers = {key_of(r.messages): teacher.recorded[r.id].model_dump_json() for r in requests}
    with serve(answers, model=teacher.service.model) as url:
        yield replace(teacher.service, base_url=url)


def _candidate(ask: Ask, reply: models.Reply) -> Example:
    made = (
        "model",
        "prompt_hash",
        "request_id",
        "prompt_tokens",
        "completion_tokens",
        "cost",
        "attempt",
        "cached",
    )
    about: dict[str, Any] = {
        "seed_id": ask.seed.id,
        "metric": ask.metric,
        "pattern": ask.pattern,
        "made_by": {key: getattr(reply, key) for key in made},
    }
    parsed = reply.parsed or {}
    return Example(ask.id, parsed["instruction"], parsed["input"], parsed["output"], about)


def _lost(replies: Sequence[models.Reply]) -> pd.DataFrame:
    rows = [{"id": r.id, "status": r.status, "error": r.error} for r in replies]
    return pd.DataFrame(rows, columns=["id", "status", "error"])


def _said(teacher: Teacher, outcome: models.Outcome) -> str:
    cost = "" if teacher.recorded else f", ${outcome.spent:.2f}"
    calls = f"{outcome.calls} calls for this run in all{cost}"
    now = f"{outcome.saved} of {len(outcome.replies)} answers came from the cache."
    parts = (teacher.said, f"{calls}; {now}", outcome.stopped, *outcome.notes)
    return " ".join(part for part in parts if part)
