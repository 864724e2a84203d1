from __future__ import annotations

import asyncio
import json
import stat
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from guard_upstream import known_cases, upstream, wrong

from nbutils import review
from nbutils.deployment.guarding import (
    Confidence,
    Guard,
    Limits,
    TooLarge,
    Unavailable,
    Upstream,
    check,
    fit_confidence,
    guarded,
    house_form,
    risk_coverage,
)
from nbutils.deployment.guarding.upstream import Fault, is_loopback, read_reply
from nbutils.errors import UserError
from nbutils.examples import messages, read_jsonl, target

CASES = known_cases()
CASE = CASES[0]
NO_DATA = replace(CASE, id="q", input="Metric: Activation Rate\nContext: B2B SaaS, SMB, UK")


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with upstream() as (found, _):
        yield found


@pytest.fixture
def queue(tmp_path: Path) -> Path:
    return tmp_path / "queue.jsonl"


def fallen_back(url: str, model: str, queue: Path, seconds: float = 10) -> Guard:
    base = Upstream(url, "good", shots=tuple(CASES[1:3]), version="base")
    limits = Limits(seconds=seconds)
    return Guard(Upstream(url, model), queue, fallback=base, limits=limits)


# --------------------------------------------------------------------------- paths


def test_an_answer_that_holds_is_given_with_its_verdicts_and_model(url: str, queue: Path) -> None:
    guard = Guard(Upstream(url, "good", version="growth-3"), queue)
    found = guard.answer_all(CASES[:3])
    assert [a.text for a in found] == [target(e) for e in CASES[:3]]
    told = found[0].to_dict()
    assert (told["path"], told["model"], told["verified"]) == ("model", "growth-3", True)
    assert told["verdicts"]["numbers"]["supported"] >= 5
    assert all(told["verdicts"]["format"].values())
    assert found[0].tokens == {"prompt_tokens": 300, "completion_tokens": 100, "total_tokens": 400}
    assert queue.read_text() == ""


@pytest.mark.parametrize(
    ("model", "path", "outcomes"),
    [
        ("wrong_then_good", "retry", ["numbers", "passed"]),
        ("wrong", "fallback", ["numbers", "numbers", "passed"]),
        ("formless", "fallback", ["format", "format", "passed"]),
        ("truncated", "fallback", ["cut_off", "cut_off", "passed"]),
        ("not_json", "fallback", ["garbage", "garbage", "passed"]),
        ("schema", "fallback", ["garbage", "garbage", "passed"]),
        ("empty", "fallback", ["garbage", "garbage", "passed"]),
        ("nothing", "fallback", ["garbage", "garbage", "passed"]),
        ("endless", "fallback", ["garbage", "garbage", "passed"]),
        ("cut", "fallback", ["cut", "cut", "passed"]),
        ("busy", "fallback", ["refused", "passed"]),
        ("hangs", "fallback", ["slow", "passed"]),
        ("drips", "fallback", ["slow", "passed"]),
    ],
)
def test_whatever_the_model_does_the_next_path_answers(
    url: str, queue: Path, model: str, path: str, outcomes: list[str]
) -> None:
    guard = fallen_back(url, model, queue, seconds=2 if model in ("hangs", "drips") else 10)
    begun = time.monotonic()
    found = guard.answer_all([CASE])[0]
    assert time.monotonic() - begun < guard.limits.seconds + 0.5
    assert (found.path, found.text) == (path, target(CASE))
    assert [a.outcome for a in found.attempts] == outcomes
    assert found.model == ("base" if path == "fallback" else model)


def test_the_fallback_gets_the_detailed_prompt_and_the_retry_a_temperature(
    url: str, queue: Path
) -> None:
    from urllib.request import urlopen

    fallen_back(url, "wrong", queue).answer_all([CASE])
    with urlopen(url.replace("/v1", "/seen")) as response:
        model, retry, base = json.loads(response.read())[-3:]
    assert model["messages"] == retry["messages"] == messages(CASE)
    assert (model["temperature"], retry["temperature"], base["temperature"]) == (0.0, 0.7, 0.0)
    assert base["messages"] == messages(CASE, shots=CASES[1:3])


