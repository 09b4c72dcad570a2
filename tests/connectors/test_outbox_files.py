"""Collected records in files: each once, whatever dies, and readable as an archive at any time."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from connectors import archive
from connectors._file_outbox import STATES, FileOutbox
from schemas import avro
from schemas.errors import UsageError, WriteError
from schemas.records import DeadLetter, RawItem
from tests.connectors.kill_me import SOURCE, run_killing
from tests.pipeline.on_topics import START, a_letter, an_item


def now() -> datetime:
    return START


def archived(folder: Path) -> list[str]:
    """What `dijla replay` finds there."""
    records = list(archive.read([folder], now=START))
    assert all(isinstance(record, RawItem) for record in records), records
    return [record.native_id for record in records if isinstance(record, RawItem)]


def test_records_are_appended_to_the_file_of_the_day_and_the_states_are_there_at_the_next_start(tmp_path: Path) -> None:
    with closing(FileOutbox(tmp_path, now)) as outbox:
        assert outbox.states == {}
        outbox.deliver([an_item(0), a_letter(b"a line"), an_item(1)], {"a": b"1", "b": b"1"})
        outbox.deliver([], {"a": b"2"})
    with closing(FileOutbox(tmp_path, now)) as outbox:
        assert outbox.states == {"a": b"2", "b": b"1"}
        outbox.deliver([an_item(2)], {})
    with closing(FileOutbox(tmp_path, lambda: START + timedelta(days=1))) as outbox:
        outbox.deliver([an_item(3), a_letter(b"another")], {})
    files = {str(file.relative_to(tmp_path)) for file in tmp_path.rglob("*.avro")}
    assert files == {f"{kind}/2026-11-{day}.avro" for kind in ("items", "dead-letters") for day in (20, 21)}
    assert list(avro.read_container(tmp_path / "items/2026-11-20.avro", RawItem)) == [an_item(0), an_item(1), an_item(2)]
    assert list(avro.read_container(tmp_path / "dead-letters/2026-11-20.avro", DeadLetter)) == [a_letter(b"a line")]
    assert archived(tmp_path) == ["0", "1", "2", "3"]


def test_what_another_was_writing_when_it_died_is_cut_off(tmp_path: Path) -> None:
    with closing(FileOutbox(tmp_path, now)) as outbox:
        outbox.deliver([an_item(0)], {"a": b"1"})
    file = tmp_path / "items/2026-11-20.avro"
    whole = file.read_bytes()
    torn = tmp_path / "dead-letters/2026-11-20.avro"
    torn.parent.mkdir()
    torn.write_bytes(b"Obj")
    with closing(sqlite3.connect(tmp_path / STATES)) as states, states:
        states.execute("INSERT INTO files VALUES ('dead-letters/2026-11-20.avro', 0)")
    file.write_bytes(whole + whole[-40:-3])
    with closing(FileOutbox(tmp_path, now)) as outbox:
        assert file.read_bytes() == whole
        assert not torn.exists()
        outbox.deliver([an_item(1), a_letter(b"x")], {})
    assert archived(tmp_path) == ["0", "1"]


def test_files_that_are_not_ours_or_were_changed_are_left_alone(tmp_path: Path) -> None:
    (tmp_path / "items").mkdir()
    foreign = tmp_path / "items/2026-11-20.avro"
    foreign.write_bytes(b"theirs")
    with closing(FileOutbox(tmp_path, now)) as outbox:
        outbox.deliver([an_item(0)], {})
        ours = tmp_path / "items/2026-11-20_2.avro"
        ours.write_bytes(short := ours.read_bytes()[:-1])
        outbox.deliver([an_item(1)], {})
        (tmp_path / "items/2026-11-20_3.avro").rename(tmp_path / "moved.avro")
        outbox.deliver([an_item(2)], {})
        outbox.deliver([an_item(3)], {})
    assert (foreign.read_bytes(), ours.read_bytes()) == (b"theirs", short)
    assert [item.native_id for item in avro.read_container(tmp_path / "moved.avro", RawItem)] == ["1"]
    assert [item.native_id for item in avro.read_container(tmp_path / "items/2026-11-20_3.avro", RawItem)] == ["2", "3"]


def test_a_file_of_another_schema_is_not_continued(tmp_path: Path) -> None:
    with closing(FileOutbox(tmp_path, now)) as outbox:
        outbox.deliver([an_item(0)], {})
        file = tmp_path / "items/2026-11-20.avro"
        whole = file.read_bytes()
        other = avro.fingerprint(avro.schema(DeadLetter)) * 2  # stands for the sync marker of another schema
        file.write_bytes(whole.replace(whole[-16:], other))
        outbox.deliver([an_item(1)], {})
    assert [item.native_id for item in avro.read_container(tmp_path / "items/2026-11-20_2.avro", RawItem)] == ["1"]


def test_one_process_at_a_time(tmp_path: Path) -> None:
    with closing(FileOutbox(tmp_path, now)), pytest.raises(UsageError, match="another process is writing to"):
        FileOutbox(tmp_path, now)
    FileOutbox(tmp_path, now).close()


def test_a_folder_that_cannot_be_one_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(UsageError, match="is a file"):
        FileOutbox(tmp_path / "file", now)
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / STATES).write_bytes(b"no database, but longer than a header of one would be: " * 40)
    with pytest.raises(WriteError, match="not a database"):
        FileOutbox(tmp_path / "bad", now)


def test_what_cannot_be_written_counts_in_neither_place(tmp_path: Path) -> None:
    with closing(FileOutbox(tmp_path, now)) as outbox:
        outbox.deliver([an_item(0)], {"a": b"1"})
        (tmp_path / "dead-letters").write_bytes(b"in the way")
        with pytest.raises(WriteError, match="dead-letters"):
            outbox.deliver([an_item(1), a_letter(b"x")], {"a": b"2"})
        (tmp_path / "dead-letters").unlink()
        outbox.deliver([an_item(1)], {"a": b"3"})
    assert archived(tmp_path) == ["0", "1"]
    with closing(FileOutbox(tmp_path, now)) as outbox:
        assert outbox.states == {"a": b"3"}


def test_killed_again_and_again_every_item_is_in_the_files_once(tmp_path: Path) -> None:
    killed = run_killing({"folder": str(tmp_path), "items": 10_000, "batch": 20}, kills=8, within=(0.0, 0.4), seed=1)
    assert killed >= 5
    assert archived(tmp_path) == [str(number) for number in range(10_000)]
    with closing(FileOutbox(tmp_path, now)) as outbox:
        assert outbox.states == {SOURCE: b'{"next":10000}'}
