"""The Telegram connector's bot, against a server that speaks the Bot API."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from connectors import telegram
from connectors._connector import Payload, Refusal
from connectors._retry_after import retry_after
from connectors._sources import Source
from schemas.errors import ReadError, UsageError
from schemas.records import DeadLetter
from tests.connectors.servers.apis import Answer
from tests.connectors.servers.telegram import CHAT, TOKEN, Telegram
from tests.connectors.visits import NOW, a_source, visit


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Telegram]:
    monkeypatch.setenv("SAMPLE_TOKEN", TOKEN)
    with Telegram().running() as running:
        yield running


def source(server: Telegram, **options: Any) -> Source:
    return a_source("telegram", server.url, secrets={"token": "SAMPLE_TOKEN"}, via="bot", **options)


def parsed(body: Any, **options: Any) -> list[Any]:
    payload = Payload(body=json.dumps(body).encode(), url="https://api.telegram.org/", fetched_at=NOW)
    return list(telegram.parse(payload, a_source("telegram", None, via="bot", **options)).records)


def test_posts_come_once_and_in_order(server: Telegram) -> None:
    server.post(1, "انفجار في بغداد")
    server.post(2, "second")
    first = visit(source(server), {})
    assert first.ids == [f"{CHAT}/1", f"{CHAT}/2"]
    assert first.cursor == {"offset": "502"}
    item = first.items[0]
    assert (item.body, item.author, item.publisher) == ("انفجار في بغداد", "قناة نموذج", "sample_channel")
    assert (item.url, item.published_raw) == ("https://t.me/sample_channel/1", "1790000000")
    server.post(3, "third")
    assert visit(source(server), first.cursor).ids == [f"{CHAT}/3"]


def test_what_was_not_confirmed_comes_again(server: Telegram) -> None:
    server.post(1, "delivered or not?")
    assert visit(source(server), {}).ids == visit(source(server), {}).ids


def test_updates_are_confirmed_only_by_the_next_poll(server: Telegram) -> None:
    """A second page at once would make Telegram forget the first, which is not delivered yet."""
    for number in range(1, 151):
        server.post(number, "x")
    first = visit(source(server), {})
    assert (len(first.ids), first.pages) == (100, 1)
    second = visit(source(server), first.cursor)
    assert (len(second.ids), second.cursor) == (50, {"offset": "650"})


def test_an_edit_is_an_update_and_a_deletion_is_not_told(server: Telegram) -> None:
    server.post(1, "Two rockets")
    server.edit(1, "Three rockets", at=1_790_000_600)
    server.delete(1)
    created, edited = visit(source(server), {}).items
    assert (created.operation, edited.operation) == ("create", "update")
    assert created.item_id == edited.item_id
    assert edited.updated_raw == "1790000600"


def test_no_updates_keep_the_cursor(server: Telegram) -> None:
    assert visit(source(server), {"offset": "502"}) == ([], {"offset": "502"}, 1)


def test_only_channel_posts_are_asked_for_and_taken(server: Telegram) -> None:
    server.post(1, "a post")
    server.tell("message", 1)
    assert visit(source(server), {}).ids == [f"{CHAT}/1"]
    assert parsed({"ok": True, "result": [{"update_id": 1, "message": {"message_id": 1, "chat": {"id": 5}, "text": "left over"}}]}) == []


@pytest.mark.parametrize(("channel", "count"), [("sample_channel", 1), ("@Sample_Channel", 1), (str(CHAT), 1), ("another", 0)])
def test_a_source_may_want_one_channel_only(server: Telegram, channel: str, count: int) -> None:
    server.post(1, "a post")
    found = visit(source(server, channel=channel), {})
    assert (len(found.ids), found.cursor) == (count, {"offset": "501"})


def test_captions_are_texts_and_a_publisher_of_the_sources_file_counts_more() -> None:
    message = {"message_id": 1, "chat": {"id": -1, "title": "T"}, "date": 1, "photo": [], "caption": "A photo of smoke"}
    (item,) = parsed({"ok": True, "result": [{"update_id": 1, "channel_post": message}]})
    assert (item.body, item.publisher) == ("A photo of smoke", "T")
    named = a_source("telegram", None, via="bot").model_copy(update={"publisher": "sample-family"})
    body = json.dumps({"ok": True, "result": [{"update_id": 1, "channel_post": message}]}).encode()
    (record,) = telegram.parse(Payload(body=body, url="https://api.telegram.org/", fetched_at=NOW), named).records
    assert not isinstance(record, DeadLetter)
    assert record.publisher == "sample-family"


def test_an_update_without_ids_is_a_dead_letter_and_holds_up_nothing() -> None:
    records = parsed({"ok": True, "result": [{"update_id": 1, "channel_post": {}}, {"channel_post": {"chat": 5}}, None, 7]})
    assert [type(record) for record in records] == [DeadLetter] * 4


def test_a_post_that_does_not_tell_its_channel_is_a_dead_letter_whatever_channel_is_wanted() -> None:
    records = parsed({"ok": True, "result": [{"update_id": 1, "channel_post": {"message_id": 1, "text": "lost?"}}]}, channel="sample_channel")
    assert [type(record) for record in records] == [DeadLetter]


def test_a_flood_is_answered_with_how_long_to_wait(server: Telegram) -> None:
    server.flood_seconds = 37
    with pytest.raises(httpx.HTTPStatusError) as failure:
        visit(source(server), {})
    response = failure.value.response
    assert response.status_code == 429
    assert retry_after(429, response.headers, response.content, NOW) == 37


@pytest.mark.parametrize("body", [{"ok": False, "description": "Conflict: terminated by other getUpdates request"}, {"ok": True}, [], 7, None])
def test_what_is_no_answer_is_refused(body: Any) -> None:
    with pytest.raises(Refusal) as refusal:
        parsed(body)
    assert refusal.value.status == "refused"


@pytest.mark.parametrize("body", [b"", b"<html>", b'{"ok": true, "result": [{"update_id"', b"\xff\xfe\x00", b"[" * 100_000])
def test_garbage_cannot_be_read(server: Telegram, body: bytes) -> None:
    server.faults = [Answer(200, body)]
    with pytest.raises(ReadError):
        visit(source(server), {})


def test_the_token_is_named_as_secret_and_stands_in_no_record_or_cursor(server: Telegram) -> None:
    server.post(1, "a post")
    request = telegram.request(source(server), {})
    assert request.secret_parts == (TOKEN,)
    assert TOKEN not in repr(visit(source(server), {}))


def test_a_token_that_is_none_is_not_shown(server: Telegram, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SAMPLE_TOKEN", "planted/../secret")
    with pytest.raises(UsageError, match=r"sample\.telegram.*BotFather") as failure:
        telegram.request(source(server), {})
    assert "planted" not in str(failure.value)
