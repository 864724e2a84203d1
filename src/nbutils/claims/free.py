"""Judging against any input that is no case: cells named by the words around a number.

A number repeats a cell only where row and column agree with what the sentence names next to it;
a number that no cell gives is derived from the cells that the sentence states or names, in circles
from the nearest outwards, each with the limit on chance of `derive`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from nbutils.claims import combine
from nbutils.claims.changes import show
from nbutils.claims.combine import Found, Result
from nbutils.claims.context import Sentence, direction
from nbutils.claims.derive import unlikely
from nbutils.claims.grammar import PERIOD_WORDS
from nbutils.claims.naming import Naming, is_joined, run
from nbutils.claims.tables import Cell, Table

if TYPE_CHECKING:
    from nbutils.claims.judge import Judge
    from nbutils.claims.work import Work

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
_AS_MUCH = re.compile(r" (?:as|the|more|higher|larger|that|its|what|less|lower|bigger)\b")
_PER_UNIT = re.compile(r"\bper [a-z]+\b[^,;]*$")
_EACH = re.compile(r"^(?: [a-z]+){0,2} (?:per|each|every|a) ")
_PART_OF = re.compile(r"^ of (?:the |its |their |all )?(?:[a-z]+ ){0,1}$")
_IS = re.compile(
    r"\b(?:is|was|were|are|had|has|got|takes?|took|stood at|reached) (?:only |just )?[$€£]?$"
)
_FIRST = re.compile(
    r"\b(?:start(?:s|ed|ing)?|beg[aiu]n(?:s|ning)?|open(?:s|ed|ing)?) (?:at|with) $"
)
_LAST = re.compile(r"\b(?:end(?:s|ed|ing)?|finish(?:es|ed)?|clos(?:es|ed|ing)) (?:at|on) $")
_MADE_UP = re.compile(r"\b(?:made|makes?|making) up (?:about |some |only |just )?~?$")
_TOTAL = re.compile(
    r"\b(?:(?:over|for|in) the (?:\w+ )?(?:days?|weeks?|months?|quarters?|years?|season|period)\b|"
    r"the (?:two|three|four|five|six|seven|eight|nine|ten) |totals?|totall?ed|together|"
    r"sum(?:med)?|in all|altogether|combined|overall|adds? up|both)\b"
)
_MEAN = re.compile(r"\b(?:averag\w+|mean|typical\w*|per (?:day|week|month|quarter|year))\b")
_CHANGES = frozenset(["chang", "incre", "decre", "growt", "diffe", "yoy", "delta", "varia", "up"])


class Free:
    """Reads one output against the tables of one input."""

    def __init__(self, judge: Judge) -> None:
        self.judge = judge
        self.tables: list[Table] = judge.source.tables
        self.naming = Naming(self.tables, judge.sentences)
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

    def _says_change(self, work: Work) -> bool:
        """Whether a number is told as a change; what "makes up 40%" is a share."""
        before, after = self.judge.context(work)
        if _MADE_UP.search(before) or is_joined(work.sentence, work.span):
            return False
        if work.span.unit == "%" and after.startswith(" of "):
            return False
        return self.judge.says_change(work)

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
            matching = [
                c for _, c in combine.unique((table, c) for c in close) if combine.repeats(span, c)
            ]
            if not matching:
                continue
            rows, columns = (
                self.naming.allowed(at, work, True),
                self.naming.allowed(at, work, False),
            )
            rows = rows if _holds(table, "row", rows, work) else None
            columns = columns if _holds(table, "column", columns, work) else None
            for cell in matching:
                lasts = span.unit in PERIOD_WORDS and cell.unit == span.unit
                shared = self._shared(at, table, cell, work.sentence)
                noun = columns is not None and self.naming.is_noun(at, work)
                if change and not noun and not self._told_change(table, cell, shared):
                    continue
                joined = is_joined(work.sentence, span) and (
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
                if joined or lasts or (fits and (shared or not small)):
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
        if _PER_UNIT.search(left[-40:]) or _EACH.match(self.judge.context(work)[1]):
            return None
        if _TOTAL.search(low) or _MEAN.search(low):
            return None
        for at, table in enumerate(self.tables):
            if not said and not self.naming.is_noun(at, work):
                continue
            rows, columns = (
                self.naming.allowed(at, work, True),
                self.naming.allowed(at, work, False),
            )
            if table.prose or not rows or len(rows) > 1 or len(columns or "1") > 1:
                continue
            row = table.lines.get(("row", min(rows)), [])
            cells = [c for c in row if columns is None or c.column in columns]
            own, theirs = work.span.unit, cells[0].unit if len(cells) == 1 else "none"
            if own == theirs or {own, theirs} <= {"", "money", "points"}:
                return cells[0]
        return None

    def _shared(self, at: int, table: Table, cell: Cell, sentence: Sentence) -> int:
        """How many mentions of a sentence, or of the one before, name a cell's row or column."""
        count = 0
        for spoken in (sentence, self.judge.before(sentence)):
            if spoken is not None:
                named = self.naming.named(at, spoken)
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
        if len(carried) > 1 and combine.score_of(carried):
            yield carried[:2], 0.5
        yield combine.unique([*own[:1], *named])[:3] if len(named) < 3 else [], 0.6
        for table, cell in combine.unique([*own[:1], *named[:2]]):
            yield from (([(table, cell), (table, c)], 0.6) for c in combine.previous(table, cell))
        heads = [(t, t.cells[0]) for t in self.tables[:1]]
        for table, cell in combine.unique([*own[:1], *named[:1], *carried[:1], *heads]):
            yield from (
                ([(table, a), (table, b)], 0.6) for a, b in combine.spans(table, cell, sentence.low)
            )
        yield own, 0.25
        yield carried[:1], 0.25
        pool = [*own, *named]
        yield combine.unique(pool)[:10], 0.16
        sums = [(t, c) for t, c in [*own, *carried] if c.row < 0]
        yield combine.unique([*own[:2], *sums[:2]]) if sums else [], 0.25
        around = [(t, c) for t, cell in pool[:4] for c in combine.neighbours(t, cell)]
        around = around or [(t, c) for t in self.tables[:2] for c in combine.ends(t)]
        short = [t for t in self.tables if t.prose and len(t.cells) <= 10]
        around += [(t, c) for t in short for c in t.cells]
        yield combine.unique([*pool[:8], *carried[:6], *around])[:14], 0.16
        mates = [(t, c) for t, cell in pool[:2] for c in t.lines.get(("row", cell.row), ())[:8]]
        yield combine.unique([*pool[:4], *mates[:6]]), 0.08

    def _base(self, work: Work) -> list[Found]:
        """The cells of what a share is told of: "60% of net sales"."""
        after = work.sentence.low[work.span.end - work.sentence.start :][:60]
        found: list[Found] = []
        for at, table in enumerate(self.tables):
            named = self.naming.named(at, work.sentence)
            for kind, mentions in (("row", named.rows), ("column", named.columns)):
                right = [m for m in mentions if m[0] >= work.span.end - work.sentence.start]
                gap = after[: right[0][0] - (work.span.end - work.sentence.start)] if right else "-"
                if _PART_OF.match(gap):
                    keys = table.rows if kind == "row" else table.columns
                    for i in run(right, keys, table.prose):
                        found += [(table, c) for c in table.lines.get((kind, i), [])[:4]]
        return found

    def _cells_named(self, work: Work) -> list[Found]:
        """The cells in the rows and columns that a sentence, or the one before, names."""
        found: list[Found] = []
        before = self.judge.before(work.sentence)
        for at, table in enumerate(self.tables):
            named = self.naming.named(at, work.sentence)
            rows = {i for m in named.rows for i in m[2]}
            columns = {i for m in named.columns for i in m[2]}
            if not rows and not columns:
                continue
            if before is not None and not (rows and columns):
                earlier = self.naming.named(at, before)
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
        return combine.unique(found)[:12]

    def _results(self, work: Work, pool: list[Found], chance: float) -> Iterator[Result]:
        """What cells give in the unit of a number: changes, shares, ratios, sums and means."""
        span, low = work.span, work.sentence.low
        total, mean = _TOTAL.search(low), _MEAN.search(low)
        if span.unit in ("", "money", "points", "pp", "%") and (total or mean) and chance < 0.5:
            yield from combine.gathered(
                pool, self.tables, span, bool(total), bool(mean), chance > 0.2
            )
        change = self._says_change(work)
        if span.unit == "%" and chance < 0.5:
            yield from combine.complements(pool[:4], change)
            yield from combine.of_whole(pool[:4]) if not change else ()
        sign = direction(work.sentence, span.start, span.end) if change else 0
        for i, (table, a) in enumerate(pool):
            for other, b in pool[i + 1 :]:
                yield from combine.pair(
                    span, table, a, b, other is table, sign, "" if change else low
                )

    def _lasts(self, work: Work) -> bool:
        """A duration: the time between the first and last label, or between two that are named."""
        span = work.span
        for at, table in enumerate(self.tables):
            for times, rows in ((table.when_row, True), (table.when_column, False)):
                named = self.naming.named(at, work.sentence)
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
        if self.judge.left_out(work):
            return True
        if any(span.value in table.names for table in self.tables):
            return work.settle("supported", "count", "a label of the input")
        loose = span.unit in ("x", "part") and not re.search(r"\d", span.text)
        noun = any(self.naming.is_noun(at, work) for at in range(len(self.tables)))
        if loose or (span.unit in PERIOD_WORDS and not elsewhere and not noun):
            return work.settle("unchecked", self.judge.kind(work), "no operands found for it")
        if elsewhere:
            return work.settle("contradicted", self.judge.kind(work), elsewhere)
        return work.settle("unsupported", self.judge.kind(work), "not in the input, not derivable")


def _holds(table: Table, kind: str, named: frozenset[int] | None, work: Work) -> bool:
    """Whether the rows or columns named hold any number that the one printed could be."""
    lines = (table.lines.get((kind, i), [])[:60] for i in sorted(named or ())[:20])
    return any(combine.same_unit(work.span, cell) for line in lines for cell in line)


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
