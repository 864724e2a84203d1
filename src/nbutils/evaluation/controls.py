"""Negative controls: the same cases without their data, or with another case's data."""

from __future__ import annotations

import random
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

import pandas as pd

from nbutils import claims, stats
from nbutils.examples import CaseError, Example, facts_of, parse_case
from nbutils.models import Model

from .systems import answer

_FIELD = r"(?:Metric|Context|Data|Cohort size|Recent changes|Notes|Regression)"
_BLOCK = r"^[ \t]*{}[ \t]*:.*(?:\n(?![ \t]*" + _FIELD + r"[ \t]*:).*)*\n?"
_DATA = re.compile(_BLOCK.format("Data"), re.IGNORECASE | re.MULTILINE)
_EVIDENCE = re.compile(_BLOCK.format("(?:Notes|Regression)"), re.IGNORECASE | re.MULTILINE)
_COHORT = re.compile(_BLOCK.format("Cohort size"), re.IGNORECASE | re.MULTILINE)
_METRIC = re.compile(r"^[ \t]*Metric[ \t]*:[ \t]*([^(\n]+)", re.IGNORECASE | re.MULTILINE)
_TOKEN = re.compile(r"\d[\d,]*(?:\.\d+)?(?:\s?%)?")

_MEASURES = {
    "in_input": "of the new input: printed there, in its facts, or derived from it",
    "in_original": "printed in the original input, not of the new one",
    "in_training": "printed in a training example of the metric, not of the new input",
    "by_chance": "the same for as many training examples of other metrics",
}


def no_data(cases: Sequence[Example]) -> list[Example]:
    """The same cases with nothing left to read: a good answer says so.

    The Data line reads ``not available``, so that `parse_case` refuses the case and its prompt has
    no facts; cohort size, notes and regression are taken out. Metric, context, recent changes and
    instruction stay, as does the id; ``meta["control"]`` is ``"no_data"``. There is no output, and
    no ``meta["expect"]``.

    Parameters
    ----------
    cases : sequence of Example
        Cases with a Data line; others have nothing to take away and are left out.
    """
    found = []
    for case in cases:
        if _DATA.search(case.input):
            text = _COHORT.sub("", _EVIDENCE.sub("", case.input))
            text = _DATA.sub("Data: not available\n", text).strip()
            found.append(_control(case, text, "no_data"))
    return found


def swapped(cases: Sequence[Example], seed: int = 0) -> list[Example]:
    """The same cases, each with the Data line of another: a good answer follows the new data.

    Metric, context, cohort size and recent changes stay; notes and regression are taken out, since
    they speak of the old data. The other case is drawn among those with the same unit, scale and
    period and other values; a case that has none, or cannot be read, is left out.

    Returns
    -------
    list of Example
        With the id of the case; ``meta["control"]`` is ``"swapped"``, ``meta["data_of"]`` the id
        of the case that gave the data. There is no output, and no ``meta["expect"]``.
    """
    rng = random.Random(seed)
    readable = [(case, key) for case in cases if (key := _kind(case.input))]
    found = []
    for case, key in readable:
        others = [other for other, its in readable if its == key and other is not case]
        for other in rng.sample(others, len(others)):
            text = _with_data_of(case.input, other.input)
            # the metric's words help to decide the unit, so the mixture is read again
            if _kind(text) == key and _values(text) != _values(case.input):
                found.append(_control(case, text, "swapped", data_of=other.id))
                break
    return found


def _control(case: Example, text: str, control: str, **more: str) -> Example:
    # what was expected of the old data is expected no more
    meta = {key: value for key, value in case.meta.items() if key != "expect"}
    return replace(case, input=text, output="", meta={**meta, "control": control, **more})


def _kind(text: str) -> tuple[str, ...]:
    """What two series must share to stand for each other; empty if the case cannot be read."""
    try:
        case = parse_case(text)
    except CaseError:
        return ()
    return (case.unit, case.currency, f"{case.scale:g}", case.period)


def _values(text: str) -> tuple[float | None, ...]:
    return parse_case(text).values


def _with_data_of(text: str, other: str) -> str:
    """A case with another's Data line, without notes and regression."""
    line = _DATA.search(other)
    new = f"{line[0].rstrip()}\n" if line else ""
    return _DATA.sub(lambda _: new, _EVIDENCE.sub("", text), count=1).strip()


