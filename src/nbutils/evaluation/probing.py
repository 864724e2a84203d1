"""Probes: cases made to mislead, each with an expectation that a program can check."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from nbutils import claims, stats
from nbutils.examples import DataFileError, Example, messages, read_jsonl
from nbutils.models import Model
from nbutils.models.answers import Progress

from .abstention import abstains
from .showing import FEWEST, with_interval

_TEXTS = ("id", "kind", "instruction")
_COLUMNS = [
    *("id", "kind", "passed", "reason", "abstained", "should_abstain", "output"),
    *("supported", "wrong"),
]


@dataclass(frozen=True)
class Probe:
    """One probe.

    Attributes
    ----------
    id, kind, instruction, input : str
        ``kind`` is what it tries (``"injection"``, ``"unit_trap"``, ...); ``input`` may be empty.
    must_match, must_not_match : tuple of str
        Regular expressions, searched for in the answer without regard to case.
    abstain : bool
        Whether a good answer declines to conclude.
    note : str
        What a good answer does, in words.
    good, bad : str
        An answer that passes and one that does not; empty if the file gives none.
    """

    id: str
    kind: str
    instruction: str
    input: str
    must_match: tuple[str, ...]
    must_not_match: tuple[str, ...]
    abstain: bool
    note: str = ""
    good: str = ""
    bad: str = ""


def read_probes(path: str | Path) -> list[Probe]:
    """Read a file of probes.

    Parameters
    ----------
    path : path
        JSON lines with the fields of `Probe`; ``must_match``, ``must_not_match``, ``abstain`` and
        ``note`` stand inside ``expect``. Only ``note``, ``good`` and ``bad`` may be missing.

    Raises
    ------
    DataFileError
        If a field is missing or not of its type, a pattern is no regular expression, a probe
        expects nothing, or an id stands twice; see also `nbutils.examples.read_jsonl`.
    """
    probes: list[Probe] = []
    seen: set[str] = set()
    for i, row in enumerate(read_jsonl(path, required=(*_TEXTS, "input", "expect")), start=1):
        probe = _probe(row, f"{path}, row {i}")
        if probe.id in seen:
            raise DataFileError(
                f"{path}, row {i}: id '{probe.id}' stands twice; ids must be unique: rename one."
            )
        seen.add(probe.id)
        probes.append(probe)
    return probes


def _probe(row: Mapping[str, Any], where: str) -> Probe:
    texts = {key: row.get(key, "") for key in (*_TEXTS, "input", "good", "bad")}
    for key, value in texts.items():
        if not isinstance(value, str) or (key in _TEXTS and not value.strip()):
            raise DataFileError(
                f"{where}: field '{key}' is {value!r}; expected text: write it as one string."
            )
    expect = row["expect"]
    if not isinstance(expect, dict) or not isinstance(expect.get("abstain"), bool):
        raise DataFileError(
            f"{where}: 'expect' has no true or false 'abstain'; expected an object with "
            f"must_match, must_not_match and abstain: add what is missing."
        )
    wanted, unwanted = (_patterns(expect, k, where) for k in ("must_match", "must_not_match"))
    if not wanted + unwanted:
        raise DataFileError(
            f"{where}: the probe expects nothing, so every answer would pass: add a pattern to "
            f"must_match or must_not_match, or remove the row."
        )
    return Probe(
        **texts,
        must_match=wanted,
        must_not_match=unwanted,
        abstain=expect["abstain"],
        note=str(expect.get("note", "")),
    )


def _patterns(expect: Mapping[str, Any], key: str, where: str) -> tuple[str, ...]:
    found = expect.get(key)
    if not isinstance(found, list) or not all(isinstance(p, str) and p for p in found):
        raise DataFileError(
            f"{where}: '{key}' in 'expect' is {found!r}; expected a list of regular expressions: "
            f"write [] if there is none."
        )
    for pattern in found:
        try:
            re.compile(pattern, re.IGNORECASE)
        except re.error as error:
            raise DataFileError(
                f"{where}: '{pattern[:60]}' in {key} is no regular expression ({error}): mend the "
                f"pattern."
            ) from None
    return tuple(found)


def check_probe(probe: Probe, text: str) -> dict[str, Any]:
    """Hold an answer against what its probe expects.

    Returns
    -------
    dict
        ``passed`` (bool) and ``reason`` (empty if it passed, else the first pattern that failed
        by its role: required or forbidden).
    """
    for place, pattern in enumerate(probe.must_match, 1):
        if not re.search(pattern, text, re.IGNORECASE):
            of = f"{place} of {len(probe.must_match)}"
            return {"passed": False, "reason": f"required pattern {of} is not in the answer"}
    for place, pattern in enumerate(probe.must_not_match, 1):
        if found := re.search(pattern, text, re.IGNORECASE):
            of = f"{place} of {len(probe.must_not_match)}"
            shown = " ".join(found[0].split())[:60]
            return {"passed": False, "reason": f"forbidden pattern {of} is there: '{shown}'"}
    return {"passed": True, "reason": ""}


def probe(
    model: Model,
    probes: Sequence[Probe],
    *,
    form: str,
    with_facts: bool = True,
    shots: Sequence[Example] = (),
    max_new_tokens: int = 256,
    progress: Progress | None = None,
) -> pd.DataFrame:
    """Let a system answer all probes, asked as it is asked on the held-out cases.

    Returns
    -------
    DataFrame
        By probe: ``id``, ``kind``, ``passed``, ``reason`` (see `check_probe`), ``abstained``,
        ``should_abstain``, ``output``, ``supported`` and ``wrong`` (numbers by `claims.verify`).
    """
    cases = [Example(p.id, p.instruction, p.input) for p in probes]
    prompts = [messages(c, form=form, with_facts=with_facts, shots=shots) for c in cases]
    answers = model.generate(prompts, max_new_tokens, progress=progress)
    rows = [_row(p, done.text) for p, done in zip(probes, answers, strict=True)]
    return pd.DataFrame(rows, columns=_COLUMNS)


def _row(probe: Probe, text: str) -> dict[str, Any]:
    verdict = claims.verify(probe.input, text)
    return {
        "id": probe.id,
        "kind": probe.kind,
        **check_probe(probe, text),
        "abstained": abstains(text),
        "should_abstain": probe.abstain,
        "output": text,
        "supported": verdict.count("supported"),
        "wrong": verdict.count(*claims.WRONG),
    }


def probe_table(rows_by_system: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Probes passed, by kind and in all.

    Parameters
    ----------
    rows_by_system : mapping of str to DataFrame
        System to its rows from `probe`.

    Returns
    -------
    DataFrame
        ``kind`` (``"all"`` last), ``system``, ``passed`` (a count), ``n``, ``value``, ``low`` and
        ``high`` (share with its Wilson interval, missing under `FEWEST` probes) and ``shown``:
        ``"0.79 [0.52, 0.92]"``, or ``"3 of 4"`` under `FEWEST`.
    """
    rows = []
    for kind in [*sorted({k for f in rows_by_system.values() for k in f["kind"]}), "all"]:
        for system, frame in rows_by_system.items():
            own = frame if kind == "all" else frame[frame["kind"] == kind]
            named = {"kind": kind, "system": system}
            rows.append(named | counted(int(own["passed"].sum()), len(own)))
    return pd.DataFrame(rows).rename(columns={"count": "passed"})


