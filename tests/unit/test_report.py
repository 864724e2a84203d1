import re
from html.parser import HTMLParser
from types import SimpleNamespace

import matplotlib
import nbformat
import nbformat.v4 as v4
import numpy as np
import pandas as pd
import pytest
from report_run import NASTY, gate, run_record, scores, write_run

from nbutils import report
from nbutils.errors import UserError
from nbutils.report.html import clean

SHARES = pd.DataFrame(
    {"system": ["base", "tuned"], "value": [0.02, 0.83], "low": [0.0, 0.72], "high": [0.09, 0.91]}
)


class _Tags(HTMLParser):
    """Names and attributes of all tags."""

    def __init__(self, text):
        super().__init__()
        self.found = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))


def assert_harmless(text):
    for tag, attrs in _Tags(text).found:
        assert tag not in {"script", "iframe", "object", "embed", "base", "form"}
        assert not [name for name in attrs if name.startswith("on")]
        assert attrs.get("src", "data:").startswith("data:")
        if tag == "link":
            assert attrs["href"].startswith("data:")
        assert not attrs.get("href", "").lower().startswith("javascript:")
        if tag == "img":
            assert attrs.get("alt")
    assert "@import" not in text


# ------------------------------------------------------------------ tables


def test_table_merges_the_interval_and_puts_the_subject_first():
    made = report.table(SHARES, "Answers in the house form.", note="60 cases.")
    assert list(made.cells) == ["system", "value [95% interval]"]
    assert made.cells.iloc[1].tolist() == ["tuned", "0.83 [0.72, 0.91]"]
    html = made._repr_html_()
    assert "<caption><span>Answers in the house form.</span></caption>" in html
    assert 'scope="row"' in html
    assert "60 cases." in html
    assert "0.83 [0.72, 0.91]" in str(made)
    assert set(made._repr_mimebundle_()) == {"text/html", "text/plain"}


def test_table_takes_a_labelled_index_as_subject():
    counts = pd.Series([1200, 3], index=pd.Index(["vague", "no action"], name="reason"), name="n")
    made = report.table(counts, "Reports dropped, by reason.")
    assert made.cells.to_dict("list") == {"reason": ["vague", "no action"], "n": ["1,200", "3"]}


def test_table_escapes_everything():
    made = report.table(pd.DataFrame({NASTY: [NASTY]}), NASTY, note=NASTY)
    assert "<script" not in made._repr_html_()


@pytest.mark.parametrize(
    ("frame", "caption", "formats", "message"),
    [
        (SHARES, " ", None, "no caption"),
        (pd.DataFrame([range(8)]), "Too wide.", None, "8 columns"),
        (pd.DataFrame(), "Nothing.", None, "0 columns"),
        (SHARES, "Formats.", {"absent": ".1%"}, "absent"),
    ],
)
def test_table_refuses(frame, caption, formats, message):
    with pytest.raises(UserError, match=message):
        report.table(frame, caption, formats=formats)


def test_table_without_rows_says_so():
    made = report.table(pd.DataFrame({"a": []}), "Nothing was dropped.")
    assert "No rows." in made._repr_html_()
    assert "No rows." in str(made)


def test_table_leaves_its_frame_alone_and_says_how_many_rows_it_shows():
    frame = pd.DataFrame({"value": np.arange(100.0), "low": 0.0, "high": 1.0})
    before = frame.copy()
    made = report.table(frame, "Many.", note="Of all.")
    pd.testing.assert_frame_equal(frame, before)
    assert made.note == "Of all. 40 of 100 rows are shown."


@pytest.mark.parametrize(
    ("values", "spec", "shown"),
    [
        ([0.5, 0.25], None, ["0.50", "0.25"]),
        ([12.3456, 1.0], None, ["12.3", "1.0"]),
        ([1234567.0, None], None, ["1,234,567", "–"]),
        ([0.00021, 0.00042], None, ["0.000210", "0.000420"]),
        ([-3, 4], None, ["−3", "4"]),
        ([True, False], None, ["yes", "no"]),
        ([["a", "b"], []], None, ["a, b", "–"]),
        ([float("nan"), float("inf")], None, ["–", "∞"]),
        ([0.123, None], ".1%", ["12.3%", "–"]),
        ([0.123, 1], "{:.1%}", ["12.3%", "100.0%"]),
        ([90, 30], lambda s: f"{s} s", ["90 s", "30 s"]),
        (["2026-11-21", None], None, ["2026-11-21", "–"]),
    ],
)
def test_digits_of_a_column(values, spec, shown):
    formats = {"x": spec} if spec else None
    made = report.table(pd.DataFrame({"x": pd.Series(values)}), "Digits.", formats=formats)
    assert made.cells["x"].tolist() == shown


