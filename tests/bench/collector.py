"""`dijla collect` with a thousand sources in which nothing changes: memory, processor, punctuality."""

from __future__ import annotations

import asyncio
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from statistics import median

import psutil

from tests.bench.live import memory
from tests.connectors.servers.feeds import Feeds

SOURCES, HOSTS, ITEMS = 1_000, 100, 25
INTERVAL, ROUNDS = 300.0, 3
"""Seconds between two polls of a source, and how often each is polled."""
PUNCTUAL = 0.1


async def serve(served: Feeds, seconds: float, watch: subprocess.Popen[bytes]) -> tuple[list[float], list[float]]:
    """Serve the feeds on a hundred hosts of loopback; megabytes, and the share of a core, each ten seconds."""
    hosts = [f"127.0.1.{number + 1}" for number in range(HOSTS)]
    megabytes, shares = [], []
    port = int(served.url)
    async with await asyncio.start_server(served.serve, hosts, port):
        before, end = processor(watch), time.monotonic() + seconds
        while time.monotonic() < end:
            await asyncio.sleep(10)
            now = processor(watch)
            megabytes.append(memory(watch))
            shares.append((now - before) / 10)
            before = now
    return megabytes, shares


def processor(process: subprocess.Popen[bytes]) -> float:
    """Seconds of processor time of a process and of those that it started."""
    root = psutil.Process(process.pid)
    return sum(sum(one.cpu_times()[:2]) for one in (root, *root.children(recursive=True)))


def tables(port: int, interval: float) -> Iterator[str]:
    """The sources file."""
    for number in range(SOURCES):
        url = f"http://127.0.1.{number % HOSTS + 1}:{port}/{number}"
        yield f'[[sources]]\nid = "sample.{number}"\ntype = "rss"\nurl = "{url}"\nallow_private = true\ninterval = {interval}\n'


def free_port() -> int:
    """One that is free on all the hosts, as far as one of them tells."""
    with socket.socket() as probe:
        probe.bind(("127.0.1.1", 0))
        return int(probe.getsockname()[1])


def main(interval: float = INTERVAL) -> None:
    """Print what a collector takes, and how many polls came within a tenth of their interval."""
    port = free_port()
    served = Feeds(items={str(number): ITEMS for number in range(SOURCES)}, url=str(port))
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "sources.toml"
        file.write_text("".join(tables(port, interval)))
        command = [sys.executable, "-m", "pipeline.cli", "collect", "--sources", str(file), "--out", f"{folder}/out"]
        with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
            try:
                megabytes, shares = asyncio.run(serve(served, interval * ROUNDS + 30, process))
            finally:
                process.terminate()
    first = int(interval // 10) + 1
    waits = [later - earlier for times in served.times.values() for earlier, later in pairwise(times)]
    on_time = sum(abs(wait - interval) <= PUNCTUAL * interval for wait in waits) / len(waits)
    farthest = max(abs(wait - interval) for wait in waits)
    polls = served.polls.total()
    print(f"\n{SOURCES:,} sources of {HOSTS} hosts, each {interval:g} s, {ITEMS} items each: {polls:,} polls")
    print(f"  memory: peak {max(megabytes):.0f} MB, at the end {megabytes[-1]:.0f} MB (goal: under 400)")
    print(f"  processor: {median(shares[:first]):.2f} of a core in the first round (200), {median(shares[first:]):.3f} afterwards (304; goal: under 0.5)")
    print(f"  schedule: {on_time:.1%} of {len(waits):,} polls within {PUNCTUAL:.0%} of the interval, farthest {farthest:.1f} s")


if __name__ == "__main__":
    main(*map(float, sys.argv[1:]))
