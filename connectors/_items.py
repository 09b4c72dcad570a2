"""What the items of one payload have in common: its source, and what the server said with it."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from dataclasses import fields as dataclass_fields
from typing import Any

from connectors._connector import Payload
from connectors._origin import Origin
from connectors._sources import HEADER, QUERY, Source
from schemas.errors import UsageError
from schemas.records import HttpFacts, RawItem

_KEPT = ("etag", "last-modified", "content-type", "date", "server")
_CHARSET = re.compile(r"""charset\s*=\s*["']?([\w.:-]+)""", re.IGNORECASE | re.ASCII)


@dataclass(frozen=True, kw_only=True)
class LiveOrigin(Origin):
    """The origin of what a connector fetched: all its items are of the connector's type, and lie in no file."""

    declared_language: str | None = None

    def item(self, native_id: str, **given: Any) -> RawItem:
        """A RawItem from here, as Origin.item gives it; the source's language where the item declares none."""
        given.update(source_type=self.source_type, archive_position=None)
        return super().item(native_id, **given)


def origin_of(payload: Payload, source: Source) -> Origin:
    """Where the items of `payload` come from: `origin.item(...)` makes them. Time is the payload's; `url` stays None: it may hold a secret."""
    common = source.origin(payload.fetched_at)
    given = {field.name: getattr(common, field.name) for field in dataclass_fields(Origin)}
    kept = {name: payload.headers[name] for name in _KEPT if name in payload.headers}
    live = {"mode": "live", "http": HttpFacts(status=payload.status, headers=kept), "charset": _charset(payload), "declared_language": source.language}
    return LiveOrigin(**{**given, **live})


def known_options(source: Source, *names: str, secrets: Collection[str] = ()) -> None:
    """Raises UsageError that lists the options and secrets of the source which its connector does not know."""
    own = [name for name in source.secrets if not name.startswith((HEADER, QUERY))]
    wrong = [*_unknown(source, "options", source.options, names), *_unknown(source, "secrets", own, secrets)]
    if wrong:
        raise UsageError(f"source {source.id}: {'; '.join(wrong)}")


def _unknown(source: Source, table: str, given: Iterable[str], known: Collection[str]) -> list[str]:
    knows = f"knows only {', '.join(known)}" if known else "has none"
    return [f"{table}.{name}: connector {source.type} {knows}; remove it" for name in sorted(set(given) - set(known))]


def address_of(source: Source) -> str:
    """The source's url. Raises UsageError where it has none."""
    if source.url is None:
        raise UsageError(f'source {source.id}: connector {source.type} needs an address: set url = "https://..."')
    return source.url


def _charset(payload: Payload) -> str | None:
    match = _CHARSET.search(payload.headers.get("content-type", ""))
    return match[1] if match else None
