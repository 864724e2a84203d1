"""Several hundred answers of a large model: none paid twice, none lost, the budget never passed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from ..answers import ModelError
from .ledger import Budget, Ledger, check_budget, dollars
from .replies import Reply, read_reply
from .requests import Ask, Request, prepare
from .service import Service, check_service, key_fault
from .store import Store
from .wire import Wire
from .workers import Stop, Workers

__all__ = ["Budget", "Outcome", "Reply", "Request", "Service", "ask_all", "ask_while_possible"]

Progress = Callable[..., None]


@dataclass(frozen=True)
class Outcome:
    """What `ask_all` and `ask_while_possible` bring back.

    Attributes
    ----------
    replies : list of Reply
        In the order of the requests, those that have one.
    stopped : str
        Empty, or one sentence why not all requests were asked.
    spent : float
        Dollars, of all sessions of this attempts log; to be held against the budget.
    calls : int
        Calls, likewise.
    saved : int
        Replies of this session that took no call.
    notes : tuple of str
        One sentence for each thing that was found wrong and put right: a broken line, a damaged
        file, a statement of tokens that cannot be true.
    """

    replies: list[Reply]
    stopped: str
    spent: float
    calls: int
    saved: int
    notes: tuple[str, ...] = ()


def ask_all(
    requests: Sequence[Request],
    service: Service,
    budget: Budget,
    *,
    cache: Path,
    attempts: Path,
    progress: Progress | None = None,
) -> Outcome:
    """Ask a service for answers; whatever it answered before is taken from the cache.

    It can be broken off at any point, by Ctrl-C or by ``kill -9``, and called again with the same
    arguments. Nothing that has come back is asked again, good or bad. Only what failed without an
    answer (a request that the service does not take, five attempts in vain) is asked anew in the
    next session.

    Parameters
    ----------
    requests : sequence of Request
        What to ask; the same request twice is sent once.
    service : Service
        Whom to ask, and its prices.
    budget : Budget
        What all sessions of `attempts` may cost together. Each call is held against it before it
        is sent, at the worst price: the bytes of the prompt as tokens, and the longest answer.
        A call with an unknown end (time-out, connection cut, a gateway's 502 or 504, a stated
        usage that cannot be true) stays charged at that price, for it may be billed.
    cache : Path
        Folder of the answers, ``<first two hex digits>/<sha256>.json``.
    attempts : Path
        The log, JSONL, see `nbutils.models.paid.ledger.Ledger`; one session at a time.
    progress : callable, optional
        Called as ``progress(done, total, "answers", cost="$0.41", estimate="$1.20")``; the
        estimate is what is spent and the mean price of an answer for each that is left.

    Returns
    -------
    Outcome

    Raises
    ------
    UserError
        If a setting is wrong, before any call, or another session uses the same log.
    ModelError
        If going on makes no sense: no key, a key that is refused, an unknown model, no credit, or
        at least half of the last 20 calls failed (a 429 counts only where it is the last of five
        attempts: it is the server's pace, and all wait for it). Everything that came back is kept.
    nbutils.examples.DataFileError
        If the log is damaged elsewhere than in its last line.
    """
    with _session(requests, service, budget, cache, attempts, progress) as session:
        session.run()
        return session.outcome()


def ask_while_possible(
    requests: Sequence[Request],
    service: Service,
    budget: Budget,
    *,
    cache: Path,
    attempts: Path,
    progress: Progress | None = None,
) -> Outcome:
    """Ask as `ask_all` does, where a part of the answers is of use too.

    Parameters
    ----------
    requests, service, budget, cache, attempts, progress
        See `ask_all`.

    Returns
    -------
    Outcome
        If going on makes no sense, the replies that came until then, and the sentence of the
        `ModelError` of `ask_all` in ``stopped``.

    Raises
    ------
    UserError, nbutils.examples.DataFileError
        If a setting is wrong, another session uses the same log, or the log is damaged.
    """
    with _session(requests, service, budget, cache, attempts, progress) as session:
        try:
            session.run()
        except ModelError as error:
            return replace(session.outcome(), stopped=str(error))
        return session.outcome()


@contextmanager
def _session(
    requests: Sequence[Request],
    service: Service,
    budget: Budget,
    cache: Path,
    attempts: Path,
    progress: Progress | None,
) -> Iterator[_Session]:
    """A session with its log open, after all settings are checked."""
    check_service(service)
    check_budget(budget)
    asks = [prepare(request, service) for request in requests]
    store = Store(cache)
    with Ledger(attempts, budget) as ledger:
        yield _Session(service, ledger, store, asks, progress)


class _Session:
    """One session of calls: what there is, what there is to ask, and who asks it."""

    def __init__(
        self,
        service: Service,
        ledger: Ledger,
        store: Store,
        asks: list[Ask],
        progress: Progress | None,
    ) -> None:
        self._service, self._ledger, self._store = service, ledger, store
        self._asks, self._progress = asks, progress
        self._times = Counter(ask.key for ask in asks)
        self._replies: dict[str, Reply] = {}
        self._stopped = ""
        self._notes: list[str] = []

    def run(self) -> None:
        """Fill in the replies, from the cache and then by calls."""
        asks = {ask.key: ask for ask in self._asks}
        for key, ask in asks.items():
            if record := self._store.get(key):
                self._replies[key] = read_reply(ask, record, cached=True)
        self._tell()
        if pending := [ask for key, ask in asks.items() if key not in self._replies]:
            self._ask(pending)

    def outcome(self) -> Outcome:
        """What there is, with one reply for each request that has one."""
        replies: list[Reply] = []
        seen: set[str] = set()
        for ask in self._asks:
            if reply := self._replies.get(ask.key):
                cached = reply.cached or ask.key in seen
                replies.append(replace(reply, id=ask.request.id, cached=cached))
                seen.add(ask.key)
        return Outcome(
            replies=replies,
            stopped=self._stopped,
            spent=self._ledger.spent,
            calls=self._ledger.calls,
            saved=sum(reply.cached for reply in replies),
            notes=(*self._ledger.notes, *self._store.notes, *self._notes),
        )

    def _ask(self, pending: list[Ask]) -> None:
        if fault := key_fault(self._service):
            raise self._error(Stop(fault, f"set {self._service.key_env}"))
        with Wire(self._service) as wire:
            workers = Workers(self._service, self._ledger, self._store, wire)
            with ThreadPoolExecutor(self._service.concurrency) as pool:
                try:
                    self._collect([pool.submit(workers.work, ask) for ask in pending])
                except BaseException:
                    # what is under way is paid for: the pool waits for it, and it is stored
                    workers.halt()
                    raise
        self._close(workers)

    def _collect(self, futures: list[Future[Reply | None]]) -> None:
        for future in as_completed(futures):
            if reply := future.result():
                self._replies[reply.prompt_hash] = reply
                self._tell()

    def _close(self, workers: Workers) -> None:
        if workers.doubtful:
            self._notes.append(
                f"{workers.doubtful} answers state a usage that cannot be true and are charged "
                f"at the worst price: compare with the provider's bill."
            )
        if len(self._replies) < len(self._times):
            if workers.stop:
                raise self._error(workers.stop)
            self._stopped = workers.exhausted

    def _error(self, stop: Stop) -> ModelError:
        return ModelError(
            f"{stop.what}; {self._done()} of {len(self._asks)} requests have a reply, and what "
            f"was paid for is kept in {self._store.folder}: {stop.remedy}, and run again."
        )

    def _done(self) -> int:
        return sum(self._times[key] for key in self._replies)

    def _tell(self) -> None:
        if not self._progress or not self._replies:
            return
        spent, left = self._ledger.spent, len(self._times) - len(self._replies)
        paid = [reply.cost for reply in self._replies.values() if reply.status != "failed"]
        money = {"cost": dollars(spent)}
        if paid:
            money["estimate"] = dollars(spent + left * sum(paid) / len(paid))
        self._progress(self._done(), len(self._asks), "answers", **money)
