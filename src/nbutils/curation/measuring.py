"""How right the rules are: measured against labels that they never see.

Nothing here is fitted, so there is nothing to cross-validate; what a label says is compared with
what the rules said. The rules were written with the demonstration's labels at hand, though, so
their scores on it are those of known cases.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from nbutils import stats
from nbutils.curation.screening import REASONS
from nbutils.curation.structure import Structured
from nbutils.examples import read_jsonl

_FIELDS = ("metric", "series", "unit", "period", "cohort_size", "style")
_COLUMNS = ["id", "label", "reasons", *_FIELDS]
_UNITS = {"currency": "money", "score": "number", "ratio": "number", "count": "number"}


def read_labels(path: Path) -> pd.DataFrame:
    """Labels of reports; no rows if there is no file.

    Columns ``id``, ``label`` (``"keep"`` or ``"reject"``) and ``reasons`` (list of str), and where
    the file has them ``metric``, ``series``, ``unit``, ``period``, ``cohort_size`` and ``style``.
    """
    rows = read_jsonl(path, ["id", "label", "reasons"]) if path.is_file() else []
    return pd.DataFrame(rows, columns=_COLUMNS)


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
        ``metric`` (accuracy; precision and recall of keeping; recall and precision of each
        reason), ``value``, ``low``, ``high`` (95%, Wilson), ``n``.
    """
    both = _matched(screened, labels)
    kept, true = both["keep"].to_numpy(bool), (both["label"] == "keep").to_numpy()
    rows: list[tuple[str, int, int]] = [
        ("keep or reject right", int((kept == true).sum()), len(both)),
        ("kept that should be kept", int((kept & true).sum()), int(kept.sum())),
        ("keepers that are kept", int((kept & true).sum()), int(true.sum())),
    ]
    for reason in REASONS:
        named = np.array([reason in r for r in both["reasons_true"]], dtype=bool)
        said = np.array([reason in r for r in both["reasons"]], dtype=bool)
        if named.any():
            rows.append((f"{reason} found", int((named & said).sum()), int(named.sum())))
        if said.any():
            rows.append((f"{reason} rightly said", int((named & said).sum()), int(said.sum())))
    return _shares(rows)


def confusion(screened: pd.DataFrame, labels: pd.DataFrame) -> pd.DataFrame:
    """What was said of the reports with each label.

    Returns
    -------
    DataFrame
        One row a label (``keep`` and each reason; a report with two reasons is in both):
        ``label``, ``reports``, ``named`` (of which it was said), ``kept`` (of which nothing was
        said) and ``instead`` (what else was said of those not named, with counts).
    """
    both = _matched(screened, labels)
    rows = []
    for label in ("keep", *REASONS):
        mine = both[[label in (r or ["keep"]) for r in both["reasons_true"]]]
        if len(mine):
            said = [r or ["keep"] for r in mine["reasons"]]
            others = Counter(r for rs in said if label not in rs for r in rs if r != "keep")
            rows.append(
                {
                    "label": label,
                    "reports": len(mine),
                    "named": sum(label in rs for rs in said),
                    "kept": sum(rs == ["keep"] for rs in said),
                    "instead": ", ".join(f"{r} {n}" for r, n in others.most_common()),
                }
            )
    return pd.DataFrame(rows, columns=["label", "reports", "named", "kept", "instead"])


def score_fields(read: Mapping[str, Structured], labels: pd.DataFrame) -> pd.DataFrame:
    """Compare what was read out of reports with labels, field by field.

    Parameters
    ----------
    read : mapping
        Id to what `structure` returned.
    labels : DataFrame
        As `read_labels` returns; labels without a ``style`` or ``series`` are left out.

    Returns
    -------
    DataFrame
        ``field``, ``style`` (``"all"`` or one), ``value``, ``low``, ``high``, ``n``. A metric's
        name is right if half of the words of both names are shared, a series if every value is.
    """
    rows = []
    for label in labels.to_dict("records"):
        if label["id"] in read and isinstance(label["series"], list):
            found = read[label["id"]]
            rows += [
                {"field": name, "style": label["style"], "right": right(found, label)}
                for name, right in _RIGHT.items()
                if label["series"] or name in ("metric", "series", "style")
            ]
    frame = pd.DataFrame(rows, columns=["field", "style", "right"])
    both = pd.concat([frame.assign(style="all"), frame])
    counted = both.groupby(["field", "style"], sort=False)["right"].agg(["sum", "size"])
    shares = [
        {"field": field, "style": style, **vars(stats.wilson(int(k), int(n)))}
        for (field, style), k, n in counted.itertuples()
    ]
    return pd.DataFrame(shares, columns=["field", "style", "value", "low", "high", "n"])


def _matched(screened: pd.DataFrame, labels: pd.DataFrame) -> pd.DataFrame:
    return screened.merge(labels[["id", "label", "reasons"]], on="id", suffixes=("", "_true"))


def _shares(rows: Iterable[tuple[str, int, int]]) -> pd.DataFrame:
    return pd.DataFrame(
        [{"metric": name, **vars(stats.wilson(k, n))} for name, k, n in rows],
        columns=["metric", "value", "low", "high", "n"],
    )


def _same_name(found: Structured, label: Mapping[Any, Any]) -> bool:
    said, true = (
        set(re.findall(r"[a-z0-9]+", str(name).lower())) for name in (found.metric, label["metric"])
    )
    return len(said & true) >= 0.5 * max(1, len(said | true))


def _same_series(found: Structured, label: Mapping[Any, Any]) -> bool:
    known = [v for v in found.values if v is not None]
    return known == [v for v in label["series"] if v is not None]


def _same_unit(found: Structured, label: Mapping[Any, Any]) -> bool:
    return _UNITS.get(found.unit, found.unit) == _UNITS.get(label["unit"], label["unit"])


def _same_cohort(found: Structured, label: Mapping[Any, Any]) -> bool:
    true = label["cohort_size"]
    if true is None or pd.isna(true) or found.cohort is None:
        return found.cohort is None and (true is None or pd.isna(true))
    return abs(found.cohort - float(true)) <= 0.005 * float(true)


_RIGHT: dict[str, Callable[[Structured, Mapping[Any, Any]], bool]] = {
    "metric": _same_name,
    "series": _same_series,
    "unit": _same_unit,
    "period": lambda found, label: found.period == label["period"],
    "cohort": _same_cohort,
    "style": lambda found, label: found.style == label["style"],
}
