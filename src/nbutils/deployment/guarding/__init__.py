"""The safety net in front of a served model: no number is passed on as verified that is not.

`guard` says which models are asked and what an answer must pass, `session` takes a case through
it, `upstream` is one call, `checking` the verdict, `confidence` the calibrated probability of being
right, `log` what is written down. `app` and `serving` make it an OpenAI-compatible service, whose
requests `request` reads. `coverage` measures on held-out cases what it is worth.
"""

from .answered import PATHS, Answered, Attempt
from .app import make_app
from .checking import Checked, check, house_form
from .confidence import Confidence, fit_confidence
from .coverage import guarded, risk_coverage
from .guard import Guard
from .limits import Limits, TooLarge, Unavailable
from .request import split
from .serving import serve
from .upstream import Upstream

__all__ = [
    "PATHS",
    "Answered",
    "Attempt",
    "Checked",
    "Confidence",
    "Guard",
    "Limits",
    "TooLarge",
    "Unavailable",
    "Upstream",
    "check",
    "fit_confidence",
    "guarded",
    "house_form",
    "make_app",
    "risk_coverage",
    "serve",
    "split",
]
