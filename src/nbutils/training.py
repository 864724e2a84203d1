"""Fine-tuning: a plan that is checked before a step is run, and LoRA training on TRL."""

from __future__ import annotations

import hashlib
import json
import math
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from nbutils import models
from nbutils.errors import UserError
from nbutils.examples import Example, messages, target

LINEAR = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")
MIN_EVALUATIONS = 3


class PlanError(UserError):
    """A training plan or data that cannot work; the message says why and what to change."""


@dataclass(frozen=True)
class Plan:
    """Everything that decides a training run; stored with it and part of its identity.

    Attributes
    ----------
    base_model : str
        What was given to `models.base_path`.
    form : str
        Form of the answers, ``"brief"`` or ``"full"``.
    with_facts : bool
        Whether prompts carry the facts block.
    rows, val_rows, tokens, trained_tokens, longest : int
        Size of the data: training tokens of one epoch, those the loss is on, the longest row.
    batch, accumulation, steps, warmup_steps, eval_steps, evaluations : int
        The schedule; ``steps`` counts optimiser steps.
    epochs, learning_rate : float
        Passes over the data; peak rate of the cosine schedule.
    rank, alpha, layers : int
        LoRA rank, scale, and how many of the top layers carry adapters (0: all).
    dtype, dtype_reason : str
        Precision of the frozen base and why.
    four_bit : bool
        NF4 with double quantisation (QLoRA).
    max_length, seed : int
        Longest row allowed; seed of shuffling and initialisation.
    """

    base_model: str
    form: str
    with_facts: bool
    rows: int
    val_rows: int
    tokens: int
    trained_tokens: int
    longest: int
    batch: int
    accumulation: int
    epochs: float
    steps: int
    warmup_steps: int
    eval_steps: int
    evaluations: int
    learning_rate: float
    rank: int
    alpha: int
    layers: int
    dtype: str
    dtype_reason: str
    four_bit: bool
    max_length: int
    seed: int

    def table(self) -> pd.DataFrame:
        """The plan for readers, one row a decision: columns ``what`` and ``value``."""
        where = f"top {self.layers} layers" if self.layers else "all layers"
        kind = "QLoRA (NF4, double quantisation)" if self.four_bit else f"LoRA on {self.dtype}"
        rows = {
            "Base model": self.base_model,
            "Answers": f"{self.form} form, {'with' if self.with_facts else 'without'} facts",
            "Training rows": f"{self.rows} ({self.tokens:,} tokens, {self.trained_tokens:,} of "
            f"them in the loss; longest row {self.longest})",
            "Validation rows": f"{self.val_rows}",
            "Steps": f"{self.steps} of {self.batch} x {self.accumulation} rows, {self.epochs:g} "
            f"epochs, {self.warmup_steps} for warm-up",
            "Evaluations": f"{self.evaluations}, every {self.eval_steps} steps",
            "Adapter": f"{kind}, rank {self.rank}, alpha {self.alpha}, {where}",
            "Precision": f"{self.dtype}: {self.dtype_reason}",
            "Learning rate": f"{self.learning_rate:g}, cosine",
        }
        return pd.DataFrame({"what": list(rows), "value": list(rows.values())})


@dataclass
class Outcome:
    """What a training run came to.

    Attributes
    ----------
    summary : dict
        Content of ``training.json``: steps, seconds, tokens a second, best validation loss, ...
    log : DataFrame
        One row a logged step: step, loss, eval_loss, learning_rate, seconds.
    """

    summary: dict[str, Any]
    log: pd.DataFrame = field(repr=False)


# --------------------------------------------------------------------------- rows and plan


def rows(examples: Sequence[Example], *, form: str, with_facts: bool) -> list[dict[str, Any]]:
    """Conversational prompt and completion rows as TRL reads them, from the one prompt builder."""
    return [
        {
            "prompt": messages(e, form=form, with_facts=with_facts),
            "completion": [{"role": "assistant", "content": target(e, form=form)}],
        }
        for e in examples
    ]


