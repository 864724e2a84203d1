"""Held-out cases and systems whose answers are known, for the tests of the evaluation."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from nbutils import evaluation
from nbutils.examples import Example, read_examples, target
from nbutils.models import Completion, Messages

DATA = Path(__file__).parents[2] / "data" / "growth"
WRONG = "The metric has fallen by 987%."


def held_out(count: int | None = None) -> list[Example]:
    return read_examples(DATA / "test.jsonl")[:count]


@dataclass
class Scripted:
    """A system that answers by rule: what evaluation must measure is then known too."""

    rule: Callable[[Messages], str]
    name: str = "scripted"
    calls: list[dict[str, Any]] = field(default_factory=list)

    def generate(
        self,
        messages: list[Messages],
        max_new_tokens: int = 256,
        *,
        progress: Any = None,
        temperature: float = 0.0,
        seed: int = 0,
    ) -> list[Completion]:
        called = {"messages": messages, "temperature": temperature, "seed": seed}
        self.calls.append({**called, "max_new_tokens": max_new_tokens})
        return [Completion(self.rule(m), 10 * len(m), 5, 0.1, True, 0.4) for m in messages]


def answering(texts: list[str]) -> Scripted:
    """A system that gives these answers, one after the other."""
    left = iter(texts)
    return Scripted(lambda _: next(left))


def scored(texts: list[str], cases: list[Example]) -> pd.DataFrame:
    return pd.DataFrame(evaluation.answer(answering(texts), cases, form="brief"))


def two_systems(cases: list[Example]) -> dict[str, pd.DataFrame]:
    """A prompted base that is always wrong, and a tuned model that answers as people did."""
    return {
        "prompted": scored([WRONG] * len(cases), cases),
        "tuned": scored([target(c) for c in cases], cases),
    }
