"""An adapter of 03_training, and whether it belongs to the base that is here."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..models import ADAPTER_NOTE, ModelError, load_tokenizer, template_fingerprint
from ..records import digest, read_record

WEIGHTS, CONFIG = "adapter_model.safetensors", "adapter_config.json"
_CARD_REVISION = re.compile(r"^\| revision \| (.+?) \|$", re.MULTILINE)


def read_adapter(adapter: Path) -> dict[str, Any]:
    """What 03_training noted of an adapter: ``base``, ``fingerprint``, ``four_bit``, ...

    Raises
    ------
    ModelError
        If the folder is no adapter, or none that can be merged.
    """
    if (adapter / "config.json").is_file():
        raise ModelError(
            f"{adapter.name}/ holds a whole model, not an adapter: nothing needs merging, serve "
            f"the folder as it is."
        )
    if missing := [f for f in (CONFIG, WEIGHTS, ADAPTER_NOTE) if not (adapter / f).is_file()]:
        raise ModelError(
            f"no adapter of 03_training in {adapter.name}/ ({' and '.join(missing)} missing): run "
            f"03_training first."
        )
    kind = read_record(adapter / CONFIG).get("peft_type")
    note = read_record(adapter / ADAPTER_NOTE)
    if kind != "LORA" or not {"base", "fingerprint", "four_bit"} <= set(note):
        raise ModelError(
            f"the adapter in {adapter.name}/ is of kind {kind} with the notes "
            f"{', '.join(sorted(note)) or 'none'}, expected LORA with base, fingerprint and "
            f"four_bit: run 03_training again."
        )
    return note


def recorded_revision(adapter: Path, note: Mapping[str, Any]) -> str:
    """The version of the base an adapter was trained on, by its note or card; empty if neither."""
    card = adapter / "README.md"
    text = card.read_text(encoding="utf-8") if card.is_file() else ""
    row = _CARD_REVISION.search(text)
    found = str(note.get("revision") or (row[1] if row else ""))
    return "" if found == "not on record" else found


def adapter_hash(adapter: Path) -> str:
    """One hash of an adapter's weights, configuration and note; its card may be written anew."""
    return " ".join(digest(adapter / f)[:16] for f in (WEIGHTS, CONFIG, ADAPTER_NOTE))


def check_base(adapter: Path, note: Mapping[str, Any], base: str, revision: str) -> None:
    """Refuse another base than the noted one, by name and, if both are known, by revision."""
    if note["base"] != Path(base).name:
        raise ModelError(
            f"the adapter in {adapter.name}/ was trained on {note['base']}, the base given is "
            f"{Path(base).name}: merge it into the base it was trained on."
        )
    recorded = recorded_revision(adapter, note)
    if revision and recorded and revision != recorded:
        raise ModelError(
            f"the adapter in {adapter.name}/ was trained on revision {recorded} of {note['base']}, "
            f"here is {revision}: install that revision, or run 03_training on this one."
        )


def fitting_tokenizer(note: Mapping[str, Any], base: str) -> Any:
    """The base's tokenizer; a prompt template other than the adapter's raises `ModelError`."""
    tokenizer = load_tokenizer(base)
    found = template_fingerprint(tokenizer)
    if found != note["fingerprint"]:
        raise ModelError(
            f"the adapter was trained with prompt template {note['fingerprint']}, the base here "
            f"makes {found}: merge it into the base it was trained on, or run 03_training again."
        )
    return tokenizer


def check_shapes(adapter: Path, empty: Any, base: str) -> None:
    """Every pair of matrices must have its weight in the base: PEFT only warns of those without."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(adapter / WEIGHTS, "pt") as file:
            shapes = {name: file.get_slice(name).get_shape() for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        raise ModelError(
            f"{adapter.name}/{WEIGHTS} cannot be read ({error}): run 03_training again."
        ) from None
    modules = dict(empty.named_modules())
    for name, shape in shapes.items():
        part = re.fullmatch(r"base_model\.model\.(.+)\.lora_([AB])\.weight", name)
        if not part:
            continue
        weight = getattr(modules.get(part[1]), "weight", None)
        side = 1 if part[2] == "A" else 0
        if weight is None or weight.shape[side] != shape[side]:
            has = "no such weight" if weight is None else f"a weight of {tuple(weight.shape)}"
            raise ModelError(
                f"the adapter in {adapter.name}/ does not fit on {Path(base).name} ({part[1]}: the "
                f"base has {has}, the adapter's {part[2]} is {tuple(shape)}): merge it into the "
                f"base it was trained on."
            )
