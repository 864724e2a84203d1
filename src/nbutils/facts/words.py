"""Facts in words: the block for the prompt, and the brief analysis that code alone can write."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from nbutils.facts.series import Facts

if TYPE_CHECKING:
    from nbutils.examples import Case

# --------------------------------------------------------------------------- numbers


def level(value: float, case: Case, extra: int = 0) -> str:
    """A value of the series, with the series' own digits and ``extra`` more if they say more."""
    text = _trim(value, case.decimals, extra)
    if case.unit == "percent":
        return f"{text}%"
    if case.unit == "money" and case.currency:
        return f"-{case.currency}{text[1:]}" if text.startswith("-") else f"{case.currency}{text}"
    if case.unit in ("days", "hours"):
        return f"{text} {case.unit[:-1] if text == '1' else case.unit}"
    return text


def amount(change: float, case: Case, extra: int = 0) -> str:
    """The size of a change, without sign: points for shares, else the unit of the series."""
    size = abs(change)
    if case.unit == "rate":
        text = _trim(size * 100, max(case.decimals - 2, 0), extra)
    elif case.unit == "percent":
        text = _trim(size, case.decimals, extra)
    else:
        return level(size, case, extra)
    return f"{text} point{'' if text == '1' else 's'}"


def relative(percent: float | None) -> str:
    """A relative change without sign: whole from 10% on, else one decimal; empty if undefined."""
    if percent is None:
        return ""
    size = abs(percent)
    return f"{size:,.0f}%" if size >= 10 else f"{_trim(size, 1, 0)}%"


def when(index: int, case: Case) -> str:
    """The name of a period: ``week 5``; the first of the series is 1."""
    return f"{case.period or 'period'} {index + 1}"


def _trim(value: float, decimals: int, extra: int) -> str:
    text = f"{value:,.{decimals}f}"
    longer = f"{value:,.{decimals + extra}f}"
    text = (
        longer.rstrip("0") if extra and float(longer.replace(",", "")) != value_of(text) else text
    )
    return "0" if value_of(text) == 0 else text.rstrip(".")


def value_of(text: str) -> float:
    """The number a formatted text stands for."""
    return float(text.replace(",", ""))


def people(facts: Facts) -> str:
    """How many people or how much money per period the move stands for; empty if unknown."""
    size = facts.affected
    if size is None or round(size) < 1:
        return ""
    case = facts.case
    if case.unit == "count":
        return f"{_round(size)} {_comparative(facts)} a {case.period or 'period'}"
    if case.unit == "money":
        return f"{case.currency}{_round(size)} a {case.period or 'period'}"
    unit = case.cohort_unit or "of the cohort"
    return f"{_round(size)} of {_round(case.cohort or 0)} {unit} a {case.period or 'period'}"


def _comparative(facts: Facts) -> str:
    return "more" if facts.move > 0 else "fewer"


def _round(value: float) -> str:
    return f"{value:,.0f}"


# --------------------------------------------------------------------------- the block


def render(facts: Facts) -> str:
    """The ``Facts:`` block, one fact a line, every number with its unit."""
    case, high, low = facts.case, facts.high, facts.low
    lines = [f"- move: {_move(facts)}"] if facts.steps else []
    lines.append(f"- shape: {_shape(facts)}")
    if facts.shape.kind in ("trend", "accelerating"):
        lines.append(f"- largest step: {_largest(facts)}")
    if facts.shape.kind != "flat":
        lines.append(
            f"- high {level(high.value, case)} in {when(high.index, case)}, "
            f"low {level(low.value, case)} in {when(low.index, case)}"
        )
    if facts.missing:
        lines.append("- missing: " + _missing(facts))
    lines.append(f"- chance: {_chance(facts)}")
    lines.append(f"- timing: {_timing(facts)}")
    lines.append(f"- size: {size(facts)}")
    lines.append(f"- news: {_news(facts)}")
    if evidence := _evidence(facts):
        lines.append(f"- regression: {evidence}; association, not cause")
    lines.append(f"- standing: {standing(facts)}")
    lines.append(f"- usual urgency: {facts.usual_urgency}")
    return "\n".join(["Facts:", *lines])


def _move(facts: Facts) -> str:
    case, first, last = facts.case, facts.first, facts.last
    ends = (
        f"from {level(first.value, case)} in {when(first.index, case)} "
        f"to {level(last.value, case)} in {when(last.index, case)}"
    )
    if facts.change == 0:
        return f"ends where it began, {ends}"
    verb = "rose" if facts.change > 0 else "fell"
    return f"{verb} {ends}, {_up_or_down(facts.change)} {_with_percent(facts)}"


def _with_percent(facts: Facts) -> str:
    share = relative(facts.percent)
    bracket = f" ({share})" if share and share != "0%" else ""
    return f"{amount(facts.change, facts.case)}{bracket}"


