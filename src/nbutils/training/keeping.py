"""What is kept of a training run beside its adapter: the card in it, and a record in MLflow."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

from nbutils.records import RUN_FILE, digest, read_record

from .bases import base_revision
from .card import write_card
from .fitting import Outcome
from .planning import Plan
from .tracking import record

CURVES = ("loss", "eval_loss", "learning_rate", "tokens_per_second")
FINAL = ("base_eval_loss", "best_eval_loss", "best_step", "tokens_per_second", "seconds")


def keep(outcome: Outcome, plan: Plan, folder: Path) -> str:
    """Write the adapter's card and record the run in MLflow; says what was kept, in a sentence.

    A run that cannot be recorded is warned of and goes on.
    """
    hashes = data_hashes(folder)
    settings, summary = asdict(plan), outcome.summary
    write_card(
        folder / "adapter",
        settings,
        summary,
        hashes,
        fingerprint=summary["template"],
        revision=base_revision(plan.base_model),
    )
    curves = outcome.log.melt("step", [c for c in CURVES if c in outcome.log], "name", "value")
    found = record(
        folder.name,
        parameters=settings,
        curves=curves,
        metrics={key: summary[key] for key in FINAL},
        hashes=hashes,
        folder=folder,
    )
    card = "The card of the adapter is adapter/README.md"
    return f"{card}; MLflow run {found}." if found else f"{card}; MLflow has no record."


def data_hashes(folder: Path) -> dict[str, str]:
    """SHA-256 of what a run read from outside, and of its training and validation examples."""
    inputs: Mapping[str, str] = read_record(folder / RUN_FILE).get("inputs") or {}
    sides = {f: digest(folder / f) for f in ("train.jsonl", "val.jsonl") if (folder / f).is_file()}
    return {**inputs, **sides}
