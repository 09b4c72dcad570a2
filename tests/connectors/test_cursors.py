"""The compacted topic of states and marks."""

from __future__ import annotations

import pytest

from connectors._cursors import Mark, mark_message, read, state_message
from pipeline.broker.cluster import Cluster
from schemas.kafka.failures import KafkaFailure
from tests.pipeline.on_topics import Sent, new_topic, send, settings


def test_the_last_state_of_each_source_and_the_last_mark_of_each_collector_are_read(broker: Cluster) -> None:
    topic = new_topic(broker, partitions=2, cleanup_policy="compact")
    messages = [
        state_message(topic, "a", b"1"),
        mark_message(topic, "main", Mark("run", 1)),
        state_message(topic, "b", b"1"),
        state_message(topic, "a", b"2"),
        mark_message(topic, "other", Mark("else", 0)),
        mark_message(topic, "main", Mark("run", 2)),
    ]
    send(broker, topic, [Sent(message.value, message.key) for message in messages])
    send(broker, topic, [Sent(None, b"b")])
    found = read(settings(broker), topic)
    assert found.states == {"a": b"2"}
    assert found.marks == {"main": Mark("run", 2), "other": Mark("else", 0)}


def test_an_empty_topic_is_no_failure_and_a_missing_one_is(broker: Cluster) -> None:
    assert read(settings(broker), new_topic(broker)) == ({}, {})
    with pytest.raises(KafkaFailure, match=r"no topic no\.such"):
        read(settings(broker), "no.such")


def test_what_is_not_ours_is_said(broker: Cluster) -> None:
    topic = new_topic(broker)
    send(broker, topic, [Sent(b"{}", b"a"), Sent(b"words", b"@main")])
    with pytest.raises(KafkaFailure, match="offset 1: is not ours"):
        read(settings(broker), topic)
