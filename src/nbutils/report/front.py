"""The front page of a run, from the run's JSON files only."""

from __future__ import annotations

import json
import re
from datetime import datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from ..records import write_text
from .comparison import dot_rows, result_rows
from .html import annotate, page
from .tables import missing, number, plain_decimals

Record = dict[str, Any]

RECORDS = ("run", "plan", "training", "scores", "gate", "grounding")
STAGES = {
    "01": "curation",
    "02": "augmentation",
    "03": "training",
    "04": "evaluation",
    "05": "grounding",
    "06": "deployment",
}
UNFINISHED = ("running", "interrupted")
KINDS = {"typical": "Typical", "best": "Best", "worst": "Worst"}


def front_page(run_dir: Path, out_dir: Path) -> Path:
    """Write the front page of a run, whatever state the run is in.

    Parameters
    ----------
    run_dir : Path
        The run's folder; of its files ``run.json``, ``NN.json``, ``plan.json``,
        ``training.json``, ``scores.json``, ``gate.json`` and ``grounding.json`` are read. Any may
        be missing; one that cannot be read is named on the page.
    out_dir : Path
        Where ``index.html`` goes, beside the pages of the stages, which it links.

    Returns
    -------
    Path
        The page, written whole or not at all.
    """
    from markupsafe import Markup

    run_dir, out_dir = Path(run_dir), Path(out_dir)
    files, problems = _load(run_dir)
    run, scores, gate = files["run"], files["scores"], files["gate"]
    name = str(run.get("name") or run_dir.name)
    examples = [_example(e, scores) for e in _records(scores.get("examples"))]
    text = page(
        "front.html.j2",
        title=f"Run {name}",
        verdict=_verdict(files),
        subtitle=_subtitle(files),
        review=_review(files),
        evidence=str(files["grounding"].get("verdict") or ""),
        stale=run.get("status") in ("failed", *UNFINISHED),
        banners=_banners(files),
        problems=problems,
        results=result_rows(scores, gate),
        dots=dot_rows(scores),
        examples=[{**e, "output": Markup(e["output"])} for e in examples],
        stages=_stages(files, out_dir),
        facts=_what_was_run(files),
        parameters=_lines(run.get("parameters")),
        inputs=sorted(_mapping(run.get("inputs")).items()),
        packages=sorted(_mapping(run.get("packages")).items()),
        limits=[str(x) for x in scores.get("does_not_show") or []],
    )
    write_text(out_dir / "index.html", text)
    return out_dir / "index.html"


# --------------------------------------------------------------------------- reading


def _load(run_dir: Path) -> tuple[Record, list[str]]:
    """Every record of the run (empty if missing) and a sentence for each that cannot be read."""
    names = [*RECORDS, *sorted(p.stem for p in run_dir.glob("[0-9][0-9].json"))]
    files: Record = {}
    problems = []
    for name in names:
        files[name] = {}
        path = run_dir / f"{name}.json"
        if not path.exists():
            continue
        try:
            found = json.loads(path.read_text(encoding="utf-8"), parse_constant=lambda _: None)
        except (OSError, ValueError) as error:
            problems.append(f"{path.name} could not be read ({error}): run its stage again.")
            continue
        if isinstance(found, dict):
            files[name] = found
        else:
            problems.append(f"{path.name} holds no JSON object: run its stage again.")
    return files, problems


def _mapping(value: Any) -> Record:
    return value if isinstance(value, dict) else {}


def _records(value: Any) -> list[Record]:
    return [v for v in value if isinstance(v, dict)] if isinstance(value, list) else []


# --------------------------------------------------------------------------- the verdict


