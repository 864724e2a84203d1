from __future__ import annotations

import json
import shutil
import time
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest

from nbutils import models, training
from nbutils.examples import Example, parse_answer
from nbutils.training import estimate
from nbutils.training.trainer import make_trainer

torch = pytest.importorskip("torch")


@pytest.fixture(scope="module")
def candidates(candidates: list[Example]) -> list[Example]:
    """Those in the house form; some of the demonstration's are flawed on purpose."""
    answers = ((e, parse_answer(e.output)) for e in candidates)
    return [e for e, a in answers if a.analysis and a.action and a.urgency]


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
    assert plan.memory_gb > 0
    assert plan.minutes > 0
    assert training.Plan.from_record(json.loads(json.dumps(asdict(plan)))) == plan
    shown = plan.table().set_index("what")["value"]
    assert shown["Steps"] == "60 of 2 x 1 rows, 2 epochs, 3 for warm-up"
    assert "rank 16, alpha 32, all linear modules, all layers" in shown["Trained"]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"max_length": 300}, r"example t0\d\d has \d+ tokens; their answers would be cut"),
        ({"batch": 64}, "1 steps with evaluations: 3, are 0 evaluations"),
        ({"evaluations": 1}, r"10 steps with evaluations: 1, are 1 evaluations; .* at least 3"),
        ({"evaluations": 0}, "at least 3"),
        ({"max_steps": 2}, "2 steps with evaluations: 3, are 0 evaluations"),
        ({"eval_steps": 200}, "10 steps with evaluations: one every 200, are 0 evaluations"),
        ({"warmup": 100.0}, "a warm-up of 100 steps never ends in 10"),
        ({"needs_gpu": True}, "the recipe needs a GPU and there is none here: take the cpu"),
        ({"dtype": "float16"}, "float16 cannot be trained in on a CPU"),
        ({"targets": "query, value"}, "no module of .* is called query, value"),
        ({"rnak": 8}, "the recipe has no knob 'rnak'; expected one of epochs"),
        ({"learning_rate": "2e-4"}, r"learning_rate is '2e-4'; expected float: YAML"),
        ({"rank": True}, "rank is True; expected int"),
        ({"rank": 0}, "rank is 0; expected above 0"),
        ({"dropout": 1.0}, "dropout is 1.0; expected below 1"),
        ({"dropout": -0.1}, "dropout is -0.1; expected 0 or more"),
        ({"schedule": "cosin"}, "schedule is 'cosin'; expected one of cosine"),
        ({"full": True, "four_bit": True}, "trains all weights"),
    ],
)
def test_a_plan_that_cannot_work_is_refused(
    tiny_base: str, tokenizer: Any, candidates: list[Example], changes: Any, said: str
) -> None:
    with pytest.raises(training.PlanError, match=said):
        planned(tiny_base, tokenizer, candidates[:20], candidates[20:24], **changes)


PUBLISHED = {
    "epochs": 3.0,
    "batch": 4,
    "accumulation": 4,
    "learning_rate": 2e-4,
    "warmup": 100.0,
    "eval_steps": 200,
    "rank": 16,
    "alpha": 32,
    "dropout": 0.05,
    "targets": "q_proj, v_proj",
}


def test_the_published_recipe_is_refused_and_mended(
    tiny_base: str, tokenizer: Any, candidates: list[Example]
) -> None:
    """460 examples are 29 steps an epoch: warm-up of 100 never ends, no evaluation at 200."""
    val, train = candidates[-10:], (candidates[:-40] * 2)[:460]
    published = {**PUBLISHED, "base_model": tiny_base, "form": "full"}
    with pytest.raises(training.PlanError, match="a warm-up of 100 steps never ends in 87"):
        training.plan(train, val, tokenizer, **published)
    with pytest.raises(training.PlanError, match="87 steps with evaluations: one every 200"):
        training.plan(train, val, tokenizer, **{**published, "warmup": 0.05})
    mended = training.plan(
        train, val, tokenizer, **{**published, "warmup": 0.05, "eval_steps": 0, "evaluations": 6}
    )
    assert (mended.steps, mended.warmup_steps, mended.evaluations) == (84, 4, 6)


