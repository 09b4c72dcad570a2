"""py3langid's model, of which each script gets the columns of its languages: naive Bayes over sequences of bytes, found in one pass."""

from __future__ import annotations

import tempfile
from array import array
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from py3langid.langid import MODEL_DIR, MODEL_FILE
from py3langid.modelio import load_model

from schemas.errors import WriteError

_OURS = {"ku": "kmr", "sdh": "ckb", "arz": "ar", "ary": "ar", "wuu": "zh", "yue": "zh", "nn": "no", "bs": "hr", "uzs": "uz"}  # its label -> our code
_ONCE = 0.6931  # ln 2: what the library gives a feature found once; we count none twice
_MAX_CHARACTERS = 600


@dataclass(frozen=True, slots=True, eq=False)
class ByteModel:
    """An automaton over bytes: its states have 256 moves each, in rows that states share; `bases` says where a state's row begins.

    `weights`: nats of what ends in each state, a column for each label, those of one of our codes from its `starts` on.
    """

    codes: tuple[str, ...]
    moves: array[int]
    bases: list[int]
    weights: npt.NDArray[np.float32]
    prior: npt.NDArray[np.float32]
    starts: npt.NDArray[np.intp]

    def score(self, text: str) -> npt.NDArray[np.float32]:
        """Nats of each code for the beginning of `text`, as written: the model was taught upper and lower case."""
        text = text[:_MAX_CHARACTERS]
        states = self._states((text.lower() if text.isupper() else text).encode("utf-8", "surrogatepass"))
        told = self.weights.take(states, axis=0).sum(axis=0) + self.prior
        best: npt.NDArray[np.float32] = np.maximum.reduceat(told, self.starts)
        return best

    def _states(self, encoded: bytes) -> npt.NDArray[np.intp]:
        """The states that a byte string leads through, each once."""
        moves, bases, state = self.moves, self.bases, 0
        passed = {state := moves[bases[state] + byte] for byte in encoded}
        return np.fromiter(passed, dtype=np.intp, count=len(passed))


def build(scripts: Mapping[str, Iterable[str]]) -> dict[str, ByteModel]:
    """A model for each script, of those of its codes that py3langid knows. The library's whole table is not kept.

    Raises WriteError where there is no room to unpack it.
    """
    try:
        weights, prior, labels, moves, bases, features = load_model(MODEL_DIR / MODEL_FILE)
    except OSError as error:
        where = tempfile.gettempdir()
        raise WriteError(f"{where}: cannot be written: {error.strerror}; the language model is unpacked there: free some room, or set TMPDIR") from error
    bases, features = [base << 8 for base in bases], np.array(features)
    models = {}
    for script, codes in scripts.items():
        columns = {code: [column for column, label in enumerate(labels) if _OURS.get(label, label) == code.partition("-")[0]] for code in codes}
        columns = {code: of for code, of in columns.items() if of}
        taken = [column for of in columns.values() for column in of]
        worth = np.zeros((len(features), len(taken)), dtype=np.float32)
        worth[features >= 0] = weights.take(taken, axis=1)[features[features >= 0]]
        worth *= _ONCE
        starts = np.cumsum([0, *map(len, columns.values())])[:-1]
        models[script] = ByteModel(tuple(columns), moves, bases, worth, prior[taken].astype(np.float32), starts)
    return models
