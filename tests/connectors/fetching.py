"""What the tests of fetching share: a fetch from a hostile server, and what it ends in."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

import pytest

from connectors._connector import Payload, Request
from connectors._http import FetchFailed, Http
from connectors._sources import Source
from tests.connectors.servers.hostile import Hostile

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
AGENT = "dijla-test/1 (+https://sample.example/contact)"


def a_source(url: str | None, **given: Any) -> Source:
    return Source(id="sample.outlet-a", type="rss", url=url, **{"allow_private": True, **given})


def http() -> Http:
    return Http(AGENT, lambda: NOW)


def fetched(server: Hostile, path: str = "/feed", *, deadline: float = 5.0, source: dict[str, Any] | None = None, **request: Any) -> Payload:
    """What one fetch from a server of 127.0.0.1 gives."""

    async def run() -> Payload:
        async with server.serving(), http() as client:
            return await client.fetch(Request(server.url + path, **request), a_source(server.url + path, **(source or {})), {"page": "1"}, deadline=deadline)

    return asyncio.run(run())


def saying(*pieces: bytes | float) -> Hostile:
    """A server that says the same to each request."""
    return Hostile(lambda heard: pieces)


def paths(answers: dict[str, Sequence[bytes | float]]) -> Hostile:
    """A server that says something else at each path."""
    return Hostile(lambda heard: answers[heard.target])


def failed(fetch: Callable[[], object]) -> FetchFailed:
    """The failure that a fetch ends in."""
    with pytest.raises(FetchFailed) as caught:
        fetch()
    return caught.value
