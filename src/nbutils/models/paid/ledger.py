"""The budget of paid calls and the log of attempts that it is held against."""

from __future__ import annotations

import math
import os
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from nbutils import records
from nbutils.errors import UserError
from nbutils.examples import DataFileError

from .store import is_number, parse_json

_SLACK = 1e-9  # dollars; sums of binary fractions do not meet a limit exactly


@dataclass(frozen=True)
class Budget:
    """What all calls of one attempts log may cost together, earlier sessions included.

    Attributes
    ----------
    dollars : float
        Dollars, by the prices of the `Service`.
    calls : int
        Calls sent, retries included.
    """

    dollars: float
    calls: int


def check_budget(budget: Budget) -> None:
    """Refuse a budget that is no positive number, with `UserError`."""
    for name, value in (("dollars", budget.dollars), ("calls", budget.calls)):
        if not (is_number(value) and value > 0):
            raise UserError(
                f"the budget's {name} are {value!r}; expected a number above 0: set what the "
                f"calls may cost together."
            )


def dollars(amount: float) -> str:
    """An amount to the cent, small ones to two figures.

    Examples
    --------
    >>> dollars(12.345), dollars(0.00123), dollars(0)
    ('$12.35', '$0.0012', '$0.00')
    """
    if amount == 0 or amount >= 0.1:
        return f"${amount:.2f}"
    return f"${amount:.{1 - math.floor(math.log10(amount))}f}"


class Ledger:
    """The attempts log of paid calls, what they have cost, and what those under way may cost.

    The log is append-only JSONL, two lines a call: ``sent`` before it (with ``worst``, its price
    at the worst) and ``done`` after it (with ``cost``). A ``sent`` without ``done`` counts at its
    worst. The file is locked as long as the ledger is open.

    Parameters
    ----------
    path : Path
        The log; made if it is missing. A broken last line, which a kill leaves behind, is moved
        to ``<name>.broken``.
    budget : Budget
        The limits.

    Attributes
    ----------
    spent : float
        Dollars, of all sessions.
    calls : int
        Calls, of all sessions.
    notes : list of str
        One sentence for each thing that was found wrong and put right.

    Raises
    ------
    DataFileError
        If another line than the last is broken.
    UserError
        If another process, or another thread, is asking with this log.
    """

    def __init__(self, path: Path, budget: Budget) -> None:
        self.spent, self.calls = 0.0, 0
        self.notes: list[str] = []
        self._path, self._budget = path, budget
        self._open: dict[tuple[str, int], float] = {}
        self._tried: dict[str, int] = {}
        self._changed = threading.Condition()
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = path.open("a+b")
        try:
            _lock(self._file, path)
            self._replay()
        except BaseException:
            self._file.close()
            raise

    def __enter__(self) -> Ledger:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def begin(self, item: str, key: str, worst: float, go_on: Callable[[], bool]) -> int | None:
        """Reserve the worst price of one call and note it as sent.

        Waits while calls under way hold what this one needs, as long as ``go_on()`` is true.

        Returns
        -------
        int or None
            The number of this attempt at ``key``, over all sessions; None if it may not be sent.
        """
        with self._changed:
            while go_on() and self._fits(worst, reserved=False):
                if self._fits(worst, reserved=True):
                    return self._begin(item, key, worst)
                self._changed.wait()
        return None

    def end(self, key: str, attempt: int, cost: float, **details: Any) -> None:
        """Note how a call ended and what it cost, and release what was reserved for it."""
        line = {"event": "done", "time": records.now(), "key": key, "attempt": attempt}
        with self._changed:
            self._append({**line, "cost": cost, **details})
            self._count_done(key, attempt, cost)
            self._changed.notify_all()

    def wake(self) -> None:
        """Let everybody who waits for room in the budget ask again whether to go on."""
        with self._changed:
            self._changed.notify_all()

    def exhausted(self, worst: float) -> str:
        """One sentence: what is spent, what is left, and what the next call may cost."""
        with self._changed:
            spent, calls = self.spent, self.calls
        left = max(self._budget.dollars - spent, 0.0)
        what = "calls" if calls >= self._budget.calls else "dollars"
        return (
            f"the budget is used up: {calls} of {self._budget.calls} calls are made, "
            f"{dollars(spent)} of {dollars(self._budget.dollars)} spent ({dollars(left)} left), "
            f"and the next call may cost {dollars(worst)}: raise the budget's {what} to go on."
        )

    def _fits(self, worst: float, *, reserved: bool) -> bool:
        held = sum(self._open.values()) if reserved else 0.0
        room = self.spent + held + worst <= self._budget.dollars + _SLACK
        return room and self.calls < self._budget.calls

    def _begin(self, item: str, key: str, worst: float) -> int:
        attempt = self._tried.get(key, 0) + 1
        line = {"event": "sent", "time": records.now(), "id": item, "key": key}
        self._append({**line, "attempt": attempt, "worst": worst})
        self._count_sent(key, attempt, worst)
        return attempt

    def _count_sent(self, key: str, attempt: int, worst: float) -> None:
        self.calls += 1
        self._tried[key] = attempt
        self._open[key, attempt] = worst

    def _count_done(self, key: str, attempt: int, cost: float) -> None:
        self._open.pop((key, attempt), None)
        self.spent += cost

    def _append(self, line: dict[str, Any]) -> None:
        self._file.write((records.dumps(line, self._path.name) + "\n").encode())
        self._file.flush()
        os.fsync(self._file.fileno())

    def _replay(self) -> None:
        self._file.seek(0)
        data = self._file.read()
        start = 0
        for number, line in enumerate(data.splitlines(keepends=True), start=1):
            start += len(line)
            try:
                self._again(line)
            except (ValueError, KeyError, TypeError) as error:
                if data[start:].strip():
                    raise DataFileError(
                        f"{self._path}, line {number}: no event of the attempts log ({error!r}); "
                        f"what was spent cannot be told: mend the line from a copy."
                    ) from None
                self._set_aside(data[start - len(line) :], start - len(line))
                break
        else:
            if data and not data.endswith(b"\n"):
                self._file.write(b"\n")
        # what was under way when an earlier session was killed may have been billed
        self.spent += sum(self._open.values())
        self._open.clear()

    def _again(self, line: bytes) -> None:
        """Count one line of an earlier session."""
        if not line.strip():
            return
        row = parse_json(line)
        key, attempt, price = row["key"], row["attempt"], row[_PRICE[row["event"]]]
        if not (isinstance(key, str) and isinstance(attempt, int)):
            raise ValueError("key or attempt is of the wrong type")
        if not (is_number(price) and price >= 0):
            raise ValueError(f"{price!r} is no price")
        (self._count_sent if row["event"] == "sent" else self._count_done)(key, attempt, price)

    def _set_aside(self, tail: bytes, start: int) -> None:
        broken = self._path.with_name(self._path.name + ".broken")
        with broken.open("ab") as file:
            file.write(tail.rstrip(b"\n") + b"\n")
            file.flush()
            os.fsync(file.fileno())
        self._file.truncate(start)
        self.notes.append(
            f"the last line of {self._path.name} was broken off and is now in {broken.name}."
        )


_PRICE = {"sent": "worst", "done": "cost"}


def _lock(file: BinaryIO, path: Path) -> None:
    """One session a log: two at a time would pay twice for the same answers."""
    try:
        import fcntl
    except ImportError:  # Windows has no such lock
        return
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise UserError(
            f"{path} is in use: another session is asking with it; wait for that one, or end it."
        ) from None
