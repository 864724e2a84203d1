"""The plan of a training run, checked before a step is run."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from nbutils import models
from nbutils.examples import Example

from . import estimate
from .packing import packed_count, packing_settings
from .preflight import check_sides, measure
from .recipe import PlanError, Recipe

MIN_EVALUATIONS = 3
ATTENTION = "sdpa"  # what transformers takes by default


@dataclass(frozen=True)
class Plan:
    """Everything that decides a training run; stored with it and part of its identity.

    Attributes
    ----------
    base_model, form, with_facts
        What was given to `models.base_path`; form of the answers, and whether prompts carry facts.
    recipe : Recipe
        The knobs.
    rows, val_rows, tokens, trained_tokens, longest, sequences : int
        Size of the data: training tokens of one epoch, those the loss is on, the longest row, and
        what a step counts: rows, or the sequences that they are packed into.
    steps, warmup_steps, eval_steps, evaluations : int
        The schedule in optimiser steps.
    dtype, dtype_reason : str
        Precision of the frozen base and why.
    packing, packing_reason
        Whether rows share sequences (bool), and why.
    parameters, trainable : int
        Weights of the base, and those that are trained.
    memory_gb, minutes : float
        Expected, see `estimate`.
    """

    base_model: str
    form: str
    with_facts: bool
    recipe: Recipe
    rows: int
    val_rows: int
    tokens: int
    trained_tokens: int
    longest: int
    sequences: int
    steps: int
    warmup_steps: int
    eval_steps: int
    evaluations: int
    dtype: str
    dtype_reason: str
    packing: bool
    packing_reason: str
    parameters: int
    trainable: int
    memory_gb: float
    minutes: float

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> Plan:
        """The plan that ``plan.json`` holds."""
        return cls(**{**record, "recipe": Recipe.make(record["recipe"])})

    def table(self) -> pd.DataFrame:
        """The plan for readers, one row a decision: columns ``what`` and ``value``."""
        r, unit = self.recipe, "packed sequences" if self.packing else "rows"
        rows = {
            "Base model": f"{self.base_model}, {self.parameters / 1e6:,.0f}M parameters",
            "Answers": f"{self.form} form, {'with' if self.with_facts else 'without'} facts",
            "Training rows": f"{self.rows} ({self.tokens:,} tokens, {self.trained_tokens:,} of "
            f"them in the loss; longest row {self.longest})",
            "Validation rows": f"{self.val_rows}",
            "Steps": f"{self.steps} of {r.batch} x {r.accumulation} {unit}, {r.epochs:g} epochs, "
            f"{self.warmup_steps} for warm-up",
            "Evaluations": f"{self.evaluations}, every {self.eval_steps} steps"
            + (f"; stop after {r.patience} without a better one" if r.patience else ""),
            "Trained": f"{self._kind()}: {self.trainable:,} weights",
            "Precision": f"{self.dtype}: {self.dtype_reason}",
            "Packing": f"{'on' if self.packing else 'off'}: {self.packing_reason}",
            "Learning rate": f"{r.learning_rate:g}, {r.schedule}",
            "Expected": f"about {self.minutes:.0f} minutes and {self.memory_gb:.1f} GB",
        }
        return pd.DataFrame({"what": list(rows), "value": list(rows.values())})

    def _kind(self) -> str:
        r = self.recipe
        if r.full:
            return "all weights"
        base = "QLoRA (NF4, double quantisation)" if r.four_bit else f"LoRA on {self.dtype}"
        where = f"top {r.layers} layers" if r.layers else "all layers"
        extra = [k for k, on in (("rsLoRA", r.rslora), ("DoRA", r.dora)) if on]
        extra += [f"LoRA+ {r.lora_plus:g}"] if r.lora_plus else []
        modules = "all linear modules" if r.targets == "all" else r.targets
        return ", ".join([base, f"rank {r.rank}, alpha {r.alpha}", modules, where, *extra])


def limit(examples: Sequence[Example], most: int, *, seed: int = 0) -> list[Example]:
    """At most ``most`` examples (0: all), drawn by seed and kept in their order."""
    if not most or most >= len(examples):
        return list(examples)
    drawn = np.random.default_rng(seed).permutation(len(examples))[:most]
    return [examples[i] for i in sorted(drawn)]


def plan(
    train: Sequence[Example],
    val: Sequence[Example],
    tokenizer: Any,
    *,
    base_model: str = models.DEFAULT_BASE,
    form: str = "brief",
    with_facts: bool = True,
    **knobs: Any,
) -> Plan:
    """Derive the schedule from the data, and refuse what cannot work.

    Parameters
    ----------
    train, val : sequence of Example
        What is trained on, and what the loss is watched on.
    tokenizer
        The base model's.
    base_model, form, with_facts
        See `Plan`.
    **knobs
        See `Recipe`.

    Returns
    -------
    Plan

    Raises
    ------
    PlanError
        If a knob is wrong; there are no rows; a row is too long, has no answer or no end of turn;
        a case stands on both sides; warm-up never ends; the run is too short to be evaluated three
        times; there is no GPU though one is asked for, not enough memory, or no such precision.
    """
    recipe = Recipe.make(knobs)
    check_sides(train, val)
    sizes = measure(tokenizer, train, recipe.max_length, form=form, with_facts=with_facts)
    watched = measure(tokenizer, val, recipe.max_length, form=form, with_facts=with_facts)
    dtype, reason = _precision(recipe)
    packed, why = _packing(recipe)
    totals = sizes.sum(axis=1).tolist()
    units = packed_count(totals, recipe.max_length) if packed else len(train)
    schedule = _schedule(recipe, units)
    shape = estimate.shape_of(models.base_path(base_model), recipe)
    if not shape.trained:
        raise PlanError(
            f"no module of {base_model} is called {recipe.targets}: name modules that it has, or "
            f"write targets: all."
        )
    tokens, answers = int(sizes.to_numpy().sum()), int(sizes["completion"].sum())
    return Plan(
        base_model=base_model,
        form=form,
        with_facts=with_facts,
        recipe=recipe,
        rows=len(train),
        val_rows=len(val),
        tokens=tokens,
        trained_tokens=answers,
        longest=int(sizes.sum(axis=1).max()),
        sequences=units,
        **schedule,
        dtype=dtype,
        dtype_reason=reason,
        packing=packed,
        packing_reason=why,
        parameters=shape.parameters,
        trainable=shape.trained,
        memory_gb=_memory(shape, recipe, dtype, sizes),
        minutes=_minutes(shape, recipe, dtype, sizes, watched, schedule | {"units": units}),
    )


# --------------------------------------------------------------------------- the schedule


def _schedule(recipe: Recipe, count: int) -> dict[str, int]:
    a_step = recipe.batch * recipe.accumulation
    steps = min(max(int(math.ceil(count / a_step) * recipe.epochs), 1), recipe.max_steps or 10**9)
    warmup = round(recipe.warmup * steps) if recipe.warmup < 1 else round(recipe.warmup)
    if warmup >= steps:
        raise PlanError(
            f"a warm-up of {warmup} steps never ends in {steps} ({count} rows, {a_step} a step, "
            f"{recipe.epochs:g} epochs): give a share such as warmup: 0.05, or more data or epochs."
        )
    eval_steps = recipe.eval_steps or steps // max(recipe.evaluations, 1)
    evaluations = steps // eval_steps if eval_steps else 0
    if evaluations < MIN_EVALUATIONS:
        asked = f"one every {eval_steps}" if recipe.eval_steps else f"{recipe.evaluations}"
        raise PlanError(
            f"{steps} steps with evaluations: {asked}, are {evaluations} evaluations; expected at "
            f"least {MIN_EVALUATIONS}, or the best checkpoint cannot be told: set evaluations to "
            f"{MIN_EVALUATIONS} or more and eval_steps to 0, or use more data or epochs, or a "
            f"smaller batch."
        )
    return {
        "steps": eval_steps * evaluations,
        "warmup_steps": max(1, warmup) if recipe.warmup else 0,
        "eval_steps": eval_steps,
        "evaluations": evaluations,
    }


# --------------------------------------------------------------------------- the machine


def _precision(recipe: Recipe) -> tuple[str, str]:
    """The precision of the frozen base and why; what cannot be had here is refused."""
    import torch

    on_gpu = torch.cuda.is_available()
    if recipe.needs_gpu and not on_gpu:
        raise PlanError(
            "the recipe needs a GPU and there is none here: take the cpu profile, start a machine "
            "with a GPU, or set needs_gpu to false and wait."
        )
    dtype, reason = models.training_dtype()
    if recipe.dtype in ("auto", dtype):
        return dtype, reason
    if recipe.dtype == "float16" and not on_gpu:
        raise PlanError("float16 cannot be trained in on a CPU: set dtype to auto.")
    if recipe.dtype == "bfloat16":
        raise PlanError(
            f"the recipe asks for bfloat16, but {reason}: set dtype to auto, which takes {dtype}."
        )
    return recipe.dtype, "as the recipe says"


def _packing(recipe: Recipe) -> tuple[bool, str]:
    import torch

    if recipe.packing == "off":
        return False, "as the recipe says"
    settings, reason = packing_settings(ATTENTION, bool(torch.cuda.is_available()))
    return bool(settings["packing"]), reason


def _memory(shape: estimate.Shape, recipe: Recipe, dtype: str, sizes: pd.DataFrame) -> float:
    largest = sizes.sum(axis=1).nlargest(recipe.batch)
    needed = estimate.memory_gb(
        shape,
        recipe,
        dtype,
        tokens=int(largest.max()) * recipe.batch,
        answers=int(sizes["completion"].nlargest(recipe.batch).sum()),
        checkpointing=estimate.gradient_checkpointing(shape),
    )
    free = estimate.free_gb()
    if free is not None and needed > free:
        raise PlanError(
            f"training needs about {needed:.1f} GB and {free:.1f} GB are free: halve the batch "
            f"and double the accumulation, set four_bit, or take a smaller base."
        )
    return round(needed, 2)


def _minutes(
    shape: estimate.Shape,
    recipe: Recipe,
    dtype: str,
    sizes: pd.DataFrame,
    watched: pd.DataFrame,
    schedule: Mapping[str, int],
) -> float:
    passes = (
        schedule["steps"] * recipe.batch * recipe.accumulation / schedule["units"] * recipe.seeds
    )
    found = estimate.minutes(
        shape,
        recipe,
        dtype,
        tokens=int(sizes.to_numpy().sum() * passes),
        answers=int(sizes["completion"].sum() * passes),
        watched=int(watched.to_numpy().sum()) * (schedule["evaluations"] + 1) * recipe.seeds,
    )
    return round(found, 2)
