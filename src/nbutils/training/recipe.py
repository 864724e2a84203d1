"""The knobs of a training run, each with its trade-off."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from nbutils.errors import UserError

SCHEDULES = ("cosine", "linear", "constant")
DTYPES = ("auto", "bfloat16", "float16", "float32")
ALL_LINEAR = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")


class PlanError(UserError):
    """A training plan or data that cannot work; the message says why and what to change."""


@dataclass(frozen=True)
class Recipe:
    """What can be chosen; what follows from it and from the data is the `Plan`.

    Attributes
    ----------
    epochs : float
        Passes over the data: more fits better until the validation loss turns.
    max_steps : int
        Stop after so many optimiser steps; 0: as many as the epochs take.
    batch, accumulation : int
        Rows at a time, and times before a step: larger batches are steadier and take more memory,
        accumulation is steadier without the memory and no faster.
    learning_rate : float
        Peak rate: high learns fast and forgets more; LoRA bears ten times that of full training.
    schedule : str
        ``"cosine"``, ``"linear"`` or ``"constant"`` after warm-up: the first two end gently.
    warmup : float
        Below 1 a share of the steps, from 1 on steps: longer is safer at high rates.
    weight_decay, max_grad_norm : float
        Pull of the weights towards 0; longest gradient (0: any): both tame, both slow.
    rank, alpha : int
        Size of the adapter, and its scale (alpha / rank multiplies it): larger holds more and
        overfits sooner.
    dropout : float
        Share of the adapter's inputs that are dropped: against overfitting, costs a fifth of the
        speed on a CPU.
    targets : str
        Layers' modules with an adapter, ``"all"`` linear ones or names such as
        ``"q_proj, v_proj"``: fewer is faster and learns less.
    layers : int
        Only so many of the top layers (0: all): what lies below needs no backward pass.
    rslora : bool
        Scale by the root of the rank (Kalajdzievski 2023): for ranks of 64 and more.
    dora : bool
        Learn direction and length apart (Liu et al. 2024): a little better at low ranks, slower.
    lora_plus : float
        Rate of B as a multiple of that of A (Hayou et al. 2024; 16 is usual, 0: off): converges
        faster, less stable.
    full : bool
        Train all weights instead of an adapter: for comparison, and for small models only.
    four_bit : bool
        QLoRA: the frozen base in NF4, a quarter of its memory, slower.
    dtype : str
        Precision of the frozen base; ``"auto"`` takes what is fast on this machine.
    packing : str
        Several rows in one sequence, ``"auto"``: on a GPU, where the attention keeps them apart,
        the largest single gain in speed; or ``"off"``.
    needs_gpu : bool
        Refuse to start without one: a large base on a CPU takes days.
    evaluations : int
        How often the validation loss is taken, evenly spread, at least three times.
    eval_steps : int
        The same in steps; 0: from ``evaluations``.
    patience : int
        Stop after so many evaluations without a better one; 0: never.
    max_length : int
        Longest row in tokens; a longer one is refused, never cut.
    seed, seeds : int
        Seed of order and initialisation; how many seeds are trained to see the spread (the first
        one's adapter is used).
    report_to : str
        Other trackers of transformers beside the run's own records, ``"none"`` or
        ``"tensorboard"``.
    """

    epochs: float = 1.0
    max_steps: int = 0
    batch: int = 4
    accumulation: int = 1
    learning_rate: float = 1e-3
    schedule: str = "cosine"
    warmup: float = 0.05
    weight_decay: float = 0.0
    max_grad_norm: float = 1.0
    rank: int = 16
    alpha: int = 32
    dropout: float = 0.0
    targets: str = "all"
    layers: int = 0
    rslora: bool = False
    dora: bool = False
    lora_plus: float = 0.0
    full: bool = False
    four_bit: bool = False
    dtype: str = "auto"
    packing: str = "auto"
    needs_gpu: bool = False
    evaluations: int = 4
    eval_steps: int = 0
    patience: int = 0
    max_length: int = 1024
    seed: int = 0
    seeds: int = 1
    report_to: str = "none"

    @property
    def modules(self) -> list[str]:
        """Names of the modules that get an adapter."""
        if self.targets == "all":
            return list(ALL_LINEAR)
        return [name.strip() for name in self.targets.split(",") if name.strip()]

    @classmethod
    def make(cls, knobs: Mapping[str, Any]) -> Recipe:
        """Build from names and values; see `check` for the errors.

        Raises
        ------
        PlanError
            If a name is no knob, or a value is of another kind or outside its range.

        Examples
        --------
        >>> Recipe.make({"rank": 8, "epochs": 3}).epochs
        3.0
        """
        kinds = {f.name: type(f.default) for f in fields(cls)}
        given = {}
        for name, value in knobs.items():
            if name not in kinds:
                raise PlanError(
                    f"the recipe has no knob '{name}'; expected one of {', '.join(kinds)}."
                )
            given[name] = _of_kind(name, value, kinds[name])
        recipe = cls(**given)
        _check(recipe)
        return recipe


def _of_kind(name: str, value: Any, kind: Any) -> Any:
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        value = float(value)
    # a boolean is a whole number to Python, not to the writer of a profile
    if type(value) is not kind or (kind is float and not math.isfinite(value)):
        raise PlanError(
            f"the recipe's {name} is {value!r}; expected {kind.__name__}: YAML needs a point and a "
            f"sign in 2.0e-4, and true or false for a switch."
        )
    return value


def _check(recipe: Recipe) -> None:
    positive = ("epochs", "batch", "accumulation", "learning_rate", "rank", "alpha", "max_length")
    for name in (*positive, "seeds"):
        if not getattr(recipe, name) > 0:
            raise PlanError(f"the recipe's {name} is {getattr(recipe, name)}; expected above 0.")
    for name in ("max_steps", "warmup", "weight_decay", "max_grad_norm", "dropout", "layers"):
        if getattr(recipe, name) < 0:
            raise PlanError(f"the recipe's {name} is {getattr(recipe, name)}; expected 0 or more.")
    choices = {"schedule": SCHEDULES, "dtype": DTYPES, "packing": ("auto", "off")}
    for name, known in choices.items():
        if getattr(recipe, name) not in known:
            raise PlanError(
                f"the recipe's {name} is '{getattr(recipe, name)}'; expected one of "
                f"{', '.join(known)}."
            )
    if recipe.dropout >= 1:
        raise PlanError(f"the recipe's dropout is {recipe.dropout}; expected below 1.")
    if recipe.full and (recipe.four_bit or recipe.dora or recipe.layers or recipe.lora_plus):
        raise PlanError(
            "the recipe trains all weights (full), which excludes four_bit, dora, layers and "
            "lora_plus: drop these, or train an adapter."
        )
