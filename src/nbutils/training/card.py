"""The card that travels with an adapter: what it stands on, what it came to, how to load it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml

from nbutils.models import DEFAULT_BASE
from nbutils.records import write_text

from .bases import Base, base_revision, without_path

__all__ = ["FILE", "base_revision", "card", "write_card"]

FILE = "README.md"
_DEMONSTRATION_DATA = "/data/growth/"
_NONE = "not on record"

_DEMONSTRATION = """\
**DEMONSTRATION.** Trained on the invented data of data/growth, which language models wrote, \
labelled and reviewed. It shows the method; do not decide anything by its answers."""


def card(
    plan: Mapping[str, Any],
    summary: Mapping[str, Any],
    hashes: Mapping[str, str],
    *,
    fingerprint: str,
    revision: str = "",
) -> str:
    """Write the model card: Markdown, with the front matter that the Hugging Face hub reads.

    Of paths only the last part is shown. The licence is left to whoever passes the adapter on.

    Parameters
    ----------
    plan : mapping
        The fields of `Plan`, as in plan.json.
    summary : mapping
        Content of training.json; what it lacks is shown as not on record.
    hashes : mapping
        SHA-256 by name of the data; a name in data/growth makes this a demonstration.
    fingerprint : str
        As `models.template_fingerprint` returns.
    revision : str
        As `base_revision` returns.

    Returns
    -------
    str
    """
    knobs = _flat(plan)
    base = Base.of(knobs["base_model"], revision)
    shown = any(_DEMONSTRATION_DATA in f"/{name}/" for name in hashes)
    parts = [
        ("", f"# {_title(knobs, base)}\n\n{_what(shown)}"),
        ("Base", _about_base(base, fingerprint)),
        ("Data", _table("file", "SHA-256", hashes.items()) if hashes else f"Hashes: {_NONE}."),
        ("Plan", _table("setting", "value", knobs.items())),
        ("Metrics", _metrics(knobs, summary)),
        ("How to load it", _loading(knobs, base)),
        ("What it was not tested for", _untested(knobs)),
    ]
    body = "\n\n".join(f"## {head}\n\n{text}" if head else text for head, text in parts)
    return f"---\n{_front(knobs, base)}---\n\n{body}\n"


def write_card(
    folder: Path,
    plan: Mapping[str, Any],
    summary: Mapping[str, Any],
    hashes: Mapping[str, str],
    *,
    fingerprint: str,
    revision: str = "",
) -> Path:
    """Write the card as README.md into the adapter's folder, whole or not at all; see `card`."""
    text = card(plan, summary, hashes, fingerprint=fingerprint, revision=revision)
    write_text(folder / FILE, text)
    return folder / FILE


# --------------------------------------------------------------------------- its parts


def _flat(plan: Mapping[str, Any]) -> dict[str, Any]:
    """The knobs of the recipe and what the plan made of them, on one level."""
    rest = {k: v for k, v in plan.items() if k != "recipe"}
    # what was worked out wins over what was asked for: dtype, evaluations
    return {**plan.get("recipe", {}), **rest}


def _front(knobs: Mapping[str, Any], base: Base) -> str:
    data = {"base_model": base.origin} if base.origin else {}
    full, kind = knobs.get("full"), "qlora" if knobs["four_bit"] else "lora"
    described = {
        "library_name": "transformers" if full else "peft",
        "pipeline_tag": "text-generation",
        "tags": ["sft"] if full else [kind, "sft"],
    }
    return yaml.safe_dump({**data, **described}, sort_keys=False, allow_unicode=True)


def _title(knobs: Mapping[str, Any], base: Base) -> str:
    kind = "All weights of" if knobs.get("full") else "Adapter for"
    return f"{kind} {base.name}, trained for answers in {knobs['form']} form"


def _what(demonstration: bool) -> str:
    said = (
        "One task: given a metric, its recent values and what is known around them, say what "
        "happened, recommend one action, and say how urgent it is.\n\n"
        "No licence is stated: the terms of the base and of the data decide. Add `license` to the "
        "front matter before you pass it on."
    )
    return f"{_DEMONSTRATION}\n\n{said}" if demonstration else said


