"""What a client may ask: a body of the chat completions read into one case, or refused."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from nbutils.examples import Example

INSTRUCTION = "Analyze the following trend and recommend one action."

_CASE = re.compile(r"^[ \t]*(?:Metric|Context|Data)[ \t]*:", re.IGNORECASE | re.MULTILINE)
# facts are computed here from the case; a block that a client sends would stand as evidence
_FACTS = re.compile(r"^[ \t]*Facts[ \t]*:.*(?:\n[ \t]*[-*•].*)*\n?", re.IGNORECASE | re.MULTILINE)
# a server's tokenizer takes these for the end of a turn and the begin of another, wherever
# they stand
_CONTROL = re.compile(
    r"<[|｜][^<>\n]{1,40}[|｜]>|\[/?INST\]|</?s>|<</?SYS>>|<(?:start|end)_of_turn>|\[/?[A-Z_]+_"
    r"(?:PROMPT|TOOLS|CALLS|RESULTS)\]"
)
_REFUSED = (
    "tools",
    "tool_choice",
    "functions",
    "function_call",
    "response_format",
    "logit_bias",
    "stop",
    "modalities",
    "audio",
)


class Refused(Exception):
    """A request that is not taken: status, code and one sentence."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status, self.code, self.message = status, code, message


def read_request(data: bytes, *, id: str, model: str, system: str) -> Example:
    """Read the body of a chat completion into a case.

    The last message must be the user's; it is the case, with or without an instruction before its
    first line. Earlier turns are left out, and so are the settings of sampling (``temperature``,
    ``max_tokens``, ``seed``, ...): the guard has its own.

    Parameters
    ----------
    data : bytes
        The body.
    id : str
        The request's id, which becomes the example's.
    model : str
        The one model that is served.
    system : str
        The system message that the guard sends; a client's must be the same.

    Raises
    ------
    Refused
        If the body is no such request, or asks for what only the guard decides.
    """
    body = _parsed(data)
    _check_model(body.get("model"), model)
    _check_settings(body)
    messages = _messages(body.get("messages"))
    _check_roles(messages, system)
    text = _text(messages[-1].get("content"))
    if found := _CONTROL.search(text):
        raise Refused(
            400,
            "control_tokens",
            f"The text holds '{found[0]}', which models read as a control token: remove it.",
        )
    return split(text, id)


def split(text: str, id: str) -> Example:
    r"""Part an instruction from the case behind it.

    Examples
    --------
    >>> split("Explain this.\n\nMetric: CVR\nData: [1, 2]", "q").input
    'Metric: CVR\nData: [1, 2]'
    """
    text = _FACTS.sub("", text).strip()
    begins = _CASE.search(text)
    at = begins.start() if begins else 0
    return Example(id, text[:at].strip() or INSTRUCTION, text[at:].strip() or text)


def _parsed(data: bytes) -> dict[str, Any]:
    try:
        body = json.loads(data)
    except (ValueError, RecursionError):
        raise Refused(400, "invalid_json", "The body is not JSON: send one object.") from None
    if not isinstance(body, dict):
        raise _bad("The body is a JSON value; expected an object with model and messages.")
    return body


def _bad(message: str) -> Refused:
    return Refused(400, "invalid_request", message)


def _check_model(asked: Any, served: str) -> None:
    if asked != served:
        named = f"'{asked[:80]}'" if isinstance(asked, str) else "not a name"
        raise Refused(
            404, "model_not_found", f"The model is {named}; only '{served}' is served here."
        )


def _check_settings(body: Mapping[str, Any]) -> None:
    if body.get("stream"):
        message = "Answers are checked before they are sent, so they cannot be streamed: set stream"
        raise Refused(400, "stream_unsupported", f"{message} to false.")
    if body.get("n") not in (None, 1):
        raise _bad("n is not 1: one verified answer is given to a request.")
    if set_here := [name for name in _REFUSED if body.get(name)]:
        raise _bad(f"{', '.join(set_here)} cannot be chosen by a request: leave it out.")


def _messages(given: Any) -> Sequence[Mapping[str, Any]]:
    if not isinstance(given, list) or not given:
        raise _bad("messages are empty or no list; expected at least one message of the user.")
    if not all(isinstance(message, dict) for message in given):
        raise _bad("a message is not an object; expected role and content in each.")
    return given


def _check_roles(messages: Sequence[Mapping[str, Any]], system: str) -> None:
    for message in messages:
        role = message.get("role")
        if role in ("system", "developer"):
            if message.get("content") != system:
                raise _bad("The system message is set by this service: send the user's only.")
        elif role not in ("user", "assistant"):
            raise _bad("a message's role is not system, user or assistant.")
    if messages[-1].get("role") != "user":
        raise _bad("The last message is not the user's; expected the case there.")


def _text(content: Any) -> str:
    """A message's text, also where it comes in parts."""
    parts = content if isinstance(content, list) else [{"type": "text", "text": content}]
    texts = [p.get("text") for p in parts if isinstance(p, dict) and p.get("type") == "text"]
    if len(texts) < len(parts) or not all(isinstance(text, str) for text in texts):
        raise _bad("The content of the last message is not text: send the case as text.")
    text = "\n".join(str(text) for text in texts)
    try:
        text.encode()  # JSON can carry halves of characters
    except UnicodeEncodeError:
        raise _bad("The text holds half a character, which is no Unicode: mend it.") from None
    if not text.strip():
        raise _bad("The last message is empty; expected a case.")
    return text
