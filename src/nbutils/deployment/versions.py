"""Registered versions of the model, found by number, alias or run."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

import pandas as pd

from ..errors import UserError
from .registry import NAME, apart, asked, is_new, nothing

CHAMPION, CHALLENGER = "champion", "challenger"
MEASURES = ("house_form", "faithful")
VERSIONS = ["version", "aliases", "run", "created", "gate", "verdict"]


@dataclass(frozen=True)
class Version:
    """One registered model.

    Attributes
    ----------
    model, version : str, int
        Name of the registered model and number of the version.
    folder : str
        The merged folder, inside the folder of its run.
    created : str
        When it was registered, in UTC.
    aliases : tuple of str
        Of ``champion`` and ``challenger``.
    tags : dict of str to str
        See `registering.lineage_tags`.
    """

    model: str
    version: int
    folder: str
    created: str
    aliases: tuple[str, ...]
    tags: dict[str, str]

    @property
    def named(self) -> str:
        """``version 3 of growth``."""
        return f"version {self.version} of {self.model}"


def find(which: str | int = CHAMPION, *, name: str = NAME, uri: str | None = None) -> Version:
    """A version by number, alias or run (its last version).

    Raises
    ------
    UserError
        If there is none; if the registry cannot be used.
    """
    return as_version(asked(_find, name, uri, {"which": str(which)}))


def versions(*, name: str = NAME, uri: str | None = None) -> pd.DataFrame:
    """All versions: ``version``, ``aliases``, ``run``, ``created``, ``gate`` and ``verdict``."""
    found = [] if is_new(uri) else [as_version(v) for v in apart(_versions, name, uri, {})]
    rows = [
        {
            "version": v.version,
            "aliases": ", ".join(v.aliases),
            "run": v.tags.get("run", ""),
            "created": v.created,
            "gate": v.tags.get("gate.outcome", ""),
            "verdict": v.tags.get("gate.verdict", ""),
        }
        for v in found
    ]
    return pd.DataFrame(rows, columns=VERSIONS)


def as_version(found: Mapping[str, Any]) -> Version:
    """A version from its JSON object."""
    return Version(**{**found, "aliases": tuple(found["aliases"])})


def json_tag(version: Version, key: str) -> dict[str, Any]:
    """Content of a tag that holds a JSON object.

    Raises
    ------
    UserError
        If the tag is missing or broken, as somebody may have written it by hand.
    """
    try:
        found = json.loads(version.tags[key])
    except (KeyError, ValueError):
        found = None
    if not isinstance(found, dict):
        state = "is no JSON object" if key in version.tags else "is missing"
        raise UserError(
            f"the tag '{key}' of {version.named} {state}, as if written by hand: register its "
            f"merged folder again."
        )
    return found


def tag_key(text: str) -> str:
    """A name as MLflow takes it in a tag."""
    return re.sub(r"[^\w\-. /]", "_", text)[:250]


# --------------------------------------------------------------------------- in the other process


def _find(client: Any, name: str, which: str) -> dict[str, Any]:
    return asdict(pick(registered(client, name), which, name))


def _versions(client: Any, name: str) -> list[dict[str, Any]]:
    return [asdict(version) for version in registered(client, name)]


def model_of(client: Any, name: str) -> Any:
    """The registered model, which has the aliases and the moves; None if there is none yet."""
    from mlflow.exceptions import MlflowException

    try:
        return client.get_registered_model(name)
    except MlflowException as error:
        if error.error_code != "RESOURCE_DOES_NOT_EXIST":
            raise
        return None


def registered(client: Any, name: str) -> list[Version]:
    """All versions, the oldest first."""
    model = model_of(client, name)
    if model is None:
        return []
    # a search gives the versions without their aliases
    aliases = {alias: int(number) for alias, number in model.aliases.items()}
    found = [
        Version(
            name,
            int(v.version),
            str(v.source),
            datetime.fromtimestamp(v.creation_timestamp / 1000, UTC).isoformat(timespec="seconds"),
            tuple(sorted(a for a, number in aliases.items() if number == int(v.version))),
            dict(v.tags),
        )
        for v in client.search_model_versions(f"name = '{name}'")
    ]
    return sorted(found, key=lambda v: v.version)


def pick(found: Sequence[Version], which: str, name: str) -> Version:
    """The version of this number, alias or run (its last), or an error that names those there."""
    for fits in (
        lambda v: str(v.version) == which,
        lambda v: which in v.aliases,
        lambda v: v.tags.get("run") == which,
    ):
        if picked := [v for v in found if fits(v)]:
            return picked[-1]
    if not found:
        raise nothing(name)
    known = [str(v.version) for v in found]
    known += sorted({n for v in found for n in (*v.aliases, v.tags.get("run", "")) if n})
    raise UserError(
        f"{name} has no version '{which}', expected a number, an alias or a run: name one of "
        f"{', '.join(known)}."
    )
