"""Where a run begins: what it reads, and what of that is done already."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from kafka import KafkaConsumer, TopicPartition

from pipeline import metrics
from pipeline.topic_positions import Start, TopicRecreated, offsets_at, partitions
from schemas.records import DeadLetter, Report

_log = logging.getLogger(__name__)
_EVER = datetime.fromtimestamp(0, UTC)


@dataclass(frozen=True, slots=True)
class Resume:
    """Offsets of the raw topic by partition: `read` from here, what is before `done` is in the sinks already.

    `rebuilt_from` and `done_at` are the broker's times of the two; what the sinks hold from then on may come again.
    The epoch: nobody knows, everything there may. None: nothing may.
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


def resume(consumer: KafkaConsumer, topic: str, start: Start, rewind: timedelta) -> Resume:
    """Where a run without a durable checkpoint begins, for the consumer's group.

    The state is rebuilt from `rewind` before the place that `start` names; from the beginning where that is what it names.
    Raises MissingTopicError, and TopicRecreated where the group has done more than there is.
    """
    wanted = partitions(consumer, topic)
    begins = offsets_at(consumer, wanted, "earliest")
    if start == "group":
        committed = {at: consumer.committed(at, metadata=True) for at in wanted}
        ends = offsets_at(consumer, wanted, "latest")
        done = {at: _still_there(at, found.offset, begins[at], ends[at]) for at, found in committed.items() if found is not None}
        if not done:
            return Resume(read=_plain(begins), rebuilt_from=_EVER, done_at=_EVER)
        done_at = min(_time(found.metadata) for found in committed.values() if found is not None)
        # A partition without news has no offset of its own, but what it held by then is done, as the watermark is that of all.
        done |= offsets_at(consumer, wanted - done.keys(), done_at) if wanted - done.keys() else {}
    elif start == "earliest":
        return Resume(read=_plain(begins), rebuilt_from=_EVER)
    else:
        done = dict(offsets_at(consumer, wanted, start))
        done_at = start if isinstance(start, datetime) else datetime.now(UTC)
    rebuilt_from = max(done_at - rewind, _EVER)
    back = offsets_at(consumer, wanted, rebuilt_from)
    read = {at: min(back[at], done.get(at, begins[at])) for at in wanted}
    return Resume(read=_plain(read), done=_plain(done), rebuilt_from=rebuilt_from, done_at=done_at)


def _plain(offsets: Mapping[TopicPartition, int]) -> dict[int, int]:
    return {at.partition: offset for at, offset in sorted(offsets.items())}


def _time(metadata: str) -> datetime:
    """The broker's time of the last record that is done, as the run put it beside the offset; the epoch where another tool set the offset."""
    try:
        return datetime.fromtimestamp(float(metadata), UTC)
    except ValueError:
        return _EVER


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
