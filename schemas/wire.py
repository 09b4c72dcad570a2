"""Records to bytes and back, one by one: plain Avro, single-object encoding, the Confluent wire format; and JSON."""

from __future__ import annotations

import io
import struct
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, BinaryIO

import fastavro
import msgspec
from fastavro.read import SchemaResolutionError

from schemas.definitions import RECORDS, Record, RecordT, Schema, fingerprint, parse, released, schema
from schemas.errors import SchemaError
from schemas.plain import AVRO_TYPES, exact, from_plain
from schemas.resolution import read_problems

SINGLE_OBJECT = b"\xc3\x01"
_CONFLUENT = struct.Struct(">bI")
_UNREADABLE = (SchemaResolutionError, EOFError, ValueError, TypeError, KeyError, IndexError, OverflowError, MemoryError)

CURRENT: Mapping[type, bytes] = {cls: fingerprint(schema(cls)) for cls in RECORDS.values()}
"""The fingerprint of each class's current schema."""


@cache
def known_writers() -> Mapping[bytes, Schema]:
    """The current and every released schema, parsed, by fingerprint."""
    known = {fingerprint(old): parse(old) for versions in released().values() for old in versions}
    return known | {CURRENT[cls]: schema(cls) for cls in RECORDS.values()}


def encode(record: Record) -> bytes:
    """Schemaless Avro of a record in its current schema. Raises SchemaError naming the field that does not fit."""
    cls, out = type(record), io.BytesIO()
    values = msgspec.to_builtins(exact(record), builtin_types=AVRO_TYPES)
    try:
        fastavro.schemaless_writer(out, schema(cls), values)
    except UnicodeEncodeError as error:
        field = next(name for name, value in values.items() if repr(error.object) in repr(value))
        raise SchemaError(f"{cls.__name__}.{field}: {error.object!r:.80} does not fit the schema: {error}: put U+FFFD there") from error
    return out.getvalue()


def decode(cls: type[RecordT], data: bytes) -> RecordT:
    """The record whose schemaless Avro (current schema) is data, all of it. Raises SchemaError."""
    return _decode(cls, schema(cls), data)


def read(cls: type[RecordT], writer: Schema, file: BinaryIO | io.BytesIO) -> RecordT:
    """Read one record that was written with writer (parsed) where file stands. Raises SchemaError."""
    reader = schema(cls)
    if writer["name"] != reader["name"]:
        raise SchemaError(f"the bytes hold {writer['name']} where {reader['name']} is wanted: is this the right file or topic?")
    try:
        return from_plain(cls, fastavro.schemaless_reader(file, writer, None if writer is reader else reader))
    except _UNREADABLE as error:
        problems = [f"{problem.path}: {problem.message}" for problem in read_problems(reader, writer)]
        why = "; ".join(problems) or f"cut short or damaged: {error!r}"
        raise SchemaError(f"{cls.__name__}: the bytes do not fit the schema: {why}") from error


def _decode(cls: type[RecordT], writer: Schema, data: bytes) -> RecordT:
    file = io.BytesIO(data)
    record = read(cls, writer, file)
    if (end := file.tell()) != len(data):
        raise SchemaError(f"{cls.__name__}: {len(data)} bytes where the record takes {end}: glued together, or of another schema")
    return record


def encode_single_object(record: Record) -> bytes:
    """C3 01, the schema's fingerprint, the body (Avro 1.12 specification, "Single-object encoding")."""
    return SINGLE_OBJECT + CURRENT[type(record)] + encode(record)


def decode_single_object(data: bytes, cls: type[RecordT], writers: Mapping[bytes, Schema] | None = None) -> RecordT:
    """Read single-object encoding, also of an older schema. `writers`: schema by fingerprint, by default the current and the released.

    Raises SchemaError for another marker, an unknown fingerprint, or a body that does not fit.
    """
    if data[:2] != SINGLE_OBJECT or len(data) < 10:
        raise SchemaError(f"{cls.__name__}: no single-object encoding: it begins with {data[:2].hex()!r} instead of 'c301'")
    mark = data[2:10]
    writer = (known_writers() if writers is None else writers).get(mark)
    if writer is None:
        raise SchemaError(f"{cls.__name__}: unknown schema fingerprint {mark.hex()}: give its schema in writers, or upgrade")
    return _decode(cls, parse(writer), data[10:])


def encode_confluent(record: Record, schema_id: int) -> bytes:
    """A zero byte, the registry's id of the schema (4 bytes, big-endian), the body. Raises SchemaError for an id outside 0..2**32-1."""
    if not 0 <= schema_id < 1 << 32:
        raise SchemaError(f"schema id {schema_id} is outside 0..4294967295")
    return _CONFLUENT.pack(0, schema_id) + encode(record)


def decode_confluent(data: bytes, cls: type[RecordT], lookup: Callable[[int], Schema]) -> RecordT:
    """Read the Confluent wire format. `lookup` gives the writer's schema for a registry id; `parse` it once, return the same object."""
    if len(data) < _CONFLUENT.size or data[0] != 0:
        raise SchemaError(f"{cls.__name__}: not the Confluent wire format: it begins with {data[:5].hex()!r} instead of '00' and a schema id")
    return _decode(cls, parse(lookup(_CONFLUENT.unpack_from(data)[1])), data[_CONFLUENT.size :])


def to_json(record: Record) -> dict[str, Any]:
    """A record as JSON-ready values: times as ISO 8601 ending in Z, bytes as base64, fields in the schema's order. Raises SchemaError."""
    values: dict[str, Any] = msgspec.to_builtins(exact(record))
    return values


def from_json(cls: type[RecordT], value: Mapping[str, Any]) -> RecordT:
    """The record of JSON values; a field that is not there takes its default, one that the schema lacks is left out. Raises SchemaError."""
    return decode(cls, encode(from_plain(cls, value)))  # by way of Avro: that checks every value and turns times to UTC
