"""Does the evidence change the recommendation? The same cases with, without and with a wrong block.

The shuffled block is the control: it holds the same names and the same figures, but the figures
belong to other names. An answer that acts on the lever of the block it was shown follows the block;
one that acts on the same lever whatever the block says does not.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from typing import Any

import numpy as np
import pandas as pd

from nbutils import claims, facts, stats
from nbutils.examples import Case, CaseError, Example, messages, parse_answer, parse_case
from nbutils.facts import Regression, parse_regression
from nbutils.models import Completion, Model

from .naming import acted_on, causal

BLOCKS = ("with", "without", "shuffled")
# measure, what readers call it, numerator and denominator in the rows of `ask`
MEASURES = (
    ("lever", "Acts on a supported lever", "lever", "lever_known"),
    ("null", "Acts on no unsupported one", "null_left", "null_known"),
    ("shown", "Acts on a lever of its own block", "follows", "block_known"),
    ("figures", "Figures of the regression right", "cited_right", "cited"),
    ("cause", "Claims no cause", "no_cause", "asked"),
    ("faithful", "Numbers, and none wrong", "faithful", "asked"),
)
_LINE = re.compile(r"^(\s*[-*•]\s*)([^:]+)(:.*)$")


def with_block(cases: Sequence[Example], block: str | None = None) -> list[Example]:
    """The cases that have a Regression block, or all of them with this one.

    Parameters
    ----------
    cases : sequence of Example
        A case that cannot be read is left out.
    block : str, optional
        Put behind the case's other lines, in place of a block that it may have.
    """
    found = []
    for case in cases:
        try:
            parse_case(case.input)
        except CaseError:
            continue
        if block is not None:
            found.append(_with(case, block))
        elif parse_case(case.input).regression:
            found.append(case)
    return found


def blocks(cases: Sequence[Example], seed: int = 0) -> dict[str, list[Example]]:
    """The same cases with their block, without it, and with its figures under other names.

    Parameters
    ----------
    cases : sequence of Example
        Each with a Regression block.
    seed : int
        Of the shuffling.

    Returns
    -------
    dict
        ``"with"``, ``"without"`` and ``"shuffled"``, in the order of the cases.
    """
    rng = np.random.default_rng(seed)
    own = [parse_case(c.input).regression for c in cases]
    return {
        "with": list(cases),
        "without": [_with(c, None) for c in cases],
        "shuffled": [_with(c, shuffled(b, rng)) for c, b in zip(cases, own, strict=True)],
    }


def shuffled(block: str, rng: np.random.Generator) -> str:
    """A block whose figures belong to other names: what mattered does not, as far as it can be."""
    lines = block.splitlines()
    places = [i for i, line in enumerate(lines) if i and _LINE.match(line)]
    none = [i for i in places if "not significant" in lines[i].lower()]
    some = [i for i in places if i not in none]
    rng.shuffle(none)
    rng.shuffle(some)
    swapped = min(len(none), len(some))
    rest = (none + some)[2 * swapped :] if not swapped else [*none[swapped:], *some[swapped:]]
    source = dict(zip(none[:swapped], some[:swapped], strict=True))
    source |= {b: a for a, b in source.items()}
    source |= dict(zip(rest, [*rest[1:], *rest[:1]], strict=True))
    said = list(lines)
    for place, other in source.items():
        own, theirs = _LINE.match(lines[place]), _LINE.match(lines[other])
        if own and theirs:
            said[place] = f"{own[1]}{own[2]}{theirs[3]}"
    return "\n".join(said)


def _with(case: Example, block: str | None) -> Example:
    own = parse_case(case.input).regression
    text = case.input
    if own:
        text = re.sub(
            rf"^[ \t]*Regression[ \t]*:\s*{re.escape(own)}\s*", "", text, flags=re.M | re.I
        )
    text = text.rstrip() + (f"\nRegression: {block}" if block else "")
    return replace(case, input=text)


def ask(
    model: Model,
    cases: Sequence[Example],
    *,
    form: str,
    with_facts: bool = True,
    max_new_tokens: int = 280,
    progress: Callable[[int, int, str], None] | None = None,
) -> pd.DataFrame:
    """Let a model answer every case under every block, and read what it recommends.

    Parameters
    ----------
    model : Model
        The model.
    cases : sequence of Example
        Each with a Regression block, which counts as the truth.
    form, with_facts : str, bool
        How the prompt is rendered, see `nbutils.examples.messages`.
    max_new_tokens : int
        Longest answer.
    progress : callable, optional
        Called as ``progress(done, total, what)``.

    Returns
    -------
    DataFrame
        A row a case and block: ``id``, ``block``, ``input``, ``output``, ``acts_on`` (names);
        ``lever`` (acts on a predictor that the true block supports), ``null_left`` (on none that
        it does not support), ``follows`` (on one that the block it was shown supports), each with
        ``..._known``; ``cited``, ``cited_right`` (figures of the regression), ``no_cause``,
        ``faithful``, ``asked`` (1).
    """
    shown = blocks(cases)
    asked = [
        messages(c, form=form, with_facts=with_facts) for block in BLOCKS for c in shown[block]
    ]
    done = iter(model.generate(asked, max_new_tokens, progress=progress))
    rows = [
        {"block": block, **_score(true, case, next(done))}
        for block in BLOCKS
        for true, case in zip(cases, shown[block], strict=True)
    ]
    return pd.DataFrame(rows)


def _score(true: Example, shown: Example, done: Completion) -> dict[str, Any]:
    case = parse_case(true.input)
    truth, block = _block(case), parse_regression(parse_case(shown.input).regression)
    acts = set(acted_on(parse_answer(done.text).action, truth, case))
    verdict = claims.verify(shown.input, done.text)
    cited = [c for c in verdict.claims if c.kind == "regression"]
    return {
        "id": true.id,
        "input": shown.input,
        "output": done.text,
        "acts_on": sorted(acts),
        **_acts(acts, truth, block, facts.compute(case).direction != "flat"),
        "cited": len(cited),
        "cited_right": sum(c.verdict == "supported" for c in cited),
        "no_cause": not causal(done.text, truth, case),
        "faithful": verdict.faithful,
        "asked": 1,
        "claims": [c.to_dict() for c in verdict.claims],
    }


def _acts(
    acts: set[str], truth: Regression, block: Regression | None, moved: bool
) -> dict[str, Any]:
    good, none = ({p.name for p in part} for part in (truth.significant, truth.unsupported))
    own = {p.name for p in block.significant} if block else set()
    return {
        "lever": bool(acts & good),
        # a series that did not move calls for no lever
        "lever_known": int(bool(good) and moved),
        "null_left": not acts & none,
        "null_known": int(bool(none)),
        "follows": bool(acts & own),
        "block_known": int(bool(own) and moved),
    }


def _block(case: Case) -> Regression:
    found = parse_regression(case.regression)
    if found is None:
        raise ValueError(f"the case of {case.metric} has no Regression block; expected one.")
    return found


def summarize(rows: pd.DataFrame) -> pd.DataFrame:
    """Every measure under every block, with its interval.

    Returns
    -------
    DataFrame
        ``metric``, ``label``, ``block``, ``value``, ``low``, ``high``, ``n``.
    """
    found = []
    for name, label, top, bottom in MEASURES:
        for block, part in rows.groupby("block", sort=False):
            estimate = stats.ratio(part[top] * part[bottom].clip(upper=1), part[bottom])
            if bottom != "cited":
                known = part[part[bottom] > 0]
                estimate = stats.wilson(int(known[top].sum()), len(known))
            found.append({"metric": name, "label": label, "block": block, **asdict(estimate)})
    return pd.DataFrame(found)


def compare(rows: pd.DataFrame) -> pd.DataFrame:
    """What the block changes, paired by case: against none, and against the shuffled one.

    Returns
    -------
    DataFrame
        ``metric``, ``label``, ``baseline`` (``"without"``, ``"shuffled"``), then the fields of
        `nbutils.stats.Comparison`; "better" means that the true block makes the measure higher.
    """
    parts = {block: part.set_index("id") for block, part in rows.groupby("block")}
    found = []
    for name, label, top, bottom in MEASURES:
        for baseline in ("without", "shuffled"):
            if (name, baseline) in (("shown", "without"), ("figures", "without")):
                # without a block there is nothing to follow or to cite
                continue
            pair = [
                (parts[b][top] * parts[b][bottom].clip(upper=1), parts[b][bottom])
                for b in (baseline, "with")
            ]
            named = {"metric": name, "label": label, "baseline": baseline}
            found.append(named | asdict(stats.compare(pair[0], pair[1])))
    return pd.DataFrame(found)
