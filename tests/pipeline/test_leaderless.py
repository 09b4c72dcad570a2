"""A partition whose only broker is away: the others go on, that is said, and what it holds comes when it is back."""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing

import pytest
from apache_beam.io.unbounded_source import UnboundedReader
from kafka import KafkaAdminClient

from pipeline import progress
from pipeline.broker.cluster import Cluster
from pipeline.progress import Progress
from pipeline.sources import kafka, silence
from pipeline.sources.kafka import KafkaSource, Mark
from tests.pipeline.on_topics import create_topic, items, send, settings

pytestmark = pytest.mark.faults
TOPIC, EACH = "raw", 1_000


@pytest.fixture
def here() -> Iterator[Progress]:
    here = Progress(in_flight=1_000_000, margin=0)
    progress.begin(TOPIC, here)
    yield here
    progress.end(TOPIC)


def read(reader: UnboundedReader, until: Callable[[Counter[int]], bool]) -> Counter[int]:
    """Records by partition, none before the watermark that was told before it."""
    found, deadline = Counter[int](), time.monotonic() + 60
    while not until(found):
        assert time.monotonic() < deadline, f"read so far: {found}"
        watermark = reader.get_watermark().micros
        if reader.advance():
            assert reader.get_current_timestamp().micros >= watermark
            found.update(payload.kafka.partition for payload in reader.get_current())
    return found


def leaders(cluster: Cluster) -> Mapping[int, int]:
    with closing(KafkaAdminClient(bootstrap_servers=cluster.bootstrap)) as admin:
        return {part["partition_index"]: part["leader_id"] for part in admin.describe_topics([TOPIC])[0]["partitions"]}


def test_the_others_go_on(own_cluster: Callable[..., Cluster], here: Progress, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.setattr(silence, "PATIENCE_SECONDS", 2.0)
    monkeypatch.setattr(kafka, "REFRESH_SECONDS", 1.0)
    cluster = own_cluster(nodes=3)
    create_topic(cluster, TOPIC, partitions=3, message_timestamp_type="LogAppendTime")
    for partition in range(3):
        send(cluster, TOPIC, items(range(EACH), partition=partition))
    known, added = sorted(leaders(cluster))[:2]
    gone = {number: cluster.nodes[leader - 1] for number, leader in leaders(cluster).items()}
    gone[known].kill()
    reader = KafkaSource(settings(cluster), TOPIC, {}, splits=1, run=TOPIC, index=0).create_reader(None, Mark("", {known: 10, added: 20, 2: 30}, {}))
    with closing(reader), caplog.at_level(logging.ERROR):
        began = reader.get_watermark()
        assert read(reader, lambda found: found[added] + found[2] == 2 * EACH - 50) == {added: EACH - 20, 2: EACH - 30}
        read(reader, lambda _: here.given_up == [known])
        assert "partitions that have more to read give nothing" in caplog.text
        assert reader.get_watermark() > began
        gone[known].start()
        assert read(reader, lambda found: found[known] == EACH - 10) == {known: EACH - 10}
        assert here.given_up == []


def test_one_that_is_new_too(own_cluster: Callable[..., Cluster], here: Progress, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    """Where it begins nobody can say; the partitions that are known are read meanwhile."""
    monkeypatch.setattr(kafka, "REFRESH_SECONDS", 1.0)
    cluster = own_cluster(nodes=3)
    create_topic(cluster, TOPIC, partitions=3)
    for partition in range(3):
        send(cluster, TOPIC, items(range(EACH), partition=partition))
    broker = cluster.nodes[leaders(cluster)[2] - 1]
    broker.kill()
    reader = KafkaSource(settings(cluster), TOPIC, {}, splits=1, run=TOPIC, index=0).create_reader(None, Mark("", {0: 0, 1: 0}, {}))
    with closing(reader), caplog.at_level(logging.ERROR):
        assert read(reader, lambda found: found[0] + found[1] == 2 * EACH) == {0: EACH, 1: EACH}
        assert "a new partition does not say where it begins" in caplog.text
        broker.start()
        assert read(reader, lambda found: found[2] == EACH) == {2: EACH}
