"""How httpcore's pools connect: to checked addresses, and leaving no socket behind."""

from __future__ import annotations

import ssl
from collections.abc import Iterable
from contextlib import AsyncExitStack
from typing import Any

import httpcore

from connectors._addresses import reach

_Option = tuple[int, int, int] | tuple[int, int, bytes | bytearray] | tuple[int, int, None, int]


class CheckedBackend(httpcore.AsyncNetworkBackend):
    """What a pool connects through. TLS verifies the host's name, as httpcore learns nothing of the address."""

    def __init__(self, *, allowed: bool) -> None:
        self._allowed, self._inner = allowed, httpcore.AnyIOBackend()

    async def connect_tcp(
        self, host: str, port: int, timeout: float | None = None, local_address: str | None = None, socket_options: Iterable[_Option] | None = None
    ) -> httpcore.AsyncNetworkStream:
        """A connection to a checked address. Raises FetchFailed: dns, refused_address, unreachable."""

        async def attempt(address: str) -> httpcore.AsyncNetworkStream:
            return _Stream(await self._inner.connect_tcp(address, port, timeout, local_address, socket_options))

        return await reach(host, port, self._allowed, attempt)


class _Stream(httpcore.AsyncNetworkStream):
    """A connection that is closed where a deadline ends its TLS handshake: httpcore's own would stay open as long as the server likes."""

    def __init__(self, inner: httpcore.AsyncNetworkStream) -> None:
        self._inner = inner

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return await self._inner.read(max_bytes, timeout)

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:
        await self._inner.write(buffer, timeout)

    async def aclose(self) -> None:
        await self._inner.aclose()

    async def start_tls(self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None) -> httpcore.AsyncNetworkStream:
        async with AsyncExitStack() as stack:
            stack.push_async_callback(self._inner.aclose)
            secured = await self._inner.start_tls(ssl_context, server_hostname, timeout)
            stack.pop_all()
        return secured

    def get_extra_info(self, info: str) -> Any:
        return self._inner.get_extra_info(info)