def limit(examples: Sequence[Example], most: int, *, seed: int = 0) -> list[Example]:
    """At most ``most`` examples (0: all), drawn by seed and kept in their order."""
    if not most or most >= len(examples):
        return list(examples)
    drawn = np.random.default_rng(seed).permutation(len(examples))[:most]
    return [examples[i] for i in sorted(drawn)]


def lengths(tokenizer: Any, data: Sequence[dict[str, Any]]) -> pd.DataFrame:
    """Token counts by row: columns ``prompt`` and ``completion`` (end-of-turn included).

    Raises
    ------
    PlanError
        If a prompt is no prefix of prompt and completion, or a completion has no end of turn.
    """
    counts = []
    end = tokenizer.eos_token_id
    for number, row in enumerate(data, start=1):
        prompt = models.encode(tokenizer, row["prompt"])
        text = tokenizer.apply_chat_template(row["prompt"] + row["completion"], tokenize=False)
        whole = tokenizer(text, add_special_tokens=False)["input_ids"]
        if whole[: len(prompt)] != prompt:
            raise PlanError(
                f"training row {number}: the prompt's tokens are not the beginning of prompt and "
                f"answer together: use a chat template that renders both alike."
            )
        if end not in whole[len(prompt) :]:
            raise PlanError(
                f"training row {number}: no end-of-turn token ({tokenizer.eos_token}) in the "
                f"answer, the model would never stop: mend the chat template."
            )
        if whole[:2] == [tokenizer.bos_token_id] * 2 and prompt[1:2] != whole[1:2]:
            raise PlanError(f"training row {number}: begins with two BOS tokens.")
        counts.append({"prompt": len(prompt), "completion": len(whole) - len(prompt)})
    return pd.DataFrame(counts, columns=["prompt", "completion"])


def plan(
    train: Sequence[Example],
    val: Sequence[Example],
    tokenizer: Any,
    *,
    base_model: str = models.DEFAULT_BASE,
    form: str = "brief",
    with_facts: bool = True,
    epochs: float = 1.0,
    max_steps: int = 0,
    batch: int = 4,
    accumulation: int = 1,
    learning_rate: float = 1e-3,
    rank: int = 16,
    layers: int = 0,
    evaluations: int = 4,
    max_length: int = 1024,
    four_bit: bool = False,
    seed: int = 0,
) -> Plan:
    """Derive the schedule from the data, and refuse what cannot work.

    Parameters
    ----------
    train, val : sequence of Example
        What is trained on, and what the loss is watched on.
    tokenizer
        The base model's.
    max_steps : int
        Stop after so many steps; 0 for all of ``epochs``.
    evaluations : int
        How often validation loss is measured, evenly spread, at least three times.

    Returns
    -------
    Plan

    Raises
    ------
    PlanError
        If there are no rows, a row is longer than ``max_length``, a row stands on both sides, or
        the run is too short to be evaluated three times.
    """
    _check_sides(train, val)
    sizes = lengths(tokenizer, rows(train, form=form, with_facts=with_facts))
    longest = int(sizes.sum(axis=1).max())
    if longest > max_length:
        worst = train[int(sizes.sum(axis=1).argmax())].id
        raise PlanError(
            f"example {worst} has {longest} tokens and max_length is {max_length}, its answer "
            f"would be cut: raise max_length or shorten the example."
        )
    total = math.ceil(len(train) / (batch * accumulation)) * epochs
    steps = min(max(int(total), 1), max_steps or 10**9)
    if steps < evaluations or evaluations < MIN_EVALUATIONS:
        raise PlanError(
            f"{steps} steps with {evaluations} evaluations: expected at least "
            f"{MIN_EVALUATIONS} evaluations and a step for each: use more data or epochs, a "
            f"smaller batch, or {MIN_EVALUATIONS} evaluations."
        )
    eval_steps = steps // evaluations
    dtype, reason = models.training_dtype()
    return Plan(
        base_model=base_model,
        form=form,
        with_facts=with_facts,
        rows=len(train),
        val_rows=len(val),
        tokens=int(sizes.to_numpy().sum()),
        trained_tokens=int(sizes["completion"].sum()),
        longest=longest,
        batch=batch,
        accumulation=accumulation,
        epochs=epochs,
        steps=eval_steps * evaluations,
        warmup_steps=max(1, round(0.05 * steps)),
        eval_steps=eval_steps,
        evaluations=evaluations,
        learning_rate=learning_rate,
        rank=rank,
        alpha=2 * rank,
        layers=layers,
        dtype=dtype,
        dtype_reason=reason,
        four_bit=four_bit,
        max_length=max_length,
        seed=seed,
    )


