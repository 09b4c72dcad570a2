"""The raw topic as files: whole, complete, without doubles, whatever happens in between."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from kafka import KafkaAdminClient
from kafka.admin import NewPartitions

from connectors import archive
from pipeline import topic_archive
from pipeline.broker.cluster import Cluster
from pipeline.decoder import Decoder
from pipeline.segments import Segment
from pipeline.topic_archive import TopicArchive, TopicMadeAgainError
from schemas.avro import read_container
from schemas.errors import UsageError, WriteError
from schemas.kafka.clients import consumer
from schemas.records import DeadLetter, KafkaPosition, RawItem
from tests.pipeline.on_topics import Sent, committed, create_topic, delete_before, items, new_topic, send, send_at, settings


@contextmanager
def archiving(broker: Cluster, topic: str, out: Path, group: str = "keeper", **options: object) -> Iterator[TopicArchive]:
    with closing(consumer(settings(broker), group_id=f"{group}-{topic}", auto_offset_reset="none", metadata_max_age_ms=200)) as client:
        yield TopicArchive(client, topic, out, Decoder(settings(broker), "no-schemas"), **options)  # type: ignore[arg-type]


def archive_all(broker: Cluster, topic: str, out: Path, **options: object) -> TopicArchive:
    with archiving(broker, topic, out, **options) as kept:
        kept.run(until_end=True)
    return kept


def names(out: Path) -> list[str]:
    return sorted(str(file.relative_to(out)) for file in out.rglob("*") if file.is_file())


def kept_items(out: Path) -> list[RawItem]:
    return [item for file in sorted(out.glob("*.avro")) for item in read_container(file, RawItem)]


def today() -> str:
    return f"{datetime.now(UTC):%Y-%m-%d}"


def test_every_item_is_kept_with_its_position_in_files_named_by_day_and_offsets(broker: Cluster, tmp_path: Path) -> None:
    topic = new_topic(broker, partitions=2)
    before = datetime.now(UTC) - timedelta(seconds=1)
    send(broker, topic, [*items(range(5), partition=0), *items(range(5, 8), partition=1)])
    assert archive_all(broker, topic, tmp_path).items == 8
    assert names(tmp_path) == [f"{today()}-p0-000000000000-000000000004.avro", f"{today()}-p1-000000000000-000000000002.avro"]
    found = kept_items(tmp_path)
    assert [item.native_id for item in found] == [str(number) for number in range(8)]
    assert [(item.kafka.topic, item.kafka.partition, item.kafka.offset) for item in found if item.kafka] == [
        *((topic, 0, offset) for offset in range(5)),
        *((topic, 1, offset) for offset in range(3)),
    ]
    assert all(item.kafka and before < item.kafka.appended_at < datetime.now(UTC) for item in found)
    assert [committed(broker, f"keeper-{topic}", topic, partition) for partition in (0, 1)] == [5, 3]


def test_a_replay_reads_what_was_kept(broker: Cluster, tmp_path: Path) -> None:
    topic = new_topic(broker)
    send(broker, topic, items(range(5)))
    archive_all(broker, topic, tmp_path)
    records = list(archive.read([tmp_path], now=datetime.now(UTC)))
    assert [record.native_id for record in records if isinstance(record, RawItem)] == ["0", "1", "2", "3", "4"]
    assert len(records) == 5


def test_the_next_run_goes_on_and_the_one_after_finds_nothing(broker: Cluster, tmp_path: Path) -> None:
    topic = new_topic(broker)
    send(broker, topic, items(range(3)))
    archive_all(broker, topic, tmp_path)
    send(broker, topic, items(range(3, 5)))
    assert archive_all(broker, topic, tmp_path).items == 2
    assert archive_all(broker, topic, tmp_path).items == 0
    assert names(tmp_path) == [f"{today()}-p0-000000000000-000000000002.avro", f"{today()}-p0-000000000003-000000000004.avro"]


def test_a_payload_that_is_no_item_becomes_a_dead_letter_and_stops_nothing(broker: Cluster, tmp_path: Path) -> None:
    topic = new_topic(broker)
    send(broker, topic, [*items([0]), Sent(b"no item"), Sent(None, b"key"), *items([1])])
    kept = archive_all(broker, topic, tmp_path)
    assert (kept.items, kept.dead_letters) == (2, 2)
    (file,) = (tmp_path / "dead-letters").iterdir()
    letters = list(read_container(file, DeadLetter))
    assert [(letter.stage, letter.payload, letter.topic, letter.partition, letter.offset) for letter in letters] == [
        ("decode", b"no item", topic, 0, 1),
        ("decode", b"", topic, 0, 2),
    ]
    assert [item.native_id for item in kept_items(tmp_path)] == ["0", "1"]
    assert archive_all(broker, topic, tmp_path).dead_letters == 0


def test_a_crash_between_the_file_and_the_commit_doubles_nothing(broker: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    topic = new_topic(broker)
    send(broker, topic, [Sent(b"no item"), *items(range(1, 4))])
    with monkeypatch.context() as crash, archiving(broker, topic, tmp_path) as kept:
        crash.setattr(kept._consumer, "commit", _killed)
        with pytest.raises(KeyboardInterrupt):
            kept.run(until_end=True)
    assert committed(broker, f"keeper-{topic}", topic) is None
    assert archive_all(broker, topic, tmp_path).items == 0
    assert len(kept_items(tmp_path)) == 3
    assert names(tmp_path) == [f"{today()}-p0-000000000000-000000000003.avro", f"dead-letters/{today()}-p0-000000000000-000000000003.avro"]


def test_what_a_killed_run_left_is_removed_and_read_again(broker: Cluster, tmp_path: Path) -> None:
    topic = new_topic(broker)
    send(broker, topic, items(range(4)))
    (tmp_path / "dead-letters").mkdir()
    leftovers = [tmp_path / ".p0.partial", tmp_path / "dead-letters" / f"{today()}-p0-000000000000-000000000002.avro"]
    for file in leftovers:
        file.write_bytes(b"half a file")
    archive_all(broker, topic, tmp_path)
    assert names(tmp_path) == [f"{today()}-p0-000000000000-000000000003.avro"]


def test_files_are_rolled_by_size_and_by_age(broker: Cluster, tmp_path: Path) -> None:
    topic = new_topic(broker)
    send(broker, topic, items(range(3)))
    with archiving(broker, topic, tmp_path / "age", file_age=timedelta(0)) as kept:
        runs = _in_background(kept.run)
        _until(lambda: len(kept_items(tmp_path / "age")) == 3)
        send(broker, topic, items([3]))
        _until(lambda: len(kept_items(tmp_path / "age")) == 4)
        kept.stop()
        runs.join(10)
    assert len(names(tmp_path / "age")) >= 2
    archive_all(broker, topic, tmp_path / "size", group="other", file_bytes=1)
    assert len(kept_items(tmp_path / "size")) == 4


def test_a_file_holds_one_day(tmp_path: Path, broker: Cluster) -> None:
    topic = new_topic(broker)
    with archiving(broker, topic, tmp_path) as kept:
        for offset, time in enumerate((datetime(2026, 1, 1, 23, 59, tzinfo=UTC), datetime(2026, 1, 2, tzinfo=UTC))):
            send_at(broker, topic, offset, time)
        kept.run(until_end=True)
    assert names(tmp_path) == ["2026-01-01-p0-000000000000-000000000000.avro", "2026-01-02-p0-000000000001-000000000001.avro"]


def test_stop_finishes_the_files(broker: Cluster, tmp_path: Path) -> None:
    topic = new_topic(broker)
    send(broker, topic, items(range(3)))
    with archiving(broker, topic, tmp_path) as kept:
        runs = _in_background(kept.run)
        _until(lambda: kept.items == 3)
        assert kept_items(tmp_path) == []
        kept.stop()
        runs.join(10)
    assert len(kept_items(tmp_path)) == 3
    assert committed(broker, f"keeper-{topic}", topic) == 3


def test_what_was_deleted_before_it_was_kept_is_counted(broker: Cluster, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    topic = new_topic(broker)
    send(broker, topic, items(range(2)))
    archive_all(broker, topic, tmp_path)
    send(broker, topic, items(range(2, 6)))
    delete_before(broker, topic, 4)
    kept = archive_all(broker, topic, tmp_path)
    assert (kept.items, kept.missed) == (2, 2)
    assert "deleted before they were archived" in caplog.text
    assert names(tmp_path)[-1] == f"{today()}-p0-000000000004-000000000005.avro"


def test_records_deleted_while_it_runs_are_counted(broker: Cluster, tmp_path: Path) -> None:
    topic = new_topic(broker)
    send(broker, topic, items(range(6)))
    with archiving(broker, topic, tmp_path) as kept:
        kept._take_partitions()
        delete_before(broker, topic, 4)
        kept.run(until_end=True)
    assert (kept.items, kept.missed) == (2, 4)


def test_a_new_archive_of_an_old_topic_misses_nothing(broker: Cluster, tmp_path: Path) -> None:
    topic = new_topic(broker)
    send(broker, topic, items(range(3)))
    delete_before(broker, topic, 2)
    kept = archive_all(broker, topic, tmp_path)
    assert (kept.items, kept.missed) == (1, 0)


def test_a_topic_that_was_made_again_is_not_mixed_in(broker: Cluster, tmp_path: Path) -> None:
    topic = new_topic(broker)
    send(broker, topic, items([0]))
    (tmp_path / f"{today()}-p0-000000000000-000000000007.avro").write_bytes(b"of the topic before")
    with pytest.raises(TopicMadeAgainError, match="ends at 1, but is archived up to 8"):
        archive_all(broker, topic, tmp_path)


def test_partitions_that_are_added_are_kept_too(broker: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(topic_archive, "NEW_PARTITIONS", timedelta(seconds=0.2))
    topic = new_topic(broker)
    send(broker, topic, items(range(2)))
    with archiving(broker, topic, tmp_path) as kept:
        runs = _in_background(kept.run)
        _until(lambda: kept.items == 2)
        with closing(KafkaAdminClient(bootstrap_servers=broker.bootstrap)) as admin:
            admin.create_partitions({topic: NewPartitions(2)})
        send(broker, topic, items([2], partition=1))
        _until(lambda: kept.items == 3)
        kept.stop()
        runs.join(10)
    assert [item.native_id for item in kept_items(tmp_path)] == ["0", "1", "2"]


def test_one_process_writes_to_a_folder(broker: Cluster, tmp_path: Path) -> None:
    topic = new_topic(broker)
    send(broker, topic, items([0]))
    with archiving(broker, topic, tmp_path) as kept:
        runs = _in_background(kept.run)
        _until(lambda: kept.items == 1)
        with pytest.raises(UsageError, match="another process is writing"):
            archive_all(broker, topic, tmp_path)
        kept.stop()
        runs.join(10)


def test_a_file_that_cannot_be_written_is_not_made_visible(broker: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    topic = new_topic(broker)
    send(broker, topic, items(range(3)))

    def full(segment: Segment, position: KafkaPosition, record: RawItem | DeadLetter) -> None:
        if position.offset == 2:
            raise WriteError("no room")
        append(segment, position, record)

    append = Segment.append
    with monkeypatch.context() as disk:
        disk.setattr(Segment, "append", full)
        with pytest.raises(WriteError, match="no room"):
            archive_all(broker, topic, tmp_path)
    assert names(tmp_path) == []
    assert archive_all(broker, topic, tmp_path).items == 3


def _killed(*_: object, **__: object) -> None:
    raise KeyboardInterrupt


def _in_background(run: Callable[[], None]) -> threading.Thread:
    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    return thread


def _until(true: Callable[[], bool], seconds: float = 20) -> None:
    waited = threading.Event()
    deadline = datetime.now(UTC) + timedelta(seconds=seconds)
    while not true():
        assert datetime.now(UTC) < deadline
        waited.wait(0.05)


@contextmanager
def dijla_archive(broker: Cluster, prefix: str, out: Path, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-c", "from pipeline.commands.archive import archive; archive()", "--out", str(out), "--bootstrap-servers", broker.bootstrap]
    environment = os.environ | {"DIJLA_TOPICS__PREFIX": prefix}
    with subprocess.Popen([*command, "--group", prefix, *arguments], env=environment, text=True, stdout=subprocess.PIPE) as running:
        try:
            yield running
        finally:
            running.kill()


@pytest.mark.faults
def test_the_command_killed_and_started_again_loses_and_doubles_nothing(broker: Cluster, tmp_path: Path) -> None:
    prefix = new_topic(broker) + "."
    create_topic(broker, prefix + "raw", partitions=2)
    poison = Sent(b"no item", b"key", partition=1)
    send(broker, prefix + "raw", [*items(range(10_000), partition=0), *items(range(10_000, 20_000), partition=1), poison])
    killed = 0
    for files in (1, 4):
        with dijla_archive(broker, prefix, tmp_path, "--file-mb", "0.001") as running:
            _until(lambda files=files: len(list(tmp_path.glob("*.avro"))) >= files)  # type: ignore[misc]
            running.kill()
            killed += len(kept_items(tmp_path)) < 20_000
    with dijla_archive(broker, prefix, tmp_path, "--until-end", "--json") as running:
        counts = json.loads(running.communicate(timeout=60)[0])
    assert killed == 2
    assert running.returncode == (3 if counts["dead_letters"] else 0)
    assert sorted(int(item.native_id) for item in kept_items(tmp_path)) == list(range(20_000))
    letters = [letter for file in (tmp_path / "dead-letters").iterdir() for letter in read_container(file, DeadLetter)]
    assert [letter.payload for letter in letters] == [b"no item"]


def test_sigterm_finishes_the_files_and_ends_with_zero(broker: Cluster, tmp_path: Path) -> None:
    prefix = new_topic(broker) + "."
    create_topic(broker, prefix + "raw")
    send(broker, prefix + "raw", items(range(3)))
    with dijla_archive(broker, prefix, tmp_path) as running:
        _until(lambda: (tmp_path / ".p0.partial").exists())
        running.terminate()
        said, _ = running.communicate(timeout=15)
    assert running.returncode == 0
    assert said == f"{tmp_path}: 3 items, 0 dead letters, 0 missed\n"
    assert len(kept_items(tmp_path)) == 3