def abstention_table(
    rows_by_system: Mapping[str, pd.DataFrame], ordinary: Mapping[str, Sequence[str]]
) -> pd.DataFrame:
    """Abstention where it is due, beside refusals where it is not.

    Parameters
    ----------
    rows_by_system : mapping of str to DataFrame
        System to its rows from `probe`.
    ordinary : mapping of str to sequence of str
        System to its answers on ordinary cases, the held-out ones.

    Returns
    -------
    DataFrame
        ``asked`` (``"abstention due"``, ``"other probes"`` or ``"ordinary cases"``), ``system``,
        ``abstained`` (a count), ``n``, ``value``, ``low``, ``high`` and ``shown``, as in
        `probe_table`. High is good in the first, low in the others.
    """
    rows = []
    for system, frame in rows_by_system.items():
        due = frame["should_abstain"].astype(bool)
        said: dict[str, list[bool]] = {
            "abstention due": frame.loc[due, "abstained"].tolist(),
            "other probes": frame.loc[~due, "abstained"].tolist(),
            "ordinary cases": [abstains(text) for text in ordinary.get(system, ())],
        }
        for asked, flags in said.items():
            rows.append({"asked": asked, "system": system} | counted(int(sum(flags)), len(flags)))
    return pd.DataFrame(rows).rename(columns={"count": "abstained"})


def counted(count: int, n: int) -> dict[str, Any]:
    """A share as ``count``, ``n``, ``value``, ``low``, ``high``, ``shown``; see `probe_table`."""
    if n < FEWEST:
        none = {"value": None, "low": None, "high": None}
        return {"count": count, "n": n, **none, "shown": f"{count} of {n}" if n else "none"}
    found = stats.wilson(count, n)
    shown = with_interval(found.value, found.low, found.high)
    return {"count": count, **asdict(found), "shown": shown}
