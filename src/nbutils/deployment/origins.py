"""The files of a version's run, its generated rows and its reports, as far as they can be known."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from .. import review
from ..examples import read_jsonl
from ..folders import root
from ..records import digest, read_record
from .versions import Version, json_tag, tag_key

COLUMNS = ["step", "id", "source", "what", "hash", "n", "missing"]

Rows = dict[str, dict[str, Any]]


class Run:
    """The files of a version's run, as far as they still are what they were."""

    def __init__(self, version: Version) -> None:
        self.version, self.dir = version, Path(version.folder).parent
        self.screened = self.rows("screened.jsonl")

    def hash(self, name: str) -> str:
        """As registered; empty if it is not on record."""
        return self.version.tags.get(tag_key(f"hash.{name}"), "")

    def trouble(self, name: str, path: Path | None = None) -> str:
        """Why a file or folder cannot be relied on; empty if it can."""
        path = path or self.dir / name
        if not self.hash(name):
            return f"the hash of {name} is not on record"
        if not path.exists():
            return f"{name} is not there any more"
        same = digest(path) == self.hash(name)
        return "" if same else f"{name} is not what it was at registration"

    def rows(self, name: str) -> Rows:
        """Rows by id; none if the file cannot be relied on."""
        path = self.dir / name
        if self.trouble(name) or not path.stat().st_size:
            return {}
        return {str(row["id"]): row for row in read_jsonl(path, ["id"])}

    def record(self, name: str) -> dict[str, Any]:
        """A JSON object; empty if the file cannot be relied on."""
        return {} if self.trouble(name) else read_record(self.dir / name)

    def report_of(self, row: Mapping[str, Any] | None) -> str:
        """The report of a curated row: named in it, or, structured by rules, of the same id."""
        if row is None:
            return ""
        return str(row.get("report_id") or (row["id"] if row["id"] in self.screened else ""))


def link(
    step: str, name: str, source: str, what: str, hash_n: tuple[str, int], missing: Iterable[str]
) -> dict[str, Any]:
    """One row of the lineage, see `lineage.lineage`; of what is missing, empty texts are none."""
    lacking = "; ".join(text for text in missing if text)
    return dict(zip(COLUMNS, (step, name, source, what, *hash_n, lacking), strict=True))


def trained(run: Run) -> tuple[Rows, dict[str, Any]]:
    """The rows trained on, or all of the file if it is not known which; and the file's link."""
    rows, missing = run.rows("train.jsonl"), run.trouble("train.jsonl")
    n = len(rows)
    used = run.record("plan.json").get("rows") or n
    ids = run.record("training.json").get("rows")
    if rows and isinstance(ids, list):
        rows, used = {i: row for i, row in rows.items() if i in set(ids)}, len(ids)
        if len(rows) < used:
            missing = f"{used - len(rows)} of the {used} rows trained on are not in train.jsonl"
    elif used < n:
        missing = f"which {used} of the {n} rows were trained on is not on record"
    what = f"{used} of its {n} rows were trained on" if used < n else f"{n} rows"
    hash_n = run.hash("train.jsonl"), len(rows)
    return rows, link("data", "train.jsonl", "", what, hash_n, [missing])


def candidates(run: Run, made: Rows, report: Mapping[str, str]) -> list[dict[str, Any]]:
    """Of the generated rows: who proposed them and what reviewers decided."""
    rows, lost = run.rows("candidates.jsonl"), run.trouble("candidates.jsonl")
    items = {item.id: item for item in review.candidates(rows.values())}
    undecided = run.trouble("decisions.jsonl")
    lines = [] if undecided else review.read(run.dir / "decisions.jsonl")
    settled = review.settle(list(items.values()), lines).set_index("id").to_dict("index")
    decided = _decided(lines)
    found = []
    for i, row in made.items():
        orphan = "" if report[i] else f"the report of its parent {row['seed_id']} is not known"
        if i in rows:
            model, hash_ = (rows[i].get("made_by") or {}).get("model", "unknown"), items[i].hash
            what = "; ".join([f"proposed by {model}", *decided.get(hash_, [])])
            lacking = undecided or _doubt(i, settled[i], row)
        else:
            what, hash_, lacking = "", "", lost or f"{i} is not in candidates.jsonl"
        source = report[i] or str(row["seed_id"])
        found.append(link("candidate", i, source, what, (hash_, 1), [orphan, lacking]))
    return found


def _decided(lines: Iterable[Mapping[str, Any]]) -> dict[str, list[str]]:
    """What each reviewer decided, in words, by item."""
    found: dict[str, list[str]] = {}
    for (name, item), line in sorted(review.standing(lines).items()):
        found.setdefault(item, []).append(f"{name}: {line['decision']}")
    return found


def _doubt(name: str, settled: Mapping[Any, Any], row: Mapping[str, Any]) -> str:
    if settled["status"] != "approved":
        return f"{name} was trained on and is {settled['status']}"
    same = settled["output"] == row["output"]
    return "" if same else f"{name} was trained on in another text than the approved one"


def reports(run: Run, counted: Counter[str]) -> list[dict[str, Any]]:
    """The reports and, last, the file or folder they were in."""
    asked = json_tag(run.version, "parameters.01")
    name = f"data/{asked.get('TASK')}/{asked.get('REPORTS')}"
    path, screen, known = root() / name, run.trouble("screened.jsonl"), bool(run.hash(name))
    lost = run.trouble(name, path) if known else "the file of the reports is not on record"
    texts = {} if lost else _texts(path)
    found = []
    for i, n in sorted(counted.items()):
        kept = run.screened.get(i, {}).get("keep")
        what = "" if kept is None else "kept by the screen" if kept else "rejected by the screen"
        lacking = [screen or ("" if i in run.screened else f"{i} is not in screened.jsonl")]
        if path.suffix == ".jsonl" and not lost and i not in texts:
            lacking.append(f"{i} is not in {name}")
        found.append(link("report", i, name, what, (texts.get(i, ""), n), lacking))
    hash_n, as_read = (run.hash(name), counted.total()), "" if lost else "as the run read it"
    return [*found, link("file", name if known else "", "", as_read, hash_n, [lost])]


def _texts(path: Path) -> dict[str, str]:
    """Hash of each report by id, where it is clear which is which: in JSON lines and documents."""
    if path.is_dir():
        files = {p: digest(p)[:16] for p in sorted(path.rglob("*")) if p.is_file()}
        by_path = {p.relative_to(path).with_suffix("").as_posix(): h for p, h in files.items()}
        return {**{p.stem: h for p, h in files.items()}, **by_path}
    if path.suffix != ".jsonl":
        return {}
    texts = {str(row.get("id")): str(row.get("text")) for row in read_jsonl(path)}
    return {i: hashlib.sha256(text.encode()).hexdigest()[:16] for i, text in texts.items()}
