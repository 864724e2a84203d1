"""Two blind reviewers' decisions brought together: what is approved, and how far they agree."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import combinations
from typing import Any

import pandas as pd

from nbutils import stats

from .decisions import Line, standing
from .items import Item

REVIEWERS = 2
STATUSES = ("approved", "rejected", "disputed", "not reviewed")
COLUMNS = ["id", "status", "reviewers", "reason", "output"]
ADJUDICATOR = "adjudicator"


def settle(
    items: Sequence[Item], lines: Iterable[Mapping[str, Any]], *, reviewers: int = REVIEWERS
) -> pd.DataFrame:
    """What became of every item; what is not decided often enough is not approved.

    Approved needs that many reviewers who approve or edit, and no one who rejects. One edit stands
    for both: whoever approved found nothing to mend. Two different edits, or an approval against
    a rejection, are a dispute, which only an adjudication settles.

    Parameters
    ----------
    items : sequence of Item
        What was to be reviewed, as it is now: a decision on another text does not count.
    lines : iterable of mapping
        As `decisions.read` gives them.
    reviewers : int
        How many blind decisions an item needs.

    Returns
    -------
    DataFrame
        One row an item: ``id``, ``status`` (one of `STATUSES`), ``reviewers`` (int, who decided),
        ``reason`` and ``output``, the approved text (empty unless approved).
    """
    by_item = _by_item(lines)
    rows = [{"id": i.id, **_settled(i, by_item.get(i.hash, {}), reviewers)} for i in items]
    return pd.DataFrame(rows, columns=COLUMNS)


def disputes(items: Sequence[Item], lines: Iterable[Mapping[str, Any]]) -> list[Item]:
    """The items on which blind reviewers disagree, each with their views without names."""
    by_item = _by_item(lines)
    found = []
    for item in items:
        said = {k: v for k, v in by_item.get(item.hash, {}).items() if k != ADJUDICATOR}
        if _settled(item, said, REVIEWERS)["status"] == "disputed":
            found.append(replace(item, views=tuple(_view(line) for line in said.values())))
    return found


def agreement(items: Sequence[Item], lines: Iterable[Mapping[str, Any]]) -> pd.DataFrame:
    """How far each pair of blind reviewers agrees, on what both decided.

    Returns
    -------
    DataFrame
        Long: ``metric``, ``group`` (the two names), ``value``, ``low``, ``high`` (95%), ``n``.
        Decisions: ``same decision`` of the three, ``same verdict`` (kept or rejected) and
        ``kappa of the verdict`` (Cohen 1960). Ratings: ``same rating``, ``within one`` and
        ``weighted kappa`` (quadratic, Cohen 1968). Kappa is None where both gave one and the
        same verdict throughout: chance agreement is then complete.
    """
    known = {item.hash for item in items}
    of: dict[str, dict[str, Line]] = {}
    for (name, item), line in standing(lines).items():
        if item in known and name != ADJUDICATOR:
            of.setdefault(name, {})[item] = line
    rows = []
    for one, two in combinations(sorted(of), 2):
        shared = sorted(of[one].keys() & of[two].keys())
        pairs = [(of[one][item], of[two][item]) for item in shared]
        rows += [{"metric": m, "group": f"{one}, {two}", **vars(e)} for m, e in _agreed(pairs)]
    return pd.DataFrame(rows, columns=["metric", "group", "value", "low", "high", "n"])


def work(lines: Iterable[Mapping[str, Any]], items: Sequence[Item]) -> pd.DataFrame:
    """Who decided how much: ``reviewer``, ``decided``, ``approve``, ``edit``, ``reject``,
    ``left`` and ``seconds`` (median of an item; None if it was not measured).
    """
    known = {item.hash for item in items}
    rows = []
    stands = {k: v for k, v in standing(lines).items() if k[1] in known}
    for name in sorted({name for name, _ in stands}):
        said = [line for (who, _), line in stands.items() if who == name]
        seconds = [s for line in said if (s := line.get("seconds")) is not None]
        kinds = [line["decision"] for line in said]
        counted = {kind: kinds.count(kind) for kind in ("approve", "edit", "reject")}
        row = {"reviewer": name, "decided": len(said), **counted, "left": len(known) - len(said)}
        rows.append({**row, "seconds": pd.Series(seconds).median() if seconds else None})
    columns = ["reviewer", "decided", "approve", "edit", "reject", "left", "seconds"]
    return pd.DataFrame(rows, columns=columns)


def stale(items: Sequence[Item], lines: Iterable[Mapping[str, Any]]) -> list[str]:
    """Ids that were decided on when their text was another: they are undecided again."""
    now = {item.id: item.hash for item in items}
    decided = {(line.get("id"), line["item"]) for line in standing(lines).values()}
    changed = {i for i, h in decided if i in now and now[i] != h and (i, now[i]) not in decided}
    return sorted(str(i) for i in changed)


# --------------------------------------------------------------------------- one item


def _by_item(lines: Iterable[Mapping[str, Any]]) -> dict[str, dict[str, Line]]:
    """Item to reviewer to the decision that stands."""
    found: dict[str, dict[str, Line]] = {}
    for (name, item), line in standing(lines).items():
        found.setdefault(item, {})[name] = line
    return found


def _settled(item: Item, said: Mapping[str, Line], needed: int) -> dict[str, Any]:
    blind = [line for name, line in said.items() if name != ADJUDICATOR]
    row: dict[str, Any] = {"reviewers": len(blind), "reason": "", "output": ""}
    if ADJUDICATOR in said:
        return row | _verdict(item, [said[ADJUDICATOR]]) | {"reviewers": len(blind) + 1}
    if len(blind) < needed:
        return row | {"status": "not reviewed"}
    return row | _verdict(item, blind)


def _verdict(item: Item, said: Sequence[Line]) -> dict[str, str]:
    rejecting = [line for line in said if line["decision"] == "reject"]
    edits = list(dict.fromkeys(line["edit"] for line in said if line["decision"] == "edit"))
    if rejecting and len(rejecting) < len(said):
        return {"status": "disputed", "reason": "one approves, one rejects"}
    if rejecting:
        reasons = {str(line.get("reason") or "no reason given") for line in rejecting}
        return {"status": "rejected", "reason": "; ".join(sorted(reasons))}
    if len(edits) > 1:
        return {"status": "disputed", "reason": "two different edits"}
    return {"status": "approved", "output": edits[0] if edits else item.output}


def _view(line: Line) -> dict[str, Any]:
    return {key: line.get(key) for key in ("decision", "reason", "edit", "note")}


# --------------------------------------------------------------------------- agreement


def _agreed(pairs: Sequence[tuple[Line, Line]]) -> list[tuple[str, stats.Estimate]]:
    rated = [(a["rating"], b["rating"]) for a, b in pairs if _both(a, b, "rating")]
    decided = [(a["decision"], b["decision"]) for a, b in pairs if a["decision"] != "rate"]
    found = []
    if decided:
        kept = [(a != "reject", b != "reject") for a, b in decided]
        found += [
            ("same decision", _share([a == b for a, b in decided])),
            ("same verdict", _share([a == b for a, b in kept])),
            ("kappa of the verdict", stats.kappa(kept)),
        ]
    if rated:
        found += [
            ("same rating", _share([a == b for a, b in rated])),
            ("within one", _share([abs(a - b) <= 1 for a, b in rated])),
            ("weighted kappa", stats.kappa(rated, weighted=True)),
        ]
    return found


def _both(a: Line, b: Line, key: str) -> bool:
    return a.get(key) is not None and b.get(key) is not None


def _share(hits: Sequence[bool]) -> stats.Estimate:
    return stats.wilson(sum(hits), len(hits))
