"""Sentences and clauses, by punctuation alone, so that they work in every script."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable

_SENTENCE_END = re.compile(r"[.!?؟۔]+[\"')\]]*(?=\s|$)|\n+|[。！？]")
_ABBREVIATION = re.compile(
    r"(?:\b[^\W\d_]|\b(?:mr|mrs|ms|dr|mm|st|no|vs|gen|col|lt|maj|capt|cpl|sgt|brig|adm|cmdr|gov|sen|rep|rev|prof|spc|pfc|pvt|jr|sr|approx|inc|corp|ltd|co|km|av|env|al"
    r"|jan|feb|mar|apr|jun|jul|aug|sep|sept|oct|nov|dec|janv|fevr|avr|juil|mon|tue|tues|wed|thu|thurs|fri|sat|sun))$"
)
_CLAUSE_END = re.compile(r"[;:()؛]|\s[-–—]+\s|[–—]")


LONGEST = 1_200
"""Letters of the longest sentence; what runs on without a full stop is cut, so that no text costs more than its length."""


def sentences(text: str, cuts: Iterable[int] = ()) -> list[tuple[int, int]]:
    """Spans of the sentences of a folded text, in order and without overlap; `cuts` are positions where one ends in any case."""
    ends = {match.end() for match in _SENTENCE_END.finditer(text) if not _abbreviated(text, match)}
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


def _abbreviated(text: str, end: re.Match[str]) -> bool:
    """Whether a single full stop belongs to an abbreviation."""
    return end[0] == "." and _ABBREVIATION.search(text, max(0, end.start() - 8), end.start()) is not None


def clause_starts(text: str, start: int, end: int, breaks: Iterable[int] = ()) -> list[int]:
    """Where the clauses of the sentence [start, end) begin; `breaks` are the positions of words that open one."""
    return sorted({start, *(match.end() for match in _CLAUSE_END.finditer(text, start, end)), *breaks})


def clause_of(starts: list[int], position: int) -> int:
    """The number of the clause that holds a position."""
    return bisect_right(starts, position) - 1
