"""Our schemas on a compacted topic, so that any consumer decodes without a registry: key = fingerprint in hex, value = definition in JSON."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from typing import Any

from kafka import KafkaConsumer, TopicPartition
from kafka.errors import KafkaTimeoutError

from schemas.avro import RECORDS, Schema, definition, fingerprint, parse, released
from schemas.definitions import load
from schemas.errors import DataFileError, SchemaError
from schemas.kafka.clients import consumer, explained
from schemas.kafka.delivery import Delivery, Message
from schemas.kafka.failures import KafkaFailure
from schemas.kafka.settings import KafkaSettings
from schemas.kafka.topics import missing

_POLL_MS = 500
_PATIENCE_MS = 5_000
_log = logging.getLogger(__name__)


def publish(delivery: Delivery, topic: str) -> None:
    """Write every schema of this version, current and released, and return when all are acknowledged: at start, before the first record.

    Raises what Delivery raises.
    """
    ours = [*map(definition, RECORDS.values()), *(old for versions in released().values() for old in versions)]
    for mark, schema in {fingerprint(schema): schema for schema in ours}.items():
        delivery.send(Message(topic, mark.hex().encode(), json.dumps(schema).encode()))
    delivery.flush()


def read(settings: KafkaSettings, topic: str) -> dict[bytes, Schema]:
    """Every schema on the topic, by fingerprint. Raises KafkaFailure."""
    with explained(settings), closing(consumer(settings)) as client:
        partitions = [TopicPartition(topic, number) for number in client.partitions_for_topic(topic)]
        if not partitions:
            raise KafkaFailure(missing(topic, settings.bootstrap_servers))
        client.assign(partitions)
        client.seek_to_beginning()
        schemas = (_schema(record) for record in _until_end(client, partitions))
        return {fingerprint(schema): schema for schema in schemas if schema}


class SchemaTopic:
    """The schemas on the topic, by fingerprint: read again whenever one is unknown."""

    def __init__(self, settings: KafkaSettings, topic: str) -> None:
        self._settings, self._topic = settings, topic
        self._schemas: dict[bytes, Schema] = {}

    def find(self, mark: bytes) -> Schema | None:
        """The schema whose fingerprint is `mark`; None where nobody has published it so far. Raises KafkaFailure."""
        if mark not in self._schemas:
            self._schemas |= read(self._settings, self._topic)
        return self._schemas.get(mark)


def _until_end(client: KafkaConsumer, partitions: Sequence[TopicPartition]) -> Iterator[Any]:
    ends = client.end_offsets(partitions, timeout_ms=_PATIENCE_MS)
    deadline = time.monotonic() + _PATIENCE_MS / 1000
    while any(client.position(at, timeout_ms=_PATIENCE_MS) < end for at, end in ends.items()):
        if time.monotonic() > deadline:
            raise KafkaTimeoutError(f"{partitions[0].topic} was not read to its end within {_PATIENCE_MS} ms")
        for records in client.poll(timeout_ms=_POLL_MS).values():
            yield from records


def _schema(record: Any) -> Schema | None:
    """Whatever its key says: the fingerprint is computed from the schema itself."""
    try:
        return parse(load((record.value or b"").decode("utf-8"), where=f"{record.topic}, offset {record.offset}"))
    except (UnicodeDecodeError, DataFileError, SchemaError) as error:
        _log.warning("no schema on the schemas topic", extra={"error": str(error)})
        return None
