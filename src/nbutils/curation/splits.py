"""What belongs together stays on one side, and nothing of a test gets into training."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from nbutils import stats
from nbutils.examples import (
    CaseError,
    DataFileError,
    Example,
    alike_sets,
    find_alike,
    in_common,
    jaccard,
    parse_answer,
    parse_case,
    read_jsonl,
    shingles,
)

ALIKE = 0.8
MIN_SERIES = 4
# fields of a row that name the report or example it was made from
PARENTS = ("parent", "seed_id", "report_id")

_BRACKET = re.compile(r"\[([^\]\n]*)\]")
_NUMBER = re.compile(r"[-−]?\d+(?:\.\d+)?")


def assign(
    examples: Sequence[Example],
    val_share: float,
    *,
    seed: int = 0,
    related: Sequence[tuple[str, str]] = (),
    strata: Sequence[str] | None = None,
) -> list[Example]:
    """Note family and side (``"train"`` or ``"val"``) in each example's ``meta``.

    Parameters
    ----------
    examples : sequence of Example
    val_share : float
        Share of the examples to hold out, above 0 and at most 0.5.
    seed : int
        Which families are drawn.
    related : sequence of tuple of str
        As for `families`.
    strata : sequence of str, optional
        As for `split`; the urgency of each answer if not given.

    Returns
    -------
    list of Example
        New examples, in the same order.

    Raises
    ------
    DataFileError
        As `split`.
    """
    family = families(examples, related=related)
    if strata is None:
        strata = [parse_answer(e.output).urgency for e in examples]
    sides = split(family, val_share, seed=seed, strata=strata)
    return [
        replace(e, meta={**e.meta, "family": f, "side": s})
        for e, f, s in zip(examples, family, sides, strict=True)
    ]


def families(examples: Sequence[Example], *, related: Sequence[tuple[str, str]] = ()) -> list[int]:
    """Family number of every example; what is of one family must stay on one side.

    Parameters
    ----------
    examples : sequence of Example
        Of one family are cases equal but for their numbers, and an example and the one it was
        made from: its ``meta`` names it under ``parent``, ``seed_id`` or ``report_id``.
    related : sequence of tuple of str
        Further pairs of ids that belong together: a report and its reworded twin or later
        version. An id that no example has still joins: two variants of a report that was left
        out are of one family.

    Returns
    -------
    list of int
        Numbered from 0 in the order of appearance.
    """
    groups = find_alike([e.input for e in examples], ALIKE)
    place: dict[str, int] = {}
    for position, example in enumerate(examples):
        groups.append([position, place.setdefault(example.id, position)])
    for one, other in [*_parents(examples), *related]:
        groups.append([place.setdefault(name, len(examples) + len(place)) for name in (one, other)])
    return stats.family_labels(groups, len(examples) + len(place))[: len(examples)]


def _parents(examples: Sequence[Example]) -> Iterator[tuple[str, str]]:
    for example in examples:
        for key in PARENTS:
            if parent := example.meta.get(key):
                yield example.id, str(parent)


# --------------------------------------------------------------------------- drawing


def split(
    family: Sequence[int], val_share: float, *, seed: int = 0, strata: Sequence[str] | None = None
) -> list[str]:
    """``"train"`` or ``"val"`` for every example; a family is never divided.

    Parameters
    ----------
    family : sequence of int
        As `families` returns.
    val_share : float
        Share of the examples to hold out, above 0 and at most 0.5.
    seed : int
        Which families are drawn.
    strata : sequence of str, optional
        One value an example. Families are then taken largest first, in drawn order among equal
        ones, wherever that brings the held-out rows of the strata nearer to their share, by the
        sum of squared deviations; a second round in the same order may take one back. Without
        strata families are drawn until the share is reached.

    Returns
    -------
    list of str

    Raises
    ------
    DataFileError
        If the share is out of range, there is only one family, or ``strata`` has another length.
    """
    names = sorted(set(family))
    _check(names, val_share, family, strata)
    drawn = np.random.default_rng(seed).permutation(names).tolist()
    if strata is None:
        val = _until_enough(drawn, Counter(family), val_share * len(family))
    else:
        val = _evenly(drawn, family, val_share, strata)
    return ["val" if f in val else "train" for f in family]


def _check(
    names: Sequence[int], val_share: float, family: Sequence[int], strata: Sequence[str] | None
) -> None:
    if not 0 < val_share <= 0.5:
        raise DataFileError(
            f"the share for validation is {val_share}; expected more than 0 and at most 0.5: "
            f"set it to 0.1 or so."
        )
    if len(names) < 2:
        raise DataFileError(
            f"all {len(family)} examples are of {len(names)} family; expected two or more, since "
            f"a family is never divided: add examples of other cases."
        )
    if strata is not None and len(strata) != len(family):
        raise DataFileError(
            f"there are {len(strata)} strata for {len(family)} examples; expected one each: "
            f"make both lists from the same examples."
        )


def _until_enough(drawn: Sequence[int], sizes: Counter[int], wanted: float) -> set[int]:
    val: set[int] = set()
    taken = 0
    for name in drawn:
        if taken < wanted:
            val.add(name)
            taken += sizes[name]
    return val


def _evenly(
    drawn: Sequence[int], family: Sequence[int], val_share: float, strata: Sequence[str]
) -> set[int]:
    rows: dict[int, Counter[str]] = {name: Counter() for name in drawn}
    for name, stratum in zip(family, strata, strict=True):
        rows[name][stratum] += 1
    short = _targets(Counter(strata), val_share)
    val: set[int] = set()
    order = sorted(drawn, key=lambda name: -rows[name].total())
    # the second round may take one back for which smaller ones have come since
    for name in [*order, *order]:
        sign = -1 if name in val else 1
        if _gain(rows[name], short, sign) > 0 and len(val - {name}) + 2 <= len(order):
            val ^= {name}
            short.update({s: -sign * n for s, n in rows[name].items()})
    # families larger than any target: the one that does least harm, so that there is a side at all
    return val or {max(order, key=lambda name: _gain(rows[name], short))}


def _gain(rows: Counter[str], short: Counter[str], sign: int = 1) -> int:
    """By how much the sum of squares of what is short falls if these rows are taken (-1: left)."""
    return sum(short[s] ** 2 - (short[s] - sign * n) ** 2 for s, n in rows.items())


def _targets(sizes: Counter[str], share: float) -> Counter[str]:
    """Whole rows for each stratum that add up to the share of all, by largest remainders."""
    exact = {s: share * n for s, n in sizes.items()}
    target = Counter({s: int(x) for s, x in exact.items()})
    left = max(round(share * sizes.total()), 1) - target.total()
    target.update(sorted(exact, key=lambda s: (target[s] - exact[s], s))[:left])
    return target


# --------------------------------------------------------------------------- decontamination


def held_out(*paths: Path) -> list[Example]:
    """Held-out cases of JSONL files, those of files that are not there left out.

    A row needs an ``id`` and an ``instruction`` or an ``input``; a probe without a case is
    compared by its instruction.
    """
    rows = [row for path in paths if path.is_file() for row in read_jsonl(path, ["id"])]
    return [
        Example(str(r["id"]), str(r.get("instruction", "")), str(r.get("input", ""))) for r in rows
    ]


def decontaminate(
    train: Sequence[Example], held_out: Sequence[Example], *, threshold: float = ALIKE
) -> None:
    """Make sure that nothing in training repeats a held-out case.

    Parameters
    ----------
    train, held_out : sequence of Example
    threshold : float
        As for `overlaps`.

    Raises
    ------
    DataFileError
        If a training example repeats a held-out case; the first pair and the count are named.
    """
    found = overlaps(train, held_out, threshold=threshold)
    if len(found):
        first = found.iloc[0]
        more = f", the first of {len(found)} such pairs" if len(found) > 1 else ""
        raise DataFileError(
            f"training example {first['train_id']} repeats held-out case {first['held_out_id']} "
            f"({first['how']}, likeness {first['likeness']:.2f}){more}; expected none: "
            f"leave it out of training."
        )


def overlaps(
    train: Sequence[Example], held_out: Sequence[Example], *, threshold: float = ALIKE
) -> pd.DataFrame:
    """Pairs of a training example and a held-out case that are the same case.

    Parameters
    ----------
    train, held_out : sequence of Example
        The input counts, or the instruction where there is no input.
    threshold : float
        From which likeness on two texts are taken for one: the share of common word sequences
        with every number masked, so that 1 means equal but for the numbers.

    Returns
    -------
    DataFrame
        One row a pair: ``train_id``, ``held_out_id``, ``how`` and ``likeness`` (0 to 1, of the
        masked texts). ``how`` is the first of these that holds: ``same text`` (but for case,
        spaces and punctuation), ``same series`` (4 or more values, as shares or as percent),
        ``equal but for details`` (likeness of ``threshold`` or more).

    Notes
    -----
    Nothing as alike as the threshold is missed (see `nbutils.examples.alike_sets`).
    """
    texts = [_text(e) for e in train], [_text(e) for e in held_out]
    sets = [shingles(t) for t in texts[0]], [shingles(t) for t in texts[1]]
    found: dict[tuple[int, int], str] = {}
    for how, pairs in (
        ("same text", in_common([[_plain(t)] for t in texts[0]], [[_plain(t)] for t in texts[1]])),
        ("same series", in_common([_scaled(t) for t in texts[0]], [_series(t) for t in texts[1]])),
        ("equal but for details", alike_sets(*sets, threshold)),
    ):
        for pair in pairs:
            found.setdefault(pair, how)
    rows = [
        (train[i].id, held_out[j].id, how, jaccard(sets[0][i], sets[1][j]))
        for (i, j), how in sorted(found.items())
    ]
    return pd.DataFrame(rows, columns=["train_id", "held_out_id", "how", "likeness"])


def _text(example: Example) -> str:
    return example.input.strip() or example.instruction


def _plain(text: str) -> str:
    return " ".join(re.findall(r"\w+", text.casefold()))


def _values(text: str) -> list[float | None]:
    """The series of a case; of a case that cannot be read the numbers of its longest bracket."""
    try:
        return list(parse_case(text).values)
    except CaseError:
        brackets = [_NUMBER.findall(inside) for inside in _BRACKET.findall(text)]
        numbers = max(brackets, key=len, default=[])
        return [float(n.replace("−", "-")) for n in numbers]


def _scaled(text: str) -> list[str]:
    """The series as it may stand elsewhere: as it is, as shares and as percent."""
    return [key for factor in (1, 100, 0.01) for key in _series(text, factor)]


def _series(text: str, factor: float = 1) -> list[str]:
    values = _values(text)
    if len([v for v in values if v is not None]) < MIN_SERIES:
        return []
    return [" ".join("-" if v is None else f"{v * factor:.6g}" for v in values)]
