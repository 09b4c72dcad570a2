"""What goes wrong while `dijla run` runs: counts in = counts out, nothing lost, nothing twice by (event_id, content_hash)."""

from __future__ import annotations

import json
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Thread
from urllib.error import HTTPError

import pytest
from kafka import TopicPartition

from pipeline.broker.cluster import Cluster
from schemas.kafka import clients
from schemas.records import RawItem, Report
from tests.pipeline.counts import check_clusters_of_a_replay, check_complete, check_like_a_replay
from tests.pipeline.live import Live, items
from tests.pipeline.on_topics import committed

pytestmark = pytest.mark.faults


@pytest.fixture
def own_live(own_cluster: Callable[..., Cluster], prism_installed: None, tmp_path: Path) -> Iterator[Callable[..., Live]]:
    """own_live(nodes=3): an installation whose broker the test may hurt."""
    made: list[Live] = []

    def make(nodes: int = 1) -> Live:
        spread = {"partitions": 4} if nodes == 1 else {"partitions": 4, "replication": 3, "min_insync_replicas": 2}
        made.append(Live(own_cluster(nodes=nodes), tmp_path, spread))
        return made[-1]

    yield make
    for live in made:
        live.end()


def checks(live: Live) -> dict[str, str]:
    """What /readyz says of each part."""
    try:
        page = live.monitored("/readyz")
    except HTTPError as error:
        with error:
            page = error.read().decode()
    found: dict[str, str] = json.loads(page)["checks"]
    return found


def complete(live: Live, count: int) -> Callable[[], bool]:
    return lambda: live.count(live.topics.reports) >= count


def done(live: Live, count: int) -> Callable[[], bool]:
    """All are in the sinks, their events too, and committed."""
    return lambda: sum(committed(live.broker, "dijla", live.topics.raw, partition) or 0 for partition in range(4)) >= count


def in_background(live: Live, sent: list[RawItem], rate: float) -> Thread:
    thread = Thread(target=live.publish, args=(sent, rate))
    thread.start()
    return thread


def test_killed_in_the_middle_and_started_again(live: Live, tmp_path: Path) -> None:
    """Twice, as the second time there is something to rebuild."""
    sent = items(2400)
    publishing = in_background(live, sent, rate=200)
    for part in (1, 2):
        process = live.start()
        live.wait(complete(live, part * 500), "in the middle")
        process.kill()
        process.wait()
    live.start()
    publishing.join()
    live.wait(done(live, len(sent)), "done")
    check_complete(live, sent)
    check_like_a_replay(live, sent, tmp_path)


def test_one_of_three_brokers_is_killed(own_live: Callable[..., Live], tmp_path: Path) -> None:
    live = own_live(nodes=3)
    live.start()
    sent = items(2000)
    publishing = in_background(live, sent, rate=150)
    live.wait(complete(live, 300), "in the middle")
    live.broker.nodes[1].kill()
    publishing.join()
    live.wait(done(live, len(sent)), "done", seconds=90)
    check_complete(live, sent)
    check_clusters_of_a_replay(live, sent, tmp_path)


def test_the_broker_is_away_for_longer_than_the_delivery_deadline(own_live: Callable[..., Live], tmp_path: Path) -> None:
    """The wedge: kafka-python's producer would never deliver again; ours is replaced."""
    live = own_live()
    live.environment |= {"DIJLA_RUN__DELIVERY_DEADLINE": "PT3S"}
    process = live.start()
    sent = items(1500)
    live.publish(sent[:1000])
    live.wait(complete(live, 100), "in the middle")
    live.broker.stop()
    live.wait(lambda: "nothing listens" in checks(live)["broker"], "unready")
    live.broker.start()
    live.wait(lambda: checks(live)["broker"] == "ok", "ready again")
    live.publish(sent[1000:])
    live.wait(complete(live, len(sent)), "complete", seconds=90)
    assert live.stop(process) == 0
    check_complete(live, sent)
    check_clusters_of_a_replay(live, sent, tmp_path)


def test_a_raw_topic_that_was_made_again_stops_the_run(live: Live) -> None:
    process = live.start()
    live.publish(items(200))
    live.wait(complete(live, 200), "read")
    with clients.admin(live.kafka) as admin:
        admin.delete_topics([live.topics.raw])
        time.sleep(2)
    live.make_topics()
    live.publish(items(300, first=200))
    assert process.wait(40) == 1
    assert f"{live.topics.raw} was deleted and made again" in live.log
    process = live.start("--from", "earliest")
    live.wait(complete(live, 500), "what the new topic holds")
    assert live.stop(process) == 0


def test_what_retention_removed_is_said_and_counted(live: Live) -> None:
    process = live.start()
    live.publish(items(100))
    live.wait(complete(live, 100), "read")
    live.wait(lambda: _committed(live) == 100, "committed")
    assert live.stop(process) == 0
    live.publish(items(400, first=100))
    with clients.admin(live.kafka) as admin, clients.consumer(live.kafka) as consumer:
        partitions = [TopicPartition(live.topics.raw, number) for number in range(4)]
        ends = consumer.end_offsets(partitions)
        kept = 5
        admin.delete_records({at: end - kept for at, end in ends.items()})
    live.start()
    live.wait(complete(live, 100 + 4 * kept), "what is left")
    assert "retention removed records that were not read" in live.log
    lost = [float(line.split()[-1]) for line in live.monitored("/metrics").splitlines() if line.startswith("dijla_messages_lost_total{")]
    assert sum(lost) == 400 - 4 * kept


def test_what_retention_removed_under_a_running_reader_is_said_and_counted(live: Live) -> None:
    process = live.start()
    live.publish(items(100))
    live.wait(complete(live, 100), "read")
    process.send_signal(signal.SIGSTOP)
    live.publish(items(400, first=100))
    kept = 5
    with clients.admin(live.kafka) as admin, clients.consumer(live.kafka) as consumer:
        ends = consumer.end_offsets([TopicPartition(live.topics.raw, number) for number in range(4)])
        admin.delete_records({at: end - kept for at, end in ends.items()})
    process.send_signal(signal.SIGCONT)
    live.wait(complete(live, 100 + 4 * kept), "what is left")
    assert live.stop(process) == 0
    assert "retention removed records that were not read" in live.log
    check = Counter(report.item_id for report in live.read(live.topics.reports, Report))
    assert set(check.values()) == {1}


def _committed(live: Live) -> int:
    with clients.consumer(live.kafka, group_id="dijla") as consumer:
        return sum(consumer.committed(TopicPartition(live.topics.raw, number)) or 0 for number in range(4))


def test_ctrl_c_is_like_sigterm(live: Live) -> None:
    process = live.start()
    live.publish(items(50))
    live.wait(complete(live, 1), "reading")
    process.send_signal(signal.SIGINT)
    assert process.wait(30) == 0
