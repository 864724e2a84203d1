"""The systems that answer the held-out cases, and the prompt that is chosen on validation."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from nbutils.examples import CaseError, Example, facts_of, messages, parse_answer, target
from nbutils.models import Budget, Completion, Model, Request, Service, ask_while_possible

from .retrieval import Index, terms
from .scoring import score

Row = dict[str, Any]
Progress = Callable[[int, int, str], None]

GENERIC = "The team repeats the measurement in 2 weeks and compares it with the last 4 values."
TEMPERATURE = 0.7


@dataclass(frozen=True)
class Prompt:
    """What a prompt shows besides the case.

    Attributes
    ----------
    shots : tuple of Example
        Solved examples, the same for every case.
    index : Index or None
        Where the most similar past case is looked up, case by case.
    glossary : dict
        Terms explained where a case uses them; only with an index.
    """

    shots: tuple[Example, ...] = ()
    index: Index | None = None
    glossary: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    def messages(
        self, case: Example, *, form: str, with_facts: bool = True
    ) -> list[dict[str, str]]:
        """The conversation for a case; see `nbutils.examples.messages`."""
        near = self.index.nearest(case, 1) if self.index else []
        said = terms(case, self.glossary) if self.index else []
        shots = [*self.shots, *near]
        return messages(case, form=form, with_facts=with_facts, shots=shots, terms=said)


def answer(
    model: Model,
    cases: Sequence[Example],
    prompt: Prompt | None = None,
    *,
    form: str,
    with_facts: bool = True,
    max_new_tokens: int = 256,
    progress: Progress | None = None,
) -> list[Row]:
    """Let a system answer all cases and score the answers; one row a case, in order."""
    shown = prompt or Prompt()
    asked = [shown.messages(c, form=form, with_facts=with_facts) for c in cases]
    completions = model.generate(asked, max_new_tokens, progress=progress)
    return [score(c, done) for c, done in zip(cases, completions, strict=True)]


def names(best: str, n: int, endpoint: str = "") -> dict[str, str]:
    """What readers call each system, in the order of tables.

    Parameters
    ----------
    best : str
        The prompt chosen on validation.
    n : int
        Answers at most for the best of n.
    endpoint : str
        The service's model; empty if none was asked.
    """
    found = {
        "base": "Base, zero-shot",
        "prompted": f"Base, {best} in the prompt",
        "retrieved": "Base, retrieval in the prompt",
        "endpoint": f"{endpoint}, {best} in the prompt",
        "tuned": "Fine-tuned",
        "no_facts": "Fine-tuned, facts left out",
        "best_of": f"Fine-tuned, best of {n}",
        "composed": "Code alone",
    }
    return {k: v for k, v in found.items() if endpoint or k != "endpoint"}


# --------------------------------------------------------------------------- prompts


def prompts(
    pool: Sequence[Example],
    sizes: Sequence[int],
    *,
    form: str,
    glossary: Mapping[str, Mapping[str, Any]] | None = None,
) -> dict[str, Prompt]:
    """Prompts to choose from: a few solved examples, or the most similar past case.

    Parameters
    ----------
    pool : sequence of Example
        Training examples.
    sizes : sequence of int
        How many examples the few-shot prompts show.
    form : str
        Form of the answers; an example that cannot be put into it is left out.
    glossary : mapping, optional
        For ``"retrieval"``: terms by lower-cased name, see `nbutils.facts.read_glossary`.

    Returns
    -------
    dict
        ``"1 example"`` and so on, short ones of different patterns, the longer sets beginning
        with the shorter; and ``"retrieval"``, the most similar past case by BM25 with the glossary
        entries of the terms in the case.
    """
    usable = _usable(pool, form)
    picked: list[Example] = []
    kinds: set[str] = set()
    known = [e for e in pool if e.id in usable]
    for example in sorted(known, key=lambda e: (usable[e.id], e.id)):
        kind = f"{example.meta.get('pattern', '')}{parse_answer(example.output).urgency}"
        if kind not in kinds:
            kinds.add(kind)
            picked.append(example)
    found = {
        f"{k} example{'s' if k > 1 else ''}": Prompt(tuple(picked[:k]))
        for k in sizes
        if 0 < k <= len(picked)
    }
    return {**found, "retrieval": Prompt(index=Index(known), glossary=glossary or {})}


def _usable(pool: Sequence[Example], form: str) -> dict[str, int]:
    """Length of case and answer by id, of the examples that have the form."""
    lengths = {}
    for example in pool:
        try:
            lengths[example.id] = len(target(example, form=form)) + len(example.input)
        except CaseError:
            continue
    return lengths


def choose_prompt(
    model: Model, val: Sequence[Example], candidates: Mapping[str, Prompt], **asked: Any
) -> tuple[str, pd.DataFrame]:
    """Choose the prompt on validation cases, never on the test.

    Parameters
    ----------
    model : Model
        The untuned base.
    val : sequence of Example
        Validation cases.
    candidates : mapping of str to Prompt
        See `prompts`.
    **asked
        As for `answer`.

    Returns
    -------
    tuple
        The name of the best (most answers in the house form, then most numbers right), and the
        comparison: ``prompt``, ``house_form``, ``numbers_right``, ``tokens``, ``n``.
    """
    rows = []
    for name, prompt in candidates.items():
        scored = pd.DataFrame(answer(model, val, prompt, **asked))
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


# --------------------------------------------------------------------------- other systems


def best_of(
    model: Model, cases: Sequence[Example], greedy: Sequence[Row], n: int, **asked: Any
) -> list[Row]:
    """The best of n answers, picked by house form and verifier, with the cost of all of them.

    The first is the greedy one. Only where it fails on form or numbers are others sampled, one
    round at a time; where it does not, it would be picked anyway.

    Parameters
    ----------
    model : Model
    cases : sequence of Example
    greedy : sequence of dict
        The rows of `answer` for these cases.
    n : int
        Answers at most, the greedy one included.
    **asked
        ``form``, ``with_facts``, ``max_new_tokens`` as for `answer`.

    Returns
    -------
    list of dict
        Rows as of `score`, with ``attempts``; tokens, seconds and latency are those of all
        attempts together.
    """
    best = [{**row, "attempts": 1} for row in greedy]
    form, with_facts = asked["form"], asked.get("with_facts", True)
    for attempt in range(1, n):
        open_ = [i for i, row in enumerate(best) if not _passes(row)]
        if not open_:
            break
        done = model.generate(
            [Prompt().messages(cases[i], form=form, with_facts=with_facts) for i in open_],
            asked.get("max_new_tokens", 256),
            progress=asked.get("progress"),
            temperature=TEMPERATURE,
            seed=1000 * attempt,
        )
        for i, completion in zip(open_, done, strict=True):
            best[i] = _better(best[i], score(cases[i], completion))
    return best


def _passes(row: Row) -> bool:
    return bool(row["house_form"] and row["faithful"])


def _better(held: Row, new: Row) -> Row:
    """The better of two answers, at the price of both; of equals the earlier."""
    spent = ("prompt_tokens", "completion_tokens", "seconds", "latency")
    picked = new if _merit(new) > _merit(held) else held
    sums = {name: held[name] + new[name] for name in spent}
    return {**picked, **sums, "attempts": held["attempts"] + 1}


def _merit(row: Row) -> tuple[bool, bool, float]:
    return row["house_form"], row["faithful"], row["precision"] or 0.0


def composed(cases: Sequence[Example]) -> list[Row]:
    """What code alone writes: the brief analysis, one action for all, the usual urgency.

    The ceiling for numbers and the floor for judgement: the action never changes, and urgency is
    `nbutils.facts.Facts.usual_urgency`. A case that cannot be read gets an empty answer.
    """
    rows = []
    for case in cases:
        begun = time.perf_counter()
        known = facts_of(case.input)
        text = ""
        if known:
            text = (
                f"Analysis: {known.brief()}\nRecommended action: {GENERIC}\n"
                f"Urgency: {known.usual_urgency} — {known.size()}."
            )
        rows.append(score(case, Completion(text, 0, 0, time.perf_counter() - begun, bool(text))))
    return rows


def ask_endpoint(
    service: Service,
    cases: Sequence[Example],
    prompt: Prompt,
    *,
    form: str,
    budget: Budget,
    cache: Path,
    attempts: Path,
    max_new_tokens: int = 256,
    progress: Callable[..., None] | None = None,
) -> tuple[list[Row], str]:
    """Let an OpenAI-compatible service answer with the same prompt.

    What it has answered once is not asked or paid again, see `nbutils.models.ask_all`. A service
    that fails half way ends the asking, and what it has answered counts.

    Returns
    -------
    tuple
        Rows as of `score`, with ``cost`` in dollars, of the cases that were answered; and one
        sentence on why the others were not, empty if all were.
    """
    requests = [Request(c.id, prompt.messages(c, form=form), None, max_new_tokens) for c in cases]
    outcome = ask_while_possible(
        requests, service, budget, cache=cache, attempts=attempts, progress=progress
    )
    by_id = {c.id: c for c in cases}
    rows = []
    for reply in outcome.replies:
        if reply.status == "failed":
            continue
        done = Completion(
            reply.text.strip(),
            reply.prompt_tokens,
            reply.completion_tokens,
            reply.seconds,
            reply.status == "answered",
            latency=reply.seconds,
        )
        rows.append({**score(by_id[reply.id], done), "cost": reply.cost})
    return rows, outcome.stopped