def _shape(facts: Facts) -> str:
    case, shape = facts.case, facts.shape
    if shape.start is None or shape.before is None or shape.after is None:
        if shape.kind == "flat":
            return f"stayed between {level(facts.low.value, case)} and {_high_and_mean(facts)}"
        lead = "the steps grew" if shape.kind == "accelerating" else "step by step"
        return f"{lead}, on average {_pace(facts)}"
    before, after = level(shape.before, case, 1), level(shape.after, case, 1)
    start = when(shape.start, case)
    if shape.end is None:
        return f"one step in {start}, the mean was {before} before and {after} from then on"
    until = when(shape.end - 1, case)
    span = f"in {start}" if shape.end - shape.start == 1 else f"from {start} to {until}"
    return f"left its level {span}, with a mean of {after} against {before}, and came back"


def _high_and_mean(facts: Facts) -> str:
    case = facts.case
    return f"{level(facts.high.value, case)}, with a mean of {level(facts.mean, case, 1)}"


def _pace(facts: Facts) -> str:
    """The mean step, which a reader can redo from the two ends."""
    periods = facts.last.index - facts.first.index
    pace = facts.change / periods
    shown = amount(pace, facts.case, 1)
    return f"{_up_or_down(pace)} {shown} a {facts.case.period or 'period'}"


def _largest(facts: Facts) -> str:
    case, step = facts.case, facts.largest
    if step is None or step.change == 0:
        return "none"
    return f"{amount(step.change, case)} in {when(step.end.index, case)}"


def _missing(facts: Facts) -> str:
    return " and ".join(when(i, facts.case) for i in facts.missing)


def _chance(facts: Facts) -> str:
    beyond = facts.beyond_noise
    if beyond is None:
        return "whether it is more than chance cannot be judged from these values"
    if facts.noise is not None:
        how = "more than" if beyond else "within"
        return f"that is {how} the {amount(facts.noise, facts.case, 1)} that chance alone explains"
    if beyond:
        return "the pattern is clearer than its scatter"
    return "that is no more than the usual scatter"


def _timing(facts: Facts) -> str:
    changes = facts.case.changes.strip()
    if not changes or re.match(r"(?:none|no |n/a|nothing|unknown|not )", changes, re.IGNORECASE):
        return "no change is on record"
    if facts.change_at is None:
        return "the recorded change is not dated"
    at = when(facts.change_at, facts.case)
    if facts.shape.kind == "flat":
        return f"a change was recorded in {at}, and nothing moved"
    turn = facts.shape.start
    if turn is None and facts.largest is not None:
        turn = facts.largest.end.index
    if turn is not None and 0 <= turn - facts.change_at <= 1:
        return f"the timing fits the change recorded in {at}, which does not prove the cause"
    return f"the change recorded in {at} does not fit the timing"


def _news(facts: Facts) -> str:
    wanted = {"up": "higher is better", "down": "lower is better", "unknown": "no good direction"}
    news = {True: "good", False: "bad", None: "neither good nor bad"}[facts.good]
    return f"{news}, {wanted[facts.polarity]}"


def standing(facts: Facts) -> str:
    """What the move comes to by now: ``it has lasted so far and is bad news``."""
    if facts.shape.kind == "bump":
        return "it has not lasted"
    if facts.direction == "flat":
        return "nothing has moved beyond chance"
    news = {True: "is good news", False: "is bad news", None: "is neither good nor bad news"}
    return f"it has lasted so far and {news[facts.good]}"


def _evidence(facts: Facts) -> str:
    return facts.regression.evidence() if facts.regression else ""


def _up_or_down(change: float) -> str:
    return "up" if change > 0 else "down"


def size(facts: Facts) -> str:
    """The size of the move in one phrase: ``about 105 of 1,400 sign-ups a week``."""
    if facts.direction == "flat":
        return "no move beyond chance"
    if persons := people(facts):
        return f"about {persons}"
    way = "above" if facts.move > 0 else "below"
    where = "where it began" if facts.shape.start is None else "the level before"
    return f"{amount(facts.move, facts.case, 1)} {way} {where}"


# --------------------------------------------------------------------------- the brief analysis


def brief(facts: Facts) -> str:
    """Four to six fixed sentences: the move, its shape, chance, what was recorded, the standing.

    With a regression two more: what it shows, and that it shows no cause.
    """
    case = facts.case
    if not facts.steps:
        value = level(facts.first.value, case)
        return f"{case.metric} has a single value, {value}; no trend can be read from it."
    said = [f"{case.metric} {_move(facts)}.", f"It {_shape_words(facts)}."]
    if facts.missing:
        said.append(f"There is no value for {_missing(facts)}.")
    said += [_sentence(_chance(facts)), _sentence(_timing(facts)), _sentence(standing(facts))]
    if evidence := _evidence(facts):
        said.append(f"In the regression {evidence}. That is association, not cause.")
    return " ".join(said)


def _shape_words(facts: Facts) -> str:
    kind, words = facts.shape.kind, _shape(facts)
    if kind in ("trend", "accelerating"):
        lead = "step by step" if kind == "trend" else "in growing steps"
        return f"moved {lead}, on average {_pace(facts)}, the largest {_largest(facts)}"
    return f"moved in {words}" if kind == "step" else words


def _sentence(clause: str) -> str:
    return f"{clause[0].upper()}{clause[1:]}."
