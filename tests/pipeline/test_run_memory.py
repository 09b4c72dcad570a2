"""The memory of `dijla run` stays flat: the short version of the soak in `tests/bench/live.py`."""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from statistics import median
from threading import Thread

import psutil
import pytest

from tests.pipeline.live import Live, items
from tests.pipeline.on_topics import Sent, send

pytestmark = pytest.mark.faults

RATE = 400
SECONDS = 60
GROWTH = 1.15
"""Caches fill in this time and give 1.08; a run that kept the report of each item (5 kB) would give 1.2."""


def megabytes(process: psutil.Process) -> float:
    """Of a process and of those it started."""
    return sum(one.memory_info().rss for one in (process, *process.children(recursive=True))) / 1e6


def test_memory_is_flat_while_items_come_and_are_forgotten(live: Live) -> None:
    live.environment |= {"DIJLA_PIPELINE__DEDUPE_TTL": "PT7S", "DIJLA_PIPELINE__INCIDENT_TTL": "PT7S"}
    live.environment |= {"DIJLA_RUN__IN_FLIGHT": "2000"}  # on a machine that is too slow for the rate, what waits would grow up to this
    process = live.start()
    begin = datetime.now(UTC)
    sent = [replace(item, fetched_at=begin + timedelta(seconds=n / RATE)) for n, item in enumerate(items(RATE * SECONDS))]
    publishing = Thread(target=live.publish, args=(sent, RATE))
    publishing.start()
    samples = []
    while publishing.is_alive():
        send(live.broker, live.topics.raw, [Sent(b"no record %d" % len(samples))] * 4)  # one in a hundred
        samples.append(megabytes(psutil.Process(process.pid)))
        time.sleep(1)
    settled = samples[len(samples) // 3 :]
    half = len(settled) // 2
    assert median(settled[half:]) < GROWTH * median(settled[:half]), samples
    live.wait(lambda: live.count(live.topics.reports) == len(sent), "all written", seconds=120)
    assert live.count(live.topics.dead_letters) == 4 * len(samples)
