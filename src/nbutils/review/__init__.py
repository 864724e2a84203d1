"""Human review: decisions in an append-only file, two blind reviewers, one queue with two doors.

`decisions` is the file and its replay, `settling` brings reviewers together, `tables` exchanges
decisions with spreadsheets, `queues` knows what of a run is to be reviewed. `page` and `widget`
are the doors, both on the same front end.
"""

from .decisions import append, fnv1a, mend, order, read, standing
from .items import Item, item_hash
from .queues import (
    QUEUES,
    REASONS,
    RUBRIC,
    Merged,
    adopt,
    candidates,
    decisions_file,
    items_of,
    merge,
    page_of,
    scales,
    show,
    standing_of,
)
from .settling import REVIEWERS, agreement, disputes, settle, stale, work
from .tables import read_table, write_table

__all__ = [
    "QUEUES",
    "REASONS",
    "REVIEWERS",
    "RUBRIC",
    "Item",
    "Merged",
    "adopt",
    "agreement",
    "append",
    "candidates",
    "decisions_file",
    "disputes",
    "fnv1a",
    "item_hash",
    "items_of",
    "mend",
    "merge",
    "order",
    "page_of",
    "read",
    "read_table",
    "scales",
    "settle",
    "show",
    "stale",
    "standing",
    "standing_of",
    "work",
    "write_table",
]
