"""A training run recorded in MLflow, by a process of its own that cannot hold the run up."""

from __future__ import annotations

import importlib.util
import json
import math
import os
import re
import sqlite3
import subprocess
import sys
import warnings
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import pandas as pd

from nbutils.errors import UserError
from nbutils.folders import artifacts
from nbutils.records import RUN_FILE, read_record

from .recorder import reason, sqlite_file

ANSWER_SECONDS = 10
WHOLE_SECONDS = 120
_SERVE = "from nbutils.training.recorder import serve; serve()"

# report_to of transformers by package; those that ask for an account or a server are left out
_TRACKERS = {
    "codecarbon": ("codecarbon",),
    "dvclive": ("dvclive",),
    "tensorboard": ("tensorboard", "tensorboardX"),
    "trackio": ("trackio",),
    "wandb": ("wandb",),
}
# for the other process only; what the user has set wins
_QUIET = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "30",
}


class _NotRecordedError(Exception):
    """Why there is no record; becomes the warning's reason."""


def record(
    run_name: str,
    *,
    parameters: Mapping[str, Any],
    curves: pd.DataFrame,
    metrics: Mapping[str, float | None],
    hashes: Mapping[str, str],
    folder: Path,
    uri: str | None = None,
) -> str:
    """Record a finished training run in MLflow's experiment ``nbutils``; never stops the caller.

    MLflow runs in a process of its own that is ended after two minutes. A server that gives no
    first answer within ten seconds, a locked database, a full disk, a missing package: each is
    one warning. Recording a run again adds another MLflow run.

    The dependency, mlflow-skinny, has no pages to look at. ``mlflow runs list --experiment-id 1``
    lists the runs, with MLFLOW_TRACKING_URI set to the store. To see curves, install ``mlflow``
    of the same version into another environment (its pins clash with pyarrow's here) and start
    ``mlflow ui --backend-store-uri sqlite:///data/mlflow/mlflow.db`` in the repository.

    Parameters
    ----------
    run_name : str
        Name of the nbutils run; MLflow's run name and the tag ``run``.
    parameters : mapping
        Settings; nested ones get dotted names, long values are cut to MLflow's limit.
    curves : DataFrame
        Columns ``step``, ``name`` and ``value``; NaN is what was not logged and is left out.
    metrics : mapping
        Final values, logged at the last step of the curves; None is left out.
    hashes : mapping
        SHA-256 by name of the data; become tags ``hash.NAME``.
    folder : path
        The run's folder. Of it ``plan.json`` and ``adapter/`` become artefacts (of an adapter
        above 64 MiB only its README.md and the hashes of its files), and ``commit`` and
        ``profile`` of run.json become tags.
    uri : str, optional
        The store; without it ``$MLFLOW_TRACKING_URI``, or else the SQLite file
        ``mlflow/mlflow.db`` beside the folder of all runs. Artefacts of an SQLite store lie in
        ``artifacts/`` beside the file.

    Returns
    -------
    str
        MLflow's run id; empty, after a warning, if the run could not be recorded.
    """
    store = uri or os.environ.get("MLFLOW_TRACKING_URI") or ""
    try:
        store = store or _local_store()
        _check(store)
        return _in_another_process(
            {
                "store": store,
                "run": run_name,
                "parameters": _flat(parameters),
                "metrics": _metrics(curves, metrics),
                "tags": _tags(run_name, hashes, folder),
                "folder": str(folder.resolve()),
                "seconds": ANSWER_SECONDS,
            }
        )
    except (OSError, sqlite3.Error, UserError, _NotRecordedError) as e:
        warnings.warn(
            f"run {run_name} is not recorded in MLflow ({_shown(store)}: {reason(e)}), all else "
            f"went on: mend it and call training.record again.",
            stacklevel=2,
        )
        return ""


def trackers(report_to: str) -> list[str]:
    """Names for ``report_to`` of transformers, from a comma list.

    Weights & Biases is set to work offline (``WANDB_MODE``) unless the environment holds a key or
    a mode, so that a run without a terminal never waits for a login.

    Parameters
    ----------
    report_to : str
        ``"none"``, or of codecarbon, dvclive, tensorboard, trackio and wandb.

    Returns
    -------
    list of str
        Empty for ``"none"``.

    Raises
    ------
    UserError
        If a name is unknown or its package is not installed, or MLflow is named: `record` writes
        there.
    """
    names = list(dict.fromkeys(n.strip().lower() for n in report_to.split(",") if n.strip()))
    if names in ([], ["none"]):
        return []
    for name in names:
        _check_tracker(name)
    if "wandb" in names and not os.environ.get("WANDB_API_KEY"):
        os.environ.setdefault("WANDB_MODE", "offline")
    return names