def recited(
    rows: Mapping[str, Sequence[Mapping[str, Any]]],
    cases: Sequence[Example],
    train: Sequence[Example],
) -> pd.DataFrame:
    """Where the numbers of the answers come from when the data are gone or replaced.

    Numbers are those that `claims.verify` finds, without those of a proposal. Small ones ("3
    weeks") stand almost anywhere: a share recited from training means something only beside
    ``by_chance``, the same share for as many training examples of other metrics.

    Parameters
    ----------
    rows : mapping of str to sequence of mapping
        Control to the rows of `answer`: ``id``, ``input`` (the one that was asked) and ``output``.
    cases : sequence of Example
        The cases from which the controls were made, by id.
    train : sequence of Example
        Training examples; the metric is ``meta["metric"]``, else the name in the Metric line.

    Returns
    -------
    DataFrame
        By control: ``control``, ``measure``, ``label``, ``value``, ``low``, ``high``, ``n``. The
        measure ``states_numbers`` is a share of answers; ``in_input``, ``in_original``,
        ``in_training`` and ``by_chance`` are shares of the stated numbers, the interval resampled
        by document. The last two leave out cases whose metric has no training example. Values are
        missing where there is nothing to count.

    Raises
    ------
    ValueError
        If a row has an id that none of the cases has.
    """
    originals = {case.id: case for case in cases}
    known = [(_metric(e), _printed(f"{e.input}\n{e.output}")) for e in train]
    found = []
    for control, answers in rows.items():
        counts = [_counts(row, _original(row, originals), known) for row in answers]
        saying = stats.wilson(sum(c["stated"] > 0 for c in counts), len(counts))
        label = {"measure": "states_numbers", "label": "answers that state numbers"}
        found.append({"control": control, **label, **asdict(saying)})
        for measure, words in _MEASURES.items():
            of = "with_training" if measure in ("in_training", "by_chance") else "stated"
            share = stats.ratio([c[measure] for c in counts], [c[of] for c in counts])
            label = {"measure": measure, "label": f"numbers {words}"}
            found.append({"control": control, **label, **asdict(share)})
    return pd.DataFrame(found)


def ask_controls(
    model: Model, cases: Sequence[Example], train: Sequence[Example], *, n: int, **asked: Any
) -> pd.DataFrame:
    """Ask a model n cases of each control, as it is asked the cases; see `recited`, `answer`."""
    made = {"no data": no_data(cases)[:n], "other data": swapped(cases)[:n]}
    rows = {name: answer(model, own, **asked) for name, own in made.items()}
    return recited(rows, cases, train)


def _original(row: Mapping[str, Any], originals: Mapping[str, Example]) -> Example:
    if row["id"] not in originals:
        raise ValueError(
            f"the row '{row['id']}' belongs to none of the {len(originals)} cases: give the cases "
            f"from which the controls were made."
        )
    return originals[row["id"]]


def _counts(
    row: Mapping[str, Any], original: Example, known: Sequence[tuple[str, set[str]]]
) -> dict[str, int]:
    """Stated numbers of one answer by where they stand."""
    stated = [c for c in claims.verify(row["input"], row["output"]).claims if _is_stated(c)]
    given = _printed(_with_facts(row["input"]))
    foreign = [
        token
        for claim in stated
        if claim.verdict != "supported" and not (token := _printed(claim.text)) <= given
    ]
    metric = _metric(original)
    own = [printed for name, printed in known if name == metric]
    others = [printed for name, printed in known if name != metric]
    drawn = random.Random(original.id).sample(others, min(len(own), len(others)))
    printed = _printed(_with_facts(original.input))
    return {
        "stated": len(stated),
        "with_training": len(stated) if own else 0,
        "in_input": len(stated) - len(foreign),
        "in_original": sum(token <= printed for token in foreign),
        "in_training": sum(any(token <= one for one in own) for token in foreign),
        "by_chance": sum(any(token <= one for one in drawn) for token in foreign),
    }


def _is_stated(claim: claims.Claim) -> bool:
    return claim.verdict != "proposal"


def _with_facts(text: str) -> str:
    known = facts_of(text)
    return f"{text}\n{known.render()}" if known else text


def _printed(text: str) -> set[str]:
    """The numbers of a text as printed, without separators of thousands and spaces."""
    return {re.sub(r"[,\s]", "", token) for token in _TOKEN.findall(text)}


def _metric(example: Example) -> str:
    line = _METRIC.search(example.input)
    name = str(example.meta.get("metric") or (line[1] if line else ""))
    return name.strip().casefold()
