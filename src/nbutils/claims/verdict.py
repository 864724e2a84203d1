"""What the verifier returns: one claim per number, one verdict per text."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

VERDICTS = (
    "supported",
    "contradicted",
    "unsupported",
    "unit_confusion",
    "proposal",
    "unchecked",
)
KINDS = (
    "level",
    "count",
    "money",
    "relative change",
    "point change",
    "ratio",
    "duration",
    "share",
    "statistic",
    "regression",
)
WRONG = ("contradicted", "unsupported", "unit_confusion")


@dataclass(frozen=True, slots=True)
class Claim:
    """One number of a text and what the input says of it.

    Attributes
    ----------
    start, end : int
        Character offsets in the output text; ``output[start:end] == text``.
    text : str
        The number with its unit, as printed.
    verdict : str
        One of `VERDICTS`.
    kind : str
        One of `KINDS`.
    derivation : str
        How the number follows from the input, or what was expected instead.
    """

    start: int
    end: int
    text: str
    verdict: str
    kind: str
    derivation: str = ""

    def to_dict(self) -> dict[str, Any]:
        """The claim as a JSON object."""
        return asdict(self)


@dataclass(frozen=True)
class Verdict:
    """All claims of one text.

    Attributes
    ----------
    claims : list of Claim
        In the order of the text.
    """

    claims: list[Claim]

    def count(self, *verdicts: str) -> int:
        """How many claims received one of the given verdicts."""
        return sum(claim.verdict in verdicts for claim in self.claims)

    @property
    def precision(self) -> float | None:
        """Share of the definite verdicts that are "supported"; None if there is none."""
        decided = self.count("supported", *WRONG)
        return self.count("supported") / decided if decided else None

    @property
    def coverage(self) -> float | None:
        """Share of the numbers that are not proposals with a definite verdict; None if none."""
        stated = len(self.claims) - self.count("proposal")
        return self.count("supported", *WRONG) / stated if stated else None

    @property
    def faithful(self) -> bool:
        """Whether at least one number was supported and none was found wrong.

        A text without a single supported number is not faithful, however blameless: it has
        shown nothing. Proposals and unchecked numbers neither help nor harm.
        """
        return self.count("supported") > 0 and self.count(*WRONG) == 0

    def to_dict(self) -> dict[str, Any]:
        """The verdict as a JSON object: precision, coverage, faithful and the claims."""
        return {
            "precision": self.precision,
            "coverage": self.coverage,
            "faithful": self.faithful,
            "claims": [claim.to_dict() for claim in self.claims],
        }
