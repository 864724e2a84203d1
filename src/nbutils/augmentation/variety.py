"""How much generated candidates repeat themselves, beside the examples they were made from."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Sequence
from itertools import chain, pairwise

import numpy as np
import pandas as pd

from nbutils.balance import pattern
from nbutils.examples import Example, facts_of, masked_words, parse_answer, shingles

OPENING, DRAWS, LARGEST = 5, 200, 1000


def diversity(candidates: Sequence[Example], others: Sequence[Example]) -> pd.DataFrame:
    """How varied the candidates are beside the examples they were made from.

    Parameters
    ----------
    candidates, others : sequence of Example
        Generated ones, and their parents.

    Returns
    -------
    DataFrame
        ``metric``, ``group`` (``"parents"`` or ``"candidates"``), ``value``, ``low``, ``high``
        (all None for an empty group) and ``n``, the examples of the group. The metrics are

        - ``distinct word pairs``: of the answers with numbers masked, as a share of all their word
          pairs (distinct-2 of Li et al. 2016, "A diversity-promoting objective function for neural
          conversation models"),
        - ``distinct openings``: of the first five words of the analyses, as a share of them,
        - ``likeness to the nearest``: of each example to the one most like it, by the shingles
          that the gate goes by, on average (0 to 1),
        - ``different metrics``: names in the cases,
        - ``different patterns``: of the series, as `balance.pattern` reads them.

    Notes
    -----
    A large set repeats itself more than a small one, so both are measured at one size: half as
    many examples as the smaller group has, drawn 200 times (rarefaction; Hurlbert 1971). ``value``
    is the middle one of the draws, and 95 in 100 of them lie from ``low`` to ``high``. Of a group
    of more than 1,000 a drawn thousand is looked at.
    """
    groups = {"parents": others, "candidates": candidates}
    size = max(min([LARGEST, *(len(g) for g in groups.values() if g)]) // 2, 1)
    rows: list[tuple[str, str, float | None, float | None, float | None, int]] = []
    for name, examples in groups.items():
        for metric, values in _draws(examples, size).items():
            if not examples:
                rows.append((metric, name, None, None, None, 0))
                continue
            low, value, high = np.quantile(values, [0.025, 0.5, 0.975]).tolist()
            rows.append((metric, name, value, low, high, len(examples)))
    return pd.DataFrame(rows, columns=["metric", "group", "value", "low", "high", "n"])


def _draws(examples: Sequence[Example], size: int) -> dict[str, list[float]]:
    """Each metric of so many examples, as often as they are drawn."""
    rng = np.random.default_rng(0)
    looked_at = [examples[i] for i in rng.permutation(len(examples))[:LARGEST]]
    measures = _measures(looked_at)
    draws = [rng.permutation(len(looked_at))[:size] for _ in range(DRAWS)] if examples else []
    return {name: [measure(draw) for draw in draws] for name, measure in measures.items()}


def _measures(examples: Sequence[Example]) -> dict[str, Callable[[np.ndarray], float]]:
    """The metrics by name, each to be asked for some of the examples by their positions."""
    answers = [masked_words(e.output) for e in examples]
    analyses = [masked_words(parse_answer(e.output).analysis) for e in examples]
    known = [facts_of(e.input) for e in examples]
    pairs = _Counted([list(pairwise(words)) for words in answers])
    openings = _Counted([[tuple(words[:OPENING])] for words in analyses])
    metrics = _Counted([[f.case.metric.lower()] if f else [] for f in known])
    patterns = _Counted([[pattern(f)] if f else [] for f in known])
    nearest = _likeness([f"{e.input}\n{e.output}" for e in examples])
    return {
        "distinct word pairs": pairs.share,
        "distinct openings": openings.share,
        "likeness to the nearest": lambda draw: nearest[np.ix_(draw, draw)].max(axis=1).mean(),
        "different metrics": metrics.different,
        "different patterns": patterns.different,
    }


class _Counted:
    """The things that each example has some of, as numbers."""

    def __init__(self, things: Sequence[Sequence[Hashable]]) -> None:
        seen: dict[Hashable, int] = {}
        self._of = [np.array([seen.setdefault(t, len(seen)) for t in own], int) for own in things]

    def different(self, draw: np.ndarray) -> int:
        return len(np.unique(np.concatenate([self._of[i] for i in draw])))

    def share(self, draw: np.ndarray) -> float:
        return self.different(draw) / max(sum(len(self._of[i]) for i in draw), 1)


def _likeness(texts: Sequence[str]) -> np.ndarray:
    """The `jaccard` of the shingles of any two texts; 0 of a text and itself."""
    sets = [shingles(text) for text in texts]
    counts = Counter(chain.from_iterable(sets))
    column = {s: k for k, s in enumerate(s for s, n in counts.items() if n > 1)}
    table = np.zeros((len(sets), len(column)), np.float32)
    for row, found in zip(table, sets, strict=True):
        row[[column[s] for s in found if s in column]] = 1
    shared = table @ table.T
    sizes = np.array([len(found) for found in sets])
    likeness = shared / (sizes[:, None] + sizes - shared)
    np.fill_diagonal(likeness, 0)
    return likeness
