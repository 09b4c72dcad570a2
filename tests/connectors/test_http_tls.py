"""TLS on checked addresses: the name of the host is what is verified."""

from __future__ import annotations

import asyncio
import socket
import ssl
from pathlib import Path

import pytest
import trustme

from connectors._connector import Payload, Request
from tests.connectors.fetching import a_source, failed, http, saying
from tests.connectors.servers.hostile import response

NAME = "feed.sample.example"


def context(authority: trustme.CA, name: str) -> ssl.SSLContext:
    found = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(name).configure_cert(found)
    return found


def fetch(tls: ssl.SSLContext | None, trusted: trustme.CA, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Payload:
    """A fetch from https://NAME, which is at 127.0.0.1, where one authority is trusted."""
    trusted.cert_pem.write_to_path(str(folder / "ca.pem"))
    monkeypatch.setenv("SSL_CERT_FILE", str(folder / "ca.pem"))
    monkeypatch.setattr(socket, "getaddrinfo", lambda host, port, *args, **kwargs: [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))])

    async def run() -> Payload:
        server = saying(response(200, b"<rss/>"))
        async with server.serving(tls=tls), http() as client:
            url = f"https://{NAME}:{server.port}/"
            return await client.fetch(Request(url), a_source(url), {}, deadline=5.0)

    return asyncio.run(run())


def test_the_name_is_sent_and_verified(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    authority = trustme.CA()
    asked: list[str | None] = []
    tls = context(authority, NAME)
    tls.sni_callback = lambda connection, name, given: asked.append(name)
    assert fetch(tls, authority, tmp_path, monkeypatch).body == b"<rss/>"
    assert asked == [NAME]


def test_what_is_not_to_be_trusted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    authority = trustme.CA()
    for tls in (context(trustme.CA(), NAME), context(authority, "other.sample.example"), context(authority, "127.0.0.1")):
        failure = failed(lambda tls=tls: fetch(tls, authority, tmp_path, monkeypatch))  # type: ignore[misc]
        assert failure.status == "tls"
        assert "certificate" in str(failure)


def plain(said: bytes, deadline: float) -> None:
    """A fetch by TLS from a server that says so much and nothing else; it sees the connection end before the client does."""

    async def run() -> None:
        ended = asyncio.Event()

        async def served(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(said)
            await reader.read()
            writer.close()
            ended.set()

        server = await asyncio.start_server(served, "127.0.0.1", 0)
        url = f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
        async with server, http() as client:
            try:
                await client.fetch(Request(url), a_source(url), {}, deadline=deadline)
            finally:
                await asyncio.wait_for(ended.wait(), 2.0)

    asyncio.run(run())


def test_no_tls_where_it_was_asked_for() -> None:
    assert failed(lambda: plain(b"HTTP/1.1 400 Bad Request\r\n\r\n", 5.0)).status == "tls"


def test_a_handshake_without_end_leaves_no_socket_behind() -> None:
    assert failed(lambda: plain(b"", 0.2)).status == "timeout"


def test_no_proxy_is_taken_from_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "https_proxy", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.9:9")
    authority = trustme.CA()
    assert fetch(context(authority, NAME), authority, tmp_path, monkeypatch).body == b"<rss/>"
