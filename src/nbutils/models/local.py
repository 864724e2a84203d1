"""A transformers model on this machine, with or without an adapter."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from .answers import Completion, Messages, ModelError, Progress
from .attention import growing_cache, use_grouped
from .base import (
    DEFAULT_BASE,
    base_path,
    encode,
    load_tokenizer,
    nf4,
    template_fingerprint,
    training_dtype,
)

ADAPTER_NOTE = "nbutils.json"
_BATCH_TOKENS = 24_000
_SHORTEST_PREFIX = 32


class LocalModel:
    """A transformers model on this machine; made by `load`.

    Attributes
    ----------
    name : str
        The base's name, with the adapter's folder name if there is one.
    model, tokenizer
        The transformers objects.
    """

    def __init__(self, model: Any, tokenizer: Any, name: str) -> None:
        self.model, self.tokenizer, self.name = model.eval(), tokenizer, name

    @classmethod
    def load(
        cls, base: str = DEFAULT_BASE, adapter: str | Path | None = None, dtype: str | None = None
    ) -> LocalModel:
        """Load a base model and, if given, an adapter on top; see `load` for the errors."""
        import torch
        from transformers import AutoModelForCausalLM

        if adapter is not None and (Path(adapter) / "config.json").is_file():
            base, adapter = str(adapter), None  # all weights were trained
        note = _adapter_note(Path(adapter)) if adapter is not None else {}
        on_gpu = torch.cuda.is_available()
        dtype = dtype or (training_dtype()[0] if on_gpu else "float32")
        tokenizer = load_tokenizer(base)
        _check_template(tokenizer, note)
        model = AutoModelForCausalLM.from_pretrained(
            base_path(base),
            dtype=getattr(torch, dtype),
            device_map="cuda" if on_gpu else None,
            # an adapter learnt to correct the quantised base, not the original one
            quantization_config=nf4(dtype) if note.get("four_bit") else None,
        )
        name = base
        if adapter is not None:
            model = _with_adapter(model, Path(adapter), base, note)
            if not on_gpu and dtype == "float32" and not note.get("four_bit"):
                # adapters cost a sixth of the time a prompt takes; merged in fp32, the same answers
                model = model.merge_and_unload()
            name = f"{base}+{Path(adapter).name}"
        if not on_gpu:
            use_grouped(model)
        return cls(model, tokenizer, name)

    def generate(
        self,
        messages: list[Messages],
        max_new_tokens: int = 256,
        *,
        progress: Progress | None = None,
        temperature: float = 0.0,
        seed: int = 0,
    ) -> list[Completion]:
        """Answer in left-padded batches of similar length, greedily unless a temperature is given.

        What all prompts share at their beginning (system message, few-shot examples) is computed
        once and reused. A seed gives the same samples again for the same list of prompts.
        """
        if not messages:
            return []
        ids = [encode(self.tokenizer, m) for m in messages]
        prefix = _common_prefix(ids)
        answers: dict[int, Completion] = {}
        how: dict[str, Any] = {"do_sample": temperature > 0}
        if temperature > 0:
            how |= {"temperature": temperature, "top_k": 0, "top_p": 1.0}
        for number, batch in enumerate(_batches([len(i) for i in ids], max_new_tokens)):
            rows = [ids[i] for i in batch]
            with _seeded(seed + number):
                found = self._batch(rows, prefix, max_new_tokens, how)
            answers |= dict(zip(batch, found, strict=True))
            if progress:
                progress(len(answers), len(ids), "answers")
        return [answers[i] for i in range(len(ids))]

    def _batch(
        self, rows: list[list[int]], prefix: int, limit: int, how: dict[str, Any]
    ) -> list[Completion]:
        import torch
        from transformers import LogitsProcessorList

        watch = _Watch()
        begun = time.perf_counter()
        end = self._end_ids()
        pad = self.tokenizer.pad_token_id if self.tokenizer.pad_token_id is not None else end[0]
        ids, mask = _pad_after_prefix(rows, prefix, pad)
        device = self.model.device
        with torch.inference_mode():
            out = self.model.generate(
                input_ids=ids.to(device),
                attention_mask=mask.to(device),
                max_new_tokens=limit,
                **how,
                logits_processor=LogitsProcessorList([watch]),
                eos_token_id=end,
                pad_token_id=pad,
                past_key_values=self._cache(rows[0][:prefix], len(rows)),
            )
        new = out[:, ids.shape[1] :].tolist()
        ended = time.perf_counter()
        times = [*watch.times[1:], ended]  # a token is there when the next one is asked for
        logprobs = [[]] * len(rows) if how["do_sample"] else watch.by_row()
        return [
            self._completion(row, answer, end, (begun, (ended - begun) / len(rows), times), logs)
            for row, answer, logs in zip(rows, new, logprobs, strict=True)
        ]

    def _completion(
        self,
        row: list[int],
        answer: list[int],
        end: list[int],
        clock: tuple[float, float, list[float]],
        logprobs: list[float],
    ) -> Completion:
        begun, seconds, times = clock
        stop = next((i for i, token in enumerate(answer) if token in end), None)
        used = answer if stop is None else answer[: stop + 1]
        text = self.tokenizer.decode(used, skip_special_tokens=True).strip()
        return Completion(
            text,
            prompt_tokens=len(row),
            completion_tokens=len(used),
            seconds=seconds,
            stopped=stop is not None,
            latency=times[len(used) - 1] - begun,
            pieces=tuple(self.tokenizer.batch_decode([[t] for t in used])),
            logprobs=tuple(logprobs[: len(used)]),
        )

    def _end_ids(self) -> list[int]:
        """Every id that ends a turn, by the generation config and the tokenizer."""
        known = self.model.generation_config.eos_token_id
        ids = known if isinstance(known, list) else [known]
        return sorted({i for i in [*ids, self.tokenizer.eos_token_id] if i is not None})

    def _cache(self, prefix: list[int], rows: int) -> Any:
        """A cache with keys and values of the shared prefix, if any, for every row of a batch."""
        import torch

        cache = growing_cache(self.model.config)
        if prefix:
            with torch.inference_mode():
                tokens = torch.tensor([prefix], device=self.model.device)
                self.model(
                    input_ids=tokens, past_key_values=cache, use_cache=True, logits_to_keep=1
                )
            cache.batch_repeat_interleave(rows)
        return cache


class _Watch:
    """Notes when each token is asked for, and how probable the likeliest one is."""

    def __init__(self) -> None:
        self.times: list[float] = []
        self.likeliest: list[Any] = []

    def __call__(self, ids: Any, scores: Any) -> Any:
        """Called by ``generate`` before each token; changes nothing."""
        self.times.append(time.perf_counter())
        # one pass over the vocabulary: the likeliest token's score against all of them
        self.likeliest.append(scores.amax(-1) - scores.logsumexp(-1))
        return scores

    def by_row(self) -> list[list[float]]:
        """The logarithms of the greedy tokens' probabilities, row by row."""
        import torch

        return [[float(x) for x in row] for row in torch.stack(self.likeliest, 1).tolist()]


