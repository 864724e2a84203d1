"""The review as people use it: the page from a file, and the widget in a real JupyterLab."""

import base64
import json
import os
import random
import re
import shutil
import statistics
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import nbformat
import nbformat.v4 as v4
import pytest

from nbutils import review
from nbutils.errors import UserError
from nbutils.examples import read_examples
from nbutils.review.page import bundle, page

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
BROWSER = next((path for name in NAMES if (path := shutil.which(name))), None)
pytestmark = pytest.mark.skipif(
    BROWSER is None, reason="no Chromium on PATH: install it to review as people do"
)
DATA = Path(__file__).parents[2] / "data" / "growth"
REASONS = [{"code": "vague", "text": "The action is vague"}, {"code": "other", "text": "Other"}]
RUBRIC = [{"rating": n, "text": f"Worth {n}"} for n in range(6)]
CASE = (
    "Metric: Trial Rate (share of visitors who start a trial)\n"
    "Data: [0.40, 0.38, null, 0.35, 0.31] (last 5 weeks)\n"
    "Cohort size: ~900 visitors per week"
)
ANSWER = (
    "Analysis: Trial Rate fell from 0.40 to 0.31, down 50%.\n"
    "Recommended action: Growth restores the old form for half of visitors from Monday.\n"
    "Urgency: High — 9 points in five weeks."
)
LONG = "many words " * 1500 + "w" * 900
NASTY = (
    "<img src=x onerror='window.hit=1'></script><script>window.hit=1</script>"
    "\u2028\u2029&lt;b&gt;]]><!--"
)
TROUBLE = (
    "addEventListener('securitypolicyviolation', (e) => console.error('policy', e.blockedURI))"
)
NO_STORAGE = "Storage.prototype.setItem = () => { throw new Error('full') }"


def small(n=4, **changes):
    """Items that differ in their instruction only."""
    return [review.Item(f"c{i}", f"Explain case {i}.", CASE, ANSWER, **changes) for i in range(n)]


def rendered(items, **options):
    settings = {"run": "cpu", "queue": "candidates", "reasons": REASONS, "reviewer": "Ada"}
    return page(items, **settings | options)


@pytest.fixture(scope="module")
def browser():
    from playwright.sync_api import sync_playwright

    with sync_playwright() as started:
        chromium = started.chromium.launch(executable_path=BROWSER, args=["--no-sandbox"])
        yield chromium
        chromium.close()


@pytest.fixture
def desk(browser, tmp_path):
    """A function that opens a page; nothing may go wrong in it or be asked of the network."""
    contexts, trouble = [], []

    def opened(html, context=None, scripts=(), name="review.html", **options):
        if context is None:
            context = browser.new_context(**options)
            contexts.append(context)
        for script in (TROUBLE, *scripts):
            context.add_init_script(script)
        file = tmp_path / name
        file.write_text(html, encoding="utf-8")
        shown = context.new_page()
        shown.on("console", lambda m: m.type == "error" and trouble.append(m.text))
        shown.on("pageerror", lambda error: trouble.append(str(error)))
        shown.on(
            "request",
            lambda r: r.url.startswith(("file:", "data:", "blob:")) or trouble.append(r.url),
        )
        shown.goto(file.as_uri())
        shown.locator(".nbreview .body > *").first.wait_for()
        return shown

    yield opened
    for context in contexts:
        context.close()
    assert trouble == []


def press(shown, *keys):
    for key in keys:
        shown.keyboard.press(key)


def text(shown, selector):
    return " ".join(shown.locator(selector).first.inner_text().split())


def counts(shown):
    """Approved, edited, rejected and skipped, as the head says them."""
    said = text(shown, ".tally")
    found = (
        re.search(rf"(\d+) {word}", said) for word in ("approved", "edited", "rejected", "skipped")
    )
    return tuple(int(match[1]) if match else 0 for match in found)


def task(shown):
    return text(shown, ".task")


def tasks_in_order(items, reviewer="Ada"):
    return [item.instruction for item in review.order(items, reviewer)]


def send_back(shown, folder):
    with shown.expect_download() as waiting:
        shown.get_by_role("button", name="Send back").first.click()
    file = folder / waiting.value.suggested_filename
    waiting.value.save_as(file)
    return file


def load(shown, file):
    with shown.expect_file_chooser() as chooser:
        shown.get_by_role("button", name="Load").click()
    chooser.value.set_files(file)
    shown.locator(".banner").first.wait_for()
    return text(shown, ".banner span")


# --------------------------------------------------------------------------- deciding


