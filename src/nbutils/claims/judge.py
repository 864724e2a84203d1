"""Judging: each number is recomputed from its operands and given a verdict."""

from __future__ import annotations

import re
from itertools import pairwise

from nbutils.claims import (
    amounts,
    binding,
    changes,
    derive,
    durations,
    formulas,
    groups,
    levels,
    masks,
    phrases,
    statistics,
)
from nbutils.claims.changes import show
from nbutils.claims.context import Sentence, proposes, sentences
from nbutils.claims.free import Free
from nbutils.claims.grammar import Span
from nbutils.claims.levels import factor, same, scaled
from nbutils.claims.pairs import Pair, ordered
from nbutils.claims.source import Literal, Operand, Series, Source, ordered_stems
from nbutils.claims.verdict import Claim
from nbutils.claims.work import CROWDED, Work


class Judge:
    """Reads one output against one source."""

    def __init__(self, source: Source, output: str) -> None:
        self.source = source
        self.output = output
        scanned = masks.scan(output)
        self.sentences = sentences(output, source, scanned.labels)
        self.works = self._works(scanned.spans, output)
        self.used: list[Pair] = []
        # moves read as a whole: where the words begin and end, and the two values
        self.moves: list[tuple[int, int, Pair]] = []
        self.means: list[tuple[int, Pair]] = []
        self.told: dict[tuple[float, str], Work] = {}
        self.regression = statistics.regression(self)

    def _works(self, spans: list[Span], output: str) -> list[Work]:
        works, at = [], 0
        for span in spans:
            while at + 1 < len(self.sentences) and self.sentences[at].end <= span.start:
                at += 1
            works.append(Work(span, self.sentences[at]))
            self.sentences[at].works.append(works[-1])
        for left, right in zip(works[-2::-1], works[:0:-1], strict=False):
            phrases.carry(output, left.span, right.span)
        for left, right in pairwise(works):
            phrases.carry(output, left.span, right.span)
        return works

    def run(self) -> list[Claim]:
        """Proposals set apart, every other number judged against the case or the tables."""
        for work in self.works:
            if proposes(work.sentence, work.span.start):
                work.settle("proposal", self.kind(work), "part of a proposal")
        if self.source.case:
            self._against_case()
        else:
            Free(self).run()
        return [
            Claim(w.span.start, w.span.end, w.span.text, w.verdict, w.kind, w.derivation)
            for w in self.works
            if w.verdict != "drop"
        ]

    def _against_case(self) -> None:
        """Levels first, then changes between them, then what follows from the changes."""
        groups.read_groups(self)
        for work in self.works:
            if not work.verdict:
                self.level(work)
        self.means = self._mean_pairs()
        for work in self.works:
            if not work.verdict and len(work.sentence.works) > CROWDED:
                work.settle("unchecked", self.kind(work), "too many numbers in one sentence")
            if not work.verdict:
                self.change(work)
            self.tell(work)
        settled, tried = 0, dict[int, int]()
        for _ in range(2):
            # a number may follow from one that stands after it
            for work in self.works:
                if not work.verdict and tried.get(id(work)) != settled:
                    tried[id(work)] = settled
                    if self.follows(work):
                        settled += 1
                        self.tell(work)
        formulas.read_formulas(self)
        for work in self.works:
            if not work.verdict:
                self.final(work)

    def tell(self, work: Work) -> None:
        """Remember a derived number, so that a later sentence may repeat it."""
        derived = work.derivation and not work.derivation.startswith("the input says")
        slip = work.verdict == "unit_confusion"
        if work.operand is not None and work.operand.note.startswith("mean"):
            self.told.setdefault((work.span.value, work.span.unit), work)
        if slip or (
            work.verdict == "supported" and derived and work.kind not in ("level", "duration")
        ):
            unit = "pp" if work.span.unit == "points" else work.span.unit
            self.told.setdefault((work.span.value, unit), work)

    def recent(self, work: Work, back: int) -> list[Work]:
        """The supported numbers of a sentence and those before it, the nearest first."""
        found: list[Work] = []
        for index in range(work.sentence.index, max(-1, work.sentence.index - back - 1), -1):
            for other in reversed(self.sentences[index].works):
                if other is not work and other.verdict == "supported":
                    found.append(other)
                if len(found) >= 12:
                    return found
        return found

    def _mean_pairs(self) -> list[tuple[int, Pair]]:
        """Two means told in one sentence: what later sentences call the change."""
        found = []
        for sentence in self.sentences:
            told = [o for _, o in sentence.levels if o.note.startswith("mean")]
            found += [
                (sentence.index, ordered(a, b, "the means told before")) for a, b in pairwise(told)
            ]
        return found

    def context(self, work: Work) -> tuple[str, str]:
        """The words of the sentence before and after a number."""
        s = work.sentence
        return (
            s.low[max(0, work.span.start - s.start - 60) : work.span.start - s.start],
            s.low[work.span.end - s.start : work.span.end - s.start + 40],
        )

    def before(self, sentence: Sentence) -> Sentence | None:
        """The sentence before, if any."""
        return self.sentences[sentence.index - 1] if sentence.index else None

    def says_change(self, work: Work) -> bool:
        """Whether the words next to a number make it a change rather than a level."""
        if work.says_change is None:
            work.says_change = self._says_change(work)
        return work.says_change

    def _says_change(self, work: Work) -> bool:
        before, after = self.context(work)
        if work.span.sign > 0:
            return True
        if work.span.sign and work.span.unit in ("%", "", "money"):
            return not (
                phrases.LEVEL_BEFORE.search(before) or levels.attached(work.sentence, work.span)
            )
        told_by = phrases.CHANGE_BEFORE.search(before)
        if told_by and told_by[0].rstrip().endswith(",") and re.match(r" to [\d.]+%", after):
            return False
        if told_by and work.span.unit == "%" and told_by[0].startswith("total of"):
            return False
        if told_by and "followed by" not in before and not self._metric_word(told_by[0]):
            return True
        if phrases.CHANGE_AFTER.match(after):
            return True
        # "8 points (18%)", "$4 or 9%": the percent of a change just told
        match = phrases.PERCENT_OF.search(before) if work.span.unit == "%" else None
        told = match is not None and not levels.averaged_after(after)
        if match is not None and match["time"]:
            told = any(s.unit in ("days", "hours") for s in self.source.series[:1])
        return told and not re.match(r" ?(?:to|and|→|-|\u2013) ?\d", after)

    def _metric_word(self, words: str) -> bool:
        """Whether "growth was 0.8%" only names the metric."""
        main = self.source.main
        return bool(main and phrases.IS.search(words) and main.words & set(ordered_stems(words)))

    def level_context(self, work: Work) -> bool:
        """Whether the word before a number makes it a level."""
        return bool(phrases.LEVEL_BEFORE.search(self.context(work)[0])) or bool(
            levels.attached(work.sentence, work.span)
        )

    # ------------------------------------------------------------------ levels

    def is_level(self, work: Work, operand: Operand, by: float) -> None:
        """Write a number down as a level, an operand for what follows in the sentence."""
        printed = work.span.value * by * (work.span.sign or 1)
        operand = Operand(operand.value, printed, operand.time, operand.series, operand.note)
        work.operand = operand
        work.sentence.levels.append((work.span.start, operand))
        work.sentence.levels.sort(key=lambda item: item[0])
        kind = "money" if work.span.unit == "money" else "level"
        work.settle("supported", kind, f"{operand.note}: {show(operand.value)}")

    def level(self, work: Work) -> None:
        """Try to read a number as a level; leaves the verdict open if it is none."""
        span = work.span
        in_points = span.unit in ("pp", "points")
        gap = in_points and any(s.gap for s in self.source.series) and binding.says_gap(work)
        near = self.context(work)
        gap_level = gap and bool(
            phrases.GAP_OF.search(near[0]) or phrases.MORE_LIKELY.match(near[1])
        )
        if span.unit in ("x", "part") or (in_points and not gap):
            return
        if self.says_change(work) and not gap_level:
            return
        if self.regression and statistics.statistic(self, work):
            return
        if phrases.OUT_OF.match(near[1]) and not span.unit and not span.decimals:
            # "85 of 120 deals" counts, whatever the series says
            self.literal(work)
            return
        bounded = span.hedge in ("over", "under", "at least", "at most")
        if bounded and self._threshold(work):
            return
        for series in self.source.series:
            if series.main and bounded:
                continue
            by = self.factor(span, series)
            if by is None or (series.gap and not series.main and not binding.says_gap(work)):
                continue
            operand = levels.find(self, work, series, scaled(span, by))
            if operand:
                self.is_level(work, operand, by)
                return
        self.literal(work)

    def _threshold(self, work: Work) -> bool:
        """Read "Never above 0.22": a value of the series, or a bound close to its extremes."""
        main, span = self.source.main, work.span
        by = self.factor(span, main) if main else None
        if main is None or by is None:
            return False
        half = span.step / 2 * by
        exact = (span.value * by - half, span.value * by + half)
        operand = levels.find(self, work, main, exact)
        if operand is None:
            known = sorted(
                (i for i, v in enumerate(main.values) if v is not None),
                key=lambda i: main.values[i] or 0.0,
            )
            wide = (0.9 * exact[0], 1.1 * exact[1])
            operand = levels.first_inside(levels.points(main, (known[0], known[-1])), wide)
        if operand:
            self.is_level(work, operand, by)
        return operand is not None

    def factor(self, span: Span, series: Series) -> float | None:
        """`levels.factor`, with the scale of a series in thousands and gaps told in points."""
        by = factor(span, series.unit)
        case = self.source.case
        if (
            series.unit == "percent"
            and not span.unit
            and not span.decimals
            and (span.noun and span.noun not in phrases.FUNCTION)
        ):
            return None
        if by is None and span.unit in ("pp", "points") and series.gap:
            return {"rate": 0.01}.get(series.unit, 1.0)
        if by is not None and series.main and case and case.scale != 1 and span.value >= case.scale:
            return by / case.scale
        return by

    def literal(self, work: Work) -> bool:
        """A number repeated from the input, where it is said of the same thing."""
        span = work.span
        unit = self.source.case.unit if self.source.case else ""
        if statistics.quoted(self, work):
            return True
        for literal in self.source.literals:
            # a figure of the regression counts beside its predictor only
            figure = literal.line == "regression" and (span.decimals or span.unit)
            if figure or not self._repeats(work, literal):
                continue
            by = factor(span, unit) if unit in ("rate", "percent") else 1.0
            if by is not None and span.unit in ("%", "", "money"):
                value = span.value * by * (span.sign or 1)
                note = f"the input says {literal.span.text}"
                work.operand = Operand(value, value, None, None, note)
                cohort = self.source.case.cohort if self.source.case else None
                if span.decimals or span.unit or (span.value >= 10 and span.value != cohort):
                    work.sentence.levels.append((span.start, work.operand))
                    work.sentence.levels.sort(key=lambda item: item[0])
            kind = "level" if span.unit == "%" else self.kind(work)
            return work.settle("supported", kind, f"the input says {literal.span.text}")
        return False

    def _joined(self, span: Span) -> bool:
        """A score such as 10-4 that stands so in the input."""
        match = re.search(r"\d{1,3}-\d{1,3}", self.output[max(0, span.start - 4) : span.end + 4])
        return match is not None and match[0] in self.source.text

    def restated(self, work: Work) -> bool:
        """A number that the text has already derived."""
        span = work.span
        unit = "pp" if span.unit == "points" else span.unit
        other = self.told.get((span.value, unit))
        if other is None or (not span.unit and span.value <= 12):
            return False
        if other.verdict == "unit_confusion":
            return work.settle(other.verdict, other.kind, other.derivation)
        work.operand = other.operand
        text = f"restates {other.span.text}: {other.derivation}"
        return work.settle("supported", other.kind, text)

    def _repeats(self, work: Work, literal: Literal) -> bool:
        """Whether a number is the input's, and for small or bare ones said of the same thing."""
        span = work.span
        if same(span, literal.span):
            if span.unit == "%" and self.says_change(work):
                return len(literal.words & work.sentence.words) > 1
            plain = not span.unit and span.value <= 12 and not span.decimals
            if plain and self._joined(span):
                return True
            return not plain or bool(literal.words & work.sentence.words)
        bare = not span.unit or not literal.span.unit
        if not bare or abs(span.value - literal.span.value) > 1e-9 * span.value:
            return False
        if span.spelled or (literal.span.spelled and span.decimals):
            return False
        return bool(literal.words & work.sentence.words)

    # ------------------------------------------------------------------ changes

    def change(self, work: Work) -> bool:
        """Try to read a number as a change in points, percent or the metric's own unit."""
        span, unit = work.span, self.source.case.unit if self.source.case else ""
        if self.regression and statistics.statistic(self, work):
            return True
        in_points = {"rate": 100.0, "percent": 1.0}.get(unit, 1.0)
        if span.unit in ("pp", "points"):
            return changes.judge_change(self, work, "point change", in_points)
        if span.unit == "%":
            if phrases.LEVEL_BEFORE.search(self.context(work)[0]) and not self.says_change(work):
                return False
            told = self.says_change(work) or unit not in ("rate", "percent")
            before, after = self.context(work)
            told = told or bool(phrases.OF_BASE.match(after) or phrases.IN_BRACKETS.search(before))
            told = told or any(
                w.pair is not None and w.span.end < span.start for w in work.sentence.works[:20]
            )
            if told and changes.judge_change(self, work, "relative change", 0.0):
                return True
            if unit in ("rate", "percent") and self.says_change(work):
                return changes.confusion(self, work, in_points)
            return False
        if changes.in_input(self, work):
            return True
        if span.unit in ("", "money", "day", "hour") and (span.unit or not span.spelled):
            if changes.native(self, work):
                return True
            bare = (
                span.unit == ""
                and unit in ("rate", "percent")
                and (span.decimals < 2 or unit == "percent")
                and (self.says_change(work) or span.noun in phrases.FUNCTION or not span.noun)
                and not phrases.counts_things(span)
            )
            return bare and changes.judge_change(self, work, "point change", in_points)
        return False

    # ------------------------------------------------------------------ everything else

    def follows(self, work: Work) -> bool:
        """Try counts, money, durations, shares, statistics and what the input repeats."""
        return (
            self.restated(work)
            or self.literal(work)
            or amounts.count(self, work)
            or durations.duration(self, work)
            or (work.span.unit == "x" and amounts.ratio(self, work))
            or amounts.noise(self, work)
            or derive.derive(self, work)
            or self._elliptic(work)
            or changes.deviation(self, work)
        )

    def _elliptic(self, work: Work) -> bool:
        """A distance to a level just named: "week 4 is 2.8 points above, week 5 is 1.3"."""
        span, main = work.span, self.source.main
        unit = self.source.case.unit if self.source.case else ""
        if span.spelled or main is None or span.unit in ("%", "x", "part"):
            return False
        bare = not span.unit and unit in ("rate", "percent")
        if not bare and span.unit not in ("pp", "points") and self.factor(span, main) is None:
            return False
        before = self.before(work.sentence)
        named = [level for _, level in [*work.sentence.levels, *(before.levels if before else [])]]
        if not bare:
            # only from a mean or base that the text has set
            named = [o for o in named if o.note.startswith("mean")] or named[-1:]
        tied = levels.attached(work.sentence, span) or self._subject(work)
        by = {"rate": 100.0, "percent": 1.0}.get(unit) or 1 / (self.factor(span, main) or 1.0)
        for low, high in tied[:2]:
            here = main.points[low] if high - low == 1 else None
            if here is None:
                continue
            for level in named[:6]:
                away = abs(here.value - level.value) * by
                if levels.inside(away, span.interval()):
                    work.pair, work.by = Pair(level, here, "against the level named"), by
                    text = f"period {low + 1} against {level.note}: {show(away)}"
                    return work.settle("supported", "point change", text)
        return False

    def _subject(self, work: Work) -> list[tuple[int, int]]:
        """The period that a number told as a distance is said of: "week 5 still had 218 extra"."""
        if not self.says_change(work) and work.span.unit not in ("pp", "points"):
            return []
        marks = [m for m in work.sentence.marks if m[1] <= work.span.start]
        near = [m for m in marks if work.span.start - m[1] <= 30]
        return [(m[2], m[3]) for m in near[-1:]]

    def left_out(self, work: Work) -> bool:
        """Drop what states nothing: a name with digits of the input, a spelled number alone."""
        span = work.span
        name = span.text in self.source.masked and (span.decimals or span.value >= 100)
        if name or (span.spelled and not span.unit):
            return work.settle("drop", "count", "")
        return False

    def final(self, work: Work) -> bool:
        """The verdict on a number that nothing has supported."""
        span = work.span
        if self.left_out(work):
            return True
        explicit = binding.strong(self, work) if span.unit == "x" else []
        if explicit and span.text.lower().startswith(("doubled", "halved", "tripled")):
            pair = explicit[0]
            if phrases.DENIED.search(self.context(work)[0]):
                text = f"{show(pair.a.value)} to {show(pair.b.value)} is another ratio, as said"
                return work.settle("supported", "ratio", text)
            text = f"{show(pair.a.value)} to {show(pair.b.value)} is another ratio"
            return work.settle("contradicted", "ratio", text)
        if span.unit in ("x", "part") and not re.search(r"\d", span.text):
            return work.settle("unchecked", self.kind(work), "no operands found for it")
        clause = self._clause_before(work)
        if not phrases.WITHOUT.match(clause) and self._tied_elsewhere(work):
            return True
        bound = binding.strong(self, work) if span.unit in ("pp", "points", "%") else []
        if bound and (span.unit != "%" or self.says_change(work)):
            text = changes.explain(bound[0], self._value(bound[0], span), self._by(span), work)
            return work.settle("contradicted", self.kind(work), f"expected: {text}")
        if phrases.COUNTERFACTUAL.search(clause) or phrases.WITHOUT.match(clause):
            text = "told under a condition that the input does not state"
            return work.settle("unchecked", self.kind(work), text)
        return work.settle("unsupported", self.kind(work), "not in the input and not derivable")

    def _clause_before(self, work: Work) -> str:
        """The words of a sentence up to a number, from the last border on."""
        s = work.sentence
        return re.split(r"[;:()]", s.low[: work.span.start - s.start])[-1]

    def _tied_elsewhere(self, work: Work) -> bool:
        """A number given to one period that has another value."""
        main = self.source.main
        by = self.factor(work.span, main) if main else None
        if main is None or by is None or self.says_change(work):
            return False
        largest = max((abs(v) for v in main.values if v is not None), default=0.0)
        if work.span.value * by > 3 * largest:
            return False
        for low, high in levels.attached(work.sentence, work.span):
            value = main.at(low) if high - low == 1 else None
            if value is not None:
                text = f"period {low + 1} is {show(value / by)}"
                return work.settle("contradicted", "level", text)
        return False

    def _by(self, span: Span) -> float:
        unit = self.source.case.unit if self.source.case else ""
        return 0.0 if span.unit == "%" else {"rate": 100.0}.get(unit, 1.0)

    def _value(self, pair: Pair, span: Span) -> float:
        by = self._by(span)
        if by:
            return pair.diff * by
        return pair.diff / abs(pair.a.value) * 100 if pair.a.value else 0.0

    def kind(self, work: Work) -> str:
        """The kind of a number by its unit alone."""
        unit = work.span.unit
        by_unit = {
            "pp": "point change",
            "points": "point change",
            "%": "relative change",
            "money": "money",
            "x": "ratio",
            "part": "share",
        }
        if unit == "%" and not self.says_change(work):
            return "level"
        if unit in by_unit:
            return by_unit[unit]
        if unit:
            return "duration"
        return "level" if work.span.decimals else "count"