@contextmanager
def _seeded(seed: int) -> Iterator[None]:
    """Draw from this seed, and leave the generators of others as they were."""
    import torch

    with torch.random.fork_rng():
        torch.manual_seed(seed)
        yield


def _adapter_note(adapter: Path) -> dict[str, Any]:
    """What was stored with an adapter when it was trained; empty for one from elsewhere."""
    if not (adapter / "adapter_config.json").is_file():
        raise ModelError(
            f"no adapter in {adapter.name}/ (adapter_config.json is missing): run 03_training "
            f"first."
        )
    note = adapter / ADAPTER_NOTE
    return json.loads(note.read_text(encoding="utf-8")) if note.is_file() else {}


def _with_adapter(model: Any, adapter: Path, base: str, note: Mapping[str, Any]) -> Any:
    from peft import PeftModel
    from safetensors import SafetensorError

    try:
        return PeftModel.from_pretrained(model, str(adapter))
    except (RuntimeError, ValueError, OSError, KeyError, SafetensorError) as error:
        trained = f"it was trained on {note['base']}" if "base" in note else "of another base?"
        raise ModelError(
            f"the adapter in {adapter.name}/ does not fit on '{base}' ({trained}; "
            f"{type(error).__name__}: {str(error).strip().splitlines()[0][:120]}): load it on "
            f"the base it was trained on, or run 03_training again."
        ) from None


def _check_template(tokenizer: Any, note: Mapping[str, Any]) -> None:
    found = template_fingerprint(tokenizer)
    stored = note.get("fingerprint", found)
    if stored != found:
        raise ModelError(
            f"the adapter was trained with prompt template {stored} and the base model here makes "
            f"{found}: load it on the base it was trained on, or train it again."
        )


def _common_prefix(ids: list[list[int]]) -> int:
    """How many leading tokens all prompts share; at least one must remain to be computed."""
    if len(ids) < 2:
        return 0
    low, high = min(ids), max(ids)
    shortest = min(map(len, ids)) - 1
    shared = next((i for i in range(shortest) if low[i] != high[i]), shortest)
    return shared if shared >= _SHORTEST_PREFIX else 0


def _batches(lengths: Sequence[int], new_tokens: int) -> list[list[int]]:
    """Indices in batches of similar length, the longest first, within a budget of tokens."""
    batches: list[list[int]] = []
    for index in sorted(range(len(lengths)), key=lambda i: -lengths[i]):
        longest = lengths[batches[-1][0]] + new_tokens if batches else 0
        if batches and longest * (len(batches[-1]) + 1) <= _BATCH_TOKENS:
            batches[-1].append(index)
        else:
            batches.append([index])
    return batches


def _pad_after_prefix(rows: list[list[int]], prefix: int, pad: int) -> tuple[Any, Any]:
    """Ids and mask: the shared prefix, then padding, then what is particular to the row."""
    import torch

    width = max(map(len, rows))
    ids = torch.full((len(rows), width), pad)
    mask = torch.zeros((len(rows), width), dtype=torch.long)
    for i, row in enumerate(rows):
        ids[i, :prefix] = torch.tensor(row[:prefix], dtype=torch.long)
        ids[i, width - len(row) + prefix :] = torch.tensor(row[prefix:])
        mask[i, :prefix] = 1
        mask[i, width - len(row) + prefix :] = 1
    return ids, mask
