"""HTML: numbers marked as checked, untrusted text cleaned, notebooks as pages."""

from __future__ import annotations

import re
from html import escape, unescape
from importlib import resources
from pathlib import Path
from typing import Any

from ..errors import UserError
from ..records import write_text

# verdict of a claim to class, mark and words
MARKS = {
    "supported": ("right", "✓", "supported"),
    "contradicted": ("wrong", "✗", "wrong"),
    "unit_confusion": ("wrong", "✗", "wrong unit"),
    "unsupported": ("wrong", "✗", "not supported by the input"),
    "proposal": ("open", "?", "part of a proposal, not checked"),
    "unchecked": ("open", "?", "not checked"),
}
HIDDEN_TAGS = {"setup", "parameters", "injected-parameters", "papermill-error-cell-tag"}
TAGS = frozenset(
    re.findall(
        r"\w+",
        "a abbr b blockquote br caption code col colgroup dd del details div dl dt em figcaption "
        "figure h1 h2 h3 h4 h5 h6 hr i img kbd li mark ol p pre s section small span strong sub "
        "summary sup table tbody td tfoot th thead tr u ul",
    )
)
ATTRIBUTES = frozenset(
    re.findall(
        r"[\w-]+",
        "alt aria-label class colspan dir height href lang open role rowspan scope src start "
        "style title width",
    )
)


class Html(str):
    """HTML text that a notebook displays as such."""

    def _repr_html_(self) -> str:
        return str(self)


# --------------------------------------------------------------------------- numbers marked


def annotate(text: str, verdict: Any) -> str:
    """Mark each number of a text as supported (✓), wrong (✗) or not checked (?).

    Parameters
    ----------
    text : str
        The text that was verified; it is escaped.
    verdict : nbutils.claims.Verdict
        Anything whose ``claims`` have ``start``, ``end``, ``verdict``, ``kind`` and
        ``derivation``. Of claims that overlap the first counts; one outside the text is left out.

    Returns
    -------
    str
        HTML in which the derivation is the title of each mark; a notebook displays it.

    Examples
    --------
    >>> from types import SimpleNamespace as Record
    >>> claim = Record(start=5, end=7, verdict="supported", kind="level", derivation="last value")
    >>> "last value" in annotate("Now: 42 <b>", Record(claims=[claim]))
    True
    """
    parts, done = [], 0
    for claim in sorted(verdict.claims, key=lambda c: (c.start, -c.end)):
        if not done <= claim.start < claim.end <= len(text):
            continue
        parts += [escape(text[done : claim.start]), _marked(text[claim.start : claim.end], claim)]
        done = claim.end
    body = "".join(parts) + escape(text[done:])
    return Html(f'<div class="annotated" style="white-space: pre-wrap" dir="auto">{body}</div>')


def _marked(text: str, claim: Any) -> str:
    name, mark, words = MARKS.get(claim.verdict, MARKS["unchecked"])
    kind = str(claim.kind or "").replace("_", " ")
    head = f"{words} ({kind})" if kind else words
    title = f"{head}: {claim.derivation}" if claim.derivation else head
    return (
        f'<span class="claim {name}" title="{escape(title)}">'
        f'<u>{escape(text)}</u><sup role="img" aria-label="{words}">{mark}</sup></span>'
    )


# --------------------------------------------------------------------------- cleaning


def clean(html: str) -> str:
    """Keep the harmless part of HTML: no scripts, no styles of its own, nothing from elsewhere.

    Images stay if they are embedded; of others the alt text stays.
    """
    import bleach  # type: ignore[import-untyped]
    from bleach.css_sanitizer import CSSSanitizer  # type: ignore[import-untyped]

    # the cleaner drops tags but keeps what stands between them
    html = re.sub(r"(?is)<(script|style|template)\b.*?(?:</\1\s*>|\Z)", "", html)
    kept = bleach.clean(
        html,
        tags=TAGS,
        attributes=_allowed,
        protocols={"http", "https", "mailto", "data"},
        strip=True,
        css_sanitizer=CSSSanitizer(allowed_css_properties=["text-align", "white-space"]),
    )
    return re.sub(r"<img\b[^>]*>", _image_or_words, kept)


def _allowed(tag: str, name: str, value: str) -> bool:
    if name == "src":
        return tag == "img" and value.startswith("data:image/")
    if name == "href":
        return not value.strip().lower().startswith("data:")
    return name in ATTRIBUTES


def _image_or_words(match: re.Match[str]) -> str:
    if ' src="' in match[0]:
        return match[0]
    words = re.search(r'\balt="([^"]*)"', match[0])
    return words[1] if words else ""


# --------------------------------------------------------------------------- pages


def template(name: str) -> str:
    """Text of a template or style sheet of this package."""
    return (resources.files("nbutils") / "templates" / name).read_text(encoding="utf-8")


