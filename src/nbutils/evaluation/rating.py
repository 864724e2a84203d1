"""Layer 3: what people said of the answers, and how far they agree."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations
from typing import Any

import pandas as pd

from nbutils import review, stats

from .by_case import kappa_by_case

Answers = Mapping[str, Sequence[Mapping[str, Any]]]
Ratings = Sequence[Mapping[str, Any]]

FEWEST = 10  # answers in common below which no kappa is given
_COLUMNS = ["rater_a", "rater_b", "n", "kappa", "low", "high", "exact", "within_one", "note"]


def usefulness(
    answers: Mapping[str, list[dict[str, Any]]], ratings: Sequence[Mapping[str, Any]]
) -> pd.DataFrame:
    """People's ratings of the answers, 0 to 5, by system; none as long as nobody has rated.

    Parameters
    ----------
    answers : mapping
        System to the rows of `score`.
    ratings : sequence of mapping
        Lines of the run's ``ratings.jsonl``; raters do not see which system wrote what.

    Returns
    -------
    DataFrame
        ``system``, ``value`` (mean over raters and answers), ``low``, ``high`` (95%, resampled by
        answer; None if all ratings are equal), ``n`` (answers rated) and ``raters``.
    """
    said, _ = rated_items(answers, ratings)
    rows = []
    for system, found in answers.items():
        rated = [said[h] for h in map(item_of, found) if h in said]
        if rated:
            raters = len({rater for r in rated for rater in r})
            rows.append({"system": system, **_mean_rating(rated), "raters": raters})
    columns = ["system", "value", "low", "high", "n", "raters"]
    return pd.DataFrame(rows, columns=columns, dtype=object)


def rater_agreement(ratings: Ratings, answers: Answers) -> pd.DataFrame:
    """How far each two people agree on the answers that both rated.

    Parameters
    ----------
    ratings : sequence of mapping
        As in `usefulness`; ratings of other answers are left out.
    answers : mapping
        System to rows with ``instruction``, ``input`` and ``output``.

    Returns
    -------
    DataFrame
        One row a pair of raters, none with fewer than two: ``rater_a``, ``rater_b``, ``n`` (texts
        that both rated), ``kappa`` (quadratic weights, Cohen 1968) with ``low`` and ``high`` (95%,
        by case), ``exact`` and ``within_one`` (shares of ``n``), ``note`` (why
        something is missing or says nothing; else empty). What is not defined is None; there is no
        kappa on fewer than `FEWEST` texts.
    """
    said, _ = rated_items(answers, ratings)
    case_of = {item_of(row): row["input"] for found in answers.values() for row in found}
    raters = sorted({rater for found in said.values() for rater in found})
    rows = []
    for one, two in combinations(raters, 2):
        both = {item: (r[one], r[two]) for item, r in said.items() if one in r and two in r}
        found = _agreed(list(both.values()), [case_of[item] for item in both], one, two)
        rows.append({"rater_a": one, "rater_b": two, **found})
    return pd.DataFrame(rows, columns=_COLUMNS, dtype=object)


def rating_status(answers: Answers, ratings: Ratings) -> str:
    """How far people have rated the answers, as one sentence without its full stop.

    Examples
    --------
    >>> rating_status({"base": [{"instruction": "i", "input": "c", "output": "o"}]}, [])
    'not rated yet'
    """
    said, strays = rated_items(answers, ratings)
    parts = [_progress(said, len(distinct(answers)))]
    if strays:
        verb = "rating belongs" if strays == 1 else "ratings belong"
        left = "is" if strays == 1 else "are"
        parts.append(f"{strays} {verb} to answers of another run and {left} left out")
    return "; ".join(parts)


def item_of(row: Mapping[str, Any]) -> str:
    """What a rating knows an answer by: the hash of its three texts."""
    return review.item_hash(row["instruction"], row["input"], row["output"])


def distinct(answers: Answers) -> dict[str, Mapping[str, Any]]:
    """Item to one row of each text that can be rated; an empty answer cannot."""
    rows = (row for found in answers.values() for row in found if row["output"].strip())
    return {item_of(row): row for row in rows}


def rated_items(answers: Answers, ratings: Ratings) -> tuple[dict[str, dict[str, int]], int]:
    """Ratings that stand, by item and rater, and how many belong to no answer of this run."""
    known = {item_of(row) for found in answers.values() for row in found}
    said: dict[str, dict[str, int]] = {}
    strays = 0
    for (rater, item), line in review.standing(ratings).items():
        if line.get("rating") is None:
            continue
        if item in known:
            said.setdefault(item, {})[rater] = line["rating"]
        else:
            strays += 1
    return said, strays


def _mean_rating(rated: Sequence[Mapping[str, int]]) -> dict[str, Any]:
    """The mean as a share of the highest rating, and back; equal ratings show no interval."""
    top = max(review.RUBRIC)
    share = stats.ratio([sum(r.values()) / top for r in rated], [len(r) for r in rated])
    found = {k: v * top if v is not None else None for k, v in vars(share).items() if k != "n"}
    if found["low"] == found["high"]:
        found |= {"low": None, "high": None}
    return {**found, "n": share.n}


def _agreed(
    pairs: Sequence[tuple[int, int]], cases: Sequence[str], one: str, two: str
) -> dict[str, Any]:
    n = len(pairs)
    row: dict[str, Any] = {"n": n, "note": "; ".join(_doubts(pairs, one, two))}
    if n:
        row["exact"] = sum(a == b for a, b in pairs) / n
        row["within_one"] = sum(abs(a - b) <= 1 for a, b in pairs) / n
    if n >= FEWEST:
        found = kappa_by_case(pairs, cases)
        row |= {"kappa": found.value, "low": found.low, "high": found.high}
    empty = dict.fromkeys(("kappa", "low", "high", "exact", "within_one"))
    return empty | row


def _doubts(pairs: Sequence[tuple[int, int]], one: str, two: str) -> Iterator[str]:
    """Why a pair of raters has no kappa, or one that says nothing."""
    if not pairs:
        yield "no answer was rated by both"
        return
    if len(pairs) < FEWEST:
        yield f"{_count(len(pairs), 'answer')} in common, kappa needs {FEWEST}"
    constant = {name: {p[i] for p in pairs} for i, name in enumerate((one, two))}
    same = [(name, levels.pop()) for name, levels in constant.items() if len(levels) == 1]
    if len(pairs) > 1 and len(same) == 2 and same[0][1] == same[1][1]:
        yield f"both gave {same[0][1]} throughout, which chance alone explains: kappa is undefined"
    elif len(pairs) > 1 and same:
        told = " and ".join(f"{name} gave {level} throughout" for name, level in same)
        yield f"{told}, so kappa is 0 whatever the other gave"


def _progress(said: Mapping[str, Mapping[str, int]], total: int) -> str:
    if not total:
        return "there are no answers to rate"
    raters = {rater for found in said.values() for rater in found}
    if not raters:
        return "not rated yet"
    done = f"{len(said)} of {_count(total, 'answer')} rated by"
    if len(raters) == 1:
        return f"{done} one person: no agreement can be given"
    shared = sum(len(found) > 1 for found in said.values())
    if not shared:
        return f"{done} {len(raters)} people, none by two of them: no agreement can be given"
    return f"{done} {len(raters)} people, {shared} by two or more of them"


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"
