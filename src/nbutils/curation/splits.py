"""What belongs together stays on one side of the split."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from nbutils import stats
from nbutils.examples import Example, find_alike

ALIKE = 0.8


def assign(examples: Sequence[Example], val_share: float, *, seed: int = 0) -> list[Example]:
    """Note family and side (``"train"`` or ``"val"``) in each example's ``meta``."""
    family = families(examples)
    sides = split(family, val_share, seed=seed)
    return [
        replace(e, meta={**e.meta, "family": f, "side": s})
        for e, f, s in zip(examples, family, sides, strict=True)
    ]


def families(examples: Sequence[Example]) -> list[int]:
    """Family number of every example: cases equal but for their numbers belong together."""
    return stats.family_labels(find_alike([e.input for e in examples], ALIKE), len(examples))


def split(family: Sequence[int], val_share: float, *, seed: int = 0) -> list[str]:
    """``"train"`` or ``"val"`` for every example; a family is never divided."""
    names = sorted(set(family))
    sizes = {f: list(family).count(f) for f in names}
    rng = np.random.default_rng(seed)
    wanted, taken, val = val_share * len(family), 0, set()
    for name in rng.permutation(names).tolist():
        if taken < wanted:
            val.add(name)
            taken += sizes[name]
    return ["val" if f in val else "train" for f in family]
