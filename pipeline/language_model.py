"""What the words of a text say of each language of its script: two independent models and lists of frequent words, added up.

Sources: n-grams of langdetect's profiles and of our own texts (`profiles/*.txt`) for languages that it lacks; py3langid's model; lists of
frequent words (`profiles/words.toml`). Its keys and `others` are the candidates: all languages of the script that we know anything of.
"""

from __future__ import annotations

import json
import threading
import tomllib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline import byte_model, ngram_table
from pipeline.byte_model import ByteModel
from pipeline.cleaning import letters
from pipeline.ngram_table import LONGEST, NGramTable, fold, n_grams
from pipeline.scripts import gate
from pipeline.spelling import with_own_letters
from schemas.errors import DataFileError

UNDETERMINED = "und"
_VOTE = 2.0  # what a nat of py3langid's is worth beside one of ours
_UNCOMMON = 10.0  # nats that a language must make good in which the sources seldom write
_OTHER = 20.0  # the same for one that only py3langid knows
_KEYBOARD = {"Hani": -8.5}  # nats an n-gram: letters at random, where a sentence has -5 (alphabets) or -6.5 (Han)
_LEAD = 0.1  # nats for each n-gram and a hundred more, by which the first leads the second where no vote could turn it: one in a thousand was wrong
_TYPICAL = 1.0  # nats an n-gram by which a sentence beats letters at random
_ALONE = 3.0  # what a nat of ours is worth without a vote
_MAX_LETTERS = 600  # more of a long text changes no answer
_TEMPER = 20.0  # what a nat is worth in a posterior, over the n-grams and a hundred more
_RANKED = 5  # candidates that are named: two of them may be Chinese, one undetermined
_DECLARED = 1.0  # nats after tempering: moves a near tie, never a sentence

_PERSIAN_LEAD = 30.0  # nats over Arabic, from which letters of an Arabic keyboard mislead the voter: posts in Arabic had 15 at most, in Persian 50 at least

_PROFILES = resources.files("pipeline") / "profiles"

Nats = npt.NDArray[np.float32]

_models: dict[str, Model] = {}
_lock = threading.Lock()


