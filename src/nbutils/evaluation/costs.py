"""What answers cost: latency, tokens, dollars, and when a fine-tune has paid for itself."""

from __future__ import annotations

import math
from collections.abc import Mapping

import pandas as pd

QUALITY = ("house_form", "numbers_right", "urgency_ok")


def costs(scored: Mapping[str, pd.DataFrame], prices: Mapping[str, float]) -> pd.DataFrame:
    """Latency, tokens and cost by system.

    Parameters
    ----------
    scored : mapping of str to DataFrame
        System to its rows from `answer`; a column ``cost`` (dollars) is taken where there is one,
        else the measured seconds of the machine are charged.
    prices : mapping
        See `Settings`.

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
        See `Settings`.
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
        said = f"after {requests:,} requests" if requests is not None else "never: it saves nothing"
        rows.append(
            {
                "system": system,
                "saved_per_1000": saved,
                "fixed": fixed,
                "requests": requests,
                "said": said,
            }
        )
    columns = ["system", "saved_per_1000", "fixed", "requests", "said"]
    return pd.DataFrame(rows, columns=columns, dtype=object)  # keeps None


def decision(
    summary: pd.DataFrame, table: pd.DataFrame, paid: pd.DataFrame, labels: Mapping[str, str]
) -> pd.DataFrame:
    """Prompt, retrieve or fine-tune: quality beside cost, one row a system.

    Parameters
    ----------
    summary : DataFrame
        See `summarize`.
    table, paid : DataFrame
        See `costs` and `break_even`.
    labels : mapping of str to str
        System to its name for readers.

    Returns
    -------
    DataFrame
        ``system``, ``form, numbers, urgency`` (percent of `QUALITY`), ``seconds, p50 / p95``,
        ``tokens, in + out``, ``dollars per 1,000`` and ``tuned pays``: after how many
        requests the fine-tune has paid for itself in its place.
    """
    values = summary.pivot(index="system", columns="metric", values="value")
    said = dict(zip(paid["system"], paid["said"], strict=True))
    rows = []
    for row in table.to_dict("records"):
        system = row["system"]
        shares = (_percent(values.loc[system, metric]) for metric in QUALITY)
        rows.append(
            {
                "system": labels.get(system, system),
                "form, numbers, urgency": ", ".join(shares),
                "seconds, p50 / p95": f"{row['p50']:.3g} / {row['p95']:.3g}",
                "tokens, in + out": f"{row['tokens_in']:.0f} + {row['tokens_out']:.0f}",
                "dollars per 1,000": f"{row['per_1000']:.3g}",
                "tuned pays": said.get(system, ""),
            }
        )
    return pd.DataFrame(rows)


def _percent(value: float | None) -> str:
    return "no value" if value is None or pd.isna(value) else f"{100 * value:.0f}%"
