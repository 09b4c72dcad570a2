"""An archive's times moved as one."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from pipeline.normalise import UNKNOWN_TIME, first_seen
from pipeline.rebase import rebase
from schemas.records import KafkaPosition
from tests.pipeline.on_topics import START, an_item

SHIFT = timedelta(days=1000, seconds=7)
QUOTED = 'pic.twitter.com/abc — An Author (@author) December 20, 2020 "'


@pytest.mark.parametrize(
    "dates",
    [
        {"fetched_at": START, "published_raw": "Fri, 20 Nov 2026 09:00:00 +0300", "updated_raw": "2026-11-20T10:30:00.5Z"},
        {"fetched_at": START},
        {"published_raw": "2020-12-20"},
        {"published_raw": "2020-12"},
        {"published_raw": "2020-12-19", "updated_raw": "20 décembre 2020 18:30"},
        {"published_raw": "1608460200"},
        {"published_raw": "2020-12", "body": QUOTED},
        {"updated_raw": "2020-12", "published_raw": "2020-11-30", "body": QUOTED},
        {"published_raw": "2020-12-20 18:30", "time_zone": "Asia/Baghdad"},
        {"fetched_at": START, "kafka": KafkaPosition(topic="raw", partition=0, offset=1, appended_at=START - timedelta(minutes=1))},
    ],
)
def test_an_item_is_first_seen_just_so_much_later(dates: dict[str, object]) -> None:
    item = an_item(1, **{"fetched_at": None, **dates})
    seen, _ = first_seen(item)
    assert seen > UNKNOWN_TIME
    assert first_seen(rebase(item, SHIFT))[0] == seen + SHIFT
    assert replace(rebase(item, SHIFT), fetched_at=None, published_raw=None, updated_raw=None, kafka=None) == replace(
        item, fetched_at=None, published_raw=None, updated_raw=None, kafka=None
    )


def test_the_post_quoted_above_is_what_dates_it() -> None:
    assert first_seen(an_item(1, fetched_at=None, published_raw="2020-12", body=QUOTED)) == (datetime(2020, 12, 20, tzinfo=UTC), "quoted_post")


def test_dates_become_iso_in_utc() -> None:
    item = an_item(1, published_raw="Fri, 20 Nov 2026 09:00:00 +0300", updated_raw="yesterday or so")
    moved = rebase(item, timedelta(hours=1))
    assert (moved.published_raw, moved.updated_raw, moved.fetched_at) == (
        "2026-11-20T07:00:00Z",
        "yesterday or so",
        item.fetched_at and item.fetched_at + timedelta(hours=1),
    )


def test_an_item_without_a_date_stays_without_one() -> None:
    item = an_item(1, fetched_at=None)
    assert rebase(item, SHIFT) == item
    assert first_seen(item)[0] == datetime(1970, 1, 1, tzinfo=UTC)
