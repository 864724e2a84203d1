"""Facts in words: the block for the prompt, and the brief analysis that code alone can write."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from nbutils.facts.series import Facts, percent_change

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
    case, lines = facts.case, ["Facts:"]
    if facts.steps:
        lines.append(f"- {_move_phrase(facts)}")
        lines.append(f"- {_largest_phrase(facts)}")
    high, low = facts.high, facts.low
    lines.append(
        f"- high {level(high.value, case)} ({when(high.index, case)}), low {level(low.value, case)}"
        f" ({when(low.index, case)}), mean {level(facts.mean, case, 1)}"
    )
    lines.append(f"- shape: {_shape_phrase(facts)}")
    if facts.missing:
        lines.append("- missing: " + ", ".join(when(i, case) for i in facts.missing))
    if (size := people(facts)) and facts.direction != "flat":
        lines.append(f"- size: about {size}")
    lines.append(f"- chance: {_chance_phrase(facts)}")
    lines.append(f"- {_news_phrase(facts)}")
    return "\n".join(lines)


def _move_phrase(facts: Facts) -> str:
    case, first, last = facts.case, facts.first, facts.last
    ends = (
        f"from {level(first.value, case)} in {when(first.index, case)} "
        f"to {level(last.value, case)} in {when(last.index, case)}"
    )
    if facts.change == 0:
        return f"no change, {ends}"
    share = relative(facts.percent)
    bracket = f" ({share})" if share and share != "0%" else ""
    return f"{_word(facts.change)} {amount(facts.change, case)}{bracket}, {ends}"


def _largest_phrase(facts: Facts) -> str:
    case, step = facts.case, facts.largest
    if step is None or step.change == 0:
        return "largest step: none"
    return (
        f"largest step: {_word(step.change)} {amount(step.change, case)} in "
        f"{when(step.end.index, case)}, from {level(step.start.value, case)} "
        f"to {level(step.end.value, case)}"
    )


def _shape_phrase(facts: Facts) -> str:
    case, shape = facts.case, facts.shape
    if shape.before is not None and shape.after is not None and shape.start is not None:
        share = relative(percent_change(shape.before, shape.after))
        means = (
            f"mean {level(shape.after, case, 1)} there against {level(shape.before, case, 1)}"
            if shape.end
            else f"mean {level(shape.before, case, 1)} before and "
            f"{level(shape.after, case, 1)} from then on"
        )
        shift = f"{_word(facts.move)} {amount(facts.move, case, 1)}"
        tail = f", {shift}" + (f" ({share})" if share and share != "0%" else "")
        if shape.end:
            last = when(shape.end - 1, case)
            span = when(shape.start, case)
            span = span if shape.end - shape.start == 1 else f"{span} to {last}"
            return f"left its level in {span} and came back, {means}{tail}"
        return f"one step in {when(shape.start, case)}, {means}{tail}"
    if shape.kind == "flat":
        return f"flat around the mean, between {_range(facts)}"
    pace = amount(facts.slope, case, 1)
    name = "accelerating" if shape.kind == "accelerating" else "steady"
    return f"{name}, on average {_word(facts.slope)} {pace} a {case.period or 'period'}"


def _range(facts: Facts) -> str:
    case = facts.case
    return f"{level(facts.low.value, case)} and {level(facts.high.value, case)}"


def _chance_phrase(facts: Facts) -> str:
    beyond = facts.beyond_noise
    verdict = {
        True: "the move is beyond it",
        False: "the move is within it",
        None: "cannot be judged here",
    }[beyond]
    if facts.noise is None:
        return f"cohort gives no figure, by the pattern {verdict}"
    return f"about {amount(facts.noise, facts.case, 1)} at this size, {verdict}"


def _news_phrase(facts: Facts) -> str:
    wanted = {"up": "higher is better", "down": "lower is better", "unknown": "no good direction"}
    news = {True: "good news", False: "bad news", None: "neither good nor bad"}[facts.good]
    return f"{wanted[facts.polarity]}, {news}"


def _word(change: float) -> str:
    return "up" if change > 0 else "down"


# --------------------------------------------------------------------------- the brief analysis


def brief(facts: Facts) -> str:
    """Three or four fixed sentences: the move, its shape, what was recorded, chance."""
    sentences = [_opening(facts), _shape_sentence(facts), _chance_sentence(facts)]
    if facts.missing:
        missing = " and ".join(when(i, facts.case) for i in facts.missing)
        sentences.insert(1, f"There is no value for {missing}.")
    sentences.append(_change_sentence(facts))
    return " ".join(s for s in sentences if s)


def _opening(facts: Facts) -> str:
    case, first, last = facts.case, facts.first, facts.last
    if not facts.steps:
        return (
            f"{case.metric} has a single value, {level(first.value, case)}; no trend can be read."
        )
    ends = (
        f"from {level(first.value, case)} in {when(first.index, case)} "
        f"to {level(last.value, case)} in {when(last.index, case)}"
    )
    if facts.change == 0:
        return f"{case.metric} ends where it began, {ends}."
    verb = "rose" if facts.change > 0 else "fell"
    share = relative(facts.percent)
    bracket = f" ({share})" if share and share != "0%" else ""
    return (
        f"{case.metric} {verb} {ends}, {_word(facts.change)} {amount(facts.change, case)}{bracket}."
    )


def _shape_sentence(facts: Facts) -> str:
    case, shape, step = facts.case, facts.shape, facts.largest
    if step is None or step.change == 0:
        return ""
    if shape.kind == "flat":
        return f"It stayed between {_range(facts)}, with a mean of {level(facts.mean, case, 1)}."
    if shape.start is not None and shape.before is not None and shape.after is not None:
        before, after = level(shape.before, case, 1), level(shape.after, case, 1)
        start = when(shape.start, case)
        if shape.end is None:
            return (
                f"It moved in one step in {start}: the mean was {before} before and {after} "
                f"from then on."
            )
        until = when(shape.end - 1, case)
        span = f"in {start}" if shape.end - shape.start == 1 else f"from {start} to {until}"
        return f"It left its level {span}, with a mean of {after} against {before}, and came back."
    lead = "The steps grew" if shape.kind == "accelerating" else "It moved step by step"
    return (
        f"{lead}: on average {_word(facts.slope)} {amount(facts.slope, case, 1)} a "
        f"{case.period or 'period'}, the largest step {amount(step.change, case)} in "
        f"{when(step.end.index, case)}."
    )


def _chance_sentence(facts: Facts) -> str:
    beyond = facts.beyond_noise
    if beyond is None:
        return "Whether this is more than chance cannot be judged from these values."
    if facts.noise is not None:
        how = "more than" if beyond else "within"
        return f"That is {how} the {amount(facts.noise, facts.case, 1)} that chance alone explains."
    if beyond:
        return "The pattern is clearer than its scatter."
    return "The moves are no larger than the usual scatter."


def _change_sentence(facts: Facts) -> str:
    changes = facts.case.changes.strip().rstrip(".")
    if not changes or re.match(r"(?:none|no |n/a|nothing|unknown|not )", changes, re.IGNORECASE):
        return "No change is on record."
    at = facts.change_at
    turn = facts.shape.start
    if turn is None and facts.largest is not None:
        turn = facts.largest.end.index
    if at is not None and turn is not None and facts.direction != "flat" and 0 <= turn - at <= 1:
        return "The timing fits the recorded change, which does not prove the cause."
    if at is not None:
        return f"The recorded change came in {when(at, facts.case)}."
    return "The recorded change is not dated well enough to be tied to it."


def size(facts: Facts) -> str:
    """The size of the move in one phrase: ``about 105 of 1,400 sign-ups a week``."""
    if facts.direction == "flat":
        return "no move beyond chance"
    persons = people(facts)
    if persons:
        return f"about {persons}"
    way = "above" if facts.move > 0 else "below"
    where = "the level before" if facts.shape.start is not None else "where it began"
    return f"{amount(facts.move, facts.case, 1)} {way} {where}"
