"""Reports of one incident become one Event, whatever outlet or language tells of it, with a revision for each that joins."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

import apache_beam as beam
from apache_beam.pvalue import PCollection

from pipeline.dead_letter import dead_letter
from pipeline.fold import Cells, Element, Fold, Listed, Write, micros
from pipeline.fold_in_order import BatchByKey, FoldInOrder
from pipeline.incidents import Told, alerts_by_itself, assemble, kept, relevant
from pipeline.likeness import ALIKE, SURE, are_one, days_beside, is_second, likeness
from pipeline.metrics import failed
from pipeline.normalise import UNKNOWN_TIME
from pipeline.packing import pack, unpacker
from pipeline.revisions import AT_ONCE, Alerted, Alerting, adds_nothing, cancel, revise
from pipeline.settings import Settings
from schemas import avro
from schemas.records import DeadLetter, Event, Report

_unpack_report = unpacker(Report)
# item, revision: big-endian, so that versions of one moment are folded in the order that deduplication gave them
_HEAD = struct.Struct(">16sI")
_HEADLINE = 160
_LATELY = timedelta(hours=1)
"""How exactly it is known when an incident that many tell of was last told: nothing is written for less."""

_REGION = 0
"""Key of the metro region. Reports that tell of Baghdad are few: one key holds all its incidents, so none is split."""


@dataclass(frozen=True, slots=True)
class Incident:
    """An open incident: what opened it, its tellings in order, its last revision, and its last alert."""

    anchor: str
    told: tuple[Told, ...]
    event: Event
    alerted: Alerted | None

    def active_until(self) -> datetime:
        """When its last report was seen or, for reports dated only roughly, when its day ended; at most a month later."""
        seen = self.event.last_seen
        if self.event.event_date is None:
            return seen
        day_end = datetime.fromisoformat(self.event.event_date).replace(tzinfo=UTC) + timedelta(days=1)
        return max(seen, day_end if seen == UNKNOWN_TIME else min(day_end, seen + timedelta(days=31)))


_unpack_journal = unpacker(tuple[list[str], list[Incident]])


def correlate(incidents: Sequence[Incident], report: Report, *, ttl: timedelta, alerting: Alerting = AT_ONCE) -> tuple[list[Incident], list[Event]]:
    """Open incidents and the next report -> the incidents after it, and the revisions it gives rise to. Pure.

    A newer version of a report replaces the older one. An incident whose last report is withdrawn is cancelled; so is one that turns out to be
    another, or whose reports have moved to another, which then says that it supersedes it.
    """
    open_ = sorted((i for i in incidents if report.first_seen - i.active_until() <= ttl), key=lambda i: (i.event.first_seen, i.anchor))
    joined: dict[str, list[Told]] = {}
    for event in report.events:
        if relevant(event):
            telling = replace(report, events=(event,)), event
            joined.setdefault(_anchor(open_, joined, telling), []).append(telling)
    before = {incident.anchor: incident for incident in open_}
    changed = _with_report(before, joined, report)
    events = {anchor: assemble(told, anchor) for anchor, told in changed.items() if told}
    merged = _merged(before, changed, events)
    gone = [before[anchor] for anchor, told in changed.items() if not told and anchor not in merged]
    after, revisions = [], []
    for anchor in (*before, *(anchor for anchor in joined if anchor not in before)):
        incident = before.get(anchor)
        if incident and anchor not in changed:
            after.append(incident)
        elif incident and not changed[anchor]:
            revisions.append(cancel(incident.event, alerted=incident.alerted is not None, merged=anchor in merged))
        else:
            same = [before[other] for other, into in merged.items() if into == anchor]
            revised = _revised(incident, Telling(anchor, changed[anchor], events[anchor]), report, same, gone if anchor in joined else (), alerting)
            after.append(revised)
            if incident is None or revised.event.revision > incident.event.revision:
                revisions.append(revised.event)
    return after, revisions


def _with_report(before: Mapping[str, Incident], joined: Mapping[str, Sequence[Told]], report: Report) -> dict[str, tuple[Told, ...]]:
    """The tellings of the incidents that this report changes: its own in place of its earlier ones."""
    told_before = report.item_revision > 0 or report.operation == "delete"
    mentioned = [anchor for anchor, incident in before.items() if any(one.item_id == report.item_id for one, _ in incident.told)] if told_before else []
    changed = {}
    for anchor in dict.fromkeys((*mentioned, *joined)):
        earlier = before[anchor].told if anchor in before else ()
        changed[anchor] = kept((*(one for one in earlier if one[0].item_id != report.item_id), *joined.get(anchor, ())))
    return changed


def _merged(before: Mapping[str, Incident], changed: dict[str, tuple[Told, ...]], events: dict[str, Event]) -> dict[str, str]:
    """Incidents that have turned out to be another -> that one, the older of the two; `changed` and `events` follow.

    Only what has come to be told of otherwise is compared: its place, its day, its type. What one report tells apart stays apart.
    """
    merged: dict[str, str] = {}
    for anchor in [anchor for anchor in events if anchor in before and _moved(before[anchor].event, events[anchor])]:
        for other, incident in before.items():
            told = changed.get(other, incident.told)
            if other == anchor or not told or not changed[anchor] or not are_one(events[anchor], events.get(other, incident.event)):
                continue
            if not _told_apart(changed[anchor], told):
                older, younger = sorted((anchor, other), key=lambda a: (before[a].event.first_seen, a))
                changed[older], changed[younger] = kept((*changed[anchor], *told)), ()
                events[older] = assemble(changed[older], older)
                merged[younger] = older
    return merged


def _moved(before: Event, after: Event) -> bool:
    return (before.place, before.event_date, before.labels) != (after.place, after.event_date, after.labels)


def _told_apart(some: Sequence[Told], others: Sequence[Told]) -> bool:
    """True where one report tells of both, or one is told of as a second one."""
    both = {report.item_id for report, _ in some} & {report.item_id for report, _ in others}
    return bool(both) or any(is_second(event) for _, event in some) != any(is_second(event) for _, event in others)


def _anchor(incidents: Sequence[Incident], joined: dict[str, list[Told]], telling: Told) -> str:
    """Anchor of the incident that the telling belongs to: the likest open one or one this report opened, else a new one.

    Of several that are surely the same the oldest takes it, so that two names of one place do not divide the reports.
    """
    report, event = telling
    days = {None, *days_beside(event.event_date)} if event.event_date else None
    possible = [incident for incident in incidents if days is None or incident.event.event_date in days]
    if is_second(event):
        possible = [incident for incident in possible if any(is_second(other) for _, other in incident.told)]
    scored = [(likeness(event, incident.event, _apart(report, incident.event)), incident.anchor) for incident in possible]
    scored += [(likeness(event, other, timedelta()), anchor) for anchor, others in joined.items() for _, other in others]
    best, anchor = max(((min(score, SURE), anchor) for score, anchor in scored), key=lambda pair: pair[0], default=(0.0, ""))
    if best >= ALIKE:
        return anchor
    new = f"{report.item_id}/{event.type}"
    if any(incident.anchor == new and any(told.item_id != report.item_id for told, _ in incident.told) for incident in incidents):
        new += f"/edit-{report.item_revision}"  # an edit leaves the incident that the report once opened to those who joined it
    return f"{new}/{len(joined)}" if new in joined else new


def _apart(report: Report, event: Event) -> timedelta:
    """Logical time between them; without end where the report has none."""
    return timedelta.max if report.first_seen == UNKNOWN_TIME else abs(report.first_seen - event.last_seen)


class Telling(NamedTuple):
    """An incident's tellings after a report, and the event that they amount to."""

    anchor: str
    told: tuple[Told, ...]
    event: Event


