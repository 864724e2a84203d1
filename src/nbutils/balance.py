"""What the examples are about, what there is too much of, and what is not there at all."""

from __future__ import annotations

import itertools
import re
from collections import Counter
from collections.abc import Mapping, Sequence

import pandas as pd

from nbutils import facts, stats
from nbutils.examples import CaseError, DataFileError, Example, parse_answer, parse_case

DIMENSIONS = ("family", "pattern", "urgency", "segment", "market", "direction")
COLUMNS = ("id", "metric", *DIMENSIONS)
UNKNOWN = "unknown"
# a share whose whole interval lies this many times above or below an even one is out of balance
FACTOR = 1.5
# nobody can be asked for these: no pattern can be seen in them, or no name is known for them
NOT_ASKED_FOR = frozenset({"short", "other", UNKNOWN})

# in a name the first family in this order counts: "MRR churn" is about keeping customers
FAMILIES = {
    "cost": r"cac|costs?|cpl|cpa|payback|spend",
    "retention": r"churn\w*|retention|cancel\w*|save|win-?back|reactivat\w+|lapsed|renewals?|"
    r"payment|dunning|recovery",
    "satisfaction": r"nps|csat|satisf\w+|ratings?|stars|promoters|rated|complaints?",
    "conversion": r"conversion|cvr|\w+-to-\w+|checkout|upgrades?|win|deposits?|closed",
    "revenue": r"mrr|arr|nrr|grr|arpu|ltv|revenue|discounts?|plan|price|prices|margin",
    "operations": r"support|tickets?|contact|handoff|cycle|reply|response|resolution|backlog",
    "engagement": r"dau|wau|mau|active|activity|adoption|sessions?|utili[sz]ation|seats?|"
    r"stickiness|opt-in|ctr|clicks?|open|unsubscribe|usage|log-ins?|health",
    "activation": r"activat\w+|onboarding|set-?up|ramp|value|complet\w+",
    "acquisition": r"sign-?ups?|leads?|mqls?|sqls?|pqls?|starts|referr\w+|invit\w+|visitors|"
    r"installs|downloads",
}

_BRACKETED = re.compile(r"\s*\([^()]*\)")
_CLAUSE_END = re.compile(r";|\.\s")
_LABELLED = re.compile(r"(.+?)\s(segment|market)", re.IGNORECASE)
# a flat series whose range stays below these is level, not noisy
_LEVEL_SHARE, _LEVEL_UNITS = 0.03, 2
# cycles that facts cannot see where the series is barely longer than one: the same month or
# quarter a year later, the same weekday a week later
_CYCLES = {"month": 12, "quarter": 4, "day": 7}
# the range of 14 normal values exceeds 4.7 standard deviations once in twenty; the noise of a
# difference is 2.8 of them
_RANGE = 1.7


def describe(
    examples: Sequence[Example], *, families: Mapping[str, str] = FAMILIES
) -> pd.DataFrame:
    """Say of each example what it is about, from its case and its answer alone.

    Parameters
    ----------
    examples : sequence of Example
    families : mapping, optional
        Family of metrics to a regular expression of its words. A family whose word stands in the
        metric's name counts, in this order; else the one whose word is first in the definition.

    Returns
    -------
    DataFrame
        One row an example: ``id``; ``metric``, its name in lower case; ``family`` (of
        ``families``, else ``other``); ``pattern``: ``step``, ``drift``, ``spike`` (left its level
        and came back), ``seasonal``, ``noise`` (moves, but not beyond chance), ``level`` or
        ``short`` (fewer than four values); ``urgency`` of the answer; ``segment`` and ``market``
        from the Context line; ``direction`` (``up``, ``down``, ``flat``, or ``mixed`` if it came
        back). What cannot be read is ``unknown``.

    Raises
    ------
    DataFileError
        If there are no examples, or a case cannot be read.
    """
    if not examples:
        raise DataFileError("there are no examples to describe: check what was curated.")
    known = [_facts(e) for e in examples]
    places = _places([f.case.context for f in known])
    rows = [
        _row(example, found, families) | place
        for example, found, place in zip(examples, known, places, strict=True)
    ]
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _facts(example: Example) -> facts.Facts:
    try:
        return facts.compute(parse_case(example.input))
    except CaseError as error:
        raise DataFileError(
            f"example {example.id}: its case cannot be read ({error}); expected a case that "
            f"passed the gate: curate the examples first."
        ) from None


