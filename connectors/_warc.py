"""WARC crawls -> the payloads of their responses (ISO 28500)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from typing import BinaryIO

from warcio.archiveiterator import ArchiveIterator
from warcio.exceptions import ArchiveLoadFailed
from warcio.recordloader import ArcWarcRecord

from connectors._origin import Origin
from schemas.errors import ReadError
from schemas.records import HttpFacts

# warcio means to raise the first; the others are what missing or absurd header fields make of its parser.
_WARCIO_RAISES = (ArchiveLoadFailed, EOFError, ValueError, AttributeError, TypeError, IndexError, KeyError)
_KEPT = ("content-type", "date", "etag", "last-modified")
_ENDINGS = {"html": ".html", "xml": ".xml", "rss": ".xml", "atom": ".xml", "json": ".json", "text/plain": ".txt"}


@dataclass(frozen=True, slots=True)
class Payload:
    """What a server answered: a name whose ending tells the media type, the bytes as a stream, and the origin of what they hold."""

    name: str
    stream: BinaryIO
    origin: Origin


def payloads(stream: BinaryIO, origin: Origin) -> Iterator[Payload]:
    """Readable payloads of the responses and resources in order; images, redirects, errors and requests are passed over.

    Raises ReadError where the file is damaged.
    """
    try:
        for record in ArchiveIterator(stream):
            payload = _payload(record, origin)
            if payload:
                yield payload
    except _WARCIO_RAISES as error:
        raise ReadError(f"is a damaged WARC file: {error}; the records before the damage were read") from error


def _payload(record: ArcWarcRecord, origin: Origin) -> Payload | None:
    url = record.rec_headers.get_header("WARC-Target-URI")
    if record.rec_type not in ("response", "resource") or not url:
        return None
    headers = record.http_headers.headers if record.http_headers else [("content-type", record.content_type or "")]
    facts = {name.lower(): value for name, value in headers if name.lower() in _KEPT}
    status = int(record.http_headers.get_statuscode() or 0) if record.http_headers else 0
    media_type, _, parameters = facts.get("content-type", "").lower().partition(";")
    ending = next((ending for kind, ending in _ENDINGS.items() if kind in media_type), None)
    if status not in (0, 200) or not ending:
        return None
    inner = replace(
        origin.inside(url),
        url=url,
        charset=parameters.partition("charset=")[2].strip(" \"'") or None,
        fetched_at=_moment(record.rec_headers.get_header("WARC-Date")),
        http=HttpFacts(status=status, headers=facts) if status else None,
    )
    return Payload(url + ending, record.content_stream(), inner)


def _moment(value: str | None) -> datetime | None:
    try:
        return datetime.fromisoformat(value) if value else None
    except ValueError:
        return None
