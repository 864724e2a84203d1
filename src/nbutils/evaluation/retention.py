"""What fine-tuning forgets: general questions, and how well the model predicts ordinary text."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
import pandas as pd

from nbutils import stats
from nbutils.errors import UserError
from nbutils.models import LocalModel, Model, Remembered
from nbutils.models.answers import Progress

from .showing import FEWEST

_RESAMPLES = 5000


def general(
    model: Model,
    items: Sequence[Mapping[str, Any]],
    *,
    max_new_tokens: int = 24,
    progress: Progress | None = None,
) -> pd.DataFrame:
    """Ask short questions that have nothing to do with the task, as a plain user's turn.

    Parameters
    ----------
    items : sequence of mapping
        ``id``, ``skill``, ``prompt``, ``match`` (``"regex"``, ``"exact"`` or ``"contains"``) and
        ``pattern``; all three ignore case and blanks around the answer.

    Returns
    -------
    DataFrame
        By item: ``id``, ``skill``, ``right``, ``output``.

    Raises
    ------
    UserError
        If an item lacks a field, or its match or pattern cannot be used; nothing is asked then.
    """
    checks = [_check(item, place) for place, item in enumerate(items, start=1)]
    prompts = [[{"role": "user", "content": str(item["prompt"])}] for item in items]
    answers = model.generate(prompts, max_new_tokens, progress=progress)
    rows = [
        (item["id"], item["skill"], bool(check.search(done.text.strip())), done.text)
        for item, check, done in zip(items, checks, answers, strict=True)
    ]
    return pd.DataFrame(rows, columns=["id", "skill", "right", "output"])


def _check(item: Mapping[str, Any], place: int) -> re.Pattern[str]:
    """Each of the three ways to match as one regular expression."""
    where = f"general item {item.get('id', place)}"
    for key in ("id", "skill", "prompt", "match", "pattern"):
        if key not in item:
            raise UserError(f"{where}: field '{key}' is missing: add it or remove the item.")
    pattern = str(item["pattern"])
    forms = {
        "regex": pattern,
        "exact": rf"\A{re.escape(pattern.strip())}\Z",
        "contains": re.escape(pattern),
    }
    if item["match"] not in forms:
        raise UserError(
            f"{where}: match is '{item['match']}'; expected one of {', '.join(forms)}: correct it."
        )
    try:
        return re.compile(forms[item["match"]], re.IGNORECASE)
    except re.error as error:
        raise UserError(
            f"{where}: '{pattern[:60]}' is no regular expression ({error}): mend the pattern."
        ) from None


def retention(before: pd.DataFrame, after: pd.DataFrame) -> pd.DataFrame:
    """General questions right before and after tuning, by skill and in all.

    Parameters
    ----------
    before, after : DataFrame
        Rows of `general` for the same items.

    Returns
    -------
    DataFrame
        ``skill`` (``"all"`` last), ``n``, ``right_before`` and ``right_after`` (counts),
        ``before``, ``after``, ``difference``, ``low`` and ``high`` (shares and the 95% interval of
        their paired difference, missing under `FEWEST` items), ``p`` and ``outcome`` (of all only:
        skills are read, not tested). See `stats.compare`.

    Raises
    ------
    UserError
        If the two do not hold the same items.
    """
    before, after = _paired(before, after)
    rows = []
    for skill in [*sorted(before["skill"].unique()), "all"]:
        own = (before["skill"] == skill) | (skill == "all")
        rows.append({"skill": skill} | _kept(before.loc[own, "right"], after.loc[own, "right"]))
        if skill != "all":
            rows[-1] |= {"p": None, "outcome": ""}
    return pd.DataFrame(rows)


def _kept(before: pd.Series, after: pd.Series) -> dict[str, Any]:
    n = len(before)
    found = asdict(stats.compare((before, np.ones(n)), (after, np.ones(n))))
    shares: dict[str, Any] = {"before": before.mean(), "after": after.mean()}
    shares |= {key: found[key] for key in ("difference", "low", "high")}
    if n < FEWEST:
        shares = dict.fromkeys(shares)
    counts = {"n": n, "right_before": int(before.sum()), "right_after": int(after.sum())}
    return {**counts, **shares, "p": found["p"], "outcome": found["outcome"]}


def perplexity(model: Model, texts: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """How well a model on this machine predicts ordinary text, token by token.

    Parameters
    ----------
    texts : sequence of mapping
        ``id`` and ``text``. A token for the beginning stands before a text only if the tokenizer
        puts one there; without it the first token is not predicted.

    Returns
    -------
    DataFrame
        By text: ``id``, ``tokens`` (predicted), ``nll`` (their summed negative log likelihood, in
        nats).

    Raises
    ------
    UserError
        If the model is an endpoint, which does not tell the likelihood of a given text.
    """
    if isinstance(model, Remembered):
        model = model.loaded
    if not isinstance(model, LocalModel):
        raise UserError(
            f"perplexity needs a model on this machine, and '{model.name}' is not one: leave it "
            f"out, or load the model with its base."
        )
    rows = [(text["id"], *_nll(model, str(text["text"]))) for text in texts]
    return pd.DataFrame(rows, columns=["id", "tokens", "nll"])


def _nll(model: LocalModel, text: str) -> tuple[int, float]:
    import torch

    ids = torch.tensor([model.tokenizer(text)["input_ids"]], dtype=torch.long)
    if ids.shape[1] < 2:
        return 0, 0.0
    ids = ids.to(model.model.device)
    with torch.inference_mode():
        logits = model.model(input_ids=ids, use_cache=False).logits[0, :-1].float()
        loss = torch.nn.functional.cross_entropy(logits, ids[0, 1:], reduction="sum")
    return ids.shape[1] - 1, float(loss)


def perplexity_table(before: pd.DataFrame, after: pd.DataFrame) -> pd.DataFrame:
    """Perplexity before and after tuning, and their ratio.

    Parameters
    ----------
    before, after : DataFrame
        Rows of `perplexity` for the same texts.

    Returns
    -------
    DataFrame
        One row: ``before`` and ``after`` (``exp`` of the nats a token), ``ratio`` (after by
        before; above 1 is worse), ``low`` and ``high`` (its 95% interval, texts resampled in pairs
        (percentile bootstrap); missing for one text), ``texts`` and ``tokens``.

    Raises
    ------
    UserError
        If the two do not hold the same texts in the same tokens: perplexities of two tokenizers
        cannot be compared. Also if no token was predicted.
    """
    before, after = _paired(before, after)
    if not (before["tokens"] == after["tokens"]).all():
        raise UserError(
            "the two models cut the texts into different tokens, so their perplexities cannot be "
            "compared: use a base and its own fine-tune."
        )
    tokens = before["tokens"].to_numpy(dtype=float)
    if not tokens.sum():
        raise UserError("no token of the texts was predicted: give texts of at least two tokens.")
    old, new = (frame["nll"].to_numpy(dtype=float) for frame in (before, after))
    low, high = _ratio_interval(new - old, tokens)
    row = {
        "before": math.exp(old.sum() / tokens.sum()),
        "after": math.exp(new.sum() / tokens.sum()),
        "ratio": math.exp((new - old).sum() / tokens.sum()),
        "low": low,
        "high": high,
        "texts": len(tokens),
        "tokens": int(tokens.sum()),
    }
    return pd.DataFrame([row])


def forgotten(
    before: Model,
    after: Model,
    items: Sequence[Mapping[str, Any]],
    texts: Sequence[Mapping[str, Any]],
    *,
    progress: Progress | None = None,
) -> pd.DataFrame:
    """General questions and everyday text before and after tuning, in one table.

    Returns
    -------
    DataFrame
        ``what`` (a skill, ``all questions``, ``perplexity of everyday text``), ``n``, ``before``,
        ``after`` (counts or shares right; perplexity), ``change`` (difference of the shares, ratio
        of the perplexities, with interval) and ``outcome``.
    """
    right = retention(*(general(m, items, progress=progress) for m in (before, after)))
    rows = [
        {
            "what": "all questions" if row["skill"] == "all" else row["skill"],
            "n": row["n"],
            "before": f"{row['right_before']} right",
            "after": f"{row['right_after']} right",
            "change": _change(row["difference"], row["low"], row["high"], "+"),
            "outcome": row["outcome"],
        }
        for row in right.to_dict("records")
    ]
    p = perplexity_table(perplexity(before, texts), perplexity(after, texts)).iloc[0]
    rows.append(
        {
            "what": "perplexity of everyday text",
            "n": p["texts"],
            "before": f"{p['before']:.1f}",
            "after": f"{p['after']:.1f}",
            "change": "times " + _change(p["ratio"], p["low"], p["high"], ""),
            "outcome": "worse" if p["low"] is not None and p["low"] > 1 else "",
        }
    )
    return pd.DataFrame(rows)


def _change(value: Any, low: Any, high: Any, sign: str) -> str:
    if value is None or pd.isna(value):
        return ""
    ends = "" if pd.isna(low) else f" [{low:{sign}.2f}, {high:{sign}.2f}]"
    return f"{value:{sign}.2f}{ends}"


def _ratio_interval(change: np.ndarray, tokens: np.ndarray) -> tuple[float | None, float | None]:
    change, tokens = change[tokens > 0], tokens[tokens > 0]
    if len(tokens) < 2:
        return None, None
    rows = np.random.default_rng(0).integers(0, len(tokens), (_RESAMPLES, len(tokens)))
    ratios = np.exp(change[rows].sum(axis=1) / tokens[rows].sum(axis=1))
    low, high = np.quantile(ratios, [0.025, 0.975])
    return float(low), float(high)


def _paired(before: pd.DataFrame, after: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Both by id, in the order of the first."""
    first, second = before.set_index("id"), after.set_index("id")
    if first.index.has_duplicates or set(first.index) != set(second.index) or first.empty:
        odd = sorted(set(first.index) ^ set(second.index))[:3]
        raise UserError(
            f"before holds {len(first)} items and after {len(second)}, not the same ones "
            f"({', '.join(map(str, odd)) or 'none, or an id twice'}): ask both models the same."
        )
    return first, second.loc[first.index]
