"""Fetching: what responses of every status become, from a server of raw bytes."""

from __future__ import annotations

import asyncio

import pytest

from connectors._connector import Request
from tests.connectors.fetching import AGENT, NOW, a_source, failed, fetched, http, paths, saying
from tests.connectors.servers.hostile import Hostile, response


def test_a_success_is_a_payload() -> None:
    server = saying(response(200, b"<rss/>", ETag='W/"a\xe9"', Content_Type="text/xml", Set_Cookie="a=b"))
    payload = fetched(server)
    assert (payload.body, payload.status, payload.fetched_at, payload.cursor) == (b"<rss/>", 200, NOW, {"page": "1"})
    assert (payload.url, payload.redirects, payload.moved_to) == (f"{server.url}/feed", (), None)
    assert payload.headers["etag"] == 'W/"a\xe9"'
    assert "set-cookie" not in payload.headers


def test_what_a_server_is_told() -> None:
    server = saying(response(200, b"<rss/>"))
    fetched(server, headers={"If-None-Match": 'W/"a\xe9"'}, source={"headers": {"X-Own": "عربي"}})
    headers = server.heard[0].headers
    assert headers["user-agent"] == AGENT
    assert headers["accept-encoding"] == "gzip, deflate, zstd"
    assert headers["if-none-match"] == 'W/"a\xe9"'
    assert headers["x-own"].encode("latin-1").decode() == "عربي"


def test_a_body_is_posted() -> None:
    server = saying(response(200, b"{}"))
    fetched(server, method="POST", body=b"a=1")
    assert (server.heard[0].method, server.heard[0].body) == ("POST", b"a=1")


def test_not_modified_has_no_body() -> None:
    payload = fetched(saying(response(304, ETag='"a"')))
    assert (payload.status, payload.body, payload.headers["etag"]) == (304, b"", '"a"')


@pytest.mark.parametrize(
    ("status", "word"),
    [
        (400, "client_error"), (401, "forbidden"), (403, "forbidden"), (404, "not_found"), (410, "gone"), (429, "throttled"), (451, "forbidden"),
        (500, "server_error"), (503, "server_error"), (599, "server_error"), (300, "redirects"), (305, "redirects"), (999, "server_error"),
    ],
)  # fmt: skip
def test_every_other_status_fails_with_a_word(status: int, word: str) -> None:
    failure = failed(lambda: fetched(saying(response(status, b"sorry", X_Why="so"))))
    assert (failure.status, failure.http_status, failure.headers["x-why"]) == (word, status, "so")
    assert f"status {status}" in str(failure)


@pytest.mark.parametrize("body", [b"", b" \r\n", b"\xef\xbb\xbf\n"])
def test_an_empty_success_is_a_failure(body: bytes) -> None:
    assert failed(lambda: fetched(saying(response(200, body)))).status == "empty"


def test_a_challenge_is_none_of_its_status() -> None:
    failure = failed(lambda: fetched(saying(response(403, b"<html>", CF_Mitigated="challenge", Retry_After="30"))))
    assert (failure.status, failure.http_status, failure.retry_after) == ("challenge", 403, 30.0)
    assert failed(lambda: fetched(saying(response(200, b"<!doctype html><script id=anubis_challenge>")))).status == "challenge"


@pytest.mark.parametrize(
    ("headers", "body", "seconds"),
    [
        ({"Retry_After": "120"}, b"", 120.0),
        ({"Retry_After": "Sun, 01 Mar 2026 12:05:00 GMT"}, b"", 300.0),
        ({"Retry_After": "Sun, 08 Mar 2026 12:05:00 GMT"}, b"", 86_400.0),
        ({}, b'{"ok": false, "error_code": 429, "parameters": {"retry_after": 7}}', 7.0),
        ({}, b"later", None),
    ],
)
@pytest.mark.parametrize("status", [429, 503])
def test_when_to_ask_again(status: int, headers: dict[str, str], body: bytes, seconds: float | None) -> None:
    assert failed(lambda: fetched(saying(response(status, body, **headers)))).retry_after == seconds


def test_permanent_redirects_move_a_source() -> None:
    server = paths(
        {
            "/feed": [response(301, Location="/b")],
            "/b": [response(308, Location="c?x=1#part")],
            "/c?x=1": [response(302, Location="/d")],
            "/d": [response(301, Location="/e")],
            "/e": [response(200, b"<rss/>")],
        }
    )
    payload = fetched(server)
    assert payload.url == f"{server.url}/e"
    assert payload.moved_to == f"{server.url}/c?x=1"
    assert payload.redirects == tuple(server.url + path for path in ("/b", "/c?x=1", "/d", "/e"))


