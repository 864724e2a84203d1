"""Which reports of one case draw opposite conclusions."""

from __future__ import annotations

import re
from collections import defaultdict, deque
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from nbutils.examples import DataFileError
from nbutils.gates.duplicates import (
    MIN_VALUES,
    ORIGINALS,
    Key,
    plain_values,
    series_key,
    split_words,
)

_KEEP = re.compile(
    r"(?<!the )(?<!a )(?<!since )(?<!after )\b(?:keep(?:s|ing)?|extend\w*|roll\w* out|"
    r"ship(?:s|ping)?|restor\w+|reinstat\w+|retain\w*|continu\w+|launch(?:es|ing)?|expand\w*|"
    r"resum\w+|leav(?:e|es|ing)|"
    r"(?:bring|put|switch|turn)\w* back|(?:switch|turn)\w* on|stays?|staying|remains?|"
    r"(?:(?:revert|return)\w*|(?:go(?:es)?|going) back) to)\b"
)
_STOP = re.compile(
    r"(?<!the )(?<!a )\b(?:revert\w*|stop(?:s|ping|ped)?|remov\w+|paus\w+|roll\w* back|halt\w*|"
    r"drop(?:s|ping|ped)?|cancel\w*|withdraw\w*|disabl\w+|suspend\w*|scrap\w*|abandon\w*|"
    r"discontinu\w+|freez\w+|kill\w*|end (?=the|this)|undo\w*|"
    r"(?:switch|turn|take|taking)\w* (?:off|down))\b"
)
_APART = re.compile(
    r"\b((?:roll|bring|put|switch|turn|tak)\w*)((?:\s[\w'-]+){1,5}?)\s(back|out|off|on|down)\b"
)
_PASSIVE = re.compile(r"\b(?:is|are|be|been|being|gets?)\s+(?:not\s+)?$")
_STAYS = re.compile(r"stay|remain")
_NOT = re.compile(
    r"\b(?:not|n't|never|no need to|without|instead of|rather than)\b[\w\s]{0,12}$|n't\s$"
)
_OLD = re.compile(r"\b(?:old|previous|former|original|earlier)\b")
_PARTLY = re.compile(
    r"\b(?:half|random\w*|tenth|quarter|one in|share of|sample of|out of|as a test)\b|\d\s?%|\d/\d"
)
_IF = re.compile(r"\b(?:if|in case|once|when|provided|whenever|as soon as)\b", re.IGNORECASE)
_UNLESS = re.compile(r"\b(?:unless|until|otherwise|or else)\b", re.IGNORECASE)
_LINK = re.compile(
    r"\b(?:for|from|in|on|at|by|with|until|while|before|after|as|because|so|since|to|is|are|be|"
    r"should|must|can|will|which|that|who|we|i)\b"
)
_IDLE = frozenset(
    "the this that these those all any our your their its every each new now old previous former "
    "original earlier running live place test tests experiment week weeks month months day days "
    "user users customer customers group arm team change changes everyone everybody rest number "
    "rate report data them they nothing one two three ten both more most other own alone out again "
    "where better below within meanwhile".split()
)


def conflicts(frame: pd.DataFrame) -> pd.DataFrame:
    """Find the reports of one case that draw opposite conclusions.

    Two reports are of one case if they give the same series (as in `near_duplicates`) and their
    metrics share a word or one names none; or if metric and context read the same and the series
    overlap: the end of one is the beginning of the other, or one is a part of the other, by 4
    values or more that are not all equal. Of a case only the 50 latest reports are compared with
    a new one.

    Parameters
    ----------
    frame : DataFrame
        One row a report, in the order of writing: ``id``, ``series`` (list of float, or None),
        ``metric``, ``context``, ``urgency`` (High, Medium, Low or empty) and ``action`` (text).

    Returns
    -------
    DataFrame
        ``first`` and ``second`` (ids, in the order of writing), ``conflict`` (``"urgency"``: High
        against Low; ``"action"``: one keeps, extends or restores what the other stops, removes or
        reverts) and ``evidence`` (both quoted). A pair may have a row of each.

    Raises
    ------
    DataFileError
        If a column is missing.
    """
    for column in ("id", "series", "metric", "context", "urgency", "action"):
        if column not in frame:
            raise DataFileError(
                f"the reports have no column '{column}' (found: {', '.join(frame.columns)}); "
                f"expected id, series, metric, context, urgency and action: rename or add it."
            )
    reports = [_Conclusion.from_row(row) for row in frame.to_dict("records")]
    rows = [
        (reports[i].id, reports[j].id, kind, evidence)
        for i, j in _one_case(reports)
        for kind, evidence in reports[i].against(reports[j])
    ]
    return pd.DataFrame(rows, columns=["first", "second", "conflict", "evidence"])