def test_each_key_does_what_its_button_says(desk):
    shown, tasks = desk(rendered(items := small(6))), tasks_in_order(small(6))
    assert text(shown, ".counts").startswith("0 of 6 decided")
    press(shown, "a")
    assert (task(shown), counts(shown)) == (tasks[1], (1, 0, 0, 0))
    press(shown, "r")
    assert text(shown, ".ask").startswith("Why?")
    press(shown, "Escape", "R", "1")
    assert (task(shown), counts(shown)) == (tasks[2], (1, 0, 1, 0))
    press(shown, "s")
    assert (task(shown), counts(shown)) == (tasks[3], (1, 0, 1, 1))
    press(shown, "u")
    assert (task(shown), counts(shown)) == (tasks[2], (1, 0, 1, 0))
    press(shown, "Control+z")
    assert (task(shown), counts(shown)) == (tasks[1], (1, 0, 0, 0))
    press(shown, "ArrowLeft")
    assert task(shown) == tasks[0]
    assert text(shown, ".standing").startswith("✓ You approved this")
    press(shown, "r", "1")
    assert (task(shown), counts(shown)) == (tasks[1], (0, 0, 1, 0))
    press(shown, "u", "ArrowRight", "s", "?")
    assert text(shown, ".help h3") == "Keys"
    press(shown, "Escape")
    for _ in range(len(items)):
        press(shown, "a")
    assert text(shown, ".card h3") == "All 6 decided"
    press(shown, "ArrowLeft")
    assert task(shown) == tasks[1], "the skipped one came last"


def test_buttons_do_the_same_as_keys(desk):
    shown = desk(rendered(small(3)))
    shown.get_by_role("button", name="Approve").click()
    shown.get_by_role("button", name="Reject").click()
    shown.get_by_role("button", name="The action is vague").click()
    assert counts(shown) == (1, 0, 1, 0)
    press(shown, "u")
    assert counts(shown) == (1, 0, 0, 0), "keys work right after a click"
    shown.keyboard.press("Space")
    assert counts(shown) == (1, 0, 0, 0), "the space bar scrolls, it does not press a button again"


def test_an_edit_shows_its_changes_as_it_is_written(desk, tmp_path):
    shown = desk(rendered(small(3)))
    press(shown, "e")
    assert "Nothing changed yet" in text(shown, ".live")
    shown.locator("textarea").fill(ANSWER.replace("50%", "22%"))
    assert [text(shown, ".live del"), text(shown, ".live ins")] == ["50%.", "22%."]
    press(shown, "Escape", "e")
    assert "as you left it" in text(shown, ".editing h3"), "an edit left by mistake is not lost"
    press(shown, "Control+Enter")
    assert counts(shown) == (0, 1, 0, 0)
    press(shown, "e", "Control+Enter")
    assert counts(shown) == (1, 1, 0, 0), "an edit that changes nothing is an approval"
    press(shown, "e")
    shown.locator("textarea").fill("  ")
    press(shown, "Control+Enter")
    assert counts(shown) == (1, 1, 0, 0)
    assert "The answer is empty" in text(shown, ".last")
    press(shown, "Escape", "ArrowLeft", "ArrowLeft")
    assert text(shown, ".yours ins") == "22%."
    lines = review.read_table(send_back(shown, tmp_path), small(3))[1]
    assert [line["edit"] for line in lines] == [ANSWER.replace("50%", "22%"), None]


def test_notes_go_with_the_decision_and_other_asks_for_one(desk, tmp_path):
    shown = desk(rendered(small(3)))
    press(shown, "n")
    shown.keyboard.type("asked again")
    press(shown, "Enter", "a", "r", "2")
    assert text(shown, ".noting label").startswith("What is it?")
    press(shown, "Escape", "2")
    shown.keyboard.type("wrong market")
    press(shown, "Enter", "ArrowLeft", "n")
    shown.keyboard.type(" here")
    press(shown, "Enter")
    lines = review.read_table(send_back(shown, tmp_path), small(3))[1]
    assert [(line["decision"], line["reason"], line["note"]) for line in lines] == [
        ("approve", None, "asked again"),
        ("reject", "other", "wrong market"),
        ("reject", "other", "wrong market here"),
    ]


def test_keys_stay_silent_while_somebody_types_or_copies(desk):
    shown = desk(rendered(small(3), reviewer=""))
    shown.keyboard.type("Asa 1 r?")
    press(shown, "Enter")
    assert text(shown, ".who").startswith("Asa 1 r?")
    press(shown, "a")
    for key in ("Control+a", "Control+c", "Alt+s", "Meta+e", "Control+u"):
        press(shown, key)
        assert (counts(shown), shown.locator("textarea").count()) == ((1, 0, 0, 0), 0), key
    press(shown, "u")
    press(shown, "e")
    shown.keyboard.type("arsun0123?")
    assert shown.locator("textarea").input_value().startswith("arsun0123?")
    press(shown, "Escape")
    assert counts(shown) == (0, 0, 0, 0)
    shown.keyboard.down("a")
    shown.keyboard.down("a")  # what the system sends while a key is held
    shown.keyboard.up("a")
    assert counts(shown) == (1, 0, 0, 0)


def test_keys_are_found_by_their_place_on_other_layouts(desk):
    shown = desk(rendered(small(3)))
    shown.evaluate(
        "document.querySelector('.nbreview').dispatchEvent(new KeyboardEvent('keydown',"
        "{key: 'ф', code: 'KeyA', bubbles: true}))"
    )
    assert counts(shown) == (1, 0, 0, 0)


