"""Offsets that are done, committed for the consumer group: how far a run has come, to its successor and to whoever shows lag."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from functools import cache
from threading import Lock

from kafka import KafkaConsumer, TopicPartition
from kafka.errors import KafkaError
from kafka.structs import OffsetAndMetadata

from pipeline import metrics, progress
from pipeline.done import Done
from pipeline.topic_positions import committed, partitions
from schemas.kafka import clients
from schemas.kafka.settings import KafkaSettings

_log = logging.getLogger(__name__)
_TIMEOUT_MS = 5_000


class Committer:
    """Follows what is done: tells the run's progress, and commits. Pickled without connection."""

    def __init__(self, settings: KafkaSettings, topic: str, group: str, run: str, floor: Mapping[int, int]) -> None:
        """What an earlier run has done, `floor`, is not taken back while the state is rebuilt from before it."""
        self.settings, self.topic, self.group, self.run, self.floor = settings, topic, group, run, dict(floor)

    def started(self) -> None:
        """A worker of this run is at work: say so to the command, which may be elsewhere, with what the group has committed."""
        if progress.of(self.run):
            return
        try:
            with _lock:
                consumer = _consumer(self.settings, self.group)
                known = committed(consumer, partitions(consumer, self.topic))
                commit(consumer, self.topic, {at.partition: offset for at, offset in known.items()}, self.run)
        except KafkaError as error:
            _log.warning("the start of a worker could not be said", extra={"group": self.group, "error": str(error)})

    def marked(self, marks: Done, time: int) -> None:
        """Where a bundle that was read ended."""
        if here := progress.of(self.run):
            here.marked(marks, time)

    def done(self, done: Done) -> None:
        """Commit what is done. A failure is logged: the partition's next mark is farther."""
        if here := progress.of(self.run):
            for partition, offset in done.items():
                here.done(partition, offset)
        offsets = {partition: offset for partition, offset in done.items() if offset > self.floor.get(partition, 0)}
        try:
            with _lock:
                commit(_consumer(self.settings, self.group), self.topic, offsets, self.run)
        except KafkaError as error:
            _log.warning("offsets could not be committed", extra={"group": self.group, "error": str(error)})
            return
        metrics.COMMITS.inc()


def commit(consumer: KafkaConsumer, topic: str, offsets: Mapping[int, int], run: str = "") -> None:
    """Offsets by partition, for the consumer's group, with the name of the run that commits. Raises KafkaError."""
    consumer.commit({TopicPartition(topic, partition): OffsetAndMetadata(offset, run) for partition, offset in offsets.items()}, timeout_ms=_TIMEOUT_MS)


def committed_by(consumer: KafkaConsumer, topic: str, run: str) -> bool:
    """Whether a worker of this run has committed anything."""
    return any((found := consumer.committed(at, metadata=True)) and found.metadata == run for at in partitions(consumer, topic))


_lock = Lock()
"""Workers call from several threads, and a consumer is for one at a time."""


@cache
def _consumer(settings: KafkaSettings, group: str) -> KafkaConsumer:
    """One connection a process."""
    return clients.consumer(settings, group_id=group)