def _row(example: Example, found: facts.Facts, families: Mapping[str, str]) -> dict[str, str]:
    shape = pattern(found)
    still = shape in ("noise", "level", "seasonal")
    return {
        "id": example.id,
        "metric": found.case.metric.lower(),
        "family": _family(found.case.metric, found.case.definition, families),
        "pattern": shape,
        "urgency": parse_answer(example.output).urgency or UNKNOWN,
        "direction": "flat" if still else found.direction,
    }


def _family(name: str, definition: str, families: Mapping[str, str]) -> str:
    """By the name's words in the families' order; else by the definition's first word."""
    words = {k: re.compile(rf"(?<!\w)(?:{w})(?!\w)", re.I) for k, w in families.items()}
    for family, word in words.items():
        if word.search(name):
            return family
    hits = [(m.start(), family) for family, w in words.items() if (m := w.search(definition))]
    return min(hits, default=(0, "other"))[1]


# --------------------------------------------------------------------------- pattern


def pattern(found: facts.Facts) -> str:
    """The pattern of a series in one word, as `describe` names it."""
    if len(found.steps) < 3:
        return "short"
    if _is_level(found):
        return "level"
    if _is_seasonal(found):
        return "seasonal"
    if not found.beyond_noise:
        return "noise"
    return {"step": "step", "bump": "spike"}.get(found.shape.kind, "drift")


def _is_level(found: facts.Facts) -> bool:
    span = found.high.value - found.low.value
    unit = 10.0**-found.case.decimals
    small = max(_LEVEL_UNITS * unit * 1.001, _LEVEL_SHARE * abs(found.mean))
    return found.shape.kind == "flat" and span <= small


def _is_seasonal(found: facts.Facts) -> bool:
    """A cycle that repeats and is larger than rounding and sampling would make it."""
    values = [v for v in found.case.values if v is not None]
    line = [found.mean + found.slope * (i - (len(values) - 1) / 2) for i in range(len(values))]
    rest = [v - fit for v, fit in zip(values, line, strict=True)]
    smallest = max(3 * 10.0**-found.case.decimals, _RANGE * (found.noise or 0.0))
    if max(rest) - min(rest) < smallest:
        return False
    # strong evidence for another shape (Kass and Raftery 1995) beats a cycle in what it leaves
    cycle = found.season is not None and found.shape.evidence <= 6
    return cycle or _comes_back(found)


