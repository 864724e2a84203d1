"""What people read, made from what the run left: one page a notebook, and the front page."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

from nbutils import folders
from nbutils.errors import UserError


def notebook(executed: Path, only_if_missing: bool = False) -> bool:
    """Render an executed notebook beside itself; True unless that failed."""
    html = executed.with_suffix(".html")
    if not executed.is_file() or (only_if_missing and html.is_file()):
        return True
    from nbutils import report

    return _made(html, lambda: report.notebook_html(executed, html))


def front(run_dir: Path, out_dir: Path) -> bool:
    """Make the front page of a run; True unless that failed."""
    from nbutils import report

    return _made(out_dir / "index.html", lambda: report.front_page(run_dir, out_dir))


def again(run: str = "latest") -> tuple[Path, bool]:
    """Make all pages of a run again.

    Returns
    -------
    Path
        The front page.
    bool
        Whether all pages could be made.
    """
    run_dir = folders.find(run)
    out_dir = folders.reports() / run_dir.name
    out_dir.mkdir(parents=True, exist_ok=True)
    made = [notebook(p) for p in sorted(out_dir.glob("[0-9][0-9]_*.ipynb"))]
    made.append(front(run_dir, out_dir))
    return out_dir / "index.html", all(made)


def _made(page: Path, make: Callable[[], object]) -> bool:
    """Make one page; a page that cannot be drawn must not cost the hours of a training run."""
    try:
        make()
    except UserError as error:
        reason = str(error)
    except Exception as error:
        reason = f"{type(error).__name__}: {error}"
    else:
        return True
    remedy = "the results are kept; mend the cause, then `nbutils report`"
    sys.stderr.write(f"nbutils: {page.name} could not be made ({reason}): {remedy}.\n")
    return False
