"""What must hold of a run whatever went wrong: counts in = counts out, nothing lost, nothing twice by (event_id, content_hash)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path

from pipeline.correlate import Incident, correlate
from pipeline.replay import replay
from pipeline.settings import Settings
from pipeline.sinks.avro_files import EVENTS, read_files
from schemas.records import Event, RawItem, Report
from tests.pipeline.live import Live


def check_complete(live: Live, sent: list[RawItem]) -> None:
    """Every item has one report; incidents rest on as many as the same reports give without a fault; each revision is there once, and the
    last of each is the latest."""
    reports = live.read(live.topics.reports, Report)
    assert Counter(report.item_id for report in reports) == Counter(item.item_id for item in sent)
    events = live.read(live.topics.events, Event)
    assert set(Counter((event.event_id, event.content_hash) for event in events).values()) == {1}
    last = newest(events)
    assert newest(live.read(live.topics.events_latest, Event)) == last
    assert rests_on(last) == rests_on(newest(amount_to(reports)))


def rests_on(last: Mapping[str, Event]) -> Counter[str]:
    """The items that events rest on."""
    return Counter(ref.item_id for event in last.values() for ref in event.reports)


def amount_to(reports: Iterable[Report]) -> list[Event]:
    """The revisions that these reports give rise to, folded one by one."""
    incidents: list[Incident] = []
    revisions: list[Event] = []
    for report in sorted(reports, key=lambda report: (report.first_seen, report.item_id)):
        incidents, more = correlate(incidents, report, ttl=Settings().incident_ttl)
        revisions += more
    return revisions


def newest(events: list[Event]) -> dict[str, Event]:
    return {event.event_id: event for event in sorted(events, key=lambda event: event.revision)}


def check_like_a_replay(live: Live, sent: list[RawItem], folder: Path) -> None:
    """The revisions are those that a replay gives."""
    wanted = {(event.event_id, event.content_hash) for event in replayed(sent, folder)}
    assert {(event.event_id, event.content_hash) for event in live.read(live.topics.events, Event)} == wanted


def check_clusters_of_a_replay(live: Live, sent: list[RawItem], folder: Path) -> None:
    """The same reports stand together. Items that the broker took up later than the hold allows are folded later: revisions may differ."""
    assert clusters(live.read(live.topics.events, Event)) == clusters(replayed(sent, folder))


def clusters(events: list[Event]) -> set[frozenset[str]]:
    return {frozenset(told.item_id for told in event.reports) for event in newest(events).values()}


def replayed(sent: list[RawItem], folder: Path) -> list[Event]:
    replay(iter(sent), folder / "replay", Settings(shards=1))
    return list(read_files(folder / "replay", EVENTS))
