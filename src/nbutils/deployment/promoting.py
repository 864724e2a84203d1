"""The champion: a version promoted to it, and rolled back."""

from __future__ import annotations

import getpass
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import pandas as pd

from ..errors import UserError
from .challenging import check_gate, check_weights, compared, figures
from .moves import earlier, moves, set_champion
from .registry import NAME, asked
from .versions import CHALLENGER, CHAMPION, Version, pick, registered

COMPARED = ["metric", "champion", "candidate", "difference", "low", "high", "n", "outcome"]


@dataclass(frozen=True)
class Move:
    """What `promote` or `rollback` came to.

    Attributes
    ----------
    version, before : int, int or None
        The champion now, and before.
    changed : bool
        False if there was nothing to do.
    compared : DataFrame
        Held against the champion before, paired by case: ``metric``, ``champion``, ``candidate``
        (shares), ``difference``, ``low``, ``high`` (95%), ``n``, ``outcome``; without rows if
        nothing was compared.
    said : str
        A sentence.
    """

    version: int
    before: int | None
    changed: bool
    compared: pd.DataFrame
    said: str


def promote(
    which: str | int = CHALLENGER,
    *,
    by: str = "",
    why: str = "",
    name: str = NAME,
    uri: str | None = None,
) -> Move:
    """Make a version champion, if its gate is passed and it is not worse than the champion.

    The two are compared on the champion's held-out cases, paired: answers in the house form, and
    answers with numbers and none wrong. "Not shown" is enough only if the interval excludes a
    loss of more than 5 points. The same weights are not compared. To promote the champion changes
    nothing.

    Parameters
    ----------
    which : str or int
        Number, alias or run (its last version).
    by, why : str
        For the record; ``by`` is the user of this machine unless it is said.
    name, uri : str
        See `registering.register`.

    Returns
    -------
    Move

    Raises
    ------
    UserError
        If there is no such version; its gate or proof is not passed or not on record; its weights
        are gone or changed; it lacks cases of the champion, is worse, or may be by more than 5
        points; the registry cannot be used.
    """
    given = {"which": str(which), "by": by or _user(), "why": why}
    return _as_move(asked(_promote, name, uri, given))


def rollback(
    to: str | int = "", *, by: str = "", why: str = "", name: str = NAME, uri: str | None = None
) -> Move:
    """Make the version champion again that was it before the last promotion.

    A second rollback changes nothing and says so: to go back further, name the version.

    Parameters
    ----------
    to : str or int, optional
        Number of a version that was champion before.
    by, why, name, uri : str
        See `promote`.

    Returns
    -------
    Move

    Raises
    ------
    UserError
        If there is no champion or none before it; if ``to`` was not champion before it; if the
        weights to go back to are gone or changed; if the registry cannot be used.
    """
    given = {"to": str(to), "by": by or _user(), "why": why}
    return _as_move(asked(_rollback, name, uri, given))


def _user() -> str:
    with suppress(OSError, KeyError, ImportError):
        return getpass.getuser()
    return "unknown"


def _as_move(found: Mapping[str, Any]) -> Move:
    return Move(**{**found, "compared": pd.DataFrame(found["compared"], columns=COMPARED)})


# --------------------------------------------------------------------------- in the other process


def _promote(client: Any, name: str, which: str, by: str, why: str) -> dict[str, Any]:
    found = registered(client, name)
    moves(client, name)  # a broken record is told before anything is done
    wanted, champion = pick(found, which, name), _aliased(found, CHAMPION)
    if champion == wanted:
        said = f"Version {wanted.version} of {name} is champion already: nothing was changed."
        return _result(wanted, wanted, [], said)
    check_gate(wanted)
    check_weights(wanted)
    rows = compared(champion, wanted) if champion else []
    set_champion(client, wanted, {"kind": "promote", "before": _number(champion)}, (by, why))
    place = f"in place of version {champion.version}" if champion else "the first one"
    held = "".join(f"; {figures(row)}" for row in rows)
    said = (
        f"Version {wanted.version} of {name} (run {wanted.tags['run']}) is champion now, {place}: "
        f"gate passed{held}."
    )
    return _result(wanted, champion, rows, said)


def _rollback(client: Any, name: str, to: str, by: str, why: str) -> dict[str, Any]:
    found, made = registered(client, name), moves(client, name)
    champion = _aliased(found, CHAMPION)
    if champion is None:
        raise UserError(f"{name} has no champion to roll back from: promote a version first.")
    last = made[-1] if made else {}
    again = last.get("kind") == "rollback" and last.get("version") == champion.version
    if to == str(champion.version) or (again and not to):
        said = (
            f"Version {champion.version} of {name} is champion already, nothing was changed: to "
            f"go back further, name the version."
        )
        return _result(champion, champion, [], said)
    target = pick(found, earlier(made, champion, to), name)
    check_weights(target)
    set_champion(client, target, {"kind": "rollback", "before": champion.version}, (by, why))
    said = (
        f"Version {target.version} of {name} (run {target.tags.get('run')}) is champion again, in "
        f"place of version {champion.version}."
    )
    return _result(target, champion, [], said)


def _aliased(found: Sequence[Version], alias: str) -> Version | None:
    return next((v for v in found if alias in v.aliases), None)


def _result(
    version: Version, replaced: Version | None, rows: list[dict[str, Any]], said: str
) -> dict[str, Any]:
    return {
        "version": version.version,
        "before": _number(replaced),
        "changed": replaced != version,
        "compared": rows,
        "said": said,
    }


def _number(version: Version | None) -> int | None:
    return version.version if version else None
