"""The guard as an OpenAI-compatible service."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import time
import uuid
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nbutils.errors import UserError
from nbutils.examples import Example

from .answered import Answered
from .guard import Guard
from .log import append_line, prepare_file, request_row
from .request import Refused, read_request
from .responses import completion, error_response, no_route, refusal
from .session import Session
from .upstream import is_loopback

if TYPE_CHECKING:
    from fastapi import FastAPI
    from starlette.requests import Request
    from starlette.responses import JSONResponse

SHORTEST_KEY = 16


def make_app(
    guard: Guard, *, keys: Sequence[str] = (), log: Path | None = None, redact: bool = False
) -> FastAPI:
    """Make the service: ``POST /v1/chat/completions``, ``GET /v1/models`` and ``GET /health``.

    A response is a chat completion with one more field, ``guard`` (see `Answered.to_dict`). Where
    a person has the case it is status 200 with a sentence that says so and ``finish_reason``
    ``"content_filter"``: the request was served, and clients that ask again at any 5xx would
    queue the case three times. If no server answers it is 503 with ``Retry-After``, and nothing
    is queued: asking again is then right, and a person can do nothing.

    Parameters
    ----------
    guard : Guard
        What answers.
    keys : sequence of str
        Keys of at least 16 characters, one of which a request must carry as its bearer token.
        Without any, only requests from this machine to this machine are answered.
    log : Path, optional
        File of the request log, JSON lines; see `log.request_row`.
    redact : bool
        Leave all texts out of the log. The queue keeps them: a person must read the case.

    Raises
    ------
    UserError
        If a key is too short, or the log or the queue cannot be written.
    """
    from fastapi import FastAPI

    check_keys(keys)
    service = Service(guard, keys, log, redact)
    # its pages of documentation would load scripts from elsewhere
    app = FastAPI(lifespan=service.lifespan, openapi_url=None)
    app.add_route("/v1/chat/completions", service.complete, methods=["POST"])
    app.add_route("/v1/models", service.models, methods=["GET"])
    app.add_route("/health", service.health, methods=["GET"])
    for status in (404, 405):
        app.add_exception_handler(status, no_route)
    return app


def check_keys(keys: Sequence[str]) -> None:
    """Refuse keys that are easily guessed, with `UserError`."""
    if any(len(key) < SHORTEST_KEY or not key.isascii() or " " in key for key in keys):
        raise UserError(
            f"a key is shorter than {SHORTEST_KEY} characters or holds blanks or non-ASCII: make "
            f'one with `python -c "import secrets; print(secrets.token_urlsafe(32))"`.'
        )


class Service:
    """The routes; made by `make_app`."""

    def __init__(self, guard: Guard, keys: Sequence[str], log: Path | None, redact: bool) -> None:
        self._guard, self._log, self._redact = guard, log, redact
        self._name = guard.name or guard.model.model
        self._keys = [_digest(key) for key in keys]
        self._system = guard.model.prompt(Example("", "", ""))[0]["content"]
        self._session: Session | None = None
        self._busy, self._unlogged = 0, 0
        for path, what in ((guard.queue, "queue"), (log, "log")):
            if path:
                prepare_file(path, what)

    @asynccontextmanager
    async def lifespan(self, _: FastAPI) -> AsyncIterator[None]:
        """Open the guard's session with the service, and close it with it."""
        async with self._guard.session() as session:
            self._session = session
            yield

    async def health(self, _: Request) -> JSONResponse:
        """Whether the service runs, and whether its log can be written."""
        from starlette.responses import JSONResponse

        if self._unlogged:
            status = f"{self._unlogged} requests could not be logged"
            return JSONResponse({"status": status}, status_code=503)
        return JSONResponse({"status": "ok"})

    async def models(self, request: Request) -> JSONResponse:
        """The one model that is served."""
        from starlette.responses import JSONResponse

        try:
            self._admit(request)
        except Refused as refused:
            return error_response(refused)
        listed = {"id": self._name, "object": "model", "created": 0, "owned_by": "nbutils"}
        return JSONResponse({"object": "list", "data": [listed]})

    async def complete(self, request: Request) -> JSONResponse:
        """Answer one request within the time limit, and log it."""
        from starlette.responses import JSONResponse

        id, answered = f"guard-{uuid.uuid4().hex}", None
        seen: list[Example] = []
        self._busy += 1
        try:
            answered = await self._answer(request, id, seen)
        except Exception as error:
            refused = refusal(error)
            response = error_response(refused)
            status, code = refused.status, refused.code
        else:
            response = JSONResponse(completion(answered, self._name))
            status, code = 200, ""
        finally:
            self._busy -= 1
        row = request_row(
            status,
            id=id,
            example=seen[0] if seen else None,
            answered=answered,
            error=code,
            redact=self._redact,
        )
        self._write(row)
        return response

    async def _answer(self, request: Request, id: str, seen: list[Example]) -> Answered:
        begun, limits = time.monotonic(), self._guard.limits
        self._admit(request)
        if self._busy > limits.clients:
            raise Refused(429, "too_many", f"{limits.clients} requests are under way: wait.")
        if not request.headers.get("content-type", "").startswith("application/json"):
            raise Refused(415, "not_json", "The content type is not application/json: set it.")
        # the guard keeps to the limit by itself; the second is for reading and computing
        async with asyncio.timeout(limits.seconds + 1):
            data = await self._body(request)
            example = read_request(data, id=id, model=self._name, system=self._system)
            seen.append(example)
            assert self._session is not None
            left = limits.seconds - (time.monotonic() - begun)
            return await self._session.answer(example, id=id, seconds=left)

    async def _body(self, request: Request) -> bytes:
        """The body, given up as soon as it is too large, whatever its header says."""
        data, most = bytearray(), self._guard.limits.body_bytes
        async for piece in request.stream():
            data += piece
            if len(data) > most:
                raise Refused(
                    413, "too_large", f"The body has more than {most:,} bytes: shorten the case."
                )
        return bytes(data)

    def _admit(self, request: Request) -> None:
        """Let in who has a key; where there are no keys, this machine only."""
        if not self._keys:
            peer = request.client.host if request.client else ""
            # a page of the web can make a browser here ask, but not under this machine's name
            if not (is_loopback(peer) and is_loopback(request.url.hostname or "")):
                message = "This service has no keys, so it answers its own machine only."
                raise Refused(401, "invalid_api_key", message)
            return
        scheme, _, given = request.headers.get("authorization", "").partition(" ")
        found = [hmac.compare_digest(_digest(given), key) for key in self._keys]
        if scheme.lower() != "bearer" or not any(found):
            raise Refused(401, "invalid_api_key", "The key is missing or wrong: send a valid one.")

    def _write(self, row: dict[str, Any]) -> None:
        """Log a request; one that cannot be logged is answered all the same, and counted."""
        if self._log:
            try:
                append_line(self._log, row)
            except OSError:
                self._unlogged += 1
            else:
                self._unlogged = 0


def _digest(key: str) -> bytes:
    """Of equal length for all, so that comparing tells nothing of a key's length."""
    return hashlib.sha256(key.encode()).digest()
