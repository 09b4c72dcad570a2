"""Records and plain values, with msgspec: what fits a schema exactly, and the record of a dict."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from schemas.definitions import RECORDS, Record, RecordT, definition
from schemas.errors import SchemaError

AVRO_TYPES = (datetime, bytes)
"""What fastavro takes as it is; in JSON both are strings."""

_LEAVES: Mapping[str, Any] = {
    "string": str,
    "bytes": bytes,
    "boolean": bool,
    "double": float,
    "int": Annotated[int, Meta(ge=-(2**31), le=2**31 - 1)],
    "long": Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)],
    "timestamp-micros": Annotated[datetime, Meta(tz=True)],
}


def _exact(schema: Any) -> Any:
    """The msgspec type of an Avro type.

    fastavro alone is too kind: it takes a naive time for local time, "33" for a double and 2**31 for an int.
    """
    match schema:
        case str():
            return _LEAVES[schema]
        case ["null", inner]:
            return _exact(inner) | None
        case {"logicalType": name}:
            return _LEAVES[name]
        case {"type": "array", "items": items}:
            return list[_exact(items)]  # type: ignore[misc]
        case {"type": "map", "values": values}:
            return dict[str, _exact(values)]  # type: ignore[misc]
    return msgspec.defstruct(schema["name"], [(field["name"], _exact(field["type"])) for field in schema["fields"]])


_EXACT: Mapping[type, Any] = {cls: _exact(definition(cls)) for cls in RECORDS.values()}


def exact(record: Record) -> msgspec.Struct:
    """A record checked against its schema, but for lone surrogates: a struct with the same fields. Raises SchemaError."""
    cls = type(record)
    try:
        values = msgspec.to_builtins(record, builtin_types=AVRO_TYPES)
        found: msgspec.Struct = msgspec.convert(values, _EXACT[cls], builtin_types=AVRO_TYPES)
    except (msgspec.ValidationError, TypeError) as error:
        raise _misfit(cls, error) from error
    return found


def from_plain(cls: type[RecordT], values: Any) -> RecordT:
    """The record of a dict, with times and bytes as such or as in JSON; what is missing takes its default. Raises SchemaError."""
    try:
        return msgspec.convert(values, cls)
    except msgspec.ValidationError as error:
        raise _misfit(cls, error) from error


def _misfit(cls: type, error: Exception) -> SchemaError:
    what, _, where = str(error).partition(" - at `$")
    return SchemaError(f"{cls.__name__}{where.rstrip('`')} does not fit the schema: {what}")
