"""Topics of a test's own, and all that stands in one."""

from __future__ import annotations

import uuid
from contextlib import closing
from typing import Any

from kafka import TopicPartition

from schemas.kafka.clients import admin, consumer
from schemas.kafka.settings import KafkaSettings


def new_topic(settings: KafkaSettings, partitions: int = 3, replication: int = 1, **config: str) -> str:
    """A topic that nobody else uses; `config` with _ for Kafka's dots."""
    name = f"sample.{uuid.uuid4().hex[:12]}"
    configs = {key.replace("_", "."): value for key, value in config.items()}
    with closing(admin(settings)) as client:
        client.create_topics({name: {"num_partitions": partitions, "replication_factor": replication, "configs": configs}})
        client.wait_for_topics([name])
    return name


def read_all(settings: KafkaSettings, topic: str) -> list[Any]:
    """Every message from the first to the last that stands there now."""
    with closing(consumer(settings)) as client:
        partitions = [TopicPartition(topic, number) for number in client.partitions_for_topic(topic)]
        client.assign(partitions)
        client.seek_to_beginning()
        ends = client.end_offsets(partitions)
        found: list[Any] = []
        while any(client.position(at) < end for at, end in ends.items()):
            found += [record for records in client.poll(timeout_ms=200).values() for record in records]
    return found
