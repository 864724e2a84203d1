"""The passages of a report: labelled lines, the opening, the analysis, the action, the urgency."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from nbutils.curation.series import runs

_LABEL = re.compile(
    r"^[ \t*#-]*(?P<name>metric|context|ctx|data|cohort size|cohort|volume|sample|base|mau|wau|"
    r"opening mrr|accounts|recent changes|changes|"
    r"notes)\b(?P<more>[^:\n]{0,40}):[ \t*]*(?P<text>.*)$",
    re.IGNORECASE | re.MULTILINE,
)
_ANALYSIS = re.compile(r"^[ \t*#]*(?:\d[.)] )?analysis\b[ \t*]*[:.][ \t*]*", re.I | re.M)
_URGENCY = re.compile(
    r"^[ \t*#•-]*(?:(?:level of )?urgency\b|(?P<before>high|medium|low) urgency\b)"
    r"|(?<=[.!?] )(?:urgency\b|(?:high|medium|low) urgency\b)",
    re.IGNORECASE | re.MULTILINE,
)
_ANY_URGENCY = re.compile(r"\burgency\b", re.IGNORECASE)
_LEVEL = re.compile(r"\b(high|medium|low|normal)\b", re.IGNORECASE)
_ACTION = re.compile(
    r"^[ \t*#•-]*(?:\d[.)] )?(?:recommended actions?|recommendations?|actions?|proposals?|proposed|"
    r"what i(?:'d| would| suggest)(?: do| propose)?|what to do|next steps?|next\b[^:.\n]{0,30}|"
    r"to do|"
    r"todo|do|asks?|plan|suggestions?)[ \t*]*[:.,][ \t*]*",
    re.IGNORECASE | re.MULTILINE,
)
_INLINE_ACTION = re.compile(
    r"(?<=[.!?)] )(?:action|proposal|recommendation|what i'?d? (?:suggest|do|would do)|next steps?|"
    r"i (?:suggest|propose|recommend|would suggest|would like to|would propose)|i'd (?:like|"
    r"suggest|propose|put|have|ask)|my (?:suggestion|proposal)|could (?!be\b|also\b|well\b)\w+|"
    r"(?:can|please|let's|let us|we should)\b|so[:,] )"
    r"|^[ \t]*(?:i suggest|i propose|i recommend|i would (?:suggest|propose|say)|i'd (?:suggest|"
    r"propose|"
    r"say)|could (?!be\b|also\b)\w+|please|let's|we should|my (?:suggestion|proposal))\b",
    re.IGNORECASE | re.MULTILINE,
)
_TABLE_ROW = re.compile(r"^[ \t]*\|.*$|^[^\t\n]*\t[^\n]*$|^[^|\n]*\|[^|\n]*\|[^\n]*$", re.MULTILINE)


@dataclass(frozen=True)
class Passages:
    """The text of a report by what it is for.

    ``labels`` holds the labelled lines by lower-cased name, ``head`` everything before the
    analysis, ``analysis``, ``action`` and ``reason`` prose, ``urgency`` High, Medium, Low or empty.
    """

    text: str
    labels: dict[str, str] = field(default_factory=dict)
    head: str = ""
    analysis: str = ""
    action: str = ""
    urgency: str = ""
    reason: str = ""


def split_passages(text: str) -> Passages:
    """Cut a report into its passages; nothing is changed, parts that are not there are empty."""
    body, urgency, reason = _urgency(text)
    start = _action_start(body)
    before, action = body[:start], _unlabelled(body[start:])
    mark = _ANALYSIS.search(before)
    labels: dict[str, str] = {}
    for match in _LABEL.finditer(before[: mark.start() if mark else len(before)]):
        name = {"ctx": "context"}.get(match["name"].lower(), match["name"].lower())
        if name == "notes" and match.start() < 5:
            continue
        labels.setdefault(name, match["text"].strip())
        if name == "data" and match["more"].strip(" ()"):
            labels["data"] += f" ({match['more'].strip(' (),')})"
    if mark:
        return Passages(
            text,
            labels,
            before[: mark.start()],
            before[mark.end() :].strip(),
            action.strip(),
            urgency,
            reason,
        )
    cut = _head_end(before)
    return Passages(
        text, labels, before[:cut], before[cut:].strip(), action.strip(), urgency, reason
    )


def _urgency(text: str) -> tuple[str, str, str]:
    """The text without its last word on urgency, the level and its reason."""
    marks = list(_URGENCY.finditer(text))
    if not marks:
        marks = [m for m in _ANY_URGENCY.finditer(text) if m.start() > 0.6 * len(text)]
    if not marks:
        return text, "", ""
    mark = marks[-1]
    said = text[mark.start() :].split("\n\n")[0]
    level = _LEVEL.search(said[:60])
    name = level[1].capitalize() if level else ""
    reason = said[level.end() :] if level else ""
    return (
        text[: mark.start()].rstrip(),
        {"Normal": "Medium"}.get(name, name),
        re.sub(
            r"^\W*(?:urgency\b)?[\s:,.;\u2013\u2014-]*(?:because|since|as)?\s*",
            "",
            reason,
            flags=re.I,
        ).strip(),
    )


def _action_start(body: str) -> int:
    """Where the action begins: its heading, else the first words that propose something."""
    headed = [m for m in _ACTION.finditer(body) if m.start() > 0.3 * len(body)]
    if headed:
        return headed[0].start() if len(headed) == 1 else _first_of_last(headed, body)
    inline = [m for m in _INLINE_ACTION.finditer(body) if m.start() > 0.4 * len(body)]
    if inline:
        return inline[0].start()
    # nothing marks it: the last third from the next sentence or paragraph on, behind any table
    behind = max([len(body) * 2 // 3, *(m.end() for m in _TABLE_ROW.finditer(body))])
    stop = re.search(r"\n\s*\n|(?<=[.!?])\s", body[behind:])
    return behind + stop.end() if stop else len(body)


def _first_of_last(headed: list[re.Match[str]], body: str) -> int:
    """Of several headings the one that names an action outright, else the first."""
    plain = [
        m for m in headed if re.search(r"action|recommend|propos|suggest|to do|next", m[0], re.I)
    ]
    return (plain or headed)[0].start()


def _unlabelled(action: str) -> str:
    match = _ACTION.match(action)
    return action[match.end() :] if match and len(match[0]) < 40 else action


def _head_end(before: str) -> int:
    """Where the opening ends: behind the last table row or list of values, at a paragraph."""
    listed = [end for _, end, items in runs(before) if len(items) > 3]
    rows = [m.end() for m in _TABLE_ROW.finditer(before)]
    last = max(listed[0] if listed else 0, rows[-1] if len(rows) > 1 else 0)
    stop = re.search(r"\n\s*\n", before[last:])
    cut = last + stop.end() if stop else last
    if len(before[cut:].split()) > 25:
        return cut
    # series and finding in one paragraph: the finding begins with the next sentence
    sentence = re.search(r"(?<=[.!?])\s+(?=[A-Z])|\n", before[last:])
    if sentence and before[last + sentence.end() :].strip():
        return last + sentence.end()
    if before[cut:].strip():
        return cut
    line = before.find("\n", last)
    return line + 1 if line >= 0 else last
