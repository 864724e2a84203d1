"""What people read: tables, figures, stage pages and the front page of a run."""

from .cells import answers, text
from .figures import bars, curves, dots, scatter, show, stacks
from .front import front_page
from .html import annotate, notebook_html
from .tables import Table, table

__all__ = [
    "Table",
    "annotate",
    "answers",
    "bars",
    "curves",
    "dots",
    "front_page",
    "notebook_html",
    "scatter",
    "show",
    "stacks",
    "table",
    "text",
]
