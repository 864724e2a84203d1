"""Bases opened, adapters put on them, and both made one; all in memory."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ..models import ModelError, base_path, nf4, training_dtype


def runtime_dtype() -> str:
    """The precision models compute in here: fp32 on a CPU, else what the GPU trains in."""
    import torch

    return training_dtype()[0] if torch.cuda.is_available() else "float32"


def shell(path: str) -> Any:
    """The base without its weights: shapes and precision cost nothing to look at."""
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    config = AutoConfig.from_pretrained(path)
    with torch.device("meta"):
        return AutoModelForCausalLM.from_config(config, dtype=config.dtype)


def open_base(base: str, *, four_bit: bool = False, dense: bool = False) -> Any:
    """A base model in `runtime_dtype`; ``dense`` brings an NF4 base back to full matrices."""
    import torch
    from transformers import AutoModelForCausalLM

    dtype = runtime_dtype()
    model = AutoModelForCausalLM.from_pretrained(
        base_path(base),
        dtype=getattr(torch, dtype),
        device_map="cuda" if torch.cuda.is_available() else None,
        quantization_config=nf4(dtype) if four_bit else None,
    )
    # before any forward pass, which on some CPUs repacks 4-bit weights for good
    return model.dequantize(getattr(torch, dtype)) if four_bit and dense else model.eval()


def attach(model: Any, adapter: Path) -> Any:
    """The model with an adapter on top, not merged; `ModelError` if PEFT cannot read it."""
    from peft import PeftModel
    from safetensors import SafetensorError

    try:
        return PeftModel.from_pretrained(model, str(adapter)).eval()
    except (RuntimeError, ValueError, OSError, KeyError, TypeError, SafetensorError) as error:
        raise ModelError(
            f"the adapter in {adapter.name}/ cannot be loaded ({type(error).__name__}: "
            f"{str(error).strip().splitlines()[0][:120]}): run 03_training again."
        ) from None


def fold(model: Any, dtype: str) -> tuple[Any, int, float]:
    """Add every adapter matrix to its weight in fp32, and round all weights to ``dtype``.

    Parameters
    ----------
    model
        From `attach`, on a base that is not quantised; used up.
    dtype : str
        Of all weights of the result.

    Returns
    -------
    tuple
        The plain model, how many weights changed, and the rounding as `Merged` has it.

    Raises
    ------
    ModelError
        If a sum is not finite.
    """
    import torch
    from peft.tuners.lora import LoraLayer

    kept, lost, changed = getattr(torch, dtype), 0.0, 0.0
    layers = {n: m for n, m in model.named_modules() if isinstance(m, LoraLayer)}
    for name, layer in layers.items():
        base = layer.get_base_layer()
        # one layer at a time: the whole model in fp32 may not fit
        before = base.weight.data.float()
        base.weight.data = before.clone()
        try:
            layer.merge(safe_merge=True)
        except ValueError:
            raise _not_finite(name, "float32") from None
        exact = base.weight.data
        base.weight.data = exact.to(kept)
        if not torch.isfinite(base.weight.data).all():
            raise _not_finite(name, dtype)
        changed += float((exact - before).norm()) ** 2
        lost += float((base.weight.data.float() - exact).norm()) ** 2
    rounding = (lost / changed) ** 0.5 if changed else 0.0
    return model.unload().to(kept), len(layers), rounding


def _not_finite(name: str, dtype: str) -> ModelError:
    return ModelError(
        f"the sum of base and adapter is not finite in {dtype} ({name}): choose float32 or "
        f"bfloat16, or run 03_training again if the adapter itself is broken."
    )


def end_of_turn(tokenizer: Any) -> int:
    """Id of the token that the chat template puts behind an answer.

    Raises
    ------
    ModelError
        If there is none: the model would not know where to stop.
    """
    answer = "An answer 3f9c."
    turns = [{"role": "user", "content": "?"}, {"role": "assistant", "content": answer}]
    text = tokenizer.apply_chat_template(turns, tokenize=False)
    behind = tokenizer(text.rpartition(answer)[2], add_special_tokens=False)["input_ids"]
    added = {i for i, token in tokenizer.added_tokens_decoder.items() if token.special}
    found = next((i for i in behind if i in added), None)
    if found is None:
        raise ModelError(
            "the chat template writes no special token behind an answer, a server would not know "
            "where to stop: give the tokenizer a template with an end of turn and train again."
        )
    return int(found)


def generation_config(tokenizer: Any, known: Any) -> Any:
    """A generation config that is greedy and stops where the template ends a turn."""
    from transformers import GenerationConfig

    end = end_of_turn(tokenizer)
    before = known.eos_token_id if isinstance(known.eos_token_id, list) else [known.eos_token_id]
    ends = list(dict.fromkeys([end, *(i for i in before if i is not None)]))
    pad = tokenizer.pad_token_id
    # not the base's own: servers take its temperature for their default, evaluation had none
    return GenerationConfig(
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=ends[0] if len(ends) == 1 else ends,
        pad_token_id=pad if pad is not None else end,
    )
