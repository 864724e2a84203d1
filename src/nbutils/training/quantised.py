"""Quantised bases: gradients that hold, and adapters precise enough to learn."""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping
from typing import Any

from .recipe import PlanError

# a lost gradient differs by 1, rounding of bf16 kernels on a GPU by some thousandths
TOLERANCE = 0.05


def guard_gradients(model: Any) -> int:
    """Keep bitsandbytes from repacking 4-bit layers, so that gradients survive an evaluation.

    On CPUs with AVX512-BF16 `Linear4bit` rearranges its weight at the first forward pass in
    evaluation mode, for good, and from then on calls a kernel that has no gradient: training goes
    on with only a warning, and the adapters of lower layers learn from noise. Call this right
    after loading, before any forward pass. On a GPU nothing changes.

    Parameters
    ----------
    model
        Loaded with `BitsAndBytesConfig`, with or without adapters.

    Returns
    -------
    int
        Layers guarded; 0 if the model has none in 4 bits.

    Raises
    ------
    PlanError
        If layers are repacked already: their scales were rounded, so nothing brings them back.
    """
    library = sys.modules.get("bitsandbytes")
    if library is None:
        return 0
    layers = [m for m in model.modules() if isinstance(m, library.nn.Linear4bit)]
    packed = sum(_is_packed(layer) for layer in layers)
    if packed:
        raise PlanError(
            f"{packed} of {len(layers)} 4-bit layers were repacked for inference by an evaluation "
            f"before training, which loses their gradients: load the model anew and call "
            f"guard_gradients before its first forward pass."
        )
    for layer in layers:
        layer.support_avx512bf16_for_cpu = False
    return len(layers)


def widen_adapters(model: Any) -> int:
    """Bring trained weights of 16 bits to fp32, in place; to be called before training.

    TRL casts the adapters of a quantised base to bf16. The loss scaling of fp16 training (GPUs
    before Ampere) fails on these, and on a CPU without bf16 they double the time of a step.

    Parameters
    ----------
    model
        With adapters, before the optimiser is made.

    Returns
    -------
    int
        Tensors widened.
    """
    import torch

    narrow = [
        p
        for p in model.parameters()
        if p.requires_grad and p.dtype in (torch.bfloat16, torch.float16)
    ]
    for parameter in narrow:
        parameter.data = parameter.data.float()
    return len(narrow)


def gradient_check(model: Any, batch: Mapping[str, Any], *, tolerance: float = TOLERANCE) -> float:
    """Compare gradients before and after an evaluation pass; to be run before training.

    Parameters
    ----------
    model
        With adapters. Neither weights, stored gradients, mode nor random state are changed.
    batch : mapping
        Tensors of the model's forward pass with ``labels``; one short row is enough.
    tolerance : float
        Largest difference allowed.

    Returns
    -------
    float
        Over the trained tensors the largest ``|after - before| / |before|`` (Euclidean norms): 0
        where an evaluation changes nothing, about 1 where a gradient is lost.

    Raises
    ------
    PlanError
        If the difference is above `tolerance`, or not a number.
    """
    import torch

    mode = model.training
    before = _gradients(model, batch)
    model.eval()
    with torch.inference_mode():
        model(**batch)
    after = _gradients(model, batch)
    model.train(mode)
    found = {name: _difference(before[name], after[name]) for name in before}
    worst = max(found, key=lambda name: found[name])
    if found[worst] > tolerance:
        raise PlanError(
            f"an evaluation pass changes the gradients of the adapters by {found[worst]:.0%} (of "
            f"{worst}), expected at most {tolerance:.0%}: training would go wrong without a word, "
            f"so set four_bit to false on this machine."
        )
    return found[worst]


def _is_packed(layer: Any) -> bool:
    state = getattr(layer.weight, "quant_state", None)
    return bool(getattr(state, "packing_format_for_cpu", False))


def _gradients(model: Any, batch: Mapping[str, Any]) -> dict[str, Any]:
    """Gradients of the trained tensors by name, None where there is none; ``.grad`` stays."""
    import torch

    trained = {n: p for n, p in model.named_parameters() if p.requires_grad}
    model.train()
    with torch.random.fork_rng():
        torch.manual_seed(0)  # the same dropout both times
        loss = model(**batch).loss
        found = torch.autograd.grad(loss, list(trained.values()), allow_unused=True)
    return dict(zip(trained, found, strict=True))


def _difference(before: Any, after: Any) -> float:
    """Relative difference of two gradients; None counts as 0."""
    import torch

    known = before if before is not None else after
    if known is None:
        return 0.0
    zero = torch.zeros_like(known)
    first, second = (g if g is not None else zero for g in (before, after))
    moved = float((second.float() - first.float()).norm())
    size = float(first.float().norm())
    if not math.isfinite(moved) or (moved and not size):
        return math.inf
    return moved / size if size else 0.0
