"""Where things are: the place files, read and validated. Coordinates are theirs, never invented."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from functools import cache
from typing import Any

from pipeline import lexicon
from pipeline.datafiles import read_family, refuse
from pipeline.folding import fold
from pipeline.lexicon import Form, Language, Sense, load_concepts, load_languages
from schemas import records

SCOPES = ("city", "belt", "near", "elsewhere", "unknown")
KINDS = frozenset(
    {
        "country", "city", "governorate", "district", "neighbourhood", "street", "square", "bridge", "gate", "ministry", "embassy",
        "base", "airport",
        "prison", "hospital", "university", "shrine", "landmark",
    }
)  # fmt: skip
_PLAIN = Language("", "", (), frozenset(), (), {})


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A place. `not_after`, `not_before`: words beside which it is no place.

    `needs`: the text must also name Baghdad or Iraq ("baghdad"), or at least no other city and none of the `rivals` ("no_rival").
    """

    name: str
    kind: str
    scope: str
    latitude: float | None = None
    longitude: float | None = None
    precision: int | None = None
    district: str | None = None
    target: str | None = None
    needs: str | None = None
    rivals: tuple[str, ...] = ()
    not_after: tuple[str, ...] = ()
    not_before: tuple[str, ...] = ()
    names: Mapping[str, tuple[str, ...]]

    @property
    def slug(self) -> str:
        """The name as a rule id writes it."""
        return "_".join("".join(letter if letter.isalnum() else " " for letter in fold(self.name).text).split())

    def place(self) -> records.Place:
        """The place as a record holds it."""
        return records.Place(
            name=self.name,
            scope=self.scope,
            latitude=self.latitude,
            longitude=self.longitude,
            geo_precision=self.precision,
            district=self.district,
        )


@cache
def load_places() -> tuple[Entry, ...]:
    """Every place of every place file. Raises DataFileError that lists every error."""
    entries, errors = [], []
    for name, table in read_family("places").items():
        for number, given in enumerate(table.get("places", ()), 1):
            wrong = list(_errors(given))
            errors += [f"places/{name}.toml, place {number} ({given.get('name', 'no name')}): {error}" for error in wrong]
            if not wrong:
                entries.append(_entry(given))
    refuse(errors)
    return tuple(entries)


def _errors(given: Mapping[str, Any]) -> Iterator[str]:
    yield from (f"unknown key {key!r}" for key in sorted(given.keys() - {field.name for field in fields(Entry)}))
    if given.get("kind") not in KINDS:
        yield f"kind {given.get('kind')!r}"
    if given.get("scope") not in SCOPES:
        yield f"scope {given.get('scope')!r}"
    if not any(given.get("names", {}).values()):
        yield "no names"
    if given.get("precision") not in (None, 1, 2, 3):
        yield f"precision {given.get('precision')!r}"
    if given.get("needs") not in (None, "baghdad", "no_rival"):
        yield f"needs {given['needs']!r}"
    latitude, longitude = given.get("latitude"), given.get("longitude")
    if (latitude is None) != (longitude is None) or not -90 <= (latitude or 0) <= 90 or not -180 <= (longitude or 0) <= 180:
        yield f"coordinates {latitude!r}, {longitude!r}"


def _entry(given: Mapping[str, Any]) -> Entry:
    words = {key: tuple(lexicon.matching_view(fold(word).text) for word in given.get(key, ())) for key in ("not_after", "not_before")}
    names = {code: tuple(forms) for code, forms in given["names"].items()}
    return Entry(**{**given, **words, "names": names, "rivals": tuple(given.get("rivals", ()))})


def place_forms(places: tuple[Entry, ...]) -> Iterator[Form]:
    """Every name of every place, in any language's text, as a place and as the target it is; also as a hashtag, without spaces."""
    languages = load_languages()
    for index, entry in enumerate(places):
        senses = [Sense("place", value=index)]
        if (target := f"target.{entry.target}") in load_concepts():
            senses.append(Sense("concept", concept=target))
        for code, names in entry.names.items():
            language = languages.get(code, _PLAIN)
            for name in names:
                for sense in senses:
                    yield from (language.form(spelled, sense, anywhere=True) for spelled in language.spelled(name))
                    yield _hashtag(name, sense)


def _hashtag(name: str, sense: Sense) -> Form:
    joined = lexicon.matching_view(fold(name).text).replace(" ", "").rstrip("+*")
    return Form(f"#{joined}", r"\w*" if len(joined) > 4 else "", sense, "", frozenset(), anywhere=True)
