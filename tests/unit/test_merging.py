"""Adapters merged, merges proven, and the card of what came out; on a tiny model, for real."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

from nbutils import models
from nbutils.deployment import merging
from nbutils.deployment.adapters import adapter_hash, recorded_revision
from nbutils.deployment.card import model_card
from nbutils.deployment.folding import end_of_turn, generation_config
from nbutils.deployment.measuring import cases as cases_of
from nbutils.deployment.merging import merge, merge_note, permit
from nbutils.deployment.proof import LIMITS, prove
from nbutils.deployment.ways import ways
from nbutils.errors import UserError
from nbutils.examples import read_examples

torch = pytest.importorskip("torch")
pytest.importorskip("peft")

DATA = Path(__file__).parents[2] / "data" / "growth"
SHORT = 12  # new tokens: a random model never ends its turn by itself
Make = Callable[..., Path]


@pytest.fixture(scope="module")
def cases() -> list[Any]:
    return cases_of(read_examples(DATA / "test.jsonl")[:2], form="brief")


@pytest.fixture(scope="module")
def make(tiny_base: str, tmp_path_factory: pytest.TempPathFactory) -> Make:
    """An adapter folder as 03_training writes it, with random weights in both halves."""
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    def made(base: str = tiny_base, *, four_bit: bool = False, **lora: Any) -> Path:
        folder = tmp_path_factory.mktemp("run") / "adapter"
        settings = {"r": 4, "target_modules": "all-linear", "task_type": "CAUSAL_LM", **lora}
        config = LoraConfig(**settings)
        model = get_peft_model(AutoModelForCausalLM.from_pretrained(base), config)
        torch.manual_seed(1)
        for name, parameter in model.named_parameters():
            if "lora_B" in name:
                torch.nn.init.normal_(parameter, std=0.05)
        model.save_pretrained(folder)
        template = models.template_fingerprint(models.load_tokenizer(base))
        note = {"base": Path(base).name, "fingerprint": template, "four_bit": four_bit}
        (folder / models.ADAPTER_NOTE).write_text(json.dumps(note))
        (folder / "README.md").write_text("# Adapter\n\n| revision | tiny 1.0 |\n")
        return folder

    return made


@pytest.fixture(scope="module")
def adapter(make: Make) -> Path:
    return make()


@pytest.fixture(scope="module")
def merged(adapter: Path, tiny_base: str) -> Path:
    return merge(adapter, adapter.parent / "merged", base=tiny_base).folder


@pytest.fixture
def other_base(tiny_base: str, tmp_path: Path) -> Path:
    """A copy of the base under the same name, to be changed."""
    return Path(shutil.copytree(tiny_base, tmp_path / "other" / Path(tiny_base).name))


def changed(folder: Path, tmp_path: Path, file: str, **entries: Any) -> Path:
    """A copy of a folder with entries of one JSON file changed."""
    copy = Path(shutil.copytree(folder, tmp_path / folder.name))
    known = json.loads((copy / file).read_text())
    (copy / file).write_text(json.dumps({**known, **entries}))
    return copy


@contextmanager
def files_no_larger_than(size: int) -> Iterator[None]:
    """What the system refuses then is refused as on a full disk, but without root's help."""
    resource = pytest.importorskip("resource")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


# --------------------------------------------------------------------------- merging


def test_a_merged_model_answers_as_base_and_adapter_do(
    adapter: Path, merged: Path, tiny_base: str, cases: list[Any]
) -> None:
    proof = prove(merged, cases, base=tiny_base, adapter=adapter, max_new_tokens=SHORT)
    frame = proof.frame.set_index(proof.frame["measure"].str.split().str[0])
    assert proof.passed
    assert frame.loc["Loss", "difference"] == pytest.approx(0, abs=1e-5)
    assert frame.loc["KL", "merged"] < 1e-6
    assert frame["passed"].all()
    assert frame.loc["Answers", "merged"] == 1
    assert list(proof.frame.columns) == [
        *("measure", "base + adapter", "merged", "difference", "limit", "passed")
    ]
    assert proof.verdict.startswith("The merged model is the one that was evaluated, on 2 cases")
    assert "2 of 2 answers" in proof.verdict
    assert json.loads(json.dumps(proof.record(), allow_nan=False))["passed"] is True


