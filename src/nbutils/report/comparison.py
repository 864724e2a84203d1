"""The front page's table of results and its dot-and-interval figure, as plain records."""

from __future__ import annotations

from typing import Any

from .tables import NOTHING, interval, missing

Record = dict[str, Any]


def result_rows(scores: Record, gate: Record) -> list[Record]:
    """Measures grouped by layer, the candidate against its stronger baseline.

    Returns
    -------
    list of dict
        ``layer`` and ``rows``; a row has ``label``, ``baseline``, ``baseline_name``,
        ``candidate``, ``difference``, ``outcome``, ``n``, ``gate``, ``passed``, ``reason``.
    """
    systems = {s["name"]: s for s in scores.get("systems") or [] if "name" in s}
    candidate = next((n for n, s in systems.items() if s.get("role") == "candidate"), None)
    cells = {(m.get("metric"), m.get("system")): m for m in scores.get("metrics") or []}
    checks = _checks(gate)
    layers: dict[str, list[Record]] = {}
    for metric in dict.fromkeys(name for name, _ in cells):
        of_metric = {system: m for (name, system), m in cells.items() if name == metric}
        mine = of_metric.get(candidate)
        known = mine or next(iter(of_metric.values()))
        pairs = _comparisons(scores, metric, candidate)
        other = _stronger(of_metric, systems, pairs, known.get("better"))
        pair = pairs.get(other, {})
        layers.setdefault(str(known.get("layer") or ""), []).append(
            {
                **_labels(known),
                **_values(of_metric.get(other), mine),
                "baseline_name": str((systems.get(other) or {}).get("label") or other or ""),
                "difference": _difference(pair, _is_share(known)),
                "outcome": str(pair.get("outcome") or ""),
                "n": _count(pair.get("n", known.get("n"))),
                **checks.pop(str(metric), {"gate": "", "passed": None, "reason": ""}),
            }
        )
    groups = [{"layer": layer, "rows": rows} for layer, rows in layers.items()]
    rest = [{**_without_values(), "label": name, **check} for name, check in checks.items()]
    return groups + ([{"layer": "Gate only", "rows": rest}] if rest else [])


def _labels(measure: Record) -> Record:
    arrow = {"up": "↑", "down": "↓"}.get(str(measure.get("better")), "")
    label = measure.get("label") or measure.get("metric") or ""
    unit = "" if _is_share(measure) else str(measure.get("unit") or "")
    return {"label": str(label), "arrow": arrow, "unit": unit}


def _values(other: Record | None, mine: Record | None) -> Record:
    return {"baseline": _value(other), "candidate": _value(mine)}


def _without_values() -> Record:
    blank = dict.fromkeys(["arrow", "unit", "baseline_name", "outcome"], "")
    return {**blank, **dict.fromkeys(["baseline", "candidate", "difference", "n"], NOTHING)}


def _checks(gate: Record) -> dict[str, Record]:
    """Requirement, outcome and reason by metric; several checks of one metric are joined."""
    found: dict[str, Record] = {}
    for check in gate.get("checks") or []:
        entry = found.setdefault(
            str(check.get("metric")), {"gate": "", "passed": True, "reason": ""}
        )
        for ours, theirs in (("gate", "requirement"), ("reason", "reason")):
            if text := str(check.get(theirs) or ""):
                entry[ours] = f"{entry[ours]}; {text}" if entry[ours] else text
        entry["passed"] = _worse(entry["passed"], check.get("passed"))
    return found


def _worse(one: Any, other: Any) -> bool | None:
    """Of two outcomes the worse: not passed, then not shown (None), then passed."""
    if False in (one, other):
        return False
    return None if None in (one, other) else True


def _stronger(
    of_metric: dict[Any, Record], systems: dict[str, Record], pairs: Record, better: Any
) -> Any:
    """The baseline that is harder to beat, of those that the candidate was compared with."""
    known = {
        name: m["value"]
        for name, m in of_metric.items()
        if (systems.get(name) or {}).get("role") == "baseline" and not missing(m.get("value"))
    }
    known = {name: value for name, value in known.items() if name in pairs} or known
    if not known:
        return None
    return (min if better == "down" else max)(known, key=lambda name: known[name])


def _comparisons(scores: Record, metric: Any, candidate: Any) -> Record:
    """The candidate's comparisons on a measure, by baseline."""
    return {
        pair.get("baseline"): pair
        for pair in scores.get("comparisons") or []
        if (pair.get("metric"), pair.get("candidate")) == (metric, candidate)
    }


def _is_share(measure: Record) -> bool:
    return measure.get("unit") == "share"


def _value(measure: Record | None) -> str:
    """The value alone, with the digits that its interval allows."""
    if measure is None or missing(measure.get("value")):
        return NOTHING
    ends = (measure.get("low"), measure.get("high"))
    text = interval(measure["value"], *ends, scale=100 if _is_share(measure) else 1)
    return text.partition(" [")[0] + ("%" if _is_share(measure) else "")


def _difference(pair: Record, share: bool) -> str:
    low, high = pair.get("low"), pair.get("high")
    return interval(pair.get("difference"), low, high, scale=100 if share else 1, sign=True)


def _count(n: Any) -> str:
    return NOTHING if missing(n) else f"{n:,}"


# --------------------------------------------------------------------------- the figure


def dot_rows(scores: Record) -> Record | None:
    """What the figure shows: shares only, because they alone have one axis.

    Returns
    -------
    dict or None
        ``alt`` and ``groups``; a group has ``label`` and ``dots``; a dot has ``system``, ``role``,
        ``value``, ``low``, ``high`` (0 to 100 or None) and ``text``. None without shares.
    """
    systems = {s.get("name"): s for s in scores.get("systems") or []}
    groups: dict[str, list[Record]] = {}
    for measure in scores.get("metrics") or []:
        if not _is_share(measure):
            continue
        system = systems.get(measure.get("system"), {})
        label = str(measure.get("label") or measure.get("metric"))
        if measure.get("better") == "down":
            label += " (lower is better)"
        groups.setdefault(label, []).append(_dot(measure, system))
    if not groups:
        return None
    said = (
        f"{label}: " + ", ".join(f"{d['system']} {d['text']}" for d in dots)
        for label, dots in groups.items()
    )
    alt = "Dots with 95% intervals for every system, in percent. " + "; ".join(said) + "."
    return {"alt": alt, "groups": [{"label": k, "dots": v} for k, v in groups.items()]}


def _dot(measure: Record, system: Record) -> Record:
    value, low, high = (_percent(measure.get(k)) for k in ("value", "low", "high"))
    share, ends = measure.get("value"), (measure.get("low"), measure.get("high"))
    text = interval(share, *ends, scale=100)
    return {
        "system": str(system.get("label") or measure.get("system")),
        "role": "candidate" if system.get("role") == "candidate" else "baseline",
        "value": value,
        "low": low,
        "high": high,
        "text": text if value is not None else f"{NOTHING} (n = {_count(measure.get('n'))})",
    }


def _percent(value: Any) -> float | None:
    return None if missing(value) else round(min(max(100 * value, 0.0), 100.0), 4)
