"""How right the screen is: measured against labels that it never sees."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from nbutils import stats
from nbutils.curation.screening import REASONS
from nbutils.examples import read_jsonl


def read_labels(path: Path) -> pd.DataFrame:
    """Labels of reports: columns ``id``, ``label``, ``reasons``; no rows if there is no file."""
    columns = ["id", "label", "reasons"]
    rows = read_jsonl(path, columns) if path.is_file() else []
    return pd.DataFrame(rows, columns=columns)


def score(screened: pd.DataFrame, labels: pd.DataFrame) -> pd.DataFrame:
    """Compare the screen with labels.

    Parameters
    ----------
    screened : DataFrame
        As `screen` returns.
    labels : DataFrame
        Columns ``id``, ``label`` (``"keep"`` or ``"reject"``) and ``reasons`` (list of str).

    Returns
    -------
    DataFrame
        ``metric`` (accuracy, precision and recall of keeping, recall of each reason), ``value``,
        ``low``, ``high`` (Wilson), ``n``.
    """
    both = screened.merge(labels[["id", "label", "reasons"]], on="id", suffixes=("", "_true"))
    kept, true = both["keep"].to_numpy(), (both["label"] == "keep").to_numpy()
    rows: list[tuple[str, int, int]] = [
        ("keep or reject right", int((kept == true).sum()), len(both)),
        ("kept that should be kept", int((kept & true).sum()), int(kept.sum())),
        ("keepers that are kept", int((kept & true).sum()), int(true.sum())),
    ]
    for reason in REASONS:
        named = np.array([reason in r for r in both["reasons_true"]])
        hit = np.array([reason in r for r in both["reasons"]])
        if named.any():
            rows.append((f"{reason} found", int((named & hit).sum()), int(named.sum())))
    return pd.DataFrame(
        [{"metric": name, **vars(stats.wilson(k, n))} for name, k, n in rows],
        columns=["metric", "value", "low", "high", "n"],
    )
