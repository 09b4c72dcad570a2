"""Delivery against a real broker, well and ill. What `Undelivered` carries is sent again by `deliver`, as a sink does it."""

from __future__ import annotations

import os
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from datetime import timedelta

import psutil
import pytest
from kafka.admin import ACL, ACLOperation, ACLPermissionType, ResourcePattern, ResourceType
from kafka.producer.sender import Sender

from pipeline.broker.cluster import Cluster
from schemas.kafka.clients import admin
from schemas.kafka.delivery import LARGEST, Delivery, Message, Refusal, Refused, Undelivered
from schemas.kafka.failures import BrokerUnreachable
from schemas.kafka.settings import KafkaSettings
from tests.schemas.topic_reading import new_topic, read_all

SHORT = timedelta(seconds=3)
LONG = timedelta(seconds=60)


def at(cluster: Cluster) -> KafkaSettings:
    return KafkaSettings(bootstrap_servers=cluster.bootstrap)


def messages(topic: str, count: int, start: int = 0, size: int = 100) -> list[Message]:
    return [Message(topic, b"%d" % number, b"%d " % number + b"x" * size) for number in range(start, start + count)]


def values(settings: KafkaSettings, topic: str) -> Counter[bytes]:
    return Counter(record.value for record in read_all(settings, topic))


def once(sent: Iterable[Message]) -> Counter[bytes]:
    return Counter(message.value for message in sent if message.value is not None)


def send_all(delivery: Delivery, sent: Iterable[Message]) -> None:
    for message in sent:
        delivery.send(message)


def settled(settings: KafkaSettings, topic: str) -> Counter[bytes]:
    """What stands in the topic once nothing is added for a second: a broker that was only silent still writes what it was sent."""
    before = values(settings, topic)
    while True:
        time.sleep(1)
        after = values(settings, topic)
        if after == before:
            return after
        before = after


def deliver(delivery: Delivery, settings: KafkaSettings, sent: Iterable[Message]) -> list[Refusal]:
    """Send, and send again what is undelivered and not in its topic; returns what is refused."""
    refusals: list[Refusal] = []
    todo = list(sent)
    for _ in range(5):
        try:
            rest = iter(todo)
            todo = []
            for message in rest:
                delivery.send(message)
            delivery.flush()
        except Undelivered as error:
            refusals += error.refusals
            arrived = values(settings, error.messages[0].topic)
            todo = [message for message in error.messages if message.value not in arrived] + list(rest)
        except Refused as error:
            refusals += error.refusals
        if not todo:
            return refusals
    raise AssertionError(f"{len(todo)} messages cannot be delivered")


@pytest.fixture
def settings(broker: Cluster) -> KafkaSettings:
    return at(broker)


@pytest.fixture(autouse=True)
def no_thread_is_left() -> Iterator[None]:
    """A discarded producer stops working."""
    others = producers()
    yield
    deadline = time.monotonic() + 5
    while producers() - others and time.monotonic() < deadline:
        time.sleep(0.05)
    assert producers() - others == set()


def producers() -> set[threading.Thread]:
    return {thread for thread in threading.enumerate() if isinstance(thread, Sender)}


def test_all_is_there_when_flush_returns(settings: KafkaSettings) -> None:
    topic = new_topic(settings)
    sent = [Message(topic, b"key", b"value", (("schema", b"00"), ("mode", b"live"))), *messages(topic, 500)]
    with closing(Delivery(settings)) as delivery:
        send_all(delivery, sent)
        delivery.flush()
        found = read_all(settings, topic)
        assert Counter(record.value for record in found) == once(sent)
        first = next(record for record in found if record.key == b"key")
        assert list(first.headers) == [("schema", b"00"), ("mode", b"live")]
        delivery.flush()


def test_the_order_of_a_key_is_kept(settings: KafkaSettings) -> None:
    topic = new_topic(settings)
    with closing(Delivery(settings, in_flight_bytes=5_000)) as delivery:
        for number in range(2_000):
            delivery.send(Message(topic, b"%d" % (number % 7), b"%d" % number))
    by_key: dict[bytes, list[int]] = {}
    for record in read_all(settings, topic):
        by_key.setdefault(record.key, []).append(int(record.value))
    assert sum(map(len, by_key.values())) == 2_000
    assert all(numbers == sorted(numbers) for numbers in by_key.values())


