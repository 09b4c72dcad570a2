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

    def marked(self, marks: Done) -> None:
        """Where a bundle that was read ended."""
        if marks and (here := progress.of(self.run)):
            here.marked({partition: offset for partition, (offset, _) in marks.items()}, max(appended for _, appended in marks.values()))

    def done(self, done: Done) -> None:
        """Commit what is done, each with the broker's time of its last record. A failure is logged: the next commit holds it too."""
        if here := progress.of(self.run):
            for partition, (offset, _) in done.items():
                here.done(partition, offset)
        offsets = {
            TopicPartition(self.topic, at): OffsetAndMetadata(offset, str(appended / 1e6))
            for at, (offset, appended) in done.items()
            if offset > self.floor.get(at, 0)
        }
        try:
            _consumer(self.settings, self.group).commit(offsets, timeout_ms=_TIMEOUT_MS)
        except KafkaError as error:
            _log.warning("offsets could not be committed", extra={"group": self.group, "error": str(error)})
            return
        metrics.COMMITS.inc()


@cache
def _consumer(settings: KafkaSettings, group: str) -> KafkaConsumer:
    """One connection a process; a bundle is one thread at a time, as all marks have one key."""
    return clients.consumer(settings, group_id=group)
