"""What the guard costs and what it holds; run with ``pytest tests/benchmarks -k guard -s``.

Upstream, guarded service and clients are three processes that talk over loopback.
"""

from __future__ import annotations

import asyncio
import http.client
import json
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "unit"))
import pytest
from guard_upstream import known_cases, upstream

from nbutils.examples import Example, messages

SERVICE = """
import json, sys
from pathlib import Path
from nbutils.deployment import guarding

url, model, fallback, folder, seconds = sys.argv[1:]
guard = guarding.Guard(
    guarding.Upstream(url, model),
    Path(folder) / "queue.jsonl",
    fallback=guarding.Upstream(fallback, "good") if fallback else None,
    limits=guarding.Limits(seconds=float(seconds)),
)
from nbutils.deployment.guarding import serving

with serving.listen("127.0.0.1", 0) as probe:
    port = probe.getsockname()[1]
print(port, flush=True)
guarding.serve(guard, port=port, log=Path(folder) / "requests.jsonl")
"""


@contextmanager
def service(
    folder: Path, url: str, model: str, *, fallback: str = "", seconds: float = 60
) -> Iterator[int]:
    """The guarded service in a process of its own; gives its port once it answers."""
    command = [sys.executable, "-c", SERVICE, url, model, fallback, str(folder), str(seconds)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout
        port = int(process.stdout.readline())
        for _ in range(200):
            try:
                if _ask(port, "GET", "/health")[0] == 200:
                    break
            except OSError:
                time.sleep(0.05)
        yield port
    finally:
        process.terminate()
        process.wait(10)
        if process.stdout:
            process.stdout.close()


def _ask(port: int, method: str, path: str) -> tuple[int, Any]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    connection.request(method, path)
    response = connection.getresponse()
    found = response.status, json.loads(response.read())
    connection.close()
    return found


def case_body(example: Example, model: str) -> bytes:
    """What a client of the guard sends."""
    text = f"{example.instruction}\n\n{example.input}"
    return json.dumps({"model": model, "messages": [{"role": "user", "content": text}]}).encode()


def prompt_body(example: Example, model: str) -> bytes:
    """What a client that knows the prompt sends to the model itself, the prompt ready made."""
    body = {"model": model, "messages": messages(example), "stream": False}
    return json.dumps({**body, "max_tokens": 320, "temperature": 0.0}).encode()


def port_of(url: str) -> int:
    """The port of an upstream."""
    return int(url.split(":")[2].split("/")[0])


class Client:
    """One connection that is kept."""

    def __init__(self, port: int) -> None:
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)

    def post(self, body: bytes) -> tuple[float, int, dict[str, Any]]:
        """Milliseconds, status and body of one request."""
        begun = time.perf_counter()
        headers = {"Content-Type": "application/json"}
        self.connection.request("POST", "/v1/chat/completions", body, headers)
        response = self.connection.getresponse()
        data = response.read()
        return (time.perf_counter() - begun) * 1e3, response.status, json.loads(data)


def varied(cases: list[Example], count: int) -> list[Example]:
    """Cases that are all different, so that nothing is remembered from one to the next."""
    found = []
    for number in range(count):
        case = cases[number % len(cases)]
        found.append(replace(case, input=f"{case.input}\nNotes: Ticket GR-{number}."))
    return found


