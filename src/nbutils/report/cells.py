"""Texts in a notebook: an excerpt as it stands, and answers with their numbers marked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from types import SimpleNamespace
from typing import Any

from .html import Html, annotate


def text(content: str, caption: str) -> Html:
    """Show a text as it stands, escaped and with its line breaks, under a caption."""
    return Html(
        f"<figure class='text'><figcaption>{escape(caption)}</figcaption>"
        f'<div style="white-space: pre-wrap" dir="auto">{escape(content)}</div></figure>'
    )


def answers(examples: Sequence[Mapping[str, Any]]) -> Html:
    """Show cases with their answers, every number marked as supported, wrong or not checked.

    Parameters
    ----------
    examples : sequence of mapping
        ``kind``, ``id``, ``input``, ``output`` and ``claims`` (list of dict), as
        `evaluation.pick_examples` returns.
    """
    parts = []
    for example in examples:
        claims = [SimpleNamespace(**c) for c in example["claims"]]
        parts.append(
            f"<h3>{escape(str(example['kind']).capitalize())}: {escape(str(example['id']))}</h3>"
            f'<div style="white-space: pre-wrap" dir="auto">{escape(example["input"])}</div>'
            + annotate(example["output"], SimpleNamespace(claims=claims))
        )
    return Html("".join(parts))
