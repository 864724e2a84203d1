"""E-mail addresses, telephone numbers and handles: what is found, what is left alone."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from nbutils.curation.personal import find_personal, redact
from nbutils.examples import DataFileError, read_jsonl

REPORTS = Path(__file__).parents[2] / "data" / "growth" / "reports.jsonl"


def found(text: str) -> list[tuple[str, str]]:
    frame = find_personal([text])
    return list(zip(frame["kind"], frame["found"], strict=True))


@pytest.mark.parametrize(
    "number",
    [
        "+44 20 7946 0958",
        "+44 (0)20 7946 0958",
        "(020) 7946 0958",
        "020 7946 0958x12",
        "07911 123456",
        "(415) 555-2671",
        "+1 212-555-0123",
        "030/901820",
        "+49 (0) 151 23456789",
        "0049 30 901820",
        "01 42 68 53 00",
        "01.42.68.53.00",
        "+33142685300",
    ],
)
def test_telephone_numbers_of_four_countries_are_found(number: str) -> None:
    text = f"Questions to the desk, tel. {number}, until Friday."
    assert found(text) == [("telephone", number)]


@pytest.mark.parametrize(
    "figures",
    [
        "0.44 0.43 0.45 0.44 0.37 0.36 0.37 0.36",
        "0.44, 0.43, 0.45, 0.44, 0.37",
        "0,44 0,43 0,45 0,44 0,37",
        "05.5 06.5 07.25 08.5",
        "1,400 2,600 3,100",
        "(1,400 2,600 3,100)",
        "0 12 15 18 22 30 14",
        "2019 2020 2021 2022",
        "2125550123",
        "+3 +5 +12 +8 +9 +10 +11",
        "+12.5 +13.5 +14.5 +15.5",
        "+49.5 48.2 47.1 46.9",
        "+1,400,000",
        "+1 400 000 units",
        "0 - 5000000",
        "01.02.2023 - 05.03.2023",
        "03-11-2024 05-12-2024",
        "2024-03-11 08:00:00",
        "01/2024 - 06/2024",
        "01-04 08-04 15-04 22-04",
        "08:00-17:00 08:00-17:00",
        "0800-1700",
        "(2023) 1 234 567 890",
        "(100) 200 300 400",
        "(415) 300 250 200 150",
        "ticket #0012345678",
        "€0301234567",
    ],
)
def test_figures_dates_and_times_are_no_telephone_numbers(figures: str) -> None:
    assert found(f"Data: {figures} (last 8 weeks)") == []
    assert found(f"[{figures}]") == []
    assert found(figures) == []


def test_no_demonstration_report_is_flagged() -> None:
    assert find_personal([row["text"] for row in read_jsonl(REPORTS)]).empty


def test_addresses_are_found_whole_and_without_what_stands_around_them() -> None:
    text = "From o'brien@mail.example, 'ann.lee@firm.co.uk'. <a+b@s-t.example> müller@bücher.de x@y"
    wanted = ["o'brien@mail.example", "ann.lee@firm.co.uk", "a+b@s-t.example", "müller@bücher.de"]
    assert found(text) == [("e-mail", address) for address in wanted]


def test_handles_are_names_after_a_sign_but_not_everybody_nor_prices() -> None:
    text = "@tom_k: see @j.doe. @all @here bought 5 @ 3.40, then 2@0.5 at a@b.example (@zoe)"
    assert found(text) == [
        ("handle", "@tom_k"),
        ("handle", "@j.doe"),
        ("e-mail", "a@b.example"),
        ("handle", "@zoe"),
    ]


def test_finds_name_the_row_and_the_place() -> None:
    texts = ["nothing here", "Ask a@b.example or +49 30 901820."]
    frame = find_personal(texts)
    assert list(frame.columns) == ["row", "kind", "found", "start", "end"]
    assert frame["row"].tolist() == [1, 1]
    for find in frame.itertuples():
        assert texts[1][find.start : find.end] == find.found
    empty = find_personal([])
    assert empty.empty
    assert empty.dtypes[["row", "start", "end"]].tolist() == ["int64"] * 3


def test_regions_decide_on_numbers_without_a_country() -> None:
    text = "Call 020 7946 0958 or +44 20 7946 0958."
    assert len(find_personal([text], regions=["GB"])) == 2
    assert find_personal([text], regions=["US"])["found"].tolist() == ["+44 20 7946 0958"]
    with pytest.raises(ValueError, match="unknown region UK; expected ISO 3166"):
        find_personal([text], regions=["UK"])


def test_redacted_text_keeps_everything_else() -> None:
    text = "@zoe wrote a@b.example,\ntel. +49 30 901820."
    assert redact(text, find_personal([text])) == "[handle] wrote [e-mail],\ntel. [telephone]."
    assert redact("nothing", find_personal(["nothing"])) == "nothing"


def test_finds_of_another_text_are_refused() -> None:
    frame = find_personal(["a@b.example", "Write to a@b.example"])
    with pytest.raises(DataFileError, match=r"'a@b.example' does not stand at 9 of the text"):
        redact("a@b.example", frame)
    twice = find_personal(["a@b.example"] * 2)
    with pytest.raises(DataFileError, match="expected the finds of this one text"):
        redact("a@b.example", twice)


@pytest.mark.parametrize("piece", ["a@a", "a@", "a.", "@a.", "0 ", "+0", "(0", "0-", "@a-", "a+"])
def test_a_megabyte_of_almost_finds_takes_no_time(piece: str) -> None:
    start = time.perf_counter()
    find_personal([piece * (1_000_000 // len(piece))])
    assert time.perf_counter() - start < 3
