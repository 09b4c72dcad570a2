"""The Mastodon connector against a server that speaks as Mastodon's REST and streaming APIs do."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import httpx
import pytest

from connectors import mastodon
from connectors._connector import Cursor, Parsed, Payload
from connectors._retry_after import retry_after
from connectors._sources import Source
from schemas.errors import ReadError, UsageError
from schemas.records import DeadLetter, RawItem
from tests.connectors.following import Followed, follow
from tests.connectors.servers.mastodon import FIRST, TOKEN, TOO_MANY, Mastodon, a_status
from tests.connectors.visits import NOW, a_source, visit


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Mastodon]:
    monkeypatch.setenv("SAMPLE_TOKEN", TOKEN)
    with Mastodon().running() as running:
        yield running


def source(server: Mastodon, **options: Any) -> Source:
    return a_source("mastodon", server.url, secrets={"token": "SAMPLE_TOKEN"}, **options)


def streamed(server: Mastodon, cursor: Cursor | None = None, *, at_most: int = 1_000) -> Followed:
    return follow(source(server), cursor or {}, at_most=at_most)


def parse(content: Any, event: str | None = None, cursor: Cursor | None = None, *, publisher: str | None = None) -> Parsed:
    body = content if isinstance(content, bytes) else json.dumps(content).encode()
    origin = a_source("mastodon", "https://social.example").model_copy(update={"publisher": publisher})
    return mastodon.parse(Payload(body=body, url="https://social.example/api/v1/", fetched_at=NOW, event=event, cursor=cursor or {}), origin)


def item(parsed: Parsed) -> RawItem:
    (record,) = parsed.records
    assert isinstance(record, RawItem)
    return record


def ids(*numbers: int) -> list[str]:
    return [str(FIRST + number) for number in numbers]


def behind(number: int) -> dict[str, str]:
    return {"min_id": str(FIRST + number)}


def test_the_first_visit_takes_the_latest_page_oldest_first(server: Mastodon) -> None:
    server.post(*range(1, 101))
    found = visit(source(server), {})
    assert (found.ids, found.cursor, found.pages) == (ids(*range(61, 101)), behind(100), 1)


def test_a_gap_is_filled_page_by_page(server: Mastodon) -> None:
    server.post(*range(1, 101))
    found = visit(source(server), behind(5))
    assert (found.ids, found.cursor) == (ids(*range(6, 101)), behind(100))
    assert found.pages == 4  # three, and one that says that there are no more


def test_a_short_page_need_not_be_the_last() -> None:
    assert parse([a_status(7)], cursor=behind(5)).more
    assert not parse([], cursor=behind(7)).more
    assert not parse([a_status(7)], cursor=behind(7)).more


def test_without_news_it_stays_where_it_is(server: Mastodon) -> None:
    server.post(1)
    found = visit(source(server), behind(1))
    assert (found.records, found.cursor, found.pages) == ([], behind(1), 1)


def test_the_stream_tells_new_statuses_edits_and_deletions(server: Mastodon) -> None:
    server.tell("update", a_status(1))
    server.tell("status.update", a_status(1, content="<p>corrected</p>", edited_at="2026-09-21T11:30:00.000Z"))
    server.tell("delete", ids(1)[0])
    server.tell("notification", {"id": "7"})
    server.tell("update", a_status(2))
    server.end()
    found = streamed(server)
    assert [one.operation for one in found.items] == ["create", "update", "delete", "create"]
    assert len({one.item_id for one in found.items}) == 2
    assert (found.items[1].body, found.items[1].updated_raw) == ("<p>corrected</p>", "2026-09-21T11:30:00.000Z")
    assert (found.cursor, found.failure) == (behind(2), None)


def test_the_stream_and_the_pages_give_the_same_item(server: Mastodon) -> None:
    server.post(1)
    server.tell("update", a_status(1))
    server.end()
    (of_page,), (of_stream,) = visit(source(server), {}).items, streamed(server).items
    assert of_page.item_id == of_stream.item_id
    assert (of_page.body, of_page.original) == (of_stream.body, of_stream.original)


def test_a_cut_within_an_event_loses_nothing(server: Mastodon) -> None:
    server.post(1, 2)
    server.cuts = True
    server.tell("update", a_status(1))
    server.tell_bytes(b'event: update\ndata: {"id": "')
    server.end()
    told = streamed(server)
    assert (told.ids, told.failure and told.failure.status) == (ids(1), "malformed")
    assert visit(source(server), told.cursor).ids == ids(2)


def test_keep_alives_are_no_messages(server: Mastodon) -> None:
    server.tell_bytes(b":thump\n\n:thump\n")
    server.tell("update", a_status(1))
    assert streamed(server, at_most=1).ids == ids(1)


@pytest.mark.parametrize("garbage", ["{no status", "7", "[" * 10_000, "{}", '{"id": null, "content": "a", "account": {}}'])
def test_garbage_is_a_dead_letter_and_the_stream_goes_on(server: Mastodon, garbage: str) -> None:
    server.tell("update", a_status(1))
    server.tell("update", garbage)
    server.tell("update", a_status(2))
    server.end()
    found = streamed(server)
    assert (found.ids, found.cursor) == (ids(1, 2), behind(2))
    assert [letter.payload.decode() for letter in found.letters] == [garbage]


def test_a_status_that_is_no_utf_8_is_mended_and_says_so(server: Mastodon) -> None:
    server.tell_bytes(b"event: update\ndata: " + json.dumps(a_status(1, content="smoke X over the city")).encode().replace(b"X", b"\xc3\x28") + b"\n\n")
    server.end()
    (found,) = streamed(server).items
    assert found.body.startswith("smoke")
    assert found.repairs


@pytest.mark.parametrize("deleted", [b"", b"  ", b'{"id": 1}', b"1" * 65])
def test_a_deletion_without_an_id_cannot_be_read(deleted: bytes) -> None:
    with pytest.raises(ReadError, match="without an id"):
        parse(deleted, "delete")


def test_what_is_told_as_an_update_is_one() -> None:
    assert item(parse(a_status(1), "status.update")).operation == "update"


def test_only_a_new_status_moves_the_cursor_and_only_on() -> None:
    assert parse(a_status(7), "update", behind(5)).cursor == behind(7)
    assert parse(a_status(3), "update", behind(5)).cursor == behind(5)
    assert parse(a_status(7), "status.update", behind(5)).cursor == behind(5)
    assert parse(b"7", "delete", behind(5)).cursor == behind(5)
    assert parse(b"", "filters_changed", behind(5)) == Parsed([], behind(5))


def test_ids_grow_in_length_too_and_need_not_be_numbers() -> None:
    assert parse([a_status(1, id="100"), a_status(2, id="99")], cursor={"min_id": "98"}).cursor == {"min_id": "100"}
    assert parse([a_status(1, id="01JZB"), a_status(2, id="01JZA")]).cursor == {"min_id": "01JZB"}
    assert parse([a_status(1, id="9" * 5_000), a_status(2, id="7")]).cursor == {"min_id": "7"}


def test_one_broken_status_does_not_lose_the_page() -> None:
    broken, whole = parse([a_status(2), {"id": None}]).records
    assert isinstance(broken, DeadLetter)
    assert isinstance(whole, RawItem)


@pytest.mark.parametrize("body", [b"<html>", b"{}", b'{"error": "This method requires an authenticated user"}', b"7", b"[" * 100_000, b"\xff\xfe\x00"])
def test_what_is_no_timeline_cannot_be_read(body: bytes) -> None:
    with pytest.raises(ReadError):
        parse(body)


def test_a_warning_is_the_title() -> None:
    found = item(parse([a_status(1, sensitive=True, spoiler_text="Blood & <fire>")]))
    assert (found.title, found.content_type) == ("Blood &amp; &lt;fire&gt;", "text/html")


def test_the_publisher_is_the_sources_file_s_but_not_of_boosts() -> None:
    other = a_status(5, account={"id": "9", "acct": "b", "display_name": "Sample outlet B", "url": "https://other.example/@b"})
    assert item(parse([a_status(1)])).publisher == "https://social.example/@sample_a"
    assert item(parse([a_status(1)], publisher="sample-family")).publisher == "sample-family"
    boosted = parse([a_status(9, content="", reblog=other)], publisher="sample-family")
    assert (item(boosted).native_id, item(boosted).publisher, boosted.cursor) == (ids(5)[0], "https://other.example/@b", behind(9))


@pytest.mark.parametrize(
    ("options", "page", "stream"),
    [
        ({}, "timelines/public?limit=40", "streaming/public"),
        ({"timeline": "local"}, "timelines/public?limit=40&local=true", "streaming/public/local"),
        (
            {"timeline": "hashtag", "hashtag": "#بغداد"},
            "timelines/tag/%D8%A8%D8%BA%D8%AF%D8%A7%D8%AF?limit=40",
            "streaming/hashtag?tag=%D8%A8%D8%BA%D8%AF%D8%A7%D8%AF",
        ),
        ({"timeline": "account", "account": 77}, "accounts/77/statuses?limit=40", None),
    ],
)
def test_timelines(options: dict[str, Any], page: str, stream: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SAMPLE_TOKEN", TOKEN)
    asked = a_source("mastodon", "https://social.example/", secrets={"token": "SAMPLE_TOKEN"}, **options)
    assert mastodon.request(asked, {}).url == f"https://social.example/api/v1/{page}"
    assert mastodon.request(asked, behind(1)).url == f"https://social.example/api/v1/{page}&min_id={FIRST + 1}"
    subscription = mastodon.subscribe(asked, {})
    assert (subscription and subscription.url) == (stream and f"https://social.example/api/v1/{stream}")


def test_an_account_is_polled(server: Mastodon) -> None:
    server.post(1, 2)
    assert visit(source(server, timeline="account", account="77"), behind(1)).ids == ids(2)


def test_the_token_goes_in_a_header_and_nowhere_else(server: Mastodon) -> None:
    server.post(1)
    server.tell("update", a_status(2))
    server.end()
    shown = repr((visit(source(server), {}), streamed(server), source(server)))
    assert TOKEN not in shown
    assert [asked.headers["authorization"] for asked in server.asked] == [f"Bearer {TOKEN}"] * 2
    assert not [asked for asked in server.asked if TOKEN in asked.target]
    assert mastodon.request(source(server), {}).secret_parts == (TOKEN,)


def test_without_a_token_it_is_polled_and_told_none(server: Mastodon) -> None:
    server.is_open = True
    server.post(1)
    assert visit(a_source("mastodon", server.url), {}).ids == ids(1)
    assert "authorization" not in server.asked[0].headers
    assert mastodon.subscribe(a_source("mastodon", server.url), {}) is None


def test_a_token_that_is_wrong_is_forbidden(server: Mastodon, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SAMPLE_TOKEN", "another-token")
    failure = streamed(server).failure
    assert failure
    assert (failure.status, failure.http_status) == ("forbidden", 401)
    assert "another-token" not in str(failure)


def test_a_limit_says_when_it_ends(server: Mastodon) -> None:
    server.faults += [TOO_MANY, TOO_MANY]
    with pytest.raises(httpx.HTTPStatusError) as throttled:
        visit(source(server), {})
    response = throttled.value.response
    assert retry_after(response.status_code, response.headers, response.content, NOW) == timedelta(minutes=3).total_seconds()
    failure = streamed(server).failure
    assert failure
    assert (failure.status, failure.retry_after) == ("throttled", 180.0)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"timeline": "home"}, "choose of public, local, hashtag, account"),
        ({"timeline": ["public"]}, "choose of public"),
        ({"timeline": "hashtag"}, "needs options.hashtag"),
        ({"timeline": "hashtag", "hashtag": "#"}, "needs options.hashtag"),
        ({"hashtag": "baghdad"}, "needs options.timeline = 'hashtag'"),
        ({"timeline": "account"}, "needs options.account"),
        ({"timeline": "account", "account": "@sample_a"}, "accounts/lookup"),
        ({"stream": False}, "options.stream"),
    ],
)
def test_wrong_options_are_named(options: dict[str, Any], said: str) -> None:
    for ask in (mastodon.request, mastodon.subscribe):
        with pytest.raises(UsageError, match=rf"sample\.mastodon.*{said}"):
            ask(a_source("mastodon", "https://social.example", **options), {})


def test_it_needs_an_address() -> None:
    with pytest.raises(UsageError, match="needs an address"):
        mastodon.request(a_source("mastodon", None), {})
