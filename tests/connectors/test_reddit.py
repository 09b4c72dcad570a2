"""The Reddit connector against a server that speaks as Reddit does."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from connectors import reddit
from connectors._connector import Payload, Refusal
from connectors._json import dumps
from connectors._retry_after import retry_after
from connectors._sources import Source
from schemas.errors import ReadError, UsageError
from schemas.records import DeadLetter
from tests.connectors.servers.apis import Answer
from tests.connectors.servers.reddit import CLIENT, FEED, SECRET, TOKEN, Reddit, base36
from tests.connectors.visits import NOW, a_source, visit

SECRETS = {"client_id": "SAMPLE_ID", "client_secret": "SAMPLE_SECRET"}


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Reddit]:
    monkeypatch.setenv("SAMPLE_ID", CLIENT)
    monkeypatch.setenv("SAMPLE_SECRET", SECRET)
    with Reddit().running() as running:
        monkeypatch.setenv("SAMPLE_FEED", f"{running.url}/r/SampleNews/new/.rss?feed={FEED}&user=sample_user")
        yield running


def source(server: Reddit, subreddit: str = "SampleNews") -> Source:
    return a_source("reddit", server.url, secrets=SECRETS, subreddit=subreddit)


def names(numbers: range) -> list[str]:
    return [f"t3_{base36(number)}" for number in numbers]


def parse(body: Any) -> list[Any]:
    return list(reddit.parse(Payload(body=dumps(body), url="https://oauth.reddit.com/", fetched_at=NOW), a_source("reddit", None)).records)


def test_a_first_visit_takes_the_latest_page_oldest_first(server: Reddit) -> None:
    for number in range(1_000_000, 1_000_150):
        server.post(number, "x")
    found = visit(source(server), {})
    assert found.ids == names(range(1_000_050, 1_000_150))
    assert (found.cursor, found.pages) == ({"last": base36(1_000_149)}, 1)


def test_a_post_has_its_title_text_author_and_time(server: Reddit) -> None:
    server.post(1_000_000, "Rockets & drones <live>", "Near the *airport*\n\nMore soon")
    (item,) = visit(source(server), {}).items
    assert (item.title, item.body, item.content_type) == ("Rockets & drones <live>", "Near the *airport*\n\nMore soon", "text/plain")
    assert (item.author, item.publisher, item.published_raw, item.operation) == ("sample_user", "SampleNews", "1791000000", "create")
    assert item.url == f"https://www.reddit.com/r/SampleNews/comments/{base36(1_000_000)}/title/"


def test_a_link_post_says_where_it_leads(server: Reddit) -> None:
    server.post(1_000_000, "An article", link="https://outlet.example/a?b=1&c=2")
    (item,) = visit(source(server), {}).items
    assert item.body == "https://outlet.example/a?b=1&c=2"


def test_a_gap_is_walked_back_to_the_last_known_post(server: Reddit) -> None:
    server.post(1_000_000, "first")
    cursor = visit(source(server), {}).cursor
    for number in range(1_000_001, 1_000_330):
        server.post(number, "x")
    found = visit(source(server), cursor)
    assert sorted(found.ids) == sorted(names(range(1_000_000, 1_000_330)))
    assert (found.cursor, found.pages) == ({"last": base36(1_000_329)}, 4)


def test_the_last_known_post_may_be_gone(server: Reddit) -> None:
    for number in range(1_000_000, 1_000_003):
        server.post(number, "x")
    cursor = visit(source(server), {}).cursor
    del server.posts[1_000_002]
    server.post(1_000_003, "new")
    found = visit(source(server), cursor)
    assert found.ids == names(range(1_000_000, 1_000_002)) + names(range(1_000_003, 1_000_004))
    assert (found.cursor, found.pages) == ({"last": base36(1_000_003)}, 1)


def test_an_edit_is_an_update_and_a_removal_a_delete(server: Reddit) -> None:
    server.post(1_000_000, "A title", "Two rockets")
    before = visit(source(server), {})
    server.edit(1_000_000, "Three rockets", at=1_791_000_500.0)
    edited = visit(source(server), before.cursor)
    server.remove(1_000_000)
    removed = visit(source(server), edited.cursor)
    found = [*before.items, *edited.items, *removed.items]
    assert [item.operation for item in found] == ["create", "update", "delete"]
    assert len({item.item_id for item in found}) == 1
    assert (found[1].body, found[1].updated_raw) == ("Three rockets", "1791000500")


@pytest.mark.parametrize("marks", [{"removed_by_category": "reddit"}, {"selftext": "[deleted]", "is_self": True}])
def test_a_post_is_gone_by_either_mark(marks: dict[str, Any]) -> None:
    (item,) = parse({"kind": "Listing", "data": {"children": [{"kind": "t3", "data": {"name": "t3_a", "title": "A title", **marks}}]}})
    assert item.operation == "delete"


def test_an_empty_listing_keeps_the_cursor(server: Reddit) -> None:
    assert visit(source(server), {}) == ([], {}, 1)
    assert visit(source(server), {"last": "lfls"}) == ([], {"last": "lfls"}, 1)


def test_the_token_comes_by_client_credentials(server: Reddit, monkeypatch: pytest.MonkeyPatch) -> None:
    server.post(1_000_000, "x")
    visit(source(server), {})
    assert [asked.method for asked in server.asked] == ["POST", "GET"]
    monkeypatch.setenv("SAMPLE_SECRET", "another")
    with pytest.raises(httpx.HTTPStatusError) as refused:
        visit(source(server), {})
    assert refused.value.response.status_code == 401


def test_the_tokens_address_is_reddit_s_own_where_none_is_given(server: Reddit) -> None:
    request = reddit.request(a_source("reddit", None, secrets=SECRETS, subreddit="SampleNews"), {"last": "a", "newest": "c", "before": "b"})
    assert request.token
    assert request.token.url == "https://www.reddit.com/api/v1/access_token"
    assert request.url == "https://oauth.reddit.com/r/SampleNews/new?limit=100&raw_json=1&after=t3_b"


def test_a_spent_allowance_is_told_by_headers(server: Reddit) -> None:
    server.allowed = 1
    visit(source(server), {})
    with pytest.raises(httpx.HTTPStatusError) as throttled:
        visit(source(server), {})
    response = throttled.value.response
    assert response.status_code == 429
    assert retry_after(429, response.headers, response.content, NOW) == 417


def test_a_private_subreddit_and_a_cut_answer_are_failures(server: Reddit) -> None:
    with pytest.raises(httpx.HTTPStatusError) as private:
        visit(source(server, "Another"), {})
    assert private.value.response.status_code == 403
    server.faults = [server.answer(server.asked[0]), Answer(200, b'{"kind": "Listing"', cut=True)]
    with pytest.raises(httpx.RemoteProtocolError):
        visit(source(server), {})


def test_a_child_that_is_no_post_is_a_dead_letter() -> None:
    children = [{"kind": "t3", "data": {"name": "t3_a"}}, {"kind": "t1", "data": {"name": "t1_b"}}, {"kind": "t3"}, None]
    records = parse({"kind": "Listing", "data": {"children": children}})
    assert [type(record) for record in records[:3]] == [DeadLetter] * 3
    assert records[3].native_id == "t3_a"


@pytest.mark.parametrize("body", [{"message": "Forbidden", "error": 403}, {}, [], 7, {"data": {"children": {}}}])
def test_what_is_no_listing_is_refused(body: Any) -> None:
    with pytest.raises(Refusal) as refusal:
        parse(body)
    assert refusal.value.status == "refused"


@pytest.mark.parametrize("body", [b"", b"<html>blocked</html>", b'{"kind": "Lis', b"[" * 100_000])
def test_garbage_cannot_be_read(body: bytes) -> None:
    with pytest.raises(ReadError):
        reddit.parse(Payload(body=body, url="https://oauth.reddit.com/", fetched_at=NOW), a_source("reddit", None))


def test_a_private_feed_gives_the_same_ids(server: Reddit) -> None:
    server.post(1_000_000, "First", "text")
    server.post(1_000_001, "Second", "more <text>")
    feed = a_source("reddit", None, secrets={"feed": "SAMPLE_FEED"}, via="feed")
    found, listed = visit(feed, {}), visit(source(server), {})
    assert found.ids == listed.ids
    assert [item.item_id for item in found.items] == [item.item_id for item in listed.items]
    assert (found.items[1].title, found.items[1].source_type, found.cursor) == ("Second", "reddit", {})
    assert FEED not in repr(found)


@pytest.mark.parametrize("via", ["api", "feed"])
def test_what_is_secret_is_named(server: Reddit, via: str) -> None:
    secrets = {**SECRETS, "feed": "SAMPLE_FEED"}
    request = reddit.request(a_source("reddit", server.url, secrets=secrets, subreddit="SampleNews", via=via), {})
    shown = request.url
    for secret in request.secret_parts:
        shown = shown.replace(secret, "")
    assert not {CLIENT, SECRET, TOKEN, FEED} & set(shown.replace("=", "&").split("&"))
    assert {CLIENT, SECRET} <= set(request.secret_parts) or FEED in request.secret_parts


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({}, "options.subreddit"),
        ({"subreddit": "a/../b"}, "options.subreddit"),
        ({"via": "json"}, "options.via"),
        ({"via": "feed"}, "secrets.feed"),
        ({"sub": "x"}, "options.sub"),
    ],
)
def test_wrong_options_name_the_source_and_what_is_wrong(options: dict[str, Any], told: str) -> None:
    with pytest.raises(UsageError, match=rf"sample\.reddit.*{told}"):
        reddit.request(a_source("reddit", None, **options), {})


def test_an_address_without_a_feed_token_is_not_shown(server: Reddit, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SAMPLE_FEED", "https://www.reddit.com/planted")
    with pytest.raises(UsageError, match="private feed") as failure:
        reddit.request(a_source("reddit", None, secrets={"feed": "SAMPLE_FEED"}, via="feed"), {})
    assert "planted" not in str(failure.value)
