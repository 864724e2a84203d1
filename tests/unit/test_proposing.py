"""What the teacher is asked, and what comes back: through the real client, from loopback."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from nbutils import augmentation, balance, models
from nbutils.augmentation import asking, proposing
from nbutils.errors import UserError
from nbutils.examples import DataFileError, Example, read_examples
from nbutils.models.paid import recorded

DATA = Path(__file__).parents[2] / "data" / "growth"
KEY = "sk-test-0123456789abcdef0123456789"


@pytest.fixture(scope="module")
def seeds() -> list[Example]:
    found = read_examples(DATA / "formatted.jsonl", id_field="report_id")
    return [Example(e.id, e.instruction, e.input, e.output, {"side": "train"}) for e in found]


@pytest.fixture(autouse=True)
def no_endpoint(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL"):
        monkeypatch.delenv(name, raising=False)


def propose(folder: Path, teacher: augmentation.Teacher, budget: float = 1.0, **more: Any) -> Any:
    return augmentation.propose(
        teacher, budget, cache=folder / "cache", attempts=folder / "run" / "attempts.jsonl", **more
    )


def logged(folder: Path) -> list[dict[str, Any]]:
    text = (folder / "run" / "attempts.jsonl").read_text(encoding="utf-8")
    return [json.loads(line) for line in text.splitlines()]


# --------------------------------------------------------------------------- what is asked


def test_holes_of_the_balance_table_are_asked_for_first(seeds: list[Example]) -> None:
    asks = asking.plan_asks(seeds, 40)
    described = balance.describe(seeds)
    holes = balance.wanted(described, 40)
    first = holes.iloc[0]
    families = dict(zip(described["metric"], described["family"], strict=True))
    assert (families[asks[0].metric], asks[0].pattern) == (first["family"], first["pattern"])
    wished = {(families[a.metric], a.pattern) for a in asks}
    assert wished == set(zip(holes["family"], holes["pattern"], strict=True))


def test_every_ask_is_another_request_about_another_metric(seeds: list[Example]) -> None:
    asks = asking.plan_asks(seeds, 300)
    assert len(asks) == 300
    assert len({json.dumps(asking.messages(a)) for a in asks}) == 300
    metrics = {e.id: m for e, m in zip(seeds, balance.describe(seeds)["metric"], strict=True)}
    assert all(a.metric.lower() != metrics[a.seed.id].lower() for a in asks)
    used = [a.seed.id for a in asks]
    assert max(map(used.count, used)) <= 4
    assert asks == asking.plan_asks(seeds, 300)


def test_few_seeds_are_enough_to_ask(seeds: list[Example]) -> None:
    assert len(asking.plan_asks(seeds[:1], 5)) == 5
    assert asking.plan_asks([], 5) == []
    assert asking.plan_asks(seeds, 0) == []


def test_the_request_names_metric_pattern_and_shows_the_parent(seeds: list[Example]) -> None:
    ask = asking.Ask("c1", seeds[0], "CAC", "spike", variant=2)
    system, user = asking.messages(ask, ["NRR", "Spark Rate"])
    assert system["role"] == "system"
    for words in ("metric: CAC", "spike (one or two periods", "variant 2", "NRR, Spark Rate"):
        assert words in user["content"]
    assert json.dumps(seeds[0].output, ensure_ascii=False) in user["content"]


def test_a_validation_example_is_never_a_parent(seeds: list[Example], tmp_path: Path) -> None:
    val = Example("v1", "x", seeds[0].input, seeds[0].output, {"side": "val"})
    with pytest.raises(DataFileError, match=r"1 seeds are validation examples \(v1\)"):
        asking.plan_asks([*seeds, val], 5)
    with pytest.raises(DataFileError, match="validation examples"):
        augmentation.teacher([val], 5, recorded=DATA / "candidates.jsonl")
    some = augmentation.teacher(seeds[:20], 400, recorded=DATA / "candidates.jsonl")
    assert {a.seed.id for a in some.asks} <= {s.id for s in seeds[:20]}


# --------------------------------------------------------------------------- the recorded teacher


def test_recorded_answers_come_back_word_for_word(seeds: list[Example], tmp_path: Path) -> None:
    teacher = augmentation.teacher(seeds[:40], 400, recorded=DATA / "candidates.jsonl")
    found = propose(tmp_path, teacher)
    recorded = {e.id: e for e in read_examples(DATA / "candidates.jsonl")}
    assert len(found.candidates) == len(teacher.asks) > 50
    for candidate in found.candidates:
        original = recorded[candidate.id]
        assert (candidate.instruction, candidate.input, candidate.output) == (
            original.instruction,
            original.input,
            original.output,
        )
        assert candidate.meta["seed_id"] == original.meta["seed_id"]
        made = candidate.meta["made_by"]
        assert made["model"] == "recorded"
        assert made["request_id"].startswith("recorded-")
        assert made["completion_tokens"] > 50
        assert (made["cost"], made["attempt"], made["cached"]) == (0.0, 1, False)
    assert found.lost.empty
    assert "nothing was paid" in found.said
    assert not (tmp_path / "cache").exists()
    again = propose(tmp_path, teacher)
    assert [c.output for c in again.candidates] == [c.output for c in found.candidates]
    assert all(c.meta["made_by"]["cached"] for c in again.candidates)
    assert sum(row["event"] == "sent" for row in logged(tmp_path)) == len(teacher.asks)


def test_a_key_alone_asks_nobody_and_the_report_says_so(
    seeds: list[Example], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    teacher = augmentation.teacher(seeds[:10], 5, recorded=DATA / "candidates.jsonl")
    assert "OPENAI_API_KEY is set, but no MODEL is named" in teacher.said
    sent: list[str] = []
    serve = proposing.serve

    def watched(answers: Any, **more: Any) -> Any:
        return serve(answers, **more, disturb=lambda _, body: sent.append(json.dumps(body)))

    monkeypatch.setattr(proposing, "serve", watched)
    propose(tmp_path, teacher)
    assert len(sent) == 5
    assert not any(KEY.encode() in p.read_bytes() for p in tmp_path.rglob("*") if p.is_file())


def test_without_a_teacher_nothing_is_proposed(seeds: list[Example], tmp_path: Path) -> None:
    teacher = augmentation.teacher(seeds, 5, recorded=tmp_path / "none.jsonl")
    found = propose(tmp_path, teacher)
    assert found.candidates == []
    assert found.said == "Nobody was asked: no MODEL is named."
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"base_url": "http://127.0.0.1:9/v1"}, "BASE_URL is set but MODEL is empty"),
        ({"prices": "1, 2"}, "PRICES is set but MODEL is empty"),
        ({"model": "m", "prices": ""}, "PRICES is ''; expected dollars per million tokens"),
        ({"model": "m", "prices": "2"}, "PRICES is '2'; expected dollars per million tokens"),
        ({"model": "m", "prices": "1; 2"}, "PRICES is '1; 2'"),
    ],
)
def test_half_a_setting_is_refused(
    seeds: list[Example], settings: dict[str, str], message: str
) -> None:
    with pytest.raises(UserError, match=message):
        augmentation.teacher(seeds, 5, recorded=DATA / "candidates.jsonl", **settings)


# --------------------------------------------------------------------------- a live endpoint


def answering(teacher: augmentation.Teacher, seeds: list[Example]) -> dict[str, str]:
    """An answer to each ask, as an endpoint that knows the house form would give it."""
    found = {}
    for ask, example in zip(teacher.asks, seeds, strict=False):
        shown = {k: getattr(example, k) for k in ("instruction", "input", "output")}
        found[recorded.key_of(asking.messages(ask, teacher.terms))] = json.dumps(shown)
    return found


def live(seeds: list[Example], n: int, url: str) -> augmentation.Teacher:
    return augmentation.teacher(
        seeds, n, model="teacher-1", base_url=url, prices="2.5, 10", terms=["NRR"]
    )


@pytest.fixture
def keyed(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    return lambda: None


def test_a_live_endpoint_is_asked_and_paid_once(
    seeds: list[Example], keyed: Any, tmp_path: Path
) -> None:
    answers = answering(live(seeds, 8, "http://127.0.0.1:1/v1"), seeds)
    bodies: list[dict[str, Any]] = []
    with recorded.serve(answers, disturb=lambda _, body: bodies.append(body)) as url:
        teacher = live(seeds, 8, url)
        shown: list[tuple[int, int, dict[str, Any]]] = []
        found = propose(
            tmp_path,
            teacher,
            progress=lambda done, total, _, **more: shown.append((done, total, more)),
        )
        assert [c.output for c in found.candidates] == [s.output for s in seeds[:8]]
        assert found.spent > 0
        assert len(bodies) == 8
        assert bodies[0]["response_format"]["json_schema"]["strict"] is True
        assert set(bodies[0]["response_format"]["json_schema"]["schema"]["required"]) == {
            "instruction",
            "input",
            "output",
        }
        assert shown[-1][:2] == (8, 8)
        assert shown[-1][2]["cost"].startswith("$")
        other = augmentation.propose(
            teacher, 1.0, cache=tmp_path / "cache", attempts=tmp_path / "other" / "attempts.jsonl"
        )
        assert len(bodies) == 8
        assert other.spent == 0
        assert len(other.candidates) == 8
    assert not any(KEY.encode() in p.read_bytes() for p in tmp_path.rglob("*") if p.is_file())


def test_a_budget_that_is_used_up_keeps_what_there_is(
    seeds: list[Example], keyed: Any, tmp_path: Path
) -> None:
    answers = answering(live(seeds, 8, "http://127.0.0.1:1/v1"), seeds)
    with recorded.serve(answers) as url:
        found = propose(tmp_path, live(seeds, 8, url), budget=0.08)
        assert 0 < len(found.candidates) < 8
        assert "the budget is used up" in found.said
        assert found.spent <= 0.08
        more = propose(tmp_path, live(seeds, 8, url), budget=1.0)
        assert len(more.candidates) == 8
    assert sum(row["event"] == "sent" for row in logged(tmp_path)) == 8


def test_answers_without_an_example_are_listed_and_not_asked_again(
    seeds: list[Example], keyed: Any, tmp_path: Path
) -> None:
    answers = answering(live(seeds, 6, "http://127.0.0.1:1/v1"), seeds)
    first, second, *_ = answers
    answers[first] = '{"instruction": "x", "input": "y"}'
    answers[second] = "I would rather not."
    with recorded.serve(answers) as url:
        found = propose(tmp_path, live(seeds, 6, url))
        assert len(found.candidates) == 4
        assert found.lost["status"].tolist() == ["invalid", "invalid"]
        assert "'output'" in found.lost["error"].iloc[0]
        calls = len(logged(tmp_path))
        propose(tmp_path, live(seeds, 6, url))
        assert len(logged(tmp_path)) == calls


def test_a_refused_key_stops_the_run_in_one_sentence(
    seeds: list[Example], keyed: Any, tmp_path: Path
) -> None:
    told = {"error": {"message": f"Incorrect API key provided: {KEY}", "code": "invalid_api_key"}}
    wrong = recorded.Disturbance(status=401, body=told)
    with (
        recorded.serve({}, disturb=lambda *_: wrong) as url,
        pytest.raises(models.ModelError) as err,
    ):
        propose(tmp_path, live(seeds, 6, url))
    assert KEY not in str(err.value)
    assert KEY not in repr(err.value)
    assert "\n" not in str(err.value)
    assert not any(KEY.encode() in p.read_bytes() for p in tmp_path.rglob("*") if p.is_file())
