"""Which rows and columns of a table the words next to a number name."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from nbutils.claims.context import Sentence
from nbutils.claims.grammar import Span
from nbutils.claims.tables import Table, numbered
from nbutils.claims.work import Work

_WORD = re.compile(r"q[1-4]\b|\d{1,4}|[a-z]+")
_TIED = re.compile(r"^ ?\(?(?:(?:[a-z]+ ){0,2}(?:in|at|during|as of) )?(?:the )?(?:fiscal )?$")
_EARLIER = re.compile(
    r"\b(?:year|quarter|month|week|day)s? (?:before|earlier|ago)\b"
    r"|\b(?:previous|prior|preceding|last) (?:year|quarter|month|week|day)\b"
)
_COMPARED = re.compile(
    r"\b(?:than|above|below|over|under|against|versus|vs|behind|ahead of|that of|"
    r"compared (?:to|with)) (?:the |in )?$"
)
_PRONOUN = re.compile(r"^[\s\"'(]*(?:he|she|it|they|his|her|its|their|this|these|that)\b")
_FROM = re.compile(r"\b(?:from|between) (?:about )?[$€£]?[\d.,]+(?: to [\d.,]*)?$")
Mention = tuple[int, int, frozenset[int]]


@dataclass(slots=True)
class Named:
    """Rows and columns of a table that a sentence names, in their order."""

    rows: list[Mention]
    columns: list[Mention]


class Naming:
    """Reads the mentions of rows and columns in the sentences of one output."""

    def __init__(self, tables: list[Table], sentences: Sequence[Sentence]) -> None:
        self.tables = tables
        self.sentences = sentences
        self._index = [
            (
                _by_key({c.row: t.rows.get(c.row, frozenset()) for c in t.cells}),
                _by_key({c.column: t.columns.get(c.column, frozenset()) for c in t.cells}),
            )
            for t in tables
        ]
        self._words: dict[tuple[int, str], tuple[frozenset[int], frozenset[int]]] = {}
        self._named: dict[tuple[int, int], Named] = {}

    def before(self, sentence: Sentence) -> Sentence | None:
        """The sentence before, if any."""
        return self.sentences[sentence.index - 1] if sentence.index else None

    def lookup(self, at: int, word: str) -> tuple[frozenset[int], frozenset[int]]:
        """Rows and columns of a table whose labels hold a word, its stem or its abbreviation."""
        known = self._words.get((at, word))
        if known is None:
            rows, columns = self._index[at]
            stems = (word[:5], word[:4], word[:3]) if len(word) > 3 else (word,)
            stems = (word,) if " " in word else stems
            row = next((rows[s] for s in stems if s in rows), frozenset())
            column = next((columns[s] for s in stems if s in columns), frozenset())
            if not column and not row and len(word) > 4:
                short = [k for k in columns if 1 < len(k) < 5 and _abbreviates(k, word)]
                column = columns[short[0]] if short else column
            known = self._words[at, word] = row, column
        return known

    def named(self, at: int, sentence: Sentence) -> Named:
        """The mentions of a table's rows and columns in a sentence."""
        found = self._named.get((at, sentence.index))
        if found is None:
            words = [(m[0], m.start(), m.end()) for m in _WORD.finditer(sentence.low[:1200])]
            words += numbered(sentence.text[:1200])
            found = Named([], [])
            for word, start, end in sorted(words, key=lambda w: w[1]):
                for mentions, hit in zip(
                    (found.rows, found.columns), self.lookup(at, word), strict=True
                ):
                    if hit:
                        mentions.append((start, end, hit))
            self._named[at, sentence.index] = found
        return found

    def allowed(self, at: int, work: Work, rows: bool) -> frozenset[int] | None:
        """The rows (or columns) that the words next to a number name; None if they name none."""
        table, sentence, span = self.tables[at], work.sentence, work.span
        named = self.named(at, sentence)
        mentions = named.rows if rows else named.columns
        start, end = span.start - sentence.start, span.end - sentence.start
        if not mentions:
            before = self.before(sentence)
            compared = _COMPARED.search(sentence.low[:start][-24:])
            if before is None or compared or not _PRONOUN.match(sentence.low):
                return None
            earlier = self.named(at, before)
            mentions = earlier.rows if rows else earlier.columns
            keys = table.rows if rows else table.columns
            return run(mentions, keys, table.prose) | run(mentions[::-1], keys, table.prose) or None
        if is_joined(sentence, span):
            return frozenset().union(*(m[2] for m in mentions)) if rows else None
        keys = table.rows if rows else table.columns
        left = [m for m in mentions if m[1] <= start][::-1]
        # "17 points": the unit may be the name of a column
        right = [m for m in mentions if m[0] > start]
        numbers = [w.span.start - sentence.start for w in sentence.works[:60]]
        after = run(right, keys, table.prose)
        if right:
            gap = sentence.low[end : max(end, right[0][0])]
            if (right[0][0] <= end + 1 and not rows) or (len(gap) <= 26 and _TIED.match(gap)):
                return self._with_earlier(table, sentence, after, rows)
            if any(end <= n < right[0][0] for n in numbers):
                after = frozenset()
        spans = [w.span for w in sentence.works[:60] if w.span.end <= span.start]
        ends = [(s.start - sentence.start, s.end - sentence.start) for s in spans]
        times = table.when_row if rows else table.when_column
        binding = [m for m in left if not _of_earlier(sentence, m, ends, bool(times), rows)]
        if not rows and binding and _stale(sentence, binding[0], start, named.rows):
            binding = []
        if left and not binding:
            return None
        found = run(binding, keys, table.prose) | after
        told = [m for m in binding if not _COMPARED.search(sentence.low[: m[0]][-24:])]
        found |= run(told, keys, table.prose)
        if rows and binding and any(binding[0][1] <= e[0] for e in ends):
            # another number has come since: the subject of the sentence may be meant again
            found |= run(mentions, keys, table.prose)
        return self._with_earlier(table, sentence, found, rows) if found else None

    def is_noun(self, at: int, work: Work) -> bool:
        """Whether the word after a number, or its unit, names a column: "17 points"."""
        start, end = (p - work.sentence.start for p in (work.span.start, work.span.end))
        return any(start < m[0] <= end + 1 for m in self.named(at, work.sentence).columns)

    def _with_earlier(
        self, table: Table, sentence: Sentence, found: frozenset[int], rows: bool
    ) -> frozenset[int]:
        """With the periods before those named, where a sentence speaks of "the year before"."""
        times = table.when_row if rows else table.when_column
        if not times or not _EARLIER.search(sentence.low):
            return found
        order = sorted(times, key=lambda i: times[i])
        place = {index: k for k, index in enumerate(order)}
        return found | {order[place[i] - 1] for i in found if place.get(i, 0) > 0}


