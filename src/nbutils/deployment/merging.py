"""An adapter merged into the base it was trained on: whole or not at all, and only there."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from ..errors import UserError
from ..models import ADAPTER_NOTE, ModelError, base_path
from ..records import dumps, read_record, write_text
from .adapters import (
    adapter_hash,
    check_base,
    check_shapes,
    fitting_tokenizer,
    read_adapter,
    recorded_revision,
)
from .folding import attach, fold, generation_config, open_base, shell

# tokenizer, template and configurations beside the weights
_BESIDE = 32e6


@dataclass(frozen=True)
class Merged:
    """A merged model; all but the folder and `reused` also stands in its ``nbutils.json``.

    Attributes
    ----------
    folder : Path
        The model, as ``from_pretrained`` and servers take it.
    base, revision, fingerprint : str
        Base by name, its version (empty if not on record), hash of the prompt template.
    adapter : str
        SHA-256 of what was merged, the adapter's card aside.
    four_bit : bool
        Whether the base was quantised to NF4 and dequantised again, as in training.
    dtype, dtype_reason : str
        Precision of the weights in the folder, and why that one.
    layers : int
        Weights that the adapter changed.
    rounding : float
        Error of these weights from being written in `dtype`, as a share of what the adapter
        changed (Euclidean norms over all of them); 0 in fp32.
    reused : bool
        Whether the folder was there already.
    """

    folder: Path
    base: str
    revision: str
    fingerprint: str
    adapter: str
    four_bit: bool
    dtype: str
    dtype_reason: str
    layers: int = 0
    rounding: float = 0.0
    reused: bool = False


def permit(gate: Mapping[str, Any], *, override: str = "") -> str:
    """Whether a run may be merged; to be asked before `merge`.

    Parameters
    ----------
    gate : mapping
        Content of gate.json. Its ``explore`` lets later stages run and permits nothing here.
    override : str
        Why a run whose gate is not passed is merged all the same; the model's card names it.

    Returns
    -------
    str
        Empty if the gate is passed, else a sentence with the reason for going on.

    Raises
    ------
    UserError
        If the gate is not passed and no reason is given.
    """
    if gate.get("passed") is True:
        return ""
    verdict = str(gate.get("verdict") or "It has no verdict.")
    if not override.strip():
        raise UserError(
            f"the gate of this run is not passed ({verdict.rstrip('.')}), so it is not merged: "
            f"mend the data and train again, or say in override why it is merged all the same."
        )
    return f"Merged although the gate is not passed, for this reason: {override.strip()}"


def merge(
    adapter: Path, out: Path, *, base: str, revision: str = "", dtype: str = "auto"
) -> Merged:
    """Merge an adapter into the base it was trained on, dequantised if that was NF4.

    Each change is added to its weight in fp32 and the sum is rounded once. The folder holds
    safetensors, tokenizer, chat template and a generation config that is greedy, as the model was
    evaluated, and ends at the template's end of turn.

    Parameters
    ----------
    adapter : Path
        Folder that 03_training wrote.
    out : Path
        The folder to make. If it holds a merge of the same adapter in the same precision, it is
        left as it is and returned.
    base : str
        See `models.base_path`.
    revision : str
        Version of the base that is here, as the adapter's card names it; compared if both are
        known.
    dtype : str
        Of the weights written: ``"float32"``, ``"bfloat16"``, ``"float16"``, or ``"auto"``, the
        precision in which the base itself is stored.

    Returns
    -------
    Merged

    Raises
    ------
    ModelError
        If `adapter` is no adapter of 03_training or of another base (name, revision, shapes of
        the weights, prompt template), or its weights are not finite.
    UserError
        If `out` holds something else, or the disk is too small or fails: nothing is left of it.
    """
    note, path = read_adapter(adapter), base_path(base)
    check_base(adapter, note, base, revision)
    tokenizer = fitting_tokenizer(note, base)
    empty = shell(path)
    check_shapes(adapter, empty, base)
    kept, reason = _precision(dtype, empty)
    found = Merged(
        folder=Path(out),
        base=Path(base).name,
        revision=revision or recorded_revision(adapter, note),
        fingerprint=note["fingerprint"],
        adapter=adapter_hash(adapter),
        four_bit=bool(note["four_bit"]),
        dtype=kept,
        dtype_reason=reason,
    )
    if known := _known(found):
        return known
    _check_space(empty, kept, found.folder)
    model = attach(open_base(base, four_bit=found.four_bit, dense=True), adapter)
    model, layers, rounding = fold(model, kept)
    found = replace(found, layers=layers, rounding=rounding)
    _write(model, tokenizer, found)
    return found


def _precision(dtype: str, empty: Any) -> tuple[str, str]:
    known = ("float32", "bfloat16", "float16")
    if dtype == "auto":
        stored = str(empty.dtype).removeprefix("torch.")
        return stored, f"{stored}, in which the base itself is stored"
    if dtype not in known:
        raise UserError(f"dtype is '{dtype}', expected auto, {', '.join(known)}: choose one.")
    return dtype, f"{dtype}, as asked for"


# --------------------------------------------------------------------------- the folder


def _known(wanted: Merged) -> Merged | None:
    """The merge that is there already, if it is this one; anything else there is not touched."""
    out = wanted.folder
    if not out.exists() or (out.is_dir() and not any(out.iterdir())):
        return None
    note = _merge_note(out)
    if note is None:
        raise UserError(
            f"{out.name} exists and holds no merged model: name another folder, or remove it."
        )
    for key in ("adapter", "base", "revision", "dtype"):
        if note.get(key) != getattr(wanted, key):
            raise UserError(
                f"{out.name}/ holds another merge ({key} {note.get(key)}, expected "
                f"{getattr(wanted, key)}): name another folder, or remove it."
            )
    return replace(wanted, layers=note["layers"], rounding=note["rounding"], reused=True)


def _merge_note(folder: Path) -> dict[str, Any] | None:
    """The note of a whole merged model; None for any other folder or file."""
    whole = (folder / "config.json").is_file() and any(folder.glob("*.safetensors"))
    if not whole or not (folder / ADAPTER_NOTE).is_file():
        return None
    note = read_record(folder / ADAPTER_NOTE)
    return note if {"adapter", "layers", "rounding"} <= set(note) else None


def merge_note(folder: Path) -> dict[str, Any]:
    """What `merge` noted of a merged model; `ModelError` if the folder is none."""
    note = _merge_note(folder)
    if note is None:
        raise ModelError(f"no merged model in {folder.name}/: merge the adapter first.")
    return note


def free_bytes(folder: Path) -> int:
    """Bytes free on the disk of a folder, which need not exist yet."""
    there = next(p for p in (folder, *folder.absolute().parents) if p.is_dir())
    return shutil.disk_usage(there).free


def _check_space(empty: Any, dtype: str, out: Path) -> None:
    import torch

    size = getattr(torch, dtype).itemsize * sum(p.numel() for p in empty.parameters())
    needed, free = size + _BESIDE, free_bytes(out.parent)
    if needed > free:
        raise UserError(
            f"the merged model needs {needed / 1e9:.2f} GB and {free / 1e9:.2f} GB are free on the "
            f"disk of {out.name}/: free some, or name a folder on another disk."
        )


def _write(model: Any, tokenizer: Any, found: Merged) -> None:
    """Everything into a folder beside, then one rename: a full disk leaves nothing behind."""
    from safetensors import SafetensorError

    out = found.folder
    temporary = out.with_name(f".{out.name}.new")
    model.generation_config = generation_config(tokenizer, model.generation_config)
    try:
        shutil.rmtree(temporary, ignore_errors=True)
        temporary.mkdir(parents=True)
        model.save_pretrained(temporary)
        tokenizer.save_pretrained(temporary)
        note = {k: v for k, v in asdict(found).items() if k not in ("folder", "reused")}
        write_text(temporary / ADAPTER_NOTE, dumps(note, ADAPTER_NOTE, indent=1) + "\n")
        _readable(temporary)
        if out.exists():
            out.rmdir()
        temporary.rename(out)
    except (OSError, SafetensorError) as error:
        raise UserError(
            f"the merged model could not be written to {out.name}/ ({_cause(error)}), nothing is "
            f"left of it: free some space or name another folder, and merge again."
        ) from None
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _readable(folder: Path) -> None:
    """Weights as readable as the rest: safetensors shuts out the user a server runs as."""
    mode = (folder / "config.json").stat().st_mode
    for file in folder.glob("*.safetensors"):
        file.chmod(mode)


def _cause(error: Exception) -> str:
    said = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return said.splitlines()[0][:120] if said else type(error).__name__
