"""A service on this machine that gives recorded answers, and faults when asked for them."""

from __future__ import annotations

import contextlib
import hashlib
import json
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

_CHUNK = 16  # bytes at a time of a body that drips


@dataclass(frozen=True)
class Disturbance:
    """What takes the place of a recorded answer, or delays it.

    Attributes
    ----------
    status : int
        HTTP status.
    body : str, dict or None
        Sent instead of the recorded answer; None: that one.
    headers : mapping
        Further headers.
    delay : float
        Seconds before anything is sent.
    drip : float
        Seconds after each 16 bytes of the body; 0 sends it at once.
    cut : bool
        Whether the connection is closed in the middle of the body.
    """

    status: int = 200
    body: str | dict[str, Any] | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    delay: float = 0.0
    drip: float = 0.0
    cut: bool = False


Disturb = Callable[[int, dict[str, Any]], Disturbance | None]


def key_of(messages: list[dict[str, Any]]) -> str:
    """What recorded answers are found by: the hash of the messages' JSON.

    Examples
    --------
    >>> key_of([{"role": "user", "content": "a"}])[:12]
    '5168bd634e48'
    """
    text = json.dumps(messages, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def completion(text: str, *, model: str, messages: list[dict[str, Any]]) -> dict[str, Any]:
    """The body of a chat completion.

    Its usage is an estimate, four tokens for three words, in and out.
    """
    asked = sum(_tokens(str(m.get("content", ""))) for m in messages)
    usage = {"prompt_tokens": asked, "completion_tokens": _tokens(text)}
    message = {"role": "assistant", "content": text, "refusal": None}
    return {
        "id": f"recorded-{key_of(messages)[:12]}",
        "object": "chat.completion",
        "created": 0,
        "model": model,
        "choices": [{"index": 0, "message": message, "logprobs": None, "finish_reason": "stop"}],
        "usage": {**usage, "total_tokens": sum(usage.values())},
    }


def _tokens(text: str) -> int:
    return max(1, round(len(text.split()) * 4 / 3))


@contextmanager
def serve(
    answers: Mapping[str, str], *, model: str = "recorded", disturb: Disturb | None = None
) -> Iterator[str]:
    """Serve recorded answers on loopback, in the form of OpenAI's chat completions.

    Messages that have no recorded answer get status 422 with the code ``not_recorded``, which
    `ask_all` takes as the fault of this one request. Streaming is not served.

    Parameters
    ----------
    answers : mapping of str to str
        Answers by `key_of` their messages.
    model : str
        The name under which the answers are given.
    disturb : callable, optional
        Asked before each completion, with its number from 1 and the request's body; what it
        returns replaces or delays the answer. It is called by one thread at a time.

    Yields
    ------
    str
        The base URL, ending in ``/v1``.
    """
    server = _Server(("127.0.0.1", 0), _Handler)
    server.answers, server.model, server.disturb = answers, model, disturb
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/v1"
    finally:
        server.ended.set()
        server.shutdown()
        server.server_close()
        thread.join()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128  # with the usual 5, calls at a time wait a second for a connection

    answers: Mapping[str, str]
    model: str
    disturb: Disturb | None

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.asked = 0
        self.lock, self.ended = threading.Lock(), threading.Event()

    def next(self, body: dict[str, Any]) -> tuple[int, Disturbance | None]:
        """The number of a request, and what shall happen to it."""
        with self.lock:
            self.asked += 1
            return self.asked, self.disturb(self.asked, body) if self.disturb else None


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        if self.path != "/v1/models":
            self._send(404, _error("no such path", "not_found"))
            return
        listed = {"id": self.server.model, "object": "model", "created": 0, "owned_by": "recorded"}
        self._send(200, {"object": "list", "data": [listed]})

    def do_POST(self) -> None:
        text = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        try:
            body = json.loads(text)
            messages = list(body["messages"])
        except (ValueError, KeyError, TypeError):
            self._send(400, _error("the body is not JSON with messages", "invalid_body"))
            return
        if self.path != "/v1/chat/completions":
            self._send(404, _error("no such path", "not_found"))
            return
        number, fault = self.server.next(body)
        fault = fault or Disturbance()
        if fault.delay and self.server.ended.wait(fault.delay):
            self.close_connection = True
            return
        if fault.body is None and fault.status == 200:
            self._send(*self._answer(body, messages), number, fault)
        else:
            self._send(fault.status, fault.body or {}, number, fault)

    def _answer(
        self, body: dict[str, Any], messages: list[dict[str, Any]]
    ) -> tuple[int, dict[str, Any]]:
        if body.get("stream"):
            return 400, _error("this service does not stream", "unsupported_parameter")
        text = self.server.answers.get(key_of(messages))
        if text is None:
            return 422, _error("no answer is recorded for these messages", "not_recorded")
        return 200, completion(text, model=self.server.model, messages=messages)

    def _send(
        self,
        status: int,
        body: str | dict[str, Any],
        number: int = 0,
        fault: Disturbance | None = None,
    ) -> None:
        fault = fault or Disturbance()
        data = (body if isinstance(body, str) else json.dumps(body)).encode()
        # a client that has given up is no error of the server
        with contextlib.suppress(ConnectionError):
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.send_header("x-request-id", f"recorded-{number}")
            for name, value in fault.headers.items():
                self.send_header(name, value)
            self.end_headers()
            self._write(data[: len(data) // 2] if fault.cut else data, fault.drip)
        self.close_connection |= fault.cut

    def _write(self, data: bytes, drip: float) -> None:
        step = _CHUNK if drip else max(len(data), 1)
        for start in range(0, len(data), step):
            self.wfile.write(data[start : start + step])
            if drip and self.server.ended.wait(drip):
                self.close_connection = True
                return

    def log_message(self, *_: Any) -> None: ...


def _error(message: str, code: str) -> dict[str, Any]:
    error = {"message": message, "type": "invalid_request_error", "param": None, "code": code}
    return {"error": error}
