"""The verifier measured: labelled claims, planted errors, and the series exchanged."""

from __future__ import annotations

import random
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from nbutils.claims.judge import Judge
from nbutils.claims.source import read
from nbutils.claims.verdict import KINDS, VERDICTS, WRONG, Claim
from nbutils.examples import DataFileError, read_jsonl

FIXTURES = Path("tests") / "fixtures" / "claims.jsonl"
_DIGITS = re.compile(r"\d[\d,]*(?:\.\d+)?")
_DATA = re.compile(r"(Data:\s*\[)([^\]]*)(\])")
Row = dict[str, Any]


def self_test(path: str | Path | None = None, seed: int = 0) -> list[Row]:
    """Measure the verifier on labelled claims and on two experiments with itself.

    Parameters
    ----------
    path : path, optional
        JSON lines with ``input``, ``output`` and ``spans`` (``start``, ``text``, ``verdict``,
        ``kind``); default: the fixtures of the checkout.
    seed : int
        Seeds the planted errors.

    Returns
    -------
    list of dict
        Long rows with the keys ``test``, ``group``, ``precision``, ``recall``, ``f1``, ``n``.
        ``test`` is "verdict" (one row per verdict, and "wrong" for the three that accuse),
        "perturbation" (``recall``: share of planted errors found, one row per kind and "all"),
        or "swap" (``recall``: share of supported claims about the series that still pass when the
        series is that of another case; it must collapse).

    Raises
    ------
    DataFileError
        If the fixtures are not found.
    """
    rows = read_jsonl(path or _default(), required=("input", "output", "spans"))
    return [*_verdicts(rows), *_perturbed(rows, seed), _swapped(rows)]


def _default() -> Path:
    for folder in Path(__file__).resolve().parents:
        if (folder / "pyproject.toml").is_file():
            return folder / FIXTURES
    raise DataFileError(
        f"no pyproject.toml above {Path(__file__).parent}; the labelled claims are part of a "
        f"checkout of the repository: install it with 'pip install -e .' or give their path."
    )


def _claims(given: str, output: str) -> list[Claim]:
    return Judge(read(given), output).run()


def _at(claims: list[Claim], start: int, end: int) -> Claim | None:
    return next((c for c in claims if c.start < end and start < c.end), None)


def _row(test: str, group: str, hits: int, found: int, true: int) -> Row:
    precision = hits / found if found else None
    recall = hits / true if true else None
    f1 = 2 * hits / (found + true) if found + true else None
    values = {"precision": precision, "recall": recall, "f1": f1}
    return {"test": test, "group": group, **values, "n": true}


def _verdicts(rows: list[Row]) -> list[Row]:
    pairs: list[tuple[str, str]] = []
    for row in rows:
        claims = _claims(row["input"], row["output"])
        for span in row["spans"]:
            claim = _at(claims, span["start"], span["start"] + len(span["text"]))
            pairs.append((span["verdict"], claim.verdict if claim else "none"))
    groups = [(v, (v,)) for v in VERDICTS] + [("wrong", WRONG)]
    return [
        _row(
            "verdict",
            name,
            sum(t in group and g in group for t, g in pairs),
            sum(g in group for _, g in pairs),
            sum(t in group for t, _ in pairs),
        )
        for name, group in groups
    ]


def perturb(text: str, rng: random.Random) -> str | None:
    """The text with its number changed by 8 to 45 percent at the same precision.

    None for a text without digits. Numbers so small that they have no such neighbour move by one
    unit of their last digit.
    """
    match = _DIGITS.search(text)
    if not match:
        return None
    plain = match[0].replace(",", "")
    decimals = len(plain.partition(".")[2])
    value, unit = float(plain), 10.0**-decimals
    change = max(rng.uniform(0.08, 0.45) * value, 2 * unit if value > 4 * unit else unit)
    other = value + change if rng.random() < 0.5 or change >= value else value - change
    comma = "," if "," in match[0] else ""
    return text[: match.start()] + f"{other:{comma}.{decimals}f}" + text[match.end() :]


