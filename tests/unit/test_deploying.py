"""What stage 06 and the commands of deployment make of the parts."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
import yaml

from nbutils import cli, deployment, stats
from nbutils.errors import UserError
from nbutils.examples import read_examples

ROOT = Path(__file__).parents[2]
CASES = read_examples(ROOT / "data" / "growth" / "test.jsonl")
GOOD = (
    "Analysis: {said}\nRecommended action: The team tests it for three weeks.\nUrgency: High — so."
)


def prediction(i: int, said: str, **scores: object) -> dict[str, object]:
    given = {"system": "tuned", "faithful": True, "direction_ok": True, "direction_known": True}
    given |= {"urgency_ok": True, "urgency_known": True, "logprob": -0.1 * (i + 1)}
    own = {"id": f"c{i}", "input": "Metric: CVR\nData: [0.44, 0.42, 0.36]", "output": said}
    return {**given, **own, **scores}


def test_the_guard_is_judged_on_the_answers_of_the_evaluation() -> None:
    right = GOOD.format(said="CVR fell from 0.44 to 0.36, down 8 points.")
    wrong = GOOD.format(said="CVR fell from 0.44 to 0.31, down 13 points.")
    rows = deployment.judged(
        [
            prediction(0, right),
            prediction(1, right, urgency_ok=False),
            prediction(2, wrong, faithful=False),
            prediction(3, right, system="base"),
            prediction(4, right, direction_ok=False, direction_known=False),
        ]
    )
    assert [r["path"] for r in rows] == ["model", "model", "person", "model"]
    assert [r["right"] for r in rows] == [True, False, False, True]
    assert [r["confidence"] for r in rows] == [-0.1, -0.2, None, -0.5]
    worth = deployment.guarded(rows).set_index(["metric", "group"])
    assert worth.loc[("answered", "all"), "value"] == 0.75
    assert worth.loc[("right", "all"), "value"] == pytest.approx(2 / 3)
    assert worth.loc[("right", "alone"), "value"] == 0.5


def test_the_curve_begins_where_nothing_is_answered() -> None:
    rows = [{"confidence": 0.9, "right": True}, {"confidence": 0.4, "right": False}]
    curve = deployment.risk_curve([*rows, {"confidence": None, "right": False}])
    assert curve["coverage"].tolist() == pytest.approx([0, 1 / 3, 2 / 3])
    assert pd.isna(curve["risk"][0])
    assert curve["risk"].tolist()[1:] == [0, 0.5]
    assert curve["risk_high"][1] == pytest.approx(stats.wilson(0, 1).high)
    assert len(deployment.risk_curve([{"confidence": None, "right": False}])) == 1


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"request": 3}, "TRIAL has 'request'.*did you mean requests"),
        ({"requests": 0}, "TRIAL sets requests to 0; expected a number above 0"),
        ({"clients": "1,none"}, "TRIAL sets clients to '1,none'"),
        ({"seconds": "soon"}, "TRIAL sets seconds to 'soon'"),
    ],
)
def test_a_wrong_setting_of_the_trial_is_named(given: dict, message: str) -> None:
    with pytest.raises(UserError, match=message):
        deployment.settings(given)


def test_the_settings_of_the_trial_have_defaults() -> None:
    found = deployment.settings({"clients": "1, 8", "requests": 2})
    assert (found["clients"], found["requests"], found["guard_cases"]) == ([1, 8], 2, 10)


def test_paths_are_counted_with_their_reasons() -> None:
    frame = pd.DataFrame(
        [("a", "model", "", 1.0), ("b", "model", "", 3.0), ("c", "person", "case", 0.0)],
        columns=["id", "path", "reason", "seconds"],
    )
    found = deployment.paths(frame).to_dict("records")
    assert found == [
        {"path": "model", "reason": "", "n": 2, "p50": 2.0},
        {"path": "person", "reason": "case", "n": 1, "p50": 0.0},
    ]


def test_without_a_name_nothing_is_registered(tmp_path: Path) -> None:
    offered = deployment.offer(tmp_path, {"passed": True}, name="")
    assert offered.said == "Not registered: REGISTRY is empty."
    assert offered.lineage.empty


def test_the_commands_refuse_what_cannot_be_served(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("NBUTILS_ARTIFACTS", str(tmp_path))
    run = tmp_path / "runs" / "mine"
    run.mkdir(parents=True)
    (run / "run.json").write_text('{"name": "mine"}')
    (run / "plan.json").write_text('{"form": "brief", "base_model": "smollm2-135m"}')
    assert cli.main(["serve", "--run", "mine"]) == 2
    assert "run mine has no merged model to serve: run 06_deployment" in capsys.readouterr().err
    assert cli.main(["serve", "--run", "mine", "--url", "http://127.0.0.1:1/v1"]) == 2
    assert "--url is given without --model" in capsys.readouterr().err
    off = ["serve", "--run", "mine", "--url", "http://127.0.0.1:1/v1", "--model", "m"]
    assert cli.main([*off, "--host", "0.0.0.0", "--port", "0"]) == 2
    assert "without a key" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["promote", "rollback", "lineage"])
def test_without_a_registry_the_commands_say_so(
    command: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("NBUTILS_ARTIFACTS", str(tmp_path))
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    assert cli.main([command]) == 2
    assert "register it first (stage 06)" in capsys.readouterr().err
    assert not list(tmp_path.rglob("*.db"))


def test_the_compose_file_names_what_the_command_of_the_guard_asks_for() -> None:
    services = yaml.safe_load((ROOT / "deploy" / "compose.yaml").read_text("utf-8"))["services"]
    for name in ("merged", "adapters"):
        assert "growth" in services[name]["command"]
        assert services[name]["ports"] == ["127.0.0.1:8001:8001"]
    assert "--enable-lora" in services["adapters"]["command"]
