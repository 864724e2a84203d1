"""What is asked of a large model, what it is called by, and what it may cost."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, TypeGuard
from urllib.parse import urlsplit

from nbutils.errors import UserError

from .service import Service, address, label
from .store import is_number

if TYPE_CHECKING:
    from pydantic import BaseModel

# tokens that chat templates put around a message, and around or before the whole prompt
_PER_MESSAGE, _PER_PROMPT = 16, 64


@dataclass(frozen=True)
class Request:
    """One conversation to be answered.

    Attributes
    ----------
    id : str
        The caller's name for it; no part of the cache key.
    messages : list of dict
        Chat messages with ``role`` and ``content``, both text.
    schema : type of pydantic.BaseModel, or None
        What the answer must be; None for free text.
    max_tokens : int
        The longest answer.
    temperature : float or None
        As the service takes it; None leaves it to the service. OpenAI's reasoning models take
        no other.
    """

    id: str
    messages: list[dict[str, str]]
    schema: type[BaseModel] | None
    max_tokens: int
    temperature: float | None = None


@dataclass(frozen=True)
class Ask:
    """A request with its call: body, cache key, bound of the prompt and price at the worst."""

    request: Request
    body: dict[str, Any]
    key: str
    most_tokens: int
    worst: float


def prepare(request: Request, service: Service) -> Ask:
    """Work out what is sent for a request, what it is called by and what it may cost.

    A token of a byte-level vocabulary stands for at least one byte, so that the bytes of messages
    and schema, with room for the template, are more than the prompt can have tokens, whatever
    the model.

    Raises
    ------
    UserError
        If messages are not text, or `Request.max_tokens` or `Request.temperature` is no number.
    """
    _check(request)
    wanted = {
        "model": service.model,
        "messages": request.messages,
        "response_format": _response_format(request.schema) if request.schema else None,
        _limit_name(service): request.max_tokens,
        "temperature": request.temperature,
    }
    prompt = _canonical([wanted["messages"], wanted["response_format"]])
    most = len(prompt) + _PER_MESSAGE * len(request.messages) + _PER_PROMPT
    return Ask(
        request,
        body={name: value for name, value in wanted.items() if value is not None},
        key=hashlib.sha256(_canonical({"service": label(service), **wanted})).hexdigest(),
        most_tokens=most,
        worst=price(service, most, request.max_tokens),
    )


def _limit_name(service: Service) -> str:
    """OpenAI's own models refuse ``max_tokens``; what only resembles them may know nothing else."""
    host = urlsplit(address(service)).hostname or ""
    own = host.endswith((".openai.com", ".openai.azure.com"))
    return "max_completion_tokens" if own else "max_tokens"


def price(service: Service, prompt_tokens: int, completion_tokens: int) -> float:
    """Dollars for so many tokens in and out."""
    asked, answered = service.prices or (0.0, 0.0)
    return (prompt_tokens * asked + completion_tokens * answered) / 1e6


def _check(request: Request) -> None:
    for message in request.messages:
        if not all(isinstance(message.get(k), str) for k in ("role", "content")):
            raise UserError(
                f"request '{request.id}': a message is not text; the price at the worst counts "
                f"the bytes of role and content: send text only."
            )
    tokens = request.max_tokens
    if not request.messages or not (isinstance(tokens, int) and is_number(tokens) and tokens > 0):
        raise UserError(
            f"request '{request.id}' has {len(request.messages)} messages and max_tokens "
            f"{tokens!r}; expected at least one of each: correct it."
        )
    if request.temperature is not None and not is_number(request.temperature):
        raise UserError(
            f"request '{request.id}' has temperature {request.temperature!r}; expected a number: "
            f"correct it."
        )


def _canonical(obj: Any) -> bytes:
    text = json.dumps(obj, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return text.encode("utf-8", "replace")


@lru_cache(maxsize=32)
def _response_format(schema: type[BaseModel]) -> dict[str, Any]:
    from openai import pydantic_function_tool

    # of a tool only the parameters are wanted: the strict form of the schema
    strict: Any = pydantic_function_tool(schema)["function"]["parameters"]
    name = re.sub(r"[^\w-]", "_", schema.__name__, flags=re.ASCII)[:64]
    return {
        "type": "json_schema",
        "json_schema": {"name": name, "strict": True, "schema": strict},
    }


# --------------------------------------------------------------------------- usage


def count_tokens(ask: Ask, body: Any) -> tuple[int, int, str]:
    """Tokens in and out as the server states them, and why they cannot be right, if so."""
    usage = body.get("usage") if isinstance(body, dict) else None
    usage = usage if isinstance(usage, dict) else {}
    prompt, completion = usage.get("prompt_tokens"), usage.get("completion_tokens")
    if not (_is_count(prompt) and _is_count(completion)):
        return 0, 0, "missing"
    doubt = _doubt(ask, prompt, completion, silent=not _said(body))
    return max(prompt, 0), max(completion, 0), doubt


def _is_count(value: Any) -> TypeGuard[int]:
    return isinstance(value, int) and is_number(value)


def _doubt(ask: Ask, prompt: int, completion: int, *, silent: bool) -> str:
    allowed = ask.request.max_tokens
    if min(prompt, completion) < 0:
        return "negative"
    if prompt == 0 or (completion == 0 and not silent):
        return "no tokens for some text"
    if completion > allowed:
        return f"{completion} tokens out, {allowed} allowed"
    return f"{prompt} tokens in, {ask.most_tokens} possible" if prompt > ask.most_tokens else ""


def _said(body: dict[str, Any]) -> bool:
    message = first_choice(body).get("message")
    return bool(isinstance(message, dict) and (message.get("content") or message.get("refusal")))


def first_choice(body: dict[str, Any]) -> dict[str, Any]:
    """The first choice of a body, or an empty one."""
    choices = body.get("choices")
    first = choices[0] if isinstance(choices, list) and choices else None
    return first if isinstance(first, dict) else {}
