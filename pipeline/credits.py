"""Which news agency a text says it is from: "BAGHDAD (Reuters) -", "بغداد/ واع", "Source: AFP". A copy in an outlet counts for its agency."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache

from pipeline.datafiles import DATA, read_toml

_HEAD, _TAIL = 160, 120
_SOURCE = r"(?:Source|Via|Quelle|Fuente|Fonte|Kaynak|Çavkanî|Источник|المصدر|منبع|سەرچاوە)"


def credited(text: str) -> str | None:
    """The agency that the head or the end of a text credits, by the name of its family; None where it credits none.

    Head: in brackets ("(Reuters)", "[AFP]"), beside a slash or before the dash of a dateline. End: in brackets, or behind "Source:".
    """
    names, head, tail = _patterns()
    end = text[-_TAIL:].rstrip(" .\n")
    found = next(filter(None, (*(pattern.match(text[:_HEAD]) for pattern in head), *(pattern.search(end) for pattern in tail))), None)
    return names[found["name"]] if found else None


def family_of(name: str) -> str:
    """The family that bears this name: of an agency, whatever it is called there."""
    return _families().get(name.casefold(), name)


@cache
def _families() -> dict[str, str]:
    return {form.casefold(): family for family, forms in read_toml(DATA / "agencies.toml").items() for form in (family, *forms)}


@cache
def _patterns() -> tuple[dict[str, str], Sequence[re.Pattern[str]], Sequence[re.Pattern[str]]]:
    names = {form: family for family, forms in read_toml(DATA / "agencies.toml").items() for form in forms}
    name = rf"(?P<name>{'|'.join(sorted(map(re.escape, names), key=len, reverse=True))})(?!\w)"
    bracketed = rf"[(\[]\s*{name}\s*(?:[/,;–—-][^)\]]{{0,40}})?[)\]]"
    place = r"\s*[^\W\d_][\w ,.'’-]{0,30}?"
    head = (rf"[^\n]{{0,{_HEAD}}}?{bracketed}", rf"{place}\s*[/–—-]\s*{name}", rf"\s*{name}\s*[/–—]\s*\w")
    tail = (rf"{bracketed}$", rf"(?i:{_SOURCE})\s*[:：]\s*{name}")
    return names, tuple(map(re.compile, head)), tuple(map(re.compile, tail))