def test_seconds_count_only_what_was_in_view(desk, tmp_path, browser):
    context = browser.new_context()
    context.clock.install()
    shown = desk(rendered(small(2)), context)
    hide = """value => {
      Object.defineProperty(document, "hidden", { value, configurable: true });
      document.dispatchEvent(new Event("visibilitychange"));
    }"""
    context.clock.run_for(4000)
    shown.evaluate(hide, True)
    context.clock.run_for(60_000)
    shown.evaluate(hide, False)
    press(shown, "ArrowRight")
    context.clock.run_for(9000)
    press(shown, "ArrowLeft")
    context.clock.run_for(2000)
    press(shown, "a", "a")
    lines = review.read_table(send_back(shown, tmp_path), small(2))[1]
    assert [line["seconds"] for line in lines] == pytest.approx([6, 9], abs=2)
    context.close()


def test_ratings_take_one_key_and_show_what_it_means(desk, tmp_path):
    html = rendered(small(3), queue="ratings", rubric=RUBRIC)
    shown = desk(html)
    assert text(shown, ".ratings") == " ".join(f"{n} Worth {n}" for n in range(6))
    press(shown, "0", "5", "a", "r", "e")
    assert text(shown, ".counts").startswith("2 of 3 decided")
    lines = review.read_table(send_back(shown, tmp_path), small(3))[1]
    assert [(line["decision"], line["rating"]) for line in lines] == [("rate", 0), ("rate", 5)]


def test_an_adjudicator_can_take_either_view(desk, tmp_path):
    views = (
        {"decision": "edit", "reason": None, "edit": ANSWER.replace("50%", "22%"), "note": None},
        {"decision": "reject", "reason": "vague", "edit": None, "note": "no owner"},
    )
    shown = desk(rendered(small(4, views=views), queue="adjudication"))
    assert text(shown, ".view ins") == "22%."
    assert (
        text(shown, ".view >> nth=1")
        == "2 Second reviewer ✗ rejected: The action is vague no owner"
    )
    press(shown, "1", "2", "a", "r", "1")
    lines = review.read_table(send_back(shown, tmp_path), small(4))[1]
    assert [(line["decision"], line["reason"]) for line in lines] == [
        ("edit", None),
        ("reject", "vague"),
        ("approve", None),
        ("reject", "vague"),
    ]
    assert lines[0]["edit"] == views[0]["edit"]
    assert {line["queue"] for line in lines} == {"adjudication"}


def test_what_the_check_of_the_numbers_found_needs_no_mouse(desk):
    shown = desk(rendered(small(1)))
    marks = shown.locator(".claim")
    assert [marks.nth(i).inner_text() for i in range(3)] == ["0.40✓", "0.31✓", "50%✗"]
    marks.nth(2).hover()
    assert text(shown, ".tip").startswith("wrong: ")
    assert text(shown, ".findings").startswith("✗ 50%: ")
    summary = shown.locator("summary")
    assert "1 wrong ✗" in summary.inner_text()
    summary.focus()
    press(shown, "Enter")
    rows = shown.locator(".checks tr")
    assert rows.count() == marks.count()
    assert rows.nth(2).inner_text().startswith("50%")
    chart = shown.locator(".chart")
    assert chart.get_attribute("aria-label") == "Series of 5 values: 0.40, 0.38, null, 0.35, 0.31"
    assert [chart.locator("circle").count(), chart.locator(".gap").count()] == [4, 1]
    assert chart.locator(".line").get_attribute("d").count("M") == 2, "a gap, not a line across it"


# --------------------------------------------------------------------------- keeping


def test_a_reload_goes_on_where_it_stopped(desk):
    shown = desk(rendered(small(5)))
    shown.on("dialog", lambda dialog: dialog.accept())
    press(shown, "a", "s", "r", "1")
    before = (task(shown), counts(shown))
    assert before == (tasks_in_order(small(5))[3], (1, 0, 1, 1))
    shown.reload()
    assert (task(shown), counts(shown)) == before
    press(shown, "u")
    assert counts(shown) == (1, 0, 0, 1), "what an earlier session decided can be taken back"


def test_the_file_sent_back_is_what_python_reads(desk, tmp_path):
    items = small(5)
    shown = desk(rendered(items, reviewer="", run="spring run"))
    shown.keyboard.type("Zoë Ö/Müller")
    press(shown, "Enter", "a", "r", "1", "s", "a", "u")
    file = send_back(shown, tmp_path)
    assert file.name == "review-spring-run-candidates-Zoë-Ö-Müller.jsonl"
    header, lines = review.read_table(file, items)
    client = header["client"]
    assert header | {"client": "", "exported": ""} == {
        "nbutils_review": 1,
        "run": "spring run",
        "queue": "candidates",
        "items": 5,
        "client": "",
        "reviewer": "Zoë Ö/Müller",
        "exported": "",
    }
    assert [line["decision"] for line in lines] == ["approve", "reject", "skip", "approve", "undo"]
    assert {line["client"] for line in lines} == {client}
    ordered = review.order(items, "Zoë Ö/Müller")
    assert [line["item"] for line in lines] == [ordered[i].hash for i in (0, 1, 2, 3, 3)]
    assert list(lines[0]) == (
        "at queue item id reviewer decision reason edit rating note seconds client".split()
    )
    assert all(
        re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", line["at"]) for line in lines
    )
    path = tmp_path / "decisions.jsonl"
    assert review.merge(path, file, items, run="spring run").added == 5
    stands = review.standing(review.read(path))
    assert sorted(line["decision"] for line in stands.values()) == ["approve", "reject"]


