"""Paid calls, against a real server on loopback that errs on demand."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from nbutils.errors import UserError
from nbutils.examples import DataFileError
from nbutils.models import (
    Budget,
    ModelError,
    Outcome,
    Request,
    Service,
    ask_all,
    ask_while_possible,
)
from nbutils.models.paid import recorded
from nbutils.models.paid.ledger import dollars
from nbutils.models.paid.recorded import Disturbance, completion, key_of, serve
from nbutils.models.paid.requests import prepare
from nbutils.models.paid.wire import retry_after

pytest.importorskip("openai")

KEY = "sk-fake-Zq81xkJ2mNv7pLd4"
GOOD = '{"grade": 3, "why": "as it is"}'
ENOUGH = Budget(dollars=1.0, calls=1000)


class Form(BaseModel):
    grade: int
    why: str


def case(number: int, **more: Any) -> Request:
    asked = [{"role": "user", "content": f"case {number}"}]
    return replace(Request(f"r{number}", asked, Form, max_tokens=100), **more)


def cases(count: int) -> list[Request]:
    return [case(n) for n in range(1, count + 1)]


Fault = Disturbance | None


class Script:
    """Tells the server what goes wrong at which request, and remembers what was asked."""

    def __init__(self, fault: Callable[[int], Fault] = lambda n: None) -> None:
        self.fault, self.asked = fault, []
        self.times: list[float] = []

    def __call__(self, number: int, body: dict[str, Any]) -> Fault:
        self.asked.append(body)
        self.times.append(time.monotonic())
        return self.fault(number)

    @classmethod
    def of(cls, *faults: Fault) -> Script:
        """The first requests go wrong in these ways, the others are answered."""
        return cls(lambda n: faults[n - 1] if n <= len(faults) else None)


@contextmanager
def server(script: Script, count: int = 60) -> Iterator[str]:
    with serve({key_of(r.messages): GOOD for r in cases(count)}, disturb=script) as url:
        yield url


class Place:
    """One cache and one attempts log, and what is asked with them."""

    def __init__(self, folder: Path) -> None:
        self.cache, self.attempts = folder / "cache", folder / "attempts.jsonl"

    def ask(
        self, url: str, requests: list[Request], budget: Budget = ENOUGH, **settings: Any
    ) -> Outcome:
        progress, part = settings.pop("progress", None), settings.pop("part", False)
        given = {"prices": (1.0, 4.0), "timeout": 5.0, "patience": 0.01, "label": "here"}
        service = Service("m", url, **{**given, **settings})
        kept = {"cache": self.cache, "attempts": self.attempts}
        how = ask_while_possible if part else ask_all
        return how(requests, service, budget, progress=progress, **kept)

    def lines(self, event: str) -> list[dict[str, Any]]:
        rows = [json.loads(line) for line in self.attempts.read_text().splitlines()]
        return [row for row in rows if row["event"] == event]

    def stored(self) -> list[Path]:
        return sorted(self.cache.rglob("*.json"))


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def error(code: str | None, message: str = "no") -> dict[str, Any]:
    return {"error": {"message": message, "type": code, "param": None, "code": code}}


def answer(text: Any = GOOD, finish: str = "stop", **changes: Any) -> dict[str, Any]:
    body = completion(GOOD, model="m-1", messages=case(1).messages)
    body["choices"][0]["message"]["content"] = text
    body["choices"][0]["finish_reason"] = finish
    return {**body, **changes}


def worst(request: Request, **settings: Any) -> float:
    service = Service("m", "http://127.0.0.1/v1", **{"prices": (1.0, 4.0), **settings})
    return prepare(request, service).worst


# --------------------------------------------------------------------------- answers and cache


def test_answers_come_in_the_order_of_the_requests_and_by_the_schema(place: Place) -> None:
    script = Script(lambda n: Disturbance(delay=0.05) if n % 3 == 1 else None)
    with server(script) as url:
        found = place.ask(url, cases(9))
    assert [r.id for r in found.replies] == [f"r{n}" for n in range(1, 10)]
    assert {r.status for r in found.replies} == {"answered"}
    assert found.replies[0].parsed == {"grade": 3, "why": "as it is"}
    assert (found.stopped, found.calls, found.saved, found.notes) == ("", 9, 0, ())
    assert found.spent == pytest.approx(sum(r.cost for r in found.replies))
    asked = script.asked[0]
    assert (asked["model"], asked["max_tokens"]) == ("m", 100)
    assert "temperature" not in asked
    form = asked["response_format"]["json_schema"]
    assert (form["name"], form["strict"]) == ("Form", True)
    assert form["schema"]["additionalProperties"] is False
    tokens = found.replies[0].prompt_tokens, found.replies[0].completion_tokens
    assert found.replies[0].cost == pytest.approx((tokens[0] + 4 * tokens[1]) / 1e6)


def test_without_schema_the_text_is_the_answer(place: Place) -> None:
    script = Script.of(Disturbance(body=answer("half a pair \ud800 of characters")))
    with server(script) as url:
        reply = place.ask(url, [case(1, schema=None)]).replies[0]
    assert (reply.status, reply.parsed) == ("answered", None)
    assert reply.text == "half a pair ? of characters"
    assert "response_format" not in script.asked[0]


@pytest.mark.parametrize(
    ("body", "status", "told"),
    [
        (answer("", refusal="x"), "empty", "no text"),
        (answer("I cannot", "content_filter"), "refused", "content filter"),
        (answer('{"grade": 3, "wh', "length"), "truncated", "max_tokens"),
        (answer("grade 3"), "invalid", "not JSON"),
        (answer('{"grade": "three", "why": ""}'), "invalid", "field 'grade': Input should be"),
        (answer('{"grade": 3}'), "invalid", "field 'why': Field required"),
        (answer([{"type": "text"}]), "invalid", "a list, not text"),
        (answer(None), "empty", "no text"),
        (answer("  \n"), "empty", "no text"),
        (answer(choices=[]), "empty", "no choices"),
        (answer(choices=None, error={"message": "overloaded"}), "failed", "overloaded"),
        ("<html>please log in</html>", "invalid", "not a JSON object"),
        ('{"choices": [], "usage": NaN}', "invalid", "not a JSON object"),
        ('{"choices": [], "usage": {"prompt_tokens": 1e999}}', "invalid", "not a JSON object"),
        ("[" * 100_000, "invalid", "not a JSON object"),
    ],
)
def test_a_bad_answer_is_told_kept_and_not_asked_again(
    place: Place, body: Any, status: str, told: str
) -> None:
    with server(Script.of(Disturbance(body=body))) as url:
        first = place.ask(url, [case(1)])
    reply = first.replies[0]
    assert (reply.status, reply.parsed, reply.cached) == (status, None, False)
    assert told in reply.error
    with server(script := Script()) as url:
        again = place.ask(url, [case(1)])
    assert script.asked == []
    assert again.replies == [replace(reply, cached=True)]
    assert (again.spent, again.calls, again.saved) == (first.spent, 1, 1)


def test_a_refusal_is_told_in_the_models_words(place: Place) -> None:
    body = answer(None)
    body["choices"][0]["message"]["refusal"] = "I will not grade this"
    with server(Script.of(Disturbance(body=body))) as url:
        reply = place.ask(url, [case(1)]).replies[0]
    assert (reply.status, reply.error) == ("refused", "the model refuses: I will not grade this")


def test_a_number_that_is_not_finite_is_no_answer(place: Place) -> None:
    class Share(BaseModel):
        share: float

    with server(Script.of(Disturbance(body=answer('{"share": NaN}')))) as url:
        reply = place.ask(url, [case(1, schema=Share)]).replies[0]
    assert (reply.status, reply.error) == ("invalid", "a number of the answer is not finite.")


def test_the_same_request_is_paid_once(place: Place) -> None:
    twice = [case(1), case(2), case(1, id="again")]
    with server(script := Script()) as url:
        found = place.ask(url, twice)
    assert len(script.asked) == 2
    assert [(r.id, r.cached) for r in found.replies] == [
        ("r1", False),
        ("r2", False),
        ("again", True),
    ]
    assert found.replies[2].parsed == found.replies[0].parsed
    with server(script := Script()) as url:
        again = place.ask(url, twice)
    assert script.asked == []
    assert (again.saved, again.spent, again.calls) == (3, found.spent, 2)
    with server(script := Script()) as url:
        place.ask(url, [case(1, max_tokens=101), case(1, temperature=0.5), case(1, schema=None)])
        place.ask(url, [case(1)], label="elsewhere")
    assert len(script.asked) == 4


@pytest.mark.parametrize("spoil", [lambda t: t[: len(t) // 2], lambda t: "", lambda t: "{}"])
def test_a_damaged_answer_is_moved_aside_and_asked_again(
    place: Place, spoil: Callable[[str], str]
) -> None:
    with server(script := Script()) as url:
        for _ in range(2):
            place.ask(url, [case(1)])
            stored = place.stored()[0]
            stored.write_text(spoil(stored.read_text()))
        found = place.ask(url, [case(1)])
    assert len(script.asked) == 3
    assert found.replies[0].attempt == 3
    assert "was damaged" in found.notes[0]
    assert sorted(p.suffix for p in stored.parent.iterdir()) == [".broken", ".broken", ".json"]


def test_an_answer_of_another_request_is_not_taken(place: Place) -> None:
    with server(script := Script()) as url:
        place.ask(url, cases(2))
        first, second = place.stored()
        second.write_text(first.read_text())
        assert len(place.ask(url, cases(2)).replies) == 2
    assert len(script.asked) == 3


# --------------------------------------------------------------------------- log, kill, resume


def test_a_call_is_logged_before_it_is_sent(place: Place) -> None:
    seen: list[int] = []

    def look(_: int) -> Fault:
        seen.append(len(place.lines("sent")) - len(place.lines("done")))
        return None

    with server(Script(look)) as url:
        place.ask(url, cases(3), concurrency=1)
    assert seen == [1, 1, 1]
    sent, done = place.lines("sent")[0], place.lines("done")[0]
    assert sent["worst"] == pytest.approx(worst(case(1)))
    assert (sent["key"], sent["attempt"], sent["id"]) == (done["key"], done["attempt"], "r1")
    assert (done["outcome"], done["status"], done["usage_doubtful"]) == ("answered", 200, "")
    assert done["request_id"].startswith("recorded-")
    assert done["usage"]["prompt_tokens"] > 0


CHILD = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from test_calls import Place, cases
Place(Path(sys.argv[2])).ask(sys.argv[3], cases(40), timeout=20.0)
"""


