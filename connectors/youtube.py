"""YouTube: the last 15 videos of a channel or playlist, by its public feed. Source: https://developers.google.com/youtube/v3/guides/push_notifications."""

from __future__ import annotations

import html
import re
from dataclasses import replace
from urllib.parse import urlencode

from connectors import rss
from connectors._connector import Cursor, Parsed, Payload, Request
from connectors._items import known_options
from connectors._sources import Source
from schemas.errors import UsageError
from schemas.records import DeadLetter, RawItem

FEEDS = "https://www.youtube.com/feeds/videos.xml"
_IDS = {"channel": re.compile(r"UC[\w-]{22}", re.ASCII), "playlist": re.compile(r"[A-Z]{2}[\w-]{8,60}", re.ASCII)}


def request(source: Source, cursor: Cursor) -> Request:
    """The feed of options.channel or options.playlist, at `url` where there is one. Raises UsageError where neither, or both, are given."""
    known_options(source, *_IDS)
    if len(source.options) != 1:
        raise UsageError(f"source {source.id}: give one of options.channel and options.playlist")
    ((kind, given),) = source.options.items()
    if not isinstance(given, str) or not _IDS[kind].fullmatch(given):
        example = (
            "UC and 22 letters or digits; a handle (@name) is none, its page's source names it"
            if kind == "channel"
            else "as PL..., behind list= in its address"
        )
        raise UsageError(f"source {source.id}: options.{kind} {given!r} is no id of a {kind}: {example}")
    return Request(f"{source.url or FEEDS}?{urlencode({f'{kind}_id': given})}", {"accept": rss.ACCEPT})


def parse(payload: Payload, source: Source) -> Parsed:
    """Its videos, the description as their text. Raises as rss does."""
    parsed = rss.parse(payload, source)
    return parsed._replace(records=[_video(record) for record in parsed.records])


def _video(record: RawItem | DeadLetter) -> RawItem | DeadLetter:
    if isinstance(record, DeadLetter):
        return record
    # feedparser takes a description, which is plain text, for HTML, and so its title is escaped.
    title = html.unescape(record.title) if record.title and record.content_type == "text/html" else record.title
    # A video's `updated` moves with its count of views: it tells of no edit, and would make each poll's videos new.
    return replace(record, title=title, content_type="text/plain", operation="create", updated_raw=None)
