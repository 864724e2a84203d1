"""Which reports tell again what an earlier one told, and which of one case disagree."""

from __future__ import annotations

import hashlib
import math
import re
import unicodedata
import zlib
from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import accumulate, pairwise

import numpy as np

from nbutils.examples import DataFileError, jaccard

Series = Sequence[float | None]
Key = tuple[str, ...]

SAME_TRIPLES = 0.7
SAME_NUMBERS = 0.8
SAME_CONTENT = 0.2
MIN_WORDS = 5
MIN_VALUES = 4
# 25 bands of 5 rows propose 99 of 100 pairs at a similarity of 0.7, practically all at 0.8
PERMUTATIONS, BANDS, ROWS = 128, 25, 5
# what keeps the time linear where thousands of reports look alike
NEIGHBOURS, CANDIDATES, ORIGINALS = 4, 8, 50
CACHED = 4096

_THOUSANDS = re.compile(r",(?<=\d,)(?=\d{3})")
_WORD = re.compile(r"(?:(?<![^\s(\[])-)?\d+(?:[.,]\d+)*|[^\W\d_]+")
_MONTH = (
    r"(?:jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|"
    r"sept?(?:ember)?|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?)\b"
)
_DATE = re.compile(
    r"\b\d{4}-\d\d-\d\d\b|(?<![\d,.])(?:19|20)\d\d(?![\d,.%])|"
    rf"\b\d{{1,2}}(?:st|nd|rd|th)?(?:\s?(?:-|–|to|and)\s?\d{{1,2}})?\s(?:of\s)?{_MONTH}|"
    rf"\b{_MONTH}\.?\s\d{{1,2}}\b|"
    r"\b(?:weeks?|wks?|months?|q)\s?\d{1,3}\b(?:\s?(?:-|–|to|and)\s?\d{1,3}\b)?",
    re.IGNORECASE,
)
_NUMBER = re.compile(r"(\d[\d,]*(?:\.\d+)?)\s?(%|[kK]\b)?")


def near_duplicates(
    texts: Sequence[str],
    series: Sequence[Series | None] | None = None,
    *,
    names: Sequence[str] | None = None,
) -> list[tuple[int, int, str]]:
    """Find the reports that repeat an earlier one.

    A report repeats an earlier one

    - if its words and numbers are the same but for case, punctuation and blanks,
    - or if at least 0.7 of the word triples of both are common to both (Jaccard) and their
      numbers are not others: with two different series all numbers must be the same, else
      at least 0.8 of them, or one report holds all those of the other. Candidates by MinHash and
      banding (Broder 1997; Leskovec, Rajaraman and Ullman, Mining of Massive Datasets, chapter
      3), each then compared exactly,
    - or if it gives the same series and at least half of the other numbers of the report that
      has fewer (3 or more; none that follows from the series, no dates), or at least 0.2 of the
      content words without the numbers being others.

    Groups are chained: what repeats a repetition points to the first report of the group. To keep
    the time near linear a report is compared with its 8 likeliest candidates and with the 50
    latest other cases that have its series.

    Parameters
    ----------
    texts : sequence of str
        In the order of writing; the earliest of a group is its original. Below 5 words only the
        first rule holds, without any word none.
    series : sequence, optional
        For each report the values of its main series, or None. The same series is the same to
        4 significant digits, where all may differ by a factor of 100 (a share and its percent);
        it needs 4 values that are not all equal.
    names : sequence of str, optional
        What the evidence calls the reports; by default ``report 12`` (its position).

    Returns
    -------
    list of tuple
        ``(later, original, evidence)``, ordered by the position of the later report.

    Raises
    ------
    DataFileError
        If a text is not text, or the lengths of the arguments differ.

    Examples
    --------
    >>> near_duplicates(["Sign-ups fell by 12% in May.", "SIGN UPS fell by 12 % in May"])
    [(1, 0, 'same text as report 0')]
    """
    _check(texts, series, names)
    texts = list(texts)
    reports = _Reports(texts, [None] * len(texts) if series is None else list(series))
    found = _groups(reports, *_read(texts))
    calls = [f"report {i}" for i in range(len(texts))] if names is None else list(names)
    rows = []
    for i, (first, match, evidence) in sorted(found.items()):
        chain = f", which repeats {calls[first]}" if match != first else ""
        rows.append((i, first, f"{evidence} {calls[match]}{chain}"))
    return rows


def _check(
    texts: Sequence[str], series: Sequence[Series | None] | None, names: Sequence[str] | None
) -> None:
    for what, given in (("series", series), ("names", names)):
        if given is not None and len(given) != len(texts):
            raise DataFileError(
                f"{len(texts)} texts and {len(given)} {what}; expected one for each report: "
                f"give None where a report has no series."
            )
    for position, text in enumerate(texts):
        if not isinstance(text, str):
            raise DataFileError(
                f"report {position}: the text is {type(text).__name__}, expected text: "
                f"put an empty string where there is none."
            )


