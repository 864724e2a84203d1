"""How the answer of a large model is read."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .requests import Ask, first_choice

if TYPE_CHECKING:
    from pydantic import BaseModel


@dataclass(frozen=True)
class Reply:
    """What came of one request.

    Attributes
    ----------
    id : str
        The request's.
    status : str
        ``"answered"``, ``"refused"`` (by the model or a content filter), ``"truncated"`` (at
        `Request.max_tokens`), ``"invalid"`` (not JSON, or not the schema), ``"empty"``, or
        ``"failed"`` (the service takes no such request, or every attempt failed).
    text : str
        The answer as it came.
    parsed : dict or None
        The answer by the schema, as JSON values; None without schema, and unless answered.
    error : str
        One sentence if the status is not ``"answered"``.
    model : str
        The model, as the server names it.
    request_id : str
        The server's number of the call.
    prompt_hash : str
        SHA-256 of what was asked, as canonical JSON: the cache key.
    prompt_tokens, completion_tokens : int
        As the server counts; 0 where it does not say.
    cost : float
        Dollars charged for the call that brought this reply.
    attempt : int
        Which attempt at this request it was, from 1, over all sessions.
    cached : bool
        Whether it took no call: it was in the cache, or the same request stands in the list twice.
    seconds : float
        Wall time of the call.
    """

    id: str
    status: str
    text: str
    parsed: dict[str, Any] | None
    error: str
    model: str
    request_id: str
    prompt_hash: str
    prompt_tokens: int
    completion_tokens: int
    cost: float
    attempt: int
    cached: bool
    seconds: float


def read_reply(ask: Ask, record: dict[str, Any], *, cached: bool) -> Reply:
    """The reply that a stored record makes; the same whether it has just come or lay in the cache.

    Parameters
    ----------
    ask : Ask
        The request.
    record : dict
        ``body`` as the server sent it, ``request_id``, ``prompt_tokens``, ``completion_tokens``,
        ``cost``, ``attempt`` and ``seconds``.
    cached : bool
        See `Reply`.
    """
    body = record["body"]
    status, text, parsed, error = _read(body, ask.request.schema)
    return Reply(
        id=ask.request.id,
        status=status,
        text=text,
        parsed=parsed,
        error=error,
        model=str(body.get("model") or "") if isinstance(body, dict) else "",
        request_id=record["request_id"],
        prompt_hash=ask.key,
        prompt_tokens=record["prompt_tokens"],
        completion_tokens=record["completion_tokens"],
        cost=record["cost"],
        attempt=record["attempt"],
        cached=cached,
        seconds=record["seconds"],
    )


_Read = tuple[str, str, dict[str, Any] | None, str]


def _read(body: Any, schema: type[BaseModel] | None) -> _Read:
    """Status, text, parsed and error of a body."""
    if not isinstance(body, dict):
        return "invalid", str(body), None, "the server's answer is not a JSON object."
    choice = first_choice(body)
    message = choice.get("message")
    if not isinstance(message, dict):
        told = body.get("error")
        why = f"the server answers with an error instead: {told}" if told else "it has no choices"
        return ("failed" if told else "empty"), "", None, f"no answer came, {why}."
    return _read_message(message, choice.get("finish_reason"), schema)


def _read_message(message: dict[str, Any], finish: Any, schema: type[BaseModel] | None) -> _Read:
    text = message.get("content") or ""
    if refusal := message.get("refusal"):
        return "refused", str(text), None, f"the model refuses: {refusal}"
    if finish == "content_filter":
        return "refused", str(text), None, "a content filter of the service cut the answer."
    if not isinstance(text, str):
        return "invalid", str(text), None, f"the content is a {type(text).__name__}, not text."
    if finish == "length":
        return "truncated", text, None, "the answer is cut off at max_tokens: allow more."
    if not text.strip():
        return "empty", text, None, "the answer has no text."
    return _by_schema(text, schema) if schema else ("answered", text, None, "")


def _by_schema(text: str, schema: type[BaseModel]) -> _Read:
    from pydantic import ValidationError

    try:
        parsed = schema.model_validate_json(text).model_dump(mode="json")
        json.dumps(parsed, allow_nan=False)
    except ValidationError as error:
        return "invalid", text, None, _fault(error)
    except ValueError:
        return "invalid", text, None, "a number of the answer is not finite."
    return "answered", text, parsed, ""


def _fault(error: Any) -> str:
    first = error.errors(include_url=False, include_input=False, include_context=False)[0]
    if first["type"] == "json_invalid":
        return f"the answer is not JSON: {first['msg']}."
    field = ".".join(map(str, first["loc"])) or "the whole"
    more = error.error_count() - 1
    return f"field '{field}': {first['msg']}" + (f" (and {more} more)." if more else ".")
