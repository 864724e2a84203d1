"""Which notebooks there are, and which parameters each of them gets: all checked beforehand."""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from nbutils import folders, provenance
from nbutils.errors import UserError

DEFAULT_PROFILE = "cpu"
_KEYS = ("description", "minutes", "parameters")
_OVERRIDE = re.compile(r"(\w+)\.(\w+)=(.*)", re.DOTALL)


@dataclass(frozen=True)
class Stage:
    """One notebook and the parameters of this run.

    Attributes
    ----------
    number : str
        ``"03"``.
    notebook : Path
        The notebook in git.
    defaults : dict
        Names and literals of its parameters cell.
    given : dict
        The values that a profile or the command line put in their place.
    minutes : float or None
        Expected duration, if the profile states it.
    """

    number: str
    notebook: Path
    defaults: dict[str, Any]
    given: dict[str, Any] = field(default_factory=dict)
    minutes: float | None = None

    @property
    def name(self) -> str:
        """``"03_training"``."""
        return self.notebook.stem

    @property
    def parameters(self) -> dict[str, Any]:
        """All parameters with their values in this run, without the run's name."""
        return {k: v for k, v in {**self.defaults, **self.given}.items() if k.upper() != "RUN"}


def plan(profile: str, overrides: Iterable[str] = ()) -> list[Stage]:
    """All stages with their parameters under a profile.

    Parameters
    ----------
    profile : str
        Name of a file in notebooks/profiles.
    overrides : iterable of str
        ``"03.epochs=1"``: stage, parameter (in any case), value; these win over the profile.

    Returns
    -------
    list of Stage
        In order.

    Raises
    ------
    UserError
        At the first profile, key, stage, parameter or type that is not right; nothing has
        been started or written by then.
    """
    stages = {s.number: s for s in _stages()}
    content = _read(profile)
    where = f"profile {profile}"
    minutes = _by_stage(content.get("minutes"), stages, f"'minutes' of {where}")
    given = _by_stage(content.get("parameters"), stages, f"'parameters' of {where}")
    for number, values in given.items():
        if not isinstance(values, Mapping):
            raise UserError(
                f"'parameters' of {where}: stage {number} holds {values!r}, expected names and "
                f"values: write {number}: {{name: value}}."
            )
        _give(stages[number], values, where)
    for number, value in minutes.items():
        if not _is_number(value):
            raise UserError(
                f"'minutes' of {where}: stage {number} holds {value!r}: write a number of minutes."
            )
    for text in overrides:
        _override(stages, text)
    return [
        Stage(s.number, s.notebook, s.defaults, s.given, minutes.get(s.number))
        for s in stages.values()
    ]


def choose(stages: list[Stage], start: str | None = None, only: str | None = None) -> list[Stage]:
    """The stages from ``start`` on, or the one named ``only``."""
    wanted = only or start
    if wanted is None:
        return stages
    number = _known_stage(wanted, [s.number for s in stages], "--only" if only else "--from")
    return [s for s in stages if s.number == number or (not only and s.number > number)]


# --------------------------------------------------------------------------- notebooks


def _stages() -> list[Stage]:
    folder = folders.root() / "notebooks"
    found = sorted(folder.glob("[0-9][0-9]_*.ipynb"))
    if not found:
        raise UserError(
            "there are no numbered notebooks in notebooks/: start inside the repository, or set "
            "NBUTILS_ROOT to it."
        )
    return [Stage(p.stem[:2], p, provenance.parameters_of(p)) for p in found]


def _known_stage(text: str, known: Iterable[str], where: str) -> str:
    number = str(text).partition("_")[0].zfill(2)
    if number not in known:
        raise UserError(f"{where}: there is no stage '{text}': choose one of {', '.join(known)}.")
    return number


# --------------------------------------------------------------------------- the profile's file


