"""Which texts are alike but for their numbers."""

from __future__ import annotations

import re
from collections.abc import Sequence

_DIGITS = re.compile(r"\d[\d.,]*")


def shingles(text: str, size: int = 4) -> frozenset[str]:
    """Word shingles of a text with its numbers masked: what is alike but for figures is equal."""
    words = re.findall(r"[a-z#]+", _DIGITS.sub(" # ", text.lower()))
    return frozenset(" ".join(words[i : i + size]) for i in range(max(len(words) - size + 1, 1)))


def jaccard(a: frozenset[str], b: frozenset[str]) -> float:
    """Shared shingles as a share of all shingles of both."""
    return len(a & b) / len(a | b) if a or b else 1.0


def find_alike(texts: Sequence[str], threshold: float) -> list[list[int]]:
    """Pairs of indices whose masked shingles overlap by at least ``threshold``.

    Only pairs that share a shingle are compared, so unlike texts cost nothing.
    """
    sets = [shingles(t) for t in texts]
    holders: dict[str, list[int]] = {}
    for index, found in enumerate(sets):
        for shingle in found:
            holders.setdefault(shingle, []).append(index)
    shared: dict[tuple[int, int], int] = {}
    for indices in holders.values():
        for position, i in enumerate(indices):
            for j in indices[position + 1 :]:
                shared[i, j] = shared.get((i, j), 0) + 1
    return [
        [i, j]
        for (i, j), common in sorted(shared.items())
        if common / (len(sets[i]) + len(sets[j]) - common) >= threshold
    ]
