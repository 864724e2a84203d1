"""Systems on the same held-out cases: format, numbers, judgement, comparisons, and a gate."""

from .comparing import (
    MEASURES,
    Measure,
    claim_rows,
    compare,
    headline,
    pick_examples,
    prediction_rows,
    scores,
    summarize,
    wide,
)
from .form import check_format
from .gating import gate
from .rating import usefulness
from .scoring import score
from .systems import answer, choose_shots, shot_sets

__all__ = [
    "MEASURES",
    "Measure",
    "answer",
    "check_format",
    "choose_shots",
    "claim_rows",
    "compare",
    "gate",
    "headline",
    "pick_examples",
    "prediction_rows",
    "score",
    "scores",
    "shot_sets",
    "summarize",
    "usefulness",
    "wide",
]
