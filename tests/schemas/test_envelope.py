"""Records as messages: keys, headers, the way back."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.avro import encode_single_object, fingerprint, schema
from schemas.errors import SchemaError
from schemas.kafka.delivery import LARGEST
from schemas.kafka.envelope import (
    SingleObject,
    dead_letter_message,
    decode_message,
    event_message,
    position,
    raw_message,
    report_message,
)
from schemas.records import DeadLetter, Event, KafkaPosition, RawItem, Report, ReportRef

NOON = datetime(2020, 12, 20, 12, 0, tzinfo=UTC)
CODEC = SingleObject()
ITEM = RawItem(item_id="a" * 32, native_id="1", source_id="sample.outlet-a", source_type="rss", title="قصف", fetched_at=NOON)
REPORT = Report(
    item_id="a" * 32, native_id="1", source_id="sample.outlet-a", source_type="rss", first_seen=NOON, content_hash="c" * 16, item_revision=2, mode="replay"
)
OLD, NEW = (ReportRef(item_id=letter * 32, native_id=letter, source_id="sample.outlet-a", family="sample.outlet-a", first_seen=NOON) for letter in "ab")
EVENT = Event(
    event_id="e" * 32,
    revision=1,
    content_hash="0123456789abcdef",
    change="update",
    type="ied_attack",
    status="reported",
    reports=(OLD, NEW),
    first_seen=NOON,
    last_seen=NOON.replace(microsecond=5),
)
LETTER = DeadLetter(
    stage="decode",
    error_class="SchemaError",
    error_message="cut short",
    payload=b"\x00" * 50,
    payload_size=50,
    payload_sha256="d" * 64,
    first_failed_at=NOON,
    last_failed_at=NOON,
)


class Consumed(NamedTuple):
    """A message as the consumer returns it."""

    value: bytes | None
    topic: str = "osint.raw"
    partition: int = 3
    offset: int = 41
    timestamp: int = 1_608_465_600_123


def test_an_event_has_the_headers_of_cloudevents_and_of_trace_context() -> None:
    message = event_message("osint.events", EVENT, CODEC)
    assert message.topic == "osint.events"
    assert message.key == b"e" * 32
    assert message.value == encode_single_object(EVENT)
    headers = dict(message.headers)
    assert len(headers) == len(message.headers)
    traceparent = headers.pop("traceparent")
    assert headers == {
        "schema": fingerprint(schema(Event)).hex().encode(),
        "mode": b"live",
        "revision": b"1",
        "ce_specversion": b"1.0",
        "ce_id": b"e" * 32 + b"/0123456789abcdef",
        "ce_type": b"dijla.event.update",
        "ce_source": b"/dijla/pipeline",
        "ce_time": b"2020-12-20T12:00:00.000005Z",
        "content-type": b"application/avro",
    }
    assert re.fullmatch(rb"00-b{32}-[0-9a-f]{16}-01", traceparent)  # the trace of the newest report


def test_an_event_without_reports_has_a_trace_too() -> None:
    headers = dict(event_message("osint.events", replace(EVENT, reports=(), change="cancel"), CODEC).headers)
    assert headers["traceparent"].startswith(b"00-" + b"e" * 32)
    assert headers["ce_type"] == b"dijla.event.cancel"


def test_an_item_and_its_report_share_a_trace_and_a_key() -> None:
    raw, report = raw_message("osint.raw", ITEM, CODEC), report_message("osint.reports", REPORT, CODEC)
    assert raw.key == report.key == b"a" * 32
    traces = [dict(message.headers)["traceparent"].split(b"-")[1] for message in (raw, report)]
    assert traces == [b"a" * 32] * 2
    assert dict(raw.headers)["ce_source"] == b"/dijla/sources/sample.outlet-a"
    assert dict(report.headers)["ce_id"] == b"a" * 32 + b"/" + b"c" * 16
    assert dict(report.headers)["revision"] == b"2"
    assert dict(report.headers)["mode"] == b"replay"


def test_an_edit_of_an_item_is_another_cloudevent_and_a_repetition_is_the_same() -> None:
    first, edited = (dict(raw_message("osint.raw", item, CODEC).headers)["ce_id"] for item in (ITEM, replace(ITEM, title="قصف ثان")))
    assert first != edited
    assert raw_message("osint.raw", ITEM, CODEC) == raw_message("osint.raw", replace(ITEM), CODEC)


@given(source_id=st.text(), item_id=st.text(min_size=1))
def test_headers_are_uris_and_hex_whatever_the_ids_are(source_id: str, item_id: str) -> None:
    item = replace(ITEM, source_id=source_id, item_id=item_id, fetched_at=None)
    try:
        headers = dict(raw_message("osint.raw", item, CODEC).headers)
    except SchemaError:
        assert any("\ud800" <= letter <= "\udfff" for letter in source_id + item_id)
        return
    assert "ce_time" not in headers
    assert re.fullmatch(rb"/dijla/sources/[\w.~%-]*", headers["ce_source"])
    assert re.fullmatch(rb"00-[0-9a-f]{32}-[0-9a-f]{16}-01", headers["traceparent"])


def test_a_raw_item_comes_back_with_its_position() -> None:
    consumed = Consumed(raw_message("osint.raw", ITEM, CODEC).value)
    at = KafkaPosition(topic="osint.raw", partition=3, offset=41, appended_at=NOON.replace(microsecond=123_000))
    assert position(consumed) == at
    assert decode_message(consumed, RawItem, CODEC) == replace(ITEM, kafka=at)


@pytest.mark.parametrize("record", [REPORT, EVENT, LETTER])
def test_other_records_come_back_as_they_were(record: Report | Event | DeadLetter) -> None:
    consumed = Consumed(encode_single_object(record), topic="osint.events")
    assert decode_message(consumed, type(record), CODEC) == record


@pytest.mark.parametrize(("value", "what"), [(None, "no value"), (b"", "no single-object"), (b"\xc3\x01" + bytes(8), "unknown schema fingerprint")])
def test_what_is_no_record_says_where_it_stands(value: bytes | None, what: str) -> None:
    with pytest.raises(SchemaError, match=rf"osint\.raw, partition 3, offset 41: .*{what}"):
        decode_message(Consumed(value), RawItem, CODEC)


def test_a_dead_letter_says_stage_and_error_in_its_headers() -> None:
    message = dead_letter_message("osint.dead-letters", LETTER, CODEC)
    headers = dict(message.headers)
    assert message.key == b"d" * 64
    assert (headers["stage"], headers["error"], headers["ce_type"]) == (b"decode", b"SchemaError", b"dijla.dead_letter")
    assert decode_message(Consumed(message.value), DeadLetter, CODEC) == LETTER


@given(payload=st.integers(0, 3_000_000), words=st.integers(0, 600_000), limit=st.sampled_from([2_000, 100_000, LARGEST]))
def test_a_dead_letter_is_never_too_large(payload: int, words: int, limit: int) -> None:
    whole = b"p" * payload
    letter = replace(LETTER, payload=whole, payload_size=payload, error_message="خطأ " * words)
    message = dead_letter_message("osint.dead-letters", letter, CODEC, limit)
    assert message.size <= limit
    found = decode_message(Consumed(message.value), DeadLetter, CODEC)
    assert whole.startswith(found.payload)
    assert found.payload_truncated == (len(found.payload) < payload)
    assert letter.error_message.startswith(found.error_message)
    assert (found.payload_size, found.payload_sha256) == (payload, "d" * 64)
    if found.error_message != letter.error_message:
        assert found.payload == b""
    if found.payload_truncated and found.payload:
        assert message.size > limit - 20  # no more is cut than must be


def test_a_newer_schema_is_asked_for_once() -> None:
    newer = schema(RawItem) | {"fields": [*schema(RawItem)["fields"], {"name": "mood", "type": "string", "default": ""}]}
    newer = {key: value for key, value in newer.items() if not key.startswith("__")}
    mark, value = fingerprint(newer), encode_single_object(ITEM)
    asked: list[bytes] = []

    def lookup(wanted: bytes) -> dict[str, object] | None:
        asked.append(wanted)
        return newer if wanted == mark else None

    codec = SingleObject(lookup)
    written = value[:2] + mark + value[10:] + b"\x08glad"
    assert codec.decode(written, RawItem) == codec.decode(written, RawItem) == codec.decode(value, RawItem) == ITEM
    assert asked == [mark]
    with pytest.raises(SchemaError, match="unknown schema fingerprint"):
        codec.decode(value[:2] + bytes(8) + value[10:], RawItem)
