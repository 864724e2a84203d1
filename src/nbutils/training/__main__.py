"""The training step of a run under ``accelerate launch``, on any number of processes.

``accelerate launch --num_processes 4 -m nbutils.training RUN`` takes plan and data from the run
folder as notebook 03 does, trains, and leaves the same files. FSDP and DeepSpeed are settings of
accelerate (``accelerate config``); nothing here knows of them. On CPUs accelerate wants MPI;
``torchrun --nproc_per_node 2 -m nbutils.training RUN`` does without.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence

from nbutils import folders, records
from nbutils.errors import UserError
from nbutils.examples import read_examples
from nbutils.training import Plan, limit, log_rows, train
from nbutils.training.trainer import state


def main(argv: Sequence[str] | None = None) -> int:
    """Train by the plan of a run; 0 if all went well, 2 for what the user can mend."""
    parser = argparse.ArgumentParser(prog="python -m nbutils.training")
    parser.add_argument("run", help="a run whose notebook 03 has written plan.json")
    try:
        _train(parser.parse_args(argv).run)
    except UserError as error:
        sys.stderr.write(f"nbutils: {error}\n")
        return 2
    return 0


def _train(name: str) -> None:
    folder = folders.find(name)
    for needed in ("plan.json", "train.jsonl", "val.jsonl"):
        if not (folder / needed).is_file():
            raise UserError(
                f"{needed} is not in run {folder.name}: run 03_training there once (`nbutils run "
                f"--run {folder.name} --only 03`); it may be stopped as soon as the plan is shown."
            )
    plan = Plan.from_record(json.loads((folder / "plan.json").read_text(encoding="utf-8")))
    learnt = limit(read_examples(folder / "train.jsonl"), plan.rows)
    watched = limit(read_examples(folder / "val.jsonl"), plan.val_rows)
    outcome = train(learnt, watched, plan, folder)
    if state().is_main_process:
        rows = (records.dumps(row, "training_log.jsonl") for row in log_rows(outcome))
        records.write_text(folder / "training_log.jsonl", "".join(f"{row}\n" for row in rows))
        text = records.dumps(outcome.summary, "training.json", indent=1)
        records.write_text(folder / "training.json", text + "\n")


if __name__ == "__main__":
    sys.exit(main())
