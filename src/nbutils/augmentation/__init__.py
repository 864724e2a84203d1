"""Generated candidates: asked for, checked by code, decided by people.

`asking` says what is asked of the teacher, `proposing` asks it, `checking` holds every answer
against the gates, `variety` measures whether they add anything, `decided` leaves what reviewers
approved.
"""

from .asking import asked_for
from .checking import by_gate, gate
from .decided import (
    approved,
    candidate_rows,
    composition,
    flaws_caught,
    read_labels,
    require_review,
    review_counts,
)
from .proposing import Proposed, Teacher, propose, teacher
from .variety import diversity

__all__ = [
    "Proposed",
    "Teacher",
    "approved",
    "asked_for",
    "by_gate",
    "candidate_rows",
    "composition",
    "diversity",
    "flaws_caught",
    "gate",
    "propose",
    "read_labels",
    "require_review",
    "review_counts",
    "teacher",
]