def told(name: str, values: list[float]) -> float:
    """Print a row of milliseconds; gives the median."""
    found = sorted(values)
    p95 = found[int(0.95 * len(found))]
    p10 = found[len(found) // 10]
    print(f"{name}: p10 {p10:.2f} ms, p50 {median(found):.2f} ms, p95 {p95:.2f} ms, n {len(found)}")
    return median(found)


def test_what_the_guard_adds_to_a_request(tmp_path: Path) -> None:
    cases = varied(known_cases(), 360)
    times: dict[str, list[float]] = {"direct": [], "the prompt alone": [], "guarded": []}
    with upstream() as (url, _), service(tmp_path, url, "good") as port:
        direct, guarded = Client(port_of(url)), Client(port)
        for number, example in enumerate(cases):
            begun = time.perf_counter()
            body = prompt_body(example, "good")
            prompt = (time.perf_counter() - begun) * 1e3
            # A B A B: whatever else the machine does meets both alike
            alone, status, _ = direct.post(body)
            both, status_guarded, answer = guarded.post(case_body(example, "good"))
            assert (status, status_guarded, answer["guard"]["path"]) == (200, 200, "model")
            if number >= 60:
                for name, took in zip(times, (alone, prompt, both), strict=True):
                    times[name].append(took)
    for name, values in times.items():
        told(name, values)
    rows = list(zip(*times.values(), strict=True))
    told("added to a prompt that is ready made", [both - alone for alone, _, both in rows])
    added = told("added", [both - alone - prompt for alone, prompt, both in rows])
    assert added < 5


# --------------------------------------------------------------------------- many clients


async def client(port: int, bodies: list[bytes], found: list[tuple[float, int, str]]) -> None:
    """One of many: a connection of its own, one request after the other."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for body in bodies:
        begun = time.perf_counter()
        head = "POST /v1/chat/completions HTTP/1.1\r\nHost: 127.0.0.1\r\n"
        head += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        writer.write(head.encode() + body)
        answer = await reader.readuntil(b"\r\n\r\n")
        status = int(answer.split(b" ", 2)[1])
        lengths = [x for x in answer.lower().split(b"\r\n") if x.startswith(b"content-length:")]
        told = json.loads(await reader.readexactly(int(lengths[0].split(b":")[1])))
        path = told["guard"]["path"] if status == 200 else told["error"]["code"]
        found.append((time.perf_counter() - begun, status, path))
    writer.close()


def at_once(
    port: int, clients: int, each: int, model: str, *, killed: Any = None
) -> list[tuple[float, int, str]]:
    """Seconds, status and path (or code of the error) of every request of many clients.

    A process that is to be killed is so once a third of the requests are answered.
    """
    cases = varied(known_cases(), clients * each)
    bodies = [case_body(case, model) for case in cases]
    found: list[tuple[float, int, str]] = []

    async def kill() -> None:
        while killed and len(found) < len(bodies) / 3:
            await asyncio.sleep(0.01)
        if killed:
            killed.kill()

    async def all_of_them() -> None:
        shares = [bodies[k::clients] for k in range(clients)]
        await asyncio.gather(kill(), *(client(port, share, found) for share in shares))

    asyncio.run(all_of_them())
    return found


def test_200_clients_at_once(tmp_path: Path) -> None:
    with upstream() as (url, _), service(tmp_path, url, "slow", fallback=url) as port:
        begun = time.perf_counter()
        found = at_once(port, 200, 3, "slow")
        seconds = time.perf_counter() - begun
    told("200 clients, upstream of 300 ms", [took * 1e3 for took, *_ in found])
    print(f"{len(found) / seconds:.0f} requests a second, {Counter(x[1:] for x in found)}")
    assert Counter((status, path) for _, status, path in found) == {(200, "model"): 600}
    assert len((tmp_path / "requests.jsonl").read_text().splitlines()) >= 600


@pytest.mark.parametrize("model", ["hangs", "drips", "not_json", "schema", "cut", "empty", "busy"])
@pytest.mark.parametrize("rescued", [True, False])
def test_50_clients_of_a_faulty_upstream(tmp_path: Path, model: str, rescued: bool) -> None:
    with (
        upstream() as (url, _),
        service(tmp_path, url, model, fallback=url if rescued else "", seconds=8) as port,
    ):
        found = at_once(port, 50, 1, model)
    told(f"{model}, {'fallback' if rescued else 'alone'}", [took * 1e3 for took, *_ in found])
    expected = (200, "fallback") if rescued else (503, "unavailable")
    assert Counter(x[1:] for x in found) == {expected: 50}
    assert max(took for took, *_ in found) < 8 + 1.5


@pytest.mark.parametrize("rescued", [True, False])
def test_an_upstream_killed_under_load(tmp_path: Path, rescued: bool) -> None:
    with (
        upstream() as (url, process),
        upstream() as (other, _),
        service(tmp_path, url, "slow", fallback=other if rescued else "", seconds=8) as port,
    ):
        found = at_once(port, 50, 6, "slow", killed=process)
    told(f"killed, {'fallback' if rescued else 'alone'}", [took * 1e3 for took, *_ in found])
    seen = Counter(x[1:] for x in found)
    print(dict(seen))
    assert len(found) == 300
    last = (200, "fallback") if rescued else (503, "unavailable")
    assert set(seen) == {(200, "model"), last}
    assert max(took for took, *_ in found) < 8 + 1.5
