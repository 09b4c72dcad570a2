"""Records as messages and back: key, headers, and the bytes as a codec makes them.

Headers: those of the CloudEvents Kafka binding in binary mode (`ce_id` ... `content-type`), `traceparent` (W3C Trace Context), and
`schema`, the fingerprint of the schema in hex. All are functions of the record: what is sent twice is equal.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Protocol
from urllib.parse import quote

from schemas.avro import RECORDS, Record, RecordT, Schema, decode_single_object, encode_single_object, fingerprint, parse, schema
from schemas.errors import SchemaError
from schemas.kafka.delivery import LARGEST, Message
from schemas.records import DeadLetter, Event, KafkaPosition, RawItem, Report
from schemas.wire import SINGLE_OBJECT, known_writers

_FINGERPRINTS = {cls: fingerprint(schema(cls)).hex().encode() for cls in RECORDS.values()}
_TRACE_ID = re.compile("[0-9a-f]{32}")


class Codec(Protocol):
    """How a record becomes the value of a message."""

    def encode(self, record: Record, topic: str) -> bytes:
        """The value to write to `topic`. Raises SchemaError."""

    def decode(self, value: bytes, cls: type[RecordT]) -> RecordT:
        """The record of a value. Raises SchemaError where the value is at fault, KafkaFailure or RegistryError where its schema cannot be had now."""


class SingleObject:
    """Single-object encoding. `lookup` gives the schema of a fingerprint that this version does not know, or None; it is asked once for each it knows."""

    def __init__(self, lookup: Callable[[bytes], Schema | None] | None = None) -> None:
        self._lookup = lookup
        self._writers = dict(known_writers())

    def encode(self, record: Record, topic: str) -> bytes:
        """C3 01, fingerprint, body; the same on every topic."""
        return encode_single_object(record)

    def decode(self, value: bytes, cls: type[RecordT]) -> RecordT:
        """The record, also of a newer version's schema where `lookup` knows it."""
        mark = value[2:10]
        if self._lookup and value[:2] == SINGLE_OBJECT and mark not in self._writers and (found := self._lookup(mark)):
            self._writers[mark] = parse(found)
        return decode_single_object(value, cls, self._writers)


class Consumed(Protocol):
    """What kafka-python's consumer returns; `timestamp` is in milliseconds."""

    @property
    def topic(self) -> str: ...
    @property
    def partition(self) -> int: ...
    @property
    def offset(self) -> int: ...
    @property
    def timestamp(self) -> int: ...
    @property
    def value(self) -> bytes | None: ...


def position(consumed: Consumed) -> KafkaPosition:
    """Where it stands."""
    appended_at = datetime.fromtimestamp(consumed.timestamp / 1000, UTC)
    return KafkaPosition(topic=consumed.topic, partition=consumed.partition, offset=consumed.offset, appended_at=appended_at)


def decode_message(consumed: Consumed, cls: type[RecordT], codec: Codec) -> RecordT:
    """The record of a message; a RawItem with its position. Raises SchemaError naming topic, partition and offset, and what the codec raises besides."""
    where = f"{consumed.topic}, partition {consumed.partition}, offset {consumed.offset}"
    if consumed.value is None:
        raise SchemaError(f"{where}: no {cls.__name__}: the message has no value")
    try:
        record = codec.decode(consumed.value, cls)
    except SchemaError as error:
        raise SchemaError(f"{where}: {error}") from error
    return replace(record, kafka=position(consumed)) if isinstance(record, RawItem) else record


def raw_message(topic: str, item: RawItem, codec: Codec) -> Message:
    """Key item_id; `ce_id` = item_id/hash of the value, as an item that is fetched again may say something else."""
    value = codec.encode(item, topic)
    source = f"/dijla/sources/{quote(item.source_id, safe='')}"
    headers = _headers(item, "raw_item", f"{item.item_id}/{_hash(value)[:16]}", source, item.fetched_at, item.item_id)
    return Message(topic, item.item_id.encode(), value, (*headers, ("mode", item.mode.encode())))


def report_message(topic: str, report: Report, codec: Codec) -> Message:
    """Key item_id; `ce_id` = item_id/content_hash."""
    value = codec.encode(report, topic)
    headers = _headers(report, "report", f"{report.item_id}/{report.content_hash}", "/dijla/pipeline", report.first_seen, report.item_id)
    own = (("mode", report.mode.encode()), ("revision", b"%d" % report.item_revision))
    return Message(topic, report.item_id.encode(), value, (*headers, *own))


def event_message(topic: str, event: Event, codec: Codec) -> Message:
    """Key event_id; `ce_id` = event_id/content_hash, the idempotency key. The trace is that of the newest report."""
    value = codec.encode(event, topic)
    newest = event.reports[-1].item_id if event.reports else event.event_id
    headers = _headers(event, f"event.{event.change}", f"{event.event_id}/{event.content_hash}", "/dijla/pipeline", event.last_seen, newest)
    own = (("mode", event.mode.encode()), ("revision", b"%d" % event.revision))
    return Message(topic, event.event_id.encode(), value, (*headers, *own))


def dead_letter_message(topic: str, letter: DeadLetter, codec: Codec, limit: int = LARGEST) -> Message:
    """Key payload_sha256; `ce_id` = that/hash of where and in which stage it failed.

    What is over `limit` bytes keeps the beginning of its payload and, if need be, of its error message: it is never too large.
    """
    message = _dead_letter_message(topic, letter, codec)
    while (excess := message.size - limit) > 0 and (letter.payload or letter.error_message):
        letter = _shortened(letter, excess)
        message = _dead_letter_message(topic, letter, codec)
    return message


def _dead_letter_message(topic: str, letter: DeadLetter, codec: Codec) -> Message:
    """Its id says what failed where, and not when: the same item that fails again after a restart is the same letter."""
    subject = letter.payload_sha256 or _hash(letter.payload)
    place = (letter.stage, letter.topic, letter.partition, letter.offset, letter.file, letter.position, letter.attempts)
    ce_id = f"{subject}/{_hash(repr(place).encode())[:16]}"
    headers = _headers(letter, "dead_letter", ce_id, "/dijla/pipeline", letter.last_failed_at, subject)
    own = (("stage", letter.stage.encode()), ("error", letter.error_class.encode()))
    return Message(topic, subject.encode(), codec.encode(letter, topic), (*headers, *own))


def _shortened(letter: DeadLetter, excess: int) -> DeadLetter:
    if letter.payload:
        return replace(letter, payload=letter.payload[: max(0, len(letter.payload) - excess)], payload_truncated=True)
    text = letter.error_message.encode()
    return replace(letter, error_message=text[: max(0, len(text) - excess)].decode(errors="ignore"))


def _headers(record: Record, kind: str, ce_id: str, source: str, at: datetime | None, subject: str) -> tuple[tuple[str, bytes], ...]:
    """`subject` gives the trace id: itself where it is one, as an item_id is."""
    trace_id = subject if _TRACE_ID.fullmatch(subject) else _hash(subject.encode())[:32]
    headers = {
        "schema": _FINGERPRINTS[type(record)],
        "traceparent": f"00-{trace_id}-{_hash(ce_id.encode())[:16]}-01".encode(),
        "ce_specversion": b"1.0",
        "ce_id": ce_id.encode(),
        "ce_type": f"dijla.{kind}".encode(),
        "ce_source": source.encode(),
        "content-type": b"application/avro",
    }
    if at:
        headers["ce_time"] = at.astimezone(UTC).isoformat().replace("+00:00", "Z").encode()
    return tuple(headers.items())


def _hash(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
