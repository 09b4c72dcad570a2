"""The .avsc files and the dataclasses say the same."""

from __future__ import annotations

import dataclasses
import typing
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

import fastavro.schema
import pytest

from schemas import records
from schemas.avro import RECORDS, definition, fingerprint, parse, schema
from schemas.definitions import load
from schemas.errors import DataFileError, SchemaError

PRIMITIVES: dict[str, Any] = {"string": str, "bytes": bytes, "int": int, "long": int, "boolean": bool, "double": float}


def nested(found: Any) -> Iterator[dict[str, Any]]:
    """A record schema and every record schema inside it."""
    if isinstance(found, list):
        for branch in found:
            yield from nested(branch)
    elif isinstance(found, dict):
        if found["type"] == "record":
            yield found
        yield from nested([field["type"] for field in found.get("fields", ())] + [found[key] for key in ("items", "values") if key in found])


ALL = [(f"{name}.{inner['name']}", inner) for name, cls in RECORDS.items() for inner in nested(definition(cls))]
every_record = pytest.mark.parametrize("found", [inner for _, inner in ALL], ids=[name for name, _ in ALL])


def python_type(found: Any) -> Any:
    match found:
        case str():
            return PRIMITIVES[found]
        case ["null", inner]:
            return python_type(inner) | None
        case {"type": "array", "items": items}:
            return tuple[python_type(items), ...]  # type: ignore[misc]
        case {"type": "map", "values": values}:
            return Mapping[str, python_type(values)]  # type: ignore[misc]
        case {"logicalType": "timestamp-micros"}:
            return datetime
    return getattr(records, found["name"])


def python_default(field: dataclasses.Field[Any]) -> Any:
    """The default of a dataclass field as an .avsc file writes it."""
    if field.default_factory is not dataclasses.MISSING:
        return field.default_factory()
    written: dict[Any, Any] = {(): [], b"": ""}
    return written.get(field.default, field.default)


@every_record
def test_fields_have_the_same_names_order_types_and_defaults(found: dict[str, Any]) -> None:
    cls = getattr(records, found["name"])
    hints = typing.get_type_hints(cls)
    theirs = dataclasses.fields(cls)
    assert [field["name"] for field in found["fields"]] == [field.name for field in theirs]
    for field, other in zip(found["fields"], theirs, strict=True):
        assert python_type(field["type"]) == hints[other.name], other.name
        default = field.get("default", dataclasses.MISSING)
        assert (type(default), default) == (type(python_default(other)), python_default(other)), other.name


@every_record
def test_every_record_and_field_has_a_doc(found: dict[str, Any]) -> None:
    cls = getattr(records, found["name"])
    assert (cls.__doc__ or "").startswith(found["doc"])
    assert [field["name"] for field in found["fields"] if not field.get("doc", "").endswith(".")] == []


def test_types_shared_between_files_are_identical() -> None:
    seen: dict[str, dict[str, Any]] = {}
    for _, found in ALL:
        assert seen.setdefault(found["name"], found) == found
    assert {"Place", "Evidence"} <= seen.keys()


def test_there_are_no_enums_so_that_an_old_reader_survives_a_new_word() -> None:
    assert not any('"enum"' in str(found).replace("'", '"') for _, found in ALL)


def crc_64_avro(data: bytes) -> bytes:
    """As the Avro 1.12 specification defines it, bit by bit."""
    crc = 0xC15D213AA4D7A795
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = (crc >> 1) ^ (0xC15D213AA4D7A795 if crc & 1 else 0)
    return crc.to_bytes(8, "little")


@pytest.mark.parametrize("cls", RECORDS.values())
def test_fingerprint_equals_an_independent_crc_64_avro(cls: type) -> None:
    canonical = fastavro.schema.to_parsing_canonical_form(schema(cls))
    assert fingerprint(schema(cls)) == crc_64_avro(canonical.encode())
    assert fingerprint(definition(cls)) == fingerprint(schema(cls))


def test_fingerprint_ignores_docs_and_defaults() -> None:
    bare: dict[str, Any] = {"type": "record", "name": "dijla.A", "fields": [{"name": "x", "type": "int"}]}
    told: dict[str, Any] = {
        "type": "record",
        "name": "A",
        "namespace": "dijla",
        "doc": "d",
        "fields": [{"name": "x", "type": "int", "doc": "d", "default": 1}],
    }
    assert fingerprint(bare) == fingerprint(told)


def test_schema_is_parsed_once() -> None:
    assert schema(records.Report) is schema(records.Report)
    assert parse(schema(records.Report)) is schema(records.Report)


@pytest.mark.parametrize("wrong", [{"type": "string"}, {"type": "record", "name": "A", "fields": [{"name": "x", "type": "stirng"}]}, {"type": "record"}])
def test_what_is_no_record_schema_is_a_schema_error(wrong: dict[str, Any]) -> None:
    with pytest.raises(SchemaError, match="not an Avro"):
        parse(wrong)


@pytest.mark.parametrize("text", ["{", "[]", '"string"'])
def test_a_file_that_holds_no_schema_is_a_data_file_error(text: str) -> None:
    with pytest.raises(DataFileError, match=r"x\.avsc"):
        load(text, where="x.avsc")
