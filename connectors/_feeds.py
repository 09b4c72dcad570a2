"""XML feeds -> items: RSS 0.9 to 2.0, Atom and RDF, through feedparser."""

from __future__ import annotations

import html
import re
from dataclasses import replace
from typing import Any

import feedparser

from connectors._json import as_object, as_text, packed
from connectors._origin import Origin, content_hash
from connectors._text import Decoded, decode
from schemas.errors import ReadError
from schemas.records import DeadLetter, RawItem

_DECLARATION = re.compile(rb"""^\s*<\?xml[^>]{0,200}?encoding\s*=\s*["']([\w.:-]+)""")
_XML_ENCODING = re.compile(r"""(<\?xml[^>]{0,200}?)\s+encoding\s*=\s*["'][\w.:-]*["']""")
_REFERENCE = re.compile(r"&#(?:[xX]([0-9a-fA-F]+)|([0-9]+));")
_CDATA = re.compile(r"<!\[CDATA\[.*?(?:\]\]>|\Z)", re.DOTALL)
_TAG = re.compile(r"<(/?)([\w:.-]+)[^<>]*?(/?)>")
_CLOSED = re.compile(r"</(?:\w+:)?(?:rss|rdf|feed|channel)\s*>\s*(?:<!--.*?-->\s*)*$", re.IGNORECASE | re.DOTALL)


def parse(data: bytes, origin: Origin) -> list[RawItem | DeadLetter]:
    """Items of an XML feed in its order; position = entry number from 0.

    Raises ReadError where it is no feed, has no entry, or declares entities.
    feedparser may raise anything, or take long: call it in a Sandbox.
    """
    decoded = _read(data, origin)
    text, truncated = _safe(decoded.text), not _CLOSED.search(decoded.text[-2000:])
    feed = feedparser.parse(
        (_closed(text) if truncated else text).encode(),
        sanitize_html=False,
        resolve_relative_uris=False,
        response_headers={"content-type": "application/xml; charset=utf-8"},
    )
    if not feed.entries:
        raise ReadError("is a feed without entries" if feed.version else "is XML, but no feed that can be read")
    if feed.version.startswith("rss"):
        _take_dublin_core_dates(feed.entries)
    origin = origin.read_as(decoded)
    items: list[RawItem | DeadLetter] = [_item(entry, feed.feed, origin, position) for position, entry in enumerate(feed.entries)]
    if truncated:
        cut = replace(origin, repairs=(*origin.repairs, "truncated"))
        items[-1] = _item(feed.entries[-1], feed.feed, cut, len(items) - 1)
    return items


def _read(data: bytes, origin: Origin) -> Decoded:
    match = _DECLARATION.match(data)
    decoded = decode(data, match[1].decode() if match else origin.charset)
    if "\0" not in decoded.text:
        return decoded
    return Decoded(decoded.text.replace("\0", ""), decoded.charset, (*decoded.repairs, "nul_removed"))


def _safe(text: str) -> str:
    """The text without what makes feedparser raise or expand; raises ReadError where it declares entities."""
    if "<!ENTITY" in _prolog(text):
        raise ReadError("declares XML entities, as XML bombs do; remove the DOCTYPE's entity declarations")
    return _REFERENCE.sub(_mend_reference, _XML_ENCODING.sub(r"\1", text, count=1))


def _closed(text: str) -> str:
    """A text that was cut short, with the elements of its last entry closed, so that the parser keeps what there is of it."""
    start = max(text.rfind("<item"), text.rfind("<entry"), 0)
    markup = _CDATA.sub("", text[start:])
    tail = "]]>" if text.rfind("<![CDATA[") > text.rfind("]]>") else ""
    opened: list[str] = []
    for closing, name, empty in _TAG.findall(markup):
        if not closing and not empty:
            opened.append(name)
        elif closing and name in opened:
            del opened[len(opened) - 1 - opened[::-1].index(name) :]
    return text + tail + "".join(f"</{name}>" for name in reversed(opened))


def _prolog(text: str) -> str:
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


def _mend_reference(match: re.Match[str]) -> str:
    digits = match[1] or match[2]
    code = int(digits, 16 if match[1] else 10) if len(digits) < 9 else 0x110000
    return "&#xFFFD;" if code == 0 or 0xD800 <= code <= 0xDFFF or code > 0x10FFFF else match[0]


def _item(entry: Any, feed: Any, origin: Origin, position: int) -> RawItem:
    title, body, content_type = _content(entry)
    link, published, updated = entry.get("link"), entry.get("published") or entry.get("created"), _updated(entry)
    source = as_object(entry.get("source"))
    return origin.item(
        as_text(entry.get("id")) or as_text(link) or content_hash(title, published or updated),
        url=as_text(link) if link != entry.get("id") or "://" in str(link) else None,
        title=title,
        body=body,
        content_type=content_type,
        author=as_text(entry.get("author")),
        declared_language=as_text(_language(entry, feed)),
        published_raw=as_text(published),
        updated_raw=as_text(updated or (None if published else _updated(feed) or feed.get("published"))),
        publisher=origin.publisher or as_text(source.get("title")) or as_text(feed.get("publisher")) or as_text(feed.get("title")),
        original=packed({key: value for key, value in entry.items() if not key.endswith("_parsed")}),
        archive_position=position,
    )


def _updated(fields: Any) -> Any:
    # feedparser's own get() answers with the published date where there is no updated one.
    return dict.get(fields, "updated")


def _take_dublin_core_dates(entries: Any) -> None:
    """In RSS dc:date, which feedparser takes for an update, is the only date, so the published one."""
    for entry in entries:
        if "published" not in entry and _updated(entry):
            entry["published"] = entry.pop("updated")


def _content(entry: Any) -> tuple[str | None, str, str]:
    """Title, body and their one media type; where only one of the two is HTML the other is escaped into it."""
    bodies = [*(entry.get("content") or []), entry.get("summary_detail") or {}]
    chosen = max(bodies, key=lambda body: len(body.get("value") or ""))
    parts = [as_object(entry.get("title_detail")), as_object(chosen)]
    texts = [as_text(part.get("value")) for part in parts]
    marked = [bool(text) and "html" in (as_text(part.get("type")) or "") for part, text in zip(parts, texts, strict=True)]
    if not any(marked):
        return texts[0], texts[1] or "", "text/plain"
    title, body = (text if is_html or text is None else html.escape(text, quote=False) for text, is_html in zip(texts, marked, strict=True))
    return title, body or "", "text/html"


def _language(entry: Any, feed: Any) -> Any:
    details = [*(entry.get("content") or []), entry.get("summary_detail") or {}, entry.get("title_detail") or {}]
    return next((detail["language"] for detail in details if detail.get("language")), entry.get("language") or feed.get("language"))
