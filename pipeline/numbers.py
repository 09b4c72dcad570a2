"""Numbers written in words: "twenty-five", "deux cents", "three hundred and twelve"."""

from __future__ import annotations

from collections.abc import Iterable

from pipeline.matcher import Hit

_AND = ("", "and", "et", "y", "و", "u", "û", "und", "e")
_UNITS_FIRST = ("و", "und")


def joined(hits: Iterable[Hit], view: str) -> list[Hit]:
    """Hits in order, with number words that stand side by side made into one number."""
    kept: list[Hit] = []
    for hit in hits:
        before = kept[-1] if kept else None
        if before is not None and before.number is not None and hit.number is not None and not view[hit.start].isdigit() and not view[before.start].isdigit():
            value = _together(before.number, hit.number, view[before.end : hit.start].strip())
            if value is not None:
                kept[-1] = Hit(before.start, hit.end, before.concepts | hit.concepts, (), value, None, None)
                continue
        kept.append(hit)
    return kept


def _together(left: int, right: int, between: str) -> int | None:
    """The number that two number words make, None where they are two numbers: tens take units, a hundred multiplies what is before it."""
    if right in (100, 1000) and 0 < left < right and not between:
        return left * right
    if between in _UNITS_FIRST and left < 10 and right in range(20, 100, 10):
        return left + right
    if between not in _AND:
        return None
    tens, hundreds = left % 100, left % 1000
    if tens and tens % 10 == 0 and tens >= 20 and 0 < right < (20 if tens in (60, 80) else 10):
        return left + right
    if hundreds and tens == 0 and 0 < right < 100 and (not between or left >= 100):
        return left + right
    if left >= 1000 and hundreds == 0 and 0 < right < 1000:
        return left + right
    return None
