"""What retrieval puts in a prompt: past cases like the new one, and the terms that it uses."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from nbutils.examples import Example

_WORD = re.compile(r"[a-z][a-z-]+")
_K1, _B = 1.5, 0.75
_GOOD = {"up": ", higher is better", "down": ", lower is better"}


class Index:
    """Past examples ranked by BM25 (Robertson and Zaragoza 2009) over the words of their cases.

    Numbers are left out: what is alike is the metric, the context and what was changed, and the
    facts compute the numbers anew.

    Parameters
    ----------
    pool : sequence of Example
        The examples to be found; of the training side only.
    """

    def __init__(self, pool: Sequence[Example]) -> None:
        self.pool = list(pool)
        counts = [Counter(_words(e)) for e in self.pool]
        lengths = np.array([c.total() for c in counts], dtype=float)
        seen = Counter(word for c in counts for word in c)
        share = lengths / max(lengths.mean(), 1.0) if len(lengths) else lengths
        self._weights: dict[str, list[tuple[int, float]]] = {word: [] for word in seen}
        for place, found in enumerate(counts):
            damp = _K1 * (1 - _B + _B * share[place])
            for word, n in found.items():
                rare = math.log(1 + (len(counts) - seen[word] + 0.5) / (seen[word] + 0.5))
                self._weights[word].append((place, rare * n * (_K1 + 1) / (n + damp)))

    def nearest(self, example: Example, k: int) -> list[Example]:
        """The k examples that are most like one, the most alike first; of equals the earlier."""
        scores = np.zeros(len(self.pool))
        for word in set(_words(example)):
            for place, weight in self._weights.get(word, ()):
                scores[place] += weight
        order = np.argsort(-scores, kind="stable")[:k]
        return [self.pool[i] for i in order if scores[i] > 0]


def terms(example: Example, glossary: Mapping[str, Mapping[str, Any]], most: int = 3) -> list[str]:
    """Glossary entries of the terms that a case uses, in the order of the glossary.

    Examples
    --------
    >>> case = Example("a", "Why?", "Metric: CAC per channel")
    >>> terms(case, {"cac": {"name": "customer acquisition cost", "direction": "down"}})
    ['CAC: customer acquisition cost, lower is better']
    """
    found = []
    for term, entry in glossary.items():
        match = re.search(rf"(?<!\w){re.escape(term)}(?!\w)", example.input, re.IGNORECASE)
        meaning = entry.get("name") or entry.get("definition") or entry.get("meaning")
        if match and meaning:
            found.append(f"{match[0]}: {meaning}{_GOOD.get(str(entry.get('direction')), '')}")
    return found[:most]


def _words(example: Example) -> list[str]:
    return _WORD.findall(example.input.lower())
