"""Which service is called, at what price, and with a key that nobody gets to see."""

from __future__ import annotations

import ipaddress
import os
import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from nbutils.errors import UserError

from .store import is_number

OPENAI = "https://api.openai.com/v1"
HIDDEN = "[key]"
_SHORTEST_KEY = 8  # what is shorter ("none", "EMPTY") is no secret, and stands in ordinary answers
_KEY_LIKE = re.compile(r"(?<![^\W_])sk-[\w*.-]{8,}")


@dataclass(frozen=True)
class Service:
    """An OpenAI-compatible server and what it costs.

    Attributes
    ----------
    model : str
        The model's name there; there is no default, names expire.
    base_url : str
        URL ending in ``/v1``; empty: ``$OPENAI_BASE_URL``, else OpenAI's own.
    prices : tuple of float, optional
        Dollars per million tokens, in and out; only a server on loopback needs none. Zeros say
        that a server of one's own costs nothing.
    key_env : str
        Environment variable that holds the key; a server on loopback needs none.
    label : str
        What stands for the URL in cache keys; empty: the URL without credentials and query. With
        a label the answers stay valid when the server moves.
    concurrency : int
        Calls at a time.
    timeout : float
        Seconds for one call in all, however slowly its bytes come in.
    patience : float
        The first wait before a retry lasts up to so many seconds; each further one twice as long.
    """

    model: str
    base_url: str = ""
    prices: tuple[float, float] | None = None
    key_env: str = "OPENAI_API_KEY"
    label: str = ""
    concurrency: int = 4
    timeout: float = 120.0
    patience: float = 1.0


def check_service(service: Service) -> None:
    """Refuse settings under which no call can be made or priced, with `UserError`."""
    if not service.model.strip():
        raise UserError(
            "the service has no model; names expire, so there is no default: set the name that "
            "the server lists."
        )
    _check_url(address(service))
    for name in ("timeout", "patience", "concurrency"):
        value = getattr(service, name)
        whole = isinstance(value, int) or name != "concurrency"
        if not (is_number(value) and value > 0 and whole):
            raise UserError(
                f"the service's {name} is {value!r}; expected a number above 0 (calls at a time: "
                f"a whole one): set it."
            )
    _check_prices(service)


def _check_url(url: str) -> None:
    parts = urlsplit(url)
    if parts.username is not None or parts.password is not None:
        # the URL itself is not shown: it is the secret
        raise UserError(
            "the service's base_url holds a user name or password, which would land in logs: put "
            "the key into the environment variable that key_env names."
        )
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise UserError(
            f"the service's base_url is '{parts.scheme}:...'; expected http:// or https:// and a "
            f"host: correct it."
        )


def _check_prices(service: Service) -> None:
    prices = service.prices
    if prices is None and not on_loopback(address(service)):
        raise UserError(
            "the service has no prices and does not run on this machine; prices are needed for "
            "the budget: set dollars per million tokens, in and out, or zeros if it is your own."
        )
    known = (0.0, 0.0) if prices is None else prices
    if len(known) != 2 or not all(is_number(p) and p >= 0 for p in known):
        raise UserError(
            f"the service's prices are {prices!r}; expected two numbers from 0 up, dollars per "
            f"million tokens in and out: set them from the provider's price list."
        )


def address(service: Service) -> str:
    """The URL that is called."""
    return service.base_url or os.environ.get("OPENAI_BASE_URL") or OPENAI


def label(service: Service) -> str:
    """What stands for the URL wherever something is written."""
    if service.label:
        return service.label
    parts = urlsplit(address(service))
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit((parts.scheme, host, parts.path.rstrip("/"), "", ""))


def on_loopback(url: str) -> bool:
    """Whether a URL points at this machine."""
    host = urlsplit(url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


# --------------------------------------------------------------------------- the key


def key_fault(service: Service) -> str:
    """Why the service cannot be called with the key in the environment; empty if it can."""
    value = Key(service).value
    if not value and not on_loopback(address(service)):
        return f"there is no key in the environment variable {service.key_env}"
    if not re.fullmatch(r"[!-~]*", value):
        # the client would quote it in its error
        return f"the key in {service.key_env} has characters that no key has"
    return ""


class Key:
    """A key that shows itself neither in a repr nor in what has passed `hide`."""

    def __init__(self, service: Service) -> None:
        self.value = os.environ.get(service.key_env, "").strip()

    def hide(self, value: Any) -> Any:
        """The same text, or JSON value, without keys and without halves of character pairs."""
        if isinstance(value, str):
            # a lone surrogate, which JSON can escape, could not be written as UTF-8
            text = value.encode("utf-8", "replace").decode()
            if len(self.value) >= _SHORTEST_KEY:
                text = text.replace(self.value, HIDDEN)
            return _KEY_LIKE.sub(HIDDEN, text)
        if isinstance(value, dict):
            return {self.hide(k): self.hide(v) for k, v in value.items()}
        return [self.hide(v) for v in value] if isinstance(value, list) else value
