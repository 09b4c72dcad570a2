"""The Avro definitions: one .avsc file for each record, read and parsed once."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from importlib import resources
from typing import Any, TypeAlias, TypeVar

import fastavro
from fastavro.schema import SchemaParseException, UnknownType

from schemas.errors import DataFileError, SchemaError
from schemas.records import DeadLetter, Event, RawItem, Report

Schema: TypeAlias = dict[str, Any]
Record: TypeAlias = RawItem | Report | Event | DeadLetter
RecordT = TypeVar("RecordT", bound=Record)

RECORDS: Mapping[str, type[Record]] = {"raw_item": RawItem, "report": Report, "event": Event, "dead_letter": DeadLetter}


def load(text: str, *, where: str) -> Schema:
    """Read one record schema from JSON text; raises DataFileError where it is none."""
    try:
        found = json.loads(text)
    except json.JSONDecodeError as error:
        raise DataFileError(f"{where}: line {error.lineno}: not JSON: {error.msg}") from error
    if not isinstance(found, dict):
        raise DataFileError(f"{where}: not a record schema: it must be a JSON object")
    return found


def parse(definition: Schema) -> Schema:
    """Check a schema and prepare it for reading; a prepared one passes through unchanged. Raises SchemaError."""
    try:
        parsed = fastavro.parse_schema(definition)
    except (SchemaParseException, UnknownType, KeyError, TypeError, ValueError) as error:
        raise SchemaError(f"not an Avro schema: {error!r}") from error
    if not isinstance(parsed, dict) or parsed.get("type") != "record":
        raise SchemaError("not an Avro record schema: its type must be record")
    return parsed


def _read_definition(name: str) -> Schema:
    file = resources.files("schemas").joinpath(f"{name}.avsc")
    return load(file.read_text(encoding="utf-8"), where=f"schemas/{name}.avsc")


_DEFINITIONS: Mapping[type, Schema] = {cls: _read_definition(name) for name, cls in RECORDS.items()}
_PARSED: Mapping[type, Schema] = {cls: parse(found) for cls, found in _DEFINITIONS.items()}


def definition(cls: type[RecordT]) -> Schema:
    """The content of the .avsc file of a record class, as written there."""
    return _DEFINITIONS[cls]


def schema(cls: type[RecordT]) -> Schema:
    """The current schema of a record class, parsed; the same object at every call."""
    return _PARSED[cls]


def fingerprint(schema: Schema) -> bytes:
    """CRC-64-AVRO of the parsing canonical form: 8 bytes, little-endian. Raises SchemaError.

    Source: Avro 1.12 specification, "Schema Fingerprints".
    """
    canonical = fastavro.schema.to_parsing_canonical_form(parse(schema))
    return bytes.fromhex(fastavro.schema.fingerprint(canonical, "CRC-64-AVRO"))


@cache
def released() -> Mapping[str, tuple[Schema, ...]]:
    """Every released schema by the name of its record (raw_item, report ...), oldest first."""
    folder = resources.files("schemas").joinpath("released")
    names = [file.name for file in folder.iterdir() if file.name.endswith(".avsc")]
    found: dict[str, list[tuple[int, Schema]]] = {name: [] for name in RECORDS}
    for name in names:
        record, version = name.removesuffix(".avsc").rsplit("-", 1)
        found[record].append((int(version), load(folder.joinpath(name).read_text(encoding="utf-8"), where=f"released/{name}")))
    return {record: tuple(schema for _, schema in sorted(versions, key=lambda pair: pair[0])) for record, versions in found.items()}
