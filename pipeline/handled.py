"""How far a partition has been handled where not every record is: the rest is written down in the group's own offsets.

The committed offset is that of the first record left over; the metadata beside it say which ones behind it are left over too. So
nothing is handled twice, nothing is forgotten, and the group's lag counts from the first record left over.
"""

from __future__ import annotations

import base64
import binascii
import re
import zlib
from typing import Self

from kafka.structs import OffsetAndMetadata

from schemas.errors import DijlaError

METADATA_BYTES = 4096
"""What Kafka takes (offset.metadata.max.bytes)."""
_METADATA = re.compile(r"left (\d+) ([\w+/=]*)")


class TooScatteredError(DijlaError):
    """What is left over cannot be written down."""


class Handled:
    """All offsets before `end` are handled, but for those in `left`."""

    def __init__(self, end: int = 0, left: set[int] | None = None) -> None:
        self.end, self.left = end, left or set()

    def __contains__(self, offset: int) -> bool:
        return offset < self.end and offset not in self.left

    @property
    def start(self) -> int:
        """The offset to read on from."""
        return min(self.left, default=self.end)

    def note(self, offset: int, *, handled: bool) -> None:
        """This record is handled, or left over."""
        self.end = max(self.end, offset + 1)
        if handled:
            self.left.discard(offset)
        else:
            self.left.add(offset)

    def begin_at(self, earliest: int) -> None:
        """What stood before this offset is there no more."""
        self.end = max(self.end, earliest)
        self.left = {offset for offset in self.left if offset >= earliest}

    def committable(self) -> OffsetAndMetadata:
        """What to commit. Raises TooScatteredError where the rest is too scattered for Kafka's limit."""
        if not self.left:
            return OffsetAndMetadata(self.end)
        start = self.start
        bits = bytearray((max(self.left) - start) // 8 + 1)
        for offset in self.left:
            bits[(offset - start) // 8] |= 1 << (offset - start) % 8
        packed = zlib.compress(bits, 9)
        metadata = f"left {self.end} {base64.b64encode(packed).decode()}"
        if len(metadata) > METADATA_BYTES:
            raise TooScatteredError(f"{len(self.left)} records left over in too many places to be remembered: take them up first, without a filter")
        return OffsetAndMetadata(start, metadata)

    @classmethod
    def of(cls, committed: OffsetAndMetadata | None) -> Self:
        """What `committable` gave; beside another program's metadata, everything before the offset is handled."""
        if committed is None:
            return cls()
        found = _METADATA.fullmatch(committed.metadata or "")
        if not found:
            return cls(committed.offset)
        try:
            bits = zlib.decompress(base64.b64decode(found[2]))
        except (binascii.Error, zlib.error):
            return cls(committed.offset)
        return cls(int(found[1]), {committed.offset + 8 * at + bit for at, byte in enumerate(bits) for bit in range(8) if byte >> bit & 1})
