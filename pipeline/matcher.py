"""All forms of all languages in one multi-pattern automaton."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import NamedTuple

from ahocorasick_rs import AhoCorasick

from pipeline.lexicon import Form, Sense

_LONGEST_PREFIX = 5
_MOST_PLANS = 32  # sets of languages; mixed texts bring ever new ones


@dataclass(slots=True)
class Hit:
    """A stretch of the matching view that means something: where, everything it may mean, and the number of its clause in the sentence."""

    start: int
    end: int
    concepts: frozenset[str]
    places: tuple[int, ...]
    number: int | None
    month: int | None
    weekday: int | None
    clause: int = 0

    def has(self, concepts: Collection[str]) -> bool:
        """Whether it means any of these."""
        return not self.concepts.isdisjoint(concepts)


class _Meaning(NamedTuple):
    concepts: frozenset[str]
    places: tuple[int, ...]
    number: int | None
    month: int | None
    weekday: int | None


class _Candidate(NamedTuple):
    """A form as the automaton looks for it: between spaces that stand for word boundaries, where it needs them."""

    form: Form
    shift: int
    """From the place of the pattern, in the text with a space before it, to that of the form."""
    literal: str
    """What must stand there letter for letter, where the form has more than letters and spaces; else empty."""
    sense: int


_Plan = tuple[frozenset[int], tuple[_Candidate, ...]]
"""What a pattern means wherever it is found, and the forms that must be looked at."""


class Gate:
    """A quick look before the careful one."""

    def __init__(self, forms: Iterable[Form]) -> None:
        self._automaton = AhoCorasick(sorted({form.literal for form in forms}))

    def any_in(self, view: str) -> bool:
        """Whether a form opens in the text, at a word boundary or not."""
        return bool(self._automaton.find_matches_as_indexes(view))


class Matcher:
    """Finds forms in folded text."""

    def __init__(self, forms: Iterable[Form]) -> None:
        by_pattern: dict[str, list[_Candidate]] = {}
        senses: dict[Sense, int] = {}
        for form in forms:
            pattern, candidate = _pattern_of(form, senses.setdefault(form.sense, len(senses)))
            same = by_pattern.setdefault(pattern, [])
            if candidate not in same:
                same.append(candidate)
        self._senses = list(senses)
        self._candidates = list(by_pattern.values())
        self._automaton = AhoCorasick(list(by_pattern))
        self._plans: dict[frozenset[str], dict[int, _Plan]] = {}
        self._meanings: dict[frozenset[int], _Meaning] = {}

    def find(self, view: str, languages: Collection[str]) -> list[Hit]:
        """Hits in a matching view, for these languages and for names, in order. A hit inside a longer one is dropped."""
        spans: dict[tuple[int, int], frozenset[int]] = {}
        known = frozenset(languages)
        if known not in self._plans and len(self._plans) >= _MOST_PLANS:
            self._plans.clear()
        plans = self._plans.setdefault(known, {})
        for index, start, end in self._automaton.find_matches_as_indexes(_words(view), overlapping=True):
            plan = plans.get(index)
            if plan is None:
                plan = plans[index] = self._plan(index, known)
            sure, candidates = plan
            if sure:
                span = start, end - 2
                spans[span] = spans[span] | sure if span in spans else sure
            for candidate in candidates:
                first = start + candidate.shift
                if (last := _last(view, candidate, first)) is not None:
                    span = first, last
                    spans[span] = spans.get(span, frozenset()) | {candidate.sense}
        return [Hit(start, end, *self._meaning(spans[start, end])) for start, end in _outermost(spans)]

    def _plan(self, index: int, languages: Collection[str]) -> _Plan:
        asked = [candidate for candidate in self._candidates[index] if candidate.form.anywhere or candidate.form.language in languages]
        sure = frozenset(candidate.sense for candidate in asked if _is_sure(candidate))
        return sure, tuple(candidate for candidate in asked if not _is_sure(candidate))

    def _meaning(self, senses: frozenset[int]) -> _Meaning:
        if (known := self._meanings.get(senses)) is None:
            known = self._meanings[senses] = _meaning([self._senses[index] for index in senses])
        return known


def _words(view: str) -> str:
    """The text with a space for whatever is no letter or digit, and one before and behind it."""
    spaced = view.encode("ascii").translate(_ASCII_TABLE).decode("ascii") if view.isascii() else view.translate(_OTHER_TABLE)
    return f" {spaced} "


class _Spaces(dict[int, str]):
    """Code point -> itself or a space, worked out when first met."""

    def __missing__(self, code: int) -> str:
        letter = self[code] = chr(code) if chr(code).isalnum() else " "
        return letter


_ASCII_TABLE = bytes(code if code > 127 or chr(code).isalnum() else ord(" ") for code in range(256))
_OTHER_TABLE: Mapping[int, str] = _Spaces()


def _pattern_of(form: Form, sense: int) -> tuple[str, _Candidate]:
    """What the automaton looks for: the form's opening as _words writes it, with a space where a word must begin or end."""
    opening = _words(form.literal)[1:-1]
    begins = form.literal[:1].isalnum() and not form.prefixes
    plain = opening == form.literal
    pattern = f"{' ' if begins else ''}{opening}{'' if form.tail else ' '}"
    return pattern, _Candidate(form, 0 if begins else -1, "" if plain else form.literal, sense)


def _is_sure(candidate: _Candidate) -> bool:
    """Whether the automaton alone tells that the form stands there."""
    return not (candidate.form.tail or candidate.literal or candidate.shift)


def _last(view: str, candidate: _Candidate, first: int) -> int | None:
    """Where a form that opens at `first` ends, None where it is none."""
    form = candidate.form
    if candidate.literal and not view.startswith(candidate.literal, first):
        return None
    if candidate.shift and first > 0 and view[first - 1].isalnum() and view[first].isalnum() and _glue(view, first) not in form.prefixes:
        return None
    end = first + len(form.literal)
    if not form.tail:
        return end
    match = _pattern(form.tail).match(view, end)
    return match.end() if match else None


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
    for start, negative in sorted((start, -end) for start, end in spans):
        if -negative > furthest:
            kept.append((start, -negative))
            furthest = -negative
    return kept


def _meaning(senses: Collection[Sense]) -> _Meaning:
    values = {sense.kind: sense.value for sense in senses}
    return _Meaning(
        frozenset(sense.concept for sense in senses if sense.kind == "concept"),
        tuple(sorted(sense.value for sense in senses if sense.kind == "place")),
        values.get("number"),
        values.get("month"),
        values.get("weekday"),
    )
