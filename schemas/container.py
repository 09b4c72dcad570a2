"""Avro object container files (Avro 1.12 specification, "Object Container Files"): written block by block, read lazily."""

from __future__ import annotations

import hashlib
import json
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Generic, Self

import zstandard

from schemas.codec import Write, read_long, write_bytes, write_long, write_map
from schemas.definitions import RecordT, Schema, definition, load
from schemas.errors import DataFileError, ReadError, SchemaError
from schemas.wire import decoder, encode

MAGIC = b"Obj\x01"
SYNC_SIZE = 16
BLOCK_BYTES = 64_000
MAX_BLOCK_BYTES = 1 << 28
"""A block that is larger, or inflates to more, is refused: 256 MiB."""


def _deflate(data: bytes) -> bytes:
    deflater = zlib.compressobj(level=1, wbits=-zlib.MAX_WBITS)
    return deflater.compress(data) + deflater.flush()


def _inflate(data: bytes) -> bytes:
    inflater = zlib.decompressobj(wbits=-zlib.MAX_WBITS)
    found = inflater.decompress(data, MAX_BLOCK_BYTES)
    if not inflater.eof:
        raise ValueError("the block is cut short or too large")
    return found


def _zstd(data: bytes) -> bytes:
    return zstandard.ZstdCompressor().compress(data)


def _unzstd(data: bytes) -> bytes:
    found = bytearray()
    for chunk in zstandard.ZstdDecompressor().read_to_iter(data):
        found += chunk
        if len(found) > MAX_BLOCK_BYTES:
            raise ValueError("the block is too large")
    return bytes(found)


def _as_it_is(data: bytes) -> bytes:
    return data


CODECS: Mapping[str, tuple[Callable[[bytes], bytes], Callable[[bytes], bytes]]] = {
    "null": (_as_it_is, _as_it_is),
    "deflate": (_deflate, _inflate),
    "zstandard": (_zstd, _unzstd),
}
_BROKEN = (zlib.error, zstandard.ZstdError, ValueError, IndexError)


def _pack(write: Write, value: Any) -> bytes:
    parts: list[bytes] = []
    write(value, parts.append)
    return b"".join(parts)


class ContainerWriter(Generic[RecordT]):
    """Writes records of one class to an open file, a block at a time, so memory stays flat; closing it leaves the file open.

    The same records give the same bytes: the sync marker is a hash of the schema instead of a random number.
    Errors: SchemaError for a record that does not fit, OSError from the file itself.
    """

    def __init__(self, file: BinaryIO, cls: type[RecordT], codec: str = "deflate") -> None:
        if codec not in CODECS:
            raise SchemaError(f"unknown codec {codec!r}: use one of {', '.join(CODECS)}")
        self._file, self._cls = file, cls
        self._compress = CODECS[codec][0]
        schema = json.dumps(definition(cls), separators=(",", ":")).encode()
        self._sync = hashlib.sha256(schema).digest()[:SYNC_SIZE]
        self._bodies: list[bytes] = []
        self._size = 0
        file.write(MAGIC + _pack(write_map(write_bytes), {"avro.codec": codec.encode(), "avro.schema": schema}) + self._sync)

    def append(self, record: RecordT) -> None:
        """Add a record; writes a block when 64,000 bytes have come together."""
        if type(record) is not self._cls:
            raise SchemaError(f"a {type(record).__name__} in a container of {self._cls.__name__}")
        body = encode(record)
        self._bodies.append(body)
        self._size += len(body)
        if self._size >= BLOCK_BYTES:
            self.flush()

    def flush(self) -> None:
        """Write what has been appended as a block."""
        if not self._bodies:
            return
        block = self._compress(b"".join(self._bodies))
        self._file.write(_pack(write_long, len(self._bodies)) + _pack(write_bytes, block) + self._sync)
        self._bodies, self._size = [], 0

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


def _take(file: BinaryIO, size: int) -> bytes:
    if not 0 <= size <= MAX_BLOCK_BYTES:
        raise ValueError(f"a length of {size}")
    data = file.read(size)
    if len(data) < size:
        raise ValueError(f"cut short: {size} bytes wanted, {len(data)} left")
    return data


def _take_long(file: BinaryIO, first: bytes = b"") -> int:
    data = first or _take(file, 1)
    while data[-1] & 0x80 and len(data) < 10:
        data += _take(file, 1)
    return read_long(data, 0)[0]


def _take_metadata(file: BinaryIO) -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    while count := _take_long(file):
        if count < 0:
            _take_long(file)
        for _ in range(abs(count)):
            key = _take(file, _take_long(file)).decode()
            found[key] = _take(file, _take_long(file))
    return found


def _header(file: BinaryIO) -> tuple[Schema, str, bytes]:
    if file.read(len(MAGIC)) != MAGIC:
        raise ValueError("not an Avro container file: it does not begin with 'Obj' and 1")
    metadata = _take_metadata(file)
    codec = metadata.get("avro.codec", b"null").decode()
    if codec not in CODECS:
        raise ValueError(f"unknown codec {codec!r}: write the file with one of {', '.join(CODECS)}")
    return load(metadata.get("avro.schema", b"").decode(), where="avro.schema"), codec, _take(file, SYNC_SIZE)


def _blocks(file: BinaryIO, codec: str, sync: bytes) -> Iterator[tuple[int, bytes]]:
    inflate = CODECS[codec][1]
    while first := file.read(1):
        count = _take_long(file, first)
        data = inflate(_take(file, _take_long(file)))
        if _take(file, SYNC_SIZE) != sync:
            raise ValueError("a block that does not end in the file's sync marker")
        if not 0 <= count <= len(data):
            raise ValueError(f"{count} records in {len(data)} bytes")
        yield count, data


def _records(file: BinaryIO, cls: type[RecordT], name: str) -> Iterator[RecordT]:
    done = 0
    try:
        writer, codec, sync = _header(file)
        read = decoder(cls, writer)
        for count, data in _blocks(file, codec, sync):
            at = 0
            for _ in range(count):
                record, at = read(data, at)
                yield record
                done += 1
            if at != len(data):
                raise ValueError(f"{len(data) - at} bytes too many in a block")
    except (*_BROKEN, SchemaError, DataFileError) as error:
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
