"""Judging against any input that is no case: cells named by the words around a number.

A number repeats a cell only where row and column agree with what the sentence names next to it;
a number that no cell gives is derived from the cells that the sentence states or names, in circles
from the nearest outwards, each with the limit on chance of `derive`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

from nbutils.claims.changes import show
from nbutils.claims.context import Sentence, direction
from nbutils.claims.derive import unlikely
from nbutils.claims.grammar import PERIOD_WORDS, Span
from nbutils.claims.tables import Cell, Table, numbered

if TYPE_CHECKING:
    from nbutils.claims.judge import Judge
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
_HIGH = re.compile(
    r"\b(?:highest|peak\w*|maximum|max|most|largest|biggest|top|record)(?: (?!\d)\w+){0,2},? "
    r"?(?:with |at |of |\()?[$€£]?$"
)
_LOW = re.compile(
    r"\b(?:lowest|low|trough\w*|minimum|min|fewest|smallest|bottom\w*)(?: (?!\d)\w+){0,2},? "
    r"?(?:with |at |of |\()?[$€£]?$"
)
_NO_EXTREME = re.compile(r"\b(?:at most|most of|at max|maximum of the)\b")
_OF = re.compile(r"\d[- ](?:out )?of[- ]\d")
_RANGE = re.compile(r"\b(?:range|spread|span)\b")
_OVERALL = re.compile(
    r"\bfirst\b.*\blast\b|\bstart\b.*\bend\b|"
    r"\b(?:over|in) the (?:\w+ )?(?:whole|period|series|days|weeks|months|quarters|years?)\b"
)
_AS_MUCH = re.compile(r" (?:as|the|more|higher|larger|that|its|what|less|lower|bigger)\b")
_FROM = re.compile(r"\b(?:from|between) (?:about )?[$€£]?[\d.,]+(?: to [\d.,]*)?$")
_PER_UNIT = re.compile(r"\bper [a-z]+\b[^,;]*$")
_PART_OF = re.compile(r"^ of (?:the |its |their |all )?(?:[a-z]+ ){0,1}$")
_PER = re.compile(r"\b(?:per|each|every|an?)\b")
_IS = re.compile(
    r"\b(?:is|was|were|are|had|has|got|takes?|took|stood at|reached) (?:only |just )?[$€£]?$"
)
_FIRST = re.compile(
    r"\b(?:start(?:s|ed|ing)?|beg[aiu]n(?:s|ning)?|open(?:s|ed|ing)?) (?:at|with) $"
)
_LAST = re.compile(r"\b(?:end(?:s|ed|ing)?|finish(?:es|ed)?|clos(?:es|ed|ing)) (?:at|on) $")
_PRONOUN = re.compile(r"^[\s\"'(]*(?:he|she|it|they|his|her|its|their|this|these|that)\b")
_MADE_UP = re.compile(r"\b(?:made|makes?|making) up (?:about |some |only |just )?~?$")
_TOTAL = re.compile(
    r"\b(?:(?:over|for|in) the (?:\w+ )?(?:days?|weeks?|months?|quarters?|years?|season|period)\b|"
    r"totals?|totall?ed|together|sum(?:med)?|in all|altogether|combined|overall|adds? up|both)\b"
)
_MEAN = re.compile(r"\b(?:averag\w+|mean|typical\w*|per (?:day|week|month|quarter|year))\b")
_CHANGES = frozenset(["chang", "incre", "decre", "growt", "diffe", "yoy", "delta", "varia", "up"])
Found = tuple[Table, Cell]
Result = tuple[float, str]
Mention = tuple[int, int, frozenset[int]]


@dataclass(slots=True)
class Named:
    """Rows and columns of a table that a sentence names, in their order."""

    rows: list[Mention]
    columns: list[Mention]


class Free:
    """Reads one output against the tables of one input."""

    def __init__(self, judge: Judge) -> None:
        self.judge = judge
        self.tables: list[Table] = judge.source.tables
        self._index = [
            (
                _by_key({c.row: t.rows.get(c.row, frozenset()) for c in t.cells}),
                _by_key({c.column: t.columns.get(c.column, frozenset()) for c in t.cells}),
            )
            for t in self.tables
        ]
        self._words: dict[tuple[int, str], tuple[frozenset[int], frozenset[int]]] = {}
        self._named: dict[tuple[int, int], Named] = {}
        self.cells: dict[int, Found] = {}

    def run(self) -> None:
        """Levels first, then what follows from them, twice as one may follow from another."""
        works = [w for w in self.judge.works if not w.verdict]
        for work in works:
            self.level(work)
        for _ in range(2):
            for work in works:
                if not work.verdict and (self.judge.restated(work) or self.derived(work)):
                    self.judge.tell(work)
        for work in works:
            if not work.verdict:
                self.final(work)

    # ------------------------------------------------------------------ names

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
            before = self.judge.before(sentence)
            compared = _COMPARED.search(sentence.low[:start][-24:])
            if before is None or compared or not _PRONOUN.match(sentence.low):
                return None
            earlier = self.named(at, before)
            mentions = earlier.rows if rows else earlier.columns
            keys = table.rows if rows else table.columns
            return (
                _run(mentions, keys, table.prose) | _run(mentions[::-1], keys, table.prose) or None
            )
        if _is_joined(sentence, span):
            return frozenset().union(*(m[2] for m in mentions)) if rows else None
        keys = table.rows if rows else table.columns
        left = [m for m in mentions if m[1] <= start][::-1]
        # "17 points": the unit may be the name of a column
        right = [m for m in mentions if m[0] > start]
        numbers = [w.span.start - sentence.start for w in sentence.works[:60]]
        after = _run(right, keys, table.prose)
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
        found = _run(binding, keys, table.prose) | after
        told = [m for m in binding if not _COMPARED.search(sentence.low[: m[0]][-24:])]
        found |= _run(told, keys, table.prose)
        if rows and binding and any(binding[0][1] <= e[0] for e in ends):
            # another number has come since: the subject of the sentence may be meant again
            found |= _run(mentions, keys, table.prose)
        return self._with_earlier(table, sentence, found, rows) if found else None

    def _says_change(self, work: Work) -> bool:
        """Whether a number is told as a change; what "makes up 40%" is a share."""
        before, after = self.judge.context(work)
        if _MADE_UP.search(before) or _is_joined(work.sentence, work.span):
            return False
        if work.span.unit == "%" and after.startswith(" of "):
            return False
        return self.judge.says_change(work)

    def _is_noun(self, at: int, work: Work) -> bool:
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

    # ------------------------------------------------------------------ levels

    def level(self, work: Work) -> bool:
        """Read a number as a repeated cell of the row and column that its sentence names."""
        span = work.span
        after = self.judge.context(work)[1]
        if span.text.endswith(" times") and not _AS_MUCH.match(after):
            # "16 times" counts, "3 times as long" compares
            span.unit = ""
        if span.unit in ("x", "part") or work.verdict:
            return False
        change = self._says_change(work)
        elsewhere = ""
        for at, table in enumerate(self.tables):
            low, high = span.interval()
            close = [*table.near(low, high), *table.near(low / span.scale, high / span.scale)]
            matching = [c for _, c in _unique((table, c) for c in close) if _repeats(span, c)]
            if not matching:
                continue
            rows, columns = self.allowed(at, work, True), self.allowed(at, work, False)
            for cell in matching:
                shared = self._shared(at, table, cell, work.sentence)
                noun = columns is not None and self._is_noun(at, work)
                if change and not noun and not self._told_change(table, cell, shared):
                    continue
                joined = _is_joined(work.sentence, span) and (
                    _printed_pair(work, cell) or _beside(table, cell, work)
                )
                if cell.score and not joined and not _OF.search(work.sentence.low):
                    continue
                fits = (rows is None or cell.row in rows) and (
                    columns is None
                    or cell.column in columns
                    or table.prose
                    or not table.columns.get(cell.column)
                )
                small = not span.unit and not span.decimals and span.value <= 12
                if joined or (fits and (shared or not small)):
                    if not joined and not self._extreme(work, table, cell):
                        elsewhere = elsewhere or f"{cell.text} ({cell.label}) is not the extreme"
                        continue
                    self.cells[span.start] = table, cell
                    kind = "level" if span.unit == "%" else self.judge.kind(work)
                    said = f" ({cell.label})" if cell.label else ""
                    return work.settle("supported", kind, f"the input says {cell.text}{said}")
                elsewhere = elsewhere or f"{cell.text} is said of another: {cell.label}"
        bound = None if change else self._bound(work)
        if bound:
            text = f"{bound.label} is {bound.text}"
            return work.settle("contradicted", self.judge.kind(work), text)
        work.derivation = elsewhere
        return False

    def _bound(self, work: Work) -> Cell | None:
        """The only cell of the row and column that "X was" names, where another was printed."""
        low = work.sentence.low
        left = self.judge.context(work)[0]
        said = _IS.search(left)
        if _PER_UNIT.search(left[-40:]) or _TOTAL.search(low) or _MEAN.search(low):
            return None
        for at, table in enumerate(self.tables):
            if not said and not self._is_noun(at, work):
                continue
            rows, columns = self.allowed(at, work, True), self.allowed(at, work, False)
            if table.prose or not rows or not columns or len(rows) > 1 or len(columns) > 1:
                continue
            row = table.lines.get(("row", min(rows)), [])
            cells = [c for c in row if c.column in columns]
            own, theirs = work.span.unit, cells[0].unit if len(cells) == 1 else "none"
            if own == theirs or {own, theirs} <= {"", "money", "points"}:
                return cells[0]
        return None

    def _shared(self, at: int, table: Table, cell: Cell, sentence: Sentence) -> int:
        """How many mentions of a sentence, or of the one before, name a cell's row or column."""
        count = 0
        for spoken in (sentence, self.judge.before(sentence)):
            if spoken is not None:
                named = self.named(at, spoken)
                count += sum(cell.row in m[2] for m in named.rows)
                count += sum(cell.column in m[2] for m in named.columns)
            if count:
                break
        return count

    def _told_change(self, table: Table, cell: Cell, shared: int) -> bool:
        """Whether the input itself tells a cell as a change."""
        words = table.columns.get(cell.column, frozenset()) | table.rows.get(cell.row, frozenset())
        told = bool(words & _CHANGES) and shared > 0
        return told or (table.prose and shared > 1)

    def _extreme(self, work: Work, table: Table, cell: Cell) -> bool:
        """Whether a number told as highest or lowest, first or last, is so in its series."""
        left = self.judge.context(work)[0]
        if _NO_EXTREME.search(left[-30:]):
            return True
        series = [[c for c in s if c.unit == cell.unit] for s in table.series(cell)]
        for pattern, pick in ((_HIGH, max), (_LOW, min)):
            if pattern.search(left) and series and not table.prose:
                return any(cell.value == pick(c.value for c in s) for s in series)
            if pattern.search(left) and table.prose and cell.column in table.when_column:
                return any(cell.value == pick(c.value for c in s) for s in series)
        if cell.column in table.when_column:
            for pattern, place in ((_FIRST, 0), (_LAST, -1)):
                if pattern.search(left):
                    return any(s[place] is cell for s in series)
        return True

    # ------------------------------------------------------------------ what follows from cells

    def derived(self, work: Work) -> bool:
        """Derive a number from cells that its sentence states or names, nearest first."""
        span = work.span
        if span.unit in PERIOD_WORDS and self._lasts(work):
            return True
        wanted = span.interval()
        for pool, chance in self._circles(work):
            for by in {1.0, span.scale}:
                bounds = wanted[0] / by, wanted[1] / by
                found = unlikely(
                    self._results(work, pool, chance), bounds, chance, 2 * span.step / by
                )
                if found:
                    kind = (
                        "point change" if span.unit in ("pp", "points") else self.judge.kind(work)
                    )
                    text = f"{found[1]} = {show(found[0] * by)}, printed as {span.text}"
                    if span.unit in ("", "money"):
                        # a sum may be the base of a share told later
                        own = Cell(
                            found[0] * by, span.unit, span.decimals, 1.0, span.text, -1, -1, ""
                        )
                        self.cells[span.start] = pool[0][0] if pool else self.tables[0], own
                    return work.settle("supported", kind, text)
        return False

    def _circles(self, work: Work) -> Iterator[tuple[list[Found], float]]:
        """Cells that may be operands, from the nearest outwards, with the limit on chance."""
        sentence, spot = work.sentence, work.span.start
        near = sorted(sentence.works, key=lambda w: abs(w.span.start - spot))
        own = [self.cells[w.span.start] for w in near if w.span.start in self.cells][:5]
        named = self._cells_named(work)
        at = sentence.index
        carried = [
            self.cells[w.span.start]
            for earlier in self.judge.sentences[max(0, at - 3) : at][::-1]
            for w in earlier.works[:20]
            if w.span.start in self.cells
        ]
        yield from (([own[0], other], 0.6) for other in own[1:2])
        for table, base in self._base(work):
            yield from (([(table, base), (t, c)], 0.6) for t, c in own[:1] if t is table)
        if len(carried) > 1 and _score_of(carried):
            yield carried[:2], 0.5
        yield _unique([*own[:1], *named])[:3] if len(named) < 3 else [], 0.6
        for table, cell in _unique([*own[:1], *named[:2]]):
            yield from (([(table, cell), (table, c)], 0.6) for c in _previous(table, cell))
        heads = [(t, t.cells[0]) for t in self.tables[:1]]
        for table, cell in _unique([*own[:1], *named[:1], *carried[:1], *heads]):
            yield from (
                ([(table, a), (table, b)], 0.6) for a, b in _spans(table, cell, sentence.low)
            )
        yield own, 0.25
        yield carried[:1], 0.25
        pool = [*own, *named]
        yield _unique(pool)[:10], 0.16
        sums = [(t, c) for t, c in [*own, *carried] if c.row < 0]
        yield _unique([*own[:2], *sums[:2]]) if sums else [], 0.25
        around = [(t, c) for t, cell in pool[:4] for c in _neighbours(t, cell)]
        around = around or [(t, c) for t in self.tables[:2] for c in _ends(t)]
        short = [t for t in self.tables if t.prose and len(t.cells) <= 10]
        around += [(t, c) for t in short for c in t.cells]
        yield _unique([*pool[:8], *carried[:6], *around])[:14], 0.16
        mates = [(t, c) for t, cell in pool[:2] for c in t.cells if c.row == cell.row]
        yield _unique([*pool[:4], *mates[:6]]), 0.08

    def _base(self, work: Work) -> list[Found]:
        """The cells of what a share is told of: "60% of net sales"."""
        after = work.sentence.low[work.span.end - work.sentence.start :][:60]
        found: list[Found] = []
        for at, table in enumerate(self.tables):
            named = self.named(at, work.sentence)
            for kind, mentions in (("row", named.rows), ("column", named.columns)):
                right = [m for m in mentions if m[0] >= work.span.end - work.sentence.start]
                gap = after[: right[0][0] - (work.span.end - work.sentence.start)] if right else "-"
                if _PART_OF.match(gap):
                    keys = table.rows if kind == "row" else table.columns
                    for i in _run(right, keys, table.prose):
                        found += [(table, c) for c in table.lines.get((kind, i), [])[:4]]
        return found

    def _cells_named(self, work: Work) -> list[Found]:
        """The cells in the rows and columns that a sentence, or the one before, names."""
        found: list[Found] = []
        before = self.judge.before(work.sentence)
        for at, table in enumerate(self.tables):
            named = self.named(at, work.sentence)
            rows = {i for m in named.rows for i in m[2]}
            columns = {i for m in named.columns for i in m[2]}
            if not rows and not columns:
                continue
            if before is not None and not (rows and columns):
                earlier = self.named(at, before)
                rows = rows or {i for m in earlier.rows for i in m[2]}
                columns = columns or {i for m in earlier.columns for i in m[2]}
            both = bool(rows and columns) and not table.prose
            lines = [("row", i) for i in sorted(rows)[:20]]
            lines += [("column", i) for i in sorted(columns)[:20]] if not both else []
            for name in lines:
                found += [
                    (table, c)
                    for c in table.lines.get(name, ())[:40]
                    if not both or c.column in columns
                ]
        return _unique(found)[:12]

    def _results(self, work: Work, pool: list[Found], chance: float) -> Iterator[Result]:
        """What cells give in the unit of a number: changes, shares, ratios, sums and means."""
        span, low = work.span, work.sentence.low
        total, mean = _TOTAL.search(low), _MEAN.search(low)
        if span.unit in ("", "money", "points", "pp", "%") and (total or mean) and chance < 0.5:
            yield from _gathered(pool, self.tables, span, bool(total), bool(mean), chance > 0.2)
        change = self._says_change(work)
        if span.unit == "%" and chance < 0.5:
            yield from _complements(pool[:4], change)
            yield from _of_whole(pool[:4]) if not change else ()
        sign = direction(work.sentence, span.start, span.end) if change else 0
        for i, (table, a) in enumerate(pool):
            for other, b in pool[i + 1 :]:
                yield from _pair(span, table, a, b, other is table, sign, "" if change else low)

    def _lasts(self, work: Work) -> bool:
        """A duration: the time between the first and last label, or between two that are named."""
        span = work.span
        for at, table in enumerate(self.tables):
            for times, rows in ((table.when_row, True), (table.when_column, False)):
                named = self.named(at, work.sentence)
                spoken = {i for m in (named.rows if rows else named.columns) for i in m[2]}
                for chosen in ({i for i in spoken if i in times}, set(times)):
                    if len(chosen) < 2:
                        continue
                    length = max(times[i] for i in chosen) - min(times[i] for i in chosen)
                    if span.unit != "year":
                        length = float(len(chosen) - 1)
                    if span.value in (length, length + 1, len(chosen)):
                        text = f"the time between the labels is {show(length)}"
                        return work.settle("supported", "duration", text)
        return False

    def final(self, work: Work) -> bool:
        """The verdict on a number that nothing has supported."""
        span, elsewhere = work.span, work.derivation
        name = span.text in self.judge.source.masked and (span.decimals or span.value >= 100)
        if name or (span.spelled and not span.unit):
            return work.settle("drop", "count", "")
        if any(span.value in table.names for table in self.tables):
            return work.settle("supported", "count", "a label of the input")
        loose = span.unit in ("x", "part") and not re.search(r"\d", span.text)
        noun = any(self._is_noun(at, work) for at in range(len(self.tables)))
        if loose or (span.unit in PERIOD_WORDS and not elsewhere and not noun):
            return work.settle("unchecked", self.judge.kind(work), "no operands found for it")
        if elsewhere:
            return work.settle("contradicted", self.judge.kind(work), elsewhere)
        return work.settle("unsupported", self.judge.kind(work), "not in the input, not derivable")


