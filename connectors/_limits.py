"""How much an archive may cost: sizes in bytes, times in CPU seconds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import BinaryIO

from schemas.errors import ReadError

MIB = 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Limits of one reading.

    A file may inflate to `inflation_floor` bytes or to `inflation_ratio` times its own size, whichever is more.
    """

    item_bytes: int = 10 * MIB
    document_bytes: int = 64 * MIB
    inflation_floor: int = 128 * MIB
    inflation_ratio: int = 200
    depth: int = 4
    cpu_seconds: int = 10
    memory_bytes: int = 1024 * MIB


DEFAULT_LIMITS = Limits()


def read_document(stream: BinaryIO, limit: int) -> bytes:
    """The whole of `stream`. Raises ReadError where it holds more than `limit` bytes."""
    data = stream.read(limit + 1)
    if len(data) > limit:
        raise ReadError(f"holds more than {limit} bytes, the limit for its kind; split it, or make it JSON lines")
    return data
