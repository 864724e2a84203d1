"""What people read: tables, figures, stage pages and the front page of a run."""

from .figures import bars, curves, dots, show
from .html import annotate, notebook_html
from .tables import Table, table

__all__ = ["Table", "annotate", "bars", "curves", "dots", "notebook_html", "show", "table"]
