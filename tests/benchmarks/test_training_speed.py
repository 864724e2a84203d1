"""A training step of ours against TRL's stock trainer and the loop of published recipes.

Side by side in one process: the same base, rows, batches and fp32, one step each in turn, on one
thread and in processor seconds, so that neighbours on the machine count little. Six minutes on a
quiet machine, ten on a busy one:

    python -m pytest tests/benchmarks/test_training_speed.py -o addopts="" -q -s
"""

import json
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import pandas as pd
import pytest
import torch

from nbutils import models, training
from nbutils.examples import read_examples
from nbutils.training.fitting import _quiet
from nbutils.training.trainer import make_trainer

# of the rate of matrix products; 0.7 is aimed at, busy neighbours take a good tenth
LEAST_SHARE = 0.5
DATA = Path(__file__).parents[2] / "data" / "growth"
ROUNDS, BATCH, RATE, RANK, ALPHA = 3, 2, 1e-3, 16, 32
PAIRS = read_examples(DATA / "formatted.jsonl", id_field="report_id")
TRAIN, VAL = PAIRS[:64], PAIRS[64:68]
ROWS = training.rows(TRAIN, form="brief", with_facts=True)

PEAK = """
import sys
sys.path.insert(0, sys.argv[1])
import test_training_speed as speed

system = speed.System(sys.argv[2])
system.step(range(4))
with open("/proc/self/status") as file:
    print(next(int(line.split()[1]) for line in file if line.startswith("VmHWM")) / 1024)
"""


# --------------------------------------------------------------------------- the systems


def ours(layers: int) -> Any:
    tokenizer = models.load_tokenizer()
    plan = training.plan(
        TRAIN, VAL, tokenizer, layers=layers, learning_rate=RATE, rank=RANK, dtype="float32"
    )
    val = training.rows(VAL, form="brief", with_facts=True)
    return make_trainer(plan, ROWS, val, Path(tempfile.mkdtemp()), None)[0]


def base() -> Any:
    from transformers import AutoModelForCausalLM

    return AutoModelForCausalLM.from_pretrained(models.base_path(), dtype=torch.float32)


def stock() -> Any:
    """SFTTrainer as it comes, but for the precision, the machine and what is learnt."""
    from datasets import Dataset
    from peft import LoraConfig
    from trl import SFTConfig, SFTTrainer

    return SFTTrainer(
        model=base(),
        args=SFTConfig(
            output_dir=tempfile.mkdtemp(), bf16=False, use_cpu=True, learning_rate=RATE, seed=0
        ),
        train_dataset=Dataset.from_list(ROWS),
        processing_class=models.load_tokenizer(),
        peft_config=LoraConfig(r=RANK, lora_alpha=ALPHA, target_modules="all-linear"),
    )


def recipe() -> Any:
    """The loop that most fine-tuning notebooks print: one text a row, loss on all of it."""
    from datasets import Dataset
    from peft import LoraConfig, get_peft_model
    from transformers import DataCollatorForLanguageModeling, Trainer, TrainingArguments

    tokenizer = models.load_tokenizer()
    texts = [
        tokenizer.apply_chat_template(r["prompt"] + r["completion"], tokenize=False) for r in ROWS
    ]
    ids = tokenizer(texts, add_special_tokens=False)["input_ids"]
    lora = LoraConfig(
        r=RANK, lora_alpha=ALPHA, lora_dropout=0.05, target_modules=["q_proj", "v_proj"]
    )
    return Trainer(
        model=get_peft_model(base(), lora),
        args=TrainingArguments(tempfile.mkdtemp(), use_cpu=True, learning_rate=RATE),
        train_dataset=Dataset.from_dict({"input_ids": ids}),
        data_collator=DataCollatorForLanguageModeling(tokenizer, mlm=False),
    )


SYSTEMS: dict[str, Callable[[], Any]] = {
    "ours, top 15 layers": lambda: ours(15),
    "ours, all layers": lambda: ours(0),
    "TRL's SFTTrainer": stock,
    "recipe's loop": recipe,
}


class System:
    """One of `SYSTEMS`, its trainer driven step by step as its own loop drives it."""

    def __init__(self, name: str) -> None:
        torch.set_num_threads(1)
        with _quiet():
            self.trainer = SYSTEMS[name]()
        self.trainer.create_optimizer()
        self.trainer.current_gradient_accumulation_steps = 1
        if self.trainer.args.activation_checkpointing:
            self.trainer.model.activation_checkpointing_enable()

    @property
    def trained(self) -> int:
        """Weights that are learnt."""
        return sum(p.numel() for p in self.trainer.model.parameters() if p.requires_grad)

    def step(self, rows: Any) -> tuple[float, float]:
        """Processor seconds and loss of a step on these rows."""
        trainer = self.trainer
        begun = time.process_time()
        batch = trainer.data_collator([trainer.train_dataset[i] for i in rows])
        items = trainer._get_num_items_in_batch([batch], torch.device("cpu"))
        loss = trainer.training_step(trainer.model, batch, items)
        torch.nn.utils.clip_grad_norm_(trainer.model.parameters(), 1.0)
        trainer.optimizer.step()
        trainer.optimizer.zero_grad()
        return time.process_time() - begun, float(loss)


# --------------------------------------------------------------------------- the arithmetic


