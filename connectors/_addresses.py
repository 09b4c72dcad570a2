"""Where we may connect to: a host is resolved, its addresses are checked, and a checked one is connected to, so that no second DNS answer counts.

Public means global unicast of https://www.iana.org/assignments/iana-ipv4-special-registry and iana-ipv6-special-registry. Addresses of clouds'
metadata services are among what that leaves out, but for one.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address, ip_network
from typing import TypeVar

import httpcore
import httpx

from connectors._failure import FetchFailed
from connectors._sources import Source

_CONNECT_SECONDS = 5.0
_GLOBAL_UNICAST = IPv6Network("2000::/3")
_NAT64 = IPv6Network("64:ff9b::/96")
# What older Pythons take for global, and Azure's metadata service, which is at a public address.
_SPECIAL = tuple(map(ip_network, ("192.0.0.0/24", "192.88.99.0/24", "168.63.129.16/32", "3fff::/20")))
_PORTS = {"http": 80, "ws": 80, "https": 443, "wss": 443}
# Of their own, as a name server that never answers must not hold up whatever else runs in the loop's threads.
_RESOLVERS = ThreadPoolExecutor(16, "dns")

T = TypeVar("T")


def endpoint(url: str) -> tuple[str, int]:
    """Host and port of an http, https, ws or wss URL, as they are connected to; ("", 0) where it has none."""
    try:
        parts = httpx.URL(url)
    except httpx.InvalidURL:
        return "", 0
    return parts.raw_host.decode("ascii"), parts.port or _PORTS.get(parts.scheme, 0)


def may_be_private(url: str, source: Source) -> bool:
    """Whether this URL may lead to an address that is not public: where the source says so, at its own host and port."""
    return source.allow_private and source.url is not None and endpoint(url) == endpoint(source.url) != ("", 0)


def is_public(address: str) -> bool:
    """Whether an IP address is one of the public internet; an IPv6 address that stands for an IPv4 address is judged as that."""
    found = ip_address(address)
    if isinstance(found, IPv6Address):
        inner = _embedded(found)
        if inner is None:
            return found in _GLOBAL_UNICAST and _is_ordinary(found)
        found = inner
    return _is_ordinary(found)


def _is_ordinary(address: IPv4Address | IPv6Address) -> bool:
    return address.is_global and not address.is_multicast and not any(address in network for network in _SPECIAL)


def _embedded(address: IPv6Address) -> IPv4Address | None:
    if address in _NAT64:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour


async def resolve(host: str, port: int, allowed: bool) -> list[str]:
    """The addresses of a host that may be connected to, in the system's order. Raises FetchFailed: dns, refused_address."""
    try:
        answers = await asyncio.get_running_loop().run_in_executor(_RESOLVERS, lambda: socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))
    except (OSError, UnicodeError) as error:
        raise FetchFailed("dns", f"{host[:255]}: has no address: {error}; check the name, and this machine's DNS") from error
    found = list(dict.fromkeys(str(answer[4][0]) for answer in answers))
    permitted = found if allowed else [address for address in found if is_public(address)]
    if not permitted:
        raise FetchFailed(
            "refused_address",
            f"{host[:255]}:{port}: is at {_listed(found)}, which is not public; if it is the source's own url and meant to be, set allow_private = true "
            "(where `dijla check` was given the URL: --allow-private)",
        )
    return permitted


def _listed(addresses: Iterable[str]) -> str:
    return ", ".join(list(addresses)[:4]) or "no address"


async def reach(host: str, port: int, allowed: bool, attempt: Callable[[str], Awaitable[T]]) -> T:
    """What `attempt` gives for the first checked address it succeeds with. Raises FetchFailed: dns, refused_address, unreachable."""
    reasons = []
    for address in await resolve(host, port, allowed):
        try:
            async with asyncio.timeout(_CONNECT_SECONDS):
                return await attempt(address)
        except TimeoutError:
            reasons.append(f"{address}: no answer in {_CONNECT_SECONDS:g} s")
        except (OSError, httpcore.ConnectError, httpcore.ConnectTimeout) as error:
            reasons.append(f"{address}: {error or type(error).__name__}")
    raise FetchFailed("unreachable", f"{host}:{port}: cannot be connected to: {_listed(reasons)}")


async def connect(host: str, port: int, allowed: bool) -> socket.socket:
    """A non-blocking socket, connected to a checked address; the caller closes it. Raises FetchFailed: dns, refused_address, unreachable."""

    async def attempt(address: str) -> socket.socket:
        with ExitStack() as stack:
            family = socket.AF_INET6 if ":" in address else socket.AF_INET
            found = stack.enter_context(socket.socket(family, socket.SOCK_STREAM))
            found.setblocking(False)
            await asyncio.get_running_loop().sock_connect(found, (address, port))
            stack.pop_all()
        return found

    return await reach(host, port, allowed, attempt)
