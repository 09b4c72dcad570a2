"""Naive Bayes over n-grams of one to three letters and frequent words: a text is one array look-up, with no step of Python for a letter."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
import numpy.typing as npt
from langdetect.utils.ngram import NGram

LONGEST = 3
_UNSEEN = 5e-5  # langdetect's smoothing: alpha 0.5 over its base frequency 10,000
_FREQUENT_WORD = 4.0  # nats that a frequent word adds to its language
_SIGNS = 104  # letters of a script that are told apart; in its languages' profiles, rarer ones are of other scripts
_BETWEEN, _UNKNOWN = 1, 2  # signs: between words, and a letter that no profile has; none is 0, so that " a" and "a" are two numbers
_NOTHING, _NEW = 0, 1  # rows: an n-gram over the end of a word, and one that no profile has

Signs = npt.NDArray[np.intp]


@dataclass(frozen=True, slots=True, eq=False)
class NGramTable:
    """`signs`: UTF-16 unit -> its letter's sign, below `base`. `rows`: number of an n-gram, its signs being the digits, -> its row of `weights`.

    `words`: a frequent word, folded -> its row. A row holds the nats of each language.
    """

    base: int
    signs: Signs
    rows: npt.NDArray[np.uint16]
    words: Mapping[str, int]
    weights: npt.NDArray[np.float32]

    def score(self, text: str) -> tuple[npt.NDArray[np.float32], int]:
        """Nats of each language for all words of `text`, and how many n-grams they have."""
        units = np.frombuffer(f" {text} ".encode("utf-16-le", "surrogatepass"), dtype=np.uint16)
        signs = self.signs.take(units)
        pairs = signs[:-1] * self.base + signs[1:]
        grams = self.rows.take(np.concatenate((signs, pairs, pairs[:-1] * self.base + signs[2:])))
        folded = text.lower() if text.isascii() else fold(text)
        frequent = [self.words[word] for word in folded.split() if word in self.words]
        told: npt.NDArray[np.float32] = self.weights.take(np.concatenate((grams, frequent)) if frequent else grams, axis=0).sum(axis=0)
        return told, int(np.count_nonzero(grams))


def build(profiles: Sequence[Mapping[str, int]], lists: Sequence[Iterable[str]]) -> NGramTable:
    """A table with a column for each language: how often each folded n-gram was counted in it, and its frequent words, folded."""
    every = Counter[str]()
    for profile in profiles:
        every.update({gram: count for gram, count in _shares(profile).items() if len(gram) == 1 and gram != " "})
    letters = {letter: number for number, (letter, _) in enumerate(every.most_common(_SIGNS - 2), _UNKNOWN + 1)} | {" ": _BETWEEN}
    known = sorted({gram for profile in profiles for gram in profile if gram.strip() and set(gram) <= letters.keys()})
    place = {gram: row for row, gram in enumerate(known, _NEW + 1)}
    weights = np.full((len(known) + 2, len(profiles)), _UNSEEN, dtype=np.float32)
    for column, profile in enumerate(profiles):
        for gram, share in _shares(profile).items():
            if gram in place:
                weights[place[gram], column] += share
    weights = np.log(weights)
    weights[_NOTHING] = 0
    words = {word: row for row, word in enumerate(sorted(set().union(*lists)), len(weights))}
    worth = np.zeros((len(words), len(lists)), dtype=np.float32)
    for column, listed in enumerate(lists):
        worth[[words[word] - len(weights) for word in listed], column] = _FREQUENT_WORD
    base = len(letters) + 2
    return NGramTable(base, _signs(letters), _rows(place, letters, base), words, np.concatenate((weights, worth)))


def fold(text: str) -> str:
    """`text` in lower case and in langdetect's own classes of characters: one for all kana, one for the forms of a Chinese character, ..."""
    return text.replace("İ", "i").lower().translate(_NORMAL)


def n_grams(words: Iterable[str]) -> Iterator[str]:
    """All n-grams of one to three characters, a space at a word's ends, as langdetect cuts them."""
    for word in words:
        padded = f" {word} "
        yield padded[-2:]
        for i in range(len(word)):
            yield padded[i + 1]
            yield padded[i : i + 2]
            yield padded[i : i + LONGEST]


def _rows(place: Mapping[str, int], letters: Mapping[str, int], base: int) -> npt.NDArray[np.uint16]:
    rows = np.full((base,) * LONGEST, _NEW, dtype=np.uint16)
    rows[1:, _BETWEEN, :] = rows[0, 0, _BETWEEN] = rows[0, _BETWEEN, _BETWEEN] = _NOTHING
    for gram, row in place.items():
        rows[tuple([0] * (LONGEST - len(gram)) + [letters[letter] for letter in gram])] = row
    return rows.ravel()


def _shares(profile: Mapping[str, int]) -> dict[str, float]:
    """The share of each n-gram among those of its length."""
    totals = Counter[int]()
    for gram, count in profile.items():
        totals[len(gram)] += count
    return {gram: count / totals[len(gram)] for gram, count in profile.items()}


class _Normal(dict[int, int]):
    """Translation table of langdetect's classes."""

    def __missing__(self, point: int) -> int:
        self[point] = ord(NGram.normalize(chr(point)))
        return self[point]


_NORMAL = _Normal()


@cache
def _folded() -> npt.NDArray[np.uint16]:
    """What each UTF-16 unit is folded to; the halves of a pair, to themselves."""
    return np.array([ord(fold(chr(unit))[0]) for unit in range(1 << 16)], dtype=np.uint16)


def _signs(letters: Mapping[str, int]) -> Signs:
    of = np.full(1 << 16, _UNKNOWN, dtype=np.intp)
    for letter, number in letters.items():
        of[ord(letter)] = number
    return of[_folded()]