def _check_sides(train: Sequence[Example], val: Sequence[Example]) -> None:
    for name, side in (("train", train), ("val", val)):
        if not side:
            raise PlanError(
                f"{name}.jsonl holds no examples, nothing can be trained: check the decisions in "
                f"02_augmentation (what nobody approved is left out)."
            )
    both = {e.input for e in train} & {e.input for e in val}
    if both:
        raise PlanError(
            f"{len(both)} cases stand in train.jsonl and in val.jsonl, the validation loss would "
            f"mean nothing: run 01_curation and 02_augmentation again."
        )


# --------------------------------------------------------------------------- training


def train(
    train: Sequence[Example],
    val: Sequence[Example],
    planned: Plan,
    folder: Path,
    *,
    progress: Callable[..., None] | None = None,
) -> Outcome:
    """Fine-tune by plan and save the best adapter.

    Parameters
    ----------
    train, val : sequence of Example
        The same as given to `plan`.
    planned : Plan
        The schedule.
    folder : Path
        Gets ``adapter/``; checkpoints lie in ``checkpoints/`` until the end, so that a killed
        run goes on where it was if data, plan and libraries are the same, and starts over if not.
    progress : callable, optional
        Called as ``progress(done, total, "steps", loss=...)``.

    Returns
    -------
    Outcome
    """
    checkpoints = folder / "checkpoints"
    data = [rows(side, form=planned.form, with_facts=planned.with_facts) for side in (train, val)]
    last = _last_checkpoint(checkpoints, _identity(planned, data))
    with _quiet():
        trainer, tokenizer = _trainer(planned, data[0], data[1], checkpoints, progress)
        trainer.train(resume_from_checkpoint=str(last) if last else None)
        summary = _summary(trainer, planned, last)
        _save_adapter(trainer, tokenizer, planned, folder / "adapter")
    log = _log_frame(trainer.state.log_history)
    shutil.rmtree(checkpoints, ignore_errors=True)
    return Outcome(summary, log)


def log_rows(outcome: Outcome) -> list[dict[str, Any]]:
    """The training log as JSON rows; what was not logged at a step is left out."""
    records = outcome.log.to_dict("records")
    return [{str(k): v for k, v in row.items() if pd.notna(v)} for row in records]


def summary_table(outcome: Outcome) -> pd.DataFrame:
    """The summary for readers: columns ``what`` and ``value``."""
    s = outcome.summary
    share = s["trainable_parameters"] / s["total_parameters"]
    resumed = f", resumed at {s['resumed_from_step']}" if s["resumed_from_step"] else ""
    rows = {
        "Validation loss, untuned base": f"{s['base_eval_loss']:.3f}",
        "Validation loss, best adapter": f"{s['best_eval_loss']:.3f} at step {s['best_step']}",
        "Trained parameters": f"{s['trainable_parameters']:,} ({share:.1%} of all)",
        "Steps": f"{s['steps']}{resumed}",
        "Time": f"{s['seconds'] / 60:.1f} minutes, "
        f"{s['tokens_per_second'] or 0:.0f} tokens a second",
        "Precision": f"{s['precision']}: {s['precision_reason']}",
    }
    return pd.DataFrame({"what": list(rows), "value": list(rows.values())})


def _identity(planned: Plan, data: list[list[dict[str, Any]]]) -> str:
    """Hash of all that must be equal for a checkpoint to be continued."""
    import peft
    import torch
    import transformers
    import trl

    versions = [m.__version__ for m in (torch, transformers, peft, trl)]
    described = asdict(planned)
    described.pop("dtype_reason")  # holds a measured ratio
    content = json.dumps([described, data, versions], sort_keys=True)
    return hashlib.sha256(content.encode()).hexdigest()


