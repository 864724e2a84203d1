"""Tables with a caption, sensible digits and merged intervals, and the digits themselves."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from html import escape
from typing import Any

import pandas as pd

from ..errors import UserError

MAX_COLUMNS = 7
MAX_ROWS = 40
NOTHING = "–"
# a value that is followed by its interval in one cell
MERGED = ("value", "difference", "estimate")

Format = str | Callable[[Any], str]


@dataclass(frozen=True, repr=False)
class Table:
    """A table that displays itself in a notebook, in plain text and in a report.

    Attributes
    ----------
    cells : pandas.DataFrame
        The cells as text, subject first.
    caption : str
        A sentence that says what the table shows.
    note : str
        A remark below the table.
    numeric : frozenset of str
        Columns that are aligned to the right.
    """

    cells: pd.DataFrame
    caption: str
    note: str = ""
    numeric: frozenset[str] = field(default_factory=frozenset)

    def _repr_html_(self) -> str:
        heads = "".join(self._cell("th", c, c, ' scope="col"') for c in map(str, self.cells))
        rows = "".join(f"<tr>{self._row(row)}</tr>\n" for row in self.cells.to_dict("records"))
        if self.cells.empty:
            rows = f'<tr><td colspan="{len(self.cells.columns)}">No rows.</td></tr>\n'
        note = f'\n<p class="note">{escape(self.note)}</p>' if self.note else ""
        return (
            f'<div class="table"><table>\n<caption><span>{escape(self.caption)}</span></caption>\n'
            f"<thead><tr>{heads}</tr></thead>\n<tbody>\n{rows}</tbody>\n</table>{note}</div>"
        )

    def __str__(self) -> str:
        body = self.cells.to_string(index=False) if len(self.cells) else "No rows."
        return "\n".join(part for part in (self.caption, body, self.note) if part)

    __repr__ = __str__

    def _repr_mimebundle_(self, **_: Any) -> dict[str, str]:
        return {"text/html": self._repr_html_(), "text/plain": str(self)}

    def _row(self, row: Mapping[Any, str]) -> str:
        (first, subject), *rest = row.items()
        head = self._cell("th", subject, first, ' scope="row"')
        return head + "".join(self._cell("td", text, column) for column, text in rest)

    def _cell(self, tag: str, text: str, column: str, scope: str = "") -> str:
        # the style is for JupyterLab, which knows nothing of our classes
        side, name = ("right", ' class="number"') if column in self.numeric else ("left", "")
        words = escape(text.replace("_", " ") if 'scope="col"' in scope else text)
        return f'<{tag}{scope}{name} style="text-align: {side}" dir="auto">{words}</{tag}>'


def table(
    frame: pd.DataFrame | pd.Series,
    caption: str,
    *,
    note: str = "",
    formats: Mapping[str, Format] | None = None,
) -> Table:
    """Make a table that displays itself.

    Parameters
    ----------
    frame : pandas.DataFrame or pandas.Series
        One row a subject, the subject first; a named or labelled index becomes the subject.
        Columns ``low`` and ``high`` are merged into ``value`` (or ``difference``) as
        ``0.83 [0.72, 0.91]``, with digits from the width of the interval.
    caption : str
        A sentence that says what the table shows.
    note : str
        A remark below the table.
    formats : dict, optional
        Column to format specification (``".1%"``) or to a function from value to text.

    Returns
    -------
    Table

    Raises
    ------
    UserError
        If the caption is empty, there are more than seven columns, or a format names none.

    Examples
    --------
    >>> frame = pd.DataFrame({"system": ["tuned"], "value": [0.83], "low": [0.72], "high": [0.91]})
    >>> print(table(frame, "Answers in the house form."))
    Answers in the house form.
    system value [95% interval]
     tuned    0.83 [0.72, 0.91]
    """
    if not caption.strip():
        raise UserError("the table has no caption: say in a sentence what it shows.")
    data = _with_subject(frame)
    formats = dict(formats or {})
    if unknown := sorted(set(formats) - set(data.columns)):
        raise UserError(
            f"formats name the columns {', '.join(unknown)}, the table has "
            f"{', '.join(data.columns)}: correct the names."
        )
    cells, numeric = _as_text(data.head(MAX_ROWS), formats)
    if not 1 <= len(cells.columns) <= MAX_COLUMNS:
        raise UserError(
            f"the table '{caption}' has {len(cells.columns)} columns, expected 1 to "
            f"{MAX_COLUMNS}: choose those that the reader needs."
        )
    if len(data) > MAX_ROWS:
        note = f"{note} {MAX_ROWS} of {len(data):,} rows are shown.".strip()
    return Table(cells, caption.strip(), note, frozenset(numeric))


def _with_subject(frame: pd.DataFrame | pd.Series) -> pd.DataFrame:
    data = frame.to_frame() if isinstance(frame, pd.Series) else frame
    plain = isinstance(data.index, pd.RangeIndex) and data.index.name is None
    data = data.copy() if plain else data.reset_index()
    data.columns = [str(c) for c in data.columns]
    return data


def _as_text(data: pd.DataFrame, formats: Mapping[str, Format]) -> tuple[pd.DataFrame, set[str]]:
    """The cells as text, and the names of the columns that hold numbers."""
    merged = next((c for c in MERGED if {c, "low", "high"} <= set(data.columns)), None)
    texts: dict[str, list[str]] = {}
    numeric = set()
    for name in data.columns:
        if merged and name in ("low", "high"):
            continue
        values = data[name].tolist()
        head = name
        if name == merged:
            head = f"{name} [95% interval]"
            triples = zip(values, data["low"], data["high"], strict=True)
            texts[head] = [_merged(*t, formats.get(name)) for t in triples]
        else:
            texts[head] = _column(values, formats.get(name), name)
        if _is_numeric(values):
            numeric.add(head)
    return pd.DataFrame(texts, dtype=object), numeric


def _is_numeric(values: list[Any]) -> bool:
    present = [v for v in values if not missing(v)]
    return bool(present) and all(_is_number(v) for v in present)


def _is_number(value: Any) -> bool:
    return hasattr(value, "__float__") and not isinstance(value, str | bool | pd.Timestamp)


def _merged(value: Any, low: Any, high: Any, spec: Format | None) -> str:
    if spec is None:
        return interval(value, low, high)
    ends = f"{_formatted(low, spec)}, {_formatted(high, spec)}"
    return f"{_formatted(value, spec)} [{ends}]"


def _column(values: list[Any], spec: Format | None, name: str) -> list[str]:
    if spec is not None:
        return [_formatted(v, spec) for v in values]
    if name == "p" and _is_numeric(values):
        return [p_value(v) for v in values]
    numbers = [float(v) for v in values if _is_number(v) and not missing(v)]
    decimals = plain_decimals(numbers)
    return [_plain(v, decimals) for v in values]


def _formatted(value: Any, spec: Format) -> str:
    if missing(value):
        return NOTHING
    text = spec(value) if callable(spec) else format(value, spec.strip("{:}"))
    return text.replace("-", "−") if _is_number(value) else text


def _plain(value: Any, decimals: int) -> str:
    if isinstance(value, list | tuple | set | frozenset):
        return ", ".join(map(str, value)) or NOTHING
    if missing(value):
        return NOTHING
    if type(value).__name__ in ("bool", "bool_"):
        return "yes" if value else "no"
    return number(value, decimals) if _is_number(value) else str(value)


# --------------------------------------------------------------------------- digits


def missing(value: Any) -> bool:
    """Whether a value is not defined: None, NaN, NaT."""
    return value is None or (not isinstance(value, list | tuple | set | dict) and pd.isna(value))


def number(value: Any, decimals: int) -> str:
    """A number with separators for thousands and a true minus sign; ``–`` if not defined."""
    if missing(value):
        return NOTHING
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    if value and abs(value) < 0.5 * 10**-decimals and decimals >= 4:
        return f"{value:.1e}".replace("-", "−")
    text = f"{value:,.{decimals}f}"
    # what rounds to nothing has no sign
    return text.lstrip("-") if not float(text.replace(",", "")) else text.replace("-", "−")


def plain_decimals(values: list[float]) -> int:
    """Decimals for numbers without an interval: three significant digits of the largest."""
    finite = [abs(v) for v in values if math.isfinite(v)]
    largest = max(finite, default=0.0)
    if not largest or all(v == round(v) for v in finite):
        return 0
    return min(max(2 - max(math.floor(math.log10(largest)), -4), 0), 2 if largest >= 0.1 else 6)


def interval_decimals(low: float, high: float) -> int:
    """Decimals from the half width of the interval.

    Two digits of it are kept if it begins with 10 to 35 or 95 to 99, else one: the rule of the
    Particle Data Group (Review of Particle Physics, section 5.3 of the introduction).

    Examples
    --------
    >>> interval_decimals(0.72, 0.91), interval_decimals(99.0, 99.9), interval_decimals(12, 40)
    (2, 1, 0)
    """
    half = abs(high - low) / 2
    if not half or not math.isfinite(half):
        return plain_decimals([low, high])
    exponent = math.floor(math.log10(half))
    lead = round(half / 10.0 ** (exponent - 2))
    return min(max(1 - exponent if lead < 355 else -exponent, 0), 6)


def share_decimals(value: float, low: float, high: float) -> int:
    """Decimals of a share in percent: none once the interval spans two points.

    What is not all or nothing is never printed as 100 or 0: 0.997 is 99.7.
    """
    decimals = 0 if high - low >= 0.02 else interval_decimals(100 * low, 100 * high)
    while value not in (0, 1) and round(100 * value, decimals) in (0, 100) and decimals < 4:
        decimals += 1
    return decimals


def interval(value: Any, low: Any, high: Any, *, scale: float = 1.0, sign: bool = False) -> str:
    """Value and interval as ``0.83 [0.72, 0.91]``; ``scale=100`` prints shares as percent.

    Examples
    --------
    >>> interval(0.83, 0.72, 0.91, scale=100)
    '83 [72, 91]'
    >>> interval(0.997, 0.96, 1, scale=100)
    '99.7 [96.0, 100.0]'
    >>> interval(None, None, None)
    '–'
    """
    if missing(value):
        return NOTHING
    if missing(low) or missing(high):
        return signed(value * scale, plain_decimals([value * scale]), sign)
    share = scale == 100
    decimals = share_decimals(value, low, high) if share else interval_decimals(low, high)
    ends = ", ".join(number(end * scale, decimals) for end in (low, high))
    return f"{signed(value * scale, decimals, sign)} [{ends}]"


def signed(value: float, decimals: int, plus: bool = True) -> str:
    """A number, with its plus sign where wanted."""
    text = number(value, decimals)
    return f"+{text}" if plus and value > 0 and text.strip("0.") else text


def p_value(value: Any) -> str:
    """A p-value: two significant digits, ``<0.001`` below that."""
    if missing(value):
        return NOTHING
    return "<0.001" if value < 0.001 else f"{value:.3f}" if value < 0.1 else f"{value:.2f}"
