"""The review inside a notebook: decisions go to the kernel as they are made."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any

from .items import Item
from .page import bundle, payload


def widget(
    items: Sequence[Item | Mapping[str, Any]],
    save: Callable[[dict[str, Any]], None],
    *,
    reviewer: str,
    run: str = "",
    queue: str = "candidates",
    reasons: Sequence[Mapping[str, Any]] = (),
    rubric: Sequence[Mapping[str, Any]] = (),
    lines: Sequence[Mapping[str, Any]] = (),
    title: str = "",
) -> Any:
    """Show a queue in a notebook: JupyterLab, Notebook 7, VS Code or Colab.

    Parameters
    ----------
    items, run, queue, reasons, rubric, title
        As for `nbutils.review.page.page`.
    save : callable
        Stores one decision line and returns when it is stored. What it raises is shown to the
        reviewer, who can try again.
    reviewer : str
        Who reviews; asked and remembered if empty.
    lines : sequence of mapping
        Earlier decision lines: the review goes on from those of its reviewer.

    Returns
    -------
    anywidget.AnyWidget
        The last expression of a cell shows it.

    Raises
    ------
    UserError
        As `nbutils.review.page.page`.
    """
    data = payload(items, run, queue, reasons, rubric, reviewer, title)
    own = [dict(line) for line in lines if reviewer in ("", line.get("reviewer"))]
    return _widget_class()(save, data=data, lines=own)


@cache
def _widget_class() -> type:
    """The class, made when first needed: anywidget takes a while to import."""
    import anywidget
    import traitlets

    from nbutils.report.html import template

    class Review(anywidget.AnyWidget):
        _esm = bundle("review_widget.js")
        _css = template("review.css")
        data = traitlets.Dict().tag(sync=True)
        lines: Any = traitlets.List().tag(sync=True)

        def __init__(self, save: Callable[[dict[str, Any]], None], **traits: Any) -> None:
            super().__init__(**traits)
            self._save = save
            self._known = {_canonical(line) for line in self.lines}
            self.on_msg(self._receive)

        def _receive(self, _: Any, content: Any, buffers: Any) -> None:
            line = content.get("line")
            try:
                self._store(line)
            except Exception as error:
                # whatever it was, the reviewer has to hear that this decision is not stored
                self.send({"line": line, "error": str(error) or type(error).__name__})
            else:
                self.send({"line": line, "saved": len(self.lines)})

        def _store(self, line: dict[str, Any]) -> None:
            # a line comes again if its answer was lost
            if _canonical(line) in self._known:
                return
            self._save(line)
            self._known.add(_canonical(line))
            # not assigned: that would send all lines after each decision. A front end that is
            # drawn anew from the kernel still finds them here.
            self.lines.append(line)

    return Review


def _canonical(line: Mapping[str, Any]) -> str:
    return json.dumps(line, sort_keys=True)
