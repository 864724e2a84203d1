"""TRL's SFTTrainer, set up by plan; on a CPU with the head on the answers only."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from nbutils import models

from .packing import packing_settings
from .planning import ATTENTION, Plan
from .quantised import guard_gradients, widen_adapters
from .recipe import PlanError
from .tracking import trackers

Rows = list[dict[str, Any]]


def make_trainer(
    planned: Plan,
    train_rows: Rows,
    val_rows: Rows,
    folder: Path,
    progress: Callable[..., None] | None,
) -> tuple[Any, Any]:
    """The trainer of a plan and its tokenizer.

    Parameters
    ----------
    planned : Plan
    train_rows, val_rows : list of dict
        From `rows`.
    folder : Path
        For checkpoints.
    progress : callable, optional
        See `train`.
    """
    import torch
    from datasets import Dataset
    from transformers import AutoModelForCausalLM, set_seed
    from transformers.trainer_callback import PrinterCallback

    set_seed(planned.recipe.seed)
    path = models.base_path(planned.base_model)
    tokenizer = models.load_tokenizer(planned.base_model)
    on_gpu = torch.cuda.is_available()
    model = AutoModelForCausalLM.from_pretrained(
        path,
        dtype=getattr(torch, planned.dtype),
        quantization_config=models.nf4(planned.dtype) if planned.recipe.four_bit else None,
    )
    guard_gradients(model)
    # TRL's own fused head is the fast path on a GPU; on a CPU the head on answers only is
    trainer = _trainer_class(planned, answers_only=not on_gpu)(
        model=model,
        args=_arguments(planned, folder, on_gpu),
        train_dataset=Dataset.from_list(train_rows),
        eval_dataset=Dataset.from_list(val_rows),
        processing_class=tokenizer,
        peft_config=None if planned.recipe.full else _lora(planned, model.config),
        callbacks=_callbacks(planned, progress),
    )
    trainer.remove_callback(PrinterCallback)
    widen_adapters(trainer.model)
    return trainer, tokenizer


def state() -> Any:
    """Which of how many processes this is; one, unless a launcher started several."""
    import torch
    from accelerate import PartialState

    # said before the trainer does: on a machine without GPU several processes meet over gloo
    return PartialState(cpu=not torch.cuda.is_available())


def ended_early(trainer: Any, planned: Plan) -> bool:
    """Whether training stopped before its last step, at the plateau of the validation loss."""
    return bool(trainer.state.global_step < planned.steps)


def _lora(planned: Plan, config: Any) -> Any:
    from peft import LoraConfig

    recipe, depth = planned.recipe, config.num_hidden_layers
    layers = list(range(depth - recipe.layers, depth)) if recipe.layers else None
    return LoraConfig(
        r=recipe.rank,
        lora_alpha=recipe.alpha,
        lora_dropout=recipe.dropout,
        target_modules=recipe.modules,
        layers_to_transform=layers,
        use_rslora=recipe.rslora,
        use_dora=recipe.dora,
        task_type="CAUSAL_LM",
    )


def _arguments(planned: Plan, folder: Path, on_gpu: bool) -> Any:
    from trl import SFTConfig

    recipe = planned.recipe
    settings: dict[str, Any] = {
        "per_device_train_batch_size": _each(recipe.batch),
        "gradient_accumulation_steps": recipe.accumulation,
        "train_sampling_strategy": "group_by_length",
    }
    if planned.packing:
        # one sequence at a time: the same step by more accumulation
        settings["gradient_accumulation_steps"] = _each(recipe.batch) * recipe.accumulation
        settings |= packing_settings(ATTENTION, on_gpu)[0]
    return SFTConfig(
        **settings,
        output_dir=str(folder),
        max_steps=planned.steps,
        per_device_eval_batch_size=recipe.batch,
        learning_rate=recipe.learning_rate,
        lr_scheduler_type=recipe.schedule if recipe.schedule != "constant" else _CONSTANT,
        warmup_steps=planned.warmup_steps,
        weight_decay=recipe.weight_decay,
        max_grad_norm=recipe.max_grad_norm,
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
        max_length=recipe.max_length,
        completion_only_loss=True,
        gradient_checkpointing=on_gpu and planned.parameters > 1e9,
        bf16=planned.dtype == "bfloat16",
        fp16=planned.dtype == "float16",
        use_cpu=not on_gpu,
        optim="adamw_torch",
        seed=recipe.seed,
        report_to=trackers(recipe.report_to),
        disable_tqdm=True,
    )


_CONSTANT = "constant_with_warmup"


def _each(batch: int) -> int:
    """Rows of a batch for each process: on several the batch, and so the plan, stays the same."""
    processes = state().num_processes
    if batch % processes:
        raise PlanError(
            f"a batch of {batch} rows cannot be shared by {processes} processes: take a batch that "
            f"is a multiple of {processes}, or fewer processes."
        )
    return batch // processes


def _trainer_class(planned: Plan, answers_only: bool) -> Any:
    """SFTTrainer; with ``answers_only`` the LM head runs on the trained positions only.

    Most tokens of a row are prompt, and on a CPU the head over 49,152 words costs as much as
    several layers. `compute_loss` is the hook that TRL documents for this. The loss is computed
    inside the model's own forward, so that wrappers around it (DDP) see a forward pass.
    """
    from transformers.trainer_pt_utils import LengthGroupedSampler
    from trl import SFTTrainer

    recipe = planned.recipe

    class PlannedTrainer(SFTTrainer):
        optimizer: Any

        def _get_train_sampler(self, train_dataset: Any = None) -> Any:
            if planned.packing:
                return super()._get_train_sampler(train_dataset)
            # by the whole batch, so that the order does not depend on the number of processes
            return LengthGroupedSampler(
                recipe.batch * recipe.accumulation,
                dataset=train_dataset if train_dataset is not None else self.train_dataset,
                model_input_name="input_ids",
            )

        def create_optimizer(self, *args: Any, **kwargs: Any) -> Any:
            if self.optimizer is None and recipe.lora_plus:
                self.optimizer = _lora_plus(self.model, recipe)
            return super().create_optimizer(*args, **kwargs)

    class AnswersOnlyTrainer(PlannedTrainer):
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, **kwargs)
            _learn_answers_only(self.model)

        def compute_loss(
            self,
            model: Any,
            inputs: dict[str, Any],
            return_outputs: bool = False,
            num_items_in_batch: Any = None,
        ) -> Any:
            total, count = model(
                input_ids=inputs["input_ids"],
                attention_mask=inputs.get("attention_mask"),
                position_ids=inputs.get("position_ids"),
                labels=inputs["labels"],
                answers_only=True,
            ).logits
            if self.model.training:
                self._total_train_tokens += int(inputs["attention_mask"].sum())
                self._metrics["train"]["num_tokens"] = [self._total_train_tokens]
            if num_items_in_batch is None:
                return total / count
            # the items are those of all processes, and DDP averages over these
            share = self.accelerator.num_processes if self.model.training else 1
            return total * share / num_items_in_batch

    return AnswersOnlyTrainer if answers_only else PlannedTrainer


def _learn_answers_only(model: Any) -> None:
    """Let the causal model's forward return the summed loss and its tokens, if asked for."""
    import torch
    from transformers.modeling_outputs import CausalLMOutput

    causal = model.get_base_model() if hasattr(model, "get_base_model") else model
    usual = causal.forward

    def forward(*args: Any, answers_only: bool = False, **given: Any) -> Any:
        if not answers_only:
            return usual(*args, **given)
        labels = given.pop("labels")[:, 1:]
        hidden = causal.base_model(**given, use_cache=False).last_hidden_state
        kept = labels != -100
        logits = causal.lm_head(hidden[:, :-1][kept]).float()
        total = torch.nn.functional.cross_entropy(logits, labels[kept], reduction="sum")
        return CausalLMOutput(logits=(total, kept.sum()))

    causal.forward = forward


