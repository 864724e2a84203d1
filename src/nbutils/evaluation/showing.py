"""How a share is shown to readers, and from how many items on there is one to show."""

from __future__ import annotations

import pandas as pd

FEWEST = 10  # below this many items a share says more than is known: counts are given instead


def with_interval(value: float | None, low: float | None, high: float | None) -> str:
    """A value with its interval, as far as they are defined.

    Examples
    --------
    >>> with_interval(0.834, 0.72, 0.9), with_interval(0.5, None, None)
    ('0.83 [0.72, 0.90]', '0.50')
    >>> with_interval(None, None, None)
    'no value'
    """
    if value is None or pd.isna(value):
        return "no value"
    if low is None or high is None or pd.isna(low) or pd.isna(high):
        return f"{value:.2f}"
    return f"{value:.2f} [{low:.2f}, {high:.2f}]"
