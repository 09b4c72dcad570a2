"""Naive Bayes over the n-grams and frequent words of the languages of one script.

Sources: langdetect's profiles, our own texts (`profiles/*.txt`) for languages that it lacks, and lists of frequent words
(`profiles/words.toml`), whose keys are the candidates: all languages of the script that we know anything of, never only the wanted ones.
"""

from __future__ import annotations

import json
import math
import threading
import tomllib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib import resources
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from langdetect.utils.ngram import NGram

from pipeline.cleaning import letters
from schemas.errors import DataFileError

_UNSEEN = 5e-5  # langdetect's smoothing: alpha 0.5 over its base frequency 10,000
_FREQUENT_WORD = 3.0  # nats that a frequent word adds to its language
_RARE = 3.0  # nats that a language which few write news and posts in must make good
_MAX_LETTERS = 600  # more of a long text changes no answer
_LONGEST = 3
_WORDS_KEPT = 32_768

_PROFILES = resources.files("pipeline") / "profiles"

_models: dict[str, Model | None] = {}
_lock = threading.Lock()


@dataclass(frozen=True, slots=True)
class Score:
    """What words say of each candidate: its log-likelihood in nats, and of how many n-grams that is."""

    nats: Mapping[str, float]
    grams: int


class _Word(NamedTuple):
    """What one word says: nats of each language, how many n-grams it has, and how many of them no language knows."""

    nats: npt.NDArray[np.float64]
    grams: int
    unseen: int


@dataclass(frozen=True, slots=True, eq=False)
class Model:
    """One column a language. `weights` holds a row of log-likelihoods for each n-gram, `words` the nats that a frequent word adds."""

    codes: tuple[str, ...]
    rows: Mapping[str, int]
    weights: npt.NDArray[np.float32]
    words: Mapping[str, npt.NDArray[np.float32]]
    prior: npt.NDArray[np.float32]

    def score(self, words: Sequence[str]) -> Score:
        """Scores cleaned words, all in the model's script: each distinct word once."""
        distinct = list(dict.fromkeys(_fold(" ".join(words)).split()))
        sample = distinct[:: sum(map(len, distinct)) // _MAX_LETTERS + 1]
        told = [_word(self, word) for word in sample]
        nats = np.array([word.nats for word in told]).sum(axis=0) + self.prior + sum(word.unseen for word in told) * math.log(_UNSEEN)
        return Score(dict(zip(self.codes, nats.tolist(), strict=True)), sum(word.grams for word in told))


@lru_cache(maxsize=_WORDS_KEPT)
def _word(model: Model, word: str) -> _Word:
    """The same words come again and again: looked up, a text costs a fifth."""
    grams = list(_n_grams([word]))
    rows = [row for row in map(model.rows.get, grams) if row is not None]
    nats = model.weights.take(np.array(rows, dtype=np.intp), axis=0).sum(axis=0, dtype=np.float64)
    return _Word(nats + model.words[word] if word in model.words else nats, len(grams), len(grams) - len(rows))


def model(script: str) -> Model | None:
    """The model of a script (ISO 15924), built at its first use in this process; None where its languages are not told apart by words.

    Raises:
        DataFileError: a candidate has neither a profile nor a text.
    """
    with _lock:
        if script not in _models:
            _models[script] = _build(script) if script in _lists()["words"] else None
        return _models[script]


def load() -> None:
    """Builds all models, so that no record waits for one."""
    for script in _lists()["words"]:
        model(script)


def _build(script: str) -> Model:
    frequent = _lists()["words"][script]
    codes = tuple(frequent)
    frequencies = [_frequencies(code) for code in codes]
    rows = {gram: row for row, gram in enumerate(sorted(set().union(*frequencies)))}
    weights = np.full((len(rows), len(codes)), _UNSEEN, dtype=np.float32)
    for column, shares in enumerate(frequencies):
        weights[[rows[gram] for gram in shares], column] += np.fromiter(shares.values(), dtype=np.float32)
    prior = np.array([-_RARE if code in _lists()["rare"] else 0.0 for code in codes], dtype=np.float32)
    return Model(codes, rows, np.log(weights), _frequent_words(frequent), prior)


@cache
def _lists() -> dict[str, Any]:
    return tomllib.loads((_PROFILES / "words.toml").read_text(encoding="utf-8"))


def _frequent_words(lists: Mapping[str, str]) -> dict[str, npt.NDArray[np.float32]]:
    words: dict[str, npt.NDArray[np.float32]] = {}
    for column, listed in enumerate(lists.values()):
        for word in set(_fold(letters(listed)).split()):
            words.setdefault(word, np.zeros(len(lists), dtype=np.float32))[column] = _FREQUENT_WORD
    return words


def _frequencies(code: str) -> dict[str, float]:
    """The share of each n-gram among those of its length."""
    counts = _counts(code)
    totals = Counter[int]()
    for gram, count in counts.items():
        totals[len(gram)] += count
    return {gram: count / totals[len(gram)] for gram, count in counts.items()}


def _counts(code: str) -> Counter[str]:
    profile = resources.files("langdetect") / "profiles" / code
    ours = _PROFILES / f"{code}.txt"
    counts = Counter[str]()
    if ours.is_file():
        counts.update(_n_grams(_fold(letters(ours.read_text(encoding="utf-8"))).split()))
    elif profile.is_file():
        for gram, count in json.loads(profile.read_bytes())["freq"].items():
            if len(folded := _fold(gram)) <= _LONGEST:
                counts[folded] += count
    else:
        raise DataFileError(f"language {code}: langdetect has no profile of it and there is no profiles/{code}.txt")
    return counts


class _Normal(dict[int, int]):
    """Translation table of langdetect's own classes of characters: one for all kana, one for the forms of a Chinese character, ..."""

    def __missing__(self, point: int) -> int:
        self[point] = ord(NGram.normalize(chr(point)))
        return self[point]


_NORMAL = _Normal()


def _fold(text: str) -> str:
    return text.replace("İ", "i").lower().translate(_NORMAL)


def _n_grams(words: Iterable[str]) -> Iterator[str]:
    """All n-grams of one to three characters, a space at a word's ends, as langdetect cuts them."""
    for word in words:
        padded = f" {word} "
        yield padded[-2:]
        for i in range(len(word)):
            yield padded[i + 1]
            yield padded[i : i + 2]
            yield padded[i : i + 3]
