"""Inputs that are no case: tables, records, lists, JSON and prose, read as cells with keys."""

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nbutils import claims
from nbutils.claims import masks
from nbutils.claims.tables import read_tables, separated

PIPES = "Store | Q1 | Q2\nHarbour | 120 | 135\nMarket | 90 | 88"
FORMS = {
    "pipes": PIPES,
    "markdown": "| Store | Q1 | Q2 |\n|---|---:|---:|\n"
    "| Harbour | 120 | 135 |\n| Market | 90 | 88 |",
    "commas": "Store,Q1,Q2\nHarbour,120,135\nMarket,90,88",
    "semicolons": "Store;Q1;Q2\nHarbour;120;135\nMarket;90;88",
    "tabs": PIPES.replace(" | ", "\t"),
    "blanks": "            Q1     Q2\nHarbour    120    135\nMarket      90     88",
    "html": "<table><tr><th>Store</th><th>Q1</th><th>Q2</th></tr>"
    "<tr><td>Harbour</td><td>120</td><td>135</td></tr>"
    "<tr><td>Market</td><td>90</td><td>88</td></tr></table>",
    "json": json.dumps(
        [{"store": "Harbour", "Q1": 120, "Q2": 135}, {"store": "Market", "Q1": 90, "Q2": 88}]
    ),
    "records": "Store: Harbour, Q1: 120, Q2: 135\nStore: Market, Q1: 90, Q2: 88",
}


def verdicts(given: str, output: str) -> list[str]:
    return [c.verdict for c in claims.verify(given, output).claims]


@pytest.mark.parametrize("form", FORMS)
def test_a_table_says_whose_number_it_is_in_every_form(form: str) -> None:
    given = FORMS[form]
    assert verdicts(given, "Harbour sold 120 in Q1 and 135 in Q2.") == ["supported", "supported"]
    assert verdicts(given, "In Q1 Market sold 90.") == ["supported"]
    # a number of the input that belongs to another row or column, and one that is not there
    assert verdicts(given, "In Q1 Market sold 120.") == ["contradicted"]
    assert verdicts(given, "Harbour sold 135 in Q1.") == ["contradicted"]
    assert verdicts(given, "Market sold 77 in Q2.")[0] in claims.WRONG


@pytest.mark.parametrize("form", FORMS)
def test_what_follows_from_a_table_is_derived(form: str) -> None:
    claim = claims.verify(FORMS[form], "Harbour rose from 120 to 135, up 12.5%.").claims[2]
    assert (claim.verdict, claim.kind) == ("supported", "relative change")
    assert {"120", "135"} <= set(re.findall(r"\d+", claim.derivation))
    assert verdicts(FORMS[form], "Harbour rose from 120 to 135, up 14.5%.")[2] in claims.WRONG


@pytest.mark.parametrize(
    ("given", "right", "wrong"),
    [
        # the caption's scale, a loss in parentheses, a share of a total
        (
            "(in thousands)\n| | 2020 | 2019 |\n| Revenue | 96,790 | 84,925 |\n"
            "| Loss | (4,215) | (7,902) |",
            "Revenue was $96.8 million in 2020, up 14.0%. The loss narrowed to $4.2 million.",
            "Revenue was $98.6 million in 2020.",
        ),
        # labels in another order than time, told apart by "respectively"
        (
            "Pay was $14.2 million, $11.9 million and $8.5 million in 2019, 2018 and 2017.",
            "It rose from $11.9 million to $14.2 million, an increase of 19.3%.",
            "In 2018 it was $14.9 million.",
        ),
        # a score, and abbreviated headings
        (
            "Team | PTS | REB\nHawks | 95 | 48\nMagic | 88 | 41",
            "The Hawks beat the Magic 95-88 with 48 rebounds to 41.",
            "The Hawks had 41 rebounds.",
        ),
        # the highest of a column
        (
            "City | Trips\nGraz | 412\nLinz | 531\nWels | 498",
            "Linz had the most trips, with 531.",
            "The highest was Wels with 498.",
        ),
        # prose
        (
            "The survey reached 1,240 households. 38% own a bicycle, up from 31% in 2019.",
            "Of 1,240 households 38% own one, 7 percentage points more than in 2019.",
            "In 2019, 33% owned one.",
        ),
        # a bare list is a series
        ("[3.2, 3.5, 3.9, 5.1]", "It rose from 3.2 to 5.1, up 59%.", "It ended at 4.4."),
    ],
)
def test_tables_are_read_as_people_read_them(given: str, right: str, wrong: str) -> None:
    verdict = claims.verify(given, right)
    assert verdict.faithful, [(c.text, c.verdict, c.derivation) for c in verdict.claims]
    assert claims.verify(given, wrong).count(*claims.WRONG)


def test_cells_know_their_row_column_unit_and_scale() -> None:
    text = "| | Sales (million USD) | Share |\n| 2023 | 12.5 | 40% |\n| 2022 | (3.5) | 38% |"
    (table,) = read_tables(text, masks.scan(text).spans)
    assert [(c.value, c.unit, c.scale) for c in table.cells] == [
        (12.5, "money", 1e6),
        (40.0, "%", 1.0),
        (-3.5, "money", 1e6),
        (38.0, "%", 1.0),
    ]
    assert list(table.when_row.values()) == [2023.0, 2022.0]
    assert table.columns[1] == {"sales"}
    assert table.rows[table.cells[0].row] == {"2023"}


def test_separators_keep_every_offset() -> None:
    for text in FORMS.values():
        assert len(separated(text)) == len(text)
    assert separated('a,"1,5",2\nb,3,4\nc,5,6').startswith('a\t"1,5"\t2')


_NAMES = ["Alder", "Birch", "Cedar", "Elm", "Hazel"]
_HEADS = ["visits", "orders", "refunds"]


@given(
    st.lists(
        st.lists(st.integers(20, 99_999), min_size=3, max_size=3), min_size=2, max_size=5
    ).filter(lambda rows: len({v for row in rows for v in row}) == 3 * len(rows)),
    st.integers(0, 4),
    st.integers(0, 2),
    st.sampled_from([" | ", "\t", ","]),
)
def test_any_cell_told_of_its_row_and_column_is_supported(
    rows: list[list[int]], row: int, column: int, mark: str
) -> None:
    lines = [["store", *_HEADS], *([n, *map(str, r)] for n, r in zip(_NAMES, rows, strict=False))]
    table = "\n".join(mark.join(line) for line in lines)
    row %= len(rows)
    value = rows[row][column]
    assert verdicts(table, f"{_NAMES[row]} had {value:,} {_HEADS[column]}.") == ["supported"]
    other = rows[row - 1][column]
    found = verdicts(table, f"{_NAMES[row]} had {other:,} {_HEADS[column]}.")
    assert found[0] in claims.WRONG


@pytest.mark.parametrize(
    "given",
    [
        "",
        "|||",
        "[[[",
        '{"a": {"b": []}}',
        "[" * 5000,
        '{"a": NaN}',
        '{"a": [1e999, 2]}',
        '{"a": 1' + "0" * 400 + "}",
        "a | b\n| | 3 |\n5",
        ",,,\n,,,\n,,,",
    ],
)
def test_broken_tables_do_not_raise(given: str) -> None:
    assert claims.verify(given, "It rose by 5 to 12.").count("supported") in (0, 1)
