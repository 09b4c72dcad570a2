"""The sources file: TOML, one `[[sources]]` table each. Every error of it is told at once, those that only a connector sees among them."""

from __future__ import annotations

import difflib
import re
import tomllib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from pydantic import ValidationError

from connectors._connector import StreamConnector, connector
from connectors._failure import secret_parameters
from connectors._sources import SecretError, Source, told
from schemas.errors import UsageError

_SECRET_HEADER = re.compile(r"authorization|cookie|token|secret|passw|api-?key", re.IGNORECASE)


def load(file: Path) -> list[Source]:
    """The sources of a file. Raises UsageError: one message that lists every error, each with its source. Secrets that are not set are none."""
    try:
        content = tomllib.loads(file.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise UsageError(f"{file}: cannot be read: {error.strerror}") from error
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise UsageError(f"{file}: is no TOML: {error}") from error
    tables, strays = content.pop("sources", []), list(_strays(content))
    if not isinstance(tables, list) or not (tables or strays):
        strays.append("must hold [[sources]] tables, at least one")
    return checked([*(tables if isinstance(tables, list) else ()), *_misspelt(content)], str(file), strays)


def checked(tables: Sequence[Any], where: str, found: Sequence[str] = ()) -> list[Source]:
    """The sources of tables. Raises UsageError as `load` does; `found` are errors that are known already."""
    sources: list[Source] = []
    problems = list(found)
    for number, table in enumerate(tables, start=1):
        name = _id_of(table) or f"number {number}"
        try:
            source = Source.model_validate(table)
        except ValidationError as error:
            problems += [f"{name}: {line}" for line in told(error)]
        else:
            sources.append(source)
            problems += [f"{name}: {line}" for line in (*_shown_secrets(source), *_wrong(source))]
        problems += [f"{name}: type: {line}" for line in _no_connector(table)]
    if problems := [*problems, *_doubled(tables)]:
        raise UsageError("\n  ".join([f"{where}: wrong sources:", *problems]))
    return sources


def unusable(source: Source) -> str:
    """Why a source cannot be asked with this environment: which secrets are not there, or not what they must be. Empty where it can be."""
    reasons = [str(error) for error in (*_unset(source), *_objections(source)) if isinstance(error, SecretError)]
    return "; ".join(dict.fromkeys(_bare(reason, source) for reason in reasons))


def _strays(content: Mapping[str, Any]) -> Iterator[str]:
    """What is wrong with each key that is not `sources`."""
    for key, value in content.items():
        written = f"[[{key}]]" if isinstance(value, list) else f"[{key}]" if isinstance(value, dict) else key
        yield f"{written}: unknown; " + ("did you mean [[sources]]?" if _is_like_ours(key) else "the file holds [[sources]] tables alone")


def _misspelt(content: Mapping[str, Any]) -> Iterator[Any]:
    """The tables under names that are nearly `sources`: what is wrong with them is told too."""
    for key, value in content.items():
        if _is_like_ours(key):
            yield from value if isinstance(value, list) else ()


def _is_like_ours(key: str) -> bool:
    return bool(difflib.get_close_matches(key.lower(), ["sources"]))


def _no_connector(table: Any) -> Iterator[str]:
    kind = table.get("type") if isinstance(table, dict) else None
    try:
        if isinstance(kind, str):
            connector(kind)
    except UsageError as error:
        yield str(error)


def _wrong(source: Source) -> list[str]:
    """What its connector cannot do anything with."""
    return list(dict.fromkeys(_bare(str(error), source) for error in _objections(source) if not isinstance(error, SecretError)))


def _objections(source: Source) -> Iterator[UsageError]:
    try:
        asks = connector(source.type)
    except UsageError:
        return  # what _no_connector tells
    for ask in (asks.request, *((asks.subscribe,) if isinstance(asks, StreamConnector) else ())):
        try:
            ask(source, {})
        except UsageError as error:
            yield error


def _unset(source: Source) -> Iterator[SecretError]:
    for name in source.secrets:
        try:
            source.secret(name)
        except SecretError as error:
            yield error


def _bare(message: str, source: Source) -> str:
    return message.removeprefix(f"source {source.id}: ")


def _id_of(table: Any) -> str | None:
    given = table.get("id") if isinstance(table, dict) else None
    return given if isinstance(given, str) and given.isprintable() else None


def _doubled(tables: Sequence[Any]) -> Iterator[str]:
    for name, count in Counter(map(_id_of, tables)).items():
        if name and count > 1:
            yield f"{name}: {count} sources have this id: items of one would be taken for the other's"


def _shown_secrets(source: Source) -> Iterator[str]:
    if source.url and "@" in urlsplit(source.url).netloc:
        yield 'url: holds a user\'s name or password; name them under secrets: "header.Authorization" = "VARIABLE", which holds Basic and their Base64'
    for name in secret_parameters(source.url or ""):
        yield f'url: its parameter {name} is called like a secret; take it out, and name it under secrets: "query.{name}" = "VARIABLE"'
    for name in filter(_SECRET_HEADER.search, source.headers):
        yield f'headers.{name}: is for a secret; name it under secrets: "header.{name}" = "VARIABLE"'