def _last_checkpoint(folder: Path, identity: str) -> Path | None:
    """The newest whole checkpoint of the same run; anything else is cleared away."""
    mark = folder / "identity.txt"
    if not (mark.is_file() and mark.read_text() == identity):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        mark.write_text(identity)
        return None
    # trainer_state.json is written last: a checkpoint without it was cut off
    whole = [p.parent for p in folder.glob("checkpoint-*/trainer_state.json")]
    return max(whole, key=lambda p: int(p.name.split("-")[1]), default=None)


def _trainer(
    planned: Plan,
    train_rows: list[dict[str, Any]],
    val_rows: list[dict[str, Any]],
    folder: Path,
    progress: Callable[..., None] | None,
) -> tuple[Any, Any]:
    import torch
    from datasets import Dataset
    from transformers import AutoModelForCausalLM, set_seed

    set_seed(planned.seed)
    path = models.base_path(planned.base_model)
    tokenizer = models.load_tokenizer(planned.base_model)
    on_gpu = torch.cuda.is_available()
    model = AutoModelForCausalLM.from_pretrained(
        path,
        dtype=getattr(torch, planned.dtype),
        quantization_config=models.nf4(planned.dtype) if planned.four_bit else None,
    )
    # TRL's own fused head is the fast path on a GPU; on a CPU the head on completions only is
    trainer_class = _trainer_class(completion_head=not on_gpu)
    trainer = trainer_class(
        model=model,
        args=_arguments(planned, folder, on_gpu),
        train_dataset=Dataset.from_list(train_rows),
        eval_dataset=Dataset.from_list(val_rows),
        processing_class=tokenizer,
        peft_config=_lora(planned, model.config.num_hidden_layers),
        callbacks=[_progress_callback(progress)] if progress else None,
    )
    from transformers.trainer_callback import PrinterCallback

    trainer.remove_callback(PrinterCallback)
    return trainer, tokenizer


def _lora(planned: Plan, depth: int) -> Any:
    from peft import LoraConfig

    layers = list(range(depth - planned.layers, depth)) if planned.layers else None
    return LoraConfig(
        r=planned.rank,
        lora_alpha=planned.alpha,
        lora_dropout=0.0,
        target_modules=list(LINEAR),
        layers_to_transform=layers,
        task_type="CAUSAL_LM",
    )


def _arguments(planned: Plan, folder: Path, on_gpu: bool) -> Any:
    from trl import SFTConfig

    return SFTConfig(
        output_dir=str(folder),
        max_steps=planned.steps,
        per_device_train_batch_size=planned.batch,
        per_device_eval_batch_size=planned.batch,
        gradient_accumulation_steps=planned.accumulation,
        learning_rate=planned.learning_rate,
        lr_scheduler_type="cosine",
        warmup_steps=planned.warmup_steps,
        eval_strategy="steps",
        eval_steps=planned.eval_steps,
        eval_on_start=True,
        save_strategy="steps",
        save_steps=planned.eval_steps,
        save_total_limit=2,
        load_best_model_at_end=True,
        metric_for_best_model="eval_loss",
        prediction_loss_only=True,
        logging_steps=max(1, planned.steps // 40),
        train_sampling_strategy="group_by_length",
        max_length=planned.max_length,
        completion_only_loss=True,
        gradient_checkpointing=on_gpu,
        bf16=planned.dtype == "bfloat16",
        fp16=planned.dtype == "float16",
        use_cpu=not on_gpu,
        optim="adamw_torch",
        weight_decay=0.0,
        seed=planned.seed,
        report_to="none",
        disable_tqdm=True,
    )


def _trainer_class(completion_head: bool) -> Any:
    """SFTTrainer; with ``completion_head`` the LM head runs on the trained positions only.

    Most tokens of a row are prompt, and on a CPU the head over 49,152 words costs as much as
    several layers. `compute_loss` is the hook that TRL documents for this.
    """
    import torch
    from trl import SFTTrainer

    if not completion_head:
        return SFTTrainer

    class CompletionHeadTrainer(SFTTrainer):
        def compute_loss(
            self,
            model: Any,
            inputs: dict[str, Any],
            return_outputs: bool = False,
            num_items_in_batch: Any = None,
        ) -> Any:
            labels = inputs["labels"][:, 1:]
            causal = model.get_base_model()
            hidden = causal.model(
                input_ids=inputs["input_ids"],
                attention_mask=inputs["attention_mask"],
                use_cache=False,
            ).last_hidden_state
            kept = labels != -100
            logits = causal.lm_head(hidden[:, :-1][kept]).float()
            total = torch.nn.functional.cross_entropy(logits, labels[kept], reduction="sum")
            return total / (num_items_in_batch if num_items_in_batch is not None else kept.sum())

    return CompletionHeadTrainer


def _progress_callback(progress: Callable[..., None]) -> Any:
    from transformers import TrainerCallback

    class Progress(TrainerCallback):
        loss = math.nan

        def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **_: Any) -> None:
            self.loss = (logs or {}).get("loss", self.loss)

        def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            shown = {} if math.isnan(self.loss) else {"loss": round(self.loss, 3)}
            progress(state.global_step, state.max_steps, "steps", **shown)

    return Progress()