def test_a_file_goes_on_in_another_browser_and_no_other_file_does(desk, tmp_path):
    items = small(4)
    first = desk(rendered(items))
    press(first, "a", "r", "1", "s")
    file = send_back(first, tmp_path)
    rows = file.read_text(encoding="utf-8").splitlines()
    other = desk(rendered(items))
    said = load(other, file)
    assert said.startswith("3 new lines from review-cpu-candidates-Ada.jsonl, 0 known already.")
    assert (counts(other), task(other)) == ((1, 0, 1, 1), task(first))
    assert load(other, file).startswith("0 new lines")
    press(other, "a")
    again = send_back(other, tmp_path)
    assert len({line["client"] for line in review.read_table(again, items)[1]}) == 1
    wrong = tmp_path / "wrong.jsonl"
    for content, expected in (
        (rows[0].replace('"cpu"', '"gpu"'), "belongs to candidates of run gpu"),
        (rows[0].replace('"candidates"', '"ratings"'), "belongs to ratings of run cpu"),
        (rows[0].replace('"Ada"', '"Ben"'), "holds the decisions of Ben, and you are Ada"),
        (rows[1], "was not made by"),
        ("\n".join([*rows, '{"at": 1']), "line 5, is not a decision: nothing was loaded"),
        ("PK\u0000\u0001", "line 1, is not a decision"),
    ):
        wrong.write_text(content, encoding="utf-8")
        assert expected in load(other, wrong)
    assert counts(other) == (2, 0, 1, 1)


def test_leaving_warns_until_everything_is_sent_back(desk, tmp_path):
    shown, asked = desk(rendered(small(3))), []

    def leave():
        with shown.expect_event("dialog", timeout=2000) as dialog:
            shown.evaluate("setTimeout(() => location.reload())")
        asked.append(dialog.value.type)
        dialog.value.dismiss()

    press(shown, "a")
    leave()
    assert asked == ["beforeunload"]
    send_back(shown, tmp_path)
    shown.reload()
    assert counts(shown) == (1, 0, 0, 0)
    press(shown, "a")
    leave()
    assert len(asked) == 2
    send_back(shown, tmp_path)


def test_two_tabs_do_not_overwrite_one_another(desk, tmp_path):
    items = small(6)
    one = desk(rendered(items))
    two = desk(rendered(items), one.context)
    press(one, "a", "a")
    two.wait_for_function("document.querySelector('.counts').innerText.startsWith('2 of 6')")
    assert text(two, ".standing").startswith("✓ You approved this")
    press(two, "ArrowRight", "ArrowRight", "r", "1")
    press(one, "ArrowRight", "a")
    one.wait_for_function("document.querySelector('.counts').innerText.startsWith('4 of 6')")
    lines = review.read_table(send_back(one, tmp_path), items)[1]
    assert [line["decision"] for line in lines] == ["approve", "approve", "reject", "approve"]
    one.reload()
    assert counts(one) == (3, 0, 1, 0)


def test_without_storage_the_page_says_so_and_loses_nothing(desk, tmp_path):
    shown = desk(rendered(small(3)), scripts=[NO_STORAGE])
    assert "does not keep your decisions" in text(shown, ".banner")
    press(shown, "a", "r", "1")
    assert text(shown, ".saved") == "✗ Not saved"
    assert "2 decisions are not saved" in text(shown, ".banners")
    assert len(review.read_table(send_back(shown, tmp_path), small(3))[1]) == 2


def test_a_full_storage_is_tried_again(desk):
    shown = desk(rendered(small(3)))
    shown.evaluate("() => { Storage.prototype.was = Storage.prototype.setItem }")
    shown.evaluate(f"() => {{ {NO_STORAGE} }}")
    press(shown, "a")
    assert text(shown, ".saved") == "✗ Not saved"
    shown.evaluate("() => { Storage.prototype.setItem = Storage.prototype.was }")
    press(shown, "a")
    assert (text(shown, ".saved"), shown.locator(".banner").count()) == ("✓ Saved", 0)