def test_the_adapter_is_what_the_proof_would_miss(
    merged: Path, adapter: Path, tiny_base: str, cases: list[Any], tmp_path: Path
) -> None:
    """The base alone, passed off as the merged model, is found out."""
    forged = Path(shutil.copytree(merged, tmp_path / "forged"))
    shutil.copy(Path(tiny_base) / "model.safetensors", forged)
    proof = prove(forged, cases, base=tiny_base, adapter=adapter, max_new_tokens=SHORT)
    assert not proof.passed
    assert "is not the one that was evaluated" in proof.verdict
    assert "kl from base + adapter" in proof.verdict
    wide = {"loss": 99, "kl": 99, "top1": 0, "text": 0}
    assert prove(
        forged, cases, base=tiny_base, adapter=adapter, limits=wide, max_new_tokens=SHORT
    ).passed


def test_a_model_that_gives_no_numbers_fails_and_is_still_json(
    merged: Path, adapter: Path, tiny_base: str, cases: list[Any], tmp_path: Path
) -> None:
    from safetensors.torch import load_file, save_file

    broken = Path(shutil.copytree(merged, tmp_path / "broken"))
    weights = load_file(broken / "model.safetensors")
    weights["model.norm.weight"].fill_(torch.nan)
    save_file(weights, broken / "model.safetensors", metadata={"format": "pt"})
    wide = {"loss": 99, "kl": 99, "top1": 0, "text": 0}
    proof = prove(broken, cases, base=tiny_base, adapter=adapter, limits=wide, max_new_tokens=3)
    assert not proof.passed
    assert proof.record()["measures"][1]["merged"] is None
    json.dumps(proof.record(), allow_nan=False)


def test_the_folder_holds_all_a_server_needs(adapter: Path, merged: Path, tiny_base: str) -> None:
    tokenizer = models.load_tokenizer(str(merged))
    end = tokenizer.convert_tokens_to_ids("<|im_end|>")
    generation = json.loads((merged / "generation_config.json").read_text())
    assert (generation["eos_token_id"], generation["pad_token_id"]) == (end, end)
    assert models.template_fingerprint(tokenizer) == merge_note(merged)["fingerprint"]
    assert (merged / "chat_template.jinja").is_file()
    mode = (merged / "config.json").stat().st_mode
    assert (merged / "model.safetensors").stat().st_mode == mode
    assert not list(merged.parent.glob(".*"))
    for file in merged.glob("*.json"):
        assert str(Path(tiny_base).parent) not in file.read_text()
    answer = models.load(str(merged)).generate([[{"role": "user", "content": "hi"}]], 3)[0]
    assert answer.completion_tokens == 3


def test_an_nf4_adapter_is_merged_into_the_dequantised_base_and_nowhere_else(
    make: Make, tiny_base: str, cases: list[Any], tmp_path: Path
) -> None:
    pytest.importorskip("bitsandbytes")
    adapter = make(four_bit=True)
    right = merge(adapter, adapter.parent / "merged", base=tiny_base)
    assert right.four_bit
    assert "quantization_config" not in json.loads((right.folder / "config.json").read_text())
    proven = prove(right.folder, cases, base=tiny_base, adapter=adapter, max_new_tokens=SHORT)
    assert proven.passed

    careless = changed(adapter, tmp_path, models.ADAPTER_NOTE, four_bit=False)
    merge(careless, tmp_path / "merged", base=tiny_base)
    wrong = changed(tmp_path / "merged", tmp_path / "w", "nbutils.json", adapter=right.adapter)
    found = prove(wrong, cases, base=tiny_base, adapter=adapter, max_new_tokens=SHORT)
    assert not found.passed
    assert found.frame["merged"][1] > 20 * proven.frame["merged"][1] + LIMITS["kl"]


def test_the_precision_is_stated_with_what_it_costs(
    adapter: Path, merged: Path, tiny_base: str, tmp_path: Path
) -> None:
    exact = merge_note(merged)
    assert (exact["dtype"], exact["rounding"], exact["layers"]) == ("float32", 0, 21)
    assert exact["dtype_reason"] == "float32, in which the base itself is stored"
    half = merge(adapter, tmp_path / "merged", base=tiny_base, dtype="bfloat16")
    assert 0 < half.rounding < 0.2
    from safetensors.torch import load_file

    ours, theirs = (load_file(f / "model.safetensors") for f in (half.folder, merged))
    assert {w.dtype for w in ours.values()} == {torch.bfloat16}
    # rounded once: the bf16 file is the fp32 file, cast
    assert all(torch.equal(ours[k], theirs[k].to(torch.bfloat16)) for k in theirs)
    with pytest.raises(UserError, match="dtype is 'int8', expected auto, float32"):
        merge(adapter, tmp_path / "new", base=tiny_base, dtype="int8")


