"""Compile a record schema to a pair of functions: dataclass -> Avro bytes and back.

A general Avro library goes through dicts and tries every branch of a union: 29 microseconds to write a RawItem and 28 to read
it. These closures know the dataclass, and that every union is null or one type: about 13 and 18 (`docs/decisions.md`).
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from operator import attrgetter
from typing import Any, TypeAlias

from schemas import records
from schemas.errors import DataFileError, SchemaError

Append: TypeAlias = Callable[[bytes], None]
Write: TypeAlias = Callable[[Any, Append], None]
Read: TypeAlias = Callable[[bytes, int], tuple[Any, int]]

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_DOUBLE = struct.Struct("<d")
_MISFITS = (AttributeError, TypeError, ValueError, OverflowError, struct.error)
_BROKEN = (IndexError, ValueError, OverflowError, struct.error)


def micros(time: datetime) -> int:
    """Microseconds since 1970 of an aware time; raises TypeError for a naive one."""
    return (time - EPOCH) // _MICROSECOND


def _varint(number: int) -> bytes:
    number = (number << 1) ^ (number >> 63)
    out = bytearray()
    while number > 127:
        out.append(number & 127 | 128)
        number >>= 7
    out.append(number)
    return bytes(out)


_SMALL = tuple(_varint(number) for number in range(8192))


def _integer(bits: int) -> Write:
    limit = 1 << (bits - 1)

    def write(value: int, append: Append) -> None:
        if 0 <= value < 8192:
            append(_SMALL[value])
        elif -limit <= value < limit:
            append(_varint(value))
        else:
            raise OverflowError(f"outside {bits} bits")

    return write


write_int, write_long = _integer(32), _integer(64)


def write_string(value: str, append: Append) -> None:
    data = value.encode()
    size = len(data)
    append(_SMALL[size] if size < 8192 else _varint(size))
    append(data)


def write_bytes(value: bytes, append: Append) -> None:
    write_long(len(value), append)
    append(bytes(value))


def write_boolean(value: bool, append: Append) -> None:
    append(b"\x01" if value else b"\x00")


def write_double(value: float, append: Append) -> None:
    append(_DOUBLE.pack(value))


def write_time(value: datetime, append: Append) -> None:
    append(_varint(micros(value)))


def write_optional(inner: Write) -> Write:
    def write(value: Any, append: Append) -> None:
        if value is None:
            append(b"\x00")
        else:
            append(b"\x02")
            inner(value, append)

    return write


def write_array(inner: Write) -> Write:
    def write(values: tuple[Any, ...], append: Append) -> None:
        if values:
            write_long(len(values), append)
            for value in values:
                inner(value, append)
        append(b"\x00")

    return write


def write_map(inner: Write) -> Write:
    def write(values: Mapping[str, Any], append: Append) -> None:
        if values:
            write_long(len(values), append)
            for key, value in values.items():
                write_string(key, append)
                inner(value, append)
        append(b"\x00")

    return write


def write_record(cls: type, inner: Mapping[str, Write]) -> Write:
    get = attrgetter(*inner)
    plan = tuple(inner.items())

    def write(record: Any, append: Append) -> None:
        name = value = None
        try:
            for (name, write_field), value in zip(plan, get(record), strict=True):  # noqa: B007 - the error names it
                write_field(value, append)
        except _MISFITS as error:
            raise SchemaError(f"{cls.__name__}.{name}: {value!r:.80} does not fit the schema: {error}") from error

    return write


def read_long(data: bytes, at: int) -> tuple[int, int]:
    number = shift = 0
    while True:
        byte = data[at]
        at += 1
        number |= (byte & 127) << shift
        if byte < 128:
            return (number >> 1) ^ -(number & 1), at
        shift += 7
        if shift > 63:
            raise ValueError("an integer of more than 64 bits")


def _read_size(data: bytes, at: int) -> tuple[int, int]:
    size, at = read_long(data, at)
    if size < 0 or size > len(data) - at:
        raise ValueError(f"a length of {size} where {len(data) - at} bytes are left")
    return size, at


def read_string(data: bytes, at: int) -> tuple[str, int]:
    size = data[at]
    at += 1
    if size & 0x81:  # more than one byte, or negative
        size, at = _read_size(data, at - 1)
    else:
        size >>= 1
    end = at + size
    return data[at:end].decode(), end


def read_bytes(data: bytes, at: int) -> tuple[bytes, int]:
    size, at = _read_size(data, at)
    return data[at : at + size], at + size


def read_boolean(data: bytes, at: int) -> tuple[bool, int]:
    return (False, True)[data[at]], at + 1


def read_double(data: bytes, at: int) -> tuple[float, int]:
    return _DOUBLE.unpack_from(data, at)[0], at + 8


def read_time(data: bytes, at: int) -> tuple[datetime, int]:
    number, at = read_long(data, at)
    return EPOCH + timedelta(microseconds=number), at


def read_optional(inner: Read) -> Read:
    def read(data: bytes, at: int) -> tuple[Any, int]:
        branch = data[at]
        if branch == 0:
            return None, at + 1
        if branch == 2:
            return inner(data, at + 1)
        raise ValueError(f"union branch byte {branch} where only 0 and 2 are")

    return read


def _read_count(data: bytes, at: int) -> tuple[int, int]:
    count, at = read_long(data, at)
    if count < 0:
        _, at = read_long(data, at)
    return abs(count), at


def read_array(inner: Read) -> Read:
    def read(data: bytes, at: int) -> tuple[tuple[Any, ...], int]:
        if data[at] == 0:
            return (), at + 1
        values = []
        count, at = _read_count(data, at)
        while count:
            for _ in range(count):
                value, at = inner(data, at)
                values.append(value)
            count, at = _read_count(data, at)
        return tuple(values), at

    return read


def read_map(inner: Read) -> Read:
    def read(data: bytes, at: int) -> tuple[dict[str, Any], int]:
        values = {}
        count, at = _read_count(data, at)
        while count:
            for _ in range(count):
                key, at = read_string(data, at)
                values[key], at = inner(data, at)
            count, at = _read_count(data, at)
        return values, at

    return read


def read_record(cls: type, inner: Mapping[str, Read]) -> Read:
    # Setting the slots directly takes half the time of a frozen dataclass's __init__; the records have no __post_init__ to miss.
    plan = tuple((name, read_field, getattr(cls, name).__set__) for name, read_field in inner.items())
    new = object.__new__

    def read(data: bytes, at: int) -> tuple[Any, int]:
        record: Any = new(cls)
        name = None
        try:
            for name, read_field, put in plan:  # noqa: B007 - the error names it
                value, at = read_field(data, at)
                put(record, value)
        except _BROKEN as error:
            raise SchemaError(f"{cls.__name__}.{name}: the bytes do not fit the schema: {error}") from error
        return record, at

    return read


_LEAVES: dict[str, tuple[Write, Read]] = {
    "string": (write_string, read_string),
    "bytes": (write_bytes, read_bytes),
    "int": (write_int, read_long),
    "long": (write_long, read_long),
    "boolean": (write_boolean, read_boolean),
    "double": (write_double, read_double),
    "timestamp-micros": (write_time, read_time),
}


def compile_codec(schema: Any) -> tuple[Write, Read]:
    """The writer and the reader of a schema (as in the .avsc files, not parsed); raises DataFileError for a type the records do not use."""
    match schema:
        case str() if schema in _LEAVES:
            return _LEAVES[schema]
        case ["null", inner]:
            write, read = compile_codec(inner)
            return write_optional(write), read_optional(read)
        case {"type": "array", "items": inner}:
            write, read = compile_codec(inner)
            return write_array(write), read_array(read)
        case {"type": "map", "values": inner}:
            write, read = compile_codec(inner)
            return write_map(write), read_map(read)
        case {"type": "long", "logicalType": "timestamp-micros"}:
            return _LEAVES["timestamp-micros"]
        case {"type": "record", "name": name, "fields": fields}:
            cls = getattr(records, name.rsplit(".", 1)[-1])
            codecs = {field["name"]: compile_codec(field["type"]) for field in fields}
            return write_record(cls, {name: codec[0] for name, codec in codecs.items()}), read_record(
                cls, {name: codec[1] for name, codec in codecs.items()}
            )
    raise DataFileError(f"the records use no such type: {schema!r}")
