"""Round trips through every wire format, and plain fastavro as the other side."""

from __future__ import annotations

import copy
import dataclasses
import io
import json
import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import fastavro
import pytest
from hypothesis import given
from record_strategies import any_record

from schemas.avro import (
    Record,
    decode,
    decode_confluent,
    decode_single_object,
    definition,
    encode,
    encode_confluent,
    encode_single_object,
    fingerprint,
    from_json,
    parse,
    read_container,
    schema,
    to_json,
    write_container,
)
from schemas.errors import SchemaError
from schemas.records import Event, HttpFacts, Place, RawItem, Report, TaggedEvent

NIGHT = datetime(2020, 12, 20, 17, 30, 5, 250000, tzinfo=UTC)
ITEM = RawItem(
    item_id="a1",
    native_id="post-1",
    source_id="sample.outlet-a",
    source_type="rss",
    body="Sirens. صافرات",
    fetched_at=NIGHT,
    original=b"\x00\xff",
)
REPORT = Report(item_id="a1", native_id="post-1", source_id="sample.outlet-a", source_type="rss", text="Sirens over the river.", first_seen=NIGHT)
EVENT = Event(
    event_id="e1",
    revision=0,
    content_hash="c1",
    change="new",
    type="rocket_mortar_attack",
    status="reported",
    first_seen=NIGHT,
    last_seen=NIGHT,
)


def through_container(record: Record) -> Record:
    file = io.BytesIO()
    write_container(file, [record, record], type(record))
    first, second = read_container(io.BytesIO(file.getvalue()), type(record))
    assert first == second
    return first


WIRES: dict[str, Callable[[Record], Record]] = {
    "plain": lambda record: decode(type(record), encode(record)),
    "single object": lambda record: decode_single_object(encode_single_object(record), type(record)),
    "confluent": lambda record: decode_confluent(encode_confluent(record, 7), type(record), {7: schema(type(record))}.__getitem__),
    "container": through_container,
    "json": lambda record: from_json(type(record), json.loads(json.dumps(to_json(record)))),
    "read by fastavro's resolution": lambda record: decode_single_object(
        encode_single_object(record), type(record), {fingerprint(schema(type(record))): parse(definition(type(record)))}
    ),
}


@pytest.mark.parametrize("wire", WIRES.values(), ids=WIRES.keys())
@given(record=any_record)
def test_round_trip(wire: Callable[[Record], Record], record: Record) -> None:
    assert wire(record) == record


@given(record=any_record)
def test_plain_fastavro_reads_and_writes_the_same_bytes(record: Record) -> None:
    data = encode(record)
    found = fastavro.schemaless_reader(io.BytesIO(data), schema(type(record)), None)
    assert found == as_lists(dataclasses.asdict(record))
    again = io.BytesIO()
    fastavro.schemaless_writer(again, schema(type(record)), found)
    assert again.getvalue() == data


def as_lists(value: Any) -> Any:
    if isinstance(value, list | tuple):
        return [as_lists(one) for one in value]
    return {key: as_lists(one) for key, one in value.items()} if isinstance(value, dict) else value


def test_single_object_layout_byte_for_byte() -> None:
    data = encode_single_object(ITEM)
    canonical = fastavro.schema.to_parsing_canonical_form(definition(RawItem))
    assert data[:2] == b"\xc3\x01"
    assert data[2:10].hex() == fastavro.schema.fingerprint(canonical, "CRC-64-AVRO")
    assert data[10:] == encode(ITEM)


def test_confluent_layout_byte_for_byte() -> None:
    assert encode_confluent(ITEM, 0x01020304) == b"\x00\x01\x02\x03\x04" + encode(ITEM)


def test_body_layout_byte_for_byte() -> None:
    assert encode(ITEM)[:4] == b"\x04a1\x0c"
    assert encode(ITEM).endswith(b"\x04\x00\xff" + b"\x00\x00\x00" + b"\x08live")


