"""The raw topic as an unbounded source: `splits` readers, each of the partitions p with p % splits == i.

Beam splits a source once, at the start; so a partition added later already has its reader. A checkpoint is the topic's id, and
the next offset of each partition with the time of the record before it, and the watermark.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from time import monotonic, time
from typing import Any

import apache_beam as beam
from apache_beam.coders import Coder, PickleCoder
from apache_beam.io.unbounded_source import CheckpointMark, ReadFromUnboundedSource, UnboundedReader, UnboundedSource
from apache_beam.utils.timestamp import MAX_TIMESTAMP, Timestamp
from kafka import KafkaConsumer, TopicPartition
from kafka.errors import KafkaError, KafkaTimeoutError, LogTruncationError, OffsetOutOfRangeError

from pipeline import metrics, progress
from pipeline.payload import Payload
from pipeline.sources.silence import Silence
from pipeline.sources.watermark import Watermark
from pipeline.topic_positions import TopicRecreated
from schemas.kafka import clients
from schemas.kafka.failures import BrokerUnreachable
from schemas.kafka.settings import KafkaSettings
from schemas.records import KafkaPosition

REFRESH_SECONDS = 5.0
"""How often the topic's partitions and its id are looked at."""
POLL_MS = 10
_LEADER_MS = 1000
BATCH_RECORDS = 500
FETCH_BYTES = 131_072
"""Of one partition at a time: what is fetched is read, however far ahead of the other partitions it takes this one."""
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Mark(CheckpointMark):
    """Where a reader stands: the topic's id; by partition the next offset, and the time of the last record read; the watermark."""

    topic_id: str
    offsets: Mapping[int, int]
    times: Mapping[int, int]
    watermark: int = 0


class MarkCoder(Coder):
    """A mark as JSON, its partitions in order: equal marks give equal bytes, by which a parked reader is found again."""

    def encode(self, value: Mark) -> bytes:
        """Bytes of a mark."""
        return json.dumps([value.topic_id, sorted(value.offsets.items()), sorted(value.times.items()), value.watermark]).encode()

    def decode(self, encoded: bytes) -> Mark:
        """The mark of bytes."""
        topic_id, offsets, times, watermark = json.loads(encoded)
        return Mark(topic_id, dict(offsets), dict(times), watermark)

    def is_deterministic(self) -> bool:
        """Always."""
        return True


class KafkaSource(UnboundedSource):
    """A topic. `starts` are the offsets to begin at; a partition without one (added later) begins at its first record."""

    def __init__(self, settings: KafkaSettings, topic: str, starts: Mapping[int, int], *, splits: int, run: str, index: int | None = None) -> None:
        self.settings, self.topic, self.starts = settings, topic, dict(starts)
        self.splits, self.run, self.index = splits, run, index

    def __reduce__(self) -> tuple[Any, ...]:
        # Plain values in a fixed order: the runner finds a parked reader by these bytes.
        return _source, (self.settings, self.topic, sorted(self.starts.items()), self.splits, self.run, self.index)

    def split(self, desired_num_splits: int, options: object = None) -> list[KafkaSource]:
        """One source for each split, whatever the runner would like: the number is part of the job."""
        return [KafkaSource(self.settings, self.topic, self.starts, splits=self.splits, run=self.run, index=index) for index in range(self.splits)]

    def create_reader(self, options: object, checkpoint_mark: CheckpointMark | None) -> UnboundedReader:
        """A reader that begins at the mark, else at the starts."""
        return _Reader(self, checkpoint_mark if isinstance(checkpoint_mark, Mark) else None)

    def get_checkpoint_mark_coder(self) -> Coder:
        """JSON."""
        return MarkCoder()

    def default_output_coder(self) -> Coder:
        """Batches never leave the step that reads them."""
        return PickleCoder()

    def owns(self, partition: int) -> bool:
        """Whether this split reads the partition."""
        return partition % self.splits == (self.index or 0)


def _source(settings: KafkaSettings, topic: str, starts: Sequence[tuple[int, int]], splits: int, run: str, index: int | None) -> KafkaSource:
    return KafkaSource(settings, topic, dict(starts), splits=splits, run=run, index=index)


