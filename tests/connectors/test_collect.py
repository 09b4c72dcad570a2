"""The collector against real loopback servers, into files and into Kafka."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

from servers.feeds import Feeds, feeds

from connectors import archive
from connectors._collect import collecting
from connectors._file_outbox import FileOutbox, states
from connectors._sources import Source, source_of
from connectors._state import HOST, decode_state
from schemas.errors import WriteError
from schemas.records import DeadLetter, RawItem


def now() -> datetime:
    return datetime.now(UTC)


def sources_of(served: Feeds, *names: str, interval: float = 10) -> list[Source]:
    return [source_of({"id": f"sample.{name}", "type": "rss", "url": f"{served.url}/{name}", "allow_private": True, "interval": interval}) for name in names]


def stored_items(folder: Path) -> Counter[str]:
    return Counter(f"{record.source_id}/{record.native_id}" for record in archive.read([folder], now=now(), mode="replay") if isinstance(record, RawItem))


def numbered(name: str, count: int) -> set[str]:
    return {f"sample.{name}/{number}" for number in range(count)}


def once(folder: Path, served: Feeds, *names: str) -> dict[str, str]:
    """One round; the status of each source."""

    async def run() -> dict[str, str]:
        async with feeds(served):
            with closing(FileOutbox(folder, now)) as outbox:
                async with collecting(sources_of(served, *names), outbox, now) as collector:
                    return {name: polled.state.status for name, polled in (await collector.once(10)).items()}

    return asyncio.run(run())


def test_each_source_is_polled_once_and_only_what_is_new_is_stored(tmp_path: Path) -> None:
    served = Feeds(items={"a": 3, "b": 2}, statuses={"c": 500})
    assert once(tmp_path, served, "a", "b", "c") == {"sample.a": "ok", "sample.b": "ok", "sample.c": "server_error"}
    assert served.polls == {"a": 1, "b": 1, "c": 1}
    served.items["a"] = 5
    assert once(tmp_path, served, "a", "b", "c") == {"sample.a": "ok", "sample.b": "unchanged", "sample.c": "server_error"}
    assert stored_items(tmp_path) == dict.fromkeys(numbered("a", 5) | numbered("b", 2), 1)


def test_a_back_off_is_kept_over_a_restart_and_once_passes_over_it(tmp_path: Path) -> None:
    served = Feeds(statuses={"a": 429})
    assert once(tmp_path, served, "a") == {"sample.a": "throttled"}
    kept = states(tmp_path)
    assert decode_state(kept["sample.a"]).failures == 1
    assert any(name.startswith(HOST) for name in kept)
    served.statuses.clear()
    served.items["a"] = 1
    assert once(tmp_path, served, "a") == {"sample.a": "ok"}


def follow(served: Feeds, outbox: FileOutbox, names: Sequence[str], until: Callable[[], bool], interval: float = 10) -> None:
    """Collect until it is so, then stop in good order."""

    async def run() -> None:
        async with feeds(served), collecting(sources_of(served, *names, interval=interval), outbox, now) as collector:
            running = asyncio.ensure_future(collector.run())
            async with asyncio.timeout(30):
                while not until() and not running.done():
                    await asyncio.sleep(0.05)
            collector.stop()
            await running

    asyncio.run(run())


def test_sources_are_followed_and_the_rest_is_delivered_at_the_end(tmp_path: Path) -> None:
    served = Feeds(items={"a": 2, "b": 2}, statuses={"gone": 410})
    with closing(FileOutbox(tmp_path, now)) as outbox:
        follow(served, outbox, ["a", "b", "gone"], lambda: served.polls["a"] >= 1 and served.polls["b"] >= 1 and served.polls["gone"] >= 1)
    assert stored_items(tmp_path) == dict.fromkeys(numbered("a", 2) | numbered("b", 2), 1)
    assert decode_state(states(tmp_path)["sample.gone"]).status == "gone"


class Full:
    """An outbox without room."""

    states: Mapping[str, bytes] = {}

    def deliver(self, records: Sequence[RawItem | DeadLetter], states: Mapping[str, bytes]) -> None:
        raise WriteError("no room")

    def close(self) -> None: ...


def test_an_outbox_that_cannot_go_on_ends_the_collector() -> None:
    served = Feeds(items={"a": 1})

    async def run() -> list[BaseException]:
        async with feeds(served), collecting(sources_of(served, "a"), Full(), now) as collector:
            try:
                async with asyncio.timeout(10):
                    await collector.run()
            except BaseExceptionGroup as errors:
                return list(errors.exceptions)
        return []

    (error,) = asyncio.run(run())
    assert isinstance(error, WriteError)


def test_one_host_is_asked_one_thing_at_a_time(tmp_path: Path) -> None:
    served = Feeds(items={str(number): 1 for number in range(20)})
    assert set(once(tmp_path, served, *served.items).values()) == {"ok"}
    assert len(served.polls) == 20
    assert served.most_at_once == 1
