"""A number on its way to a verdict."""

from __future__ import annotations

from dataclasses import dataclass, field

from nbutils.claims.context import Sentence
from nbutils.claims.grammar import Span
from nbutils.claims.pairs import Pair
from nbutils.claims.source import Operand

# a sentence with more numbers than this is no prose: its levels are read, nothing else is bound
CROWDED = 60


@dataclass(slots=True)
class Work:
    """A number on its way to a verdict."""

    span: Span
    sentence: Sentence
    kind: str = ""
    verdict: str = ""
    derivation: str = ""
    operand: Operand | None = None
    pair: Pair | None = None
    by: float = 0.0
    paced: bool | None = None
    says_change: bool | None = None
    memo: dict[str, list[Pair]] = field(default_factory=dict)

    def settle(self, verdict: str, kind: str, derivation: str) -> bool:
        """Write down a verdict; returns True so that callers can stop."""
        self.verdict, self.kind, self.derivation = verdict, kind, derivation
        return True
