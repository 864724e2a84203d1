"""The structured case: a metric, its series and what is known around it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

FIELDS = ("Metric", "Context", "Data", "Cohort size", "Recent changes", "Notes", "Regression")
PERIODS = ("day", "week", "month", "quarter", "year")


class CaseError(ValueError):
    """A case that cannot be read: the message says what was found and what was expected."""


@dataclass(frozen=True)
class Case:
    """One structured case: a metric, its series and what is known around it.

    Attributes
    ----------
    metric, definition, context, changes, notes, regression : str
        The text of the labelled lines; ``definition`` is the bracket behind the metric's name.
    values : tuple of float or None
        The series as printed: 31.2 for ``31.2%``, 0.312 for ``0.312``; None for a missing period.
    printed : tuple of str
        The items of the series as they stand in the text.
    unit : str
        ``"rate"`` (a share written 0 to 1), ``"percent"``, ``"money"``, ``"days"``, ``"hours"``,
        ``"count"`` or ``"number"`` (scores, ratios, averages).
    currency : str
        ``"$"``, ``"€"``, ``"£"`` or empty.
    scale : float
        1000 if the definition says that the values are in thousands, else 1.
    period : str
        ``"day"``, ``"week"``, ``"month"``, ``"quarter"``, ``"year"``, or empty if not given.
    period_note : str
        What the bracket behind the series holds besides the count and the period.
    cohort : float or None
        The cohort size per period; None if not given.
    cohort_text, cohort_unit : str
        The line as written, and what is counted (``"new users"``).
    cohort_currency : str
        The currency if the cohort is an amount of money, else empty.
    """

    metric: str
    values: tuple[float | None, ...]
    definition: str = ""
    context: str = ""
    printed: tuple[str, ...] = ()
    unit: str = "number"
    currency: str = ""
    scale: float = 1.0
    period: str = ""
    period_note: str = ""
    cohort: float | None = None
    cohort_text: str = ""
    cohort_unit: str = ""
    cohort_currency: str = ""
    changes: str = ""
    notes: str = ""
    regression: str = ""

    @property
    def decimals(self) -> int:
        """Largest number of decimals among the printed values."""
        return max((_decimals(p) for p in self.printed), default=0)


_LABEL = re.compile(
    r"^[ \t]*(" + "|".join(FIELDS) + r")[ \t]*:[ \t]*", re.IGNORECASE | re.MULTILINE
)
_NUMBER = r"[-+\u2212\u2013]?[$€£]?\s?[-+\u2212]?(?:\d[\d,\u00a0\u202f]*\.?\d*|\.\d+)"
_ITEM = re.compile(
    rf"^(?P<number>{_NUMBER})\s*(?P<scale>[kKmM](?![A-Za-z])|bn)?\s*"
    rf"(?P<unit>%|pp|points?|days?|hours?|[$€£])?$"
)
_MISSING = {"null", "none", "n/a", "na", "nan", "-", "–", "—", "?", "missing", ""}
_SCALE = {"k": 1e3, "m": 1e6, "bn": 1e9}
_CURRENCY = re.compile(r"[$€£]")
_MONEY = re.compile(r"[$€£]|\b(?:dollars|euros|usd|gbp|eur)\b|\b(?:mrr|arr|arpu|cac)\b")
_SYMBOL = re.compile(r"[$€£]|\b(?:usd|dollars|gbp|eur|euros)\b")
_SCORE = re.compile(r"\bscore|\bnps\b|promoters|\brating|\bindex\b|\bper 100\b|\bratio\b")
_PERIOD_NAME = r"(days?|d|weeks?|wks?|w|months?|mths?|mos?|m|quarters?|qtrs?|q|years?|yrs?)\b"
_PERIOD = re.compile(r"\b" + _PERIOD_NAME, re.IGNORECASE)
_LAST = re.compile(r"\(?\s*(?:last\s+)?(\d+)\s*" + _PERIOD_NAME, re.IGNORECASE)
_DECIMAL_COMMAS = re.compile(
    r"[-\u2212]?[$€£]?\d+,\d+\s?[%€]?(?:\s*;\s*[-\u2212]?[$€£]?\d+(?:,\d+)?\s?[%€]?)+"
)
_THOUSAND = re.compile(r"(?<![\d,])[1-9]\d{0,2},\d{3}(?!\d)")
_PERIOD_OF = {name[0]: name for name in PERIODS}
_THOUSANDS = re.compile(r"\bthousands?\b|[$€£]k\b|\bin k\b", re.IGNORECASE)


def parse_case(text: str) -> Case:
    r"""Read the labelled lines of a case.

    Parameters
    ----------
    text : str
        ``Metric: NAME (definition)``, ``Context:``, ``Data: [v1, v2, ...] (last N weeks)``,
        ``Cohort size:``, ``Recent changes:`` and, in some cases, ``Notes:`` and ``Regression:``.

    Returns
    -------
    Case

    Raises
    ------
    CaseError
        If the metric or the series is missing, an item of the series is not a number, units are
        mixed, or the number of values contradicts the stated number of periods.

    Examples
    --------
    >>> case = parse_case("Metric: CVR\nData: [4.1%, null, 3.8%] (last 3 weeks)")
    >>> case.values, case.unit, case.period
    ((4.1, None, 3.8), 'percent', 'week')
    """
    parts = _sections(text)
    for label in ("Metric", "Data"):
        if not parts.get(label):
            raise CaseError(f"the case has no '{label}:' line; expected one: add it.")
    metric, definition = _name_and_bracket(parts["Metric"])
    items, bracket = _split_series(parts["Data"])
    numbers, units = zip(*(_item(i, token) for i, token in enumerate(items, 1)), strict=True)
    count, period, note = _period(bracket)
    if count is not None and count != len(items):
        raise CaseError(
            f"the Data line holds {len(items)} values but says last {count} {period}s; "
            f"expected as many as it says: correct one of the two."
        )
    unit, currency = _unit(numbers, units, items, f"{parts['Metric']} {bracket}")
    cohort, cohort_unit, cohort_currency = _cohort(parts.get("Cohort size", ""))
    return Case(
        metric=metric,
        definition=definition,
        context=parts.get("Context", ""),
        values=numbers,
        printed=tuple(items),
        unit=unit,
        currency=currency,
        scale=1000.0 if _THOUSANDS.search(f"{definition} {bracket}") else 1.0,
        period=period,
        period_note=note,
        cohort=cohort,
        cohort_text=parts.get("Cohort size", ""),
        cohort_unit=cohort_unit,
        cohort_currency=cohort_currency,
        changes=parts.get("Recent changes", ""),
        notes=parts.get("Notes", ""),
        regression=parts.get("Regression", ""),
    )


def _sections(text: str) -> dict[str, str]:
    """Label to text; the lines until the next label belong to it."""
    found = list(_LABEL.finditer(text))
    parts: dict[str, str] = {}
    names = {f.lower(): f for f in FIELDS}
    ends = [mark.start() for mark in found[1:]] + [len(text)]
    for mark, end in zip(found, ends, strict=False):
        parts.setdefault(names[mark.group(1).lower()], text[mark.end() : end].strip())
    return parts


def _name_and_bracket(text: str) -> tuple[str, str]:
    head, _, tail = text.partition("(")
    return head.strip(), tail.rstrip().removesuffix(")").strip()


def _split_series(text: str) -> tuple[list[str], str]:
    match = re.match(r"[^\[\n]*\[([^\]\n]*)\]\s*(.*)", text, re.DOTALL)
    if not match:
        raise CaseError(
            f"the Data line reads '{text[:60]}'; expected a series like "
            f"[0.42, 0.39, 0.36] (last 3 weeks)."
        )
    inside, bracket = match.groups()
    if not inside.strip():
        raise CaseError("the series in the Data line is empty; expected at least one value.")
    if _DECIMAL_COMMAS.fullmatch(inside.strip().rstrip(";")) and not _THOUSAND.search(inside):
        # "0,42; 0,39": decimal commas, where they cannot set thousands apart
        inside = inside.replace(",", ".").replace(";", ", ")
    # a comma between values is followed by a space or stands in a list without spaces at all
    separator = r",\s+|;\s*" if re.search(r",\s|;", inside) else r",\s*"
    items = [item.strip() for item in re.split(separator, inside.strip().rstrip(",;"))]
    return items, bracket.strip()


def _item(position: int, token: str) -> tuple[float | None, str]:
    if token.lower() in _MISSING:
        return None, ""
    match = _ITEM.match(token)
    if not match:
        raise CaseError(
            f"value {position} of the series is '{token}'; expected a number such as 0.42, 42%, "
            f"$42 or null for a missing period."
        )
    raw = match["number"]
    value = float(re.sub(r"[^\d.]", "", raw)) * _SCALE.get((match["scale"] or "").lower(), 1)
    if re.search(r"[-\u2212\u2013]", raw):
        value = -value
    symbol = _CURRENCY.search(token)
    unit = symbol.group() if symbol else (match["unit"] or "").rstrip("s")
    return value, {"points": "pp", "point": "pp"}.get(unit, unit)


def _period(bracket: str) -> tuple[int | None, str, str]:
    inner = bracket.strip().removeprefix("(").removesuffix(")")
    match = _PERIOD.search(bracket)
    if not match:
        return None, "", inner
    stated = _LAST.match(bracket)
    count = int(stated.group(1)) if stated else None
    period = _PERIOD_OF[(stated.group(2) if stated else match.group(1)).lower()[0]]
    return count, period, inner[stated.end() - 1 :].strip(" ,;)") if stated else inner


def _unit(
    numbers: Sequence[float | None], units: Sequence[str], items: Sequence[str], about: str
) -> tuple[str, str]:
    present = {u for u, n in zip(units, numbers, strict=True) if n is not None}
    if len(present) > 1:
        raise CaseError(
            f"the series mixes units ({', '.join(sorted(u or 'no unit' for u in present))}); "
            f"expected one unit for all values: write them alike."
        )
    unit = present.pop() if present else ""
    known = [n for n in numbers if n is not None]
    if not known:
        raise CaseError("every value of the series is missing; expected at least one number.")
    if unit in ("%", "pp"):
        return "percent", ""
    if _CURRENCY.fullmatch(unit):
        return "money", unit
    if unit in ("day", "hour"):
        return unit + "s", ""
    about = about.lower()
    fractional = any("." in item for item in items)
    # a retention rate written as 1.08 is a share above one
    top = 2 if re.search(r"\b(?:nrr|grr|retention)\b", about) else 1
    if max(map(abs, known)) <= top and fractional and not re.search(r"\bratio\b", about):
        return "rate", ""
    money = _MONEY.search(about)
    if money and not re.search(
        r"\b(?:ratio|share|rate|retention|divided|payback|months of)\b", about
    ):
        symbol = _SYMBOL.search(about)
        found = symbol.group() if symbol else ""
        return "money", {"u": "$", "d": "$", "g": "£", "e": "€"}.get(found[:1], found)
    if re.search(r"\bin percent\b|^[^(]*\(%|\bin %", about):
        return "percent", ""
    for word in ("days", "hours"):
        if re.search(rf"\b(?:median|mean|average|in|number of)?\s*{word}\b(?! of)", about):
            between = re.search(rf"\bwithin (?:\w+ ){{1,2}}{word}\b|last \d+ {word}", about)
            if not between:
                return word, ""
    return ("number" if fractional or _SCORE.search(about) else "count"), ""


def _cohort(text: str) -> tuple[float | None, str, str]:
    match = re.search(r"([$€£])?\s?(\d[\d,\u00a0\u202f]*\.?\d*)\s?([kKmM](?![A-Za-z])|bn)?", text)
    if not match or re.match(r"\s*(?:n/?a|none|unknown|not\b)", text, re.IGNORECASE):
        return None, "", ""
    value = float(re.sub(r"[^\d.]", "", match[2])) * _SCALE.get((match[3] or "").lower(), 1)
    rest = text[match.end() :]
    unit = re.split(r"\bper\b|\beach\b|\ba (?:day|week|month|quarter|year)\b|[,;(/]", rest)[0]
    return value, unit.strip(" ."), match[1] or ""


def _decimals(token: str) -> int:
    match = re.search(r"\.(\d+)", token)
    return len(match.group(1)) if match else 0
