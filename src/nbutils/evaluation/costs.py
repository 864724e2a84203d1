"""What answers cost: latency, tokens, dollars, and when a fine-tune has paid for itself."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import pandas as pd

from nbutils.errors import UserError

DEFAULTS = {"machine_hour": 0.10, "review_hour": 60.0, "review_hours": 0.0}


def settings(given: Mapping[str, Any]) -> dict[str, float]:
    """Prices of the machine and of people's time, with the defaults where none are given.

    Parameters
    ----------
    given : mapping
        ``machine_hour`` (dollars for an hour of the machine that trains and answers; 0.10 is about
        what two cores and 24 GB cost to rent), ``review_hour`` (dollars for an hour of a person),
        ``review_hours`` (hours of curation and review that the fine-tune took).

    Raises
    ------
    UserError
        If a name is unknown or a value is no number of at least 0.
    """
    for name, value in given.items():
        if name not in DEFAULTS:
            raise UserError(
                f"COSTS has '{name}'; expected {', '.join(DEFAULTS)}: correct the name."
            )
        if isinstance(value, bool) or not isinstance(value, int | float) or not value >= 0:
            raise UserError(f"COSTS: {name} is {value!r}; expected dollars or hours, 0 or more.")
    return {**DEFAULTS, **{k: float(v) for k, v in given.items()}}


def costs(scored: Mapping[str, pd.DataFrame], prices: Mapping[str, float]) -> pd.DataFrame:
    """Latency, tokens and cost by system.

    Parameters
    ----------
    scored : mapping of str to DataFrame
        System to its rows from `answer`; a column ``cost`` (dollars) is taken where there is one,
        else the measured seconds of the machine are charged.
    prices : mapping
        See `settings`.

    Returns
    -------
    DataFrame
        ``system``, ``p50`` and ``p95`` (seconds from the start of a batch to the end of an answer),
        ``tokens_in``, ``tokens_out`` (means), ``per_hour`` (answers of this machine, or of the
        service at the measured pace of one call at a time), ``per_1000`` (dollars), ``n``.
    """
    rows = []
    for system, frame in scored.items():
        seconds = float(frame["seconds"].mean())
        charged = frame["cost"].mean() if "cost" in frame else None
        each = charged if charged is not None else seconds / 3600 * prices["machine_hour"]
        rows.append(
            {
                "system": system,
                "p50": float(frame["latency"].quantile(0.5)),
                "p95": float(frame["latency"].quantile(0.95)),
                "tokens_in": float(frame["prompt_tokens"].mean()),
                "tokens_out": float(frame["completion_tokens"].mean()),
                "per_hour": 3600 / seconds if seconds > 0 else None,
                "per_1000": 1000 * float(each),
                "n": len(frame),
            }
        )
    return pd.DataFrame(rows)


def break_even(
    table: pd.DataFrame,
    candidate: str,
    prices: Mapping[str, float],
    *,
    training_seconds: float,
    data_dollars: float = 0.0,
) -> pd.DataFrame:
    """After how many requests the fine-tune has paid for itself, against each other system.

    Parameters
    ----------
    table : DataFrame
        See `costs`.
    candidate : str
        The tuned system.
    prices : mapping
        See `settings`.
    training_seconds : float
        Wall time of training.
    data_dollars : float
        What generating the training data cost.

    Returns
    -------
    DataFrame
        ``system``, ``saved_per_1000`` (dollars; negative if the tuned model costs more a request),
        ``fixed`` (dollars for training, data and review), ``requests`` (None: never), ``said``.
    """
    fixed = training_seconds / 3600 * prices["machine_hour"] + data_dollars
    fixed += prices["review_hours"] * prices["review_hour"]
    each = table.set_index("system")["per_1000"]
    rows = []
    for system, cost in each.items():
        if system == candidate:
            continue
        saved = float(cost - each[candidate])
        requests = math.ceil(1000 * fixed / saved) if saved > 0 else None
        said = f"after {requests:,} requests" if requests is not None else "never: it costs more"
        rows.append(
            {
                "system": system,
                "saved_per_1000": saved,
                "fixed": fixed,
                "requests": requests,
                "said": said,
            }
        )
    return pd.DataFrame(rows).astype({"requests": object})
