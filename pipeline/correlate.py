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
from pipeline.incidents import Told, adds_nothing, alerts_by_itself, assemble, cancel, kept, relevant, revise
from pipeline.likeness import ALIKE, SURE, is_second, likeness
from pipeline.metrics import failed
from pipeline.normalise import UNKNOWN_TIME
from pipeline.packing import pack, unpacker
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
    """An open incident: what opened it, its tellings in order, its last revision, and whether one deserved an alert."""

    anchor: str
    told: tuple[Told, ...]
    event: Event
    alerted: bool

    def active_until(self) -> datetime:
        """When its last report was seen or, for reports dated only roughly, when its day ended; at most a month later."""
        seen = self.event.last_seen
        if self.event.event_date is None:
            return seen
        day_end = datetime.fromisoformat(self.event.event_date).replace(tzinfo=UTC) + timedelta(days=1)
        return max(seen, day_end if seen == UNKNOWN_TIME else min(day_end, seen + timedelta(days=31)))


_unpack_journal = unpacker(tuple[list[str], list[Incident]])


def correlate(incidents: Sequence[Incident], report: Report, *, ttl: timedelta) -> tuple[list[Incident], list[Event]]:
    """Open incidents and the next report -> the incidents after it, and the revisions it gives rise to. Pure.

    A newer version of a report replaces the older one; an incident whose last report is withdrawn is cancelled.
    """
    open_ = sorted((i for i in incidents if report.first_seen - i.active_until() <= ttl), key=lambda i: (i.event.first_seen, i.anchor))
    joined: dict[str, list[Told]] = {}
    for event in report.events:
        if relevant(event):
            telling = replace(report, events=(event,)), event
            joined.setdefault(_anchor(open_, joined, telling), []).append(telling)
    after, revisions = [], []
    known = {incident.anchor for incident in open_}
    told_before = report.item_revision > 0 or report.operation == "delete"
    for anchor, incident in [*((i.anchor, i) for i in open_), *((anchor, None) for anchor in joined if anchor not in known)]:
        if incident is not None and anchor not in joined and not told_before:
            after.append(incident)
            continue
        changed = _with_report(incident, anchor, report, joined.get(anchor, []))
        if changed is None and incident is not None:
            revisions.append(cancel(incident.event, alerted=incident.alerted))
        elif changed is not None:
            after.append(changed)
            if incident is None or changed.event.revision > incident.event.revision:
                revisions.append(changed.event)
    return after, revisions


def _anchor(incidents: Sequence[Incident], joined: dict[str, list[Told]], telling: Told) -> str:
    """Anchor of the incident that the telling belongs to: the likest open one or one this report opened, else a new one.

    Of several that are surely the same the oldest takes it, so that two names of one place do not divide the reports.
    """
    report, event = telling
    possible = [incident for incident in incidents if any(is_second(other) for _, other in incident.told)] if is_second(event) else incidents
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


def _with_report(incident: Incident | None, anchor: str, report: Report, telling: Sequence[Told]) -> Incident | None:
    """The incident with this report's tellings in place of its earlier ones; None where nothing is left of it. What adds nothing gives no revision."""
    earlier = incident.told if incident else ()
    others = tuple(told for told in earlier if told[0].item_id != report.item_id)
    if incident and not telling and len(others) == len(earlier):
        return incident
    told = kept((*others, *telling))
    if not told:
        return None
    if incident is None:
        return Incident(anchor, told, revise(assemble(told, anchor), None, told=told, alerted=False), alerts_by_itself(told))
    event, alerted = assemble(told, anchor), incident.alerted or alerts_by_itself(told)
    if alerted != incident.alerted or not adds_nothing(event, incident.event):
        return Incident(anchor, told, revise(event, incident.event, told=told, alerted=incident.alerted), alerted)
    seen = max(report.first_seen, incident.event.last_seen)
    if told == earlier and seen - incident.event.last_seen < _LATELY:
        return incident
    return Incident(anchor, told, replace(incident.event, last_seen=seen), alerted)


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

    def __init__(self, *, ttl: timedelta) -> None:
        self.ttl = ttl

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
                memory.open, revisions = correlate(memory.open, report, ttl=self.ttl)
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
        fold = FoldReports(ttl=self.settings.incident_ttl)
        folded = (
            reports
            | "Concern" >> beam.Filter(concerns)
            | "SendReports" >> BatchByKey(_route)
            | "FoldReports" >> FoldInOrder(fold, hold=self.settings.hold, carried=self.carried)
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