def test_an_unverified_number_goes_to_a_person_and_not_to_the_caller(url: str, queue: Path) -> None:
    found = Guard(Upstream(url, "wrong"), queue).answer_all([CASE])[0]
    assert (found.path, found.reason, found.model) == ("person", "numbers", "")
    assert found.text == (
        f"No verified analysis can be given: no answer had only numbers that the case supports. "
        f"A person has it as {CASE.id}."
    )
    told = found.to_dict()
    assert not told["verified"]
    assert told["verdicts"]["worst"]["text"] == "777.7"
    assert "777.7" in told["verdicts"]["not_verified"]
    item = review.candidates(read_jsonl(queue))[0]
    assert (item.input, item.output) == (CASE.input, wrong(target(CASE)))
    assert any("777.7" in finding for finding in item.front()["findings"])
    row = read_jsonl(queue)[0]
    assert (row["passed"], row["reason"], row["model"]) == (True, "numbers", "wrong")
    assert stat.S_IMODE(queue.stat().st_mode) == 0o600


def test_a_case_without_data_goes_to_a_person_and_no_model_is_asked(queue: Path) -> None:
    unheard = Guard(Upstream("http://127.0.0.1:9/v1", "m"), queue)
    found = unheard.answer_all([NO_DATA])[0]
    assert (found.path, found.reason, found.attempts) == ("person", "case", ())
    assert "the case has no 'Data:' line" in found.text
    assert review.candidates(read_jsonl(queue))[0].output == ""


def test_where_no_server_answers_nothing_is_queued_and_the_caller_is_told(queue: Path) -> None:
    down = Upstream("http://127.0.0.1:9/v1", "m")
    with pytest.raises(Unavailable, match=r"model: no connection .*fallback: no connection"):
        Guard(down, queue, fallback=down).answer_all([CASE])
    assert queue.read_text() == ""


def test_a_slow_model_and_a_slow_fallback_end_within_the_time(url: str, queue: Path) -> None:
    hangs = Upstream(url, "hangs")
    begun = time.monotonic()
    with pytest.raises(Unavailable, match=r"model: no answer within 0\.5 s; fallback: no answer"):
        Guard(hangs, queue, fallback=hangs, limits=Limits(seconds=1)).answer_all([CASE])
    assert 0.9 < time.monotonic() - begun < 1.5


def test_a_queue_that_cannot_be_written_is_never_said_to_have_the_case(
    url: str, tmp_path: Path
) -> None:
    with pytest.raises(UserError, match=r"the queue .* cannot be written"):
        Guard(Upstream(url, "good"), Path("/proc/queue.jsonl")).answer_all([CASE])

    async def lost() -> None:
        folder = tmp_path / "gone"
        async with Guard(Upstream(url, "good"), folder / "queue.jsonl").session() as session:
            (folder / "queue.jsonl").unlink()
            folder.rmdir()
            await session.answer(NO_DATA)

    with pytest.raises(Unavailable, match="could not be put into the queue of a person"):
        asyncio.run(lost())


def test_cases_beyond_the_limits_are_refused(url: str, queue: Path) -> None:
    guard = Guard(Upstream(url, "good"), queue)
    with pytest.raises(TooLarge, match=r"has 9,\d+ characters, at most 8,000 are taken"):
        guard.answer_all([replace(CASE, input=CASE.input + "\nNotes: " + "x" * 8_600)])
    many = f"Metric: CVR\nData: [{', '.join(['1', '2'] * 200)}]"
    with pytest.raises(TooLarge, match="the series has 400 values, at most 120 are taken"):
        guard.answer_all([replace(CASE, input=many)])


def test_settings_that_cannot_work_are_refused(
    queue: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(UserError, match="expected one like http"):
        Upstream("localhost:8000", "m")
    monkeypatch.delenv("SOME_KEY", raising=False)
    with pytest.raises(UserError, match="needs the key in SOME_KEY, which is not set"):
        Upstream("http://127.0.0.1:1/v1", "m", key_env="SOME_KEY")
    sure = Confidence(1.0, 0.0, 0.5, 0.1, 1.0, 50)
    with pytest.raises(UserError, match="set logprobs=True"):
        Guard(Upstream("http://127.0.0.1:1/v1", "m"), queue, confidence=sure)


# --------------------------------------------------------------------------- checks


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("Urgency:", "So:", "format"),
        ("Analysis:", "Sure! Analysis:", "format"),
        ("down 11 points", "down 11%", "numbers"),
        ("(23%)", "(32%)", "numbers"),
        ("fell from 0.47", "rose from 0.47", "numbers"),
    ],
)
def test_a_changed_answer_does_not_pass(old: str, new: str, reason: str) -> None:
    assert old in target(CASE)
    found = check(CASE.input, target(CASE).replace(old, new), house_form)
    assert (found.reason, bool(found.detail)) == (reason, True)


