"""What belongs together stays together, and training never repeats a held-out case."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from nbutils.curation.splits import assign, decontaminate, families, overlaps, split
from nbutils.examples import (
    DataFileError,
    Example,
    jaccard,
    parse_answer,
    read_examples,
    read_jsonl,
    shingles,
)

DATA = Path(__file__).parents[2] / "data" / "growth"


@pytest.fixture(scope="module")
def formatted() -> list[Example]:
    return read_examples(DATA / "formatted.jsonl", id_field="report_id")


@pytest.fixture(scope="module")
def held_out() -> list[Example]:
    """Test cases and probes; some probes have no input at all, so they are no training rows."""
    probes = read_jsonl(DATA / "adversarial.jsonl")
    return [
        *read_examples(DATA / "test.jsonl"),
        *(Example(r["id"], r["instruction"], r["input"]) for r in probes),
    ]


# --------------------------------------------------------------------------- families


def test_a_twin_and_a_later_version_are_of_the_report_s_family(formatted: list[Example]) -> None:
    a, b, c, d = formatted[:4]
    assert families([a, b, c, d]) == [0, 1, 2, 3]
    assert families([a, b, c, d], related=[(c.id, a.id)]) == [0, 1, 0, 2]
    # over a report that was rejected, two kept ones are still one story
    assert families([a, b, c, d], related=[(a.id, "r999"), ("r999", d.id)]) == [0, 1, 2, 0]


@pytest.mark.parametrize("key", ["parent", "seed_id", "report_id"])
def test_a_variant_is_of_its_parent_s_family(key: str, formatted: list[Example]) -> None:
    a, b, c = formatted[:3]
    child = replace(c, id="child", meta={key: a.id})
    orphans = [replace(e, id=f"o{e.id}", meta={key: "gone"}) for e in formatted[3:5]]
    assert families([child, b, a]) == [0, 1, 0]
    assert families([a, *orphans]) == [0, 1, 1]


def test_a_report_s_own_id_joins_it_to_nobody_else(formatted: list[Example]) -> None:
    assert all(e.meta["report_id"] == e.id for e in formatted)
    assert len(set(families(formatted))) == len(formatted)


# --------------------------------------------------------------------------- drawing


def drawn_as_before(family: list[int], val_share: float, seed: int) -> list[str]:
    """The rule of the first version, whose splits must not change."""
    names = sorted(set(family))
    wanted, taken, val = val_share * len(family), 0, set()
    for name in np.random.default_rng(seed).permutation(names).tolist():
        if taken < wanted:
            val.add(name)
            taken += family.count(name)
    return ["val" if f in val else "train" for f in family]


@pytest.mark.parametrize("seed", range(5))
def test_without_strata_the_split_is_what_it_always_was(seed: int) -> None:
    family = np.random.default_rng(seed + 50).integers(0, 30, 80).tolist()
    for share in (0.1, 0.25, 0.5):
        assert split(family, share, seed=seed) == drawn_as_before(family, share, seed)


@pytest.mark.parametrize("seed", range(5))
def test_with_strata_every_stratum_has_its_share(seed: int) -> None:
    rng = np.random.default_rng(seed)
    family = rng.integers(0, 150, 300).tolist()
    strata = rng.choice(["High", "Medium", "Low"], 300, p=[0.1, 0.3, 0.6]).tolist()
    sides = split(family, 0.2, seed=seed, strata=strata)
    held = Counter(s for s, side in zip(strata, sides, strict=True) if side == "val")
    for stratum, size in Counter(strata).items():
        assert abs(held[stratum] - 0.2 * size) < 2.5
    side_of: dict[int, set[str]] = {}
    for f, side in zip(family, sides, strict=True):
        side_of.setdefault(f, set()).add(side)
    assert all(len(s) == 1 for s in side_of.values())
    assert sides == split(family, 0.2, seed=seed, strata=strata)
    assert sides != split(family, 0.2, seed=seed + 1, strata=strata)


def test_rare_strata_do_not_empty_the_validation_side() -> None:
    sides = split(list(range(30)), 0.1, strata=[f"s{i % 10}" for i in range(30)])
    assert sides.count("val") == 3
    # one family too large for any target: the smaller one is taken
    assert split([0] * 20 + [1] * 4, 0.1, strata=["a"] * 24) == ["train"] * 20 + ["val"] * 4


def test_urgency_is_spread_over_both_sides(formatted: list[Example]) -> None:
    placed = assign(formatted, 0.1, seed=2)
    held = Counter(parse_answer(e.output).urgency for e in placed if e.meta["side"] == "val")
    # 36 High, 58 Medium, 66 Low
    assert held == {"High": 3, "Medium": 6, "Low": 7}
    assert [e.id for e in placed] == [e.id for e in formatted]
    assert all("side" not in e.meta for e in formatted)
    own = assign(formatted, 0.1, strata=["x"] * len(formatted))
    assert sum(e.meta["side"] == "val" for e in own) == 16


def test_related_examples_are_on_one_side(formatted: list[Example]) -> None:
    pairs = [(formatted[i].id, formatted[i + 1].id) for i in range(0, 40, 2)]
    side = {e.id: e.meta["side"] for e in assign(formatted, 0.3, related=pairs)}
    assert all(side[a] == side[b] for a, b in pairs)


@pytest.mark.parametrize(
    ("family", "share", "strata", "said"),
    [
        ([0, 0, 0], 0.2, None, "3 examples are of 1 family"),
        ([], 0.2, None, "0 examples are of 0 family"),
        ([0, 1], 0.0, None, "share for validation is 0.0"),
        ([0, 1], 0.6, None, "at most 0.5"),
        ([0, 1], 0.5, ["a"], "1 strata for 2 examples"),
    ],
)
def test_what_cannot_be_split_is_refused(
    family: list[int], share: float, strata: list[str] | None, said: str
) -> None:
    with pytest.raises(DataFileError, match=said):
        split(family, share, strata=strata)


# --------------------------------------------------------------------------- decontamination


def test_the_real_training_data_repeats_no_held_out_case(
    formatted: list[Example], candidates: list[Example], held_out: list[Example]
) -> None:
    decontaminate([*formatted, *candidates], held_out)


def test_a_held_out_case_is_found_with_other_spacing_and_case(
    formatted: list[Example], held_out: list[Example]
) -> None:
    copied = replace(formatted[5], input=held_out[7].input.upper().replace(" ", "  "))
    table = overlaps([*formatted[:3], copied], held_out)
    assert table.to_numpy().tolist() == [[copied.id, held_out[7].id, "same text", 1.0]]


@pytest.mark.parametrize(
    "series",
    [
        "0.47, 0.48, 0.46, 0.47, 0.48, 0.37, 0.36, 0.37, 0.36",
        "47%, 48%, 46%, 47%, 48%, 37%, 36%, 37%, 36%",
        "47, 48, 46, 47, 48, 37, 36, 37, 36",
    ],
)
def test_the_same_series_is_found_as_share_and_as_percent(
    series: str, held_out: list[Example]
) -> None:
    text = f"Metric: Trial Rate (share of visits)\nData: [{series}] (last 9 weeks)"
    table = overlaps([Example("x", "Analyze.", text)], held_out)
    assert table[["held_out_id", "how"]].to_numpy().tolist() == [["h001", "same series"]]
    other = text.replace("48", "49", 1)
    assert overlaps([Example("x", "Analyze.", other)], held_out).empty


def test_three_equal_values_are_no_series() -> None:
    one = Example("x", "Analyze.", "Metric: CSAT\nData: [4.1, 4.2, 4.3] (last 3 weeks)")
    two = Example("y", "Look.", "Metric: Lift Ratio in the north\nData: [4.1, 4.2, 4.3] (by month)")
    assert overlaps([one], [two]).empty


def test_a_series_is_found_in_a_probe_whose_case_cannot_be_read(held_out: list[Example]) -> None:
    # nine values that claim to be six
    probe = next(e for e in held_out if e.id == "a016")
    series = probe.input.partition("[")[2].partition("]")[0]
    copied = Example("x", "Analyze.", f"Metric: Other\nData: [{series}] (by week)")
    assert overlaps([copied], [probe])["how"].tolist() == ["same series"]


def test_a_case_equal_but_for_numbers_is_found(held_out: list[Example]) -> None:
    copied = replace(held_out[3], id="x", input=held_out[3].input.replace("1", "2"))
    table = overlaps([copied], held_out)
    assert table.to_numpy().tolist() == [["x", held_out[3].id, "equal but for details", 1.0]]


def test_nothing_alike_is_missed_at_any_threshold(
    candidates: list[Example], held_out: list[Example]
) -> None:
    ours, theirs = candidates[:120], [e for e in held_out if e.input][:60]
    sets = [[shingles(e.input) for e in group] for group in (ours, theirs)]
    for threshold in (0.3, 0.45):
        every = {
            (ours[i].id, theirs[j].id)
            for i, a in enumerate(sets[0])
            for j, b in enumerate(sets[1])
            if jaccard(a, b) >= threshold
        }
        table = overlaps(ours, theirs, threshold=threshold)
        assert every
        assert set(zip(table["train_id"], table["held_out_id"], strict=True)) == every


def test_contaminated_training_data_is_refused_by_name(
    formatted: list[Example], held_out: list[Example]
) -> None:
    copies = [replace(e, id=f"copy {e.id}") for e in held_out[:2]]
    with pytest.raises(DataFileError, match=r"copy h001 repeats held-out case h001 \(same text"):
        decontaminate([*formatted[:5], *copies[:1]], held_out)
    with pytest.raises(DataFileError, match="the first of 2 such pairs"):
        decontaminate([*formatted[:5], *copies], held_out)