def _groups(
    reports: _Reports, copies: Mapping[int, int], distinct: Sequence[int], signatures: np.ndarray
) -> dict[int, tuple[int, int, str]]:
    """Repetition to its original, the report it was compared with, and the evidence."""
    candidates = _candidates(distinct, signatures)
    found: dict[int, tuple[int, int, str]] = {}
    told: defaultdict[Key, deque[int]] = defaultdict(lambda: deque(maxlen=ORIGINALS))

    def origin(i: int) -> int:
        return found[i][0] if i in found else i

    for i in sorted({*copies, *distinct}):
        if i in copies:
            found[i] = origin(copies[i]), copies[i], "same text as"
            continue
        key = reports.keys[i]
        others = [k for j in candidates.get(i, ()) for k in dict.fromkeys((origin(j), j))]
        matches = [*_first(reports.alike, i, others)]
        matches += _first(reports.same_case, i, told[key]) if key else []
        if matches:
            found[i] = min((origin(j), j, evidence) for j, evidence in matches)
        if key and (i not in found or reports.keys[found[i][0]] != key):
            told[key].append(i)
    return found


def _first(
    test: Callable[[int, int], str], report: int, others: Iterable[int]
) -> Iterator[tuple[int, str]]:
    """The first of the others that passes, with the evidence, if one does."""
    for other in others:
        if evidence := test(report, other):
            yield other, evidence
            return


class _Reports:
    """What is compared of a report; the latest few thousand are remembered, not all."""

    def __init__(self, texts: Sequence[str], series: Sequence[Series | None]) -> None:
        remember = lru_cache(CACHED)
        self.keys = [series_key(values) for values in series]
        self._triples = remember(lambda i: _triples(split_words(texts[i])))
        self._numbers = remember(lambda i: _numbers(texts[i], digits=1))
        follows = remember(_follows)
        self._others = remember(
            lambda i: _numbers(texts[i], digits=2) - follows(plain_values(series[i]))
        )
        self._content = remember(lambda i: _content(texts[i]) - _FORM_WORDS)

    def alike(self, a: int, b: int) -> str:
        """Evidence that two texts are the same but for some words, or nothing."""
        if not self._numbers_agree(a, b):
            return ""
        share = jaccard(self._triples(a), self._triples(b))
        return f"{share:.0%} the same word triples as" if share >= SAME_TRIPLES else ""

    def _numbers_agree(self, a: int, b: int) -> bool:
        one, two = self._numbers(a), self._numbers(b)
        if self.keys[a] and self.keys[b]:
            # a follow-up or another market keeps the words and changes figures
            return self.keys[a] == self.keys[b] or one == two
        return one <= two or two <= one or jaccard(one, two) >= SAME_NUMBERS

    def same_case(self, a: int, b: int) -> str:
        """Evidence that two reports with one series are about one case, or nothing."""
        one, two = self._others(a), self._others(b)
        fewest, shared = min(len(one), len(two)), len(one & two)
        if fewest >= 3 and shared * 2 >= fewest:
            return f"same series and {shared} of {fewest} other numbers as"
        if fewest >= 3 and shared * 4 < fewest:
            return ""
        words = self._content(a), self._content(b)
        share = jaccard(*words) if all(words) else 0.0
        same = share >= SAME_CONTENT
        return f"same series and {share:.0%} of the content words as" if same else ""


def _read(texts: Sequence[str]) -> tuple[dict[int, int], list[int], np.ndarray]:
    """Copies with the first of their text, the positions left to compare, and their signatures."""
    from datasketch import MinHash  # type: ignore[import-untyped]

    # crc32 instead of sha1: hashing is half of all time, and nobody forges a collision here
    empty = MinHash(PERMUTATIONS, hashfunc=lambda triple: zlib.crc32(triple.encode()))
    first: dict[bytes, int] = {}
    copies, distinct, signatures = {}, [], []
    for i, text in enumerate(texts):
        words = split_words(text)
        digest = hashlib.blake2b(" ".join(words).encode(), digest_size=16).digest()
        if words and (j := first.setdefault(digest, i)) != i:
            copies[i] = j
        elif len(words) >= MIN_WORDS:
            sketch = empty.copy()
            sketch.update_batch(_triples(words))
            distinct.append(i)
            signatures.append(sketch.hashvalues)
    rows = np.array(signatures, dtype=np.uint32).reshape(len(distinct), PERMUTATIONS)
    return copies, distinct, rows


def split_words(text: str) -> list[str]:
    """Words and numbers in lower case, without punctuation: 1,400 as 1400, don't as dont."""
    plain = text if text.isascii() else unicodedata.normalize("NFKC", text).replace("\u2212", "-")
    plain = plain.casefold().replace("'", "").replace("\u2019", "")
    return _WORD.findall(_THOUSANDS.sub("", plain))


def _triples(words: Sequence[str]) -> frozenset[str]:
    return frozenset(map(" ".join, zip(words, words[1:], words[2:], strict=False)))