def older(cls: type, *, without: str) -> dict[str, Any]:
    """An earlier version of a schema that did not have a field yet."""
    found = copy.deepcopy(definition(cls))
    found["fields"] = [field for field in found["fields"] if field["name"] != without]
    return parse(found)


def newer(cls: type) -> dict[str, Any]:
    """A later version of a schema with one field more."""
    found = copy.deepcopy(definition(cls))
    found["fields"].insert(3, {"name": "mood", "type": "string", "default": "calm"})
    return parse(found)


def written(writer: dict[str, Any], record: Record, **more: Any) -> bytes:
    file = io.BytesIO()
    fastavro.schemaless_writer(file, writer, as_lists(dataclasses.asdict(record)) | more)
    return file.getvalue()


@pytest.mark.parametrize(("writer", "more"), [(older(Event, without="headline"), {}), (newer(Event), {"mood": "tense"})], ids=["older", "newer"])
def test_bytes_of_another_version_resolve(writer: dict[str, Any], more: dict[str, str]) -> None:
    body = written(writer, EVENT, **more)
    mark = fingerprint(writer)
    assert decode_single_object(b"\xc3\x01" + mark + body, Event, {mark: writer}) == EVENT
    assert decode_confluent(b"\x00\x00\x00\x00\x09" + body, Event, {9: writer}.__getitem__) == EVENT


def test_an_old_reader_survives_a_new_type_and_status() -> None:
    event = dataclasses.replace(EVENT, type="submarine_attack", labels=("submarine_attack",), status="dreamt")
    old = older(Event, without="headline")
    found: Any = fastavro.schemaless_reader(io.BytesIO(encode(event)), schema(Event), old)
    assert (found["type"], found["status"]) == ("submarine_attack", "dreamt")


def test_json_values() -> None:
    found = to_json(ITEM)
    assert (found["fetched_at"], found["original"], found["http"], found["repairs"]) == ("2020-12-20T17:30:05.250000Z", "AP8=", None, [])
    assert list(found) == [field["name"] for field in definition(RawItem)["fields"]]


def test_json_takes_defaults_other_zones_and_unknown_fields() -> None:
    given_values = {
        "item_id": "a",
        "native_id": "n",
        "source_id": "s",
        "source_type": "t",
        "first_seen": "2020-12-20T20:30:05.25+03:00",
        "of_tomorrow": 1,
    }
    assert from_json(Report, given_values) == Report(item_id="a", native_id="n", source_id="s", source_type="t", first_seen=NIGHT)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"first_seen": None}, r"Report\.first_seen does not fit the schema: Expected `datetime`, got `null`"),
        ({"first_seen": "2020-12-20T20:30:05"}, r"Report\.first_seen.*with a timezone"),
        ({"text": 5}, r"Report\.text does not fit the schema: Expected `str`, got `int`"),
        ({"text": "\ud800"}, r"Report\.text: .*surrogates"),
        ({"item_revision": True}, r"Report\.item_revision does .*Expected `int`, got `bool`"),
        ({"item_revision": 2**31}, r"Report\.item_revision does .*Expected `int` <= 2147483647"),
        ({"events": [{"type": "drill"}]}, r"Report\.events\[0\] does not fit the schema: Object missing required field `status`"),
        ({"events": {}}, r"Report\.events does not fit the schema: Expected `array`, got `object`"),
        ({"events": [5]}, r"Report\.events\[0\] does not fit the schema: Expected `object`, got `int`"),
    ],
)
def test_json_that_does_not_fit_names_the_field(change: dict[str, Any], message: str) -> None:
    with pytest.raises(SchemaError, match=message):
        from_json(Report, to_json(REPORT) | change)


def test_json_bytes_that_are_no_base64() -> None:
    with pytest.raises(SchemaError, match=r"RawItem\.original does not fit the schema: Invalid base64"):
        from_json(RawItem, to_json(ITEM) | {"original": "A"})


