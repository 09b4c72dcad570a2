"""From the tellings of one event to its record: every value with the words that say so."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

from pipeline.casualties import Count, Tolls
from pipeline.gazetteer import Entry
from pipeline.locate import Bound, is_broad
from pipeline.reading import Reading, Sentence
from pipeline.rules import in_precedence
from pipeline.severity import severity
from pipeline.slots import actors, damage, goes_with, projectiles, targets, weapons
from pipeline.status import CURRENT, STALE_DAYS
from pipeline.tellings import Group
from pipeline.times import Clock, Moment
from schemas.records import Evidence, Place, TaggedEvent

_MOST_WORDS = 6
ALERTING = ("city", "belt")
_ATTACKERS_COUNT = {"airstrike", "armed_clash", "security_operation"}
"""Types whose dead are counted whatever side they were on."""


@dataclass(slots=True)
class Notes:
    """Collects evidence: each stretch once a rule, and no more than the first few of a rule."""

    reading: Reading
    evidence: list[Evidence] = field(default_factory=list)
    _counts: Counter[str] = field(default_factory=Counter)

    def note(self, rule: str, *spans: Any) -> None:
        """The words of each span (anything with `start` and `end` in the folded text) say so, by this rule."""
        for span in spans:
            if self._counts[rule] < _MOST_WORDS:
                said = self.reading.evidence(span.start, span.end, rule)
                if said not in self.evidence:
                    self.evidence.append(said)
                    self._counts[rule] += 1


def describe(group: Group, scene: Sequence[Sentence], reading: Reading, tolls: Tolls, clock: Clock, dated: Moment | None) -> TaggedEvent:
    """The event of a group. `scene`: the sentences that speak of it; `dated`: the report's own day for it where the group states none."""
    notes = Notes(reading)
    types = in_precedence(group.types)
    for telling in group.tellings:
        notes.note(telling.rule.id, telling.trigger, *telling.support)
        notes.note("slot.again", *telling.sentence.having(("time.again",)))
    bound = _place(group, notes)
    values = _toll(types[0], scene, tolls, notes) | _projectiles(types[0], scene, notes) | _actors(scene, notes) | _when(group, dated, clock, notes)
    killed, injured = (values[f"{kind}_max"] or values[f"{kind}_min"] for kind in ("killed", "injured"))
    status, target = _status(group, killed, notes), _target(group, bound, scene, notes)
    return TaggedEvent(
        type=types[0],
        labels=types,
        status=status,
        place=_record(bound),
        weapon=_weapon(types[0], group, scene, notes),
        target=target,
        damage=_damage(scene, notes),
        severity=severity(types[0], target=target, killed=killed, injured=injured, status=status),
        evidence=tuple(notes.evidence),
        **values,
    )


def judged(event: TaggedEvent, clock: Clock, *, up_front: bool) -> TaggedEvent:
    """The event with `alert` as live would judge it at the report's own day of publication, or the reason in one word.

    What is not told `up_front` is background of another story.
    """
    reason = _reason(event, clock) or (None if up_front else "background")
    return replace(event, alert=reason is None, alert_reason=reason)


def _reason(event: TaggedEvent, clock: Clock) -> str | None:
    if event.status not in CURRENT:
        return event.status
    if event.place is None:
        return "no_place"
    if event.place.scope not in ALERTING:
        return event.place.scope
    stale = clock.today and event.event_date and event.event_date < (clock.today - timedelta(days=STALE_DAYS)).isoformat()
    return "stale" if stale else None


def _status(group: Group, killed: int | None, notes: Notes) -> str:
    """The first telling's, but an interception or a foiled attempt told later says more, and a claim says less, than a report."""
    told = [telling.verdict.status for telling in group.tellings]
    status = told[0]
    if "intercepted" in told and not killed:
        status = "intercepted"
    elif status in ("claimed", "attempted", "foiled", "intercepted") and (killed or status == "claimed") and "reported" in told:
        status = "reported"
    for verdict in (telling.verdict for telling in group.tellings if telling.verdict.status == status):
        if at := verdict.hit or verdict.moment:
            notes.note(f"status.{status}", at)
    return status


def _place(group: Group, notes: Notes) -> Bound | None:
    """The first telling's place, or a more exact one that a later telling names in its own sentence."""
    bounds = [telling.bound for telling in group.tellings if telling.bound]
    if not bounds:
        return None
    best = bounds[0]
    for bound in bounds[1:]:
        surer = best.how == "dateline" or _vagueness(bound.named.entry) < _vagueness(best.named.entry)
        if surer and bound.how in ("clause", "sentence"):
            best = bound
    notes.note(f"place.{best.named.entry.slug}", best.named.hit)
    return best


def _vagueness(entry: Entry) -> int:
    """1 exact .. 3 the city at best; a quarter of unknown position is no vaguer than another."""
    return 3 if is_broad(entry) else entry.precision or 2


