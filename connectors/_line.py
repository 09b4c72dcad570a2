"""Dijla's own JSON line: `{"id"?,"source"?,"title"?,"text","published"?,"url"?,"language"?,"publisher"?,"fetched_at"?}`."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from connectors._json import Json, packed
from connectors._origin import Origin, content_hash
from schemas.errors import ReadError
from schemas.records import RawItem

FIELDS = frozenset({"id", "source", "title", "text", "published", "url", "language", "publisher", "fetched_at"})


def item(record: Json, origin: Origin, *, position: int) -> RawItem:
    """The item of one line. Raises ReadError where a field has the wrong type or text is missing."""
    get = record.get
    text = get("text")
    if not isinstance(text, str):
        raise ReadError('has no "text" that is a string, and is no post of a known platform; docs/how-to-add.md lists the shapes')
    title, published, url = _string(get("title"), "title"), _string(get("published"), "published"), _string(get("url"), "url")
    native_id = _string(get("id"), "id")
    return origin.item(
        content_hash(title, text, published, url) if native_id is None else native_id,
        source_id=_string(get("source"), "source"),
        source_type="archive.line",
        title=title,
        body=text,
        published_raw=published,
        url=url,
        declared_language=_string(get("language"), "language"),
        publisher=_string(get("publisher"), "publisher"),
        fetched_at=_moment(get("fetched_at")),
        archive_position=position,
        original=b"" if record.keys() <= FIELDS else packed(record),
    )


def _string(value: Any, name: str) -> str | None:
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return str(value)
    raise ReadError(f'has a "{name}" that is no string')


def _moment(value: Any) -> datetime | None:
    if value is None:
        return None
    try:
        moment = datetime.fromisoformat(value)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except (TypeError, ValueError, OverflowError) as error:
        raise ReadError('has a "fetched_at" that is no ISO 8601 time') from error
