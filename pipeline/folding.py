"""One folding for text and lexicon: what differs only in spelling becomes the same, and every letter keeps its place in the original.

Case, accents, compatibility forms, Arabic alef, hamza, ya, kaf, ta marbuta, tatweel and diacritics, Sorani letters, digits of every
script; zero-width and bidi marks vanish. Folding is letter by letter, so the folding of a text is the join of the foldings of its parts.
"""

from __future__ import annotations

import unicodedata
from bisect import bisect_left
from functools import cached_property

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


class Folded:
    """A folded text that knows the original: `text` is the folding, `source` the text as it was."""

    def __init__(self, source: str) -> None:
        self.source = source
        self.text = source.lower().translate(_SPACES) if source.isascii() else source.translate(_TABLE)

    @cached_property
    def _origins(self) -> list[int] | range:
        """For each folded letter, the index of the original letter it comes from; ascending."""
        if self.source.isascii():
            return range(len(self.source))
        return [index for index, letter in enumerate(self.source) for _ in _TABLE[ord(letter)]]

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
