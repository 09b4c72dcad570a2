"""The Telegram connector's preview, against a server that speaks as t.me does."""

from __future__ import annotations

import asyncio
import json
import zlib
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from connectors import telegram
from connectors._connector import Payload, Refusal
from connectors._poll import opened, poll
from connectors._sandbox import Sandbox
from connectors._sources import Source
from connectors._state import State
from schemas.errors import UsageError
from schemas.records import DeadLetter
from tests.connectors.servers.apis import Answer
from tests.connectors.servers.telegram import Telegram
from tests.connectors.visits import NOW, a_source, visit

PHOTO = '<a class="tgme_widget_message_photo_wrap 5470060672080528430" href="https://t.me/x/1" style="background-image:url(\'https://cdn.invalid/1.jpg\')"></a>'
FORWARD = (
    '<div class="tgme_widget_message_forwarded_from accent_color">Forwarded from&nbsp;'
    '<a class="tgme_widget_message_forwarded_from_name" href="https://t.me/sample_other/7"><span dir="auto">قناة أخرى</span></a></div>'
)
REPLY = (
    '<a class="tgme_widget_message_reply" href="https://t.me/sample_channel/1"><div class="tgme_widget_message_author accent_color">'
    '<span class="tgme_widget_message_author_name" dir="auto">Sample</span></div>'
    '<div class="tgme_widget_message_text js-message_reply_text" dir="auto">What was said before</div></a>'
)


@pytest.fixture
def server() -> Iterator[Telegram]:
    with Telegram().running() as running:
        yield running


def source(server: Telegram, channel: str = "@sample_channel") -> Source:
    return a_source("telegram", server.url, channel=channel)


def page(body: str) -> Payload:
    markup = f'<section class="tgme_channel_history">{body}</section>'
    return Payload(body=markup.encode(), url="https://t.me/s/sample_channel", fetched_at=NOW)


def test_a_first_visit_takes_the_latest_page(server: Telegram) -> None:
    for number in range(1, 51):
        server.post(number, f"خبر {number}")
    found = visit(source(server), {})
    assert found.ids == [f"sample_channel/{number}" for number in range(31, 51)]
    assert (found.cursor, found.pages) == ({"last": "50"}, 1)


def test_a_post_has_its_text_with_lines_and_links_its_author_and_its_time(server: Telegram) -> None:
    server.post(9, "سقوط صاروخين\nقرب المطار & الميناء", at=1_790_000_000)
    (item,) = visit(source(server), {}).items
    assert item.body == "سقوط صاروخين<br>قرب المطار &amp; الميناء"
    assert (item.content_type, item.operation, item.url) == ("text/html", "create", "https://t.me/sample_channel/9")
    assert (item.author, item.publisher, item.published_raw) == ("قناة نموذج", "sample_channel", "2026-09-21T14:13:20+00:00")
    assert item.http
    assert item.http.status == 200
    (linked,) = telegram.parse(
        page(
            '<div class="tgme_widget_message" data-post="a_b/3"><div class="js-message_text">'
            'See <a href="https://example.org/?a=1&amp;b=2" target="_blank" onclick="return 1">this</a></div></div>'
        ),
        source(server),
    ).records
    assert not isinstance(linked, DeadLetter)
    assert linked.body == 'See <a href="https://example.org/?a=1&amp;b=2">this</a>'


def test_a_gap_is_walked_back_to_the_last_known_post_and_no_further(server: Telegram) -> None:
    server.post(1, "first")
    cursor = visit(source(server), {}).cursor
    for number in range(2, 96):
        server.post(number, f"post {number}")
    found = visit(source(server), cursor)
    assert {int(name.rpartition("/")[2]) for name in found.ids} == set(range(1, 96))
    assert len(found.ids) == len(set(found.ids))
    assert (found.cursor, found.pages) == ({"last": "95"}, 5)


def test_a_walk_goes_on_where_a_poll_ended(server: Telegram) -> None:
    server.post(1, "first")
    cursor = visit(source(server), {}).cursor
    for number in range(2, 96):
        server.post(number, f"post {number}")
    halfway = visit(source(server), cursor, pages=2)
    assert halfway.cursor == {"last": "1", "newest": "95", "before": "56"}
    server.post(96, "came meanwhile")
    rest = visit(source(server), halfway.cursor)
    assert rest.cursor == {"last": "95"}
    latest = visit(source(server), rest.cursor)
    assert {f"sample_channel/{number}" for number in range(1, 97)} == {*halfway.ids, *rest.ids, *latest.ids}


