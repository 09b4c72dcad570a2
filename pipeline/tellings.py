"""What a report tells, rule by rule, and which of it is told of one event."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from pipeline.locate import Bound
from pipeline.matcher import Hit
from pipeline.reading import Sentence
from pipeline.rules import Rule
from pipeline.status import CURRENT, Verdict
from pipeline.times import Moment

_CLASSES = (
    {"rocket_mortar_attack", "drone_attack", "airstrike"},
    {"ied_attack", "vehicle_bomb", "suicide_bombing", "grenade_attack", "assassination"},
    {"shooting_attack", "armed_clash", "assassination", "abduction"},
    {"protest", "riot", "protest_crackdown"},
)
_ALONG = {"security_operation", "movement_restriction", "other_security"}
_ONE_COMPOUND = {"green_zone", "diplomatic"}
"""The embassies lie in the Green Zone: a hit on one is no other event than a hit on the other."""


@dataclass(frozen=True, slots=True, eq=False)
class Telling:
    """A rule that fired: its trigger and what it needed, the sentence, and what the guard, the map and the clock made of it."""

    rule: Rule
    trigger: Hit
    support: tuple[Hit, ...]
    sentence: Sentence
    verdict: Verdict
    bound: Bound | None
    times: tuple[Moment, ...]

    @property
    def current(self) -> bool:
        """Whether it is told as something of late."""
        return self.verdict.status in CURRENT

    @property
    def moment(self) -> Moment | None:
        """The time that makes it old, else the first stated day."""
        return self.verdict.moment or next((moment for moment in self.times if moment.day), None)


Group = list[Telling]
"""Tellings of one event, in order."""


def grouped(tellings: Iterable[Telling]) -> list[Group]:
    """Tellings in the order of the text -> one group for each event."""
    groups: list[Group] = []
    for telling in tellings:
        group = next((group for group in groups if _of_one_event(group, telling)), None)
        if group is None:
            groups.append([telling])
        else:
            group.append(telling)
    return groups


def _of_one_event(group: Group, telling: Telling) -> bool:
    """Same standing, a type that goes with the others, and no other place or day."""
    same_standing = telling.current if group[0].current else telling.verdict.status == group[0].verdict.status
    if not same_standing or not _same_place(group, telling):
        return False
    if not telling.current:
        return telling.rule.type == group[0].rule.type and _same_day(group, telling)
    if any(telling.sentence is known.sentence for known in group):
        return True
    return _alike({known.rule.type for known in group}, telling.rule.type) and _same_day(group, telling)


def _alike(known: set[str], event_type: str) -> bool:
    return event_type in known or bool({event_type, *known} & _ALONG) or any(event_type in kin and known & kin for kin in _CLASSES)


def _same_place(group: Group, telling: Telling) -> bool:
    known = [told.bound.named for told in group if told.bound]
    if telling.bound is None or not known or telling.bound.how not in ("clause", "sentence"):
        return True
    mine = telling.bound.named
    if any(mine.entry is place.entry for place in known):
        return True
    broad = (mine.entry.precision or 3) == 3 or all((place.entry.precision or 3) == 3 for place in known)
    compound = mine.entry.target in _ONE_COMPOUND and any(place.entry.target in _ONE_COMPOUND for place in known)
    return mine.scope not in ("elsewhere", "near") and {mine.scope} == {place.scope for place in known} and (broad or compound)


def _same_day(group: Group, telling: Telling) -> bool:
    days = {told.moment.day for told in group if told.moment and told.moment.day}
    return telling.moment is None or telling.moment.day is None or not days or telling.moment.day in days
