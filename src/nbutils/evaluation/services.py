"""An endpoint of the user's: as one more system, and as a judge that is held against people."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from nbutils.examples import Example

from .calibrating import calibrate, judged_usefulness
from .judging import judge
from .preferring import prefer
from .settings import Settings
from .systems import Prompt, ask_endpoint

Row = dict[str, Any]

_SEEN = "Usefulness by the judge, 0 to 5"


def endpoint(
    chosen: Settings,
    cases: Sequence[Example],
    prompt: Prompt,
    *,
    form: str,
    max_new_tokens: int,
    cache: Path,
    attempts: Path,
    progress: Callable[..., None] | None = None,
) -> tuple[dict[str, list[Row]], list[str]]:
    """Let the endpoint answer the cases, if one is set.

    Returns
    -------
    tuple
        ``{"endpoint": rows}``, empty if none is set or nothing was answered; and a sentence for
        what is missing.
    """
    if chosen.service is None or chosen.budget is None:
        return {}, []
    rows, stopped = ask_endpoint(
        chosen.service,
        cases,
        prompt,
        form=form,
        budget=chosen.budget,
        cache=cache,
        attempts=attempts,
        max_new_tokens=max_new_tokens,
        progress=progress,
    )
    again = "Stage 04 goes on with --force, and nothing is paid twice."
    said = f"{chosen.service.model} did not answer all cases: {stopped} {again}"
    return ({"endpoint": rows} if rows else {}), [said] if stopped else []


def opinion(
    chosen: Settings,
    answers: Mapping[str, Sequence[Row]],
    ratings: Sequence[Mapping[str, Any]],
    *,
    cache: Path,
    attempts: Path,
    pair: tuple[str, str] = ("tuned", "prompted"),
) -> tuple[pd.DataFrame, str]:
    """Ask the endpoint to judge the answers, and hold it against people.

    Parameters
    ----------
    chosen : Settings
        With ``judge`` on and a service; else nothing is asked.
    answers : mapping
        System to its rows.
    ratings : sequence of mapping
        Lines of ``ratings.jsonl``, by people.
    cache, attempts : Path
        Paid answers, and the log of calls.
    pair : tuple of str
        Systems whose answers are shown side by side, in both orders.

    Returns
    -------
    tuple
        The calibration table (empty if nothing was asked) and its verdict in a sentence. Where
        people's ratings allow the judge to stand in for them, the table ends with the usefulness
        it sees in each system (``metric`` is ``"judged_usefulness"``), 0 to 5; the gate never
        counts it.
    """
    if not chosen.judge or chosen.service is None or chosen.budget is None:
        columns = ["metric", "label", "value", "low", "high", "n"]
        return pd.DataFrame(columns=columns), "no judge was asked"
    asked = chosen.service, chosen.budget
    judged = judge(answers, *asked, cache=cache, attempts=attempts)
    both = prefer(answers, *pair, *asked, cache=cache, attempts=attempts)
    found = calibrate(judged, ratings, answers, preferred=both)
    told = _with_usefulness(found.table(), judged_usefulness(answers, judged, found))
    return told, f"{judged.said} {found.verdict}"


def _with_usefulness(table: pd.DataFrame, seen: pd.DataFrame) -> pd.DataFrame:
    rows = [
        {**row, "metric": "judged_usefulness", "label": f"{_SEEN}: {row['system']}"}
        for row in seen.to_dict("records")
    ]
    more = pd.DataFrame(rows, columns=table.columns, dtype=object)
    return pd.concat([table, more], ignore_index=True)
