"""Fine-tuning: a plan that is checked before a step is run, and training on TRL.

`recipe` holds the knobs, `preflight` checks the rows, `estimate` says what it will take,
`planning` puts them together, `trainer` sets TRL up, `fitting` runs it and goes on after a kill,
`keeping` writes the adapter's card and the record in MLflow.
"""

from .fitting import Outcome, log_rows, summary_table, train
from .keeping import data_hashes, keep
from .planning import Plan, limit, plan
from .preflight import check_sides, lengths, measure, rows
from .recipe import PlanError, Recipe
from .tracking import record

__all__ = [
    "Outcome",
    "Plan",
    "PlanError",
    "Recipe",
    "check_sides",
    "data_hashes",
    "keep",
    "lengths",
    "limit",
    "log_rows",
    "measure",
    "plan",
    "record",
    "rows",
    "summary_table",
    "train",
]