def test_what_is_not_all_is_not_printed_as_all():
    from nbutils.report.tables import interval

    assert interval(0.9999, 0.95, 1.0, scale=100).startswith("99.99 ")
    assert interval(1.0, 0.94, 1.0, scale=100) == "100 [94, 100]"
    assert interval(0.002, 0.0, 0.05, scale=100).startswith("0.2 ")
    assert interval(0.0, -0.1, 0.1, scale=100, sign=True) == "0 [−10, 10]"


def test_small_p_values_are_not_zero():
    made = report.table(pd.DataFrame({"test": ["a", "b"], "p": [0.00002, 0.0341]}), "Tests.")
    assert made.cells["p"].tolist() == ["<0.001", "0.034"]


# ------------------------------------------------------------------ figures


@pytest.fixture
def shown(monkeypatch):
    import IPython.display

    calls = []
    monkeypatch.setattr(IPython.display, "display", lambda *a, **k: calls.append((a, k)))
    return calls


def test_show_keeps_the_alt_text(shown):
    fig = report.bars(pd.DataFrame({"reason": ["a"], "n": [3]}), "One.", "reason", "n", "reports")
    report.show(fig, "One bar.")
    ((data,), options) = shown[0]
    assert data["image/png"].startswith("iVBOR")
    assert options["metadata"]["image/png"]["alt"] == "One bar."


def test_show_wants_alt_text():
    with pytest.raises(UserError, match="no alt text"):
        report.show(None, "  ")


def test_figures_leave_no_style_behind_and_take_any_text(shown):
    before = dict(matplotlib.rcParams)
    frame = SHARES.assign(label="$40_a to $50", group=["base", "tuned"], n=[1, 2], step=[1, 2])
    frame.loc[0, ["value", "low", "high"]] = None
    figures = [
        report.dots(frame, "A $1 title.", group="group", baseline="base", xlabel="share"),
        report.dots(frame, "A line.", baseline=0.5),
        report.curves(frame, "Loss falls.", "step", {"n": "loss"}, "step", "loss (nats)"),
        report.bars(frame, "Counts.", "label", "n", "reports", baseline="base"),
        report.stacks(frame[["label", "n"]], "Parts.", "label", "reports"),
        report.scatter(frame, "Cost.", "n", "value", "label", "dollars", "share"),
    ]
    for fig in figures:
        report.show(fig, "A figure.")
        assert fig.axes[0].get_xlabel()
    assert dict(matplotlib.rcParams) == before


def test_dots_draw_the_baseline_grey_and_every_interval():
    fig = report.dots(SHARES, "Better.", label="system", group="system", baseline="base")
    lines = fig.axes[0].get_lines()
    assert [len(line.get_xdata()) for line in lines] == [2, 1, 2, 1]
    assert lines[0].get_color() == "#8a9099"
    assert lines[2].get_color() == "#0072B2"
    both = report.dots(SHARES, "Both.", label="system", group="system", baseline=["base", "tuned"])
    assert {line.get_color() for line in both.axes[0].get_lines()} == {"#8a9099"}


def test_stacks_put_each_part_behind_the_one_before():
    frame = pd.DataFrame({"system": ["base", "tuned"], "level": [3, 1], "ratio": [2.0, None]})
    fig = report.stacks(frame, "Fewer.", label="system", xlabel="per 100 answers")
    bars = fig.axes[0].patches
    assert [bar.get_width() for bar in bars] == [3, 1, 2, 0]
    assert [bar.get_x() for bar in bars] == [0, 0, 3, 1]
    assert [text.get_text() for text in fig.legends[0].get_texts()] == ["level", "ratio"]
    assert bars[0].get_facecolor() != bars[2].get_facecolor()
    assert fig.axes[0].get_xlabel() == "per 100 answers"
    none = report.stacks(frame[["system"]], "Nothing wrong.", label="system", xlabel="answers")
    assert (list(none.axes[0].patches), none.legends) == ([], [])


def test_more_parts_than_colours_are_told_by_hatching():
    frame = pd.DataFrame({"system": ["base"], **{f"p{n}": [1] for n in range(8)}})
    bars = report.stacks(frame, "Many.", label="system", xlabel="n").axes[0].patches
    looks = [(bar.get_facecolor(), bar.get_hatch()) for bar in bars]
    assert len(set(looks)) == 8


