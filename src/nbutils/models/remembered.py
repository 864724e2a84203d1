"""A model whose answers are kept, so that what was answered once is not computed again."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

from .answers import Completion, Messages, Model, Progress

_LIBRARIES = ("torch", "transformers", "peft")
_WEIGHTS = ("*.safetensors", "adapter_config.json", "config.json")


class Remembered:
    """A model that answers from a file what it has answered before; made by `remember`.

    The weights are loaded when the first question comes that the file cannot answer. A stage that
    is run again after new ratings or new rules of scoring takes seconds instead of minutes, and a
    killed one goes on with the next system. Latency and seconds are those of the first time.

    Attributes
    ----------
    name : str
        The model's name.
    """

    def __init__(
        self, load: Callable[[], Model], name: str, file: Path, mark: Sequence[Any]
    ) -> None:
        self._load, self._file, self._mark = load, file, list(mark)
        self._model: Model | None = None
        self.name = name

    def __getattr__(self, attribute: str) -> Any:
        return getattr(self.loaded, attribute)

    @property
    def loaded(self) -> Model:
        """The model itself, loaded now if it is not yet."""
        if self._model is None:
            self._model = self._load()
        return self._model

    def generate(
        self,
        messages: list[Messages],
        max_new_tokens: int = 256,
        *,
        progress: Progress | None = None,
        temperature: float = 0.0,
        seed: int = 0,
    ) -> list[Completion]:
        """Answer every conversation, in the order given; see `Model.generate`."""
        how = [max_new_tokens, temperature, seed]
        keys = [_digest([*self._mark, *how, m]) for m in messages]
        known = self._read()
        open_ = {k: m for k, m in zip(keys, messages, strict=True) if k not in known}
        if open_:
            done = self.loaded.generate(
                list(open_.values()),
                max_new_tokens,
                progress=progress,
                temperature=temperature,
                seed=seed,
            )
            found = dict(zip(open_, done, strict=True))
            self._append(found)
            known |= found
        return [known[k] for k in keys]

    def _read(self) -> dict[str, Completion]:
        """What the file holds; a line that was cut off or is of another shape counts as none."""
        found: dict[str, Completion] = {}
        if not self._file.is_file():
            return found
        for line in self._file.read_bytes().split(b"\n"):
            try:
                row: dict[str, Any] = json.loads(line)
                lists = {k: tuple(row[k]) for k in ("pieces", "logprobs")}
                key = row.pop("key")
                found[key] = Completion(**{**row, **lists})
            except (ValueError, KeyError, TypeError, AttributeError):
                continue
        return found

    def _append(self, found: Mapping[str, Completion]) -> None:
        rows = [{"key": k, **asdict(c)} for k, c in found.items()]
        text = "".join(json.dumps(r, ensure_ascii=False) + "\n" for r in rows)
        with self._file.open("ab") as file:
            # after a line that was cut off by a kill, begin on a new one
            file.write((b"\n" if file.tell() else b"") + text.encode())


def mark_of(settings: Mapping[str, Any]) -> list[Any]:
    """What decides a local model's answers: settings, weights of the adapter, libraries."""
    adapter = settings.get("adapter")
    weights = {}
    if adapter is not None:
        files = sorted(f for pattern in _WEIGHTS for f in Path(adapter).glob(pattern))
        weights = {f.name: hashlib.sha256(f.read_bytes()).hexdigest() for f in files}
    kept = {k: v for k, v in settings.items() if k != "adapter"}
    return [kept, weights, [version(name) for name in _LIBRARIES]]


def _digest(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()
