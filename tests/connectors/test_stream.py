"""One connection to a stream on real sockets: how messages are cut, what ends it, and what a hostile server achieves."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from pathlib import Path
from time import process_time
from typing import Any, Literal

import pytest
import trustme
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from connectors import _stream
from connectors._connector import Payload, Subscription
from connectors._failure import FetchFailed
from connectors._framing import LARGEST, Events, Framing, Lines, Message
from connectors._http import Http
from connectors._sources import Source
from connectors._stream import opened
from tests.connectors.fetching import AGENT, a_source
from tests.connectors.following import received
from tests.connectors.servers.hostile import Hostile, response
from tests.connectors.visits import NOW

Found = tuple[list[Payload], FetchFailed | None]
Handler = Callable[[ServerConnection], Awaitable[None]]
OPEN = b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n"


def from_websocket(handler: Handler, *, idle: float = 60.0, at_most: int = 1_000, **given: Any) -> Found:
    """What one connection to a server of the library gives."""

    async def run() -> Found:
        async with serve(handler, "127.0.0.1", 0, close_timeout=0.1, **given) as server:
            port = next(iter(server.sockets)).getsockname()[1]
            return await received(Subscription(f"ws://127.0.0.1:{port}/subscribe", "websocket", idle=idle), at(f"http://127.0.0.1:{port}"), at_most=at_most)

    return asyncio.run(run())


def from_bytes(
    *pieces: bytes | float, protocol: Literal["websocket", "sse", "lines"] = "websocket", idle: float = 5.0, source: dict[str, Any] | None = None
) -> tuple[Found, Hostile]:
    """What one connection to a server that says these bytes gives, and what it heard."""
    server = Hostile(lambda heard: pieces)

    async def run() -> Found:
        async with server.serving():
            url = server.url.replace("http", "ws") if protocol == "websocket" else server.url
            asked = Subscription(f"{url}/subscribe?t=s3cret", protocol, {"x-asked": "1"}, idle=idle, secret_parts=("s3cret",))
            return await received(asked, at(server.url, **(source or {})))

    return asyncio.run(run()), server


def at(url: str, **given: Any) -> Source:
    return a_source(url, **given)


def bodies(found: Found) -> list[bytes]:
    return [payload.body for payload in found[0]]


def status(found: Found) -> str | None:
    return found[1].status if found[1] else None


def cut(framing: Framing, chunks: Sequence[bytes]) -> list[Message]:
    return [message for chunk in chunks for message in framing.feed(chunk)]


SSE = (
    b":)\n\nevent: update\ndata: {}\n\n:thump\n: another\r\n\r\nevent:delete\r\ndata:7\r\nid: 3\r\nretry: 10\r\n\r\n"
    b"data: one\ndata:  two\ndata\n\nevent: nothing\n\ndata:\n\nevent: update\ndata: cut"
)
SAID = [Message(b"{}", "update"), Message(b"7", "delete"), Message(b"one\n two\n"), Message(b"")]


@pytest.mark.parametrize("size", [1, 2, 7, 1_000])
def test_events_are_the_same_however_they_are_cut(size: int) -> None:
    assert cut(Events("here"), [SSE[at : at + size] for at in range(0, len(SSE), size)]) == SAID


@pytest.mark.parametrize("size", [1, 3, 1_000])
def test_lines_are_the_same_however_they_are_cut(size: int) -> None:
    said = b'{"a": 1}\r\n\r\n  \n{"b": "\xff"}\n{"cut'
    assert cut(Lines("here"), [said[at : at + size] for at in range(0, len(said), size)]) == [Message(b'{"a": 1}'), Message(b'{"b": "\xff"}')]


@pytest.mark.parametrize("said", [b"data: " + b"x" * LARGEST, b":" + b"x" * LARGEST, b"data: xxx\n" * (LARGEST // 4 + 1)])
def test_an_event_over_the_cap_ends_the_connection(said: bytes) -> None:
    events = Events("here")
    assert cut(events, [b"data: small\n\n"]) == [Message(b"small")]
    with pytest.raises(FetchFailed, match="here: a message of more than 1,048,576 bytes") as failure:
        cut(events, [said])
    assert failure.value.status == "too_large"


def test_an_event_of_the_cap_is_whole() -> None:
    assert cut(Lines("here"), [b"x" * LARGEST, b"\n"]) == [Message(b"x" * LARGEST)]


def test_a_long_message_in_single_bytes_is_no_work() -> None:
    began = process_time()
    (message,) = cut(Events("here"), [b"data: ", *[b"x"] * 500_000, b"\n\n"])
    assert len(message.body) == 500_000
    assert process_time() - began < 5


def test_texts_and_bytes_come_as_they_are() -> None:
    async def told(connection: ServerConnection) -> None:
        await connection.send("صاروخان")
        await connection.send(b"\xff\xfe")
        await connection.send(b"\xff not UTF-8", text=True)
        await connection.send(["a fragmented ", "one"])

    found = from_websocket(told)
    assert (bodies(found), status(found)) == (["صاروخان".encode(), b"\xff\xfe", b"\xff not UTF-8", b"a fragmented one"], None)


def test_a_message_over_the_cap_ends_a_websocket() -> None:
    async def told(connection: ServerConnection) -> None:
        await connection.send("small")
        await connection.send("x" * (LARGEST + 1))

    found = from_websocket(told, compression=None)
    assert (bodies(found), status(found)) == ([b"small"], "too_large")


def test_a_compressed_message_is_no_larger() -> None:
    async def told(connection: ServerConnection) -> None:
        await connection.send("x" * LARGEST)
        await connection.send("x" * (200 * LARGEST))

    found = from_websocket(told)
    assert ([len(body) for body in bodies(found)], status(found)) == ([LARGEST], "too_large")


def test_what_came_before_a_break_is_kept() -> None:
    async def told(connection: ServerConnection) -> None:
        for number in range(10):
            await connection.send(str(number))
        connection.transport.abort()

    found = from_websocket(told)
    assert bodies(found) == [str(number).encode() for number in range(len(found[0]))]
    assert status(found) == "unreachable"


@pytest.mark.parametrize(("code", "word"), [(1000, None), (1001, None), (1008, "unreachable"), (1009, "unreachable"), (1011, "unreachable")])
def test_a_server_may_end_it_and_say_why(code: int, word: str | None) -> None:
    async def told(connection: ServerConnection) -> None:
        await connection.send("last")
        await connection.close(code, "sample reason")

    found = from_websocket(told)
    assert (bodies(found), status(found)) == ([b"last"], word)
    assert found[1] is None or "sample reason" in str(found[1])


def test_a_quiet_server_is_alive_while_it_answers_pings() -> None:
    async def told(connection: ServerConnection) -> None:
        await asyncio.sleep(1.6)
        await connection.send("late")

    found = from_websocket(told, idle=0.8)
    assert (bodies(found), status(found)) == ([b"late"], None)


def test_a_server_that_answers_no_ping_is_dead() -> None:
    async def told(connection: ServerConnection) -> None:
        await connection.send("first")
        connection.transport.pause_reading()
        await asyncio.sleep(1)

    found = from_websocket(told, idle=0.3)
    assert (bodies(found), status(found)) == ([b"first"], "timeout")


def test_a_slow_consumer_is_dropped_and_has_what_it_took_in_order() -> None:
    """The server gives it up when its own buffers are full; nothing is skipped before the break."""
    sent: list[int] = []
    dropped = asyncio.Event()

    async def told(connection: ServerConnection) -> None:
        with suppress(TimeoutError, ConnectionClosed):
            for number in range(100_000):
                async with asyncio.timeout(0.5):
                    await connection.send(f"{number} " + "x" * 50_000)
                sent.append(number)
        connection.transport.abort()
        dropped.set()

    async def taken_late(url: str, took: list[int]) -> None:
        async with Http(AGENT, lambda: NOW) as http, opened(http, Subscription(f"ws://{url}", "websocket"), at(f"http://{url}"), lambda: NOW) as stream:
            await dropped.wait()
            async for payload in stream.messages:
                took.append(int(payload.body.split()[0]))

    async def run() -> tuple[list[int], str]:
        took: list[int] = []
        async with serve(told, "127.0.0.1", 0, compression=None, ping_interval=None) as server:
            with pytest.raises(FetchFailed) as failure:
                await taken_late(f"127.0.0.1:{next(iter(server.sockets)).getsockname()[1]}", took)
        return took, failure.value.status

    took, word = asyncio.run(run())
    assert took == list(range(len(took)))
    assert 0 < len(sent) < 100_000
    assert word == "unreachable"


@pytest.mark.parametrize("protocol", ["websocket", "sse", "lines"])
@pytest.mark.parametrize(("code", "word"), [(401, "forbidden"), (404, "not_found"), (410, "gone"), (503, "server_error")])
def test_a_refusal_has_its_word(protocol: Literal["websocket", "sse", "lines"], code: int, word: str) -> None:
    found, server = from_bytes(response(code, b"no"), protocol=protocol)
    assert (bodies(found), status(found)) == ([], word)
    assert found[1]
    assert found[1].http_status == code
    assert "s3cret" not in str(found[1])
    assert server.connections == 1


@pytest.mark.parametrize("protocol", ["websocket", "sse"])
def test_a_limit_says_when_it_ends(protocol: Literal["websocket", "sse"]) -> None:
    limits = {"X_RateLimit_Limit": "300", "X_RateLimit_Remaining": "0", "X_RateLimit_Reset": "2026-09-21T12:03:05Z"}
    found, _ = from_bytes(response(429, b"{}", **limits), protocol=protocol)
    assert found[1]
    assert (found[1].status, found[1].retry_after) == ("throttled", 180.0)


def test_a_websocket_follows_no_redirect() -> None:
    found, server = from_bytes(response(302, Location="ws://169.254.169.254/latest"))
    assert (status(found), server.connections) == ("redirects", 1)


@pytest.mark.parametrize(
    ("said", "word"),
    [
        (response(200, b"<html>sample</html>"), "malformed"),
        (response(200, b"<html>", cf_mitigated="challenge"), "challenge"),
        (b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: bm8=\r\n\r\n", "unreachable"),
        (b"SSH-2.0-Sample\r\n", "unreachable"),
        (b"HTTP/1.1 200 OK\r\n" + b"a: b\r\n" * 10_000, "unreachable"),
        (b"\0" * 100_000, "unreachable"),
        (b"", "unreachable"),
    ],
)
def test_what_is_no_websocket(said: bytes, word: str) -> None:
    found, _ = from_bytes(said)
    assert (bodies(found), status(found)) == ([], word)
    assert "s3cret" not in str(found[1])


def test_a_server_that_never_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_stream, "_OPENING_SECONDS", 0.2)
    found, _ = from_bytes(5.0)
    assert status(found) == "timeout"


def test_a_port_where_nobody_listens() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        url = f"127.0.0.1:{taken.getsockname()[1]}"
    assert status(asyncio.run(received(Subscription(f"ws://{url}", "websocket"), at(f"http://{url}")))) == "unreachable"


def test_a_private_address_is_refused() -> None:
    found, server = from_bytes(b"", source={"allow_private": False})
    assert (status(found), server.connections) == ("refused_address", 0)


def test_who_asks_is_told_and_the_source_s_own_headers() -> None:
    _, server = from_bytes(b"", source={"headers": {"X-Sample": "yes"}})
    headers = server.heard[0].headers
    assert (headers["x-sample"], headers["x-asked"]) == ("yes", "1")
    assert headers["user-agent"] == "dijla-test/1 (+https://sample.example/contact)"
    assert "+https://" in headers["user-agent"]


def test_silence_ends_a_stream_over_http() -> None:
    found, _ = from_bytes(OPEN + b"data: 1\n\n", 3.0, protocol="sse", idle=0.2)
    assert (bodies(found), status(found)) == ([b"1"], "timeout")


def secured(authority: trustme.CA, name: str, trusted: trustme.CA, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Found:
    """A WebSocket by TLS to a name that is at 127.0.0.1, where one authority is trusted."""
    trusted.cert_pem.write_to_path(str(folder / "ca.pem"))
    monkeypatch.setenv("SSL_CERT_FILE", str(folder / "ca.pem"))
    monkeypatch.setattr(socket, "getaddrinfo", lambda host, port, *args, **kwargs: [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))])
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(name).configure_cert(tls)

    async def told(connection: ServerConnection) -> None:
        await connection.send("by TLS")

    async def run() -> Found:
        with socket.create_server(("127.0.0.1", 0)) as listening:
            port = listening.getsockname()[1]
            async with serve(told, sock=listening, ssl=tls):
                url = f"stream.sample.example:{port}"
                return await received(Subscription(f"wss://{url}", "websocket"), at(f"https://{url}"))

    return asyncio.run(run())


def test_tls_is_verified_by_the_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    authority = trustme.CA()
    found = secured(authority, "stream.sample.example", authority, tmp_path, monkeypatch)
    assert (bodies(found), status(found)) == ([b"by TLS"], None)
    assert status(secured(authority, "other.sample.example", authority, tmp_path, monkeypatch)) == "tls"
    assert status(secured(trustme.CA(), "stream.sample.example", authority, tmp_path, monkeypatch)) == "tls"


def test_what_is_told_before_it_is_asked_for_is_kept() -> None:
    """So that a gap can be filled after the stream began."""

    async def told(connection: ServerConnection) -> None:
        await connection.send("early")
        await connection.wait_closed()

    async def run() -> bytes:
        async with serve(told, "127.0.0.1", 0) as server, Http(AGENT, lambda: NOW) as http:
            port = next(iter(server.sockets)).getsockname()[1]
            async with opened(http, Subscription(f"ws://127.0.0.1:{port}", "websocket"), at(f"http://127.0.0.1:{port}"), lambda: NOW) as stream:
                await asyncio.sleep(0.2)
                return (await anext(stream.messages)).body

    assert asyncio.run(run()) == b"early"
