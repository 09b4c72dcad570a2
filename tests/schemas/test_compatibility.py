"""Broken copies of the schemas are reported, with the field and what to do."""

from __future__ import annotations

import copy
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import fastavro
import pytest

from schemas.avro import RECORDS, definition, released
from schemas.catalog import catalog, entry
from schemas.compatibility import breaks, check
from schemas.definitions import Schema
from schemas.errors import UsageError
from schemas.records import Event
from schemas.release import release
from schemas.resolution import read_problems

Change = Callable[[dict[str, dict[str, Any]], Schema], Any]


def changed(change: Change) -> Schema:
    """A copy of the event schema with a change made to its fields."""
    found = copy.deepcopy(definition(Event))
    change({field["name"]: field for field in found["fields"]}, found)
    return found


def test_the_contract_is_full_transitive() -> None:
    assert check() == []


def test_every_schema_has_released_versions_numbered_from_one() -> None:
    folder = Path(__file__).parents[2] / "schemas" / "released"
    names = {f"{name}-{number}.avsc" for name, versions in released().items() for number in range(1, len(versions) + 1)}
    assert {file.name for file in folder.iterdir()} == names
    assert all(released()[name] for name in RECORDS)


FINE: dict[str, Change] = {
    "a field with a default": lambda fields, found: found["fields"].append({"name": "mood", "type": "string", "default": "calm"}),
    "no field that had a default": lambda fields, found: found["fields"].remove(fields["headline"]),
    "another order": lambda fields, found: found["fields"].reverse(),
    "a default less": lambda fields, found: fields["headline"].pop("default"),
    "another doc": lambda fields, found: fields["status"].update(doc="Else."),
    "another namespace": lambda fields, found: found.update(namespace="other"),
}


@pytest.mark.parametrize("change", FINE.values(), ids=FINE.keys())
def test_what_may_change(change: Change) -> None:
    assert breaks("event", changed(change), 1, definition(Event)) == []


def place(fields: dict[str, dict[str, Any]]) -> Any:
    return fields["place"]["type"][1]


UNWRITTEN = "the reader needs it, and the writer does not write it"
MICROS, MILLIS = "timestamp-micros (long)", "timestamp-millis (long)"
KEEP = "keep the released type and put the new one into a field of its own"
BROKEN: dict[str, tuple[Change, list[str]]] = {
    "field added without a default": (
        lambda fields, found: found["fields"].append({"name": "mood", "type": "string"}),
        [f"Event.mood: {UNWRITTEN}, so this version cannot read version 1: give it a default"],
    ),
    "field removed that had no default": (
        lambda fields, found: found["fields"].remove(fields["status"]),
        [f"Event.status: {UNWRITTEN}, so version 1 cannot read this version: put it back, as it was released without a default"],
    ),
    "field renamed with an alias": (
        lambda fields, found: fields["status"].update(name="state", aliases=["status"]),
        [f"Event.status: {UNWRITTEN}, so version 1 cannot read this version: put it back, as it was released without a default"],
    ),
    "type changed": (
        lambda fields, found: fields["revision"].update(type="string"),
        [
            f"Event.revision: int cannot be read as string, so this version cannot read version 1: {KEEP}",
            f"Event.revision: string cannot be read as int, so version 1 cannot read this version: {KEEP}",
        ],
    ),
    "type promoted": (
        lambda fields, found: fields["revision"].update(type="long"),
        [f"Event.revision: long cannot be read as int, so version 1 cannot read this version: {KEEP}"],
    ),
    "made nullable": (
        lambda fields, found: fields["status"].update(type=["null", "string"]),
        [f"Event.status: null cannot be read as string, so version 1 cannot read this version: {KEEP}"],
    ),
    "made not nullable": (
        lambda fields, found: fields["killed_min"].update(type="int", default=0),
        [f"Event.killed_min: null cannot be read as int, so this version cannot read version 1: {KEEP}"],
    ),
    "another type inside a union": (
        lambda fields, found: fields["killed_min"].update(type=["null", "string"]),
        [
            f"Event.killed_min: int cannot be read as null or string, so this version cannot read version 1: {KEEP}",
            f"Event.killed_min: string cannot be read as null or int, so version 1 cannot read this version: {KEEP}",
        ],
    ),
    "inside a record in a union": (
        lambda fields, found: place(fields)["fields"].append({"name": "floor", "type": "int"}),
        [f"Event.place.floor: {UNWRITTEN}, so this version cannot read version 1: give it a default"],
    ),
    "inside a record in an array": (
        lambda fields, found: fields["evidence"]["type"]["items"]["fields"][2].update(type="long"),
        [f"Event.evidence[].start: long cannot be read as int, so version 1 cannot read this version: {KEEP}"],
    ),
    "nested record renamed": (
        lambda fields, found: place(fields).update(name="Spot"),
        [
            "Event.place: record Place cannot be read as record Spot, so this version cannot read version 1: keep the released name, or list it in aliases",
            "Event.place: record Spot cannot be read as record Place, so version 1 cannot read this version: keep the released name",
        ],
    ),
    "unit of a time": (
        lambda fields, found: fields["first_seen"]["type"].update(logicalType="timestamp-millis"),
        [
            f"Event.first_seen: {MICROS} cannot be read as {MILLIS}, so this version cannot read version 1: {KEEP}",
            f"Event.first_seen: {MILLIS} cannot be read as {MICROS}, so version 1 cannot read this version: {KEEP}",
        ],
    ),
}


