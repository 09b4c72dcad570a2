"""Hostile feeds, each in the process that parses for the collector: refused for a reason, or read; never lost, never for long."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hostile_feeds import corpus

from connectors._connector import Parsed, Payload
from connectors._sandbox import Sandbox
from connectors._sources import source_of
from schemas.errors import ReadError

CPU_SECONDS, MEMORY_BYTES = 5, 300_000_000
SOURCE = source_of({"id": "sample.outlet-a", "type": "rss", "url": "https://outlet.example/feed"})
NOW = datetime(2026, 1, 2, tzinfo=UTC)


@pytest.mark.parametrize("part", range(8))
def test_hostile_feed_is_refused_or_read_within_its_limits(part: int) -> None:
    lost = []
    with Sandbox(cpu_seconds=CPU_SECONDS, memory_bytes=MEMORY_BYTES) as sandbox:
        for hostile in list(corpus())[part::8]:
            try:
                parsed: Parsed = sandbox.call("connectors.rss:parse", Payload(body=hostile.body, url="https://outlet.example/feed", fetched_at=NOW), SOURCE)
            except ReadError:
                count = -1
            else:
                count = len(parsed.records)
            if (hostile.entries is not None and count != hostile.entries) or count == 0:
                lost.append(f"{hostile.name}: {count} of {hostile.entries}")
    assert not lost, "\n".join(lost)
