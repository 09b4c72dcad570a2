"""XML feeds -> items: RSS 0.9 to 2.0, Atom and RDF, through feedparser."""

from __future__ import annotations

import html
import io
import re
import zlib
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import feedparser
import msgspec
from feedparser.util import FeedParserDict

from connectors._json import Json, as_list, as_object, as_text
from connectors._origin import Origin, content_hash
from connectors._text import Decoded, decode
from schemas.errors import ReadError
from schemas.records import DeadLetter, RawItem

_DECLARATION = re.compile(rb"""^\s*<\?xml[^>]{0,200}?encoding\s*=\s*["']([\w.:-]+)""")
_XML_ENCODING = re.compile(r"""(<\?xml[^>]{0,200}?)\s+encoding\s*=\s*["'][\w.:-]*["']""")
_REFERENCE = re.compile(r"&#(?:[xX][0-9a-fA-F]+|[0-9]+);")
_CDATA = re.compile(r"<!\[CDATA\[.*?(?:\]\]>|\Z)", re.DOTALL)
_TAG = re.compile(r"<(/?)([\w:.-]++)([^<>]*+)>")
_ENTRY = re.compile(r"<(?:\w+:)?(?:item|entry)\b", re.IGNORECASE)
_CLOSED = re.compile(r"</(?:\w+:)?(?:rss|rdf|feed|channel)\s*>\s*+(?:(?><!--.*?-->)\s*+)*+\Z", re.IGNORECASE | re.DOTALL)


def parse(data: bytes, origin: Origin) -> list[RawItem | DeadLetter]:
    """Items of an XML feed in its order; position = entry number from 0.

    Raises ReadError where it is no feed, has no entry, or declares entities.
    feedparser may raise anything, or take long: call it in a Sandbox.
    """
    items = entries(read(data, origin.charset), origin)
    if not items:
        raise ReadError("is a feed without entries")
    return items


def entries(decoded: Decoded, origin: Origin) -> list[RawItem | DeadLetter]:
    """Items of an XML feed that was read, none of an empty one; for the rest as `parse`."""
    text, truncated = _safe(decoded.text), not _CLOSED.search(decoded.text[-2000:])
    # In a stream, because feedparser tries bytes as the name of a file first.
    with _flat_copies():
        feed = feedparser.parse(
            io.BytesIO((_closed(text) if truncated else text).encode()),
            sanitize_html=False,
            resolve_relative_uris=False,
            response_headers={"content-type": "application/xml; charset=utf-8"},
        )
    if not feed.entries and not feed.version:
        raise ReadError("is XML, but no feed that can be read")
    if not feed.entries and (feed.bozo or truncated or _ENTRY.search(text)):
        raise ReadError("is a feed whose entries cannot be read: it is cut short, or not well-formed")
    if feed.version.startswith("rss"):
        _take_dublin_core_dates(feed.entries)
    # Plain dicts: the get() of feedparser's own is slow, and answers for `updated` with the published date.
    origin, about, found = origin.read_as(decoded), dict(feed.feed), [dict(entry) for entry in feed.entries]
    items: list[RawItem | DeadLetter] = [_item(entry, about, origin, position) for position, entry in enumerate(found)]
    if truncated:
        cut = replace(origin, repairs=(*origin.repairs, "truncated"))
        items[-1] = _item(found[-1], about, cut, len(items) - 1)
    return items


@contextmanager
def _flat_copies() -> Iterator[None]:
    """feedparser copies deeply the flat dict of each text: a tenth of its time."""
    FeedParserDict.__deepcopy__ = lambda fields, memo: FeedParserDict(fields)
    try:
        yield
    finally:
        del FeedParserDict.__deepcopy__


def read(data: bytes, charset: str | None = None) -> Decoded:
    """The text of a document, in the encoding that it declares, else in `charset`; without NUL. Never raises."""
    match = _DECLARATION.match(data)
    decoded = decode(data, match[1].decode() if match else charset)
    if "\0" not in decoded.text:
        return decoded
    return Decoded(decoded.text.replace("\0", ""), decoded.charset, (*decoded.repairs, "nul_removed"))


def _safe(text: str) -> str:
    """The text without what makes feedparser raise or expand; raises ReadError where it declares entities."""
    if "<!ENTITY" in prolog(text):
        raise ReadError("declares XML entities, as XML bombs do; remove the DOCTYPE's entity declarations")
    text = _XML_ENCODING.sub(r"\1", text, count=1)
    wrong = {reference for reference in set(_REFERENCE.findall(text)) if not _is_character(reference)}
    return _REFERENCE.sub(lambda match: "&#xFFFD;" if match[0] in wrong else match[0], text) if wrong else text


