"""py3langid, with its probabilities normalised."""

from __future__ import annotations

from py3langid.langid import MODEL_FILE, LanguageIdentifier

from pipeline.detectors._plain import plain
from pipeline.language import Detect

_LABELS = {
    "ku": "kmr",  # what it learnt as Kurdish is Kurmanji in Latin letters
    "ary": "ar", "arz": "ar", "nn": "no", "uzs": "uz", "wuu": "zh", "yue": "zh",  # parts of what we call by one code
    "zxx": "und",  # no language
}  # fmt: skip


def load() -> Detect:
    """Its model in memory, all of it; ours keeps the columns that it needs."""
    return plain(LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True).classify, _LABELS)
