"""Keep or reject raw reports: rules that give their reason and quote what they saw."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from itertools import repeat
from typing import Any

import pandas as pd

from nbutils import claims
from nbutils.claims import masks
from nbutils.curation.structure import MAX_CHARS, Structured, structure
from nbutils.examples import DataFileError
from nbutils.gates.actions import NOTHING_FIXED, commitment, weakness
from nbutils.gates.duplicates import near_duplicates
from nbutils.gates.jargon import own_names, unknown_terms

REASONS = (
    "vague",
    "no_action",
    "undefined_jargon",
    "contradicts_data",
    "near_duplicate",
    "truncated",
    "off_topic",
    "too_short",
    "ungrounded",
)
MIN_WORDS = 40
PARALLEL, CHUNK = 2_000, 250

_LOGISTICS = re.compile(
    r"\b(?:announce|delighted|congratulations|joins us|will (?:lead|join)|welcome aboard|"
    r"maintenance|downtime|agenda|room|lunch|snacks?|dinner|workshop|invite to|calendar|join(?:s|"
    r"ing)? (?:from|remotely)|slides|"
    r"dashboard tile|tile|refresh(?:es)?|booked?|booking|train|hotel|vacation|party|team event|"
    r"seating|travel\w*|"
    r"stand-up|pre-read|read-out|columns? [A-Z]|tab|edit rights|read-only|viewers|re-link|"
    r"allerg\w+|"
    r"cake|birthday|parking|laptop|password|log-?in details|survey link|session|moves? (?:from|to) "
    r"(?:monday|tuesday|wednesday|thursday|friday)|location|catering|rsvp)\b",
    re.IGNORECASE,
)
_CLOSING = re.compile(
    r"(?:^|\n)\s*(?:cheers|thanks?(?: (?:all|everyone|a lot|again|in advance))?|thank you|"
    r"(?:best |kind |warm )?regards|"
    r"best(?: wishes)?|see you(?: there)?|yours(?: sincerely)?|greetings|sincerely|all the best|"
    r"many thanks|br|vg|"
    r"over and out)[,.!\s]*(?:\n?\s*[A-Z][\w.' -]{0,40})?\s*$",
    re.IGNORECASE,
)
_ENDED = re.compile(r"[.!?\u2026:)\]\"'\u00bb\u201d*_|]\s*\W{0,4}$")
_BROKEN = re.compile(
    r"#REF!|#N/A|#VALUE!|\[(?:truncated|cut|\.\.\.)\]|\[?(?:text|rest) missing\]?", re.IGNORECASE
)
_THAT_IS = re.compile(
    r"\b(?:that|this|which) (?:is|means|makes|was)(?: (?!not)\w+){0,4} ?$", re.IGNORECASE
)
_ON_BASE = re.compile(
    r"\bon (?:about |roughly |some |the )?~?(\d[\d,]*(?:\.\d+)?)(k)? [a-z][a-z -]{2,30}?,? "
    r"(?:that|this|it|which) (?:is|makes|means|gives|comes to|would be|"
    r"amounts to)(?: [a-z]+){0,3} ?~?$",
    re.IGNORECASE,
)
_MORE = re.compile(r"\b(?:more|higher|above|longer|up|rise|rose|gain|increase|better)\b")
_LESS = re.compile(r"\b(?:less|lower|below|shorter|down|fall|fell|drop|decline|loss|fewer)\b")
_PLAIN = re.compile(r"\d+(?:,\d{3})*(?:\.\d+)?")
# no sentence ends with these, nor in the middle of a number
_STOPS = re.compile(
    r"\b(?:the|a|an|of|to|and|or|with|for|than|in|on|at|by|from|is|are|if|its|their|our|"
    r"which|per|each|every|who|because|while|whether)$"
    r"|[,(]$|\b\d{1,3},\d{1,2}$|[$\u20ac\u00a3]$|\b(?:GBP|EUR|USD) ?$"
)
# a wrong change of the whole series is the report's claim; other numbers may be evidence of its own
_WHOLE = ("(first to last)", "(the two means named)", "(from and to)")


def screen(reports: pd.DataFrame, glossary: Mapping[str, Any] | None = None) -> pd.DataFrame:
    """Keep or reject raw reports, with reasons and the evidence for each.

    Parameters
    ----------
    reports : DataFrame
        Columns ``id`` and ``text``; in the order of writing, so that of two alike the first stays.
    glossary : mapping, optional
        Known terms by lower-cased name, as `facts.read_glossary` returns.

    Returns
    -------
    DataFrame
        One row a report: ``id``, ``keep`` (bool), ``reasons`` (list of str, from `REASONS`),
        ``evidence`` (list of str, one for each reason) and ``doubts`` (list of str: what nearly
        decided otherwise, for `look_next`).

    Raises
    ------
    DataFileError
        If a column is missing or there are no reports.

    Notes
    -----
    Reports are told apart by their row; an id that stands twice is named among the doubts, for
    decisions are kept by id (`read_reports` renames the later one).
    """
    _checked(reports)
    terms = {str(k).lower(): v for k, v in (glossary or {}).items()}
    ids = [str(i) for i in reports["id"]]
    texts = ["" if pd.isna(t) else str(t)[:MAX_CHARS] for t in reports["text"]]
    found = _judged(texts, terms)
    for later, _, evidence in near_duplicates(texts, [values for *_, values in found], names=ids):
        found[later][0].setdefault("near_duplicate", evidence)
    rows = [
        {
            "id": name,
            "keep": not checks,
            "reasons": list(checks),
            "evidence": list(checks.values()),
            "doubts": [*doubts, *([f"the id {name} stands twice: rename one"] if twice else [])],
        }
        for name, twice, (checks, doubts, _) in zip(
            reports["id"], reports["id"].duplicated(keep=False), found, strict=True
        )
    ]
    return pd.DataFrame(rows, columns=["id", "keep", "reasons", "evidence", "doubts"])


def _checked(reports: pd.DataFrame) -> None:
    for column in ("id", "text"):
        if column not in reports:
            raise DataFileError(
                f"the reports have no column '{column}' (found: "
                f"{', '.join(map(str, reports.columns))}); "
                f"expected id and text: rename or add it."
            )
    if reports.empty:
        raise DataFileError("there are no reports to screen: check the file or folder.")


Found = tuple[dict[str, str], list[str], list[float] | None]


def _judged(texts: list[str], terms: Mapping[str, Any]) -> list[Found]:
    """Reasons, doubts and series of every text; many texts are shared out among the processors."""
    different = list(dict.fromkeys(texts))
    if len(different) < PARALLEL:
        found = _some(different, terms)
    else:
        parts = [different[i : i + CHUNK] for i in range(0, len(different), CHUNK)]
        with ProcessPoolExecutor() as pool:
            found = [one for part in pool.map(_some, parts, repeat(terms)) for one in part]
    of = dict(zip(different, found, strict=True))
    return [(dict(of[t][0]), list(of[t][1]), of[t][2]) for t in texts]


def _some(texts: list[str], terms: Mapping[str, Any]) -> list[Found]:
    return [_one(text, terms) for text in texts]


def _one(text: str, terms: Mapping[str, Any]) -> Found:
    parts = structure(text, terms)
    return *judge(text, parts, terms), _known(parts)


def _known(parts: Structured) -> list[float] | None:
    known = [v for v in parts.values if v is not None]
    return known if len(known) == len(parts.values) and known else None


def judge(
    text: str, parts: Structured, glossary: Mapping[str, Any]
) -> tuple[dict[str, str], list[str]]:
    """Reason to evidence for one report by itself, and what nearly decided otherwise.

    What makes every other reason meaningless comes first and stands alone.
    """
    words = len(text.split())
    if words < MIN_WORDS:
        return {"too_short": f"{words} words, expected {MIN_WORDS} or more"}, []
    if cut := _cut_off(text, parts):
        return {"truncated": cut}, []
    sizes = _sizes(parts)
    if aside := _off_topic(text, parts, len(sizes)):
        return {"off_topic": aside}, []
    if parts.problem:
        return {"ungrounded": parts.problem}, []
    if not parts.printed:
        told = _quote(parts.analysis or text)
        if len(sizes) < 3:
            return {"vague": f"no series and {len(sizes)} magnitudes: {told}"}, []
        return {"ungrounded": f"no series stands behind its numbers: {told}"}, []
    found: dict[str, str] = {}
    doubts: list[str] = []
    if len(sizes) < 2 and not any(re.search(r"\d", size) for size in sizes):
        found["vague"] = f"no magnitude in the analysis: {_quote(parts.analysis)}"
    elif len(sizes) < 3:
        doubts.append(f"few magnitudes in the analysis: {', '.join(sizes)}")
    _action(parts, found, doubts)
    prose = "\n".join([parts.changes, parts.analysis, parts.action])
    exempt = own_names(parts.metric, parts.definition, parts.context)
    if terms := unknown_terms(text, prose, glossary, exempt):
        found["undefined_jargon"] = f"not in the glossary, not explained: {', '.join(terms)}"
    elif once := unknown_terms(text, prose, glossary, exempt, least=1):
        doubts.append(f"named once and not explained: {', '.join(once)}")
    wrong, unsure = contradictions(parts)
    if wrong:
        found["contradicts_data"] = wrong[0]
    doubts += [f"not as the series has it, unless of another group: {u}" for u in unsure[:1]]
    return found, doubts + [
        f"no {name} could be read" for name in parts.missing if name != "action"
    ]


def _sizes(parts: Structured) -> list[str]:
    """The magnitudes that an analysis states; durations and words such as "one" are none."""
    spans = masks.scan(f"{parts.analysis}\n{parts.reason}").spans
    left_out = _SPANS_OF_TIME - (
        {parts.unit.rstrip("s")} if parts.unit in ("days", "hours") else set()
    )
    return [s.text for s in spans if s.unit not in left_out and not (s.spelled and not s.unit)]


_SPANS_OF_TIME = frozenset(["minute", "hour", "day", "week", "month", "quarter", "year", "second"])


def _cut_off(text: str, parts: Structured) -> str:
    """Where a text breaks off, or what of its series did not survive the copying."""
    broken = _BROKEN.findall(text)
    missing = sum(v is None for v in parts.values)
    if len(broken) > 1 or (parts.values and missing > len(parts.values) / 3):
        count = max(len(broken), missing)
        return f"{count} values or passages are missing: {_quote((broken or ['null'])[0])}"
    end = _unsigned(text.rstrip())
    if _STOPS.search(end):
        return f"ends in mid-sentence: \u2026{end[-60:]}"
    if _ENDED.search(end) or parts.urgency:
        return ""
    last = end.splitlines()[-1]
    if re.match(r"\s*(?:[-*\u2022]|\d[.)])? ?urgency", last, re.IGNORECASE):
        return ""
    # a chat post or a bullet may do without a full stop, a sentence that stops at "the" may not
    if re.search(r"\b(?:that|as)$|[|-]$", end) or parts.style not in ("chat", "notes"):
        return f"ends in mid-sentence: \u2026{end[-60:]}"
    return ""


def _unsigned(text: str) -> str:
    """A text without the greeting and the name at its end."""
    end = _CLOSING.sub("", text).rstrip()
    body, _, last = end.rpartition("\n")
    signed = body.strip() and len(last.split()) < 5 and not re.search(r"\d|:", last)
    return body.rstrip() if signed and _ENDED.search(body.rstrip()) else end


def _off_topic(text: str, parts: Structured, sizes: int) -> str:
    """Why a text is no analysis of a metric: arrangements and housekeeping, no finding."""
    arranged = sorted({m[0].lower() for m in _LOGISTICS.finditer(text)})
    limit = 4 if parts.printed else 2
    if not parts.printed and len(arranged) == 1 and len(_MOVED.findall(text)) < 3:
        return f"no series and no finding ({arranged[0]}): {_quote(text)}"
    if len(arranged) >= limit and (not parts.printed or (sizes < 6 and not _moves(parts.analysis))):
        return f"arrangements and no finding ({', '.join(arranged[:4])}): {_quote(text)}"
    return ""


_MOVED = re.compile(
    r"\b(?:rose|fell|risen|fallen|up|down|drop\w*|climb\w*|declin\w*|increas\w*|decreas\w*|"
    r"average[sd]?|mean|lower|"
    r"higher|points?|pts|step|trend|flat|steady|noise|spike\w*|peak\w*)\b",
    re.IGNORECASE,
)


def _moves(analysis: str) -> bool:
    """Whether an analysis speaks of how the metric moved."""
    return len(_MOVED.findall(analysis)) >= 2


def _action(parts: Structured, found: dict[str, str], doubts: list[str]) -> None:
    """An action says what is to be done, by a date, a size or a test; watching is none."""
    action = parts.action
    if len(action.split()) < 3:
        found["no_action"] = "no action found"
        return
    weak, commits = weakness(action), commitment(action)
    if not weak:
        return
    if weak != NOTHING_FIXED:
        found["no_action"] = f"{weak}: {_quote(action)}"
    elif "vague" not in found or not commits:
        reason = "no_action" if "vague" not in found else "vague"
        found.setdefault(reason, f"{weak}: {_quote(action)}")
    if commits and "no_action" in found:
        doubts.append(f"'{commits}' in the action: {_quote(action)}")


def contradictions(parts: Structured) -> tuple[list[str], list[str]]:
    """What a report says of its own series that the series refutes, with the derivation.

    Numbers count where they are bound to the series as a whole, or where both values that they
    follow from are printed beside them: a report may hold evidence of other groups that its series
    cannot refute. Statements without a number are read by `claims.misread`.

    Returns
    -------
    tuple
        What is refuted, and numbers that differ from the series but may be of another group.
    """
    if not parts.printed:
        return [], []
    output = f"Analysis: {parts.analysis}\nUrgency: {parts.urgency} \u2014 {parts.reason}"
    wrong, unsure = list[str](), list[str]()
    found = claims.verify(parts.case_text, output).claims
    for claim in found:
        other = _of_the_levels_told(claim, found, output) or _of_the_base(claim, found, output)
        if other:
            wrong.append(other)
        elif claim.verdict in ("contradicted", "unit_confusion"):
            bound = claim.derivation.endswith(_WHOLE) or _operands_named(claim, output, parts)
            bound = bound or _both_sizes(claim, found, output)
            bound = bound or _misplaced(claim, found, output, parts)
            if (
                claim.derivation.startswith("the other way")
                and "first to last" not in claim.derivation
            ):
                bound = False
            spelled = claim.kind == "point change" and not _PLAIN.search(claim.text)
            bound = bound and not spelled and not _nearly(claim)
            (wrong if bound else unsure).append(f"'{claim.text}': {claim.derivation}")
    told = claims.misread(parts.case_text, output)
    return wrong + [f"'{_short(t.text)}': {t.derivation}" for t in told], unsure


def _misplaced(
    claim: claims.Claim, found: Sequence[claims.Claim], output: str, parts: Structured
) -> bool:
    """Whether two values of the series are told of periods that have others.

    One may be another group's that happens to be the same.
    """
    begin, end = _sentence_around(output, claim.start)
    moved = {
        c.text for c in found if begin <= c.start < end and _of_another_period(c, parts.values)
    }
    return len(moved) > 1 and claim.text in moved


def _of_another_period(claim: claims.Claim, values: Sequence[float | None]) -> bool:
    printed = _PLAIN.search(claim.text)
    told = claim.verdict == "contradicted" and claim.derivation.startswith("period ")
    if printed is None or not told or claim.kind != "level":
        return False
    value = float(printed[0].replace(",", ""))
    return any(v is not None and abs(v - x) < 1e-9 for v in values for x in (value, value / 100))


def _both_sizes(claim: claims.Claim, found: Sequence[claims.Claim], output: str) -> bool:
    """Whether the points and the percent of one change are both wrong: it is the change itself."""
    begin, end = _sentence_around(output, claim.start)
    wrong = {c.kind for c in found if begin <= c.start < end and c.verdict == "contradicted"}
    return {"point change", "relative change"} <= wrong


def _sentence_around(output: str, at: int) -> tuple[int, int]:
    begin = max(0, output.rfind(". ", 0, at), output.rfind("\n", 0, at))
    stop = re.compile(r"\.\s|\n").search(output, at)
    return begin, stop.start() if stop else len(output)


def _nearly(claim: claims.Claim) -> bool:
    """Whether a number is off by less than a tenth, as by rounding what was rounded before."""
    said, found = _PLAIN.search(claim.text), re.search(r"= ([-+]?[\d.,]+)", claim.derivation)
    if said is None or found is None or claim.derivation.startswith("the other way"):
        return False
    a, b = (abs(float(n.replace(",", "").rstrip("."))) for n in (said[0], found[1]))
    return abs(a - b) <= 0.1 * b


def _of_the_levels_told(claim: claims.Claim, found: Sequence[claims.Claim], output: str) -> str:
    """Why "that is a fall of 21%" does not fit the levels told right before it; empty if it may."""
    if claim.verdict != "unsupported" or claim.kind != "relative change":
        return ""
    if not _THAT_IS.search(output[max(0, claim.start - 60) : claim.start]):
        return ""
    near = [c for c in found if c.kind == "level" and claim.start - 200 < c.start < claim.start]
    values = [
        float(c.derivation.split(": ")[-1].replace(",", ""))
        for c in near
        if ": " in c.derivation and c.derivation.startswith("period")
    ]
    changes = [abs(b - a) / abs(a) * 100 for a in values for b in values if a and a != b]
    printed = _PLAIN.search(claim.text)
    if not changes or printed is None:
        return ""
    said = float(printed[0].replace(",", ""))
    if min(abs(said - change) for change in changes) < max(1.0, 0.05 * said):
        return ""
    return f"'{claim.text}': {values[0]:g} and {values[-1]:g} differ by {changes[-1]:.1f}%"


def _of_the_base(claim: claims.Claim, found: Sequence[claims.Claim], output: str) -> str:
    """Why "on 5,500 goals that makes 1,100" fits none of the changes told before it."""
    base = _ON_BASE.search(output[max(0, claim.start - 90) : claim.start])
    said = _PLAIN.search(claim.text)
    if claim.verdict != "unsupported" or claim.kind != "count" or not base or not said:
        return ""
    size = float(base[1].replace(",", "")) * (1e3 if base[2] else 1)
    told = [
        c for c in found if c.verdict == "supported" and claim.start - 260 < c.start < claim.start
    ]
    moves = [c for c in told if c.kind == "point change" and ("point" in c.text or "pt" in c.text)]
    sizes = [_first_number(c.text) for c in moves]
    if not sizes or any(x is None for x in sizes):
        return ""
    wanted = [size * x / 100 for x in sizes if x]
    number = float(said[0].replace(",", ""))
    if any(abs(number - w) <= 0.15 * w for w in wanted):
        return ""
    return f"'{claim.text}': {moves[-1].text} of {size:,.0f} are {wanted[-1]:,.0f}"


def _first_number(text: str) -> float | None:
    """The first number of a claim, spelled or in digits."""
    match = _PLAIN.search(text)
    word = masks.whole_number(re.split(r"[\s-]", text.lower())[0]) if not match else 0
    return float(match[0].replace(",", "")) if match else float(word) or None


def _operands_named(claim: claims.Claim, output: str, parts: Structured) -> bool:
    """Whether both values of a relative change or ratio are the series' and printed beside it."""
    if claim.kind not in ("relative change", "ratio"):
        return False
    begin, _ = _sentence_around(output, claim.start)
    near = output[max(begin, claim.start - 160) : claim.end + 80]
    printed = {float(n.replace(",", "")) for n in _PLAIN.findall(near)}
    printed |= {n / 100 for n in printed}
    derived = claim.derivation.split("expected: ")[-1].split(" = ")[0].split(" is ")[0]
    operands = {float(n.replace(",", "")) for n in _PLAIN.findall(derived)}
    known = [v for v in parts.values if v is not None]
    if any(not 0.9 * min(known) <= o <= 1.1 * max(known) for o in operands):
        return False
    said = _PLAIN.search(claim.text)
    around = output[max(0, claim.start - 40) : claim.end + 20].lower()
    if said and len(operands) == 2 and _MORE.search(around) and not _LESS.search(around):
        # "69% more" counts from the smaller one, whichever is told first
        small, large = sorted(operands)
        if small and abs((large - small) / small * 100 - float(said[0].replace(",", ""))) <= 0.6:
            return False
    return len(operands) > 1 and all(any(abs(o - p) < 1e-9 for p in printed) for o in operands)


def _short(text: str, size: int = 90) -> str:
    flat = " ".join(text.split())
    return f"{flat[:size]}\u2026" if len(flat) > size else flat


def _quote(text: str) -> str:
    return f"'{_short(text)}'"


def by_reason(screened: pd.DataFrame, *, examples: int = 1) -> pd.DataFrame:
    """Rejected reports by reason, with the evidence of some of them.

    Returns
    -------
    DataFrame
        ``reason``, ``reports`` (how many have it), ``id`` and ``evidence`` of the first
        ``examples`` ones: one row each, the commonest reason first.
    """
    pairs = [
        {"reason": reason, "id": row["id"], "evidence": evidence}
        for row in screened.to_dict("records")
        for reason, evidence in zip(row["reasons"], row["evidence"], strict=True)
    ]
    frame = pd.DataFrame(pairs, columns=["reason", "id", "evidence"])
    counts = frame["reason"].value_counts()
    frame.insert(1, "reports", frame["reason"].map(counts))
    shown = frame.groupby("reason", sort=False).head(examples)
    by = ["reports", "reason"]
    return shown.sort_values(by, ascending=[False, True], kind="stable", ignore_index=True)
