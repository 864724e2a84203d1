"""One case on its way: model, retry, fallback, person."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from nbutils.examples import CaseError, Example, parse_case

from .answered import Answered, Attempt, best
from .checking import check
from .limits import TooLarge, Unavailable
from .log import append_line, queue_row
from .upstream import AGAIN, Fault, Reply, Upstream, ask

if TYPE_CHECKING:
    import httpx2

    from .guard import Guard

T = TypeVar("T")
_LEAST = 0.02  # seconds below which a call is not begun
# characters of a case and an answer, and commas, that stand for the values of the series
_SHORT_CASE, _SHORT_ANSWER, _FEW_COMMAS = 1_000, 2_500, 40
_WHY = {
    "case": "the case cannot be read",
    "format": "no answer was in the house form",
    "numbers": "no answer had only numbers that the case supports",
    "course": "no answer told the series as it ran",
    "verifier": "no answer could be checked",
    "confidence": "the model was not sure enough of its answer",
    "cut_off": "no answer came to its end",
}


@dataclass(frozen=True)
class Step:
    """Whom to ask next, and how."""

    path: str
    upstream: Upstream
    temperature: float = 0.0


class Session:
    """Answers cases of a guard; made by `Guard.session`."""

    def __init__(self, guard: Guard, client: httpx2.AsyncClient, pool: Executor) -> None:
        self.guard, self._client, self._pool = guard, client, pool

    async def answer(
        self, example: Example, *, id: str = "", seconds: float | None = None
    ) -> Answered:
        """Answer one case, or hand it to a person.

        Parameters
        ----------
        example : Example
            Instruction and input are used.
        id : str
            The request's id; the example's if empty.
        seconds : float, optional
            What is left of the request's time; the limit if None.

        Raises
        ------
        TooLarge
            If the case is beyond the limits.
        Unavailable
            If no server gave an answer in time: asking again later may help, and no person can
            do more.
        """
        begun = time.monotonic()
        ends = begun + (self.guard.limits.seconds if seconds is None else seconds)
        id = id or example.id
        if unreadable := self._unreadable(example):
            return await self._to_person(example, id, ("case", unreadable), (), begun)
        attempts = await self._attempts(example, ends)
        shown = best(attempts)
        if shown is None:
            raise Unavailable(_no_answer(attempts))
        if shown.passed:
            took = time.monotonic() - begun
            return Answered(id, shown.path, shown.text, "", attempts, took)
        why = (shown.outcome, shown.detail)
        return await self._to_person(example, id, why, attempts, begun)

    # ----------------------------------------------------------------------- before any model

    def _unreadable(self, example: Example) -> str:
        """Why nothing could be verified of a case; empty if it can be read."""
        limits, size = self.guard.limits, len(example.instruction) + len(example.input)
        if size > limits.characters:
            raise TooLarge(
                f"the case has {size:,} characters, at most {limits.characters:,} are taken: "
                f"shorten its context or notes."
            )
        try:
            case = parse_case(example.input)
        except CaseError as error:
            return str(error)
        if len(case.values) > limits.values:
            raise TooLarge(
                f"the series has {len(case.values):,} values, at most {limits.values} are taken: "
                f"send the last ones, or longer periods."
            )
        return ""

    # ----------------------------------------------------------------------- the models

    def _plan(self) -> list[Step]:
        guard = self.guard
        plan = [Step("model", guard.model), Step("retry", guard.model, guard.limits.temperature)]
        return [*plan, Step("fallback", guard.fallback)] if guard.fallback else plan

    async def _attempts(self, example: Example, ends: float) -> tuple[Attempt, ...]:
        """Calls of the models, up to the first whose answer passes."""
        done: list[Attempt] = []
        plan = self._plan()
        for step in plan:
            left = ends - time.monotonic()
            if left < _LEAST or (done and done[-1].passed):
                break
            if step.path != "retry" or _worth_a_retry(done[-1]):
                last = step == plan[-1] or not self.guard.fallback
                done.append(await self._attempt(step, example, left if last else left / 2))
        return tuple(done)

    async def _attempt(self, step: Step, example: Example, seconds: float) -> Attempt:
        begun = time.monotonic()
        try:
            async with asyncio.timeout(seconds):
                return await self._asked(step, example, begun)
        except TimeoutError:
            outcome, detail = "slow", f"no answer within {seconds:.1f} s"
        except Fault as fault:
            outcome, detail = fault.code, fault.detail
        return Attempt(step.path, step.upstream.name, outcome, detail, time.monotonic() - begun)

    async def _asked(self, step: Step, example: Example, begun: float) -> Attempt:
        limits = self.guard.limits
        reply = await ask(
            self._client,
            step.upstream,
            await self._compute(_is_short(example), step.upstream.prompt, example),
            max_new_tokens=limits.max_new_tokens,
            temperature=step.temperature,
        )
        quick = _is_short(example) and len(reply.text) < _SHORT_ANSWER
        judged = example.input, reply.text, self.guard.check_format
        checked = await self._compute(quick, check, *judged)
        confidence = self._confidence(step, reply)
        outcome, detail = checked.reason or "passed", checked.detail
        if not reply.stopped:
            outcome, detail = "cut_off", "the answer did not come to its end"
        elif not checked.reason:
            outcome, detail = self._sure(step, confidence)
        return Attempt(
            path=step.path,
            model=step.upstream.name,
            outcome=outcome,
            detail=detail,
            seconds=time.monotonic() - begun,
            text=reply.text,
            checked=checked,
            confidence=confidence,
            prompt_tokens=reply.prompt_tokens,
            completion_tokens=reply.completion_tokens,
        )

    def _confidence(self, step: Step, reply: Reply) -> float | None:
        fitted = self.guard.confidence
        if fitted is None or reply.logprob is None or step.path == "fallback":
            return None
        return fitted.of(reply.logprob)

    def _sure(self, step: Step, confidence: float | None) -> tuple[str, str]:
        """Whether an answer whose form and numbers hold may pass, and what is against it."""
        fitted = self.guard.confidence
        if fitted is None or step.path == "fallback":
            return "passed", ""
        # the risk that was promised cannot be kept without it
        if confidence is None:
            return "confidence", "the server gives no log-probabilities"
        said = f"confidence {confidence:.2f}, at least {fitted.threshold:.2f} is needed"
        return ("passed", "") if fitted.passes(confidence) else ("confidence", said)

    # ----------------------------------------------------------------------- a person

    async def _to_person(
        self,
        example: Example,
        id: str,
        why: tuple[str, str],
        attempts: tuple[Attempt, ...],
        begun: float,
    ) -> Answered:
        """Write the case into the queue, and say so; never a text of a model."""
        reason, detail = why
        row = queue_row(example, id, reason, detail, best(attempts))
        try:
            await asyncio.to_thread(append_line, self.guard.queue, row, sync=True)
        except OSError as error:
            raise Unavailable(
                f"there is no verified answer, and the case could not be put into the queue of a "
                f"person ({error.strerror}): tell who runs this service, and ask again."
            ) from None
        told = f": {detail.rstrip('.')}" if reason == "case" else ""
        text = f"No verified analysis can be given: {_WHY[reason]}{told}. A person has it as {id}."
        return Answered(id, "person", text, reason, attempts, time.monotonic() - begun)

    async def _compute(self, quick: bool, function: Callable[..., T], *args: Any) -> T:
        """Compute here what takes milliseconds, and the rest beside the loop."""
        if quick:
            return function(*args)
        return await asyncio.get_running_loop().run_in_executor(self._pool, function, *args)


def _is_short(example: Example) -> bool:
    """Whether a case is like most: handing it to a thread costs as much as the work itself."""
    return len(example.input) < _SHORT_CASE and example.input.count(",") < _FEW_COMMAS


def _worth_a_retry(last: Attempt) -> bool:
    """Not where the server is down or slow: the fallback needs the time."""
    return bool(last.text) or last.outcome in AGAIN


def _no_answer(attempts: tuple[Attempt, ...]) -> str:
    tried = "; ".join(f"{a.path}: {a.detail}" for a in attempts) or "no time was left"
    return f"no model gave an answer ({tried}): ask again in a while."
