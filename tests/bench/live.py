"""`dijla run` against a real broker: latency at a steady rate, throughput of a backlog beside a plain loop, memory of a long run."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from statistics import median
from threading import Thread

import psutil
from kafka import TopicPartition

from pipeline.broker.cluster import Cluster
from schemas import avro
from schemas.kafka import clients
from schemas.kafka.delivery import Delivery
from schemas.kafka.envelope import SingleObject, raw_message
from schemas.kafka.settings import KafkaSettings, TopicSettings
from schemas.kafka.topics import create, specs
from schemas.records import Event, RawItem
from tests.bench.samples import raw_items

RATE = 300
LATENCY_SECONDS = 100
BACKLOG = 20_000
CODEC = SingleObject()


@contextmanager
def broker() -> Iterator[KafkaSettings]:
    """A broker of its own with all topics, gone afterwards."""
    with tempfile.TemporaryDirectory() as folder:
        cluster = Cluster.plan(Path(folder) / "broker")
        cluster.start()
        try:
            settings = KafkaSettings(bootstrap_servers=cluster.bootstrap)
            with clients.admin(settings) as admin:
                create(admin, specs(TopicSettings()))
            yield settings
        finally:
            cluster.stop()


@contextmanager
def running(settings: KafkaSettings, *options: str, **environment: str) -> Iterator[subprocess.Popen[bytes]]:
    """`dijla run` as a process, stopped afterwards by SIGTERM."""
    command = [sys.executable, *os.environ.get("INSTR", "-m pipeline.cli").split(), "run", "--bootstrap-servers", settings.bootstrap_servers, "--log-format", "json", *options]
    process = subprocess.Popen(command, stderr=open(os.environ.get("RUNLOG", "/dev/null"), "w"), env={**os.environ, **environment})
    try:
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(60)


def live_items(rate: float, count: int) -> Iterator[RawItem]:
    """Items as they come in at a steady rate, each fetched just now."""
    begin = time.time()
    for number, item in enumerate(islice(raw_items(count * 2), count)):
        time.sleep(max(0.0, begin + number / rate - time.time()))
        now = datetime.now(UTC)
        yield replace(item, fetched_at=now, published_raw=now.isoformat(), mode="live")


def publish(settings: KafkaSettings, items: Iterator[RawItem]) -> None:
    """Send items as they come."""
    delivery = Delivery(settings)
    for item in items:
        delivery.send(raw_message("osint.raw", item, CODEC))
    delivery.close()


def arrivals(settings: KafkaSettings, topic: str, until: float) -> Iterator[tuple[float, bytes]]:
    """(time received, value) of each record appended from now on."""
    with clients.consumer(settings) as consumer:
        partitions = [TopicPartition(topic, number) for number in consumer.partitions_for_topic(topic)]
        consumer.assign(partitions)
        consumer.seek_to_beginning(*partitions)
        while time.time() < until:
            for records in consumer.poll(timeout_ms=50).values():
                received = time.time()
                yield from ((received, record.value) for record in records)


def latency(rate: float = RATE, seconds: float = LATENCY_SECONDS) -> None:
    """Seconds from publishing an item to having its event in a consumer's hands."""
    with broker() as settings, running(settings):
        time.sleep(15)
        items = live_items(rate, int(rate * seconds))
        begin = time.time()
        Thread(target=publish, args=(settings, items), daemon=True).start()
        waits = []
        for received, value in arrivals(settings, "osint.events", begin + seconds + 10):
            event = avro.decode_single_object(value, Event)
            waits.append(received - event.last_seen.timestamp())
    waits = sorted(waits)
    print(f"\nPublished to event at {rate:g} items/s for {seconds:g} s: {len(waits)} events")
    print(f"  p50 {median(waits):.2f} s, p90 {waits[int(len(waits) * 0.9)]:.2f} s, p99 {waits[int(len(waits) * 0.99)]:.2f} s, max {waits[-1]:.2f} s (goals: p50 under 1 s, p99 under 2 s)")


def count(settings: KafkaSettings, topic: str) -> int:
    """Records of a topic."""
    with clients.consumer(settings) as consumer:
        partitions = [TopicPartition(topic, number) for number in consumer.partitions_for_topic(topic)]
        return sum(consumer.end_offsets(partitions).values())


def plain_loop(settings: KafkaSettings, wanted: int) -> float:
    """Seconds of a loop without Beam that consumes, decodes nothing, and produces every record again."""
    begin = time.perf_counter()
    done = 0
    with clients.consumer(settings) as consumer, clients.producer(settings, linger_ms=5) as producer:
        partitions = [TopicPartition("osint.raw", number) for number in consumer.partitions_for_topic("osint.raw")]
        consumer.assign(partitions)
        consumer.seek_to_beginning(*partitions)
        while done < wanted:
            for records in consumer.poll(timeout_ms=200).values():
                for record in records:
                    producer.send("osint.cursors", key=record.key, value=record.value)
                done += len(records)
        producer.flush()
    return time.perf_counter() - begin


def drained(settings: KafkaSettings, wanted: int, *options: str, **environment: str) -> float:
    """Seconds in which `dijla run` brings a backlog to osint.reports, from its first report on."""
    before = count(settings, "osint.reports")
    with running(settings, *options, **environment):
        while count(settings, "osint.reports") == before:
            time.sleep(0.1)
        begin, there = time.perf_counter(), count(settings, "osint.reports")
        while (now := count(settings, "osint.reports")) < before + wanted:
            time.sleep(0.2)
        return (time.perf_counter() - begin) * wanted / max(1, now - there)


def throughput(items: int = BACKLOG) -> None:
    """Items a second: a plain loop, then the whole pipeline."""
    with broker() as settings:
        publish(settings, (replace(item, fetched_at=datetime.now(UTC), mode="live") for item in raw_items(items)))
        fresh = len({item.item_id for item in raw_items(items)})
        loop = plain_loop(settings, items)
        whole = drained(settings, fresh, "--from", "earliest")
    print(f"\nA backlog of {items:,} items, one worker")
    print(f"  {'plain loop of kafka-python':34}{items / loop:10,.0f} items/s")
    print(f"  {'dijla run':34}{items / whole:10,.0f} items/s ({loop / whole:.2f} of the loop)")


def memory(process: subprocess.Popen[bytes]) -> float:
    """Megabytes of a process and of those it started."""
    root = psutil.Process(process.pid)
    return sum(one.memory_info().rss for one in (root, *root.children(recursive=True))) / 1e6
