"""The card of a merged model, from the files of its run: what it is, how good, and how known."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from ..errors import MissingInput
from ..examples import read_jsonl
from ..folders import notebook_name
from ..models import DEFAULT_BASE
from ..records import RUN_FILE, read_record
from ..report.comparison import result_rows
from ..report.tables import interval
from ..runs import writer_of
from .merging import merge_note, permit

FILE = "README.md"
_NEEDED = ("plan.json", "training.json", "02.json", "03.json", "scores.json", "gate.json")
_ORIGINS = {DEFAULT_BASE: "HuggingFaceTB/SmolLM2-135M-Instruct"}
_LICENCES = {DEFAULT_BASE: "apache-2.0"}
_DEMONSTRATION_DATA = "data/growth"
_NONE = "not on record"
_ABSOLUTE = re.compile(r"(?:~|\.\.|[A-Za-z]:)?[/\\]")
_KNOBS = (
    *("form", "with_facts", "rows", "val_rows", "epochs", "steps", "batch", "accumulation"),
    *("learning_rate", "schedule", "rank", "alpha", "dropout", "targets", "layers"),
    *("four_bit", "dtype", "seed", "seeds"),
)

_DEMONSTRATION = """\
**DEMONSTRATION.** The data of data/growth is invented; language models wrote, labelled and \
reviewed it, not people. This model shows the method; do not decide anything by its answers."""

Record = Mapping[str, Any]
Row = Sequence[Any]


def model_card(
    run: Path, merged: Path, *, proof: Record, override: str = "", licence: str = ""
) -> str:
    """Write the card of a merged model: Markdown, with the front matter that the hub reads.

    Every figure comes from a file of the run; of paths only the last part is shown.

    Parameters
    ----------
    run : Path
        Folder of the run: plan.json, training.json, 02.json, 03.json, scores.json, gate.json,
        run.json, and decisions.jsonl if anybody decided.
    merged : Path
        Folder that `merge` wrote.
    proof : mapping
        As `Proof.record` returns.
    override : str
        Why a run whose gate is not passed was merged; the card names it.
    licence : str
        Licence of the merged model, for the front matter; left out if empty.

    Returns
    -------
    str

    Raises
    ------
    MissingInput
        If a file of the run is missing; the message names the notebook that writes it.
    UserError
        If the gate is not passed and no reason is given, or there is no merged model.
    """
    files = {name: _needed(run, name) for name in _NEEDED}
    files[RUN_FILE] = read_record(run / RUN_FILE)
    why, note = permit(files["gate.json"], override=override), merge_note(merged)
    plan = _flat(files["plan.json"])
    shown = _is_demonstration(files[RUN_FILE])
    parts = [
        ("", f"# {_title(plan, note)}\n\n{_DEMONSTRATION if shown else ''}".rstrip()),
        ("Verdict", _verdict(files["gate.json"], proof, why)),
        ("Base", _base(plan, note)),
        ("Data", _data(run, files, shown)),
        ("Plan", _table(("setting", "value"), [(k, plan[k]) for k in _KNOBS if k in plan])),
        ("How good its answers are", _metrics(files["scores.json"], files["gate.json"])),
        ("Whether it is the model that was evaluated", _proof(proof, note)),
        ("Intended use", _use(plan)),
        ("Limits", _limits(files["scores.json"], plan)),
    ]
    body = "\n\n".join(f"## {head}\n\n{text}" if head else text for head, text in parts)
    return f"---\n{_front(plan, note, licence)}---\n\n{body}\n"


# --------------------------------------------------------------------------- files


def _needed(run: Path, name: str) -> dict[str, Any]:
    if not (run / name).is_file():
        notebook = notebook_name(writer_of(name) or "04")
        raise MissingInput(
            f"{name} is not in run {run.name}, there is no model card without it: run {notebook} "
            f"first."
        )
    return read_record(run / name)


def _flat(plan: Record) -> dict[str, Any]:
    """The recipe and what the plan made of it on one level; what was worked out wins."""
    return {**plan.get("recipe", {}), **{k: v for k, v in plan.items() if k != "recipe"}}


def _is_demonstration(about: Record) -> bool:
    return any(
        f"/{name}/".startswith(f"/{_DEMONSTRATION_DATA}/") for name in about.get("inputs") or {}
    )


# --------------------------------------------------------------------------- its parts


def _origin(plan: Record, note: Record) -> str:
    """Name of the base on the hub; empty for a folder."""
    if note["revision"].startswith("sha256:") or _ABSOLUTE.match(str(plan["base_model"])):
        return ""
    return _ORIGINS.get(note["base"], str(plan["base_model"]))


def _front(plan: Record, note: Record, licence: str) -> str:
    described = {
        "license": licence,
        "base_model": _origin(plan, note),
        "base_model_relation": "finetune",
        "library_name": "transformers",
        "pipeline_tag": "text-generation",
        "tags": ["sft", "qlora" if note["four_bit"] else "lora", "merged"],
    }
    kept = {k: v for k, v in described.items() if v}
    return yaml.safe_dump(kept, sort_keys=False, allow_unicode=True)


def _title(plan: Record, note: Record) -> str:
    return f"{note['base']}, fine-tuned for answers in {plan['form']} form, merged"


def _verdict(gate: Record, proof: Record, why: str) -> str:
    lines = [str(gate["verdict"]), f"**{why}**" if why else "", str(proof["verdict"])]
    return "\n\n".join(line for line in lines if line)


def _base(plan: Record, note: Record) -> str:
    origin = _origin(plan, note)
    rows = [
        ("model", note["base"]),
        *([("published as", origin)] if origin else []),
        ("revision", note["revision"] or _NONE),
        ("licence of the base", _LICENCES.get(note["base"], f"{_NONE}: see its own page")),
        ("prompt template", note["fingerprint"]),
        (
            "merged into",
            "the base in NF4, dequantised" if note["four_bit"] else "the base as it is",
        ),
        ("precision of the weights", note["dtype_reason"]),
    ]
    said = (
        "The terms of the base and of the data decide under which licence the model may be passed "
        "on."
    )
    return f"{_table(('what', 'value'), rows)}\n\n{said}"


def _data(run: Path, files: Record, demonstration: bool) -> str:
    counts = {**files["02.json"].get("counts", {}), **files["02.json"].get("metrics", {})}
    trained = files["03.json"].get("counts", {})
    rows = [
        ("candidates proposed", counts.get("candidates", _NONE)),
        ("of them past the gates", counts.get("reviewable", _NONE)),
        ("of them not reviewed, so left out", counts.get("not_reviewed", _NONE)),
        ("approved, and past the gates again", counts.get("approved", _NONE)),
        ("examples to train on, with curated reports", counts.get("train", _NONE)),
        ("examples trained on", trained.get("train", _NONE)),
        ("examples validated on", trained.get("val", _NONE)),
    ]
    hashes = {**(files[RUN_FILE].get("inputs") or {}), **(files["03.json"].get("inputs") or {})}
    return "\n\n".join(
        [
            _table(("what", "count"), rows),
            _reviewers(run / "decisions.jsonl", demonstration),
            _table(("file", "SHA-256"), sorted(hashes.items())),
        ]
    )


def _reviewers(decisions: Path, demonstration: bool) -> str:
    """Who decided; recorded decisions carry no time, those made in a run do."""
    lines = read_jsonl(decisions) if decisions.is_file() and decisions.stat().st_size else []
    if not lines:
        return "Nobody reviewed the candidates."
    said = []
    for recorded in (True, False):
        names = Counter(str(x.get("reviewer")) for x in lines if (x.get("at") is None) is recorded)
        if not names:
            continue
        who = ", ".join(f"{name} ({count})" for name, count in sorted(names.items()))
        how = "recorded beforehand" if recorded else "made in the run, under the name given there"
        said.append(f"Decisions {how}: {who}.")
        if recorded and demonstration:
            said.append("The recorded reviewers are language models, **not people**.")
    return " ".join(said)


def _metrics(scores: Record, gate: Record) -> str:
    tuned = next(s["name"] for s in scores["systems"] if s.get("role") == "candidate")
    own = {m["label"]: _interval(m) for m in scores["metrics"] if m["system"] == tuned}
    rows = [
        (
            f"{r['label']} {r['arrow']}".strip(),
            own.get(r["label"], r["candidate"]),
            f"{r['baseline']} ({r['baseline_name']})" if r["baseline_name"] else r["baseline"],
            r["difference"],
            r["n"],
        )
        for group in result_rows(dict(scores), dict(gate))
        for r in group["rows"]
    ]
    checks = [
        (c["metric"], c["requirement"], c["outcome"], c["reason"]) for c in gate.get("checks") or []
    ]
    said = (
        f"On {scores.get('n')} held-out cases, with 95% intervals; shares in percent. Measured on "
        f"base and adapter; the next section says how far that holds for the merged model."
    )
    head = ("measure", "fine-tuned", "best baseline", "difference", "n compared")
    gated = _table(("measure", "requirement", "outcome", "found"), checks)
    return f"{said}\n\n{_table(head, rows)}\n\nThe gate:\n\n{gated}"


def _interval(measure: Record) -> str:
    scale = 100.0 if measure.get("unit") == "share" else 1.0
    return interval(measure["value"], measure["low"], measure["high"], scale=scale)


def _proof(proof: Record, note: Record) -> str:
    rows = [
        (
            m["measure"],
            *(_number(m[k]) for k in ("base + adapter", "merged", "difference", "limit")),
            "yes" if m["passed"] else "no",
        )
        for m in proof["measures"]
    ]
    rounding = (
        f" Writing the weights in {note['dtype']} cost {note['rounding']:.1%} of what the adapter "
        f"changed in {note['layers']} matrices."
        if note["rounding"]
        else ""
    )
    head = ("measure", "base + adapter", "merged", "difference", "limit", "within")
    return f"{proof['verdict']}{rounding}\n\n{_table(head, rows)}"


def _number(value: float | None) -> str:
    return _NONE if value is None else f"{value:.4f}".rstrip("0").rstrip(".")


def _use(plan: Record) -> str:
    prompt = f'messages(example, form="{plan["form"]}", with_facts={plan["with_facts"]})'
    return f"""\
