"""What writes a training run into MLflow's store, in the process that `tracking.record` starts."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from nbutils.records import digest
from nbutils.stores import reached, sqlite_file

EXPERIMENT = "nbutils"
LARGEST_BYTES = 64 * 2**20


def write(request: dict[str, Any]) -> str:
    """Write one record and return MLflow's run id.

    Parameters
    ----------
    request : dict
        ``store`` (URI), ``run`` (name), ``folder`` (of the run, a string), ``parameters`` and
        ``tags`` (strings by name), ``metrics`` (lists of name, value, step), ``seconds`` (how
        long a server may take for its first answer; then the process ends).
    """
    from mlflow import MlflowClient

    store = request["store"]
    with reached(store, request["seconds"]):
        client = MlflowClient(store)
        experiment = _experiment(client, sqlite_file(store))
    run = client.create_run(experiment, run_name=request["run"], tags=request["tags"]).info.run_id
    try:
        _write_values(client, run, request)
        _write_files(client, run, Path(request["folder"]))
    except Exception:
        with suppress(Exception):
            client.set_terminated(run, "FAILED")
        raise
    client.set_terminated(run)
    return str(run)


def _experiment(client: Any, file: Path | None) -> str:
    from mlflow.exceptions import MlflowException

    found = client.get_experiment_by_name(EXPERIMENT)
    if found is None:
        place = (file.parent / "artifacts").as_uri() if file else None
        try:
            return str(client.create_experiment(EXPERIMENT, artifact_location=place))
        except MlflowException:  # another run may have been quicker
            found = client.get_experiment_by_name(EXPERIMENT)
            if found is None:
                raise
    return str(found.experiment_id)


def _write_values(client: Any, run: str, request: dict[str, Any]) -> None:
    from mlflow.entities import Metric, Param
    from mlflow.utils import validation

    now = int(time.time() * 1000)
    # MLflow cuts long values itself
    parameters = [Param(name, value) for name, value in request["parameters"].items()]
    metrics = [Metric(name, value, now, step) for name, value, step in request["metrics"]]
    for part in _parts(parameters, validation.MAX_PARAMS_TAGS_PER_BATCH):
        client.log_batch(run, params=part)
    for part in _parts(metrics, validation.MAX_METRICS_PER_BATCH):
        client.log_batch(run, metrics=part)


def _parts(items: list[Any], size: int) -> Iterator[list[Any]]:
    return (items[i : i + size] for i in range(0, len(items), size))


def _write_files(client: Any, run: str, folder: Path) -> None:
    if (folder / "plan.json").is_file():
        client.log_artifact(run, str(folder / "plan.json"))
    adapter = folder / "adapter"
    files = sorted(p for p in adapter.rglob("*") if p.is_file())
    if sum(p.stat().st_size for p in files) > LARGEST_BYTES:
        hashes = {p.relative_to(adapter).as_posix(): digest(p) for p in files}
        client.log_dict(run, hashes, "adapter/hashes.json")
        if (adapter / "README.md").is_file():
            client.log_artifact(run, str(adapter / "README.md"), "adapter")
    elif files:
        client.log_artifacts(run, str(adapter), "adapter")
