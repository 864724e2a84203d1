"""The plan of a training run, checked before a step is run."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from nbutils import models
from nbutils.errors import UserError
from nbutils.examples import Example, messages, target

MIN_EVALUATIONS = 3


class PlanError(UserError):
    """A training plan or data that cannot work; the message says why and what to change."""


@dataclass(frozen=True)
class Plan:
    """Everything that decides a training run; stored with it and part of its identity.

    Attributes
    ----------
    base_model : str
        What was given to `models.base_path`.
    form : str
        Form of the answers, ``"brief"`` or ``"full"``.
    with_facts : bool
        Whether prompts carry the facts block.
    rows, val_rows, tokens, trained_tokens, longest : int
        Size of the data: training tokens of one epoch, those the loss is on, the longest row.
    batch, accumulation, steps, warmup_steps, eval_steps, evaluations : int
        The schedule; ``steps`` counts optimiser steps.
    epochs, learning_rate : float
        Passes over the data; peak rate of the cosine schedule.
    rank, alpha, layers : int
        LoRA rank, scale, and how many of the top layers carry adapters (0: all).
    dtype, dtype_reason : str
        Precision of the frozen base and why.
    four_bit : bool
        NF4 with double quantisation (QLoRA).
    max_length, seed : int
        Longest row allowed; seed of shuffling and initialisation.
    """

    base_model: str
    form: str
    with_facts: bool
    rows: int
    val_rows: int
    tokens: int
    trained_tokens: int
    longest: int
    batch: int
    accumulation: int
    epochs: float
    steps: int
    warmup_steps: int
    eval_steps: int
    evaluations: int
    learning_rate: float
    rank: int
    alpha: int
    layers: int
    dtype: str
    dtype_reason: str
    four_bit: bool
    max_length: int
    seed: int

    def table(self) -> pd.DataFrame:
        """The plan for readers, one row a decision: columns ``what`` and ``value``."""
        where = f"top {self.layers} layers" if self.layers else "all layers"
        kind = "QLoRA (NF4, double quantisation)" if self.four_bit else f"LoRA on {self.dtype}"
        rows = {
            "Base model": self.base_model,
            "Answers": f"{self.form} form, {'with' if self.with_facts else 'without'} facts",
            "Training rows": f"{self.rows} ({self.tokens:,} tokens, {self.trained_tokens:,} of "
            f"them in the loss; longest row {self.longest})",
            "Validation rows": f"{self.val_rows}",
            "Steps": f"{self.steps} of {self.batch} x {self.accumulation} rows, {self.epochs:g} "
            f"epochs, {self.warmup_steps} for warm-up",
            "Evaluations": f"{self.evaluations}, every {self.eval_steps} steps",
            "Adapter": f"{kind}, rank {self.rank}, alpha {self.alpha}, {where}",
            "Precision": f"{self.dtype}: {self.dtype_reason}",
            "Learning rate": f"{self.learning_rate:g}, cosine",
        }
        return pd.DataFrame({"what": list(rows), "value": list(rows.values())})


# --------------------------------------------------------------------------- rows and plan


def rows(examples: Sequence[Example], *, form: str, with_facts: bool) -> list[dict[str, Any]]:
    """Conversational prompt and completion rows as TRL reads them, from the one prompt builder."""
    return [
        {
            "prompt": messages(e, form=form, with_facts=with_facts),
            "completion": [{"role": "assistant", "content": target(e, form=form)}],
        }
        for e in examples
    ]


def limit(examples: Sequence[Example], most: int, *, seed: int = 0) -> list[Example]:
    """At most ``most`` examples (0: all), drawn by seed and kept in their order."""
    if not most or most >= len(examples):
        return list(examples)
    drawn = np.random.default_rng(seed).permutation(len(examples))[:most]
    return [examples[i] for i in sorted(drawn)]


def lengths(tokenizer: Any, data: Sequence[dict[str, Any]]) -> pd.DataFrame:
    """Token counts by row: columns ``prompt`` and ``completion`` (end-of-turn included).

    Raises
    ------
    PlanError
        If a prompt is no prefix of prompt and completion, or a completion has no end of turn.
    """
    counts = []
    end = tokenizer.eos_token_id
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
        if whole[:2] == [tokenizer.bos_token_id] * 2 and prompt[1:2] != whole[1:2]:
            raise PlanError(f"training row {number}: begins with two BOS tokens.")
        counts.append({"prompt": len(prompt), "completion": len(whole) - len(prompt)})
    return pd.DataFrame(counts, columns=["prompt", "completion"])


def plan(
    train: Sequence[Example],
    val: Sequence[Example],
    tokenizer: Any,
    *,
    base_model: str = models.DEFAULT_BASE,
    form: str = "brief",
    with_facts: bool = True,
    epochs: float = 1.0,
    max_steps: int = 0,
    batch: int = 4,
    accumulation: int = 1,
    learning_rate: float = 1e-3,
    rank: int = 16,
    layers: int = 0,
    evaluations: int = 4,
    max_length: int = 1024,
    four_bit: bool = False,
    seed: int = 0,
) -> Plan:
    """Derive the schedule from the data, and refuse what cannot work.

    Parameters
    ----------
    train, val : sequence of Example
        What is trained on, and what the loss is watched on.
    tokenizer
        The base model's.
    max_steps : int
        Stop after so many steps; 0 for all of ``epochs``.
    evaluations : int
        How often validation loss is measured, evenly spread, at least three times.

    Returns
    -------
    Plan

    Raises
    ------
    PlanError
        If there are no rows, a row is longer than ``max_length``, a row stands on both sides, or
        the run is too short to be evaluated three times.
    """
    _check_sides(train, val)
    sizes = lengths(tokenizer, rows(train, form=form, with_facts=with_facts))
    longest = int(sizes.sum(axis=1).max())
    if longest > max_length:
        worst = train[int(sizes.sum(axis=1).argmax())].id
        raise PlanError(
            f"example {worst} has {longest} tokens and max_length is {max_length}, its answer "
            f"would be cut: raise max_length or shorten the example."
        )
    total = math.ceil(len(train) / (batch * accumulation)) * epochs
    steps = min(max(int(total), 1), max_steps or 10**9)
    if steps < evaluations or evaluations < MIN_EVALUATIONS:
        raise PlanError(
            f"{steps} steps with {evaluations} evaluations: expected at least "
            f"{MIN_EVALUATIONS} evaluations and a step for each: use more data or epochs, a "
            f"smaller batch, or {MIN_EVALUATIONS} evaluations."
        )
    eval_steps = steps // evaluations
    dtype, reason = models.training_dtype()
    return Plan(
        base_model=base_model,
        form=form,
        with_facts=with_facts,
        rows=len(train),
        val_rows=len(val),
        tokens=int(sizes.to_numpy().sum()),
        trained_tokens=int(sizes["completion"].sum()),
        longest=longest,
        batch=batch,
        accumulation=accumulation,
        epochs=epochs,
        steps=eval_steps * evaluations,
        warmup_steps=max(1, round(0.05 * steps)),
        eval_steps=eval_steps,
        evaluations=evaluations,
        learning_rate=learning_rate,
        rank=rank,
        alpha=2 * rank,
        layers=layers,
        dtype=dtype,
        dtype_reason=reason,
        four_bit=four_bit,
        max_length=max_length,
        seed=seed,
    )


def _check_sides(train: Sequence[Example], val: Sequence[Example]) -> None:
    for name, side in (("train", train), ("val", val)):
        if not side:
            raise PlanError(
                f"{name}.jsonl holds no examples, nothing can be trained: check the decisions in "
                f"02_augmentation (what nobody approved is left out)."
            )
    both = {e.input for e in train} & {e.input for e in val}
    if both:
        raise PlanError(
            f"{len(both)} cases stand in train.jsonl and in val.jsonl, the validation loss would "
            f"mean nothing: run 01_curation and 02_augmentation again."
        )