def test_the_name_is_asked_once_and_can_be_changed(desk):
    html = rendered(small(3), reviewer="")
    shown = desk(html)
    shown.on("dialog", lambda dialog: dialog.accept())
    press(shown, "Enter")
    assert text(shown, ".card h3") == "3 items to review", "a name is needed"
    shown.keyboard.type("Ada")
    press(shown, "Enter", "a")
    shown.reload()
    assert (text(shown, ".who"), counts(shown)) == ("Ada change", (1, 0, 0, 0))
    shown.get_by_role("button", name="change").click()
    shown.locator("input").fill("Ben")
    press(shown, "Enter")
    assert (text(shown, ".who"), counts(shown)) == ("Ben change", (0, 0, 0, 0))


def test_only_the_reviewers_own_lines_are_in_the_page(desk):
    items = small(3)
    said = {"decision": "approve", "queue": "candidates", "client": "x", "seconds": 3.0}
    lines = [
        {"at": f"2026-01-01T00:00:0{i}.000Z", "item": items[i].hash, "reviewer": name, **said}
        for i, name in enumerate(("Ada", "Ben", "Ada"))
    ]
    html = rendered(items, lines=lines)
    assert '"Ben"' not in html
    shown = desk(html)
    assert counts(shown) == (2, 0, 0, 0)
    assert '"Ada"' not in rendered(items, lines=lines, reviewer="")


# --------------------------------------------------------------------------- showing


def nasty_items():
    front = small(1)[0].front()
    segments = [[NASTY, kind, NASTY] for kind in ("", "right", "wrong", "open")]
    view = {"decision": "edit", "reason": NASTY, "edit": NASTY, "note": NASTY}
    words = dict.fromkeys(("id", "title", "instruction"), NASTY)
    lists = {"about": [NASTY], "findings": [NASTY], "segments": segments, "views": [view, view]}
    return [
        front
        | words
        | lists
        | {"item": f"{n:016x}", "input": f"{NASTY}\n{CASE}", "output": NASTY * 4}
        for n in range(3)
    ]


def test_nothing_in_an_item_can_run_or_hide(desk, tmp_path):
    options = {"title": NASTY, "reviewer": NASTY, "run": NASTY, "queue": "adjudication"}
    shown = desk(rendered(nasty_items(), reasons=[{"code": NASTY, "text": NASTY}], **options))
    visible = NASTY.replace("\u2028", " ").replace("\u2029", " ")
    places = "h2 .who .about h3>>nth=0 .task .case>>nth=0 .answer>>nth=0 .findings .view>>nth=0"
    for place in places.split():
        found = text(shown, f".nbreview {place.replace('>>', ' >> ')}")
        assert visible.split()[0] in found.replace("\u2028", " "), place
    assert NASTY in shown.locator(".task").text_content()
    shown.locator(".claim").first.hover()
    press(shown, "n")
    shown.keyboard.type("<b onclick=1>")
    press(shown, "Enter", "r", "1", "e")
    shown.locator("textarea").fill(f"{NASTY} and more")
    press(shown, "Control+Enter", "ArrowLeft", "?", "Escape", "ArrowRight", "1")
    assert text(shown, ".card h3") == "All 3 decided"
    assert shown.evaluate("window.hit") is None
    assert shown.locator(".nbreview :is(img, script, b[onclick])").count() == 0
    assert len(review.read_table(send_back(shown, tmp_path), [])[1]) == 3


def test_the_page_may_run_its_own_script_and_nothing_else(browser, tmp_path):
    (tmp_path / "page.html").write_text(rendered(small(1)), encoding="utf-8")
    context = browser.new_context()
    shown = context.new_page()
    shown.goto((tmp_path / "page.html").as_uri())
    policy = shown.locator("meta[http-equiv]").get_attribute("content")
    assert policy.startswith("default-src 'none'; script-src 'sha256-")
    assert "unsafe" not in policy
    held = shown.evaluate(
        """async () => {
          const held = [];
          addEventListener("securitypolicyviolation", (e) => held.push(e.effectiveDirective));
          document.body.append(Object.assign(document.createElement("script"), {text: "hit = 1"}));
          document.body.append(Object.assign(document.createElement("img"), {src: "http://127.0.0.1:9"}));
          await fetch("http://127.0.0.1:9").catch(() => {});
          await new Promise((done) => setTimeout(done, 50));
          return held.sort();
        }"""
    )
    assert held == ["connect-src", "img-src", "script-src-elem"]
    assert shown.evaluate("window.hit") is None
    context.close()


SIZES = [(390, 844), (1400, 900)]


@pytest.mark.parametrize("size", SIZES)
def test_nothing_sticks_out_at_any_width(desk, size):
    long = [
        review.Item(
            f"id{i}{'x' * 60}",
            f"{i} {LONG}",
            f"{CASE}\nContext: {LONG}",
            f"{ANSWER}\n{LONG}",
            (LONG[:200],),
        )
        for i in range(2)
    ]
    reasons = [{"code": f"r{i}", "text": f"Reason {i} in some words"} for i in range(15)]
    shown = desk(
        rendered(long, reasons=reasons, title="T" * 90),
        viewport={"width": size[0], "height": size[1]},
    )
    sides = """[document.documentElement, ...document.querySelectorAll(".nbreview, .top, .bar")]
      .map((e) => e.scrollWidth - e.clientWidth).filter((difference) => difference > 0)"""
    bar = "document.querySelector('.bar').getBoundingClientRect().bottom <= innerHeight + 1"
    for keys in ("", "r", "Escape e", "Escape n", "Escape ?", "Escape a", "r 1"):
        press(shown, *keys.split())
        assert (shown.evaluate(sides), shown.evaluate(bar)) == ([], True), keys
    assert text(shown, ".card h3") == "All 2 decided"