def _by_key(labels: dict[int, frozenset[str]]) -> dict[str, frozenset[int]]:
    """Words to the rows that hold them, without those that most rows hold."""
    found: dict[str, set[int]] = {}
    for index, words in labels.items():
        for word in words:
            found.setdefault(word, set()).add(index)
    most = max(1, 2 * len(labels) // 3)
    return {word: frozenset(own) for word, own in found.items() if len(own) <= most}


def _abbreviates(short: str, word: str) -> bool:
    """Whether letters of a word in their order give a short label: "ast" of "assists"."""
    if word[0] != short[0] or len(word) < len(short) + 2:
        return False
    letters = iter(word)
    return all(letter in letters for letter in short)


def run(
    mentions: list[Mention], labels: dict[int, frozenset[str]], prose: bool = False
) -> frozenset[int]:
    """What the first mentions of a list name together: "Al Horford", "Q4 2024"."""
    if not mentions:
        return frozenset()
    found = mentions[0][2]
    for previous, mention in pairwise(mentions):
        gap = max(mention[0] - previous[1], previous[0] - mention[1])
        if gap > 5:
            break
        found = found & mention[2] or found | mention[2]
    if prose:
        return found
    # "Hawks" names the team's own row before those of its players
    shortest = min(len(labels.get(i, ())) for i in found)
    return frozenset(i for i in found if len(labels.get(i, ())) == shortest)


def _of_earlier(
    sentence: Sentence, mention: Mention, ends: list[tuple[int, int]], timed: bool, rows: bool
) -> bool:
    """Whether a mention belongs to an earlier number: what it counts, or when it was."""
    for start, end in ends:
        if not rows and start < mention[0] <= end + 1:
            return True
        gap = sentence.low[end : mention[0]] if end <= mention[0] <= end + 26 else "-"
        if (timed and _TIED.match(gap)) or (rows and " in " in gap and _TIED.match(gap)):
            return True
    return False


def _stale(sentence: Sentence, column: Mention, start: int, rows: list[Mention]) -> bool:
    """Whether a comma and another row have come since a column was named."""
    comma = max(sentence.low.rfind(mark, column[1], start) for mark in ",;")
    return comma >= 0 and any(comma < m[0] < start for m in rows)


def is_joined(sentence: Sentence, span: Span) -> bool:
    """Whether a number is one side of a score such as 104-98."""
    start, end = span.start - sentence.start, span.end - sentence.start
    return bool(
        re.search(r"\d(?:[-\u2013]| to )$", sentence.low[:start][-5:])
        or re.match(r"(?:[-\u2013]| to )\d", sentence.low[end:][:5])
    ) and not _FROM.search(sentence.low[:end][-24:])