def _verdict(files: Record) -> Record:
    """The verdict in one sentence, its tone, and what else a reader has to know at once."""
    run, gate = files["run"], files["gate"]
    if run.get("status") == "failed" or run.get("failed_stage"):
        stage = str(run.get("failed_stage") or "?")
        return {
            "tone": "failed",
            "text": f"Failed in {stage}.",
            "more": str(run.get("error") or ""),
        }
    unfinished = run.get("status") in UNFINISHED
    state = f"The run is {run['status']}." if unfinished else ""
    if not gate.get("verdict"):
        why = "04 has left no verdict" if "04" in files else "04 has not run"
        return {"tone": "waiting", "text": f"Not evaluated yet: {why}.", "more": state}
    if unfinished:
        earlier = f"Its last verdict was: {gate['verdict']}"
        return {"tone": "waiting", "text": state, "more": earlier}
    outcome = str(gate.get("outcome") or ("passed" if gate.get("passed") else "failed"))
    tone = {"passed": "passed", "not shown": "waiting"}.get(outcome, "failed")
    more = "The gate is passed." if tone == "passed" else "The gate is not passed."
    return {"tone": tone, "text": str(gate["verdict"]), "more": more}


def _review(files: Record) -> str:
    """How many candidates nobody decided on; they are not trained on, and readers must know."""
    counts = _mapping(files.get("02", {}).get("counts"))
    left, of = counts.get("not_reviewed"), counts.get("reviewable")
    if left is None or not of:
        return ""
    if not left:
        return f"All {_plain(of)} generated candidates that passed the gates were reviewed."
    return (
        f"{_plain(left)} of {_plain(of)} generated candidates not reviewed: they were left out of "
        f"training."
    )


def _subtitle(files: Record) -> str:
    run, scores = files["run"], files["scores"]
    cases = f"{_plain(scores['n'])} held-out cases" if scores.get("n") is not None else ""
    parts = [
        f"{run['profile']} profile" if run.get("profile") else "",
        {**files["plan"], **files["training"]}.get("base_model"),
        cases,
        _time(run.get("finished") or run.get("started")),
    ]
    return " · ".join(str(part) for part in parts if part)


def _banners(files: Record) -> list[str]:
    banners = []
    if _is_demonstration(files):
        banners.append(
            "Demonstration data: every report and case is invented, and was labelled and reviewed "
            "by language models, not people. Read the results as a demonstration of the method."
        )
    if files["run"].get("profile") == "smoke":
        banners.append(
            "Smoke profile: a few training steps on a handful of examples. This run proves the "
            "path, not the quality; its numbers mean nothing beyond that."
        )
    return banners


def _is_demonstration(files: Record) -> bool:
    flag = files["scores"].get("demonstration")
    if flag is not None:
        return bool(flag)
    # before there are scores: the demonstration is what the repository ships
    records = [v for k, v in files.items() if k == "run" or k.isdigit()]
    inputs = [path for record in records for path in _mapping(record.get("inputs"))]
    return any(path.startswith("data/growth") for path in inputs)


# --------------------------------------------------------------------------- examples


def _example(example: Record, scores: Record) -> Record:
    labels = {s.get("name"): s.get("label") for s in _records(scores.get("systems"))}
    claims = [
        SimpleNamespace(
            start=int(c.get("start", -1)),
            end=int(c.get("end", -1)),
            verdict=str(c.get("verdict")),
            kind=c.get("kind"),
            derivation=c.get("derivation"),
        )
        for c in _records(example.get("claims"))
    ]
    output = str(example.get("output") or "")
    system = example.get("system")
    return {
        "kind": KINDS.get(str(example.get("kind")), str(example.get("kind") or "Example")),
        "id": str(example.get("id") or ""),
        "system": str(labels.get(system) or system or ""),
        "input": str(example.get("input") or ""),
        "output": annotate(output, SimpleNamespace(claims=claims)) if output.strip() else "",
        "count": _count(claims),
    }


def _count(claims: list[SimpleNamespace]) -> str:
    if not claims:
        return "no numbers found in the answer"
    right = sum(c.verdict == "supported" for c in claims)
    unread = sum(c.verdict in ("proposal", "unchecked") for c in claims)
    parts = [f"{right} supported", f"{len(claims) - right - unread} wrong", f"{unread} not checked"]
    return f"{len(claims)} numbers: " + ", ".join(parts)


# --------------------------------------------------------------------------- what was run


