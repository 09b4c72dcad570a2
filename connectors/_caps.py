"""Bodies under caps: bytes on the wire, bytes inflated. Memory is bounded by the cap, whatever a compressed stream claims to hold.

Content codings: https://www.rfc-editor.org/rfc/rfc9110#section-8.4.1; the window of zstd: https://www.rfc-editor.org/rfc/rfc9659.
"""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing, contextmanager, suppress
from typing import Protocol

import zstandard

from connectors._failure import FetchFailed

OFFERED = "gzip, deflate, zstd"
WIRE_BYTES = 8 * 1024 * 1024
INFLATED_BYTES = 32 * 1024 * 1024
_PIECE = 64 * 1024
# A block of 4 bytes may hold 128 KiB, so that this many inflate to 8 MiB at once.
_ZSTD_STEP = 256
_ZSTD_WINDOW = 8 * 1024 * 1024
_GZIP, _ZSTD = b"\x1f", b"\x28"
_NOT_OFFERED = frozenset({"br", "compress", "x-compress", "dcb", "dcz"})


class _DamagedError(Exception):
    """A compressed body that is none, or not whole."""


class _Decoder(Protocol):
    def feed(self, chunk: bytes) -> Iterator[bytes]: ...

    def check_end(self) -> None: ...


class _Plain:
    def feed(self, chunk: bytes) -> Iterator[bytes]:
        yield chunk

    def check_end(self) -> None:
        """Plain bodies may end anywhere."""


class _Zlib:
    """gzip, its members in a row; or deflate."""

    def __init__(self, window_bits: int) -> None:
        self._window_bits = window_bits
        self._stream = zlib.decompressobj(window_bits)

    def feed(self, chunk: bytes) -> Iterator[bytes]:
        piece = b""
        # A full piece may have left some of its output inside, though all of the input is taken.
        while chunk or len(piece) == _PIECE:
            if self._stream.eof:
                # Another member, else the padding that some servers add.
                if chunk[:1] != _GZIP:
                    return
                self._stream = zlib.decompressobj(self._window_bits)
            try:
                piece = self._stream.decompress(chunk, _PIECE)
            except zlib.error as error:
                raise _DamagedError(error) from error
            yield piece
            chunk = self._stream.unused_data if self._stream.eof else self._stream.unconsumed_tail

    def check_end(self) -> None:
        if not self._stream.eof:
            raise _DamagedError("it ends early")


class _Zstandard:
    """Frames in a row."""

    def __init__(self) -> None:
        self._stream = self._frame()

    def feed(self, chunk: bytes) -> Iterator[bytes]:
        for start in range(0, len(chunk), _ZSTD_STEP):
            step = chunk[start : start + _ZSTD_STEP]
            while step:
                if self._stream.eof:
                    self._stream = self._frame()
                try:
                    yield self._stream.decompress(step)
                except zstandard.ZstdError as error:
                    raise _DamagedError(error) from error
                step = self._stream.unused_data if self._stream.eof else b""

    def check_end(self) -> None:
        if not self._stream.eof:
            raise _DamagedError("it ends early")

    @staticmethod
    def _frame() -> zstandard.ZstdDecompressionObj:
        return zstandard.ZstdDecompressor(max_window_size=_ZSTD_WINDOW).decompressobj()


def _decoder(coding: str, first: int) -> _Decoder:
    """What takes a coding off. Some servers name one and send the body plain, others forget deflate's header: its first byte tells."""
    if coding in ("gzip", "x-gzip") and first == _GZIP[0]:
        return _Zlib(16 + zlib.MAX_WBITS)
    if coding == "deflate":
        return _Zlib(zlib.MAX_WBITS if first & 0x0F == zlib.DEFLATED else -zlib.MAX_WBITS)
    if coding == "zstd" and first == _ZSTD[0]:
        return _Zstandard()
    if coding in _NOT_OFFERED or "," in coding:
        raise _DamagedError(f"it is in {coding[:40]!r}, which was not offered")
    return _Plain()


class Inflater:
    """Takes the coding of a body off, chunk by chunk. `coding` is the value of its Content-Encoding header, `where` names it in messages."""

    def __init__(self, coding: str, where: str) -> None:
        self._coding, self._where = ", ".join({part.strip() for part in coding.lower().split(",")} - {"identity"}), where
        self._decoder: _Decoder | None = None

    def feed(self, chunk: bytes) -> Iterator[bytes]:
        """What this chunk holds, in pieces of 8 MiB at most. Raises FetchFailed `malformed`."""
        if chunk:
            with self._told():
                self._decoder = self._decoder or _decoder(self._coding, chunk[0])
                yield from self._decoder.feed(chunk)

    def check_end(self) -> None:
        """Raises FetchFailed `malformed` where the body is not complete."""
        if self._decoder:
            with self._told():
                self._decoder.check_end()

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except _DamagedError as error:
            raise FetchFailed("malformed", f"{self._where}: the compressed body cannot be read: {error}") from error


async def whole(chunks: AsyncGenerator[bytes], coding: str, where: str) -> bytes:
    """A body. Raises FetchFailed: too_large, malformed."""
    inflater, body, wired = Inflater(coding, where), bytearray(), 0
    async with aclosing(chunks):
        async for chunk in chunks:
            wired += len(chunk)
            if wired > WIRE_BYTES:
                raise FetchFailed("too_large", f"{where}: sends more than {WIRE_BYTES} bytes, the limit for one response")
            for piece in inflater.feed(chunk):
                body += piece
                if len(body) > INFLATED_BYTES:
                    raise FetchFailed("too_large", f"{where}: inflates to more than {INFLATED_BYTES} bytes, the limit for one response")
    inflater.check_end()
    return bytes(body)


async def beginning(chunks: AsyncGenerator[bytes], coding: str, size: int, *, within: float) -> bytes:
    """The first bytes of a body, `size` at most; where it is damaged, or not there in `within` seconds, those that are."""
    inflater, body = Inflater(coding, ""), bytearray()
    with suppress(FetchFailed, TimeoutError):
        async with asyncio.timeout(within), aclosing(chunks):
            async for chunk in chunks:
                for piece in inflater.feed(chunk):
                    body += piece[: size - len(body)]
                    if len(body) == size:
                        return bytes(body)
    return bytes(body)