@pytest.mark.parametrize("status", [302, 303, 307])
def test_a_temporary_redirect_moves_nothing(status: int) -> None:
    server = paths({"/feed": [response(status, Location="/b")], "/b": [response(301, Location="/c")], "/c": [response(200, b"<rss/>")]})
    assert fetched(server).moved_to is None


def test_loops_end() -> None:
    server = saying(response(301, Location="/feed"))
    assert failed(lambda: fetched(server)).status == "redirects"
    assert len(server.heard) == 6


@pytest.mark.parametrize(
    "location",
    ["", "ftp://sample.example/a", "file:///etc/passwd", "javascript:alert(1)", "http://[::1", "http://a:x/", "http://\x7f/", "\xff"],
)
def test_a_redirect_to_no_web_address_is_refused(location: str) -> None:
    server = saying(response(301, Location=location))
    assert failed(lambda: fetched(server)).status == "redirects"
    assert len(server.heard) == 1


def test_what_was_to_be_posted_is_not_redirected() -> None:
    server = saying(response(307, Location="/b"))
    assert failed(lambda: fetched(server, method="POST", body=b"secret")).status == "redirects"
    assert len(server.heard) == 1


def test_a_server_drips() -> None:
    drip = [piece for _ in range(200) for piece in (b"x", 0.02)]
    assert failed(lambda: fetched(saying(b"HTTP/1.1 200 OK\r\n\r\n", *drip), deadline=0.3)).status == "timeout"
    assert failed(lambda: fetched(saying(b"HTTP/1.1 200 OK\r\nA: ", *drip), deadline=0.3)).status == "timeout"
    assert failed(lambda: fetched(saying(3.0), deadline=0.3)).status == "timeout"


@pytest.mark.parametrize(
    ("said", "word"),
    [
        (b"", "unreachable"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n<rss", "malformed"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n<rss>", "malformed"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n<rss>\r\n0\r\n\r\n", "malformed"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-5\r\n<rss>\r\n0\r\n\r\n", "malformed"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n<rss>", "malformed"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5, 7\r\n\r\n<rss>", "malformed"),
        (b"HTTP/1.1 20 OK\r\n\r\n", "malformed"),
        (b"SSH-2.0-OpenSSH_9.6\r\n", "unreachable"),
        (b"SSH-2.0-OpenSSH_9.6\r\n\r\n", "malformed"),
        (b"<html>no headers at all</html>", "unreachable"),
        (b"HTTP/1.1 200 OK\r\nA: b\0c\r\n\r\n<rss>", "malformed"),
        (b"HTTP/1.1 200 OK\r\n" + b"A: " + b"b" * 2_000_000 + b"\r\n\r\n<rss>", "malformed"),
        (b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * 200_000 + b"\r\n<rss>", "malformed"),
        (b"\0" * 300_000, "malformed"),
    ],
)  # fmt: skip
def test_what_is_no_http_is_a_failure(said: bytes, word: str) -> None:
    assert failed(lambda: fetched(saying(said))).status == word


def test_what_is_barely_http_is_read() -> None:
    assert fetched(saying(b"HTTP/1.0 200\r\n\r\n<rss/>")).body == b"<rss/>"
    assert fetched(saying(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n<rss/>")).body == b"<rss"
    chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3;a=b\r\n<rs\r\n3\r\ns/>\r\n0\r\nTrailer: a\r\n\r\n"
    assert fetched(saying(chunked)).body == b"<rss/>"


def test_control_characters_and_long_values_of_headers_are_left_out() -> None:
    headers = fetched(saying(b"HTTP/1.1 200 OK\r\nServer: a\x1b[31mb\x07\r\nETag: " + b"e" * 9000 + b"\r\nA: 1\r\na: 2\r\n\r\n<rss/>")).headers
    assert headers == {"server": "a[31mb", "a": "1, 2"}


def test_a_closed_port_is_unreachable() -> None:
    async def run() -> None:
        server = Hostile(lambda heard: [])
        async with server.serving():
            pass
        async with http() as client:
            await client.fetch(Request(server.url), a_source(server.url), {})

    assert failed(lambda: asyncio.run(run())).status == "unreachable"


def test_a_header_that_http_does_not_allow_is_not_shown() -> None:
    failure = failed(lambda: fetched(saying(response(200, b"a")), headers={"authorization": "Bearer secret\r\nX: injected"}))
    assert failure.status == "malformed"
    assert "secret" not in str(failure)


@pytest.mark.parametrize("url", ["ftp://sample.example/", "http://", "//sample.example/", "http://[::1/", "feed"])
def test_an_address_that_is_none_is_said(url: str) -> None:
    async def run() -> None:
        async with http() as client:
            await client.fetch(Request(url), a_source(None), {})

    assert failed(lambda: asyncio.run(run())).status == "malformed"
