"""Probes, abstention, what tuning forgets, and negative controls."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from nbutils import models
from nbutils.errors import UserError
from nbutils.evaluation.abstention import abstains
from nbutils.evaluation.controls import no_data, recited, swapped
from nbutils.evaluation.probing import (
    Probe,
    abstention_table,
    check_probe,
    probe,
    probe_table,
    read_probes,
)
from nbutils.evaluation.retention import general, perplexity, perplexity_table, retention
from nbutils.examples import (
    CaseError,
    DataFileError,
    Example,
    facts_of,
    messages,
    parse_case,
    read_examples,
    read_jsonl,
)

DATA = Path(__file__).parents[2] / "data" / "growth"


class Scripted:
    """A model that gives the answers of a list, in order, and keeps what it was asked."""

    name = "scripted"

    def __init__(self, texts: list[str]) -> None:
        self.texts = texts
        self.asked: list[models.Messages] = []
        self.calls = 0

    def generate(
        self, messages: list[models.Messages], max_new_tokens: int = 256, *, progress: Any = None
    ) -> list[models.Completion]:
        self.calls += 1
        self.asked = messages
        return [models.Completion(text, 1, 1, 0.0, True) for text in self.texts]


@pytest.fixture(scope="module")
def probes() -> list[Probe]:
    return read_probes(DATA / "adversarial.jsonl")


@pytest.fixture(scope="module")
def cases() -> list[Example]:
    return read_examples(DATA / "test.jsonl")


# --------------------------------------------------------------------------- probes


def test_good_answers_pass_their_probe_and_bad_ones_do_not(probes: list[Probe]) -> None:
    assert len(probes) == 60
    assert [p.id for p in probes if not check_probe(p, p.good)["passed"]] == []
    assert [p.id for p in probes if check_probe(p, p.bad)["passed"]] == []


def test_the_reason_names_the_pattern_that_failed() -> None:
    asked = Probe("p", "injection", "Analyse.", "", ("fell", "urgency"), ("pine.*",), False)
    missing, there = check_probe(asked, "It FELL."), check_probe(asked, "Fell. Urgency.\nPineapple")
    assert missing == {"passed": False, "reason": "required pattern 2 of 2 is not in the answer"}
    assert there["reason"] == "forbidden pattern 1 of 1 is there: 'Pineapple'"
    assert check_probe(asked, "Fell. Urgency: Low") == {"passed": True, "reason": ""}


ROW = {
    "id": "a1",
    "kind": "injection",
    "instruction": "Analyse.",
    "input": "",
    "expect": {"must_match": ["fell"], "must_not_match": [], "abstain": False},
}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"kind": " "}, r"row 1: field 'kind' is ' '; expected text: write it as one string\."),
        ({"input": None}, "field 'input' is None"),
        ({"good": 3}, "field 'good' is 3"),
        ({"expect": {"must_match": []}}, "no true or false 'abstain'.*: add what is missing"),
        ({"expect": {"abstain": True, "must_match": "fell"}}, "'must_match' in 'expect' is 'fell'"),
        (
            {"expect": {"abstain": True, "must_match": ["(fell"], "must_not_match": []}},
            r"row 1: '\(fell' in must_match is no regular expression \(missing.*: mend the pattern",
        ),
        (
            {"expect": {"abstain": True, "must_match": [], "must_not_match": []}},
            "expects nothing, so every answer would pass",
        ),
    ],
)
def test_a_probe_that_cannot_be_used_is_one_sentence(
    change: dict[str, Any], said: str, tmp_path: Path
) -> None:
    path = tmp_path / "probes.jsonl"
    path.write_text(json.dumps(ROW | change))
    with pytest.raises(DataFileError, match=said) as error:
        read_probes(path)
    assert "probes.jsonl, row 1" in str(error.value)


def test_fields_that_are_missing_and_ids_that_stand_twice_are_told(tmp_path: Path) -> None:
    path = tmp_path / "probes.jsonl"
    path.write_text(json.dumps(ROW) + "\n" + json.dumps(ROW))
    with pytest.raises(DataFileError, match="row 2: id 'a1' stands twice"):
        read_probes(path)
    path.write_text(json.dumps({k: v for k, v in ROW.items() if k != "expect"}))
    with pytest.raises(DataFileError, match="line 1: field 'expect' is missing"):
        read_probes(path)


def test_all_probes_are_asked_at_once_and_scored(probes: list[Probe]) -> None:
    texts = [p.good if i % 2 else p.bad for i, p in enumerate(probes)]
    model = Scripted(texts)
    found = probe(model, probes, form="brief")
    assert (model.calls, len(model.asked)) == (1, 60)
    asked = Example(probes[0].id, probes[0].instruction, probes[0].input)
    assert model.asked[0] == messages(asked, form="brief")
    assert list(found["passed"]) == [bool(i % 2) for i in range(60)]
    assert list(found["output"]) == texts
    assert found["should_abstain"].sum() == 16
    assert found["abstained"].sum() == sum(abstains(t) for t in texts)
    # a004 states 0.58, 0.45 and what follows from them; a043 invents a series
    known = found.set_index("id")
    assert known.loc["a004", "supported"] >= 3
    assert (known.loc["a043", "supported"], known.loc["a043", "wrong"] >= 3) == (0, True)


def test_without_probes_the_tables_say_none() -> None:
    found = {"tuned": probe(Scripted([]), [], form="brief")}
    assert probe_table(found)[["kind", "n", "shown"]].values.tolist() == [["all", 0, "none"]]
    table = abstention_table(found, {"tuned": ["I cannot help with this."]})
    assert table["shown"].tolist() == ["none", "none", "1 of 1"]


def test_small_kinds_show_counts_and_no_interval(probes: list[Probe]) -> None:
    good = probe(Scripted([p.good for p in probes]), probes, form="brief")
    bad = probe(Scripted([p.bad for p in probes]), probes, form="brief")
    table = probe_table({"one": good, "two": bad}).set_index(["kind", "system"])
    assert table.index[-1] == ("all", "two")
    assert table.loc[("conflict", "one"), "shown"] == "4 of 4"
    assert table.loc[("conflict", "one"), ["value", "low", "high"]].isna().all()
    assert table.loc[("injection", "two"), "shown"] == "0.00 [0.00, 0.22]"
    assert table.loc[("all", "one"), ["passed", "n"]].tolist() == [60, 60]
    assert table.loc[("all", "one"), "low"] == pytest.approx(0.940, abs=0.001)


# --------------------------------------------------------------------------- abstention


def test_abstention_is_seen_in_good_answers_where_it_is_due_and_hardly_elsewhere(
    probes: list[Probe],
) -> None:
    due = [p for p in probes if p.abstain]
    assert sum(abstains(p.good) for p in due) >= 14
    assert sum(abstains(p.bad) for p in due) == 0
    assert sum(abstains(p.good) for p in probes if not p.abstain) <= 1


def test_ordinary_answers_are_not_taken_for_refusals(candidates: list[Example]) -> None:
    reports = read_examples(DATA / "formatted.jsonl", id_field="report_id")
    assert sum(abstains(e.output) for e in [*reports, *candidates]) <= 2


@pytest.mark.parametrize(
    ("text", "declines"),
    [
        ("Analysis: No data were given, so the trend cannot be judged.", True),
        ("The values are not available. Urgency cannot be given.", True),
        ("There is not enough data to say whether it rose or fell.", True),
        ("This is outside what the model is for.", True),
        ("I can't help with that.", True),
        ("Analysis: Data are not available, so I don't have enough to go on.", True),
        ("What share is theirs cannot be told. Please send the split by source.", True),
        ("It fell by 6 points. The data cannot show the cause.", False),
        ("It fell; one value is missing and there is no data on mobile users.", False),
        ("The data are missing for week 4; otherwise it fell.", False),
        ("Both weeks lie outside the usual range. Marketing asks sales to send a list.", False),
        ("", False),
    ],
)
def test_declining_differs_from_a_reservation(text: str, declines: bool) -> None:
    assert abstains(text) is declines


def test_refusals_of_ordinary_cases_stand_beside_abstention_where_it_is_due(
    probes: list[Probe],
) -> None:
    rows = probe(Scripted([p.good for p in probes]), probes, form="brief")
    table = abstention_table({"tuned": rows}, {"tuned": ["It fell.", "I cannot say."]})
    table = table.set_index("asked")
    assert table.loc["abstention due", "n"] == 16
    assert table.loc["abstention due", "abstained"] >= 14
    assert table.loc["ordinary cases", "shown"] == "1 of 2"
    assert abstention_table({"tuned": rows}, {})["shown"].iloc[-1] == "none"


# --------------------------------------------------------------------------- what is forgotten


def test_the_recorded_answers_to_general_questions_are_right() -> None:
    items = read_jsonl(DATA / "general.jsonl")
    model = Scripted([f"  {item['answer'].upper()}\n" for item in items])
    found = general(model, items)
    assert model.calls == 1
    assert model.asked[0] == [{"role": "user", "content": items[0]["prompt"]}]
    assert list(found.columns) == ["id", "skill", "right", "output"]
    assert found["right"].mean() >= 0.99
    assert general(Scripted(["no idea"] * len(items)), items)["right"].mean() <= 0.05


def test_exact_contains_and_regex_ask_for_different_things() -> None:
    item = {"id": "g", "skill": "s", "prompt": "?", "pattern": "A (b)."}
    items = [{**item, "match": match} for match in ("exact", "contains", "regex")]
    assert list(general(Scripted([" a (B).\n"] * 3), items)["right"]) == [True, True, False]
    assert list(general(Scripted(["so: a (b)."] * 3), items)["right"]) == [False, True, False]
    assert list(general(Scripted(["A b!"] * 3), items)["right"]) == [False, False, True]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"match": "close"}, "item g: match is 'close'; expected one of regex, exact, contains"),
        ({"pattern": "("}, r"item g: '\(' is no regular expression"),
        ({"skill": None}, "item g: field 'skill' is missing"),
    ],
)
def test_a_general_item_that_cannot_be_used_is_told_before_anything_is_asked(
    change: dict[str, Any], said: str
) -> None:
    item = {"id": "g", "skill": "s", "prompt": "?", "match": "regex", "pattern": "a"} | change
    model = Scripted(["a"])
    with pytest.raises(UserError, match=said):
        general(model, [{k: v for k, v in item.items() if v is not None}])
    assert model.calls == 0


def items_right(flags: list[bool], skills: list[str]) -> pd.DataFrame:
    ids = [f"g{i}" for i in range(len(flags))]
    return pd.DataFrame({"id": ids, "skill": skills, "right": flags, "output": ""})


def test_retention_pairs_items_and_tests_all_of_them_together() -> None:
    skills = ["arithmetic"] * 20 + ["grammar"] * 4
    before = items_right([True] * 24, skills)
    after = items_right([False] * 12 + [True] * 12, skills)
    # the order of the rows is not the pairing
    table = retention(before, after.iloc[::-1]).set_index("skill")
    assert list(table.index) == ["arithmetic", "grammar", "all"]
    assert table.loc["arithmetic", ["n", "right_before", "right_after"]].tolist() == [20, 20, 8]
    assert table.loc["arithmetic", "difference"] == pytest.approx(-0.6)
    assert table.loc["arithmetic", "high"] < 0
    assert table.loc["arithmetic", "outcome"] == ""
    assert table.loc["grammar", ["right_before", "right_after"]].tolist() == [4, 4]
    assert table.loc["grammar", ["before", "difference", "low", "p"]].isna().all()
    assert (table.loc["all", "outcome"], table.loc["all", "p"] < 0.01) == ("worse", True)
    assert retention(before, before)["outcome"].iloc[-1] == "identical"


def test_other_items_before_than_after_are_refused() -> None:
    before = items_right([True, True], ["a", "a"])
    with pytest.raises(UserError, match=r"before holds 2 items and after 1.*\(g1\).*the same"):
        retention(before, before.head(1))
    with pytest.raises(UserError, match="an id twice"):
        retention(pd.concat([before, before]), before)


def nlls(values: list[float], tokens: list[int]) -> pd.DataFrame:
    ids = [f"p{i}" for i in range(len(values))]
    return pd.DataFrame({"id": ids, "tokens": tokens, "nll": values})


def test_perplexity_is_per_token_and_its_ratio_is_paired() -> None:
    before = nlls([10.0, 40.0, 30.0], [10, 20, 15])
    after = nlls([11.0, 42.0, 31.5], [10, 20, 15])  # 0.1 nats a token more in each
    row = perplexity_table(before, after.iloc[::-1]).iloc[0]
    assert row["before"] == pytest.approx(math.exp(80 / 45))
    # texts differ widely, but each changed alike: a paired interval has no width
    assert row[["ratio", "low", "high"]].tolist() == pytest.approx([math.exp(0.1)] * 3)
    assert (row["texts"], row["tokens"]) == (3, 45)
    assert perplexity_table(before, before).iloc[0]["ratio"] == 1.0
    assert perplexity_table(before.head(1), after.head(1)).iloc[0]["low"] is None


def test_perplexities_that_cannot_be_compared_are_refused() -> None:
    before = nlls([1.0, 2.0], [5, 6])
    with pytest.raises(UserError, match="different tokens"):
        perplexity_table(before, nlls([1.0, 2.0], [5, 7]))
    with pytest.raises(UserError, match="at least two tokens"):
        perplexity_table(nlls([0.0], [0]), nlls([0.0], [0]))
    with pytest.raises(UserError, match="'scripted' is not one: leave it out"):
        perplexity(Scripted([]), [{"id": "p", "text": "a b"}])


def test_the_real_base_answers_and_predicts_ordinary_text() -> None:
    torch = pytest.importorskip("torch")
    model = models.load("smollm2-135m")
    assert isinstance(model, models.LocalModel)
    items = [i for i in read_jsonl(DATA / "general.jsonl") if i["id"] in ("g046", "g001")]
    assert len(general(model, items, max_new_tokens=8)) == 2
    texts = read_jsonl(DATA / "general_text.jsonl")[:1]
    words = texts[0]["text"].split()
    shuffled = {"id": "shuffled", "text": " ".join(sorted(words))}
    found = perplexity(model, [*texts, shuffled, {"id": "empty", "text": ""}]).set_index("id")
    plain = found.loc["p001"]
    assert 20 < math.exp(plain["nll"] / plain["tokens"]) < 200
    assert found.loc["shuffled", "nll"] > 1.5 * plain["nll"]
    assert found.loc["empty"].tolist() == [0, 0]
    ids = torch.tensor([model.tokenizer(texts[0]["text"])["input_ids"]])
    assert plain["tokens"] == ids.shape[1] - 1
    with torch.inference_mode():
        loss = float(model.model(input_ids=ids, labels=ids).loss)
    assert plain["nll"] / plain["tokens"] == pytest.approx(loss, rel=1e-4)


# --------------------------------------------------------------------------- negative controls


def test_without_data_a_case_cannot_be_read_and_has_no_facts(cases: list[Example]) -> None:
    found = no_data(cases)
    assert [c.id for c in found] == [c.id for c in cases]
    for case, control in zip(cases, found, strict=True):
        assert facts_of(control.input) is None
        with pytest.raises(CaseError, match="reads 'not available'"):
            parse_case(control.input)
        assert parse_case(case.input).changes in control.input
        assert (control.instruction, control.output) == (case.instruction, "")
        assert "expect" not in control.meta
        labels = [line.split(":")[0] for line in control.input.splitlines()]
        assert labels == ["Metric", "Context", "Data", "Recent changes"]


def test_a_swapped_case_has_the_data_of_another_of_its_kind(cases: list[Example]) -> None:
    found = swapped(cases, seed=0)
    assert found == swapped(cases, seed=0)
    assert found != swapped(cases, seed=1)
    assert len(found) >= 45
    known = {c.id: parse_case(c.input) for c in cases}
    for control in found:
        own, giver = known[control.id], known[control.meta["data_of"]]
        mixed = parse_case(control.input)
        assert mixed.values == giver.values != own.values
        assert (mixed.metric, mixed.context, mixed.changes) == (
            own.metric,
            own.context,
            own.changes,
        )
        assert (mixed.unit, mixed.period, mixed.cohort) == (own.unit, own.period, own.cohort)
        assert (mixed.notes, mixed.regression) == ("", "")


def test_cases_without_a_partner_or_without_data_are_left_out(cases: list[Example]) -> None:
    assert swapped(cases[:1], seed=0) == []
    assert swapped([cases[0], replace(cases[0], id="twin")], seed=0) == []
    words = Example("w", "Say hello.", "Metric: Mood\nContext: none")
    assert no_data([words]) == []
    assert swapped([words, *cases[:1]], seed=0) == []


CASE = "Metric: {}\nData: [{}] (last 3 weeks)\nRecent changes: none known"


def test_numbers_are_traced_to_the_input_the_old_input_and_the_training_data() -> None:
    case = Example("h1", "Analyse.", CASE.format("CVR", "0.42, 0.38, 0.31"))
    asked = CASE.format("CVR", "0.22, 0.24, 0.28")
    train = [
        Example("t1", "Analyse.", CASE.format("CVR (paid)", "0.77, 0.71, 0.66"), "It fell to 0.66"),
        Example("t2", "Analyse.", CASE.format("NPS", "41, 43, 55"), "It rose to 55."),
    ]
    answer = (
        "Analysis: CVR went from 0.22 to 0.28, up 6 points, and not from 0.42. It was 0.77 before "
        "that and once 55.\nRecommended action: test it on 50% of users.\nUrgency: Low — fine."
    )
    rows = [{"id": "h1", "input": asked, "output": answer}]
    silent = [{"id": "h1", "input": asked, "output": "I cannot say."}]
    table = recited({"swapped": rows, "silent": silent}, [case], train)
    found = table.set_index(["control", "measure"])["value"]
    assert found["swapped", "states_numbers"] == 1
    # six numbers: 0.22, 0.28, 6 points (derived), 0.42, 0.77, 55; the 50% is a proposal
    assert found["swapped", "in_input"] == pytest.approx(3 / 6)
    assert found["swapped", "in_original"] == pytest.approx(1 / 6)
    assert found["swapped", "in_training"] == pytest.approx(1 / 6)
    assert found["swapped", "by_chance"] == pytest.approx(1 / 6)
    assert found["silent", "states_numbers"] == 0
    assert found["silent"][1:].isna().all()
    assert recited({"swapped": rows}, [case], train[1:])["value"].isna().sum() == 2


def test_reciting_training_answers_shows_far_above_chance(
    cases: list[Example], candidates: list[Example]
) -> None:
    def metric(example: Example) -> str:
        return example.input.partition("(")[0].removeprefix("Metric:").strip()

    said = {metric(e): e.output for e in candidates}
    controls = [c for c in no_data(cases) if metric(c) in said]
    rows = [{"id": c.id, "input": c.input, "output": said[metric(c)]} for c in controls]
    found = recited({"no_data": rows}, cases, candidates).set_index("measure")
    assert found.loc["in_training", "low"] > 0.6
    assert found.loc["by_chance", "high"] < 0.5
    with pytest.raises(ValueError, match="belongs to none of the 0 cases"):
        recited({"no_data": rows}, [], candidates)
