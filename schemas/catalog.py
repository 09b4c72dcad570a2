"""What `dijla schemas show` shows."""

from __future__ import annotations

from dataclasses import dataclass

from schemas.definitions import RECORDS, Schema, definition, fingerprint, released, schema
from schemas.errors import UsageError


@dataclass(frozen=True, slots=True)
class Entry:
    """One schema of the contract. `fingerprint` is CRC-64-AVRO in hex as it stands in single-object encoding (little-endian)."""

    name: str
    doc: str
    fingerprint: str
    fields: int
    released_versions: int
    definition: Schema


def catalog() -> list[Entry]:
    """Every schema: raw_item, report, event, dead_letter."""
    return [entry(name) for name in RECORDS]


def entry(name: str) -> Entry:
    """The schema of that name; raises UsageError for an unknown one."""
    if name not in RECORDS:
        raise UsageError(f"no schema {name!r}: there are {', '.join(RECORDS)}")
    cls = RECORDS[name]
    found = definition(cls)
    return Entry(name, found["doc"], fingerprint(schema(cls)).hex(), len(found["fields"]), len(released()[name]), found)