def _revised(incident: Incident | None, now: Telling, report: Report, same: Sequence[Incident], gone: Sequence[Incident], alerting: Alerting) -> Incident:
    """The incident as it is told now, with the `same` one in it; reports have left what is `gone` for it. What adds nothing gives no revision."""
    anchor, told, event = now
    before = incident.event if incident else None
    if superseded := (*(before.supersedes if before else ()), *(other.event.event_id for other in (*same, *gone))):
        event = replace(event, supersedes=superseded)
    alerted = max(filter(None, (i.alerted for i in (incident, *same) if i)), default=None)
    if before is None or not adds_nothing(event, before) or alerts_by_itself(told) != alerts_by_itself(incident.told if incident else ()):
        return Incident(anchor, told, *revise(event, before, told=told, alerted=alerted, alerting=alerting))
    seen = max(report.first_seen, before.last_seen)
    if incident and told == incident.told and seen - before.last_seen < _LATELY:
        return incident
    return Incident(anchor, told, replace(before, last_seen=seen), alerted)


class Incidents:
    """Open incidents, and how much has been written of them since they were last written as a whole."""

    def __init__(self, open_: Sequence[Incident] = ()) -> None:
        self.open: Sequence[Incident] = open_
        self.whole = self.written = 0


class FoldReports(Fold[Incidents, list[Element]]):
    """Packed reports in order -> the revisions of incidents; a report that cannot be correlated is a dead letter.

    What changed is written behind the rest, and all of it anew when that has doubled.
    """

    batches = Listed()

    def __init__(self, *, ttl: timedelta, alerting: Alerting = AT_ONCE) -> None:
        self.ttl, self.alerting = ttl, alerting

    def restore(self, cells: Cells) -> Incidents:
        known: dict[str, Incident] = {}
        for closed, changed in map(_unpack_journal, cells.get(0, ())):
            for anchor in closed:
                known.pop(anchor, None)
            known.update((incident.anchor, incident) for incident in changed)
        return Incidents(list(known.values()))

    def dump(self, memory: Incidents) -> Mapping[int, bytes]:
        return {0: pack(((), memory.open))} if memory.open else {}

    def fold(self, memory: Incidents, elements: Sequence[Element]) -> tuple[list[Write], list[Event | DeadLetter]]:
        before = {incident.anchor: incident for incident in memory.open}
        outputs: list[Event | DeadLetter] = []
        for _, payload in elements:
            report = _unpack_report(payload[_HEAD.size :])
            try:
                memory.open, revisions = correlate(memory.open, report, ttl=self.ttl, alerting=self.alerting)
                outputs += revisions
            except Exception as error:  # the edge of a stage: one report must not stop the incidents of all others
                failed("correlate").inc()
                outputs.append(dead_letter("correlate", error, avro.encode_single_object(report), datetime.now(UTC), report.kafka))
        return self._write(memory, before), outputs

    def _write(self, memory: Incidents, before: Mapping[str, Incident]) -> list[Write]:
        changed = [incident for incident in memory.open if before.get(incident.anchor) is not incident]
        closed = before.keys() - {incident.anchor for incident in memory.open}
        if not changed and not closed:
            return []
        piece = pack((list(closed), changed))
        memory.written += len(piece)
        if memory.written <= memory.whole:
            return [Write(0, piece)]
        whole = self.dump(memory).get(0, b"")
        memory.whole, memory.written = len(whole), 0
        return [Write(0, whole, replace=True)]


