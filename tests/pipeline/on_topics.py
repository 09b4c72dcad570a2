"""What tests put on topics, and what they find there."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterable, Sequence
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, TopicPartition

from pipeline.broker.cluster import Cluster
from schemas import avro
from schemas.kafka.envelope import SingleObject, event_message
from schemas.kafka.settings import KafkaSettings
from schemas.records import DeadLetter, Event, Place, RawItem

START = datetime(2026, 11, 20, 12, tzinfo=UTC)


class Sent(NamedTuple):
    """A message as a test writes and reads it."""

    value: bytes | None
    key: bytes | None = None
    headers: Sequence[tuple[str, bytes]] = ()
    partition: int | None = None


def settings(broker: Cluster) -> KafkaSettings:
    return KafkaSettings(bootstrap_servers=broker.bootstrap)


def new_topic(broker: Cluster, *, partitions: int = 1, **config: str) -> str:
    """A topic of the test's own; in `config`, _ stands for the dot in a setting's name."""
    name = f"test-{uuid.uuid4().hex[:12]}"
    create_topic(broker, name, partitions=partitions, **config)
    return name


def create_topic(broker: Cluster, name: str, *, partitions: int = 1, **config: str) -> None:
    configs = {key.replace("_", "."): value for key, value in config.items()}
    with closing(KafkaAdminClient(bootstrap_servers=broker.bootstrap)) as admin:
        admin.create_topics({name: {"num_partitions": partitions, "replication_factor": 1, "configs": configs}}, wait_for_metadata=True)


def send(broker: Cluster, topic: str, messages: Iterable[Sent]) -> None:
    with closing(KafkaProducer(bootstrap_servers=broker.bootstrap, acks="all")) as producer:
        sent = [producer.send(topic, message.value, message.key, list(message.headers), message.partition) for message in messages]
        for future in sent:
            future.get(30)


def read_all(broker: Cluster, topic: str, *, waiting: bool = True) -> list[Any]:
    """Every committed record, partition by partition. With `waiting`, what is in a transaction under way is waited for: a commit is acknowledged
    before its markers are written everywhere."""
    options: dict[str, Any] = {"bootstrap_servers": broker.bootstrap, "auto_offset_reset": "earliest", "fetch_max_wait_ms": 20}
    of_ends = "read_uncommitted" if waiting else "read_committed"
    with closing(KafkaConsumer(**options, isolation_level="read_committed")) as consumer, closing(KafkaConsumer(**options, isolation_level=of_ends)) as other:
        parts = [TopicPartition(topic, number) for number in consumer.partitions_for_topic(topic) or ()]
        assert parts, f"{topic} has no partition with a leader"
        consumer.assign(parts)
        ends, records = other.end_offsets(parts), []
        deadline = time.monotonic() + 60
        while any(consumer.position(part) < end for part, end in ends.items()):
            assert time.monotonic() < deadline, f"{topic} was not read to its end within 60 s"
            records += [record for found in consumer.poll(200).values() for record in found]
    return sorted(records, key=lambda record: (record.partition, record.offset))


def committed(broker: Cluster, group: str, topic: str, partition: int = 0) -> int | None:
    with closing(KafkaConsumer(bootstrap_servers=broker.bootstrap, group_id=group)) as consumer:
        offset: int | None = consumer.committed(TopicPartition(topic, partition))
        return offset


def an_item(number: int, **fields: Any) -> RawItem:
    item = RawItem(
        item_id=f"{number:032x}",
        native_id=str(number),
        source_id="sample.outlet-a",
        source_type="test",
        body=f"Item {number}.",
        fetched_at=START + timedelta(minutes=number),
    )
    return replace(item, **fields)


def items(numbers: Iterable[int], **message: Any) -> list[Sent]:
    return [Sent(avro.encode_single_object(an_item(number)), an_item(number).item_id.encode(), **message) for number in numbers]


def an_event(number: int, revision: int = 0, **fields: Any) -> Event:
    event = Event(
        event_id=f"{number:032x}",
        revision=revision,
        content_hash=f"{number:08x}{revision:08x}",
        change="update" if revision else "new",
        type="rocket_mortar_attack",
        labels=("rocket_mortar_attack",),
        status="reported",
        place=Place(name="Green Zone", scope="city", district="Karkh"),
        severity="severe",
        information_credibility=2,
        headline=f"Event {number}, revision {revision}.",
        first_seen=START + timedelta(minutes=number),
        last_seen=START + timedelta(minutes=number + revision),
        alert=True,
    )
    return replace(event, **fields)


def a_letter(payload: bytes, **fields: Any) -> DeadLetter:
    letter = DeadLetter(stage="tag", error_class="ValueError", error_message="odd words", payload=payload, first_failed_at=START, last_failed_at=START)
    return replace(letter, **fields)


def send_at(broker: Cluster, topic: str, number: int, time: datetime, partition: int | None = None) -> None:
    """An item whose record carries that time."""
    with closing(KafkaProducer(bootstrap_servers=broker.bootstrap, acks="all")) as producer:
        producer.send(topic, avro.encode_single_object(an_item(number)), partition=partition, timestamp_ms=int(time.timestamp() * 1000)).get(30)


def delete_before(broker: Cluster, topic: str, offset: int) -> None:
    """What retention does."""
    with closing(KafkaAdminClient(bootstrap_servers=broker.bootstrap)) as admin:
        admin.delete_records({TopicPartition(topic, 0): offset})


def send_events(broker: Cluster, topic: str, events: Iterable[Event], partition: int | None = None) -> None:
    messages = [event_message(topic, event, SingleObject()) for event in events]
    send(broker, topic, [Sent(message.value, message.key, message.headers, partition) for message in messages])
