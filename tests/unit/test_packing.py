from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import pytest

from nbutils import models, training
from nbutils.examples import Example
from nbutils.training.packing import packed_count, packing_settings

torch = pytest.importorskip("torch")
pytest.importorskip("trl")

MAX_LENGTH = 1150


def sft(base: str, examples: list[Example], folder: Path, **settings: Any) -> Any:
    """TRL's own trainer on the CPU, in fp32 and with all weights, so that nothing is random."""
    from datasets import Dataset
    from transformers import AutoModelForCausalLM
    from trl import SFTConfig, SFTTrainer

    model = AutoModelForCausalLM.from_pretrained(base)
    arguments = SFTConfig(
        output_dir=str(folder),
        max_length=MAX_LENGTH,
        completion_only_loss=True,
        bf16=False,
        use_cpu=True,
        **settings,
    )
    rows = training.rows(examples, form="brief", with_facts=True)
    return SFTTrainer(
        model=model,
        args=arguments,
        train_dataset=Dataset.from_list(rows),
        processing_class=models.load_tokenizer(base),
    )


@pytest.fixture(scope="module")
def packed(
    tiny_base: str, candidates: list[Example], tmp_path_factory: pytest.TempPathFactory
) -> tuple[Any, dict[str, Any]]:
    """A trainer with our settings for a GPU, and one of its batches with several documents."""
    settings, _ = packing_settings("sdpa", on_gpu=True)
    trainer = sft(tiny_base, candidates[:4], tmp_path_factory.mktemp("sft"), **settings)
    row = max(trainer.train_dataset, key=lambda row: len(row["seq_lengths"]))
    assert len(row["seq_lengths"]) > 1
    return trainer, trainer.data_collator([row])


def documents(batch: dict[str, Any]) -> list[slice]:
    starts = (batch["position_ids"][0] == 0).nonzero().flatten().tolist()
    ends = [*starts[1:], batch["position_ids"].shape[1]]
    return [slice(a, b) for a, b in zip(starts, ends, strict=True)]


def logits(model: Any, ids: Any, **given: Any) -> Any:
    with torch.no_grad():
        return model.eval()(input_ids=ids, use_cache=False, **given).logits


def largest_difference(batch: dict[str, Any], whole: Any, model: Any) -> float:
    """Of a packed sequence's logits from those of its documents alone."""
    ids = batch["input_ids"]
    apart = torch.cat([logits(model, ids[:, part]) for part in documents(batch)], dim=1)
    return float((whole - apart).abs().max() / apart.std())


@pytest.mark.parametrize("attention", ["sdpa", "eager"])
def test_a_packed_row_gives_the_logits_of_its_documents_alone(
    packed: tuple[Any, dict[str, Any]], attention: str
) -> None:
    trainer, batch = packed
    assert trainer.model.config._attn_implementation == "sdpa"
    assert "attention_mask" not in batch
    ids, positions = batch["input_ids"], batch["position_ids"]
    trainer.model.set_attn_implementation(attention)
    try:
        whole = logits(trainer.model, ids, position_ids=positions)
    finally:
        trainer.model.set_attn_implementation("sdpa")
    assert largest_difference(batch, whole, trainer.model) < 1e-4


def test_a_mask_of_ones_would_mix_the_documents(packed: tuple[Any, dict[str, Any]]) -> None:
    trainer, batch = packed
    ids, positions = batch["input_ids"], batch["position_ids"]
    ones = torch.ones_like(ids)
    mixed = logits(trainer.model, ids, position_ids=positions, attention_mask=ones)
    assert largest_difference(batch, mixed, trainer.model) > 0.1
    without_positions = logits(trainer.model, ids)
    assert largest_difference(batch, without_positions, trainer.model) > 0.1


