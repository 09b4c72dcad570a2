"""What a report tells, rule by rule, and which of it is told of one event."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date

from pipeline.locate import Bound, Named, is_broad
from pipeline.matcher import Hit
from pipeline.reading import Sentence
from pipeline.rules import CLASSES, Rule
from pipeline.status import CURRENT, Verdict
from pipeline.times import Moment

_BLAST = "blast"
_EXPLOSIVE = CLASSES[0] | CLASSES[1]
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
        """The time that makes it old, else the first stated day; of what an anniversary recalls, the earliest."""
        stated = [moment for moment in self.times if moment.day]
        if self.verdict.status == "retrospective":
            stated.sort(key=lambda moment: moment.day or date.max)
        return self.verdict.moment or next(iter(stated), None)

    @property
    def kind(self) -> str:
        """The type of event; a blast where nothing says what exploded."""
        return _BLAST if self.rule.weapon == "explosive" and "event.explosion" in self.rule.trigger else self.rule.type


@dataclass(slots=True)
class Group:
    """Tellings of one event, in order, and what they have in common."""

    tellings: list[Telling] = field(default_factory=list)
    types: set[str] = field(default_factory=set)
    days: set[date] = field(default_factory=set)
    sentences: set[int] = field(default_factory=set)
    places: dict[str, Named] = field(default_factory=dict)

    @property
    def current(self) -> bool:
        """Whether it is told as something of late."""
        return self.tellings[0].current

    @property
    def kinds(self) -> set[str]:
        """The kinds of its tellings."""
        return {telling.kind for telling in self.tellings}

    def add(self, telling: Telling) -> None:
        """One more telling of this event."""
        self.tellings.append(telling)
        self.types.add(telling.rule.type)
        self.sentences.add(telling.sentence.number)
        if telling.moment and telling.moment.day:
            self.days.add(telling.moment.day)
        if telling.bound:
            self.places.setdefault(telling.bound.named.entry.name, telling.bound.named)

    def takes(self, telling: Telling) -> bool:
        """Whether the telling is of this event: same standing, a type that goes with the others, and no other place or day."""
        if not self.current:
            first = self.tellings[0]
            same_type = telling.rule.type == first.rule.type or (first.verdict.status == "drill" and _alike(self.kinds, telling.kind))
            return telling.verdict.status == first.verdict.status and same_type and self._same_place(telling) and self._same_day(telling)
        if not telling.current or not self._same_place(telling):
            return False
        return telling.sentence.number in self.sentences or (_alike(self.kinds, telling.kind) and self._same_day(telling))

    def _same_place(self, telling: Telling) -> bool:
        if telling.bound is None or not self.places or telling.bound.how not in ("clause", "sentence"):
            return True
        mine = telling.bound.named
        if mine.entry.name in self.places:
            return True
        known = self.places.values()
        if mine.scope in ("elsewhere", "near") or any(place.scope != mine.scope for place in known):
            return False
        broad = is_broad(mine.entry) or all(is_broad(place.entry) for place in known)
        return broad or (mine.entry.target in _ONE_COMPOUND and any(place.entry.target in _ONE_COMPOUND for place in known))

    def _same_day(self, telling: Telling) -> bool:
        return telling.moment is None or telling.moment.day is None or not self.days or telling.moment.day in self.days


def grouped(tellings: Iterable[Telling]) -> list[Group]:
    """Tellings in the order of the text -> one group for each event."""
    groups: list[Group] = []
    for telling in tellings:
        group = next((group for group in groups if group.takes(telling)), None)
        if group is None:
            groups.append(group := Group())
        group.add(telling)
    return groups


def _alike(known: set[str], kind: str) -> bool:
    """Whether a kind of event goes with those known; a blast goes with any one act of explosives."""
    if kind in known or {kind, *known} & _ALONG:
        return True
    if _BLAST in (kind, *known) and {kind, *known} <= {_BLAST, *_EXPLOSIVE}:
        return kind == _BLAST or known == {_BLAST} or _alike(known - {_BLAST}, kind)
    return any(kind in kin and known & kin for kin in CLASSES)
