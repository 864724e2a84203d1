"""Which reports are worth training on, why the others are not, and which belong together."""

from nbutils.balance import balance, describe, wanted
from nbutils.gates.conflicts import conflicts
from nbutils.gates.duplicates import near_duplicates

from .export import chat_rows, dataset_card, instruction_rows, write_dataset
from .measuring import confusion, read_labels, score, score_fields
from .pairs import check_forms, curate, from_rules, funnel
from .personal import find_personal, redact
from .queue import look_next
from .reading import read_reports
from .screening import REASONS, by_reason, contradictions, screen
from .splits import assign, decontaminate, families, held_out, overlaps, split
from .structure import Structured, fields, structure

__all__ = [
    "REASONS",
    "Structured",
    "assign",
    "balance",
    "by_reason",
    "chat_rows",
    "check_forms",
    "conflicts",
    "confusion",
    "contradictions",
    "curate",
    "dataset_card",
    "decontaminate",
    "describe",
    "families",
    "fields",
    "find_personal",
    "from_rules",
    "funnel",
    "held_out",
    "instruction_rows",
    "look_next",
    "near_duplicates",
    "overlaps",
    "read_labels",
    "read_reports",
    "redact",
    "score",
    "score_fields",
    "screen",
    "split",
    "structure",
    "wanted",
    "write_dataset",
]
