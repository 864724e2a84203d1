"""The curated set as other tools read it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from nbutils.curation.export import FILES, SPLITS, chat_rows, dataset_card, instruction_rows
from nbutils.curation.splits import assign
from nbutils.examples import (
    FORMS,
    DataFileError,
    Example,
    messages,
    parse_answer,
    read_examples,
    read_jsonl,
    target,
    to_jsonl,
)

DATA = Path(__file__).parents[2] / "data" / "growth"
COUNTS = {"reports read": 240, "kept by the screen": 160, "pairs that passed the gate": 40}


@pytest.fixture(scope="module")
def examples() -> list[Example]:
    return assign(read_examples(DATA / "formatted.jsonl", id_field="report_id")[:40], 0.2)


@pytest.fixture(scope="module")
def card(examples: list[Example]) -> str:
    return dataset_card(
        examples,
        title="Growth reports",
        source="240 invented reports.",
        counts=COUNTS,
        licence="Apache-2.0",
        notes=["Every company is invented.", "Few enterprise cases."],
        personal_data="Searched by pattern; none was found.",
    )


@pytest.fixture
def folder(tmp_path: Path, examples: list[Example], card: str) -> Path:
    """The set as it would be published: both configurations, both splits, the card."""
    for side, split in SPLITS.items():
        part = [e for e in examples if e.meta["side"] == side]
        rows = {"instruction": instruction_rows(part), "chat": chat_rows(part, form="full")}
        for name, content in rows.items():
            path = tmp_path / FILES[name].format(split=split)
            path.write_text(to_jsonl(content), encoding="utf-8")
    (tmp_path / "README.md").write_text(card, encoding="utf-8")
    return tmp_path


@pytest.mark.parametrize("form", FORMS)
def test_chat_rows_are_the_prompt_and_the_answer_of_training(
    form: str, examples: list[Example]
) -> None:
    row = chat_rows(examples[:1], form=form)[0]
    assert row["id"] == examples[0].id
    assert [m["role"] for m in row["messages"]] == ["system", "user", "assistant"]
    assert row["messages"][:2] == messages(examples[0], form=form)
    assert row["messages"][2]["content"] == target(examples[0], form=form)
    assert parse_answer(row["messages"][2]["content"]).urgency == "High"


def test_chat_rows_of_a_broken_case_or_an_unknown_form_are_refused(examples: list[Example]) -> None:
    broken = replace(examples[0], input="Metric: x")
    with pytest.raises(DataFileError, match="example r001: no brief answer can be made"):
        chat_rows([broken], form="brief")
    with pytest.raises(ValueError, match="form is 'long'"):
        chat_rows(examples[:1], form="long")


def test_the_instruction_file_loads_with_the_datasets_library(
    folder: Path, examples: list[Example]
) -> None:
    datasets = pytest.importorskip("datasets")
    files = {split: str(folder / f"instruction_{split}.jsonl") for split in SPLITS.values()}
    loaded = datasets.load_dataset("json", data_files=files, cache_dir=str(folder / "cache"))
    for side, split in SPLITS.items():
        part = [e for e in examples if e.meta["side"] == side]
        assert loaded[split].to_list() == instruction_rows(part)


def test_the_chat_file_loads_with_the_datasets_library(
    folder: Path, examples: list[Example]
) -> None:
    datasets = pytest.importorskip("datasets")
    file = folder / "chat_train.jsonl"
    loaded = datasets.load_dataset(
        "json", data_files=str(file), split="train", cache_dir=str(folder / "cache")
    )
    part = [e for e in examples if e.meta["side"] == "train"]
    assert loaded.to_list() == chat_rows(part, form="full") == read_jsonl(file)


@pytest.mark.parametrize("config", list(FILES))
def test_the_card_tells_the_datasets_library_where_the_files_are(folder: Path, config: str) -> None:
    datasets = pytest.importorskip("datasets")
    loaded = datasets.load_dataset(str(folder), config, cache_dir=str(folder / "cache"))
    assert {split: len(rows) for split, rows in loaded.items()} == {"train": 32, "validation": 8}


def test_the_card_says_what_the_set_is(card: str, examples: list[Example]) -> None:
    _, front, body = card.split("---\n", 2)
    data = yaml.safe_load(front)
    assert data["license"] == "apache-2.0"
    assert data["language"] == ["en"]
    assert data["task_categories"] == ["text-generation"]
    assert data["size_categories"] == ["n<1K"]
    assert [c["config_name"] for c in data["configs"]] == ["instruction", "chat"]
    assert data["configs"][1]["data_files"] == [
        {"split": "train", "path": "chat_train.jsonl"},
        {"split": "validation", "path": "chat_validation.jsonl"},
    ]
    for said in (
        "# Growth reports",
        "40 examples of one task",
        "| kept by the screen | 160 |",
        "| validation | 8 |",
        "| segment | SMB 27 (over), mid-market 9, enterprise 4 |",
        "Searched by pattern; none was found.",
        "- Few enterprise cases.",
    ):
        assert said in body


def test_the_card_does_not_claim_what_nobody_said(examples: list[Example]) -> None:
    plain = [replace(e, meta={}) for e in examples]
    card = dataset_card(plain, title="A | B: c", source="Invented.", counts={})
    data = yaml.safe_load(card.split("---\n", 2)[1])
    assert "license" not in data
    assert data["pretty_name"] == "A | B: c"
    assert [f["split"] for f in data["configs"][0]["data_files"]] == ["train"]
    for said in (
        "No licence is stated",
        "The steps are not on record",
        "No check for personal data is on record",
        "None are on record, which does not mean that there are none",
        "There is no validation split",
    ):
        assert said in card


@pytest.mark.parametrize(("n", "size"), [(999, "n<1K"), (1000, "1K<n<10K"), (12000, "10K<n<100K")])
def test_the_size_category_is_counted(n: int, size: str, examples: list[Example]) -> None:
    from nbutils.curation.export import _front

    front = _front("x", n, {"train": n}, "", "en", FILES)
    assert yaml.safe_load(front)["size_categories"] == [size]


def test_a_card_of_nothing_or_of_an_unknown_side_is_refused(examples: list[Example]) -> None:
    with pytest.raises(DataFileError, match="no examples"):
        dataset_card([], title="x", source="y", counts={})
    odd = replace(examples[0], meta={"side": "test"})
    with pytest.raises(DataFileError, match="example r001 is on side 'test'"):
        dataset_card([odd], title="x", source="y", counts={})
