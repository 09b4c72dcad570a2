"""Offsets that are done, committed for the consumer group: how far a run has come, to its successor and to whoever shows lag."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from functools import cache

from kafka import KafkaConsumer, TopicPartition
from kafka.errors import KafkaError
from kafka.structs import OffsetAndMetadata

from pipeline import metrics, progress
from pipeline.done import Done
from schemas.kafka import clients
from schemas.kafka.settings import KafkaSettings

_log = logging.getLogger(__name__)
_TIMEOUT_MS = 5_000


class Committer:
    """Follows what is done: tells the run's progress, and commits. Pickled without connection."""

    def __init__(self, settings: KafkaSettings, topic: str, group: str, run: str, floor: Mapping[int, int]) -> None:
        """What an earlier run has done, `floor`, is not taken back while the state is rebuilt from before it."""
        self.settings, self.topic, self.group, self.run, self.floor = settings, topic, group, run, dict(floor)

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
            commit(_consumer(self.settings, self.group), self.topic, offsets)
        except KafkaError as error:
            _log.warning("offsets could not be committed", extra={"group": self.group, "error": str(error)})
            return
        metrics.COMMITS.inc()


def commit(consumer: KafkaConsumer, topic: str, offsets: Mapping[int, int]) -> None:
    """Offsets by partition, for the consumer's group. Raises KafkaError."""
    consumer.commit({TopicPartition(topic, partition): OffsetAndMetadata(offset, "") for partition, offset in offsets.items()}, timeout_ms=_TIMEOUT_MS)


@cache
def _consumer(settings: KafkaSettings, group: str) -> KafkaConsumer:
    """One connection a process; a bundle is one thread at a time, as all marks have one key."""
    return clients.consumer(settings, group_id=group)