def _candidates(reports: Sequence[int], signatures: np.ndarray) -> dict[int, list[int]]:
    """Report to the earlier ones that share a band with it, those that share most bands first.

    In a bucket a report meets the few before it, never all: templates fill buckets with thousands,
    and an index that returns them all takes quadratic time.
    """
    n = len(reports)
    codes = [_in_one_bucket(signatures[:, b * ROWS : (b + 1) * ROWS]) for b in range(BANDS)]
    pairs, bands = np.unique(np.concatenate(codes), return_counts=True)
    later, earlier = np.divmod(pairs, max(n, 1))
    order = np.lexsort((earlier, -bands, later))
    later, earlier = later[order], earlier[order]
    starts = np.searchsorted(later, later)
    kept = np.arange(len(later)) - starts < CANDIDATES
    found: dict[int, list[int]] = {}
    for i, j in zip(later[kept].tolist(), earlier[kept].tolist(), strict=True):
        found.setdefault(reports[i], []).append(reports[j])
    return found


def _in_one_bucket(band: np.ndarray) -> np.ndarray:
    """Pairs of rows with the same band, coded later * rows + earlier."""
    n = len(band)
    weights = np.random.default_rng(0).integers(1, 2**63, ROWS, dtype=np.uint64) | np.uint64(1)
    folded = (band.astype(np.uint64) * weights).sum(axis=1, dtype=np.uint64)
    order = np.argsort(folded, kind="stable")
    folded = folded[order]
    codes = []
    for step in range(1, NEIGHBOURS + 1):
        same = folded[step:] == folded[:-step]
        codes.append((order[step:] * n + order[:-step])[same])
    return np.unique(np.concatenate(codes))


def series_key(values: Series | None) -> Key:
    """What equal series have in common: 4 significant digits of each value on one scale.

    The scale is a power of 100, so that a share and its percent agree; a missing value is a dash.
    Empty with fewer than 4 values, or where all are equal.

    Examples
    --------
    >>> series_key([0.42, 0.39, None, 0.405, 0.4]) == series_key([42, 39, None, 40.5, 40])
    True
    >>> series_key([5, 5, 5, 5])
    ()
    """
    known = plain_values(values)
    given = [v for v in known if v is not None]
    if len(given) < MIN_VALUES or min(given) == max(given):
        return ()
    # rounded first: 99.999 stands on the scale of 100
    top = float(f"{max(map(abs, given)):.3e}")
    scale = 100.0 ** math.floor(math.log10(top) / 2)
    # the nudge rounds 0.10005 and 10.005 to the same side, whatever their last bit
    return tuple("-" if v is None else f"{v / scale * (1 + 1e-9) + 0.0:.3e}" for v in known)


def plain_values(values: Iterable[float | None] | None) -> tuple[float | None, ...]:
    """Values as floats, None for what is missing or infinite."""
    given = () if values is None else values
    return tuple(float(v) if v is not None and math.isfinite(v) else None for v in given)


def _numbers(text: str, digits: int) -> frozenset[str]:
    """Numbers of at least so many digits, shares as percent; no dates, years or week numbers."""
    found = set()
    for number, unit in _NUMBER.findall(_DATE.sub(" ", text)):
        plain = number.replace(",", "")
        if len(plain.replace(".", "").lstrip("0")) >= digits or unit in ("k", "K"):
            found.add(_spelt(float(plain) * (1000 if unit in ("k", "K") else 1), unit == "%"))
    return frozenset(found)


def _spelt(value: float, percent: bool = False) -> str:
    return f"{value if percent or value >= 1 else value * 100:.4g}"


def _follows(values: tuple[float | None, ...]) -> frozenset[str]:
    """Numbers that anybody would read off the series, so that they say nothing of the case.

    Values, steps, means before and after each break, and changes, in points and in percent.
    """
    known = [v for v in values if v is not None]
    before = [s / n for n, s in enumerate(accumulate(known), 1)]
    after = [s / n for n, s in enumerate(accumulate(reversed(known)), 1)][::-1]
    ends = [*pairwise(known), *zip(before, after[1:], strict=False)]
    ends += [(known[0], known[-1]), (min(known), max(known))] if known else []
    changes = [abs(b - a) for a, b in ends]
    shares = [100 * abs(b / base - a / base) for a, b in ends for base in (a, b) if base]
    levels = [abs(v) for v in (*known, *before, *after)] + changes
    spelt = {_spelt(round(v * f, d)) for v in levels for f in (1, 100) for d in range(4)}
    return frozenset(spelt | {f"{round(s, d):.4g}" for s in shares for d in range(3)})


def _content(text: str) -> frozenset[str]:
    """Words of 4 letters or more cut to 5: truncation as a stemmer (McNamee and Mayfield 2004)."""
    undated = _DATE.sub(" ", text).casefold()
    return frozenset(w[:5] for w in re.findall(r"[^\W\d_]{4,}", undated))


_FORM_WORDS = _content(
    "metric context data cohort size recent changes analysis recommended action urgency "
    "high medium week month last"
)
