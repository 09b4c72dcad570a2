"""What an incident is: the Event that its reports amount to, whatever order they came in. Pure.

An Event is computed anew from all reports of the incident each time one joins, changes or is withdrawn, so that no order of arrival and
no edit leaves a trace that the reports do not support.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import fields
from datetime import datetime, timedelta
from hashlib import sha256
from operator import attrgetter
from typing import Any

from pipeline.likeness import HAPPENED
from pipeline.rules import in_precedence
from pipeline.severity import severity
from pipeline.status import STALE_DAYS
from schemas.records import Event, EventEvidence, Report, ReportRef, TaggedEvent

Told = tuple[Report, TaggedEvent]
"""One event as one report tells of it."""

_PRECISIONS = ("minute", "hour", "part_of_day", "day", "month", "year", "unknown")
STALE = timedelta(days=STALE_DAYS)
_EVIDENCE_REPORTS = 8
MOST_TOLD = 60
"""Tellings of an incident that say the same and are kept: the earliest."""

_saying = attrgetter(*(f.name for f in fields(TaggedEvent) if f.name != "evidence"))


def relevant(event: TaggedEvent) -> bool:
    """True where the event can be an incident of Baghdad: bound to a place there, and for an older one, dated."""
    here = event.place is not None and event.place.scope in ("city", "belt", "near")
    return here and (event.status not in ("retrospective", "hypothetical") or event.event_date is not None)


def assemble(told: Sequence[Told], anchor: str) -> Event:
    """The Event that these tellings amount to, in order (first_seen, item_id); revision and change are not set yet."""
    reports, events = [report for report, _ in told], [event for _, event in told]
    labels = in_precedence({label for event in events for label in (event.type, *event.labels)})
    primary = in_precedence(_most_common(event.type for event in events))[0]
    place = min((event.place for event in events if event.place), key=lambda place: place.geo_precision or 9, default=None)
    status = min((event.status for event in events), key=_rank)
    killed, injured = _range(events, "killed"), _range(events, "injured")
    projectiles = _range(events, "projectiles")
    target = _first_known(_most_common(event.target for event in events if event.target != "unknown"))
    weapon = _first_known(_most_common(event.weapon for event in events if event.weapon != "unknown"))
    when = _when(events)
    refs = _references(told)
    families = tuple(sorted({ref.family for ref in refs}))
    reliability = min(ref.source_reliability for ref in refs)
    credibility = _credibility(len(families), reliability, denied=status == "denied")
    return Event(
        event_id=event_id(anchor),
        revision=0,
        content_hash="",
        change="new",
        type=primary,
        labels=(primary, *(label for label in labels if label != primary)),
        status=status,
        place=place,
        weapon=weapon,
        target=target,
        actor_claimed=_first(event.actor_claimed for event in events),
        actor_alleged=_first(_most_common(event.actor_alleged for event in events if event.actor_alleged)),
        killed_min=killed[0],
        killed_max=killed[1],
        injured_min=injured[0],
        injured_max=injured[1],
        projectiles_min=projectiles[0],
        projectiles_max=projectiles[1],
        damage=_first(_most_common(event.damage for event in events if event.damage)),
        event_date=when.event_date,
        event_time=when.event_time,
        event_time_precision=when.event_time_precision,
        severity=severity(primary, target=target, killed=killed[1], injured=injured[1], status=status),
        urgency=_urgency(when, reports[-1].first_seen),
        certainty=_certainty(status, len(families), reliability),
        source_reliability=reliability,
        information_credibility=credibility,
        families=families,
        reports=refs,
        evidence=tuple(_evidence(told)),
        headline=reports[0].title or "",
        first_seen=reports[0].first_seen,
        last_seen=reports[-1].first_seen,
        lexicon_version=reports[-1].lexicon_version,
        mode=reports[-1].mode,
    )


def kept(told: Iterable[Told]) -> tuple[Told, ...]:
    """The tellings in order, and of those that say the same the earliest only: whatever the order they came in."""
    said: Counter[Any] = Counter()
    first = []
    for report, event in sorted(told, key=lambda t: (t[0].first_seen, t[0].item_id)):
        said[saying := _saying(event)] += 1
        if said[saying] <= MOST_TOLD:
            first.append((report, event))
    return tuple(first)


def event_id(anchor: str) -> str:
    """32 hex digits for the incident that opened with `anchor`: the item_id and the type it told of."""
    return sha256(anchor.encode()).hexdigest()[:32]


def alerts_by_itself(told: Sequence[Told]) -> bool:
    """True where at least one telling, judged alone, deserves an alert."""
    return any(event.alert and not is_stale(report, event) for report, event in told)


def is_stale(report: Report, event: TaggedEvent) -> bool:
    """True where the item, or what it tells of, was old news when it came to us: to the topic, or else when it was first seen."""
    came = report.kafka.appended_at if report.kafka else report.first_seen
    if report.published is not None and report.published_precision not in ("month", "year") and came - report.published > STALE:
        return True
    return event.event_date is not None and event.event_date < f"{came - STALE:%Y-%m-%d}"


def family(report: Report) -> str:
    """Publisher family that the report counts for: the agency that it credits, else its publisher, else its source."""
    return report.credit or report.publisher or report.source_id


def _rank(status: str) -> int:
    return HAPPENED.index(status) if status in HAPPENED else len(HAPPENED)


def _most_common(values: Iterable[Any]) -> list[Any]:
    """The values that occur most, the earliest first."""
    counts = Counter(values)
    return [value for value, count in counts.items() if count == max(counts.values())]


def _first(values: Iterable[Any]) -> Any:
    return next((value for value in values if value is not None), None)


def _first_known(values: Sequence[str]) -> str:
    return values[0] if values else "unknown"


def _range(events: Sequence[TaggedEvent], what: str) -> tuple[int | None, int | None]:
    low = [n for event in events if (n := getattr(event, f"{what}_min")) is not None]
    high = [n for event in events if (n := getattr(event, f"{what}_max")) is not None]
    return min(low, default=None), max(high + low, default=None)


def _when(events: Sequence[TaggedEvent]) -> TaggedEvent:
    """The telling that dates the incident: of the most common day, the most precise one."""
    days = _most_common(event.event_date for event in events if event.event_date)
    dated = [event for event in events if event.event_date in days] or list(events)
    return min(dated, key=lambda event: _PRECISIONS.index(event.event_time_precision))


def _references(told: Sequence[Told]) -> tuple[ReportRef, ...]:
    """A reference each, but none to a copy that says no more than its story has said; a copy counts for the family of the story's first member here."""
    origin: dict[str, str] = {}
    said: set[Any] = set()
    refs: dict[str, ReportRef] = {}
    for report, event in told:
        story = report.story_id or report.item_id
        counts_for = origin.setdefault(story, family(report))
        saying = story, _saying(event)
        if saying in said:
            continue
        said.add(saying)
        refs[report.item_id] = ReportRef(
            item_id=report.item_id,
            native_id=report.native_id,
            source_id=report.source_id,
            publisher=report.publisher,
            family=counts_for,
            story_id=story,
            first_seen=report.first_seen,
            source_reliability=report.source_reliability,
            killed_min=event.killed_min,
            killed_max=event.killed_max,
            injured_min=event.injured_min,
            injured_max=event.injured_max,
        )
    return tuple(refs.values())


def _credibility(families: int, reliability: str, *, denied: bool) -> int:
    """Admiralty credibility, 1 to 6 (taxonomy, "Confidence")."""
    trusted = reliability in "AB"
    if denied:
        return 5
    if families >= 3 and trusted:
        return 1
    return 2 if families >= 2 else 3 if trusted else 4 if reliability in "CDE" else 6


def _certainty(status: str, families: int, reliability: str) -> str:
    if status == "denied":
        return "Unlikely"
    return "Observed" if families >= 2 else "Likely" if reliability in "AB" else "Possible"


def _urgency(when: TaggedEvent, now: datetime) -> str:
    if when.status in ("threatened", "hypothetical"):
        return "Future"
    if when.event_time and when.event_time_precision in ("minute", "hour") and now - when.event_time <= timedelta(hours=2):
        return "Immediate"
    return "Past" if when.event_date else "Unknown"


def _evidence(told: Sequence[Told]) -> Iterable[EventEvidence]:
    for report, event in told[:_EVIDENCE_REPORTS]:
        for e in event.evidence:
            yield EventEvidence(item_id=report.item_id, field=e.field, start=e.start, end=e.end, text=e.text, rule=e.rule)
