"""How far a run has come, shared by the steps and the command that run in one process (Prism's loopback worker).

In a worker of its own a run is unknown: then nothing is throttled or drained from here, as a runner of that kind does both.
"""

from __future__ import annotations

from threading import Event

_LONGEST_PAUSE = 1.0


class Progress:
    """What has been read and what is done, by partition as (next offset, broker's time in microseconds); and whether to stop."""

    def __init__(self, *, in_flight: int, margin: int) -> None:
        self.stopping = Event()
        self.failure: Exception | None = None
        self._in_flight, self._margin = in_flight, margin
        self._read: dict[int, tuple[int, int]] = {}
        self._done: dict[int, tuple[int, int]] = {}

    def began(self, partition: int, offset: int) -> None:
        """Reading begins here."""
        self._done[partition] = self._read[partition] = offset, 0

    def read(self, partition: int, offset: int, appended: int) -> None:
        """Everything before this offset has been handed to the runner."""
        self._read[partition] = offset, appended

    def done(self, partition: int, offset: int, appended: int) -> None:
        """Everything before this offset is in the sinks."""
        self._done[partition] = offset, appended

    def full(self) -> bool:
        """So much is in flight that reading should wait.

        What the steps hold until the clock has moved on is not counted: `margin` microseconds, or they would wait for the reader
        and the reader for them.
        """
        waiting = sum(offset - self._done.get(partition, (offset, 0))[0] for partition, (offset, _) in self._read.items())
        if waiting <= self._in_flight:
            return False
        return self._behind() > self._margin

    def pause(self) -> float:
        """Seconds that a reader should wait between two hauls: the farther the steps are behind, the larger the hauls, which cost less each."""
        return min(_LONGEST_PAUSE, max(0, self._behind() - self._margin) / 4e6)

    def _behind(self) -> int:
        """Microseconds on the broker's clock from what is done to what is read."""
        read = max((appended for _, appended in self._read.values()), default=0)
        done = max((appended for _, appended in self._done.values()), default=0)
        return read - done if done else 0


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
