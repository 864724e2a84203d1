"""Intervals and paired comparisons with three outcomes: better, worse, not shown.

`intervals` holds a share with its interval, `paired` compares two systems on the same documents,
`agreement` two raters on the same items; `families` numbers what belongs together.
"""

from .agreement import Agreement, agreement, kappa
from .families import family_labels
from .intervals import Estimate, ratio, wilson
from .paired import Comparison, compare, holm
from .resampling import RESAMPLES, Z95

__all__ = [
    "RESAMPLES",
    "Z95",
    "Agreement",
    "Comparison",
    "Estimate",
    "agreement",
    "compare",
    "family_labels",
    "holm",
    "kappa",
    "ratio",
    "wilson",
]