@pytest.mark.parametrize(("change", "messages"), BROKEN.values(), ids=BROKEN.keys())
def test_what_breaks(change: Change, messages: list[str]) -> None:
    assert [found.message for found in breaks("event", changed(change), 1, definition(Event))] == messages


def test_check_looks_at_every_version() -> None:
    added = changed(BROKEN["field added without a default"][0])
    found = check({"event": added}, {"event": [definition(Event), added, definition(Event)]})
    assert [(one.version, one.direction, one.path) for one in found] == [(1, "backward", "Event.mood"), (3, "backward", "Event.mood")]


def one_field(kind: Any, **more: Any) -> Schema:
    return {"type": "record", "name": "A", "fields": [{"name": "x", "type": kind, **more}]}


def enum(*symbols: str, **more: Any) -> Schema:
    return {"type": "enum", "name": "E", "symbols": list(symbols), **more}


def fixed(size: int) -> Schema:
    return {"type": "fixed", "name": "F", "size": size}


TREE = one_field(["null", {"type": "array", "items": "A"}], default=None)


@pytest.mark.parametrize(
    ("reader", "writer", "expected"),
    [
        (enum("a", "b"), enum("a"), []),
        (enum("a"), enum("a", "b"), ["the symbol b is unknown to the reader"]),
        (enum("a", default="a"), enum("a", "b"), []),
        (fixed(4), fixed(8), ["8 bytes cannot be read as 4"]),
        (fixed(4), fixed(4), []),
        ("bytes", "string", []),
        ("double", "int", []),
        ("int", "double", ["double cannot be read as int"]),
        (["int", "string"], "string", []),
        ("string", ["int", "string"], ["int cannot be read as string"]),
        ({"type": "map", "values": "int"}, {"type": "map", "values": "long"}, ["long cannot be read as int"]),
        ({"type": "map", "values": "int"}, {"type": "array", "items": "int"}, ["array cannot be read as map"]),
        (["null", enum("a")], ["null", enum("a", "b")], ["the symbol b is unknown to the reader"]),
    ],
)
def test_the_rules_of_the_specification(reader: Any, writer: Any, expected: list[str]) -> None:
    assert [problem.message for problem in read_problems(one_field(reader), one_field(writer))] == expected


def test_a_recursive_schema_ends() -> None:
    assert read_problems(TREE, TREE) == []


def test_an_alias_lets_the_reader_follow_a_new_name() -> None:
    renamed = {"type": "record", "name": "B", "aliases": ["A"], "fields": [{"name": "y", "aliases": ["x"], "type": "int"}]}
    assert read_problems(renamed, one_field("int")) == []
    assert [problem.message for problem in read_problems(one_field("int"), renamed)] == ["record B cannot be read as record A"]


@pytest.mark.parametrize("change", [*FINE.values(), *(change for change, _ in BROKEN.values())], ids=[*FINE, *BROKEN])
def test_fastavro_agrees_that_a_compatible_schema_can_be_read(change: Change) -> None:
    """Where the check finds nothing, a real resolution of a real record works."""
    new, old = changed(change), definition(Event)
    event: dict[str, Any] = {
        "event_id": "e",
        "revision": 0,
        "content_hash": "c",
        "change": "new",
        "type": "t",
        "status": "s",
        "first_seen": 1,
        "last_seen": 1,
    }
    if read_problems(new, old):
        return
    file = io.BytesIO()
    fastavro.schemaless_writer(file, old, event)
    found: Any = fastavro.schemaless_reader(io.BytesIO(file.getvalue()), old, new)
    assert found["event_id"] == "e"


def test_catalog_lists_every_schema() -> None:
    assert [found.name for found in catalog()] == ["raw_item", "report", "event", "dead_letter"]
    found = entry("event")
    assert (found.fields, found.definition) == (len(definition(Event)["fields"]), definition(Event))
    assert len(bytes.fromhex(found.fingerprint)) == 8
    with pytest.raises(UsageError, match="no schema 'evnt': there are raw_item, report"):
        entry("evnt")


def test_release_freezes_what_changed(tmp_path: Path) -> None:
    (tmp_path / "released").mkdir()
    for name, cls in RECORDS.items():
        (tmp_path / f"{name}.avsc").write_text(str(definition(cls)), encoding="utf-8")
    assert [file.name for file in release(tmp_path, replace=False)] == [f"{name}-1.avsc" for name in RECORDS]
    assert release(tmp_path, replace=False) == []
    (tmp_path / "event.avsc").write_text("changed", encoding="utf-8")
    assert [file.name for file in release(tmp_path, replace=True)] == ["event-1.avsc"]
    (tmp_path / "event.avsc").write_text("changed again", encoding="utf-8")
    assert [file.name for file in release(tmp_path, replace=False)] == ["event-2.avsc"]
    assert (tmp_path / "released" / "event-1.avsc").read_text(encoding="utf-8") == "changed"
