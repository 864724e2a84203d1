"""The systems that answer: prompts, retrieval, best of n, code alone, and a paid endpoint."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from evaluation_cases import WRONG, Scripted, answering, held_out, two_systems

from nbutils import evaluation, facts
from nbutils.evaluation.systems import GENERIC, TEMPERATURE
from nbutils.examples import Example, target
from nbutils.models import Budget, Messages, Service
from nbutils.models.paid import Disturbance, serve
from nbutils.models.paid.recorded import completion

# --------------------------------------------------------------------------- prompts


def test_few_shot_prompts_are_nested_and_retrieval_is_one_more(candidates: list[Example]) -> None:
    unreadable = replace(candidates[0], id="x", input="Metric: x")
    found = evaluation.prompts([unreadable, *candidates[:50]], [1, 2, 99], form="brief")
    assert list(found) == ["1 example", "2 examples", "retrieval"]
    assert found["2 examples"].shots[0] is found["1 example"].shots[0]
    assert len(found["2 examples"].shots) == 2
    index = found["retrieval"].index
    assert index is not None
    assert "x" not in [e.id for e in index.pool]
    assert len(index.pool) == 50


def test_the_prompt_is_chosen_by_the_answers(candidates: list[Example]) -> None:
    found = evaluation.prompts(candidates[:50], [1, 2], form="brief")
    val = candidates[50:52]
    system = Scripted(lambda m: target(val[0]) if len(m) > 4 else "no idea")
    best, table = evaluation.choose_prompt(system, val, found, form="brief")
    assert best == "2 examples"
    assert table["prompt"].tolist() == ["1 example", "2 examples", "retrieval"]
    assert table["n"].tolist() == [2, 2, 2]
    assert table["tokens"].tolist() == [40, 60, 40]
    assert table["house_form"].tolist() == [0, 1, 0]
    # of equals the first
    same = Scripted(lambda _: WRONG)
    assert evaluation.choose_prompt(same, val, found, form="brief")[0] == "1 example"


def test_retrieval_shows_the_most_similar_case_and_the_terms(candidates: list[Example]) -> None:
    case = candidates[3]
    glossary = {"activation rate": {"name": "share of active users", "direction": "up"}}
    pool = candidates[:10]
    prompt = evaluation.prompts(pool, [], form="brief", glossary=glossary)["retrieval"]
    twin = replace(case, id="new", input=case.input.replace("0.4", "0.6"))
    shown = prompt.messages(twin, form="brief")
    assert [m["role"] for m in shown] == ["system", "user", "assistant", "user"]
    assert shown[2]["content"] == target(case)
    activation = prompt.messages(candidates[0], form="brief")[-1]["content"]
    assert activation.startswith("Terms:\n- Activation Rate: share of active users, higher is")
    plain = evaluation.Prompt().messages(candidates[0], form="brief")
    assert len(plain) == 2
    assert "Terms:" not in plain[1]["content"]


def told(name: str, text: str) -> Example:
    return Example(name, "Analyse.", text)


def test_the_index_prefers_the_like_case_and_ignores_numbers() -> None:
    pool = [
        told("price", "Metric: Churn Rate\nData: [0.4, 0.3]\nRecent changes: prices raised by 10%"),
        told("other", "Metric: Activation Rate\nData: [0.7, 0.8]\nRecent changes: none"),
        told("same", "Metric: Activation Rate\nData: [0.4, 0.3]\nRecent changes: none"),
        told(
            "phone", "Metric: Activation Rate\nData: [0.7, 0.8]\nRecent changes: phone check added"
        ),
    ]
    index = evaluation.Index(pool)
    asked = told("a", "Metric: Activation Rate\nData: [0.4, 0.3]\nRecent changes: phone checks")
    assert [e.id for e in index.nearest(asked, 3)] == ["phone", "other", "same"]
    assert [e.id for e in index.nearest(told("a", "churn after raised prices"), 1)] == ["price"]
    assert index.nearest(told("a", "0.4 0.3 10%"), 3) == []
    assert evaluation.Index([]).nearest(asked, 3) == []


def test_terms_are_whole_words_of_the_case_and_at_most_three() -> None:
    glossary = facts.read_glossary()
    found = evaluation.terms(told("a", "Metric: CAC per channel, nps and Sqlite"), glossary)
    assert found == [
        "CAC: customer acquisition cost, lower is better",
        "nps: net promoter score, higher is better",
    ]
    many = evaluation.terms(told("a", "MRR ARR NRR GRR"), glossary)
    assert [t.split(":")[0] for t in many] == ["MRR", "ARR", "NRR"]
    assert evaluation.terms(told("a", "XYZ"), {"xyz": {"direction": "up"}}) == []


# --------------------------------------------------------------------------- best of n, code alone


def test_best_of_samples_only_what_fails_and_counts_all_it_cost() -> None:
    cases = held_out(3)
    greedy = two_systems(cases)
    rows = [greedy["tuned"].iloc[0], greedy["prompted"].iloc[1], greedy["prompted"].iloc[2]]
    first = [dict(row) for row in rows]
    system = answering([target(cases[1]), WRONG, WRONG])
    found = evaluation.best_of(system, cases, first, 3, form="brief", max_new_tokens=99)
    assert [len(call["messages"]) for call in system.calls] == [2, 1]
    assert cases[2].input in system.calls[1]["messages"][0][-1]["content"]
    assert [call["seed"] for call in system.calls] == [1000, 2000]
    assert {call["temperature"] for call in system.calls} == {TEMPERATURE}
    assert {call["max_new_tokens"] for call in system.calls} == {99}
    assert [row["attempts"] for row in found] == [1, 2, 3]
    assert [row["output"] for row in found] == [target(cases[0]), target(cases[1]), WRONG]
    assert [row["prompt_tokens"] for row in found] == [20, 40, 60]
    assert [row["completion_tokens"] for row in found] == [5, 10, 15]
    assert [row["latency"] for row in found] == pytest.approx([0.4, 0.8, 1.2])
    assert "attempts" not in first[0]


def test_the_best_of_one_asks_nobody() -> None:
    cases = held_out(1)
    system = answering([])
    greedy = two_systems(cases)["prompted"].to_dict("records")
    found = evaluation.best_of(system, cases, greedy, 1, form="brief")
    assert (system.calls, found[0]["attempts"]) == ([], 1)


def test_code_alone_writes_the_form_and_right_numbers_and_one_action_for_all() -> None:
    cases = held_out()
    found = pd.DataFrame(evaluation.composed([*cases, Example("x", "i", "Metric: x")]))
    last, rest = found.iloc[-1], found.iloc[:-1]
    assert rest["house_form"].all()
    assert rest["supported"].sum() / rest["checked"].sum() > 0.98
    assert rest["output"].str.contains(GENERIC, regex=False).all()
    assert (last["output"], last["stopped"], last["house_form"]) == ("", False, False)


# --------------------------------------------------------------------------- an endpoint


class Replies:
    """Answers each case as people did; it remembers what it was asked, and can break off."""

    def __init__(self, cases: list[Example], breaks_at: int = 10**6, status: int = 500) -> None:
        self.cases, self.breaks_at, self.status = cases, breaks_at, status
        self.asked: list[str] = []

    def __call__(self, number: int, body: dict[str, Any]) -> Disturbance:
        if number >= self.breaks_at:
            return Disturbance(self.status, {"error": {"message": "out of memory"}})
        messages: Messages = body["messages"]
        case = next(c for c in self.cases if c.input in messages[-1]["content"])
        self.asked.append(case.id)
        return Disturbance(body=completion(target(case), model="m", messages=messages))


class Place:
    """One cache and one attempts log, and the endpoint asked with them."""

    def __init__(self, folder: Path) -> None:
        pytest.importorskip("openai")
        self.kept = {"cache": folder / "cache", "attempts": folder / "attempts.jsonl"}

    @contextmanager
    def service(self, replies: Replies) -> Iterator[Service]:
        with serve({}, disturb=replies) as url:
            yield Service("m", url, (1.0, 4.0), label="here", concurrency=1, patience=0.001)

    def ask(
        self, replies: Replies, cases: list[Example], calls: int = 1000
    ) -> tuple[list[dict[str, Any]], str]:
        prompt, budget = evaluation.Prompt(), Budget(1.0, calls)
        with self.service(replies) as service:
            return evaluation.ask_endpoint(
                service, cases, prompt, form="brief", budget=budget, **self.kept
            )


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def test_an_endpoint_answers_with_the_same_prompt_and_its_price(place: Place) -> None:
    cases = held_out(4)
    rows, stopped = place.ask(Replies(cases), cases)
    assert stopped == ""
    assert [r["id"] for r in rows] == [c.id for c in cases]
    assert all(r["house_form"] and r["stopped"] for r in rows)
    paid = [(r["prompt_tokens"] * 1 + r["completion_tokens"] * 4) / 1e6 for r in rows]
    assert [r["cost"] for r in rows] == pytest.approx(paid)
    assert all(r["latency"] > 0 for r in rows)


@pytest.mark.parametrize(("status", "told"), [(500, "out of memory"), (401, "refuses the key")])
def test_an_endpoint_that_fails_half_way_is_resumed_and_nothing_is_paid_twice(
    place: Place, status: int, told: str
) -> None:
    cases = held_out(12)
    rows, stopped = place.ask(first := Replies(cases, breaks_at=6, status=status), cases)
    assert told in stopped
    assert [r["id"] for r in rows] == first.asked == [c.id for c in cases[:5]]
    found = {**two_systems(cases), "endpoint": pd.DataFrame(rows)}
    (said,) = evaluation.unanswered(found, {k: [c.id for c in cases] for k in found})
    assert said.startswith("endpoint: 7 of 12 cases have no answer (h006, h007, h008, h009, h010")
    compared = evaluation.compare(found, "tuned")
    assert set(compared[compared["baseline"] == "endpoint"]["n"]) <= set(range(6))
    whole, stopped = place.ask(second := Replies(cases), cases)
    assert stopped == ""
    assert second.asked == [c.id for c in cases[5:]]
    assert [r["output"] for r in whole[:5]] == [r["output"] for r in rows]
    assert [r["cost"] for r in whole[:5]] == [r["cost"] for r in rows]


def test_a_budget_that_ends_leaves_the_rest_unanswered(place: Place) -> None:
    cases = held_out(5)
    rows, stopped = place.ask(Replies(cases), cases, calls=3)
    assert (len(rows), "budget" in stopped) == (3, True)


# --------------------------------------------------------------------------- services


def test_without_an_endpoint_nobody_is_asked(tmp_path: Path) -> None:
    chosen = evaluation.settings({}, {}, {}, {})
    kept = {"cache": tmp_path / "cache", "attempts": tmp_path / "attempts.jsonl"}
    asked = {"form": "brief", "max_new_tokens": 64, **kept}
    assert evaluation.endpoint(chosen, held_out(1), evaluation.Prompt(), **asked) == ({}, [])
    table, said = evaluation.opinion(chosen, {}, [], **kept)
    assert (table.empty, said) == (True, "no judge was asked")
    assert list(tmp_path.iterdir()) == []


def test_the_endpoint_is_one_more_system_and_says_what_is_missing(place: Place) -> None:
    cases = held_out(8)
    chosen = evaluation.settings({}, {}, {}, {"model": "m", "prices": [1, 4], "calls": 100})

    def ask(replies: Replies) -> tuple[dict[str, list[dict[str, Any]]], list[str]]:
        asked = {"form": "brief", "max_new_tokens": 64, **place.kept}
        with place.service(replies) as service:
            own = replace(chosen, service=service)
            return evaluation.endpoint(own, cases, evaluation.Prompt(), **asked)

    none, (said,) = ask(Replies(cases, breaks_at=1))
    assert none == {}
    assert said.startswith("m did not answer all cases: ")
    half, (said,) = ask(Replies(cases, breaks_at=4))
    assert len(half["endpoint"]) == 3
    whole, notes = ask(Replies(cases))
    assert (len(whole["endpoint"]), notes) == (8, [])


class Judge(Replies):
    """Rates every answer 4 and prefers the first."""

    def __call__(self, number: int, body: dict[str, Any]) -> Disturbance:
        known = body["response_format"]["json_schema"]["schema"]["properties"]
        reply = (
            '{"reason": "r", "rating": 4}'
            if "rating" in known
            else '{"reason": "r", "better": "A"}'
        )
        return Disturbance(body=completion(reply, model="m", messages=body["messages"]))


def test_a_judge_is_asked_only_if_wanted_and_is_not_believed_before_people_rate(
    place: Place,
) -> None:
    answers = {k: v.to_dict("records") for k, v in two_systems(held_out(3)).items()}
    chosen = evaluation.settings({}, {}, {}, {"model": "m", "prices": [1, 4], "judge": True})
    with place.service(judge := Judge([])) as service:
        own = replace(chosen, service=service)
        table, said = evaluation.opinion(own, answers, [], **place.kept)
    assert said.startswith("6 of 6 answers judged")
    assert said.endswith("not calibrated: no person has rated")
    assert not table.empty
    off = replace(own, judge=False)
    assert evaluation.opinion(off, answers, [], **place.kept)[1] == "no judge was asked"
    assert judge.asked == []
