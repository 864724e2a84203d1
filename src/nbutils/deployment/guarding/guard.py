"""The safety net: which models are asked in which order, and what an answer must pass."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from nbutils.errors import UserError
from nbutils.examples import Example

from .answered import Answered
from .checking import CheckFormat, house_form
from .confidence import Confidence
from .limits import Limits
from .log import prepare_file
from .session import Session
from .upstream import Upstream, new_client


@dataclass(frozen=True)
class Guard:
    """The safety net in front of OpenAI-compatible servers.

    A case is put to the model; its answer is given if its form and its numbers hold (see
    `checking.check`) and, where the server gives log-probabilities, its confidence suffices. If
    not, the model is asked once more at a higher temperature, then the fallback; if no answer
    holds, the case goes into the queue of a person and the caller is told so. A case that cannot
    be read goes there at once, for nothing that a model says of it could be verified.

    Attributes
    ----------
    model : Upstream
        The tuned model.
    queue : Path
        JSON lines for a person; `review.candidates` reads them. They hold the texts.
    fallback : Upstream or None
        Usually the base with the detailed prompt (``shots``).
    confidence : Confidence or None
        Fitted to held-out answers of the model. It does not judge the fallback, whose
        log-probabilities mean something else.
    limits : Limits
        Sizes and times.
    check_format : callable
        Text to named checks of its form.
    name : str
        What the service calls its model; empty: the model's own name, which for a local folder
        is a path.
    """

    model: Upstream
    queue: Path
    fallback: Upstream | None = None
    confidence: Confidence | None = None
    limits: Limits = field(default_factory=Limits)
    check_format: CheckFormat = house_form
    name: str = ""

    def __post_init__(self) -> None:
        if self.confidence and not self.model.logprobs:
            raise UserError(
                f"a confidence is set, but the model {self.model.name} is not asked for "
                f"log-probabilities: set logprobs=True for it, or leave the confidence out."
            )

    @asynccontextmanager
    async def session(self) -> AsyncIterator[Session]:
        """Open what several cases share: one HTTP client and the threads that check.

        Raises
        ------
        UserError
            If the queue cannot be written.
        """
        prepare_file(self.queue, "queue")
        upstreams = [u for u in (self.model, self.fallback) if u]
        # Python checks one text at a time anyway; a second thread keeps short ones from waiting
        with ThreadPoolExecutor(2, thread_name_prefix="guard") as pool:
            async with new_client(upstreams, self.limits.connections) as client:
                yield Session(self, client, pool)

    def answer_all(self, examples: Sequence[Example], *, concurrency: int = 4) -> list[Answered]:
        """Answer cases, in their order; for notebooks and held-out sets.

        Parameters
        ----------
        examples : sequence of Example
            Instruction and input are used; the id goes into the queue.
        concurrency : int
            Cases at a time.

        Raises
        ------
        Unavailable
            If no server gave an answer to one of them.
        TooLarge
            If a case is larger than the limits allow.
        """
        # a notebook runs a loop already, so this one has a thread of its own
        with ThreadPoolExecutor(1) as pool:
            return pool.submit(asyncio.run, self._answer_all(examples, concurrency)).result()

    async def _answer_all(self, examples: Sequence[Example], concurrency: int) -> list[Answered]:
        turn = asyncio.Semaphore(concurrency)
        async with self.session() as session:

            async def one(example: Example) -> Answered:
                async with turn:
                    return await session.answer(example)

            try:
                async with asyncio.TaskGroup() as group:
                    tasks = [group.create_task(one(example)) for example in examples]
            except BaseExceptionGroup as failed:
                raise failed.exceptions[0] from None
        return [task.result() for task in tasks]
