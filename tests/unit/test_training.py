from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from nbutils import models, training
from nbutils.examples import Example
from nbutils.training import fitting

torch = pytest.importorskip("torch")


@pytest.fixture(scope="module")
def tokenizer(tiny_base: str) -> Any:
    return models.load_tokenizer(tiny_base)


def planned(tiny_base: str, tokenizer: Any, train: Any, val: Any, **changes: Any) -> training.Plan:
    settings = {"base_model": tiny_base, "batch": 2, "evaluations": 3, "learning_rate": 1e-2}
    return training.plan(train, val, tokenizer, **{**settings, **changes})


def test_a_plan_follows_from_the_data(
    tiny_base: str, tokenizer: Any, candidates: list[Example]
) -> None:
    plan = planned(tiny_base, tokenizer, candidates[:60], candidates[60:64], epochs=2.0)
    assert (plan.steps, plan.eval_steps, plan.evaluations) == (60, 20, 3)
    assert plan.warmup_steps == 3
    assert plan.tokens > plan.trained_tokens > 0
    assert len(plan.table()) == 9


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"max_length": 300}, "its answer would be cut"),
        ({"batch": 64}, "1 steps with 3 evaluations"),
        ({"evaluations": 1}, "at least 3 evaluations"),
        ({"max_steps": 2}, "2 steps with 3 evaluations"),
    ],
)
def test_a_plan_that_cannot_work_is_refused(
    tiny_base: str, tokenizer: Any, candidates: list[Example], changes: Any, said: str
) -> None:
    with pytest.raises(training.PlanError, match=said):
        planned(tiny_base, tokenizer, candidates[:20], candidates[20:24], **changes)


def test_empty_and_leaking_sides_are_refused(
    tiny_base: str, tokenizer: Any, candidates: list[Example]
) -> None:
    with pytest.raises(training.PlanError, match=r"train\.jsonl holds no examples"):
        planned(tiny_base, tokenizer, [], candidates[:4])
    with pytest.raises(training.PlanError, match=r"val\.jsonl holds no examples"):
        planned(tiny_base, tokenizer, candidates[:4], [])
    with pytest.raises(
        training.PlanError, match=r"1 cases stand in train\.jsonl and in val\.jsonl"
    ):
        planned(tiny_base, tokenizer, candidates[:20], [replace(candidates[3], id="other")])


def test_a_template_without_end_of_turn_is_refused(
    tokenizer: Any, candidates: list[Example]
) -> None:
    rows = training.rows(candidates[:1], form="brief", with_facts=True)
    kept = tokenizer.chat_template
    tokenizer.chat_template = (
        "{% for m in messages %}{{ m['role'] + ':\\n' + m['content'] + '\\n' }}{% endfor %}"
        "{% if add_generation_prompt %}{{ 'assistant:\\n' }}{% endif %}"
    )
    try:
        with pytest.raises(training.PlanError, match="no end-of-turn token"):
            training.lengths(tokenizer, rows)
        tokenizer.chat_template += "{{ eos_token }}"
        with pytest.raises(training.PlanError, match="not the beginning of prompt and answer"):
            training.lengths(tokenizer, rows)
    finally:
        tokenizer.chat_template = kept


def test_the_head_on_completions_gives_the_same_loss_as_all_logits(
    tiny_base: str, tokenizer: Any, candidates: list[Example], tmp_path: Path
) -> None:
    plan = planned(tiny_base, tokenizer, candidates[:12], candidates[12:15])
    sides = [
        training.rows(side, form="brief", with_facts=True)
        for side in (candidates[:12], candidates[12:15])
    ]
    trainer, _ = fitting._trainer(plan, *sides, tmp_path, None)
    batch = trainer.data_collator([trainer.train_dataset[i] for i in range(3)])
    trainer.model.eval()
    ours = trainer.compute_loss(trainer.model, dict(batch))
    logits = trainer.model(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"])
    theirs = torch.nn.functional.cross_entropy(
        logits.logits[:, :-1].flatten(0, 1), batch["labels"][:, 1:].flatten(), ignore_index=-100
    )
    assert ours.item() == pytest.approx(theirs.item(), rel=1e-5)
    labels = batch["labels"]
    answer = tokenizer.decode(labels[0][labels[0] != -100])
    assert answer.startswith("Analysis:")
    assert "<|im_end|>" in answer


class Killed(Exception):
    """Stands for the signal that ends a run in the middle."""


def test_a_killed_training_goes_on_bit_for_bit(
    tiny_base: str, tokenizer: Any, candidates: list[Example], tmp_path: Path
) -> None:
    train, val = candidates[:18], candidates[18:21]
    plan = planned(tiny_base, tokenizer, train, val)
    assert (plan.steps, plan.eval_steps) == (9, 3)
    whole = training.train(train, val, plan, tmp_path / "whole")

    def kill(done: int, total: int, what: str, **_: Any) -> None:
        if done == 5:
            raise Killed

    with pytest.raises(Killed):
        training.train(train, val, plan, tmp_path / "cut", progress=kill)
    assert not (tmp_path / "cut" / "adapter").exists()
    resumed = training.train(train, val, plan, tmp_path / "cut")
    assert resumed.summary["resumed_from_step"] == 3
    assert resumed.summary["best_eval_loss"] == whole.summary["best_eval_loss"]
    assert whole.summary["best_eval_loss"] < whole.summary["base_eval_loss"]
    files = [tmp_path / f / "adapter" / "adapter_model.safetensors" for f in ("whole", "cut")]
    assert files[0].read_bytes() == files[1].read_bytes()
    assert not (tmp_path / "cut" / "checkpoints").exists()
    assert list(resumed.log["step"]) == list(whole.log["step"])


def test_a_checkpoint_of_another_plan_is_not_continued(
    tiny_base: str, tokenizer: Any, candidates: list[Example], tmp_path: Path
) -> None:
    train, val = candidates[:12], candidates[12:14]

    def kill(done: int, total: int, what: str, **_: Any) -> None:
        if done == 4:
            raise Killed

    plan = planned(tiny_base, tokenizer, train, val)
    with pytest.raises(Killed):
        training.train(train, val, plan, tmp_path, progress=kill)
    other = training.train(train, val, replace(plan, learning_rate=1e-3), tmp_path)
    assert other.summary["resumed_from_step"] == 0
    stored = json.loads((tmp_path / "adapter" / models.ADAPTER_NOTE).read_text())
    assert stored["fingerprint"] == models.template_fingerprint(tokenizer)
    answer = models.load({"base": tiny_base, "adapter": tmp_path / "adapter"})
    assert answer.generate([[{"role": "user", "content": "hi"}]], 3)[0].completion_tokens == 3