def test_a_flush_costs_no_waiting(settings: KafkaSettings) -> None:
    topic = new_topic(settings)
    with closing(Delivery(settings)) as delivery:
        delivery.send(Message(topic, b"first", b""))
        taken = []
        for message in messages(topic, 20):
            begin = time.perf_counter()
            delivery.send(message)
            delivery.flush()
            taken.append(time.perf_counter() - begin)
    assert sorted(taken)[10] < 0.1


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (Message("no such name!", b"k", b"v"), "illegal"),
        (Message("", b"k", b"v"), "non-empty"),
        (Message("sample", None, None), "neither key nor value"),
        (Message("sample", b"k", b"x" * LARGEST), "more than the 1,048,576"),
    ],
)
def test_what_no_broker_takes_is_refused_before_it_is_sent(settings: KafkaSettings, bad: Message, reason: str) -> None:
    topic = new_topic(settings)
    good = messages(topic, 20)
    with closing(Delivery(settings)) as delivery:
        send_all(delivery, (*good[:10], bad, *good[10:]))
        with pytest.raises(Refused, match=reason) as caught:
            delivery.flush()
        assert [refusal.message for refusal in caught.value.refusals] == [bad]
        delivery.flush()
    assert values(settings, topic) == once(good)


def test_a_message_over_the_topics_own_limit_is_refused_and_the_others_are_delivered(settings: KafkaSettings) -> None:
    topic = new_topic(settings, max_message_bytes="100000")
    good = messages(topic, 200)
    bad = Message(topic, b"large", os.urandom(300_000))
    with closing(Delivery(settings)) as delivery:
        send_all(delivery, (*good[:100], bad, *good[100:]))
        with pytest.raises(Refused, match="MessageSizeTooLarge") as caught:
            delivery.flush()
        assert [refusal.message for refusal in caught.value.refusals] == [bad]
    assert values(settings, topic) == once(good)


def test_a_culprit_in_company_is_found_and_nothing_is_doubled(settings: KafkaSettings) -> None:
    topic = new_topic(settings, max_message_bytes="10000")
    good = messages(topic, 300)
    bad = Message(topic, b"large", os.urandom(30_000))
    with closing(Delivery(settings)) as delivery:
        refusals = deliver(delivery, settings, (*good[:150], bad, *good[150:]))
    assert [refusal.message for refusal in refusals] == [bad]
    assert values(settings, topic) == once(good)


def test_a_compacted_topic_refuses_a_message_without_key(settings: KafkaSettings) -> None:
    topic = new_topic(settings, partitions=1, cleanup_policy="compact")  # so it stands in one batch with others, which fail with it
    good = messages(topic, 50)
    bad = Message(topic, None, b"no key")
    with closing(Delivery(settings)) as delivery:
        refusals = deliver(delivery, settings, (bad, *good[:25], bad, *good[25:]))
    assert [refusal.message for refusal in refusals] == [bad, bad]
    assert values(settings, topic) == once(good)


def test_a_missing_topic_is_undelivered_by_name(settings: KafkaSettings) -> None:
    delivery = Delivery(settings, deadline=timedelta(seconds=1))
    with pytest.raises(Undelivered, match=r"1 message\(s\) to sample\.missing not acknowledged: .*within 1 s.* does it exist") as caught:
        delivery.send(Message("sample.missing", b"k", b"v"))
    assert caught.value.messages == [Message("sample.missing", b"k", b"v")]
    delivery.close()


def test_many_times_the_cap_goes_through(settings: KafkaSettings) -> None:
    topic = new_topic(settings)
    sent = messages(topic, 3_000, size=1_000)
    with closing(Delivery(settings, in_flight_bytes=20_000)) as delivery:
        send_all(delivery, sent)
    assert values(settings, topic) == once(sent)


def test_no_broker_at_all_is_told_within_the_deadline() -> None:
    delivery = Delivery(KafkaSettings(bootstrap_servers="127.0.0.1:1"), deadline=timedelta(seconds=1))
    begin = time.monotonic()
    with pytest.raises(BrokerUnreachable):
        delivery.send(Message("sample", b"k", b"v"))
    assert time.monotonic() - begin < 5
    delivery.close()


