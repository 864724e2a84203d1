"""The service on a port."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Sequence
from pathlib import Path

from nbutils.errors import UserError

from .app import make_app
from .guard import Guard
from .upstream import is_loopback


def serve(
    guard: Guard,
    *,
    host: str = "127.0.0.1",
    port: int = 8000,
    keys: Sequence[str] = (),
    log: Path | None = None,
    redact: bool = False,
) -> None:
    """Serve a guard until it is interrupted; see `make_app`.

    Parameters
    ----------
    guard : Guard
        What answers.
    host, port : str, int
        Where to listen.
    keys : sequence of str
        Required off loopback.
    log : Path, optional
        File of the request log.
    redact : bool
        Leave all texts out of the log.

    Raises
    ------
    UserError
        If there are no keys and the host is not loopback, the port is in use or not to be had, a
        key is too short, or the log or the queue cannot be written.
    """
    import uvicorn

    if not keys and not is_loopback(host):
        raise UserError(
            f"the service would listen on {host} without a key, open to whoever reaches it: set a "
            f"key, or listen on 127.0.0.1."
        )
    app = make_app(guard, keys=keys, log=log, redact=redact)
    with listen(host, port) as listening:
        config = uvicorn.Config(
            app,
            log_level="warning",
            access_log=False,
            server_header=False,
            # a header that a client writes must not make it look like this machine
            proxy_headers=False,
            timeout_graceful_shutdown=int(guard.limits.seconds) + 1,
        )
        with contextlib.suppress(KeyboardInterrupt):
            uvicorn.Server(config).run(sockets=[listening])


def listen(host: str, port: int) -> socket.socket:
    """A listening socket: whoever has it keeps the port.

    Raises
    ------
    UserError
        If the host is unknown, or the port is in use or not to be had.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM
        )[0]
    except (OSError, OverflowError, UnicodeError):
        raise UserError(f"{host}:{port} is no address to listen on: check host and port.") from None
    # asyncio sends without delay only where the protocol is named: 40 ms a response otherwise
    listening = socket.socket(family, kind, protocol)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(address)
        listening.listen(2048)
    except OSError as error:
        listening.close()
        raise UserError(
            f"port {port} on {host} cannot be had ({error.strerror}): end what listens there, or "
            f"choose another with --port."
        ) from None
    return listening