def test_dark_mode_is_dark(desk):
    shown, brightness = desk(rendered(small(1))), []
    for scheme in ("dark", "light"):
        shown.emulate_media(color_scheme=scheme)
        style = "getComputedStyle(document.querySelector('.nbreview')).backgroundColor"
        brightness.append(sum(map(int, re.findall(r"\d+", shown.evaluate(style))[:3])))
    assert brightness[0] < 150 < 600 < brightness[1]


def test_a_lost_focus_is_told_and_one_click_brings_it_back(desk):
    shown = desk(rendered(small(2)))
    assert not shown.locator(".click").is_visible()
    shown.evaluate("document.activeElement.blur()")
    assert shown.locator(".click").is_visible()
    shown.locator(".click").click()
    press(shown, "a")
    assert (counts(shown), shown.locator(".click").is_visible()) == ((1, 0, 0, 0), False)


def test_an_empty_queue_and_one_item(desk):
    assert text(desk(rendered([])), ".card h3") == "Nothing to review"
    shown = desk(rendered(small(1)))
    press(shown, "s")
    assert text(shown, ".last") == "This is the last open item."
    press(shown, "ArrowLeft")
    assert text(shown, ".last") == "This is the first item."
    press(shown, "a")
    assert text(shown, ".card h3") == "The one item is decided"


@pytest.fixture(scope="module")
def real():
    """Five hundred real items, as the front end gets them."""
    examples = read_examples(DATA / "candidates.jsonl")
    examples += read_examples(DATA / "formatted.jsonl", id_field="report_id")
    return [review.Item.from_example(example).front() for example in examples[:500]]


def test_five_hundred_items_open_and_move_at_once(desk, real):
    html = rendered(real, reasons=review.scales("candidates")["reasons"])
    shown = desk(html)
    opened = shown.evaluate("performance.timing.domComplete - performance.timing.navigationStart")
    shown.evaluate(
        """() => {
          window.took = [];
          addEventListener("keydown", () => {
            const pressed = performance.now();
            requestAnimationFrame(() => setTimeout(() => took.push(performance.now() - pressed)));
          }, true);
        }"""
    )
    for _ in range(15):
        press(shown, "a", "r", "4", "ArrowLeft")
    shown.wait_for_function("took.length === 60")
    took = shown.evaluate("took")
    print(
        f"{len(html)} characters, open {opened} ms, key {statistics.median(took)}, {max(took)} ms"
    )
    assert opened < 3000
    assert statistics.median(took) < 300


def test_saving_that_takes_long_is_told_and_no_decision_waits_for_it(browser):
    context = browser.new_context()
    context.clock.install()
    shown = context.new_page()
    load_module(shown)
    shown.evaluate(
        """() => {
          const root = document.body.appendChild(document.createElement("main"));
          const items = ["a", "b", "c"].map((item) => ({ item, id: item, input: "", output: "x" }));
          window.asked = 0;
          const save = () => (asked++, new Promise((done) => (window.answer = done)));
          const options = { title: "T", queue: "candidates", reviewer: "Ada", items, save };
          own.mount(root, { ...options, slow: "Slow." });
          root.focus();
        }"""
    )
    press(shown, "a", "a")
    assert (counts(shown)[0], text(shown, ".saved"), shown.evaluate("asked")) == (2, "Saving…", 1)
    context.clock.run_for(6000)
    assert text(shown, ".banner span") == "Slow."
    shown.evaluate("answer()")
    shown.evaluate("answer()")
    assert (text(shown, ".saved"), shown.locator(".banner").count()) == ("✓ Saved", 0)
    context.close()


# --------------------------------------------------------------------------- the same as Python


def load_module(shown):
    """Give a page the front end's own functions as `own`."""
    source = base64.b64encode(bundle("review_widget.js").encode()).decode()
    shown.evaluate(
        f"import('data:text/javascript;base64,{source}').then((m) => {{ window.own = m }})"
    )


@pytest.fixture(scope="module")
def module(browser):
    """A function that evaluates an expression on the front end's own functions, `own`."""
    context = browser.new_context()
    blank = context.new_page()
    load_module(blank)
    yield lambda expression, *values: blank.evaluate(f"v => {expression}", list(values))
    context.close()


