"""Words next to a number: what makes it a change, a level, or part of a list."""

from __future__ import annotations

import re

from nbutils.claims.grammar import Span

_NOUN = (
    "loss|drop|gain|rise|fall|increase|decrease|decline|change|growth|lift|jump|reduction|"
    "improvement|deterioration|cut|slide|dip|step|move|difference|gap|swing|uplift|slip|erosion|"
    "advance|climb|worsening|shortfall|widening|lead|range|spread|band|"
    "(?<!in )total"
)
CHANGE_BEFORE = re.compile(
    rf"(?:\bby|\bdown|\bup|\bplus|\bminus|\banother|\bextra|\b(?:largest|biggest|steepest|"
    rf"smallest)|\b(?:{_NOUN})s?(?: is| was| were|, or)?"
    r"(?: of|,|:)?|\b(?:fell|rose|risen|dropped|gained|lost|declined|increased|decreased|"
    r"grew|grown|"
    r"slid|shed|added|climbed|shrank|jumped|slipped|fallen|lose|loses|gains|falls|rises|improved|"
    r"worsened|steps of))"
    r"(?: a| the| further| another| full| total)?"
    r"(?: about| around| roughly| some| nearly| almost| only| just| more than| at least| over|"
    r" under| approximately| less than| close to| up to)* ?[~-]?$"
)
CHANGE_AFTER = re.compile(
    r"^[ -](?!(?:less|more) [$€£]?\d)"
    r"(?:in relative terms|higher|lower|more|less|fewer|up|down|below|above|under|better|"
    r"worse|apart|"
    rf"slower|faster|shorter|longer|cheaper|dearer|extra|wider|of a point|{_NOUN})\b"
)
PERCENT_OF = re.compile(
    r"(?:\bpoints?|\bpp|[$€£][\d,.]+[km]?|(?P<time>\bdays?|\bhours?))(?: \w+){0,2}(?: \(|, or |"
    r",? or | \(or |, )"
    r"(?:about |roughly |around |some |nearly |a )?~?$"
)
LEVEL_BEFORE = re.compile(
    r"\b(?:from|to|at|was|were|(?<!on )averag(?:es?|ed|ing)|mean|mean of|average of|"
    r"between|stood at|reached|hit|"
    r"against|low of|high of|peak of|level of|back to)(?: about| around| roughly| only|"
    r" just| still| at least| at most| nearly| almost)? ?~?$"
)
_CARRY = re.compile(
    r"^(?:,? (?:and|or|then|and then|to)|,|-|\u2013| of (?:the|its|those|these|that)(?: \w+)?) ?$"
)
FUNCTION = frozenset(
    (
        "a an and or but of in to the from is was are were at per each every since after before "
        "until while with by for as on so then over under against again now more less higher lower "
        "above below apart between both during where when which that than out all"
    ).split()
)


# what would be, had something else been: the input can neither give it nor refute it
COUNTERFACTUAL = re.compile(
    r"\bwould (?:have|not have|alone|then|still)\b|\b(?:alone|rates?|itself) would\b"
    r"|\bhad (?:a|one|it|they|there|the|a single)\b[^.;]*\bwould\b"
    r"|\bcarried on\b|\bextrapolat|\bat (?:this|that|the same) (?:pace|rate|speed)\b"
    r"|\bshould the\b"
)
WITHOUT = re.compile(r"\s*without (?:it|them|the)\b")
# "gained 3 (5.8%", "five more (1.1%)": the percent of the change before it
IN_BRACKETS = re.compile(
    r"(?:\b(?:more|fewer|less|higher|lower)|\b(?:gained|lost|added|rose|fell) [\d.,]+) "
    r"\((?:about |roughly )?$"
)
OF_BASE = re.compile(
    r" of (?:the|its|their|what)\b[^.;,]{0,20}\b(?:start|first|level|base|before|was)"
)
OUT_OF = re.compile(r" (?:out )?of (?:about |some |the )?\d")
DENIED = re.compile(r"\b(?:not|never|n't|hardly|nowhere near)(?: quite| yet| even)? $")
GAP_OF = re.compile(r"\bgap(?: is| was| of| has become| went from| stood at)*(?: one of)? ?$")
_GOES_ON = re.compile(r"^(?:,? (?:and )?(?:then |now |finally )|, (?:and )?| and (?:now )?)$")
_THEN = re.compile(r"^, (?:and )?(?:then|now) $")
MORE_LIKELY = re.compile(r"^ (?:more|less|below|above|behind|ahead|apart)\b")
_MORE = frozenset(["more", "less", "fewer", "extra", "additional", "other", "further"])
IS = re.compile(r"\b(?:is|was|were)\b")


def _thereafter(gap: str, left: Span, right: Span) -> bool:
    """Whether "1 point, then 2, 3 and 4" goes on in the unit of its first item."""
    if right.unit or right.decimals != left.decimals or not _GOES_ON.match(gap):
        return False
    return not right.noun or right.noun in FUNCTION or right.noun in ("then", "finally")


def counts_things(span: Span) -> bool:
    """Whether a bare number counts what the next words name: "6 more sign-ups"."""
    return span.noun in _MORE and bool(span.noun2) and span.noun2 not in FUNCTION


def carry(output: str, left: Span, right: Span) -> None:
    """Give "1.2 and 1.6 points" the unit of its last item."""
    gap = output[left.end : right.start]
    if left.spelled != right.spelled:
        return
    if left.unit in ("pp", "points") and _thereafter(gap, left, right):
        right.unit = left.unit
    moved = gap == " to " and output[max(0, left.start - 5) : left.start] == "from "
    if left.unit in ("pp", "points") and not right.unit and (moved or _THEN.match(gap)):
        right.unit = left.unit
    if left.unit or right.unit not in ("pp", "points", "%") or left.currency:
        return
    if right.unit == "%" and (" or" in gap or (left.sign and not right.sign)):
        return
    if len(gap) < 24 and _CARRY.match(gap) and left.decimals == right.decimals:
        left.unit = right.unit
