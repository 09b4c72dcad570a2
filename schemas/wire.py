"""Records to bytes and back, one by one: plain Avro, single-object encoding, the Confluent wire format."""

from __future__ import annotations

import io
import struct
from collections.abc import Callable, Mapping
from functools import cache, partial
from typing import Any, cast

import fastavro
from fastavro.read import SchemaResolutionError

from schemas.codec import Read, Write, compile_codec
from schemas.compatibility import read_problems
from schemas.definitions import RECORDS, Record, RecordT, Schema, definition, fingerprint, parse, released, schema
from schemas.errors import SchemaError
from schemas.plain import from_plain

SINGLE_OBJECT = b"\xc3\x01"
_CONFLUENT = struct.Struct(">bI")
_UNREADABLE = (SchemaResolutionError, EOFError, ValueError, TypeError, KeyError, IndexError, OverflowError, struct.error)


_CODECS: Mapping[type, tuple[Write, Read]] = {cls: compile_codec(definition(cls)) for cls in RECORDS.values()}
_CURRENT: Mapping[type, bytes] = {cls: fingerprint(schema(cls)) for cls in RECORDS.values()}


@cache
def known_writers() -> Mapping[bytes, Schema]:
    """The current and every released schema, parsed, by fingerprint."""
    known = {fingerprint(old): parse(old) for versions in released().values() for old in versions}
    return known | {_CURRENT[cls]: schema(cls) for cls in RECORDS.values()}


def encode(record: Record) -> bytes:
    """Schemaless Avro of a record in its current schema. Raises SchemaError naming the field that does not fit."""
    parts: list[bytes] = []
    _CODECS[type(record)][0](record, parts.append)
    return b"".join(parts)


def decode(cls: type[RecordT], data: bytes) -> RecordT:
    """The record whose schemaless Avro (current schema) is data, all of it. Raises SchemaError."""
    record: RecordT
    record, end = _CODECS[cls][1](data, 0)
    return _whole(cls, data, record, end)


def decoder(cls: type[RecordT], writer: Schema) -> Callable[[bytes, int], tuple[RecordT, int]]:
    """A function (bytes, position) -> (record, position behind it) for records that were written with writer. Raises SchemaError."""
    if writer is schema(cls) or fingerprint(writer) == _CURRENT[cls]:
        return _CODECS[cls][1]
    return partial(_resolve, cls, parse(writer))


def _resolve(cls: type[RecordT], writer: Schema, data: bytes, at: int) -> tuple[RecordT, int]:
    reader = schema(cls)
    if writer["name"] != reader["name"]:
        raise SchemaError(f"the bytes hold {writer['name']} where {reader['name']} is wanted: is this the right file or topic?")
    file = io.BytesIO(data)
    file.seek(at)
    try:
        found = cast(dict[str, Any], fastavro.schemaless_reader(file, writer, reader))
    except _UNREADABLE as error:
        why = "; ".join(f"{problem.path}: {problem.message}" for problem in read_problems(reader, writer)) or repr(error)
        raise SchemaError(f"{cls.__name__}: the bytes cannot be read with the schema they name: {why}") from error
    return from_plain(cls, found), file.tell()


def _whole(cls: type[RecordT], data: bytes, record: RecordT, end: int) -> RecordT:
    if end != len(data):
        raise SchemaError(
            f"{cls.__name__}: {len(data)} bytes where the record takes {end}: cut short, glued together, or of another schema"
        )
    return record


def _decode_with(cls: type[RecordT], writer: Schema, data: bytes) -> RecordT:
    return decode(cls, data) if writer is schema(cls) else _whole(cls, data, *_resolve(cls, parse(writer), data, 0))


def encode_single_object(record: Record) -> bytes:
    """C3 01, the schema's fingerprint, the body (Avro 1.12 specification, "Single-object encoding")."""
    return SINGLE_OBJECT + _CURRENT[type(record)] + encode(record)


def decode_single_object(data: bytes, cls: type[RecordT], writers: Mapping[bytes, Schema] | None = None) -> RecordT:
    """Read single-object encoding, also of an older schema. `writers`: schema by fingerprint, by default the current and the released.

    Raises SchemaError for another marker, an unknown fingerprint, or a body that does not fit.
    """
    if data[:2] != SINGLE_OBJECT or len(data) < 10:
        raise SchemaError(f"{cls.__name__}: no single-object encoding: it begins with {data[:2].hex()!r} instead of 'c301'")
    mark = data[2:10]
    if writers is None and mark == _CURRENT[cls]:
        return decode(cls, data[10:])
    writer = (known_writers() if writers is None else writers).get(mark)
    if writer is None:
        raise SchemaError(f"{cls.__name__}: unknown schema fingerprint {mark.hex()}: give its schema in writers, or upgrade")
    return _decode_with(cls, writer, data[10:])


def encode_confluent(record: Record, schema_id: int) -> bytes:
    """A zero byte, the registry's id of the schema (4 bytes, big-endian), the body. Raises SchemaError for an id outside 0..2**32-1."""
    if not 0 <= schema_id < 1 << 32:
        raise SchemaError(f"schema id {schema_id} is outside 0..4294967295")
    return _CONFLUENT.pack(0, schema_id) + encode(record)


def decode_confluent(data: bytes, cls: type[RecordT], lookup: Callable[[int], Schema]) -> RecordT:
    """Read the Confluent wire format. `lookup` gives the writer's schema for a registry id; `parse` it once, return the same object."""
    if len(data) < _CONFLUENT.size or data[0] != 0:
        raise SchemaError(
            f"{cls.__name__}: not the Confluent wire format: it begins with {data[:5].hex()!r} instead of '00' and a schema id"
        )
    return _decode_with(cls, lookup(_CONFLUENT.unpack_from(data)[1]), data[_CONFLUENT.size :])