Given a metric, its recent values and what is known around them, say what happened, recommend one \
action, and say how urgent it is: a draft for an analyst who checks it.

It was trained on the prompts of `nbutils.examples.{prompt}` and on no others. Serve it behind \
`nbutils.deployment.Guard`, which checks every number before it is passed on. It is greedy by its \
generation config, as it was evaluated."""


def _limits(scores: Record, plan: Record) -> str:
    points = [
        *(f"Not shown: {_lower(str(x))}" for x in scores.get("does_not_show") or []),
        f"Rows of more than {plan.get('longest', _NONE)} tokens, the longest it was trained on, "
        f"were not tried.",
        "Other languages, trades and kinds of metric than the data holds were not tried.",
        "Its numbers can be wrong: what is not verified must not be acted on.",
    ]
    return "\n".join(f"- {_plain(point)}" for point in points)


def _lower(text: str) -> str:
    return text[:1].lower() + text[1:]


def _table(head: Row, rows: Iterable[Row]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(_cell(v) for v in line)} |" for line in lines)


def _cell(value: Any) -> str:
    text = str(value)
    if _ABSOLUTE.match(text):  # a path of somebody's machine
        text = re.split(r"[/\\]", text.rstrip("/\\"))[-1]
    return _plain(text).replace("|", "\\|")


def _plain(text: str) -> str:
    return " ".join(text.split())