def step_flops(config: Any, sizes: pd.DataFrame, layers: int, adapters: int) -> float:
    """Floating-point operations of our step, of real tokens only and nothing computed twice.

    For each token 2 a frozen weight forward, 2 more for the gradient of its input from the lowest
    adapted layer upwards (there without q, k and v), 6 a weight of an adapter; the head 4 a weight
    on trained tokens only; causal attention of n tokens 2 n^2 d a layer forward, 4 n^2 d backward.
    """
    width, inner = config.hidden_size, config.intermediate_size
    narrow = width // config.num_attention_heads * config.num_key_value_heads
    qkv = width * (width + 2 * narrow)
    linear = qkv + width * width + 3 * width * inner
    depth = config.num_hidden_layers
    top = layers or depth
    rows = sizes.sum(axis=1)
    by_token = 2 * depth * linear + 2 * (top * linear - qkv) + 6 * adapters
    head = 4 * width * config.vocab_size * sizes["completion"].sum()
    attention = (2 * depth + 4 * top) * width * (rows**2).sum()
    return float(by_token * rows.sum() + head + attention)


def product_rate(config: Any, tokens: int) -> float:
    """Operations a second of the plain matrix products of a layer, forward and backward."""
    width, inner = config.hidden_size, config.intermediate_size
    narrow = width // config.num_attention_heads * config.num_key_value_heads
    shapes = [(width, width)] * 2 + [(width, narrow)] * 2 + [(width, inner)] * 2 + [(inner, width)]
    pairs = [(torch.randn(tokens, a), torch.randn(b, a), torch.randn(tokens, b)) for a, b in shapes]
    times = []
    for _ in range(5):
        begun = time.process_time()
        for given, weight, gradient in pairs:
            given @ weight.t()
            gradient @ weight
        times.append(time.process_time() - begun)
    return sum(4 * tokens * a * b for a, b in shapes) / median(times[1:])


# --------------------------------------------------------------------------- the comparison


@pytest.fixture(scope="module")
def measured() -> dict[str, Any]:
    """By round and system: seconds, losses, the rate of products around the step; the tokens."""
    warnings.simplefilter("ignore")
    systems = {name: System(name) for name in SYSTEMS}
    config = systems["recipe's loop"].trainer.model.config
    sizes = training.lengths(models.load_tokenizer(), ROWS)
    found = []
    for number in range(ROUNDS + 1):
        rows = range(number * BATCH, (number + 1) * BATCH)
        tokens = int(sizes.iloc[rows].to_numpy().sum())
        for name, system in systems.items():
            before = product_rate(config, tokens)
            seconds, loss = system.step(rows)
            rate = (before + product_rate(config, tokens)) / 2
            found.append((number, name, tokens, seconds, loss, rate))
    columns = ["round", "system", "tokens", "seconds", "loss", "rate"]
    return {
        "steps": pd.DataFrame(found, columns=columns),
        "config": config,
        "sizes": sizes,
        "adapters": {name: system.trained for name, system in systems.items()},
    }


def by_round(measured: dict[str, Any], values: pd.Series) -> pd.DataFrame:
    """Values of every step but the first, which warms up, with a column for each system."""
    steps = measured["steps"].assign(value=values)
    table = steps.pivot(index="round", columns="system", values="value")[list(SYSTEMS)]
    return table.loc[1:]


def test_tokens_a_second(measured: dict[str, Any]) -> None:
    steps = measured["steps"]
    speed = by_round(measured, steps["tokens"] / steps["seconds"])
    stock = speed["TRL's SFTTrainer"]
    top, every = (speed[name] / stock for name in ("ours, top 15 layers", "ours, all layers"))
    print(f"\n\nreal tokens a processor second, by round\n{speed.round(1).T.to_string()}")
    for name in speed.columns[1:]:
        ratio = speed["ours, top 15 layers"] / speed[name]
        print(f"top 15 over {name}: {ratio.median():.2f} {ratio.round(2).tolist()}")
    print(f"all layers over TRL's SFTTrainer: {every.median():.2f} {every.round(2).tolist()}")
    assert top.median() >= 2
    assert every.median() >= 1.3


def test_the_same_is_learnt_as_by_trl(measured: dict[str, Any]) -> None:
    losses = measured["steps"].pivot(index="round", columns="system", values="loss")
    print(f"\n\nloss by step\n{losses.round(4).T.to_string()}")
    apart = losses["ours, all layers"] / losses["TRL's SFTTrainer"] - 1
    assert apart.abs().max() < 1e-3


@pytest.mark.parametrize(
    ("system", "layers"), [("ours, top 15 layers", 15), ("ours, all layers", 0)]
)
def test_share_of_the_rate_of_matrix_products(
    measured: dict[str, Any], system: str, layers: int
) -> None:
    shares = []
    for step in measured["steps"].query("system == @system and round > 0").itertuples():
        rows = measured["sizes"].iloc[step.round * BATCH : (step.round + 1) * BATCH]
        work = step_flops(measured["config"], rows, layers, measured["adapters"][system])
        shares.append(work / step.seconds / step.rate)
    rate = by_round(measured, measured["steps"]["rate"])[system].median() / 1e9
    print(
        f"\n\n{system}: {median(shares):.0%} of {rate:.0f} GFLOP/s {[round(s, 2) for s in shares]}"
    )
    assert median(shares) > LEAST_SHARE


def test_peak_memory() -> None:
    peaks = {}
    for name in SYSTEMS:
        command = [sys.executable, "-c", PEAK, str(Path(__file__).parent), name]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        peaks[name] = round(float(done.stdout.split()[-1]))
    print(f"\n\npeak memory of a step of 4 rows, MB\n{json.dumps(peaks, indent=1)}")
    assert peaks["ours, top 15 layers"] < peaks["recipe's loop"]
