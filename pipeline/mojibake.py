"""Text that was UTF-8 and was read as a Windows code page or Latin-1, put right where that is certain.

`Ø¨ØºØ¯Ø§Ø¯` and `ط¨ط؛ط¯ط§ط¯` are بغداد, `dâ€™Ã©tat` is d’état. A line is judged as a whole: sound text, too, holds a letter and a sign
behind it that would decode, but beside many letters that would not.
"""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect
from dataclasses import dataclass

from pipeline.trail import Trail

_MAX_CHARACTERS = 100_000
_DEEPEST = 3  # how often a text may have been misread, each time upon the last
_SOUND = 10  # of so many sequences one may have lost its end: texts are cut
_LAST_LATIN = 0x24F  # behind it stand phonetic letters
_PUNCTUATION = "‚„…‹‘’“”–—›«»·"  # stands beside letters in sound text, too
_LINE = re.compile(r"[^\n]+")
_SIGNS = "ªºµˆ"  # letters to Unicode, of no script
_LOST = {0xC3: "à", 0xE2: "”"}  # what was meant where a no-break space or a control character has gone from the end


@dataclass(frozen=True, slots=True)
class _CodePage:
    """What UTF-8 becomes when it is read so: `bytes` leads back, `opener` matches what begins a sequence, `sequence` one character's."""

    bytes: dict[int, int]
    opener: re.Pattern[str]
    sequence: re.Pattern[str]
    run: re.Pattern[str]

    def decoded(self, found: re.Match[str]) -> str:
        """The character that was meant; the sequence itself where it is none."""
        read = found[0].translate(self.bytes).encode("latin-1")
        try:
            return read.decode("utf-8")
        except UnicodeDecodeError:
            return _LOST[read[0]] if len(read) < 3 and read[0] in _LOST else found[0]

    def is_certain(self, line: str) -> bool:
        """Whether the line was misread so: nearly all its sequences are whole, they give one script, and one stands where nobody writes such."""
        found = list(self.sequence.finditer(line))
        if not found:
            return False
        meant = [(match, self.decoded(match)) for match in found]
        broken = len(self.opener.findall(line)) - len(found) + sum(match[0] == char for match, char in meant)
        scripts = {_script(char) for _, char in meant if char.isalpha() and char not in _SIGNS}
        if broken * _SOUND > len(found) or len(scripts) > 1 or "" in scripts:
            return False
        return bool(self.run.search(line)) or any(_is_telling(match, char) for match, char in meant)


def _code_page(name: str) -> _CodePage:
    """A code page. Bytes that it leaves free, and all of Latin-1 that it fills, may also be the control characters of their number."""
    of = {byte: bytes([byte]).decode(name, "ignore") + (chr(byte) if byte < 0xA0 else "") for byte in range(0x80, 0x100)}

    def some(first: int, last: int) -> str:
        return f"[{re.escape(''.join(of[byte] for byte in range(first, last + 1)))}]"

    end, two, three, four = some(0x80, 0xBF), some(0xC2, 0xDF), some(0xE0, 0xEF), some(0xF0, 0xF4)
    whole = f"{two}{end}|{three}{end}{{2}}|{four}{end}{{3}}"
    lost = rf"{of[0xC3]}(?!\S)|{of[0xE2]}{some(0x80, 0x80)}(?![\w\u200c\u200d])"
    numbers = {ord(char): byte for byte, chars in of.items() for char in chars}
    return _CodePage(numbers, re.compile(some(0xC2, 0xF4)), re.compile(f"{whole}|{lost}"), re.compile(f"(?:{whole}){{3}}"))


_CODE_PAGES = _code_page("cp1252"), _code_page("cp1256")


def _script(letter: str) -> str:
    """First word of its name, as LATIN; empty for what no text is written in."""
    name = unicodedata.name(letter, "").partition(" ")[0]
    return "" if name == "LATIN" and ord(letter) > _LAST_LATIN and letter != "ə" else name


def _is_telling(found: re.Match[str], meant: str) -> bool:
    """Whether nobody would write the sequence where it stands: `â€™` anywhere, a letter's inside a word."""
    before, after = found.string[: found.start()][-1:], found.string[found.end() :][:1]
    if ord(meant[0]) > 0x7FF:
        return not meant.isalpha() and meant != found[0]
    inside = before.islower() or (after.isalpha() and found[0][-1] not in _PUNCTUATION)
    return inside and meant.isalpha() and ord(meant[0]) <= _LAST_LATIN


def mended(text: str) -> Trail:
    """The text with certain mojibake put right, and where each character stood. Reads the first 100,000 characters; takes any string."""
    if text.isascii():
        return Trail.of(text)
    trail = Trail.of(text[:_MAX_CHARACTERS])
    for _ in range(_DEEPEST):
        before = trail
        for page in _CODE_PAGES:
            trail = _mended_as(page, trail)
        if trail is before:
            break
    return trail.then(text[_MAX_CHARACTERS:]) if len(trail.text) < trail.size else Trail.of(text)


def _mended_as(page: _CodePage, trail: Trail) -> Trail:
    """Each sequence of the lines that were misread as this code page, decoded."""
    lines = [match.span() for match in _LINE.finditer(trail.text) if page.is_certain(match[0])]
    if not lines:
        return trail

    def decoded(found: re.Match[str]) -> str:
        start, end = lines[max(bisect(lines, (found.start(), len(trail.text))) - 1, 0)]
        return page.decoded(found) if start <= found.start() < end else found[0]

    return trail.sub(page.sequence, decoded)