def test_a_killed_session_is_taken_up_where_it_was(place: Place, tmp_path: Path) -> None:
    script = Script(lambda n: Disturbance(delay=0.06))
    with server(script) as url:
        command = [sys.executable, "-c", CHILD, str(Path(__file__).parent), str(tmp_path), url]
        child = subprocess.Popen(command)
        while len(script.asked) < 18 and child.poll() is None:
            time.sleep(0.01)
        child.send_signal(signal.SIGKILL)
        child.wait()
        kept, lost = len(place.stored()), len(place.lines("sent")) - len(place.lines("done"))
        assert 10 < kept < 40
        assert 1 <= lost <= 4
        found = place.ask(url, cases(40))
    assert [r.id for r in found.replies] == [f"r{n}" for n in range(1, 41)]
    assert {r.status for r in found.replies} == {"answered"}
    # noted as sent and killed on its way, or stored and killed before that was noted
    assert 40 <= len(script.asked) <= found.calls <= 40 + lost <= 40 + 4
    assert found.saved == kept
    answered = sum(r.cost for r in found.replies)
    assert answered < found.spent <= answered + lost * worst(case(40)) + 1e-9


def test_a_call_whose_end_is_unknown_counts_at_its_worst(place: Place) -> None:
    line = {"event": "sent", "time": "", "id": "r1", "key": "k", "attempt": 1, "worst": 0.25}
    place.attempts.write_text(json.dumps(line) + "\n" + json.dumps({**line, "attempt": 2}))
    with server(Script()) as url:
        found = place.ask(url, [case(1)])
    assert found.calls == 3
    assert found.spent == pytest.approx(0.5 + found.replies[0].cost)
    assert len(place.lines("sent")) == 3
    assert found.notes == ()