def test_a_scatter_draws_what_is_known_with_its_interval():
    frame = SHARES.assign(cost=[0.5, 20.0])
    axes = {"x": "cost", "y": "value", "xlabel": "dollars", "ylabel": "share"}
    fig = report.scatter(frame, "Better.", label="system", baseline=["base"], **axes)
    lines = fig.axes[0].get_lines()
    assert [list(line.get_ydata()) for line in lines] == [[0.0, 0.09], [0.02], [0.72, 0.91], [0.83]]
    assert [line.get_color() for line in lines] == ["#8a9099"] * 2 + ["#0072B2"] * 2
    assert [text.get_text() for text in fig.legends[0].get_texts()] == ["base", "tuned"]
    assert fig.axes[0].get_xscale() == "log"
    frame.loc[0, "cost"] = 19.0
    frame.loc[1, "low"] = None
    fig = report.scatter(frame, "Alike.", label="system", **axes)
    assert fig.axes[0].get_xscale() == "linear"
    assert len(fig.axes[0].get_lines()) == 3
    frame.loc[0, "cost"] = None
    fig = report.scatter(frame, "One.", label="system", **axes)
    assert [text.get_text() for text in fig.legends[0].get_texts()] == ["tuned"]


@pytest.mark.parametrize(
    ("draw", "message"),
    [
        (lambda: report.dots(SHARES, "T."), "label"),
        (lambda: report.dots(SHARES, " ", label="system"), "no title"),
        (lambda: report.dots(SHARES.iloc[:0], "T.", label="system"), "no rows"),
        (lambda: report.curves(SHARES, "T.", "low", {"value": "v"}, "x", ""), "axis"),
        (lambda: report.bars(SHARES, "T.", "system", "count", "n"), "count"),
        (lambda: report.stacks(SHARES, "T.", "name", "n"), "name"),
        (lambda: report.stacks(SHARES.iloc[:0], "T.", "system", "n"), "no rows"),
        (lambda: report.scatter(SHARES, "T.", "cost", "value", "system", "x", "y"), "cost"),
        (
            lambda: report.scatter(
                SHARES.assign(cost=None), "T.", "cost", "value", "system", "x", "y"
            ),
            "no rows",
        ),
    ],
)
def test_figures_refuse(draw, message):
    with pytest.raises(UserError, match=message):
        draw()


# ------------------------------------------------------------------ marked numbers


def claim(start, end, verdict="supported", derivation="why", kind="level"):
    return SimpleNamespace(start=start, end=end, verdict=verdict, kind=kind, derivation=derivation)


@pytest.mark.parametrize(
    ("verdict", "mark", "words"),
    [
        ("supported", "✓", "supported"),
        ("contradicted", "✗", "wrong"),
        ("unsupported", "✗", "not supported"),
        ("unit_confusion", "✗", "wrong unit"),
        ("proposal", "?", "not checked"),
        ("unchecked", "?", "not checked"),
        ("of a later version", "?", "not checked"),
    ],
)
def test_annotate_says_it_without_colour(verdict, mark, words):
    html = report.annotate("Now 42.", SimpleNamespace(claims=[claim(4, 6, verdict)]))
    assert re.search(rf"<u>42</u><sup[^>]*>{re.escape(mark)}</sup>", html)
    assert words in html
    assert "why" in html


def test_annotate_escapes_and_keeps_the_text():
    text = f"{NASTY} 42 {NASTY}"
    at = text.index("42")
    found = [claim(at, at + 2, derivation='"><script>'), claim(at + 1, at + 5), claim(90, 9e9)]
    html = report.annotate(text, SimpleNamespace(claims=found))
    assert_harmless(html)
    assert html.count("<u>") == 1
    assert html._repr_html_() == html


def test_annotate_of_an_empty_text():
    assert "></div>" in report.annotate("", SimpleNamespace(claims=[claim(0, 3)]))


# ------------------------------------------------------------------ pages of notebooks


@pytest.mark.parametrize(
    "html",
    [
        "<img src=x onerror=alert(1)>",
        "<script>a()</script >",
        "<SCRIPT src='http://x/y'>",
        "<style>@import 'http://x'</style>",
        "<a href='javascript:a()'>x</a><a href='data:text/html,x'>y</a>",
        "<svg onload=a()><iframe src='http://x'></iframe></svg>",
        "<p style='background:url(http://x)' onclick=a()>x",
        "<img src='http://x/y.png' alt='a picture'>",
    ],
)
def test_clean_leaves_nothing_that_runs_or_loads(html):
    cleaned = clean(html)
    assert_harmless(cleaned)
    assert "http://x" not in cleaned


