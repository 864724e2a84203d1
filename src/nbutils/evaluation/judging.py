"""A language model as judge, by the rubric that people rate by."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from nbutils import models
from nbutils.errors import UserError
from nbutils.models.paid import Progress

from .judge_calls import ask, rating_request, told
from .rating import Answers, distinct

READINGS = ["item", "id", "reading", "rating", "reason", "model"]


@dataclass(frozen=True)
class Judged:
    """What a judge said of the answers; no measure of usefulness until `calibrate` allows it.

    Attributes
    ----------
    readings : DataFrame
        One row a reading: ``item`` (hash of the text), ``id`` (of the case), ``reading`` (from
        1), ``rating`` (0 to 5), ``reason`` and ``model``.
    lost : DataFrame
        Readings that gave no rating: ``id``, ``status``, ``error``.
    asked, repeats : int
        Distinct answers, and readings of each.
    stopped : str
        Empty, or one sentence why not all readings were made.
    spent : float
        Dollars, of all sessions of the attempts log.
    notes : tuple of str
        See `nbutils.models.Outcome`.
    """

    readings: pd.DataFrame
    lost: pd.DataFrame
    asked: int
    repeats: int
    stopped: str = ""
    spent: float = 0.0
    notes: tuple[str, ...] = ()

    @property
    def n(self) -> int:
        """Answers with at least one reading."""
        return int(self.readings["item"].nunique())

    @property
    def said(self) -> str:
        """How many were judged, what was lost and why it stopped, for readers."""
        done = f"{self.n} of {self.asked} answers judged, {len(self.readings)} of "
        parts = [f"{done}{self.asked * self.repeats} readings."]
        return " ".join([*parts, *told(self.lost, self.stopped, self.notes)])


def judge(
    answers: Answers,
    service: models.Service,
    budget: models.Budget,
    *,
    cache: Path,
    attempts: Path,
    repeats: int = 2,
    progress: Progress | None = None,
) -> Judged:
    """Have a model rate each distinct answer by the rubric that people rate by.

    The judge sees task, case and answer as the people do, without the system's name. Each reading
    is a request of its own, so that the cache does not give the first one back for the second.

    Parameters
    ----------
    answers : mapping
        System to rows with ``id``, ``instruction``, ``input`` and ``output``; equal texts are
        read once, empty ones not at all.
    service, budget
        Whom to ask, and what it may cost; see `nbutils.models.ask_all`.
    cache, attempts : Path
        Folder of paid answers and log of calls: called again with the same, nothing is paid twice.
    repeats : int
        Independent readings of each answer.
    progress : callable, optional
        Called with (done, total, what, cost=..., estimate=...).

    Returns
    -------
    Judged
        If the service fails or the budget ends half way, what came back until then, and why.

    Raises
    ------
    UserError
        If ``repeats`` is below 1, or a setting of the service or budget is wrong.
    """
    if repeats < 1:
        raise UserError(f"repeats is {repeats}; expected 1 or more readings of each answer.")
    items = distinct(answers)
    # all answers once before any twice: a budget that ends early leaves no answer unread
    plan = {
        f"{row['id']} {item} {reading}": (item, row, reading)
        for reading in range(1, repeats + 1)
        for item, row in items.items()
    }
    requests = [rating_request(key, row, reading) for key, (_, row, reading) in plan.items()]
    asked = ask(requests, service, budget, cache, attempts, progress)
    readings = [
        {**(r.parsed or {}), "item": item, "id": row["id"], "reading": reading, "model": r.model}
        for r in asked.good
        for item, row, reading in [plan[r.id]]
    ]
    frame = pd.DataFrame(readings, columns=READINGS)
    return Judged(frame, asked.lost, len(items), repeats, *asked.ended)
