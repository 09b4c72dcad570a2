"""Whether two tellings are of one incident: the rules of identity, all of them. Pure."""

from __future__ import annotations

from datetime import date, timedelta
from functools import lru_cache
from math import cos, hypot, radians
from typing import cast

from pipeline.locate import CAPITAL
from pipeline.rules import CLASSES
from schemas.records import Event, Place, TaggedEvent

Point = tuple[float, float]

ALIKE = 0.5
"""Least likeness of two tellings of one incident."""

SURE = 0.8
"""Likeness from which on nothing more is gained."""

THE_SAME = 0.9
"""Likeness of two open incidents from which on they are one: the same day and place, or one nearby, and the same type."""

MIDNIGHT = 0.3
"""Likeness of two neighbouring days: one night is told under both, but so are two attacks."""

_UNDATED = ((timedelta(hours=3), 0.8), (timedelta(hours=14), 0.6), (timedelta(hours=36), MIDNIGHT))
"""Likeness of days of which one is not stated, by how far apart the reports came: news tells of its own day and the night before."""

OTHER_TYPE = 0.8
"""What is left of a likeness where the types are only akin: an explosion, then a car bomb."""

HAPPENED = ("intercepted", "foiled", "attempted", "claimed", "reported", "denied")
"""Statuses of something that happened, or is said to have; the one that says most first."""

_AGAIN = "slot.again"


def likeness(event: TaggedEvent | Event, other: TaggedEvent | Event, apart: timedelta) -> float:
    """How surely a told event is the same as another, told or assembled, that was last seen `apart` in time; 0 to 1.

    0 where type class, standing, day or place exclude each other; else the mean of what day and place say. Two precise
    places farther apart than 3 km, or days farther apart than a midnight, are two incidents; so are two days that give
    different tolls, or that only the city's name holds together.
    """
    day = _day_likeness(event.event_date, other.event_date, apart)  # first: most incidents are of other days
    if not day or _standing(event.status) != _standing(other.status) or not _same_class({event.type, *event.labels}, {other.type, *other.labels}):
        return 0.0
    place = _place_likeness(event.place, other.place)
    if not place or (day == MIDNIGHT and _contradict(event, other)) or (place < 1 and _fewer(event, other)):
        return 0.0
    return (day + place) / 2 * (1 if {event.type, *event.labels} & {other.type, *other.labels} else OTHER_TYPE)


def are_one(event: Event, other: Event) -> bool:
    """Whether two assembled incidents have turned out to be one: alike beyond doubt, and no toll contradicts another."""
    return not _contradict(event, other) and likeness(event, other, abs(event.last_seen - other.last_seen)) >= THE_SAME


def is_second(event: TaggedEvent) -> bool:
    """True where an event is told as a second one: "a second salvo" is no other telling of the first."""
    return any(evidence.rule == _AGAIN for evidence in event.evidence)


def _same_class(labels: set[str], others: set[str]) -> bool:
    return bool(labels & others) or any(labels & kind and others & kind for kind in CLASSES)


def _standing(status: str) -> str:
    return "happened" if status in HAPPENED else status


def _day_likeness(day: str | None, other: str | None, apart: timedelta) -> float:
    if day and day == other:
        return 1.0
    if day and other:
        return MIDNIGHT if other in days_beside(day) else 0.0
    if apart > _UNDATED[-1][0]:
        return 0.0
    return next(likeness for within, likeness in _UNDATED if apart <= within)


@lru_cache(4096)
def days_beside(day: str) -> frozenset[str]:
    """The days, YYYY-MM-DD, of which one may be meant: any other stated day has no likeness to this one. Raises ValueError for no day."""
    middle = date.fromisoformat(day)
    return frozenset((middle + timedelta(days=step)).isoformat() for step in (-1, 0, 1))


def _contradict(event: TaggedEvent | Event, other: TaggedEvent | Event) -> bool:
    """True where both state how many were killed or injured, and not the same."""
    tolls = ((getattr(event, name), getattr(other, name)) for name in ("killed_max", "injured_max"))
    return any(mine is not None and theirs is not None and mine != theirs for mine, theirs in tolls)


def _fewer(event: TaggedEvent | Event, other: TaggedEvent | Event) -> bool:
    """True where fewer are killed than was told before: tolls rise."""
    return event.killed_max is not None and other.killed_min is not None and 0 < event.killed_max < other.killed_min


def _place_likeness(place: Place | None, other: Place | None) -> float:
    if place is None or other is None:
        return 0.0
    if place.name == other.name and (place.scope == other.scope or place.name not in CAPITAL):
        return 1.0
    if place.scope != other.scope:
        return 0.0
    here, there = (place.latitude, place.longitude), (other.latitude, other.longitude)
    if None in (*here, *there) or 3 in (place.geo_precision, other.geo_precision):
        return 0.6
    return 0.8 if kilometres(cast(Point, here), cast(Point, there)) <= 3 else 0.0


def kilometres(here: Point, there: Point) -> float:
    """Distance of two points (degrees north, degrees east); flat earth, good to 1 % over a city."""
    north = (here[0] - there[0]) * 111.2
    east = (here[1] - there[1]) * 111.2 * cos(radians(here[0]))
    return hypot(north, east)