def page(name: str, **values: Any) -> str:
    """Fill a template; whatever is not marked as HTML is escaped."""
    import jinja2
    from markupsafe import Markup

    environment = jinja2.Environment(
        loader=jinja2.FunctionLoader(template),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    return environment.get_template(name).render(css=Markup(template("page.css")), **values)


def notebook_html(executed: Path, html: Path, title: str | None = None) -> Path:
    """Render an executed notebook as one self-contained page without code.

    Cells tagged ``setup``, ``parameters`` or ``injected-parameters``, code, standard error and
    widgets are left out. A notebook that failed says so at the top, with the traceback.

    Parameters
    ----------
    executed : Path
        The notebook as papermill left it.
    html : Path
        The page to write, whole or not at all.
    title : str, optional
        The page's title; by default the notebook's first heading.

    Returns
    -------
    Path
        ``html``

    Raises
    ------
    UserError
        If ``executed`` cannot be read as a notebook.
    """
    from markupsafe import Markup

    executed, html = Path(executed), Path(html)
    notebook = _read(executed)
    failure = _failure(notebook)
    body, headings = _with_anchors(clean(_body(notebook, executed.parent)))
    first = next((text for level, _, text in headings if level == 1), executed.stem)
    text = page(
        "notebook_page.html.j2",
        title=title or first,
        body=Markup(body),
        headings=[h for h in headings if h[0] in (2, 3)],
        failure=failure,
    )
    write_text(html, text)
    return html


def _read(executed: Path) -> Any:
    import nbformat

    try:
        return nbformat.read(executed, as_version=4)
    except FileNotFoundError:
        raise UserError(f"{executed} does not exist: run the notebook first.") from None
    except (ValueError, AttributeError, KeyError, nbformat.ValidationError) as error:
        raise UserError(
            f"{executed.name} is not an executed notebook ({error}): run it again."
        ) from None


def _body(notebook: Any, folder: Path) -> str:
    """Cells as HTML, without code; still to be cleaned."""
    import jinja2
    from nbconvert import HTMLExporter

    exporter = HTMLExporter(
        template_name="classic",
        extra_loaders=[jinja2.FunctionLoader(_body_template)],
        template_file="notebook_body.html.j2",
        exclude_input=True,
        exclude_input_prompt=True,
        exclude_output_prompt=True,
        exclude_anchor_links=True,
        embed_images=True,
    )
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs = [o for o in cell.outputs if _is_for_readers(o)]
    notebook.cells = [
        c for c in notebook.cells if not HIDDEN_TAGS & set(c.metadata.get("tags", []))
    ]
    body, _ = exporter.from_notebook_node(notebook, {"metadata": {"path": str(folder)}})
    return body


def _body_template(name: str) -> str | None:
    return template(name) if name == "notebook_body.html.j2" else None


def _is_for_readers(output: Any) -> bool:
    if output.output_type == "stream":
        return output.name != "stderr"
    return "application/vnd.jupyter.widget-view+json" not in output.get("data", {})


def _failure(notebook: Any) -> dict[str, str] | None:
    """Cell, error and traceback of the cell that failed, if one did."""
    # counted as the runner counts: code cells of the notebook in git, empty ones left out
    cells = (c for c in notebook.cells if c.cell_type == "code" and c.source.strip())
    own = (c for c in cells if "injected-parameters" not in c.metadata.get("tags", []))
    for position, cell in enumerate(own, start=1):
        status = cell.metadata.get("papermill", {}).get("status")
        error = next((o for o in cell.outputs if o.output_type == "error"), None)
        if error is None and status not in ("failed", "running"):
            continue
        number = str(position)
        if error is None:
            return {"cell": number, "error": "it stopped without an error message", "trace": ""}
        trace = re.sub(r"\x1b\[[0-9;]*m", "", "\n".join(error.traceback))
        return {"cell": number, "error": f"{error.ename}: {error.evalue}", "trace": trace}
    if notebook.metadata.get("papermill", {}).get("exception"):
        return {"cell": "?", "error": "it stopped without an error message", "trace": ""}
    return None


def _with_anchors(body: str) -> tuple[str, list[tuple[int, str, str]]]:
    """Give every heading an id of its own; return the headings as level, id and text."""
    headings: list[tuple[int, str, str]] = []
    taken: set[str] = set()

    def anchored(match: re.Match[str]) -> str:
        text = unescape(re.sub(r"<[^>]*>", "", match[2])).strip()
        # the rule of JupyterLab and nbconvert, so that links between headings keep working
        wanted = re.sub(r"\s+", "-", text) or "section"
        name, count = wanted, 1
        while name in taken:
            count += 1
            name = f"{wanted}-{count}"
        taken.add(name)
        headings.append((int(match[1]), name, text))
        return f'<h{match[1]} id="{escape(name)}">{match[2]}</h{match[1]}>'

    return re.sub(r"(?s)<h([1-6])[^>]*>(.*?)</h\1>", anchored, body), headings