def test_an_answer_that_states_no_number_or_tells_the_course_wrongly_does_not_pass() -> None:
    silent = "Analysis: It fell.\nRecommended action: Ask why.\nUrgency: Low — nothing is known."
    assert check(CASE.input, silent, house_form).detail == "no number in it that the case supports"
    told = (
        "Analysis: It fell every week, from 0.47 to 0.36.\nRecommended action: Ask.\nUrgency: Low."
    )
    assert check(CASE.input, told, house_form).reason == "course"


def test_a_loose_number_passes_and_is_named_as_not_verified(url: str, queue: Path) -> None:
    loose = next(e for e in CASES if e.id == "h010")
    told = Guard(Upstream(url, "good"), queue).answer_all([loose])[0].to_dict()
    assert (told["path"], told["verified"]) == ("model", False)
    assert told["verdicts"]["not_verified"] == ["a quarter"]
    assert told["verdicts"]["worst"]["verdict"] == "unchecked"


def test_a_verifier_that_fails_lets_nothing_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    from nbutils.deployment.guarding import checking

    monkeypatch.setattr(checking, "verify", lambda *_: 1 / 0)
    found = check(CASE.input, target(CASE), house_form)
    assert (found.reason, found.detail) == ("verifier", "could not be checked (ZeroDivisionError)")


# --------------------------------------------------------------------------- replies


@pytest.mark.parametrize(
    "body",
    [
        "",
        "[]",
        "null",
        '{"choices": [{"message": "text"}]}',
        '{"choices": [{"message": {"content": "  "}}]}',
        '{"choices": [{"message": {"content": 5}}]}',
        '{"choices": [{"message": {"content": "\\ud800"}}]}',
        '{"choices": {"0": 1}}',
        "[" * 100_000,
        json.dumps({"choices": [{"message": {"content": "x" * 9_000}}]}),
    ],
)
def test_what_is_no_completion_is_a_fault(body: str) -> None:
    with pytest.raises(Fault) as fault:
        read_reply(body.encode())
    assert fault.value.code == "garbage"


def test_strange_usage_and_log_probabilities_are_left_out() -> None:
    choice = {"message": {"content": "a"}, "logprobs": {"content": [{"logprob": "x"}]}}
    reply = read_reply(json.dumps({"choices": [choice], "usage": {"prompt_tokens": -4}}).encode())
    assert (reply.logprob, reply.prompt_tokens, reply.stopped) == (None, 0, False)
    choice["logprobs"] = {"content": [{"logprob": -0.5}, {"logprob": -0.1}]}
    reply = read_reply(
        json.dumps({"choices": [choice], "usage": [1]}).encode().replace(b"[1]", b"0")
    )
    assert reply.logprob == pytest.approx(-0.3)


def test_loopback_is_told_from_elsewhere() -> None:
    assert all(is_loopback(h) for h in ("127.0.0.1", "127.8.8.8", "::1", "localhost"))
    assert not any(is_loopback(h) for h in ("0.0.0.0", "", "10.0.0.1", "localhost.evil.org", "::"))


# --------------------------------------------------------------------------- confidence


def drawn(n: int, seed: int = 0) -> list[tuple[float, bool]]:
    """Answers that are right with probability 1 / (1 + exp(-(6 + 20 x)))."""
    rng = np.random.default_rng(seed)
    x = -rng.exponential(0.15, n)
    return list(zip(x.tolist(), (rng.random(n) < 1 / (1 + np.exp(-(6 + 20 * x)))), strict=True))


def test_the_calibrator_finds_the_curve_that_made_the_answers() -> None:
    fitted = fit_confidence(drawn(5_000))
    assert (fitted.slope, fitted.intercept) == pytest.approx((20, 6), rel=0.1)
    assert fitted.of(-0.3) == pytest.approx(0.5, abs=0.05)


def test_the_threshold_keeps_its_risk_on_new_answers() -> None:
    kept = []
    for seed in range(40):
        fitted = fit_confidence(drawn(400, seed), risk=0.1)
        passed = [right for x, right in drawn(20_000, 1_000) if fitted.passes(fitted.of(x))]
        kept.append(passed.count(False) / len(passed) <= 0.1)
    # 95% is promised, and of 40 draws as few as 35 would be rare
    assert sum(kept) > 35
    assert fitted.coverage > 0.4


