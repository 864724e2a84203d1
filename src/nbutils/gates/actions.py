"""Whether a recommended action is one: it says what is done, by a date, a size or a test."""

from __future__ import annotations

import re

from nbutils.claims import masks

NOTHING_FIXED = "no date, size or test in the action"

_WATCH = re.compile(
    r"(?:keep(?:ing)?|have) (?:\w+ )?(?:an?|a close|half an|one) eye|\bmonitor|\bto watch\b|"
    r"\bobserve\b|"
    r"worth (?:a|an|having|discuss\w*|watching|talking)\b|\bdiscuss(?:ed|ion)?\b|on (?:the|our|"
    r"your) radar|"
    r"stay(?:ing)? (?:close|positive)|(?:let's|we'll|let us|just) see\b|see (?:what|where|how)\b|"
    r"continue to (?:follow|track|look)|wait (?:and|to) see|further thought|(?:have|"
    r"having) a (?:proper )?"
    r"(?:chat|talk|look)|happy to (?:talk|join|discuss|chat)|be (?:conscious|aware|mindful)|"
    r"bear in mind|"
    r"pick (?:it|this) up|come back to (?:it|this)|revisit|follow (?:it|this)|come up at|"
    r"compare notes|raise (?:it|this) (?:at|in|with)|\bfollow (?:the|these)\b|\baware of\b|"
    r"share (?:these|this|the) (?:findings|numbers|results)|keep (?:watching|following|tracking)|"
    r"into account|under observation|part of the (?:thinking|picture)|everyone can (?:see|"
    r"follow)|interesting (?:case|pattern|development)|stay the course|when there(?:'s|"
    r" is) more",
    re.IGNORECASE,
)
_COMMITS = re.compile(
    r"\b(?:roll(?:s|ed|ing)? (?:back|out|it)|revert\w*|restor\w+|switch\w*|split\w*|random\w*|"
    r"hold(?:s)? back|"
    r"holdout|a/b|pilot\w*|ship\w*|launch\w*|paus\w+|stop\w*|cap(?:s|ped)?|cut\w*|raise[sd]? the|"
    r"remov\w+|"
    r"add(?:s|ed)?|put(?:s)?|mov(?:e|es|ed)|send(?:s)?|writ(?:e|es)|call(?:s)?|draw(?:s)?|"
    r"list(?:s)?|tag(?:s)?|"
    r"audit\w*|recount\w*|re-?check\w*|re-?run\w*|compar(?:e|es)|measur(?:e|es)|test(?:s|ed)?|"
    r"set(?:s)?|replac\w+|reinstat\w+|extend\w*|open\w*|close[sd]?|hide[s]?|publish\w*|no change|"
    r"nothing to (?:change|roll)|"
    r"leave (?:it|the)|keep (?:the|it|them|five|both|selling|running)|offer(?:s|ed)?)\b",
    re.IGNORECASE,
)
_DATED = re.compile(
    r"\b\d{1,2}(?:st|nd|rd|th)?(?:\s?(?:-|\u2013|to)\s?\d{1,2})? (?:jan|feb|mar|apr|may|jun|jul|"
    r"aug|sep|oct|nov|dec)"
    r"|\b(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]* \d{1,2}\b"
    r"|\b(?:by|on|from|until|before|in|next|this|of|end of|mid-?)\s?(?:monday|tuesday|wednesday|"
    r"thursday|friday|"
    r"mon|tue|wed|thu|fri|january|february|march|april|june|july|august|september|october|"
    r"november|december|jan|feb|mar|apr|jun|jul|aug|sept?|oct|nov|dec|q[1-4]|tomorrow|today)\b"
    r"|\b\d{1,2}[./]\d{1,2}\b|\bnext (?:sprint|release)\b|\bthis week\b|\b20\d\d-\d\d-\d\d\b",
    re.IGNORECASE,
)


def weakness(action: str) -> str:
    """Why a recommended action is none that could be carried out; empty if it is one.

    Examples
    --------
    >>> weakness("Keep an eye on the rate.")
    "'Keep an eye' is no action"
    >>> weakness("Roll the form back for half of sign-ups for 2 weeks.")
    ''
    """
    fixed = bool(_DATED.search(action) or _amounts(action))
    watch = _WATCH.search(action)
    if fixed and (commitment(action) or not watch or _beside_watching(action)):
        return ""
    return f"'{watch[0]}' is no action" if watch else NOTHING_FIXED


def commitment(action: str) -> str:
    """The first word of an action that changes or tests something; empty if there is none."""
    found = _COMMITS.search(action)
    return found[0] if found else ""


def _beside_watching(action: str) -> bool:
    """Whether some sentence of an action has a date or a size and does not just watch."""
    return any(
        (_DATED.search(part) or _amounts(part)) and not _WATCH.search(part)
        for part in re.split(r"(?<=[.!?;])\s+|\n+", action)
    )


def _amounts(action: str) -> list[str]:
    """Sizes and spans of time in an action: a share, a length of test, a threshold."""
    return [s.text for s in masks.scan(action).spans if s.unit or s.value > 2]
