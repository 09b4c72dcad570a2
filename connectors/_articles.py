"""The articles behind the items of a feed that gives summaries only."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from urllib.parse import urlsplit

from connectors import webpage
from connectors._http import FetchFailed, Http
from connectors._reader import SandboxReader
from connectors._sources import Source, source_of
from schemas.errors import ReadError, UsageError
from schemas.records import DeadLetter, RawItem

_AT_ONCE = 4
MISSING = "full_text_missing"
"""Among an item's repairs: its article could not be had; it keeps its summary."""


async def with_full_texts(
    records: Sequence[RawItem | DeadLetter], source: Source, http: Http, reader: SandboxReader, *, seconds: float
) -> list[RawItem | DeadLetter]:
    """The records, each item with the text of its page where that is longer; for so many seconds, then without."""
    slots = asyncio.Semaphore(_AT_ONCE)
    end = asyncio.get_running_loop().time() + seconds

    async def complete(record: RawItem | DeadLetter) -> RawItem | DeadLetter:
        if isinstance(record, DeadLetter) or not record.url:
            return record
        async with slots:
            try:
                async with asyncio.timeout_at(end):
                    return await _complete(record, record.url, source, http, reader, deadline=seconds)
            except (TimeoutError, FetchFailed, ReadError, UsageError):
                return replace(record, repairs=(*record.repairs, MISSING))

    return list(await asyncio.gather(*map(complete, records)))


async def _complete(item: RawItem, url: str, source: Source, http: Http, reader: SandboxReader, *, deadline: float) -> RawItem:
    is_ours = source.allow_private and urlsplit(url).netloc == urlsplit(source.url or "").netloc
    page = source_of({"id": source.id, "type": "webpage", "url": url, "allow_private": is_ours})
    payload = await http.fetch(webpage.request(page, {}), page, {}, deadline=max(0.1, deadline))
    return await reader.full_text(item, payload, page)
