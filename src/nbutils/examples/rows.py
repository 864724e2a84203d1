"""Examples as rows of JSONL files."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


class DataFileError(ValueError):
    """A data file that cannot be read: the message names file, line and remedy."""


@dataclass(frozen=True)
class Example:
    """One training or test example.

    Attributes
    ----------
    id : str
        Unique within its file.
    instruction, input, output : str
        The task sentence, the case as text, and the answer (empty if there is none).
    meta : dict
        Everything else of the row (parent, reviewer, expectations, ...), kept as it is.
    """

    id: str
    instruction: str
    input: str
    output: str = ""
    meta: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def from_row(cls, row: dict[str, Any], where: str = "row") -> Example:
        """Build from a JSON row with ``id``, ``instruction`` and ``input``.

        Raises
        ------
        DataFileError
            If one of the three is missing or not text; ``where`` is named in the message.
        """
        for key in ("id", "instruction", "input"):
            if not isinstance(row.get(key), str) or not row[key].strip():
                raise DataFileError(
                    f"{where}: field '{key}' is {'empty' if key in row else 'missing'}; every row "
                    f"needs the text fields id, instruction and input: add it or remove the row."
                )
        output = row.get("output", "")
        if not isinstance(output, str):
            raise DataFileError(
                f"{where}: field 'output' is {type(output).__name__}, expected text: "
                f"write the answer as one string."
            )
        known = {"id", "instruction", "input", "output"}
        meta = {k: v for k, v in row.items() if k not in known}
        return cls(row["id"], row["instruction"], row["input"], output, meta)

    def to_row(self) -> dict[str, Any]:
        """The JSON row of this example, the inverse of `from_row`."""
        return {
            "id": self.id,
            "instruction": self.instruction,
            "input": self.input,
            "output": self.output,
            **self.meta,
        }


def read_jsonl(path: str | Path, required: Sequence[str] = ()) -> list[dict[str, Any]]:
    """Read a JSON-lines file.

    Parameters
    ----------
    path : path
        A UTF-8 file with one JSON object a line; empty lines are skipped.
    required : sequence of str
        Fields that every row must have.

    Returns
    -------
    list of dict

    Raises
    ------
    DataFileError
        If the file is missing or empty, a line is not a JSON object, or a field is missing.
    """
    path = Path(path)
    if not path.is_file():
        raise DataFileError(f"{path}: no such file; expected JSON lines there: check the path.")
    rows = []
    # not splitlines(): that also breaks at U+2028 and the like, which JSON allows inside a string
    for number, line in enumerate(path.read_bytes().split(b"\n"), start=1):
        if not line.strip():
            continue
        where = f"{path}, line {number}"
        try:
            row = json.loads(line.decode("utf-8-sig" if number == 1 else "utf-8"))
        except (json.JSONDecodeError, UnicodeDecodeError) as error:
            raise DataFileError(
                f"{where}: not JSON ({error}); expected one JSON object a line: "
                f"mend or remove this line."
            ) from None
        if not isinstance(row, dict):
            raise DataFileError(
                f"{where}: found a JSON {type(row).__name__}, expected an object like "
                f'{{"id": ...}}: mend or remove this line.'
            )
        for key in required:
            if key not in row:
                raise DataFileError(
                    f"{where}: field '{key}' is missing; every row needs "
                    f"{', '.join(required)}: add it or remove the row."
                )
        rows.append(row)
    if not rows:
        raise DataFileError(f"{path}: the file has no rows; expected one JSON object a line.")
    return rows


def read_examples(path: str | Path, *, id_field: str = "id") -> list[Example]:
    """Read a JSONL file of examples; see `read_jsonl` and `Example.from_row` for the errors.

    Parameters
    ----------
    path : path
        A JSONL file.
    id_field : str
        The field that holds the id, if it is not called ``id``.

    Raises
    ------
    DataFileError
        Also if an id stands twice.
    """
    rows = [{"id": r.get(id_field), **r} for r in read_jsonl(path)]
    examples = [Example.from_row(r, f"{path}, row {i}") for i, r in enumerate(rows, start=1)]
    seen: set[str] = set()
    for i, example in enumerate(examples, start=1):
        if example.id in seen:
            raise DataFileError(
                f"{path}, row {i}: id '{example.id}' stands twice; ids must be unique: rename one."
            )
        seen.add(example.id)
    return examples


def to_jsonl(rows: Iterable[dict[str, Any]]) -> str:
    """Rows as JSON lines, non-ASCII kept, NaN refused."""
    return "".join(json.dumps(r, ensure_ascii=False, allow_nan=False) + "\n" for r in rows)
