"""What a topic already holds: the ids of its records from a time on."""

from __future__ import annotations

from datetime import datetime

from kafka import KafkaConsumer, TopicPartition

from pipeline.topic_positions import offsets_at, partitions
from schemas.kafka import clients
from schemas.kafka.delivery import Message
from schemas.kafka.settings import KafkaSettings

CE_ID, REVISION = "ce_id", "revision"
_POLL_MS = 200


class Emitted:
    """What was appended since a time: the ids, and the last revision of each key. `since` None: nothing was there before this run.

    Of a topic that keeps the `latest` of each key only, the ids of earlier ones are gone: it holds whatever is older than what it has.
    """

    def __init__(self, settings: KafkaSettings, topic: str, since: datetime | None, *, latest: bool = False) -> None:
        self._ids: set[bytes] = set()
        self._revisions: dict[bytes, int] = {}
        self._settings, self._topic, self._latest = settings, topic, latest
        with clients.consumer(settings) as consumer:
            wanted = partitions(consumer, topic)
            self._next = dict(offsets_at(consumer, wanted, since or "latest"))
            self._read(consumer)

    def holds(self, message: Message) -> bool:
        """Whether the topic has this message: its id, and no older revision of its key, as content may come back in a later one."""
        headers = dict(message.headers)
        revision, known = int(headers.get(REVISION, b"0")), self._revisions.get(message.key or b"", 0)
        return revision < known if self._latest and revision != known else headers[CE_ID] in self._ids and revision <= known

    def refresh(self) -> None:
        """Read what has come since. Raises KafkaFailure."""
        with clients.consumer(self._settings) as consumer:
            self._read(consumer)

    def _read(self, consumer: KafkaConsumer) -> None:
        """Up to the end that the topic has now. Control records of transactions take offsets, so positions say where we are."""
        ends = consumer.end_offsets(list(self._next))
        behind = {at for at, end in ends.items() if self._next[at] < end}
        consumer.assign(sorted(behind))
        for at in behind:
            consumer.seek(at, self._next[at])
        while behind:
            for records in consumer.poll(timeout_ms=_POLL_MS).values():
                for record in records:
                    self._take(record.key or b"", dict(record.headers))
            behind = {at for at in behind if self._advance(consumer, at) < ends[at]}

    def _advance(self, consumer: KafkaConsumer, at: TopicPartition) -> int:
        position: int = consumer.position(at)
        self._next[at] = position
        return position

    def _take(self, key: bytes, headers: dict[str, bytes]) -> None:
        if CE_ID in headers:
            self._ids.add(headers[CE_ID])
        if REVISION in headers:
            self._revisions[key] = max(int(headers[REVISION]), self._revisions.get(key, 0))