def _record(bound: Bound | None) -> Place | None:
    if bound is None:
        return None
    place = replace(bound.named.entry.place(), scope=bound.named.scope)
    if bound.named.verdict in ("near", "belt"):
        return replace(place, latitude=None, longitude=None, geo_precision=None, district=None)
    return place


def _toll(event_type: str, scene: Sequence[Sentence], tolls: Tolls, notes: Notes) -> dict[str, int | None]:
    """Killed and injured: of the first sentence that counts them, or of a later one that sums up more; victims before attackers."""
    values: dict[str, int | None] = {}
    for kind in ("killed", "injured"):
        count = _first_count(kind, event_type, scene, tolls)
        values[f"{kind}_min"], values[f"{kind}_max"] = (count.low, count.high) if count else (None, None)
        if count:
            notes.note(f"slot.{kind}", count)
    return values


def _first_count(kind: str, event_type: str, scene: Sequence[Sentence], tolls: Tolls) -> Count | None:
    best: Count | None = None
    for sentence in scene:
        counts = [count for count in tolls.of(sentence) if count.kind == kind]
        victims = counts if event_type in _ATTACKERS_COUNT else [count for count in counts if not count.attackers]
        if stated := victims or counts:
            most = max(stated, key=lambda count: count.low)
            if best is None or (most.total and most.low > best.low):
                best = most
    return best


def _projectiles(event_type: str, scene: Sequence[Sentence], notes: Notes) -> dict[str, int | None]:
    """The fewest that are stated, and the most where every statement is closed."""
    found = projectiles(scene) if event_type in ("rocket_mortar_attack", "drone_attack") else []
    if not found:
        return {"projectiles_min": None, "projectiles_max": None}
    notes.note("slot.projectiles", *found)
    most = [count.high for count in found if count.high is not None]
    return {"projectiles_min": min(count.low for count in found), "projectiles_max": max(most) if len(most) == len(found) else None}


def _actors(scene: Sequence[Sentence], notes: Notes) -> dict[str, str | None]:
    values: dict[str, str | None] = {"actor_claimed": None, "actor_alleged": None}
    for role, slot in (pair for sentence in scene for pair in actors(sentence)):
        if values[f"actor_{role}"] is None:
            values[f"actor_{role}"] = slot.value
            notes.note(f"slot.actor_{role}", slot)
    return values


def _when(group: Group, dated: Moment | None, clock: Clock, notes: Notes) -> dict[str, Any]:
    moment = next((telling.moment for telling in group.tellings if telling.moment and telling.moment.day), None) or (dated if group.current else None)
    if moment is None or moment.day is None:
        return {"event_date": None}
    notes.note("slot.event_date", moment)
    if moment.hour is None:
        return {"event_date": moment.day.isoformat(), "event_time": clock.utc(moment.day, 0), "event_time_precision": "day"}
    return {"event_date": moment.day.isoformat(), "event_time": clock.utc(moment.day, moment.hour), "event_time_precision": "part_of_day"}


def _weapon(event_type: str, group: Group, scene: Sequence[Sentence], notes: Notes) -> str:
    """The rule's own weapon, sharpened by the most telling one that the event's sentences name."""
    primary = [telling for telling in group.tellings if telling.rule.type == event_type]
    own = {telling.rule.weapon for telling in primary if telling.rule.weapon}
    for sentence in _unique(telling.sentence for telling in primary):
        if slot := next((slot for slot in weapons(sentence) if goes_with(slot.value, own)), None):
            notes.note("slot.weapon", slot)
            return slot.value
    for telling in primary:
        if telling.rule.weapon:
            notes.note("slot.weapon", telling.trigger)
            return telling.rule.weapon
    for sentence in scene:
        if slot := next(weapons(sentence), None):
            notes.note("slot.weapon", slot)
            return slot.value
    return "unknown"


def _target(group: Group, bound: Bound | None, scene: Sequence[Sentence], notes: Notes) -> str:
    """The first target that the tellings' sentences name, else the one that the place itself is, else one named nearby."""
    if ruled := next((telling for telling in group.tellings if telling.rule.target), None):
        notes.note("slot.target", ruled.trigger)
        return str(ruled.rule.target)
    told = _unique(telling.sentence for telling in group.tellings)
    if slot := next((slot for sentence in told for slot in targets(sentence)), None):
        notes.note("slot.target", slot)
        return slot.value
    if bound and bound.named.entry.target and bound.named.verdict == "place":
        notes.note("slot.target", bound.named.hit)
        return bound.named.entry.target
    if slot := next((slot for sentence in scene for slot in targets(sentence)), None):
        notes.note("slot.target", slot)
        return slot.value
    return "unknown"


def _damage(scene: Sequence[Sentence], notes: Notes) -> str | None:
    slot = damage(scene)
    if slot is None:
        return None
    notes.note("slot.damage", slot)
    return slot.value


def _unique(sentences: Iterable[Sentence]) -> list[Sentence]:
    return list(dict.fromkeys(sentences))
