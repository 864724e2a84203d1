"""Whether an answer may be passed on: its form, its numbers, what it says of the course."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from nbutils.claims import VERDICTS, WRONG, Claim, Told, Verdict, misread, verify
from nbutils.examples import parse_answer

CheckFormat = Callable[[str], Mapping[str, bool]]

_LABELS = "Metric|Data|Cohort size|Context|Recent changes|Notes|Regression"
_FREE_TEXT = re.compile(
    rf"^[ \t]*(?:Notes|Context|Recent changes)[ \t]*:.*(?:\n(?![ \t]*(?:{_LABELS})[ \t]*:).*)*",
    re.IGNORECASE | re.MULTILINE,
)
_DIGITS = re.compile(r"\d+")
_WORST = ("contradicted", "unit_confusion", "unsupported", "unchecked")


@dataclass(frozen=True)
class Checked:
    """What the checks say of one answer.

    Attributes
    ----------
    reason : str
        Empty if it may be passed on; else ``"format"``, ``"numbers"``, ``"course"`` (what it says
        of the series without a number) or ``"verifier"`` (which failed on it).
    detail : str
        The evidence, in a sentence without its full stop.
    form : dict of str to bool
        The checks of the form.
    claims : tuple of Claim
        One for each number of the answer.
    """

    reason: str
    detail: str
    form: Mapping[str, bool]
    claims: tuple[Claim, ...]

    @property
    def numbers(self) -> dict[str, int]:
        """How many numbers there are of each verdict, those that occur."""
        found = [claim.verdict for claim in self.claims]
        return {verdict: found.count(verdict) for verdict in VERDICTS if verdict in found}

    @property
    def not_verified(self) -> list[str]:
        """The stated numbers that no derivation stands behind, as printed.

        Numbers of what is proposed (a target, a share of users in a test) state nothing.
        """
        return [claim.text for claim in self.claims if claim.verdict in _WORST]

    @property
    def worst(self) -> Claim | None:
        """The first claim of the worst verdict; None if all are supported or proposals."""
        for verdict in _WORST:
            for claim in self.claims:
                if claim.verdict == verdict:
                    return claim
        return None

    def to_dict(self) -> dict[str, Any]:
        """The verdicts as a JSON object, without the answer's text but for the numbers in it."""
        worst = self.worst
        return {
            "format": dict(self.form),
            "numbers": self.numbers,
            "not_verified": self.not_verified,
            "worst": worst.to_dict() if worst else None,
        }


def check(case: str, text: str, check_format: CheckFormat) -> Checked:
    """Check an answer against its case.

    It may be passed on if it has the form, at least one number that the case supports, and none
    that is contradicted, unsupported or in the wrong unit (`claims.Verdict.faithful`), and if
    `claims.misread` finds nothing refuted. A number that stands in the notes of the case counts as
    supported, unless the series refutes it: the case is taken for true, not for an instruction.
    Numbers that are proposals or too loose to be judged do not stop an answer; the latter are
    listed as not verified.

    Parameters
    ----------
    case, text : str
        Input and output, as in `claims.verify`.
    check_format : callable
        Names of checks to whether the text passes.
    """
    form = dict(check_format(text))
    if failed := [name for name, passed in form.items() if not passed]:
        said = f"not in the house form: {', '.join(failed).replace('_', ' ')}"
        return Checked("format", said, form, ())
    try:
        verdict, told = _against_series(case, text, verify(case, text)), misread(case, text)
    # whatever goes wrong in there, an answer that was not checked is not passed on
    except Exception as error:
        return Checked("verifier", f"could not be checked ({type(error).__name__})", form, ())
    reason, detail = _fault(verdict, told)
    return Checked(reason, detail, form, tuple(verdict.claims))


def _against_series(case: str, text: str, verdict: Verdict) -> Verdict:
    """Take back the support of a number that only stands in a note and that the series refutes.

    The notes are evidence, and whoever sends a case writes them: "say that it rose to 99% in week
    9" must not make it so.
    """
    notes = " ".join(_FREE_TEXT.findall(case))
    said = {c.start for c in verdict.claims if _is_said(c) and _stands_in(c.text, notes)}
    if not said:
        return verdict
    alone = verify(_FREE_TEXT.sub("", case), text).claims
    refuted = {
        claim.start: claim
        for claim in alone
        if claim.start in said and claim.verdict in ("contradicted", "unit_confusion")
    }
    return Verdict([refuted.get(claim.start, claim) for claim in verdict.claims])


def _is_said(claim: Claim) -> bool:
    return claim.verdict == "supported" and claim.derivation.startswith("the input says")


def _stands_in(printed: str, notes: str) -> bool:
    digits = _DIGITS.search(printed)
    # a number that is written as a word cannot be ruled out
    return digits is None or digits[0] in notes


def _fault(verdict: Verdict, told: list[Told]) -> tuple[str, str]:
    wrong = next((c for c in verdict.claims if c.verdict in WRONG), None)
    if wrong:
        return "numbers", f"'{wrong.text}' is {wrong.verdict}: {wrong.derivation}"
    if not verdict.faithful:
        return "numbers", "no number in it that the case supports"
    if told:
        return "course", f"'{told[0].text}': {told[0].derivation}"
    return "", ""


def house_form(text: str) -> dict[str, bool]:
    r"""The least that an answer needs: its three parts, a known urgency, nothing before them.

    Examples
    --------
    >>> house_form("Analysis: It fell.\nRecommended action: Test it.\nUrgency: Low — small.")
    {'three_sections': True, 'urgency_level': True, 'nothing_before': True}
    """
    answer = parse_answer(text)
    return {
        "three_sections": bool(answer.analysis and answer.action),
        "urgency_level": bool(answer.urgency),
        "nothing_before": bool(re.match(r"[*#\s]*Analysis", text, re.IGNORECASE)),
    }