def test_deleted_posts_leave_no_endless_walk(server: Telegram) -> None:
    for number in (1, 2, 40, 41):
        server.post(number, "x")
    cursor = {"last": "39"}
    server.delete(1)
    server.delete(2)
    server.delete(40)
    found = visit(source(server), cursor)
    assert (found.ids, found.cursor) == (["sample_channel/41"], {"last": "41"})


def test_a_server_that_ignores_before_is_left_after_two_pages(server: Telegram) -> None:
    for number in range(100, 120):
        server.post(number, "x")
    server.answer = lambda asked: server._preview(None)  # type: ignore[method-assign]
    found = visit(source(server), {"last": "5"})
    assert (found.pages, found.cursor) == (2, {"last": "119"})


def test_an_edit_is_an_update_of_the_same_item(server: Telegram) -> None:
    server.post(5, "Two rockets")
    before = visit(source(server), {})
    server.edit(5, "Three rockets", at=1_790_000_600)
    after = visit(source(server), before.cursor)
    assert [item.operation for item in (*before.items, *after.items)] == ["create", "update"]
    assert before.items[0].item_id == after.items[0].item_id
    assert after.items[0].body == "Three rockets"


def test_a_signed_post_may_be_edited_too_and_its_author_called_so(server: Telegram) -> None:
    marks = [",&nbsp;edited &nbsp;", ",&nbsp;"]
    posts = [
        f'<div class="tgme_widget_message" data-post="a_b/{number}"><span class="tgme_widget_message_meta">'
        f'<span class="tgme_widget_message_from_author">edited by Sam</span>{mark}<a class="tgme_widget_message_date"></a></span></div>'
        for number, mark in enumerate(marks)
    ]
    records = telegram.parse(page("".join(posts)), source(server)).records
    assert [(record.operation, record.author) for record in records if not isinstance(record, DeadLetter)] == [
        ("update", "edited by Sam"),
        ("create", "edited by Sam"),
    ]


def test_the_number_of_views_changes_nothing_of_an_item(server: Telegram) -> None:
    server.post(5, "Two rockets", extra=PHOTO)
    (first,), (second,) = visit(source(server), {}).items, visit(source(server), {}).items
    assert first == second


def test_a_photo_a_forward_and_a_reply_are_told_apart_from_the_text(server: Telegram) -> None:
    server.post(1, "", extra=PHOTO)
    server.post(2, "Its own words", extra=FORWARD + REPLY)
    photo, forwarded = visit(source(server), {}).items
    assert (photo.body, json.loads(zlib.decompress(photo.original))) == ("", {"media": ["photo"]})
    assert forwarded.body == "Its own words"
    assert json.loads(zlib.decompress(forwarded.original)) == {
        "forwarded_from": "قناة أخرى",
        "forwarded_url": "https://t.me/sample_other/7",
        "reply_url": "https://t.me/sample_channel/1",
        "reply_author": "Sample",
        "reply_text": "What was said before",
    }


def test_an_album_has_its_text_once_and_a_publisher_of_the_sources_file_counts_more(server: Telegram) -> None:
    album = '<div class="tgme_widget_message" data-post="a_b/1"><div class="js-message_text"><div class="js-message_text">One text</div></div></div>'
    (item,) = telegram.parse(page(album), source(server).model_copy(update={"publisher": "sample-family"})).records
    assert not isinstance(item, DeadLetter)
    assert (item.body, item.publisher) == ("One text", "sample-family")


def test_service_messages_are_no_items_and_a_post_without_a_number_is_a_dead_letter(server: Telegram) -> None:
    records = telegram.parse(
        page(
            '<div class="tgme_widget_message service_message" data-post="a_b/1"><div class="js-message_text">pinned</div></div>'
            '<div class="tgme_widget_message" data-post="nonsense"><div class="js-message_text">lost?</div></div>'
        ),
        source(server),
    ).records
    assert [type(record) for record in records] == [DeadLetter]


def test_a_channel_without_a_preview_is_a_status_of_its_own(server: Telegram) -> None:
    server.has_preview = False
    with pytest.raises(Refusal) as refusal:
        visit(source(server), {})
    assert refusal.value.status == "no_preview"


