"""A web page -> one item: title, main text and date, through trafilatura."""

from __future__ import annotations

import re
from typing import Any

import trafilatura

from connectors._origin import Origin
from connectors._text import decode
from schemas.errors import ReadError
from schemas.records import RawItem

_META_CHARSET = re.compile(rb"""<meta[^>]{0,200}?charset\s*=\s*["']?\s*([\w.:-]+)""", re.IGNORECASE)
_PUBLISHED = (
    "//meta[@property='article:published_time']/@content",
    "//meta[@itemprop='datePublished']/@content",
    "//*[@itemprop='datePublished']/@datetime",
    "//meta[@name='date' or @name='pubdate' or @name='DC.date.issued']/@content",
    "//article//time/@datetime",
    "//time[@pubdate]/@datetime",
)
_LD_DATE = re.compile(r'"datePublished"\s*:\s*"([^"]{4,40})"')
_UPDATED = ("//meta[@property='article:modified_time']/@content", "//meta[@itemprop='dateModified']/@content")
_ADDRESS = ("//link[@rel='canonical']/@href", "//meta[@property='og:url']/@content")


def parse(data: bytes, origin: Origin) -> list[RawItem]:
    """The article of a page; native_id = its address where it is known, else its source's id.

    Raises ReadError where there is no text to read. trafilatura may raise anything, or take long: call it in a Sandbox.
    """
    match = _META_CHARSET.search(data[:4096])
    decoded = decode(data, origin.charset or (match[1].decode() if match else None))
    tree = trafilatura.load_html(decoded.text.replace("\0", ""))
    if tree is None:
        raise ReadError("is HTML that cannot be parsed")
    published = _first(tree, _PUBLISHED) or _linked_data_date(decoded.text)
    updated, address = _first(tree, _UPDATED), origin.url or _first(tree, _ADDRESS)
    page: Any = trafilatura.bare_extraction(tree, url=address, include_comments=False, with_metadata=True)
    if page is None or not page.text:
        raise ReadError("is a page without an article in it")
    item = origin.read_as(decoded).item(
        address or origin.source_id,
        url=address,
        title=page.title or None,
        body=page.text.removeprefix(page.title or "").lstrip() or page.text,
        author=page.author or None,
        publisher=origin.publisher or page.sitename or None,
        declared_language=_first(tree, ("/html/@lang",)),
        published_raw=published or page.date or None,
        updated_raw=updated,
        archive_position=0,
    )
    return [item]


def _first(tree: Any, paths: tuple[str, ...]) -> str | None:
    found = (str(value).strip() for path in paths for value in tree.xpath(path))
    return next((value for value in found if value), None)


def _linked_data_date(text: str) -> str | None:
    match = _LD_DATE.search(text)
    return match[1] if match else None
