"""Reading payloads where hostile bytes do no harm."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace

from connectors._connector import Parsed, Payload, Refusal, connector
from connectors._sandbox import Sandbox
from connectors._sources import Source
from schemas.errors import ReadError
from schemas.records import RawItem


class SandboxReader:
    """Parses payloads in one sandbox, one call at a time. What dies in it, or takes too long, is a ReadError."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox, self._lock = sandbox, asyncio.Lock()

    async def read(self, payload: Payload, source: Source) -> Parsed:
        """What the source's connector makes of it. Raises ReadError."""
        async with self._lock:
            found: Parsed = await asyncio.to_thread(self._sandbox.call, "connectors._reader:parse", payload, source)
            return found

    async def full_text(self, item: RawItem, payload: Payload, source: Source) -> RawItem:
        """The item with the text of a page. Raises ReadError."""
        async with self._lock:
            found: RawItem = await asyncio.to_thread(self._sandbox.call, "connectors.webpage:full_text", item, payload, source)
            return found

    async def read_all(self, payloads: Sequence[Payload], source: Source) -> Sequence[Parsed]:
        """What it makes of messages; one that cannot be read is a dead letter."""
        async with self._lock:
            try:
                found: Sequence[Parsed] = await asyncio.to_thread(self._sandbox.call, "connectors._reader:parse_each", payloads, source)
            except ReadError as error:
                if len(payloads) == 1:
                    return [_letter(payloads[0], source, error)]
            else:
                return found
        return [parsed for payload in payloads for parsed in await self.read_all([payload], source)]


def parse(payload: Payload, source: Source) -> Parsed:
    """What the sandbox calls."""
    return connector(source.type).parse(payload, source)


def parse_each(payloads: Sequence[Payload], source: Source) -> list[Parsed]:
    """What the sandbox calls for messages of a stream; the cursor behind each is the next one's. A refusal is for the collector, no dead letter."""
    found: list[Parsed] = []
    for payload in payloads:
        told = replace(payload, cursor=found[-1].cursor) if found else payload
        try:
            found.append(parse(told, source))
        except Refusal as refusal:
            found.append(Parsed([], told.cursor, refusal=refusal))
        except ReadError as error:
            found.append(_letter(told, source, error))
    return found


def _letter(payload: Payload, source: Source, error: ReadError) -> Parsed:
    return Parsed([source.origin(payload.fetched_at).dead_letter(error, payload.body)], payload.cursor)
