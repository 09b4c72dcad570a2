"""What is left of a text when all that belongs to no language is taken out."""

from __future__ import annotations

import re
import unicodedata

MAX_CHARACTERS = 3_000
_MAX_EXPANDED = 2 * MAX_CHARACTERS  # NFKC may write one character as eighteen

_FURNITURE = (  # what a text must hold for the pattern to be tried at all, and the pattern
    ("&", re.compile(r"&(?:[a-z]{2,8}|#\d{1,6}|#x[0-9a-f]{1,6});", re.IGNORECASE)),
    ("/", re.compile(r"(?:https?://|www\.|pic\.twitter\.com/|t\.co/|bit\.ly/|youtu\.be/)\S*", re.IGNORECASE)),
    ("www.", re.compile(r"www\.\S*")),
    ("@", re.compile(r"(?<![\w.+-])[\w.+-]{1,64}@[\w-]{1,64}(?:\.[\w-]{1,64}){1,8}")),
    ("(@", re.compile(r"[–—-]\s?[^–—\n@]{1,40}\(@\w{1,40}\)")),  # - Name of an account (@account)
    ("@", re.compile(r"(?:\b(?:RT|via|cc)\s{1,3})?(?<!\w)@\w[\w.-]*(?:@[\w.-]+)?:?", re.IGNORECASE)),
    ("#", re.compile(r"#[^\W_]+\b(?!_)")),
)
_REPEATED = re.compile(r"(.)\1\1+")


class _Letters(dict[int, int | None]):
    """Translation table: letters and their marks stay, diacritics and joiners that writers leave out go, all else is a space."""

    def __missing__(self, point: int) -> int | None:
        category = unicodedata.category(chr(point))
        kept: int | None = point if category[0] in "LM" else None if category == "Cf" else ord(" ")
        self[point] = kept
        return kept


_TASHKEEL = [*range(0x64B, 0x653), 0x670, 0x640]
_EMOJI_MARKS = [0x20E3, *range(0xFE00, 0xFE10)]
_LETTERS = _Letters(dict.fromkeys(_TASHKEEL) | dict.fromkeys([0x200C, *_EMOJI_MARKS], ord(" ")))


def clean(text: str) -> str:
    """The words of the first 3,000 characters of `text`, NFKC, one space apart: letters only.

    Links, addresses, handles, bylines, emoji, digits and one-word hashtags (names, which tell no language) are gone;
    hashtags of several words are split at `_`; a letter written three times or more stands once.
    """
    text = unicodedata.normalize("NFKC", text[:MAX_CHARACTERS])[:_MAX_EXPANDED]
    for marker, pattern in _FURNITURE:
        if marker in text:
            text = pattern.sub(" ", text)
    return _REPEATED.sub(r"\1", letters(text))


def letters(text: str) -> str:
    """`text` with one space for each run of characters that are no letters."""
    return " ".join(text.translate(_LETTERS).split())
