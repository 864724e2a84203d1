"""Attention for decoding on a CPU: keys shared by several query heads are read once."""

from __future__ import annotations

from typing import Any

NAME = "nbutils_grouped"


def use_grouped(model: Any) -> None:
    """Let a model on a CPU decode without repeating its keys and values for every query head.

    Decoding is bound by memory, and transformers copies each key once for every query head that
    shares it. Longer inputs (prefill, training) go the usual way. Nothing changes for a model
    whose heads share no keys.
    """
    from transformers import AttentionInterface
    from transformers.masking_utils import ALL_MASK_ATTENTION_FUNCTIONS

    config = model.config
    heads = getattr(config, "num_attention_heads", 1)
    if getattr(config, "num_key_value_heads", heads) == heads:
        return
    AttentionInterface.register(NAME, _grouped)
    ALL_MASK_ATTENTION_FUNCTIONS.register(NAME, ALL_MASK_ATTENTION_FUNCTIONS["sdpa"])
    model.set_attn_implementation(NAME)


def _grouped(
    module: Any, query: Any, key: Any, value: Any, attention_mask: Any, **options: Any
) -> Any:
    """Grouped-query attention of one new token; anything longer by ``sdpa``.

    Shapes: query [batch, heads, 1, size], key and value [batch, shared heads, length, size].
    """
    import torch
    from transformers.integrations.sdpa_attention import sdpa_attention_forward

    batch, heads, length, size = query.shape
    shared = key.shape[1]
    if length > 1:
        return sdpa_attention_forward(module, query, key, value, attention_mask, **options)
    scaling = options.get("scaling") or size**-0.5
    rows = query.reshape(batch * shared, heads // shared, size)
    scores = torch.bmm(rows, key.reshape(batch * shared, -1, size).transpose(1, 2)) * scaling
    if attention_mask is not None:
        seen = attention_mask[..., : key.shape[2]]
        scores = scores.view(batch, shared, heads // shared, -1)
        if seen.dtype == torch.bool:
            scores = scores.masked_fill(~seen, torch.finfo(scores.dtype).min)
        else:
            scores = scores + seen
        scores = scores.view(batch * shared, heads // shared, -1)
    mixed = torch.bmm(scores.softmax(-1), value.reshape(batch * shared, -1, size))
    return mixed.view(batch, 1, heads, size), None
