"""JSON Feed -> items (https://www.jsonfeed.org/version/1.1/)."""

from __future__ import annotations

import html
from collections.abc import Iterator
from typing import Any

from connectors._json import Json, as_list, as_object, as_text, dumps, packed
from connectors._origin import Origin, content_hash
from schemas.errors import ReadError
from schemas.records import DeadLetter, RawItem


def recognises(document: Any) -> bool:
    """Whether a JSON value is a JSON Feed."""
    return isinstance(document, dict) and "jsonfeed.org" in str(document.get("version"))


def items(document: Json, origin: Origin) -> Iterator[RawItem | DeadLetter]:
    """Items of a feed in its order; position = entry number from 0."""
    for position, entry in enumerate(as_list(document.get("items"))):
        if isinstance(entry, dict):
            yield _item(entry, document, origin, position)
        else:
            yield origin.dead_letter(ReadError("is no object, so no JSON Feed item"), dumps(entry), position=position)


def _item(entry: Json, feed: Json, origin: Origin, position: int) -> RawItem:
    markup, title = as_text(entry.get("content_html")), as_text(entry.get("title"))
    body = markup or as_text(entry.get("content_text")) or as_text(entry.get("summary"))
    published, updated = as_text(entry.get("date_published")), as_text(entry.get("date_modified"))
    author = as_object(next(iter(as_list(entry.get("authors"))), entry.get("author")))
    return origin.item(
        as_text(entry.get("id")) or as_text(entry.get("url")) or content_hash(title, body, published or updated),
        url=as_text(entry.get("url")) or as_text(entry.get("external_url")),
        title=html.escape(title, quote=False) if title and markup else title,
        body=body,
        content_type="text/html" if markup else "text/plain",
        author=as_text(author.get("name")),
        declared_language=as_text(entry.get("language")) or as_text(feed.get("language")),
        published_raw=published,
        updated_raw=updated,
        publisher=origin.publisher or as_text(feed.get("title")),
        original=packed(entry),
        archive_position=position,
    )
