"""Fine-tuning: a plan that is checked before a step is run, and LoRA training on TRL."""

from .fitting import Outcome, log_rows, summary_table, train
from .planning import Plan, PlanError, lengths, limit, plan, rows

__all__ = [
    "Outcome",
    "Plan",
    "PlanError",
    "lengths",
    "limit",
    "log_rows",
    "plan",
    "rows",
    "summary_table",
    "train",
]
