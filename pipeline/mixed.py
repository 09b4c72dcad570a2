"""Texts in more than one language: which part is in which."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import groupby

from pipeline.cleaning import Cleaned
from pipeline.language import Detect
from pipeline.scripts import script_of

_ENOUGH = 60  # characters that tell their language; less than half of that, in another script or in a line of its own, may be names
_PIECES = 6  # that a long text in one script is looked at in
_LOOK = 120  # characters of a piece
_SURE = 0.9  # a piece that tells less counts for no language
_LEAST = 0.1  # of the text; less is a quotation or a signature

_LINE = re.compile(r"[^\n]+")
_WORD = re.compile(r"[^ \n]+")


@dataclass(frozen=True, slots=True)
class Part:
    """The characters [start, end) of a text, their language, and how many of them are its words."""

    language: str
    start: int
    end: int
    size: int


@dataclass(frozen=True, slots=True)
class _Piece:
    """A stretch of a cleaned text, mostly in one script."""

    script: str
    start: int
    end: int

    @property
    def size(self) -> int:
        return self.end - self.start


def parts(text: str, detect: Detect) -> tuple[Part, ...]:
    """The parts of a text in several languages, in its order; none where one language is all that is sure.

    Looked at are sentences, and within them changes of script, in the first 3,000 characters; of a text in one script whose beginning
    and end agree no more than these.
    """
    cleaned = Cleaned(text)
    pieces = _pieces(cleaned.text)
    if len(pieces) < 2:
        return ()

    @cache
    def told(piece: _Piece) -> str:
        found = detect(cleaned.text[piece.start : min(piece.end, piece.start + _LOOK)], None)
        return found.code if found.confidence >= _SURE else "und"

    if len({piece.script for piece in pieces}) == 1 and told(pieces[0]) == told(pieces[-1]):
        return ()
    sure = [(piece, told(piece)) for piece in pieces if told(piece) != "und"]
    sizes = Counter[str]()
    for piece, code in sure:
        sizes[code] += piece.size
    spoken = {code for code, size in sizes.items() if size >= _LEAST * sizes.total()}
    return tuple(_together(cleaned, (pair for pair in sure if pair[1] in spoken))) if len(spoken) > 1 else ()


def shares(found: Sequence[Part]) -> Mapping[str, float]:
    """The share of each language, largest first; together 1."""
    sizes = Counter[str]()
    for part in found:
        sizes[part.language] += part.size
    return {code: round(size / sizes.total(), 4) for code, size in sizes.most_common()}


def _together(cleaned: Cleaned, sure: Iterator[tuple[_Piece, str]]) -> Iterator[Part]:
    """One part for pieces of one language that follow each other."""
    for code, pairs in groupby(sure, key=lambda pair: pair[1]):
        pieces = [piece for piece, _ in pairs]
        yield Part(code, *cleaned.origin(pieces[0].start, pieces[-1].end), sum(piece.size for piece in pieces))


def _pieces(text: str) -> list[_Piece]:
    enough = max(_ENOUGH, len(text) // _PIECES)
    pieces: list[_Piece] = []
    for run in _runs(text):
        last = pieces[-1] if pieces else None
        if last and (min(run.size, last.size) < enough // 2 or (run.script == last.script and last.size < enough)):
            pieces[-1] = _Piece(max(run, last, key=lambda piece: piece.size).script, last.start, run.end)
        else:
            pieces.append(run)
    return pieces


def _runs(text: str) -> Iterator[_Piece]:
    """The lines of a cleaned text, cut where the script changes."""
    scripts = {_script(letter) for letter in set(text) if letter.isalpha()}
    if len(scripts) < 2:
        yield from (_Piece("", *line.span()) for line in _LINE.finditer(text))
        return
    for line in _LINE.finditer(text):
        words = _WORD.finditer(text, *line.span())
        for script, run in groupby(words, key=lambda word: _script(word[0][0])):
            spans = [word.span() for word in run]
            yield _Piece(script, spans[0][0], spans[-1][1])


@cache
def _script(letter: str) -> str:
    script = script_of(letter)
    return "Hani" if script == "Jpan" else script  # Japanese writes both in one word
