"""`dijla run` against a real broker: latency at a steady rate, throughput of a backlog beside a plain loop, memory of a long run."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from itertools import cycle, islice, product
from pathlib import Path
from statistics import median
from threading import Thread

import psutil
from kafka import TopicPartition

from pipeline.broker.cluster import Cluster
from pipeline.gazetteer import load_places
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
WARM_UP = 20.0
BACKLOG = 100_000
SOAK_MINUTES = 30.0
CODEC = SingleObject()
_ATTACKS = (
    "A roadside bomb wounded two people",
    "Gunmen shot dead a shopkeeper",
    "Three rockets landed",
    "A car bomb killed four people",
    "Gunmen kidnapped a trader",
    "A hand grenade wounded a guard",
)


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
    command = [sys.executable, "-m", "pipeline.cli", "run", "--bootstrap-servers", settings.bootstrap_servers, "--log-format", "json", *options]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL, env={**os.environ, **environment})
    try:
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(60)


def live_items(rate: float, count: int) -> Iterator[RawItem]:
    """Items as they come in at a steady rate, each fetched just now; one in a hundred tells of an attack, of some thousand different ones."""
    begin = time.time()
    attacks = cycle(product(_ATTACKS, _places()))
    for number, item in enumerate(islice(raw_items(count * 2), count)):
        time.sleep(max(0.0, begin + number / rate - time.time()))
        now = datetime.now(UTC)
        body = "{} in the {} area of Baghdad on {}, says bulletin {}.".format(*next(attacks), f"{now:%A}", number) if number % 100 == 4 else item.body
        yield replace(item, body=body, fetched_at=now, published_raw=now.isoformat(), mode="live")


def _places() -> list[str]:
    return [entry.name for entry in load_places() if entry.scope == "city" and entry.kind in ("district", "neighbourhood", "street", "square", "bridge")]


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
    """Seconds from publishing an item to having its event in a consumer's hands, after a warm-up (models are loaded with the first items)."""
    waits = []
    with broker() as settings, running(settings):
        time.sleep(WARM_UP / 2)
        begin = time.time()
        items = live_items(rate, int(rate * (WARM_UP + seconds)))
        Thread(target=publish, args=(settings, items), daemon=True).start()
        for received, value in arrivals(settings, "osint.events", begin + WARM_UP + seconds + 10):
            seen = avro.decode_single_object(value, Event).last_seen.timestamp()
            if seen > begin + WARM_UP:
                waits.append(received - seen)
    waits.sort()
    p90, p99 = (waits[int(len(waits) * share)] for share in (0.9, 0.99))
    print(f"\nPublished to event at {rate:g} items/s for {seconds:g} s: {len(waits)} events")
    print(f"  p50 {median(waits):.2f} s, p90 {p90:.2f} s, p99 {p99:.2f} s, max {waits[-1]:.2f} s (goals: p50 under 1 s, p99 under 2 s)")


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
    """Seconds in which `dijla run` would bring the whole backlog to osint.reports, by the last three quarters: neither its start nor its first bundle count."""
    before = count(settings, "osint.reports")
    with running(settings, *options, **environment):
        while (there := count(settings, "osint.reports")) < before + wanted / 4:
            time.sleep(0.5)
        begin = time.perf_counter()
        while (now := count(settings, "osint.reports")) < before + wanted:
            time.sleep(0.5)
        return (time.perf_counter() - begin) * wanted / (now - there)


def throughput(items: int = BACKLOG) -> None:
    """Items a second: a plain loop, then the pipeline without and with tagging, each over the same backlog."""
    with broker() as settings:
        publish(settings, (replace(item, fetched_at=datetime.now(UTC), mode="live") for item in raw_items(items)))
        fresh = len({item.item_id for item in raw_items(items)})
        loop = plain_loop(settings, items)
        bare = drained(settings, fresh, "--from", "earliest", "--group", "bare", DIJLA_PIPELINE__TAGGING="false")
        whole = drained(settings, fresh, "--from", "earliest", "--group", "whole")
    print(f"\nA backlog of {items:,} items, one worker")
    print(f"  {'plain loop of kafka-python':34}{items / loop:10,.0f} items/s")
    print(f"  {'dijla run, tagging off':34}{items / bare:10,.0f} items/s ({loop / bare:.2f} of the loop; goal: 0.5)")
    print(f"  {'dijla run':34}{items / whole:10,.0f} items/s ({loop / whole:.2f} of the loop)")


def soak(minutes: float = SOAK_MINUTES, rate: float = 500) -> list[float]:
    """Megabytes of `dijla run` and its runner, each ten seconds of a steady rate with one bad record in a hundred.

    What deduplication remembers is kept for a minute, so that forgetting has to keep up.
    """
    samples = []
    with broker() as settings, running(settings, DIJLA_PIPELINE__DEDUPE_TTL="PT1M", DIJLA_PIPELINE__INCIDENT_TTL="PT1M") as process:
        time.sleep(WARM_UP / 2)
        seconds = minutes * 60
        Thread(target=publish_with_errors, args=(settings, live_items(rate, int(rate * seconds))), daemon=True).start()
        end = time.time() + seconds
        while time.time() < end:
            time.sleep(10)
            samples.append(memory(process))
        time.sleep(5)
        behind = int(rate * seconds) - count(settings, "osint.reports") - count(settings, "osint.dead-letters")
    settled = samples[len(samples) // 3 :]
    first, last = median(settled[: len(settled) // 2]), median(settled[len(settled) // 2 :])
    print(f"\n{rate:g} items/s for {minutes:g} minutes, 1 % bad: median {first:.0f} MB, then {last:.0f} MB ({last / first:.2f}), peak {max(samples):.0f} MB")
    print(f"  items that are neither a report, nor a repeat (1 in 20), nor a dead letter: {behind - int(rate * seconds * 0.99 / 20)}")
    return samples


def publish_with_errors(settings: KafkaSettings, items: Iterator[RawItem]) -> None:
    """Items, one in a hundred of them broken."""
    delivery = Delivery(settings)
    for number, item in enumerate(items):
        message = raw_message("osint.raw", item, CODEC)
        delivery.send(message._replace(value=b"broken %d" % number) if number % 100 == 50 else message)
    delivery.close()


def memory(process: subprocess.Popen[bytes]) -> float:
    """Megabytes of a process and of those it started."""
    root = psutil.Process(process.pid)
    return sum(float(one.memory_info().rss) for one in (root, *root.children(recursive=True))) / 1e6


def main() -> None:
    """Latency, throughput, and half an hour of memory."""
    latency()
    throughput()
    soak()
