"""Human review: the decisions file, two blind reviewers, tables out and back."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from nbutils import cli, review, stats
from nbutils.errors import UserError
from nbutils.examples import DataFileError, Example

DATA = Path(__file__).parents[2] / "data" / "growth"


@pytest.fixture(scope="module")
def items(candidates: list[Example]) -> list[review.Item]:
    return [review.Item.from_example(e) for e in candidates[:20]]


def line(item: review.Item, reviewer: str, decision: str, second: int = 0, **more: Any) -> Any:
    at = f"2026-01-01T10:{second // 60:02}:{second % 60:02}.000Z"
    said = {"item": item.hash, "id": item.id, "reviewer": reviewer, "decision": decision}
    return {"at": at, "client": f"page of {reviewer}", "queue": "candidates", **said, **more}


def statuses(items: list[review.Item], lines: list[Any]) -> list[str]:
    return review.settle(items, lines)["status"].tolist()


# --------------------------------------------------------------------------- the file


def test_what_is_appended_is_read_back(tmp_path: Path, items: list[review.Item]) -> None:
    path = tmp_path / "decisions.jsonl"
    assert review.read(path) == []
    first, second = line(items[0], "anna", "approve"), line(items[1], "anna", "skip", 1)
    review.append(path, [first])
    review.append(path, [second])
    assert review.read(path) == [first, second]


def test_a_last_line_cut_off_by_a_kill_is_put_aside(
    tmp_path: Path, items: list[review.Item]
) -> None:
    path = tmp_path / "decisions.jsonl"
    review.append(path, [line(items[0], "anna", "approve")])
    whole = path.read_bytes()
    path.write_bytes(whole + b'{"item": "abc", "revie')
    with pytest.warns(UserWarning, match=r"the last line of decisions\.jsonl was cut off"):
        assert len(review.read(path)) == 1
    review.append(path, [line(items[1], "anna", "reject", 5)])
    assert [found["decision"] for found in review.read(path)] == ["approve", "reject"]
    aside = tmp_path / "decisions.jsonl.broken"
    assert aside.read_bytes() == b'{"item": "abc", "revie\n'


def test_a_whole_last_line_without_its_end_is_kept(
    tmp_path: Path, items: list[review.Item]
) -> None:
    path = tmp_path / "decisions.jsonl"
    review.append(path, [line(items[0], "anna", "approve")])
    path.write_bytes(path.read_bytes().rstrip(b"\n"))
    review.append(path, [line(items[1], "anna", "approve", 1)])
    assert len(review.read(path)) == 2


def test_a_broken_line_in_the_middle_is_named(tmp_path: Path, items: list[review.Item]) -> None:
    path = tmp_path / "decisions.jsonl"
    good = json.dumps(line(items[0], "anna", "approve"))
    path.write_text(f"{good}\n{{oops\n{good}\n", encoding="utf-8")
    with pytest.raises(DataFileError, match=r"decisions\.jsonl, line 2, is not a JSON object"):
        review.read(path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"decision": "aprove"}, "'aprove'; expected one of approve, edit, reject"),
        ({"reviewer": " "}, "has no 'reviewer'"),
        ({"item": None}, "has no 'item'"),
        ({"decision": "edit", "edit": " "}, "edit without a text"),
        ({"decision": "rate", "rating": None}, "rating without a number"),
        ({"decision": "rate", "rating": 6}, "rating 6; expected a whole number, 0 to 5"),
        ({"decision": "rate", "rating": 4.5}, "rating 4.5; expected a whole number"),
        ({"decision": "rate", "rating": True}, "rating True; expected a whole number"),
    ],
)
def test_what_is_no_decision_is_not_written(
    tmp_path: Path, items: list[review.Item], change: dict[str, Any], message: str
) -> None:
    path = tmp_path / "decisions.jsonl"
    good = line(items[0], "anna", "approve")
    with pytest.raises(DataFileError, match=message):
        review.append(path, [good, {**good, **change}])
    assert not path.exists()


# --------------------------------------------------------------------------- replay


def test_a_later_decision_replaces_and_undo_brings_the_earlier_back(
    items: list[review.Item],
) -> None:
    one = items[0]
    lines = [line(one, "anna", "approve", 1), line(one, "anna", "reject", 2, reason="vague")]
    assert review.standing(lines)[("anna", one.hash)]["decision"] == "reject"
    lines.append(line(one, "anna", "undo", 3))
    assert review.standing(lines)[("anna", one.hash)]["decision"] == "approve"
    lines.append(line(one, "anna", "undo", 4))
    lines.append(line(one, "anna", "undo", 5))
    assert review.standing(lines) == {}


def test_a_skip_decides_nothing(items: list[review.Item]) -> None:
    assert review.standing([line(items[0], "anna", "skip")]) == {}


def test_lines_are_replayed_by_time_whatever_file_came_first(items: list[review.Item]) -> None:
    late, early = line(items[0], "anna", "reject", 9), line(items[0], "anna", "approve", 1)
    assert review.standing([late, early])[("anna", items[0].hash)]["decision"] == "reject"


def test_each_reviewer_has_an_order_of_their_own(items: list[review.Item]) -> None:
    anna, ben = review.order(items, "anna"), review.order(items, "ben")
    assert anna != ben
    assert anna == review.order(list(reversed(items)), "anna")
    fewer = review.order(items[:-3], "anna")
    assert fewer == [item for item in anna if item in items[:-3]]


# --------------------------------------------------------------------------- two reviewers


def test_approval_needs_two(items: list[review.Item]) -> None:
    one = items[:1]
    assert statuses(one, []) == ["not reviewed"]
    anna = line(one[0], "anna", "approve")
    assert statuses(one, [anna]) == ["not reviewed"]
    assert statuses(one, [anna, line(one[0], "anna", "approve", 5)]) == ["not reviewed"]
    assert statuses(one, [anna, line(one[0], "ben", "approve")]) == ["approved"]
    assert review.settle(one, [anna], reviewers=1)["status"].tolist() == ["approved"]


def test_a_rejection_against_an_approval_is_a_dispute_until_adjudicated(
    items: list[review.Item],
) -> None:
    one = items[:1]
    lines = [line(one[0], "anna", "approve"), line(one[0], "ben", "reject", reason="vague")]
    assert statuses(one, lines) == ["disputed"]
    (found,) = review.disputes(items, lines)
    assert [view["decision"] for view in found.views] == ["approve", "reject"]
    assert "anna" not in json.dumps([dict(v) for v in found.views])
    assert found.hash == one[0].hash
    settled = line(one[0], "cleo", "edit", 9, queue="adjudication", edit="Better.")
    table = review.settle(one, [*lines, settled])
    assert table[["status", "output", "reviewers"]].values.tolist() == [["approved", "Better.", 3]]


def test_one_edit_stands_for_both_and_two_different_ones_are_a_dispute(
    items: list[review.Item],
) -> None:
    one = items[0]
    edit = line(one, "anna", "edit", edit="A better text.")
    table = review.settle([one], [edit, line(one, "ben", "approve")])
    assert table["output"].tolist() == ["A better text."]
    same = line(one, "ben", "edit", edit="A better text.")
    other = line(one, "ben", "edit", edit="Another text.")
    assert statuses([one], [edit, same]) == ["approved"]
    assert statuses([one], [edit, other]) == ["disputed"]


def test_a_text_that_changed_after_the_decision_is_undecided_again(
    items: list[review.Item],
) -> None:
    lines = [line(items[0], name, "approve") for name in ("anna", "ben")]
    changed = replace(items[0], output=items[0].output + " And more.")
    assert statuses([changed], lines) == ["not reviewed"]
    assert review.stale([changed], lines) == [items[0].id]
    assert review.stale(items, lines) == []


def test_the_recorded_reviewers_agree_as_their_files_say(candidates: list[Example]) -> None:
    found = [review.Item.from_example(e) for e in candidates]
    _, lines = review.read_table(DATA / "reviews.jsonl", found)
    table = review.agreement(found, lines).set_index("metric")
    rows = [json.loads(text) for text in (DATA / "reviews.jsonl").open(encoding="utf-8")]
    said: dict[str, list[str]] = {}
    for row in rows:
        said.setdefault(row["id"], []).append(row["decision"])
    alike = sum(a == b for a, b in said.values())
    assert table.loc["same decision", "value"] == pytest.approx(alike / 400)
    assert table.loc["kappa of the verdict", "n"] == 400
    assert set(table["group"]) == {"reviewer-a, reviewer-b"}
    assert table.loc["within one", "value"] >= table.loc["same rating", "value"]
    work = review.work(lines, found)
    assert work["decided"].tolist() == [400, 400]
    assert work["left"].tolist() == [0, 0]


def test_kappa_is_the_textbook_value() -> None:
    """The table of Fleiss (1981) as many textbooks print it: 45/15/25/15 gives 0.13."""
    pairs = [(1, 1)] * 45 + [(1, 0)] * 15 + [(0, 1)] * 25 + [(0, 0)] * 15
    found = stats.kappa(pairs)
    assert found.value == pytest.approx(0.1304, abs=1e-4)
    assert found.low is not None
    assert found.low < 0.1304 < found.high  # type: ignore[operator]


def test_weighted_kappa_counts_a_near_miss_less_than_a_far_one() -> None:
    base = [(n, n) for n in range(6)] * 4
    near, far = (
        stats.kappa([*base, (2, 3)], weighted=True),
        stats.kappa([*base, (0, 5)], weighted=True),
    )
    assert 0.8 < far.value < near.value < 1  # type: ignore[operator]


@pytest.mark.parametrize("weighted", [False, True])
def test_kappa_is_never_nan(weighted: bool) -> None:
    for pairs in (
        [],
        [(1, 1)],
        [(1, 0)],
        [(1, 1)] * 5 + [(1, 0)] * 2,
        [(0, 1), (1, 0)],
        [(3, 3)] * 9,
    ):
        found = stats.kappa(pairs, weighted=weighted)
        values = [found.value, found.low, found.high]
        assert all(v is None or -1 <= v <= 1 for v in values)
        # one of the two said the same throughout: there is a value, but no interval
        assert found.low is None or found.low < found.high  # type: ignore[operator]


# --------------------------------------------------------------------------- tables


@pytest.mark.parametrize("suffix", [".csv", ".xlsx", ".jsonl"])
def test_a_table_goes_out_and_comes_back(
    tmp_path: Path, items: list[review.Item], suffix: str
) -> None:
    nasty = replace(items[3], output='=HYPERLINK("http://x")\n"quoted", – €\n\nUrgency: Low — x')
    shown = [*items[:3], nasty]
    lines = [
        line(shown[0], "anna", "approve", note="=1+1"),
        line(shown[1], "anna", "edit", edit='=SUM(A1)\n"new", ü — end'),
        line(shown[2], "anna", "reject", reason="vague"),
        line(shown[3], "ben", "approve"),
    ]
    file = tmp_path / f"table{suffix}"
    review.write_table(file, shown, lines, "anna")
    header, back = review.read_table(file, shown)
    assert header == {}
    found = {(b["item"], b["decision"], b["reason"], b["edit"]) for b in back}
    own = lines[:3]
    assert found == {(w["item"], w["decision"], w.get("reason"), w.get("edit")) for w in own}
    assert {b["reviewer"] for b in back} == {"anna"}


def test_a_spreadsheet_runs_no_formula_from_a_candidate(
    tmp_path: Path, items: list[review.Item]
) -> None:
    from openpyxl import load_workbook

    nasty = replace(items[0], output='=cmd|" /C calc"!A0')
    review.write_table(tmp_path / "t.csv", [nasty], [], "anna")
    with (tmp_path / "t.csv").open(encoding="utf-8-sig", newline="") as file:
        (row,) = csv.DictReader(file)
    assert row["output"].startswith("'=")
    review.write_table(tmp_path / "t.xlsx", [nasty], [], "anna")
    sheet = load_workbook(tmp_path / "t.xlsx").active
    assert [c.data_type for c in sheet[2] if c.value and str(c.value).startswith("=")] == ["s"]


def test_a_table_from_a_european_spreadsheet_is_read(
    tmp_path: Path, items: list[review.Item]
) -> None:
    file = tmp_path / "t.csv"
    text = f"ID;Reviewer;Decision;Reason\r\n{items[0].id};J\u00fcrgen; Approve ;\r\nt002;;;\r\n"
    file.write_bytes(text.encode("cp1252"))
    _, lines = review.read_table(file, items)
    assert [(x["item"], x["reviewer"], x["decision"]) for x in lines] == [
        (items[0].hash, "J\u00fcrgen", "approve")
    ]


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("t001,anna,maybe,", "t.csv, row 2, decides 'maybe'; expected one of approve, edit"),
        ("t001,,approve,", "t.csv, row 2, has no 'reviewer'"),
        ("t001,anna,,7", "t.csv, row 2, has the rating '7'; expected a whole number, 0 to 5"),
        (",anna,approve,", "t.csv, row 2, has no 'item'"),
    ],
)
def test_a_wrong_row_is_named_and_nothing_is_written(
    tmp_path: Path, items: list[review.Item], row: str, message: str
) -> None:
    file, path = tmp_path / "t.csv", tmp_path / "decisions.jsonl"
    file.write_text(f"id,reviewer,decision,rating\n{row}\nt002,anna,approve,\n", encoding="utf-8")
    with pytest.raises(DataFileError, match=message):
        review.merge(path, file, items)
    assert not path.exists()


def test_files_that_cannot_be_read_are_named(tmp_path: Path, items: list[review.Item]) -> None:
    with pytest.raises(DataFileError, match=r"none\.csv does not exist"):
        review.read_table(tmp_path / "none.csv", items)
    with pytest.raises(DataFileError, match=r"ends in '\.txt'; expected \.csv, \.xlsx, \.jsonl"):
        review.read_table(tmp_path / "t.txt", items)
    (tmp_path / "t.xlsx").write_bytes(b"not a workbook")
    with pytest.raises(DataFileError, match=r"t\.xlsx is not a workbook"):
        review.read_table(tmp_path / "t.xlsx", items)
    (tmp_path / "t.csv").write_text("name,vote\nx,y\n", encoding="utf-8")
    with pytest.raises(DataFileError, match=r"t\.csv has no column 'id' \(found: name, vote\)"):
        review.read_table(tmp_path / "t.csv", items)


# --------------------------------------------------------------------------- merging


def exported(path: Path, lines: list[Any], **header: Any) -> Path:
    head = {"nbutils_review": 1, "run": "cpu", "queue": "candidates", **header}
    path.write_text("".join(json.dumps(x) + "\n" for x in [head, *lines]), encoding="utf-8")
    return path


def test_a_page_is_merged_once_however_often_it_is_sent(
    tmp_path: Path, items: list[review.Item]
) -> None:
    path = tmp_path / "decisions.jsonl"
    lines = [line(items[0], "anna", "approve", 1), line(items[0], "anna", "undo", 2)]
    lines.append(line(items[0], "anna", "approve", 3))
    file = exported(tmp_path / "review.jsonl", lines)
    first = review.merge(path, file, items, run="cpu")
    assert (first.added, first.known) == (3, 0)
    again = review.merge(path, file, items, run="cpu")
    assert (again.added, again.known) == (0, 3)
    assert review.read(path) == lines


def test_a_page_of_another_run_or_queue_is_refused(
    tmp_path: Path, items: list[review.Item]
) -> None:
    path = tmp_path / "decisions.jsonl"
    file = exported(tmp_path / "review.jsonl", [line(items[0], "anna", "approve")], run="other")
    with pytest.raises(DataFileError, match="decisions of run 'other', expected 'cpu'"):
        review.merge(path, file, items, run="cpu")
    with pytest.raises(DataFileError, match="decisions of queue 'candidates', expected 'ratings'"):
        review.merge(path, file, items, run="other", queue="ratings")
    assert not path.exists()


def test_decisions_on_unknown_texts_are_kept_and_said(
    tmp_path: Path, items: list[review.Item]
) -> None:
    path = tmp_path / "decisions.jsonl"
    other = replace(items[0], output="Something else.")
    file = exported(tmp_path / "r.jsonl", [line(other, "anna", "approve")])
    merged = review.merge(path, file, items, run="cpu")
    assert (merged.added, merged.unknown) == (1, 1)
    assert "1 are on texts that are not in this queue" in str(merged)
    table = tmp_path / "t.csv"
    table.write_text("id,reviewer,decision\nt999,anna,reject\n", encoding="utf-8")
    assert review.merge(path, table, items).unknown == 1
    assert [found["item"] for found in review.read(path)] == [other.hash, "id:t999"]


def test_two_people_with_one_name_are_noticed(tmp_path: Path, items: list[review.Item]) -> None:
    path = tmp_path / "decisions.jsonl"
    review.append(path, [line(items[0], "sam", "approve", client="one")])
    second = line(items[0], "sam", "reject", 9, client="two", reason="vague")
    file = exported(tmp_path / "r.jsonl", [second])
    with pytest.raises(DataFileError, match="two reviewers with one name would count as one"):
        review.merge(path, file, items, run="cpu")
    assert len(review.read(path)) == 1
    review.merge(path, file, items, run="cpu", reviewer="sam-2")
    assert statuses(items[:1], review.read(path)) == ["disputed"]
    review.merge(path, file, items, run="cpu", same_person=True)
    assert len(review.read(path)) == 3


def test_a_table_sent_again_brings_only_what_changed(
    tmp_path: Path, items: list[review.Item]
) -> None:
    path, table = tmp_path / "decisions.jsonl", tmp_path / "t.csv"
    table.write_text("id,reviewer,decision\nt001,anna,approve\nt002,anna,\n", encoding="utf-8")
    assert review.merge(path, table, items, at="2026-01-01").added == 1
    assert review.merge(path, table, items, at="2026-01-02").added == 0
    table.write_text(
        "id,reviewer,decision\nt001,anna,approve\nt002,anna,reject\n", encoding="utf-8"
    )
    assert review.merge(path, table, items, at="2026-01-03").added == 1
    table.write_text("id,reviewer,decision\nt001,anna,reject\n", encoding="utf-8")
    with pytest.raises(DataFileError, match="--same-person"):
        review.merge(path, table, items, at="2026-01-04")
    review.merge(path, table, items, at="2026-01-04", same_person=True)
    kinds = {k[1]: v["decision"] for k, v in review.standing(review.read(path)).items()}
    assert kinds == {items[0].hash: "reject", items[1].hash: "reject"}


# --------------------------------------------------------------------------- queues of a run


def run_with(folder: Path, examples: list[Example]) -> Path:
    rows = [{**e.to_row(), "passed": e.id != "t003"} for e in examples]
    text = "".join(json.dumps(row) + "\n" for row in rows)
    (folder / "candidates.jsonl").write_text(text, encoding="utf-8")
    return folder


def test_a_queue_holds_what_passed_the_gates(tmp_path: Path, candidates: list[Example]) -> None:
    run = run_with(tmp_path, candidates[:5])
    found = review.items_of(run, "candidates")
    assert [item.id for item in found] == ["t001", "t002", "t004", "t005"]
    assert found[0].about == ("Asked for: activation rate, steady decline",)
    assert review.items_of(run, "adjudication") == []


def test_answers_are_rated_without_their_system_and_once(
    tmp_path: Path, candidates: list[Example]
) -> None:
    row = {"instruction": "Analyse.", "input": candidates[0].input, "id": "h001"}
    rows = [
        {**row, "system": "base", "output": "Analysis: a"},
        {**row, "system": "tuned", "output": "Analysis: a"},
        {**row, "system": "prompted", "output": "Analysis: b"},
        {**row, "system": "prompted", "output": " "},
    ]
    text = "".join(json.dumps(r) + "\n" for r in rows)
    (tmp_path / "predictions.jsonl").write_text(text, encoding="utf-8")
    found = review.items_of(tmp_path, "ratings")
    assert [item.output for item in found] == ["Analysis: a", "Analysis: b"]
    shown = json.dumps([item.front() for item in found])
    assert not any(name in shown for name in ("base", "tuned", "prompted"))


def test_a_missing_stage_or_queue_is_said(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"candidates\.jsonl is not in run .*: run stage 02 first"):
        review.items_of(tmp_path, "candidates")
    with pytest.raises(UserError, match=r"predictions\.jsonl is not in run .*: run stage 04 first"):
        review.items_of(tmp_path, "ratings")
    with pytest.raises(UserError, match="there is no queue 'votes'; expected one of candidates"):
        review.items_of(tmp_path, "votes")


def test_the_front_end_gets_every_number_marked(candidates: list[Example]) -> None:
    wrong = replace(candidates[0], output=candidates[0].output.replace("19%", "29%"))
    shown = review.Item.from_example(wrong).front()
    assert "".join(part for part, _, _ in shown["segments"]) == wrong.output
    marks = {part: mark for part, mark, _ in shown["segments"] if mark}
    assert marks["29%"] == "wrong"
    assert marks["0.47"] == "right"
    assert any("29%" in finding for finding in shown["findings"])
    assert shown["values"] == [0.47, 0.46, 0.44, 0.43, 0.41, 0.40, 0.38]


# --------------------------------------------------------------------------- the command


@pytest.fixture
def run_dir(tmp_path: Path, candidates: list[Example], monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("NBUTILS_ARTIFACTS", str(tmp_path))
    folder = tmp_path / "runs" / "trial"
    folder.mkdir(parents=True)
    (folder / "run.json").write_text("{}", encoding="utf-8")
    return run_with(folder, candidates[:5])


def test_a_page_goes_out_and_two_tables_come_back(
    run_dir: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["review", "trial"]) == 0
    said = capsys.readouterr().out
    assert "4 items: 4 not reviewed" in said
    page = tmp_path / "reports" / "trial" / "review_candidates.html"
    assert f"Page: {page}" in said
    assert "default-src &#39;none&#39;" in page.read_text(encoding="utf-8")
    for name, choice in (("anna", "approve"), ("ben", "reject")):
        table = tmp_path / f"{name}.csv"
        assert cli.main(["review", "trial", "--reviewer", name, "--export", str(table)]) == 0
        with table.open(encoding="utf-8-sig", newline="") as file:
            rows = list(csv.DictReader(file))
        rows[0]["decision"] = "approve"
        for row in rows[1:3]:
            row["decision"] = choice
        with table.open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, rows[0])
            writer.writeheader()
            writer.writerows(rows)
        assert cli.main(["review", "trial", "--import", str(table)]) == 0
    capsys.readouterr()
    lines = review.read(run_dir / "decisions.jsonl")
    assert len(lines) == 6
    assert all(line["at"] for line in lines)
    assert cli.main(["review", "trial", "--queue", "adjudication"]) == 0
    said = capsys.readouterr().out
    disputed = review.items_of(run_dir, "adjudication")
    assert f"{len(disputed)} items: {len(disputed)} disputed" in said
    settled = review.settle(review.items_of(run_dir, "candidates"), lines)
    assert settled["status"].tolist().count("disputed") == len(disputed) > 0


def test_what_the_command_refuses_is_one_line(
    run_dir: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], items: list[review.Item]
) -> None:
    other = exported(tmp_path / "x.jsonl", [line(items[0], "anna", "approve")], run="elsewhere")
    for arguments, message in (
        (["--import", str(other)], "holds decisions of run 'elsewhere', expected 'trial'"),
        (["--import", str(tmp_path / "no.csv")], "no.csv does not exist"),
        (["--queue", "votes"], "there is no queue 'votes'"),
        (["--queue", "ratings"], "run stage 04 first"),
        (["--queue", "adjudication"], "the queue 'adjudication' of run trial is empty"),
        (["--export", str(tmp_path / "t.pdf")], "ends in '.pdf'; expected .csv, .xlsx, .jsonl"),
    ):
        assert cli.main(["review", "trial", *arguments]) == 2
        said = capsys.readouterr().err
        assert message in said
        assert len(said.strip().splitlines()) == 1
    assert not (run_dir / "decisions.jsonl").exists()


def test_a_broken_line_is_mended_and_said_by_the_command(
    run_dir: Path, capsys: pytest.CaptureFixture[str], items: list[review.Item]
) -> None:
    path = run_dir / "decisions.jsonl"
    review.append(path, [line(items[0], "anna", "approve")])
    path.write_bytes(path.read_bytes() + b'{"item": "')
    assert cli.main(["review", "trial"]) == 0
    assert "the last line of decisions.jsonl was cut off" in capsys.readouterr().out
    assert len(review.read(path)) == 1
