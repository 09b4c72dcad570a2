"""Which language a text is in: script first, then frequent words and n-grams of the script's languages, in one deterministic pass."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from pipeline import language_model
from pipeline.cleaning import MAX_CHARACTERS, clean
from pipeline.scripts import gate, letter_script
from pipeline.spelling import sorani

_ONE_LANGUAGE = {  # scripts that next to nobody uses for another language
    "Armn": "hy", "Beng": "bn", "Geor": "ka", "Grek": "el", "Gujr": "gu", "Guru": "pa", "Hang": "ko", "Hebr": "he", "Jpan": "ja",
    "Khmr": "km", "Knda": "kn", "Laoo": "lo", "Mlym": "ml", "Mymr": "my", "Sinh": "si", "Taml": "ta", "Telu": "te", "Thaa": "dv",
    "Thai": "th", "Tibt": "bo",
}  # fmt: skip
_HAN = {"zh-cn": ("zh", "Hans"), "zh-tw": ("zh", "Hant"), "ja": ("ja", "Jpan")}
_KURDISH = {"Latn": "kmr", "Arab": "ckb"}

_FEWEST_LETTERS = 4  # "ok", "LOL": in every language
_GUESS = 0.3  # below this confidence, 13 % of the answers were right


@dataclass(frozen=True, slots=True)
class Language:
    """`code`: ISO 639-1, else 639-3, `und` where the text does not tell.

    `confidence`: 0..1, about the share of such answers that are right.
    `script`: ISO 15924 of most letters; `Zyyy` without letters, `Zzzz` for a script that we do not know.
    `second`: the likeliest other language with its confidence, `und` where there is no other.
    """

    code: str
    confidence: float
    script: str
    second: str = "und"
    second_confidence: float = 0.0


Detect = Callable[[str, str | None], Language]
"""A language detector: a text and the language that its source declared -> its language. Pure, thread-safe, takes any string."""


def load() -> Detect:
    """Our detector, its models built, so that no record waits for one."""
    language_model.load()
    return detect


def detect(text: str, declared: str | None = None) -> Language:
    """The language of a text, by its first 3,000 characters. Pure, deterministic and thread-safe; takes any string.

    `declared` (a BCP 47 tag that the source gave) decides near ties only.
    """
    words = clean(sorani(text[:MAX_CHARACTERS])).split()
    script, share, letters = gate("".join(words))
    if letters < _FEWEST_LETTERS:
        return Language("und", 0.0, script)
    if script in _ONE_LANGUAGE:
        return Language(_ONE_LANGUAGE[script], round(share * (1 - 0.5**letters), 4), script)
    model = language_model.model(script)
    if model is None:
        return Language("und", 0.0, script)
    ours = words if share == 1 else [word for word in words if letter_script(word[0]) == script]
    ranked = model.ranked(ours, _declared(declared, script))
    best, probability = next(iter(ranked.items()))
    code, script = _HAN.get(best, (best, script))
    confidence = round(share * probability, 4)
    code = code if confidence >= _GUESS else "und"
    others = ((_HAN.get(other, (other,))[0], round(share * posterior, 4)) for other, posterior in ranked.items())
    return Language(code, confidence, script, *next((pair for pair in others if pair[0] not in ("und", code)), ("und", 0.0)))


def _declared(tag: str | None, script: str) -> str:
    language = (tag or "").lower().replace("_", "-").partition("-")[0]
    return _KURDISH.get(script, "") if language == "ku" else language
