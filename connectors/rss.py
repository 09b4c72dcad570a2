"""Feeds: RSS 0.9 to 2.0, RDF, Atom and JSON Feed, told apart by what they hold, not by what the server calls them.

A feed is a window of the last entries, newest first; it has no cursor of its own. Source: https://www.rssboard.org/rss-specification,
https://www.rfc-editor.org/rfc/rfc4287, https://www.jsonfeed.org/version/1.1/.
"""

from __future__ import annotations

import re
import zlib
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from email.utils import parsedate_to_datetime

from connectors import _feeds, _json_feed
from connectors._connector import Cursor, Parsed, Payload, Refusal, Request
from connectors._items import address_of, known_options, origin_of
from connectors._json import as_object, loads
from connectors._origin import Origin, content_hash, item_id
from connectors._sources import Source
from connectors._text import Decoded
from schemas.errors import ReadError
from schemas.records import DeadLetter, RawItem

ACCEPT = "application/atom+xml, application/rss+xml, application/rdf+xml, application/feed+json, application/xml;q=0.9, */*;q=0.5"
_ROOT = re.compile(r"<(?:[\w.-]+:)?(rss|rdf|feed|channel|html|head|body|script)\b", re.IGNORECASE)
_HTML = ("html", "head", "body", "script")
_REPEATED = "repeated"
_REMEMBERED = 50


def request(source: Source, cursor: Cursor) -> Request:
    """The feed itself. Raises UsageError where the source has no url, or options."""
    known_options(source)
    return Request(address_of(source), {"accept": ACCEPT})


def parse(payload: Payload, source: Source) -> Parsed:
    """Its entries; none where it is a valid feed that is empty. An entry with nothing to read in it is a dead letter.

    Raises Refusal `empty` or `html`, ReadError where it is no feed or declares entities. feedparser may raise anything: call it in a Sandbox.
    """
    origin = origin_of(payload, source)
    decoded = _feeds.read(payload.body, origin.charset)
    records = [_usable(record, origin) for record in reversed(_records(decoded, origin))]
    return _told_apart(records, payload.cursor)


def _records(decoded: Decoded, origin: Origin) -> list[RawItem | DeadLetter]:
    text = decoded.text.lstrip("\ufeff \t\r\n")
    if not text:
        raise Refusal("empty", "the body is empty, where a feed was asked for")
    if text[0] in "{[":
        return list(_json_items(text, origin.read_as(decoded)))
    root = _ROOT.search(text, len(_feeds.prolog(text)))
    if root and root[1].lower() in _HTML:
        raise Refusal("html", "is a web page, no feed: a challenge, an error or a moved feed; open the address in a browser")
    if not root:
        raise ReadError("is neither a feed nor a web page; look at what the address gives")
    return _feeds.entries(replace(decoded, text=text), origin)


def _json_items(text: str, origin: Origin) -> Iterator[RawItem | DeadLetter]:
    document = loads(text)
    if not isinstance(as_object(document).get("items"), list):
        raise ReadError("is JSON, but no JSON Feed, which has items; look for another connector")
    return _json_feed.items(document, origin)


def _usable(record: RawItem | DeadLetter, origin: Origin) -> RawItem | DeadLetter:
    if isinstance(record, DeadLetter):
        return record
    if not (record.body.strip() or record.url or (record.title or "").strip()):
        return origin.dead_letter(ReadError("is an entry without title, text and link"), zlib.decompress(record.original))
    return replace(record, operation="update") if _is_later(record.updated_raw, record.published_raw) else record


def _is_later(updated: str | None, published: str | None) -> bool:
    """Whether a feed says that an entry was changed after it was published; not where a date is one that only its source understands."""
    if updated is None or published is None or updated == published:
        return False
    try:
        return _moment(updated) > _moment(published)
    except (ValueError, TypeError, OverflowError):
        return False


def _moment(date: str) -> datetime:
    return datetime.fromisoformat(date.strip()) if date[:4].isdigit() else parsedate_to_datetime(date)


def _told_apart(records: Sequence[RawItem | DeadLetter], cursor: Cursor) -> Parsed:
    """The records, entries that share an id with another one given ids of their own: by what they are called, else by what they say.

    The cursor remembers the last such ids, so that an entry keeps its own when the others have left the window.
    """
    known = cursor.get(_REPEATED, "").split()
    ids = [record.native_id for record in records if isinstance(record, RawItem)]
    if not known and len(set(ids)) == len(ids):
        return Parsed(records, {})
    for said in (_heading, _wording):
        said_by: defaultdict[str, set[str]] = defaultdict(set)
        for record in records:
            if isinstance(record, RawItem):
                said_by[record.native_id].add(said(record))
        repeated = {native_id for native_id, versions in said_by.items() if len(versions) > 1 or _digest(native_id) in known}
        if repeated:
            records = [_renamed(record, said(record)) if isinstance(record, RawItem) and record.native_id in repeated else record for record in records]
            known = list(dict.fromkeys([*known, *sorted(map(_digest, repeated))]))[-_REMEMBERED:]
    return Parsed(records, {_REPEATED: " ".join(known)} if known else {})


def _heading(item: RawItem) -> str:
    return _digest(item.url, item.title, item.published_raw)


def _wording(item: RawItem) -> str:
    return _digest(item.body)


def _digest(*parts: str | None) -> str:
    return content_hash(*parts)[:12]


def _renamed(item: RawItem, said: str) -> RawItem:
    native_id = f"{item.native_id}#{said}"
    return replace(item, native_id=native_id, item_id=item_id(item.source_id, native_id))
