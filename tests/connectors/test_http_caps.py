"""Bodies under caps, and content codings that are not what the header says."""

from __future__ import annotations

import gzip
import tracemalloc
import zlib

import pytest
import zstandard

from connectors._caps import INFLATED_BYTES, WIRE_BYTES
from tests.connectors.fetching import failed, fetched, saying
from tests.connectors.servers.hostile import response

FEED = b"<rss>" + b"".join(b"<item>%d</item>" % number for number in range(30_000)) + b"</rss>"


def raw_deflate(data: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return packer.compress(data) + packer.flush()


GZIP, ZSTD = gzip.compress(FEED), zstandard.compress(FEED)


@pytest.mark.parametrize(
    ("coding", "body"),
    [
        ("gzip", GZIP), ("x-gzip", GZIP), ("GZIP", GZIP), ("gzip, gzip", GZIP), ("gzip, identity", GZIP),
        ("gzip", GZIP + b"\0" * 512), ("gzip", gzip.compress(FEED[:100]) + gzip.compress(FEED[100:])),
        ("deflate", zlib.compress(FEED)), ("deflate", raw_deflate(FEED)),
        ("zstd", ZSTD), ("zstd", zstandard.compress(FEED[:100]) + zstandard.compress(FEED[100:])),
        ("gzip", FEED), ("zstd", FEED), ("utf-8", FEED), ("identity", FEED), ("", FEED),
    ],
)  # fmt: skip
def test_a_coding_is_taken_off(coding: str, body: bytes) -> None:
    assert fetched(saying(response(200, body, Content_Encoding=coding))).body == FEED


@pytest.mark.parametrize("size", [65_535, 65_536, 65_537, 65_700, 131_072, 131_200])
def test_no_byte_is_left_inside(size: int) -> None:
    for coding, pack in (("gzip", gzip.compress), ("deflate", raw_deflate)):
        assert fetched(saying(response(200, pack(b"a" * size), Content_Encoding=coding))).body == b"a" * size


@pytest.mark.parametrize(
    ("coding", "body"),
    [
        ("gzip", GZIP[:-1]), ("gzip", GZIP[:500]), ("gzip", GZIP[:200] + b"\xff" * 100 + GZIP[300:]), ("gzip", GZIP[:-8] + b"\0" * 8),
        ("deflate", zlib.compress(FEED)[:-5]), ("zstd", ZSTD[:-1]), ("zstd", ZSTD[:20] + b"\xff" * 60),
        ("br", b"\x0b\x02\x80"), ("deflate, gzip", GZIP),
    ],
)  # fmt: skip
def test_a_body_that_cannot_be_inflated_is_malformed(coding: str, body: bytes) -> None:
    failure = failed(lambda: fetched(saying(response(200, body, Content_Encoding=coding))))
    assert failure.status == "malformed"
    assert "/feed" in str(failure)


def zstd_bomb(size: int) -> bytes:
    packer = zstandard.ZstdCompressor(level=1).compressobj()
    return b"".join(packer.compress(b"\0" * 1_000_000) for _ in range(size // 1_000_000)) + packer.flush()


def gzip_bomb(size: int) -> bytes:
    packer = zlib.compressobj(wbits=16 + zlib.MAX_WBITS)
    return b"".join(packer.compress(b"\0" * 1_000_000) for _ in range(size // 1_000_000)) + packer.flush()


@pytest.mark.parametrize(("coding", "bomb"), [("gzip", gzip_bomb(500_000_000)), ("zstd", zstd_bomb(500_000_000))])
def test_a_bomb_stops_at_the_cap(coding: str, bomb: bytes) -> None:
    assert len(bomb) < 500_000
    server = saying(response(200, bomb, Content_Encoding=coding))
    tracemalloc.start()
    try:
        failure = failed(lambda: fetched(server, deadline=30.0))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert failure.status == "too_large"
    assert peak < 2.5 * INFLATED_BYTES


def test_a_window_of_gigabytes_is_refused() -> None:
    parameters = zstandard.ZstdCompressionParameters(window_log=27, enable_ldm=True)
    packer = zstandard.ZstdCompressor(compression_params=parameters).compressobj()
    body = packer.compress(FEED) + packer.flush()
    assert failed(lambda: fetched(saying(response(200, body, Content_Encoding="zstd")))).status == "malformed"


def test_a_body_without_end_stops_at_the_cap() -> None:
    piece = b"a" * 1_000_000
    server = saying(b"HTTP/1.1 200 OK\r\n\r\n", *[piece] * (WIRE_BYTES // len(piece) + 2), 60.0)
    assert failed(lambda: fetched(server, deadline=20.0)).status == "too_large"


def test_a_failure_needs_no_end_of_its_body() -> None:
    assert failed(lambda: fetched(saying(b"HTTP/1.1 404 No\r\n\r\n", b"a" * 1_000_000, 60.0))).status == "not_found"
    assert failed(lambda: fetched(saying(response(429, b"\x1f\x8b\0\0", Content_Encoding="gzip")))).status == "throttled"
    assert failed(lambda: fetched(saying(b"HTTP/1.1 503 No\r\nContent-Length: 9\r\n\r\na"))).status == "server_error"


def test_the_reason_in_a_compressed_failure_is_read() -> None:
    body = gzip.compress(b'{"parameters": {"retry_after": 9}}')
    assert failed(lambda: fetched(saying(response(429, body, Content_Encoding="gzip")))).retry_after == 9.0
