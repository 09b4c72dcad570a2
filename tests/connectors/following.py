"""Following a stream as the collector does, one connection on real sockets: subscribe, read, parse, the cursor of each into the next."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, aclosing, nullcontext
from dataclasses import dataclass, field, replace
from typing import Any

from connectors._connector import Cursor, Payload, StreamConnector, Subscription, connector
from connectors._failure import FetchFailed
from connectors._http import Http
from connectors._reader import parse_each
from connectors._sources import Source
from connectors._stream import messages
from schemas.records import DeadLetter, RawItem
from tests.connectors.visits import NOW


@dataclass
class Followed:
    """What came until the connection ended, or there was enough; `failure` is why it broke."""

    records: list[RawItem | DeadLetter] = field(default_factory=list)
    cursor: Cursor = field(default_factory=dict)
    failure: FetchFailed | None = None

    @property
    def items(self) -> list[RawItem]:
        return [record for record in self.records if isinstance(record, RawItem)]

    @property
    def letters(self) -> list[DeadLetter]:
        return [record for record in self.records if isinstance(record, DeadLetter)]

    @property
    def ids(self) -> list[str]:
        return [item.native_id for item in self.items]


async def received(subscription: Subscription, source: Source, *, at_most: int = 1_000) -> tuple[list[Payload], FetchFailed | None]:
    """The messages of one connection, and what it broke with."""
    found: list[Payload] = []
    try:
        async with (
            Http("dijla-test/1 (+https://sample.example/contact)", lambda: NOW) as http,
            aclosing(messages(http, subscription, source, lambda: NOW)) as told,
        ):
            async for payload in told:
                found.append(payload)
                if len(found) == at_most:
                    break
    except FetchFailed as failure:
        return found, failure
    return found, None


def follow(source: Source | Callable[[], Source], cursor: Cursor, *, served: AbstractAsyncContextManager[Any] | None = None, at_most: int = 1_000) -> Followed:
    """One connection; `source` may be made when `served` serves."""

    async def run() -> Followed:
        async with served or nullcontext():
            asked = source() if callable(source) else source
            asks = connector(asked.type)
            assert isinstance(asks, StreamConnector)
            subscription = asks.subscribe(asked, cursor)
            assert subscription
            payloads, failure = await received(subscription, asked, at_most=at_most)
        followed = Followed(cursor=cursor, failure=failure)
        for payload in payloads:
            (parsed,) = parse_each([replace(payload, cursor=followed.cursor)], asked)
            followed.records += parsed.records
            followed.cursor = parsed.cursor
        return followed

    return asyncio.run(run())