class _Reader(UnboundedReader):
    """Polls the partitions of one split; one element is what a poll gave, in the order of each partition."""

    def __init__(self, source: KafkaSource, mark: Mark | None) -> None:
        self._source = source
        self._offsets = {partition: offset for partition, offset in (mark.offsets if mark else source.starts).items() if source.owns(partition)}
        self._topic_id = mark.topic_id if mark else ""
        self._watermark = Watermark(mark.times, mark.watermark) if mark else Watermark()
        self._silence = Silence()
        self._at_end: Set[int] = frozenset()
        self._batch: list[Payload] = []
        self._refreshed = 0.0
        self._caught_up = 0.0
        self._progress = progress.of(source.run)
        self._consumer: KafkaConsumer | None = None
        self._paused: set[int] = set()

    def start(self) -> bool:
        """Take the partitions of this split."""
        return self.advance()

    def advance(self) -> bool:
        """Poll once, for at most 10 ms; False where nothing has come, where too much is in flight, and where the run stops."""
        if self._progress and (self._progress.stopping.is_set() or self._progress.full()):
            self._silence.rested()
            return False
        if self._rests():
            return False
        try:
            consumer = self._connected()
            if monotonic() - self._refreshed > REFRESH_SECONDS:
                self._refresh(consumer)
            self._align(consumer)
            self._batch = self._polled(consumer)
        except (BrokerUnreachable, KafkaError) as error:
            _log.error("nothing can be read: trying again", extra={"topic": self._source.topic, "cause": str(error)})
            return False
        if self._batch and not self._waiting():
            self._caught_up = monotonic()
        return bool(self._batch)

    def _rests(self) -> bool:
        """Having caught up, hand on what was read at once, instead of waiting for the bundle to fill; then let a little come together."""
        if self._caught_up and monotonic() - self._caught_up > (self._progress.pause() if self._progress else 0):
            self._caught_up = 0.0
            return True
        return bool(self._caught_up)

    def get_current(self) -> list[Payload]:
        """The records of the poll."""
        return self._batch

    def get_current_timestamp(self) -> Timestamp:
        """One for all of them."""
        return Timestamp(micros=self._watermark.newest)

    def get_watermark(self) -> Timestamp:
        """The broker's time up to which this split has read; the end of time when the run stops, so that everything is let go."""
        if self._progress and self._progress.stopping.is_set():
            return MAX_TIMESTAMP
        reached = self._watermark.reach(self._waiting(), _now())
        if self._progress:
            self._progress.reached(self._source.index or 0, reached)
        metrics.watermark(self._source.index or 0, datetime.fromtimestamp(reached / 1e6, UTC))
        return Timestamp(micros=reached)

    def get_checkpoint_mark(self) -> Mark:
        """The next offsets."""
        return Mark(self._topic_id, dict(self._offsets), dict(self._watermark.last), self._watermark.reached)

    def close(self) -> None:
        """Leave the broker."""
        if self._consumer:
            self._consumer.close()

    def _connected(self) -> KafkaConsumer:
        """Without a group the consumer cannot be rebalanced away; offsets are kept by the runner, and committed behind the sinks."""
        if self._consumer is None:
            self._consumer = clients.consumer(
                self._source.settings,
                auto_offset_reset="none",
                max_poll_records=BATCH_RECORDS,
                max_partition_fetch_bytes=FETCH_BYTES,
                metadata_max_age_ms=int(REFRESH_SECONDS * 1000),
            )
        return self._consumer

    def _align(self, consumer: KafkaConsumer) -> None:
        """Partitions that are ahead wait for the others."""
        ahead = self._watermark.ahead(self._waiting())
        if ahead != self._paused:
            consumer.resume(*map(self._at, self._paused - ahead))
            consumer.pause(*map(self._at, ahead - self._paused))
            self._paused = ahead
        if not consumer._fetcher._next_partition_records:
            # What it had fetched of a paused partition, kafka-python 3.0.12 takes up again only where this is None, not where it is used up.
            consumer._fetcher._next_partition_records = None

    def _polled(self, consumer: KafkaConsumer) -> list[Payload]:
        try:
            found = consumer.poll(timeout_ms=POLL_MS)
        except OffsetOutOfRangeError as error:
            self._out_of_range(consumer, error)
            return []
        except LogTruncationError:
            self._check_id(consumer)
            raise self._failed(f"{self._source.topic} lost records that were read before") from None
        for at, records in found.items():
            self._took(at.partition, records)
        self._listen(consumer, {at.partition for at in found})
        return [_payload(record) for records in found.values() for record in records]

    def _listen(self, consumer: KafkaConsumer, heard: Set[int]) -> None:
        """What has long given nothing is not waited for any more, and that is said."""
        assigned = {at.partition for at in consumer.assignment()}
        for partition in (self._unread() & assigned) - heard - self._paused:
            # The marker behind a transaction's last record is no record: nothing but the position says that it has been read.
            self._offsets[partition] = consumer.position(self._at(partition))
        self._at_end = self._offsets.keys() - self._unread()
        before = self._silence.given_up
        self._silence.polled(self._unread() - self._paused, heard, monotonic())
        if (given_up := self._silence.given_up) != before:
            _log.error("partitions that have more to read give nothing: the others go on", extra={"topic": self._source.topic, "partitions": sorted(given_up)})
            if self._progress:
                self._progress.gave_up(self._source.index or 0, given_up)

    def _took(self, partition: int, records: Sequence[Any]) -> None:
        following = records[-1].offset + 1
        self._watermark.seen(partition, records[-1].timestamp * 1000, _now(), fresh=partition in self._at_end)
        self._offsets[partition] = following
        if self._progress:
            self._progress.read(partition, following)
        metrics.ITEMS_READ.labels(partition).inc(len(records))
        metrics.BYTES_READ.labels(partition).inc(sum(len(record.value or b"") for record in records))
        metrics.LAG.labels(partition).set(self._lag(partition) or 0)

    def _unread(self) -> set[int]:
        """The partitions that have more to read, as far as is known."""
        return {partition for partition in self._offsets if self._lag(partition) != 0}

    def _waiting(self) -> set[int]:
        """Those of them that are waited for."""
        return self._unread() - self._silence.given_up

    def _lag(self, partition: int) -> int | None:
        """Records behind the next one, None where the broker has not said yet."""
        end = self._consumer.highwater(self._at(partition)) if self._consumer and self._refreshed else None
        return None if end is None else max(0, end - self._offsets[partition])

    def _at(self, partition: int) -> TopicPartition:
        return TopicPartition(self._source.topic, partition)

    def _refresh(self, consumer: KafkaConsumer) -> None:
        """Take partitions that are new, and see that the topic is still the same one."""
        topic = self._source.topic
        present = consumer.partitions_for_topic(topic)
        if not present:
            _log.error("the raw topic is not there: nothing is read until it is, and offsets stay as they are", extra={"topic": topic})
            return
        self._check_id(consumer)
        mine = {partition for partition in present if self._source.owns(partition)}
        if new := mine - {at.partition for at in consumer.assignment()}:
            self._take(consumer, mine, new)
        self._refreshed = monotonic()

    def _take(self, consumer: KafkaConsumer, mine: Set[int], new: Set[int]) -> None:
        self._offsets |= self._beginnings(consumer, new - self._offsets.keys())
        taken = sorted(mine & self._offsets.keys())
        consumer.assign([self._at(partition) for partition in taken])
        self._paused = set()
        for partition in taken:
            consumer.seek(self._at(partition), self._offsets[partition])
            if self._progress and partition in new:
                self._progress.began(partition, self._offsets[partition])
        _log.info("reading partitions", extra={"topic": self._source.topic, "partitions": taken})

    def _beginnings(self, consumer: KafkaConsumer, new: Set[int]) -> dict[int, int]:
        """The first offset of each; one that has no leader yet is looked at again later."""
        begins: dict[int, int] = {}
        for partition in sorted(new):
            try:
                begins |= {at.partition: begin for at, begin in consumer.beginning_offsets([self._at(partition)], timeout_ms=_LEADER_MS).items()}
            except KafkaTimeoutError:
                _log.error("a new partition does not say where it begins: has it a leader?", extra={"topic": self._source.topic, "partition": partition})
        return begins

    def _check_id(self, consumer: KafkaConsumer) -> None:
        # kafka-python knows the id, and gives no other way to it.
        topic_id = str(consumer._cluster.topic_id(self._source.topic) or "")
        if self._topic_id and topic_id and topic_id != self._topic_id:
            raise self._failed(f"{self._source.topic} was deleted and made again (id {self._topic_id} became {topic_id})")
        self._topic_id = topic_id or self._topic_id

    def _out_of_range(self, consumer: KafkaConsumer, error: OffsetOutOfRangeError) -> None:
        """Retention overtook us: go on at what is left, and say what is gone. Behind the end: this is not the topic we knew."""
        for at, offset in error.args[0].items():
            first, end = consumer.beginning_offsets([at])[at], consumer.end_offsets([at])[at]
            if offset > end:
                self._check_id(consumer)
                raise self._failed(f"{at.topic}, partition {at.partition}, ends at offset {end}, but was read to {offset}: it was made again, or lost records")
            if offset < first:
                metrics.LOST.labels(at.partition).inc(first - offset)
                _log.error("retention removed records that were not read", extra={"topic": at.topic, "partition": at.partition, "from": offset, "to": first})
                self._offsets[at.partition] = first
                consumer.seek(at, first)

    def _failed(self, what: str) -> TopicRecreated:
        failure = TopicRecreated(f"{what}: check what it holds, then start again with --from earliest, or --from a time")
        if self._progress:
            self._progress.failure = failure
        return failure


def _payload(record: Any) -> Payload:
    appended = datetime.fromtimestamp(record.timestamp / 1000, UTC)
    return Payload(record.value or b"", KafkaPosition(topic=record.topic, partition=record.partition, offset=record.offset, appended_at=appended))


def _now() -> int:
    return int(time() * 1e6)


class ReadKafka(beam.PTransform[Any, Any]):
    """PBegin -> Payload: the records of a topic, those of a poll at one time of the broker's."""

    def __init__(self, source: KafkaSource, *, poll: timedelta, bundle: timedelta, bundle_records: int) -> None:
        super().__init__()
        self.source, self.poll, self.bundle, self.bundle_records = source, poll, bundle, bundle_records

    def expand(self, begin: beam.pvalue.PBegin) -> Any:
        """Batches, and the records of each."""
        batches = begin | "Poll" >> ReadFromUnboundedSource(
            self.source,
            poll_interval=self.poll.total_seconds(),
            max_records_per_bundle=max(1, self.bundle_records // BATCH_RECORDS),
            max_read_time_seconds=self.bundle.total_seconds(),
        )
        return batches | "Records" >> beam.FlatMap(_records).with_output_types(Payload)


def _records(batch: Sequence[Payload]) -> Sequence[Payload]:
    return batch