@pytest.mark.parametrize("tail", ['{"event": "sent", "id": "r', '{"event": "won"}\n', "\x00\x00"])
def test_a_last_line_that_is_broken_off_is_moved_aside(place: Place, tail: str) -> None:
    with server(Script()) as url:
        place.ask(url, [case(1)])
        whole = place.attempts.read_text()
        place.attempts.write_text(whole + tail)
        found = place.ask(url, [case(1), case(2)])
    assert found.calls == 2
    assert "attempts.jsonl.broken" in found.notes[0]
    broken = place.attempts.with_name("attempts.jsonl.broken")
    assert broken.read_text() == tail.rstrip("\n") + "\n"
    assert place.attempts.read_text().startswith(whole)
    assert len(place.lines("done")) == 2


@pytest.mark.parametrize("line", ['{"event": "do', '{"event": "sent", "key": "k"}', "[]", "null"])
def test_a_broken_line_in_the_middle_is_named(place: Place, line: str) -> None:
    with server(Script()) as url:
        place.ask(url, [case(1)])
        rows = place.attempts.read_text().splitlines()
        place.attempts.write_text("\n".join([rows[0], line, rows[1]]) + "\n")
        with pytest.raises(DataFileError, match=r"attempts\.jsonl, line 2: .* from a copy"):
            place.ask(url, [case(1)])


@pytest.mark.parametrize("cost", ["NaN", "-1", "1e999", '"0.1"', "true"])
def test_a_price_in_the_log_that_is_none_is_named(place: Place, cost: str) -> None:
    done = f'{{"event": "done", "key": "k", "attempt": 1, "cost": {cost}}}\n'
    place.attempts.write_text(done * 2)
    with pytest.raises(DataFileError, match="line 1: no event of the attempts log"):
        place.ask("http://127.0.0.1:1/v1", [])


def test_two_sessions_do_not_share_a_log(place: Place) -> None:
    held: list[str] = []

    def second(_: int) -> Fault:
        with pytest.raises(UserError, match="another session is asking with it") as caught:
            place.ask("http://127.0.0.1:1/v1", [case(2)])
        held.append(str(caught.value))
        return None

    with server(Script(second)) as url:
        assert len(place.ask(url, [case(1)]).replies) == 1
    assert len(held) == 1


def test_ctrl_c_keeps_what_is_under_way(place: Place) -> None:
    def interrupt(number: int) -> Fault:
        if number == 6:
            os.kill(os.getpid(), signal.SIGINT)
        return Disturbance(delay=0.2)

    with server(script := Script(interrupt)) as url, pytest.raises(KeyboardInterrupt):
        place.ask(url, cases(40))
    assert 6 <= len(script.asked) <= 12
    assert len(place.stored()) == len(script.asked)
    assert len(place.lines("done")) == len(script.asked)


