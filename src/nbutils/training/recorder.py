"""What writes a training run into MLflow's store, in the process that `tracking.record` starts."""

from __future__ import annotations

import json
import os
import re
import sqlite3
import sys
import tempfile
import textwrap
import threading
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any, NoReturn

from nbutils.records import digest

EXPERIMENT = "nbutils"
LARGEST_BYTES = 64 * 2**20


def serve() -> NoReturn:
    """Write the record that stands on standard input and answer on standard output, as JSON."""
    request = json.load(sys.stdin)
    try:
        answer = {"run_id": write(request)}
    except Exception as error:
        answer = {"error": reason(error)}
    _answer(answer)


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

    late = {"error": f"no answer after {request['seconds']} seconds"}
    patience = threading.Timer(request["seconds"], _answer, [late])
    patience.daemon = True
    file = sqlite_file(request["store"])
    if file:
        _lay(file)
    else:
        patience.start()
    client = MlflowClient(request["store"])
    experiment = _experiment(client, file)
    patience.cancel()
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


def _answer(answer: dict[str, str]) -> NoReturn:
    print(f"\n{json.dumps(answer)}", flush=True)
    # threads of MLflow that wait for a server would keep the process from ending
    os._exit(0)


def _lay(file: Path) -> None:
    """Make a new SQLite store elsewhere and copy it in one transaction.

    It takes a lot of migrations, and MLflow cannot go on with a file in which they were cut off.
    """
    if file.exists() and file.stat().st_size:
        return
    statements = _new_store()
    with closing(sqlite3.connect(file, timeout=20, isolation_level=None)) as target:
        target.execute("BEGIN IMMEDIATE")
        if not target.execute("SELECT name FROM sqlite_master").fetchall():
            for statement in statements:  # nobody else was quicker
                target.execute(statement)
        target.execute("COMMIT")


def _new_store() -> list[str]:
    """The SQL of a new store, from one that MLflow makes and that is thrown away."""
    import sqlalchemy
    from mlflow import MlflowClient

    def unsynced(connection: Any, _: Any) -> None:
        connection.execute("PRAGMA synchronous = OFF")  # on a busy disk 2 seconds, not 7

    sqlalchemy.event.listen(sqlalchemy.Engine, "connect", unsynced)
    try:
        with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
            new = Path(folder, "new.db")
            MlflowClient(f"sqlite:///{new.as_posix()}").search_experiments(max_results=1)
            with closing(sqlite3.connect(new)) as made:
                ends = ("BEGIN TRANSACTION;", "COMMIT;")
                return [line for line in made.iterdump() if line not in ends]
    finally:
        sqlalchemy.event.remove(sqlalchemy.Engine, "connect", unsynced)


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


# --------------------------------------------------------------------------- on both sides


def sqlite_file(store: str) -> Path | None:
    """The file of an SQLite store; None for other stores and for one in memory."""
    scheme, _, name = store.partition(":///")
    name = name.partition("?")[0]
    if scheme.partition("+")[0] != "sqlite" or name in ("", ":memory:"):
        return None
    return Path(name).resolve()


def reason(error: BaseException) -> str:
    """In a few words what lies at the bottom of an error, without folders and passwords."""
    bottom = [e for e in _chain(error) if isinstance(e, (OSError, sqlite3.Error, ImportError))]
    last = bottom[-1] if bottom else error
    text = str(getattr(last, "strerror", None) or last).strip() or type(last).__name__
    text = re.sub(r"//[^/\s]*@", "//", text.splitlines()[0])
    text = re.sub(r"(?<![\w:/.])(?:/[^/\s'\"]+)+/(?=[^/\s])", "", text)
    return textwrap.shorten(text, 200, placeholder=" ...").rstrip(". ")


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__
