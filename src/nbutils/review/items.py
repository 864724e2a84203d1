"""What is reviewed: a candidate or an answer, known by the hash of its text."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from nbutils import claims
from nbutils.examples import CaseError, Example, parse_case

# verdict of a number to the class that the front end shows it with
_SHOWN = {"supported": "right", "proposal": "open", "unchecked": "open"}


@dataclass(frozen=True)
class Item:
    """One thing to decide on.

    Attributes
    ----------
    id : str
        What the run calls it; shown only where it betrays nothing.
    instruction, input, output : str
        The task, the case and the answer under review.
    about : tuple of str
        What a reviewer should know besides (``"asked for: step_down"``).
    views : tuple of dict
        In an adjudication: what the two reviewers decided, without their names.
    """

    id: str
    instruction: str
    input: str
    output: str
    about: tuple[str, ...] = ()
    views: tuple[Mapping[str, Any], ...] = ()

    @cached_property
    def hash(self) -> str:
        """16 hex digits of the text: a decision belongs to a text, not to a name."""
        return item_hash(self.instruction, self.input, self.output)

    @classmethod
    def from_example(cls, example: Example, about: Sequence[str] = ()) -> Item:
        """The item of a candidate."""
        return cls(example.id, example.instruction, example.input, example.output, tuple(about))

    def front(self) -> dict[str, Any]:
        """What the front end shows, with every number marked; a JSON object."""
        found = claims.verify(self.input, self.output).claims
        metric, values = _case(self.input)
        return {
            "item": self.hash,
            "id": self.id,
            "title": metric,
            "about": list(self.about),
            "instruction": self.instruction,
            "input": self.input,
            "output": self.output,
            "segments": _segments(self.output, found),
            "findings": [_finding(c) for c in found if c.verdict in claims.WRONG],
            "values": values,
            "views": [dict(view) for view in self.views],
        }


def item_hash(instruction: str, case: str, output: str) -> str:
    """16 hex digits of SHA-256 over the three texts."""
    text = json.dumps([instruction, case, output], ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _case(text: str) -> tuple[str, list[float | None]]:
    try:
        case = parse_case(text)
    except CaseError:
        return "", []
    return case.metric, list(case.values)


def _segments(text: str, found: Sequence[claims.Claim]) -> list[list[str]]:
    """The text cut into plain pieces and marked numbers: (piece, class, derivation)."""
    parts, done = [], 0
    for claim in found:
        if not done <= claim.start < claim.end <= len(text):
            continue
        if claim.start > done:
            parts.append([text[done : claim.start], "", ""])
        shown = _SHOWN.get(claim.verdict, "wrong")
        parts.append([text[claim.start : claim.end], shown, claim.derivation])
        done = claim.end
    return [*parts, [text[done:], "", ""]] if done < len(text) else parts


def _finding(claim: claims.Claim) -> str:
    what = "wrong unit, " if claim.verdict == "unit_confusion" else ""
    return f"{claim.text}: {what}{claim.derivation}"
