"""The raw topic kept as Avro files, which a replay reads: nothing is missing from them and nothing stands there twice.

The files are the truth, the offsets of the consumer group a copy of it: they are committed when the files are durable, and where
a crash came in between, the names of the files say where to go on. One process writes to a folder.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Collection, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from kafka import KafkaConsumer, TopicPartition
from kafka.errors import CommitFailedError, KafkaTimeoutError, OffsetOutOfRangeError
from kafka.structs import OffsetAndMetadata

from pipeline.dead_letter import dead_letter
from pipeline.decoder import Decoder
from pipeline.segments import Segment, clear, end_of
from pipeline.topic_positions import committed, offsets_at, partitions
from schemas.errors import DijlaError, SchemaError, WriteError
from schemas.folder_lock import locked
from schemas.kafka.envelope import position
from schemas.records import DeadLetter, KafkaPosition, RawItem

POLL_MS = 200
_COMMIT_MS = 10_000
NEW_PARTITIONS = timedelta(seconds=30)
"""How often the topic is asked whether it has grown."""
_log = logging.getLogger(__name__)


class TopicMadeAgainError(DijlaError):
    """The topic is not the one that the folder's files came from."""


class TopicArchive:
    """Writes the partitions of a topic to files in `out`.

    `consumer` has a group and the isolation level read_committed, subscribes to nothing and resets no offsets. A file is finished when it
    has `file_bytes`, is `file_age` old, or the day of the broker changes. A payload that is no item
    becomes a dead letter in out/dead-letters/.

    Counts: `items`, `dead_letters`, `missed` (deleted by the broker before they were read).
    """

    def __init__(
        self,
        consumer: KafkaConsumer,
        topic: str,
        out: Path,
        decode: Decoder,
        *,
        file_bytes: int = 64_000_000,
        file_age: timedelta = timedelta(minutes=15),
    ) -> None:
        self.items = self.dead_letters = self.missed = 0
        self._consumer, self._topic, self._out, self._decode = consumer, topic, out, decode
        self._file_bytes, self._file_age = file_bytes, file_age
        self._next: dict[TopicPartition, int] = {}
        self._open: dict[TopicPartition, Segment] = {}
        self._stopped = False

    def stop(self) -> None:
        """Finish the files and return; from a signal handler."""
        self._stopped = True

    def run(self, *, until_end: bool = False) -> None:
        """Archive until stop() or, where asked for, until all is read that stands there now.

        Raises WriteError, UsageError where another process writes to the folder, TopicMadeAgainError, MissingTopicError.
        """
        with locked(self._out):
            try:
                self._archive(until_end)
            except WriteError:
                # What stands in the files that are open is not to be trusted. It is on the topic still.
                for segment in self._open.values():
                    segment.discard()
                self._open.clear()
                raise
            finally:
                self._finish(list(self._open))

    def _archive(self, until_end: bool) -> None:
        self._take_partitions()
        ends = offsets_at(self._consumer, self._next.keys(), "latest")
        asked = time.monotonic()
        while not self._stopped and not (until_end and self._reached(ends)):
            self._read()
            self._finish(self._due(datetime.now(UTC)))
            if time.monotonic() - asked > NEW_PARTITIONS.total_seconds():
                self._take_partitions()
                asked = time.monotonic()

    def _take_partitions(self) -> None:
        """Assign the partitions that are new to us."""
        new = partitions(self._consumer, self._topic) - self._next.keys()
        if not new:
            return
        self._consumer.assign([*self._next, *new])
        for at, offset in self._next.items():
            self._consumer.seek(at, offset)
        places = committed(self._consumer, new)
        for at in new:
            if held := end_of(self._out, at.partition):
                places[at] = max(held, places.get(at, 0))
        self._go_on(new, places)

    def _go_on(self, which: Collection[TopicPartition], places: Mapping[TopicPartition, int]) -> None:
        """Read these partitions on from their places, or from the beginning where they have none."""
        earliest, ends = offsets_at(self._consumer, which, "earliest"), offsets_at(self._consumer, which, "latest")
        for at in which:
            place = places.get(at, earliest[at])
            if place > ends[at]:
                raise TopicMadeAgainError(
                    f"{at.topic} partition {at.partition} ends at {ends[at]}, but is archived up to {place}: the topic was made again; "
                    "archive it to another folder, with another --group"
                )
            if place < earliest[at]:
                self.missed += earliest[at] - place
                lost = {"topic": at.topic, "partition": at.partition, "first lost": place, "last lost": earliest[at] - 1}
                _log.error("records were deleted before they were archived", extra=lost)
            self._next[at] = max(place, earliest[at])
            clear(self._out, at.partition, self._next[at])
            self._consumer.seek(at, self._next[at])

    def _read(self) -> None:
        try:
            found = self._consumer.poll(timeout_ms=POLL_MS)
        except OffsetOutOfRangeError:
            self._finish(list(self._open))
            self._go_on(list(self._next), dict(self._next))
            return
        for at, records in found.items():
            for record in records:
                self._append(at, record)

    def _append(self, at: TopicPartition, record: Any) -> None:
        place = position(record)
        if at in self._open and self._open[at].day != place.appended_at.date():
            self._finish([at])
        if at not in self._open:
            self._open[at] = Segment(self._out, place, datetime.now(UTC))
        self._open[at].append(place, self._item(record, place))
        self._next[at] = record.offset + 1
        if self._open[at].size >= self._file_bytes:
            self._finish([at])

    def _item(self, record: Any, place: KafkaPosition) -> RawItem | DeadLetter:
        try:
            item = replace(self._decode(record.value, RawItem), kafka=place)
        except SchemaError as error:
            self.dead_letters += 1
            return dead_letter("decode", error, record.value or b"", datetime.now(UTC), place)
        self.items += 1
        return item

    def _due(self, now: datetime) -> list[TopicPartition]:
        return [at for at, segment in self._open.items() if now - segment.opened_at >= self._file_age]

    def _finish(self, which: Collection[TopicPartition]) -> None:
        """Make these files durable, then commit."""
        done = {}
        for at in which:
            segment = self._open.pop(at)
            segment.finish()
            done[at] = OffsetAndMetadata(segment.end)
        if not done:
            return
        try:
            self._consumer.commit(done, timeout_ms=_COMMIT_MS)
        except (CommitFailedError, KafkaTimeoutError) as error:
            _log.warning("offsets are not committed, the files say where to go on", extra={"error": str(error)})

    def _reached(self, ends: Mapping[TopicPartition, int]) -> bool:
        return all(self._consumer.position(at) >= end for at, end in ends.items())
