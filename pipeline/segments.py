"""Records of a topic in files that appear whole; what stands in the folder says how far it goes.

A segment holds one partition's records from a first to a last offset, of one day of broker time, in the file
`2026-11-22-p0-000000000120-000000000345.avro`. Payloads that are no items stand in a file of that name under dead-letters/.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import Generic

from schemas.avro import ContainerWriter, RecordT
from schemas.errors import WriteError
from schemas.records import DeadLetter, KafkaPosition, RawItem

LETTERS = "dead-letters"
_NAME = re.compile(r"\d{4}-\d\d-\d\d-p(\d+)-(\d+)-(\d+)\.avro")


class Segment:
    """A segment being written: hidden files, until finish() renames them. Raises WriteError."""

    def __init__(self, out: Path, first: KafkaPosition, opened_at: datetime) -> None:
        self.day, self.opened_at = first.appended_at.date(), opened_at
        self._first, self._last = first, first.offset
        self._items = _File(out, first.partition, RawItem)
        self._letters = _File(out / LETTERS, first.partition, DeadLetter)

    @property
    def size(self) -> int:
        """Bytes in the files so far."""
        return self._items.size + self._letters.size

    @property
    def end(self) -> int:
        """The offset behind the last record."""
        return self._last + 1

    def append(self, position: KafkaPosition, record: RawItem | DeadLetter) -> None:
        """Add what stands at this offset, the next one."""
        if isinstance(record, RawItem):
            self._items.append(record)
        else:
            self._letters.append(record)
        self._last = position.offset

    def finish(self) -> list[Path]:
        """Make the files durable and visible, that of the items last: it is what says that the segment is done."""
        name = f"{self.day}-p{self._first.partition}-{self._first.offset:012d}-{self._last:012d}.avro"
        return [file for part in (self._letters, self._items) for file in part.publish(name)]

    def discard(self) -> None:
        """Remove the files: what they hold is read again."""
        self._letters.discard()
        self._items.discard()


class _File(Generic[RecordT]):
    """A container that is opened when the first record comes."""

    def __init__(self, folder: Path, partition: int, cls: type[RecordT]) -> None:
        self._partial, self._cls = folder / _partial(partition), cls
        self._writer: ContainerWriter[RecordT] | None = None

    @property
    def size(self) -> int:
        return self._file.tell() if self._writer else 0

    def append(self, record: RecordT) -> None:
        with _reported(self._partial):
            if self._writer is None:
                self._partial.parent.mkdir(parents=True, exist_ok=True)
                self._file = self._partial.open("wb")
                self._writer = ContainerWriter(self._file, self._cls)
            self._writer.append(record)

    def publish(self, name: str) -> Iterator[Path]:
        if self._writer is None:
            return
        whole = self._partial.with_name(name)
        with _reported(whole):
            with self._file:
                self._writer.close()
                self._file.flush()
                os.fsync(self._file.fileno())
            os.replace(self._partial, whole)
            _sync(whole.parent)
        yield whole

    def discard(self) -> None:
        if self._writer:
            self._partial.unlink()
            with suppress(OSError):  # what it still holds may not find room
                self._file.close()


@contextmanager
def _reported(file: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise WriteError(f"{file}: cannot be written: {error.strerror}; free some room or choose another --out") from error


def _sync(folder: Path) -> None:
    """Make a rename durable."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _partial(partition: int) -> str:
    return f".p{partition}.partial"


def end_of(out: Path, partition: int) -> int:
    """The offset behind the last one that the folder holds of a partition; 0 where it holds none."""
    return max((last + 1 for _, _, last in _segments(out, partition)), default=0)


def clear(out: Path, partition: int, place: int) -> None:
    """Remove what a killed run left of a partition that will be read on from `place`."""
    for folder in (out, out / LETTERS):
        (folder / _partial(partition)).unlink(missing_ok=True)
    for file, first, _ in _segments(out / LETTERS, partition):
        if first >= place:
            file.unlink()


def _segments(folder: Path, partition: int) -> Iterator[tuple[Path, int, int]]:
    for file in folder.glob("*.avro"):
        if (name := _NAME.fullmatch(file.name)) and int(name[1]) == partition:
            yield file, int(name[2]), int(name[3])
