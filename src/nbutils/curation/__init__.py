"""Which reports are worth training on, why the others are not, and which belong together."""

from .measuring import read_labels, score
from .pairs import curate
from .screening import REASONS, by_reason, screen
from .splits import assign, families, split

__all__ = [
    "REASONS",
    "assign",
    "by_reason",
    "curate",
    "families",
    "read_labels",
    "score",
    "screen",
    "split",
]
