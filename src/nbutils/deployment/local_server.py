"""A server of the merged model on this machine, started for a while and measured."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pandas as pd

from nbutils.errors import UserError
from nbutils.models import Completion, Messages, encode, load, load_tokenizer

HOST = "127.0.0.1"


@contextmanager
def served(
    log: Path, *, dtype: str = "float32", port: int = 0, seconds: float = 180.0
) -> Iterator[str]:
    """Run ``transformers serve`` on loopback while the block runs.

    A request names its model by the folder (`name_of`), which is loaded at the first one and
    stays; so the merged model and its base answer on one port.

    Parameters
    ----------
    log : Path
        Where the server's output goes.
    dtype : str
        Precision of the weights in memory.
    port : int
        0: a free one.
    seconds : float
        How long it may take to be healthy.

    Yields
    ------
    str
        Base URL, ending in ``/v1``.

    Raises
    ------
    UserError
        If the port is taken, or the server ends or is not healthy in time; with the last line
        that it wrote.
    """
    port = _free(port)
    command = [
        *(sys.executable, "-c", "from transformers.cli.transformers import main; main()"),
        *("serve", "--host", HOST, "--port", str(port)),
        *("--device", "cpu" if not _gpu() else "auto", "--dtype", dtype),
    ]
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "TRANSFORMERS_VERBOSITY": "error"}
    with Path(log).open("wb") as output:
        process = subprocess.Popen(
            command, stdout=output, stderr=subprocess.STDOUT, env=environment
        )
        try:
            _wait(process, port, Path(log), seconds)
            yield f"http://{HOST}:{port}/v1"
        finally:
            _stop(process)


def _gpu() -> bool:
    import torch

    return torch.cuda.is_available()


def _free(port: int) -> int:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            raise UserError(
                f"port {port} of this machine is in use; expected a free one: stop what listens "
                f"there, or name another port."
            ) from None
        return int(probe.getsockname()[1])


def _wait(process: subprocess.Popen[bytes], port: int, log: Path, seconds: float) -> None:
    ends = time.monotonic() + seconds
    while time.monotonic() < ends:
        if process.poll() is not None:
            raise UserError(
                f"the server of the merged model ended with {process.returncode} before it was "
                f"healthy ({_last_line(log)}): read {log.name}."
            )
        try:
            with urllib.request.urlopen(f"http://{HOST}:{port}/health", timeout=2) as reply:
                if reply.status == 200:
                    return
        except (OSError, urllib.error.URLError):
            time.sleep(0.3)
    raise UserError(
        f"the server of the merged model was not healthy after {seconds:.0f} s "
        f"({_last_line(log)}): read {log.name}, or allow it more time."
    )


def _last_line(log: Path) -> str:
    lines = log.read_text("utf-8", errors="replace").strip().splitlines()
    return lines[-1][:200] if lines else "it wrote nothing"


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(timeout=10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def same_prompts(
    url: str, merged: Path, asked: Sequence[Messages], *, max_new_tokens: int = 24
) -> pd.DataFrame:
    """Whether the server reads prompts as training did: token counts, and the words that follow.

    A template that differs at serving shows in either. The server's answers are compared with
    those of the same weights loaded here.

    Parameters
    ----------
    url : str
        See `served`.
    merged : Path
        The model's folder.
    asked : sequence of messages
        Prompts of held-out cases.
    max_new_tokens : int
        Length that is compared.

    Returns
    -------
    DataFrame
        ``prompt_tokens`` (here), ``prompt_tokens_served``, ``same_text`` by prompt.
    """
    tokenizer = load_tokenizer(str(merged))
    here = load({"base": str(merged)}).generate(list(asked), max_new_tokens)
    there = _client(url, merged, 1).generate(list(asked), max_new_tokens)
    return pd.DataFrame(
        {
            "prompt_tokens": [len(encode(tokenizer, m)) for m in asked],
            "prompt_tokens_served": [c.prompt_tokens for c in there],
            "same_text": [a.text == b.text for a, b in zip(here, there, strict=True)],
        }
    )


def load_test(
    url: str,
    model: str | Path,
    asked: Sequence[Messages],
    *,
    clients: Sequence[int] = (1, 2, 4),
    max_new_tokens: int = 280,
    machine_hour: float = 0.0,
) -> tuple[pd.DataFrame, list[Completion]]:
    """Ask the same prompts with ever more clients at a time.

    Parameters
    ----------
    url, model : str or Path
        The server, and the model's folder.
    asked : sequence of messages
        Prompts, all of them asked at every level.
    clients : sequence of int
        Requests at a time.
    max_new_tokens : int
        Longest answer.
    machine_hour : float
        Dollars for an hour of the machine.

    Returns
    -------
    table : DataFrame
        ``clients``, ``n``, ``p50``, ``p95`` (seconds a request), ``requests_per_minute``,
        ``tokens_per_second`` (of all answers together), ``per_1000`` (dollars).
    answers : list of Completion
        Those of the first level, in the order of the prompts.
    """
    rows: list[dict[str, float]] = []
    first: list[Completion] = []
    for count in clients:
        begun = time.perf_counter()
        done = _client(url, model, count).generate(list(asked), max_new_tokens)
        wall = time.perf_counter() - begun
        first = first or done
        seconds = pd.Series([c.seconds for c in done])
        rows.append(
            {
                "clients": count,
                "n": len(done),
                "p50": float(seconds.quantile(0.5)),
                "p95": float(seconds.quantile(0.95)),
                "requests_per_minute": 60 * len(done) / wall,
                "tokens_per_second": sum(c.completion_tokens for c in done) / wall,
                "per_1000": 1000 * machine_hour * wall / 3600 / len(done),
            }
        )
    return pd.DataFrame(rows), first


def _client(url: str, model: str | Path, concurrency: int) -> Any:
    spec = {"endpoint": url, "model": name_of(model), "concurrency": concurrency}
    return load({**spec, "timeout": 600.0})


def name_of(folder: str | Path) -> str:
    """The name under which a served folder is asked for."""
    return str(Path(folder).resolve())
