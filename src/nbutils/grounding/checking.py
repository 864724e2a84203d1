"""One row of a diagnosis."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

COLUMNS = ("check", "finding", "value", "low", "high", "n", "ok")


class Check(NamedTuple):
    """What was looked at, what was found, and whether that is in order."""

    check: str
    finding: str
    value: float
    low: float
    high: float
    n: int
    ok: bool


def row(
    check: str,
    finding: str,
    value: float,
    n: int,
    ok: bool,
    ends: tuple[float, float] = (np.nan, np.nan),
) -> Check:
    """A `Check` with its interval last, as most have none."""
    return Check(check, finding, float(value), float(ends[0]), float(ends[1]), n, bool(ok))
