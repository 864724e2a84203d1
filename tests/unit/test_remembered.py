"""Answers that are kept in a file and not computed again."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from nbutils.models import Completion, Messages, Remembered


@dataclass
class Model:
    """Answers with the question and the number of its call."""

    name: str = "m"
    asked: list[list[str]] = field(default_factory=list)
    device = "here"

    def generate(
        self,
        messages: list[Messages],
        max_new_tokens: int = 256,
        *,
        progress: Any = None,
        temperature: float = 0.0,
        seed: int = 0,
    ) -> list[Completion]:
        self.asked.append([m[0]["content"] for m in messages])
        text = f"{len(self.asked)}, at {temperature:g} and {seed}"
        return [
            Completion(f"{m[0]['content']}: {text}", 3, 2, 0.1, True, 0.2, ("a", "é"), (-0.5, -1.5))
            for m in messages
        ]


@dataclass
class Store:
    """A file, and the models that were loaded for it."""

    file: Path
    loaded: list[Model] = field(default_factory=list)

    def open(self, *mark: Any) -> Remembered:
        def load() -> Model:
            self.loaded.append(Model())
            return self.loaded[-1]

        return Remembered(load, "m", self.file, mark)

    def asked(self) -> list[list[str]]:
        return [call for model in self.loaded for call in model.asked]


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "completions.jsonl")


def questions(*texts: str) -> list[Messages]:
    return [[{"role": "user", "content": text}] for text in texts]


def test_answers_come_back_whole_and_the_model_is_not_loaded(store: Store) -> None:
    first = store.open().generate(questions("a", "b"))
    again = store.open().generate(questions("b", "a"))
    assert again == first[::-1]
    assert again[0].pieces == ("a", "é")
    assert len(store.loaded) == 1
    assert store.open().name == "m"
    assert len(store.loaded) == 1


def test_only_what_is_not_known_is_asked_and_each_question_once(store: Store) -> None:
    store.open().generate(questions("a"))
    found = store.open().generate(questions("b", "a", "c", "b"))
    assert store.asked() == [["a"], ["b", "c"]]
    assert [c.text[0] for c in found] == ["b", "a", "c", "b"]
    store.open().generate([])
    assert len(store.loaded) == 2


def test_length_temperature_and_seed_make_another_question(store: Store) -> None:
    model = store.open()
    ways: list[dict[str, Any]] = [
        {},
        {"max_new_tokens": 8},
        {"temperature": 0.7},
        {"temperature": 0.7, "seed": 1},
    ]
    texts = [model.generate(questions("a"), **way)[0].text for way in ways]
    assert len(set(texts)) == len(store.asked()) == 4
    assert [store.open().generate(questions("a"), **way)[0].text for way in ways] == texts
    assert len(store.loaded) == 1


def test_answers_of_other_weights_are_not_used(store: Store) -> None:
    store.open("adapter one").generate(questions("a"))
    store.open("adapter two").generate(questions("a"))
    assert store.asked() == [["a"], ["a"]]
    store.open("adapter one").generate(questions("a"))
    assert len(store.loaded) == 2


@pytest.mark.parametrize(
    "rest", [b'{"key": "x", "te', b'{"key": "x", "text": "\xc3', b"[]\n", b"{}\n", b"null"]
)
def test_a_last_line_that_was_cut_off_spoils_nothing(store: Store, rest: bytes) -> None:
    before = store.open().generate(questions("a"))
    with store.file.open("ab") as file:
        file.write(rest)
    after = store.open().generate(questions("a", "b"))
    assert after[0] == before[0]
    assert store.asked() == [["a"], ["b"]]
    assert store.open().generate(questions("a", "b")) == after
    assert len(store.loaded) == 2


def test_half_an_answer_is_computed_again(store: Store) -> None:
    store.open().generate(questions("a", "b"))
    store.file.write_bytes(store.file.read_bytes()[:-20])
    store.open().generate(questions("a", "b"))
    assert store.asked() == [["a", "b"], ["b"]]


def test_anything_else_is_the_models_own(store: Store) -> None:
    model = store.open()
    assert store.loaded == []
    assert model.device == "here"
    assert model.loaded is store.loaded[0]
