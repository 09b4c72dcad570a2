"""Where a run begins, with a real broker: what is read for the state, what is done, and what the sinks may hold."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from kafka import KafkaConsumer

from pipeline import committing, metrics
from pipeline.broker.cluster import Cluster
from pipeline.resume import Resume, resume
from pipeline.topic_positions import MissingTopicError, Start, TopicRecreated
from schemas.kafka import clients
from schemas.records import DeadLetter, KafkaPosition
from tests.pipeline.conftest import bare_report
from tests.pipeline.on_topics import delete_before, new_topic, send_at, settings

DAY = timedelta(days=1)
START = datetime.now(UTC).replace(microsecond=0) - 10 * DAY
NOW = START + 10 * DAY
SKEW = timedelta(minutes=1)
EVER = datetime.fromtimestamp(0, UTC)


@contextmanager
def group(broker: Cluster, topic: str) -> Iterator[KafkaConsumer]:
    with closing(clients.consumer(settings(broker), group_id=f"group-{topic}")) as consumer:
        yield consumer


def commit(broker: Cluster, topic: str, done: Mapping[int, int]) -> None:
    """partition -> offset, as the run before left them."""
    with group(broker, topic) as consumer:
        committing.commit(consumer, topic, done)


def resumed(broker: Cluster, topic: str, start: Start = "group", rewind: timedelta = 2 * DAY) -> Resume:
    with group(broker, topic) as consumer:
        return resume(consumer, topic, start, rewind, NOW)


def at(days: float) -> datetime:
    return START + days * DAY


@pytest.fixture
def topic(broker: Cluster) -> str:
    """One partition with a record a day, from START on: offset n is that of day n."""
    name = new_topic(broker)
    for day in range(6):
        send_at(broker, name, day, at(day))
    return name


def test_a_group_that_never_was_here_reads_everything(broker: Cluster, topic: str) -> None:
    """Nothing is done; what its first record led to, another group's run may have put into the sinks."""
    assert resumed(broker, topic) == Resume(read={0: 0}, done={0: 0}, rebuilt_from=at(-2) - SKEW, done_at=at(0) - SKEW)


def test_the_state_is_rebuilt_from_before_what_is_done(broker: Cluster, topic: str) -> None:
    commit(broker, topic, {0: 5})
    assert resumed(broker, topic) == Resume(read={0: 3}, done={0: 5}, rebuilt_from=at(3) - SKEW, done_at=at(5) - SKEW)
    assert resumed(broker, topic, rewind=timedelta()).read == {0: 5}
    assert resumed(broker, topic, rewind=100 * DAY).read == {0: 0}


def test_the_partition_that_is_least_far_says_when(broker: Cluster) -> None:
    name = new_topic(broker, partitions=2)
    for day in range(6):
        for partition in range(2):
            send_at(broker, name, day, at(day), partition)
    commit(broker, name, {0: 5, 1: 4})
    assert resumed(broker, name) == Resume(read=dict.fromkeys(range(2), 2), done={0: 5, 1: 4}, rebuilt_from=at(2) - SKEW, done_at=at(4) - SKEW)


def test_nothing_of_a_partition_that_was_added_is_done(broker: Cluster) -> None:
    """It came while a run was under way that was killed before the first mark behind it, and after marks of later records elsewhere."""
    name = new_topic(broker, partitions=2)
    for day in range(6):
        send_at(broker, name, day, at(day), 0)
    send_at(broker, name, 3, at(3), 1)
    commit(broker, name, {0: 6})
    assert resumed(broker, name) == Resume(read={0: 1, 1: 0}, done={0: 6, 1: 0}, rebuilt_from=at(1) - SKEW, done_at=at(3) - SKEW)


def test_where_everything_is_done_only_what_comes_may_come_again(broker: Cluster, topic: str) -> None:
    commit(broker, topic, {0: 6})
    assert resumed(broker, topic, rewind=7.5 * DAY) == Resume(read={0: 3}, done={0: 6}, rebuilt_from=at(2.5) - SKEW, done_at=NOW - SKEW)


def test_from_the_beginning_nothing_was_written_before(broker: Cluster, topic: str) -> None:
    commit(broker, topic, {0: 5})
    begin = resumed(broker, topic, "earliest")
    assert (begin.read, begin.done, begin.done_at) == ({0: 0}, {}, None)


def test_from_a_time_or_the_end_what_is_before_it_is_read_for_the_state_only(broker: Cluster, topic: str) -> None:
    assert resumed(broker, topic, at(3.5)) == Resume(read={0: 2}, done={0: 4}, rebuilt_from=at(1.5), done_at=at(3.5))
    begin = resumed(broker, topic, "latest", rewind=7.5 * DAY)
    assert (begin.read, begin.done) == ({0: 3}, {0: 6})


def test_what_retention_removed_is_counted_and_said(broker: Cluster, topic: str, caplog: pytest.LogCaptureFixture) -> None:
    commit(broker, topic, {0: 1})
    delete_before(broker, topic, 4)
    before = metrics.total(metrics.LOST)
    begin = resumed(broker, topic)
    assert (begin.read, begin.done) == ({0: 4}, {0: 4})
    assert metrics.total(metrics.LOST) - before == 3
    assert "retention removed records that were not read" in caplog.text


def test_offsets_behind_the_end_are_those_of_another_topic(broker: Cluster, topic: str) -> None:
    """Going on would leave out what the topic holds now."""
    commit(broker, topic, {0: 7})
    with pytest.raises(TopicRecreated, match=f"{topic}, partition 0, ends at offset 6, but the group has done 7: .*--from earliest"):
        resumed(broker, topic)
    assert resumed(broker, topic, "earliest").read == {0: 0}


def test_a_topic_that_is_not_there(broker: Cluster) -> None:
    with pytest.raises(MissingTopicError, match="dijla broker topics"):
        resumed(broker, "no-such-topic")


def test_only_what_stands_before_the_done_offset_of_its_partition_is_done() -> None:
    begin = Resume(done={0: 5})

    def report_at(partition: int, offset: int) -> bool:
        place = KafkaPosition(topic="raw", partition=partition, offset=offset, appended_at=START)
        return begin.is_done(replace(bare_report("a", "text", 0), kafka=place))

    assert (report_at(0, 4), report_at(0, 5), report_at(1, 0)) == (True, False, False)
    assert not begin.is_done(bare_report("a", "text", 0)), "of an archive"
    letter = DeadLetter(stage="tag", error_class="E", error_message="m", payload=b"", first_failed_at=START, last_failed_at=START)
    assert [begin.is_done(replace(letter, partition=0, offset=offset)) for offset in (4, 5)] == [True, False]
    assert not begin.is_done(letter)