def _comes_back(found: facts.Facts) -> bool:
    """Whether the value farthest from the middle returns with its neighbours one cycle later."""
    values, lag = found.case.values, _CYCLES.get(found.case.period, 0)
    pairs = [] if not lag else list(zip(values[:-lag], values[lag:], strict=True))
    both = [(a, b) for a, b in pairs if a is not None and b is not None]
    if not both:
        return False
    known = sorted(v for v in values if v is not None)
    middle = known[len(known) // 2]
    farthest = max(known, key=lambda v: abs(v - middle))
    apart = sum(abs(b - a) for a, b in both) / len(both)
    return any(farthest in pair for pair in both) and apart < 0.2 * (known[-1] - known[0])


# --------------------------------------------------------------------------- segment and market


def _places(contexts: Sequence[str]) -> list[dict[str, str]]:
    """Segment and market of every context line.

    Lines that say "SMB segment, UK market" teach the names; other lines are searched for them. A
    line without any of them is read by position if it has three parts ("Pocket, consumer, DACH").
    """
    parts = [_parts(c) for c in contexts]
    said = [{m[2].lower(): m[1] for p in line if (m := _LABELLED.fullmatch(p))} for line in parts]
    names = {
        kind: sorted({s[kind] for s in said if kind in s}, key=lambda n: (-len(n), n))
        for kind in ("segment", "market")
    }
    return [
        {kind: s.get(kind) or _named(line, names[kind], kind) for kind in names}
        for s, line in zip(said, parts, strict=True)
    ]


def _parts(context: str) -> list[str]:
    clause = _CLAUSE_END.split(_BRACKETED.sub("", context))[0]
    return [part.strip() for part in clause.split(",") if part.strip()]


def _named(parts: Sequence[str], names: Sequence[str], kind: str) -> str:
    # the market stands last; "US" must not be found in "us"
    for part in reversed(parts) if kind == "market" else parts:
        for name in names:
            flags = re.NOFLAG if name.isupper() else re.IGNORECASE
            if re.search(rf"(?<![\w-]){re.escape(name)}(?![\w-])", part, flags):
                return name
    if len(parts) < 3:
        return UNKNOWN
    return parts[-1] if kind == "market" else parts[-2]


# --------------------------------------------------------------------------- balance


def balance(described: pd.DataFrame, *, by: Sequence[str] = DIMENSIONS) -> pd.DataFrame:
    """Count every value of every dimension and hold it against an even share.

    Parameters
    ----------
    described : DataFrame
        As `describe` returns.
    by : sequence of str
        Columns to count.

    Returns
    -------
    DataFrame
        One row a value: ``dimension``, ``value``, ``examples`` (number), ``share`` (0 to 1) with
        its Wilson interval ``low`` and ``high``, ``even`` (the share if all values seen were
        equally frequent) and ``standing``: ``over`` if the whole interval lies above one and a
        half times the even share, ``under`` if it lies below two thirds of it, else empty.
        ``unknown``, ``other`` and ``short`` are counted, without even share and standing.

    Raises
    ------
    DataFileError
        If a column is missing or there are no rows.
    """
    _need(described, ["id", *by])
    rows = [row for dimension in by for row in _shares(described[dimension])]
    columns = ["dimension", "value", "examples", "share", "low", "high", "even", "standing"]
    return pd.DataFrame(rows, columns=columns)


def _shares(values: pd.Series) -> list[dict[str, object]]:
    counts = values.value_counts().to_dict()
    even = 1 / max(len(counts.keys() - NOT_ASKED_FOR), 1)
    rows: list[dict[str, object]] = []
    for value, count in sorted(counts.items(), key=lambda item: (-item[1], str(item[0]))):
        share = stats.wilson(int(count), len(values))
        row = {"dimension": values.name, "value": value, "examples": int(count)}
        row |= {"share": share.value, "low": share.low, "high": share.high}
        known = value not in NOT_ASKED_FOR
        row["even"] = even if known else None
        row["standing"] = _standing(share, even) if known else ""
        rows.append(row)
    return rows


def _standing(share: stats.Estimate, even: float) -> str:
    if (share.low or 0.0) > FACTOR * even:
        return "over"
    return "under" if (share.high or 0.0) < even / FACTOR else ""


def wanted(described: pd.DataFrame, n: int) -> pd.DataFrame:
    """What the augmentation should ask for: the emptiest combinations of family and pattern.

    Parameters
    ----------
    described : DataFrame
        As `describe` returns.
    n : int
        How many combinations to name at most.

    Returns
    -------
    DataFrame
        ``family``, ``pattern``, ``have`` (examples) and ``reason`` (a sentence). Combinations of
        values that were seen, holes first; of equally empty ones first that whose family and
        pattern are both frequent, where the hole surprises most. Only combinations below an even
        share are named, so there may be fewer than ``n``.

    Raises
    ------
    DataFileError
        If a column is missing or there are no rows.
    """
    _need(described, ["family", "pattern"])
    counts = Counter(
        pair
        for pair in zip(described["family"], described["pattern"], strict=True)
        if not NOT_ASKED_FOR.intersection(pair)
    )
    by_family = Counter(family for family, _ in counts.elements())
    by_pattern = Counter(shape for _, shape in counts.elements())
    total, cells = counts.total(), len(by_family) * len(by_pattern)
    found = [
        (counts[family, shape], by_family[family] * by_pattern[shape] / total, family, shape)
        for family, shape in itertools.product(by_family, by_pattern)
        if counts[family, shape] < total / cells
    ]
    found.sort(key=lambda cell: (cell[0], -cell[1], *cell[2:]))
    rows = [
        (family, shape, have, _why(have, expected, total / cells))
        for have, expected, family, shape in found[:n]
    ]
    return pd.DataFrame(rows, columns=["family", "pattern", "have", "reason"])


def _why(have: int, expected: float, even: float) -> str:
    if not have:
        return f"No example; by how often each is seen, {expected:.1f} would be expected."
    noun = "example" if have == 1 else "examples"
    return f"{have} {noun}; an even share would be {even:.1f}."


def _need(described: pd.DataFrame, columns: Sequence[str]) -> None:
    for column in columns:
        if column not in described:
            raise DataFileError(
                f"the description has no column '{column}' (found: "
                f"{', '.join(map(str, described.columns))}); expected what describe() returns: "
                f"describe the examples first."
            )
    if described.empty:
        raise DataFileError("the description has no rows; expected one an example: check the file.")
