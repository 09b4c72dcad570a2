"""Records to plain values and back: JSON, and the dicts that a general Avro reader gives."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Mapping
from dataclasses import MISSING, fields
from datetime import UTC, datetime
from typing import Any, TypeAlias, cast

from schemas import records
from schemas.definitions import RECORDS, Record, RecordT, Schema, definition
from schemas.errors import SchemaError

Convert: TypeAlias = Callable[[Any], Any]
Leaves: TypeAlias = Mapping[str, Convert]


def _json_time(time: datetime) -> str:
    return time.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _from_json_time(text: Any) -> datetime:
    time = datetime.fromisoformat(_of(str)(text))
    if time.tzinfo is None:
        raise ValueError("a time without a zone: end it in Z")
    return time.astimezone(UTC)


def _from_base64(text: Any) -> bytes:
    return base64.b64decode(_of(str)(text), validate=True)


def _of(*kinds: type) -> Convert:
    def check(value: Any) -> Any:
        if type(value) not in kinds:
            raise TypeError(f"{type(value).__name__} instead of {kinds[0].__name__}")
        return value

    return check


def _same(value: Any) -> Any:
    return value


_NAMES = ("string", "int", "long", "boolean", "double", "bytes", "timestamp-micros")
_AVRO: Leaves = dict.fromkeys(_NAMES, _same)
_TO_JSON: Leaves = {**_AVRO, "bytes": lambda data: base64.b64encode(data).decode(), "timestamp-micros": _json_time}
_FROM_JSON: Leaves = {
    "string": _of(str),
    "int": _of(int),
    "long": _of(int),
    "boolean": _of(bool),
    "double": lambda value: float(_of(float, int)(value)),
    "bytes": _from_base64,
    "timestamp-micros": _from_json_time,
}


def _optional(inner: Convert) -> Convert:
    return lambda value: None if value is None else inner(value)


def _dumper(schema: Any, leaves: Leaves) -> Convert:
    match schema:
        case str():
            return leaves[schema]
        case ["null", inner]:
            return _optional(_dumper(inner, leaves))
        case {"logicalType": name}:
            return leaves[name]
        case {"type": "array", "items": items}:
            one = _dumper(items, leaves)
            return lambda values: [one(value) for value in values]
        case {"type": "map", "values": values}:
            each = _dumper(values, leaves)
            return lambda mapping: {key: each(value) for key, value in mapping.items()}
    plan = tuple((field["name"], _dumper(field["type"], leaves)) for field in schema["fields"])
    return lambda record: {name: convert(getattr(record, name)) for name, convert in plan}


def _loader(schema: Any, leaves: Leaves) -> Convert:
    match schema:
        case str():
            return leaves[schema]
        case ["null", inner]:
            return _optional(_loader(inner, leaves))
        case {"logicalType": name}:
            return leaves[name]
        case {"type": "array", "items": items}:
            one = _loader(items, leaves)
            return lambda values: tuple(one(value) for value in _of(list)(values))
        case {"type": "map", "values": values}:
            each = _loader(values, leaves)
            return lambda mapping: {_of(str)(key): each(value) for key, value in _of(dict)(mapping).items()}
    cls = getattr(records, schema["name"].rsplit(".", 1)[-1])
    return _record_loader(cls, {field["name"]: _loader(field["type"], leaves) for field in schema["fields"]})


def _record_loader(cls: type, plan: Mapping[str, Convert]) -> Convert:
    required = {field.name for field in fields(cls) if field.default is MISSING and field.default_factory is MISSING}

    def load(found: Any) -> Any:
        if not isinstance(found, dict):
            raise SchemaError(f"{cls.__name__}: {type(found).__name__} instead of an object")
        if missing := sorted(required - found.keys()):
            raise SchemaError(f"{cls.__name__}: {', '.join(missing)} is missing and has no default")
        values = {}
        for name in plan.keys() & found.keys():
            try:
                values[name] = plan[name](found[name])
            except (TypeError, ValueError, OverflowError, binascii.Error) as error:
                raise SchemaError(f"{cls.__name__}.{name}: {found[name]!r:.80} does not fit the schema: {error}") from error
        return cls(**values)

    return load


def _plans(schema: Schema) -> tuple[Convert, Convert, Convert]:
    return _dumper(schema, _TO_JSON), _loader(schema, _FROM_JSON), _loader(schema, _AVRO)


_PLANS: Mapping[type, tuple[Convert, Convert, Convert]] = {cls: _plans(definition(cls)) for cls in RECORDS.values()}


def to_json(record: Record) -> dict[str, Any]:
    """A record as JSON-ready values: times as ISO 8601 ending in Z, bytes as base64, fields in the schema's order."""
    return cast(dict[str, Any], _PLANS[type(record)][0](record))


def from_json(cls: type[RecordT], value: Mapping[str, Any]) -> RecordT:
    """The record of JSON values; a field that is not there takes its default, one that the schema lacks is left out. Raises SchemaError."""
    return cast(RecordT, _PLANS[cls][1](value))


def from_plain(cls: type[RecordT], value: Mapping[str, Any]) -> RecordT:
    """The record of a dict as a general Avro reader gives it (times aware, bytes as bytes)."""
    return cast(RecordT, _PLANS[cls][2](value))
