"""What is done: payloads whose every consequence is in the sinks.

A mark of each bundle that was read waits, behind the sinks, for the watermark: nothing that was read before it is then on its
way any more. That holds on every runner, and where a bundle's end says nothing about the steps behind it (Prism), or is never
told (Flink runs no bundle finalizers).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from typing import Any, Protocol

import apache_beam as beam
from apache_beam.pvalue import PCollection
from apache_beam.transforms.window import GlobalWindow
from apache_beam.utils.timestamp import Timestamp
from apache_beam.utils.windowed_value import WindowedValue

from pipeline.fold import Cells, Element, Fold, Listed, Message, Write
from pipeline.fold_in_order import BatchByKey, FoldInOrder
from pipeline.packing import pack, unpacker
from pipeline.payload import Payload

Done = dict[int, int]
"""Partition -> next offset."""
_unpack_mark = unpacker(tuple[int, int])


class FoldMarks(Fold[None, list[Element]]):
    """(partition, next offset) at the time of the record before it -> Done."""

    batches = Listed()

    def restore(self, cells: Cells) -> None:
        """Marks leave nothing behind."""

    def dump(self, memory: None) -> Mapping[int, bytes]:
        """Nothing."""
        return {}

    def fold(self, memory: None, elements: Sequence[Element]) -> tuple[Sequence[Write], list[Done]]:
        """The furthest mark of each partition."""
        done: Done = {}
        for _, payload in elements:
            partition, following = _unpack_mark(payload)
            done[partition] = max(following, done.get(partition, 0))
        return (), [done] if done else []


class Follower(Protocol):
    """Whom the worker tells how far it is; pickled."""

    def started(self) -> None:
        """A worker is at work."""

    def marked(self, marks: Done, time: int) -> None:
        """A bundle that was read ended here; the time of its last record, in microseconds."""

    def done(self, done: Done) -> None:
        """Everything before it is in the sinks."""


class AfterSinks(beam.PTransform[Any, Any]):
    """(payloads, what each sink gives) -> nothing; `follower` is told. `margin` is the longest that steps hold a payload."""

    def __init__(self, follower: Follower, margin: timedelta) -> None:
        super().__init__()
        self.follower, self.margin = follower, margin

    def expand(self, inputs: tuple[PCollection[Any], ...]) -> Any:
        """Marks of the payloads, held back by the watermark of all."""
        payloads, *written = inputs
        marks = payloads | "LastOfBundle" >> beam.ParDo(_LastOfBundle(self.follower)) | "SendMarks" >> BatchByKey(_route)
        silent = [given | f"Silent{number}" >> beam.FlatMap(_nothing).with_output_types(Message) for number, given in enumerate(written)]
        folded = (marks, *silent) | "WithSinks" >> beam.Flatten() | "FoldMarks" >> FoldInOrder(FoldMarks(), hold=self.margin)
        return folded.outputs | "Tell" >> beam.Map(self.follower.done)


class _LastOfBundle(beam.DoFn):
    """Payloads -> (time, partition, next offset) behind the last of each partition in a bundle. The time is the one that the reader gave it."""

    def __init__(self, follower: Follower) -> None:
        self.follower = follower

    def setup(self) -> None:
        self.follower.started()

    def start_bundle(self) -> None:
        self.last: dict[int, tuple[Timestamp, int]] = {}

    def process(self, payload: Payload, timestamp: Any = beam.DoFn.TimestampParam) -> None:
        if payload.kafka:
            self.last[payload.kafka.partition] = timestamp, payload.kafka.offset + 1

    def finish_bundle(self) -> Iterable[Any]:
        if self.last:
            marks = {partition: following for partition, (_, following) in self.last.items()}
            self.follower.marked(marks, max(time.micros for time, _ in self.last.values()))
        return [WindowedValue((time.micros, partition, following), time, (GlobalWindow(),)) for partition, (time, following) in self.last.items()]


def _route(mark: tuple[int, int, int]) -> tuple[int, Element]:
    time, partition, following = mark
    return 0, (time, pack((partition, following)))


def _nothing(_: object) -> tuple[()]:
    return ()
