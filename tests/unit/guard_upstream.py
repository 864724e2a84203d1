"""A small OpenAI-compatible server in a process of its own: answers and misbehaves by model name.

``good`` gives the right answer of a known case, ``wrong`` one with a changed number, ``obeys``
whatever the case tells it to; ``slow``, ``hangs``, ``drips``, ``not_json``, ``schema``, ``cut``,
``empty``, ``busy``, ``endless`` and ``truncated`` are what servers do. ``wrong_then_good`` is right
at a temperature above 0. Run as a script it prints its port; it ends with its standard input.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from nbutils.examples import Example, read_examples, target

DATA = Path(__file__).parents[2] / "data" / "growth"
DELAY = 0.3


def known_cases() -> list[Example]:
    """Held-out cases whose brief answer holds up to the verifier."""
    from nbutils.deployment.guarding import check, house_form

    cases = read_examples(DATA / "test.jsonl")
    good = [e for e in cases if not check(e.input, target(e), house_form).reason]
    assert len(good) > 40
    return good


def wrong(answer: str) -> str:
    """The answer with its first number contradicted."""
    head, _, rest = answer.partition(" from ")
    return f"{head} from 777.7{rest[rest.index(' in ') :]}"


@contextmanager
def upstream(port: int = 0) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """Start it, and give its base URL and its process."""
    command = [sys.executable, __file__, str(port)]
    process = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, encoding="utf-8"
    )
    try:
        assert process.stdout
        yield f"http://127.0.0.1:{int(process.stdout.readline())}/v1", process
    finally:
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout):
            if pipe:
                pipe.close()


# --------------------------------------------------------------------------- the process


def _key(question: str) -> str:
    case = question[question.index("Metric:") :].split("\nFacts:")[0]
    return case.split("\nNotes: Ticket")[0].strip()


class Stub:
    """Answers by the model's name; ``seen`` are the bodies of the last requests."""

    def __init__(self) -> None:
        cases = read_examples(DATA / "test.jsonl")
        self.answers = {_key(e.input): target(e) for e in cases}
        self.seen: list[Any] = []

    async def connected(self, read: asyncio.StreamReader, write: asyncio.StreamWriter) -> None:
        try:
            while head := await read.readuntil(b"\r\n\r\n"):
                path, length = head.split(b" ", 2)[1], 0
                for line in head.split(b"\r\n"):
                    if line.lower().startswith(b"content-length:"):
                        length = int(line.split(b":")[1])
                body = await read.readexactly(length)
                if path == b"/seen":
                    self._send(write, json.dumps(self.seen[-20:]))
                elif not await self._answer(json.loads(body), write):
                    break
                await write.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            write.close()

    async def _answer(self, body: dict[str, Any], write: asyncio.StreamWriter) -> bool:
        """Send an answer; False to close the connection."""
        self.seen.append(body)
        model = body["model"]
        if model in ("slow", "hangs"):
            await asyncio.sleep(DELAY if model == "slow" else 3600)
        text = self._text(model, body)
        choice = {"index": 0, "message": {"role": "assistant", "content": text}}
        choice["finish_reason"] = "length" if model == "truncated" else "stop"
        if body.get("logprobs") and model != "no_logprobs":
            choice["logprobs"] = {"content": [{"token": "a", "logprob": v} for v in (-0.1, -0.3)]}
        usage = {"prompt_tokens": 300, "completion_tokens": 100}
        full = json.dumps({"model": model, "choices": [choice], "usage": usage})
        given = {
            "not_json": "<html>Bad gateway</html>",
            "schema": '{"result": "fine"}',
            "empty": '{"choices": []}',
            "nothing": '{"choices": [{"message": {"content": null}}]}',
        }.get(model, full)
        if model == "busy":
            self._send(write, '{"error": {"message": "busy"}}', "503 Service Unavailable")
        elif model == "cut":
            write.write(b"HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n" + full.encode()[:100])
            return False
        elif model == "drips":
            write.write(b"HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n")
            for _ in range(4000):
                write.write(b" ")
                await write.drain()
                await asyncio.sleep(0.05)
        elif model == "endless":
            write.write(b"HTTP/1.1 200 OK\r\nContent-Length: 900000000\r\n\r\n")
            for _ in range(900):
                write.write(b"x" * 1_000_000)
                await write.drain()
        else:
            self._send(write, given)
        return True

    def _text(self, model: str, body: dict[str, Any]) -> str:
        question = body["messages"][-1]["content"]
        if model == "obeys":
            return question.split("Notes: ")[1].split("\nFacts:")[0]
        answer = self.answers[_key(question)] if "Metric:" in question else "?"
        if model == "wrong" or (model == "wrong_then_good" and not body["temperature"]):
            return wrong(answer)
        return "It fell." if model == "formless" else answer

    @staticmethod
    def _send(write: asyncio.StreamWriter, text: str, status: str = "200 OK") -> None:
        data = text.encode()
        head = f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\n"
        write.write(f"{head}Content-Length: {len(data)}\r\n\r\n".encode() + data)


async def _main(port: int) -> None:
    stub = Stub()
    server = await asyncio.start_server(stub.connected, "127.0.0.1", port, backlog=1024)
    print(server.sockets[0].getsockname()[1], flush=True)
    # it ends with the test, however that ends
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(_main(int(sys.argv[1])))
