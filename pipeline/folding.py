"""One folding for text and lexicon: what differs only in spelling becomes the same, and every letter keeps its place in the original.

Case, accents, compatibility forms, Arabic alef, hamza, ya, kaf, ta marbuta, tatweel and diacritics, Sorani letters, digits of every
script; zero-width and bidi marks vanish. That is letter by letter. Then a letter written three times or more, as posts draw out words, is one.
"""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_left
from collections.abc import Sequence
from functools import cache, cached_property

import numpy as np
from numpy.typing import NDArray

from pipeline.scripts import points

_LETTERS = {
    **dict.fromkeys("ٱإأآٲٳٵ", "ا"),
    **dict.fromkeys("ىیےېێۍۑ", "ي"),
    **dict.fromkeys("ۆۇۈۋۊۉ", "و"),
    **dict.fromkeys("کڪګ", "ك"),
    **dict.fromkeys("ةەھہۀۂۃ", "ه"),
    "ڕ": "ر", "ڵ": "ل", "ڤ": "ف", "ı": "i", "ł": "l", "ø": "o", "đ": "d",
    **dict.fromkeys("’‘‛ʼʻ´`′", "'"),
    **dict.fromkeys("“”„‟«»″", '"'),
    **dict.fromkeys("‐‑−", "-"),
    "–": "–", "—": "—", "،": "،", "؛": "؛", "؟": "؟",
    "\n": "\n", "\r": " ", "\u2028": "\n", "\u2029": "\n", "\x85": "\n", "ـ": "",
}  # fmt: skip
_GONE = ("Mn", "Me", "Cf")


class _Table(dict[int, str]):
    """Code point -> its folding, worked out when first met."""

    def __missing__(self, code: int) -> str:
        folded = self[code] = _fold_letter(chr(code))
        return folded


def _fold_letter(letter: str) -> str:
    if letter in _LETTERS:
        return _LETTERS[letter]
    if "\ud800" <= letter <= "\udfff":
        return "\ufffd"
    if (digit := unicodedata.decimal(letter, None)) is not None:
        return str(digit)
    if unicodedata.category(letter) in _GONE:
        return ""
    if letter.isspace():
        return " "
    parts = unicodedata.normalize("NFKD", letter)
    if parts == letter:
        return "".join(_LETTERS.get(part, part) for part in letter.casefold() if unicodedata.category(part) not in _GONE)
    return "".join(_fold_letter(part) for part in parts if part != letter)


_TABLE = _Table()


_SHORT = 64  # letters, up to which the pattern itself is as fast
_DRAWN_OUT = re.compile(r"([^\W\d_])\1\1+")


def _repeats(text: str) -> bool:
    """Whether a character stands three times in a row: what the slower pattern needs at least."""
    if len(text) < _SHORT:
        return True
    letters = points(text)
    same = letters[1:] == letters[:-1]
    return bool((same[1:] & same[:-1]).any())


class Folded:
    """A folded text that knows the original: `text` is the folding, `source` the text as it was."""

    def __init__(self, source: str) -> None:
        self.source = source
        letters = self._letters()
        self.text = _DRAWN_OUT.sub(r"\1", letters) if _repeats(letters) else letters

    def _letters(self) -> str:
        return self.source.lower().translate(_SPACES) if self.source.isascii() else self.source.translate(_TABLE)

    @cached_property
    def _origins(self) -> list[int] | range:
        """For each folded letter, the index of the original letter it comes from; ascending."""
        if self.source.isascii():
            origins: list[int] | range = range(len(self.source))
        else:
            origins = [index for index, letter in enumerate(self.source) for _ in _TABLE[ord(letter)]]
        if len(origins) == len(self.text):
            return origins
        gone = {index for run in _DRAWN_OUT.finditer(self._letters()) for index in range(run.start() + 1, run.end())}
        return [origin for index, origin in enumerate(origins) if index not in gone]

    def origin(self, start: int, end: int) -> tuple[int, int]:
        """The span of the original that folded to [start, end), with the combining marks that belong to its last letter."""
        if start >= end:
            first = self._origins[start] if start < len(self._origins) else len(self.source)
            return first, first
        first, last = self._origins[start], self._origins[end - 1] + 1
        while last < len(self.source) and unicodedata.combining(self.source[last]):
            last += 1
        return first, last

    def position(self, index: int) -> int:
        """The folded position of the original letter at `index`, or of the next one that did not vanish."""
        return bisect_left(self._origins, index)


_SPACES = {code: " " for code in range(32) if code != 10 and chr(code).isspace()}
_SPACES.update({ord("`"): "'"})


def fold(text: str) -> Folded:
    """The text folded, with the way back to the original. Any string will do."""
    return Folded(text)


def folded_points(texts: Sequence[str]) -> tuple[NDArray[np.uint32], NDArray[np.intp]]:
    """Code points of the folded texts, and where each ends: for what compares words and needs no way back.

    One for each letter, a line's end behind each text, U+FFFD beyond the basic plane.
    """
    folded = _basic_plane()[np.minimum(points("\n".join((*texts, ""))), 0xFFFF)]
    ends = np.cumsum([len(text) + 1 for text in texts])
    if folded.all():
        return folded, ends
    kept = folded != 0
    return folded[kept], np.cumsum(kept)[ends - 1]


@cache
def _basic_plane() -> NDArray[np.uint32]:
    """The first letter that each code point folds to, 0 for those that vanish."""
    table = np.array([ord((_TABLE[code] or "\0")[0]) for code in range(0x10000)], dtype=np.uint32)
    table[0xFFFF] = 0xFFFD
    return table
