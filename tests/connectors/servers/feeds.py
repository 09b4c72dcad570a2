"""A loopback server of numbered feeds: /N is a feed whose items a test sets; it counts requests and answers If-None-Match."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from hashlib import sha256

ITEM = "<item><guid>{number}</guid><title>Bulletin {number} of feed {name}</title><link>https://outlet-a.example/{name}/{number}</link></item>"


@dataclass
class Feeds:
    """What it serves: path without slash -> number of items, of which a feed shows the last `window`; `statuses` are given instead of a feed."""

    items: dict[str, int] = field(default_factory=dict)
    statuses: dict[str, int] = field(default_factory=dict)
    window: int = 10_000
    polls: Counter[str] = field(default_factory=Counter)
    times: dict[str, list[float]] = field(default_factory=dict)
    url: str = ""
    at_once: int = 0
    most_at_once: int = 0

    def body(self, name: str) -> bytes:
        """The feed, newest first."""
        count = self.items.get(name, 0)
        items = "".join(ITEM.format(number=number, name=name) for number in reversed(range(max(0, count - self.window), count)))
        return f'<?xml version="1.0"?><rss version="2.0"><channel><title>Feed {name}</title>{items}</channel></rss>'.encode()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Requests of one connection."""
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
                name = head.split()[1].strip("/")
                self.polls[name] += 1
                self.times.setdefault(name, []).append(asyncio.get_running_loop().time())
                body = self.body(name)
                etag = f'"{sha256(body).hexdigest()[:16]}"'
                status = self.statuses.get(name) or (304 if etag in head else 200)
                sent = body if status == 200 else b""
                self.at_once += 1
                self.most_at_once = max(self.most_at_once, self.at_once)
                await asyncio.sleep(0.002)
                self.at_once -= 1
                head = f"HTTP/1.1 {status} Sample\r\nContent-Length: {len(sent)}\r\nETag: {etag}\r\nContent-Type: application/rss+xml\r\n\r\n"
                writer.write(head.encode() + sent)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


@asynccontextmanager
async def feeds(served: Feeds) -> AsyncIterator[Feeds]:
    """The server, while the context lasts."""
    async with await asyncio.start_server(served.serve, "127.0.0.1", 0) as server:
        served.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        yield served
