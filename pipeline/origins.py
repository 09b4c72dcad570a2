"""Single records of a topic, by their place."""

from __future__ import annotations

import time

from kafka import TopicPartition

from pipeline.topic_positions import offsets_at, partitions
from schemas.kafka.clients import consumer
from schemas.kafka.delivery import Message
from schemas.kafka.failures import KafkaFailure
from schemas.kafka.settings import KafkaSettings

_PATIENCE_SECONDS = 10.0
_POLL_MS = 200
_FETCH_BYTES = 65_536


class Origins:
    """Looks up what stands on a topic; for one thread. Raises KafkaFailure, MissingTopicError, kafka-python's errors."""

    def __init__(self, settings: KafkaSettings, topic: str) -> None:
        # One record is wanted at a time; a larger one comes whole too.
        self._consumer = consumer(settings, auto_offset_reset="none", max_partition_fetch_bytes=_FETCH_BYTES, max_poll_records=1)
        self._topic = topic
        self._first: dict[TopicPartition, int] = {}
        self._end: dict[TopicPartition, int] = {}

    def look(self) -> None:
        """See how far the topic reaches; what comes later is not looked up."""
        parts = partitions(self._consumer, self._topic)
        self._first, self._end = dict(offsets_at(self._consumer, parts, "earliest")), dict(offsets_at(self._consumer, parts, "latest"))

    def fetch(self, partition: int, offset: int) -> Message | None:
        """The message at this place, None where it is gone."""
        at = TopicPartition(self._topic, partition)
        if not self._first.get(at, 0) <= offset < self._end.get(at, 0):
            return None
        if self._consumer.assignment() != {at}:
            self._consumer.assign([at])
        self._consumer.seek(at, offset)
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while self._consumer.position(at) <= offset:
            if time.monotonic() > deadline:
                raise KafkaFailure(f"{self._topic} partition {partition} does not answer: run it again when all brokers are up")
            for record in self._consumer.poll(timeout_ms=_POLL_MS).get(at, ()):
                return Message(self._topic, record.key, record.value, tuple(record.headers)) if record.offset == offset else None
        return None

    def close(self) -> None:
        """Disconnect."""
        self._consumer.close()
