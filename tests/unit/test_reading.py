"""Reports from real files of every kind, and what is said of those that cannot be read."""

from __future__ import annotations

import datetime as dt
import json
import os
import zipfile
from pathlib import Path
from typing import Any

import pytest
from docx import Document
from docx.oxml import parse_xml
from openpyxl import Workbook

from nbutils.curation.reading import COLUMNS, read_reports
from nbutils.examples import DataFileError

WORD = 'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'


def text_of(path: Path) -> str:
    reports, unread = read_reports(path)
    assert unread.empty, unread["reason"].tolist()
    assert len(reports) == 1
    return str(reports.loc[0, "text"])


def reason_of(path: Path) -> str:
    reports, unread = read_reports(path)
    assert reports.empty
    assert list(reports.columns) == list(COLUMNS)
    assert len(unread) == 1
    return str(unread.loc[0, "reason"])


def workbook(path: Path, **sheets: list[list[Any]]) -> Path:
    book = Workbook()
    book.remove(book.active)
    for name, rows in sheets.items():
        sheet = book.create_sheet(name)
        for row in rows:
            sheet.append(row)
    book.save(path)
    return path


def repacked(source: Path, target: Path, parts: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w", 8, compresslevel=1) as new:
        for name in old.namelist():
            new.writestr(name, parts.pop(name, None) or old.read(name))
        for name, data in parts.items():
            new.writestr(name, data)
    return target


# documents


def test_a_folder_is_read_with_its_subfolders_by_path(tmp_path: Path) -> None:
    for name in ("b.md", "a/z.TXT", "a/deep/c.md", ".hidden/x.md", ".x.md", "~$b.docx"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(f"text of {name}")
    reports, unread = read_reports(tmp_path)
    assert reports["source"].tolist() == ["a/deep/c.md", "a/z.TXT", "b.md"]
    assert reports["id"].tolist() == ["c", "z", "b"]
    assert list(reports.columns) == list(COLUMNS)
    assert reports["note"].tolist() == ["", "", ""]
    assert reports["sha256"].str.len().tolist() == [16, 16, 16]
    assert unread.empty


def test_files_that_share_a_name_are_called_by_path_and_nothing_is_lost(tmp_path: Path) -> None:
    for name in ("2023/note.md", "2024/note.md", "2024/note.txt", "other.md"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("some text")
    reports, _ = read_reports(str(tmp_path))
    assert reports["id"].tolist() == ["2023/note", "2024/note", "2024/note-2", "other"]
    assert reports["note"].tolist() == ["", "", "id 2024/note stood twice: renamed", ""]


@pytest.mark.parametrize(
    ("data", "note"),
    [
        ("Umsatz 5 € für Köln".encode(), ""),
        ("Umsatz 5 € für Köln".encode("utf-8-sig"), ""),
        ("Umsatz 5 € für Köln".encode("utf-16"), ""),
        (b"\xfe\xff" + "Umsatz 5 € für Köln".encode("utf-16-be"), ""),
        ("Umsatz 5 € für Köln".encode("cp1252"), "read as cp1252"),
    ],
)
def test_every_usual_encoding_gives_the_same_text(tmp_path: Path, data: bytes, note: str) -> None:
    (tmp_path / "r.txt").write_bytes(data)
    reports, _ = read_reports(tmp_path)
    assert reports.loc[0, "text"] == "Umsatz 5 € für Köln"
    assert reports.loc[0, "note"] == note


def test_line_ends_and_spaces_are_evened_and_pasted_tables_stay(tmp_path: Path) -> None:
    file = tmp_path / "r.txt"
    file.write_bytes("\r\nweek\tusers\t\r\n1\t1\u00a0400  \rend\u00a0 \r\n\r\n".encode())
    assert text_of(file) == "week\tusers\t\n1\t1\u00a0400\nend\u00a0"


def test_a_word_file_is_read_in_order_with_its_tables(tmp_path: Path) -> None:
    document = Document()
    document.sections[0].header.paragraphs[0].text = "Confidential"
    document.add_heading("Activation")
    document.add_paragraph("Metric:\tActivation Rate")
    table = document.add_table(rows=2, cols=3)
    for cell, value in zip(table._cells, ["week", "1", "2", "users", "1,400", ""], strict=True):
        cell.text = value
    table.cell(1, 1).add_paragraph("about")
    document.add_paragraph("Urgency: High")
    document.save(tmp_path / "r.docx")
    assert text_of(tmp_path) == (
        "Activation\nMetric:\tActivation Rate\n| week | 1 | 2 |\n| users | 1,400 about |  |\n"
        "Urgency: High"
    )


def test_word_content_that_is_easily_missed_is_read(tmp_path: Path) -> None:
    document = Document()
    box = document.add_table(rows=1, cols=1).cell(0, 0)
    box.text = "A frame round the text\nof two lines"
    body = document.element.body
    for xml in (
        "<w:sdt {0}><w:sdtContent><w:p><w:r><w:t>in a control</w:t></w:r></w:p></w:sdtContent>"
        "</w:sdt>",
        "<w:p {0}><w:r><w:t>rate </w:t></w:r><w:ins><w:r><w:t>0.44</w:t></w:r></w:ins>"
        "<w:del><w:r><w:delText>0.40</w:delText></w:r></w:del></w:p>",
        "<w:p {0}><w:pPr><w:tabs><w:tab w:val='left' w:pos='9'/></w:tabs></w:pPr><w:moveFrom><w:r>"
        "<w:t>moved</w:t></w:r></w:moveFrom><w:r><w:t>stays</w:t></w:r></w:p>",
    ):
        body.insert(len(body) - 1, parse_xml(xml.format(WORD)))
    document.save(tmp_path / "r.docx")
    assert text_of(tmp_path) == (
        "A frame round the text\nof two lines\nin a control\nrate 0.44\nstays"
    )


def test_a_web_page_becomes_lines_and_rows(tmp_path: Path) -> None:
    (tmp_path / "r.html").write_text(
        "<!doctype html><html><head><title>t</title><style>p {color: red}</style></head><body>"
        "<h1>Activation\n rate</h1><!-- draft --><script>let x = 1 < 2;</script>"
        "<p>5&nbsp;% of <b>users</b> &amp; teams<br>in May</p>"
        "<table><caption>By week</caption><tr><th>week<th>1\n<th>2<tr><td>rate<td>0.44<br>est."
        "<td></table><pre>a\t1\nb\t2</pre><ul><li>one<li>two</ul></body></html>"
    )
    assert text_of(tmp_path) == (
        "Activation rate\n5\u00a0% of users & teams\nin May\nBy week\n| week | 1 | 2 |\n"
        "| rate | 0.44 est. |  |\na\t1\nb\t2\none\ntwo"
    )


def test_a_mail_laid_out_by_tables_keeps_its_lines_and_its_real_table(tmp_path: Path) -> None:
    (tmp_path / "r.htm").write_text(
        "<table><tr><td><div>Hello all,</div><p>the rate fell.</p><table><tr><td>week</td><td>1"
        "</td></tr><tr><td>rate</td><td>0.4</td></tr></table></td></tr></table>"
    )
    assert text_of(tmp_path) == "Hello all,\nthe rate fell.\n| week | 1 |\n| rate | 0.4 |"


@pytest.mark.parametrize("piece", ["<div>a", "<!--", "<a ", "</a ", "<![CDATA[", "<table>"])
def test_a_page_of_openings_only_takes_no_time_and_no_stack(tmp_path: Path, piece: str) -> None:
    (tmp_path / "r.html").write_text(piece * 10_000)
    reports, unread = read_reports(tmp_path)
    assert len(reports) + len(unread) == 1


# tables


ROWS = [["id", "date", "text", "note"], [7, dt.datetime(2024, 3, 11), "Rate fell,\n5 €", "ok"]]


def test_csv_with_semicolons_from_excel_is_read(tmp_path: Path) -> None:
    rows = '7;2024-03-11;"Rate fell;\r\n5 €";ok\r\n\r\n8;;"two ""up""";\r\n'
    (tmp_path / "all.csv").write_bytes(f"id;date;text;note\r\n{rows}".encode("cp1252"))
    reports, unread = read_reports(tmp_path)
    assert unread.empty
    assert list(reports.columns) == [*COLUMNS, "date", "note_in_file"]
    assert reports["text"].tolist() == ["Rate fell;\n5 €", 'two "up"']
    assert reports["source"].tolist() == ["all.csv, row 2", "all.csv, row 4"]
    assert reports["note"].tolist() == ["read as cp1252", "read as cp1252"]
    assert reports["note_in_file"].tolist() == ["ok", ""]


def test_a_workbook_is_read_as_text_from_the_sheet_with_the_column(tmp_path: Path) -> None:
    more = [[None] * 4, [8.0, dt.datetime(2024, 3, 12, 9, 30), 0.25, None], [9, None, None, "x"]]
    workbook(tmp_path / "all.xlsx", about=[["made by", "BI"]], data=ROWS + more)
    reports, unread = read_reports(tmp_path)
    assert reports["id"].tolist() == ["7", "8"]
    assert reports["text"].tolist() == ["Rate fell,\n5 €", "0.25"]
    assert reports["date"].tolist() == ["2024-03-11", "2024-03-12 09:30:00"]
    assert reports["source"].tolist() == ["all.xlsx, row 2", "all.xlsx, row 4"]
    assert unread.to_numpy().tolist() == [
        ["all.xlsx, row 5", "there is no text in it: fill or remove it."]
    ]


def test_a_second_sheet_with_reports_is_listed(tmp_path: Path) -> None:
    workbook(tmp_path / "all.xlsx", may=ROWS, june=ROWS)
    reports, unread = read_reports(tmp_path)
    assert len(reports) == 1
    assert unread.loc[0, "source"] == "all.xlsx, sheet june"
    assert "only the first sheet" in unread.loc[0, "reason"]


def test_a_cell_that_excel_cut_is_noted(tmp_path: Path) -> None:
    workbook(tmp_path / "all.xlsx", data=[["text"], ["a" * 32_767]])
    reports, _ = read_reports(tmp_path)
    assert reports.loc[0, "note"] == "exactly 32,767 characters, where Excel cuts a cell"


def test_carriage_returns_as_excel_writes_them_become_line_ends(tmp_path: Path) -> None:
    workbook(tmp_path / "all.xlsx", data=[["text"], ["one_x000D_\ntwo"]])
    assert text_of(tmp_path) == "one\ntwo"


def test_json_lines_keep_their_further_fields_and_name_broken_lines(tmp_path: Path) -> None:
    lines: list[Any] = [
        {"id": "a", "body": "first\u2028line", "tags": ["x"], "text": "other"},
        '{"id": "b", "body": ',
        {"id": "c", "body": "   "},
        ["no", "object"],
        {"id": "d"},
        {"id": "e", "body": ["no", "text"]},
        {"id": "f", "body": "half \ud800"},
        {"id": "g", "body": "nul \x00"},
        {"id": "", "body": "unnamed"},
        {"id": "h", "body": "smile 😀", "n": 3},
    ]
    written = [line if isinstance(line, str) else json.dumps(line) for line in lines]
    (tmp_path / "all.jsonl").write_text("\n\n".join(written))
    reports, unread = read_reports(tmp_path / "all.jsonl", text_field="body")
    assert reports["id"].tolist() == ["a", "all-17", "h"]
    assert reports["text"].tolist() == ["first\u2028line", "unnamed", "smile 😀"]
    assert reports["source"].tolist() == [f"all.jsonl, row {n}" for n in (1, 17, 19)]
    assert reports.loc[0, "tags"] == ["x"]
    assert reports.loc[0, "text_in_file"] == "other"
    assert reports.loc[1, "note"] == "no id: named after file and row"
    assert unread["source"].tolist() == [f"all.jsonl, row {n}" for n in range(3, 17, 2)]
    for reason, part in zip(
        unread["reason"],
        [
            "line 3 is not JSON",
            "there is no text in it",
            "line 7 is a JSON list",
            "there is no text in it",
            "'body' is a list",
            "line 13 holds half a character",
            "NUL characters",
        ],
        strict=True,
    ):
        assert part in reason


def test_a_line_in_another_encoding_does_not_spoil_the_others(tmp_path: Path) -> None:
    lines = [f'{{"id": "{code}", "text": "Köln €"}}'.encode(code) for code in ("utf-8", "cp1252")]
    (tmp_path / "all.jsonl").write_bytes(b"\r\n".join(lines))
    reports, _ = read_reports(tmp_path)
    assert reports["text"].tolist() == ["Köln €", "Köln €"]
    assert reports["note"].tolist() == ["", "read as cp1252"]


def test_ids_that_stand_twice_are_renamed_past_ids_that_are_taken(tmp_path: Path) -> None:
    names = ["a", "a", "a-2", "a", "b"]
    rows = [json.dumps({"id": name, "text": f"text {i}"}) for i, name in enumerate(names)]
    (tmp_path / "all.jsonl").write_text("\n".join(rows))
    reports, _ = read_reports(tmp_path)
    assert reports["id"].tolist() == ["a", "a-3", "a-2", "a-4", "b"]
    assert reports["note"].tolist() == [
        "",
        "id a stood twice: renamed",
        "",
        "id a stood twice: renamed",
        "",
    ]
    assert reports["text"].tolist() == [f"text {i}" for i in range(5)]


def test_rows_without_an_id_column_are_called_after_file_and_row(tmp_path: Path) -> None:
    (tmp_path / "notes.csv").write_text("text,team\nfirst,x\nsecond,y\n")
    reports, _ = read_reports(tmp_path, id_field="key")
    assert reports["id"].tolist() == ["notes-2", "notes-3"]
    assert reports["note"].tolist() == ["", ""]


@pytest.mark.parametrize(
    ("rows", "kept", "source", "reason"),
    [
        ('a,"never closed\nb,x\n', 0, "row 2", "from this row on the table is broken"),
        ("a,one\nb,two, and more\nc,three\n", 2, "row 3", "3 cells and the heading 2"),
    ],
)
def test_broken_csv_rows_are_listed(
    tmp_path: Path, rows: str, kept: int, source: str, reason: str
) -> None:
    (tmp_path / "all.csv").write_text("id,text\n" + rows)
    reports, unread = read_reports(tmp_path)
    assert len(reports) == kept
    assert unread.loc[0, "source"] == f"all.csv, {source}"
    assert reason in unread.loc[0, "reason"]


def test_a_table_without_the_text_column_is_listed_with_its_columns(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("id;body\n1;x\n")
    (tmp_path / "b.jsonl").write_text('{"id": 1, "body": "x"}\n{"id": 2, "body": "y"}\n')
    workbook(tmp_path / "c.xlsx", data=[["id", "body"], [1, "x"]])
    reports, unread = read_reports(tmp_path)
    assert reports.empty
    assert unread["source"].tolist() == ["a.csv", "b.jsonl", "c.xlsx"]
    assert unread["reason"].str.startswith("no column 'text' (found: id, body)").all()


# what cannot be read


@pytest.mark.parametrize(
    ("name", "data", "reason"),
    [
        ("r.pdf", b"%PDF-1.7", "files with extension .pdf are not read: save it as one of .docx"),
        ("README", b"text", "files without extension are not read"),
        ("r.txt", b"", "the file is empty"),
        ("r.md", b" \r\n\t\n", "there is no text in it"),
        ("r.html", b"<p> </p>", "there is no text in it"),
        ("r.txt", b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR", "binary content (NUL bytes)"),
        ("r.txt", b"\x1f\x8b\x08\x08\xff\x01", "neither UTF-8 nor Windows text"),
        ("r.docx", b"just text", "no .docx file inside"),
        ("r.docx", b"PK\x03\x04 cut off", "no .docx file inside"),
        ("r.docx", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "has a password or is of an older Office"),
        ("r.xlsx", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "save it as .xlsx without password"),
        ("r.csv", b"id,text\n", "the table has no rows"),
        ("r.csv", b"id,te\x00xt\n", "binary content"),
        ("r.jsonl", b"\n", "the table has no rows"),
        ("r.jsonl", b"nothing\nof JSON", "no line is a JSON object with fields; of the first: l"),
    ],
)
def test_what_cannot_be_read_is_listed(tmp_path: Path, name: str, data: bytes, reason: str) -> None:
    (tmp_path / name).write_bytes(data)
    assert reason in reason_of(tmp_path)
    assert reason in reason_of(tmp_path / name)


def test_a_large_file_is_listed_and_not_loaded(tmp_path: Path) -> None:
    for name, size in (("r.txt", 50_000_000), ("all.csv", 600_000_000)):
        with (tmp_path / name).open("wb") as stream:
            stream.truncate(size)
    reports, unread = read_reports(tmp_path)
    assert reports.empty
    assert unread["reason"].tolist() == [
        "the file has 600 MB, more than 500 MB: divide it.",
        "the file has 50 MB, more than 20 MB: divide it.",
    ]


@pytest.mark.parametrize(
    ("part", "size", "limit"),
    [("word/document.xml", 30_000_000, 20), ("word/media/image1.bmp", 210_000_000, 200)],
)
def test_a_word_file_that_unpacks_to_too_much_is_listed(
    tmp_path: Path, part: str, size: int, limit: int
) -> None:
    Document().save(tmp_path / "plain.docx")
    bomb = repacked(tmp_path / "plain.docx", tmp_path / "bomb.docx", {part: b" " * size})
    assert bomb.stat().st_size < 2_000_000
    assert f"MB, more than {limit} MB: divide it" in reason_of(bomb)


def test_a_damaged_word_file_is_listed_and_the_others_are_read(tmp_path: Path) -> None:
    Document().save(tmp_path / "plain.docx")
    repacked(tmp_path / "plain.docx", tmp_path / "bad.docx", {"word/document.xml": b"<w:oops"})
    workbook(tmp_path / "book.xlsx", data=ROWS).rename(tmp_path / "renamed.docx")
    (tmp_path / "plain.docx").unlink()
    (tmp_path / "good.md").write_text("good")
    reports, unread = read_reports(tmp_path)
    assert reports["id"].tolist() == ["good"]
    assert unread["source"].tolist() == ["bad.docx", "renamed.docx"]
    assert unread["reason"].str.startswith("the file is damaged (").all()


def test_links_out_of_the_folder_are_listed_and_not_followed(tmp_path: Path) -> None:
    inside, outside = tmp_path / "inside", tmp_path / "outside"
    inside.mkdir()
    outside.mkdir()
    (outside / "secret.md").write_text("secret")
    (inside / "r.md").write_text("report")
    (inside / "leaves.md").symlink_to(outside / "secret.md")
    (inside / "folder").symlink_to(outside)
    (inside / "lost.md").symlink_to(inside / "nowhere.md")
    (inside / "same.md").symlink_to(inside / "r.md")
    reports, unread = read_reports(inside)
    assert reports["source"].tolist() == ["r.md", "same.md"]
    assert unread["source"].tolist() == ["folder", "leaves.md", "lost.md"]
    for reason, part in zip(
        unread["reason"], ["link to a folder", "leads out", "leads nowhere"], strict=True
    ):
        assert part in reason


def test_a_pipe_is_listed_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "r.txt")
    assert "no regular file" in reason_of(tmp_path)


def test_a_missing_path_and_an_empty_folder_are_errors(tmp_path: Path) -> None:
    with pytest.raises(DataFileError, match=r"nowhere: no such file or folder; .*\.docx.*\.xlsx"):
        read_reports(tmp_path / "nowhere")
    (tmp_path / ".hidden").write_text("x")
    with pytest.raises(DataFileError, match=r"the folder holds no files; .*\.docx.*\.xlsx"):
        read_reports(tmp_path)
