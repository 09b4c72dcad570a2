"""A report's title and text as the tagger reads them: one folded string, its hits, sentences and clauses, and the way back."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from functools import cached_property
from operator import attrgetter

from pipeline.clauses import clause_of, clause_starts, sentences
from pipeline.folding import Folded, fold
from pipeline.lexicon import matching_view
from pipeline.matcher import Hit
from pipeline.numbers import joined
from schemas.records import Evidence, QuotedPost, Report

MAX_CHARACTERS = 100_000
"""What stands behind is not read."""

_GAP = "\n\n"
_NONE: frozenset[str] = frozenset()
_SOMEBODY = ("target.", "actor.", "person.")
_place = attrgetter("start", "end")
_RUN = re.compile(r"\d+")
_DIGITS = re.compile(
    r"(?:(?<![\w.,:/$€£#])|(?<=\b[وفبل]))(?:\d{1,3}(?:,\d{3})+(?![\w,]|[.:/]\d)|\d{1,7}(?![\w%]|[.,:/]\d))"
    r"|(?<![\w.,:/])\d{1,2}(?=(?:er|st|nd|rd|th)\b)"
)
"""Whole numbers, an Arabic clitic before them aside: no decimals, sums of money, per cents or parts of a date."""


@dataclass(slots=True, eq=False)
class Sentence:
    """One sentence: its span in the folded text, its number, whether it is of the title, the post that holds it, its hits and where its clauses begin."""

    number: int
    start: int
    end: int
    title: bool
    quote: QuotedPost | None
    hits: list[Hit]
    clauses: list[int]
    concepts: frozenset[str]

    def clause(self, hit: Hit) -> int:
        """The number of the clause that holds the hit."""
        return hit.clause

    def before(self, hit: Hit) -> Hit | None:
        """The last of its hits that ends before this one begins."""
        return next((other for other in reversed(self.hits) if other.end <= hit.start), None)

    def speaks(self, hit: Hit) -> bool:
        """Whether the hit is somebody, and a verb of speech follows at once: "police said"."""
        if "speech.say" not in self.concepts or not all(concept.startswith(_SOMEBODY) for concept in hit.concepts):
            return False
        return any("speech.say" in other.concepts and 0 <= other.start - hit.end <= 1 for other in self.hits)

    def having(self, concepts: Collection[str]) -> list[Hit]:
        """Its hits that mean any of these."""
        return [] if self.concepts.isdisjoint(concepts) else [hit for hit in self.hits if hit.has(concepts)]


class Reading:
    """Title and text, folded together. Cheap until `sentences` is asked for."""

    def __init__(self, report: Report) -> None:
        self.report = report
        title = report.title or ""
        self._shift = len(title) + len(_GAP) if title else 0
        self.source = f"{title}{_GAP}{report.text}"[:MAX_CHARACTERS] if title else report.text[:MAX_CHARACTERS]
        self.folded: Folded = fold(self.source)
        self.view = matching_view(self.folded.text)

    def evidence(self, start: int, end: int, rule: str) -> Evidence:
        """The words of the folded span [start, end), where they stand in the report's own title or text."""
        first, last = self.folded.origin(start, end)
        name, shift = ("text", self._shift) if first >= self._shift else ("title", 0)
        return Evidence(field=name, start=first - shift, end=last - shift, text=self.source[first:last], rule=rule)

    @cached_property
    def quotes(self) -> list[tuple[QuotedPost, int, int, int]]:
        """Each embedded post with the folded positions of its start, the end of its words, and its end."""
        at = self.folded.position
        spans = [(quote, quote.start + self._shift, quote.end + self._shift) for quote in self.report.quotes]
        return [(quote, at(start), at(start + len(quote.text)), at(end)) for quote, start, end in spans]

    def sentences(self, words: list[Hit]) -> list[Sentence]:
        """The sentences with these hits and the numbers in digits; signatures of embedded posts are no words of the text and hold none."""
        hits = self._with_digits(words)
        signatures = [(words, end) for _, _, words, end in self.quotes]
        if signatures:
            hits = [hit for hit in hits if not any(start <= hit.start < end for start, end in signatures)]
        cuts = [position for _, start, words, end in self.quotes for position in (start, words, end)]
        return list(self._divided(sentences(self.folded.text, cuts), hits))

    def _with_digits(self, hits: list[Hit]) -> list[Hit]:
        starts = [hit.start for hit in hits]
        digits, end = [], 0
        for run in _RUN.finditer(self.view):
            start = run.start()
            match = _DIGITS.match(self.view, start) if start >= end else None
            if match is None:
                continue
            end = match.end()
            before = bisect_right(starts, start) - 1
            if before < 0 or hits[before].end <= start:
                digits.append(Hit(start, end, _NONE, (), int(match[0].replace(",", "")), None, None))
        return joined(sorted(hits + digits, key=_place) if digits else hits, self.view)

    def _divided(self, spans: Iterable[tuple[int, int]], hits: list[Hit]) -> Iterable[Sentence]:
        text, position = self.folded.text, 0
        for number, (start, end) in enumerate(spans):
            first = position
            while position < len(hits) and hits[position].start < end:
                position += 1
            mine = hits[first:position]
            quote = next((q for q, at, words, _ in self.quotes if at <= start < words), None)
            said = _NONE.union(*[hit.concepts for hit in mine])
            breaks = [hit.start for hit in mine if "clause.break" in hit.concepts] if "clause.break" in said else ()
            clauses = clause_starts(text, start, end, breaks)
            if len(clauses) > 1:
                for hit in mine:
                    hit.clause = clause_of(clauses, hit.start)
            title = bool(self._shift) and self.folded.origin(start, start)[0] < self._shift - len(_GAP)
            yield Sentence(number, start, end, title, quote, mine, clauses, said)
