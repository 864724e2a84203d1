"""Two models on the same answers: log-probabilities, loss, divergence, agreement."""

from __future__ import annotations

import gc
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..errors import UserError
from ..examples import Example, messages, target
from ..models import encode
from .adapters import check_base, fitting_tokenizer
from .folding import end_of_turn

Case = Mapping[str, Any]
Row = tuple[list[int], list[int]]


def cases(examples: Sequence[Example], *, form: str, with_facts: bool = True) -> list[Case]:
    """Prompts with their reference answers, from the one prompt builder.

    Returns
    -------
    list of mapping
        ``prompt`` (chat messages) and ``completion`` (text).
    """
    return [
        {
            "prompt": messages(e, form=form, with_facts=with_facts),
            "completion": target(e, form=form),
        }
        for e in examples
    ]


def checked_rows(
    adapter: Path, note: Mapping[str, Any], base: str, cases: Sequence[Case]
) -> list[Row]:
    """Prompt and answer of every case as token ids, the answer up to its end of turn.

    Raises
    ------
    ModelError, UserError
        If the adapter is of another base or template; there are no cases, or one cannot be read.
    """
    check_base(adapter, note, base, "")
    tokenizer = fitting_tokenizer(note, base)
    if not cases:
        raise UserError("there are no cases to compare the models on: give some held-out ones.")
    return [_row(tokenizer, case, number) for number, case in enumerate(cases, start=1)]


def _row(tokenizer: Any, case: Case, number: int) -> Row:
    prompt = encode(tokenizer, case["prompt"])
    answer = str(case["completion"]).strip()
    if not answer:
        raise UserError(f"case {number} has an empty completion: give its reference answer.")
    turns = [*case["prompt"], {"role": "assistant", "content": answer}]
    text = tokenizer.apply_chat_template(turns, tokenize=False)
    whole = list(tokenizer(text, add_special_tokens=False)["input_ids"])
    end = end_of_turn(tokenizer)
    if whole[: len(prompt)] != prompt or end not in whole[len(prompt) :]:
        raise UserError(
            f"the prompt of case {number} is not the beginning of prompt and answer in this chat "
            f"template: leave the case out, or use the template of training."
        )
    return prompt, whole[len(prompt) : whole.index(end, len(prompt)) + 1]


def read(model: Any, rows: Sequence[Row]) -> list[Any]:
    """Log-probabilities of every word at every token of the answers, [tokens, words] by case."""
    import torch

    found = []
    with torch.inference_mode():
        for prompt, answer in rows:
            ids = torch.tensor([prompt + answer], device=model.device)
            # row by row: padding would change nothing but cost a mask and the same time
            logits = model(input_ids=ids, logits_to_keep=len(answer) + 1, use_cache=False).logits
            found.append(logits[0, :-1].float().log_softmax(-1).cpu())
    return found


def loss_of(seen: Sequence[Any], rows: Sequence[Row]) -> float:
    """Mean loss on the answers, in nats a token, from what `read` returns."""
    import torch

    parts = [
        -logs.gather(1, torch.tensor(answer)[:, None]).double().sum()
        for logs, (_, answer) in zip(seen, rows, strict=True)
    ]
    return float(sum(parts)) / token_count(rows)


def compared(before: Sequence[Any], after: Sequence[Any], rows: Sequence[Row]) -> dict[str, float]:
    """Loss of the second, its KL divergence from the first, and how often they rank one first."""
    kl = same = 0.0
    for first, second in zip(before, after, strict=True):
        kl += float((first.exp() * (first - second)).double().sum())
        same += float((first.argmax(-1) == second.argmax(-1)).sum())
    tokens = token_count(rows)
    # below 0 only by rounding
    return {
        "loss": loss_of(after, rows),
        "kl": max(kl, 0.0) / tokens,
        "top1": same / tokens,
    }


def token_count(rows: Sequence[Row]) -> int:
    """Tokens of all answers."""
    return sum(len(answer) for _, answer in rows)


def free_memory() -> None:
    """Give back what models that are no longer held took."""
    import torch

    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
