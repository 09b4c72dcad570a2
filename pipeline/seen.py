"""What deduplication remembers of each signature: packed entries in time buckets, found by binary search.

An entry weighs 44 bytes. A bucket is a few sorted runs: a new one is put behind the others and merged with those of its size, so
that neither a fold nor a look-up walks all of them.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.fold import Cells, Write
from pipeline.rows import Array, by_number

ENTRY = np.dtype([("key", "<u8"), ("story", "V16"), ("since", "<i8"), ("mark", "<u8"), ("revision", "<u4")])
"""A signature, the item that it stands for and when that was seen, what its layer compares, its revision."""
_PIECE_HEAD = struct.Struct("<q")


class Known(NamedTuple):
    """Of each key that was asked for: whether it is known, the bucket it was last seen in, its entry."""

    found: NDArray[np.bool_]
    buckets: NDArray[np.int64]
    entries: Array


class _Bucket:
    """The entries last seen in one stretch of time."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.runs: list[Array] = []

    def __len__(self) -> int:
        return sum(map(len, self.runs))

    def add(self, run: Array) -> None:
        """Take entries, sorted by key, that replace earlier ones of the same keys."""
        while self.runs and len(self.runs[-1]) <= 2 * len(run):
            run = _merged((self.runs.pop(), run))
        self.runs.append(run)


class Seen:
    """Entries in a ring of buckets, in as many cells from `first` on, `most` of them at most: then the oldest bucket is forgotten before its time."""

    def __init__(self, first: int, cells: int, most: int) -> None:
        self._first, self._most = first, most
        self._ring: list[_Bucket | None] = [None] * cells

    def restore(self, cells: Cells) -> None:
        """Take the written pieces; a piece of a bucket whose place a newer one took is passed over."""
        for cell in range(self._first, self._first + len(self._ring)):
            for piece in cells.get(cell, ()):
                self._take(_PIECE_HEAD.unpack_from(piece)[0], np.frombuffer(piece, dtype=ENTRY, offset=_PIECE_HEAD.size))

    def recall(self, keys: NDArray[np.uint64]) -> Known:
        """What is known of these keys, from the newest bucket where several have one."""
        known = Known(np.zeros(len(keys), np.bool_), np.zeros(len(keys), np.int64), np.empty(len(keys), ENTRY))
        for bucket in sorted(filter(None, self._ring), key=lambda bucket: bucket.number):
            for run in bucket.runs:
                places = np.minimum(np.searchsorted(run["key"], keys), len(run) - 1)
                hit = run["key"][places] == keys
                known.found[hit], known.buckets[hit], known.entries[hit] = True, bucket.number, run[places[hit]]
        return known

    def remember(self, buckets: NDArray[np.int64], entries: Array) -> list[Write]:
        """Take entries, sorted by key, into their buckets; one so late that its bucket's place is taken is not remembered."""
        writes = []
        for number, run in by_number(entries, buckets):
            if (replaced := self._take(number, run)) is not None:
                writes.append(Write(self._cell(number), _piece(number, run), replaced))
        return [*writes, *self._forget()]

    def dump(self) -> Mapping[int, bytes]:
        """One piece a bucket."""
        return {self._cell(bucket.number): _piece(bucket.number, _merged(bucket.runs)) for bucket in self._ring if bucket}

    def __len__(self) -> int:
        return sum(len(bucket) for bucket in self._ring if bucket)

    def _take(self, number: int, run: Array) -> bool | None:
        """Add a sorted run; whether it took the place of an older bucket, None where it came too late."""
        place = number % len(self._ring)
        bucket = self._ring[place]
        if bucket is not None and bucket.number > number:
            return None
        replaces = bucket is None or bucket.number < number
        if bucket is None or replaces:
            bucket = self._ring[place] = _Bucket(number)
        bucket.add(run)
        return replaces

    def _forget(self) -> list[Write]:
        writes: list[Write] = []
        while len(self) > self._most and sum(1 for bucket in self._ring if bucket) > 1:
            oldest = min(filter(None, self._ring), key=lambda bucket: bucket.number)
            self._ring[oldest.number % len(self._ring)] = None
            writes.append(Write(self._cell(oldest.number), b"", replace=True))
        return writes

    def _cell(self, number: int) -> int:
        return self._first + number % len(self._ring)


def _merged(runs: Sequence[Array]) -> Array:
    """One run of several, the newest entry of each key."""
    both = np.concatenate(runs[::-1])
    _, first = np.unique(both["key"], return_index=True)
    return both[first]


def _piece(number: int, run: Array) -> bytes:
    return _PIECE_HEAD.pack(number) + run.tobytes()
