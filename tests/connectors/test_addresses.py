"""Which addresses are public, and that what was checked is what is connected to."""

from __future__ import annotations

import asyncio
import socket
from typing import Any

import pytest

from connectors._addresses import connect, endpoint, is_public, may_be_private, reach, resolve
from connectors._connector import Request
from tests.connectors.fetching import a_source, failed, fetched, http, saying
from tests.connectors.servers.hostile import Hostile, response

NAME = "feed.sample.example"


class Names:
    """A name server that says something else each time, the last for ever."""

    def __init__(self, *answers: list[str]) -> None:
        self.answers, self.asked = list(answers), 0

    def __call__(self, host: str, port: int, *args: Any, **kwargs: Any) -> list[tuple[Any, ...]]:
        self.asked += 1
        addresses = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if not addresses:
            raise socket.gaierror(-2, "Name or service not known")
        return [(socket.AF_INET6 if ":" in one else socket.AF_INET, socket.SOCK_STREAM, 6, "", (one, port)) for one in addresses]


def names(monkeypatch: pytest.MonkeyPatch, *answers: list[str]) -> Names:
    found = Names(*answers)
    monkeypatch.setattr(socket, "getaddrinfo", found)
    return found


@pytest.mark.parametrize("address", ["8.8.8.8", "185.60.216.35", "2606:4700::6810:84e5", "::ffff:8.8.8.8", "64:ff9b::808:808", "2002:808:808::1"])
def test_public_addresses(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize(
    "address",
    [
        "0.0.0.0", "10.0.0.1", "100.64.0.1", "100.100.100.200", "127.0.0.1", "127.255.0.9", "168.63.129.16", "169.254.169.254", "172.16.0.1",
        "192.0.0.192", "192.0.2.1", "192.88.99.1", "192.168.1.1", "198.18.0.1", "198.51.100.1", "203.0.113.1", "224.0.0.1", "239.1.1.1", "240.0.0.1",
        "255.255.255.255", "::", "::1", "::127.0.0.1", "::ffff:127.0.0.1", "::ffff:169.254.169.254", "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe",
        "64:ff9b:1::1", "100::1", "2001::1", "2001:db8::1", "2002:7f00:1::1", "2002:a00:1::1", "3fff::1", "5f00::1", "fc00::1", "fd00:ec2::254", "fe80::1",
        "fe80::1%1", "fec0::1", "ff02::1",
    ],
)  # fmt: skip
def test_addresses_that_are_not_public(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize(
    ("url", "found"),
    [
        ("https://Sample.Example/a", ("sample.example", 443)), ("ws://sample.example", ("sample.example", 80)),
        ("wss://sample.example:99/", ("sample.example", 99)),
        ("http://user:pass@[::1]:8/", ("::1", 8)), ("http://sample.example\\@evil.example/", ("evil.example", 80)), ("http://[::1/", ("", 0)),
    ],
)  # fmt: skip
def test_endpoints(url: str, found: tuple[str, int]) -> None:
    assert endpoint(url) == found


@pytest.mark.parametrize(
    ("url", "allowed"),
    [
        ("http://10.0.0.1:8080/feed?page=2", True), ("ws://10.0.0.1:8080/stream", True), ("http://10.0.0.1/", False), ("https://10.0.0.1:8081/", False),
        ("http://10.0.0.2:8080/", False), ("http://10.0.0.1.nip.example:8080/", False),
    ],
)  # fmt: skip
def test_allow_private_counts_for_the_host_and_port_of_the_url(url: str, allowed: bool) -> None:
    assert may_be_private(url, a_source("http://10.0.0.1:8080/feed")) is allowed
    assert not may_be_private(url, a_source("http://10.0.0.1:8080/feed", allow_private=False))
    assert not may_be_private(url, a_source(None))


def test_only_public_addresses_of_a_name_are_left(monkeypatch: pytest.MonkeyPatch) -> None:
    names(monkeypatch, ["10.0.0.1", "8.8.8.8", "::1", "8.8.8.8"])
    assert asyncio.run(resolve(NAME, 80, allowed=False)) == ["8.8.8.8"]
    names(monkeypatch, ["10.0.0.1", "::1"])
    failure = failed(lambda: asyncio.run(resolve(NAME, 80, allowed=False)))
    assert failure.status == "refused_address"
    assert "10.0.0.1" in str(failure)


@pytest.mark.parametrize("host", ["no.such.invalid", "a" * 64 + ".example", ".", "a..b"])
def test_a_name_without_address(host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if host.endswith("invalid"):
        names(monkeypatch, [])
    assert failed(lambda: asyncio.run(resolve(host, 80, allowed=True))).status in ("dns", "refused_address")


def test_an_answer_that_changes_after_the_check_counts_for_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = names(monkeypatch, ["8.8.8.8"], ["127.0.0.1"])

    async def attempt(address: str) -> str:
        return address

    assert asyncio.run(reach(NAME, 80, allowed=False, attempt=attempt)) == "8.8.8.8"
    assert asked.asked == 1


def test_a_fetch_goes_to_the_address_that_was_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = names(monkeypatch, ["127.0.0.1"], ["127.0.0.2"])

    async def run() -> tuple[Hostile, Hostile]:
        checked, rebound = saying(response(200, b"checked")), saying(response(200, b"rebound"))
        async with checked.serving(), rebound.serving(host="127.0.0.2", port=checked.port), http() as client:
            url = f"http://{NAME}:{checked.port}/"
            assert (await client.fetch(Request(url), a_source(url), {})).body == b"checked"
        return checked, rebound

    checked, rebound = asyncio.run(run())
    assert checked.heard[0].headers["host"] == f"{NAME}:{checked.port}"
    assert (asked.asked, rebound.connections) == (1, 0)


def test_the_next_address_is_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    async def run() -> tuple[str, int]:
        server = saying()
        async with server.serving():
            names(monkeypatch, ["127.0.0.3", "127.0.0.1"])
            with await connect(NAME, server.port, allowed=True) as found:
                assert found.getblocking() is False
                name: tuple[str, int] = found.getpeername()
        return name

    assert asyncio.run(run())[0] == "127.0.0.1"


def test_a_socket_is_refused_or_unreachable() -> None:
    assert failed(lambda: asyncio.run(connect("127.0.0.1", 80, allowed=False))).status == "refused_address"

    async def closed() -> None:
        server = saying()
        async with server.serving():
            pass
        await connect("127.0.0.1", server.port, allowed=True)

    failure = failed(lambda: asyncio.run(closed()))
    assert failure.status == "unreachable"
    assert "127.0.0.1" in str(failure)


def test_nothing_private_is_fetched_unless_allowed() -> None:
    server = saying(response(200, b"secret"))
    assert failed(lambda: fetched(server, source={"allow_private": False})).status == "refused_address"
    assert server.connections == 0


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "127.1", "2130706433", "0x7f.1", "[::ffff:127.0.0.1]", "0.0.0.0"])
@pytest.mark.parametrize("status", [301, 302, 307])
def test_no_redirect_leads_to_a_private_address(host: str, status: int) -> None:
    async def run() -> Hostile:
        inside = saying(response(200, b"secret"))
        async with inside.serving(), http() as client:
            outside = saying(response(status, Location=f"http://{host}:{inside.port}/admin"))
            async with outside.serving():
                await client.fetch(Request(outside.url), a_source(outside.url), {})
        return inside

    assert failed(lambda: asyncio.run(run())).status == "refused_address"


def test_a_connection_of_a_source_that_may_serves_no_source_that_may_not() -> None:
    kept = b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n<rss/>"

    async def run() -> Hostile:
        server = saying(kept, 5.0)
        async with server.serving(), http() as client:
            await client.fetch(Request(server.url), a_source(server.url), {})
            await client.fetch(Request(server.url), a_source(server.url, allow_private=False), {})
        return server

    assert failed(lambda: asyncio.run(run())).status == "refused_address"
