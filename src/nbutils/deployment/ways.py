"""The ways of merging side by side, so that readers see why only one of them is taken."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from .adapters import read_adapter
from .folding import attach, fold, open_base, runtime_dtype
from .measuring import Case, checked_rows, compared, free_memory, loss_of, read, token_count


def ways(adapter: Path, cases: Sequence[Case], *, base: str) -> pd.DataFrame:
    """What the ways of merging an adapter cost, each against base and adapter unmerged.

    For an adapter trained on an NF4 base: merged into that base dequantised; into the original
    base; by ``merge_and_unload()`` on the 4-bit model, which quantises the sum again. For any
    other: merged in fp32; rounded to bf16; and, if bitsandbytes is installed, merged into the base
    as NF4 would leave it.

    Parameters
    ----------
    adapter : Path
        Folder that 03_training wrote.
    cases : sequence of mapping
        As for `prove`; a handful is enough.
    base : str
        The base that it was trained on.

    Returns
    -------
    DataFrame
        ``way`` (the first row is base + adapter), ``loss`` (nats a token), ``difference`` (of the
        loss), ``kl`` (nats a token, from base + adapter), ``top1`` (share of tokens whose
        likeliest one is the same), ``tokens``.

    Raises
    ------
    ModelError, UserError
        As `prove`.
    """
    note = read_adapter(adapter)
    rows = checked_rows(adapter, note, base, cases)
    four_bit = bool(note["four_bit"])
    before = read(attach(open_base(base, four_bit=four_bit), adapter), rows)
    loss = loss_of(before, rows)
    found = [_way("base + adapter, not merged", loss, {"loss": loss, "kl": 0.0, "top1": 1.0})]
    for way, make in _ways(adapter, base, four_bit).items():
        free_memory()
        after = read(make(), rows)
        found.append(_way(way, loss, compared(before, after, rows)))
    return pd.DataFrame(found).assign(tokens=token_count(rows))


def _ways(adapter: Path, base: str, four_bit: bool) -> dict[str, Callable[[], Any]]:
    import torch

    runtime = runtime_dtype()

    def folded(dtype: str = runtime, *, through_nf4: bool = False) -> Any:
        onto = open_base(base, four_bit=through_nf4, dense=True)
        model = fold(attach(onto, adapter), dtype)[0]
        return model.to(getattr(torch, runtime))

    def within() -> Any:
        return attach(open_base(base, four_bit=True), adapter).merge_and_unload()

    if four_bit:
        return {
            "into the NF4 base, dequantised": lambda: folded(through_nf4=True),
            "into the original base": folded,
            "within the 4-bit model": within,
        }
    known: dict[str, Callable[[], Any]] = {
        "into the base, in fp32": lambda: folded("float32"),
        "into the base, rounded to bf16": lambda: folded("bfloat16"),
    }
    if importlib.util.find_spec("bitsandbytes"):
        known["into the base as NF4 leaves it"] = lambda: folded(through_nf4=True)
    return known


def _way(way: str, loss: float, found: Mapping[str, float]) -> dict[str, Any]:
    return {
        "way": way,
        "loss": found["loss"],
        "difference": round(found["loss"] - loss, 6) + 0.0,
        "kl": found["kl"],
        "top1": found["top1"],
    }
