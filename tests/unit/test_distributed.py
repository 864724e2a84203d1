"""The same training step on two processes: real launcher, real gloo, the same loss as on one."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path
from types import SimpleNamespace

import pytest

from nbutils import models, training
from nbutils.examples import Example, parse_answer
from nbutils.training import trainer

pytest.importorskip("torch")


def launched(artifacts: Path, run: str, processes: int) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    command += ["--nproc_per_node", str(processes), "-m", "nbutils.training", run]
    env = {**os.environ, "NBUTILS_ARTIFACTS": str(artifacts), "OMP_NUM_THREADS": "1"}
    return subprocess.run(
        command, env=env, capture_output=True, text=True, timeout=300, check=False
    )


def test_two_processes_give_the_loss_of_one(
    tiny_base: str, candidates: list[Example], tmp_path: Path
) -> None:
    answers = ((e, parse_answer(e.output)) for e in candidates)
    good = [e for e, a in answers if a.analysis and a.action and a.urgency]
    train, val = good[:24], good[24:28]
    plan = training.plan(
        train,
        val,
        models.load_tokenizer(tiny_base),
        base_model=tiny_base,
        evaluations=3,
        learning_rate=1e-2,
    )
    run = tmp_path / "runs" / "two"
    run.mkdir(parents=True)
    (run / "run.json").write_text("{}")
    (run / "plan.json").write_text(json.dumps(asdict(plan)))
    for name, side in (("train", train), ("val", val)):
        rows = "".join(json.dumps(e.to_row()) + "\n" for e in side)
        (run / f"{name}.jsonl").write_text(rows, encoding="utf-8")
    done = launched(tmp_path, "two", 2)
    assert done.returncode == 0, done.stderr[-2000:]
    two = json.loads((run / "training.json").read_text())
    assert two["processes"] == 2
    one = training.train(train, val, plan, tmp_path / "one")
    log = [json.loads(line) for line in (run / "training_log.jsonl").open()]
    for kind in ("loss", "eval_loss"):
        theirs = [row[kind] for row in log if kind in row]
        ours = one.log[kind].dropna().tolist()
        assert len(ours) >= 4
        assert theirs == pytest.approx(ours, rel=1e-4)
    assert (run / "adapter" / "adapter_config.json").is_file()
    assert not (run / "checkpoints").exists()


def test_a_batch_that_cannot_be_shared_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trainer, "state", lambda: SimpleNamespace(num_processes=3))
    with pytest.raises(training.PlanError, match="4 rows cannot be shared by 3 processes"):
        trainer._each(4)
