"""What is asked of the teacher: a variant of a training example, for a hole in the data."""

from __future__ import annotations

import itertools
import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
from pydantic import BaseModel, ConfigDict, Field

from nbutils import balance
from nbutils.examples import DataFileError, Example, read_jsonl

# an answer takes some 500; what a model thinks before it counts as well
MAX_TOKENS = 4000
PATTERNS = {
    "accelerating": "the move gets faster from period to period",
    "delayed_effect": "a known change shows only two or more periods later",
    "dip_recovery": "it falls and comes back to where it was",
    "divergence": "the values are the gap between two groups, and the gap opens",
    "drift": "it moves slowly in one direction, beyond the noise",
    "level": "it stays where it is, up to rounding",
    "noise": "it moves, but no more than a cohort of this size moves by chance",
    "plateau": "it rises or falls and then levels off",
    "seasonal": "it repeats with the weekday, the month or the quarter",
    "spike": "one or two periods stand out and the rest is level",
    "steady_decline": "it falls in nearly every period",
    "steady_rise": "it rises in nearly every period",
    "step": "one lasting step between two level stretches",
    "step_down": "one lasting step down between two level stretches",
    "step_up": "one lasting step up between two level stretches",
}

_SHAPES = ("step", "drift", "spike", "noise", "seasonal", "level")
_SYSTEM = (
    "You write training examples for a growth analyst. An example is a case and the answer that a "
    "careful analyst would give. Invent the company, the figures and what happened; keep the form "
    "of the example you are shown to the letter. Rules: every number in the analysis and in the "
    "urgency stands in the case or follows from it by arithmetic that you have checked; percent "
    "and percentage points are kept apart; a cause is called likely, not proven, and what the "
    "data cannot show is said; the action names an owner, a measure and a decision rule; no term "
    "is used that the glossary does not hold and the text does not explain; the answer has at "
    "most 180 words."
)


class Proposal(BaseModel):
    """What the teacher returns: an example in the house form."""

    model_config = ConfigDict(extra="forbid")

    instruction: str = Field(min_length=1)
    input: str = Field(min_length=1)
    output: str = Field(min_length=1)


@dataclass(frozen=True)
class Ask:
    """One example to ask for.

    Attributes
    ----------
    id : str
        What the candidate will be called.
    seed : Example
        The parent: a training example that shows the form.
    metric, pattern : str
        What the variant is to be about, another metric than the parent's, and how its series runs.
    variant : int
        1, 2, ...: tells the same wish from itself when it is asked for again.
    """

    id: str
    seed: Example
    metric: str
    pattern: str
    variant: int = 1


def messages(ask: Ask, terms: Iterable[str] = ()) -> list[dict[str, str]]:
    """The conversation that asks for one example.

    Parameters
    ----------
    ask : Ask
    terms : iterable of str
        Glossary terms that need no explanation.
    """
    shown = {k: getattr(ask.seed, k) for k in ("instruction", "input", "output")}
    meaning = PATTERNS.get(ask.pattern, "")
    wish = [
        "An example in the house form:",
        json.dumps(shown, ensure_ascii=False, indent=1),
        f"Write another one about the metric: {ask.metric}",
        f"The series shows the pattern: {ask.pattern}" + (f" ({meaning})" if meaning else ""),
        "Choose another segment, market, cohort size and reason than the example's.",
    ]
    wish += [f"This is variant {ask.variant}: differ from the others."] if ask.variant > 1 else []
    known = ", ".join(terms)
    wish += [f"Terms that need no explanation: {known}"] if known else []
    return [
        {"role": "system", "content": _SYSTEM},
        {"role": "user", "content": "\n".join(wish)},
    ]


