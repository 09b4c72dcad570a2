"""A Jetstream on 127.0.0.1: repeats from a cursor on, inclusively, then tells what is new; drops connections where it is told to.

Source: https://github.com/bluesky-social/jetstream.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

BEGIN = 1_768_485_600_000_000
"""2026-01-15 14:00 UTC, in microseconds; events are a second apart."""
DID = "did:plc:sampleaaaaaaaaaaaaaaaaaa"
COLLECTION = "app.bsky.feed.post"


@dataclass
class Jetstream:
    """Messages in their order; bytes among them are sent as text as they are. `cuts`: after how many messages each connection dies in the next one."""

    messages: list[dict[str, Any] | bytes] = field(default_factory=list)
    cuts: list[int] = field(default_factory=list)
    asked: list[dict[str, list[str]]] = field(default_factory=list)
    is_over: bool = True
    """Whether it ends in good order when there is no more to tell."""
    url: str = ""

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[Jetstream]:
        """Serve until the block ends."""
        async with serve(self._subscribed, "127.0.0.1", 0) as server:
            self.url = f"http://127.0.0.1:{next(iter(server.sockets)).getsockname()[1]}"
            yield self

    async def _subscribed(self, connection: ServerConnection) -> None:
        assert connection.request
        parts = urlsplit(connection.request.path)
        query = parse_qs(parts.query)
        self.asked.append(query)
        assert parts.path == "/subscribe"
        left = self.cuts.pop(0) if self.cuts else None
        with suppress(ConnectionClosed):
            for data in self._told(query):
                if left == 0:
                    _die_within(connection, data)
                    return
                await connection.send(data, text=True)
                left = None if left is None else left - 1
            if not self.is_over:
                await connection.wait_closed()

    def _told(self, query: dict[str, list[str]]) -> list[bytes]:
        cursor = int(query["cursor"][0]) if "cursor" in query else 0
        cap = int(query.get("maxMessageSizeBytes", ["0"])[0])
        found = [message if isinstance(message, bytes) else _encoded(message) for message in self.messages if self._is_wanted(message, query, cursor)]
        return [data for data in found if not cap or len(data) <= cap]

    def _is_wanted(self, message: dict[str, Any] | bytes, query: dict[str, list[str]], cursor: int) -> bool:
        if isinstance(message, bytes):
            return True
        is_of = message["kind"] != "commit" or message["commit"]["collection"] in query.get("wantedCollections", [message["commit"]["collection"]])
        return is_of and message["did"] in query.get("wantedDids", [message["did"]]) and message["time_us"] >= cursor


def _encoded(message: dict[str, Any]) -> bytes:
    return json.dumps(message, ensure_ascii=False).encode()


def _die_within(connection: ServerConnection, data: bytes) -> None:
    """The head of a frame of the whole length, and half of it."""
    connection.transport.write(b"\x81\x7e" + len(data).to_bytes(2, "big") + data[: len(data) // 2])
    connection.transport.close()


def event(number: int, text: str = "", *, operation: str = "create", did: str = DID, key: int | None = None, **more: Any) -> dict[str, Any]:
    """What is told of a post; `key` is that of an earlier one for an edit or a deletion."""
    commit: dict[str, Any] = {"rev": f"3lsamplerev{number}", "operation": operation, "collection": COLLECTION, "rkey": f"3lsample{key or number}"}
    if operation != "delete":
        commit["record"] = {
            "$type": COLLECTION,
            "createdAt": "2026-01-15T13:59:59.000Z",
            "langs": ["en"],
            "text": text or f"Bulletin {number} from Baghdad",
            **more,
        }
        commit["cid"] = f"bafyreisample{number}"
    return {"did": did, "time_us": BEGIN + number * 1_000_000, "kind": "commit", "commit": commit}


def account(number: int) -> dict[str, Any]:
    """What is told of an account, whatever collections are wanted."""
    return {"did": DID, "time_us": BEGIN + number * 1_000_000, "kind": "account", "account": {"active": True, "did": DID, "seq": number}}
