"""Partitions of a backlog are read side by side, by the broker's time: what lies between them is held in the steps."""

from __future__ import annotations

import time
from contextlib import closing

from kafka import KafkaProducer

from pipeline.broker.cluster import Cluster
from pipeline.sources.kafka import BATCH_RECORDS, KafkaSource
from tests.pipeline.on_topics import START, new_topic, settings

PARTITIONS, RECORDS = 3, 3_000


def test_a_backlog_is_read_side_by_side(broker: Cluster) -> None:
    """A record a second on each partition; on one they are small, so that more of it is fetched at a time."""
    topic, begin = new_topic(broker, partitions=PARTITIONS), int(START.timestamp() * 1000)
    with closing(KafkaProducer(bootstrap_servers=broker.bootstrap)) as producer:
        for partition in range(PARTITIONS):
            for number in range(RECORDS):
                producer.send(topic, b"x" * (1000 if partition else 200), partition=partition, timestamp_ms=begin + number * 1000)
        producer.flush()
    reader = KafkaSource(settings(broker), topic, dict.fromkeys(range(PARTITIONS), 0), splits=1, run="none", index=0).create_reader(None, None)
    read, widest, deadline = [0] * PARTITIONS, 0, time.monotonic() + 60
    try:
        while sum(read) < PARTITIONS * RECORDS:
            assert time.monotonic() < deadline, f"read so far: {read}"
            if reader.advance():
                for payload in reader.get_current():
                    read[payload.kafka.partition] += 1
                widest = max(widest, max(read) - min(read))
    finally:
        reader.close()
    assert widest < 2 * BATCH_RECORDS, "without pausing it is 2,400"
