"""What several tests need: a tiny model with the real tokenizer, and examples of the task."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import settings

from nbutils.examples import Example, read_examples

# the same cases at every run: a gate must not pass by luck
settings.register_profile("gate", derandomize=True, deadline=None)
settings.load_profile("gate")
DATA = Path(__file__).parents[1] / "data" / "growth"


@pytest.fixture(scope="session")
def candidates() -> list[Example]:
    return read_examples(DATA / "candidates.jsonl")


@pytest.fixture(scope="session")
def tiny_base(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A random Llama of 64 dimensions with the base model's own tokenizer and template."""
    torch = pytest.importorskip("torch")
    transformers = pytest.importorskip("transformers")
    from nbutils import models

    folder = tmp_path_factory.mktemp("tiny")
    tokenizer = models.load_tokenizer()
    torch.manual_seed(0)
    config = transformers.LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=64,
        intermediate_size=128,
        num_hidden_layers=3,
        num_attention_heads=4,
        num_key_value_heads=2,
        tie_word_embeddings=True,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
        initializer_range=0.2,
    )
    transformers.LlamaForCausalLM(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return str(folder)
