"""A merged model registered with its lineage, from the files of its run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from .. import review
from ..errors import MissingInput, UserError
from ..examples import DataFileError, read_jsonl
from ..records import RUN_FILE, digest, dumps, read_record
from .adapters import ADAPTER_NOTE, adapter_hash
from .registry import NAME, apart
from .versions import (
    CHALLENGER,
    MEASURES,
    Version,
    as_version,
    model_of,
    pick,
    registered,
    tag_key,
)

SYSTEM = "tuned"
STAGES = ("01", "02", "03", "04")


def register(
    merged: Path, *, proof: Mapping[str, Any], name: str = NAME, uri: str | None = None
) -> Version:
    """Register a merged model with its lineage, as challenger.

    The same weights with the same files registered again give the version that is there. One
    whose gate or proof is not passed is registered too, but cannot be promoted.

    Parameters
    ----------
    merged : Path
        The merged folder, in the folder of its run, which has ``run.json``, ``01.json`` to
        ``04.json``, ``adapter/``, ``gate.json``, ``scores.json`` and ``predictions.jsonl``.
    proof : mapping
        Whether the merged model equals base and adapter: ``passed`` (bool) and whatever else is
        to be on record.
    name : str
        Name of the registered model: one for each task.
    uri : str, optional
        An SQL store; without it ``$MLFLOW_TRACKING_URI`` or, where that is empty or an MLflow
        server, which takes no folder of this machine, ``mlflow/mlflow.db`` beside the folder of
        all runs.

    Returns
    -------
    Version

    Raises
    ------
    MissingInput
        If the merged folder or a file of the run is missing.
    UserError
        If the files do not fit together, because a stage was run again without those after it;
        if the folder was merged from another adapter than the one evaluated; if the proof says
        neither yes nor no; if the store is locked, broken or not writable.
    DataFileError
        If ``predictions.jsonl`` has no answers of the tuned model, or a broken line.
    """
    given = {"folder": str(merged.resolve()), "tags": lineage_tags(merged, proof)}
    return as_version(apart(_add, name, uri, given))


def lineage_tags(merged: Path, proof: Mapping[str, Any]) -> dict[str, str]:
    """The tags of a version, from the files of its run.

    Parameters
    ----------
    merged : Path
        The merged folder, in the folder of its run.
    proof : mapping
        ``passed`` (bool) and whatever else is to be on record.

    Returns
    -------
    dict of str to str
        ``run``, ``commit``, ``dirty``, ``profile``, ``parameters.01`` (JSON); ``gate.outcome``,
        ``gate.verdict``; ``proof`` (JSON); ``metric.NAME`` of the tuned model (JSON: value, low,
        high, n); ``hash.NAME`` (SHA-256) of all that stages 01 to 04 read and wrote, and of
        ``merged``; ``cases`` (JSON: house form and faithful, 0 or 1, by hash of the case).

    Raises
    ------
    MissingInput, UserError, DataFileError
        See `register`.
    """
    run_dir = merged.resolve().parent
    if not merged.is_dir() or not any(merged.iterdir()):
        raise MissingInput(
            f"the folder {merged.name} of run {run_dir.name} is missing or empty: merge first."
        )
    if not isinstance(proof.get("passed"), bool):
        raise UserError(
            "the proof of the merged model lacks 'passed', expected true or false: hand over what "
            "the proof returned."
        )
    about, gate = _needed(run_dir, RUN_FILE), _needed(run_dir, "gate.json")
    hashes = {**_hashes(run_dir), "merged": digest(merged)}
    _check_adapter(merged.resolve(), run_dir)
    kept = {k: str(about[k]) for k in ("commit", "dirty", "profile") if about.get(k) is not None}
    return {
        "run": run_dir.name,
        **kept,
        "parameters.01": dumps((about.get("parameters") or {}).get("01") or {}, RUN_FILE),
        "gate.outcome": str(gate.get("outcome")),
        "gate.verdict": str(gate.get("verdict")),
        "proof": dumps(dict(proof), "the proof"),
        **_metrics(_needed(run_dir, "scores.json")),
        "cases": dumps(_outcomes(run_dir / "predictions.jsonl"), "the tag cases"),
        **{tag_key(f"hash.{name}"): value for name, value in sorted(hashes.items())},
    }


def _add(client: Any, name: str, folder: str, tags: dict[str, str]) -> dict[str, Any]:
    for known in registered(client, name):
        if known.folder == folder and _marks(known.tags) == _marks(tags):
            return asdict(known)
    if model_of(client, name) is None:
        client.create_registered_model(name)
    made = client.create_model_version(name, folder, tags=tags)
    client.set_registered_model_alias(name, CHALLENGER, made.version)
    return asdict(pick(registered(client, name), str(made.version), name))


def _marks(tags: Mapping[str, str]) -> dict[str, str]:
    return {key: value for key, value in tags.items() if key.startswith("hash.")}


def _needed(run_dir: Path, name: str) -> dict[str, Any]:
    if not (run_dir / name).is_file():
        stage = name[:2] if name[:2] in STAGES else "01" if name == RUN_FILE else "04"
        raise MissingInput(f"{name} is not in run {run_dir.name}: run stage {stage} first.")
    return read_record(run_dir / name)


def _hashes(run_dir: Path) -> dict[str, str]:
    """Of all that the stages read and wrote; refused if they do not fit together."""
    found: dict[str, str] = {}
    for stage in STAGES:
        record = _needed(run_dir, f"{stage}.json")
        for name, value in record.get("inputs", {}).items():
            if found.setdefault(name, value) != value:
                raise _torn(run_dir, name, f"stage {stage} has read another one", stage)
        found |= record.get("outputs", {})
    for name in ("adapter", "gate.json", "scores.json", "predictions.jsonl"):
        if not (run_dir / name).exists():
            raise MissingInput(f"{name} is not in run {run_dir.name}: restore it or run 04 again.")
        if digest(run_dir / name) != found.get(name):
            raise _torn(run_dir, name, "stage 04 has seen another one", "04")
    return {name: value for name, value in found.items() if value}


def _check_adapter(merged: Path, run_dir: Path) -> None:
    adapter = run_dir / "adapter"
    if merged == adapter:  # where all weights are trained, there is nothing to merge
        return
    if read_record(merged / ADAPTER_NOTE).get("adapter") != adapter_hash(adapter):
        raise UserError(
            f"the folder {merged.name} of run {run_dir.name} was not merged from the adapter that "
            f"was evaluated: merge again."
        )


def _torn(run_dir: Path, name: str, why: str, stage: str) -> UserError:
    return UserError(
        f"{name} of run {run_dir.name} was made anew and {why}, so the lineage would be wrong: "
        f"run stage {stage} again."
    )


def _metrics(scores: Mapping[str, Any]) -> dict[str, str]:
    own = [m for m in scores.get("metrics", []) if m["system"] == SYSTEM]
    kept = ("value", "low", "high", "n")
    return {
        tag_key(f"metric.{m['metric']}"): dumps({k: m.get(k) for k in kept}, "scores.json")
        for m in own
    }


def _outcomes(path: Path) -> dict[str, list[int]]:
    rows = read_jsonl(path, ["system", "id", "instruction", "input", *MEASURES])
    own = [row for row in rows if row["system"] == SYSTEM]
    if not own:
        raise DataFileError(
            f"{path.name} of run {path.parent.name} has no row of the system '{SYSTEM}', expected "
            f"one a held-out case: run stage 04 again."
        )
    return {
        review.item_hash(r["instruction"], r["input"], str(r["id"])): [int(r[m]) for m in MEASURES]
        for r in own
    }