def _about_base(base: Base, fingerprint: str) -> str:
    rows = [("model", base.name), ("revision", base.revision or _NONE), ("template", fingerprint)]
    packaged = (
        f"\n\nThe package carries {base.origin} as Q4_1; training used those weights, dequantised."
    )
    return _table("what", "value", rows) + (packaged if base.name == DEFAULT_BASE else "")


def _metrics(knobs: Mapping[str, Any], summary: Mapping[str, Any]) -> str:
    resumed = f", resumed at {at}" if (at := summary.get("resumed_from_step")) else ""
    rows = {
        "validation loss, untuned base": _number(summary.get("base_eval_loss"), ".4f"),
        "validation loss, best": _number(summary.get("best_eval_loss"), ".4f"),
        "step of the best, which this is": _number(summary.get("best_step"), "d"),
        "steps": _number(summary.get("steps"), "d") + resumed,
        "training tokens a second": _number(summary.get("tokens_per_second"), ".1f"),
        "seconds": _number(summary.get("seconds"), ".1f"),
    }
    said = (
        f"Loss in nats a token, on the answers of {knobs['val_rows']} validation rows. A low loss "
        f"is not a good answer: how its answers score is not on this card."
    )
    return f"{_table('what', 'value', rows.items())}\n\n{said}"


def _number(value: float | None, form: str) -> str:
    return _NONE if value is None else format(value, form)


def _loading(knobs: Mapping[str, Any], base: Base) -> str:
    ours, check, library = '"path/to/this/folder"', "", "transformers"
    if not knobs.get("full"):
        ours = f'{{"base": "{base.load}", "adapter": {ours}}}'
        check, library = ", which refuses another prompt template", "peft"
    prompt = f'messages(example, form="{knobs["form"]}", with_facts={knobs["with_facts"]})'
    return f"""\
With nbutils{check}:

```python
from nbutils import models

model = models.load({ours})
```

With {library} alone:

```python
{_alone(knobs, base)}
```

It was trained on the prompts of `nbutils.examples.{prompt}` and on no others."""


def _alone(knobs: Mapping[str, Any], base: Base) -> str:
    imports, classes = ["from peft import PeftModel"], ["AutoModelForCausalLM", "AutoTokenizer"]
    given, lines = [f'"{base.load}"'], ['folder = "path/to/this/folder"']
    if base.name == DEFAULT_BASE:  # only nbutils knows how to unpack it
        imports, given = ["from nbutils.models import base_path", *imports], ["base_path()"]
    elif base.revision and base.origin:
        given.append(f'revision="{base.revision}"')
    if knobs["four_bit"]:
        classes.append("BitsAndBytesConfig")
        given.append("quantization_config=nf4")
        lines += _NF4.format(knobs["dtype"]).splitlines()
    load = [
        f"base = AutoModelForCausalLM.from_pretrained({', '.join(given)})",
        "model = PeftModel.from_pretrained(base, folder)",
    ]
    if knobs.get("full"):
        imports, load = [], ["model = AutoModelForCausalLM.from_pretrained(folder)"]
    imports.append(f"from transformers import {', '.join(classes)}")
    last = "tokenizer = AutoTokenizer.from_pretrained(folder)"
    return "\n".join([*imports, "", *lines, *load, last])


_NF4 = """\
nf4 = BitsAndBytesConfig(
    load_in_4bit=True,
    bnb_4bit_quant_type="nf4",
    bnb_4bit_use_double_quant=True,
    bnb_4bit_compute_dtype="{}",
)"""


def _untested(knobs: Mapping[str, Any]) -> str:
    trained = "NF4" if knobs["four_bit"] else knobs["dtype"]
    points = [
        f"Another base, another revision, or a base in another precision than {trained}.",
        f"Prompts made in another way, other tasks, answers in another than {knobs['form']} form.",
        f"Rows of more than {knobs['longest']} tokens, the longest it was trained on.",
        "Languages, trades and kinds of metric that the data does not hold.",
        "Answers that nobody reads: check every number against the case before you act on it.",
    ]
    return "\n".join(f"- {point}" for point in points)


def _table(first: str, second: str, rows: Iterable[tuple[Any, Any]]) -> str:
    lines = [(first, second), ("---", "---"), *rows]
    return "\n".join(f"| {_cell(left)} | {_cell(right)} |" for left, right in lines)


def _cell(value: Any) -> str:
    return without_path(value).replace("|", "\\|").replace("\n", " ")