def _lora_plus(model: Any, recipe: Any) -> Any:
    import torch
    from peft.optimizers import create_loraplus_optimizer

    return create_loraplus_optimizer(
        model,
        optimizer_cls=torch.optim.AdamW,
        lr=recipe.learning_rate,
        loraplus_lr_ratio=recipe.lora_plus,
    )


def _callbacks(planned: Plan, progress: Callable[..., None] | None) -> list[Any]:
    from transformers import EarlyStoppingCallback

    found = [_watch(progress)]
    if planned.recipe.patience:
        found.append(EarlyStoppingCallback(early_stopping_patience=planned.recipe.patience))
    return found


def _watch(progress: Callable[..., None] | None) -> Any:
    """Progress, and the speed of each logged stretch in the log."""
    from transformers import TrainerCallback

    class Watch(TrainerCallback):
        loss = math.nan
        seen, moment = 0.0, 0.0

        def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **_: Any) -> None:
            logs = logs or {}
            self.loss = logs.get("loss", self.loss)
            if "loss" in logs and "num_tokens" in logs:
                now = time.monotonic()
                if self.moment:
                    speed = (logs["num_tokens"] - self.seen) / (now - self.moment)
                    state.log_history[-1]["tokens_per_second"] = round(speed, 1)
                self.seen, self.moment = logs["num_tokens"], now

        def on_evaluate(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            self.moment = 0.0  # the time of an evaluation is not training's

        def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            if progress:
                shown = {} if math.isnan(self.loss) else {"loss": round(self.loss, 3)}
                progress(state.global_step, state.max_steps, "steps", **shown)

    return Watch()
