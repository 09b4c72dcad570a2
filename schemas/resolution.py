"""May one schema read what another wrote?

The rules are those of the Avro 1.12 specification, "Schema Resolution", and one more: a logical type may not change, as the
bytes would be read as another moment or number without an error.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from schemas.definitions import Schema

Kind = Literal["missing", "type", "name", "symbols"]

_PROMOTIONS = {
    ("int", "long"), ("int", "float"), ("int", "double"), ("long", "float"), ("long", "double"), ("float", "double"),
    ("string", "bytes"), ("bytes", "string"),
}  # fmt: skip
_NAMED = ("record", "enum", "fixed")


@dataclass(frozen=True, slots=True)
class Problem:
    """Why a reader cannot read what a writer wrote. `path` is Record.field.field, `message` says what does not fit."""

    path: str
    kind: Kind
    message: str


def read_problems(reader: Schema, writer: Schema) -> list[Problem]:
    """What keeps reader from reading the bytes of writer; empty where nothing does. Record types are compared by their last name."""
    return list(_Resolution(_names(reader), _names(writer)).problems(reader, writer, _last_name(reader)))


def _last_name(schema: Any) -> str:
    return str(schema["name"]).rsplit(".", 1)[-1]


def _names(schema: Any) -> dict[str, Any]:
    """Every named type that a schema defines, by its last name."""
    match schema:
        case list():
            return {name: found for branch in schema for name, found in _names(branch).items()}
        case dict():
            own = {_last_name(schema): schema} if schema["type"] in _NAMED else {}
            inside = [
                *(field["type"] for field in schema.get("fields", ())),
                *(schema[key] for key in ("items", "values") if key in schema),
            ]
            return own | _names(inside)
    return {}


def _kind(schema: Any) -> str:
    return "union" if isinstance(schema, list) else str(schema["type"] if isinstance(schema, dict) else schema)


def _shown(schema: Any) -> str:
    """A type in words, for messages."""
    match schema:
        case list():
            return " or ".join(map(_shown, schema))
        case {"logicalType": logical, "type": kind}:
            return f"{logical} ({kind})"
        case {"name": _, "type": kind}:
            return f"{kind} {_last_name(schema)}"
    return _kind(schema)


class _Resolution:
    """One walk over a reader's and a writer's schema; `names` resolve references, `_met` ends recursion."""

    def __init__(self, reader_names: Mapping[str, Any], writer_names: Mapping[str, Any]) -> None:
        self._reader_names, self._writer_names = reader_names, writer_names
        self._met: set[tuple[str, str]] = set()

    def problems(self, reader: Any, writer: Any, path: str) -> Iterator[Problem]:
        reader, writer = _named(reader, self._reader_names), _named(writer, self._writer_names)
        if isinstance(writer, list):
            for branch in writer:
                yield from self.problems(reader, branch, path)
        elif isinstance(reader, list):
            yield from self._branch(reader, writer, path)
        elif not _same_or_promoted(reader, writer):
            yield Problem(path, "type", f"{_shown(writer)} cannot be read as {_shown(reader)}")
        elif _kind(reader) in _NAMED:
            yield from self._named_type(reader, writer, path)
        else:
            for key in ("items", "values"):
                if isinstance(reader, dict) and key in reader:
                    yield from self.problems(reader[key], writer[key], f"{path}[]")

    def _branch(self, reader: list[Any], writer: Any, path: str) -> Iterator[Problem]:
        found = {index: list(self.problems(branch, writer, path)) for index, branch in enumerate(reader)}
        if not all(found.values()):
            return
        inner = [found[index] for index, branch in enumerate(reader) if _kind(_named(branch, self._reader_names)) == _kind(writer)]
        yield from inner[0] if inner else [Problem(path, "type", f"{_shown(writer)} cannot be read as {_shown(reader)}")]

    def _named_type(self, reader: Any, writer: Any, path: str) -> Iterator[Problem]:
        names = {name.rsplit(".", 1)[-1] for name in (reader["name"], *reader.get("aliases", ()))}
        if _last_name(writer) not in names:
            yield Problem(path, "name", f"{_shown(writer)} cannot be read as {_shown(reader)}")
        elif reader.get("size") != writer.get("size"):
            yield Problem(path, "type", f"{writer['size']} bytes cannot be read as {reader['size']}")
        elif unknown := [symbol for symbol in writer.get("symbols", ()) if symbol not in reader["symbols"] and "default" not in reader]:
            yield Problem(path, "symbols", f"the symbol {', '.join(unknown)} is unknown to the reader")
        elif (pair := (_last_name(reader), _last_name(writer))) not in self._met:
            self._met.add(pair)
            for field in reader.get("fields", ()):
                yield from self._field(field, writer, f"{path}.{field['name']}")

    def _field(self, field: Any, writer: Any, path: str) -> Iterator[Problem]:
        written = {other["name"]: other["type"] for other in writer["fields"]}
        for name in (field["name"], *field.get("aliases", ())):
            if name in written:
                yield from self.problems(field["type"], written[name], path)
                return
        if "default" not in field:
            yield Problem(path, "missing", "the reader needs it, and the writer does not write it")


def _named(schema: Any, names: Mapping[str, Any]) -> Any:
    return names.get(schema.rsplit(".", 1)[-1], schema) if isinstance(schema, str) else schema


def _same_or_promoted(reader: Any, writer: Any) -> bool:
    kinds = _kind(writer), _kind(reader)
    return (kinds[0] == kinds[1] or kinds in _PROMOTIONS) and _logical(reader) == _logical(writer)


def _logical(schema: Any) -> Any:
    return schema.get("logicalType") if isinstance(schema, dict) else None
