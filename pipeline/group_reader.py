"""A topic read as a member of a consumer group: from where the group was, and a little before."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping, Set
from typing import Any, NamedTuple

from kafka import KafkaConsumer, TopicPartition
from kafka.errors import CommitFailedError, KafkaTimeoutError, RebalanceInProgressError
from kafka.structs import MemberState, OffsetAndMetadata

from pipeline.topic_positions import Start, committed, offsets_at, partitions

POLL_MS = 200
_log = logging.getLogger(__name__)
_COMMIT_MS = 10_000
_COMMIT_SECONDS = 1.0
_LATER = (CommitFailedError, RebalanceInProgressError, KafkaTimeoutError)
"""The partitions are on their way to another member, or no broker answers: what is done comes again, or is written down later."""


class Read(NamedTuple):
    """A record, and whether it stands behind the group's place; those before it were dealt with in an earlier run."""

    record: Any
    fresh: bool


class GroupReader:
    """Reads the partitions that the group gives this member; offsets are committed only where the caller says so.

    `start` is where each partition begins when this member first gets it. The `look_back` records before that place are read
    too. What was deleted before it was read is counted in `missed` and logged. `joined`: the group has taken this member in.
    """

    def __init__(self, consumer: KafkaConsumer, topic: str, *, start: Start, look_back: int) -> None:
        self.missed, self.joined = 0, False
        self._consumer, self._start, self._look_back = consumer, start, look_back
        self._all = partitions(consumer, topic)
        self._begun: set[TopicPartition] = set()
        self._places: dict[TopicPartition, int] = {}
        self._done: dict[TopicPartition, int] = {}
        self._committed_at = time.monotonic()
        consumer.subscribe([topic])

    def poll(self) -> list[Read]:
        """What has come, in the order of each partition; waits 0.2 s at most. The group may change within: commit before."""
        found = self._consumer.poll(timeout_ms=POLL_MS)
        self.joined = self.joined or self._consumer.group_metadata().state == MemberState.STABLE
        given = self._consumer.assignment()
        added = given - self._places.keys()
        if given != self._places.keys():
            self._reassigned(given, added)
        return [Read(record, record.offset >= self._places[at]) for at, records in found.items() if at in given - added for record in records]

    def done(self, record: Any) -> None:
        """This record, and all before it on its partition, need not come again; written down within a second, if a next one is done."""
        self._done[TopicPartition(record.topic, record.partition)] = record.offset + 1
        if time.monotonic() - self._committed_at > _COMMIT_SECONDS:
            self.commit()

    def commit(self) -> None:
        """Write down what is done."""
        ahead = {at: offset for at, offset in self._done.items() if offset > self._places.get(at, offset)}
        if not ahead or self._written(ahead):
            self._done.clear()
        self._committed_at = time.monotonic()

    def _written(self, places: Mapping[TopicPartition, int]) -> bool:
        try:
            self._consumer.commit({at: OffsetAndMetadata(offset) for at, offset in places.items()}, timeout_ms=_COMMIT_MS)
        except _LATER:
            return False
        self._places |= places
        return True

    def _reassigned(self, given: Set[TopicPartition], added: Set[TopicPartition]) -> None:
        self._places = {at: offset for at, offset in self._places.items() if at in given}
        self._done = {at: offset for at, offset in self._done.items() if at in given}
        if added:
            self._begin(added)
        if len(given) < len(self._all):
            _log.warning("the group has other members, which read the other partitions", extra={"read here": len(given), "of": len(self._all)})

    def _begin(self, added: Set[TopicPartition]) -> None:
        earliest, ends = offsets_at(self._consumer, added, "earliest"), offsets_at(self._consumer, added, "latest")
        places = dict(earliest)
        for at, place in committed(self._consumer, added).items():
            places[at] = self._checked(at, place, earliest[at], ends[at])
        if self._start != "group":
            places |= offsets_at(self._consumer, added - self._begun, self._start)
        # Written down at once: a member that comes next begins here too, whatever is read until then.
        if self._written(places):
            self._begun |= added
            for at, place in places.items():
                self._consumer.seek(at, max(earliest[at], place - self._look_back))

    def _checked(self, at: TopicPartition, place: int, earliest: int, end: int) -> int:
        """The group's place, or the beginning where the topic no longer has it."""
        if earliest <= place <= end:
            return place
        which = {"topic": at.topic, "partition": at.partition, "place": place}
        if place < earliest:
            self.missed += earliest - place
            _log.warning("records were deleted before the group had read them", extra=which | {"first left": earliest, "missed": earliest - place})
        else:
            _log.warning("the partition ends before the group's place: it was made again, and is read from its beginning", extra=which | {"end": end})
        return earliest
