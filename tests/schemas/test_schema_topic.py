"""Our schemas on their topic: whoever reads it decodes without a registry."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from contextlib import closing

import pytest

from pipeline.broker.cluster import Cluster
from schemas.avro import RECORDS, Schema, definition, encode_single_object, fingerprint, parse, released
from schemas.errors import SchemaError
from schemas.kafka.delivery import Delivery, Message
from schemas.kafka.envelope import SingleObject
from schemas.kafka.failures import BrokerUnreachable, KafkaFailure
from schemas.kafka.schema_topic import SchemaTopic, publish, read
from schemas.kafka.settings import KafkaSettings
from schemas.records import RawItem
from tests.schemas.topic_reading import new_topic, read_all

ITEM = RawItem(item_id="a" * 32, native_id="1", source_id="sample.outlet-a", source_type="rss")


@pytest.fixture
def settings(broker: Cluster) -> KafkaSettings:
    return KafkaSettings(bootstrap_servers=broker.bootstrap)


@pytest.fixture
def topic(settings: KafkaSettings) -> str:
    return new_topic(settings, partitions=1, cleanup_policy="compact")


@pytest.fixture
def known(settings: KafkaSettings, topic: str) -> SchemaTopic:
    return SchemaTopic(settings, topic)


def send(settings: KafkaSettings, topic: str, *values: bytes | None) -> None:
    with closing(Delivery(settings)) as delivery:
        for value in values:
            delivery.send(Message(topic, b"any key", value))


def newer() -> Schema:
    """What a later version of ours might write."""
    return definition(RawItem) | {"fields": [*definition(RawItem)["fields"], {"name": "mood", "type": "string", "default": ""}]}


def test_every_schema_of_this_version_stands_under_its_fingerprint(settings: KafkaSettings, topic: str) -> None:
    with closing(Delivery(settings)) as delivery:
        publish(delivery, topic)
        publish(delivery, topic)
    found = {record.key.decode(): json.loads(record.value) for record in read_all(settings, topic)}
    current = [definition(cls) for cls in RECORDS.values()]
    assert found == {fingerprint(one).hex(): one for one in (*current, *(old for versions in released().values() for old in versions))}


def test_a_schema_is_found_as_soon_as_it_is_published(settings: KafkaSettings, topic: str, known: SchemaTopic) -> None:
    mark = fingerprint(newer())
    assert known.find(mark) is None
    send(settings, topic, json.dumps(newer()).encode())
    assert known.find(mark) == parse(newer())
    assert list(read(settings, topic)) == [mark]


def test_a_record_of_a_newer_version_is_decoded(settings: KafkaSettings, topic: str, known: SchemaTopic) -> None:
    value = encode_single_object(ITEM)
    written = value[:2] + fingerprint(newer()) + value[10:] + b"\x08glad"
    codec = SingleObject(known.find)
    with pytest.raises(SchemaError, match="unknown schema fingerprint"):
        codec.decode(written, RawItem)
    send(settings, topic, json.dumps(newer()).encode())
    assert codec.decode(written, RawItem) == ITEM


def test_what_is_no_schema_is_logged_and_passed_over(settings: KafkaSettings, topic: str, known: SchemaTopic, caplog: pytest.LogCaptureFixture) -> None:
    send(settings, topic, b"{}", b"no json", b"\xff", b'"string"', None, json.dumps(newer()).encode())
    with caplog.at_level(logging.WARNING, logger="schemas.kafka.schema_topic"):
        assert known.find(fingerprint(newer())) == parse(newer())
    assert [record.message for record in caplog.records if record.name == "schemas.kafka.schema_topic"] == ["no schema on the schemas topic"] * 5


def test_a_missing_topic_says_what_to_do(settings: KafkaSettings) -> None:
    with pytest.raises(KafkaFailure, match=r"no topic sample\.missing .*dijla broker topics"):
        SchemaTopic(settings, "sample.missing").find(bytes(8))


def test_a_broker_that_goes_away_is_told_and_what_is_known_stays(own_cluster: Callable[..., Cluster]) -> None:
    cluster = own_cluster()
    settings = KafkaSettings(bootstrap_servers=cluster.bootstrap)
    topic = new_topic(settings, partitions=1, cleanup_policy="compact")
    send(settings, topic, json.dumps(newer()).encode())
    known = SchemaTopic(settings, topic)
    assert known.find(fingerprint(newer()))
    cluster.stop(timeout=0)
    with pytest.raises(BrokerUnreachable):
        known.find(bytes(8))
    assert known.find(fingerprint(newer()))
    cluster.start()
    assert known.find(bytes(8)) is None