def _check_tracker(name: str) -> None:
    if name == "mlflow":
        raise UserError(
            "report_to names mlflow, where every training run is recorded when it is done: leave "
            "it out."
        )
    if name not in _TRACKERS:
        raise UserError(
            f"report_to names '{name}', expected none or some of {', '.join(_TRACKERS)}: correct "
            f"the name."
        )
    if not any(_installed(package) for package in _TRACKERS[name]):
        raise UserError(
            f"report_to names {name}, which is not installed: run `pip install {name}` or leave "
            f"it out."
        )


def _installed(package: str) -> bool:
    # a mere folder of that name, such as wandb's own output, is found too but has no origin
    found = importlib.util.find_spec(package)
    return found is not None and found.origin is not None


def _local_store() -> str:
    return f"sqlite:///{(artifacts().parent / 'mlflow' / 'mlflow.db').as_posix()}"


def _check(store: str) -> None:
    """Fail at once where MLflow would try for minutes: a locked, broken or unwritable file."""
    if not _installed("mlflow"):
        raise _NotRecordedError("the package mlflow-skinny is not installed")
    file = sqlite_file(store)
    if file is None:
        return
    file.parent.mkdir(parents=True, exist_ok=True)
    with closing(sqlite3.connect(file, timeout=ANSWER_SECONDS, isolation_level=None)) as opened:
        opened.execute("BEGIN IMMEDIATE")
        opened.execute("ROLLBACK")


def _flat(values: Mapping[str, Any], before: str = "") -> dict[str, str]:
    flat: dict[str, str] = {}
    for key, value in values.items():
        if isinstance(value, Mapping):
            flat |= _flat(value, f"{before}{key}.")
        else:
            flat[_name(f"{before}{key}")] = str(value)
    return flat


def _metrics(
    curves: pd.DataFrame, metrics: Mapping[str, float | None]
) -> list[tuple[str, float, int]]:
    last = int(curves["step"].max()) if len(curves) else 0
    points = zip(curves["name"], curves["value"], curves["step"], strict=True)
    ends = ((name, value, last) for name, value in metrics.items())
    return [
        (_name(str(name)), float(value), int(step))
        for name, value, step in (*points, *ends)
        if value is not None and not math.isnan(value)
    ]


def _tags(run_name: str, hashes: Mapping[str, str], folder: Path) -> dict[str, str]:
    about = read_record(folder / RUN_FILE)
    kept = {key: str(about[key]) for key in ("commit", "profile") if about.get(key)}
    return {"run": run_name, **kept, **{_name(f"hash.{k}"): str(v) for k, v in hashes.items()}}


def _name(text: str) -> str:
    """A name as MLflow takes it: letters, digits, ``_-. /``, and none that a path would shorten."""
    parts = [p for p in re.sub(r"[^\w\-. /]", "_", text).split("/") if p not in ("", ".", "..")]
    return "/".join(parts)[:250] or "_"


def _in_another_process(request: dict[str, Any]) -> str:
    try:
        done = subprocess.run(
            [sys.executable, "-P", "-c", _SERVE],
            input=json.dumps(request),
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=WHOLE_SECONDS,
            env={**_QUIET, **os.environ},
        )
    except subprocess.TimeoutExpired:
        raise _NotRecordedError(f"not done after {WHOLE_SECONDS} seconds") from None
    answers = [line for line in done.stdout.splitlines() if line.startswith("{")]
    answer = json.loads(answers[-1]) if answers else {}
    if "run_id" not in answer:
        said = [line for line in done.stderr.splitlines() if line.strip()][-1:]
        raise _NotRecordedError(answer.get("error") or " ".join(said) or "no reason given")
    return str(answer["run_id"])


def _shown(store: str) -> str:
    """The store without folders, user and password: warnings end up in reports."""
    if file := sqlite_file(store):
        return file.name
    scheme, mark, rest = store.partition("://")
    host = rest.rpartition("@")[2].partition("/")[0]
    return f"{scheme}://{host}" if mark and host else Path(store).name