def plan_asks(seeds: Sequence[Example], n: int) -> list[Ask]:
    """Ask for what the training side has least of: a metric and a pattern for each parent.

    The emptiest combinations of metric family and pattern come first (`balance.wanted`); each is
    given a metric of its family, in turn, and the parent that was used least and is about another
    metric.

    Parameters
    ----------
    seeds : sequence of Example
        Examples of the training side; ``meta["side"]`` must not say otherwise.
    n : int
        How many to ask for.

    Raises
    ------
    DataFileError
        If a seed belongs to the validation side.
    """
    _only_training(seeds)
    if not seeds or n <= 0:
        return []
    described = balance.describe(seeds)
    by_family = {f: list(m) for f, m in _metrics(described).items()}
    holes = balance.wanted(described, n)[["family", "pattern"]].to_dict("records")
    # too few seeds to have holes: every shape of each of their metrics is one
    holes = holes or [{"family": f, "pattern": p} for f in by_family for p in _SHAPES]
    used: Counter[str] = Counter()
    told: Counter[tuple[str, str, str]] = Counter()
    asks = []
    for position, hole in zip(range(n), itertools.cycle(holes), strict=False):
        names = by_family[hole["family"]]
        metric = names[position // len(holes) % len(names)]
        seed = _parent(seeds, described["metric"], metric, used)
        wish = (seed.id, metric, str(hole["pattern"]))
        told[wish] += 1
        asks.append(Ask(f"c{position + 1:04}", seed, metric, wish[2], told[wish]))
    return asks


def recorded_asks(path: Path, seeds: Sequence[Example]) -> tuple[list[Ask], dict[str, Proposal]]:
    """What a recorded teacher was asked, for parents on the training side, and its answers.

    Parameters
    ----------
    path : Path
        JSONL rows with ``id``, ``seed_id``, ``metric``, ``pattern``, ``instruction``, ``input``
        and ``output``.
    seeds : sequence of Example
        Examples of the training side; a recorded answer to another parent is not asked for.

    Returns
    -------
    tuple
        The asks, and the answer to each by its id.

    Raises
    ------
    DataFileError
        If a row lacks a field, or a seed belongs to the validation side.
    """
    _only_training(seeds)
    known = {seed.id: seed for seed in seeds}
    told: Counter[tuple[str, str, str]] = Counter()
    asks, answers = [], {}
    for row in read_jsonl(path, ["id", "seed_id", "metric", "pattern", "input", "output"]):
        if row["seed_id"] not in known:
            continue
        wish = (row["seed_id"], row["metric"], row["pattern"])
        told[wish] += 1
        asks.append(Ask(row["id"], known[row["seed_id"]], *wish[1:], told[wish]))
        answers[row["id"]] = Proposal(**{k: row[k] for k in Proposal.model_fields})
    return asks, answers


def asked_for(asks: Sequence[Ask]) -> pd.DataFrame:
    """How often each pattern is asked for, of how many metrics: ``pattern``, ``asked``,
    ``metrics`` and ``parents``.
    """
    rows = [{"pattern": a.pattern, "metric": a.metric, "parent": a.seed.id} for a in asks]
    frame = pd.DataFrame(rows, columns=["pattern", "metric", "parent"])
    grouped = frame.groupby("pattern")
    table = grouped.agg(
        asked=("metric", "size"), metrics=("metric", "nunique"), parents=("parent", "nunique")
    )
    return table.sort_values("asked", ascending=False).reset_index()


def _only_training(seeds: Sequence[Example]) -> None:
    wrong = [seed.id for seed in seeds if seed.meta.get("side") == "val"]
    if wrong:
        raise DataFileError(
            f"{len(wrong)} seeds are validation examples ({', '.join(wrong[:3])}); a variant would "
            f"carry them into training: give the training side only."
        )


def _metrics(described: pd.DataFrame) -> Mapping[Any, Any]:
    """Family to its metrics' names, the commonest first."""
    named = described[described["metric"] != balance.UNKNOWN]
    return {f: part.value_counts().index for f, part in named.groupby("family")["metric"]}


def _parent(
    seeds: Sequence[Example], metrics: Iterable[str], metric: str, used: Counter[str]
) -> Example:
    """The example used least that is about another metric; the first of all if there is none."""
    others = [s for s, m in zip(seeds, metrics, strict=True) if m.lower() != metric.lower()]
    chosen = min(others or seeds, key=lambda seed: used[seed.id])
    used[chosen.id] += 1
    return chosen
