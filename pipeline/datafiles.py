"""Our own data files: languages, event types, places and concepts, read whole and hashed."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from hashlib import blake2b
from importlib.resources import files
from importlib.resources.abc import Traversable
from types import MappingProxyType
from typing import Any

import tomli  # compiled: a third of the time of tomllib, for 40 files that every worker reads

from schemas.errors import DataFileError

FAMILIES = ("languages", "events", "places")
DATA = files("pipeline")


def read_toml(path: Traversable) -> dict[str, Any]:
    """One data file. Raises DataFileError where it is no TOML."""
    try:
        return tomli.loads(path.read_text(encoding="utf8"))
    except (tomli.TOMLDecodeError, UnicodeDecodeError) as error:
        raise DataFileError(f"{path.name}: {error}") from None


@cache
def read_family(family: str) -> MappingProxyType[str, dict[str, Any]]:
    """File name without .toml -> content, in the order of the names. Raises DataFileError for the files that are no TOML, all at once."""
    tables: dict[str, dict[str, Any]] = {}
    errors: list[str] = []
    for path in _members(family):
        try:
            tables[path.name.removesuffix(".toml")] = read_toml(path)
        except DataFileError as error:
            errors.append(f"{family}/{error}")
    refuse(errors)
    return MappingProxyType(tables)


def content_hash() -> str:
    """16 hex digits over every data file: the lexicon version that records carry."""
    digest = blake2b(digest_size=8)
    for path in [DATA / "concepts.toml", *(path for family in FAMILIES for path in _members(family))]:
        digest.update(f"{path.name}\0".encode() + path.read_bytes() + b"\0")
    return digest.hexdigest()


def refuse(errors: Sequence[str]) -> None:
    """Raises one DataFileError that lists every error, if there are any."""
    if errors:
        raise DataFileError("the data files are wrong:\n" + "\n".join(f"  {error}" for error in errors))


def _members(family: str) -> list[Traversable]:
    return sorted((path for path in (DATA / family).iterdir() if path.name.endswith(".toml")), key=lambda path: path.name)
