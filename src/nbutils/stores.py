"""MLflow's store: where it is, how it is made, and how a broken one is told.

What works with MLflow does so in a process of its own, because MLflow tries a locked or absent
store for minutes and leaves threads behind that wait for it.
"""

from __future__ import annotations

import importlib.util
import json
import os
import pkgutil
import re
import sqlite3
import subprocess
import sys
import tempfile
import textwrap
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, NoReturn

from .errors import UserError
from .folders import artifacts

ANSWER_SECONDS = 10

_SERVE = "from nbutils.stores import serve; serve()"
# for the other process only; what the user has set wins
_QUIET = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "30",
}

Work = Callable[[dict[str, Any]], Any]


class StoreError(Exception):
    """Why a store cannot be used: a few words that name no folder and no password."""


# --------------------------------------------------------------------------- where it is


def local_store() -> str:
    """The SQLite file ``mlflow/mlflow.db`` beside the folder of all runs, as a URI."""
    return f"sqlite:///{(artifacts().parent / 'mlflow' / 'mlflow.db').as_posix()}"


def sqlite_file(store: str) -> Path | None:
    """The file of an SQLite store; None for other stores and for one in memory."""
    scheme, _, name = store.partition(":///")
    name = name.partition("?")[0]
    if scheme.partition("+")[0] != "sqlite" or name in ("", ":memory:"):
        return None
    return Path(name).resolve()


def shown(store: str) -> str:
    """The store without folders, user and password: messages end up in reports."""
    if file := sqlite_file(store):
        return file.name
    scheme, mark, rest = store.partition("://")
    host = rest.rpartition("@")[2].partition("/")[0]
    return f"{scheme}://{host}" if mark and host else Path(store).name


# --------------------------------------------------------------------------- whether it works


def check(store: str, seconds: float = ANSWER_SECONDS) -> None:
    """Fail at once where MLflow would try for minutes: a locked, broken or unwritable file.

    Parameters
    ----------
    store : str
        URI; of a database or a server nothing is asked.
    seconds : float
        How long a locked file is waited for.

    Raises
    ------
    StoreError
        If the file cannot be written, or MLflow is not installed.
    """
    if not installed("mlflow"):
        raise StoreError("the package mlflow-skinny is not installed")
    if (file := sqlite_file(store)) is None:
        return
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with closing(sqlite3.connect(file, timeout=seconds, isolation_level=None)) as opened:
            opened.execute("BEGIN IMMEDIATE")
            opened.execute("ROLLBACK")
    except (OSError, sqlite3.Error) as error:
        raise StoreError(reason(error)) from None


def installed(package: str) -> bool:
    """Whether a package can be imported."""
    # a mere folder of that name, such as a tool's own output, is found too but has no origin
    found = importlib.util.find_spec(package)
    return found is not None and found.origin is not None


def reason(error: BaseException) -> str:
    """In a few words what lies at the bottom of an error, without folders and passwords."""
    bottom = [e for e in _chain(error) if isinstance(e, OSError | sqlite3.Error | ImportError)]
    last = bottom[-1] if bottom else error
    text = str(getattr(last, "strerror", None) or last).strip() or type(last).__name__
    text = re.sub(r"//[^/\s]*@", "//", text.splitlines()[0])
    text = re.sub(r"(?<![\w:/.])(?:/[^/\s'\"]+)+/(?=[^/\s])", "", text)
    return textwrap.shorten(text, 200, placeholder=" ...").rstrip(". ")


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


# --------------------------------------------------------------------------- the other process


def ask(work: Work, request: Mapping[str, Any], seconds: float) -> Any:
    """What a function of a module returns when a process of its own calls it.

    Parameters
    ----------
    work : function
        Takes the request; what it returns must be JSON values.
    request : mapping
        JSON values.
    seconds : float
        After these the process is ended.

    Raises
    ------
    UserError
        As the function raised it.
    StoreError
        If it failed in another way, or took too long.
    """
    answer = _answered(f"{work.__module__}:{work.__qualname__}", request, seconds)
    if "user" in answer:
        raise UserError(answer["user"])
    if "error" in answer:
        raise StoreError(answer["error"])
    return answer["found"]


def serve() -> NoReturn:
    """In the other process: do what standard input asks for, and answer on standard output."""
    asked = json.load(sys.stdin)
    _answer(_done(asked["work"], asked["request"]))


@contextmanager
def reached(store: str, seconds: float) -> Iterator[None]:
    """Around the first call to a store, in the other process.

    A new SQLite file is made first. Any other store has these ``seconds`` to answer; then the
    process ends.
    """
    if file := sqlite_file(store):
        _lay(file)
        yield
        return
    late = {"error": f"no answer after {seconds} seconds"}
    patience = threading.Timer(seconds, _answer, [late])
    patience.daemon = True
    patience.start()
    try:
        yield
    finally:
        patience.cancel()


def _answered(work: str, request: Mapping[str, Any], seconds: float) -> dict[str, Any]:
    """The answer of the other process: ``found``; else why not, as ``user`` or ``error``."""
    try:
        done = subprocess.run(
            [sys.executable, "-P", "-c", _SERVE],
            input=json.dumps({"work": work, "request": request}),
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=seconds,
            env={**_QUIET, **os.environ},
        )
    except subprocess.TimeoutExpired:
        return {"error": f"not done after {seconds} seconds"}
    answers = [line for line in done.stdout.splitlines() if line.startswith("{")]
    if answers:
        return dict(json.loads(answers[-1]))
    said = [line for line in done.stderr.splitlines() if line.strip()][-1:]
    return {"error": " ".join(said) or "no reason given"}


def _done(work: str, request: dict[str, Any]) -> dict[str, Any]:
    try:
        return {"found": pkgutil.resolve_name(work)(request)}
    except UserError as error:
        return {"user": str(error)}
    except Exception as error:
        return {"error": reason(error)}


def _answer(answer: Mapping[str, Any]) -> NoReturn:
    print(f"\n{json.dumps(answer)}", flush=True)
    # threads of MLflow that wait for a server would keep the process from ending
    os._exit(0)


# --------------------------------------------------------------------------- a new one


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
