"""Rows as the trainer reads them, and what must hold for each before a step is run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd

from nbutils import models
from nbutils.examples import Example, messages, parse_answer, target

from .recipe import PlanError


def rows(examples: Sequence[Example], *, form: str, with_facts: bool) -> list[dict[str, Any]]:
    """Conversational prompt and completion rows as TRL reads them, from the one prompt builder."""
    return [
        {
            "prompt": messages(e, form=form, with_facts=with_facts),
            "completion": [{"role": "assistant", "content": target(e, form=form)}],
        }
        for e in examples
    ]


def check_sides(train: Sequence[Example], val: Sequence[Example]) -> None:
    """Refuse an empty side, and a case or an answer that stands on both.

    Raises
    ------
    PlanError
        With the remedy.
    """
    for name, side in (("train", train), ("val", val)):
        if not side:
            raise PlanError(
                f"{name}.jsonl holds no examples, nothing can be trained: check the decisions in "
                f"02_augmentation (what nobody approved is left out)."
            )
    for what in ("input", "output"):
        known = {_plain(getattr(e, what)) for e in train}
        both = [e.id for e in val if _plain(getattr(e, what)) in known]
        if both:
            noun = "cases" if what == "input" else "answers"
            raise PlanError(
                f"{len(both)} {noun} stand in train.jsonl and in val.jsonl (such as {both[0]}), "
                f"the validation loss would mean nothing: run 01_curation and 02_augmentation "
                f"again."
            )


def _plain(text: str) -> str:
    return " ".join(text.lower().split())


def measure(
    tokenizer: Any, examples: Sequence[Example], max_length: int, *, form: str, with_facts: bool
) -> pd.DataFrame:
    """Token counts of every row, after checking each.

    Parameters
    ----------
    tokenizer
        The base model's, with its chat template.
    examples : sequence of Example
        What is trained on, or watched.
    max_length : int
        Longest row allowed: a longer one would be cut, and with it the end of its answer.
    form, with_facts
        See `rows`.

    Returns
    -------
    DataFrame
        ``prompt`` and ``completion`` (end of turn included), in tokens.

    Raises
    ------
    PlanError
        If an answer is empty or lacks a part; the prompt is not the beginning of prompt and
        answer; a row begins with two BOS tokens, has no end of turn, or is too long.
    """
    for example in examples:
        _check_answer(example, target(example, form=form))
    counts = lengths(tokenizer, rows(examples, form=form, with_facts=with_facts))
    total = counts.sum(axis=1)
    if (total > max_length).any():
        worst = int(total.argmax())
        raise PlanError(
            f"{(total > max_length).sum()} rows are longer than max_length {max_length}, example "
            f"{examples[worst].id} has {total[worst]} tokens; their answers would be cut: raise "
            f"max_length or shorten them."
        )
    return counts


def _check_answer(example: Example, text: str) -> None:
    answer = parse_answer(text)
    missing = [n for n in ("analysis", "action", "urgency") if not getattr(answer, n)]
    if missing:
        raise PlanError(
            f"example {example.id} has no {' and no '.join(missing)} in its answer: mend it or "
            f"remove it; the gates of 02_augmentation should have stopped it."
        )


def lengths(tokenizer: Any, data: Sequence[dict[str, Any]]) -> pd.DataFrame:
    """Token counts by row: columns ``prompt`` and ``completion`` (end-of-turn included).

    Raises
    ------
    PlanError
        If a prompt is no prefix of prompt and completion, a completion has no end of turn, or a
        row begins with two BOS tokens.
    """
    counts = []
    end, begin = tokenizer.eos_token_id, tokenizer.bos_token_id
    for number, row in enumerate(data, start=1):
        prompt = models.encode(tokenizer, row["prompt"])
        text = tokenizer.apply_chat_template(row["prompt"] + row["completion"], tokenize=False)
        whole = tokenizer(text, add_special_tokens=False)["input_ids"]
        if whole[: len(prompt)] != prompt:
            raise PlanError(
                f"training row {number}: the prompt's tokens are not the beginning of prompt and "
                f"answer together: use a chat template that renders both alike."
            )
        if end not in whole[len(prompt) :]:
            raise PlanError(
                f"training row {number}: no end-of-turn token ({tokenizer.eos_token}) in the "
                f"answer, the model would never stop: mend the chat template."
            )
        if begin is not None and whole[:2] == [begin] * 2:
            raise PlanError(
                f"training row {number} begins with two BOS tokens: take the one out of the chat "
                f"template, or out of the prompt."
            )
        counts.append({"prompt": len(prompt), "completion": len(whole) - len(prompt)})
    return pd.DataFrame(counts, columns=["prompt", "completion"])
