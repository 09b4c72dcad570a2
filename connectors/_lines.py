"""JSON lines: a record a line, read as a stream."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import BinaryIO

from connectors import _line, _posts
from connectors._json import loads
from connectors._origin import DEAD_LETTER_BYTES, Origin
from connectors._text import decode
from schemas.errors import ReadError
from schemas.records import DeadLetter, RawItem

_BEGINNINGS = (b"{", b"[", b"\xef\xbb\xbf")


def items(stream: BinaryIO, origin: Origin, *, limit: int) -> Iterator[RawItem | DeadLetter]:
    """Items of each line in order; position = line number from 0. A line over `limit` bytes is a dead letter."""
    position = -1
    while line := stream.readline(limit + 1):
        position += 1
        if len(line) > limit and not line.endswith(b"\n"):
            yield _too_long(stream, line, origin, position, limit)
        elif not line.isspace():
            yield from _line_items(line, origin, position)


def _line_items(line: bytes, origin: Origin, position: int) -> Iterator[RawItem | DeadLetter]:
    try:
        text = line.decode("utf-8-sig" if position == 0 else "utf-8")
    except UnicodeDecodeError:
        if not line.lstrip().startswith(_BEGINNINGS):
            yield origin.dead_letter(ReadError("is neither JSON nor UTF-8"), line, position=position)
            return
        decoded = decode(line)
        text, origin = decoded.text, origin.read_as(decoded)
    try:
        record = loads(text)
        if isinstance(record, dict) and record.keys() <= _line.FIELDS:
            yield _line.item(record, origin, position=position)
        else:
            yield from _posts.items(record, origin, position=position)
    except ReadError as error:
        yield origin.dead_letter(error, line, position=position)


def _too_long(stream: BinaryIO, line: bytes, origin: Origin, position: int, limit: int) -> DeadLetter:
    digest, size, head = hashlib.sha256(), 0, line[:DEAD_LETTER_BYTES]
    while line:
        digest.update(line)
        size += len(line)
        line = b"" if line.endswith(b"\n") else stream.readline(limit)
    error = ReadError(f"is a line of {size} bytes, over the limit of {limit} for an item; split it")
    return origin.dead_letter(error, head, position=position, size=size, sha256=digest.hexdigest())
