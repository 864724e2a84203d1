"""Threads that ask until there is a reply, wait when told to, and end together."""

from __future__ import annotations

import random
import threading
import time
from collections import Counter, deque
from dataclasses import dataclass, replace
from typing import Any

from nbutils import records

from .ledger import Ledger
from .replies import Reply, read_reply
from .requests import Ask, count_tokens, price
from .service import Service, label
from .store import Store
from .wire import LONGEST_WAIT, Answer, Wire

TRIES = 5
WINDOW, FIRST_LOOK = 20, 10  # the last calls that the breaker looks at, and from how many on


@dataclass(frozen=True)
class Stop:
    """Why no request will do, and the remedy: the two ends of one sentence."""

    what: str
    remedy: str


class Workers:
    """What the threads of one session do and share.

    Attributes
    ----------
    stop : Stop or None
        Why the session had to end.
    exhausted : str
        Empty, or the sentence that says that the budget is used up.
    doubtful : int
        Answers whose stated usage cannot be true.
    """

    def __init__(self, service: Service, ledger: Ledger, store: Store, wire: Wire) -> None:
        self.stop: Stop | None = None
        self.exhausted, self.doubtful = "", 0
        self._service, self._ledger, self._store, self._wire = service, ledger, store, wire
        self._halted, self._lock = threading.Event(), threading.Lock()
        self._pause_until = 0.0
        self._last: deque[tuple[str, str]] = deque(maxlen=WINDOW)  # what failed, how it was told

    def work(self, ask: Ask) -> Reply | None:
        """Ask until there is a reply; None if the session ends first."""
        try:
            return self._turns(ask)
        except OSError as error:
            self._end(Stop(f"what is paid for cannot be stored ({error})", "make room there"))
            return None

    def halt(self) -> None:
        """Let no further call begin; those under way are seen through."""
        self._halted.set()
        self._ledger.wake()

    def _turns(self, ask: Ask) -> Reply | None:
        for turn in range(TRIES):
            attempt = self._begin(ask)
            if attempt is None:
                return None
            answer = self._wire.ask(ask.body)
            reply = self._take(ask, attempt, answer, last=turn == TRIES - 1)
            if reply or answer.kind == "stop":
                return reply
            self._back_off(answer, turn)
        return None

    def _begin(self, ask: Ask) -> int | None:
        """Wait as long as the server wants everybody to, then for room in the budget."""
        while self._going() and (left := self._pause_until - time.monotonic()) > 0:
            self._halted.wait(left)
        attempt = self._ledger.begin(ask.request.id, ask.key, ask.worst, self._going)
        if attempt is None and self._going():
            self.exhausted = self._ledger.exhausted(ask.worst)
            self.halt()
        return attempt

    def _going(self) -> bool:
        return not self._halted.is_set()

    def _back_off(self, answer: Answer, turn: int) -> None:
        """Wait by full jitter (Brooker 2015, AWS Architecture Blog), or as the server asks."""
        most = min(self._service.patience * 2**turn, LONGEST_WAIT)
        seconds = max(random.uniform(0, most), answer.wait or 0.0)
        if answer.status == 429:
            with self._lock:
                self._pause_until = max(self._pause_until, time.monotonic() + seconds)
        else:
            self._halted.wait(seconds)

    # ----------------------------------------------------------------------- what came

    def _take(self, ask: Ask, attempt: int, answer: Answer, *, last: bool) -> Reply | None:
        """Store what came, then look at it, then log it."""
        record = self._record(ask, attempt, answer)
        reply: Reply | None = None
        if answer.kind == "paid":
            self._store.put(ask.key, record)
            reply = read_reply(ask, record, cached=False)
        elif answer.kind == "item" or (answer.kind == "retry" and last):
            reply = _failed(ask, record, answer)
        self._log(record, answer, reply.status if reply else answer.kind)
        self._judge(answer, reply)
        return reply

    def _record(self, ask: Ask, attempt: int, answer: Answer) -> dict[str, Any]:
        prompt, completion, doubt = count_tokens(ask, answer.body)
        paid = answer.kind == "paid"
        cost = price(self._service, prompt, completion) if paid and not doubt else ask.worst
        return {
            "key": ask.key,
            "service": label(self._service),
            "asked_model": self._service.model,
            "time": records.now(),
            "attempt": attempt,
            "request_id": answer.request_id,
            "prompt_tokens": prompt,
            "completion_tokens": completion,
            "usage_doubtful": doubt if paid else "",
            "cost": cost if answer.billed else 0.0,
            "seconds": answer.seconds,
            "body": answer.body,
        }

    def _log(self, record: dict[str, Any], answer: Answer, outcome: str) -> None:
        self._ledger.end(
            record["key"],
            record["attempt"],
            record["cost"],
            outcome=outcome,
            status=answer.status,
            request_id=answer.request_id,
            usage=answer.body.get("usage") if isinstance(answer.body, dict) else None,
            usage_doubtful=record["usage_doubtful"],
            seconds=answer.seconds,
            error=answer.error,
        )
        with self._lock:
            self.doubtful += bool(record["usage_doubtful"])

    def _judge(self, answer: Answer, reply: Reply | None) -> None:
        """End the session if no request will do, or too many calls fail."""
        if answer.kind == "stop":
            self._end(_refusal(self._service, answer))
        # a 429 on the way is the server's pace, which all keep to, and no failure
        if answer.kind == "stop" or (answer.status == 429 and reply is None):
            return
        what = answer.what or (reply.status if reply else "")
        told = answer.error or (reply.error if reply else "")
        with self._lock:
            self._last.append(("", "") if what == "answered" else (what, told))
            stop = _breaker(list(self._last))
        if stop:
            self._end(stop)

    def _end(self, stop: Stop) -> None:
        with self._lock:
            self.stop = self.stop or stop
        self.halt()


def _failed(ask: Ask, record: dict[str, Any], answer: Answer) -> Reply:
    """The reply of a request that got no answer."""
    times = f" after {TRIES} attempts" if answer.kind == "retry" else ""
    error = f"{answer.what}{times}: {answer.error}"
    return replace(read_reply(ask, record, cached=False), status="failed", text="", error=error)


def _refusal(service: Service, answer: Answer) -> Stop:
    """What a service says that takes no request, and what to do about it."""
    where, told = label(service), f"{answer.what}: {answer.error}"
    known = {
        401: (f"{where} refuses the key", f"set a valid one in {service.key_env}"),
        403: (f"the key may not use '{service.model}' at {where}", "get it access"),
        404: (f"{where} has no '{service.model}'", "correct the model or the base_url"),
    }
    credit = (f"{where} gives no more credit", "add some to the account")
    known |= dict.fromkeys((400, 402, 429), credit)
    what, remedy = known.get(answer.status or 0, (f"{where} takes no call", "check the base_url"))
    return Stop(f"{what} ({told})", remedy)


def _breaker(last: list[tuple[str, str]]) -> Stop | None:
    """The reason to stop if at least half of the last calls failed."""
    failed = [call for call in last if call[0]]
    if len(last) < FIRST_LOOK or 2 * len(failed) < len(last):
        return None
    commonest, times = Counter(what for what, _ in failed).most_common(1)[0]
    told = next(told for what, told in reversed(failed) if what == commonest)
    return Stop(
        f"{len(failed)} of the last {len(last)} calls failed, most often ({times} times) with "
        f"{commonest} ({told.rstrip('.')})",
        "mend the cause, which the log of attempts tells call by call",
    )
