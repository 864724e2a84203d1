from __future__ import annotations

from collections.abc import Callable
from copy import copy
from pathlib import Path
from typing import Any

import pytest

from nbutils import models, training
from nbutils.examples import Example
from nbutils.training.quantised import gradient_check, guard_gradients, widen_adapters

torch = pytest.importorskip("torch")
bitsandbytes = pytest.importorskip("bitsandbytes")

Load = Callable[..., Any]


@pytest.fixture
def batch() -> dict[str, Any]:
    ids = torch.arange(100, 148).reshape(2, 24)
    return {"input_ids": ids, "attention_mask": torch.ones_like(ids), "labels": ids}


@pytest.fixture
def load(tiny_base: str) -> Load:
    """A fresh tiny model with adapters whose both halves have gradients, in NF4 unless told."""
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    def make(*, four_bit: bool = True, dropout: float = 0.0) -> Any:
        base = AutoModelForCausalLM.from_pretrained(
            tiny_base,
            dtype=torch.float32,
            quantization_config=models.nf4("float32") if four_bit else None,
        )
        lora = LoraConfig(r=4, target_modules="all-linear", lora_dropout=dropout)
        model = get_peft_model(base, lora)
        torch.manual_seed(1)
        for name, parameter in model.named_parameters():
            if "lora_B" in name:
                torch.nn.init.normal_(parameter, std=0.1)
        return model.train()

    return make


@pytest.fixture
def repacks(monkeypatch: pytest.MonkeyPatch) -> None:
    """What bitsandbytes does on a CPU with AVX512-BF16, where the defect shows.

    It believes that it runs on one. The kernel called there is an illegal instruction elsewhere;
    what stands for it computes the same from the weight put back in order, and like the kernel
    writes into a tensor that knows nothing of gradients.
    """
    functional = bitsandbytes.functional

    def kernel(given: Any, weight: Any, out: Any = None, state: Any = None) -> Any:
        usual, plain = functional._convert_weight_packed_for_cpu_inverse(weight, copy(state))
        values = functional.dequantize_4bit(usual.reshape(-1, 1), plain).to(given.dtype)
        return torch.nn.functional.linear(given.detach(), values)

    monkeypatch.setattr(bitsandbytes.nn.modules, "has_avx512bf16", lambda: True)
    monkeypatch.setattr(functional, "gemv_4bit", kernel)


def linear4bit(model: Any) -> list[Any]:
    return [m for m in model.modules() if isinstance(m, bitsandbytes.nn.Linear4bit)]


def gradients(model: Any, batch: dict[str, Any]) -> list[Any]:
    model.train()
    model.zero_grad()
    model(**batch).loss.backward()
    return [p.grad.clone() for p in model.parameters() if p.requires_grad]


@pytest.mark.usefixtures("repacks")
def test_an_evaluation_pass_does_not_change_the_gradients_of_a_guarded_model(
    load: Load, batch: dict[str, Any]
) -> None:
    model = load()
    assert guard_gradients(model) == len(linear4bit(model)) == 21
    before = gradients(model, batch)
    model.eval()
    with torch.no_grad():
        model(**batch)
    assert all(map(torch.equal, before, gradients(model, batch)))
    assert gradient_check(model, batch) == 0


@pytest.mark.usefixtures("repacks")
def test_without_the_guard_the_loss_is_as_before_and_the_gradients_are_lost(
    load: Load, batch: dict[str, Any]
) -> None:
    model = load()
    loss = model(**batch).loss.item()
    with pytest.raises(training.PlanError, match=r"an evaluation pass changes the gradients"):
        gradient_check(model, batch)
    # to the rounding of the scales; this is why nobody notices
    assert model(**batch).loss.item() == pytest.approx(loss, rel=0.01)
    layer = linear4bit(model)[0].train()
    assert not layer(torch.randn(3, layer.in_features, requires_grad=True)).requires_grad
    with pytest.raises(training.PlanError, match="21 of 21 4-bit layers were repacked"):
        guard_gradients(model)


def test_the_check_leaves_no_trace(load: Load, batch: dict[str, Any]) -> None:
    model = load(dropout=0.3)
    guard_gradients(model)
    weights = {n: p.clone() for n, p in model.named_parameters()}
    model.eval()
    state = torch.random.get_rng_state()
    assert gradient_check(model, batch) == 0
    assert not model.training
    assert torch.equal(state, torch.random.get_rng_state())
    assert all(p.grad is None for p in model.parameters())
    assert all(torch.equal(weights[n], p) for n, p in model.named_parameters())


def test_a_model_without_4_bit_layers_is_left_alone(load: Load, batch: dict[str, Any]) -> None:
    model = load(four_bit=False)
    assert guard_gradients(model) == 0
    assert gradient_check(model, batch) == 0


def test_adapters_of_16_bits_become_32(load: Load) -> None:
    model = load()
    trained = [p for p in model.parameters() if p.requires_grad]
    kept = [p for p in model.parameters() if not p.requires_grad]
    kinds = [p.dtype for p in kept]
    for parameter in trained:
        parameter.data = parameter.data.to(torch.bfloat16)
    assert widen_adapters(model) == len(trained) == 42
    assert {p.dtype for p in trained} == {torch.float32}
    assert [p.dtype for p in kept] == kinds
    assert widen_adapters(model) == 0


def test_a_base_in_4_bits_learns_on_a_cpu(
    tiny_base: str, candidates: list[Example], tmp_path: Path
) -> None:
    train, val = candidates[:6], candidates[6:7]
    tokenizer = models.load_tokenizer(tiny_base)
    plan = training.plan(
        train,
        val,
        tokenizer,
        base_model=tiny_base,
        batch=2,
        evaluations=3,
        learning_rate=1e-2,
        four_bit=True,
    )
    summary = training.train(train, val, plan, tmp_path).summary
    assert summary["best_eval_loss"] < summary["base_eval_loss"] - 0.1
    assert (tmp_path / "adapter" / "adapter_model.safetensors").is_file()
