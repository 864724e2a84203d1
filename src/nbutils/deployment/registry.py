"""MLflow's registry of merged models: where it is, and work done in it by a process of its own.

It lies in the store in which training runs are recorded, and points at the merged folders;
weights are not copied.
"""

from __future__ import annotations

import os
import pkgutil
from collections.abc import Callable, Mapping
from typing import Any

from .. import stores
from ..errors import UserError

NAME = "growth"
ANSWER_SECONDS = stores.ANSWER_SECONDS
WHOLE_SECONDS = 600  # the weights of a large model are read and hashed
_SERVERS = ("http", "https", "databricks")


def is_new(uri: str | None) -> bool:
    """Whether there is no registry yet; to ask must not make one."""
    file = stores.sqlite_file(_place(uri))
    return file is not None and not file.is_file()


def asked(work: Callable[..., Any], name: str, uri: str | None, given: Mapping[str, Any]) -> Any:
    """See `apart`; without a registry there is nothing to find.

    Raises
    ------
    UserError
        If there is no registry yet or it cannot be used.
    """
    if is_new(uri):
        raise nothing(name)
    return apart(work, name, uri, given)


def apart(work: Callable[..., Any], name: str, uri: str | None, given: Mapping[str, Any]) -> Any:
    """What a function of this package returns when another process calls it.

    Parameters
    ----------
    work : function
        Called with MLflow's client, the name of the registered model, and ``given`` as keywords;
        it returns JSON values.
    name, uri : str, str or None
        See `registering.register`; a new SQLite store is made.
    given : mapping
        JSON values.

    Raises
    ------
    UserError
        As the function raised it, or if the registry cannot be used.
    """
    store = _place(uri)
    request = {"store": store, "seconds": ANSWER_SECONDS, "name": name, "given": dict(given)}
    request["work"] = f"{work.__module__}:{work.__qualname__}"
    try:
        stores.check(store, ANSWER_SECONDS)
        return stores.ask(_worked, request, WHOLE_SECONDS)
    except stores.StoreError as error:
        raise UserError(
            f"the registry ({stores.shown(store)}) cannot be used ({error}): mend it and try again."
        ) from None


def nothing(name: str) -> UserError:
    """The error of a registry without a version."""
    return UserError(
        f"no version of {name} is registered yet: merge a run and register it first (stage 06)."
    )


def _worked(request: dict[str, Any]) -> Any:
    from mlflow import MlflowClient

    store = request["store"]
    with stores.reached(store, request["seconds"]):
        client = MlflowClient(store, registry_uri=store)
        client.search_registered_models(max_results=1)
    return pkgutil.resolve_name(request["work"])(client, request["name"], **request["given"])


def _place(uri: str | None) -> str:
    """The store of the registry; a server given by the environment is passed over."""
    if uri and uri.partition(":")[0] in _SERVERS:
        raise UserError(
            "the registry points at folders of this machine, which an MLflow server does not "
            "take: name an SQL store, such as sqlite:///data/mlflow/mlflow.db."
        )
    tracked = os.environ.get("MLFLOW_TRACKING_URI", "")
    if tracked.partition(":")[0] in _SERVERS:
        tracked = ""
    return uri or tracked or stores.local_store()