def executed(tmp_path, *cells, **metadata):
    path = tmp_path / "01_curation.ipynb"
    nbformat.write(v4.new_notebook(cells=list(cells), metadata=metadata), path)
    return path


def code(source, *outputs, tags=(), count=1):
    return v4.new_code_cell(
        source, outputs=list(outputs), execution_count=count, metadata={"tags": list(tags)}
    )


def html_output(text):
    return v4.new_output("display_data", {"text/html": text, "text/plain": "plain"})


def test_notebook_page(tmp_path):
    path = executed(
        tmp_path,
        v4.new_markdown_cell("# Which reports can teach?\n\n## First\n\n### Detail\n\n## First"),
        code(
            "SEED = 1", v4.new_output("stream", name="stdout", text="params"), tags=["parameters"]
        ),
        code("secret_code()", v4.new_output("stream", name="stderr", text="a warning"), count=2),
        code("x", html_output("<b>kept</b><script>lost</script>"), count=3),
        code(
            "fig",
            v4.new_output(
                "display_data",
                {"image/png": "iVBORw0KGgo="},
                metadata={"image/png": {"alt": 'Bars "quoted"', "width": 700}},
            ),
        ),
    )
    page = report.notebook_html(path, tmp_path / "01_curation.html").read_text()
    assert_harmless(page)
    assert "<title>Which reports can teach?</title>" in page
    for absent in ("secret_code", "a warning", "params", "lost", "SEED"):
        assert absent not in page
    assert "<b>kept</b>" in page
    assert 'alt="Bars &quot;quoted&quot;"' in page or "alt='Bars \"quoted\"'" in page
    assert re.findall(r'<li class="level(\d)"><a href="#([^"]*)"', page) == [
        ("2", "First"),
        ("3", "Detail"),
        ("2", "First-2"),
    ]
    assert 'href="index.html"' in page


def test_failed_notebook_says_so_at_the_top(tmp_path):
    error = v4.new_output("error", ename="CaseError", evalue="row <3>", traceback=["\x1b[31mTB"])
    path = executed(
        tmp_path,
        v4.new_markdown_cell("An Exception", metadata={"tags": ["papermill-error-cell-tag"]}),
        v4.new_markdown_cell("# Title"),
        code("SEED = 1"),
        code("SEED = 2", tags=["injected-parameters"]),
        code(" "),
        code("import x", error, tags=["setup"], count=7),
        papermill={"exception": True},
    )
    page = report.notebook_html(path, tmp_path / "x.html", title="Mine").read_text()
    assert "<title>Mine</title>" in page
    assert "Failed in cell 2:</strong>" in page
    assert "CaseError: row &lt;3&gt;" in page
    assert "<pre>TB</pre>" in page
    assert "An Exception" not in page
    assert page.index("Failed in cell 2") < page.index("Title</h1>")


def test_notebook_whose_kernel_died(tmp_path):
    cell = code("x", count=None)
    cell.metadata["papermill"] = {"status": "running"}
    path = executed(tmp_path, v4.new_markdown_cell("# T"), cell)
    page = report.notebook_html(path, tmp_path / "x.html").read_text()
    assert "Failed in cell 1:" in page


@pytest.mark.parametrize("content", [None, "{}", "not json"])
def test_what_is_not_a_notebook_is_refused(tmp_path, content):
    path = tmp_path / "01.ipynb"
    if content is not None:
        path.write_text(content)
    with pytest.raises(UserError, match=r"run (it|the notebook)"):
        report.notebook_html(path, tmp_path / "01.html")
    assert not (tmp_path / "01.html").exists()


# ------------------------------------------------------------------ the front page


def front(tmp_path, **files):
    run_dir = write_run(tmp_path / "run", **files)
    return report.front_page(run_dir, tmp_path / "out").read_text()


