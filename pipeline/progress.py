"""How far a run has come, shared by the steps and the command that run in one process (Prism's loopback worker).

In a worker of its own a run is unknown: then nothing is throttled or drained from here, as a runner of that kind does both.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Set
from threading import Event

_LONGEST_PAUSE = 1.0


class Progress:
    """What has been read and what is done, by partition; and whether to stop. Times are the broker's, in microseconds.

    A mark is where a bundle ended. It is ripe when the watermark stands so far behind it, `margin`, that nothing holds it any more
    but work: what the steps hold until the clock has moved on is no reason to wait, or they would wait for the reader and the
    reader for them.
    """

    def __init__(self, *, in_flight: int, margin: int) -> None:
        self.stopping = Event()
        self.failure: Exception | None = None
        self._in_flight, self._margin = in_flight, margin
        self._read: dict[int, int] = {}
        self._done: dict[int, int] = {}
        self._marks: deque[tuple[int, Mapping[int, int]]] = deque()
        self._reached: dict[int, int] = {}
        self._given_up: dict[int, Set[int]] = {}

    def began(self, partition: int, offset: int) -> None:
        """Reading begins here."""
        self._done[partition] = self._read[partition] = offset

    def read(self, partition: int, offset: int) -> None:
        """Everything before this offset has been handed to the runner."""
        self._read[partition] = offset

    def reached(self, split: int, watermark: int) -> None:
        """The watermark of a reader; one that takes over from another begins anew."""
        self._reached[split] = max(watermark, self._reached.get(split, 0))

    def gave_up(self, split: int, partitions: Set[int]) -> None:
        """The partitions of a split that have more to read and give nothing."""
        self._given_up[split] = partitions

    @property
    def given_up(self) -> list[int]:
        """Partitions that have more to read and give nothing."""
        return sorted(set().union(*self._given_up.values()))

    def marked(self, offsets: Mapping[int, int], appended: int) -> None:
        """A bundle ended before these offsets of partitions; its last record has that time."""
        self._marks.append((appended, offsets))

    def done(self, partition: int, offset: int) -> None:
        """Everything before this offset is in the sinks."""
        self._done[partition] = offset
        while self._marks and all(offset <= self._done.get(at, 0) for at, offset in self._marks[0][1].items()):
            self._marks.popleft()

    def full(self) -> bool:
        """Whether so much is in flight that reading should wait, as there is work to do without it."""
        waiting = sum(offset - self._done[partition] for partition, offset in self._read.items())
        return waiting > self._in_flight and self._behind() > 0

    def pause(self) -> float:
        """Seconds that a reader should wait between two hauls: the farther the steps are behind, the larger the hauls, which cost less each."""
        return min(_LONGEST_PAUSE, max(0, self._behind()) / 4e6)

    def _behind(self) -> int:
        """Microseconds since the oldest mark became ripe."""
        if not self._marks or not self._reached:
            return 0
        return min(self._reached.values()) - self._marks[0][0] - self._margin


_RUNS: dict[str, Progress] = {}


def begin(run: str, progress: Progress) -> None:
    """Make a run known to the steps of this process."""
    _RUNS[run] = progress


def of(run: str) -> Progress | None:
    """The progress of a run, None where its command is another process."""
    return _RUNS.get(run)


def end(run: str) -> None:
    """Forget a run."""
    _RUNS.pop(run, None)
