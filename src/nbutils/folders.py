"""Where things lie: the repository, the data, the runs and the reports."""

from __future__ import annotations

import os
import re
from pathlib import Path

from .errors import MissingInput, RunError
from .records import RUN_FILE

FIRST_STAGE = "01"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


def root() -> Path:
    """The repository: ``$NBUTILS_ROOT``, or the nearest folder upwards with a pyproject.toml."""
    if override := os.environ.get("NBUTILS_ROOT"):
        return Path(override).resolve()
    here = Path.cwd()
    for folder in (here, *here.parents):
        if (folder / "pyproject.toml").is_file():
            return folder
    raise RunError(
        f"no pyproject.toml in {here} or above it: start inside the repository, or set "
        f"NBUTILS_ROOT to it."
    )


def artifacts() -> Path:
    """The folder of all runs: data/runs, or ``$NBUTILS_ARTIFACTS/runs``."""
    override = os.environ.get("NBUTILS_ARTIFACTS")
    return Path(override).resolve() / "runs" if override else root() / "data" / "runs"


def reports() -> Path:
    """The folder of all reports: reports, or ``$NBUTILS_ARTIFACTS/reports``."""
    override = os.environ.get("NBUTILS_ARTIFACTS")
    return Path(override).resolve() / "reports" if override else root() / "reports"


def cache() -> Path:
    """The folder of answers that were paid for, shared by all runs: data/cache, or
    ``$NBUTILS_ARTIFACTS/cache``.
    """
    override = os.environ.get("NBUTILS_ARTIFACTS")
    return Path(override).resolve() / "cache" if override else root() / "data" / "cache"


def data_dir(task: str = "growth") -> Path:
    """The folder of a task's committed inputs.

    Raises
    ------
    MissingInput
        If the folder is missing or holds no files.
    """
    folder = root() / "data" / task
    if not folder.is_dir():
        raise MissingInput(
            f"the data folder data/{task} does not exist: restore it with "
            f"`git checkout -- data/{task}`, or put your own files there."
        )
    if not any(p.is_file() and not p.name.startswith(".") for p in folder.iterdir()):
        raise MissingInput(
            f"the data folder data/{task} is empty: restore it with "
            f"`git checkout -- data/{task}`, or put your own files there."
        )
    return folder


def check_name(name: str) -> str:
    """Return the run name, or raise `RunError` if it is not a plain folder name."""
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise RunError(
            f"the run name {name!r} cannot be used: take letters, digits, dots, dashes and "
            f"underscores only, starting with a letter or digit (64 at most)."
        )
    return name


def find(name: str = "latest") -> Path:
    """The folder of an existing run; ``"latest"`` is the one touched last.

    Raises
    ------
    RunError
        If the name cannot be one.
    MissingInput
        If there is no such run.
    """
    found = {p.parent.name: p for p in artifacts().glob(f"*/{RUN_FILE}")}
    if name == "latest":
        if not found:
            raise MissingInput(f"there is no run yet: run {notebook_name(FIRST_STAGE)} first.")
        return max(found.values(), key=lambda p: p.stat().st_mtime_ns).parent
    if check_name(name) not in found:
        have = f"existing runs: {', '.join(sorted(found))}" if found else "there is none yet"
        raise MissingInput(
            f"there is no run '{name}' ({have}): run {notebook_name(FIRST_STAGE)} first."
        )
    return found[name].parent


def notebook_name(stage: str) -> str:
    """``02_augmentation`` for stage 02, as the notebooks folder has it."""
    found = sorted((root() / "notebooks").glob(f"{stage}_*.ipynb"))
    return found[0].stem if found else f"stage {stage}"
