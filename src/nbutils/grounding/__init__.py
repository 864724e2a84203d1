"""Regression-grounded prompting: statistics finds what matters, the model explains it.

`open_study` reads a table; `fit` fits it, `diagnose` names its problems, `levers` ranks what can be
moved; `context` writes the block of the prompt; `ask` and `compare` show whether the block changes
what a model recommends. `views` makes tables and records of it.
"""

from .cases import Groups, table_cases
from .context import context
from .diagnostics import Diagnosis, diagnose
from .experiment import ask, blocks, compare, shuffled, summarize, with_block
from .fitting import Fit, fit
from .levers import levers
from .naming import acted_on, causal
from .study import Study, open_study
from .tables import read_table
from .views import (
    coefficients,
    effects,
    examples,
    grounding_record,
    headline,
    missing,
    recovered,
    regression_record,
    terms,
    verdict,
    wide,
)

__all__ = [
    "Diagnosis",
    "Fit",
    "Groups",
    "Study",
    "acted_on",
    "ask",
    "blocks",
    "causal",
    "coefficients",
    "compare",
    "context",
    "diagnose",
    "effects",
    "examples",
    "fit",
    "grounding_record",
    "headline",
    "levers",
    "missing",
    "open_study",
    "read_table",
    "recovered",
    "regression_record",
    "shuffled",
    "summarize",
    "table_cases",
    "terms",
    "verdict",
    "wide",
    "with_block",
]
