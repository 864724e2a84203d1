"""What a plan will take, before it is run: parameters, memory and time."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass

from .recipe import Recipe

BYTES = {"float32": 4, "bfloat16": 2, "float16": 2}
NF4_BYTES = 0.53  # 4 bits and the doubly quantised scales
# of the rate of plain matrix products; attention, norms and the head take the rest
EFFICIENCY = {"cpu": 0.6, "gpu": 0.35}
# bytes kept of a layer for the backward pass, by hidden unit and token at 2 bytes a number
# (Korthikanti et al. 2022, without the attention scores, which fused attention does not keep)
KEPT = 34


@dataclass(frozen=True)
class Shape:
    """Sizes of a base model.

    Attributes
    ----------
    parameters, linear, head : int
        All weights; those of linear layers in the blocks; the LM head's.
    trained : int
        Weights that a recipe trains.
    layers, hidden, vocabulary : int
        Depth, width, and words.
    """

    parameters: int
    linear: int
    head: int
    trained: int
    layers: int
    hidden: int
    vocabulary: int


def shape_of(path: str, recipe: Recipe) -> Shape:
    """Sizes of a base model and of what is trained, from its configuration alone."""
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    config = AutoConfig.from_pretrained(path)
    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(config)
    linear = trained = 0
    first = config.num_hidden_layers - recipe.layers if recipe.layers else 0
    for name, module in model.named_modules():
        if not isinstance(module, torch.nn.Linear) or ".layers." not in f".{name}":
            continue
        linear += module.weight.numel()
        depth = int(name.split("layers.")[1].split(".")[0])
        if name.rpartition(".")[2] in recipe.modules and depth >= first:
            trained += recipe.rank * (module.in_features + module.out_features)
            trained += module.out_features if recipe.dora else 0
    total = sum(p.numel() for p in model.parameters())
    return Shape(
        parameters=total,
        linear=linear,
        head=config.hidden_size * config.vocab_size,
        trained=total if recipe.full else trained,
        layers=config.num_hidden_layers,
        hidden=config.hidden_size,
        vocabulary=config.vocab_size,
    )


def memory_gb(
    shape: Shape, recipe: Recipe, dtype: str, *, tokens: int, answers: int, checkpointing: bool
) -> float:
    """Memory of a training step in GB, an estimate to about a third.

    Parameters
    ----------
    shape, recipe
        The base model and the knobs.
    dtype : str
        Precision of the frozen base.
    tokens, answers : int
        Tokens of the largest batch, and those of them that the loss is on.
    checkpointing : bool
        Whether activations are computed again in the backward pass instead of being kept.
    """
    size = BYTES[dtype]
    base = shape.parameters * (NF4_BYTES if recipe.four_bit else size)
    # weights, gradient and two moments of Adam, all in fp32
    learnt = shape.trained * (12 if recipe.full else 16)
    deep = recipe.layers or shape.layers
    kept = 2 * size * deep if checkpointing else KEPT * size / 2 * deep
    activations = tokens * shape.hidden * kept
    scores = 3 * 4 * answers * shape.vocabulary
    return (base + learnt + activations + scores) / 1e9


def free_gb() -> float | None:
    """Memory that is free for training here, of the GPU if there is one; None if unknown."""
    import torch

    if torch.cuda.is_available():
        return float(torch.cuda.mem_get_info()[0]) / 1e9
    try:
        with open("/proc/meminfo", encoding="utf-8") as file:
            found = dict(line.split(":", 1) for line in file)
        return int(found["MemAvailable"].split()[0]) * 1024 / 1e9
    except (OSError, KeyError, ValueError):
        pass
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    except (AttributeError, ValueError, OSError):
        return None


def flops(shape: Shape, recipe: Recipe, *, tokens: int, answers: int) -> float:
    """Floating-point operations of training on so many tokens, ``answers`` of them in the loss.

    2 a weight and token forward, 2 more for the gradient of its input from the lowest adapted
    layer upwards, 6 a trained weight; the head on the answers only. Attention scores are left out.
    """
    deep = (recipe.layers or shape.layers) / shape.layers
    frozen = shape.linear * (6 if recipe.full else 2 + 2 * deep)
    return tokens * (frozen + (0 if recipe.full else 6 * shape.trained)) + answers * 4 * shape.head


def product_rate(dtype: str) -> float:
    """Floating-point operations a second of matrix products in this precision, measured here."""
    import torch

    device = "cuda" if torch.cuda.is_available() else "cpu"
    size = (1024, 576, 1536) if device == "cpu" else (8192, 4096, 4096)
    a = torch.randn(size[0], size[1], dtype=getattr(torch, dtype), device=device)
    b = torch.randn(size[1], size[2], dtype=getattr(torch, dtype), device=device)
    times = []
    for _ in range(6):
        begun = time.perf_counter()
        for _ in range(5):
            c = a @ b
        float(c[0, 0])  # waits for the device
        times.append(time.perf_counter() - begun)
    return 5 * 2 * size[0] * size[1] * size[2] / sorted(times)[len(times) // 2]


def minutes(
    shape: Shape, recipe: Recipe, dtype: str, *, tokens: int, answers: int, watched: int
) -> float:
    """Expected minutes: training on ``tokens``, and ``watched`` tokens of evaluation forward."""
    import torch

    work = flops(shape, recipe, tokens=tokens, answers=answers) + 2 * watched * shape.linear
    place = "gpu" if torch.cuda.is_available() else "cpu"
    return work / (product_rate(dtype) * EFFICIENCY[place]) / 60


def gradient_checkpointing(shape: Shape) -> bool:
    """Whether activations are computed again: on a GPU with a base of 1B parameters or more."""
    import torch

    return bool(torch.cuda.is_available()) and shape.parameters > 1e9
