"""Deployment: a merged model proven equal, served behind a guard, with versions and lineage.

`merge` folds the adapter into its base and `prove` holds the result against base and adapter;
`ways` shows why the way matters. `trial` serves it on this machine and measures it; `guarding` is
the safety net in front of any server. `register`, `promote`, `rollback` keep versions, and
`lineage` leads from any of them back to the reports.
"""

from .card import model_card
from .guarding import (
    Answered,
    Confidence,
    Guard,
    Limits,
    Upstream,
    fit_confidence,
    guarded,
    make_app,
    risk_coverage,
    serve,
)
from .lineage import lineage, said, steps, to_json
from .local_server import load_test, name_of, same_prompts, served
from .measuring import cases
from .merging import Merged, merge, merge_note, permit
from .moves import history
from .offering import Offered, offer
from .promoting import Move, promote, rollback
from .proof import Proof, prove
from .registering import register
from .tenants import Tenants, switching
from .trial import Trial, judged, paths, risk_curve, settings, trial
from .versions import Version, find, versions
from .ways import ways

__all__ = [
    "Answered",
    "Confidence",
    "Guard",
    "Limits",
    "Merged",
    "Move",
    "Offered",
    "Proof",
    "Tenants",
    "Trial",
    "Upstream",
    "Version",
    "cases",
    "find",
    "fit_confidence",
    "guarded",
    "history",
    "judged",
    "lineage",
    "load_test",
    "make_app",
    "merge",
    "merge_note",
    "model_card",
    "name_of",
    "offer",
    "paths",
    "permit",
    "promote",
    "prove",
    "register",
    "risk_coverage",
    "risk_curve",
    "rollback",
    "said",
    "same_prompts",
    "serve",
    "served",
    "settings",
    "steps",
    "switching",
    "to_json",
    "trial",
    "versions",
    "ways",
]