@dataclass(frozen=True)
class _Conclusion:
    """What a report concludes, and the case it is about."""

    id: Any
    values: tuple[float | None, ...]
    metric: frozenset[str]
    case: str
    urgency: str
    action: str

    @classmethod
    def from_row(cls, row: dict[Hashable, Any]) -> _Conclusion:
        metric, context, urgency, action = (
            row[k].strip() if isinstance(row[k], str) else ""
            for k in ("metric", "context", "urgency", "action")
        )
        listed = isinstance(row["series"], list | tuple | np.ndarray)
        values = plain_values(row["series"] if listed else None)
        case = " ".join([*split_words(metric), "|", *split_words(context)]) if metric else ""
        name = frozenset(map(_root, split_words(metric.partition("(")[0])))
        return cls(row["id"], values, name, case, urgency.capitalize(), action)

    @cached_property
    def stances(self) -> dict[str, tuple[int, str]]:
        return stances(self.action)

    def against(self, other: _Conclusion) -> Iterator[tuple[str, str]]:
        """Kind and evidence of each conflict with another report of the case."""
        if {self.urgency, other.urgency} == {"High", "Low"}:
            sides = (f"{r.urgency}: {_quote(r.action)}" for r in (self, other))
            yield "urgency", " against ".join(sides)
        ours, theirs = self.stances, other.stances
        for word in ours:
            if word in theirs and ours[word][0] != theirs[word][0] and word not in self.metric:
                yield "action", f"{_quote(ours[word][1])} against {_quote(theirs[word][1])}"
                return


def _one_case(reports: Sequence[_Conclusion]) -> list[tuple[int, int]]:
    """Pairs of positions, earlier first, ordered by the later."""
    same: defaultdict[Key, deque[int]] = defaultdict(lambda: deque(maxlen=ORIGINALS))
    windows: defaultdict[tuple[str, Key], deque[int]] = defaultdict(lambda: deque(maxlen=ORIGINALS))
    pairs = []
    for j, report in enumerate(reports):
        if not (key := series_key(report.values)):
            continue
        earlier = {i for i in same[key] if _one_metric(reports[i], report)}
        same[key].append(j)
        places = _windows(report) if report.case else ()
        met = {i for place in places for i in windows[place]} - earlier
        earlier |= {i for i in met if _overlap(reports[i].values, report.values)}
        for place in dict.fromkeys(places):
            windows[place].append(j)
        pairs += [(i, j) for i in sorted(earlier)]
    return pairs


def _one_metric(a: _Conclusion, b: _Conclusion) -> bool:
    return not a.metric or not b.metric or bool(a.metric & b.metric)


def _windows(report: _Conclusion) -> list[tuple[str, Key]]:
    """Case and each stretch of 4 values: series that overlap have one in common."""
    values = report.values
    keys = (series_key(values[i : i + MIN_VALUES]) for i in range(len(values)))
    return [(report.case, key) for key in keys if key]


def _overlap(a: Sequence[float | None], b: Sequence[float | None]) -> bool:
    """Whether one series, moved along the other, agrees with it wherever both have a value."""
    for shift in range(MIN_VALUES - len(b), len(a) - MIN_VALUES + 1):
        one, two = a[max(shift, 0) : shift + len(b)], b[max(-shift, 0) : len(a) - shift]
        if (key := series_key(one)) and key == series_key(two):
            return True
    return False


def stances(action: str) -> dict[str, tuple[int, str]]:
    """What an action keeps (1) and what it stops (-1), by word, with the clause that says so.

    Left out: what depends on a condition, what is done for a share of the users only (a test), and
    a word that the action both keeps and stops. To restore the old is to stop the new.

    Examples
    --------
    >>> stances("Remove the phone check. Keep the mail if opens stay above 20%.")
    {'phone': (-1, 'Remove the phone check'), 'check': (-1, 'Remove the phone check')}
    """
    found: dict[str, tuple[int, str]] = {}
    torn: set[str] = set()
    for clause in _clauses(action):
        side, words = _stance(clause)
        for word in words:
            if found.setdefault(word, (side, clause))[0] != side:
                torn.add(word)
    return {word: stance for word, stance in found.items() if word not in torn}


def _clauses(action: str) -> Iterator[str]:
    for sentence in re.split(r"(?<=[.!?;])\s+|\n", action):
        parts = re.split(r",\s+|:\s+|\s(?:and|but|then)\s", sentence.strip(" .!?;"))
        for part in parts:
            if _UNLESS.search(part):
                yield _UNLESS.split(part)[0]
            elif not _IF.search(part):
                yield part
                continue
            break


def _stance(clause: str) -> tuple[int, list[str]]:
    """Side of a clause and the words of its object; no words where it takes none."""
    plain = _APART.sub(r"\1 \3 \2", clause.casefold().replace("’", "'"))
    verbs = [(m, side) for side, verb in ((1, _KEEP), (-1, _STOP)) for m in verb.finditer(plain)]
    if not verbs or _PARTLY.search(plain):
        return 0, []
    # "revert to" is found as both: the longer reading holds
    verb, side = min(verbs, key=lambda v: (v[0].start(), -v[0].end()))
    before, after = plain[: verb.start()], plain[verb.end() :]
    named = before if _PASSIVE.search(before) or _STAYS.match(verb[0]) else after
    if _NOT.search(before):
        side = -side
    if _OLD.search(named):
        side = -side
    words = re.findall(r"[^\W\d_]{3,}", _LINK.split(named.strip(), maxsplit=1)[0])
    return side, [_root(w) for w in words if w not in _IDLE]


def _root(word: str) -> str:
    return word.removesuffix("s")[:6]


def _quote(text: str, size: int = 80) -> str:
    short = " ".join(text.split())
    return f"'{short[:size]}…'" if len(short) > size else f"'{short}'"
