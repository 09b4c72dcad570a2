"""Streams over HTTP: chunks as they come, and the silence that ends them."""

from __future__ import annotations

import asyncio
import zlib
from time import monotonic

import pytest

from connectors._connector import Subscription
from connectors._http import FetchFailed
from tests.connectors.fetching import a_source, failed, http
from tests.connectors.servers.hostile import Hostile, response

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data)


def followed(*pieces: bytes | float, idle: float = 0.3, at_most: int = 100) -> tuple[list[bytes], Hostile]:
    """The chunks of a stream until it ends."""
    server = Hostile(lambda heard: pieces)

    async def run() -> list[bytes]:
        found: list[bytes] = []
        async with server.serving(), http() as client:
            subscription = Subscription(f"{server.url}/stream?t=s3cret", "sse", {"accept": "text/event-stream"}, idle=idle, secret_parts=("s3cret",))
            async with client.stream(subscription, a_source(server.url)) as stream:
                async for one in stream.chunks:
                    found.append(one)
                    if len(found) == at_most:
                        break
        return found

    return asyncio.run(run()), server


def test_chunks_come_as_they_are_sent() -> None:
    found, server = followed(HEAD, chunk(b":thump\n"), 0.05, chunk(b"data: 1\n"), 0.05, chunk(b"\n"), b"0\r\n\r\n")
    assert found == [b":thump\n", b"data: 1\n", b"\n"]
    assert (server.heard[0].headers["accept-encoding"], server.heard[0].headers["accept"]) == ("identity", "text/event-stream")


def test_any_byte_is_a_sign_of_life_and_silence_is_none() -> None:
    beats = [piece for _ in range(6) for piece in (chunk(b"\n"), 0.1)]
    assert len(followed(HEAD, *beats, b"0\r\n\r\n")[0]) == 6
    began = monotonic()
    failure = failed(lambda: followed(HEAD, chunk(b"data"), 5.0))
    assert failure.status == "timeout"
    assert monotonic() - began < 3
    assert "s3cret" not in str(failure)


def test_a_stream_may_be_left_at_any_time() -> None:
    assert followed(HEAD, chunk(b"a"), 0.05, chunk(b"b"), 5.0, at_most=1)[0] == [b"a"]


def test_a_cut_is_a_failure() -> None:
    assert failed(lambda: followed(HEAD, chunk(b"data"), b"5\r\nda")).status == "malformed"


@pytest.mark.parametrize(("status", "word"), [(401, "forbidden"), (404, "not_found"), (429, "throttled"), (304, "redirects")])
def test_no_success_is_a_failure_before_the_first_chunk(status: int, word: str) -> None:
    failure = failed(lambda: followed(response(status, b"" if status == 304 else b"no", Retry_After="5")))
    assert (failure.status, failure.http_status, failure.retry_after) == (word, status, 5.0)


def test_a_compressed_stream_is_read_though_none_was_asked_for() -> None:
    packer = zlib.compressobj(wbits=16 + zlib.MAX_WBITS)
    parts = [packer.compress(b"data: 1\n\n") + packer.flush(zlib.Z_SYNC_FLUSH), packer.compress(b"data: 2\n\n") + packer.flush()]
    head = HEAD.replace(b"\r\n\r\n", b"\r\nContent-Encoding: gzip\r\n\r\n")
    found, _ = followed(head, chunk(parts[0]), 0.05, chunk(parts[1]), b"0\r\n\r\n")
    assert b"".join(found) == b"data: 1\n\ndata: 2\n\n"


def test_errors_of_whoever_follows_are_theirs() -> None:
    server = Hostile(lambda heard: [HEAD, chunk(b"a"), 5.0])

    async def run() -> None:
        async with server.serving(), http() as client, client.stream(Subscription(server.url, "lines"), a_source(server.url)) as stream:
            async for _ in stream.chunks:
                raise OSError("the disk is full")

    with pytest.raises(OSError, match="the disk is full"):
        asyncio.run(run())


def test_a_private_address_is_refused() -> None:
    server = Hostile(lambda heard: [HEAD])

    async def run() -> None:
        async with server.serving(), http() as client, client.stream(Subscription(server.url, "lines"), a_source(server.url, allow_private=False)):
            pytest.fail("it was followed")

    with pytest.raises(FetchFailed) as caught:
        asyncio.run(run())
    assert caught.value.status == "refused_address"