def test_a_disk_that_takes_nothing_ends_the_session(place: Place) -> None:
    place.cache.mkdir()

    def block(_: int) -> Fault:
        for first in range(256):
            (place.cache / f"{first:02x}").touch()
        return None

    with (
        server(script := Script(block)) as url,
        pytest.raises(ModelError, match=r"cannot be stored .* make room there"),
    ):
        place.ask(url, cases(20), concurrency=1)
    assert len(script.asked) == 1


def test_progress_tells_cost_and_estimate(place: Place) -> None:
    seen: list[tuple[Any, ...]] = []
    with server(Script()) as url:
        found = place.ask(url, cases(2))
        place.ask(url, [*cases(4), case(4)], progress=lambda *a, **k: seen.append((*a, k)))
    assert [row[0] for row in seen] in ([2, 3, 5], [2, 4, 5])
    assert {row[1:3] for row in seen} == {(5, "answers")}
    one = found.replies[0].cost
    assert seen[0][3] == {"cost": dollars(2 * one), "estimate": dollars(4 * one)}
    assert seen[-1][3] == {"cost": dollars(4 * one), "estimate": dollars(4 * one)}


# --------------------------------------------------------------------------- the budget


def test_threads_do_not_pass_the_budget_together(place: Place) -> None:
    lied = {"prompt_tokens": 10**6, "completion_tokens": 1}
    script = Script(lambda n: Disturbance(body=answer(usage=lied), delay=0.01))
    price = worst(case(60))
    with server(script) as url:
        found = place.ask(url, cases(40), Budget(10.5 * price, 100), concurrency=8)
    assert len(script.asked) == len(found.replies) == 10
    assert sum(row["worst"] for row in place.lines("sent")) <= 10.5 * price
    assert found.spent <= 10.5 * price
    assert found.stopped.startswith("the budget is used up: 10 of 100 calls are made, $0.0")
    assert found.stopped.endswith(": raise the budget's dollars to go on.")
    assert "10 answers state a usage that cannot be true" in found.notes[0]
    with server(script := Script()) as url:
        assert place.ask(url, cases(40), Budget(10.5 * price, 100)).calls == 10
    assert script.asked == []


def test_what_is_reserved_is_released(place: Place) -> None:
    script = Script(lambda n: Disturbance(delay=0.02))
    with server(script) as url:
        found = place.ask(url, cases(12), Budget(1.5 * worst(case(12)), 100), concurrency=8)
    assert (len(found.replies), found.stopped) == (12, "")


def test_the_number_of_calls_is_a_budget_over_sessions(place: Place) -> None:
    with server(script := Script()) as url:
        for limit, replies in ((5, 5), (5, 5), (8, 8)):
            found = place.ask(url, cases(20), Budget(1.0, limit), concurrency=8)
            assert len(found.replies) == replies
            assert f"{limit} of {limit} calls are made" in found.stopped
            assert "raise the budget's calls to go on" in found.stopped
    assert len(script.asked) == 8


def test_retries_count_against_the_budget(place: Place) -> None:
    script = Script(lambda n: Disturbance(500, error(None)))
    with server(script) as url:
        found = place.ask(url, [case(1)], Budget(1.0, 3))
    assert len(script.asked) == 3
    assert found.replies == []
    assert "3 of 3 calls" in found.stopped


@pytest.mark.parametrize(
    ("usage", "doubt"),
    [
        (None, "missing"),
        ({"prompt_tokens": "7", "completion_tokens": 3}, "missing"),
        ({"prompt_tokens": True, "completion_tokens": 3}, "missing"),
        ({"prompt_tokens": -7, "completion_tokens": 3}, "negative"),
        ({"prompt_tokens": 7, "completion_tokens": 0}, "no tokens for some text"),
        ({"prompt_tokens": 0, "completion_tokens": 3}, "no tokens for some text"),
        ({"prompt_tokens": 7, "completion_tokens": 101}, "101 tokens out, 100 allowed"),
        ({"prompt_tokens": 10**400, "completion_tokens": 3}, "missing"),
        ({"prompt_tokens": 10**9, "completion_tokens": 3}, "1000000000 tokens in"),
    ],
)
def test_a_usage_that_cannot_be_true_is_charged_at_the_worst(
    place: Place, usage: Any, doubt: str
) -> None:
    with server(Script.of(Disturbance(body=answer(usage=usage)))) as url:
        found = place.ask(url, [case(1)])
    assert found.replies[0].status == "answered"
    assert found.spent == found.replies[0].cost == pytest.approx(worst(case(1)))
    assert place.lines("done")[0]["usage_doubtful"].startswith(doubt)


def test_the_bound_of_a_prompt_counts_bytes(place: Place) -> None:
    plain, wide = case(1), case(1, messages=[{"role": "user", "content": "数" * 6}])
    assert prepare(wide, Service("m")).most_tokens - prepare(plain, Service("m")).most_tokens == 12
    loose = case(1, schema=None)
    assert prepare(plain, Service("m")).most_tokens > prepare(loose, Service("m")).most_tokens + 100


