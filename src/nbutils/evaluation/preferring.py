"""A language model's choice between two systems' answers, asked in both orders."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from nbutils import models, stats
from nbutils.errors import UserError
from nbutils.models.paid import Progress

from .judge_calls import ask, pair_request, told
from .rating import Answers, item_of

VERDICTS = ["id", "candidate_first", "baseline_first", "consistent"]


@dataclass(frozen=True)
class Preferred:
    """Which of two systems' answers a judge preferred, asked in both orders.

    Attributes
    ----------
    candidate, baseline : str
        The systems.
    verdicts : DataFrame
        One row a case with both verdicts: ``id``, ``candidate_first`` and ``baseline_first``
        (``"candidate"`` or ``"baseline"``: which was preferred in that order), ``consistent``.
    lost : DataFrame
        Questions without a verdict: ``id``, ``status``, ``error``.
    asked, same : int
        Cases asked about, and cases on which both systems wrote the same text.
    stopped, spent, notes
        As in `Judged`.
    """

    candidate: str
    baseline: str
    verdicts: pd.DataFrame
    lost: pd.DataFrame
    asked: int
    same: int
    stopped: str = ""
    spent: float = 0.0
    notes: tuple[str, ...] = ()

    @property
    def consistent(self) -> stats.Estimate:
        """Share of cases with one and the same preference in both orders."""
        return stats.wilson(int(self.verdicts["consistent"].sum()), len(self.verdicts))

    @property
    def wins(self) -> stats.Estimate:
        """Share of the consistent verdicts that are for the candidate."""
        sure = self.verdicts[self.verdicts["consistent"].astype(bool)]
        return stats.wilson(int((sure["candidate_first"] == "candidate").sum()), len(sure))

    @property
    def first(self) -> stats.Estimate:
        """Share of verdicts for the answer shown first, resampled by case; 0.5 is no leaning."""
        hits = (self.verdicts["candidate_first"] == "candidate").astype(int)
        hits = hits + (self.verdicts["baseline_first"] == "baseline")
        return stats.ratio(hits.to_numpy(float), [2.0] * len(hits))

    @property
    def said(self) -> str:
        """The verdicts in one or more sentences for readers."""
        sure, wins = self.consistent, self.wins
        if not sure.n:
            parts = ["The judge has compared no pair of answers."]
        else:
            parts = [
                f"{sure.n} of {self.asked} pairs compared; the judge holds to its preference when "
                f"the order is swapped in {round((sure.value or 0) * sure.n)} of them, and prefers "
                f"{self.candidate} in {round((wins.value or 0) * wins.n)} of those. That is a "
                f"model's preference, not usefulness."
            ]
        parts += [f"{self.same} pairs have the same text and were not asked."] if self.same else []
        return " ".join([*parts, *told(self.lost, self.stopped, self.notes)])


def prefer(
    answers: Answers,
    candidate: str,
    baseline: str,
    service: models.Service,
    budget: models.Budget,
    *,
    cache: Path,
    attempts: Path,
    progress: Progress | None = None,
) -> Preferred:
    """Have a model choose between two systems' answers to each case, in both orders.

    Parameters
    ----------
    answers : mapping
        As in `judge`.
    candidate, baseline : str
        Two systems of ``answers``; cases that both answered, with different texts, are asked.
    service, budget, cache, attempts, progress
        As in `judge`.

    Returns
    -------
    Preferred

    Raises
    ------
    UserError
        If there is no such system, or a setting of the service or budget is wrong.
    """
    pairs = _pairs(answers, candidate, baseline)
    different = {k: (c, b) for k, (c, b) in pairs.items() if item_of(c) != item_of(b)}
    requests = [
        pair_request(f"{k} {order}", *shown)
        for k, (c, b) in different.items()
        for order, shown in (("candidate_first", (c, b)), ("baseline_first", (b, c)))
    ]
    asked = ask(requests, service, budget, cache, attempts, progress)
    chosen = {r.id: (r.parsed or {})["better"] for r in asked.good}
    verdicts = [_verdict(k, chosen) for k in different]
    frame = pd.DataFrame([v for v in verdicts if v], columns=VERDICTS)
    same = len(pairs) - len(different)
    return Preferred(candidate, baseline, frame, asked.lost, len(different), same, *asked.ended)


def _pairs(
    answers: Answers, candidate: str, baseline: str
) -> dict[str, tuple[Mapping[str, Any], Mapping[str, Any]]]:
    """Case to both answers, where both have a text."""
    for system in (candidate, baseline):
        if system not in answers:
            raise UserError(
                f"there is no system '{system}' among the answers; expected one of "
                f"{', '.join(answers)}: correct the name."
            )
    others = {row["id"]: row for row in answers[baseline] if row["output"].strip()}
    mine = [row for row in answers[candidate] if row["output"].strip()]
    return {str(row["id"]): (row, others[row["id"]]) for row in mine if row["id"] in others}


def _verdict(case: str, chosen: Mapping[str, str]) -> dict[str, Any] | None:
    """Which answer was preferred in each order; None unless both orders have a verdict."""
    one, two = chosen.get(f"{case} candidate_first"), chosen.get(f"{case} baseline_first")
    if one is None or two is None:
        return None
    first = "candidate" if one == "A" else "baseline"
    second = "baseline" if two == "A" else "candidate"
    row = {"id": case, "candidate_first": first, "baseline_first": second}
    return {**row, "consistent": first == second}
