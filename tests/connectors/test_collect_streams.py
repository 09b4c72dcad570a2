"""Streams over real sockets: a Jetstream and a Mastodon server that drop connections, repeat, and send nonsense."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from websockets.asyncio.server import ServerConnection, serve

from connectors import archive
from connectors._collect import collecting
from connectors._file_outbox import FileOutbox, states
from connectors._sources import Source, source_of
from connectors._state import decode_state
from schemas.container import read_container
from schemas.records import DeadLetter, RawItem

BEGIN = 1_768_485_600_000_000
Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


def now() -> datetime:
    return datetime.now(UTC)


def event(number: int, operation: str = "create") -> str:
    record = {"$type": "app.bsky.feed.post", "createdAt": "2026-01-15T14:00:00.000Z", "langs": ["en"], "text": f"Bulletin {number} from Baghdad"}
    commit = {"operation": operation, "collection": "app.bsky.feed.post", "rkey": f"3l{number}", **({"record": record} if operation != "delete" else {})}
    return json.dumps({"did": "did:plc:sample", "time_us": BEGIN + number * 1_000_000, "kind": "commit", "commit": commit})


@asynccontextmanager
async def at_loopback(served: Serve) -> AsyncIterator[str]:
    async with await asyncio.start_server(served, "127.0.0.1", 0) as server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"


def kept(folder: Path) -> tuple[Counter[str], list[DeadLetter]]:
    records = list(archive.read([folder], now=now(), mode="replay"))
    letters = [letter for file in folder.glob("dead-letters/*.avro") for letter in read_container(file, DeadLetter)]
    return Counter(record.native_id for record in records if isinstance(record, RawItem)), letters


async def collect(source: Source, folder: Path, until: Callable[[], bool]) -> None:
    with closing(FileOutbox(folder, now)) as outbox:
        async with collecting([source], outbox, now) as collector:
            running = asyncio.ensure_future(collector.run())
            async with asyncio.timeout(40):
                while not until() and not running.done():
                    await asyncio.sleep(0.05)
            await asyncio.sleep(1.5)  # what was sent is delivered within a second
            collector.stop()
            await running


def test_jetstream_goes_on_where_it_was_with_an_overlap(tmp_path: Path) -> None:
    """Each connection is dropped after seven events; one message is no event."""
    cursors: list[int | None] = []
    last = 40

    async def jetstream(connection: ServerConnection) -> None:
        assert connection.request
        asked = parse_qs(urlsplit(connection.request.path).query)
        assert asked["wantedCollections"] == ["app.bsky.feed.post"]
        cursor = int(asked["cursor"][0]) if "cursor" in asked else None
        cursors.append(cursor)
        begin = 0 if cursor is None else (cursor - BEGIN) // 1_000_000
        await connection.send("{no event")
        for number in range(begin, min(begin + 12, last)):
            await connection.send(event(number))
        if begin + 12 >= last:
            await connection.wait_closed()

    async def run() -> None:
        async with serve(jetstream, "127.0.0.1", 0) as server:
            port = next(iter(server.sockets)).getsockname()[1]
            source = source_of(
                {"id": "sample.sky", "type": "bluesky", "url": f"http://127.0.0.1:{port}", "allow_private": True, "options": {"keywords": ["baghdad"]}}
            )
            await collect(source, tmp_path, lambda: len(cursors) >= 6)

    asyncio.run(run())
    items, letters = kept(tmp_path)
    assert set(items) == {f"at://did:plc:sample/app.bsky.feed.post/3l{number}" for number in range(last)}
    assert cursors[0] is None
    assert cursors[1] == BEGIN + 11 * 1_000_000 - 5_000_000
    assert decode_state(states(tmp_path)["sample.sky"]).cursor == {"time_us": str(BEGIN + (last - 1) * 1_000_000)}
    assert {letter.payload for letter in letters} == {b"{no event"}


def status(number: int, **more: Any) -> dict[str, Any]:
    account = {"acct": "sample", "url": "https://social.example/@sample"}
    return {"id": str(number), "created_at": "2026-01-15T14:00:00Z", "content": f"<p>{number}</p>", "account": account, **more}


def sse(name: str, data: str) -> bytes:
    return f"event: {name}\ndata: {data}\n\n".encode()


class Mastodon:
    """Statuses up to `posted`; the stream sends two more at each connection, the third one dies in the middle of a message."""

    def __init__(self) -> None:
        self.posted, self.connections, self.asked = 100, 0, list[str]()

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        path = head.split()[1]
        self.asked.append(path)
        assert "authorization: bearer planted-token" in head.lower()
        if "/streaming/" in path:
            await self._stream(writer)
        else:
            asked = parse_qs(urlsplit(path).query)
            behind = int(asked["min_id"][0]) if "min_id" in asked else self.posted - 3
            page = [status(number) for number in range(behind + 1, min(behind + 41, self.posted + 1))][::-1]
            body = json.dumps(page).encode()
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
            await writer.drain()
        writer.close()

    async def _stream(self, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n:)\n\n:thump\n\n")
        for _ in range(2):
            self.posted += 1
            writer.write(sse("update", json.dumps(status(self.posted))))
        if self.connections == 2:
            writer.write(sse("status.update", json.dumps(status(self.posted, edited_at="2026-01-15T15:00:00Z"))) + sse("delete", "99"))
        await writer.drain()
        await asyncio.sleep(0.2)
        writer.write(sse("update", json.dumps(status(self.posted + 1)))[:30])
        await writer.drain()
        self.posted += 60  # posted while nobody listens: two pages


def test_mastodon_fills_the_gap_between_connections(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SAMPLE_TOKEN", "planted-token")
    served = Mastodon()

    async def run() -> None:
        async with at_loopback(served) as url:
            source = source_of({"id": "sample.social", "type": "mastodon", "url": url, "allow_private": True, "secrets": {"token": "SAMPLE_TOKEN"}})
            await collect(source, tmp_path, lambda: served.connections >= 3)

    asyncio.run(run())
    items, letters = kept(tmp_path)
    assert set(map(str, range(101, served.posted - 60 + 1))) <= set(items)
    assert not letters
    assert any("min_id" in path for path in served.asked)
    records = [record for record in archive.read([tmp_path], now=now(), mode="replay") if isinstance(record, RawItem)]
    assert ("99", "delete") in {(record.native_id, record.operation) for record in records}
    assert "update" in {record.operation for record in records}
    assert b"planted-token" not in b"".join(file.read_bytes() for file in tmp_path.rglob("*") if file.is_file())
