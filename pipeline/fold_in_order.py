"""Keyed state folded in logical time: the one stateful mechanism of the pipeline.

Elements are folded in the order (logical time, payload), in live and in replay alike, so that no answer depends on the order of
arrival. A bounded input is folded once, at its end. A stream is folded at the ticks of a grid in event time (the broker's
clock): an element waits until every one that arrived up to `hold` after it has come too. An element never waits for the clock
of a worker, and two workers fold the same elements at the same tick.

Elements travel in batches: one state access and one shuffled value for many of them. What a key remembers is kept in the
process as well: a state read costs a round trip to the runner (1 to 4 ms on Prism), and only one, of the version, is needed
while the key stays in the process. See docs/benchmarks.md.
"""

from __future__ import annotations

import os
import struct
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import timedelta
from typing import Any, Generic, NamedTuple
from uuid import uuid4

import apache_beam as beam
from apache_beam.coders import BytesCoder
from apache_beam.pvalue import PCollection
from apache_beam.transforms.timeutil import TimeDomain
from apache_beam.transforms.userstate import BagStateSpec, ReadModifyWriteStateSpec, TimerSpec, on_timer
from apache_beam.transforms.window import GlobalWindow
from apache_beam.utils.timestamp import Timestamp
from apache_beam.utils.windowed_value import WindowedValue

from pipeline import metrics
from pipeline.fold import CARRIED, CELLS, Batches, Cells, Element, ElementsT, Fold, MemoryT, Message, Write, messages
from pipeline.packing import pack, unpacker

END = GlobalWindow().max_timestamp()
BATCH_RECORDS = 2048
_unpack_cells = unpacker(list[tuple[int, bytes]])
_HEAD = struct.Struct("<8sq")
_ARRIVAL = struct.Struct("<q")


class Folded(NamedTuple):
    """Outputs of the fold and, when a bounded input has ended, the cells of each key: (key, packed [(cell, bytes)])."""

    outputs: PCollection[Any]
    cells: PCollection[Any]


def by_key(routed: Sequence[tuple[int, Element]]) -> Iterator[Message]:
    """One batch for each key."""
    batches: defaultdict[int, list[Element]] = defaultdict(list)
    for key, element in routed:
        batches[key].append(element)
    return messages(batches)


Batch = Callable[[Sequence[Any]], Iterable[Any]]
"""What was routed -> Messages, or Messages in TaggedOutput."""


class BatchByKey(beam.PTransform[Any, Any]):
    """record -> Message: what `route` makes of it (by default a key and an element), packed by `batch` within a bundle.

    With a tag, `batch` gives messages of two kinds. A batch holds elements of one time. However the runner cuts its bundles, an element is
    then folded at the tick of its own time: what is done (`AfterSinks`) is judged by that.
    """

    def __init__(self, route: Callable[[Any], Any], batch: Batch = by_key, *, tag: str | None = None) -> None:
        super().__init__()
        self.dofn, self.tag = _BatchByKey(route, batch), tag

    def expand(self, records: PCollection[Any]) -> Any:
        """One ParDo."""
        step = beam.ParDo(self.dofn).with_output_types(Message)
        if self.tag is None:
            return records | step
        sent = records | step.with_outputs(self.tag, main="messages")
        sent[self.tag].element_type = Message
        return sent


class _BatchByKey(beam.DoFn):
    routed: defaultdict[Timestamp, list[Any]]
    records: int

    def __init__(self, route: Callable[[Any], Any], batch: Batch) -> None:
        self.route, self.batch = route, batch

    def start_bundle(self) -> None:
        self._clear()

    def process(self, record: Any, timestamp: Any = beam.DoFn.TimestampParam) -> Iterable[Any]:
        self.routed[timestamp].append(self.route(record))
        self.records += 1
        return self._emit() if self.records >= BATCH_RECORDS else ()

    def finish_bundle(self) -> Iterable[Any]:
        return self._emit()

    def _emit(self) -> list[Any]:
        emitted = [_stamped(message, time) for time, many in self.routed.items() for message in self.batch(many)]
        self._clear()
        return emitted

    def _clear(self) -> None:
        self.routed, self.records = defaultdict(list), 0


def _stamped(message: Any, time: Timestamp) -> Any:
    if isinstance(message, beam.pvalue.TaggedOutput):
        return beam.pvalue.TaggedOutput(message.tag, _stamped(message.value, time))
    key, (_, packed) = message
    return WindowedValue((key, (time.micros, packed)), time, (GlobalWindow(),))


