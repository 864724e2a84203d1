"""Whether an answer declines to conclude, read from its phrases."""

from __future__ import annotations

import re

_THINGS = r"(?:data(?: line| points?)?|values|series|figures|readings|numbers|measurements)"
_CONCLUDE = (
    r"(?:say|tell|judge|assess|conclude|decide|determine|state|analy[sz]e|interpret|estimate|see|"
    r"help|assist|advise|draft|write|list|give|provide|share|answer|recommend|offer|name|find)"
)
# "missing for week 4" is a gap, not the whole
_NOT_IN_PART = r"(?! (?:for|on|about|between|in (?:week|month))\b)"
# each of these says by itself that there is no conclusion; what an analyst writes in passing ("the
# data cannot show the cause", "one value is missing") must not be among them
_DECLINES = re.compile(
    rf"\bI(?: am|'m) (?:not able|unable) to\b|\bI (?:cannot|can ?not|can['’]t) {_CONCLUDE}\b"
    r"|\bI (?:must |have to |would |will )?(?:decline|refuse)\b"
    r"|\bI (?:will not|won['’]t) (?:help|answer|give|list|infer|guess|speculate)\b"
    r"|\bnothing to (?:analy[sz]e|judge|interpret)\b"
    r"|\b(?:outside|beyond|not part of)(?: of)? (?:my (?:\w+ )?(?:task|scope|role|remit|field|work)"
    r"|the (?:task|scope)\b|this task|what I\b|what (?:this|the) (?:task|model|analy\w+)\b)"
    rf"|\b(?:no|without(?: any)?|lacks(?: any)?) (?:usable |actual |single )?{_THINGS}\b"
    r"(?= (?:is|are|was|were|has|have|here|given|to|available|at all|yet|came)\b|\s*[,.;:]|$)"
    rf"|\bno (?:actual |weekly |monthly )?{_THINGS} (?:in|with|behind) (?:it|the input|this|here)\b"
    rf"|\b(?:data line|the (?:\w+ )?{_THINGS}(?: of this \w+)?) (?:is|are|was|were) "
    r"(?:still |all |simply |left )?(?:empty|blank|missing|absent|not (?:given|available|included|"
    rf"attached|supplied|provided|there))\b{_NOT_IN_PART}"
    rf"|\bdata (?:(?:is|are|was|were) )?not (?:available|given|provided|supplied)\b{_NOT_IN_PART}"
    r"|\bI (?:do not|don['’]t) have (?:access|enough|any (?:data|values)|the (?:data|values))\b"
    r"|\b(?:no (?:trend|direction|conclusion|analysis|judge?ment|urgency)|nothing) (?:can|could) "
    r"be (?:said|stated|told|judged|drawn|concluded|given|read|made)\b"
    r"|\b(?:trend|direction|urgency|movement|metric|series|case) (?:cannot|can ?not|can['’]t) be "
    r"(?:said|stated|told|judged|assessed|analy[sz]ed|determined|read|given)\b"
    r"|\b(?:not enough|too little|insufficient) (?:data|information)"
    rf"(?: \w+)? to (?:{_CONCLUDE}|draw)\b",
    re.IGNORECASE,
)
# neither is enough alone: reports name a gap, and actions ask somebody for something
_GAP = re.compile(
    r"\b(?:cannot|can ?not|can['’]t|could not|not possible|impossible|missing|not (?:known|given|"
    r"stated|split|in the input))\b",
    re.IGNORECASE,
)
_REQUEST = re.compile(
    r"\b(?:please|kindly) (?:send|share|paste|provide|supply|add|give|attach|check|ask)\b"
    r"|\b(?:send|share|paste|provide|supply|attach) (?:me |us )?the "
    r"(?:\w+ )?(?:data|values|series)",
    re.IGNORECASE,
)


def abstains(text: str) -> bool:
    """Whether an answer declines to conclude, by its English phrases.

    It does if it says so of itself or of the whole case ("I cannot help", "outside my task", "the
    Data line is empty", "not enough data to judge"), or if it names a gap and asks the reader for
    what is missing. A report that only says what its data do not show is no abstention; neither is
    silence. Refusals in another language, or that avoid these phrases, are missed.

    Examples
    --------
    >>> abstains("The Data line is empty, so no trend can be stated.")
    True
    >>> abstains("It fell by 6 points; how many users this is cannot be said.")
    False
    """
    return bool(_DECLINES.search(text) or (_GAP.search(text) and _REQUEST.search(text)))
