"""What is left of a text when all that belongs to no language is taken out, and where it stood."""

from __future__ import annotations

import re
import unicodedata
from functools import cache, cached_property

from pipeline.trail import Trail, Written

MAX_CHARACTERS = 3_000
_MAX_EXPANDED = 2 * MAX_CHARACTERS  # NFKC may write one character as eighteen

_UPPER = "".join(chr(point) for point in range(0x530) if chr(point).isupper())
_HUMP = re.compile(rf"(?<=[^\W\d_{_UPPER}])(?=[{_UPPER}])")
_MEDIA = "photo|image|picture|video|credits?|foto|vidéo|bild|wêne|صور[ةه]|فيديو|تصوير|وێنە|ڤیدیۆ|عکس|ویدیو|تصویر"


def _split(tag: re.Match[str]) -> str:
    return _HUMP.sub(" ", tag[0])


_Step = tuple[str, re.Pattern[str], Written]
_FURNITURE: tuple[_Step, ...] = (  # what a text must hold for the pattern to be tried at all, the pattern, and what is written instead
    ("&", re.compile(r"&(?:[a-z]{2,8}|#\d{1,6}|#x[0-9a-f]{1,6});", re.IGNORECASE), " "),
    ("/", re.compile(r"(?:https?://|www\.|pic\.twitter\.com/|t\.co/|t\.me/|bit\.ly/|youtu\.be/)\S*", re.IGNORECASE), " "),
    ("www.", re.compile(r"www\.\S*"), " "),
    ("@", re.compile(r"(?<![\w.+-])[\w.+-]{1,64}@[\w-]{1,64}(?:\.[\w-]{1,64}){1,8}"), " "),
    ("(@", re.compile(r"[–—-]\s?[^–—\n@]{1,40}\(@\w{1,40}\)"), " "),  # - Name of an account (@account)
    ("@", re.compile(r"(?:\b(?:RT|via|cc)\s{1,3})?(?<!\w)@\w[\w.-]*(?:@[\w.-]+)?:?", re.IGNORECASE), " "),
    ("(", re.compile(rf"\((?:file |archive )?(?:{_MEDIA})\b[^()\n]{{0,80}}\)", re.IGNORECASE), " "),  # (Photo: agency)
)
_TAG = re.compile(r"#[^\W_]+\b(?!_)")
_NAME = re.compile(rf"#[{_UPPER}]*[^\W_{_UPPER}]*(?!\w)")
_TAGS_GONE: tuple[_Step, ...] = (("#", _TAG, " "),)
_TAGS_SPLIT: tuple[_Step, ...] = (("#", _NAME, " "), ("#", _TAG, _split))
_LETTER = re.compile(r"[^\W\d_]")
_SPACES = re.compile(r" {2,}")
_BREAKS = re.compile(r" ?\n[ \n]*")
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
_LETTERS = _Letters(dict.fromkeys(_TASHKEEL) | dict.fromkeys([0x200C, *_EMOJI_MARKS], ord(" ")) | dict.fromkeys(map(ord, "\n.!?|•؟۔。"), ord("\n")))


class Cleaned:
    """The words of the first 3,000 characters of `source`, NFKC: `text` holds letters only, one space apart, sentences one to a line.

    Links, addresses, handles, bylines, credits of pictures, emoji, digits and one-word hashtags (names, which tell no language) are gone;
    hashtags of several words are split at `_`, and at capitals where nothing else is said: `#BreakingNews` ends posts of any language.
    A letter written three times or more stands once.
    """

    def __init__(self, source: str) -> None:
        self.source = source[:MAX_CHARACTERS]
        text = unicodedata.normalize("NFKC", self.source)[:_MAX_EXPANDED]
        for marker, pattern, written in _FURNITURE:
            if marker in text:
                text = pattern.sub(written, text)
        self._tags: tuple[_Step, ...] = ()
        if "#" in text:
            self._tags = _TAGS_GONE if _LETTER.search(_TAG.sub("", text)) else _TAGS_SPLIT
            for _, pattern, written in self._tags:
                text = pattern.sub(written, text)
        lines = (" ".join(line.split()) for line in text.translate(_LETTERS).split("\n"))
        self.text = _REPEATED.sub(r"\1", "\n".join(filter(None, lines)))

    def origin(self, start: int, end: int) -> tuple[int, int]:
        """The span of `source` that became [start, end) of `text`; start < end."""
        return self._trail.origin(start, end)

    @cached_property
    def _trail(self) -> Trail:
        """The same steps again, one character at a time: few texts are asked for it."""
        trail = _composed(self.source).cut(0, _MAX_EXPANDED)
        for marker, pattern, written in (*_FURNITURE, *self._tags):
            if marker in trail.text:
                trail = trail.sub(pattern, written)
        trail = trail.translate(_LETTERS).sub(_SPACES, " ").sub(_BREAKS, "\n")
        start = len(trail.text) - len(trail.text.lstrip())
        return trail.cut(start, max(start, len(trail.text.rstrip()))).sub(_REPEATED, r"\1")


def _composed(source: str) -> Trail:
    """NFKC, a letter with what composes with it at a time."""
    if unicodedata.is_normalized("NFKC", source):
        return Trail.of(source)
    starts = [index for index, letter in enumerate(source) if index == 0 or not _composes(letter)]
    texts, origins = [], list[int]()
    for start, end in zip(starts, [*starts[1:], len(source)], strict=True):
        texts.append(unicodedata.normalize("NFKC", source[start:end]))
        origins += [start] * len(texts[-1])
    return Trail("".join(texts), origins, len(source))


@cache
def _composes(letter: str) -> bool:
    """Whether it may become one with the letter before: marks, and vowels and finals of Hangul."""
    first = unicodedata.normalize("NFKD", letter)[0]
    return unicodedata.category(first)[0] == "M" or "\u1161" <= first <= "\u11ff"


def clean(text: str) -> str:
    """As Cleaned, where the way back does not matter."""
    return Cleaned(text).text


def letters(text: str) -> str:
    """`text` with one space for each run of characters that are no letters."""
    return " ".join(text.translate(_LETTERS).split())
