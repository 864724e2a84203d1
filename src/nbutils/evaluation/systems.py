"""The systems that answer the held-out cases."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pandas as pd

from nbutils.examples import CaseError, Example, messages, parse_answer, target
from nbutils.models import Model

from .scoring import score


def answer(
    model: Model,
    cases: Sequence[Example],
    *,
    form: str,
    with_facts: bool = True,
    shots: Sequence[Example] = (),
    max_new_tokens: int = 256,
    progress: Callable[[int, int, str], None] | None = None,
) -> list[dict[str, Any]]:
    """Let a system answer all cases and score the answers; one row a case, in order."""
    prompts = [messages(c, form=form, with_facts=with_facts, shots=shots) for c in cases]
    completions = model.generate(prompts, max_new_tokens, progress=progress)
    return [score(c, done) for c, done in zip(cases, completions, strict=True)]


def shot_sets(
    pool: Sequence[Example], sizes: Sequence[int], *, form: str
) -> dict[str, list[Example]]:
    """Few-shot prompts to choose from: short solved examples of different patterns.

    Parameters
    ----------
    pool : sequence of Example
        Training examples.
    sizes : sequence of int
        How many examples each prompt shows.

    Returns
    -------
    dict
        ``"1 example"`` and so on, to the examples; the longest set begins with the shorter ones.
    """
    usable = []
    for example in pool:
        try:
            length = len(target(example, form=form)) + len(example.input)
        except CaseError:
            continue
        usable.append((length, example.id, example))
    picked: list[Example] = []
    patterns: set[str] = set()
    for _, _, example in sorted(usable, key=lambda item: item[:2]):
        pattern = f"{example.meta.get('pattern', '')}{parse_answer(example.output).urgency}"
        if pattern not in patterns:
            patterns.add(pattern)
            picked.append(example)
    return {f"{k} example{'s' if k > 1 else ''}": picked[:k] for k in sizes if k <= len(picked)}


def choose_shots(
    model: Model,
    val: Sequence[Example],
    sets: Mapping[str, list[Example]],
    *,
    form: str,
    max_new_tokens: int = 256,
    progress: Callable[[int, int, str], None] | None = None,
) -> tuple[str, pd.DataFrame]:
    """Choose the few-shot prompt on validation cases, never on the test.

    Returns
    -------
    tuple
        The name of the best set (most answers in the house form, then most numbers right), and
        the comparison: ``prompt``, ``house_form``, ``numbers_right``, ``tokens``, ``n``.
    """
    rows = []
    for name, shots in sets.items():
        scored = pd.DataFrame(
            answer(
                model,
                val,
                form=form,
                shots=shots,
                max_new_tokens=max_new_tokens,
                progress=progress,
            )
        )
        checked = scored["checked"].sum()
        rows.append(
            {
                "prompt": name,
                "house_form": scored["house_form"].mean(),
                "numbers_right": scored["supported"].sum() / checked if checked else 0.0,
                "tokens": scored["prompt_tokens"].mean(),
                "n": len(val),
            }
        )
    table = pd.DataFrame(rows)
    best = table.sort_values(["house_form", "numbers_right"], ascending=False, kind="stable")
    return str(best["prompt"].iloc[0]), table
