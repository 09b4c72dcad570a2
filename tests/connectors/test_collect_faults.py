"""`dijla collect` as a user starts it, killed again and again while its sources go on: nothing is lost, and nothing comes twice."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import time
from asyncio.subprocess import DEVNULL, Process
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from servers.feeds import Feeds, feeds
from servers.jetstream import Jetstream, event

from pipeline.broker.cluster import Cluster
from schemas import avro
from schemas.records import RawItem
from tests.connectors.test_outbox import BOTH
from tests.pipeline.live import Live
from tests.pipeline.on_topics import read_all

pytestmark = pytest.mark.faults

FEEDS, ITEMS, STEPS, KILLS = 20, 10_000, 50, 6
WINDOW = 400
"""Of the 500 items of a feed: the first ones are gone when the last one comes."""
PATIENCE_S = 60


class Collector:
    """A command line, and its process; the log of all of them is in one file."""

    def __init__(self, live: Live, sources: str, *options: str) -> None:
        file = live.folder / "sources.toml"
        file.write_text(sources)
        self._log = live.folder / "collect.log"
        self._command, self._environment = live.command("collect", "--sources", str(file), *options), {**os.environ, **live.environment}
        self.killed = 0

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Process]:
        """A process; killed at the end where it still runs."""
        with self._log.open("ab") as log:
            process = await asyncio.create_subprocess_exec(*self._command, env=self._environment, stdout=DEVNULL, stderr=log)
        try:
            yield process
        finally:
            if process.returncode is None:
                process.kill()
                self.killed += 1
            await process.wait()

    async def until(self, process: Process, is_so: Callable[[], bool]) -> None:
        """Wait until it is so, while the process runs."""
        end = time.monotonic() + PATIENCE_S
        while not await asyncio.to_thread(is_so):
            assert process.returncode is None, f"it ended with status {process.returncode}:\n{self._log.read_text()[-3000:]}"
            assert time.monotonic() < end, f"not so after {PATIENCE_S} s:\n{self._log.read_text()[-3000:]}"
            await asyncio.sleep(0.1)

    @staticmethod
    async def stop(process: Process) -> None:
        process.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(process.wait(), PATIENCE_S) == 0


def source(name: str, kind: str, url: str, options: str = "") -> str:
    return f'[[sources]]\nid = "sample.{name}"\ntype = "{kind}"\nurl = "{url}"\nallow_private = true\ninterval = 10\n{options}\n'


def collected(live: Live) -> Counter[str]:
    """How often each item is on the raw topic, for readers of committed records."""
    items = (avro.decode_single_object(record.value, RawItem) for record in read_all(live.broker, live.topics.raw))
    return Counter(f"{item.source_id}/{item.native_id}" for item in items)


@BOTH
def test_feeds_go_on_while_the_collector_is_killed(own_cluster: Callable[..., Cluster], tmp_path: Path, transactions: bool) -> None:
    """10,000 items over time, and the broker restarted in the middle."""
    live = Live(own_cluster(), tmp_path)
    served = Feeds(items={str(number): 0 for number in range(FEEDS)}, window=WINDOW)
    chance = random.Random(1)

    def restart() -> None:
        live.broker.nodes[0].kill()
        live.broker.start()

    async def produce(steps: Iterable[int]) -> None:
        for step in steps:
            for name in served.items:
                served.items[name] = (step + 1) * ITEMS // FEEDS // STEPS
            await asyncio.sleep(chance.uniform(0.2, 0.8))

    async def run() -> int:
        async with feeds(served):
            sources = "".join(source(name, "rss", f"{served.url}/{name}") for name in served.items)
            collector = Collector(live, sources, *(() if transactions else ("--no-transactions",)))
            ends = [*sorted(chance.sample(range(1, STEPS - 5), KILLS)), STEPS]
            for begin, end in zip([0, *ends], ends, strict=False):
                async with collector.running() as process:
                    polls = served.polls.total()
                    await collector.until(process, lambda polls=polls: served.polls.total() > polls)  # type: ignore[misc]
                    await produce(range(begin, end))
                    if end > STEPS // 2 >= begin:
                        await asyncio.to_thread(restart)
                    if end == STEPS:
                        await collector.until(process, lambda: len(collected(live)) == ITEMS)
                        await collector.stop(process)
            return collector.killed

    assert asyncio.run(run()) == KILLS
    found = collected(live)
    assert set(found) == {f"sample.{name}/{number}" for name in served.items for number in range(ITEMS // FEEDS)}
    if transactions:
        assert set(found.values()) == {1}


def test_a_stream_goes_on_while_the_collector_is_killed(broker: Cluster, tmp_path: Path) -> None:
    """What was posted while nobody followed is repeated from the cursor on; what the overlap repeats has the same id."""
    live = Live(broker, tmp_path)
    served = Jetstream(is_over=False)

    def tell(more: int) -> None:
        """The server repeats what there is, then ends in good order."""
        served.messages += [event(number) for number in range(len(served.messages), len(served.messages) + more)]

    async def run() -> int:
        async with served.serving():
            sources = source("sky", "bluesky", served.url, 'options = { keywords = ["baghdad"] }')
            collector = Collector(live, sources)
            for _ in range(4):
                tell(500)
                async with collector.running() as process:
                    await collector.until(process, lambda: len(collected(live)) == len(served.messages))
                    tell(50)
            async with collector.running() as process:
                await collector.until(process, lambda: len(collected(live)) == len(served.messages))
                await collector.stop(process)
            return collector.killed

    assert asyncio.run(run()) == 4
    found = collected(live)
    assert len(found) == len(served.messages) == 2_200
    assert max(found.values()) < 20, "only the overlap is repeated"
    assert all("cursor" in asked for asked in served.asked[1:])
