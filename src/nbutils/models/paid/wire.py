"""One call over HTTP: one deadline for all of it, and an answer whatever comes of it."""

from __future__ import annotations

import contextlib
import re
import socket
import threading
import time
from contextvars import ContextVar
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from .service import HIDDEN, Key, Service, address, on_loopback
from .store import is_number, parse_json

LONGEST_WAIT = 60.0  # seconds
_HALF_HIDDEN = re.compile(r"[\w.-]+\*{3,}[\w.-]*")  # a key as a 401 shows it
_ITEM = frozenset({400, 413, 422})
_RETRY = frozenset({408, 409, 425, 429})
# a gateway gave up on a server that may have gone on, and billed
_BILLED = frozenset({408, 502, 504})
_NO_CREDIT = frozenset({"insufficient_quota", "billing_hard_limit_reached"})


@dataclass(frozen=True)
class Answer:
    """What came of one call.

    Attributes
    ----------
    kind : str
        ``"paid"`` (status 200), ``"retry"``, ``"item"`` (this request will not do) or ``"stop"``
        (no request will).
    what : str
        The same in two words, ``"HTTP 429"`` or ``"time-out"``; empty for a paid one.
    billed : bool
        Whether the call was, or may have been, billed.
    body : dict or str
        The JSON of the body, or its text if it is none; only of a paid one.
    status : int or None
        The HTTP status, if one came.
    request_id, error : str
        The server's number of the call, and its message.
    wait : float or None
        Seconds that the server asks to wait.
    seconds : float
        Wall time.
    """

    kind: str
    what: str = ""
    billed: bool = True
    body: Any = ""
    status: int | None = None
    request_id: str = ""
    error: str = ""
    wait: float | None = None
    seconds: float = 0.0


class Wire:
    """Calls of one service, from any number of threads.

    Every call has a connection of its own: on one that is kept alive, a server that has just
    closed it cannot be told from one that took the request and died.
    """

    def __init__(self, service: Service) -> None:
        from openai import DefaultHttpxClient, OpenAI, Timeout

        self._service, self._key = service, Key(service)
        url, seconds, here = address(service), service.timeout, on_loopback(address(service))
        timeout = Timeout(seconds, connect=min(seconds, 10.0))
        self._client = OpenAI(
            base_url=url,
            api_key=self._key.value or "none",
            max_retries=0,
            default_headers={"Connection": "close"},
            http_client=DefaultHttpxClient(
                timeout=timeout,
                event_hooks={"request": [_watch]},
                follow_redirects=False,
                trust_env=not here,  # a proxy has no way to this machine
                # plain http to this machine shows no certificate; loading the roots takes 30 ms
                verify=not (here and url.startswith("http:")),
            ),
            timeout=timeout,
        )

    def __enter__(self) -> Wire:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()

    def ask(self, body: dict[str, Any]) -> Answer:
        """Make one call; whatever comes of it is an `Answer`."""
        from openai import APIError, APIStatusError

        begun = time.perf_counter()
        with _Deadline(self._service.timeout) as deadline:
            try:
                raw = self._client.chat.completions.with_raw_response.create(**body)
                found = self._paid(raw.http_response)
            except APIStatusError as error:
                found = self._refused(error)
            except APIError as error:
                found = self._cut(error, deadline)
        return replace(found, seconds=round(time.perf_counter() - begun, 3))

    def _paid(self, response: Any) -> Answer:
        text = response.content.decode("utf-8", "replace")
        try:
            body = parse_json(text)
        except ValueError:
            body = text
        return Answer(
            "paid",
            body=self._key.hide(body),
            status=response.status_code,
            request_id=self._request_id(response),
        )

    def _refused(self, error: Any) -> Answer:
        status, response = error.status_code, error.response
        return Answer(
            _kind(status, {error.code, error.type}),
            what=f"HTTP {status}",
            billed=status in _BILLED or status >= 520,
            status=status,
            request_id=self._request_id(response),
            error=self._message(error.message),
            wait=retry_after(response.headers.get("retry-after", "")),
        )

    def _cut(self, error: Any, deadline: _Deadline) -> Answer:
        from openai import APITimeoutError

        cause = error.__cause__ or error
        if deadline.over or isinstance(error, APITimeoutError):
            what, told = "time-out", f"no answer within {self._service.timeout:g} s"
        else:
            what = "connection cut" if deadline.sent else "no connection"
            told = f"{type(cause).__name__}: {cause}"
        return Answer("retry", what, billed=deadline.sent, error=self._message(told))

    def _request_id(self, response: Any) -> str:
        return str(self._key.hide(response.headers.get("x-request-id", "")))

    def _message(self, text: str) -> str:
        return _HALF_HIDDEN.sub(HIDDEN, str(self._key.hide(text))[:2000])[:300]


def _kind(status: int, codes: set[Any]) -> str:
    if codes & _NO_CREDIT:
        return "stop"
    if status in _ITEM:
        return "item"
    return "retry" if status in _RETRY or status >= 500 else "stop"


def retry_after(header: str) -> float | None:
    """Seconds from a Retry-After header, a number or an HTTP date, at most `LONGEST_WAIT`."""
    try:
        seconds = float(header)
    except ValueError:
        try:
            moment = parsedate_to_datetime(header)
        except ValueError:
            return None
        seconds = (moment.replace(tzinfo=moment.tzinfo or UTC) - datetime.now(UTC)).total_seconds()
    return min(max(seconds, 0.0), LONGEST_WAIT) if is_number(seconds) else None


# --------------------------------------------------------------------------- the deadline


class _Deadline:
    """Ends the connection of one call when its time is up.

    The client's own time-outs are for one read each: a server that sends a byte a second, in the
    headers or in the body, never meets them.
    """

    def __init__(self, seconds: float) -> None:
        self.sent = self.over = False
        self._socket: socket.socket | None = None
        self._timer = threading.Timer(seconds, self._end)
        self._timer.daemon = True

    def __enter__(self) -> _Deadline:
        self._token = _DEADLINE.set(self)
        self._timer.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._timer.cancel()
        _DEADLINE.reset(self._token)

    def trace(self, event: str, info: dict[str, Any]) -> None:
        """Take note of the connection's socket, and of the moment when something is sent."""
        if event.endswith(("connect_tcp.complete", "start_tls.complete")):
            self._socket = info["return_value"].get_extra_info("socket")
        if event.endswith("send_request_headers.started"):
            self.sent = True
        if self.over:
            self._end()

    def _end(self) -> None:
        self.over = True
        if self._socket is not None:
            with contextlib.suppress(OSError):
                # not close(): that would leave a read in the other thread waiting
                socket.socket.shutdown(self._socket, socket.SHUT_RDWR)


_DEADLINE: ContextVar[_Deadline] = ContextVar("deadline")


def _watch(request: Any) -> None:
    request.extensions["trace"] = _DEADLINE.get().trace
