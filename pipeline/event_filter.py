"""Which events a subscriber wants."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from pipeline.rules import TYPES
from pipeline.severity import SEVERITIES
from schemas.errors import UsageError
from schemas.records import Event

SCOPES = ("city", "belt", "near", "elsewhere", "unknown")
CREDIBILITIES = range(1, 7)


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """Which events a subscriber wants: those that fit all that is given.

    `severity`: at least so grave, a word of CAP. `types`: any of them is among the event's labels. `places`: any of them is part
    of the name of the place or its district, in any case of letters. `scopes`: where it lies, seen from Baghdad. `credibility`:
    at least so credible, from 1 (three independent families) to 6 (cannot be judged, so everything passes). `alerts`: only
    revisions that deserve an alert.

    Raises UsageError for a word that the taxonomy lacks: a filter with a slip in it would be silent for ever.
    """

    severity: str | None = None
    types: Collection[str] = ()
    places: Collection[str] = ()
    scopes: Collection[str] = ()
    credibility: int | None = None
    alerts: bool = False

    def __post_init__(self) -> None:
        if isinstance(self.places, str):
            raise UsageError(f"places={self.places!r}: give a list of names, as [{self.places!r}]")
        _known("severity", [self.severity] if self.severity else [], SEVERITIES)
        _known("type", self.types, TYPES)
        _known("scope", self.scopes, SCOPES)
        if self.credibility is not None and self.credibility not in CREDIBILITIES:
            raise UsageError(f"credibility {self.credibility}: it goes from 1 (confirmed) to 6 (cannot be judged)")

    def __call__(self, event: Event) -> bool:
        """Is it wanted?"""
        return (
            (not self.alerts or event.alert)
            and (self.severity is None or _degree(event.severity) >= _degree(self.severity))
            and (not self.types or not {event.type, *event.labels}.isdisjoint(self.types))
            and (not self.places or _lies_in(event, self.places))
            and (not self.scopes or (event.place.scope if event.place else "unknown") in self.scopes)
            and (self.credibility is None or event.information_credibility <= self.credibility)
        )


def _degree(severity: str) -> int:
    """A word of a later version counts as unknown."""
    return SEVERITIES.index(severity) if severity in SEVERITIES else 0


def _lies_in(event: Event, places: Collection[str]) -> bool:
    if event.place is None:
        return False
    names = f"{event.place.name}\0{event.place.district or ''}".casefold()
    return any(place.casefold() in names for place in places)


def _known(what: str, words: Collection[str], known: Collection[str]) -> None:
    if unknown := [word for word in words if word not in known]:
        raise UsageError(f"no {what} {', '.join(map(repr, unknown))}: there are {', '.join(known)}")
