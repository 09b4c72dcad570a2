"""Letters of the Arabic script that stand for others where a keyboard lacks them."""

from __future__ import annotations

_NON_JOINER = "\u200c"
_ONLY_SORANI = frozenset("ۆێڵڕ")
_OWN_LETTERS = str.maketrans("يك", "یک")


def with_own_letters(text: str) -> str:
    """A Persian or Sorani text with the yeh and kaf of its alphabet, where it was typed on an Arabic keyboard."""
    return text.translate(_OWN_LETTERS)


def sorani(text: str) -> str:
    """`text` with one letter for the Sorani vowel that older keyboards make of heh and a non-joiner; any other text as it is."""
    if _NON_JOINER not in text or _ONLY_SORANI.isdisjoint(text):
        return text
    return with_own_letters(text.replace(f"ه{_NON_JOINER}", "ە"))
