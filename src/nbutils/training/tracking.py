"""A training run recorded in MLflow, by a process of its own that cannot hold the run up."""

from __future__ import annotations

import math
import os
import re
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from nbutils import stores
from nbutils.errors import UserError
from nbutils.records import RUN_FILE, read_record

from .recorder import write

ANSWER_SECONDS = stores.ANSWER_SECONDS
WHOLE_SECONDS = 120

# report_to of transformers by package; those that ask for an account or a server are left out
_TRACKERS = {
    "codecarbon": ("codecarbon",),
    "dvclive": ("dvclive",),
    "tensorboard": ("tensorboard", "tensorboardX"),
    "trackio": ("trackio",),
    "wandb": ("wandb",),
}


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
        store = store or stores.local_store()
        stores.check(store, ANSWER_SECONDS)
        request = {
            "store": store,
            "run": run_name,
            "parameters": _flat(parameters),
            "metrics": _metrics(curves, metrics),
            "tags": _tags(run_name, hashes, folder),
            "folder": str(folder.resolve()),
            "seconds": ANSWER_SECONDS,
        }
        return str(stores.ask(write, request, WHOLE_SECONDS))
    except (OSError, UserError, stores.StoreError) as e:
        why = f"{stores.shown(store)}: {stores.reason(e)}"
        warnings.warn(
            f"run {run_name} is not recorded in MLflow ({why}), all else went on: mend it and "
            f"call training.record again.",
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
    if not any(stores.installed(package) for package in _TRACKERS[name]):
        raise UserError(
            f"report_to names {name}, which is not installed: run `pip install {name}` or leave "
            f"it out."
        )


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
