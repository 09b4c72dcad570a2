"""Items and states onto a real Kafka: together, once, by one collector of a name."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from datetime import datetime
from random import Random
from typing import Any

import pytest
from kafka.errors import KafkaTimeoutError
from kafka.producer.sender import Sender

from connectors import _transactions
from connectors._cursors import read
from connectors._outbox import KafkaOutbox
from connectors._transactions import TakenOver
from pipeline.broker.cluster import Cluster
from schemas import avro
from schemas.errors import UsageError
from schemas.kafka import hanging
from schemas.kafka.delivery import LARGEST
from schemas.kafka.envelope import SingleObject
from schemas.kafka.failures import BrokerUnreachable, KafkaFailure
from schemas.kafka.settings import KafkaSettings, TopicSettings
from schemas.kafka.topics import Topics
from schemas.records import DeadLetter, RawItem
from tests.pipeline.on_topics import START, a_letter, an_item, create_topic, new_topic, read_all, settings

BOTH = pytest.mark.parametrize("transactions", [True, False], ids=["transactions", "acknowledged"])


def now() -> datetime:
    return START


def topics_on(broker: Cluster, *, partitions: int = 1, **raw: str) -> Topics:
    topics = Topics.of(TopicSettings(prefix=new_topic(broker) + "."))
    create_topic(broker, topics.raw, partitions=partitions, message_timestamp_type="LogAppendTime", **raw)
    create_topic(broker, topics.dead_letters)
    create_topic(broker, topics.schemas, cleanup_policy="compact")
    create_topic(broker, topics.cursors, cleanup_policy="compact")
    return topics


@pytest.fixture
def topics(broker: Cluster) -> Topics:
    return topics_on(broker)


def outbox_on(broker: Cluster, topics: Topics, name: str = "main", *, transactions: bool = True) -> KafkaOutbox:
    return KafkaOutbox(settings(broker), topics, SingleObject(), name=name, now=now, transactions=transactions)


def items(broker: Cluster, topics: Topics) -> list[RawItem]:
    return [avro.decode_single_object(record.value, RawItem) for record in read_all(broker, topics.raw)]


def numbers(broker: Cluster, topics: Topics) -> list[int]:
    return [int(item.native_id) for item in items(broker, topics)]


def letters(broker: Cluster, topics: Topics) -> list[DeadLetter]:
    return [avro.decode_single_object(record.value, DeadLetter) for record in read_all(broker, topics.dead_letters)]


def states(broker: Cluster, topics: Topics) -> dict[str, bytes]:
    return read(settings(broker), topics.cursors).states


@pytest.fixture(autouse=True)
def no_thread_is_left() -> Iterator[None]:
    others = producers()
    yield
    for thread in producers() - others:
        thread.join(15)
    assert producers() - others == set()


def producers() -> set[threading.Thread]:
    return {thread for thread in threading.enumerate() if isinstance(thread, Sender)}


@BOTH
def test_records_and_states_arrive_in_order_and_the_states_are_there_at_the_next_start(broker: Cluster, topics: Topics, transactions: bool) -> None:
    with closing(outbox_on(broker, topics, transactions=transactions)) as outbox:
        assert outbox.states == {}
        outbox.deliver([an_item(0), a_letter(b"a line"), *map(an_item, range(1, 300))], {"a": b"1", "b": b"1"})
        outbox.deliver([], {"a": b"2"})
        outbox.deliver([an_item(0)], {})
    assert numbers(broker, topics) == [*range(300), 0]
    first, *_, again = read_all(broker, topics.raw)
    assert (first.key, dict(first.headers)["ce_id"]) == (again.key, dict(again.headers)["ce_id"])
    assert letters(broker, topics) == [a_letter(b"a line")]
    assert avro.fingerprint(avro.schema(RawItem)).hex().encode() in [record.key for record in read_all(broker, topics.schemas)]
    with closing(outbox_on(broker, topics, transactions=transactions)) as outbox:
        assert outbox.states == {"a": b"2", "b": b"1"}


def test_items_and_states_are_committed_together(broker: Cluster, topics: Topics, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is written and not committed is neither an item nor a state; the next delivery ends it at once."""
    end = _transactions._end

    def fail_once(client: Any, commit: bool) -> None:
        monkeypatch.setattr(_transactions, "_end", end)
        client.flush()
        assert read_all(broker, topics.raw, waiting=False) == []
        assert [record.key for record in read_all(broker, topics.cursors, waiting=False)] == [b"@main"]
        raise KafkaTimeoutError("no answer")

    with closing(outbox_on(broker, topics)) as outbox:
        monkeypatch.setattr(_transactions, "_end", fail_once)
        outbox.deliver([an_item(0), an_item(1)], {"a": b"1"})
        assert (numbers(broker, topics), states(broker, topics)) == ([0, 1], {"a": b"1"})


def test_a_commit_whose_answer_is_lost_is_not_sent_again(broker: Cluster, topics: Topics, monkeypatch: pytest.MonkeyPatch) -> None:
    end, losses = _transactions._end, iter(range(3))

    def lose_the_answer(client: Any, commit: bool) -> None:
        end(client, commit)
        if next(losses, None) is not None:
            raise KafkaTimeoutError("no answer")

    with closing(outbox_on(broker, topics)) as outbox:
        monkeypatch.setattr(_transactions, "_end", lose_the_answer)
        outbox.deliver([an_item(0)], {"a": b"1"})
        outbox.deliver([an_item(1)], {"a": b"1"})
        outbox.deliver([an_item(2)], {})
    assert next(losses, None) is None
    assert numbers(broker, topics) == [0, 1, 2]


