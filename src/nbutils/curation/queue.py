"""Which reports a person should look at next: the doubtful ones first, and of them the new ones."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from nbutils.examples import DataFileError, jaccard, shingles

# more alike than this, and looking at one of two tells about the other
TOO_ALIKE = 0.5
# pairs of words: longer sequences hardly ever return in reports that were written by hand
_WORDS = 2
# a word pair that more reports share is the form of the house, and finds no twin
_COMMON = 50
_COMPARED = 10
_NEEDED = ("id", "keep", "reasons", "doubts")


def look_next(screened: pd.DataFrame, texts: Sequence[str], *, n: int = 20) -> pd.DataFrame:
    """Order the reports by what a person's look at them would teach.

    The doubtful come first, as in uncertainty sampling (Lewis and Gale 1994, "A sequential
    algorithm for training text classifiers"); of equally doubtful ones that which is least like
    the kept reports; and no two that are much alike.

    Parameters
    ----------
    screened : DataFrame
        One row a report: ``id``, ``keep`` (bool), ``reasons`` (list of str) and ``doubts`` (list
        of str: rules that nearly spoke, or spoke by a narrow margin).
    texts : sequence of str
        The reports, in the same order.
    n : int
        How many to name at most.

    Returns
    -------
    DataFrame
        ``id``, ``keep``, ``doubts`` (joined by ``"; "``), ``novelty`` (0 to 1: one minus the
        largest share of word pairs, numbers masked, that is common with another kept report) and
        ``why`` (a sentence). A decision is as uncertain as it has doubts; without doubts, or
        rejected for two or more reasons, it is certain and comes last. A report that is more than
        half like one further up is left out: it may come up once that one has been looked at.

    Raises
    ------
    DataFileError
        If a column is missing, or there is not one text for each row.

    Notes
    -----
    Novelty compares a report with the ten kept ones that share most of its rarer word pairs, so
    the time grows with the number of reports and not with its square. What more than fifty kept
    reports share is left aside in choosing these ten.
    """
    _check(screened, texts)
    found = [shingles(str(t), _WORDS) for t in texts]
    rows = screened[list(_NEEDED)].to_dict("records")
    nearest = _nearest(found, [i for i, row in enumerate(rows) if row["keep"]])
    order = sorted(
        range(len(rows)), key=lambda i: (-_uncertainty(rows[i]), nearest[i][0], rows[i]["id"], i)
    )
    picked = [_row(rows[i], nearest[i], rows) for i in _apart(order, found, n)]
    return pd.DataFrame(picked, columns=["id", "keep", "doubts", "novelty", "why"])


def _check(screened: pd.DataFrame, texts: Sequence[str]) -> None:
    for column in _NEEDED:
        if column not in screened:
            raise DataFileError(
                f"the screened reports have no column '{column}' (found: "
                f"{', '.join(map(str, screened.columns))}); expected {', '.join(_NEEDED)}: "
                f"screen the reports first."
            )
    if len(screened) != len(texts):
        raise DataFileError(
            f"there are {len(texts)} texts for {len(screened)} screened reports; expected one "
            f"each, in the same order: pass the texts that were screened."
        )


def _uncertainty(row: Mapping[Any, Any]) -> int:
    return len(row["doubts"]) if row["keep"] or len(row["reasons"]) == 1 else 0


def _nearest(
    found: Sequence[frozenset[str]], kept: Sequence[int]
) -> list[tuple[float, int | None]]:
    """Likeness to the most similar other kept report, and its position (None: none is like it)."""
    holders: dict[str, list[int]] = {}
    for index in kept:
        for shingle in found[index]:
            holders.setdefault(shingle, []).append(index)
    nearest: list[tuple[float, int | None]] = []
    for index, own in enumerate(found):
        # sorted, since the order of a set of strings changes from run to run
        lists = [h for s in sorted(own) if len(h := holders.get(s, [])) <= _COMMON]
        shared = Counter(other for h in lists for other in h if other != index)
        closest = [other for other, _ in shared.most_common(_COMPARED)]
        likeness = [(jaccard(own, found[other]), other) for other in closest]
        nearest.append(max(likeness, key=lambda pair: (pair[0], -pair[1]), default=(0.0, None)))
    return nearest


def _apart(order: Sequence[int], found: Sequence[frozenset[str]], n: int) -> list[int]:
    picked: list[int] = []
    for index in order:
        if len(picked) >= n:
            break
        if all(jaccard(found[index], found[other]) <= TOO_ALIKE for other in picked):
            picked.append(index)
    return picked


def _row(
    row: Mapping[Any, Any], nearest: tuple[float, int | None], rows: Sequence[Mapping[Any, Any]]
) -> dict[str, Any]:
    likeness, other = nearest
    like = "no kept report is like it"
    if other is not None:
        like = f"the kept report most like it is {rows[other]['id']} (likeness {likeness:.2f})"
    return {
        "id": row["id"],
        "keep": bool(row["keep"]),
        "doubts": "; ".join(row["doubts"]),
        "novelty": 1 - likeness,
        "why": f"{_decision(row)}; {like}.",
    }


def _decision(row: Mapping[Any, Any]) -> str:
    reasons, doubts = list(row["reasons"]), len(row["doubts"])
    said = "Kept" if row["keep"] else f"Rejected ({', '.join(reasons) or 'no reason given'})"
    if not _uncertainty(row):
        return f"{said} without doubt"
    return f"{said} with {doubts} doubt{'' if doubts == 1 else 's'}"
