"""Hypothesis strategies that build any record from its .avsc file."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from hypothesis import strategies as st

from schemas import records
from schemas.avro import RECORDS, Record, definition

_TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=70)
_LEAVES: dict[str, st.SearchStrategy[Any]] = {
    "string": _TEXT,
    "bytes": st.binary(max_size=70),
    "int": st.integers(-(2**31), 2**31 - 1),
    "long": st.integers(-(2**63), 2**63 - 1),
    "boolean": st.booleans(),
    "double": st.floats(allow_nan=False, width=64),
    "timestamp-micros": st.datetimes(datetime(1, 1, 2), datetime(9999, 12, 30), timezones=st.just(UTC)),
}


def values(schema: Any) -> st.SearchStrategy[Any]:
    match schema:
        case str():
            return _LEAVES[schema]
        case list():
            return st.none() | values(schema[1])
        case {"logicalType": name}:
            return _LEAVES[name]
        case {"items": items}:
            return st.lists(values(items), max_size=2).map(tuple)
        case {"values": items}:
            return st.dictionaries(_TEXT, values(items), max_size=2)
    cls = getattr(records, schema["name"])
    return st.builds(cls, **{field["name"]: values(field["type"]) for field in schema["fields"]})


RECORD_STRATEGIES: dict[str, st.SearchStrategy[Record]] = {name: values(definition(cls)) for name, cls in RECORDS.items()}
any_record: st.SearchStrategy[Record] = st.one_of(*RECORD_STRATEGIES.values())
