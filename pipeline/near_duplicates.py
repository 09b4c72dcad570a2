"""Near-duplicates: texts that differ in some of their words, in any script. Pure.

A text is sampled: the trigrams of its folded words are hashed, and the smallest hashes stand for all (a bottom-k sketch: Broder, "On the
resemblance and containment of documents", 1997). Two texts of which one is an edited copy of the other have many of them in common, wherever
the words stand; a text cut down to its lead has those of the lead, which is sampled by itself too. Strangers have one or two in common at most.
Many texts are sampled at once, as one array of letters: one by one they took four times as long.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache
from typing import NamedTuple
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from pipeline.folding import folded_points
from pipeline.rows import starts

Hashes = NDArray[np.uint64]
Places = NDArray[np.intp]

SAMPLED, SAMPLED_OF_LEAD = 14, 6
"""Trigrams that stand for the whole text, and for its lead."""
LEAD = 40
"""Words of the lead."""
LEAST_WORDS = SAMPLED + 2
"""Fewer have not enough trigrams to tell a copy from a like text."""
SHORT = 100
"""Letters below which a body is sampled together with its title."""
ALIKE = 0.27
"""Share of a text's sample that an older one must have. Of 20 % changed words, half of the trigrams are left."""
SURELY_ALIKE = 0.85
"""The share where the texts and their leads give other numbers, as another toll, or where one outlet wrote both: its texts share their set phrases."""

_MOST_LETTERS, _GROUP_LETTERS = 16_384, 262_144
"""Letters of one text, and of texts sampled at once."""
_ODD = 0x9E3779B97F4A7C15
_MIX = (np.uint64(0xFF51AFD7ED558CCD), np.uint64(0xC4CEB9FE1A85EC53), np.uint64(0x9FB21C651E98DF25))
_HALF = np.uint64(32)
_OF_LEAD, _OF_WHOLE, _SOURCE = map(np.uint64, (0xFFFFFF << 40, 0xFFFFFF << 16, 0xFFFF))
"""The parts of a mark."""


class Text(NamedTuple):
    """What is sampled, and who wrote it."""

    title: str | None
    body: str
    source_id: str


class Samples(NamedTuple):
    """What stands for texts: sampled hashes and the number of each one's text; and of every text a mark: its lead's numbers, all its numbers, its source."""

    hashes: Hashes
    texts: Places
    marks: Hashes


def sample(texts: Sequence[Text]) -> Samples:
    """The samples of texts; none of one with too few words."""
    parts = [Samples(np.empty(0, np.uint64), np.empty(0, np.intp), np.empty(0, np.uint64))]
    for first, group in _groups(texts):
        hashes, of, marks = _sample(group)
        parts.append(Samples(hashes, of + first, marks))
    return Samples(*(np.concatenate(columns) for columns in zip(*parts, strict=True)))


def needed(mark: int, other: int) -> float:
    """The share of a sample that must be known for a copy, given both marks."""
    unlike = mark ^ other
    same_numbers, same_source = not unlike & int(_OF_LEAD) or not unlike & int(_OF_WHOLE), not unlike & int(_SOURCE)
    return ALIKE if same_numbers and not same_source else SURELY_ALIKE


def _groups(texts: Sequence[Text]) -> Iterator[tuple[int, Sequence[Text]]]:
    """The texts in groups of so many letters, each with the number of its first."""
    first = size = 0
    for number, text in enumerate(texts):
        letters = 2 + min(_MOST_LETTERS, len(text.body) + len(text.title or ""))
        if size + letters > _GROUP_LETTERS:
            yield first, texts[first:number]
            first, size = number, 0
        size += letters
    if texts:
        yield first, texts[first:]


def _sample(texts: Sequence[Text]) -> Samples:
    """As `sample`, of one group: all its letters are one array."""
    written = [text.body if len(text.body) >= SHORT or not text.title else f"{text.title} {text.body}" for text in texts]
    letters, edges = folded_points([text[:_MOST_LETTERS] for text in written])
    begins, ends, of = _words(letters, edges)
    words = _hashed(letters, begins, ends)
    place = np.arange(len(of)) - np.searchsorted(of, of)

    trigrams = _mixed(words[:-2] * _MIX[0] + words[1:-1] * _MIX[1] + words[2:] * _MIX[2])
    enough = np.bincount(of, minlength=len(texts)) >= LEAST_WORDS
    inside = (of[:-2] == of[2:]) & enough[of[2:]]
    in_lead = inside & (place[2:] < LEAD)
    sampled = np.zeros(len(trigrams), dtype=np.bool_)
    for some, most in ((inside, SAMPLED), (in_lead, SAMPLED_OF_LEAD)):
        sampled[np.flatnonzero(some)[_smallest(trigrams[some], of[:-2][some], most)]] = True

    is_number = (letters[begins] >= ord("0")) & (letters[begins] <= ord("9"))
    first = np.searchsorted(of, np.arange(len(texts) + 1))
    sources = np.array([crc32(text.source_id.encode("utf8", "replace")) for text in texts], dtype=np.uint64)
    marks = sources & _SOURCE
    for field, counted in ((_OF_LEAD, is_number & (place < LEAD)), (_OF_WHOLE, is_number)):
        sums = np.append(np.uint64(0), np.cumsum(words * counted, dtype=np.uint64))
        marks |= _mixed(sums[first[1:]] - sums[first[:-1]]) & field
    return Samples(trigrams[sampled], of[:-2][sampled], marks)


def _words(letters: NDArray[np.uint32], edges: Places) -> tuple[Places, Places, Places]:
    """Where words begin and end, and which text each stands in; texts end at `edges`."""
    inside = np.zeros(len(letters) + 2, dtype=np.bool_)
    inside[1:-1] = _is_word()[letters]
    changes = np.flatnonzero(inside[1:] != inside[:-1])
    return changes[::2], changes[1::2], np.searchsorted(edges, changes[::2], side="right")


def _hashed(letters: NDArray[np.uint32], begins: Places, ends: Places) -> Hashes:
    """A hash of each word: a polynomial over its letters, taken from sums over all."""
    powers, inverses = _powers()
    sums = np.append(np.uint64(0), np.cumsum(letters * powers[: len(letters)], dtype=np.uint64))
    return _mixed((sums[ends] - sums[begins]) * inverses[begins])


def _mixed(hashes: Hashes) -> Hashes:
    for factor in _MIX[:2]:
        hashes = (hashes ^ (hashes >> _HALF)) * factor
    return hashes ^ (hashes >> _HALF)


def _smallest(hashes: Hashes, texts: Places, most: int) -> Places:
    """Where the smallest so many hashes of each text stand; of a phrase that comes again, the first."""
    order = np.lexsort((hashes, texts))
    hashes, texts = hashes[order], texts[order]
    own = starts(hashes) | starts(texts)
    order, texts = order[own], texts[own]
    rank = np.arange(len(texts)) - np.searchsorted(texts, texts)
    return order[rank < most]


@cache
def _powers() -> tuple[Hashes, Hashes]:
    """Powers of an odd number modulo 2**64, and of its inverse."""
    powers, inverses = (np.full(_GROUP_LETTERS, base, dtype=np.uint64) for base in (_ODD, pow(_ODD, -1, 1 << 64)))
    powers[0] = inverses[0] = 1
    return np.cumprod(powers), np.cumprod(inverses)


@cache
def _is_word() -> NDArray[np.bool_]:
    """Whether each code point of the basic plane is a letter, a digit or a low line."""
    return np.array([chr(point).isalnum() or point == ord("_") for point in range(0x10000)], dtype=np.bool_)