def _read(profile: str) -> dict[str, Any]:
    folder = folders.root() / "notebooks" / "profiles"
    known = sorted(p.stem for p in folder.glob("*.yaml"))
    if profile not in known:
        raise UserError(f"there is no profile '{profile}': {_instead(profile, known)}.")
    try:
        content = yaml.safe_load((folder / f"{profile}.yaml").read_text(encoding="utf-8"))
    except yaml.YAMLError as error:
        place = " ".join(str(error).split())
        raise UserError(f"profile {profile} is not YAML ({place}): mend that line.") from None
    if not isinstance(content, dict):
        raise UserError(
            f"profile {profile} holds no keys: write {', '.join(_KEYS)}, as cpu.yaml does."
        )
    for key in content:
        if key not in _KEYS:
            raise UserError(f"profile {profile}: unknown key '{key}': {_instead(key, _KEYS)}.")
    return content


def _by_stage(values: Any, stages: Iterable[str], where: str) -> dict[str, Any]:
    if values is None:
        return {}
    if not isinstance(values, Mapping):
        raise UserError(f'{where} is {values!r}, expected one entry a stage: write "01": ...')
    # YAML reads an unquoted 03 as the number 3
    return {_known_stage(str(k), stages, where): v for k, v in values.items()}


def _override(stages: Mapping[str, Stage], text: str) -> None:
    match = _OVERRIDE.fullmatch(text)
    if not match:
        raise UserError(f"--param {text}: expected STAGE.NAME=VALUE, such as 03.epochs=1.")
    number = _known_stage(match[1], stages, f"--param {text}")
    stage = stages[number]
    name = _parameter(stage, match[2], f"--param {text}")
    _give(stage, {name: _parse(match[3], stage.defaults[name])}, f"--param {text}")


def _parse(text: str, default: Any) -> Any:
    """The value meant on the command line, where everything is text."""
    if isinstance(default, str):
        return text
    if isinstance(default, float):
        try:
            return float(text)  # 2e-4, which YAML would leave a string
        except ValueError:
            return text
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError:
        return text


# --------------------------------------------------------------------------- names and types


def _give(stage: Stage, values: Mapping[str, Any], where: str) -> None:
    for key, value in values.items():
        name = _parameter(stage, str(key), where)
        stage.given[name] = _checked(stage, name, value, where)


def _parameter(stage: Stage, name: str, where: str) -> str:
    if name.upper() == "RUN":
        raise UserError(f"{where}: the run's name is no parameter: use --run NAME.")
    names = {known.lower(): known for known in stage.defaults if known.upper() != "RUN"}
    if name.lower() not in names:
        raise UserError(
            f"{where}: {stage.name} has no parameter '{name}': "
            f"{_instead(name.lower(), list(names))}."
        )
    return names[name.lower()]


def _checked(stage: Stage, name: str, value: Any, where: str) -> Any:
    """The value in the type of the default in the notebook, or a `UserError`."""
    default = stage.defaults[name]
    if default is None or type(value) is type(default):
        good = not isinstance(value, float) or math.isfinite(value)
    else:
        good = isinstance(default, float) and _is_number(value)
    if good:
        return float(value) if isinstance(default, float) else value
    wanted = type(default).__name__
    remedy = f"write {_like(default)}"
    if isinstance(default, float) and isinstance(value, str) and _as_float(value) is not None:
        mantissa, _, exponent = value.lower().partition("e")
        remedy = f"YAML reads that as text, write {float(mantissa)}e{exponent or '+0'}"
    raise UserError(
        f"{where}: {name.lower()} of {stage.name} is {value!r} ({type(value).__name__}), expected "
        f"{wanted} like its default {default!r}: {remedy}."
    )


def _like(default: Any) -> str:
    if isinstance(default, bool):
        return "true or false"
    if isinstance(default, int):
        return "a whole number"
    if isinstance(default, float):
        return "a finite number"
    return "it in quotes" if isinstance(default, str) else f"a {type(default).__name__}"


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _as_float(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _instead(word: str, known: Iterable[str]) -> str:
    known = list(known)
    if not known:
        return "there is none to choose from"
    near = difflib.get_close_matches(str(word), known, n=1)
    listed = f"choose one of {', '.join(known)}"
    return f"did you mean '{near[0]}'? Otherwise {listed}" if near else listed
