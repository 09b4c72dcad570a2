"""What a run commits for its group, with a real broker."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

import pytest

from pipeline import committing, progress
from pipeline.broker.cluster import Cluster
from pipeline.committing import Committer
from pipeline.progress import Progress
from tests.pipeline.on_topics import committed, items, new_topic, send, settings


@pytest.fixture
def group(broker: Cluster) -> Iterator[str]:
    """The connection of a group is kept as long as its process; here as long as a test."""
    group = f"group-{uuid.uuid4().hex}"
    yield group
    committing._consumer(settings(broker), group).close()
    committing._consumer.cache_clear()


def test_what_an_earlier_run_has_done_is_not_taken_back_while_the_state_is_rebuilt(broker: Cluster, group: str) -> None:
    topic = new_topic(broker, partitions=2)
    send(broker, topic, items(range(10), partition=0))
    committer = Committer(settings(broker), topic, group, "no run", {0: 5, 1: 0})
    committer.done({0: 4})
    assert committed(broker, group, topic) is None
    committer.done({0: 6, 1: 3})
    assert [committed(broker, group, topic, partition) for partition in (0, 1)] == [6, 3]


def test_the_run_of_its_process_is_told(broker: Cluster, group: str) -> None:
    topic, here = new_topic(broker), Progress(in_flight=50, margin=0)
    here.began(0, 0)
    here.read(0, 100)
    here.reached(0, 2_000_000)
    progress.begin(topic, here)
    committer = Committer(settings(broker), topic, group, topic, {0: 0})
    try:
        committer.marked({0: 100}, 1_000_000)
        assert here.full()
        committer.done({0: 100})
        assert not here.full()
    finally:
        progress.end(topic)


def test_a_worker_elsewhere_says_that_it_is_at_work_and_takes_nothing_back(broker: Cluster, group: str) -> None:
    topic = new_topic(broker, partitions=2)
    committing.commit(committing._consumer(settings(broker), group), topic, {0: 4, 1: 7})
    watching = committing._consumer(settings(broker), group)
    assert not committing.committed_by(watching, topic, "run-1")
    Committer(settings(broker), topic, group, "run-1", {0: 4}).started()
    assert committing.committed_by(watching, topic, "run-1")
    assert not committing.committed_by(watching, topic, "run-2")
    assert [committed(broker, group, topic, partition) for partition in (0, 1)] == [4, 7]