WRONG: list[tuple[Record, str]] = [
    (dataclasses.replace(ITEM, body="\ud800"), r"RawItem\.body: '.ud800' does not fit the schema: .*surrogates"),
    (dataclasses.replace(ITEM, http=HttpFacts(headers={"h": "\udfff"})), r"RawItem\.http: '.udfff' does not fit the schema: .*surrogates"),
    (dataclasses.replace(ITEM, archive_position=2**63), r"RawItem\.archive_position does .* <= 9223372036854775807"),
    (dataclasses.replace(ITEM, http=HttpFacts(status=-(2**31) - 1)), r"RawItem\.http\.status does .* >= -2147483648"),
    (dataclasses.replace(EVENT, revision=2**31), r"Event\.revision does .* <= 2147483647"),
    (dataclasses.replace(EVENT, revision=True), r"Event\.revision does .*got `bool`"),
    (dataclasses.replace(ITEM, fetched_at=datetime(2020, 12, 20)), r"RawItem\.fetched_at does .*with a timezone"),
    (dataclasses.replace(ITEM, fetched_at="2020-12-20T00:00:00Z"), r"RawItem\.fetched_at does .*got `str`"),  # type: ignore[arg-type]
    (dataclasses.replace(ITEM, original="text"), r"RawItem\.original does not fit the schema: Expected `bytes`"),  # type: ignore[arg-type]
    (dataclasses.replace(ITEM, item_id=None), r"RawItem\.item_id does not fit the schema: Expected `str`, got `null`"),  # type: ignore[arg-type]
    (dataclasses.replace(ITEM, title=object()), r"RawItem does not fit the schema: .*type object"),  # type: ignore[arg-type]
    (dataclasses.replace(ITEM, repairs="none"), r"RawItem\.repairs does .*Expected `array`, got `str`"),  # type: ignore[arg-type]
    (
        dataclasses.replace(REPORT, events=(TaggedEvent(type="t", status="s", place=Place(name="n", scope="city", latitude="33")),)),  # type: ignore[arg-type]
        r"Report\.events\[0\]\.place\.latitude does not fit",
    ),
]


@pytest.mark.parametrize(("record", "message"), WRONG, ids=[re.split(":| does", message)[0] for _, message in WRONG])
def test_a_record_that_does_not_fit_names_the_field(record: Record, message: str) -> None:
    with pytest.raises(SchemaError, match=message):
        encode(record)


@given(record=any_record)
def test_cut_or_lengthened_bytes_raise(record: Record) -> None:
    data = encode(record)
    for wrong in (data[:-1], data[: len(data) // 2], data + b"\x00"):
        with pytest.raises(SchemaError, match=r"the bytes do not fit the schema|bytes where the record takes"):
            decode(type(record), wrong)


@given(record=any_record, noise=any_record)
def test_foreign_bytes_raise_nothing_but_schema_errors(record: Record, noise: Record) -> None:
    for data in (encode(noise), encode(record)[3:], b"\xff" * 40):
        try:
            decode(type(record), data)
        except SchemaError:
            continue


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "no single-object encoding"),
        (b"\xc3\x01short", "no single-object encoding"),
        (b"\x00\x00\x00\x00\x01" + encode(ITEM), "begins with '0000' instead of 'c301'"),
        (b"\xc3\x01" + bytes(8) + encode(ITEM), "unknown schema fingerprint 0000000000000000"),
        (encode_single_object(REPORT), r"bytes hold dijla\.Report where dijla\.RawItem is wanted"),
        (encode_single_object(ITEM)[:-1], "RawItem"),
    ],
)
def test_wrong_single_objects(data: bytes, message: str) -> None:
    with pytest.raises(SchemaError, match=message):
        decode_single_object(data, RawItem)


def test_wrong_confluent_bytes() -> None:
    with pytest.raises(SchemaError, match="not the Confluent wire format"):
        decode_confluent(encode_single_object(ITEM), RawItem, {1: schema(RawItem)}.__getitem__)
    with pytest.raises(SchemaError, match="outside"):
        encode_confluent(ITEM, -1)
    with pytest.raises(SchemaError, match="the bytes do not fit the schema"):
        decode_confluent(encode_confluent(ITEM, 1)[:-40], RawItem, {1: older(RawItem, without="mode")}.__getitem__)
