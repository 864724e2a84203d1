"""Decoding on a CPU without copying: the cache grows in place, shared keys are read once.

Decoding is bound by memory. transformers' dynamic cache is copied whole for every new token, and
its attention copies each key once for every query head that shares it; both took most of a step.
"""

from __future__ import annotations

from typing import Any

NAME = "nbutils_grouped"
SPARE = 256  # tokens of room that a block is given when it is made


def use_grouped(model: Any) -> None:
    """Let a model on a CPU decode without repeating its keys and values for every query head.

    Longer inputs (prefill, training) go the usual way. Nothing changes for a model whose heads
    share no keys.
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


def growing_cache(config: Any) -> Any:
    """A dynamic cache whose full-attention layers write new keys and values into spare room."""
    from transformers import DynamicCache
    from transformers.cache_utils import DynamicLayer

    class GrowingLayer(DynamicLayer):
        keys: Any
        values: Any

        def update(self, key_states: Any, value_states: Any, *_: Any, **__: Any) -> Any:
            if not self.is_initialized:
                self.lazy_initialization(key_states, value_states)
                self.room: dict[str, Any] = {}
            self.keys = _append(self.room, "keys", self.keys, key_states)
            self.values = _append(self.room, "values", self.values, value_states)
            return self.keys, self.values

    cache = DynamicCache(config=config)
    cache.layers = [
        GrowingLayer() if type(layer) is DynamicLayer else layer for layer in cache.layers
    ]
    return cache


def _append(room: dict[str, Any], name: str, held: Any, new: Any) -> Any:
    """What is held and what is new, as a view of a block with room for more."""
    length = held.shape[-2] if held.numel() else 0
    total = length + new.shape[-2]
    block: Any = room.get(name)
    ours = block is not None and held.numel() and held.data_ptr() == block.data_ptr()
    if not ours or block.shape[0] != new.shape[0] or block.shape[-2] < total:
        block = new.new_empty((*new.shape[:-2], total + SPARE, new.shape[-1]))
        if length:
            block[..., :length, :] = held
        room[name] = block
    block[..., length:total, :] = new
    return block[..., :total, :]
