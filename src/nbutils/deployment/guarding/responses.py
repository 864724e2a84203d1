"""What goes back over HTTP: completions, and errors in the same form."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from .answered import Answered
from .limits import TooLarge, Unavailable
from .request import Refused

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import JSONResponse


def completion(answered: Answered, model: str) -> dict[str, Any]:
    """The body of a response."""
    person = answered.path == "person"
    message = {"role": "assistant", "content": answered.text}
    message |= {"refusal": answered.text} if person else {}
    choice = {
        "index": 0,
        "message": message,
        "logprobs": None,
        "finish_reason": "content_filter" if person else "stop",
    }
    return {
        "id": answered.id,
        "object": "chat.completion",
        "created": int(time.time()),
        "model": model,
        "choices": [choice],
        "usage": answered.tokens,
        "guard": answered.to_dict(),
    }


def error_response(refused: Refused) -> JSONResponse:
    """An error in the form that clients of this interface read."""
    from starlette.responses import JSONResponse

    kind = "server_error" if refused.status >= 500 else "invalid_request_error"
    error = {"message": refused.message, "type": kind, "param": None, "code": refused.code}
    headers = {"Retry-After": "5"} if refused.status in (429, 503) else {}
    headers |= {"WWW-Authenticate": "Bearer"} if refused.status == 401 else {}
    return JSONResponse({"error": error}, status_code=refused.status, headers=headers)


def refusal(error: Exception) -> Refused:
    """The refusal that an error of a request becomes; an unforeseen one tells its kind only."""
    if isinstance(error, Refused):
        return error
    if isinstance(error, TooLarge):
        return Refused(413, "too_large", f"{error}")
    if isinstance(error, Unavailable):
        return Refused(503, "unavailable", f"{error}")
    if isinstance(error, TimeoutError):
        return Refused(503, "timeout", "The request was not answered in time: ask again.")
    kind = type(error).__name__
    return Refused(500, "internal_error", f"The request failed by an error of ours ({kind}).")


async def no_route(_: Request, error: Exception) -> JSONResponse:
    """For paths and methods that do not exist."""
    status = getattr(error, "status_code", 404)
    message = "There is no such path or method; POST /v1/chat/completions is the one to ask."
    return error_response(Refused(status, "not_found", message))
