"""What a report or a generated example must pass, whoever wrote it."""

from .actions import commitment, weakness
from .conflicts import conflicts
from .duplicates import near_duplicates
from .faults import MAX_WORDS, REFUTED, first_fault, told_wrong_way
from .jargon import own_names, unknown_terms

__all__ = [
    "MAX_WORDS",
    "REFUTED",
    "commitment",
    "conflicts",
    "first_fault",
    "near_duplicates",
    "own_names",
    "told_wrong_way",
    "unknown_terms",
    "weakness",
]