@pytest.mark.parametrize("body", [b"", b"   ", b"<html><body>Just a moment...</body></html>", b"\x00\xff\xfe<", b'{"ok":true}'])
def test_what_is_no_channel_s_page_is_refused(server: Telegram, body: bytes) -> None:
    server.faults = [Answer(200, body)]
    with pytest.raises(Refusal) as refusal:
        visit(source(server), {})
    assert refusal.value.status == "html"


def test_an_empty_channel_has_no_items(server: Telegram) -> None:
    assert visit(source(server), {}) == ([], {}, 1)
    assert visit(source(server), {"last": "7"}) == ([], {"last": "7"}, 1)


def test_a_page_cut_in_the_middle_is_an_error_of_the_connection(server: Telegram) -> None:
    server.faults = [Answer(200, b"<html>", cut=True)]
    with pytest.raises(httpx.RemoteProtocolError):
        visit(source(server), {})


def test_hostile_pages_end_in_time(server: Telegram) -> None:
    pages = ["<div class='tgme_widget_message' data-post='a_b/1'>" * 50_000, "<a " + "b=c " * 100_000 + ">", "<!--" * 100_000, "&#xD800;&#0;" * 10_000]
    with Sandbox(cpu_seconds=5, memory_bytes=1 << 30) as sandbox:
        for hostile in pages:
            parsed = sandbox.call("connectors.telegram:parse", page(hostile), source(server))
            assert not any("\ud800" in record.body for record in parsed.records if not isinstance(record, DeadLetter))


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({}, "options.channel"),
        ({"channel": "https://t.me/s/abc"}, "options.channel"),
        ({"channel": "abc", "via": "app"}, "options.via"),
        ({"chanel": "abc"}, "options.chanel"),
    ],
)
def test_wrong_options_name_the_source_and_what_is_wrong(options: dict[str, Any], told: str) -> None:
    with pytest.raises(UsageError, match=rf"sample\.telegram.*{told}"):
        telegram.request(a_source("telegram", None, **options), {})


@pytest.mark.parametrize("path", ["/s/sample_channel", "/sample_channel", "/sample_channel/"])
def test_a_channel_may_be_named_by_its_address(server: Telegram, path: str) -> None:
    server.post(1, "A post")
    assert visit(a_source("telegram", server.url + path), {}).ids == ["sample_channel/1"]


def test_an_address_that_moves_to_none_of_a_channel_is_not_followed(server: Telegram) -> None:
    """Its server says three times that it has moved for good, and nobody is stopped by that."""
    server.post(1, "A post")
    asked = a_source("telegram", server.url + "/s/sample_channel")

    async def polls() -> State:
        state = State()
        async with opened(lambda: NOW) as (http, reader):
            for _ in range(4):
                server.faults.append(Answer(301, headers={"location": "/s/sample_channel?lang=en"}))
                state = (await poll(asked, state, http, reader, lambda: NOW, luck=0.5)).state
        return state

    state = asyncio.run(polls())
    assert (state.status, state.url) == ("ok", f"{server.url}/s/sample_channel?lang=en")
    assert [request.target for request in server.asked if "lang" not in request.target] == ["/s/sample_channel"] * 4


def test_address_and_option_may_say_the_same() -> None:
    request = telegram.request(a_source("telegram", "https://t.me/s/Sample_channel", channel="@sample_channel"), {"before": "7"})
    assert request.url == "https://t.me/s/sample_channel?before=7"


@pytest.mark.parametrize(
    ("url", "options", "told"),
    [
        ("https://t.me/+AbCdEfGhIj", {}, "private one needs a bot"),
        ("https://t.me/joinchat/AbCdEf", {}, "url: is no address of a channel"),
        ("https://t.me/sample_channel/77", {}, "url: is no address of a channel"),
        ("https://t.me/s/sample_channel?before=5", {}, "url: is no address of a channel"),
        ("https://t.me/s/", {}, "set options.channel"),
        ("https://t.me", {}, "set options.channel"),
        ("https://t.me/s/one_channel", {"channel": "another"}, "two channels: another and one_channel"),
        ("https://t.me/s/sample_channel", {"via": "bot"}, "a bot asks https://api.telegram.org"),
    ],
)
def test_an_address_that_is_no_channel_s_is_refused(monkeypatch: pytest.MonkeyPatch, url: str, options: dict[str, Any], told: str) -> None:
    monkeypatch.setenv("SAMPLE_TOKEN", "123456:planted")
    with pytest.raises(UsageError, match=rf"sample\.telegram.*{told}"):
        telegram.request(a_source("telegram", url, secrets={"token": "SAMPLE_TOKEN"}, **options), {})
