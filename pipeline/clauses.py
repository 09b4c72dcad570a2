"""Sentences and clauses, by punctuation alone, so that they work in every script."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable

from pipeline.lexicon import month_names, words

_SENTENCE_END = re.compile(r"[.!?؟۔]+[\"')\]]*(?=\s|$)|\n+|[。！？]")
_CLAUSE_END = re.compile(r"[;:()؛]|\s[-–—]+\s|[–—]")


_LAST_WORD = re.compile(r"(?<![^\W_])[^\W_]+$")
_NEXT_WORD = re.compile(r" ([^\W\d_]+)")
_LONGEST_WORD = 10

LONGEST = 1_200
"""Letters of the longest sentence; what runs on without a full stop is cut, so that no text costs more than its length."""


def sentences(text: str, cuts: Iterable[int] = ()) -> list[tuple[int, int]]:
    """Spans of the sentences of a folded text, in order and without overlap; `cuts` are positions where one ends in any case."""
    ends = {match.end() for match in _SENTENCE_END.finditer(text) if not _goes_on(text, match)}
    spans, start = [], 0
    for end in sorted({*ends, *cuts, len(text)}):
        while end - start > LONGEST:
            space = text.rfind(" ", start + 1, start + LONGEST)
            cut = space if space > 0 else start + LONGEST
            spans.append((start, cut))
            start = cut
        spans.append((start, end))
        start = end
    return [(start, end) for start, end in spans if text[start:end].strip()]


def _goes_on(text: str, end: re.Match[str]) -> bool:
    """Whether a single full stop belongs to an abbreviation, a single letter or the number of a day: "1. Februar"."""
    if end[0] != ".":
        return False
    before = _LAST_WORD.search(text, max(0, end.start() - _LONGEST_WORD), end.start())
    if before is None:
        return False
    if before[0].isdigit():
        return len(before[0]) <= 2 and (behind := _NEXT_WORD.match(text, end.end())) is not None and behind[1] in month_names()
    return len(before[0]) == 1 or before[0] in words("abbreviations")


def clause_starts(text: str, start: int, end: int, breaks: Iterable[int] = ()) -> list[int]:
    """Where the clauses of the sentence [start, end) begin; `breaks` are the positions of words that open one."""
    return sorted({start, *(match.end() for match in _CLAUSE_END.finditer(text, start, end)), *breaks})


def clause_of(starts: list[int], position: int) -> int:
    """The number of the clause that holds a position."""
    return bisect_right(starts, position) - 1
