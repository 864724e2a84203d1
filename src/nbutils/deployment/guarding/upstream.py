"""One call of an OpenAI-compatible server: an answer, or a fault with its name."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from nbutils.errors import UserError
from nbutils.examples import Example, messages
from nbutils.models import Messages

if TYPE_CHECKING:
    import httpx2

# faults after which it makes sense to ask the same server again at once
AGAIN = ("cut", "garbage")
MAX_BYTES = 1_000_000
MAX_CHARACTERS = 8_000


@dataclass(frozen=True)
class Upstream:
    """A model of an OpenAI-compatible server, and the prompt that it gets.

    Attributes
    ----------
    url : str
        Base URL, ending in ``/v1``.
    model : str
        The model's name there.
    key_env : str
        Environment variable that holds the server's key; empty for a server without one.
    form : str
        ``"brief"`` or ``"full"``, as in `examples.messages`.
    shots : tuple of Example
        Solved examples before the question: the detailed prompt of an untuned base.
    version : str
        What answers are signed with; empty: the model's name.
    logprobs : bool
        Whether to ask for log-probabilities; a server that ignores this gives none.
    """

    url: str
    model: str
    key_env: str = ""
    form: str = "brief"
    shots: tuple[Example, ...] = ()
    version: str = ""
    logprobs: bool = False

    def __post_init__(self) -> None:
        parts = urlsplit(self.url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise UserError(
                f"the upstream's URL is '{self.url}'; expected one like http://127.0.0.1:8001/v1."
            )
        if self.key_env and not os.environ.get(self.key_env):
            raise UserError(
                f"the upstream {self.url} needs the key in {self.key_env}, which is not set: "
                f"export it."
            )

    @property
    def name(self) -> str:
        """The version, or else the model's name."""
        return self.version or self.model

    def prompt(self, example: Example) -> Messages:
        """The messages of a case: always from the one place where prompts are built."""
        return messages(example, form=self.form, shots=self.shots)

    def headers(self) -> dict[str, str]:
        """The key as a header, read from the environment at each call; empty without one."""
        key = os.environ.get(self.key_env, "") if self.key_env else ""
        return {"Authorization": f"Bearer {key}"} if key else {}


@dataclass(frozen=True)
class Reply:
    """What a server answered; ``logprob`` is the mean over the answer's tokens, None if unknown."""

    text: str
    stopped: bool
    prompt_tokens: int
    completion_tokens: int
    logprob: float | None


class Fault(Exception):
    """No usable answer: ``code`` is ``unreachable``, ``cut``, ``refused`` or ``garbage``."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code, self.detail = code, detail


def new_client(upstreams: list[Upstream], connections: int) -> httpx2.AsyncClient:
    """The one client of a session, shared by all calls; its time limit is set call by call."""
    import httpx2

    # half of what servers usually allow, lest a kept connection be closed under a request
    limits = httpx2.Limits(max_connections=connections, keepalive_expiry=2.0)
    # a proxy of the environment is for servers elsewhere
    remote = not all(is_loopback(urlsplit(u.url).hostname or "") for u in upstreams)
    return httpx2.AsyncClient(timeout=None, limits=limits, trust_env=remote)


def is_loopback(host: str) -> bool:
    """Whether a host name or address can only be this machine.

    Examples
    --------
    >>> is_loopback("localhost"), is_loopback("::1"), is_loopback("0.0.0.0")
    (True, True, False)
    """
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


async def ask(
    client: httpx2.AsyncClient,
    upstream: Upstream,
    prompt: Messages,
    *,
    max_new_tokens: int,
    temperature: float,
) -> Reply:
    """Ask once; how long it may take is the caller's to limit.

    Raises
    ------
    Fault
        If there is no usable answer.
    """
    import httpx2

    body: dict[str, Any] = {"model": upstream.model, "messages": prompt, "stream": False}
    body |= {"max_tokens": max_new_tokens, "temperature": temperature}
    body |= {"logprobs": True} if upstream.logprobs else {}
    url = f"{upstream.url.rstrip('/')}/chat/completions"
    try:
        sent = client.stream("POST", url, json=body, headers=upstream.headers())
        async with sent as response:
            data = await _body(response)
    except (httpx2.ConnectError, httpx2.ProxyError) as error:
        raise Fault("unreachable", f"no connection ({type(error).__name__})") from None
    except httpx2.HTTPError as error:
        raise Fault("cut", f"the connection broke off ({type(error).__name__})") from None
    if response.status_code != 200:
        raise Fault("refused", f"status {response.status_code}")
    return read_reply(data)


async def _body(response: httpx2.Response) -> bytes:
    data = bytearray()
    async for piece in response.aiter_bytes():
        data += piece
        if len(data) > MAX_BYTES:
            raise Fault("garbage", f"more than {MAX_BYTES:,} bytes")
    return bytes(data)


def read_reply(data: bytes) -> Reply:
    """Read the body of a chat completion.

    Raises
    ------
    Fault
        If it is not JSON, not a completion, or its answer is empty or endless.
    """
    try:
        body = json.loads(data)
        choice = body["choices"][0]
        text = choice["message"]["content"]
        text.encode()  # JSON can carry halves of characters, which no file takes
        usage = body.get("usage") or {}
        asked, said = (_count(usage.get(f"{kind}_tokens")) for kind in ("prompt", "completion"))
        stopped = choice.get("finish_reason") == "stop"
        logprob = _mean_logprob(choice.get("logprobs"))
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        raise Fault("garbage", f"not a chat completion ({type(error).__name__})") from None
    if not text.strip():
        raise Fault("garbage", "an empty answer")
    if len(text) > MAX_CHARACTERS:
        raise Fault("garbage", f"an answer of more than {MAX_CHARACTERS:,} characters")
    return Reply(text.strip(), stopped, asked, said, logprob)


def _count(value: Any) -> int:
    return value if isinstance(value, int) and 0 <= value < 10**9 else 0


def _mean_logprob(given: Any) -> float | None:
    """The mean over the tokens; None unless every one has a finite number."""
    tokens = given.get("content") if isinstance(given, Mapping) else None
    values = [t.get("logprob") for t in tokens] if isinstance(tokens, list) else []
    if not values or not all(isinstance(v, int | float) and math.isfinite(v) for v in values):
        return None
    return float(math.fsum(values) / len(values))
