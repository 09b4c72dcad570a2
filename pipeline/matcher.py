"""All forms of all languages in one multi-pattern automaton."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from functools import cache

from ahocorasick_rs import AhoCorasick

from pipeline.lexicon import Form, Sense

_LONGEST_PREFIX = 5


@dataclass(slots=True)
class Hit:
    """A stretch of the matching view that means something: where, and everything it may mean."""

    start: int
    end: int
    concepts: frozenset[str]
    places: tuple[int, ...]
    number: int | None
    month: int | None
    weekday: int | None

    def has(self, concepts: Collection[str]) -> bool:
        """Whether it means any of these."""
        return not self.concepts.isdisjoint(concepts)


class Matcher:
    """Finds forms in folded text. Pickles by its forms."""

    def __init__(self, forms: Iterable[Form]) -> None:
        by_literal: dict[str, list[Form]] = {}
        for form in forms:
            same = by_literal.setdefault(form.literal, [])
            if form not in same:
                same.append(form)
        self._forms = list(by_literal.values())
        self._automaton = AhoCorasick(list(by_literal))

    def any_in(self, view: str) -> bool:
        """Whether a form stands in the text, at word boundaries or not: a quick look before the careful one."""
        return bool(self._automaton.find_matches_as_indexes(view))

    def find(self, view: str, languages: Collection[str]) -> list[Hit]:
        """Hits in a matching view, for these languages and for names, in order. A hit inside a longer one is dropped."""
        spans: dict[tuple[int, int], set[Sense]] = {}
        forms, size = self._forms, len(view)
        for index, start, end in self._automaton.find_matches_as_indexes(view, overlapping=True):
            glued = start > 0 and view[start - 1].isalnum() and view[start].isalnum()
            for form in forms[index]:
                if not (form.anywhere or form.language in languages) or (glued and not (form.prefixes and _glue(view, start) in form.prefixes)):
                    continue
                if not form.tail:
                    if end == size or not view[end].isalnum():
                        spans.setdefault((start, end), set()).add(form.sense)
                elif match := _pattern(form.tail).match(view, end):
                    spans.setdefault((start, match.end()), set()).add(form.sense)
        return [_hit(span, spans[span]) for span in _outermost(spans)]


def _glue(view: str, start: int) -> str:
    """The letters before `start` that belong to the same word."""
    first = start
    while first > 0 and start - first < _LONGEST_PREFIX and view[first - 1].isalnum():
        first -= 1
    return view[first:start]


@cache
def _pattern(tail: str) -> re.Pattern[str]:
    return re.compile(rf"{tail}(?!\w)")


def _outermost(spans: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    kept: list[tuple[int, int]] = []
    furthest = -1
    for start, end in sorted(spans, key=lambda span: (span[0], -span[1])):
        if end > furthest:
            kept.append((start, end))
            furthest = end
    return kept


def _hit(span: tuple[int, int], senses: Collection[Sense]) -> Hit:
    values = {sense.kind: sense.value for sense in senses}
    return Hit(
        *span,
        frozenset(sense.concept for sense in senses if sense.kind == "concept"),
        tuple(sorted(sense.value for sense in senses if sense.kind == "place")),
        values.get("number"),
        values.get("month"),
        values.get("weekday"),
    )
