"""Which texts are alike but for their numbers."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Hashable, Iterator, Sequence
from itertools import chain
from math import ceil

_DIGITS = re.compile(r"\d[\d.,]*")


def masked_words(text: str) -> list[str]:
    """The words of a text in lower case, with ``#`` for every number."""
    return re.findall(r"[a-z#]+", _DIGITS.sub(" # ", text.lower()))


def shingles(text: str, size: int = 4) -> frozenset[str]:
    """Word shingles of a text with its numbers masked: what is alike but for figures is equal."""
    words = masked_words(text)
    return frozenset(" ".join(words[i : i + size]) for i in range(max(len(words) - size + 1, 1)))


def jaccard(a: frozenset[str], b: frozenset[str]) -> float:
    """Shared shingles as a share of all shingles of both."""
    shared = len(a & b)
    return shared / (len(a) + len(b) - shared) if a or b else 1.0


def find_alike(texts: Sequence[str], threshold: float) -> list[list[int]]:
    """Pairs of indices whose masked shingles overlap by at least ``threshold``, in order."""
    sets = [shingles(t) for t in texts]
    return [[i, j] for i, j in alike_sets(sets, sets, threshold) if i < j]


def alike_sets(
    ours: Sequence[frozenset[str]], theirs: Sequence[frozenset[str]], threshold: float
) -> Iterator[tuple[int, int]]:
    """Pairs of positions whose sets have a `jaccard` of at least ``threshold``, in order.

    Only sets that share one of their rarest elements can be as alike as the threshold, so only
    those are compared: the prefix filter of Chaudhuri, Ganti and Kaushik (2006, "A primitive
    operator for similarity joins in data cleaning"). It misses nothing.
    """
    counts = Counter(chain.from_iterable((*ours, *theirs)))
    rank = {s: k for k, s in enumerate(sorted(counts, key=counts.__getitem__))}

    def rarest(found: frozenset[str]) -> list[int]:
        # two sets that overlap by the threshold share one of these many rarest elements
        size = len(found) - ceil(threshold * len(found) - 1e-9) + 1
        return sorted(map(rank.__getitem__, found))[:size]

    keys = [rarest(found) for found in ours]
    others = keys if theirs is ours else [rarest(found) for found in theirs]
    for i, j in sorted(set(in_common(keys, others))):
        if jaccard(ours[i], theirs[j]) >= threshold:
            yield i, j


def in_common(
    ours: Sequence[Sequence[Hashable]], theirs: Sequence[Sequence[Hashable]]
) -> Iterator[tuple[int, int]]:
    """Pairs of positions that have a key in common, one for each such key."""
    holders: dict[Hashable, list[int]] = {}
    for j, keys in enumerate(theirs):
        for key in keys:
            holders.setdefault(key, []).append(j)
    for i, keys in enumerate(ours):
        yield from ((i, j) for key in keys for j in holders.get(key, ()))
