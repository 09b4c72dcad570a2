"""Where to begin on the partitions of a topic."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import UTC, datetime
from typing import Literal

from kafka import KafkaConsumer, TopicPartition

from schemas.errors import DijlaError, UsageError
from schemas.kafka.failures import KafkaFailure
from schemas.kafka.topics import missing

Start = Literal["group", "earliest", "latest"] | datetime
"""Where the consumer group was (at the earliest record where it never was), an end of the topic, or the first record of that time or later."""


_POLL_MS = 200


class MissingTopicError(DijlaError):
    """The topic does not exist."""


class TopicRecreated(KafkaFailure):
    """The topic is another one than before, or shorter: offsets no longer mean what they did."""


def parse_start(text: str) -> Start:
    """`group`, `earliest`, `latest` or a time as in parse_time. Raises UsageError."""
    match text:
        case "group" | "earliest" | "latest":
            return text
    try:
        return parse_time(text)
    except UsageError as error:
        raise UsageError(f"{error}; or group, earliest, latest") from error


def parse_time(text: str) -> datetime:
    """A time in ISO 8601, in UTC where it names no zone. Raises UsageError."""
    try:
        time = datetime.fromisoformat(text)
    except ValueError as error:
        raise UsageError(f"{text!r} is no time: give it as 2026-11-22T18:30:00Z") from error
    return time if time.tzinfo else time.replace(tzinfo=UTC)


def partitions(consumer: KafkaConsumer, topic: str) -> set[TopicPartition]:
    """Every partition of the topic. Raises MissingTopicError."""
    numbers = consumer.partitions_for_topic(topic)
    if not numbers:
        raise MissingTopicError(missing(topic, consumer.config["bootstrap_servers"]))
    return {TopicPartition(topic, number) for number in numbers}


def committed(consumer: KafkaConsumer, wanted: Collection[TopicPartition]) -> dict[TopicPartition, int]:
    """The offsets that the consumer's group has committed; a partition where it never did is left out."""
    found = {partition: consumer.committed(partition) for partition in wanted}
    return {partition: offset for partition, offset in found.items() if offset is not None}


def first_time(consumer: KafkaConsumer, at: TopicPartition, offset: int) -> datetime | None:
    """When the first record at or behind this offset was appended, None where there is none; the consumer is assigned to its partition."""
    end = consumer.end_offsets([at])[at]
    consumer.assign([at])
    consumer.seek(at, offset)
    while consumer.position(at) < end:
        for records in consumer.poll(timeout_ms=_POLL_MS, max_records=1).values():
            return datetime.fromtimestamp(records[0].timestamp / 1000, UTC)
    return None


def offsets_at(consumer: KafkaConsumer, wanted: Collection[TopicPartition], start: Literal["earliest", "latest"] | datetime) -> Mapping[TopicPartition, int]:
    """The first offsets to read from `start` on."""
    if start == "earliest":
        return dict(consumer.beginning_offsets(wanted))
    ends = dict(consumer.end_offsets(wanted))
    if start == "latest":
        return ends
    found = consumer.offsets_for_times(dict.fromkeys(wanted, int(start.timestamp() * 1000)))
    return {partition: found[partition].offset if found[partition] else end for partition, end in ends.items()}
