"""Fine-tuning on TRL, by plan, resumable bit for bit."""

from __future__ import annotations

import hashlib
import json
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import pandas as pd

from nbutils import models
from nbutils.examples import Example

from .planning import Plan
from .preflight import rows
from .quantised import gradient_check
from .recipe import PlanError
from .trainer import ended_early, make_trainer, state

Rows = list[dict[str, Any]]


@dataclass
class Outcome:
    """What a training run came to.

    Attributes
    ----------
    summary : dict
        Content of ``training.json``: steps, seconds, tokens a second, best validation loss, ...;
        ``rows`` are the ids of the training rows (what the best step had seen may be fewer).
    log : DataFrame
        One row a logged step: step, loss, eval_loss, learning_rate, grad_norm,
        tokens_per_second.
    seeds : DataFrame
        One row a seed: ``seed``, ``base_eval_loss``, ``best_eval_loss``, ``best_step``.
    """

    summary: dict[str, Any]
    log: pd.DataFrame = field(repr=False)
    seeds: pd.DataFrame = field(default_factory=pd.DataFrame, repr=False)


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
        run goes on where it was. Checkpoints of other data, another plan or other versions of the
        libraries are never gone on from: the run starts over, and its summary says so.
    progress : callable, optional
        Called as ``progress(done, total, "steps", loss=...)``.

    Returns
    -------
    Outcome

    Raises
    ------
    PlanError
        If the longest batch does not fit, the gradients of a quantised base cannot be trusted, or
        a checkpoint is damaged.
    """
    data = [rows(side, form=planned.form, with_facts=planned.with_facts) for side in (train, val)]
    first = _one_seed(planned, data, folder, progress)
    found = [first.summary]
    for seed in range(planned.recipe.seed + 1, planned.recipe.seed + planned.recipe.seeds):
        other = replace(planned, recipe=replace(planned.recipe, seed=seed, seeds=1))
        found.append(_again(other, data, folder / "seeds" / str(seed), progress))
    columns = ["seed", "base_eval_loss", "best_eval_loss", "best_step"]
    summary = {**first.summary, "rows": [example.id for example in train]}
    return replace(first, summary=summary, seeds=pd.DataFrame(found)[columns])


def _again(
    planned: Plan, data: list[Rows], folder: Path, progress: Callable[..., None] | None
) -> dict[str, Any]:
    """The summary of a further seed, from its file if it was finished before a kill."""
    file = folder / "training.json"
    mark = _identity(planned, data)
    if file.is_file() and (kept := json.loads(file.read_text())).get("identity") == mark:
        return dict(kept)
    summary = _one_seed(planned, data, folder, progress).summary
    file.write_text(json.dumps({**summary, "identity": mark}))
    return summary


def _one_seed(
    planned: Plan, data: list[Rows], folder: Path, progress: Callable[..., None] | None
) -> Outcome:
    checkpoints = folder / "checkpoints"
    last, cleared = _last_checkpoint(checkpoints, _identity(planned, data))
    with _quiet():
        trainer, tokenizer = make_trainer(planned, data[0], data[1], checkpoints, progress)
        dry = _dry_run(trainer, planned)
        _fit(trainer, last)
        summary = {**_summary(trainer, planned, last), **dry, "started_over": cleared}
        if trainer.is_world_process_zero():
            _save(trainer, tokenizer, planned, folder / "adapter")
    log = _log_frame(trainer.state.log_history)
    if trainer.is_world_process_zero():
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
    resumed += ", stopped early" if s["stopped_early"] else ""
    resumed += "; older checkpoints were of another run and not used" if s["started_over"] else ""
    losses = outcome.seeds["best_eval_loss"]
    rows = {
        "Validation loss, untuned base": f"{s['base_eval_loss']:.3f}",
        "Validation loss, best adapter": f"{s['best_eval_loss']:.3f} at step {s['best_step']}",
        "Over seeds": f"{losses.min():.3f} to {losses.max():.3f} in {len(losses)} seeds"
        if len(losses) > 1
        else "one seed: how much chance weighs is not known",
        "Trained parameters": f"{s['trainable_parameters']:,} ({share:.1%} of all)",
        "Steps": f"{s['steps']}{resumed}",
        "Time": f"{s['seconds'] / 60:.1f} minutes (expected {s['expected_minutes']:.1f}), "
        f"{s['tokens_per_second'] or 0:.0f} tokens a second",
        "Longest batch": f"{s['longest_batch_tokens']:,} tokens, {s['longest_batch_seconds']:.1f} "
        f"s in the dry run",
        "Precision": f"{s['precision']}: {s['precision_reason']}",
    }
    return pd.DataFrame({"what": list(rows), "value": list(rows.values())})


# --------------------------------------------------------------------------- resuming


def _identity(planned: Plan, data: list[Rows]) -> str:
    """Hash of all that must be equal for a checkpoint to be continued."""
    import peft
    import torch
    import transformers
    import trl

    versions = [m.__version__ for m in (torch, transformers, peft, trl)]
    described = asdict(planned)
    for measured in ("dtype_reason", "minutes", "memory_gb"):  # differ from hour to hour
        described.pop(measured)
    content = json.dumps([described, data, versions], sort_keys=True)
    return hashlib.sha256(content.encode()).hexdigest()


def _last_checkpoint(folder: Path, identity: str) -> tuple[Path | None, bool]:
    """The newest whole checkpoint of the same run, and whether those of another were cleared."""
    mark = folder / "identity.txt"
    cleared = False
    with state().main_process_first():
        if not (mark.is_file() and mark.read_text() == identity):
            cleared = any(folder.glob("checkpoint-*"))
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True)
            mark.write_text(identity)
    # trainer_state.json is written last: a checkpoint without it was cut off
    whole = [p.parent for p in folder.glob("checkpoint-*/trainer_state.json")]
    return max(whole, key=lambda p: int(p.name.split("-")[1]), default=None), cleared


def _fit(trainer: Any, last: Path | None) -> None:
    """Train, from a checkpoint if there is one; a damaged one is named."""
    if last:
        _check_checkpoint(last)
    trainer.train(resume_from_checkpoint=str(last) if last else None)


def _check_checkpoint(folder: Path) -> None:
    import torch
    from safetensors import SafetensorError, safe_open

    file = folder
    try:
        json.loads((file := folder / "trainer_state.json").read_text(encoding="utf-8"))
        for file in sorted(folder.glob("*.safetensors")):
            with safe_open(file, "pt") as weights:
                list(weights.keys())
        for file in sorted(folder.glob("*.pt")):
            torch.load(file, map_location="cpu", weights_only=file.name != "rng_state.pth")
    except (SafetensorError, OSError, ValueError, RuntimeError, EOFError, KeyError) as error:
        raise PlanError(
            f"checkpoint {folder.name} is damaged ({file.name}: {str(error)[:80]}): remove the "
            f"folder {folder.parent.name}/{folder.name} to go on from the one before it, or "
            f"{folder.parent.name}/ to start over."
        ) from None


# --------------------------------------------------------------------------- before the first step


def _dry_run(trainer: Any, planned: Plan) -> dict[str, Any]:
    """Forward and backward on the longest batch: what fails there fails now, not in an hour."""
    import torch

    data = trainer.train_dataset
    if planned.recipe.four_bit:
        short = trainer.data_collator([min(data, key=lambda row: len(row["input_ids"]))])
        gradient_check(trainer.model, trainer._prepare_inputs(short))
    size = [len(ids) for ids in data["input_ids"]]
    longest = sorted(range(len(size)), key=lambda i: -size[i])[: planned.recipe.batch]
    batch = trainer._prepare_inputs(trainer.data_collator([data[i] for i in longest]))
    state = torch.random.get_rng_state()
    begun = time.perf_counter()
    try:
        trainer.model.train()
        trainer.compute_loss(trainer.model, dict(batch)).backward()
    except torch.OutOfMemoryError:
        raise PlanError(
            f"the longest batch ({planned.recipe.batch} rows, {sum(size[i] for i in longest)} "
            f"tokens) does not fit into this GPU's memory: halve the batch and double the "
            f"accumulation."
        ) from None
    finally:
        trainer.model.zero_grad(set_to_none=True)
        torch.random.set_rng_state(state)
    return {
        "longest_batch_tokens": sum(size[i] for i in longest),
        "longest_batch_seconds": round(time.perf_counter() - begun, 2),
    }


# --------------------------------------------------------------------------- what is left of it


def _save(trainer: Any, tokenizer: Any, planned: Plan, folder: Path) -> None:
    """Adapter, tokenizer and template fingerprint; a folder is there whole or not at all."""
    temporary = folder.with_name(f".{folder.name}.new")
    shutil.rmtree(temporary, ignore_errors=True)
    trainer.save_model(str(temporary))
    for extra in ("training_args.bin", "README.md"):  # hold paths of this machine
        (temporary / extra).unlink(missing_ok=True)
    _without_path(temporary / "adapter_config.json", planned.base_model)
    tokenizer.save_pretrained(temporary)
    note = {
        "base": Path(planned.base_model).name,
        "fingerprint": models.template_fingerprint(tokenizer),
        "four_bit": planned.recipe.four_bit,
    }
    (temporary / models.ADAPTER_NOTE).write_text(json.dumps(note))
    shutil.rmtree(folder, ignore_errors=True)
    temporary.replace(folder)


def _without_path(config: Path, base: str) -> None:
    """The base under the name that the plan gives it: a folder of this machine helps nobody."""
    if config.is_file():
        known = json.loads(config.read_text(encoding="utf-8"))
        known["base_model_name_or_path"] = Path(base).name if Path(base).is_dir() else base
        config.write_text(json.dumps(known, indent=2), encoding="utf-8")


def _summary(trainer: Any, planned: Plan, resumed: Path | None) -> dict[str, Any]:
    history = trainer.state.log_history
    seconds = next((h["train_runtime"] for h in reversed(history) if "train_runtime" in h), 0.0)
    parameters = [(p.numel(), p.requires_grad) for p in trainer.model.parameters()]
    evaluations = [h["eval_loss"] for h in history if "eval_loss" in h]
    steps = trainer.state.global_step
    begun = int(resumed.name.split("-")[1]) if resumed else 0
    a_step = planned.recipe.batch * planned.recipe.accumulation
    seen = planned.tokens * (steps - begun) * a_step / planned.sequences
    return {
        "base_model": planned.base_model,
        "seed": planned.recipe.seed,
        "processes": trainer.accelerator.num_processes,
        "precision": planned.dtype,
        "precision_reason": planned.dtype_reason,
        "trainable_parameters": sum(n for n, trained in parameters if trained),
        "total_parameters": sum(n for n, _ in parameters),
        "steps": steps,
        "resumed_from_step": begun,
        "stopped_early": ended_early(trainer, planned),
        "seconds": round(seconds, 1),
        "expected_minutes": planned.minutes / planned.recipe.seeds,
        "tokens_per_second": round(seen / seconds, 1) if seconds else None,
        "evaluations": len(evaluations),
        "base_eval_loss": evaluations[0],
        "best_eval_loss": min(evaluations),
        "best_step": trainer.state.best_global_step,
        "template": models.template_fingerprint(trainer.processing_class),
    }


def _log_frame(history: list[dict[str, Any]]) -> pd.DataFrame:
    kept = ("step", "loss", "eval_loss", "learning_rate", "grad_norm", "tokens_per_second")
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