def test_dora_and_some_layers_only_are_merged_too(
    make: Make, tiny_base: str, cases: list[Any]
) -> None:
    modules = ["q_proj", "down_proj"]
    adapter = make(use_dora=True, layers_to_transform=[1, 2], target_modules=modules)
    found = merge(adapter, adapter.parent / "merged", base=tiny_base)
    assert found.layers == 4
    assert prove(found.folder, cases, base=tiny_base, adapter=adapter, max_new_tokens=8).passed


def test_the_same_merge_is_reused_and_anything_else_is_left_alone(
    adapter: Path, merged: Path, tiny_base: str, make: Make, tmp_path: Path
) -> None:
    before = (merged / "model.safetensors").stat().st_mtime_ns
    (adapter / "README.md").write_text("# Another card\n\n| revision | tiny 1.0 |\n")
    again = merge(adapter, merged, base=tiny_base)
    assert again.reused
    assert again.layers == 21
    assert (merged / "model.safetensors").stat().st_mtime_ns == before

    with pytest.raises(UserError, match=r"merged/ holds another merge \(dtype float32, expected"):
        merge(adapter, merged, base=tiny_base, dtype="bfloat16")
    with pytest.raises(UserError, match=r"merged/ holds another merge \(adapter "):
        merge(make(lora_alpha=3), merged, base=tiny_base)
    letters = tmp_path / "letters"
    letters.mkdir()
    (letters / "dear.txt").write_text("Dear Ada")
    with pytest.raises(UserError, match="letters exists and holds no merged model"):
        merge(adapter, letters, base=tiny_base)
    assert [p.name for p in letters.iterdir()] == ["dear.txt"]
    empty = tmp_path / "empty"
    empty.mkdir()
    (tmp_path / ".empty.new").mkdir()  # left by a killed merge
    assert not merge(adapter, empty, base=tiny_base).reused
    assert sorted(p.name for p in tmp_path.iterdir()) == ["empty", "letters"]


# --------------------------------------------------------------------------- what is refused


def test_an_adapter_of_another_base_is_refused(
    adapter: Path, tiny_base: str, other_base: Path, make: Make, tmp_path: Path
) -> None:
    out, name = tmp_path / "merged", Path(tiny_base).name
    stranger = changed(adapter, tmp_path, models.ADAPTER_NOTE, base="mistral-7b")
    with pytest.raises(models.ModelError, match=f"on mistral-7b, the base given is {name}"):
        merge(stranger, out, base=tiny_base)
    with pytest.raises(models.ModelError, match=r"on revision tiny 1\.0 of .*, here is tiny 2\.0"):
        merge(adapter, out, base=tiny_base, revision="tiny 2.0")

    config = json.loads((other_base / "config.json").read_text())
    for changes, said in (
        ({"num_hidden_layers": 2}, r"layers\.2\..*the base has no such weight"),
        ({"intermediate_size": 96}, r"a weight of \(64, 96\), the adapter's A is \(4, 128\)"),
    ):
        (other_base / "config.json").write_text(json.dumps({**config, **changes}))
        with pytest.raises(models.ModelError, match=said):
            merge(adapter, out, base=str(other_base))
    (other_base / "config.json").write_text(json.dumps(config))
    template = other_base / "chat_template.jinja"
    template.write_text(template.read_text().replace("SmolLM", "SmallLM"))
    with pytest.raises(models.ModelError, match="was trained with prompt template"):
        merge(adapter, out, base=str(other_base))
    assert not out.exists()


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda f: shutil.rmtree(f), r"\(adapter_config.json and .* missing\): run 03_training"),
        (lambda f: (f / "nbutils.json").unlink(), r"\(nbutils.json missing\): run 03_training"),
        (lambda f: (f / "config.json").write_text("{}"), "holds a whole model, not an adapter"),
        (lambda f: (f / "nbutils.json").write_text("{}"), "of kind LORA with the notes none"),
        (
            lambda f: (f / "adapter_model.safetensors").write_bytes(b"not weights"),
            r"adapter_model\.safetensors cannot be read",
        ),
        (
            lambda f: (f / "adapter_config.json").write_text('{"peft_type": "IA3"}'),
            "of kind IA3",
        ),
    ],
)
def test_a_folder_that_is_no_adapter_is_refused(
    adapter: Path, tiny_base: str, tmp_path: Path, spoil: Callable[[Path], Any], said: str
) -> None:
    copy = Path(shutil.copytree(adapter, tmp_path / "adapter"))
    spoil(copy)
    with pytest.raises(UserError, match=said):
        merge(copy, tmp_path / "merged", base=tiny_base)
    assert not (tmp_path / "merged").exists()


