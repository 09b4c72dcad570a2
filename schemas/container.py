"""Avro object container files (Avro 1.12 specification, "Object Container Files"): written block by block, read lazily."""

from __future__ import annotations

import hashlib
import io
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Generic, NamedTuple, Self

import fastavro
from fastavro.schema import SchemaParseException
from fastavro.write import Writer

from schemas.definitions import RecordT, fingerprint, parse, schema
from schemas.errors import ReadError, SchemaError
from schemas.wire import CURRENT, encode, read

CODECS = ("null", "deflate")
BLOCK_BYTES = 64_000
MAX_READ_BYTES = 1 << 26
"""A block that is larger in the file is refused: 64 MiB."""
_NO_HEADER = (EOFError, ValueError, TypeError, LookupError, MemoryError, SchemaParseException)
_BROKEN = (ValueError, MemoryError, zlib.error, SchemaError)


class _Block(NamedTuple):
    """What fastavro reads and writes as a block."""

    num_records: int
    bytes_: io.BytesIO


class ContainerWriter(Generic[RecordT]):
    """Writes records of one class to an open, empty file, a block at a time, so memory stays flat; closing it leaves the file open.

    The same records give the same bytes: the sync marker is a hash of the schema instead of a random number.
    Errors: SchemaError for a record that does not fit, OSError from the file itself.
    """

    def __init__(self, file: BinaryIO, cls: type[RecordT], codec: str = "deflate") -> None:
        if codec not in CODECS:
            raise SchemaError(f"unknown codec {codec!r}: use one of {', '.join(CODECS)}")
        self._cls = cls
        self._block = _Block(0, io.BytesIO())
        self._writer = Writer(file, schema(cls), codec, sync_marker=hashlib.sha256(CURRENT[cls]).digest()[:16])

    def append(self, record: RecordT) -> None:
        """Add a record; writes a block when 64,000 bytes have come together."""
        if type(record) is not self._cls:
            raise SchemaError(f"a {type(record).__name__} in a container of {self._cls.__name__}")
        count, body = self._block
        body.write(encode(record))
        self._block = _Block(count + 1, body)
        if body.tell() >= BLOCK_BYTES:
            self.flush()

    def flush(self) -> None:
        """Write what has been appended as a block."""
        if self._block.num_records:
            self._writer.write_block(self._block)
            self._block = _Block(0, io.BytesIO())

    def close(self) -> None:
        """Write the last block."""
        self.flush()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if error is None:
            self.close()


def write_container(file: BinaryIO, records: Iterable[RecordT], cls: type[RecordT], codec: str = "deflate") -> None:
    """Write records as one container; errors as in ContainerWriter."""
    with ContainerWriter(file, cls, codec) as writer:
        for record in records:
            writer.append(record)


class _Counted:
    """A file that knows its position though it cannot seek, and reads whole or not at all."""

    def __init__(self, file: BinaryIO) -> None:
        self._file, self._at = file, 0

    def read(self, size: int) -> bytes:
        if not 0 <= size <= MAX_READ_BYTES:
            raise ValueError(f"a length of {size}")
        data = self._file.read(size)
        self._at += len(data)
        if 0 < len(data) < size:
            raise EOFError(f"{size} bytes wanted, {len(data)} left")
        return data

    def tell(self) -> int:
        return self._at


def _open(file: Any) -> Any:
    try:
        blocks = fastavro.block_reader(file)
    except _NO_HEADER as error:
        raise ValueError(f"not an Avro container file, or damaged at its beginning: {error!r}") from error
    if blocks.codec not in CODECS:
        raise ValueError(f"unknown codec {blocks.codec!r}: write the file with one of {', '.join(CODECS)}")
    return blocks


def _records(file: BinaryIO, cls: type[RecordT], name: str) -> Iterator[RecordT]:
    done = 0
    try:
        blocks = _open(_Counted(file))
        writer = parse(blocks.writer_schema)
        if fingerprint(writer) == CURRENT[cls]:
            writer = schema(cls)  # no resolution: twice as fast
        for block in blocks:
            for _ in range(block.num_records):
                yield read(cls, writer, block.bytes_)
                done += 1
            if block.bytes_.read(1):
                raise ValueError("a block with more bytes than its records take")
    except (EOFError, IndexError) as error:
        raise SchemaError(f"{name}: after {done} records: cut short") from error
    except _BROKEN as error:
        raise SchemaError(f"{name}: after {done} records: {error}") from error


def read_container(file: Path | BinaryIO, cls: type[RecordT]) -> Iterator[RecordT]:
    """The records of a container file, one block in memory at a time, also where an older schema wrote it.

    Raises SchemaError for a foreign, damaged or cut file (after the records before the damage), ReadError for a path that cannot be read.
    """
    if not isinstance(file, Path):
        yield from _records(file, cls, getattr(file, "name", "container"))
        return
    try:
        with file.open("rb") as opened:
            yield from _records(opened, cls, str(file))
    except OSError as error:
        raise ReadError(f"{file}: cannot be read: {error.strerror}", file=str(file)) from error