def test_a_second_collector_of_the_name_ends_the_first(broker: Cluster, topics: Topics) -> None:
    with closing(outbox_on(broker, topics)) as first, closing(outbox_on(broker, topics, "other")) as other:
        first.deliver([an_item(0)], {"a": b"1"})
        with closing(outbox_on(broker, topics)) as second:
            assert second.states == {"a": b"1"}
            second.deliver([an_item(1)], {"a": b"2"})
            with pytest.raises(TakenOver, match="another collector called main has taken over") as caught:
                first.deliver([an_item(1)], {"a": b"2"})
            assert isinstance(caught.value, UsageError)
            second.deliver([an_item(2)], {"a": b"3"})
        other.deliver([an_item(3)], {"b": b"1"})
    assert numbers(broker, topics) == [0, 1, 2, 3]
    assert states(broker, topics) == {"a": b"3", "b": b"1"}


def test_a_takeover_in_full_flight_loses_and_doubles_nothing(broker: Cluster, topics: Topics) -> None:
    ended = []

    def collect(outbox: KafkaOutbox) -> None:
        number = int(outbox.states.get("a", b"0"))
        try:
            while number < 10_000:
                outbox.deliver([an_item(number), an_item(number + 1)], {"a": b"%d" % (number + 2)})
                number += 2
        except TakenOver as error:
            ended.append(error)

    with ExitStack() as opened:
        threads = []
        for _ in range(4):
            outbox = opened.enter_context(closing(outbox_on(broker, topics)))
            threads.append(threading.Thread(target=collect, args=[outbox]))
            threads[-1].start()
            time.sleep(0.5)
        last = opened.enter_context(closing(outbox_on(broker, topics)))
        for thread in threads:
            thread.join(30)
        last.deliver([], {"done": b"true"})
    assert len(ended) == 4
    found = states(broker, topics)
    assert (found["a"], found["done"]) == (last.states["a"], b"true")
    assert numbers(broker, topics) == list(range(int(found["a"])))


def test_an_open_transaction_of_another_hides_no_state(broker: Cluster, topics: Topics) -> None:
    with closing(outbox_on(broker, topics)) as outbox, closing(_transactions.Transactions(settings(broker), topics, name="slow")) as slow:
        client = slow._producer
        assert client is not None
        client.begin_transaction()
        client.send(topics.cursors, b"0", b"c").get(10)
        outbox.deliver([], {"a": b"1"})
        threading.Timer(1, client.commit_transaction).start()
        assert states(broker, topics) == {"c": b"0", "a": b"1"}


def test_mending_leaves_a_transaction_alone_that_begins_meanwhile(broker: Cluster, topics: Topics, monkeypatch: pytest.MonkeyPatch) -> None:
    leaders = hanging._leaders
    with closing(_transactions.Transactions(settings(broker), topics, name="main")) as collector:
        client = collector._producer
        assert client is not None

        def begin(*asked: Any) -> Any:
            client.begin_transaction()
            client.send(topics.raw, b"never committed").get(10)
            return leaders(*asked)

        monkeypatch.setattr(hanging, "_leaders", begin)
        assert hanging.mend(settings(broker), [topics.raw], [collector._id]) == []
        client.abort_transaction()
    assert read_all(broker, topics.raw) == []


@BOTH
def test_an_item_that_no_broker_takes_becomes_a_dead_letter(broker: Cluster, topics: Topics, transactions: bool) -> None:
    with closing(outbox_on(broker, topics, transactions=transactions)) as outbox:
        outbox.deliver([an_item(0), an_item(1, body="x" * LARGEST), an_item(2)], {"a": b"1"})
    assert numbers(broker, topics) == [0, 2]
    (letter,) = letters(broker, topics)
    assert (letter.stage, letter.error_class, letter.first_failed_at) == ("write", "Refused", START)
    assert "sample.outlet-a, item 1: 1,04" in letter.error_message
    assert states(broker, topics) == {"a": b"1"}


@BOTH
def test_items_that_this_broker_does_not_take_become_dead_letters_and_the_others_arrive(broker: Cluster, transactions: bool) -> None:
    topics = topics_on(broker, max_message_bytes="2000")
    bad = {7, 8, 90}
    records = [an_item(number, original=Random(number).randbytes(5000 if number in bad else 5)) for number in range(100)]
    with closing(outbox_on(broker, topics, transactions=transactions)) as outbox:
        outbox.deliver(records, {"a": b"1"})
        outbox.deliver([an_item(100)], {"a": b"2"})
    assert sorted(numbers(broker, topics)) == [number for number in range(101) if number not in bad]
    assert {letter.error_message.partition(":")[0] for letter in letters(broker, topics)} == {f"sample.outlet-a, item {number}" for number in bad}
    assert states(broker, topics) == {"a": b"2"}


@BOTH
def test_a_broker_that_is_not_there_is_said_at_the_start(transactions: bool) -> None:
    with pytest.raises(BrokerUnreachable):
        KafkaOutbox(KafkaSettings(bootstrap_servers="127.0.0.1:1"), Topics.of(TopicSettings()), SingleObject(), name="main", now=now, transactions=transactions)


@BOTH
@pytest.mark.faults
def test_close_ends_a_delivery_that_waits(own_cluster: Callable[..., Cluster], transactions: bool) -> None:
    cluster = own_cluster()
    topics = topics_on(cluster)
    outbox = outbox_on(cluster, topics, transactions=transactions)
    cluster.nodes[0].kill()
    errors = []

    def deliver() -> None:
        try:
            outbox.deliver([an_item(0)], {"a": b"1"})
        except KafkaFailure as error:
            errors.append(str(error))

    thread = threading.Thread(target=deliver)
    thread.start()
    threading.Timer(3, outbox.close).start()
    thread.join(55)
    assert "ended before all was delivered" in errors[0]
