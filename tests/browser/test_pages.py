"""The pages as a browser shows them: headless Chromium, driven by its command line."""

import json
import re
import shutil
import subprocess
import sys
import threading
from functools import partial
from html import unescape
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import nbformat
import nbformat.v4 as v4
import pandas as pd
import pytest

from nbutils import report

sys.path.insert(0, str(Path(__file__).parents[1] / "unit"))
from report_run import NASTY, run_record, write_run

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
BROWSER = next((path for name in NAMES if (path := shutil.which(name))), None)
pytestmark = pytest.mark.skipif(
    BROWSER is None, reason="no Chromium on PATH: install it to see the pages as readers do"
)
FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-sync",
    "--disable-background-networking",
    "--disable-component-update",
    "--no-first-run",
    "--virtual-time-budget=3000",
]
PAGES = ("index.html", "01_curation.html", "03_training.html", "failed/index.html")

# pages run no scripts of their own: this one looks at them from outside, through a frame
PROBE = """<!DOCTYPE html><title>probe</title><body><script>
const [page, width] = location.search.slice(1).split("&");
const frame = document.createElement("iframe");
frame.style.cssText = `border:0;height:900px;width:${width}px`;
frame.onload = () => {
  const doc = frame.contentDocument, all = (s) => [...doc.querySelectorAll(s)];
  const height = (e) => e.getBoundingClientRect().height;
  document.body.textContent = "FOUND" + JSON.stringify({
    overflow: doc.documentElement.scrollWidth - doc.documentElement.clientWidth,
    scripts: all("script, iframe, object, embed").length,
    requests: frame.contentWindow.performance.getEntriesByType("resource").map((r) => r.name)
      .filter((name) => !name.startsWith("data:")),
    tables: all("table").map(height), headings: all("h1, h2, h3").map(height),
    images: all("img").map((i) => [i.alt, i.naturalWidth]),
    links: all("a[href^='#']").map((a) => [a.hash, !!doc.getElementById(
      decodeURIComponent(a.hash.slice(1)))]),
    background: getComputedStyle(doc.body).backgroundColor,
    text: doc.body.innerText.slice(0, 4000)}) + "END";
};
frame.src = page;
document.body.append(frame);
</script>"""


def _notebook(path, *cells, **metadata):
    nbformat.write(v4.new_notebook(cells=list(cells), metadata=metadata), path)
    return path


def _output(thing):
    return v4.new_output("display_data", thing._repr_mimebundle_())


def _figure(monkeypatch):
    import IPython.display

    shown = []
    monkeypatch.setattr(IPython.display, "display", lambda data, **k: shown.append((data, k)))
    frame = pd.DataFrame({"reason": ["vague", NASTY[:40]], "n": [30, 9]})
    report.show(report.bars(frame, "Most are vague", "reason", "n", "reports"), "Vague 30, rest 9.")
    data, options = shown[0]
    return v4.new_output("display_data", data, metadata=options["metadata"])


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """Address of a folder with the pages of a run, and the list of what was asked of it."""
    folder = tmp_path_factory.mktemp("site")
    with pytest.MonkeyPatch.context() as patch:
        wide = pd.DataFrame({f"column {i} {'x' * 20}": [NASTY, "1"] for i in range(7)})
        cells = [
            v4.new_markdown_cell("# Which reports can teach?\n\n## First, why?\n\nText."),
            v4.new_code_cell("1", outputs=[_output(report.table(wide, "A wide table."))]),
            v4.new_markdown_cell("## First, why?\n\n### Über & <b>bold</b>\n\n" + "w" * 400),
            v4.new_code_cell("2", outputs=[_figure(patch)]),
        ]
    report.notebook_html(_notebook(folder / "01.ipynb", *cells), folder / "01_curation.html")
    error = v4.new_output("error", ename="ValueError", evalue=NASTY, traceback=[NASTY] * 3)
    cells = [v4.new_markdown_cell("# Training"), v4.new_code_cell("x", outputs=[error])]
    report.notebook_html(_notebook(folder / "03.ipynb", *cells), folder / "03_training.html")
    report.front_page(write_run(folder / "run"), folder)
    failed = run_record(status="failed", failed_stage="03", error=NASTY)
    report.front_page(write_run(folder / "run2", run=failed), folder / "failed")
    (folder / "probe.html").write_text(PROBE, encoding="utf-8")
    asked = []

    class Handler(SimpleHTTPRequestHandler):
        def log_message(self, _format, *args):
            asked.append(str(args[0]).split()[1].partition("?")[0])

    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=folder))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}", asked
    server.shutdown()


def look(site, page, width, tmp_path, *flags):
    """What the browser finds on a page of the given width."""
    address, asked = site
    asked.clear()
    command = [BROWSER, *FLAGS, *flags, f"--user-data-dir={tmp_path / 'profile'}"]
    command += ["--window-size=1400,1000", "--dump-dom", f"{address}/probe.html?{page}&{width}"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    found = re.search(r"FOUND(.*)END", done.stdout, re.DOTALL)
    assert found, done.stderr[-1000:]
    return json.loads(unescape(found[1]))


@pytest.mark.parametrize("width", [390, 1280])
@pytest.mark.parametrize("page", PAGES)
def test_page_in_a_browser(site, page, width, tmp_path):
    found = look(site, page, width, tmp_path)
    assert found["overflow"] <= 0
    assert found["scripts"] == 0
    assert found["requests"] == []
    assert set(site[1]) - {"/favicon.ico"} == {"/probe.html", f"/{page}"}
    assert found["headings"]
    assert all(height > 0 for height in found["headings"] + found["tables"])
    assert all(alt and pixels for alt, pixels in found["images"])
    assert [target for target, there in found["links"] if not there] == []


def test_pages_show_what_they_hold(site, tmp_path):
    assert len(look(site, "index.html", 1280, tmp_path)["tables"]) == 2
    stage = look(site, "01_curation.html", 1280, tmp_path)
    assert [alt for alt, _ in stage["images"]] == ["Vague 30, rest 9."]
    assert len(stage["links"]) == 3
    assert "Failed in cell 1" in look(site, "03_training.html", 1280, tmp_path)["text"]
    assert "Failed in 03" in look(site, "failed/index.html", 1280, tmp_path)["text"]


def test_dark_mode_is_dark(site, tmp_path):
    dark = look(site, "index.html", 1280, tmp_path, "--blink-settings=preferredColorScheme=0")
    light = look(site, "index.html", 1280, tmp_path, "--blink-settings=preferredColorScheme=1")
    brightness = [
        sum(map(int, re.findall(r"\d+", found["background"])[:3])) for found in (dark, light)
    ]
    assert brightness[0] < 150 < 600 < brightness[1]
