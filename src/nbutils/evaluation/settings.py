"""What a user may set of the evaluation, checked before an answer is computed."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from nbutils.errors import UserError
from nbutils.models import Budget, Service

from .comparing import MEASURES
from .gating import USEFULNESS

# what the published recipe asks of format, facts and people's rating
PUBLISHED = {"house_form": 0.96, "numbers_right": 0.91, USEFULNESS: 4.3}
SIZES = {
    "prompt_cases": 4,
    "shots": "1,2",
    "other_cases": 24,
    "probes": 60,
    "controls": 12,
    "general": 120,
    "best_of": 3,
}
COSTS = {"machine_hour": 0.10, "review_hour": 60.0, "review_hours": 0.0}
ENDPOINT = ("model", "base_url", "prices", "dollars", "calls", "judge")


@dataclass(frozen=True)
class Settings:
    """The settings of an evaluation; made by `settings`.

    Attributes
    ----------
    prompt_cases : int
        Validation cases on which the prompt is chosen.
    shots : tuple of int
        How many examples the few-shot prompts may show.
    other_cases : int
        Held-out cases for systems beside the main three (retrieval, without facts).
    probes, controls : int
        Adversarial probes asked, and held-out cases asked without or with other data.
    general : int
        General questions, and as many everyday texts at most.
    best_of : int
        Answers at most for the best of n.
    limits : dict
        Least values of the gate by measure.
    explore : bool
        Whether the run may go on although the gate is not passed.
    costs : dict
        ``machine_hour`` (dollars for an hour of the machine that trains and answers; 0.10 is about
        what two cores with 24 GB rent for), ``review_hour`` (dollars for an hour of a person) and
        ``review_hours`` (hours of curation and review behind the fine-tune).
    service : Service or None
        An endpoint to compare with, if one is named.
    budget : Budget or None
        What it may cost.
    judge : bool
        Whether the endpoint also rates answers.
    """

    prompt_cases: int
    shots: tuple[int, ...]
    other_cases: int
    probes: int
    controls: int
    general: int
    best_of: int
    limits: dict[str, float]
    explore: bool
    costs: dict[str, float]
    service: Service | None
    budget: Budget | None
    judge: bool


def settings(
    sizes: Mapping[str, Any],
    gate: Mapping[str, Any],
    costs: Mapping[str, Any],
    endpoint: Mapping[str, Any],
) -> Settings:
    """Check the notebook's settings and fill in what is not given.

    Parameters
    ----------
    sizes : mapping
        Any of ``prompt_cases``, ``shots`` (as in ``"1,2"``), ``other_cases``, ``probes``,
        ``controls``, ``general``, ``best_of``.
    gate : mapping
        A measure, or ``usefulness`` (people's mean rating, 0 to 5), to its least value, None for
        no limit; and ``explore``. The published limits hold where nothing is given.
    costs : mapping
        See `Settings`.
    endpoint : mapping
        Empty, or ``model`` with ``base_url``, ``prices`` (dollars per million tokens, in and out),
        ``dollars`` and ``calls`` (the budget) and ``judge``.

    Raises
    ------
    UserError
        If a name is unknown or a value out of range; the sentence names it.
    """
    _known("SIZES", sizes, SIZES)
    _known("COSTS", costs, COSTS)
    _known("ENDPOINT", endpoint, ENDPOINT)
    _known("GATE", gate, [*(m.name for m in MEASURES), USEFULNESS, "explore"])
    wanted = {**SIZES, **sizes}
    counts = {
        k: _count(k, v, least=1 if k == "best_of" else 0) for k, v in wanted.items() if k != "shots"
    }
    limits = {**PUBLISHED, **{k: v for k, v in gate.items() if k != "explore"}}
    service, budget = _service(endpoint)
    return Settings(
        **counts,
        shots=_shots(wanted["shots"]),
        limits={k: _limit(k, v) for k, v in limits.items() if v is not None},
        explore=_flag("GATE", "explore", gate),
        costs={k: _number("COSTS", k, v) for k, v in {**COSTS, **costs}.items()},
        service=service,
        budget=budget,
        judge=_flag("ENDPOINT", "judge", endpoint),
    )


def _flag(setting: str, name: str, given: Mapping[str, Any]) -> bool:
    value = given.get(name, False)
    if not isinstance(value, bool):
        raise UserError(f"{setting}: {name} is {value!r}; expected true or false.")
    return value


def _known(setting: str, given: Mapping[str, Any], names: Any) -> None:
    if unknown := [k for k in given if k not in names]:
        raise UserError(
            f"{setting} has '{unknown[0]}'; expected any of {', '.join(names)}: correct the name."
        )


def _count(name: str, value: Any, least: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise UserError(f"SIZES: {name} is {value!r}; expected a whole number from {least} on.")
    return value


def _shots(value: Any) -> tuple[int, ...]:
    parts = [p.strip() for p in str(value).split(",")]
    if not all(p.isdecimal() and int(p) > 0 for p in parts):
        raise UserError(f"SIZES: shots is {value!r}; expected numbers of examples like '1,2'.")
    return tuple(int(p) for p in parts)


def _limit(name: str, value: Any) -> float:
    top = 5 if name == USEFULNESS else 1
    if _number("GATE", name, value) > top:
        raise UserError(
            f"GATE: {name} is {value!r}; expected a number from 0 to {top}, or None for no limit."
        )
    return float(value)


def _number(setting: str, name: str, value: Any) -> float:
    plain = isinstance(value, int | float) and not isinstance(value, bool)
    if not plain or not (math.isfinite(value) and value >= 0):
        raise UserError(f"{setting}: {name} is {value!r}; expected a number of at least 0.")
    return float(value)


def _service(given: Mapping[str, Any]) -> tuple[Service | None, Budget | None]:
    if not given:
        return None, None
    if not given.get("model"):
        raise UserError("ENDPOINT names no model: add 'model', or leave ENDPOINT empty.")
    prices = given.get("prices")
    if prices is not None and not (isinstance(prices, list | tuple) and len(prices) == 2):
        raise UserError(
            f"ENDPOINT: prices is {prices!r}; expected two numbers, dollars per million tokens in "
            f"and out."
        )
    pair = None
    if prices is not None:
        pair = (_number("ENDPOINT", "prices", prices[0]), _number("ENDPOINT", "prices", prices[1]))
    dollars, calls = given.get("dollars", 1.0), given.get("calls", 500)
    budget = Budget(
        _number("ENDPOINT", "dollars", dollars), int(_number("ENDPOINT", "calls", calls))
    )
    return Service(str(given["model"]), str(given.get("base_url", "")), pair), budget
