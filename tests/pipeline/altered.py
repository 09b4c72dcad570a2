"""Texts of our own and what becomes of them on their way: copies edited, turned round, cut down, and others that only resemble them.

Texts are put together from the golden sentences of the tagger, each sentence in one text only.
"""

from __future__ import annotations

import random
import tomllib
from collections.abc import Iterator, Sequence
from pathlib import Path

FOLDER = Path(__file__).parents[1] / "golden" / "tag"
LATIN, ARABIC = ("en", "fr", "es", "de"), ("ar", "fa", "ckb")
Paragraphs = list[list[str]]
"""Paragraphs of words."""


def sentences(language: str) -> list[str]:
    """The golden sentences of a language, each once."""
    tables = tomllib.loads((FOLDER / f"{language}.toml").read_text(encoding="utf8"))
    found = [case["text"] for cases in tables.values() if isinstance(cases, list) for case in cases]
    return list(dict.fromkeys(text for text in found if len(text.split()) >= 6))


def texts(languages: Sequence[str], chosen: random.Random) -> Iterator[Paragraphs]:
    """Texts of two to eight paragraphs, about 30 to 150 words."""
    for language in languages:
        left = sentences(language)
        chosen.shuffle(left)
        while len(left) >= 8:
            taken = [left.pop() for _ in range(chosen.randint(2, 8))]
            yield [sentence.split() for sentence in taken]


def flat(paragraphs: Paragraphs) -> str:
    """The text."""
    return "\n".join(" ".join(words) for words in paragraphs)


def edited(paragraphs: Paragraphs, share: float, vocabulary: Sequence[str], chosen: random.Random) -> Paragraphs:
    """The text with this share of its words replaced, left out, or with another behind; figures stay."""
    places = [(p, w) for p, words in enumerate(paragraphs) for w, word in enumerate(words) if not any(map(str.isdigit, word))]
    touched = set(chosen.sample(places, round(share * len(places))))
    after: Paragraphs = []
    for p, words in enumerate(paragraphs):
        kept: list[str] = []
        for w, word in enumerate(words):
            kind = chosen.choice(("other", "other", "none", "more")) if (p, w) in touched else "same"
            kept += {"other": [chosen.choice(vocabulary)], "none": [], "more": [word, chosen.choice(vocabulary)], "same": [word]}[kind]
        after.append(kept)
    return after


def reordered(paragraphs: Paragraphs, chosen: random.Random) -> Paragraphs:
    """The same paragraphs in another order."""
    after = list(paragraphs)
    while len(after) > 1 and after == paragraphs:
        chosen.shuffle(after)
    return after


def lead(paragraphs: Paragraphs, words: int = 45) -> Paragraphs:
    """The first words, to the end of a paragraph."""
    after: Paragraphs = []
    for paragraph in paragraphs:
        if sum(map(len, after)) >= words:
            break
        after.append(paragraph)
    return after


def vocabulary(of: Sequence[Paragraphs]) -> list[str]:
    """All their words but figures."""
    return [word for paragraphs in of for words in paragraphs for word in words if not any(map(str.isdigit, word))]
