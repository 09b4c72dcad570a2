"""How far a reader of several partitions has come, on the broker's clock. Never on a date that a feed claims."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Mapping

SLACK = 100_000
"""Microseconds that a partition without news stays behind the broker's clock: what is on its way may carry an earlier time."""
LEAD = 1_000_000
"""Microseconds by which a partition may be read ahead of another that has more to read: the steps hold all that lies between."""
_SAMPLES = 1_000


class Watermark:
    """The time up to which everything appended has been read; all times in microseconds.

    A partition with more to read is as far as its last record. One read to its end is as far as the broker's clock, so that it
    does not hold back the others (beam#20908). The broker's clock is ours less the smallest delay seen lately: a broker whose
    clock is behind ours by a minute is not thought to be a minute idle.
    """

    def __init__(self, last: Mapping[int, int] | None = None, reached: int = 0) -> None:
        """`last` and `reached` are those of another, which read before."""
        self._last = dict(last or {})
        self._delays: deque[int] = deque(maxlen=_SAMPLES)
        self._reached = reached

    @property
    def last(self) -> Mapping[int, int]:
        """The time of the last record that was read of each partition."""
        return self._last

    @property
    def reached(self) -> int:
        """What `reach` said last."""
        return self._reached

    def ahead(self, waiting: Collection[int]) -> set[int]:
        """Of the partitions that have more to read, those that should wait for the others."""
        floor = min((self._last.get(partition, 0) for partition in waiting), default=0)
        return {partition for partition in waiting if self._last.get(partition, 0) > floor + LEAD}

    def seen(self, partition: int, appended: int, now: int, *, fresh: bool) -> None:
        """The last record of a poll was appended at that time, and read now.

        Fresh is one of a partition that had been read to its end: it tells how far the broker's clock is behind ours.
        """
        self._last[partition] = max(appended, self._last.get(partition, 0))
        if fresh:
            self._delays.append(now - appended)

    @property
    def newest(self) -> int:
        """The time that all records of a poll are given when it is seen: no earlier than that of any before, nor than the watermark.

        Brokers' clocks differ and go back, and what comes behind the watermark would count as done before it is.
        """
        return max(self._reached, *self._last.values())

    def reach(self, waiting: Collection[int], now: int) -> int:
        """The watermark, given the partitions that have more to read; it never goes back."""
        behind = min(self._delays, default=0)
        reached = min((self._last.get(partition, 0) for partition in waiting), default=now - behind - SLACK)
        self._reached = max(self._reached, reached)
        return self._reached
