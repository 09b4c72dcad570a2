"""A web page with one article: title, main text and date, through trafilatura. By itself, or behind the entries of a feed of summaries."""

from __future__ import annotations

import html
import re
from dataclasses import replace

from connectors import _html
from connectors._connector import Cursor, Parsed, Payload, Refusal, Request
from connectors._items import address_of, known_options, origin_of
from connectors._origin import item_id
from connectors._sources import Source
from schemas.records import RawItem

ACCEPT = "text/html, application/xhtml+xml, */*;q=0.5"
_MARKUP = re.compile(rb"<\s*(?:!doctype\s+html|html|head|body|article|main|div|p|h1)\b", re.IGNORECASE)


def request(source: Source, cursor: Cursor) -> Request:
    """The page itself. Raises UsageError where the source has no url, or options."""
    known_options(source)
    return Request(address_of(source), {"accept": ACCEPT})


def parse(payload: Payload, source: Source) -> Parsed:
    """One item, whose id is the address that the source names. Raises Refusal `empty` or `no_html`, ReadError where there is no article."""
    page, address = _article(payload, source), address_of(source)
    return Parsed([replace(page, native_id=address, item_id=item_id(source.id, address))], {})


def full_text(item: RawItem, payload: Payload, source: Source) -> RawItem:
    """A feed's entry with the text of the page behind it, all else as its feed gives it; raises as `parse`. For a Sandbox.

    An article shorter than the summary is not what the summary is of (a cookie notice, a pay wall): the entry stays as it is.
    """
    page = _article(payload, source)
    if len(page.body) <= len(item.body):
        return item
    # A title that is HTML is kept as it is, so the text is made HTML too.
    text = f"<pre>{html.escape(page.body, quote=False)}</pre>" if item.content_type == "text/html" else page.body
    return replace(item, body=text, redirects=page.redirects, http=page.http, charset=page.charset, repairs=page.repairs)


def _article(payload: Payload, source: Source) -> RawItem:
    if not payload.body.strip():
        raise Refusal("empty", "the body is empty, where a page was asked for")
    if not _MARKUP.search(payload.body.replace(b"\0", b"")):
        raise Refusal("no_html", "is no web page, as it has no markup of one; look at what the address gives")
    origin = replace(origin_of(payload, source), url=payload.url)
    (page,) = _html.parse(payload.body, origin)
    return replace(page, redirects=payload.redirects)