def test_a_packed_step_has_the_loss_and_gradients_of_its_documents(
    packed: tuple[Any, dict[str, Any]],
) -> None:
    trainer, batch = packed
    model = trainer.model.train()
    parts = [
        {"input_ids": batch["input_ids"][:, s], "labels": batch["labels"][:, s]}
        for s in documents(batch)
    ]
    for part in parts:
        part["attention_mask"] = torch.ones_like(part["input_ids"])
    count = int((batch["labels"] != -100).sum())
    found = []
    for steps in ([batch], parts):
        model.zero_grad()
        for step in steps:
            loss = trainer.compute_loss(model, dict(step), num_items_in_batch=count)
            loss.backward()
        found.append([p.grad.clone() for p in model.parameters()])
    for ours, alone in zip(*found, strict=True):
        assert torch.allclose(ours, alone, rtol=1e-3, atol=1e-5 * float(alone.abs().max()))


def test_only_answers_and_their_ends_are_learnt(
    packed: tuple[Any, dict[str, Any]], candidates: list[Example]
) -> None:
    trainer, batch = packed
    tokenizer = trainer.processing_class
    rows = training.rows(candidates[:4], form="brief", with_facts=True)
    texts = [tokenizer.apply_chat_template(r["prompt"], tokenize=False) for r in rows]
    answers = {r["completion"][0]["content"] for r in rows}
    for part in documents(batch):
        ids, labels = batch["input_ids"][0, part], batch["labels"][0, part]
        learnt = labels != -100
        first = int(learnt.nonzero()[0])
        assert learnt[first:].all()
        assert torch.equal(labels[learnt], ids[learnt])
        answer, _, rest = tokenizer.decode(ids[first:]).partition(tokenizer.eos_token)
        assert answer in answers
        assert not rest.strip()
        prompt = tokenizer.decode(ids[:first]).removesuffix("<|im_start|>assistant\n")
        assert prompt in texts


def test_trl_mixes_documents_with_the_wrapped_strategy_and_says_nothing(
    tiny_base: str, candidates: list[Example], tmp_path: Path
) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        trainer = sft(tiny_base, candidates[:4], tmp_path, packing=True, packing_strategy="wrapped")
    batch = trainer.data_collator([trainer.train_dataset[0]])
    assert batch["attention_mask"].all()
    assert "position_ids" not in batch
    ends = (batch["input_ids"] == trainer.processing_class.eos_token_id).sum()
    assert ends > 3  # of several documents: system, user and answer end with it


def test_a_plan_can_count_the_packed_sequences(
    tiny_base: str, candidates: list[Example], tmp_path: Path
) -> None:
    settings, _ = packing_settings("sdpa", on_gpu=True)
    trainer = sft(tiny_base, candidates[:9], tmp_path, **settings)
    sizes = training.lengths(
        trainer.processing_class, training.rows(candidates[:9], form="brief", with_facts=True)
    )
    count = packed_count(sizes.sum(axis=1).tolist(), MAX_LENGTH)
    assert count == len(trainer.train_dataset) < 9


@pytest.mark.parametrize(
    ("attention", "on_gpu", "packs", "rows", "why"),
    [
        ("sdpa", False, False, None, "on a CPU"),
        ("flash_attention_2", False, False, None, "on a CPU"),
        ("sdpa", True, True, 1, "one sequence at a time"),
        ("eager", True, True, 1, "one sequence at a time"),
        ("flash_attention_2", True, True, None, "where each row ends"),
        ("kernels-community/flash-attn2@v4", True, True, None, "where each row ends"),
        ("kernels-community/vllm-flash-attn3", True, True, None, "where each row ends"),
        ("my_attention", True, False, None, "not known"),
    ],
)
def test_settings_follow_from_attention_and_device(
    attention: str, on_gpu: bool, packs: bool, rows: int | None, why: str
) -> None:
    settings, reason = packing_settings(attention, on_gpu)
    assert settings["packing"] is packs
    assert settings.get("per_device_train_batch_size") == rows
    assert settings.get("packing_strategy") == ("bfd" if packs else None)
    assert why in reason
