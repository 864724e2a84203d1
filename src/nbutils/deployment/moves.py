"""The record of promotions and rollbacks, kept as tags of the registered model."""

from __future__ import annotations

import json
import re
import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from ..errors import UserError
from ..records import now
from .registry import NAME, apart, is_new
from .versions import CHALLENGER, CHAMPION, Version, model_of

MOVES = ["at", "kind", "version", "before", "by", "why"]
_MOVE = re.compile(r"move\.(\d{6})")


def history(*, name: str = NAME, uri: str | None = None) -> pd.DataFrame:
    """All promotions and rollbacks, the oldest first: ``at`` (UTC), ``kind``, ``version``,
    ``before`` (missing for the first champion), ``by`` and ``why``.

    Raises
    ------
    UserError
        If the record of one is broken: its tag is named.
    """
    found = [] if is_new(uri) else apart(moves, name, uri, {})
    return pd.DataFrame(found, columns=MOVES).astype({"before": "Int64"})


# --------------------------------------------------------------------------- in the other process


def moves(client: Any, name: str) -> list[dict[str, Any]]:
    """Promotions and rollbacks as `history` gives them, from the registered model."""
    model = model_of(client, name)
    tags = model.tags if model else {}
    return [_parsed(name, key, tags[key]) for key in sorted(tags) if _MOVE.fullmatch(key)]


def set_champion(
    client: Any, version: Version, what: Mapping[str, Any], said: tuple[str, str]
) -> None:
    """Write the record, then the alias: a move cut off in between is as if it had not been."""
    by, why = (textwrap.shorten(text, 500, placeholder=" ...") for text in said)
    record = {"at": now(), **what, "version": version.version, "by": by, "why": why}
    used = [int(k[1]) for k in map(_MOVE.fullmatch, model_of(client, version.model).tags) if k]
    key = f"move.{max(used, default=0) + 1:06d}"
    client.set_registered_model_tag(version.model, key, json.dumps(record))
    client.set_registered_model_alias(version.model, CHAMPION, str(version.version))
    if CHALLENGER in version.aliases:
        client.delete_registered_model_alias(version.model, CHALLENGER)


def earlier(made: Sequence[Mapping[str, Any]], champion: Version, to: str) -> str:
    """Number of the version to go back to: the one asked for, or the last champion before."""
    line = _line(made)
    if champion.version in line:  # else somebody set the alias by hand, after all of them
        line = line[: len(line) - 1 - line[::-1].index(champion.version)]
    if not line:
        raise UserError(
            f"there was no champion before {champion.named}: promote another version instead."
        )
    if to and to not in map(str, line):
        raise UserError(
            f"version '{to}' was not champion before {champion.named}: name one of "
            f"{', '.join(map(str, dict.fromkeys(line)))}, or promote it."
        )
    return to or str(line[-1])


def _line(made: Sequence[Mapping[str, Any]]) -> list[int]:
    """The champions one after the other, without those that were rolled back."""
    line: list[int] = []
    for one in made:
        if one["kind"] == "rollback":
            while line and line[-1] != one["version"]:
                line.pop()
        elif one["before"] is not None and line[-1:] != [one["before"]]:
            line.append(one["before"])
        if line[-1:] != [one["version"]]:
            line.append(one["version"])
    return line


def _parsed(name: str, key: str, text: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
        whole = [found[k] for k in ("version", "before") if found[k] is not None]
        good = found["kind"] in ("promote", "rollback") and found["version"] is not None
        if good and all(isinstance(number, int) for number in whole):
            return {k: found.get(k) for k in MOVES}
    except (ValueError, KeyError, TypeError):
        pass
    raise UserError(
        f"the tag '{key}' of {name} in the registry is no record of a promotion, as if written by "
        f"hand: mend or delete the tag in MLflow."
    )