# --------------------------------------------------------------------------- names


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


def _run(
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


def _is_joined(sentence: Sentence, span: Span) -> bool:
    """Whether a number is one side of a score such as 104-98."""
    start, end = span.start - sentence.start, span.end - sentence.start
    return bool(
        re.search(r"\d(?:[-\u2013]| to )$", sentence.low[:start][-5:])
        or re.match(r"(?:[-\u2013]| to )\d", sentence.low[end:][:5])
    ) and not _FROM.search(sentence.low[:end][-24:])


def _printed_pair(work: Work, cell: Cell) -> bool:
    """Whether a score stands so in the input's own words."""
    start = work.span.start - work.sentence.start
    pair = re.search(r"\d{1,3}-\d{1,3}", work.sentence.low[max(0, start - 4) : start + 7])
    return pair is not None and pair[0] in cell.score


def _beside(table: Table, cell: Cell, work: Work) -> bool:
    """Whether the other side of a score stands in the row or column of a cell."""
    start, end = work.span.start - work.sentence.start, work.span.end - work.sentence.start
    before = re.search(r"(\d+)(?:[-\u2013]| to )$", work.sentence.low[:start][-9:])
    after = re.match(r"(?:[-\u2013]| to )(\d+)", work.sentence.low[end:][:9])
    others = {float(m[1]) for m in (before, after) if m}
    return any(c is not cell and c.value in others for line in table.series(cell) for c in line)


# --------------------------------------------------------------------------- numbers


def _repeats(span: Span, cell: Cell) -> bool:
    """Whether a printed number is a cell's, rounding, hedge and scale allowed for."""
    if not _same_unit(span, cell):
        return False
    value, (low, high) = abs(cell.value), span.interval()
    if span.sign < 0 < cell.value:
        return False
    exact = span.decimals >= cell.decimals and not span.hedge and span.scale == 1
    values = {value, value * cell.scale, value * span.scale}
    if span.scale >= 1e6 and value >= 1e3 and cell.scale == 1:
        # a table in thousands that does not say so
        values.add(value * 1e3)
    if span.unit == "%" and cell.unit == "" and value <= 1 and cell.decimals > 1:
        values.add(100 * value)
    if exact:
        return any(abs(v - span.value) <= 1e-9 * max(1.0, v) for v in values)
    return any(low <= v <= high for v in values)


def _same_unit(span: Span, cell: Cell) -> bool:
    if span.unit in PERIOD_WORDS:
        return cell.unit in (span.unit, "")
    own = {"points": "", "pp": "%"}.get(span.unit, span.unit)
    theirs = {"points": "", "pp": "%"}.get(cell.unit, cell.unit)
    if own == theirs or (cell.unit == "points" and span.unit == "pp"):
        return True
    if "%" in (own, theirs):
        return "" in (own, theirs)
    return {own, theirs} <= {"", "money"} or (own == "" and theirs in PERIOD_WORDS)


def _unique(found: Iterable[Found]) -> list[Found]:
    return list({id(cell): (table, cell) for table, cell in found}.values())


def _score_of(carried: list[Found]) -> bool:
    """Whether the last two cells told are the two sides of a score."""
    (table, a), (other, b) = carried[:2]
    return table is other and (a.row == b.row or a.column == b.column) and a.unit == b.unit == ""


def _neighbours(table: Table, cell: Cell) -> Iterator[Cell]:
    """The cells before a cell, and the first and last, in a series that time orders."""
    for series in table.series(cell):
        if len(series) > 1 and table.when(series[0], series[1]):
            place = next(k for k, c in enumerate(series) if c is cell)
            if place:
                yield series[place - 1]
            yield series[0]
            yield series[-1]


def _previous(table: Table, cell: Cell) -> Iterator[Cell]:
    """What a cell is compared with when nothing else is named: the one before, the only other."""
    for series in table.series(cell):
        place = next(k for k, c in enumerate(series) if c is cell)
        if len(series) == 2:
            yield series[1 - place]
        elif place and table.when(series[0], series[1]):
            yield series[place - 1]


def _spans(table: Table, cell: Cell, low: str) -> Iterator[tuple[Cell, Cell]]:
    """Lowest and highest where a range is spoken of, first and last where a whole period is."""
    for series in table.series(cell):
        if _RANGE.search(low):
            yield min(series, key=lambda c: c.value), max(series, key=lambda c: c.value)
        if _OVERALL.search(low):
            yield series[0], series[-1]


def _ends(table: Table) -> Iterator[Cell]:
    """First, last, highest and lowest of the only series of a table."""
    series = list(table.series(table.cells[0]))
    if len(series) == 1:
        members = series[0]
        yield from (members[0], members[-1])
        yield max(members, key=lambda c: c.value)
        yield min(members, key=lambda c: c.value)


def _gathered(
    pool: list[Found], tables: list[Table], span: Span, total: bool, mean: bool, stated: bool
) -> Iterator[Result]:
    """Sums and means of whole series and of the cells named, in the scale of the table."""
    groups: list[tuple[str, list[Cell]]] = []
    for table, cell in pool[:6]:
        groups += [(f"the series of {cell.label}", s) for s in table.series(cell)]
    if not stated:
        groups += [("a column", s) for table in tables for s in table.few_columns]
    cells = [c for _, c in pool]
    if stated:
        groups += [("the values named", cells[:k]) for k in range(2, 6) if len(cells) >= k]
    else:
        for own in ("column", "row"):
            for place in {getattr(c, own) for c in cells}:
                members = [c for c in cells if getattr(c, own) == place]
                groups.append(("the values named", members))
    for what, members in groups:
        if len(members) > 1 and all(_addable(span, c) for c in members):
            whole = sum(c.value * c.scale for c in members)
            for by in {1.0, members[0].scale}:
                if total:
                    yield abs(whole) / by, f"sum of {what} ({len(members)} values)"
                if mean:
                    yield abs(whole) / by / len(members), f"mean of {what} ({len(members)} values)"


def _complements(pool: list[Found], change: bool) -> Iterator[Result]:
    """What is missing to the whole, and how far a ratio is from one."""
    for _, cell in pool:
        if cell.unit == "%" and not change and 0 < cell.value < 100:
            yield 100 - cell.value, f"100% - {cell.text}"
        elif cell.unit == "" and cell.decimals > 1 and 0 < cell.value < 3:
            yield abs(1 - cell.value) * 100, f"{cell.text} - 1"


def _of_whole(pool: list[Found]) -> Iterator[Result]:
    """The share of a cell in its column, or in the number of all that the table tells."""
    for table, cell in pool:
        if cell.unit == "%" or cell.row < 0 or table.prose:
            continue
        column = table.lines.get(("column", cell.column), [])[:400]
        members = [c for c in column if c.unit == cell.unit]
        whole = sum(c.value for c in members)
        if len(members) > 2 and whole:
            yield cell.value / whole * 100, f"{cell.text} of {show(whole)}"
        for other in table.wholes:
            apart = other.row != cell.row and other.column != cell.column and len(members) > 1
            fits = other is not cell and not (apart and table.when_column)
            if fits and other.value > cell.value:
                yield cell.value / other.value * 100, f"{cell.text} / {other.text}"


def _addable(span: Span, cell: Cell) -> bool:
    if span.unit in ("%", "pp"):
        return cell.unit in ("%", "pp")
    return cell.unit in ("", "money", "points") or cell.unit in PERIOD_WORDS


def _pair(
    span: Span, table: Table, a: Cell, b: Cell, together: bool, sign: int, low: str
) -> Iterator[Result]:
    """What two cells give in the unit of a number; ``low`` is the sentence unless of a change."""
    times = table.when(a, b) if together else None
    if times and times[0] > times[1]:
        a, b = b, a
    if min(a.row, b.row) < 0 and span.unit not in ("%", "part", "x"):
        return
    x, y = a.value * a.scale, b.value * b.scale
    shares = a.unit == "%", b.unit == "%"
    line = together and (a.row == b.row or a.column == b.column or table.prose)
    line = line or min(a.row, b.row) < 0
    wrong_way = bool(times and sign and (y - x) * sign < 0 and max(x, y) > 0)
    if span.unit in ("%", "part", "x"):
        by = 100.0 if span.unit == "%" else 1.0
        if shares[0] != shares[1]:
            return
        for first, second, p, q in ((x, y, a, b), (y, x, b, a)):
            if not first:
                continue
            if span.unit == "%" and not (times and p is b) and line and not wrong_way:
                text = f"({q.text} - {p.text}) / {p.text}"
                yield abs(second - first) / abs(first) * by, text
            if low and line and (span.unit == "x" or abs(second) <= abs(first)):
                yield abs(second / first) * by, f"{q.text} / {p.text}"
        return
    if shares[0] and shares[1]:
        if span.unit in ("pp", "points", "") and not wrong_way:
            yield abs(x - y), f"{b.text} - {a.text}"
        return
    if shares[0] or shares[1]:
        if span.unit in ("", "money"):
            yield abs(x * y) / 100, f"{a.text} of {b.text}"
        return
    if span.unit == "pp" or wrong_way:
        return
    if span.unit == "money" and low and "money" in (a.unit, b.unit) and a.unit != b.unit:
        yield abs(x * y), f"{a.text} x {b.text}"
    for by in {1.0, a.scale}:
        yield abs(x - y) / by, f"{b.text} - {a.text}"
        if low:
            yield abs(x + y) / by, f"{a.text} + {b.text}"
    if line and x and y and _PER.search(low):
        yield abs(y / x), f"{b.text} / {a.text}"
        yield abs(x / y), f"{a.text} / {b.text}"
