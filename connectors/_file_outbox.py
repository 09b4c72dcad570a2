"""Collected records to Avro files, a file a day, and the states of their sources beside them in SQLite.

A file grows by whole blocks. Its length is stored in one SQLite transaction with the states: what stands behind that length when a collector
starts was being written when another died, and is cut off. So every record is in the files once.
"""

from __future__ import annotations

import io
import os
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from urllib.parse import quote

from schemas.avro import RecordT, write_container
from schemas.errors import UsageError, WriteError
from schemas.folder_lock import locked
from schemas.records import DeadLetter, RawItem

STATES = ".cursors.sqlite"
"""The file of states; hidden, so that `dijla replay` of the folder passes it over, as it does the dead letters."""
_SYNC_BYTES = 16
_TABLES = """
CREATE TABLE IF NOT EXISTS states (source_id TEXT PRIMARY KEY, state BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS files (name TEXT PRIMARY KEY, length INTEGER NOT NULL);
"""


def states(folder: Path) -> dict[str, bytes]:
    """The states that a collector stored in a folder, also while it runs. Raises UsageError where none did, WriteError."""
    if not (folder / STATES).exists():
        raise UsageError(f"{folder}: nothing was collected there: give the folder of `dijla collect --out`")
    with _explained(folder), closing(sqlite3.connect(f"file:{quote(str(folder / STATES))}?mode=ro", uri=True)) as stored:
        return dict(stored.execute("SELECT source_id, state FROM states"))


class FileOutbox:
    """Items to FOLDER/items/DAY.avro, dead letters to FOLDER/dead-letters/DAY.avro, days in UTC. One process at a time."""

    def __init__(self, folder: Path, now: Callable[[], datetime]) -> None:
        """`now()` (aware) names the day. Raises UsageError where another process holds the folder or it is none, WriteError."""
        self._folder, self._now = folder, now
        with ExitStack() as opened:
            opened.enter_context(locked(folder))
            with _explained(folder):
                self._states = sqlite3.connect(folder / STATES, isolation_level=None, check_same_thread=False)
                opened.callback(self._states.close)
                self._states.executescript(_TABLES)
                self._lengths: dict[str, int] = dict(self._states.execute("SELECT name, length FROM files"))
                for name, length in self._lengths.items():
                    _cut(folder / name, length)
                self.states: Mapping[str, bytes] = dict(self._states.execute("SELECT source_id, state FROM states"))
            self._opened = opened.pop_all()

    def deliver(self, records: Sequence[RawItem | DeadLetter], states: Mapping[str, bytes]) -> None:
        """Return when records and states are on the disk. Raises SchemaError, WriteError; then neither counts."""
        day = f"{self._now().astimezone(UTC):%Y-%m-%d}"
        items = [record for record in records if isinstance(record, RawItem)]
        letters = [record for record in records if isinstance(record, DeadLetter)]
        with _explained(self._folder):
            lengths = self._append(f"items/{day}", items, RawItem) | self._append(f"dead-letters/{day}", letters, DeadLetter)
            with self._states:
                self._states.execute("BEGIN")
                self._states.executemany("INSERT OR REPLACE INTO states VALUES (?, ?)", states.items())
                self._states.executemany("INSERT OR REPLACE INTO files VALUES (?, ?)", lengths.items())
        self._lengths |= lengths

    def close(self) -> None:
        """Let go of the folder."""
        self._opened.close()

    def _append(self, stem: str, records: Sequence[RecordT], cls: type[RecordT]) -> dict[str, int]:
        """Write records to the day's file: its name and new length."""
        if not records:
            return {}
        header, content = _container([], cls), _container(records, cls)
        name = self._file_for(stem, header)
        length = self._lengths[name]
        # Its blocks end with the sync marker of the schema, so those of one container continue another.
        return {name: _write_at(self._folder / name, length, content[len(header) :] if length else content)}

    def _file_for(self, stem: str, header: bytes) -> str:
        """The day's first file that does not exist, or is as long as we left it and has this schema."""
        for number in count(1):
            name = f"{stem}_{number}.avro" if number > 1 else f"{stem}.avro"
            file, length = self._folder / name, self._lengths.get(name)
            if not file.exists():
                self._states.execute("INSERT OR REPLACE INTO files VALUES (?, 0)", (name,))
                self._lengths[name] = 0
                return name
            if length == 0 or (length is not None and length <= file.stat().st_size and _is_like(file, header)):
                return name
        raise AssertionError("there is always a next number")


def _container(records: Sequence[RecordT], cls: type[RecordT]) -> bytes:
    buffer = io.BytesIO()
    write_container(buffer, records, cls)
    return buffer.getvalue()


def _is_like(file: Path, header: bytes) -> bool:
    """Whether the file's own header ends with the same sync marker, which is a hash of the schema; the rest is JSON in any order."""
    with file.open("rb") as opened:
        return opened.read(len(header)).endswith(header[-_SYNC_BYTES:])


def _write_at(file: Path, at: int, content: bytes) -> int:
    """Make `content` the end of the file from `at` on, on the disk; the new length."""
    file.parent.mkdir(exist_ok=True)
    with open(os.open(file, os.O_WRONLY | os.O_CREAT, 0o666), "wb") as opened:  # noqa: PTH123 - neither truncated nor appended to
        opened.truncate(at)
        opened.seek(at)
        opened.write(content)
        opened.flush()
        os.fsync(opened.fileno())
    if not at:
        for folder in (file.parent, file.parent.parent):
            _sync_folder(folder)
    return at + len(content)


def _cut(file: Path, length: int) -> None:
    """Remove what stands behind the length; the file itself where nothing does before it."""
    if not length:
        file.unlink(missing_ok=True)
    elif file.exists() and file.stat().st_size > length:
        os.truncate(file, length)


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextmanager
def _explained(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise WriteError(f"{error.filename or folder}: cannot be written: {error.strerror}; free some room or choose another --out") from error
    except sqlite3.Error as error:
        raise WriteError(f"{folder / STATES}: cannot be written: {error}; free some room or choose another --out") from error
