"""Answers taken apart, and the one place where a prompt is built."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from nbutils import facts

from .case import CaseError, parse_case
from .rows import Example

URGENCIES = ("High", "Medium", "Low")

SECTIONS = ("Analysis", "Recommended action", "Urgency")
FORMS = ("brief", "full")

_SYSTEM = {
    "brief": (
        "You are a growth analyst. Explain the trend briefly and recommend one action. Use only "
        "numbers from the case and its facts. Answer in three lines: 'Analysis: ...', "
        "'Recommended action: ...', 'Urgency: High, Medium or Low — reason'."
    ),
    "full": (
        "You are a growth analyst. Explain what happened and what may lie behind it, say what the "
        "data cannot show, and recommend one concrete action with an owner and a measure. Every "
        "number must come from the case or its facts. Answer in three parts: 'Analysis: ...', "
        "'Recommended action: ...', 'Urgency: High, Medium or Low — reason'."
    ),
}


@dataclass(frozen=True)
class Answer:
    """The parts of an answer; a part that is missing is empty.

    Attributes
    ----------
    analysis, action, reason : str
        The text of the three sections; ``reason`` is what follows the urgency's level.
    urgency : str
        ``"High"``, ``"Medium"``, ``"Low"`` or empty.
    """

    analysis: str = ""
    action: str = ""
    urgency: str = ""
    reason: str = ""


_SECTION = re.compile(r"^[ \t*#]*(Analysis|Recommended action|Urgency)[ \t*]*:[ \t*]*", re.I | re.M)
_URGENCY = re.compile(r"\W*(High|Medium|Low)\b\W*", re.IGNORECASE)
_SENTENCE_END = re.compile(r"(?<=[.!?])\s+(?=[A-Z0-9'\"(])")


def parse_answer(text: str) -> Answer:
    r"""Split an answer into its sections; the first of each name counts.

    Examples
    --------
    >>> parse_answer("Analysis: It fell.\nUrgency: High — still falling.").urgency
    'High'
    """
    marks = list(_SECTION.finditer(text))
    ends = [m.start() for m in marks[1:]] + [len(text)]
    parts: dict[str, str] = {}
    for mark, end in zip(marks, ends, strict=False):
        parts.setdefault(mark[1].capitalize(), text[mark.end() : end].strip())
    level = _URGENCY.match(parts.get("Urgency", ""))
    return Answer(
        analysis=parts.get("Analysis", ""),
        action=parts.get("Recommended action", ""),
        urgency=level[1].capitalize() if level else "",
        reason=parts.get("Urgency", "")[level.end() :].strip() if level else "",
    )


def sentences(text: str) -> list[str]:
    """Split prose at sentence ends that are followed by a capital, a digit or a quote."""
    return [s for s in _SENTENCE_END.split(text.strip()) if s]


def facts_of(input_text: str) -> facts.Facts | None:
    """The facts of a case given as text; None if the case cannot be read."""
    try:
        return facts.compute(parse_case(input_text))
    except CaseError:
        return None


def messages(
    example: Example,
    *,
    form: str = "brief",
    with_facts: bool = True,
    shots: Sequence[Example] = (),
    terms: Sequence[str] = (),
) -> list[dict[str, str]]:
    """Build the prompt of an example: the one place where a prompt is made.

    Parameters
    ----------
    example : Example
        Instruction and input are used, never the output.
    form : str
        ``"brief"`` or ``"full"``: which answer the system message asks for.
    with_facts : bool
        Whether the computed facts stand behind the case. A case that cannot be read has none.
    shots : sequence of Example
        Solved examples shown before the question, as earlier turns.
    terms : sequence of str
        Definitions put before the question, one a line.

    Returns
    -------
    list of dict
        ``role`` and ``content``; the last one is the user's.
    """
    turns = [{"role": "system", "content": _SYSTEM[_known_form(form)]}]
    for shot in shots:
        turns.append({"role": "user", "content": _question(shot, with_facts)})
        turns.append({"role": "assistant", "content": target(shot, form=form)})
    known = "".join(["Terms:\n", *(f"- {term}\n" for term in terms), "\n"]) if terms else ""
    turns.append({"role": "user", "content": known + _question(example, with_facts)})
    return turns


def target(example: Example, *, form: str = "brief") -> str:
    """The answer an example teaches in a form.

    ``full`` is the analyst's own answer. ``brief`` keeps the analyst's judgement, the action in at
    most two sentences and the level of urgency, and lets `facts` write everything with a number.

    Raises
    ------
    CaseError
        For ``brief``, if the case cannot be read.
    """
    if _known_form(form) == "full":
        return example.output.strip()
    known = facts.compute(parse_case(example.input))
    answer = parse_answer(example.output)
    action = " ".join(sentences(answer.action)[:2])
    return (
        f"Analysis: {known.brief()}\nRecommended action: {action}\n"
        f"Urgency: {answer.urgency} — {known.size()}."
    )


def _question(example: Example, with_facts: bool) -> str:
    known = facts_of(example.input) if with_facts else None
    block = f"\n{known.render()}" if known else ""
    return f"{example.instruction.strip()}\n\n{example.input.strip()}{block}"


def _known_form(form: str) -> str:
    if form not in FORMS:
        raise ValueError(f"form is '{form}'; expected one of {', '.join(FORMS)}.")
    return form
