"""Examples, the structured case inside them, and the one place where a prompt is built."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from nbutils import facts

FIELDS = ("Metric", "Context", "Data", "Cohort size", "Recent changes", "Notes", "Regression")
PERIODS = ("day", "week", "month", "quarter", "year")
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


class CaseError(ValueError):
    """A case that cannot be read: the message says what was found and what was expected."""


class DataFileError(ValueError):
    """A data file that cannot be read: the message names file, line and remedy."""


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


@dataclass(frozen=True)
class Example:
    """One training or test example.

    Attributes
    ----------
    id : str
        Unique within its file.
    instruction, input, output : str
        The task sentence, the case as text, and the answer (empty if there is none).
    meta : dict
        Everything else of the row (parent, reviewer, expectations, ...), kept as it is.
    """

    id: str
    instruction: str
    input: str
    output: str = ""
    meta: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def from_row(cls, row: dict[str, Any], where: str = "row") -> Example:
        """Build from a JSON row with ``id``, ``instruction`` and ``input``.

        Raises
        ------
        DataFileError
            If one of the three is missing or not text; ``where`` is named in the message.
        """
        for key in ("id", "instruction", "input"):
            if not isinstance(row.get(key), str) or not row[key].strip():
                raise DataFileError(
                    f"{where}: field '{key}' is {'empty' if key in row else 'missing'}; every row "
                    f"needs the text fields id, instruction and input: add it or remove the row."
                )
        output = row.get("output", "")
        if not isinstance(output, str):
            raise DataFileError(
                f"{where}: field 'output' is {type(output).__name__}, expected text: "
                f"write the answer as one string."
            )
        known = {"id", "instruction", "input", "output"}
        meta = {k: v for k, v in row.items() if k not in known}
        return cls(row["id"], row["instruction"], row["input"], output, meta)

    def to_row(self) -> dict[str, Any]:
        """The JSON row of this example, the inverse of `from_row`."""
        return {
            "id": self.id,
            "instruction": self.instruction,
            "input": self.input,
            "output": self.output,
            **self.meta,
        }


# --------------------------------------------------------------------------- reading and writing


def read_jsonl(path: str | Path, required: Sequence[str] = ()) -> list[dict[str, Any]]:
    """Read a JSON-lines file.

    Parameters
    ----------
    path : path
        A UTF-8 file with one JSON object a line; empty lines are skipped.
    required : sequence of str
        Fields that every row must have.

    Returns
    -------
    list of dict

    Raises
    ------
    DataFileError
        If the file is missing or empty, a line is not a JSON object, or a field is missing.
    """
    path = Path(path)
    if not path.is_file():
        raise DataFileError(f"{path}: no such file; expected JSON lines there: check the path.")
    rows = []
    # not splitlines(): that also breaks at U+2028 and the like, which JSON allows inside a string
    for number, line in enumerate(path.read_bytes().split(b"\n"), start=1):
        if not line.strip():
            continue
        where = f"{path}, line {number}"
        try:
            row = json.loads(line.decode("utf-8-sig" if number == 1 else "utf-8"))
        except (json.JSONDecodeError, UnicodeDecodeError) as error:
            raise DataFileError(
                f"{where}: not JSON ({error}); expected one JSON object a line: "
                f"mend or remove this line."
            ) from None
        if not isinstance(row, dict):
            raise DataFileError(
                f"{where}: found a JSON {type(row).__name__}, expected an object like "
                f'{{"id": ...}}: mend or remove this line.'
            )
        for key in required:
            if key not in row:
                raise DataFileError(
                    f"{where}: field '{key}' is missing; every row needs "
                    f"{', '.join(required)}: add it or remove the row."
                )
        rows.append(row)
    if not rows:
        raise DataFileError(f"{path}: the file has no rows; expected one JSON object a line.")
    return rows


def read_examples(path: str | Path, *, id_field: str = "id") -> list[Example]:
    """Read a JSONL file of examples; see `read_jsonl` and `Example.from_row` for the errors.

    Parameters
    ----------
    path : path
        A JSONL file.
    id_field : str
        The field that holds the id, if it is not called ``id``.

    Raises
    ------
    DataFileError
        Also if an id stands twice.
    """
    rows = [{"id": r.get(id_field), **r} for r in read_jsonl(path)]
    examples = [Example.from_row(r, f"{path}, row {i}") for i, r in enumerate(rows, start=1)]
    seen: set[str] = set()
    for i, example in enumerate(examples, start=1):
        if example.id in seen:
            raise DataFileError(
                f"{path}, row {i}: id '{example.id}' stands twice; ids must be unique: rename one."
            )
        seen.add(example.id)
    return examples


def to_jsonl(rows: Iterable[dict[str, Any]]) -> str:
    """Rows as JSON lines, non-ASCII kept, NaN refused."""
    return "".join(json.dumps(r, ensure_ascii=False, allow_nan=False) + "\n" for r in rows)


# --------------------------------------------------------------------------- the case

# blanks only within the line: \s would also run over line ends, in quadratic time on empty ones
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
    # a comma between values is followed by a space or stands in a list without spaces at all
    separator = r",\s+|;\s*" if re.search(r",\s", inside) else r"[,;]\s*"
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


# --------------------------------------------------------------------------- answers and prompts


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

    Returns
    -------
    list of dict
        ``role`` and ``content``; the last one is the user's.
    """
    turns = [{"role": "system", "content": _SYSTEM[_known_form(form)]}]
    for shot in shots:
        turns.append({"role": "user", "content": _question(shot, with_facts)})
        turns.append({"role": "assistant", "content": target(shot, form=form)})
    turns.append({"role": "user", "content": _question(example, with_facts)})
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


# --------------------------------------------------------------------------- likeness

_DIGITS = re.compile(r"\d[\d.,]*")


def shingles(text: str, size: int = 4) -> frozenset[str]:
    """Word shingles of a text with its numbers masked: what is alike but for figures is equal."""
    words = re.findall(r"[a-z#]+", _DIGITS.sub(" # ", text.lower()))
    return frozenset(" ".join(words[i : i + size]) for i in range(max(len(words) - size + 1, 1)))


def jaccard(a: frozenset[str], b: frozenset[str]) -> float:
    """Shared shingles as a share of all shingles of both."""
    return len(a & b) / len(a | b) if a or b else 1.0


def find_alike(texts: Sequence[str], threshold: float) -> list[list[int]]:
    """Pairs of indices whose masked shingles overlap by at least ``threshold``.

    Only pairs that share a shingle are compared, so unlike texts cost nothing.
    """
    sets = [shingles(t) for t in texts]
    holders: dict[str, list[int]] = {}
    for index, found in enumerate(sets):
        for shingle in found:
            holders.setdefault(shingle, []).append(index)
    shared: dict[tuple[int, int], int] = {}
    for indices in holders.values():
        for position, i in enumerate(indices):
            for j in indices[position + 1 :]:
                shared[i, j] = shared.get((i, j), 0) + 1
    return [
        [i, j]
        for (i, j), common in sorted(shared.items())
        if common / (len(sets[i]) + len(sets[j]) - common) >= threshold
    ]
