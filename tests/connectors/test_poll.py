"""One poll of a source against a real loopback server: validators, moves, what is new, what fails."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from msgspec.structs import replace

from connectors._poll import Polled, _moved_source, opened, poll
from connectors._sources import Source, source_of
from connectors._state import State
from schemas.records import DeadLetter, RawItem

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
FEED = """<?xml version="1.0"?><rss version="2.0"><channel><title>Sample</title>{items}</channel></rss>"""
ITEM = "<item><guid>{number}</guid><title>{title}</title><link>https://outlet-a.example/{number}</link></item>"


def feed(*titles: str) -> bytes:
    return FEED.format(items="".join(ITEM.format(number=number, title=title) for number, title in enumerate(titles))).encode()


def answer(status: int, body: bytes = b"", **headers: str) -> bytes:
    lines = [f"HTTP/1.1 {status} Sample", f"Content-Length: {len(body)}", "Connection: close", "Content-Type: application/rss+xml"]
    return "\r\n".join([*lines, *(f"{name.replace('_', '-')}: {value}" for name, value in headers.items())]).encode() + b"\r\n\r\n" + body


def polls(
    answers: Sequence[bytes], *, states: Callable[[State], State] = lambda state: state, every: timedelta = timedelta(minutes=5)
) -> tuple[list[Polled], list[str]]:
    """One poll an answer, each with the state of the one before; and the requests as the server saw them."""
    requests: list[str] = []
    remaining = list(answers)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        requests.append((await reader.readuntil(b"\r\n\r\n")).decode())
        writer.write(remaining.pop(0))
        await writer.drain()
        writer.close()
        await writer.wait_closed()

    async def run() -> list[Polled]:
        found: list[Polled] = []

        def clock() -> datetime:
            return NOW + len(found) * every

        async with await asyncio.start_server(serve, "127.0.0.1", 0) as server, opened(clock) as (http, reader):
            source = source_at(server.sockets[0].getsockname()[1])
            state = State()
            while remaining:
                found.append(await poll(source, state, http, reader, clock, luck=0.5))
                state = states(found[-1].state)
        return found

    return asyncio.run(run()), requests


def source_at(port: int) -> Source:
    return source_of({"id": "sample.outlet-a", "type": "rss", "url": f"http://127.0.0.1:{port}/feed", "allow_private": True})


def titles(polled: Polled) -> list[str | None]:
    return [record.title for record in polled.records if isinstance(record, RawItem)]


def test_what_was_there_the_last_time_is_not_sent_again() -> None:
    (first, second, third), _ = polls([answer(200, feed("a", "b")), answer(200, feed("a", "b, corrected")), answer(200, feed("a", "b, corrected"))])
    assert titles(first) == ["b", "a"], "a feed lists the newest first"
    assert titles(second) == ["b, corrected"]
    assert second.skipped == {"0": "was there the last time, and says the same"}
    assert third.read == 2
    assert titles(third) == []
    assert first.state.item_at == NOW.timestamp()
    assert third.state.item_at == second.state.item_at


def test_validators_are_given_back_as_they_came() -> None:
    modified = format_datetime(NOW - timedelta(days=1), usegmt=True)
    (first, second, third), requests = polls([answer(200, feed("a"), ETag='W/"x y"', Last_Modified=modified), answer(304), answer(200, feed("b"))])
    assert (first.state.etag, first.state.last_modified) == ('W/"x y"', modified)
    assert "if-none-match" not in requests[0].lower()
    assert 'if-none-match: w/"x y"' in requests[1].lower()
    assert f"if-modified-since: {modified.lower()}" in requests[1].lower()
    assert (second.state.status, second.state.failures) == ("unchanged", 0)
    assert second.state.etag == first.state.etag
    assert third.state.etag is None, "replaced by every 200"


def test_a_last_modified_in_the_future_is_not_believed() -> None:
    """It would be answered with 304 for ever."""
    (first, _), requests = polls([answer(200, feed("a"), Last_Modified="Tue, 01 Jan 2041 00:00:00 GMT"), answer(200, feed("a"))])
    assert first.state.last_modified is None
    assert "if-modified-since" not in requests[1].lower()


def test_now_and_then_everything_is_asked_for() -> None:
    _, requests = polls([answer(200, feed("a"), ETag='"x"'), answer(304), answer(200, feed("a"))], every=timedelta(hours=3, minutes=1))
    assert ["if-none-match" in request.lower() for request in requests] == [False, True, False]


def test_an_address_that_moved_for_good_is_adopted_after_three_times() -> None:
    moved = answer(301, Location="/new")
    found, requests = polls([part for _ in range(3) for part in (moved, answer(200, feed("a")))] + [answer(200, feed("a"))])
    assert [request.split()[1] for request in requests] == ["/feed", "/new"] * 3 + ["/new"]
    assert [polled.state.moving for polled in found] == [1, 2, 0, 0]
    assert (found[-1].state.url or "").endswith("/new")


@pytest.mark.parametrize(
    ("url", "heard"),
    [
        ("http://outlet-a.example/new", True),
        ("https://outlet-a.example/new", True),
        ("http://outlet-a.example:8080/new", False),
        ("https://outlet-b.example/new", False),
    ],
)
def test_where_it_has_moved_to_hears_secrets_only_on_its_own_site(url: str, heard: bool) -> None:
    source = source_of(
        {"id": "sample.a", "type": "rss", "url": "http://outlet-a.example/feed", "headers": {"X": "1"}, "secrets": {"header.X-Key": "SAMPLE_KEY"}}
    )
    moved = _moved_source(source, url)

    assert (moved.url, bool(moved.headers), bool(moved.secrets)) == (url, heard, heard)


def test_a_temporary_redirect_is_followed_and_forgotten() -> None:
    found, _ = polls([part for _ in range(4) for part in (answer(302, Location="/new"), answer(200, feed("a")))])
    assert found[-1].state.url is None
    assert found[-1].payload is not None
    assert found[-1].payload.url.endswith("/new")


def test_gone_disables_after_three_times_and_not_found_never() -> None:
    found, _ = polls([answer(410)] * 3)
    assert [(polled.state.status, polled.state.disabled) for polled in found] == [("gone", False), ("gone", False), ("gone", True)]
    found, _ = polls([answer(404)] * 10)
    assert not any(polled.state.disabled for polled in found)
    assert found[-1].state.failures == 10
    assert found[-1].state.next_at - found[-1].state.polled_at == pytest.approx(6 * 3600)


def test_a_success_forgets_what_failed() -> None:
    found, _ = polls([answer(410), answer(410), answer(200, feed("a"))])
    assert (found[-1].state.status, found[-1].state.failures, found[-1].state.gone) == ("ok", 0, 0)


@pytest.mark.parametrize(
    ("given", "status"),
    [
        (answer(200), "empty"),
        (answer(200, b"<!DOCTYPE html><html><head><title>News</title></head><body><p>Welcome</p></body></html>"), "html"),
        (answer(500), "server_error"),
        (answer(429, Retry_After="120"), "throttled"),
        (answer(403), "forbidden"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n<rss", "malformed"),
        (b"\r\n\r\n", "malformed"),
    ],
)
def test_what_fails_has_a_word_for_it(given: bytes, status: str) -> None:
    (polled,), _ = polls([given])
    assert polled.state.status == status
    assert polled.state.message
    assert (polled.records, polled.state.failures) == ((), 1)


def test_what_cannot_be_read_is_a_dead_letter_once() -> None:
    broken = answer(200, b'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "b">]><rss version="2.0"><channel/></rss>')
    first, second = polls([broken, broken])[0]
    assert (first.state.status, second.state.status) == ("unreadable", "unreadable")
    (letter,) = first.records
    assert isinstance(letter, DeadLetter)
    assert "entities" in letter.error_message
    assert second.records == []


def test_a_state_is_kept_as_it_is_stored() -> None:
    from connectors._state import decode_state, encode

    (first, second), _ = polls([answer(200, feed("a"), ETag='"x"'), answer(304)], states=lambda state: decode_state(encode(state)))
    assert second.state.window == first.state.window
    assert decode_state(b'{"cursor": 7}') == State()
    assert decode_state(encode(replace(first.state, url="http://x.example"))).url == "http://x.example"


def test_the_full_text_behind_new_entries_is_had_where_it_is_asked_for() -> None:
    """The article behind the first entry; the second one's page is gone, the third one's is shorter than the summary."""
    article = " ".join(f"The council met for hour number {number} and spoke about street lamps." for number in range(30))
    page = f"<!DOCTYPE html><html><head><title>Lamps</title></head><body><article><h1>Lamps</h1><p>{article}</p></article></body></html>".encode()
    pages = {"/0": answer(200, page), "/1": answer(404), "/2": answer(200, b"<html><body><article><p>No.</p></article></body></html>")}

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        path = (await reader.readuntil(b"\r\n\r\n")).split()[1].decode()
        port = writer.get_extra_info("sockname")[1]
        items = "".join(
            f"<item><guid>{n}</guid><title>t{n}</title><description>{'A summary. ' * 3}</description><link>http://127.0.0.1:{port}/{n}</link></item>"
            for n in range(3)
        )
        writer.write(pages.get(path) or answer(200, FEED.format(items=items).encode()))
        await writer.drain()
        writer.close()
        await writer.wait_closed()

    async def run() -> Polled:
        async with await asyncio.start_server(serve, "127.0.0.1", 0) as server, opened(lambda: NOW) as (http, reader):
            source = source_at(server.sockets[0].getsockname()[1]).model_copy(update={"full_text": True})
            return await poll(source, State(), http, reader, lambda: NOW, luck=0.5)

    texts = {record.native_id: record for record in asyncio.run(run()).records if isinstance(record, RawItem)}
    assert len(texts) == 3
    assert "hour number 29" in texts["0"].body
    assert texts["1"].body.startswith("A summary.")
    assert texts["1"].repairs == ("full_text_missing",)
    assert texts["2"].body.startswith("A summary.")


def test_servers_are_told_whom_to_write_to() -> None:
    async def agents() -> list[str]:
        found = []
        for contact in (None, "https://sample.example/contact"):
            async with opened(lambda: NOW, contact) as (http, _):
                found.append(http.user_agent)
        return found

    assert asyncio.run(agents()) == ["dijla/0.1 (feed collector)", "dijla/0.1 (+https://sample.example/contact; feed collector)"]
