"""Whether a version may take the champion's place: its gate, its weights and its answers."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .. import stats
from ..errors import UserError
from ..records import digest
from .versions import MEASURES, Version, json_tag

# a loss of more than this has to be excluded where nothing is shown, as in the gate of 04
MARGIN = 0.05


def check_gate(version: Version) -> None:
    """Refuse a version whose gate or proof is not passed or not on record."""
    named = version.named
    if "gate.outcome" not in version.tags or "run" not in version.tags:
        raise UserError(
            f"{named} has no gate on record, as if it was registered by hand: evaluate its run in "
            f"stage 04 and register it from there."
        )
    if version.tags["gate.outcome"] != "passed":
        raise UserError(
            f"{named} cannot be promoted, its gate is {version.tags['gate.outcome']} "
            f"({version.tags.get('gate.verdict', '')}): mend the data and train again."
        )
    if json_tag(version, "proof").get("passed") is not True:
        raise UserError(
            f"{named} cannot be promoted, its weights are not proven equal to base and adapter: "
            f"merge again."
        )


def check_weights(version: Version) -> None:
    """Refuse a version whose merged folder is gone or not what was registered."""
    folder = Path(version.folder)
    named = f"the merged folder of {version.named} (run {version.tags.get('run')})"
    if not folder.is_dir():
        raise UserError(
            f"{named} is not there any more: bring it back, or merge and register again."
        )
    if digest(folder) != version.tags.get("hash.merged"):
        raise UserError(
            f"{named} is not what was registered: register what is there now, and use a run name "
            f"for each model to keep."
        )


def compared(champion: Version, wanted: Version) -> list[dict[str, Any]]:
    """The measures of both, paired; refused if the candidate is worse or may be by too much."""
    if champion.tags.get("hash.merged") == wanted.tags["hash.merged"]:
        return []
    old, new = _outcomes(champion), _outcomes(wanted)
    if lacking := [case for case in old if case not in new]:
        raise UserError(
            f"{wanted.named} has no answers to {len(lacking)} of the {len(old)} held-out cases of "
            f"the champion, version {champion.version}: evaluate both on the same cases and "
            f"register them again."
        )
    rows = []
    for i, measure in enumerate(MEASURES):
        rows.append({"metric": measure, **_pair([[old[c][i], new[c][i]] for c in sorted(old)])})
    if refused := [row for row in rows if not _enough(row)]:
        raise UserError(
            f"{wanted.named} cannot be promoted over the champion, "
            f"version {champion.version}: {'; '.join(map(figures, refused))}, expected not worse "
            f"and no loss of more than {MARGIN:g} within the interval: train again or, where "
            f"nothing is shown, evaluate both on more cases."
        )
    return rows


def _outcomes(version: Version) -> dict[str, list[int]]:
    found = json_tag(version, "cases")
    for scores in found.values():
        if not isinstance(scores, list) or [s in (0, 1) for s in scores] != [True] * len(MEASURES):
            raise UserError(
                f"the tag 'cases' of {version.named} is broken, "
                f"expected {len(MEASURES)} times 0 or 1 a case: register its merged folder again."
            )
    return found


def _pair(scores: list[list[int]]) -> dict[str, Any]:
    n = len(scores)
    old, new = ([score[side] for score in scores] for side in (0, 1))
    found = stats.compare((old, [1] * n), (new, [1] * n))
    return {
        "champion": sum(old) / n if n else None,
        "candidate": sum(new) / n if n else None,
        **{k: getattr(found, k) for k in ("difference", "low", "high", "n", "outcome")},
    }


def _enough(row: Mapping[str, Any]) -> bool:
    if row["outcome"] == "not shown":
        return row["low"] is not None and row["low"] > -MARGIN
    return row["outcome"] in ("better", "identical")


def figures(row: Mapping[str, Any]) -> str:
    """A row of `compared` in words."""
    said = f"{row['metric'].replace('_', ' ')} {row['outcome']}"
    if row["low"] is None:
        return f"{said} on {row['n']} cases"
    between = f"[{row['low']:+.2f}, {row['high']:+.2f}]"
    return f"{said}, {row['difference']:+.2f} {between} on {row['n']} cases"
