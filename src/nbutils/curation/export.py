"""The curated set in forms that other tools read, and the card that says what it is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from nbutils.balance import balance, describe
from nbutils.examples import CaseError, DataFileError, Example, messages, target, to_jsonl

# configuration of the card to its files; {split} stands for train or validation
FILES = {"instruction": "instruction_{split}.jsonl", "chat": "chat_{split}.jsonl"}
SPLITS = {"train": "train", "val": "validation"}
# upper ends of the hub's size categories
_SIZES = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (10**6, "100K<n<1M"))
_SHOWN = 8

_FIELDS = {
    "instruction": """\
Of the configuration `instruction`, one JSON object a line:

- `id`: unique, the report's or the variant's own.
- `instruction`: the task in a sentence.
- `input`: the case. Labelled lines for the metric and its definition, the context, the series, \
the size of the cohort and recent changes; in some cases notes and a regression.
- `output`: the answer, in three parts: analysis, recommended action, urgency with its reason.""",
    "chat": """\
Of the configuration `chat`, one JSON object a line:

- `id`: as in the source.
- `messages`: what a model is trained on, a list of `role` and `content`: the system message, the \
question with the facts that code computed from the series, and the answer.""",
}


def instruction_rows(examples: Sequence[Example]) -> list[dict[str, str]]:
    """Rows of ``id``, ``instruction``, ``input`` and ``output``, without the notes in ``meta``."""
    return [
        {"id": e.id, "instruction": e.instruction, "input": e.input, "output": e.output}
        for e in examples
    ]


def chat_rows(examples: Sequence[Example], *, form: str) -> list[dict[str, Any]]:
    """Rows of ``id`` and ``messages`` (system, user, assistant), by the one prompt builder.

    Parameters
    ----------
    examples : sequence of Example
    form : str
        ``"brief"`` or ``"full"``, as for `nbutils.examples.messages`.

    Returns
    -------
    list of dict

    Raises
    ------
    DataFileError
        If the answer cannot be made because the case cannot be read.
    """
    return [{"id": e.id, "messages": _chat(e, form)} for e in examples]


def _chat(example: Example, form: str) -> list[dict[str, str]]:
    try:
        answer = target(example, form=form)
    except CaseError as error:
        raise DataFileError(
            f"example {example.id}: no {form} answer can be made, its case cannot be read "
            f"({error}); expected a case that passed the gate: curate the examples first."
        ) from None
    return [*messages(example, form=form), {"role": "assistant", "content": answer}]


def write_dataset(folder: Path, examples: Sequence[Example], *, form: str, card: str) -> list[str]:
    """Write both configurations, split by side, and the card as README.md; returns the file names.

    Parameters
    ----------
    folder : path
        An existing folder.
    examples : sequence of Example
        ``meta["side"]`` says train or val.
    form : str
        The form of answer of the chat files, ``"brief"`` or ``"full"``.
    card : str
        As `dataset_card` returns.
    """
    written = {"README.md": card}
    for side, split in SPLITS.items():
        mine = [e for e in examples if e.meta.get("side", "train") == side]
        rows = {"instruction": instruction_rows(mine), "chat": chat_rows(mine, form=form)}
        for name, pattern in FILES.items():
            if mine:
                written[pattern.format(split=split)] = to_jsonl(rows[name])
    for name, text in written.items():
        (folder / name).write_text(text, encoding="utf-8")
    return sorted(written)


# --------------------------------------------------------------------------- the card


def dataset_card(
    examples: Sequence[Example],
    *,
    title: str,
    source: str,
    counts: Mapping[str, int],
    licence: str = "",
    notes: Sequence[str] = (),
    personal_data: str = "",
    language: str = "en",
    files: Mapping[str, str] = FILES,
) -> str:
    """Write the data card: Markdown, with the front matter that the Hugging Face hub reads.

    Parameters
    ----------
    examples : sequence of Example
        All examples of the set; ``meta["side"]`` is ``"train"`` or ``"val"`` (train if absent).
    title, source : str
        Name of the set; a sentence on where the reports come from.
    counts : mapping
        The steps of curation in their order, each with how many were left after it.
    licence : str
        An identifier of the hub, such as ``"apache-2.0"``.
    notes : sequence of str
        Known limits, a sentence each.
    personal_data : str
        A sentence on what was done to find personal data, and with what result.
    language : str
        ISO 639-1 code.
    files : mapping
        Configuration to the name of its files, with ``{split}`` for train and validation.

    Returns
    -------
    str

    Raises
    ------
    DataFileError
        If there are no examples, a side is neither train nor val, or a case cannot be read.
    """
    described = describe(examples)
    sides = _sides(examples)
    parts = [
        ("", f"# {title.strip()}\n\n{_what(examples, source, licence)}"),
        ("Fields", "\n\n".join(_FIELDS[name] for name in files if name in _FIELDS)),
        ("How it was made", _table(["step", "left"], counts.items()) if counts else _NO_COUNTS),
        ("Splits", _splits(sides)),
        ("What is in it", _balance_table(described)),
        ("Personal data", personal_data.strip() or _NO_CHECK),
        ("Known limits", "\n".join(f"- {n}" for n in notes) or _NO_LIMITS),
    ]
    body = "\n\n".join(f"## {head}\n\n{text}" if head else text for head, text in parts)
    front = _front(title, len(examples), sides, licence.lower(), language, files)
    return f"---\n{front}---\n\n{body}\n"


_NO_COUNTS = "The steps are not on record."
_NO_CHECK = "No check for personal data is on record. Look before you pass the set on."
_NO_LIMITS = "None are on record, which does not mean that there are none."


def _sides(examples: Sequence[Example]) -> Counter[str]:
    sides: Counter[str] = Counter()
    for example in examples:
        side = example.meta.get("side", "train")
        if side not in SPLITS:
            raise DataFileError(
                f"example {example.id} is on side '{side}'; expected train or val: assign sides "
                f"with assign()."
            )
        sides[SPLITS[side]] += 1
    return sides


def _front(
    title: str,
    n: int,
    sides: Mapping[str, int],
    licence: str,
    language: str,
    files: Mapping[str, str],
) -> str:
    configs: list[dict[str, Any]] = [
        {
            "config_name": name,
            "data_files": [
                {"split": split, "path": path.format(split=split)}
                for split in SPLITS.values()
                if split in sides
            ],
        }
        for name, path in files.items()
    ]
    if configs:
        configs[0]["default"] = True
    data: dict[str, Any] = {"pretty_name": title.strip()}
    if licence:
        data["license"] = licence
    data |= {
        "language": [language],
        "task_categories": ["text-generation"],
        "size_categories": [next((name for end, name in _SIZES if n < end), "n>1M")],
        "configs": configs,
    }
    return yaml.safe_dump(data, sort_keys=False, allow_unicode=True)


def _what(examples: Sequence[Example], source: str, licence: str) -> str:
    terms = f"Licence: {licence}." if licence else "No licence is stated: ask before you use it."
    noun = "example" if len(examples) == 1 else "examples"
    return (
        f"{len(examples)} {noun} of one task: given a metric, its recent values and what is known "
        f"around them, say what happened, recommend one action, and say how urgent it is.\n\n"
        f"Source: {source.strip()}\n\n{terms}"
    )


def _splits(sides: Mapping[str, int]) -> str:
    rows = [(split, sides[split]) for split in SPLITS.values() if split in sides]
    said = (
        "Cases that are equal but for their numbers, and an example and its variants, are on one "
        "side."
    )
    if "validation" not in sides:
        said = "There is no validation split."
    return f"{_table(['split', 'examples'], rows)}\n\n{said}"


def _balance_table(described: pd.DataFrame) -> str:
    rows = [
        ({"family": "kind of metric"}.get(str(dimension), dimension), _values(part))
        for dimension, part in balance(described).groupby("dimension", sort=False)
    ]
    said = (
        "Counted by code from the case and the answer. (over) and (under): the 95% interval of "
        "the share lies wholly above one and a half times, or below two thirds of, an even share."
    )
    return f"{_table(['what', 'examples'], rows)}\n\n{said}"


def _values(part: pd.DataFrame) -> str:
    shown = [
        f"{row['value']} {row['examples']}" + (f" ({row['standing']})" if row["standing"] else "")
        for row in part.to_dict("records")
    ]
    more = [f"{len(shown) - _SHOWN} more"] if len(shown) > _SHOWN + 1 else []
    return ", ".join((shown[:_SHOWN] if more else shown) + more)


def _table(heads: Sequence[str], rows: Iterable[tuple[Any, Any]]) -> str:
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join(
        "| " + " | ".join(str(cell).replace("|", "\\|").replace("\n", " ") for cell in line) + " |"
        for line in lines
    )