class Correlated(NamedTuple):
    """Revisions of events, dead letters, and the state that a bounded input leaves."""

    events: PCollection[Event]
    dead: PCollection[DeadLetter]
    cells: PCollection[Any]


class Correlate(beam.PTransform[Any, Any]):
    """Report -> Correlated. `carried` is the state an earlier slice left."""

    def __init__(self, settings: Settings, carried: PCollection[Any] | None = None) -> None:
        super().__init__()
        self.settings, self.carried = settings, carried

    def expand(self, reports: PCollection[Report]) -> Any:
        """Only what concerns an incident is sent, without its text."""
        settings = self.settings
        fold = FoldReports(ttl=settings.incident_ttl, alerting=Alerting(settings.alert_cooldown, settings.digest_below))
        folded = (
            reports
            | "Concern" >> beam.Filter(concerns)
            | "SendReports" >> BatchByKey(_route)
            | "FoldReports" >> FoldInOrder(fold, hold=settings.hold, carried=self.carried)
        )
        kinds = folded.outputs | "ByKind" >> beam.ParDo(_ByKind()).with_outputs("dead", main="events")
        return Correlated(kinds.events, kinds.dead, folded.cells)


class _ByKind(beam.DoFn):
    def process(self, record: Event | DeadLetter) -> Iterator[Any]:
        yield beam.pvalue.TaggedOutput("dead", record) if isinstance(record, DeadLetter) else record


def concerns(report: Report) -> bool:
    """True where the report tells of an incident here, or may withdraw what an earlier version of it told."""
    return report.item_revision > 0 or report.operation == "delete" or any(relevant(event) for event in report.events)


def slim(report: Report) -> Report:
    """The report without its text: what correlation needs, with a headline."""
    return replace(report, title=report.title or " ".join(report.text[:_HEADLINE].split()), text="", quotes=())


def _route(report: Report) -> tuple[int, Element]:
    head = _HEAD.pack(bytes.fromhex(report.item_id), report.item_revision)
    return _REGION, (micros(report.first_seen), head + pack(slim(report)))