# --------------------------------------------------------------------------- retries


@pytest.mark.parametrize(
    ("fault", "billed"),
    [
        (Disturbance(429, error("rate_limit_exceeded")), False),
        (Disturbance(408), True),
        (Disturbance(409, error(None)), False),
        (Disturbance(500, error("server_error")), False),
        (Disturbance(503, "busy"), False),
        (Disturbance(504, "<html>gateway time-out</html>"), True),
        (Disturbance(cut=True), True),
        (Disturbance(delay=2.0), True),
    ],
)
def test_what_may_pass_is_tried_again(place: Place, fault: Disturbance, billed: bool) -> None:
    with server(script := Script.of(fault, fault)) as url:
        found = place.ask(url, [case(1)], timeout=0.5 if fault.delay else 5.0)
    assert (found.replies[0].status, found.replies[0].attempt) == ("answered", 3)
    assert len(script.asked) == 3
    assert [row["outcome"] for row in place.lines("done")] == ["retry", "retry", "answered"]
    assert found.spent == pytest.approx(found.replies[0].cost + 2 * billed * worst(case(1)))


def test_where_nobody_listens_nothing_is_charged(place: Place) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    found = place.ask(f"http://127.0.0.1:{port}/v1", [case(1)])
    assert found.replies[0].status == "failed"
    assert "no connection after 5 attempts: ConnectError" in found.replies[0].error
    assert (found.spent, found.calls) == (0.0, 5)


def test_a_request_that_failed_five_times_is_asked_anew_by_the_next_session(place: Place) -> None:
    fault = Disturbance(503, error(None, "overloaded"))
    with server(script := Script.of(*[fault] * 5)) as url:
        found = place.ask(url, [case(1)])
        assert found.replies[0].error == "HTTP 503 after 5 attempts: Error code: 503 - overloaded"
        assert (found.replies[0].status, len(script.asked)) == ("failed", 5)
        found = place.ask(url, [case(1)])
    assert (found.replies[0].status, found.replies[0].attempt) == ("answered", 6)


def test_a_429_makes_everybody_wait(place: Place) -> None:
    fault = Disturbance(429, error("rate_limit_exceeded"), headers={"Retry-After": "0.5"})
    with server(script := Script.of(None, None, fault)) as url:
        found = place.ask(url, cases(12), concurrency=4)
    assert {r.status for r in found.replies} == {"answered"}
    later = [t - script.times[2] for t in script.times[3:]]
    # those that were on their way already are let through
    assert len([t for t in later if t < 0.45]) <= 3
    assert len([t for t in later if t >= 0.45]) >= 7


def test_a_storm_of_429_is_waited_out_and_trips_no_breaker(place: Place) -> None:
    fault = Disturbance(429, error("rate_limit_exceeded"))
    with server(script := Script.of(*[fault] * 8)) as url:
        found = place.ask(url, cases(12), concurrency=4, patience=0.05)
    assert [r.status for r in found.replies] == ["answered"] * 12
    assert len(script.asked) == found.calls == 20


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("2", 2.0),
        ("0.5", 0.5),
        ("900", 60.0),
        ("-3", 0.0),
        ("nan", None),
        ("soon", None),
        ("", None),
        (format_datetime(datetime.now(UTC) + timedelta(days=1), usegmt=True), 60.0),
        ("Wed, 21 Oct 2015 07:28:00 GMT", 0.0),
        ("Wed, 21 Oct 2015 07:28:00 -0000", 0.0),
    ],
)
def test_retry_after_is_a_number_or_a_date(header: str, seconds: float | None) -> None:
    assert retry_after(header) == seconds


# --------------------------------------------------------------------------- the deadline


def test_a_body_that_drips_meets_the_deadline(place: Place) -> None:
    with server(script := Script.of(Disturbance(drip=0.1))) as url:
        begun = time.monotonic()
        found = place.ask(url, [case(1)], timeout=0.5)
    assert time.monotonic() - begun < 2.0
    assert len(script.asked) == 2
    first, second = place.lines("done")
    assert (first["outcome"], first["error"]) == ("retry", "no answer within 0.5 s")
    assert 0.45 < first["seconds"] < 1.5
    assert first["cost"] == pytest.approx(worst(case(1)))
    assert (second["outcome"], found.replies[0].attempt) == ("answered", 2)


def test_an_error_that_drips_meets_the_deadline(place: Place) -> None:
    slow = Disturbance(400, error("x", "no " * 99), drip=0.1)
    with server(Script.of(slow)) as url:
        place.ask(url, [case(1)], timeout=0.5)
    assert 0.45 < place.lines("done")[0]["seconds"] < 1.5


