"""Proof that a merged model is the one that was evaluated.

Both models read the same answers to the same prompts, one after the other; the reference is the
base with the adapter on top, not merged, in the precision that training used for the base.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from ..errors import UserError
from ..models import LocalModel, load_tokenizer
from ..models.attention import use_grouped
from .adapters import adapter_hash, fitting_tokenizer, read_adapter
from .folding import attach, open_base
from .measuring import Case, Row, checked_rows, compared, free_memory, loss_of, read, token_count
from .merging import merge_note

LIMITS = {"loss": 0.01, "kl": 0.005, "top1": 0.98, "text": 0.9}
_LABELS = {
    "loss": "Loss on the answers, nats a token",
    "kl": "KL from base + adapter, nats a token",
    "top1": "Tokens with the same likeliest one",
    "text": "Answers with the same text",
}
_AT_LEAST = ("top1", "text")


@dataclass(frozen=True)
class Proof:
    """Whether a merged model may stand for base and adapter.

    Attributes
    ----------
    frame : DataFrame
        One row a measure: ``measure``, ``base + adapter``, ``merged``, ``difference`` (merged
        minus base + adapter, which agrees with itself in everything), ``limit``, ``passed``.
        The loss may differ by the limit in both directions, KL may reach it; the two shares must.
    verdict : str
        A sentence.
    passed : bool
        Whether every measure is within its limit.
    cases, tokens : int
        Prompts, and tokens of their answers, end of turn included.
    """

    frame: pd.DataFrame = field(repr=False)
    verdict: str
    passed: bool
    cases: int
    tokens: int

    def record(self) -> dict[str, Any]:
        """As JSON: ``passed``, ``verdict``, ``cases``, ``tokens``, ``measures`` (the rows)."""
        head = {k: getattr(self, k) for k in ("passed", "verdict", "cases", "tokens")}
        # JSON has no NaN, which a broken model gives
        rows = self.frame.astype(object).where(self.frame.notna(), None)
        return {**head, "measures": rows.to_dict("records")}


def prove(
    merged: Path,
    cases: Sequence[Case],
    *,
    base: str,
    adapter: Path,
    limits: Mapping[str, float] | None = None,
    max_new_tokens: int = 200,
) -> Proof:
    """Compare a merged model with the base and adapter that it was made from.

    Both compute in fp32 on a CPU, so that only the weights differ; on a GPU in the precision that
    it serves in. Only one model is in memory at a time; of the first the log-probabilities are
    kept (4 bytes a token of an answer and word of the vocabulary).

    Parameters
    ----------
    merged : Path
        Folder that `merge` wrote.
    cases : sequence of mapping
        ``prompt`` (chat messages) and ``completion`` (text), as `measuring.cases` makes them.
    base, adapter
        As given to `merge`.
    limits : mapping, optional
        Changes to `LIMITS`: ``loss`` and ``kl`` in nats a token, at most; ``top1`` and ``text``
        as shares, at least.
    max_new_tokens : int
        Of the greedy answers whose texts are compared.

    Returns
    -------
    Proof

    Raises
    ------
    ModelError
        If `merged` is no merged model, of another adapter, or has another prompt template.
    UserError
        If there are no cases, one is empty, or a limit is unknown.
    """
    bounds = _bounds(limits)
    note = read_adapter(adapter)
    rows = checked_rows(adapter, note, base, cases)
    if merge_note(merged)["adapter"] != adapter_hash(adapter):
        raise UserError(
            f"{merged.name}/ was merged from another adapter than {adapter.name}/: merge this one "
            f"into a folder of its own."
        )
    fitting_tokenizer(note, str(merged))
    prompts = [c["prompt"] for c in cases]

    reference = attach(open_base(base, four_bit=note["four_bit"]), adapter)
    before = read(reference, rows)
    first = _texts(reference, base, prompts, max_new_tokens)
    del reference
    free_memory()
    model = open_base(str(merged))
    after = read(model, rows)
    second = _texts(model, str(merged), prompts, max_new_tokens)
    same = sum(a == b for a, b in zip(first, second, strict=True)) / len(first)
    found = {**compared(before, after, rows), "text": same}
    return _proof(found, loss_of(before, rows), bounds, rows)


def _texts(model: Any, folder: str, prompts: list[Any], limit: int) -> list[str]:
    """Greedy answers, decoded as evaluation decodes them."""
    if model.device.type == "cpu":
        use_grouped(getattr(model, "get_base_model", lambda: model)())
    answers = LocalModel(model, load_tokenizer(folder), "").generate(prompts, limit)
    return [answer.text for answer in answers]


# --------------------------------------------------------------------------- judging


def _bounds(limits: Mapping[str, float] | None) -> dict[str, float]:
    if unknown := sorted(set(limits or {}) - set(LIMITS)):
        raise UserError(
            f"unknown limit {', '.join(unknown)}, expected some of {', '.join(LIMITS)}: correct "
            f"the name."
        )
    return {**LIMITS, **(limits or {})}


def _proof(
    found: Mapping[str, float], loss: float, bounds: Mapping[str, float], rows: Sequence[Row]
) -> Proof:
    itself = {"loss": loss, "kl": 0.0, "top1": 1.0, "text": 1.0}
    table = [
        {
            "measure": _LABELS[key],
            "base + adapter": itself[key],
            "merged": found[key],
            # 0.0 is added so that no -0.0 is shown
            "difference": round(found[key] - itself[key], 6) + 0.0,
            "limit": bounds[key],
            "passed": _within(key, found[key], itself[key], bounds[key]),
        }
        for key in LIMITS
    ]
    frame = pd.DataFrame(table)
    passed = bool(frame["passed"].all())
    tokens = token_count(rows)
    return Proof(frame, _verdict(frame, passed, len(rows), tokens), passed, len(rows), tokens)


def _within(key: str, value: float, itself: float, limit: float) -> bool:
    """Whether a measure keeps its limit; what is not a number keeps none."""
    return value >= limit if key in _AT_LEAST else abs(value - itself) <= limit


def _verdict(frame: pd.DataFrame, passed: bool, cases: int, tokens: int) -> str:
    on = f"on {cases} cases ({tokens:,} tokens of answers)"
    if passed:
        merged = {key: float(value) for key, value in zip(LIMITS, frame["merged"], strict=True)}
        moved = float(frame["difference"].iloc[0])
        return (
            f"The merged model is the one that was evaluated, {on}: loss "
            f"{round(moved, 4) + 0.0:.4f} apart, KL {merged['kl']:.4f} nats a token, the same "
            f"likeliest token at {merged['top1'] * tokens:,.0f} of {tokens:,}, the same text in "
            f"{merged['text'] * cases:.0f} of {cases} answers."
        )
    failed = [
        f"{row['measure'].lower()} {row['merged']:.4g} (base + adapter {row['base + adapter']:.4g}"
        f", limit {row['limit']:g})"
        for row in frame[~frame["passed"]].to_dict("records")
    ]
    return f"The merged model is not the one that was evaluated, {on}: {'; '.join(failed)}."
