"""Compressed files -> the streams inside, under a budget of inflated bytes that all levels of nesting share."""

from __future__ import annotations

import gzip
import io
import lzma
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, BinaryIO, Protocol

import zstandard

from schemas.errors import ReadError

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

_BUFFER = 64 * 1024
_STEP = 1024
_DAMAGES = (OSError, EOFError, ValueError, zlib.error, lzma.LZMAError, zipfile.BadZipFile, zstandard.ZstdError)
_IN_MEMORY = 16 * 1024 * 1024


class Readable(Protocol):
    """Anything that gives bytes."""

    def read(self, size: int, /) -> bytes:
        """At most `size` bytes, none at the end."""


class BombError(ReadError):
    """A file inflates to more than it may: whatever else it holds is left alone."""


class Budget:
    """Bytes that one file on the disk may still inflate to."""

    def __init__(self, size: int) -> None:
        self._size = self._left = size

    def spend(self, size: int) -> None:
        """Take `size` bytes. Raises BombError when there are no more."""
        self._left -= size
        if self._left < 0:
            raise BombError(f"inflates to more than {self._size} bytes, as zip bombs do; unpack it by hand if it is none")


class _Inflated(io.RawIOBase):
    """A decompressor's output; its errors become ReadError, its bytes are paid for."""

    def __init__(self, inner: Readable, budget: Budget) -> None:
        self._read, self._budget = getattr(inner, "read1", inner.read), budget

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        view = memoryview(buffer)
        try:
            # One step at a time: what a damaged stream held before the damage is given before the error is.
            data = self._read(len(view))
        except _DAMAGES as error:
            raise ReadError(f"is damaged or cut short: {error}; what came before it was read") from error
        self._budget.spend(len(data))
        view[: len(data)] = data
        return len(data)


class _Zstandard:
    """Frames of a zstd stream in a row; unlike the library's own reader it notices a frame that is cut short.

    A step of 1 KiB inflates to 32 MiB at most, as a block of four bytes may hold 128 KiB.
    """

    def __init__(self, stream: BinaryIO) -> None:
        self._stream, self._frame = stream, zstandard.ZstdDecompressor().decompressobj()
        self._fresh, self._ready = True, io.BytesIO()

    def read(self, size: int, /) -> bytes:
        while not (found := self._ready.read(size)):
            step = (self._frame.unused_data if self._frame.eof else b"") or self._stream.read(_STEP)
            if not step:
                self._check_end()
                break
            if self._frame.eof:
                self._frame = zstandard.ZstdDecompressor().decompressobj()
            self._fresh, self._ready = False, io.BytesIO(self._frame.decompress(step))
        return found

    def _check_end(self) -> None:
        if not self._fresh and not self._frame.eof:
            raise EOFError("the last frame does not end")


def inflate(stream: BinaryIO, kind: str, budget: Budget) -> io.BufferedReader:
    """What a gz or zst stream holds, all its members in a row."""
    if kind == "gz":
        return paid(gzip.GzipFile(fileobj=stream), budget)
    return paid(_Zstandard(stream), budget)


def paid(inner: Readable, budget: Budget) -> io.BufferedReader:
    """`inner` as a stream whose bytes are taken from the budget, and whose errors are ReadError."""
    return io.BufferedReader(_Inflated(inner, budget), _BUFFER)


def members(stream: BinaryIO, budget: Budget) -> Iterator[tuple[str, io.BufferedReader | ReadError]]:
    """Files in a zip in the order of their names, each with its stream, or the reason why it has none.

    Raises ReadError where the zip itself cannot be read.
    """
    with tempfile.SpooledTemporaryFile(_IN_MEMORY) as spool:
        seekable = stream if stream.seekable() else _spooled(stream, spool)
        try:
            archive = zipfile.ZipFile(seekable)
        except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
            raise ReadError(f"is a damaged zip: {error}; download it again") from error
        for info in sorted(archive.infolist(), key=lambda info: info.filename):
            if not info.is_dir():
                yield from _member(archive, info, budget)


def _spooled(stream: BinaryIO, spool: tempfile.SpooledTemporaryFile[bytes]) -> BinaryIO:
    while chunk := stream.read(_BUFFER):
        spool.write(chunk)
    spool.seek(0)
    return spool  # type: ignore[return-value]


def _member(archive: zipfile.ZipFile, info: zipfile.ZipInfo, budget: Budget) -> Iterator[tuple[str, io.BufferedReader | ReadError]]:
    try:
        opened = archive.open(info)
    except (zipfile.BadZipFile, RuntimeError, NotImplementedError, OSError, ValueError) as error:
        yield info.filename, ReadError(f"cannot be taken out of its zip: {error}")
        return
    with opened:
        yield info.filename, paid(opened, budget)
