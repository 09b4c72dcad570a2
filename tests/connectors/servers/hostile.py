"""A server of raw bytes on 127.0.0.1: says what no HTTP library would let it say, and hears what it was told."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Heard:
    """A request as it came."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes


@dataclass
class Hostile:
    """`answer` gives the bytes to say to a request, in pieces, then the connection closes; a number among them is a pause in seconds."""

    answer: Callable[[Heard], Sequence[bytes | float]]
    heard: list[Heard] = field(default_factory=list)
    connections: int = 0
    port: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @asynccontextmanager
    async def serving(self, *, host: str = "127.0.0.1", port: int = 0, tls: ssl.SSLContext | None = None) -> AsyncIterator[Hostile]:
        """Serve until the block ends."""
        server = await asyncio.start_server(self._served, host, port, ssl=tls)
        self.port = server.sockets[0].getsockname()[1]
        self._open: set[asyncio.Task[None]] = set()
        try:
            yield self
        finally:
            server.close()
            for task in self._open:
                task.cancel()
            await asyncio.gather(*self._open, return_exceptions=True)
            await server.wait_closed()

    async def _served(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        task = asyncio.current_task()
        assert task
        self._open.add(task)
        try:
            with suppress(ConnectionError, asyncio.IncompleteReadError, ssl.SSLError):
                await self._say(await _hear(reader), writer)
        except asyncio.CancelledError:
            return
        finally:
            self._open.discard(task)
            writer.close()
            with suppress(ConnectionError, ssl.SSLError, asyncio.CancelledError):
                await writer.wait_closed()

    async def _say(self, heard: Heard, writer: asyncio.StreamWriter) -> None:
        self.heard.append(heard)
        for piece in self.answer(heard):
            if isinstance(piece, bytes):
                writer.write(piece)
                await writer.drain()
            else:
                await asyncio.sleep(piece)


async def _hear(reader: asyncio.StreamReader) -> Heard:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    first, *lines = head.rstrip("\r\n").split("\r\n")
    method, target, _ = first.split(" ")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    return Heard(method, target, headers, await reader.readexactly(int(headers.get("content-length", "0"))))


def response(status: int, body: bytes = b"", **headers: str) -> bytes:
    """A well-formed response; header names with _ for -."""
    given = {"content_length": str(len(body)), "connection": "close", **headers}
    lines = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in given.items())
    return f"HTTP/1.1 {status} Said\r\n{lines}\r\n".encode("latin-1") + body