class FoldInOrder(beam.PTransform[Any, Any]):
    """Message -> Folded. `carried` holds the cells that an earlier slice of a bounded input left, as Folded.cells gives them.

    `behind_ticks`: messages also come from a fold of the same hold, at its ticks; these have waited, and wait no longer.
    """

    def __init__(self, fold: Fold[Any, Any], *, hold: timedelta | None, carried: PCollection[Any] | None = None, behind_ticks: bool = False) -> None:
        super().__init__()
        self.dofn = _FoldAtEnd(fold) if hold is None else _FoldAtTicks(fold, hold, behind_ticks=behind_ticks)
        self.carried = carried

    def expand(self, batches: PCollection[Message]) -> Any:
        """Cells of an earlier slice join the messages, then everything is folded.

        The Flatten stands there with nothing to join too: the in-process runner would fuse two folds behind each other into one
        stage without it, and then loses what the second one holds until its timer.
        """
        carried = self.carried if self.carried is not None else batches.pipeline | "NoCells" >> beam.Create([])
        cells = carried | "MarkCells" >> beam.Map(_marked).with_output_types(Message)
        batches = (batches, cells) | "WithCells" >> beam.Flatten()
        folded = batches | "Fold" >> beam.ParDo(self.dofn).with_outputs("cells", main="outputs")
        folded.cells.element_type = tuple[int, bytes]
        return Folded(folded.outputs, folded.cells)


def _marked(cells: tuple[int, bytes]) -> Message:
    key, packed = cells
    return key, (CARRIED, packed)


class _FoldAtEnd(beam.DoFn):
    """Buffers everything of a key until the end of the input, then folds it."""

    BUFFER = BagStateSpec("buffer", BytesCoder())
    CARRIED = BagStateSpec("carried", BytesCoder())
    TIMER = TimerSpec("due", TimeDomain.WATERMARK)

    def __init__(self, fold: Fold[Any, Any]) -> None:
        self.fold = fold

    def process(
        self,
        message: Message,
        buffer: Any = beam.DoFn.StateParam(BUFFER),
        carried: Any = beam.DoFn.StateParam(CARRIED),
        due: Any = beam.DoFn.TimerParam(TIMER),
    ) -> None:
        _, (kind, packed) = message
        (carried if kind == CARRIED else buffer).add(packed)
        due.set(END)

    @on_timer(TIMER)
    def on_due(self, key: Any = beam.DoFn.KeyParam, buffer: Any = beam.DoFn.StateParam(BUFFER), carried: Any = beam.DoFn.StateParam(CARRIED)) -> Iterator[Any]:
        memory = self.fold.restore({number: (cell,) for packed in carried.read() for number, cell in _unpack_cells(packed)})
        _, outputs = self.fold.fold(memory, self.fold.batches.merged(buffer.read()))
        yield from outputs
        yield beam.pvalue.TaggedOutput("cells", (key, pack(list(self.fold.dump(memory).items()))))


class _Held(Generic[MemoryT]):
    """What this process knows of a key, true while `version` is the one in the state; else it is restored from there."""

    __slots__ = ("batches", "due", "memory", "sizes", "version")

    def __init__(self, memory: MemoryT, batches: list[tuple[int, bytes]], due: int, sizes: Mapping[int, int]) -> None:
        self.memory, self.batches, self.due, self.sizes = memory, batches, due, dict(sizes)
        self.version = b""

    def wrote(self, write: Write) -> None:
        """A cell has changed in the state."""
        self.sizes[write.cell] = len(write.content) + (0 if write.replace else self.sizes.get(write.cell, 0))

    @property
    def size(self) -> int:
        """Bytes of state."""
        return sum(self.sizes.values()) + sum(len(packed) for _, packed in self.batches)


_HELD: dict[tuple[str, int], _Held[Any]] = {}
"""(step, key) -> what is known. For the process, as a runner hands a key now to this and now to that copy of the DoFn."""


