"""Feeds as a window: ids that hold, edits only where the feed says so, refusals that say what came instead."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

import pytest

from connectors import rss
from connectors._connector import Parsed, Payload, Refusal
from connectors._origin import item_id
from connectors._sources import Source, source_of
from schemas.errors import ReadError, UsageError
from schemas.records import DeadLetter, RawItem

NOW = datetime(2026, 1, 2, tzinfo=UTC)


def a_source(**given: object) -> Source:
    return source_of({"id": "sample.outlet-a", "type": "rss", "url": "https://outlet-a.example/feed", **given})


def parse(body: str | bytes, cursor: Mapping[str, str] | None = None, headers: Mapping[str, str] | None = None, source: Source | None = None) -> Parsed:
    data = body if isinstance(body, bytes) else body.encode()
    payload = Payload(body=data, url="https://outlet-a.example/feed", fetched_at=NOW, cursor=cursor or {}, headers=headers or {})
    return rss.parse(payload, source or a_source())


def feed(*entries: str) -> str:
    return f'<rss version="2.0" xmlns:atom="http://www.w3.org/2005/Atom"><channel>{"".join(f"<item>{entry}</item>" for entry in entries)}</channel></rss>'


def items(parsed: Parsed) -> list[RawItem]:
    return [record for record in parsed.records if isinstance(record, RawItem)]


def ids(parsed: Parsed) -> list[str]:
    return [item.native_id for item in items(parsed)]


def test_request_is_the_url_and_no_option_is_known() -> None:
    assert rss.request(a_source(), {}).url == "https://outlet-a.example/feed"
    with pytest.raises(UsageError, match=r"sample\.outlet-a: options\.lang"):
        rss.request(a_source(options={"lang": "ar"}), {})
    with pytest.raises(UsageError, match="needs an address"):
        rss.request(a_source(url=None), {})


def test_records_come_oldest_first() -> None:
    assert ids(parse(feed("<guid>3</guid><title>c</title>", "<guid>2</guid><title>b</title>", "<guid>1</guid><title>a</title>"))) == ["1", "2", "3"]


def test_id_is_the_same_in_a_later_window() -> None:
    entries = [f"<guid>{n}</guid><title>{n}</title>" for n in range(5)]
    first, second = parse(feed(*entries[1:])), parse(feed(*entries[:4]))
    assert {item.item_id for item in items(first)} & {item.item_id for item in items(second)} == {item_id("sample.outlet-a", str(n)) for n in (1, 2, 3)}


@pytest.mark.parametrize(
    ("entry", "native_id", "url"),
    [
        ("<link>https://a.example/1</link><title>x</title>", "https://a.example/1", "https://a.example/1"),
        ("<guid>https://a.example/1</guid><title>x</title>", "https://a.example/1", "https://a.example/1"),
        ('<guid isPermaLink="false">a-1</guid><link>https://a.example/1</link><title>x</title>', "a-1", "https://a.example/1"),
        ("<guid>a-1</guid><title>x</title>", "a-1", None),
    ],
    ids=["no guid", "permalink", "no permalink", "permalink that is none"],
)
def test_native_id_and_url(entry: str, native_id: str, url: str | None) -> None:
    (item,) = items(parse(feed(entry)))
    assert (item.native_id, item.url) == (native_id, url)


def test_entry_without_guid_and_link_keeps_its_id() -> None:
    entry = "<title>Rockets</title><pubDate>Thu, 01 Jan 2026 22:10:00 +0300</pubDate>"
    assert ids(parse(feed(entry))) == ids(parse(feed("<guid>2</guid><title>x</title>", entry)))[:1]


def test_repeated_guid_gives_each_entry_an_id_that_it_keeps() -> None:
    one, two = ("<guid>same</guid><title>One</title>", "<guid>same</guid><title>Two</title>")
    both = parse(feed(two, one))
    assert len({item.item_id for item in items(both)}) == 2
    assert all(item.item_id == item_id(item.source_id, item.native_id) for item in items(both))
    alone = parse(feed(two), both.cursor)
    assert ids(alone) == ids(both)[1:]
    assert alone.cursor == both.cursor


def test_repeated_guid_and_title_are_told_apart_by_their_text() -> None:
    entries = [f"<guid>same</guid><title>Alert</title><description>Text {n}</description>" for n in range(2)]
    assert len(set(ids(parse(feed(*entries))))) == 2


def test_entry_listed_twice_is_one_item() -> None:
    entry = "<guid>same</guid><title>One</title>"
    assert set(ids(parse(feed(entry, entry)))) == {"same"}
    assert parse(feed(entry, entry)).cursor == {}


def test_cursor_stays_small() -> None:
    cursor: Mapping[str, str] = {}
    for poll in range(20):
        pairs = [f"<guid>{poll}-{n}</guid><title>{version}</title>" for n in range(50) for version in "ab"]
        cursor = parse(feed(*pairs), cursor).cursor
    assert len(str(cursor)) < 1_000


@pytest.mark.parametrize(
    ("published", "updated", "operation"),
    [
        ("Thu, 01 Jan 2026 22:10:00 +0300", "2026-01-01T23:00:00+03:00", "update"),
        ("Thu, 01 Jan 2026 22:10:00 +0300", "2026-01-01T19:10:00Z", "create"),
        ("Thu, 01 Jan 2026 22:10:00 +0300", "2026-01-01T18:00:00Z", "create"),
        ("Thu, 01 Jan 2026 22:10:00 +0300", "", "create"),
        ("1 كانون الثاني", "2026-01-01T18:00:00Z", "create"),
        ("Thu, 01 Jan 2026 22:10:00 +0300", "2026-01-01T23:00:00", "create"),
    ],
    ids=["later", "the same", "earlier", "none", "unreadable", "without a zone"],
)
def test_update_is_what_the_feed_says_was_changed_after_it_was_published(published: str, updated: str, operation: str) -> None:
    date = f"<atom:updated>{updated}</atom:updated>" if updated else ""
    (item,) = items(parse(feed(f"<guid>1</guid><title>x</title><pubDate>{published}</pubDate>{date}")))
    assert item.operation == operation


def test_entry_with_nothing_to_read_is_a_dead_letter_with_what_it_held() -> None:
    parsed = parse(feed("<guid>2</guid><title>x</title>", "<author>desk</author><title> </title>"))
    letter, item = parsed.records
    assert isinstance(item, RawItem)
    assert isinstance(letter, DeadLetter)
    assert b"desk" in letter.payload


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", "empty"),
        (b" \n\0", "empty"),
        (b"\xef\xbb\xbf", "empty"),
        (b"<html><body>x</body></html>", "html"),
        (b"<!-- a --><HTML>", "html"),
        ("<html>".encode("utf-16"), "html"),
    ],
)
def test_what_is_no_feed_is_refused_by_a_word(body: bytes, status: str) -> None:
    with pytest.raises(Refusal) as refused:
        parse(body)
    assert refused.value.status == status


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ("Service unavailable", "neither a feed nor"),
        ('{"ok": true}', "no JSON Feed"),
        ('<!DOCTYPE r [<!ENTITY a "b">]><rss version="2.0"/>', "declares XML entities"),
        (feed().removesuffix("</channel></rss>"), "cut short"),
        (feed("<title>x</title>").replace("item>", "ITEM-5>"), "entries cannot be read"),
    ],
)
def test_what_cannot_be_read_says_why(body: str, says: str) -> None:
    with pytest.raises(ReadError, match=says):
        parse(body)


@pytest.mark.parametrize(
    "body", [feed(), '<feed xmlns="http://www.w3.org/2005/Atom"><title>x</title></feed>', '{"version": "https://jsonfeed.org/version/1", "items": []}']
)
def test_empty_feed_is_no_failure(body: str) -> None:
    assert parse(body) == Parsed([], {})


def test_encoding_of_the_header_counts_where_the_feed_declares_none() -> None:
    body = feed("<guid>1</guid><title>Привет, Багдад</title>").encode("koi8-r")
    assert items(parse(body, headers={"content-type": "text/xml; charset=KOI8-R"}))[0].title == "Привет, Багдад"


def test_items_carry_their_source_and_what_the_server_said() -> None:
    source = a_source(language="ar", publisher="outlet-a", reliability="B", time_zone="Asia/Baghdad")
    headers = {"etag": '"1"', "set-cookie": "session=planted", "content-type": "text/xml"}
    (item,) = items(parse(feed("<guid>1</guid><title>x</title>"), headers=headers, source=source))
    assert (item.declared_language, item.publisher, item.source_reliability, item.time_zone) == ("ar", "outlet-a", "B", "Asia/Baghdad")
    assert item.http is not None
    assert dict(item.http.headers) == {"etag": '"1"', "content-type": "text/xml"}
    assert (item.source_type, item.mode, item.fetched_at, item.archive_position) == ("rss", "live", NOW, None)