def test_separated_answers_give_a_finite_calibrator() -> None:
    rows = [(-0.1 - 0.001 * i, True) for i in range(40)] + [(-1.0, False)] * 10
    fitted = fit_confidence(rows)
    assert (fitted.coverage, np.isfinite(fitted.slope)) == (0.8, True)
    assert fitted.passes(fitted.of(-0.139))
    assert not fitted.passes(fitted.of(-1.0))


def test_without_a_threshold_that_keeps_the_risk_there_is_no_confidence() -> None:
    said = r"of 20 held-out answers 20 are right.* takes the 29 surest, all right"
    with pytest.raises(UserError, match=said):
        fit_confidence([(-0.1 * i, True) for i in range(20)])
    with pytest.raises(UserError, match="no threshold"):
        fit_confidence([(-0.1, False), (-0.9, True)] * 40)
    with pytest.raises(UserError, match="no threshold"):
        fit_confidence([])
    with pytest.raises(ValueError, match="not finite"):
        fit_confidence([(float("nan"), True)])
    with pytest.raises(ValueError, match="between 0 and 1"):
        fit_confidence([(-0.1, True)], risk=1.5)


def test_an_unsure_answer_is_not_given(url: str, queue: Path) -> None:
    model = Upstream(url, "good", logprobs=True)
    sure = Confidence(10.0, 2.0, 0.4, 0.1, 0.8, 50)
    found = Guard(model, queue, confidence=sure).answer_all([CASE])[0]
    assert found.path == "model"
    # the stub gives -0.1 and -0.3 for every answer
    assert found.to_dict()["confidence"] == pytest.approx(0.5)
    strict = replace(sure, threshold=0.6)
    guard = Guard(model, queue, fallback=Upstream(url, "good"), confidence=strict)
    found = guard.answer_all([CASE])[0]
    assert [a.outcome for a in found.attempts] == ["confidence", "confidence", "passed"]
    assert (found.path, found.to_dict()["confidence"]) == ("fallback", None)


def test_a_server_that_withholds_log_probabilities_cannot_keep_a_promised_risk(
    url: str, queue: Path
) -> None:
    sure = Confidence(10.0, 2.0, 0.0, 0.1, 0.8, 50)
    guard = Guard(Upstream(url, "no_logprobs", logprobs=True), queue, confidence=sure)
    found = guard.answer_all([CASE])[0]
    assert (found.path, found.reason) == ("person", "confidence")
    assert read_jsonl(queue)[0]["detail"] == "the server gives no log-probabilities"


# --------------------------------------------------------------------------- on held-out cases


def test_risk_and_coverage_at_each_threshold() -> None:
    rows = [
        {"confidence": 0.9, "right": True},
        {"confidence": 0.9, "right": True},
        {"confidence": 0.7, "right": False},
        {"confidence": None, "right": True},
    ]
    curve = risk_coverage(rows)
    assert curve["threshold"].tolist() == [0.9, 0.7]
    assert curve["coverage"].tolist() == [0.5, 0.75]
    assert curve["risk"].tolist() == pytest.approx([0, 1 / 3])
    assert curve["n"].tolist() == [2, 3]
    assert ((curve["low"] <= curve["risk"]) & (curve["risk"] <= curve["high"])).all()
    assert risk_coverage([]).columns.tolist() == curve.columns.tolist()
    tiers = risk_coverage([{"confidence": tier, "right": tier > 0} for tier in (2, 1, 0, 0)])
    assert tiers["risk"].tolist() == [0, 0, 0.5]


def test_the_summary_counts_answers_and_right_ones_by_path() -> None:
    rows = [
        {"path": "model", "right": True, "right_alone": True},
        {"path": "model", "right": False, "right_alone": False},
        {"path": "fallback", "right": True, "right_alone": False},
        {"path": "person", "right": None, "right_alone": False},
    ]
    found = guarded(rows).set_index(["metric", "group"])["value"]
    assert found["answered", "all"] == 0.75
    assert found["answered", "person"] == 0.25
    assert found["right", "all"] == pytest.approx(2 / 3)
    assert found["right", "retry"] is None
    assert found["right", "alone"] == 0.25
    with pytest.raises(ValueError, match="unknown path nobody; expected model, retry"):
        guarded([{"path": "nobody", "right": True}])


def test_examples_answer_in_their_order(url: str, queue: Path) -> None:
    found = Guard(Upstream(url, "slow"), queue).answer_all(CASES[:8], concurrency=8)
    assert [a.id for a in found] == [e.id for e in CASES[:8]]
