"""The sink of topics, with a real broker: what no topic takes, and what a topic does not take yet."""

from __future__ import annotations

from contextlib import closing
from datetime import timedelta
from threading import Thread

from kafka import KafkaAdminClient
from kafka.admin import ConfigResource

from pipeline.broker.cluster import Cluster
from pipeline.resume import Resume
from pipeline.sinks.kafka import Outlet, _WriteTopics
from schemas.kafka.envelope import SingleObject
from schemas.kafka.settings import TopicSettings
from schemas.kafka.topics import Topics
from schemas.records import DeadLetter
from tests.pipeline.on_topics import a_letter, create_topic, new_topic, read_all, settings


def test_a_dead_letter_that_is_refused_is_kept_until_its_topic_takes_it(broker: Cluster) -> None:
    topics = Topics.of(TopicSettings(prefix=new_topic(broker) + "."))
    create_topic(broker, topics.dead_letters, max_message_bytes="100")
    sink = _WriteTopics("dead-letters", Outlet(settings(broker), topics, SingleObject, Resume(), timedelta(seconds=30)))
    sink.setup()
    sink.start_bundle()
    sink.process(a_letter(b"of interest"))
    writing = Thread(target=sink.finish_bundle, daemon=True)
    writing.start()
    writing.join(3)
    assert writing.is_alive(), "it waits"
    with closing(KafkaAdminClient(bootstrap_servers=broker.bootstrap)) as admin:
        admin.alter_configs([ConfigResource("topic", topics.dead_letters, {"max.message.bytes": "100000"})])
    writing.join(30)
    assert not writing.is_alive()
    sink.teardown()
    assert [SingleObject().decode(record.value, DeadLetter).payload for record in read_all(broker, topics.dead_letters)] == [b"of interest"]