def _stages(files: Record, out_dir: Path) -> list[Record]:
    """One row a stage: its page if there is one, its state, minutes, and what it counted."""
    pages = {p.name[:2]: p.name for p in sorted(out_dir.glob("[0-9][0-9]_*.html"))}
    run = files["run"]
    noted = _mapping(run.get("stages"))
    rows = []
    for stage in sorted({*STAGES, *pages, *(k for k in files if k.isdigit())}):
        record = files.get(stage, {})
        page_name = pages.get(stage, "")
        title = re.sub(r"\.html$", "", page_name)[3:] or STAGES.get(stage, "")
        state = "done" if record else str(_mapping(noted.get(stage)).get("status") or "not run")
        if run.get("failed_stage") == stage:
            state = "failed"
        rows.append(
            {
                "name": f"{stage} {title}".replace("_", " "),
                "page": page_name,
                "state": state,
                "minutes": _minutes(record.get("seconds")),
                "counts": ", ".join(_lines(record.get("counts"))[:6]),
            }
        )
    return rows


def _what_was_run(files: Record) -> list[tuple[str, str]]:
    """Name and value of everything that a reader needs to run it again; unknown ones left out."""
    run, plan = files["run"], {**files["plan"], **files["training"]}
    commit = str(run.get("commit") or "")[:12]
    if commit and run.get("dirty"):
        commit += ", with uncommitted changes"
    minutes = [s for k, v in files.items() if k.isdigit() and (s := v.get("seconds")) is not None]
    facts = {
        "Run": run.get("name"),
        "Profile": run.get("profile"),
        "Form of answer": files["scores"].get("form"),
        "Commit": commit,
        "Base model": plan.get("base_model"),
        "Precision": plan.get("precision"),
        "Trainable parameters": _trainable(plan),
        "Training": _training(plan),
        "Best validation loss": _plain(plan.get("best_eval_loss")),
        "Held-out cases": _plain(files["scores"].get("n")),
        "Hardware": _hardware(_mapping(run.get("hardware"))),
        "Python": run.get("python"),
        "Minutes, all stages": _minutes(sum(minutes)) if minutes else "",
        "Started": _time(run.get("started")),
        "Finished": _time(run.get("finished")),
    }
    return [(k, str(v)) for k, v in facts.items() if v not in (None, "")]


def _trainable(plan: Record) -> str:
    part, whole = plan.get("trainable_parameters"), plan.get("total_parameters")
    if not isinstance(part, int | float):
        return ""
    text = f"{part:,.0f}"
    return f"{text} of {whole:,.0f} ({part / whole:.2%})" if whole else text


def _training(plan: Record) -> str:
    parts = []
    if plan.get("steps") is not None:
        parts.append(f"{_plain(plan['steps'])} steps")
    if isinstance(plan.get("evaluations"), int | list):
        count = plan["evaluations"]
        parts.append(f"{count if isinstance(count, int) else len(count)} evaluations")
    if plan.get("tokens_per_second") is not None:
        parts.append(f"{_plain(plan['tokens_per_second'])} tokens per second")
    return ", ".join(parts)


def _hardware(hardware: Record) -> str:
    cores, memory = hardware.get("cores"), hardware.get("memory_gb")
    parts = [
        hardware.get("gpu") or "no GPU",
        hardware.get("cpu"),
        f"{cores} cores" if cores else "",
        f"{memory:g} GB memory" if isinstance(memory, int | float) else "",
    ]
    return ", ".join(str(p) for p in parts if p) if hardware else ""


def _minutes(seconds: Any) -> str:
    return "" if not isinstance(seconds, int | float) else f"{seconds / 60:.1f}"


def _time(text: Any) -> str:
    try:
        return datetime.fromisoformat(str(text)).strftime("%Y-%m-%d %H:%M %Z").strip()
    except ValueError:
        return str(text or "")


def _plain(value: Any) -> str:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return "" if missing(value) else str(value)
    return number(value, plain_decimals([float(value)]))


def _lines(value: Any, before: str = "") -> list[str]:
    """Nested settings as ``"03.epochs 1"``."""
    lines = []
    for key, entry in _mapping(value).items():
        if isinstance(entry, dict):
            lines += _lines(entry, f"{before}{key}.")
        else:
            large = isinstance(entry, int | float) and abs(entry) >= 1000
            text = _plain(entry) if large else str(entry)
            lines.append(f"{before}{key} ".replace("_", " ") + text)
    return lines