def _perturbed(rows: list[Row], seed: int) -> list[Row]:
    found = {kind: [0, 0] for kind in KINDS}
    for row in rows:
        if any(span["verdict"] in WRONG for span in row["spans"]):
            continue
        for span in (s for s in row["spans"] if s["verdict"] == "supported"):
            hit = _planted(row, span["start"], span["text"], seed)
            if hit is not None:
                found[span["kind"]][0] += hit
                found[span["kind"]][1] += 1
    return _by_kind(found)


def _planted(row: Row, start: int, text: str, seed: int) -> bool | None:
    """Whether an error planted in one number is found; None if the number has no digits."""
    # seeded by the number, so that two versions of the rules meet the same errors
    other = perturb(text, random.Random(f"{seed} {start} {text}"))
    if other is None:
        return None
    output = row["output"][:start] + other + row["output"][start + len(text) :]
    claim = _at(_claims(row["input"], output), start, start + len(other))
    return claim is not None and claim.verdict in WRONG


def _by_kind(found: dict[str, list[int]]) -> list[Row]:
    total = [sum(hits for hits, _ in found.values()), sum(n for _, n in found.values())]
    named = [(kind, hits, n) for kind, (hits, n) in found.items()]
    empty = {"precision": None, "f1": None}
    return [
        {"test": "perturbation", "group": kind, **empty, "recall": hits / n, "n": n}
        for kind, hits, n in [*named, ("all", total[0], total[1])]
        if n
    ]


def on_texts(rows: Iterable[Row], seed: int = 0) -> list[Row]:
    """Measure the verifier on texts that are taken to be right.

    Parameters
    ----------
    rows : iterable of dict
        Texts ``input`` and ``output``.
    seed : int
        Seeds the planted errors.

    Returns
    -------
    list of dict
        As `self_test`: ``test`` is "accusation" (``recall``: share of the numbers with a definite
        verdict that are called wrong) or "perturbation" (``recall``: share of the errors planted
        in supported numbers that are found, one row per kind and "all").
    """
    found = {kind: [0, 0] for kind in KINDS}
    wrong = checked = 0
    for row in rows:
        for claim in _claims(row["input"], row["output"]):
            wrong += claim.verdict in WRONG
            checked += claim.verdict in ("supported", *WRONG)
            if claim.verdict == "supported":
                hit = _planted(row, claim.start, claim.text, seed)
                if hit is not None:
                    found[claim.kind][0] += hit
                    found[claim.kind][1] += 1
    accused = wrong / checked if checked else None
    share = {"test": "accusation", "group": "all", "precision": None, "recall": accused}
    return [{**share, "f1": None, "n": checked}, *_by_kind(found)]


def _swapped(rows: list[Row]) -> Row:
    """Supported claims about the series, verified against other values than their own."""
    bound = ("level", "relative change", "point change")
    passed = total = 0
    for row in rows:
        match = _DATA.search(row["input"])
        if not match or "Notes:" in row["input"]:
            continue
        other = row["input"][: match.start()] + _other(match) + row["input"][match.end() :]
        claims = _claims(other, row["output"])
        for span in row["spans"]:
            if span["verdict"] == "supported" and span["kind"] in bound:
                claim = _at(claims, span["start"], span["start"] + len(span["text"]))
                passed += claim is not None and claim.verdict == "supported"
                total += 1
    rate = passed / total if total else None
    return {
        "test": "swap",
        "group": "pass rate",
        "precision": None,
        "recall": rate,
        "f1": None,
        "n": total,
    }


def _other(data: re.Match[str]) -> str:
    """Another series of the same form: other size, other order."""
    items = [item.strip() for item in re.split(r",\s+", data[2])]
    items = items[1::2] + items[::2][::-1]
    return data[1] + ", ".join(_DIGITS.sub(_shrunk, item) for item in items) + data[3]


def _shrunk(number: re.Match[str]) -> str:
    plain = number[0].replace(",", "")
    decimals = len(plain.partition(".")[2])
    return f"{float(plain) * 0.23 + 10.0**-decimals:.{decimals}f}"
