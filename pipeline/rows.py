"""Elements as rows of one size: packed, ordered and split as arrays, a hundredth of what they cost one by one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.fold import Batches

Array = NDArray[Any]

TIME_FIELD = ("time", ">u8")
"""First field of a row: `stamp` of its logical time. All fields that order rows are big-endian, so that bytes sort as numbers do."""
_BIAS = 1 << 63


class Rows(Batches[Array]):
    """Rows of a dtype that begins with TIME_FIELD, in the order of their bytes."""

    def __init__(self, dtype: np.dtype[Any]) -> None:
        self.dtype = dtype

    def merged(self, batches: Iterable[bytes]) -> Array:
        rows = np.frombuffer(b"".join(batches), self.dtype)
        return rows[in_order(rows)]

    def newest(self, batch: bytes) -> int:
        return int(times(np.frombuffer(batch, self.dtype)).max())

    def split(self, batch: bytes, until: int) -> tuple[bytes, bytes]:
        rows = np.frombuffer(batch, self.dtype)
        early = times(rows) <= until
        return rows[early].tobytes(), rows[~early].tobytes()


def stamp(micros: int) -> int:
    """A time as TIME_FIELD has it: those before 1970 sort first too."""
    return micros + _BIAS


def times(rows: Array) -> NDArray[np.int64]:
    """Logical times of rows, in microseconds."""
    return (rows["time"].astype(np.uint64) ^ np.uint64(_BIAS)).view(np.int64)


def in_order(rows: Array, width: int | None = None) -> NDArray[np.intp]:
    """Places of the rows in the order of their first `width` bytes, else of all."""
    size = rows.dtype.itemsize
    letters = np.ascontiguousarray(rows).view(np.uint8).reshape(len(rows), size)[:, :width]
    return np.argsort(np.ascontiguousarray(letters).view(f"S{width or size}").ravel(), kind="stable")


def starts(values: Array) -> NDArray[np.bool_]:
    """Where a value differs from the one before, the first one too."""
    found = np.ones(len(values), dtype=np.bool_)
    found[1:] = values[1:] != values[:-1]
    return found


def by_number(rows: Array, numbers: NDArray[np.integer[Any]]) -> Iterator[tuple[int, Array]]:
    """The rows of each number, in the order they stand in."""
    order = np.argsort(numbers, kind="stable")
    rows, numbers = rows[order], numbers[order]
    edges = [*np.flatnonzero(starts(numbers)).tolist(), len(rows)]
    return ((int(numbers[begin]), rows[begin:end]) for begin, end in pairwise(edges))
