"""What a version of the model goes back to, link by link, down to the reports."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from .. import review
from ..records import dumps
from .origins import COLUMNS, Rows, Run, candidates, link, reports, trained
from .versions import Version

STEPS = ("version", "run", "adapter", "data", "training row", "candidate", "report", "file")


def lineage(version: Version) -> pd.DataFrame:
    """What a version goes back to, link by link, down to the reports.

    A file of the run counts only if, by its hash, it still is what it was at registration. A link
    that is missing is named, not guessed. Which rows of ``train.jsonl`` were trained on stands in
    ``training.json``; of older runs, where it does not, all of them are shown.

    Parameters
    ----------
    version : Version
        As `versions.find` returns it.

    Returns
    -------
    DataFrame
        One row a thing: ``step`` (in the order of `STEPS`), ``id``, ``source`` (id of what it was
        made from), ``what`` (in words), ``hash`` (SHA-256 of a file or folder, 16 digits for a
        text, the commit for the run; empty if not known), ``n`` (training rows that go back to
        it), ``missing`` (what of the link is not known; empty if nothing).

    Raises
    ------
    UserError
        If a tag of the version is broken.
    """
    run = Run(version)
    train, data = trained(run)
    made = {i: row for i, row in train.items() if "seed_id" in row}
    report = _reports_of(run, train, made)
    found = [
        *_model(run, len(train)),
        data,
        *(_training_row(i, row, report[i]) for i, row in train.items()),
        *candidates(run, made, report),
        *reports(run, Counter(r for r in report.values() if r)),
    ]
    return pd.DataFrame(found, columns=COLUMNS)


def steps(frame: pd.DataFrame) -> pd.DataFrame:
    """The lineage in short, one row a step: ``step``, ``things``, ``first`` (id of the first),
    ``what`` (of the first) and ``missing`` (how many things lack something).
    """
    found = []
    for step in STEPS:
        own = frame[frame["step"] == step]
        if len(own):
            lacking = int((own["missing"] != "").sum())
            found.append((step, len(own), own.iloc[0]["id"], own.iloc[0]["what"], lacking))
    return pd.DataFrame(found, columns=["step", "things", "first", "what", "missing"])


def said(frame: pd.DataFrame) -> str:
    """The lineage in a sentence, with the first three of the links that are missing."""
    count = frame["step"].value_counts()
    rows, made, reports = (count.get(s, 0) for s in ("training row", "candidate", "report"))
    text = (
        f"{frame.iloc[0]['id']} goes back to {reports} reports over {rows} training rows, "
        f"{made} of them generated"
    )
    lacking = list(dict.fromkeys(m for m in frame["missing"] if m))
    if not lacking:
        return f"{text}; no link is missing."
    more = f"; and {len(lacking) - 3} more" if len(lacking) > 3 else ""
    return f"{text}; not known: {'; '.join(lacking[:3])}{more}."


def to_json(frame: pd.DataFrame) -> str:
    """The lineage as a JSON list, one object a row."""
    return dumps(frame.to_dict("records"), "the lineage", indent=1) + "\n"


def _reports_of(run: Run, train: Rows, made: Rows) -> dict[str, str]:
    """The report of each training row, of a generated one that of its parent; empty if unknown."""
    parents = {**run.rows("curated.jsonl"), **{i: r for i, r in train.items() if i not in made}}
    return {i: run.report_of(parents.get(str(row.get("seed_id", i)))) for i, row in train.items()}


def _model(run: Run, n: int) -> list[dict[str, Any]]:
    """The version, its run and its adapter."""
    version, tags, name = run.version, run.version.tags, run.version.tags.get("run", "")
    gate = f"gate {tags.get('gate.outcome', 'not on record')}"
    what = ", ".join([*version.aliases, f"registered {version.created}", gate])
    merged = run.trouble("merged", Path(version.folder))
    profile = f"profile {tags.get('profile', 'not on record')}"
    if tags.get("dirty") == "True":
        profile += ", with changes that were not committed"
    commit = tags.get("commit", "")
    unknown = "" if commit else "the commit is not on record"
    plan = run.record("plan.json")
    of = f"{plan['base_model']}, form {plan['form']}, {plan['steps']} steps" if plan else ""
    lost = [run.trouble("adapter"), run.trouble("plan.json")]
    label, hash_n = f"{version.model}/{version.version}", (run.hash("merged"), n)
    return [
        link("version", label, name, what, hash_n, [merged]),
        link("run", name, "adapter", profile, (commit, n), [unknown]),
        link("adapter", "adapter", "train.jsonl", of, (run.hash("adapter"), n), lost),
    ]


def _training_row(name: str, row: Mapping[str, Any], report: str) -> dict[str, Any]:
    hash_n = review.item_hash(row["instruction"], row["input"], row["output"]), 1
    if "seed_id" in row:
        return link("training row", name, name, "a reviewed candidate", hash_n, [])
    lacking = "" if report else f"the report of {name} is not on record"
    what = f"a report, structured by {row.get('made_by', 'unknown')}"
    return link("training row", name, report, what, hash_n, [lacking])
