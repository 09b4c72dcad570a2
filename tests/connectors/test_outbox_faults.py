"""Collectors that are killed, brokers that go: nothing is lost, and with transactions nothing comes twice."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from typing import Any

import msgspec
import pytest

from connectors import _transactions
from pipeline.broker.cluster import Cluster
from schemas.kafka.hanging import mend
from schemas.kafka.topics import Topics
from tests.connectors.kill_me import SOURCE, run_killing
from tests.connectors.test_outbox import BOTH, numbers, outbox_on, states, topics_on
from tests.pipeline.on_topics import an_item, settings

pytestmark = pytest.mark.faults

ITEMS = 10_000
OUTAGE_S = 24  # a transaction lives for 10 s, an unacknowledged message for 20


def of_process(cluster: Cluster, topics: Topics, transactions: bool) -> dict[str, Any]:
    return {
        "bootstrap": cluster.bootstrap,
        "prefix": topics.raw.removesuffix("raw"),
        "name": "main",
        "transactions": transactions,
        "items": ITEMS,
        "batch": 40,
    }


@BOTH
def test_a_collector_killed_again_and_again(own_cluster: Callable[..., Cluster], transactions: bool) -> None:
    """With the broker restarted in the middle. What is unacknowledged may come twice, where no transaction prevents it."""
    cluster = own_cluster()
    topics = topics_on(cluster, partitions=3)

    def meanwhile(attempt: int) -> None:
        if attempt == 2:
            cluster.nodes[0].kill()
            cluster.start()
        assert next_of(cluster, topics) <= len(set(numbers(cluster, topics)))

    killed = run_killing(of_process(cluster, topics, transactions), kills=5, within=(0.0, 0.7), seed=1, meanwhile=meanwhile)
    assert killed >= 3
    found = Counter(numbers(cluster, topics))
    assert set(found) == set(range(ITEMS))
    if transactions:
        assert set(found.values()) == {1}
    assert next_of(cluster, topics) == ITEMS


def next_of(cluster: Cluster, topics: Topics) -> int:
    """The state: the number of the first item that is not delivered."""
    number: int = msgspec.json.decode(states(cluster, topics)[SOURCE])["next"]
    return number


@BOTH
def test_an_outage_longer_than_any_timeout(own_cluster: Callable[..., Cluster], caplog: pytest.LogCaptureFixture, transactions: bool) -> None:
    cluster = own_cluster()
    topics = topics_on(cluster)
    with closing(outbox_on(cluster, topics, transactions=transactions)) as outbox:
        outbox.deliver([an_item(0)], {"a": b"0"})
        cluster.nodes[0].kill()
        back = threading.Timer(OUTAGE_S, cluster.start)
        back.start()
        begun = time.monotonic()
        outbox.deliver([an_item(1), an_item(2)], {"a": b"2"})
        assert time.monotonic() - begun > OUTAGE_S
        back.join()
        outbox.deliver([an_item(3)], {"a": b"3"})
    assert sorted(set(numbers(cluster, topics))) == [0, 1, 2, 3]
    assert not transactions or numbers(cluster, topics) == [0, 1, 2, 3]
    assert states(cluster, topics) == {"a": b"3"}
    assert [record.message for record in caplog.records if record.name == "connectors._outbox"] == ["not delivered so far, nothing is lost: trying again"]


def test_an_outage_between_write_and_commit(own_cluster: Callable[..., Cluster], monkeypatch: pytest.MonkeyPatch) -> None:
    """The broker dies at the commit, and nobody knows what became of it: at various moments, each item comes once."""
    cluster = own_cluster()
    topics = topics_on(cluster)

    def restart() -> None:
        cluster.nodes[0].kill()
        cluster.start()

    end, delays = _transactions._end, iter([0.0, 0.002, 0.02])

    def kill_at_commit(client: Any, commit: bool) -> None:
        if (delay := next(delays, None)) is not None:
            threading.Timer(delay, restart).start()
        end(client, commit)

    with closing(outbox_on(cluster, topics)) as outbox:
        monkeypatch.setattr(_transactions, "_end", kill_at_commit)
        for number in range(8):
            outbox.deliver([an_item(number)], {"a": b"%d" % number})
    assert numbers(cluster, topics) == list(range(8))
    assert states(cluster, topics) == {"a": b"7"}


def test_a_commit_whose_markers_the_broker_forgot(own_cluster: Callable[..., Cluster]) -> None:
    """A broker that dies right after a commit leaves transactions hanging, every other time here, before which readers stand for ever."""
    cluster = own_cluster()
    topics = topics_on(cluster)
    for number in range(6):
        with closing(outbox_on(cluster, topics)) as outbox:
            outbox.deliver([an_item(number)], {"a": b"%d" % number})
            cluster.nodes[0].kill()
        cluster.start()
        mend(settings(cluster))
        assert numbers(cluster, topics) == list(range(number + 1))
        assert mend(settings(cluster)) == []
