"""The scenarios of golden/scenarios: their items, run through the whole pipeline at once, and what came of each."""

from __future__ import annotations

import hashlib
import itertools
import tomllib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import Any

import apache_beam as beam
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.runners.portability.fn_api_runner.fn_runner import FnApiRunner

from pipeline.build import Sink, Source, build
from pipeline.payload import Payload
from pipeline.settings import Settings
from pipeline.sinks.avro_files import EVENTS, REPORTS, WriteFiles
from schemas import avro
from schemas.records import Event, RawItem, Report

FOLDER = Path(__file__).parents[1] / "golden" / "scenarios"
_BEGIN = datetime(2021, 3, 1, 6, 0, tzinfo=UTC)
_APART = timedelta(days=2)
"""Less than an incident stays open: scenarios follow each other as days do."""


@dataclass(frozen=True, slots=True)
class Scenario:
    """Reports, and the incidents that they tell of: name -> what is expected of it."""

    name: str
    number: int
    given: dict[str, Any]

    @property
    def incidents(self) -> dict[str, dict[str, Any]]:
        """What is expected of each incident."""
        found: dict[str, dict[str, Any]] = self.given["incidents"]
        return found

    def items(self) -> Iterator[RawItem]:
        """Its items, in the order of the file."""
        for entry in self.given["reports"]:
            yield self._item(entry)
            for copy in range(self.given.get("copies", 0)):
                yield self._item({**entry, "id": f"{entry['id']}{copy}", "outlet": f"copy-{copy}", "at": entry["at"] + 1 + copy / 10})

    def tells(self) -> dict[str, frozenset[str]]:
        """Item id -> the incidents that its last version tells of, by names that are the suite's own."""
        told = {}
        for entry in self.given["reports"]:
            mine = frozenset(f"{self.number}/{name}" for name in entry.get("tells", self.incidents))
            names = [entry["id"], *(f"{entry['id']}{copy}" for copy in range(self.given.get("copies", 0)))]
            outlets = [entry["outlet"], *(f"copy-{copy}" for copy in range(self.given.get("copies", 0)))]
            told.update((self._item_id(name, outlet), mine) for name, outlet in zip(names, outlets, strict=True))
            if entry.get("operation") == "delete":
                told[self._item_id(entry["id"], entry["outlet"])] = frozenset()
        return told

    def _item_id(self, name: str, outlet: str) -> str:
        return hashlib.sha256(f"{self.number}/{name}/{outlet}".encode()).hexdigest()[:32]

    def _item(self, entry: dict[str, Any]) -> RawItem:
        seen = _BEGIN + self.number * _APART + timedelta(minutes=entry["at"])
        return RawItem(
            item_id=self._item_id(entry["id"], entry["outlet"]),
            native_id=entry["id"],
            source_id=f"sample.{entry['outlet']}",
            source_type="test",
            operation=entry.get("operation", "create"),
            url=entry.get("url"),
            body=entry["text"],
            published_raw=(seen - timedelta(hours=entry.get("hours_old", 0))).isoformat(),
            fetched_at=seen,
            publisher=entry.get("publisher"),
            credit=entry.get("credit"),
            mode=self.given.get("mode", "live"),
        )


def load() -> list[Scenario]:
    """Every scenario of every file, two days apart."""
    tables = (tomllib.loads(path.read_text(encoding="utf8")) for path in sorted(FOLDER.glob("*.toml")))
    return [Scenario(given["name"], number, given) for number, given in enumerate(itertools.chain.from_iterable(table["scenarios"] for table in tables))]


@dataclass
class Outcome:
    """Every revision that the scenarios gave rise to, and the reports understood."""

    revisions: list[Event]
    reports: list[Report]
    last: dict[str, Event] = field(init=False)

    def __post_init__(self) -> None:
        self.last = {event.event_id: event for event in self.revisions}

    @cached_property
    def of_item(self) -> dict[str, frozenset[str]]:
        """Item id -> the events that rest on it at last; a copy that says nothing new has those of its story."""
        found: dict[str, set[str]] = {}
        for event in self.last.values():
            for ref in event.reports:
                found.setdefault(ref.item_id, set()).add(event.event_id)
        for report in self.reports:
            if report.item_id not in found and report.events and report.story_id in found:
                found[report.item_id] = found[report.story_id]
        return {item: frozenset(events) for item, events in found.items()}

    def story(self, event_id: str) -> list[Event]:
        """The revisions of one event, in order."""
        return [event for event in self.revisions if event.event_id == event_id]

    def events_of(self, items: Iterable[str]) -> list[str]:
        """Events that ever rested on one of these items, the first seen first."""
        wanted = set(items)
        return list(dict.fromkeys(event.event_id for event in self.revisions if any(ref.item_id in wanted for ref in event.reports)))


class _Given(beam.PTransform[Any, Any]):
    def __init__(self, payloads: list[bytes]) -> None:
        super().__init__()
        self.payloads = payloads

    def expand(self, begin: Any) -> Any:
        return begin | beam.Create(self.payloads) | beam.Map(Payload).with_output_types(Payload)


class _Nowhere(beam.PTransform[Any, Any]):
    def expand(self, records: Any) -> Any:
        return records | beam.Filter(lambda _: False)


def run(items: Iterable[RawItem], folder: Path) -> Outcome:
    """The whole pipeline, in process, over these items in any order; `folder` takes the events."""
    with beam.Pipeline(runner=FnApiRunner(), options=PipelineOptions([])) as p:
        payloads = [avro.encode_single_object(item) for item in items]
        build(p, Source(_Given(payloads)), Sink(WriteFiles(REPORTS, folder), WriteFiles(EVENTS, folder)), _Nowhere(), Settings(shards=4))
    events = [event for file in sorted((folder / "events").glob("*.avro")) for event in avro.read_container(file, Event)]
    reports = [report for file in sorted((folder / "reports").glob("*.avro")) for report in avro.read_container(file, Report)]
    return Outcome(sorted(events, key=lambda event: (event.last_seen, event.event_id, event.revision)), reports)
