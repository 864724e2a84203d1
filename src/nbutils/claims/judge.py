"""Judging: each number is recomputed from its operands and given a verdict."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from nbutils.claims import grammar, levels, pairs
from nbutils.claims.context import Operand, Sentence, direction, per_period, sentences
from nbutils.claims.grammar import Span
from nbutils.claims.levels import factor, inside, scaled
from nbutils.claims.pairs import Pair
from nbutils.claims.source import Literal, Series, Source
from nbutils.claims.verdict import Claim

_NOUN = (
    "loss|drop|gain|rise|fall|increase|decrease|decline|change|growth|lift|jump|reduction|"
    "improvement|deterioration|cut|slide|dip|step|move|difference|gap|swing|uplift|slip|erosion|"
    "advance|climb|worsening|shortfall|widening"
)
_CHANGE_BEFORE = re.compile(
    rf"(?:\bby|\bdown|\bup|\bplus|\bminus|\banother|\bextra|\b(?:{_NOUN})(?: is| was)?(?: of|,|:)?|"
    r"\b(?:fell|rose|risen|dropped|gained|lost|declined|increased|decreased|grew|grown|slid|shed|"
    r"added|climbed|shrank|jumped|slipped|fallen|lose|loses|gains|falls|rises|improved|worsened))"
    r"(?: a| the| further| another| full| total)?"
    r"(?: about| around| roughly| some| nearly| almost| only| just| more than| at least| over|"
    r" under| approximately| less than| close to| up to)* ?[~-]?$"
)
_CHANGE_AFTER = re.compile(
    r"^[ -](?:in relative terms|higher|lower|more|less|fewer|up|down|below|above|better|worse|"
    rf"slower|faster|shorter|longer|cheaper|dearer|extra|of a point|{_NOUN})\b"
)
_OR_BEFORE = re.compile(r"(?:\(|\bor|,|=|\bequals|, i\.e\.|that is|which is)(?: \w+)? ?~?$")
_LEVEL_BEFORE = re.compile(
    r"\b(?:from|to|at|was|is|were|are|averag\w+|mean|between|stood|reached|hit|in|against|of|than|"
    r"with)(?: about| around| roughly| only| just| still)? ?~?$"
)
_ODDS = re.compile(r"\bodds\b")
_CHANCE = re.compile(r"\b(?:probability|chance|chances|likelihood|likely)\b")


@dataclass(slots=True)
class Work:
    """A number on its way to a verdict."""

    span: Span
    sentence: Sentence
    kind: str = ""
    verdict: str = ""
    derivation: str = ""
    operand: Operand | None = None

    def settle(self, verdict: str, kind: str, derivation: str) -> bool:
        """Write down a verdict; returns True so that callers can stop."""
        self.verdict, self.kind, self.derivation = verdict, kind, derivation
        return True


def show(value: float) -> str:
    """A number for a derivation: up to four significant digits, no exponent."""
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.4g}"


class Judge:
    """Reads one output against one source."""

    def __init__(self, source: Source, output: str) -> None:
        self.source = source
        self.output = output
        marks = grammar.labels(output)
        self.sentences = sentences(output, source, marks)
        self.works = self._works(grammar.spans(output, marks))
        self.used: list[Pair] = []
        self.counts: list[tuple[float, str]] = []

    def _works(self, spans: list[Span]) -> list[Work]:
        works, at = [], 0
        for span in spans:
            while at + 1 < len(self.sentences) and self.sentences[at].end <= span.start:
                at += 1
            works.append(Work(span, self.sentences[at]))
        return works

    def run(self) -> list[Claim]:
        """Levels first, then changes between them, then what follows from the changes."""
        for work in self.works:
            self.level(work)
        for work in self.works:
            if not work.verdict:
                self.change(work)
        for work in self.works:
            if not work.verdict:
                self.rest(work)
        return [
            Claim(w.span.start, w.span.end, w.span.text, w.verdict, w.kind, w.derivation)
            for w in self.works
            if w.verdict != "drop"
        ]

    # ------------------------------------------------------------------ levels

    def context(self, work: Work) -> tuple[str, str]:
        """The words of the sentence before and after a number."""
        s = work.sentence
        return (
            s.low[max(0, work.span.start - s.start - 60) : work.span.start - s.start],
            s.low[work.span.end - s.start : work.span.end - s.start + 40],
        )

    def says_change(self, work: Work) -> bool:
        """Whether the words next to a number make it a change rather than a level."""
        if work.span.sign and work.span.unit in ("%", ""):
            return True
        before, after = self.context(work)
        return bool(_CHANGE_BEFORE.search(before) or _CHANGE_AFTER.match(after))

    def before(self, sentence: Sentence) -> Sentence | None:
        """The sentence before, if any."""
        return self.sentences[sentence.index - 1] if sentence.index else None

    def level(self, work: Work) -> bool:
        """Try to read a number as a level; leaves the verdict open if it is none."""
        span = work.span
        if span.unit in ("pp", "x", "part") or self.says_change(work):
            return False
        for series in self.source.series:
            by = factor(span, series.unit)
            if by is None or (span.spelled and not span.unit):
                continue
            wanted = scaled(span, by)
            operand = self.find_level(work, series, wanted)
            if operand:
                if work.verdict:
                    return True
                operand.printed = span.value * by * (span.sign or 1)
                work.operand = operand
                work.sentence.levels.append((span.start, operand))
                kind = "money" if span.unit == "money" else "level"
                return work.settle("supported", kind, f"{operand.note}: {show(operand.value)}")
        return False

    def find_level(self, work: Work, series: Series, wanted: tuple[float, float]) -> Operand | None:
        """The value, mean or extreme that a number repeats."""
        sentence = work.sentence
        before = self.before(sentence)
        if series.main or len(series.values) == self.source.n:
            if levels.MEAN.search(sentence.low):
                for operand in levels.means(sentence, before, self.source, series):
                    if inside(operand.value, wanted):
                        return operand
            tied = levels.attached(sentence, work.span)
            named = [i for w in (tied or sentence.windows) for i in range(*w)]
            for operand in levels.points(series, named):
                if inside(operand.value, wanted):
                    return operand
        for operand in levels.points(series, self.outward(series)):
            if inside(operand.value, wanted):
                return operand
        if series.main:
            for operand in levels.means(sentence, before, self.source, series):
                if inside(operand.value, wanted):
                    return operand
        return None

    @staticmethod
    def outward(series: Series) -> list[int]:
        """All indexes, the ends first: an unlabelled value most often names an end."""
        n = len(series.values)
        return [0, n - 1, *range(1, n - 1)] if n > 1 else [0]

    # ------------------------------------------------------------------ changes

    def candidates(self, work: Work) -> Iterator[Pair]:
        """Pairs a change may be about, those bound most closely first."""
        sentence = work.sentence
        yield from pairs.explicit(sentence, work.span.start)
        yield from pairs.labelled(sentence, self.source)
        yield from self.used[::-1]
        before = self.before(sentence)
        if before:
            yield from pairs.explicit(before, work.span.start)
            yield from pairs.labelled(before, self.source)
        yield from pairs.ends(self.source)
        yield from pairs.best_split(self.source)
        for k in self.source.splits:
            yield from pairs.split(self.source.main, k, self.source.n) if self.source.main else ()
        yield from pairs.extremes(self.source)
        if pairs.says_step(sentence.low):
            yield from pairs.steps(self.source)[:2]
        for series in self.source.series[1:]:
            yield from pairs.ends(self.source, series)

    def change(self, work: Work) -> bool:
        """Try to read a number as a change in points, percent or the metric's own unit."""
        span, unit = work.span, self.source.case.unit if self.source.case else ""
        if span.unit == "pp" or (span.unit == "points" and unit in ("rate", "percent")):
            return self.points(work, 100.0 if unit == "rate" else 1.0)
        if span.unit == "points":
            return self.points(work, 1.0)
        if span.unit == "%":
            return self.percent(work)
        return False

    def points(self, work: Work, by: float) -> bool:
        """Judge a change in points."""
        wanted = work.span.interval()
        sign = work.span.sign or direction(work.sentence, work.span.start, work.span.end)
        wrong = ""
        for pair in self.candidates(work):
            for value in self.variants(pair, work, by):
                if inside(abs(value), wanted):
                    text = f"{show(pair.b.value)} - {show(pair.a.value)} ({pair.bound})"
                    if sign and value * sign < 0 and self.strict(work):
                        wrong = wrong or text
                        continue
                    self.used.append(pair)
                    return work.settle("supported", "point change", text)
        if wrong:
            return work.settle("contradicted", "point change", f"the other direction: {wrong}")
        return work.settle("unsupported", "point change", "no change in the input gives this")

    def strict(self, work: Work) -> bool:
        """Whether the direction is said by a word that cannot mean better or worse."""
        return bool(
            work.span.sign
            or direction(work.sentence, work.span.start, work.span.end, strong=True)
        )

    def variants(self, pair: Pair, work: Work, by: float) -> Iterator[float]:
        """The change of a pair as computed exactly, as printed, and per period."""
        exact = pair.diff * by
        yield exact
        yield (pair.b.printed - pair.a.printed) * by
        if per_period(work.sentence, work.span.end) or re.search(
            r"\b(?:pace|average|each|every|steady|per)\b", self.context(work)[0]
        ):
            if pair.span:
                yield exact / pair.span

    def percent(self, work: Work) -> bool:
        """Judge a percent that is a relative change, or points written as percent."""
        wanted = work.span.interval()
        sign = work.span.sign or direction(work.sentence, work.span.start, work.span.end)
        wrong = ""
        for pair in self.candidates(work):
            for a, b in ((pair.a.value, pair.b.value), (pair.a.printed, pair.b.printed)):
                if a == 0:
                    continue
                value = (b - a) / abs(a) * 100
                if inside(abs(value), wanted):
                    text = f"({show(b)} - {show(a)}) / {show(a)} = {value:+.1f}%"
                    text += f", printed as {work.span.text}"
                    if sign and value * sign < 0 and self.strict(work):
                        wrong = wrong or text
                        continue
                    self.used.append(pair)
                    return work.settle("supported", "relative change", text)
        if wrong:
            return work.settle("contradicted", "relative change", f"the other direction: {wrong}")
        return False

    # ------------------------------------------------------------------ counts and the rest

    def rest(self, work: Work) -> bool:
        """Counts, money, durations, shares, statistics, literals; then the final verdict."""
        if self.literal(work) or self.count(work) or self.duration(work):
            return True
        if work.span.unit == "%" and self.confusion(work):
            return True
        if work.span.spelled and not work.span.unit:
            return work.settle("drop", "count", "")
        if work.sentence.section == "action":
            return work.settle("proposal", self.kind(work), "")
        return work.settle("unsupported", self.kind(work), "not in the input and not derivable")

    def kind(self, work: Work) -> str:
        """The kind of a number by its unit alone."""
        unit = work.span.unit
        by_unit = {"pp": "point change", "points": "point change", "%": "relative change",
                   "money": "money", "x": "ratio", "part": "share"}
        if unit in by_unit:
            return by_unit[unit]
        if unit:
            return "duration"
        return "level" if work.span.decimals else "count"

    def confusion(self, work: Work) -> bool:
        """Points written as percent."""
        unit = self.source.case.unit if self.source.case else ""
        if unit not in ("rate", "percent"):
            return False
        by = 100.0 if unit == "rate" else 1.0
        wanted = work.span.interval()
        for pair in self.candidates(work):
            if any(inside(abs(v), wanted) for v in self.variants(pair, work, by)):
                return work.settle(
                    "unit_confusion", "relative change",
                    f"{show(pair.a.value)} to {show(pair.b.value)} is {show(abs(pair.diff) * by)} "
                    f"points, not percent",
                )
        return False

    def literal(self, work: Work) -> bool:
        """A number repeated from the input."""
        for literal in self.source.literals:
            if same(work.span, literal.span):
                return work.settle("supported", self.kind(work), f"the input says {literal.span.text}")
        return False

    def count(self, work: Work) -> bool:
        """People or money affected: the cohort times a change."""
        case = self.source.case
        if not case or case.cohort is None or work.span.unit not in ("", "money"):
            return False
        by = {"rate": 1.0, "percent": 0.01}.get(case.unit, 1.0)
        wanted = work.span.interval()
        for pair in self.candidates(work):
            value = abs(pair.diff) * by * case.cohort
            if inside(value, wanted):
                kind = "money" if work.span.unit == "money" else "count"
                return work.settle(
                    "supported", kind, f"{show(case.cohort)} x {show(abs(pair.diff))} = {show(value)}"
                )
        return False

    def duration(self, work: Work) -> bool:
        """Periods counted."""
        n = self.source.n
        case = self.source.case
        if not case or work.span.unit != case.period:
            return False
        ok = {n, n - 1, *(n - k for k in self.source.splits), *self.source.splits}
        if work.span.value in ok:
            return work.settle("supported", "duration", "")
        return False


def same(a: Span, b: Span) -> bool:
    """Whether two numbers are the same number in the same unit."""
    return abs(a.value - b.value) < 1e-9 and a.unit == b.unit
