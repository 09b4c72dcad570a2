"""What a keyed step remembers and how elements change it: the pure half of FoldInOrder."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Generic, NamedTuple, TypeVar

from pipeline.packing import pack, unpacker

MemoryT = TypeVar("MemoryT")
ElementsT = TypeVar("ElementsT")
Element = tuple[int, bytes]
"""Logical time in microseconds and a payload; payloads begin with what orders elements of one time."""
Message = tuple[int, tuple[int, bytes]]
"""Key, the latest arrival in microseconds (0: the message's own timestamp; CARRIED: cells), and packed elements or cells."""
Cells = Mapping[int, Sequence[bytes]]
"""What was written for a key: cell -> its pieces, oldest first."""

CELLS = 8
CARRIED = -1
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
unpack_elements = unpacker(list[Element])


class Batches(ABC, Generic[ElementsT]):
    """How batches of elements are packed."""

    @abstractmethod
    def merged(self, batches: Iterable[bytes]) -> ElementsT:
        """All elements of these batches, in order."""

    @abstractmethod
    def newest(self, batch: bytes) -> int:
        """The latest logical time in it."""

    @abstractmethod
    def split(self, batch: bytes, until: int) -> tuple[bytes, bytes]:
        """Those of a logical time up to `until`, and the others; b"" for none."""


class Listed(Batches[list[Element]]):
    """Elements one by one, of any size: what `messages` packs."""

    def merged(self, batches: Iterable[bytes]) -> list[Element]:
        return sorted(element for batch in batches for element in unpack_elements(batch))

    def newest(self, batch: bytes) -> int:
        return max(time for time, _ in unpack_elements(batch))

    def split(self, batch: bytes, until: int) -> tuple[bytes, bytes]:
        elements = unpack_elements(batch)
        early, late = [e for e in elements if e[0] <= until], [e for e in elements if e[0] > until]
        return pack(early) if early else b"", pack(late) if late else b""


class Write(NamedTuple):
    """A change of a key's durable state: a piece put behind the others of its cell, or in place of them all."""

    cell: int
    content: bytes
    replace: bool = False


class Fold(ABC, Generic[MemoryT, ElementsT]):
    """A fold over the elements of a key. It has no state of its own: the runner may hold any number of copies."""

    batches: Batches[ElementsT]

    @abstractmethod
    def restore(self, cells: Cells) -> MemoryT:
        """The memory of a key from what was written for it; {} gives an empty one."""

    @abstractmethod
    def fold(self, memory: MemoryT, elements: ElementsT) -> tuple[Sequence[Write], Iterable[Any]]:
        """Take elements, in order, into the memory: what to write, so that `restore` gives the same memory, and the outputs."""

    @abstractmethod
    def dump(self, memory: MemoryT) -> Mapping[int, bytes]:
        """The whole memory as one piece a cell."""


def micros(time: datetime) -> int:
    """Microseconds since 1970 of an aware datetime."""
    return (time - _EPOCH) // timedelta(microseconds=1)


def messages(batches: Mapping[int, Sequence[Element]], arrival: int = 0) -> Iterator[Message]:
    """One message for each key's elements."""
    return ((key, (arrival, pack(elements))) for key, elements in batches.items())