def test_order_is_the_same_as_in_python(module):
    items = [review.Item(f"é{i}", "instruction", f"case {i}", "output") for i in range(500)]
    for reviewer in ("Ada", "Zoë Müller", "李雷 🙂"):
        expected = [item.hash for item in review.order(items, reviewer)]
        found = module("own.order(...v)", reviewer, [{"item": item.hash} for item in items])
        assert [item["item"] for item in found] == expected
    assert module("own.fnv1a(...v)", "foobar") == review.fnv1a("foobar") == 0xBF9CF968


def test_replay_is_the_same_as_in_python(module):
    draw = random.Random(7)
    for _ in range(30):
        decisions = draw.choices(["approve", "reject", "edit", "skip", "undo"], k=40)
        lines = [
            {"at": f"{i:03}", "item": draw.choice("abcd"), "reviewer": "Ada", "decision": decision}
            for i, decision in enumerate(decisions)
        ]
        found = module("[...own.replay(...v).standing].map(([item, l]) => [item, l.at])", lines)
        expected = {item: line["at"] for (_, item), line in review.standing(lines).items()}
        assert dict(found) == expected


def test_differences_can_be_read_either_way(module):
    draw = random.Random(7)
    words = ["rate ", "fell ", "by ", "9 ", "points.\n", "High", " — "]
    for size in (0, 1, 5, 60, 60):
        before = "".join(draw.choices(words, k=size))
        after = "".join(w for w in draw.choices(words, k=size) if draw.random() < 0.8)
        pieces = module("own.differences(...v)", before, after)
        assert "".join(text for kind, text in pieces if kind != "+") == before
        assert "".join(text for kind, text in pieces if kind != "-") == after
    assert module("own.differences(...v)", "a b c d", "a x c d") == [
        ["=", "a "],
        ["-", "b "],
        ["+", "x "],
        ["=", "c d"],
    ]


def test_the_guess_of_the_time_left_is_coarse(module, desk):
    for seconds, said in ((20, "1 min"), (700, "12 min"), (4150, "1 h 10"), (7190, "2 h")):
        assert module("own.duration(...v)", seconds) == said
    line = {"queue": "candidates", "reviewer": "Ada", "decision": "approve", "client": "x"}
    lines = [
        line | {"at": f"2026-01-01T00:00:0{i}.000Z", "item": item.hash, "seconds": seconds}
        for i, (item, seconds) in enumerate(zip(small(40), (9, 30, 1800), strict=False))
    ]
    shown = desk(rendered(small(40), lines=lines))
    assert text(shown, ".counts").startswith("3 of 40 decided, about 19 min left")


def test_a_queue_that_does_not_exist_or_holds_an_item_twice_is_refused():
    with pytest.raises(UserError, match="there is no queue 'labels'; expected one of candidates"):
        rendered(small(1), queue="labels")
    with pytest.raises(UserError, match="stands in the queue twice"):
        rendered(small(1) * 2)


# --------------------------------------------------------------------------- the widget

SETUP = f"""
from pathlib import Path
from nbutils import review
from nbutils.review.widget import widget
path, full = Path("decisions.jsonl"), Path("full")
items = [review.Item(f"c{{i}}", f"Explain case {{i}}.", {CASE!r}, {ANSWER!r}) for i in range(8)]
def save(line):
    if full.exists():
        raise OSError("the disk is full")
    review.append(path, [line])
"""
SHOW = f"""
widget(items, save, reviewer="Ada", run="cpu", reasons={REASONS!r}, lines=review.read(path))
"""
TOKEN = "only-on-this-machine"