def test_front_page_of_a_finished_run(tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "01_curation.html").write_text("x")
    page = front(tmp_path)
    assert_harmless(page)
    for text in (
        "better urgency is not shown",
        "invented",
        "not people",
        "+70 [57, 80]",
        "−58 [−70, −45]",
        "99.7%",
        "– (n = 60)",
        "includes 0",
        "0123456789ab, with uncommitted changes",
        "4,884,480 of 139,400,000 (3.50%)",
        "SmolLM2-135M-Instruct",
        'href="01_curation.html"',
        "no person has rated them",
        "7 numbers: 4 supported, 1 wrong, 2 not checked",
    ):
        assert text in page
    assert 'href="02_augmentation.html"' not in page
    order = [page.index(f'id="{x}"') for x in ("results", "systems", "examples", "run", "limits")]
    assert order == sorted(order)
    assert page.index("better urgency is not shown") < order[0]
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == [
        "01_curation.html",
        "index.html",
    ]


def test_front_page_takes_the_stronger_baseline(tmp_path):
    changed = scores()
    for pair in [p for p in changed["comparisons"] if p["metric"] == "wrong"]:
        changed["comparisons"].append({**pair, "baseline": "base", "difference": -0.681})
    page = front(tmp_path, run=run_record(), scores=changed, gate=gate())
    assert "−58 [" in page
    assert "−68 [" not in page


def checked(metric, *passed):
    found = [
        {"metric": metric, "requirement": f"r{n}", "passed": p, "reason": f"because {n}"}
        for n, p in enumerate(passed)
    ]
    return {**gate(), "outcome": "not shown", "checks": found}


@pytest.mark.parametrize(
    ("passed", "shown"),
    [
        ([True, True], '<span class="yes">✓ yes</span>'),
        ([True, None], "not shown"),
        ([None, True], "not shown"),
        ([None, False], '<span class="no">✗ no</span>'),
    ],
)
def test_front_page_shows_the_worse_of_the_checks_of_a_measure(tmp_path, passed, shown):
    page = front(tmp_path, run=run_record(), scores=scores(), gate=checked("urgency", *passed))
    assert page.count(f'<td class="pass">{shown}</td>') == 1
    assert page.count('<td class="pass">–</td>') == 4
    assert ("because 0; because 1" in page) == (shown != '<span class="yes">✓ yes</span>')


def test_front_page_shows_a_check_without_values_that_nobody_has_rated(tmp_path):
    page = front(tmp_path, run=run_record(), scores=scores(), gate=checked("usefulness", None))
    assert "Gate only" in page
    assert page.count('<td class="pass">not shown</td>') == 1
    assert "The gate is not passed." in page


def test_front_page_of_an_empty_run(tmp_path):
    page = report.front_page(tmp_path / "absent", tmp_path / "out").read_text()
    assert "Not evaluated yet: 04 has not run." in page
    assert "Run absent" in page
    assert "Demonstration data" not in page


def test_front_page_of_a_failed_run(tmp_path):
    error = f"cell 7: ValueError: {NASTY}"
    run = run_record(status="failed", failed_stage="03", error=error)
    page = front(tmp_path, run=run, scores=scores(), gate=gate())
    assert_harmless(page)
    assert "Failed in 03." in page
    assert "cell 7: ValueError" in page
    assert "may be out of date" in page
    assert "better urgency is not shown" not in page
    assert "Demonstration data" in page


def test_front_page_of_a_running_run_gives_no_verdict_of_its_own(tmp_path):
    page = front(tmp_path, run=run_record(status="running"), gate=gate())
    assert "The run is running." in page
    assert "Its last verdict was" in page


def test_front_page_of_a_smoke_run_says_what_it_proves(tmp_path):
    page = front(tmp_path, run=run_record(profile="smoke"))
    assert "proves the path, not the quality" in page.replace("\n", " ")


def test_front_page_of_own_data_is_not_called_invented(tmp_path):
    page = front(tmp_path, run=run_record(), scores={**scores(), "demonstration": False})
    assert "Demonstration data" not in page


@pytest.mark.parametrize("content", ["{", "[]", '{"metrics": [{"value": NaN}]}', "{}"])
def test_front_page_survives_broken_scores(tmp_path, content):
    run_dir = write_run(tmp_path / "run", run=run_record())
    (run_dir / "scores.json").write_text(content)
    page = report.front_page(run_dir, tmp_path / "out").read_text()
    assert "What was run" in page
    assert ("scores.json" in page) == (content in ("{", "[]"))


def test_a_page_that_fails_leaves_the_old_one(tmp_path, monkeypatch):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "index.html").write_text("old")
    monkeypatch.setattr(report.front, "result_rows", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        front(tmp_path)
    assert (tmp_path / "out" / "index.html").read_text() == "old"