def test_headers_that_drip_meet_the_deadline(place: Place) -> None:
    ended = threading.Event()

    def drip(listening: socket.socket) -> None:
        while not ended.is_set():
            connection, _ = listening.accept()
            with connection:
                for byte in b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n" * 9:
                    try:
                        connection.send(bytes([byte]))
                    except OSError:
                        break
                    if ended.wait(0.05):
                        return

    with socket.create_server(("127.0.0.1", 0)) as listening:
        threading.Thread(target=drip, args=(listening,), daemon=True).start()
        url = f"http://127.0.0.1:{listening.getsockname()[1]}/v1"
        found = place.ask(url, [case(1)], Budget(1.0, 1), timeout=0.4)
        ended.set()
    assert found.replies == []
    assert 0.35 < place.lines("done")[0]["seconds"] < 1.5


# --------------------------------------------------------------------------- the end of a session


@pytest.mark.parametrize(
    ("fault", "told"),
    [
        (
            Disturbance(401, error("invalid_api_key")),
            r"refuses the key .*: set a valid one in OPEN",
        ),
        (Disturbance(403, error(None)), "may not use 'm' at here"),
        (Disturbance(404, error("model_not_found")), "here has no 'm' .*: correct the model or"),
        (Disturbance(429, error("insufficient_quota")), "gives no more credit .*: add some"),
        (Disturbance(402, error(None)), "gives no more credit .*: add some"),
        (Disturbance(302, "", {"Location": "http://127.0.0.1:1/"}), "HTTP 302.*: check the base"),
    ],
)
def test_what_no_request_can_pass_ends_the_session(
    place: Place, fault: Disturbance, told: str
) -> None:
    script = Script.of(None, None, None, fault)
    with server(script) as url, pytest.raises(ModelError, match=told) as caught:
        place.ask(url, cases(40), concurrency=1)
    assert len(script.asked) == 4
    assert "; 3 of 40 requests have a reply, and what was paid for is kept in" in str(caught.value)
    assert str(caught.value).endswith(", and run again.")


def test_where_a_part_is_of_use_what_came_is_given_back_with_the_reason(place: Place) -> None:
    refused = Disturbance(401, error("invalid_api_key"))
    unlikely = Disturbance(body=answer(usage={"prompt_tokens": 10**9, "completion_tokens": 1}))
    script = Script.of(None, unlikely, Disturbance(400, error(None, "too long")), refused)
    with server(script) as url:
        found = place.ask(url, cases(40), concurrency=1, part=True)
    assert [r.id for r in found.replies] == ["r1", "r2", "r3"]
    assert [r.status for r in found.replies] == ["answered", "answered", "failed"]
    assert "refuses the key" in found.stopped
    assert "3 of 40 requests have a reply" in found.stopped
    assert found.stopped.endswith(", and run again.")
    assert (found.calls, found.saved) == (4, 0)
    assert found.spent == pytest.approx(sum(r.cost for r in found.replies))
    assert found.notes[0].startswith("1 answers state a usage that cannot be true")
    with server(again := Script()) as url:
        whole = place.ask(url, cases(40), part=True)
    assert (len(whole.replies), whole.stopped, whole.saved, len(again.asked)) == (40, "", 2, 38)