def until(found, seconds=20):
    end = time.monotonic() + seconds
    while not (value := found()):
        assert time.monotonic() < end, f"still {value!r} after {seconds} s"
        time.sleep(0.05)
    return value


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    """Folder and address of a running JupyterLab with settings of its own."""
    folder, own = tmp_path_factory.mktemp("lab"), tmp_path_factory.mktemp("settings")
    spec = {"name": "python3", "display_name": "Python 3", "language": "python"}
    cells = [v4.new_code_cell(SETUP.strip()), v4.new_code_cell(SHOW.strip())]
    notebook = v4.new_notebook(cells=cells, metadata={"kernelspec": spec})
    nbformat.write(notebook, folder / "review.ipynb")
    settings = own / "config" / "labconfig"
    settings.mkdir(parents=True)
    off = {"disabledExtensions": {"@jupyterlab/apputils-extension:announcements": True}}
    (settings / "page_config.json").write_text(json.dumps(off))
    places = {
        "JUPYTER_CONFIG_DIR": "config",
        "JUPYTER_DATA_DIR": "data",
        "JUPYTER_RUNTIME_DIR": "runtime",
        "JUPYTERLAB_SETTINGS_DIR": "lab",
        "JUPYTERLAB_WORKSPACES_DIR": "workspaces",
        "IPYTHONDIR": "ipython",
    }
    command = [sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root"]
    command += ["--ip=127.0.0.1", "--port=0", f"--IdentityProvider.token={TOKEN}"]
    command += [f"--ServerApp.root_dir={folder}"]
    with (own / "log").open("w") as log:
        server = subprocess.Popen(
            command,
            env=os.environ | {name: str(own / place) for name, place in places.items()},
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    try:
        written = until(lambda: list((own / "runtime").glob("jpserver-*.json")), 60)[0]
        info = json.loads(until(written.read_text))
        yield folder, info["url"]
    finally:
        server.terminate()
        try:
            server.wait(20)
        except subprocess.TimeoutExpired:
            server.kill()


@pytest.fixture(scope="module")
def notebook(lab, browser):
    """The notebook in JupyterLab, its cells run by keyboard; and the decisions file."""
    folder, address = lab
    context = browser.new_context(viewport={"width": 1400, "height": 900})
    shown = context.new_page()
    shown.goto(f"{address}lab/tree/review.ipynb?token={TOKEN}")
    run_cells(shown)
    yield shown, folder
    context.close()


def run_cells(shown):
    shown.evaluate("document.querySelector('.nbreview')?.setAttribute('data-old', '')")
    shown.get_by_text("Python 3 (ipykernel) | Idle").wait_for(timeout=40_000)
    shown.locator(".jp-Notebook .cm-content").first.click()
    press(shown, "Shift+Enter", "Shift+Enter")
    shown.locator(".nbreview:not([data-old]) .body > *").first.wait_for(timeout=40_000)


def decisions(folder):
    return [line["decision"] for line in review.read(folder / "decisions.jsonl")]


def test_the_widget_writes_each_decision_to_the_file(notebook):
    shown, folder = notebook
    shown.locator(".nbreview .case h3").click()
    press(shown, "a", "r", "1", "u", "e")
    shown.keyboard.type("dd ")
    press(shown, "Control+Enter", "s")
    expected = ["approve", "reject", "undo", "edit", "skip"]
    until(lambda: decisions(folder) == expected)
    until(lambda: text(shown, ".saved") == "✓ Saved")
    assert counts(shown) == (1, 1, 0, 1)
    assert review.read(folder / "decisions.jsonl")[3]["edit"] == f"dd {ANSWER}"


def test_keys_in_the_widget_do_not_reach_the_notebook(notebook):
    shown, folder = notebook
    cells = shown.locator(".jp-Notebook .jp-Cell")
    before = (cells.count(), decisions(folder), shown.locator(".jp-Dialog").count())
    shown.locator(".nbreview .case h3").click()
    # in the notebook: insert, delete, undo, cut, to text, run, restart, move, enter
    press(shown, *"bddzxmyv", "0", "0", "j", "k", "Enter", "Shift+Enter", "Control+Enter")
    press(shown, "ArrowDown", "Shift+M", "Control+Shift+Minus")
    press(shown, "e")
    shown.keyboard.type("dd x a 00 ")
    press(shown, "Shift+Enter")
    assert shown.locator("textarea").input_value().startswith("dd x a 00 \n")
    press(shown, "Escape")
    shown.wait_for_timeout(300)
    assert (cells.count(), decisions(folder), shown.locator(".jp-Dialog").count()) == before
    assert shown.evaluate("document.activeElement.classList.contains('nbreview')")


def test_what_python_could_not_store_is_told_and_tried_again(notebook):
    shown, folder = notebook
    before = decisions(folder)
    (folder / "full").touch()
    shown.locator(".nbreview .case h3").click()
    press(shown, "a")
    until(lambda: text(shown, ".saved") == "✗ Not saved")
    assert text(shown, ".banner span") == "1 decision is not saved: the disk is full"
    (folder / "full").unlink()
    shown.get_by_role("button", name="Try again").click()
    until(lambda: decisions(folder) == [*before, "approve"])
    until(lambda: text(shown, ".saved") == "✓ Saved")


def test_the_widget_goes_on_after_a_reload_and_after_a_new_kernel(notebook, lab):
    shown, folder = notebook
    shown.locator(".nbreview .case h3").click()
    press(shown, "Control+s")
    before = (counts(shown), task(shown))
    until(lambda: "widget-view+json" in (folder / "review.ipynb").read_text(encoding="utf-8"))
    shown.on("dialog", lambda dialog: dialog.accept())
    shown.reload()
    shown.locator(".nbreview .item").wait_for(timeout=40_000)
    assert (counts(shown), task(shown)) == before
    kept = decisions(folder)
    restart_kernel(lab[1])
    shown.locator(".nbreview .case h3").click()
    press(shown, "a")
    shown.wait_for_timeout(500)
    assert decisions(folder) == kept, "there is nobody to store it"
    run_cells(shown)
    until(lambda: decisions(folder) == [*kept, "approve"])
    assert counts(shown)[0] == before[0][0] + 1


def restart_kernel(address):
    head = {"Authorization": f"token {TOKEN}"}
    with urllib.request.urlopen(urllib.request.Request(f"{address}api/kernels", headers=head)) as a:
        kernel = json.load(a)[0]["id"]
    path = f"{address}api/kernels/{kernel}/restart"
    with urllib.request.urlopen(urllib.request.Request(path, headers=head, method="POST")) as done:
        assert done.status == 200