class _FoldAtTicks(beam.DoFn):
    """Buffers the batches of a key and folds them at the tick by which all that may come before them has come."""

    HEAD = ReadModifyWriteStateSpec("head", BytesCoder())
    BUFFER = BagStateSpec("buffer", BytesCoder())
    TIMER = TimerSpec("due", TimeDomain.WATERMARK)
    C0, C1, C2, C3, C4, C5, C6, C7 = (BagStateSpec(f"cell{i}", BytesCoder()) for i in range(CELLS))

    def __init__(self, fold: Fold[Any, Any], hold: timedelta, *, behind_ticks: bool = False) -> None:
        self.fold, self.hold, self.behind_ticks = fold, hold // timedelta(microseconds=1), behind_ticks
        self.step = uuid4().hex

    def process(
        self,
        message: Message,
        timestamp: Any = beam.DoFn.TimestampParam,
        head: Any = beam.DoFn.StateParam(HEAD),
        buffer: Any = beam.DoFn.StateParam(BUFFER),
        due: Any = beam.DoFn.TimerParam(TIMER),
        c0: Any = beam.DoFn.StateParam(C0),
        c1: Any = beam.DoFn.StateParam(C1),
        c2: Any = beam.DoFn.StateParam(C2),
        c3: Any = beam.DoFn.StateParam(C3),
        c4: Any = beam.DoFn.StateParam(C4),
        c5: Any = beam.DoFn.StateParam(C5),
        c6: Any = beam.DoFn.StateParam(C6),
        c7: Any = beam.DoFn.StateParam(C7),
    ) -> None:
        key, (latest, packed) = message
        held = self._known(key, head, buffer, (c0, c1, c2, c3, c4, c5, c6, c7))
        arrival = max(latest, timestamp.micros)
        buffer.add(_ARRIVAL.pack(arrival) + packed)
        held.batches.append((arrival, packed))
        tick = self._tick(arrival)
        if not held.due or tick < held.due:
            # To an earlier tick only: each batch setting the timer anew would push it ahead for ever on a busy key. One of an earlier tick does come
            # behind one of a later: what a fold gives at a tick may reach the next fold when its timer of that tick has fired.
            held.due = tick
            due.set(Timestamp(micros=held.due))
        _sign(held, head)

    @on_timer(TIMER)
    def on_due(
        self,
        key: Any = beam.DoFn.KeyParam,
        head: Any = beam.DoFn.StateParam(HEAD),
        buffer: Any = beam.DoFn.StateParam(BUFFER),
        due: Any = beam.DoFn.TimerParam(TIMER),
        c0: Any = beam.DoFn.StateParam(C0),
        c1: Any = beam.DoFn.StateParam(C1),
        c2: Any = beam.DoFn.StateParam(C2),
        c3: Any = beam.DoFn.StateParam(C3),
        c4: Any = beam.DoFn.StateParam(C4),
        c5: Any = beam.DoFn.StateParam(C5),
        c6: Any = beam.DoFn.StateParam(C6),
        c7: Any = beam.DoFn.StateParam(C7),
    ) -> Iterator[Any]:
        cells = (c0, c1, c2, c3, c4, c5, c6, c7)
        held = self._known(key, head, buffer, cells)
        ready, held.batches = _ripe(self.fold.batches, held.batches, held.due - (0 if self.behind_ticks else self.hold))
        writes, outputs = self.fold.fold(held.memory, ready)
        for write in writes:
            if write.replace:
                cells[write.cell].clear()
            if write.content:
                cells[write.cell].add(write.content)
            held.wrote(write)
        buffer.clear()
        for arrival, packed in held.batches:
            buffer.add(_ARRIVAL.pack(arrival) + packed)
        held.due = self._tick(min(arrival for arrival, _ in held.batches)) if held.batches else 0
        if held.due:
            due.set(Timestamp(micros=held.due))
        _sign(held, head)
        metrics.state(type(self.fold).__name__, key, held.size)
        yield from outputs

    def _tick(self, arrival: int) -> int:
        """The tick at which an element is folded: one hold after the first that is not before it."""
        if not self.hold or (self.behind_ticks and arrival % self.hold == 0):
            return arrival
        return -(-arrival // self.hold) * self.hold + self.hold

    def _known(self, key: int, head: Any, buffer: Any, cells: Sequence[Any]) -> _Held[Any]:
        written = head.read()
        version, due = _HEAD.unpack(written) if written else (b"", 0)
        held = _HELD.get((self.step, key))
        if held is None or held.version != version:
            pieces = _pieces(cells) if version else {}
            memory = self.fold.restore(pieces)
            batches = [(_ARRIVAL.unpack_from(packed)[0], packed[_ARRIVAL.size :]) for packed in buffer.read()] if version else []
            held = _HELD[self.step, key] = _Held(memory, batches, due, {number: sum(map(len, cell)) for number, cell in pieces.items()})
        return held


def _pieces(cells: Sequence[Any]) -> Cells:
    return {number: list(cell.read()) for number, cell in enumerate(cells)}


def _sign(held: _Held[Any], head: Any) -> None:
    """Give what is known and what is written a new common version: if the runner drops the bundle, the two differ."""
    held.version = os.urandom(8)
    head.write(_HEAD.pack(held.version, held.due))


def _ripe(batches: Batches[ElementsT], held: Sequence[tuple[int, bytes]], until: int) -> tuple[ElementsT, list[tuple[int, bytes]]]:
    """Elements to fold, in order: those that arrived by `until` and all of an earlier logical time; and the batches of the rest."""
    ready = [packed for arrival, packed in held if arrival <= until]
    rest = [(arrival, packed) for arrival, packed in held if arrival > until]
    if ready and rest:
        newest = max(map(batches.newest, ready))
        parted = [(arrival, *batches.split(packed, newest)) for arrival, packed in rest]
        ready += [early for _, early, _ in parted if early]
        rest = [(arrival, late) for arrival, _, late in parted if late]
    return batches.merged(ready), rest