def _save_adapter(trainer: Any, tokenizer: Any, planned: Plan, folder: Path) -> None:
    """Adapter, tokenizer and template fingerprint; a folder is there whole or not at all."""
    temporary = folder.with_name(f".{folder.name}.new")
    shutil.rmtree(temporary, ignore_errors=True)
    trainer.save_model(str(temporary))
    for extra in ("training_args.bin", "README.md"):  # hold paths of this machine
        (temporary / extra).unlink(missing_ok=True)
    tokenizer.save_pretrained(temporary)
    note = {"fingerprint": models.template_fingerprint(tokenizer), "four_bit": planned.four_bit}
    (temporary / models.ADAPTER_NOTE).write_text(json.dumps(note))
    shutil.rmtree(folder, ignore_errors=True)
    temporary.replace(folder)


def _summary(trainer: Any, planned: Plan, resumed: Path | None) -> dict[str, Any]:
    history = trainer.state.log_history
    seconds = next((h["train_runtime"] for h in reversed(history) if "train_runtime" in h), 0.0)
    parameters = [(p.numel(), p.requires_grad) for p in trainer.model.parameters()]
    evaluations = [h["eval_loss"] for h in history if "eval_loss" in h]
    done = planned.steps - (int(resumed.name.split("-")[1]) if resumed else 0)
    seen = planned.tokens * done * planned.batch * planned.accumulation / planned.rows
    return {
        "base_model": planned.base_model,
        "precision": planned.dtype,
        "precision_reason": planned.dtype_reason,
        "trainable_parameters": sum(n for n, trained in parameters if trained),
        "total_parameters": sum(n for n, _ in parameters),
        "steps": trainer.state.global_step,
        "resumed_from_step": planned.steps - done,
        "seconds": round(seconds, 1),
        "tokens_per_second": round(seen / seconds, 1) if seconds else None,
        "evaluations": len(evaluations),
        "base_eval_loss": evaluations[0],
        "best_eval_loss": min(evaluations),
        "best_step": trainer.state.best_global_step,
        "template": models.template_fingerprint(trainer.processing_class),
    }


def _log_frame(history: list[dict[str, Any]]) -> pd.DataFrame:
    kept = ("step", "loss", "eval_loss", "learning_rate", "grad_norm")
    frame = pd.DataFrame([{k: h.get(k) for k in kept} for h in history if "train_loss" not in h])
    return frame.groupby("step", as_index=False).first()


@contextmanager
def _quiet() -> Iterator[None]:
    """Library warnings that say nothing to a reader of the notebook are kept out of it."""
    import logging
    import warnings

    noisy = [logging.getLogger(n) for n in ("transformers", "trl", "peft", "accelerate")]
    levels = [logger.level for logger in noisy]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for logger in noisy:
            logger.setLevel(logging.ERROR)
        try:
            yield
        finally:
            for logger, level in zip(noisy, levels, strict=True):
                logger.setLevel(level)
