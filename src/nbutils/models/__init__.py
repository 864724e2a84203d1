"""One ``generate`` for a local model, with or without adapter, and for an OpenAI-compatible URL."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .answers import Completion, Messages, Model, ModelError
from .base import (
    DEFAULT_BASE,
    base_path,
    encode,
    load_tokenizer,
    nf4,
    template_fingerprint,
    training_dtype,
)
from .endpoint import Endpoint
from .local import ADAPTER_NOTE, LocalModel
from .paid import Budget, Outcome, Reply, Request, Service, ask_all, ask_while_possible
from .remembered import Remembered, mark_of

__all__ = [
    "ADAPTER_NOTE",
    "DEFAULT_BASE",
    "Budget",
    "Completion",
    "Endpoint",
    "LocalModel",
    "Messages",
    "Model",
    "ModelError",
    "Outcome",
    "Remembered",
    "Reply",
    "Request",
    "Service",
    "ask_all",
    "ask_while_possible",
    "base_path",
    "encode",
    "load",
    "load_tokenizer",
    "nf4",
    "remember",
    "template_fingerprint",
    "training_dtype",
]


def load(spec: str | Mapping[str, Any]) -> Model:
    """Load a model.

    Parameters
    ----------
    spec : str or mapping
        A base model (see `base_path`), or a mapping: ``{"base": ..., "adapter": folder}`` for a
        local model; ``{"endpoint": url, "model": name, "key_env": variable}`` for an
        OpenAI-compatible server. ``dtype`` sets the precision of a local model; without it
        answers are computed in fp32 on a CPU, where batches then do not change the text.

    Returns
    -------
    Model

    Raises
    ------
    ModelError
        If the model cannot be found, or an adapter was trained with another prompt template.
    """
    settings = {"base": spec} if isinstance(spec, str) else dict(spec)
    if "endpoint" in settings:
        return Endpoint(**settings)
    return LocalModel.load(**settings)


def remember(spec: str | Mapping[str, Any], file: Path) -> Remembered:
    """A local model whose answers are kept in a file, and loaded only when it lacks one.

    Parameters
    ----------
    spec : str or mapping
        As for `load`.
    file : Path
        JSON lines, appended to; answers of other weights or libraries in it are not used.
    """
    settings = {"base": spec} if isinstance(spec, str) else dict(spec)
    adapter = settings.get("adapter")
    name = settings["base"] + (f"+{Path(adapter).name}" if adapter else "")
    return Remembered(lambda: load(settings), name, file, mark_of(settings))
