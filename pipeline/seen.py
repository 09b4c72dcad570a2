"""What deduplication remembers of each signature: packed entries in time buckets, found by binary search.

An entry weighs 36 bytes. A bucket is a few sorted runs: a new one is put behind the others and merged with those of its size, so
that neither a fold nor a look-up walks all of them.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.fold import CELLS, Cells, Write

Entry = tuple[bytes, int, int]
"""What is remembered of a signature: its story (16 bytes of an item_id), its content's hash, its revision."""
Known = dict[int, tuple[int, Entry]]
"""Signature -> (the bucket that it was last seen in, its entry)."""

_ENTRY = np.dtype([("key", "<u8"), ("story", "V16"), ("content", "<u8"), ("revision", "<u4")])
_PIECE_HEAD = struct.Struct("<q")


class _Bucket:
    """The entries last seen in one stretch of time."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.runs: list[NDArray[Any]] = []

    def add(self, run: NDArray[Any]) -> None:
        """Take entries, sorted by key, that replace earlier ones of the same keys."""
        while self.runs and len(self.runs[-1]) <= 2 * len(run):
            both = np.concatenate([run, self.runs.pop()])
            _, first = np.unique(both["key"], return_index=True)
            run = both[first]
        self.runs.append(run)

    def find(self, wanted: NDArray[np.uint64]) -> Iterable[tuple[int, bytes, int, int]]:
        """The newest entry of each wanted key, the older runs first."""
        for run in self.runs:
            places = np.minimum(np.searchsorted(run["key"], wanted), len(run) - 1)
            yield from run[places[run["key"][places] == wanted]].tolist()


class Seen:
    """Entries in a ring of buckets, each as wide as one seventh of the time they are kept."""

    def __init__(self) -> None:
        self._ring: list[_Bucket | None] = [None] * CELLS

    @staticmethod
    def restore(cells: Cells) -> Seen:
        """What the written pieces hold; a piece of a bucket whose place a newer one took is passed over."""
        seen = Seen()
        for piece in (piece for pieces in cells.values() for piece in pieces):
            seen._take(_PIECE_HEAD.unpack_from(piece)[0], np.frombuffer(piece, dtype=_ENTRY, offset=_PIECE_HEAD.size))
        return seen

    def recall(self, keys: Iterable[int]) -> Known:
        """What is known of these signatures, the newest bucket where several have one."""
        wanted = np.unique(np.fromiter(keys, dtype="<u8"))
        return {
            key: (bucket.number, (story, content, revision))
            for bucket in sorted(filter(None, self._ring), key=lambda bucket: bucket.number)
            for key, story, content, revision in bucket.find(wanted)
        }

    def remember(self, fresh: Mapping[int, Mapping[int, Entry]]) -> list[Write]:
        """Take bucket -> signature -> entry; a bucket so late that its place is taken is not remembered."""
        writes = []
        for number, entries in sorted(fresh.items()):
            run = np.array(sorted((key, *entry) for key, entry in entries.items()), dtype=_ENTRY)
            if (replaced := self._take(number, run)) is not None:
                writes.append(Write(number % CELLS, _piece(number, run), replaced))
        return writes

    def dump(self) -> dict[int, bytes]:
        """One piece a bucket."""
        return {number % CELLS: _piece(number, _merged(runs)) for number, runs in ((b.number, b.runs) for b in self._ring if b)}

    def _take(self, number: int, run: NDArray[Any]) -> bool | None:
        """Add a sorted run; whether it took the place of an older bucket, None where it came too late."""
        bucket = self._ring[number % CELLS]
        if bucket is not None and bucket.number > number:
            return None
        replaces = bucket is None or bucket.number < number
        if bucket is None or replaces:
            bucket = self._ring[number % CELLS] = _Bucket(number)
        bucket.add(run)
        return replaces


def _merged(runs: Sequence[NDArray[Any]]) -> NDArray[Any]:
    both = np.concatenate(runs[::-1])
    _, first = np.unique(both["key"], return_index=True)
    return both[first]


def _piece(number: int, run: NDArray[Any]) -> bytes:
    return _PIECE_HEAD.pack(number) + run.tobytes()
