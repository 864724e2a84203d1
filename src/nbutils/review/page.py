"""The review as one self-contained page: no server, no network, decisions kept in the browser."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from nbutils.errors import UserError

from .items import Item

TITLES = {
    "candidates": "Review of generated examples",
    "ratings": "Rating of answers",
    "adjudication": "Adjudication",
}
# in the order in which each may use those before it
_SCRIPTS = ("review_state.js", "review_store.js", "review_parts.js", "review_cards.js", "review.js")
_IMPORT = re.compile(r'^import\s[^;]*?\sfrom "\./review\w*\.js";\n', re.MULTILINE)
_EXPORT_FROM = re.compile(r'^export\s*{[^}]*}\s*from "\./review\w*\.js";\n', re.MULTILINE)


def page(
    items: Sequence[Item | Mapping[str, Any]],
    *,
    run: str,
    queue: str,
    reasons: Sequence[Mapping[str, Any]] = (),
    rubric: Sequence[Mapping[str, Any]] = (),
    reviewer: str = "",
    lines: Sequence[Mapping[str, Any]] = (),
    title: str = "",
) -> str:
    """Render a queue as a page that a reviewer opens from a file and sends decisions back from.

    Parameters
    ----------
    items : sequence of Item or mapping
        What is to be reviewed; a mapping has the fields of `Item.front`.
    run, queue : str
        Named in the file that comes back; a file of another run or queue is refused by the page.
    reasons : sequence of mapping
        Reasons of a rejection, ``code`` and ``text``.
    rubric : sequence of mapping
        The scale of the queue ``"ratings"``, ``rating`` (0 to 5) and ``text``.
    reviewer : str
        Whose page it is; asked by the page and remembered if empty.
    lines : sequence of mapping
        Earlier decision lines; only those of this reviewer get into the page.
    title : str
        By default what the queue is called.

    Returns
    -------
    str
        HTML. Its policy forbids everything but its own script and style, by their hashes.

    Raises
    ------
    UserError
        If there is no such queue, or an item stands in it twice.
    """
    from markupsafe import Markup

    from nbutils.report.html import page as filled
    from nbutils.report.html import template

    own = [line for line in lines if reviewer and line.get("reviewer") == reviewer]
    data = payload(items, run, queue, reasons, rubric, reviewer, title)
    script, style = bundle("review_page.js"), template("review.css") + "\nbody { margin: 0; }\n"
    return filled(
        "review.html.j2",
        title=data["title"],
        policy=_policy(script, style),
        style=Markup(style),
        script=Markup(script),
        data=Markup(_embedded({**data, "lines": own})),
    )


def payload(
    items: Sequence[Item | Mapping[str, Any]],
    run: str,
    queue: str,
    reasons: Sequence[Mapping[str, Any]],
    rubric: Sequence[Mapping[str, Any]],
    reviewer: str,
    title: str,
) -> dict[str, Any]:
    """What both doors give to the front end; ``hash`` tells one set of items from another."""
    if queue not in TITLES:
        raise UserError(f"there is no queue '{queue}'; expected one of {', '.join(TITLES)}.")
    shown = [item.front() if isinstance(item, Item) else dict(item) for item in items]
    return {
        "run": run,
        "queue": queue,
        "title": title or (f"{TITLES[queue]}, run {run}" if run else TITLES[queue]),
        "reviewer": reviewer,
        "items": shown,
        "hash": _digest([item["item"] for item in shown]),
        "reasons": [dict(reason) for reason in reasons],
        "rubric": [dict(step) for step in rubric],
    }


def bundle(door: str) -> str:
    """The front end's modules as one, the door's last: an inline script cannot import others."""
    from nbutils.report.html import template

    parts = [template(name) for name in (*_SCRIPTS, door)]
    return "\n".join(_EXPORT_FROM.sub("", _IMPORT.sub("", part)) for part in parts)


def _digest(hashes: Sequence[str]) -> str:
    twice = next((name for i, name in enumerate(hashes) if name in hashes[:i]), None)
    if twice is not None:
        raise UserError(
            f"item {twice} stands in the queue twice; expected each text once: leave one out."
        )
    return hashlib.sha256("\n".join(sorted(hashes)).encode()).hexdigest()[:16]


def _policy(script: str, style: str) -> str:
    rules = [
        "default-src 'none'",
        f"script-src {_source(script)}",
        f"style-src {_source(style)}",
        "img-src data:",
        "base-uri 'none'",
        "form-action 'none'",
    ]
    return "; ".join(rules)


def _source(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _embedded(data: Mapping[str, Any]) -> str:
    """JSON that cannot end the script element it stands in; ASCII only, so U+2028 is escaped."""
    text = json.dumps(data, allow_nan=False)
    return re.sub("[<>&]", lambda match: f"\\u{ord(match[0]):04x}", text)
