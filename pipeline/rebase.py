"""An archive's times moved as one: what was news then is news now."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from pipeline.dates import parse_published
from pipeline.normalise import first_seen
from schemas.records import RawItem


def rebase(item: RawItem, shift: timedelta) -> RawItem:
    """The item with every time of its own moved by `shift`, dates as ISO 8601 in UTC; what its words say stays.

    It is first seen just so much later. A date that cannot be read, and an item without any, stay as they are.
    """
    seen, source = first_seen(item)
    published, updated = (_moved(claim, item, shift) for claim in (item.published_raw, item.updated_raw))
    # The day of a post that the text quotes is in the text: what says it must be a date now.
    if source == "quoted_post":
        if _time(item.updated_raw, item):
            updated = _iso(seen + shift)
        else:
            published = _iso(seen + shift)
    kafka = item.kafka and replace(item.kafka, appended_at=item.kafka.appended_at + shift)
    fetched_at = item.fetched_at and item.fetched_at + shift
    return replace(item, fetched_at=fetched_at, published_raw=published, updated_raw=updated, kafka=kafka)


def _moved(claim: str | None, item: RawItem, shift: timedelta) -> str | None:
    time = _time(claim, item)
    return claim if time is None else _iso(time + shift)


def _time(claim: str | None, item: RawItem) -> datetime | None:
    return parse_published(claim or "", time_zone=item.time_zone, first_seen=None).time


def _iso(time: datetime) -> str:
    return time.isoformat().replace("+00:00", "Z")
