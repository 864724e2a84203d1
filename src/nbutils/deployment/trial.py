"""A trial of the merged model on this machine: served, loaded, and asked through the guard."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd

from nbutils.errors import UserError
from nbutils.examples import Example, messages
from nbutils.models import base_path

from .guarding import Guard, Limits, Upstream, check, house_form, risk_coverage
from .local_server import load_test, name_of, same_prompts, served

SETTINGS = {
    "proof_cases": 6,
    "way_cases": 4,
    "requests": 6,
    "clients": "1,2,4",
    "guard_cases": 10,
    "seconds": 240.0,
    "machine_hour": 0.10,
}
_DATA = re.compile(r"^[ \t]*Data[ \t]*:.*\n?", re.MULTILINE | re.IGNORECASE)


@dataclass(frozen=True)
class Trial:
    """What a trial measured.

    Attributes
    ----------
    prompts : DataFrame
        See `nbutils.deployment.same_prompts`.
    load : DataFrame
        See `nbutils.deployment.load_test`.
    answered : DataFrame
        A row a case put to the guard: ``id``, ``path``, ``reason``, ``seconds``, ``text``.
    """

    prompts: pd.DataFrame
    load: pd.DataFrame
    answered: pd.DataFrame


def settings(given: Mapping[str, Any]) -> dict[str, Any]:
    """The settings of stage 06, checked.

    Parameters
    ----------
    given : mapping
        Of ``proof_cases`` and ``way_cases`` (cases on which merges are compared), ``requests``
        (at each level of ``clients``, numbers with commas), ``guard_cases``, ``seconds`` (limit
        of a request through the guard) and ``machine_hour`` (dollars).

    Raises
    ------
    UserError
        If a name is unknown or a value is no number above 0.
    """
    for name, value in given.items():
        if name not in SETTINGS:
            near = difflib.get_close_matches(str(name), SETTINGS, 1)
            hint = f"did you mean {near[0]}?" if near else "remove it."
            raise UserError(f"TRIAL has '{name}'; expected of {', '.join(SETTINGS)}: {hint}")
        numbers = str(value).split(",") if name == "clients" else [value]
        if not all(_positive(n) for n in numbers):
            raise UserError(f"TRIAL sets {name} to {value!r}; expected a number above 0.")
    found = {**SETTINGS, **given}
    return {**found, "clients": [int(n) for n in str(found["clients"]).split(",")]}


def _positive(value: Any) -> bool:
    try:
        return float(value) > 0
    except (TypeError, ValueError):
        return False


def trial(
    merged: Path,
    cases: Sequence[Example],
    *,
    base: str,
    form: str,
    shots: Sequence[Example],
    folder: Path,
    chosen: Mapping[str, Any],
    max_new_tokens: int = 280,
) -> Trial:
    """Serve the merged model on loopback, measure it, and ask it through the guard.

    Parameters
    ----------
    merged : Path
        Folder of the merged model.
    cases : sequence of Example
        Held-out cases; two of them are asked without their data as well, which must lead to a
        person.
    base : str
        The fallback's model.
    form : str
        Form of the answers.
    shots : sequence of Example
        Solved examples of the fallback's prompt.
    folder : Path
        For the server's log and the person's queue, which is begun anew.
    chosen : mapping
        See `settings`.
    max_new_tokens : int
        Longest answer.
    """
    few = list(cases)[: int(chosen["requests"])]
    asked = [messages(case, form=form) for case in few]
    queue = Path(folder) / "person.jsonl"
    queue.unlink(missing_ok=True)
    with served(Path(folder) / "server.log") as url:
        prompts = same_prompts(url, merged, asked[:3])
        load, _ = load_test(
            url,
            merged,
            asked,
            clients=chosen["clients"],
            max_new_tokens=max_new_tokens,
            machine_hour=float(chosen["machine_hour"]),
        )
        guard = Guard(
            Upstream(url, name_of(merged), form=form, version="merged"),
            queue,
            fallback=Upstream(
                url, name_of(base_path(base)), form=form, shots=tuple(shots), version="base"
            ),
            limits=Limits(seconds=float(chosen["seconds"]), max_new_tokens=max_new_tokens),
        )
        done = guard.answer_all(_with_gaps(cases[: int(chosen["guard_cases"])]), concurrency=1)
    rows = [
        {"id": a.id, "path": a.path, "reason": a.reason, "seconds": a.seconds, "text": a.text}
        for a in done
    ]
    return Trial(prompts, load, pd.DataFrame(rows))


def _with_gaps(cases: Sequence[Example]) -> list[Example]:
    """The cases, and the first two of them once more without their data."""
    bare = [replace(c, id=f"{c.id} without data", input=_DATA.sub("", c.input)) for c in cases[:2]]
    return [*cases, *bare]


def paths(answered: pd.DataFrame) -> pd.DataFrame:
    """How many cases took which path, why, and how long: ``path``, ``reason``, ``n``, ``p50``."""
    groups = answered.groupby(["path", "reason"], sort=False)["seconds"]
    return groups.agg(n="size", p50="median").reset_index()


def risk_curve(rows: Iterable[Mapping[str, Any]]) -> pd.DataFrame:
    """The curve of `nbutils.deployment.risk_coverage` for a figure, from coverage 0 on.

    Returns
    -------
    DataFrame
        ``coverage``, ``risk``, ``risk_low``, ``risk_high``; where nothing is answered there is no
        risk, so the first row has none.
    """
    curve = risk_coverage(rows).rename(columns={"low": "risk_low", "high": "risk_high"})
    columns = ["coverage", "risk", "risk_low", "risk_high"]
    start = pd.DataFrame([[0.0, *[float("nan")] * 3]], columns=columns)
    return pd.concat([start, curve[columns]], ignore_index=True).astype(float)


def judged(predictions: Iterable[Mapping[str, Any]], system: str = "tuned") -> list[dict[str, Any]]:
    """What the guard would have said of the answers of 04, beside what the references say.

    Parameters
    ----------
    predictions : iterable of mapping
        Rows of ``predictions.jsonl``.
    system : str
        Whose answers.

    Returns
    -------
    list of dict
        ``id``; ``path`` (``"model"`` if form and numbers hold, else ``"person"``: retry and
        fallback are not tried here); ``right`` and ``right_alone`` (numbers, direction and urgency
        as the reference accepts them); ``confidence`` (mean log-probability; None for an answer
        that may not pass).
    """
    rows = []
    for row in predictions:
        if row["system"] != system:
            continue
        passed = not check(row["input"], row["output"], house_form).reason
        known = [k for k in ("direction", "urgency") if row.get(f"{k}_known")]
        right = bool(row["faithful"]) and all(row[f"{k}_ok"] for k in known)
        rows.append(
            {
                "id": row["id"],
                "path": "model" if passed else "person",
                "right": right,
                "right_alone": right,
                "confidence": row.get("logprob") if passed else None,
            }
        )
    return rows
