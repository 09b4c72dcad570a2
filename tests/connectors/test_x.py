"""The X connector against a server that speaks as the filtered stream does."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Any

import httpx
import pytest

from connectors import x
from connectors._connector import Parsed, Payload, Refusal, StreamConnector
from connectors._json import dumps
from connectors._retry_after import retry_after
from connectors._sources import Source
from schemas.errors import ReadError, UsageError
from schemas.records import RawItem
from tests.connectors.servers.x import DISCONNECT, TOKEN, X, a_post
from tests.connectors.visits import NOW, a_source, follow


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[X]:
    monkeypatch.setenv("SAMPLE_TOKEN", TOKEN)
    with X().running() as running:
        yield running


def source(server: X, **options: Any) -> Source:
    return a_source("x", server.url, secrets={"token": "SAMPLE_TOKEN"}, **options)


def parse(message: Any) -> Parsed:
    body = message if isinstance(message, bytes) else dumps(message)
    return x.parse(Payload(body=body, url="https://api.x.com/2/tweets/search/stream", fetched_at=NOW, cursor={"last": "9"}), a_source("x", None))


def item(message: Any) -> RawItem:
    (record,) = parse(message).records
    assert isinstance(record, RawItem)
    return record


def items(found: list[Parsed]) -> list[RawItem]:
    return [record for parsed in found for record in parsed.records if isinstance(record, RawItem)]


def test_posts_come_between_empty_lines(server: X) -> None:
    server.tell(a_post(1001, "صاروخان على بغداد"))
    server.tell_bytes(b"\r\n")
    server.tell(a_post(1002, "Second"))
    server.end()
    found = list(follow(source(server), {}))
    assert [record.native_id for record in items(found)] == ["1001", "1002"]
    assert found[-1].cursor == {"last": "1002"}
    assert found[1] == Parsed([], {"last": "1001"})


def test_keep_alives_come_when_there_is_nothing_to_tell(server: X) -> None:
    assert [parsed.records for parsed in islice(follow(source(server), {}), 3)] == [[], [], []]


def test_a_post_has_its_author_language_and_time(server: X) -> None:
    found = item(a_post(1001, "صاروخان على بغداد"))
    assert (found.body, found.author, found.publisher, found.declared_language) == ("صاروخان على بغداد", "Sample Outlet", "sample_outlet", "ar")
    assert (found.url, found.published_raw) == ("https://x.com/sample_outlet/status/1001", "2026-09-21T12:00:00.000Z")


def test_an_edit_is_an_update_of_the_first_version(server: X) -> None:
    server.tell(a_post(1001, "Two rockets"))
    server.tell(a_post(1005, "Three rockets", edit_of=1001))
    server.end()
    created, edited = items(list(follow(source(server), {})))
    assert (created.operation, edited.operation) == ("create", "update")
    assert created.item_id == edited.item_id


def test_after_a_gap_the_last_minutes_are_repeated_with_the_same_ids(server: X) -> None:
    server.tell(a_post(1001, "before the gap"))
    server.end()
    first = list(follow(source(server, backfill_minutes=5), {}))
    assert "backfill_minutes" not in server.asked[0].target
    server.tell(a_post(1002, "after it"))
    server.end()
    second = list(follow(source(server, backfill_minutes=5), first[-1].cursor))
    assert "backfill_minutes=5" in server.asked[1].target
    assert [record.native_id for record in items(second)] == ["1001", "1002"]
    assert items(second)[0] == items(first)[0]


def test_without_the_option_nothing_is_repeated(server: X) -> None:
    assert "backfill" not in x.subscribe(source(server), {"last": "1001"}).url


def test_a_connection_that_dies_within_a_message_keeps_what_came_before(server: X) -> None:
    server.cuts = True
    server.tell(a_post(1001, "whole"))
    server.tell_bytes(dumps(a_post(1002, "half"))[:60])
    server.end()
    stream = follow(source(server), {})
    assert [record.native_id for record in items([next(stream)])] == ["1001"]
    with pytest.raises(httpx.RemoteProtocolError):
        next(stream)


def test_x_says_why_it_disconnects(server: X) -> None:
    server.tell(DISCONNECT)
    with pytest.raises(Refusal, match="disconnected upstream") as refusal:
        list(follow(source(server), {}))
    assert refusal.value.status == "disconnected"


def test_a_second_connection_and_a_wrong_token_are_refused(server: X, monkeypatch: pytest.MonkeyPatch) -> None:
    stream = follow(source(server), {})
    next(stream)
    with pytest.raises(httpx.HTTPStatusError) as throttled:
        next(follow(source(server), {}))
    response = throttled.value.response
    assert response.status_code == 429
    assert retry_after(429, response.headers, b"", NOW) == 1_790_000_900 - NOW.timestamp()
    monkeypatch.setenv("SAMPLE_TOKEN", "another")
    with pytest.raises(httpx.HTTPStatusError) as unauthorised:
        next(follow(source(server), {}))
    assert unauthorised.value.response.status_code == 401


def test_a_publisher_of_the_sources_file_counts_more() -> None:
    named = a_source("x", None).model_copy(update={"publisher": "sample-family"})
    (record,) = x.parse(Payload(body=dumps(a_post(1001, "a post")), url="https://api.x.com/", fetched_at=NOW), named).records
    assert isinstance(record, RawItem)
    assert record.publisher == "sample-family"


def test_errors_beside_a_post_do_not_lose_it() -> None:
    missing = {"value": "77", "detail": "Could not find tweet with referenced_tweets.id: [77].", "type": "https://api.x.com/2/problems/resource-not-found"}
    assert item({**a_post(1001, "answers a deleted one"), "errors": [missing]}).body == "answers a deleted one"


def test_a_retweet_has_the_whole_text() -> None:
    message = a_post(1001, "RT @sample_other: The beginning of a lo…", referenced_tweets=[{"type": "retweeted", "id": "900"}])
    message["includes"]["tweets"] = [{"id": "900", "text": "The beginning of a long text"}]
    assert item(message).body == "RT @sample_other: The beginning of a long text"


@pytest.mark.parametrize("reference", ["quoted", "replied_to"])
def test_a_quoted_post_is_not_the_author_s_text(reference: str) -> None:
    message = a_post(1001, "My own: words", referenced_tweets=[{"type": reference, "id": "900"}])
    message["includes"]["tweets"] = [{"id": "900", "text": "Not mine"}]
    assert item(message).body == "My own: words"


def test_a_long_post_is_whole() -> None:
    assert item(a_post(1001, "short…", note_tweet={"text": "the long text"})).body == "the long text"


@pytest.mark.parametrize("body", [b"<html>", b'{"data": {"id": "1"', b"\xff\xfe\x00", b"[" * 100_000, b"{}", b"7", b'{"data": []}', b'{"data": {"id": "1"}}'])
def test_garbage_cannot_be_read(body: bytes) -> None:
    with pytest.raises(ReadError):
        parse(body)


def test_a_title_without_a_disconnect_is_a_refusal() -> None:
    with pytest.raises(Refusal, match="maximum allowed") as refusal:
        parse({"title": "ConnectionException", "detail": "This stream is currently at the maximum allowed connection limit."})
    assert refusal.value.status == "refused"


def test_it_is_a_stream_with_nothing_to_poll(server: X) -> None:
    assert isinstance(x, StreamConnector)
    assert x.request(source(server), {}) is None


@pytest.mark.parametrize("minutes", [0, 6, "5", True, 2.5])
def test_minutes_that_x_does_not_know_are_wrong(server: X, minutes: Any) -> None:
    with pytest.raises(UsageError, match=r"sample\.x.*backfill_minutes"):
        x.subscribe(source(server, backfill_minutes=minutes), {})


def test_the_token_is_named_as_secret_and_stands_in_no_record(server: X) -> None:
    server.tell(a_post(1001, "a post"))
    server.end()
    assert x.subscribe(source(server), {}).secret_parts == (TOKEN,)
    assert TOKEN not in repr(list(follow(source(server), {})))
