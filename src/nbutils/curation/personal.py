"""E-mail addresses, telephone numbers and handles in reports, and their removal."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import chain

import pandas as pd

from nbutils.examples import DataFileError

COLUMNS = ("row", "kind", "found", "start", "end")

_Span = tuple[str, int, int]

# every repetition is bounded or ends at a character that it cannot take itself: linear time
_EMAIL = re.compile(r"(?<!\w)\w[\w.+'%&-]{0,63}@(?:\w[\w-]{0,62}\.)+[^\W\d_]{2,24}(?!\w)")
_HANDLE = re.compile(r"(?<![\w.+'%&/@-])@[^\W\d]\w*(?:[.-]\w+)*")
_EVERYBODY = frozenset({"@all", "@channel", "@everyone", "@here"})
# where a telephone number may stand: +, 0d, (0 or an area code in brackets begins it, and nothing
# before it makes it the middle of a number, a date or a series
_NUMBER = re.compile(
    r"(?<![\w+#€$£%])(?<!\d[.,:/() -])"
    r"(?:\(?\+\d|0\d|\(0\d|\(\d{3}\)[ -]?\d)(?:[ \u00a0./()‐-–-]{0,3}\d){5,17}(?!\d)"
)
# what only looks like one: dates, decimals or days one after the other, times of day
_NO_NUMBER = re.compile(
    r"\(?[0-3]?\d[./-][0-3]?\d[./-](?:(?:19|20)\d\d|\d\d)(?![\d./-])"
    r"|\(?[01]\d[./-](?:19|20)\d\d(?!\d)"
    r"|(?:[+(]?\d{1,3}[./-]\d{1,2}[ )]+){2}"
    r"|[012]\d[0-5]\d ?[-–] ?[012]\d[0-5]\d(?!\d)"
)
_MORE = re.compile(r" ?[\d.,%€$£]?\d| ?[%€$£]")


def find_personal(
    texts: Sequence[str], *, regions: Sequence[str] = ("GB", "US", "DE", "FR")
) -> pd.DataFrame:
    """Find e-mail addresses, telephone numbers and handles of chats.

    Names of people are not found, nor postal addresses, customer numbers and whatever else points
    at a person: somebody has to look. Telephone numbers count if they are valid in one of the
    regions and begin with ``+``, ``0`` or an area code in brackets; a row of plain digits is more
    often a series of a report. Of them ``0d dd dd dd dd`` in a series of such counts can still be
    taken for a French number.

    Parameters
    ----------
    texts : sequence of str
        The reports.
    regions : sequence of str
        Where numbers without ``+`` may belong, as ISO 3166 codes (``"GB"``, not ``"UK"``).

    Returns
    -------
    DataFrame
        By place: ``row`` (position in `texts`), ``kind`` (``"e-mail"``, ``"telephone"`` or
        ``"handle"``), ``found`` (the string), ``start`` and ``end`` (in characters of the text).
        ``@all``, ``@channel``, ``@everyone`` and ``@here`` are nobody's handle.

    Raises
    ------
    ValueError
        If a region is unknown.
    """
    _check_regions(regions)
    rows = [
        (row, kind, text[start:end], start, end)
        for row, text in enumerate(texts)
        for kind, start, end in _spans(text, regions)
    ]
    frame = pd.DataFrame(rows, columns=list(COLUMNS))
    return frame.astype({"row": int, "start": int, "end": int})


def redact(text: str, found: pd.DataFrame) -> str:
    """The text with ``[e-mail]``, ``[telephone]`` or ``[handle]`` in place of each find.

    Parameters
    ----------
    text : str
        One report.
    found : DataFrame
        The rows of `find_personal` for this text.

    Raises
    ------
    DataFileError
        If a find does not stand in the text where it should.
    """
    parts, done = [], 0
    for find in found.sort_values("start").to_dict("records"):
        start, end = int(find["start"]), int(find["end"])
        if text[start:end] != find["found"] or start < done:
            raise DataFileError(
                f"'{find['found']}' does not stand at {start} of the text (row {find['row']}); "
                f"expected the finds of this one text: choose them by row."
            )
        parts += [text[done:start], f"[{find['kind']}]"]
        done = end
    return "".join([*parts, text[done:]])


def _check_regions(regions: Sequence[str]) -> None:
    from phonenumbers import SUPPORTED_REGIONS

    if unknown := sorted(set(regions) - set(SUPPORTED_REGIONS)):
        raise ValueError(
            f"unknown region {', '.join(unknown)}; expected ISO 3166 codes like GB, US, DE."
        )


def _spans(text: str, regions: Sequence[str]) -> list[_Span]:
    """Finds of one text that do not overlap: e-mail before telephone, the longer before others."""
    found: list[_Span] = []
    taken: set[int] = set()
    for kind, start, end in chain(_by_sign(text), _telephones(text, regions)):
        if taken.isdisjoint(range(start, end)):
            taken.update(range(start, end))
            found.append((kind, start, end))
    return sorted(found, key=lambda span: span[1])


def _by_sign(text: str) -> Iterator[_Span]:
    if "@" not in text:
        return
    for match in _EMAIL.finditer(text):
        yield "e-mail", *match.span()
    for match in _HANDLE.finditer(text):
        if match[0].lower() not in _EVERYBODY:
            yield "handle", *match.span()


def _telephones(text: str, regions: Sequence[str]) -> Iterator[_Span]:
    """Numbers that the library finds valid, looked for only where one may begin."""
    from phonenumbers import Leniency, PhoneNumberMatcher

    for place in _NUMBER.finditer(text):
        if _NO_NUMBER.match(place[0]):
            continue
        start, window = place.start(), text[place.start() : place.end() + 12]
        spans = {
            (start + match.start, start + match.end)
            for region in regions
            for match in PhoneNumberMatcher(window, region, leniency=Leniency.VALID)
        }
        for first, last in sorted(spans, key=lambda span: span[0] - span[1]):
            if first < place.end() and not _MORE.match(text, last):
                yield "telephone", first, last