def test_where_a_part_is_of_use_a_missing_key_leaves_what_is_known(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    with server(Script()) as url:
        place.ask(url, cases(3))
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    away = {"key_env": "NO_SUCH_KEY", "part": True}
    found = place.ask("https://far.invalid/v1", cases(5), **away)
    assert [(r.id, r.cached) for r in found.replies] == [(f"r{n}", True) for n in (1, 2, 3)]
    assert "NO_SUCH_KEY" in found.stopped
    assert (found.calls, found.saved) == (3, 3)


def test_a_wrong_setting_is_no_part_of_an_answer(place: Place) -> None:
    with pytest.raises(UserError, match="budget"):
        place.ask("http://127.0.0.1:1/v1", cases(1), Budget(-1.0, 1), part=True)
    assert not place.attempts.exists()


def test_what_is_under_way_when_a_session_ends_is_kept(place: Place) -> None:
    slow = Disturbance(delay=0.5)
    script = Script.of(slow, slow, slow, Disturbance(401, error("invalid_api_key")))
    with server(script) as url, pytest.raises(ModelError, match="3 of 40 requests have a reply"):
        place.ask(url, cases(40), concurrency=4)
    assert len(script.asked) == 4
    with server(Script()) as url:
        assert place.ask(url, cases(8)).saved == 3


def test_a_request_that_the_service_does_not_take_is_final(place: Place) -> None:
    wrong = Disturbance(400, error("context_length_exceeded", "too long"))
    with server(script := Script.of(None, wrong)) as url:
        found = place.ask(url, [*cases(3), case(99)], concurrency=1)
    assert [r.status for r in found.replies] == ["answered", "failed", "answered", "failed"]
    assert found.replies[1].error == "HTTP 400: Error code: 400 - too long"
    assert "HTTP 422: Error code: 422 - no answer is recorded" in found.replies[3].error
    assert (len(script.asked), found.replies[1].cost) == (4, 0.0)


def test_half_of_the_calls_failing_ends_the_session(place: Place) -> None:
    bad = [None, Disturbance(500, error(None, "out of memory")), Disturbance(body=answer("no"))]
    script = Script(lambda n: bad[(0, 1, 0, 2, 1, 0, 1)[n % 7]])
    with server(script) as url, pytest.raises(ModelError) as caught:
        place.ask(url, cases(40), concurrency=1)
    assert len(script.asked) < 14
    assert "calls failed, most often (4 times) with HTTP 500" in str(caught.value)
    assert "out of memory" in str(caught.value)
    assert "the log of attempts tells call by call, and run again" in str(caught.value)


def test_failures_below_half_do_not_end_the_session(place: Place) -> None:
    fault = Disturbance(500, error(None))
    with server(Script(lambda n: fault if n % 5 in (1, 3) else None)) as url:
        found = place.ask(url, cases(24), concurrency=1, patience=0.001)
    assert {r.status for r in found.replies} == {"answered"}


def test_a_list_that_is_through_is_given_back_however_bad(place: Place) -> None:
    with server(Script(lambda n: Disturbance(body=answer("no")))) as url:
        found = place.ask(url, cases(10))
    assert {r.status for r in found.replies} == {"invalid"}


# --------------------------------------------------------------------------- the key


@pytest.mark.parametrize("key", [KEY, "plain-secret-without-its-sign"])
def test_the_key_lands_nowhere(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, key: str
) -> None:
    monkeypatch.setenv("OTHER_KEY", key)
    half = f"Incorrect API key provided: {key[:8]}************{key[-4:]}."
    escaped = "".join(f"\\u{ord(c):04x}" for c in key)
    echoes = [
        Disturbance(500, f"we do not like {key}"),
        Disturbance(500, error(None, f"we do not like {key}")),
        Disturbance(400, error(key, f"{key}{key}"), {"x-request-id": key}),
        Disturbance(body=answer(f'{{"grade": 1, "why": "{key}"}}', model=key)),
        Disturbance(body=json.dumps(answer("@")).replace("@", escaped)),
        Disturbance(body=f"plain {key}"),
        Disturbance(body=answer(**{key: key, "usage": {"prompt_tokens": key}})),
        Disturbance(401, error("invalid_api_key", f"{half} {key}")),
    ]
    with server(Script.of(*echoes)) as url, pytest.raises(ModelError) as caught:
        place.ask(url, cases(40), key_env="OTHER_KEY", concurrency=1)
    assert "set a valid one in OTHER_KEY" in str(caught.value)
    assert caught.value.__context__ is None
    shown = traceback.TracebackException.from_exception(caught.value, capture_locals=True)
    # from the second frame on: those of this test file hold the key themselves
    values = [str(frame.locals) for frame in shown.stack if "/tests/" not in frame.filename]
    assert len(values) >= 4
    told = [str(caught.value), repr(caught.value), *values]
    files = [p for p in tmp_path.rglob("*") if p.is_file()]
    assert len(files) == 5
    for text in [*told, *(p.read_text() for p in files), *map(str, files)]:
        assert key not in text
        assert key[:8] + "*" not in text
        assert key[-4:] + "." not in text
    replies = place.ask("http://127.0.0.1:1/v1", cases(6), Budget(1.0, 1)).replies
    assert len(replies) == 4
    assert key not in repr(replies)
    assert "[key]" in repr(replies)


def test_the_key_is_sent_and_short_placeholders_are_left_in_answers(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", " EMPTY\n")
    text = '{"grade": 1, "why": "EMPTY, risk-averse sk-learn"}'
    with server(Script.of(Disturbance(body=answer(text)))) as url:
        assert place.ask(url, [case(1)]).replies[0].text == text


def test_without_a_key_nothing_is_sent_and_what_is_stored_is_given(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    with server(Script()) as url:
        place.ask(url, cases(2))
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    away = "https://models.example/v1"
    assert place.ask(away, cases(2)).saved == 2
    with pytest.raises(ModelError, match=r"no key .* 2 of 3 requests have a reply"):
        place.ask(away, cases(3))
    monkeypatch.setenv("OPENAI_API_KEY", "sk-line\nbreak-inside")
    with pytest.raises(ModelError, match="characters that no key has") as caught:
        place.ask(away, cases(3))
    assert "break" not in str(caught.value)
    assert len(place.lines("sent")) == 2


# --------------------------------------------------------------------------- settings


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"model": " "}, "names expire, so there is no default"),
        ({"prices": (-1.0, 2.0)}, "expected two numbers from 0 up"),
        ({"prices": (float("nan"), 2.0)}, "expected two numbers from 0 up"),
        ({"prices": (1.0, float("inf"))}, "expected two numbers from 0 up"),
        ({"prices": None}, "prices are needed for the budget"),
        ({"timeout": 0.0}, "timeout is 0.0"),
        ({"patience": float("nan")}, "patience is nan"),
        ({"concurrency": 0}, "concurrency is 0"),
        ({"concurrency": 1.5}, "concurrency is 1.5"),
        ({"base_url": "https://me:secret@models.example/v1"}, "holds a user name or password"),
        ({"base_url": "models.example/v1"}, "expected http:// or https://"),
    ],
)
def test_wrong_settings_are_refused_before_any_call(
    place: Place, settings: dict[str, Any], told: str
) -> None:
    given = {"model": "m", "base_url": "https://models.example/v1", "prices": (1.0, 4.0)}
    kept = {"cache": place.cache, "attempts": place.attempts}
    with pytest.raises(UserError, match=told) as caught:
        ask_all([case(1)], Service(**{**given, **settings}), ENOUGH, **kept)
    assert "secret" not in str(caught.value)
    assert not place.attempts.exists()