def test_a_topic_that_may_not_be_written_is_refused(own_cluster: Callable[..., Cluster]) -> None:
    authorizer = "org.apache.kafka.metadata.authorizer.StandardAuthorizer"
    settings = at(own_cluster(properties={"authorizer.class.name": authorizer, "allow.everyone.if.no.acl.found": "true"}))
    allowed, denied = new_topic(settings), new_topic(settings)
    with closing(admin(settings)) as client:
        resource = ResourcePattern(ResourceType.TOPIC, denied)
        rules = ((ACLOperation.DESCRIBE, ACLPermissionType.ALLOW), (ACLOperation.WRITE, ACLPermissionType.DENY))
        client.create_acls([ACL("User:ANONYMOUS", "*", operation, permission, resource) for operation, permission in rules])
    good, bad = messages(allowed, 20), messages(denied, 2)
    with closing(Delivery(settings)) as delivery:
        send_all(delivery, (*good[:10], *bad, *good[10:]))
        with pytest.raises(Refused, match="TopicAuthorizationFailed") as caught:
            delivery.flush()
        assert [refusal.message for refusal in caught.value.refusals] == bad
    assert values(settings, allowed) == once(good)


@pytest.mark.faults
def test_an_outage_beyond_the_deadline_wedges_nothing(own_cluster: Callable[..., Cluster]) -> None:
    cluster = own_cluster()
    settings, node = at(cluster), cluster.nodes[0]
    topic = new_topic(settings)
    sent = messages(topic, 3_000)
    with closing(Delivery(settings, deadline=SHORT)) as delivery:
        send_all(delivery, sent[:1_000])
        delivery.flush()
        send_all(delivery, sent[1_000:2_000])
        node.kill()  # under way: some of them are written, some are not
        begin = time.monotonic()
        with pytest.raises(Undelivered, match="no answer within 3 s") as caught:
            delivery.flush()
        assert time.monotonic() - begin < SHORT.total_seconds() + 3
        unknown = caught.value.messages
        assert unknown == [message for message in sent[1_000:2_000] if message in unknown]
        with pytest.raises(BrokerUnreachable):
            delivery.send(sent[2_000])
        node.start()
        arrived = values(settings, topic)
        deliver(delivery, settings, [message for message in unknown if message.value not in arrived])
        deliver(delivery, settings, sent[2_000:])
    assert values(settings, topic) == once(sent)


@pytest.mark.faults
def test_an_outage_within_the_deadline_loses_and_doubles_nothing(own_cluster: Callable[..., Cluster]) -> None:
    cluster = own_cluster()
    settings, node = at(cluster), cluster.nodes[0]
    topic = new_topic(settings)
    sent = messages(topic, 6_000)
    with closing(Delivery(settings, deadline=LONG)) as delivery:
        for number, message in enumerate(sent):
            if number == 2_000:
                node.kill()
                back = threading.Timer(2, node.start)
                back.start()
            delivery.send(message)
        delivery.flush()
        back.join()
    assert values(settings, topic) == once(sent)


@pytest.mark.faults
def test_a_dead_broker_of_three_loses_and_doubles_nothing(own_cluster: Callable[..., Cluster]) -> None:
    cluster = own_cluster(nodes=3)
    settings = at(cluster)
    topic = new_topic(settings, partitions=6, replication=3, min_insync_replicas="2")
    sent = messages(topic, 5_000)
    with closing(Delivery(settings, deadline=LONG, in_flight_bytes=100_000)) as delivery:
        for number, message in enumerate(sent):
            if number == 2_500:
                cluster.nodes[1].kill()
            delivery.send(message)
        delivery.flush()
    assert values(settings, topic) == once(sent)


@pytest.mark.faults
def test_a_silent_broker_holds_no_more_than_the_cap(own_cluster: Callable[..., Cluster]) -> None:
    cluster = own_cluster()
    settings = at(cluster)
    topic = new_topic(settings)
    sent = messages(topic, 5_000, size=1_000)
    with closing(Delivery(settings, deadline=SHORT, in_flight_bytes=100_000)) as delivery:
        delivery.send(Message(topic, b"first", b"first"))
        process = psutil.Process(cluster.nodes[0].pid)
        process.suspend()
        begin = time.monotonic()
        with pytest.raises(Undelivered) as caught:
            send_all(delivery, sent)
        assert SHORT.total_seconds() - 0.1 < time.monotonic() - begin < SHORT.total_seconds() + 4
        process.resume()
        unknown = caught.value.messages
        assert unknown == sent[: len(unknown)]
        assert 90_000 < sum(message.size for message in unknown[:-1]) <= 100_000
        arrived = settled(settings, topic)
        deliver(delivery, settings, [message for message in sent if message.value not in arrived])
    assert values(settings, topic) == once(sent) + Counter([b"first"])
