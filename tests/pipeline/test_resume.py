"""Where a run begins, with a real broker: what is read for the state, what is done, and what the sinks may hold."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from kafka import KafkaConsumer, TopicPartition
from kafka.structs import OffsetAndMetadata

from pipeline import metrics
from pipeline.broker.cluster import Cluster
from pipeline.resume import Resume, resume
from pipeline.topic_positions import MissingTopicError, Start, TopicRecreated
from schemas.kafka import clients
from schemas.records import DeadLetter, KafkaPosition
from tests.pipeline.conftest import bare_report
from tests.pipeline.on_topics import delete_before, new_topic, send_at, settings

DAY = timedelta(days=1)
START = datetime.now(UTC).replace(microsecond=0) - 10 * DAY
EVER = datetime.fromtimestamp(0, UTC)


@contextmanager
def group(broker: Cluster, topic: str) -> Iterator[KafkaConsumer]:
    with closing(clients.consumer(settings(broker), group_id=f"group-{topic}")) as consumer:
        yield consumer


def commit(broker: Cluster, topic: str, done: Mapping[int, tuple[int, str]]) -> None:
    """partition -> (offset, metadata), as the run before left them."""
    with group(broker, topic) as consumer:
        consumer.commit({TopicPartition(topic, partition): OffsetAndMetadata(*given) for partition, given in done.items()})


def resumed(broker: Cluster, topic: str, start: Start = "group", rewind: timedelta = 2 * DAY) -> Resume:
    with group(broker, topic) as consumer:
        return resume(consumer, topic, start, rewind)


def at(days: float) -> datetime:
    return START + days * DAY


def time_of(days: float) -> str:
    return str(at(days).timestamp())


@pytest.fixture
def topic(broker: Cluster) -> str:
    """One partition with a record a day, from START on: offset n is that of day n."""
    name = new_topic(broker, retention_ms="-1")
    for day in range(6):
        send_at(broker, name, day, at(day))
    return name


def test_a_group_that_never_was_here_reads_everything_and_the_sinks_may_hold_it(broker: Cluster, topic: str) -> None:
    assert resumed(broker, topic) == Resume(read={0: 0}, done={}, rebuilt_from=EVER, done_at=EVER)


def test_the_state_is_rebuilt_from_before_what_is_done(broker: Cluster, topic: str) -> None:
    commit(broker, topic, {0: (5, time_of(4))})
    assert resumed(broker, topic) == Resume(read={0: 2}, done={0: 5}, rebuilt_from=at(2), done_at=at(4))
    assert resumed(broker, topic, rewind=timedelta()).read == {0: 4}
    assert resumed(broker, topic, rewind=100 * DAY).read == {0: 0}


def test_offsets_that_another_tool_set_say_no_time(broker: Cluster, topic: str) -> None:
    """Then all that is there is read, and all that was written may come again."""
    for metadata in ("", "set by hand"):
        commit(broker, topic, {0: (5, metadata)})
        assert resumed(broker, topic) == Resume(read={0: 0}, done={0: 5}, rebuilt_from=EVER, done_at=EVER)


def test_the_partition_that_is_least_far_says_when(broker: Cluster) -> None:
    """Partition 1 was done up to an earlier time; of partition 2 nothing was ever committed, but what it held by then is done."""
    name = new_topic(broker, partitions=3, retention_ms="-1")
    for day in range(6):
        for partition in range(3):
            send_at(broker, name, day, at(day), partition)
    commit(broker, name, {0: (5, time_of(4)), 1: (4, time_of(3))})
    assert resumed(broker, name) == Resume(read=dict.fromkeys(range(3), 1), done={0: 5, 1: 4, 2: 3}, rebuilt_from=at(1), done_at=at(3))


def test_a_partition_without_records_since_then_is_read_from_what_is_done(broker: Cluster, topic: str) -> None:
    commit(broker, topic, {0: (6, time_of(9))})
    assert resumed(broker, topic).read == {0: 6}


def test_from_the_beginning_nothing_was_written_before(broker: Cluster, topic: str) -> None:
    commit(broker, topic, {0: (5, time_of(4))})
    begin = resumed(broker, topic, "earliest")
    assert (begin.read, begin.done, begin.done_at) == ({0: 0}, {}, None)


def test_from_a_time_or_the_end_what_is_before_it_is_read_for_the_state_only(broker: Cluster, topic: str) -> None:
    assert resumed(broker, topic, at(3.5)) == Resume(read={0: 2}, done={0: 4}, rebuilt_from=at(1.5), done_at=at(3.5))
    begin = resumed(broker, topic, "latest", rewind=7.5 * DAY)
    assert (begin.read, begin.done) == ({0: 3}, {0: 6})


def test_what_retention_removed_is_counted_and_said(broker: Cluster, topic: str, caplog: pytest.LogCaptureFixture) -> None:
    commit(broker, topic, {0: (1, time_of(0))})
    delete_before(broker, topic, 4)
    before = metrics.total(metrics.LOST)
    begin = resumed(broker, topic)
    assert (begin.read, begin.done) == ({0: 4}, {0: 4})
    assert metrics.total(metrics.LOST) - before == 3
    assert "retention removed records that were not read" in caplog.text


def test_offsets_behind_the_end_are_those_of_another_topic(broker: Cluster, topic: str) -> None:
    """Going on would leave out what the topic holds now."""
    commit(broker, topic, {0: (7, time_of(4))})
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