@pytest.mark.parametrize(
    "budget", [(0.0, 5), (-1.0, 5), (float("nan"), 5), (float("inf"), 5), (1.0, 0)]
)
def test_a_budget_must_be_a_positive_number(place: Place, budget: tuple[float, int]) -> None:
    with pytest.raises(UserError, match="expected a number above 0"):
        place.ask("http://127.0.0.1:1/v1", [case(1)], Budget(*budget))


@pytest.mark.parametrize(
    ("request_", "told"),
    [
        (case(1, messages=[]), "has 0 messages"),
        (case(1, messages=[{"role": "user", "content": [{"type": "image_url"}]}]), "is not text"),
        (case(1, max_tokens=0), "max_tokens 0"),
        (case(1, max_tokens=1.5), "max_tokens 1.5"),
        (case(1, temperature=float("nan")), "temperature nan"),
    ],
)
def test_a_request_that_cannot_be_priced_is_named(
    place: Place, request_: Request, told: str
) -> None:
    with pytest.raises(UserError, match=f"request 'r1'.*{told}"):
        place.ask("http://127.0.0.1:1/v1", [case(2), request_])


def test_the_url_comes_from_the_environment_and_the_label_from_the_url(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    with server(script := Script()) as url:
        monkeypatch.setenv("OPENAI_BASE_URL", f"{url}/?secret=1".replace("/?", "?"))
        monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
        place.ask(url, [case(1)], label="")
        asked = json.loads(place.stored()[0].read_text())
        assert asked["service"] == url
        monkeypatch.setenv("OPENAI_BASE_URL", url)
        assert place.ask("", [case(1)], label="").saved == 1
        assert len(place.ask("", [case(2)], label="").replies) == 1
    assert len(script.asked) == 2


# --------------------------------------------------------------------------- the recorded service


def test_the_recorded_service_lists_its_model_and_refuses_what_it_does_not_know() -> None:
    from openai import BadRequestError, OpenAI, UnprocessableEntityError

    asked: Any = case(1).messages
    begun = time.monotonic()
    with serve({key_of(asked): "three words here"}, model="teacher") as url:
        client = OpenAI(base_url=url, api_key="none", max_retries=0)
        assert [m.id for m in client.models.list()] == ["teacher"]
        found = client.chat.completions.create(model="x", messages=asked)
        assert found.choices[0].message.content == "three words here"
        assert (found.model, found.usage and found.usage.completion_tokens) == ("teacher", 4)
        with pytest.raises(UnprocessableEntityError, match="no answer is recorded") as caught:
            client.chat.completions.create(model="x", messages=[])
        assert caught.value.code == "not_recorded"
        with pytest.raises(BadRequestError, match="does not stream"):
            client.chat.completions.create(model="x", messages=asked, stream=True)
        client.close()
    assert time.monotonic() - begun < 2.0


def test_the_recorded_service_ends_at_once() -> None:
    script = Script(lambda n: Disturbance(delay=30.0))
    with server(script) as url:
        host, port = url.removeprefix("http://").removesuffix("/v1").split(":")
        body = json.dumps({"messages": case(1).messages})
        with socket.create_connection((host, int(port))) as connection:
            head = f"POST /v1/chat/completions HTTP/1.1\r\nContent-Length: {len(body)}\r\n\r\n"
            connection.sendall((head + body).encode())
            while not script.asked:
                time.sleep(0.01)
            begun = time.monotonic()
    assert time.monotonic() - begun < 0.5


def test_recorded_answers_are_found_by_exactly_these_messages() -> None:
    asked = [{"role": "user", "content": "a"}]
    assert key_of(asked) == key_of([{"content": "a", "role": "user"}])
    assert key_of(asked) != key_of([{"role": "user", "content": "a "}])
    assert recorded.key_of([]) != key_of(asked)


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("https://api.openai.com/v1", "max_completion_tokens"),
        ("https://eu.api.openai.com/v1", "max_completion_tokens"),
        ("https://mine.openai.azure.com/v1", "max_completion_tokens"),
        ("http://127.0.0.1:8000/v1", "max_tokens"),
        ("https://openai.com.example/v1", "max_tokens"),
    ],
)
def test_the_longest_answer_is_asked_for_as_the_service_knows_it(url: str, name: str) -> None:
    asked = [{"role": "user", "content": "a"}]
    body = prepare(Request("r", asked, None, 50), Service("m", url, prices=(1.0, 4.0))).body
    assert body[name] == 50
    assert set(body) == {"model", "messages", name}
