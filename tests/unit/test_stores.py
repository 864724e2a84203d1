"""MLflow's store: how it is found, made and told broken, and how another process works with it."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from nbutils import stores
from nbutils.errors import UserError

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:mlflow")


@contextmanager
def files_no_larger_than(size: int) -> Iterator[None]:
    """What the system refuses then is refused as on a full disk, but without root's help."""
    resource = pytest.importorskip("resource")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.fixture
def mlflow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
    pytest.importorskip("mlflow")


# work for the other process


def shared_out(request: dict[str, Any]) -> list[float]:
    print('{"noise": "of a library"}')
    if not request["among"]:
        raise UserError("nobody is named: name somebody.")
    return [request["sum"] / len(request["among"])] * len(request["among"])


def without_a_value(request: dict[str, Any]) -> int:
    return request["sum"]


# --------------------------------------------------------------------------- where it is


@pytest.mark.parametrize(
    ("store", "file", "shown"),
    [
        ("sqlite:////home/ann/mlflow.db?timeout=3", "/home/ann/mlflow.db", "mlflow.db"),
        ("sqlite+pysqlite:////home/ann/mlflow.db", "/home/ann/mlflow.db", "mlflow.db"),
        ("sqlite:///:memory:", None, ":memory:"),
        ("postgresql://ann:p@ss@host:5432/mlflow", None, "postgresql://host:5432"),
        ("http://ann:secret@host:80/x", None, "http://host:80"),
        ("/home/ann/mlruns", None, "mlruns"),
    ],
)
def test_a_store_is_shown_without_folders_and_passwords(
    store: str, file: str | None, shown: str
) -> None:
    assert stores.sqlite_file(store) == (file and Path(file))
    assert stores.shown(store) == shown


def test_the_local_store_lies_beside_the_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NBUTILS_ARTIFACTS", str(tmp_path))
    assert stores.sqlite_file(stores.local_store()) == tmp_path / "mlflow" / "mlflow.db"


def test_reasons_name_no_folder() -> None:
    error = OSError(28, "No space left on device", "/home/ann/runs/x")
    assert stores.reason(error) == "No space left on device"
    assert stores.reason(ValueError("see '/home/ann/x.db' at http://ann:pw@host/a")) == (
        "see 'x.db' at http://host/a"
    )


# --------------------------------------------------------------------------- the other process


def test_another_process_does_the_work_and_its_errors_come_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent))
    assert stores.ask(shared_out, {"sum": 3, "among": ["ann", "bob"]}, 60) == [1.5, 1.5]
    with pytest.raises(UserError, match=r"nobody is named: name somebody\."):
        stores.ask(shared_out, {"sum": 3, "among": []}, 60)
    with pytest.raises(stores.StoreError, match=r"^'sum'$"):
        stores.ask(without_a_value, {}, 60)


def test_another_process_that_takes_too_long_or_dies_is_an_error(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with pytest.raises(stores.StoreError, match=r"not done after 0\.01 seconds"):
        stores.ask(shared_out, {}, 0.01)
    monkeypatch.setattr(stores, "_SERVE", "raise SystemExit('killed')")
    with pytest.raises(stores.StoreError, match="killed"):
        stores.ask(shared_out, {}, 60)


# --------------------------------------------------------------------------- a new one


def test_a_new_store_that_cannot_be_finished_is_left_empty_for_the_next_try(
    tmp_path: Path, mlflow: None
) -> None:
    file = tmp_path / "mlflow.db"
    with files_no_larger_than(2**15), pytest.raises(Exception, match="disk") as caught:
        stores._lay(file)
    assert stores.reason(caught.value) in ("database or disk is full", "disk I/O error")
    assert not file.exists() or file.stat().st_size == 0


def test_of_two_that_make_a_store_at_once_the_second_leaves_it_alone(
    tmp_path: Path, mlflow: None
) -> None:
    file = tmp_path / "mlflow.db"
    with closing(sqlite3.connect(file, isolation_level=None)) as quicker:
        quicker.execute("BEGIN IMMEDIATE")
        second = threading.Thread(target=stores._lay, args=(file,))
        second.start()
        time.sleep(0.2)
        quicker.execute("CREATE TABLE quicker (name)")
        quicker.execute("COMMIT")
        second.join()
        found = quicker.execute("SELECT name FROM sqlite_master").fetchall()
    assert found == [("quicker",)]