@dataclass(frozen=True, slots=True, eq=False)
class Model:
    """The candidates of a script: those of `table`, those of `voter`, which begin before these end, and `und` (letters at random).

    A candidate that our n-grams do not know gets as much as their second; one that the voter does not know, as much as its first.
    What both find strange is `und`.
    """

    codes: tuple[str, ...]
    table: NGramTable
    voter: ByteModel
    names: frozenset[str]
    prior: Nats
    keyboard: float

    def ranked(self, words: Sequence[str], declared: str = "") -> dict[str, float]:
        """Each candidate's share of belief, likeliest first, by cleaned words that are all in the model's script."""
        distinct = [word for word in dict.fromkeys(words) if word.lower() not in self.names]
        if not distinct:
            return {UNDETERMINED: 0.0}
        text = " ".join(distinct[:: sum(map(len, distinct)) // _MAX_LETTERS + 1])
        own, grams = self.table.score(text)
        *_, second, first = sorted(own.tolist())
        own -= first
        leader = self.codes[own.argmax()]
        typical = first > (self.keyboard + _TYPICAL) * grams and leader in _lists()["common"]
        if typical and first - second > _LEAD * (grams + 100):
            return _posteriors(self.codes, (own + self.prior[: len(own)]) * _ALONE, grams, declared)
        return _posteriors(self.codes, self._voted(text, own, leader, self.keyboard * grams - first), grams, declared)

    def _voted(self, text: str, own: Nats, leader: str, strange: float) -> Nats:
        """Nats of all candidates, both models' together; `strange` is how far letters at random beat the leader, in ours."""
        persian = leader == "fa" and own[self.codes.index("ar")] < -_PERSIAN_LEAD
        vote = self.voter.score(with_own_letters(text) if persian else text)
        vote -= vote.max()
        shared = len(self.codes) - 1 - len(vote)
        nats = self.prior.copy()
        nats[: len(own)] += own
        nats[len(own) : -1] += np.partition(own, -2)[-2]
        nats[shared:-1] += _VOTE * vote
        nats[-1] += strange + _VOTE * vote[: len(own) - shared].max()
        return nats


def _posteriors(codes: Sequence[str], nats: Nats, grams: int, declared: str) -> dict[str, float]:
    """Tempered posteriors.

    N-grams overlap, so that a plain posterior is certain of everything. The longer the text, the less each n-gram is worth here: what
    counts in the end is the lead per n-gram, which stays small for a language that is no candidate. Fitted on 7,000 short texts.
    """
    nats = nats * (_TEMPER / (grams + 100))
    if declared:
        nats[[place for place, code in enumerate(codes) if code.partition("-")[0] == declared]] += _DECLARED
    odds = np.exp(nats - nats.max())
    total = odds.sum()
    ranked = {codes[place]: float(odds[place] / total) for place in nats.argsort()[: -_RANKED - 1 : -1].tolist()}
    return _together(ranked) if "zh-cn" in ranked else ranked


def _together(ranked: Mapping[str, float]) -> dict[str, float]:
    """Simplified and traditional Chinese are no rivals: the likelier stands for both."""
    shares: dict[str, float] = {}
    forms: dict[str, str] = {}
    for code, share in ranked.items():
        form = forms.setdefault(code.partition("-")[0], code)
        shares[form] = shares.get(form, 0.0) + share
    return dict(sorted(shares.items(), key=lambda item: -item[1]))


def model(script: str) -> Model | None:
    """The model of a script (ISO 15924); None where its languages are not told apart by words. The first call in a process builds all.

    Raises:
        DataFileError: a candidate has neither a profile nor a text.
    """
    with _lock:
        if not _models:
            _models.update(_build())
        return _models.get(script)


def load() -> None:
    """Builds all models and tables, so that no record waits for one."""
    gate("")
    model("")


def _build() -> dict[str, Model]:
    words, others = _lists()["words"], _lists()["others"]
    voters = byte_model.build({script: (*words[script], *others.get(script, "").split()) for script in words})
    return {script: _model(words[script], voters[script], _KEYBOARD.get(script, -6.5)) for script in words}


def _model(words: Mapping[str, str], voter: ByteModel, keyboard: float) -> Model:
    unknown = [code for code in words if code not in voter.codes]
    ours = [*unknown, *(code for code in voter.codes if code in words)]
    table = ngram_table.build([_counts(code) for code in ours], [set(fold(letters(words[code])).split()) for code in ours])
    codes = (*unknown, *voter.codes, UNDETERMINED)
    return Model(codes, table, voter, frozenset(_lists()["names"].split()), np.array([-_burden(code, words) for code in codes], dtype=np.float32), keyboard)


def _burden(code: str, words: Mapping[str, str]) -> float:
    """Nats that a candidate must make good."""
    return 0.0 if code in _lists()["common"] or code == UNDETERMINED else _UNCOMMON if code in words else _OTHER


@cache
def _lists() -> dict[str, Any]:
    return tomllib.loads((_PROFILES / "words.toml").read_text(encoding="utf-8"))


def _counts(code: str) -> Counter[str]:
    """How often a language's n-grams were counted, folded."""
    profile = resources.files("langdetect") / "profiles" / code
    ours = _PROFILES / f"{code}.txt"
    counts = Counter[str]()
    if ours.is_file():
        counts.update(n_grams(fold(letters(ours.read_text(encoding="utf-8"))).split()))
    elif profile.is_file():
        for gram, count in json.loads(profile.read_bytes())["freq"].items():
            if len(folded := fold(gram)) <= LONGEST:
                counts[folded] += count
    else:
        raise DataFileError(f"language {code}: langdetect has no profile of it and there is no profiles/{code}.txt")
    return counts
