"""A topic at rest holds nothing back: the watermark goes on with the clock."""

from __future__ import annotations

import time
from contextlib import closing

import pytest
from kafka import KafkaProducer

from pipeline.broker.cluster import Cluster
from pipeline.sources.kafka import KafkaSource
from tests.pipeline.on_topics import new_topic, settings


@pytest.mark.parametrize("transactions", [False, True])
def test_read_to_its_end_a_topic_is_idle(broker: Cluster, transactions: bool) -> None:
    """Behind a transaction stands a marker: an offset that is no record, and nothing to wait for."""
    topic = new_topic(broker, partitions=2, message_timestamp_type="LogAppendTime")
    options = {"transactional_id": topic} if transactions else {}
    with closing(KafkaProducer(bootstrap_servers=broker.bootstrap, **options)) as producer:
        if transactions:
            producer.init_transactions()
            producer.begin_transaction()
        appended = max(producer.send(topic, b"x", partition=partition).get(10).timestamp for partition in range(2))
        if transactions:
            producer.commit_transaction()
    with closing(KafkaSource(settings(broker), topic, {0: 0, 1: 0}, splits=1, run="none", index=0).create_reader(None, None)) as reader:
        deadline, read = time.monotonic() + 20, 0
        while read < 2 or reader.get_watermark().micros <= appended * 1000:
            assert time.monotonic() < deadline, f"{read} read, the watermark stands at {reader.get_watermark()}"
            read += len(reader.get_current()) if reader.advance() else 0
