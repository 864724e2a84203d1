"""Versions in MLflow's registry: a real SQLite store, runs of a few rows built by hand."""

from __future__ import annotations

import json
import re
import shutil
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from test_lineage import PROOF, finished_run, merge, scores, stages, write

from nbutils import stores
from nbutils.deployment import promoting, registry
from nbutils.deployment.lineage import lineage
from nbutils.deployment.moves import MOVES, history
from nbutils.deployment.registering import lineage_tags, register
from nbutils.deployment.versions import Version, find, versions
from nbutils.errors import MissingInput, UserError
from nbutils.records import digest

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:mlflow")

Call = Callable[..., Any]


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """One store for all tests, as `register` makes it in its own process."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
        pytest.importorskip("mlflow")
        root = tmp_path_factory.mktemp("root with space")
        patch.setenv("NBUTILS_ROOT", str(root))
        uri = f"sqlite:///{root}/store/mlflow.db"
        register(finished_run(root), proof=PROOF, name="apart", uri=uri)
        yield uri


@pytest.fixture
def here(store: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """The work of the other process done in this one, with requests and answers as JSON."""

    def answered(work: str, request: Any, _: float) -> dict[str, Any]:
        return json.loads(json.dumps(stores._done(work, json.loads(json.dumps(request)))))

    monkeypatch.setattr(stores, "_answered", answered)
    return store


@pytest.fixture
def name(request: pytest.FixtureRequest) -> str:
    """Each test has a registered model of its own in the common store."""
    return re.sub(r"\W", "_", request.node.name)


@pytest.fixture
def add(here: str, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Call:
    """Register a run with these predictions."""
    monkeypatch.setenv("NBUTILS_ROOT", str(tmp_path))

    def adding(run: str, predictions: Any = None, **more: Any) -> Version:
        proof = more.pop("proof", PROOF)
        merged = finished_run(tmp_path, run, predictions=predictions, **more)
        return register(merged, proof=proof, name=name, uri=here)

    return adding


@pytest.fixture
def promote(here: str, name: str) -> Call:
    return partial(promoting.promote, name=name, uri=here)


@pytest.fixture
def rollback(here: str, name: str) -> Call:
    return partial(promoting.rollback, name=name, uri=here)


@pytest.fixture
def client(here: str) -> Any:
    from mlflow import MlflowClient

    return MlflowClient(here, registry_uri=here)


# --------------------------------------------------------------------------- in its own process


def test_a_model_is_registered_and_found_as_a_command_does_it(store: str) -> None:
    found = find("challenger", name="apart", uri=store)
    assert found.tags == lineage_tags(Path(found.folder), PROOF)
    assert (lineage(found)["missing"] == "").all()


def test_mlflow_itself_finds_the_merged_folder_behind_the_alias(
    add: Call, promote: Call, client: Any, name: str
) -> None:
    made = add("run-1")
    assert made.aliases == ("challenger",)
    promote()
    found = client.get_model_version_by_alias(name, "champion")
    assert (int(found.version), found.source, found.status) == (1, made.folder, "READY")
    assert digest(Path(found.source)) == found.tags["hash.merged"]


def test_work_that_takes_too_long_is_ended(store: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "WHOLE_SECONDS", 0.1)
    with pytest.raises(UserError, match=r"\(mlflow.db\) cannot be used \(not done after 0.1"):
        find(uri=store)


# --------------------------------------------------------------------------- registration


def test_the_same_model_is_registered_once(add: Call, here: str, name: str) -> None:
    assert [add("run-1").version, add("run-1").version, add("run-2").version] == [1, 1, 2]
    frame = versions(name=name, uri=here)
    assert frame["aliases"].tolist() == ["", "challenger"]
    assert frame["run"].tolist() == ["run-1", "run-2"]
    assert frame["verdict"].tolist() == ["Passed: so it is."] * 2


def test_another_evaluation_of_the_same_weights_is_a_new_version(add: Call) -> None:
    assert add("run-1", scores([1] * 8)).version == 1
    assert add("run-1", scores([1] * 9)).version == 2


def test_a_run_without_a_gate_is_not_registered(
    here: str, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NBUTILS_ROOT", str(tmp_path))
    merged = finished_run(tmp_path)
    (merged.parent / "gate.json").unlink()
    with pytest.raises(MissingInput, match=r"gate\.json is not in run run-1: run stage 04 first"):
        register(merged, proof=PROOF, name=name, uri=here)
    assert versions(name=name, uri=here).empty


# --------------------------------------------------------------------------- promotion


def test_a_better_version_takes_the_place_of_the_champion(
    add: Call, promote: Call, here: str, name: str
) -> None:
    add("run-1", scores([1, 0] * 10))
    assert promote(by="ann", why="The first one.").said == (
        f"Version 1 of {name} (run run-1) is champion now, the first one: gate passed."
    )
    add("run-2", scores([1] * 20))
    move = promote("run-2", by="bob", why="Better numbers.")
    assert (move.version, move.before, move.changed) == (2, 1, True)
    rows = move.compared.set_index("metric")
    assert rows.loc["faithful", ["champion", "candidate", "difference", "n"]].tolist() == (
        [0.5, 1.0, 0.5, 20]
    )
    assert rows["outcome"].to_dict() == {"house_form": "identical", "faithful": "better"}
    assert "faithful better, +0.50 [+0.24, +0.70] on 20 cases" in move.said
    assert find(name=name, uri=here).aliases == ("champion",)
    told = history(name=name, uri=here)
    assert told[["kind", "version", "by", "why"]].to_numpy().tolist() == (
        [["promote", 1, "ann", "The first one."], ["promote", 2, "bob", "Better numbers."]]
    )
    assert told["before"].isna().tolist() == [True, False]
    assert told["at"].str.match(r"\d{4}-\d\d-\d\dT").all()


def test_to_promote_the_champion_changes_nothing(
    add: Call, promote: Call, here: str, name: str
) -> None:
    add("run-1")
    promote()
    for which in (1, "1", "champion", "run-1"):
        move = promote(which)
        assert (move.version, move.changed) == (1, False)
        assert "champion already: nothing was changed" in move.said
    assert len(history(name=name, uri=here)) == 1


@pytest.mark.parametrize("gate", ["failed", "not shown"])
def test_a_gate_that_is_not_passed_promotes_nothing(
    add: Call, promote: Call, client: Any, name: str, gate: str
) -> None:
    add(f"run-{gate[:3]}", gate=gate)
    with pytest.raises(UserError, match=rf"its gate is {gate} \({gate.capitalize()}: so it is"):
        promote()
    assert "champion" not in client.get_registered_model(name).aliases


def test_weights_that_are_not_proven_equal_are_not_promoted(add: Call, promote: Call) -> None:
    add("run-1", proof={"passed": False})
    with pytest.raises(UserError, match="not proven equal to base and adapter: merge again"):
        promote()


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        ([1] * 20, [0] * 10 + [1] * 10, r"faithful worse, -0\.50 \[-0\.70, -0\.24\] on 20 cases"),
        ([1] * 20, [0] + [1] * 19, r"faithful not shown, -0\.05 \[-0\.24, \+0\.12\] on 20 cases"),
    ],
    ids=["worse", "not shown"],
)
def test_a_version_that_is_worse_or_may_be_by_more_than_5_points_is_refused(
    add: Call, promote: Call, here: str, name: str, old: list[int], new: list[int], why: str
) -> None:
    add("run-1", scores(old))
    promote()
    add("run-2", scores(new))
    with pytest.raises(UserError, match=why + ", expected not worse and no loss of more than 0.05"):
        promote("run-2")
    assert find(name=name, uri=here).tags["run"] == "run-1"


def test_a_loss_that_the_interval_holds_below_5_points_is_allowed(add: Call, promote: Call) -> None:
    add("run-1", scores([1] * 400))
    promote()
    add("run-2", scores([0] + [1] * 399))
    rows = promote().compared.set_index("metric")
    assert rows.loc["faithful", "outcome"] == "not shown"
    assert -0.05 < rows.loc["faithful", "low"] < 0


def test_cases_of_the_champion_must_be_answered_unless_the_weights_are_the_same(
    add: Call, promote: Call
) -> None:
    add("run-1", scores([1] * 8))
    promote()
    add("run-2", scores([1] * 5))
    with pytest.raises(UserError, match="no answers to 3 of the 8 held-out cases of the champion"):
        promote()
    add("run-1", scores([1] * 5))
    assert promote().compared.empty


def test_an_unknown_version_is_named_with_those_that_are_there(
    add: Call, promote: Call, rollback: Call
) -> None:
    with pytest.raises(UserError, match=r"no version of .* is registered yet: merge a run"):
        promote()
    add("run-1")
    with pytest.raises(
        UserError, match=r"has no version '7', .*: name one of 1, challenger, run-1"
    ):
        promote(7)
    with pytest.raises(UserError, match="has no champion to roll back from: promote a version"):
        rollback()


# --------------------------------------------------------------------------- rollback


def test_the_champion_before_comes_back_once(
    add: Call, promote: Call, rollback: Call, here: str, name: str
) -> None:
    for run in ("run-1", "run-2", "run-3"):
        add(run)
        promote()
    move = rollback(by="ann", why="Complaints.")
    assert (move.version, move.before, move.changed) == (2, 3, True)
    assert move.said == (
        f"Version 2 of {name} (run run-2) is champion again, in place of version 3."
    )
    again = rollback()
    assert (again.version, again.changed) == (2, False)
    assert "to go back further, name the version" in again.said
    assert rollback(1).version == 1
    assert not rollback("1").changed
    told = history(name=name, uri=here)
    assert told["kind"].tolist() == ["promote"] * 3 + ["rollback"] * 2
    assert told.iloc[3][["version", "before", "by", "why"]].tolist() == [2, 3, "ann", "Complaints."]
    with pytest.raises(UserError, match=r"version '3' was not champion before|no champion before"):
        rollback(3)


def test_after_a_rollback_a_promotion_can_be_rolled_back_again(
    add: Call, promote: Call, rollback: Call
) -> None:
    add("run-1")
    promote()
    add("run-2")
    promote()
    rollback()
    promote(2)
    assert (rollback().version, rollback().version) == (1, 1)


def test_without_a_champion_before_there_is_nothing_to_go_back_to(
    add: Call, promote: Call, rollback: Call
) -> None:
    add("run-1")
    promote()
    with pytest.raises(UserError, match=r"there was no champion before version 1 of .*: promote"):
        rollback()
    add("run-2")
    promote()
    add("run-3")
    with pytest.raises(
        UserError, match=r"version '3' was not champion before .*: name one of 1, or"
    ):
        rollback(3)


def test_a_champion_set_by_hand_and_a_promotion_cut_off_lose_nothing(
    add: Call, promote: Call, rollback: Call, client: Any, name: str, here: str
) -> None:
    for run in ("run-1", "run-2", "run-3"):
        add(run)
    promote(1)
    client.set_registered_model_alias(name, "champion", "3")
    assert rollback().version == 1
    client.set_registered_model_alias(name, "champion", "3")
    promote(2)
    assert rollback().version == 3
    # the record of a promotion without its alias
    cut = {"at": "", "kind": "promote", "version": 2, "before": 3, "by": "", "why": ""}
    client.set_registered_model_tag(name, "move.000009", json.dumps(cut))
    assert promote(2).version == 2
    assert rollback().version == 3
    assert history(name=name, uri=here).iloc[-1]["kind"] == "rollback"


# --------------------------------------------------------------------------- what goes wrong


def test_a_merged_folder_that_is_gone_or_was_overwritten_is_not_promoted(
    add: Call, promote: Call, rollback: Call
) -> None:
    first = add("run-1")
    promote()
    second = add("run-2")
    promote()
    write(Path(first.folder), "model.safetensors", {"merged": "from a later training"})
    with pytest.raises(
        UserError, match=r"of version 1 .* \(run run-1\) is not what was registered"
    ):
        rollback()
    shutil.rmtree(first.folder)
    with pytest.raises(UserError, match=r"of version 1 .* is not there any more: bring it back"):
        rollback()
    shutil.rmtree(second.folder)
    assert not promote(2).changed  # champion it is; serving will say that it is gone


def test_a_run_made_again_under_its_name_is_compared_with_what_it_was(
    add: Call, promote: Call, here: str, name: str
) -> None:
    merged = Path(add("run-1", scores([1] * 20)).folder)
    promote()
    run = merged.parent
    write(run, "adapter/adapter_model.safetensors", {"weights": "second"})
    write(run, "predictions.jsonl", scores([0] * 20))
    stages(run)
    merge(run)
    made = register(merged, proof=PROOF, name=name, uri=here)
    assert made.version == 2
    with pytest.raises(UserError, match=r"faithful worse, -1\.00"):
        promote()


def test_versions_and_tags_written_by_hand_are_named(
    add: Call, promote: Call, rollback: Call, client: Any, name: str, here: str
) -> None:
    add("run-1")
    promote()
    merged = find(name=name, uri=here).folder
    client.create_model_version(name, merged)
    with pytest.raises(UserError, match=r"version 2 of .* has no gate on record, as if it was"):
        promote(2)
    add("run-2")
    for key, value, why in (
        ("cases", "[]", "the tag 'cases' of version 3 of .* is no JSON object"),
        ("cases", '{"a": [1]}', "the tag 'cases' of version 3 of .* is broken, expected 2 times"),
        ("proof", "fine", "the tag 'proof' of version 3 of .* is no JSON object"),
    ):
        client.set_model_version_tag(name, "3", key, value)
        with pytest.raises(UserError, match=why):
            promote(3)
    for text in ("promoted by Ann", "[]", '{"kind": "promote", "version": "2", "before": null}'):
        client.set_registered_model_tag(name, "move.000007", text)
        with pytest.raises(UserError, match=r"the tag 'move\.000007' of .* is no record of a prom"):
            rollback()


def test_a_store_that_is_not_there_is_not_made_by_asking(tmp_path: Path) -> None:
    uri = f"sqlite:///{tmp_path}/mlflow.db"
    assert versions(uri=uri).empty
    assert history(uri=uri).columns.tolist() == MOVES
    for ask in (find, promoting.promote, promoting.rollback):
        with pytest.raises(UserError, match="no version of growth is registered yet"):
            ask(uri=uri)
    assert list(tmp_path.iterdir()) == []


def test_a_database_server_that_does_not_answer_is_an_error_without_its_password(
    here: str,
) -> None:
    uri = "postgresql://ann:secret@127.0.0.1:1/mlflow"
    with pytest.raises(UserError, match=r"\(postgresql://127\.0\.0\.1:1\) cannot be") as caught:
        find(uri=uri)
    assert "secret" not in str(caught.value)


def test_a_locked_store_is_an_error_after_the_time_that_is_said(
    store: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(registry, "ANSWER_SECONDS", 0.2)
    file = stores.sqlite_file(store)
    assert file is not None
    copy = shutil.copy(file, tmp_path / "mlflow.db")
    with closing(sqlite3.connect(copy, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        begun = time.monotonic()
        with pytest.raises(UserError, match=r"\(mlflow.db\) cannot be used \(database is locked\)"):
            promoting.promote(uri=f"sqlite:///{copy}")
        assert time.monotonic() - begun < 3


def test_a_file_that_is_no_database_or_cannot_be_written_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "mlflow.db"
    file.write_text("notes of last week, " * 50)
    with pytest.raises(UserError, match=r"cannot be used \(file is not a database\)"):
        find(uri=f"sqlite:///{file}")
    monkeypatch.setenv("NBUTILS_ROOT", str(tmp_path))
    merged = finished_run(tmp_path)
    with pytest.raises(UserError, match=r"\(deeper.db\) cannot be used") as caught:
        register(merged, proof=PROOF, uri=f"sqlite:///{file}/deeper.db")
    assert str(tmp_path) not in str(caught.value)


def test_an_mlflow_server_is_passed_over_or_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:1")
    monkeypatch.setenv("NBUTILS_ARTIFACTS", str(tmp_path))
    assert registry._place(None) == f"sqlite:///{tmp_path}/mlflow/mlflow.db"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "sqlite:///elsewhere.db")
    assert registry._place(None) == "sqlite:///elsewhere.db"
    with pytest.raises(UserError, match="points at folders of this machine, which an MLflow serv"):
        find(uri="http://127.0.0.1:1")