def _closed(text: str) -> str:
    """A text that was cut short, with the elements of its last entry closed, so that the parser keeps what there is of it."""
    start = max(text.rfind("<item"), text.rfind("<entry"), 0)
    markup = _CDATA.sub("", text[start:])
    tail = "]]>" if text.rfind("<![CDATA[") > text.rfind("]]>") else ""
    opened: list[str] = []
    depth: Counter[str] = Counter()
    for closing, name, rest in _TAG.findall(markup):
        if not closing and not rest.endswith("/"):
            opened.append(name)
            depth[name] += 1
        while closing and depth[name]:
            depth[ended := opened.pop()] -= 1
            if ended == name:
                break
    return text + tail + "".join(f"</{name}>" for name in reversed(opened))


def prolog(text: str) -> str:
    """Everything before the root element."""
    at = 0
    while (start := text.find("<", at)) >= 0:
        if text.startswith("<!--", start):
            at = text.find("-->", start)
        elif text.startswith("<?", start):
            at = text.find("?>", start)
        elif text.startswith("<!", start):
            at = _doctype_end(text, start)
        else:
            return text[:start]
        if at < 0:
            break
    return text


def _doctype_end(text: str, start: int) -> int:
    subset, end = text.find("[", start), text.find(">", start)
    if 0 <= subset < end:
        close = text.find("]", subset)
        return text.find(">", close) if close >= 0 else -1
    return end


def _is_character(reference: str) -> bool:
    digits = reference[2:-1].lower()
    code = int(digits.lstrip("x"), 16 if digits[0] == "x" else 10) if len(digits) < 10 else 0x110000
    return 0 < code < 0xD800 or 0xDFFF < code < 0x110000


def _item(entry: Json, feed: Json, origin: Origin, position: int) -> RawItem:
    heading, *bodies = (dict(as_object(detail)) for detail in (entry.get("title_detail"), *as_list(entry.get("content")), entry.get("summary_detail")))
    title, body, content_type = _content(heading, bodies)
    link, published, updated = entry.get("link"), entry.get("published") or entry.get("created"), entry.get("updated")
    return origin.item(
        as_text(entry.get("id")) or as_text(link) or content_hash(title, as_text(published or updated)),
        url=as_text(link) if link != entry.get("id") or "://" in str(link) else None,
        title=title,
        body=body,
        content_type=content_type,
        author=as_text(entry.get("author")),
        declared_language=_language([*bodies, heading, entry, feed]),
        published_raw=as_text(published),
        credit=as_text(as_object(entry.get("source")).get("title")),
        updated_raw=as_text(updated or (None if published else feed.get("updated") or feed.get("published"))),
        publisher=origin.publisher or as_text(as_object(entry.get("source")).get("title")) or as_text(feed.get("publisher")) or as_text(feed.get("title")),
        original=_packed(entry),
        archive_position=position,
    )


def _packed(entry: Json) -> bytes:
    given = {key: value for key, value in entry.items() if not key.endswith("_parsed")}
    # Less memory than the default's 256 KiB, which takes longer to set up than an entry to compress.
    packer = zlib.compressobj(1, memLevel=4)
    return packer.compress(msgspec.json.encode(given, enc_hook=str)) + packer.flush()


def _take_dublin_core_dates(entries: Any) -> None:
    """In RSS dc:date, which feedparser takes for an update, is the only date, so the published one."""
    for entry in entries:
        if "published" not in entry and "updated" in entry:
            entry["published"] = entry.pop("updated")


def _content(heading: Json, bodies: list[Json]) -> tuple[str | None, str, str]:
    """Title, body and their one media type; where only one of the two is HTML the other is escaped into it."""
    (title, title_marked), *found = (_marked_text(detail) for detail in (heading, *bodies))
    body, body_marked = max(found, key=lambda text: len(text[0] or ""))
    if title_marked == body_marked:
        return title, body or "", "text/html" if body_marked else "text/plain"
    title, body = (text if marked or text is None else html.escape(text, quote=False) for text, marked in ((title, title_marked), (body, body_marked)))
    return title, body or "", "text/html"


def _marked_text(detail: Json) -> tuple[str | None, bool]:
    """Its text, and whether that is HTML."""
    text = as_text(detail.get("value"))
    return text, text is not None and "html" in str(detail.get("type"))


def _language(details: list[Json]) -> str | None:
    return next((language for detail in details if (language := as_text(detail.get("language")))), None)
