"""The merged model served for real on loopback, and several adapters in one process."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from nbutils import models
from nbutils.deployment.local_server import HOST, load_test, same_prompts, served
from nbutils.deployment.tenants import Tenants, switching
from nbutils.errors import UserError
from nbutils.examples import messages, read_examples

torch = pytest.importorskip("torch")
pytest.importorskip("uvicorn")

DATA = Path(__file__).parents[2] / "data" / "growth"
CASES = read_examples(DATA / "test.jsonl")[:3]
ASKED = [messages(case, form="brief") for case in CASES]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with served(tmp_path_factory.mktemp("log") / "server.log") as url:
        yield url


def adapter(base: str, folder: Path, seed: int) -> Path:
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    torch.manual_seed(seed)
    config = LoraConfig(r=4, target_modules="all-linear", task_type="CAUSAL_LM")
    model = get_peft_model(AutoModelForCausalLM.from_pretrained(base), config)
    for name, parameter in model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(parameter, std=0.2)
    model.save_pretrained(folder)
    template = models.template_fingerprint(models.load_tokenizer(base))
    note = {"base": Path(base).name, "fingerprint": template, "four_bit": False}
    (folder / models.ADAPTER_NOTE).write_text(json.dumps(note))
    return folder


def test_the_server_reads_prompts_as_training_did(server: str, tiny_base: str) -> None:
    found = same_prompts(server, Path(tiny_base), ASKED[:2], max_new_tokens=8)
    assert (found["prompt_tokens"] == found["prompt_tokens_served"]).all()
    assert found["same_text"].all()


def test_a_template_that_differs_at_serving_shows(
    server: str, tiny_base: str, tmp_path: Path
) -> None:
    import shutil

    other = Path(shutil.copytree(tiny_base, tmp_path / "other"))
    template = models.load_tokenizer(tiny_base).chat_template
    for file in other.glob("chat_template*"):
        file.unlink()
    settings = json.loads((other / "tokenizer_config.json").read_text())
    settings["chat_template"] = "Be kind. " + template
    (other / "tokenizer_config.json").write_text(json.dumps(settings))
    asked = [models.encode(models.load_tokenizer(tiny_base), m) for m in ASKED[:1]]
    found = same_prompts(server, other, ASKED[:1], max_new_tokens=8)
    assert found["prompt_tokens_served"].iloc[0] != len(asked[0])


def test_more_clients_are_measured_side_by_side(server: str, tiny_base: str) -> None:
    table, answers = load_test(
        server, Path(tiny_base), ASKED, clients=(1, 3), max_new_tokens=6, machine_hour=0.36
    )
    assert list(table["clients"]) == [1, 3]
    assert (table["n"] == 3).all()
    assert (table["p95"] >= table["p50"]).all()
    seconds = 60 / table["requests_per_minute"]
    assert table["per_1000"].tolist() == pytest.approx((seconds * 0.1).tolist())
    assert [a.completion_tokens for a in answers] == [6, 6, 6]


def test_a_port_in_use_is_named(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind((HOST, 0))
        taken.listen()
        port = taken.getsockname()[1]
        with (
            pytest.raises(UserError, match=f"port {port} of this machine is in use"),
            served(tmp_path / "log", port=port),
        ):
            pass


def test_a_server_that_does_not_start_says_what_it_wrote_last(tmp_path: Path) -> None:
    with (
        pytest.raises(
            UserError, match=r"ended with 1 before it was healthy \(.*nonsense.*\): read s.log"
        ),
        served(tmp_path / "s.log", dtype="--nonsense"),
    ):
        pass


def test_a_server_that_takes_too_long_is_given_up(tmp_path: Path) -> None:
    with (
        pytest.raises(UserError, match=r"not healthy after 0 s \(.+\): read s.log, or allow"),
        served(tmp_path / "s.log", seconds=0.01),
    ):
        pass


def test_every_tenant_keeps_its_own_words(tiny_base: str, tmp_path: Path) -> None:
    folders = {name: adapter(tiny_base, tmp_path / name, i) for i, name in enumerate(("a", "b"))}
    tenants = Tenants(tiny_base, folders)
    alone = Tenants(tiny_base, {"b": folders["b"]})
    assert tenants.answer("b", ASKED[0], 12) == alone.answer("b", ASKED[0], 12)
    assert tenants.answer("a", ASKED[0], 12) != tenants.answer("b", ASKED[0], 12)
    found = switching(tenants, ["a", "b"], ASKED[0], times=6)
    assert found["same"].all()
    assert found["n"].tolist() == [3, 3]
    with pytest.raises(UserError, match="tenant 'c' has no adapter here; expected one of a, b"):
        tenants.switch("c")


def test_no_tenant_and_an_adapter_of_another_base_are_refused(
    tiny_base: str, tmp_path: Path
) -> None:
    with pytest.raises(UserError, match="no tenant has an adapter"):
        Tenants(tiny_base, {})
    folder = adapter(tiny_base, tmp_path / "a", 0)
    note = json.loads((folder / models.ADAPTER_NOTE).read_text())
    (folder / models.ADAPTER_NOTE).write_text(json.dumps({**note, "base": "another"}))
    with pytest.raises(UserError, match="another"):
        Tenants(tiny_base, {"a": folder})