def test_weights_that_are_not_finite_are_refused(
    adapter: Path, tiny_base: str, tmp_path: Path
) -> None:
    from safetensors.torch import load_file, save_file

    copy = Path(shutil.copytree(adapter, tmp_path / "adapter"))
    weights = load_file(copy / "adapter_model.safetensors")
    name = next(n for n in weights if "lora_B" in n)
    for value, dtype in ((torch.nan, "float32"), (1e7, "float16")):
        weights[name].fill_(value)
        save_file(weights, copy / "adapter_model.safetensors")
        with pytest.raises(models.ModelError, match=f"is not finite in {dtype}"):
            merge(copy, tmp_path / "merged", base=tiny_base, dtype=dtype)
    assert [p.name for p in tmp_path.iterdir()] == ["adapter"]


def test_a_disk_too_small_is_said_before_anything_is_loaded(
    adapter: Path, tiny_base: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(merging, "free_bytes", lambda folder: 1e7)
    monkeypatch.setattr(merging, "open_base", lambda *_, **__: pytest.fail("it was loaded"))
    said = r"needs 0\.05 GB and 0\.01 GB are free on the disk of merged/: free some"
    with pytest.raises(UserError, match=said):
        merge(adapter, tmp_path / "deeper" / "merged", base=tiny_base)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("size", [200, 1_000_000])
def test_a_disk_that_fills_up_leaves_nothing_behind(
    adapter: Path, tiny_base: str, tmp_path: Path, size: int
) -> None:
    with (
        files_no_larger_than(size),
        pytest.raises(UserError, match=r"could not be written to merged/ \(.*nothing is left"),
    ):
        merge(adapter, tmp_path / "merged", base=tiny_base)
    assert not list(tmp_path.iterdir())
    assert merge(adapter, tmp_path / "merged", base=tiny_base).layers == 21


def test_only_a_passed_gate_permits_a_merge_or_a_reason() -> None:
    assert permit({"passed": True, "verdict": "Passed: all."}) == ""
    for gate in (
        {"passed": False, "explore": True, "verdict": "Failed: numbers right."},
        {"verdict": "Failed: numbers right."},
        {"passed": "yes", "verdict": "Failed: numbers right."},
    ):
        with pytest.raises(UserError, match=r"not passed \(Failed: numbers right\), so it is not"):
            permit(gate, override="  ")
        assert permit(gate, override=" A demonstration. ").endswith("reason: A demonstration.")


# --------------------------------------------------------------------------- how a turn ends


def test_the_end_of_turn_is_the_templates_and_sampling_of_the_base_is_dropped(
    tiny_base: str,
) -> None:
    from transformers import GenerationConfig

    tokenizer = models.load_tokenizer(tiny_base)
    end, other = tokenizer.convert_tokens_to_ids(["<|im_end|>", "<|endoftext|>"])
    assert end_of_turn(tokenizer) == end
    known = GenerationConfig(eos_token_id=other, do_sample=True, temperature=0.7, top_p=0.8)
    made = generation_config(tokenizer, known)
    assert made.eos_token_id == [end, other]
    assert not {"temperature", "top_p", "do_sample"} & set(made.to_diff_dict())
    tokenizer.chat_template = "{% for m in messages %}{{ m['content'] }}\n{% endfor %}"
    with pytest.raises(models.ModelError, match="writes no special token behind an answer"):
        end_of_turn(tokenizer)


def test_the_revision_comes_from_the_note_before_the_card(adapter: Path, tmp_path: Path) -> None:
    assert recorded_revision(adapter, {"revision": "abc"}) == "abc"
    assert recorded_revision(adapter, {}) == "tiny 1.0"
    (tmp_path / "README.md").write_text("| revision | not on record |\n")
    assert recorded_revision(tmp_path, {}) == ""


# --------------------------------------------------------------------------- proof and ways


def test_a_proof_without_cases_or_of_another_adapter_is_refused(
    adapter: Path, merged: Path, tiny_base: str, cases: list[Any], make: Make
) -> None:
    given: dict[str, Any] = {"base": tiny_base, "adapter": adapter}
    with pytest.raises(UserError, match="there are no cases"):
        prove(merged, [], **given)
    with pytest.raises(UserError, match="case 2 has an empty completion"):
        prove(merged, [cases[0], {**cases[1], "completion": " "}], **given)
    with pytest.raises(UserError, match="unknown limit kld, expected some of loss, kl"):
        prove(merged, cases, **given, limits={"kld": 1})
    with pytest.raises(models.ModelError, match="no merged model in adapter/"):
        prove(adapter, cases, **given)
    with pytest.raises(UserError, match="was merged from another adapter than adapter/"):
        prove(merged, cases, base=tiny_base, adapter=make(lora_alpha=3))


def test_a_merged_folder_with_another_template_is_refused(
    adapter: Path, merged: Path, tiny_base: str, cases: list[Any], tmp_path: Path
) -> None:
    copy = Path(shutil.copytree(merged, tmp_path / "merged"))
    template = copy / "chat_template.jinja"
    template.write_text(template.read_text().replace("SmolLM", "SmallLM"))
    with pytest.raises(models.ModelError, match="prompt template"):
        prove(copy, cases, base=tiny_base, adapter=adapter)


def test_the_ways_of_merging_an_nf4_adapter_differ_as_they_should(
    make: Make, tiny_base: str, cases: list[Any]
) -> None:
    pytest.importorskip("bitsandbytes")
    frame = ways(make(four_bit=True), cases, base=tiny_base)
    assert list(frame.columns) == ["way", "loss", "difference", "kl", "top1", "tokens"]
    assert list(frame["way"]) == [
        "base + adapter, not merged",
        "into the NF4 base, dequantised",
        "into the original base",
        "within the 4-bit model",
    ]
    none, dequantised, original, within = frame["kl"]
    assert none == 0
    assert dequantised < 1e-3 < min(original, within)
    assert frame["top1"][1] > max(frame["top1"][2:])
    assert (frame["tokens"] > 300).all()


def test_the_ways_of_merging_another_adapter_differ_as_they_should(
    adapter: Path, tiny_base: str, cases: list[Any]
) -> None:
    pytest.importorskip("bitsandbytes")
    frame = ways(adapter, cases, base=tiny_base).set_index("way")
    exact, rounded, quantised = frame["kl"].iloc[1:]
    assert list(frame.index[1:]) == [
        "into the base, in fp32",
        "into the base, rounded to bf16",
        "into the base as NF4 leaves it",
    ]
    assert exact < 1e-6 < rounded < quantised


# --------------------------------------------------------------------------- the card


PLAN = {
    "base_model": "smollm2-135m",
    "form": "brief",
    "with_facts": True,
    "recipe": {"rank": 16, "dtype": "auto", "four_bit": False, "targets": "q_proj | v_proj"},
    "dtype": "float32",
    "longest": 754,
}
MEASURE = {"layer": "1 Format", "metric": "house_form", "label": "Answers in the house form"}
SCORES = {
    "n": 60,
    "systems": [
        {"name": "base", "label": "Base, zero-shot", "role": "baseline"},
        {"name": "tuned", "label": "Fine-tuned", "role": "candidate"},
    ],
    "metrics": [
        {**MEASURE, "unit": "share", "better": "up", "system": s, "n": 60, **v}
        for s, v in (
            ("base", {"value": 0.1, "low": 0.05, "high": 0.2}),
            ("tuned", {"value": 0.9, "low": 0.8, "high": 0.95}),
        )
    ],
    "comparisons": [],
    "does_not_show": ["How a larger base would do."],
}
CHECK = {"metric": "house_form", "requirement": "at least 0.8", "outcome": "passed"}
FILES: dict[str, Any] = {
    "plan.json": PLAN,
    "training.json": {"best_eval_loss": 1.0},
    "02.json": {"counts": {"candidates": 352, "not_reviewed": 7}, "metrics": {"approved": 243}},
    "03.json": {"counts": {"train": 240, "val": 12}, "inputs": {"train.jsonl": "04b987"}},
    "scores.json": SCORES,
    "gate.json": {
        "passed": True,
        "verdict": "Passed: all of it.",
        "checks": [{**CHECK, "passed": True, "reason": "0.9 on 60 cases"}],
    },
    "run.json": {"inputs": {"data/growth/reports.jsonl": "4060ec"}},
}
PROOF = {
    "passed": True,
    "verdict": "The merged model is the one that was evaluated.",
    "measures": [
        {
            "measure": "Loss on the answers",
            **{"base + adapter": 1.34421, "merged": 1.3443, "difference": 0.00009},
            **{"limit": 0.01, "passed": True},
        },
    ],
}


@pytest.fixture
def run(tmp_path: Path) -> Path:
    folder = tmp_path / "cpu"
    folder.mkdir()
    for name, content in FILES.items():
        (folder / name).write_text(json.dumps(content))
    return folder


def decided(run: Path, *lines: dict[str, Any]) -> None:
    (run / "decisions.jsonl").write_text("".join(json.dumps(x) + "\n" for x in lines))


def test_the_card_says_what_the_model_is_and_how_that_is_known(run: Path, merged: Path) -> None:
    decided(
        run,
        {"reviewer": "reviewer-a", "decision": "approve", "at": None},
        {"reviewer": "ada", "decision": "reject", "at": "2026-11-22T03:11:03+00:00"},
    )
    text = model_card(run, merged, proof=PROOF, licence="apache-2.0")
    front = yaml.safe_load(text.split("---\n")[1])
    assert front["license"] == "apache-2.0"
    assert front["library_name"] == "transformers"
    for said in (
        "**DEMONSTRATION.**",
        "Passed: all of it.",
        "The merged model is the one that was evaluated.",
        "| of them not reviewed, so left out | 7 |",
        "Decisions recorded beforehand: reviewer-a (1).",
        "The recorded reviewers are language models, **not people**.",
        "Decisions made in the run, under the name given there: ada (1).",
        "| data/growth/reports.jsonl | 4060ec |",
        "| train.jsonl | 04b987 |",
        "| dtype | float32 |",
        r"| targets | q_proj \| v_proj |",
        "| Answers in the house form ↑ | 90 [80, 95] | 10% (Base, zero-shot) |",
        "| house_form | at least 0.8 | passed | 0.9 on 60 cases |",
        "| Loss on the answers | 1.3442 | 1.3443 | 0.0001 | 0.01 | yes |",
        "- Not shown: how a larger base would do.",
        "- Rows of more than 754 tokens",
        "| precision of the weights | float32, in which the base itself is stored |",
    ):
        assert said in text, said


def test_a_card_of_ones_own_data_claims_no_demonstration(run: Path, merged: Path) -> None:
    (run / "run.json").write_text('{"inputs": {"data/sales/reports.jsonl": "77"}}')
    plan = {**PLAN, "base_model": "/home/ada/models/mistral"}
    (run / "plan.json").write_text(json.dumps(plan))
    text = model_card(run, merged, proof=PROOF)
    assert "DEMONSTRATION" not in text
    assert "Nobody reviewed the candidates." in text
    assert "/home" not in text
    assert not {"license", "base_model"} & set(yaml.safe_load(text.split("---\n")[1]))


@pytest.mark.parametrize(
    ("name", "notebook"),
    [
        ("scores.json", "04_evaluation"),
        ("gate.json", "04_evaluation"),
        ("training.json", "03_training"),
        ("02.json", "02_augmentation"),
    ],
)
def test_a_card_without_the_evaluation_or_the_training_is_refused(
    run: Path, merged: Path, name: str, notebook: str
) -> None:
    (run / name).unlink()
    with pytest.raises(UserError, match=f"{name} is not in run cpu, .*: run {notebook} first"):
        model_card(run, merged, proof=PROOF)


def test_a_card_of_a_gate_that_did_not_pass_names_the_reason_for_merging(
    run: Path, merged: Path
) -> None:
    gate = {"passed": False, "verdict": "Failed: numbers right.", "checks": []}
    (run / "gate.json").write_text(json.dumps(gate))
    with pytest.raises(UserError, match="say in override why"):
        model_card(run, merged, proof=PROOF)
    text = model_card(run, merged, proof=PROOF, override="To show what a failure looks like.")
    assert "Failed: numbers right." in text
    assert "**Merged although the gate is not passed, for this reason: To show what a" in text


def test_a_card_needs_a_merged_model(run: Path, adapter: Path) -> None:
    with pytest.raises(models.ModelError, match="no merged model in adapter/"):
        model_card(run, adapter, proof=PROOF)


def test_hashes_of_two_adapters_differ(adapter: Path, make: Make) -> None:
    assert adapter_hash(adapter) != adapter_hash(make(lora_alpha=3))


def test_cases_come_from_the_one_prompt_builder() -> None:
    example = read_examples(DATA / "test.jsonl")[0]
    (case,) = cases_of([example], form="brief")
    assert case["prompt"][-1]["role"] == "user"
    assert example.input in case["prompt"][-1]["content"]
    assert case["completion"].startswith("Analysis:")
