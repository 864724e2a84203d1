"""LoRA training on TRL, by plan, resumable bit for bit."""

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

import pandas as pd

from nbutils import models
from nbutils.examples import Example

from .planning import Plan, rows

LINEAR = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")


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
