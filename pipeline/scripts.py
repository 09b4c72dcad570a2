"""The script of a text, by its letters: ISO 15924."""

from __future__ import annotations

import sys
import unicodedata
from functools import cache

import numpy as np
import numpy.typing as npt

NO_SCRIPT = "Zyyy"
_OTHER_SCRIPT = "Zzzz"
_NAMES = {  # first word of a letter's Unicode name -> ISO 15924
    "ARABIC": "Arab", "ARMENIAN": "Armn", "BENGALI": "Beng", "CJK": "Hani", "CYRILLIC": "Cyrl", "DEVANAGARI": "Deva", "ETHIOPIC": "Ethi",
    "GEORGIAN": "Geor", "GREEK": "Grek", "GUJARATI": "Gujr", "GURMUKHI": "Guru", "HANGUL": "Hang", "HEBREW": "Hebr", "HIRAGANA": "Jpan",
    "KANNADA": "Knda", "KATAKANA": "Jpan", "KHMER": "Khmr", "LAO": "Laoo", "LATIN": "Latn", "MALAYALAM": "Mlym", "MYANMAR": "Mymr",
    "SINHALA": "Sinh", "SYRIAC": "Syrc", "TAMIL": "Taml", "TELUGU": "Telu", "THAANA": "Thaa", "THAI": "Thai", "TIBETAN": "Tibt",
}  # fmt: skip
_SCRIPTS = (NO_SCRIPT, *sorted({*_NAMES.values(), _OTHER_SCRIPT}))
_HANI, _JPAN = (_SCRIPTS.index(script) for script in ("Hani", "Jpan"))
_WORTH = np.array([0, *(3 if script in ("Hani", "Hang", "Jpan") else 1 for script in _SCRIPTS[1:])])
"""Letters of an alphabet that one sign of each script is worth."""
_KANA_SHARE = 0.1  # of a text's signs: Japanese writes more kana than that, Chinese none


def gate(text: str) -> tuple[str, float, int]:
    """The script of most letters, its share of all, and how many letters it has (a sign of a syllabary counts for three)."""
    if text.isascii() and text.isalpha():
        return "Latn", 1.0, len(text)
    counts = _WORTH * np.bincount(_of_letters()[points(text)], minlength=len(_SCRIPTS))
    if counts[_JPAN] > _KANA_SHARE * (counts[_JPAN] + counts[_HANI]):
        counts[_JPAN] += counts[_HANI]
        counts[_HANI] = 0
    best = int(counts.argmax())
    letters, total = int(counts[best]), int(counts.sum())
    return _SCRIPTS[best], letters / (total or 1), letters


def script_of(text: str) -> str:
    """The script of most letters of a text, as it stands."""
    return gate(text)[0]


def letter_script(letter: str) -> str:
    """The script of one letter; `Zyyy` of what is no letter."""
    place: int = _of_letters()[ord(letter)]
    return _SCRIPTS[place]


def points(text: str) -> npt.NDArray[np.uint32]:
    """The code points of any string, lone surrogates too."""
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype=np.uint32)


@cache
def _of_letters() -> npt.NDArray[np.uint8]:
    """The script of each code point, as its place in `_SCRIPTS`."""
    return np.array([_script(chr(point)) if chr(point).isalpha() else 0 for point in range(sys.maxunicode + 1)], dtype=np.uint8)


def _script(letter: str) -> int:
    return _SCRIPTS.index(_NAMES.get(unicodedata.name(letter, "").partition(" ")[0], _OTHER_SCRIPT))