def test_too_little_memory_is_said_before_anything_is_loaded(
    tiny_base: str, tokenizer: Any, candidates: list[Example], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(estimate, "free_gb", lambda: 0.001)
    with pytest.raises(
        training.PlanError, match=r"needs about 0\.\d GB and 0\.0 GB are free: halve"
    ):
        planned(tiny_base, tokenizer, candidates[:20], candidates[20:24])


def test_an_answer_without_its_parts_is_refused(
    tiny_base: str, tokenizer: Any, candidates: list[Example]
) -> None:
    empty = replace(candidates[2], output="")
    with pytest.raises(training.PlanError, match=r"example t003 has no .*action.* in its answer"):
        planned(
            tiny_base, tokenizer, [*candidates[:2], empty, *candidates[3:20]], candidates[20:24]
        )


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
    twin = replace(candidates[30], output=candidates[3].output.upper())
    with pytest.raises(training.PlanError, match=r"1 answers stand in train.* \(such as t031\)"):
        planned(tiny_base, tokenizer, candidates[:20], [twin])


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
    trainer, _ = make_trainer(plan, *sides, tmp_path, None)
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
    recipe = replace(plan.recipe, learning_rate=1e-3)
    other = training.train(train, val, replace(plan, recipe=recipe), tmp_path)
    assert other.summary["resumed_from_step"] == 0
    assert other.summary["started_over"]
    stored = json.loads((tmp_path / "adapter" / models.ADAPTER_NOTE).read_text())
    assert stored["fingerprint"] == models.template_fingerprint(tokenizer)
    answer = models.load({"base": tiny_base, "adapter": tmp_path / "adapter"})
    assert answer.generate([[{"role": "user", "content": "hi"}]], 3)[0].completion_tokens == 3


def test_early_stopping_keeps_the_best_and_says_so(
    tiny_base: str, tokenizer: Any, candidates: list[Example], tmp_path: Path
) -> None:
    train, val = candidates[:24], candidates[24:27]
    plan = planned(
        tiny_base, tokenizer, train, val, evaluations=12, patience=1, learning_rate=5.0, epochs=2.0
    )
    outcome = training.train(train, val, plan, tmp_path)
    assert outcome.summary["stopped_early"]
    assert outcome.summary["steps"] < plan.steps
    best = outcome.log.set_index("step")["eval_loss"].dropna()
    assert outcome.summary["best_eval_loss"] == best.min()
    assert (
        "stopped early" in training.summary_table(outcome).set_index("what").loc["Steps", "value"]
    )


def test_several_seeds_show_the_spread(
    tiny_base: str, tokenizer: Any, candidates: list[Example], tmp_path: Path
) -> None:
    train, val = candidates[:12], candidates[12:14]
    plan = planned(tiny_base, tokenizer, train, val, seeds=3)
    outcome = training.train(train, val, plan, tmp_path)
    assert outcome.seeds["seed"].tolist() == [0, 1, 2]
    assert outcome.seeds["best_eval_loss"].nunique() == 3
    assert outcome.summary["rows"] == [example.id for example in train]
    assert outcome.seeds.loc[0, "best_eval_loss"] == outcome.summary["best_eval_loss"]
    assert (tmp_path / "adapter" / "adapter_config.json").is_file()
    begun = time.monotonic()
    files = [tmp_path / "seeds" / n / "training.json" for n in "12"]
    times = [f.stat().st_mtime_ns for f in files]
    training.train(train, val, plan, tmp_path)
    assert [f.stat().st_mtime_ns for f in files] == times
    assert time.monotonic() - begun < 60


@pytest.mark.parametrize(
    "knobs",
    [
        {"rslora": True, "dropout": 0.1, "schedule": "linear"},
        {"dora": True, "targets": "q_proj, v_proj", "layers": 1},
        {"lora_plus": 16.0, "weight_decay": 0.01, "schedule": "constant"},
        {"full": True, "learning_rate": 1e-3},
    ],
    ids=lambda k: next(iter(k)),
)
def test_every_kind_of_training_learns_and_can_be_loaded(
    tiny_base: str, tokenizer: Any, candidates: list[Example], tmp_path: Path, knobs: Any
) -> None:
    train, val = candidates[:12], candidates[12:14]
    plan = planned(tiny_base, tokenizer, train, val, **knobs)
    outcome = training.train(train, val, plan, tmp_path)
    assert outcome.summary["best_eval_loss"] < outcome.summary["base_eval_loss"]
    assert outcome.summary["trainable_parameters"] == plan.trainable
    assert outcome.log["tokens_per_second"].dropna().gt(0).any()
    model = models.load({"base": tiny_base, "adapter": tmp_path / "adapter"})
    assert model.generate([[{"role": "user", "content": "hi"}]], 3)[0].completion_tokens > 0


def test_a_damaged_checkpoint_is_named(
    tiny_base: str, tokenizer: Any, candidates: list[Example], tmp_path: Path
) -> None:
    train, val = candidates[:12], candidates[12:14]
    plan = planned(tiny_base, tokenizer, train, val)

    def kill(done: int, total: int, what: str, **_: Any) -> None:
        if done == 5:
            raise Killed

    with pytest.raises(Killed):
        training.train(train, val, plan, tmp_path, progress=kill)
    (weights,) = (tmp_path / "checkpoints").glob("checkpoint-4/adapter_model.safetensors")
    weights.write_bytes(weights.read_bytes()[:500])
    with pytest.raises(training.PlanError, match=r"checkpoint-4 is damaged \(adapter_model"):
        training.train(train, val, plan, tmp_path)
    shutil.rmtree(weights.parent)
    again = training.train(train, val, plan, tmp_path)
    assert again.summary["resumed_from_step"] == 2


def test_an_adapter_of_another_base_is_refused(
    tiny_base: str, tokenizer: Any, candidates: list[Example], tmp_path: Path
) -> None:
    from transformers import AutoConfig, LlamaForCausalLM

    train, val = candidates[:12], candidates[12:14]
    training.train(train, val, planned(tiny_base, tokenizer, train, val), tmp_path)
    config = AutoConfig.from_pretrained(tiny_base)
    config.intermediate_size = 96
    other = tmp_path / "other"
    LlamaForCausalLM(config).save_pretrained(other)
    tokenizer.save_pretrained(other)
    said = r"adapter/ does not fit on '.*other' \(it was trained on tiny"
    with pytest.raises(models.ModelError, match=said):
        models.load({"base": str(other), "adapter": tmp_path / "adapter"})
    (tmp_path / "adapter" / "adapter_model.safetensors").write_bytes(b"cut")
    with pytest.raises(models.ModelError, match="does not fit on"):
        models.load({"base": tiny_base, "adapter": tmp_path / "adapter"})
    stored = (tmp_path / "adapter" / "adapter_config.json").read_text()
    assert str(tmp_path) not in stored
    assert tiny_base not in stored
