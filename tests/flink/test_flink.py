"""`dijla run --runner=FlinkRunner` on a real Flink: what it gives, and what it loses (nothing) when its parts are killed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from threading import Thread

import pytest

from deploy.flink.local.cluster import FlinkCluster
from pipeline.replay import replay
from pipeline.settings import Settings
from pipeline.sinks.avro_files import EVENTS, read_files
from schemas.records import Event, RawItem, Report
from tests.pipeline.counts import check_clusters_of_a_replay, check_complete
from tests.pipeline.live import Live, items

pytestmark = [pytest.mark.flink, pytest.mark.timeout(400)]
SEEDS = Path(__file__).parents[2] / "seeds"
EVERY = "--checkpointing_interval=3000"


def begun(live: Live, count: int) -> Callable[[], bool]:
    return lambda: live.count(live.topics.reports) >= count


def in_background(live: Live, sent: list[RawItem], rate: float) -> Thread:
    thread = Thread(target=live.publish, args=(sent, rate))
    thread.start()
    return thread


def only_job(flink: FlinkCluster) -> str:
    (job,) = (job for job, state in flink.jobs().items() if state == "RUNNING")
    return job


def checkpointed(flink: FlinkCluster, more: int) -> None:
    """So many checkpoints later."""
    job = only_job(flink)
    wanted = flink.checkpoints(job) + more
    flink.wait(lambda: flink.checkpoints(job) >= wanted, "checkpoints")


def settled(live: Live, sent: list[RawItem]) -> None:
    """All reports are there, and no event has come for a while."""
    live.wait(begun(live, len(sent)), "all reports", seconds=150)
    counts: list[int] = []

    def quiet() -> bool:
        counts.append(live.count(live.topics.events))
        return len(counts) > 40 and len(set(counts[-40:])) == 1

    live.wait(quiet, "quiet", seconds=90)


def test_the_samples_give_the_events_of_a_replay(live: Live, flink: Callable[..., FlinkCluster], tmp_path: Path) -> None:
    cluster = flink()
    live.start(*cluster.options)
    published = live.dijla("publish", str(SEEDS), "--mode", "replay")
    assert published.returncode == 3, published.stderr  # two files are broken on purpose
    live.wait(begun(live, 40), "reports", seconds=90)
    raw = live.read(live.topics.raw, RawItem)
    replay(iter(raw), tmp_path / "replay", Settings())
    wanted = {(event.event_id, event.content_hash) for event in read_files(tmp_path / "replay", EVENTS)}
    assert len(wanted) > 20
    live.wait(lambda: live.count(live.topics.events) >= len(wanted), "events", seconds=60)
    assert {(event.event_id, event.content_hash) for event in live.read(live.topics.events, Event)} == wanted
    assert {report.item_id for report in live.read(live.topics.reports, Report)} <= {item.item_id for item in raw}


def test_a_worker_then_the_task_manager_are_killed(live: Live, flink: Callable[..., FlinkCluster], tmp_path: Path) -> None:
    cluster, sent = flink(), items(4000)
    live.start(*cluster.options, EVERY)
    publishing = in_background(live, sent, rate=60)
    live.wait(begun(live, 600), "in the middle", seconds=90)
    checkpointed(cluster, 1)
    for worker in cluster.children("workers"):
        worker.kill()
    so_far = live.count(live.topics.reports)
    live.wait(begun(live, so_far + 600), "back after the worker", seconds=90)
    cluster.kill("taskmanager-1")
    so_far = live.count(live.topics.reports)
    cluster.start_task_manager(1)
    live.wait(begun(live, min(so_far + 600, len(sent))), "back after the TaskManager", seconds=90)
    publishing.join()
    settled(live, sent)
    check_complete(live, sent)
    check_clusters_of_a_replay(live, sent, tmp_path)


def test_stopped_with_a_savepoint_and_restored_with_two_task_managers(live: Live, flink: Callable[..., FlinkCluster], tmp_path: Path) -> None:
    """The same reports come once more after the restore: what was seen before is still known."""
    cluster, sent = flink(task_managers=2, slots=2), items(3000)
    run = live.start(*cluster.options, EVERY)
    live.publish(sent[:1500], rate=200)
    live.wait(begun(live, 700), "in the middle", seconds=90)
    savepoint = cluster.stop_with_savepoint(only_job(cluster))
    assert run.wait(30) == 1  # it was not asked to leave: the job ended under it
    live.start(*cluster.options, EVERY, "--parallelism=2", f"--savepoint_path={savepoint}")
    live.publish(sent[1500:], rate=300)
    live.publish(sent[:300], rate=300)
    settled(live, sent)
    check_complete(live, sent)
    check_clusters_of_a_replay(live, sent, tmp_path)
