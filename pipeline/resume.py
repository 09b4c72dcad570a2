"""Where a run begins: what it reads, and what of that is done already."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from kafka import KafkaConsumer, TopicPartition

from pipeline import metrics
from pipeline.topic_positions import Start, TopicRecreated, committed, first_time, offsets_at, partitions
from schemas.kafka import clients
from schemas.kafka.settings import KafkaSettings
from schemas.records import DeadLetter, Report

_log = logging.getLogger(__name__)
_EVER = datetime.fromtimestamp(0, UTC)
_SKEW = timedelta(minutes=1)
"""By how much the clocks of brokers, and ours, may differ."""


@dataclass(frozen=True, slots=True)
class Resume:
    """Offsets of the raw topic by partition: `read` from here, what is before `done` is in the sinks already.

    `rebuilt_from` and `done_at` are the broker's times of the two; what the sinks hold from then on may come again. None: nothing may.
    """

    read: Mapping[int, int] = field(default_factory=dict)
    done: Mapping[int, int] = field(default_factory=dict)
    rebuilt_from: datetime | None = None
    done_at: datetime | None = None

    def is_done(self, record: Report | DeadLetter) -> bool:
        """Whether the record's item was done before; it is read again for the state only."""
        if isinstance(record, Report):
            return record.kafka is not None and record.kafka.offset < self.done.get(record.kafka.partition, 0)
        return record.partition is not None and record.offset is not None and record.offset < self.done.get(record.partition, 0)


def resume(consumer: KafkaConsumer, topic: str, start: Start, rewind: timedelta, now: datetime) -> Resume:
    """Where a run without a durable checkpoint begins, for the consumer's group.

    The state is rebuilt from `rewind` before the place that `start` names; from the beginning where that is what it names. A
    partition for which the group has committed nothing is new to it: none of its records is done.
    Raises MissingTopicError, and TopicRecreated where the group has done more than there is.
    """
    wanted = partitions(consumer, topic)
    begins = offsets_at(consumer, wanted, "earliest")
    if start == "earliest":
        return Resume(read=_plain(begins), rebuilt_from=_EVER)
    if start == "group":
        ends = offsets_at(consumer, wanted, "latest")
        done = {**begins, **{at: _still_there(at, offset, begins[at], ends[at]) for at, offset in committed(consumer, wanted).items()}}
        undone = [time for at, offset in done.items() if (time := first_time(consumer, at, offset))]
        done_at = min(undone, default=now) - _SKEW
    else:
        done = dict(offsets_at(consumer, wanted, start))
        done_at = start if isinstance(start, datetime) else now
    rebuilt_from = max(done_at - rewind, _EVER)
    back = offsets_at(consumer, wanted, rebuilt_from)
    read = {at: min(back[at], done.get(at, begins[at])) for at in wanted}
    return Resume(read=_plain(read), done=_plain(done), rebuilt_from=rebuilt_from, done_at=done_at)


@dataclass(frozen=True, slots=True)
class Resumed:
    """Where a worker stands that Flink has started anew, at any time of a run: a checkpoint gives back what came before, not all of it undone."""

    settings: KafkaSettings
    topic: str
    group: str
    rewind: timedelta

    def now(self) -> Resume:
        """What is done and may come again. Raises KafkaFailure."""
        with clients.consumer(self.settings, group_id=self.group) as consumer:
            return resume(consumer, self.topic, "group", self.rewind, datetime.now(UTC))


def _plain(offsets: Mapping[TopicPartition, int]) -> dict[int, int]:
    return {at.partition: offset for at, offset in sorted(offsets.items())}


def _still_there(at: TopicPartition, done: int, begin: int, end: int) -> int:
    """Where to go on; records that retention removed before they were read are counted and said."""
    if done > end:
        raise TopicRecreated(
            f"{at.topic}, partition {at.partition}, ends at offset {end}, but the group has done {done}: it was made again, or lost records: "
            "check what it holds, then start again with --from earliest, or --from a time"
        )
    if done < begin:
        metrics.LOST.labels(at.partition).inc(begin - done)
        _log.error("retention removed records that were not read", extra={"topic": at.topic, "partition": at.partition, "from": done, "to": begin})
    return max(done, begin)
