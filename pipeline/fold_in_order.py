"""Keyed state folded in logical time: the one stateful mechanism of the pipeline.

Deduplicate and Correlate give the same answer in any order of arrival because their elements are folded in the order
(time, payload), by an event-time timer, in live and in replay alike. Elements travel in batches: one state access and one
shuffled value for many of them (30 microseconds an item without, 6 with, see docs/benchmarks.md).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

import apache_beam as beam
from apache_beam.coders import BooleanCoder, BytesCoder
from apache_beam.pvalue import PCollection
from apache_beam.transforms.timeutil import TimeDomain
from apache_beam.transforms.userstate import BagStateSpec, ReadModifyWriteStateSpec, TimerSpec, on_timer
from apache_beam.transforms.window import GlobalWindow
from apache_beam.utils.timestamp import Timestamp
from apache_beam.utils.windowed_value import WindowedValue

from pipeline.packing import pack, unpacker

Element = tuple[int, bytes]
"""Logical time in microseconds and a payload; payloads begin with what orders elements of one time."""
Cells = Sequence[bytes]
Route = Callable[[Any], Iterable[tuple[int, Element]]]
"""record -> its elements, each with the key that it goes to."""
Fold = Callable[[Cells, Sequence[Element]], tuple[Cells, Iterable[Any]]]
"""(cells, elements in order) -> (new cells, outputs). A cell that is returned as the same object is not written again."""

CELLS = 8
END = GlobalWindow().max_timestamp()
BATCH_RECORDS = 4096
Message = tuple[int, tuple[bool, bytes]]
"""Key, whether these are cells, and packed elements: (time, payload) each, or for cells (cell number, bytes)."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
unpack_elements = unpacker(list[Element])
_CELLS, _ELEMENTS = b"C", b"E"


def micros(time: datetime) -> int:
    """Microseconds since 1970 of an aware datetime."""
    return (time - _EPOCH) // timedelta(microseconds=1)


class Folded(NamedTuple):
    """Outputs of the fold and, when a bounded input has ended, the cells of each key: (key, packed [(cell number, bytes)])."""

    outputs: PCollection[Any]
    cells: PCollection[Any]


def messages(batches: Mapping[int, Sequence[Element]]) -> Iterator[Message]:
    """One message for each key's elements."""
    return ((key, (False, pack(elements))) for key, elements in batches.items())


class BatchByKey(beam.PTransform[Any, Any]):
    """record -> Message: the elements that `route` makes of it, batched by key within a bundle."""

    def __init__(self, route: Route) -> None:
        super().__init__()
        self.route = route

    def expand(self, records: PCollection[Any]) -> Any:
        """One ParDo."""
        return records | beam.ParDo(_BatchByKey(self.route)).with_output_types(Message)


class _BatchByKey(beam.DoFn):
    batches: defaultdict[int, list[Element]]
    records: int
    time: Any

    def __init__(self, route: Route) -> None:
        self.route = route

    def start_bundle(self) -> None:
        self._clear()

    def process(self, record: Any, timestamp: Any = beam.DoFn.TimestampParam) -> Iterable[WindowedValue]:
        # The earliest member's time: a batch must not be behind the watermark that its members hold back.
        self.time = timestamp if self.time is None else min(self.time, timestamp)
        for key, element in self.route(record):
            self.batches[key].append(element)
        self.records += 1
        return self._emit() if self.records >= BATCH_RECORDS else ()

    def finish_bundle(self) -> Iterable[WindowedValue]:
        return self._emit()

    def _emit(self) -> list[WindowedValue]:
        emitted = [WindowedValue(message, self.time, (GlobalWindow(),)) for message in messages(self.batches)]
        self._clear()
        return emitted

    def _clear(self) -> None:
        self.batches, self.records, self.time = defaultdict(list), 0, None


class FoldInOrder(beam.PTransform[Any, Any]):
    """Message -> Folded. `carried` holds the cells that an earlier slice left, as Folded.cells gives them."""

    def __init__(self, fold: Fold, *, hold: timedelta | None, carried: PCollection[Any] | None = None) -> None:
        super().__init__()
        self.fold, self.hold, self.carried = fold, hold, carried

    def expand(self, batches: PCollection[Message]) -> Any:
        """Cells of an earlier slice join the messages, then everything is folded.

        The Flatten stands there with nothing to join too: the in-process runner would fuse two folds behind each other into one
        stage without it, and then loses what the second one holds until its timer.
        """
        carried = self.carried if self.carried is not None else batches.pipeline | "NoCells" >> beam.Create([])
        cells = carried | "MarkCells" >> beam.Map(_marked).with_output_types(Message)
        batches = (batches, cells) | "WithCells" >> beam.Flatten()
        folded = batches | "Fold" >> beam.ParDo(_FoldInOrder(self.fold, self.hold)).with_outputs("cells", main="outputs")
        folded.cells.element_type = tuple[int, bytes]
        return Folded(folded.outputs, folded.cells)


def _marked(cells: tuple[int, bytes]) -> Message:
    key, packed = cells
    return key, (True, packed)


class _FoldInOrder(beam.DoFn):
    """Buffers the batches of a key until the timer, then folds what is due."""

    BUFFER = BagStateSpec("buffer", BytesCoder())
    ARMED = ReadModifyWriteStateSpec("armed", BooleanCoder())
    TIMER = TimerSpec("due", TimeDomain.WATERMARK)
    C0, C1, C2, C3, C4, C5, C6, C7 = (ReadModifyWriteStateSpec(f"cell{i}", BytesCoder()) for i in range(CELLS))

    def __init__(self, fold: Fold, hold: timedelta | None) -> None:
        self.fold, self.hold = fold, hold

    def process(
        self,
        message: Message,
        timestamp: Any = beam.DoFn.TimestampParam,
        buffer: Any = beam.DoFn.StateParam(BUFFER),
        armed: Any = beam.DoFn.StateParam(ARMED),
        due: Any = beam.DoFn.TimerParam(TIMER),
    ) -> None:
        _, (are_cells, packed) = message
        buffer.add((_CELLS if are_cells else _ELEMENTS) + packed)
        if self.hold is None:
            due.set(END)
        elif not armed.read():
            # Each element setting the timer again would push it ahead for ever on a busy key.
            due.set(timestamp + self.hold.total_seconds())
            armed.write(True)

    @on_timer(TIMER)
    def on_due(
        self,
        key: Any = beam.DoFn.KeyParam,
        now: Any = beam.DoFn.TimestampParam,
        buffer: Any = beam.DoFn.StateParam(BUFFER),
        armed: Any = beam.DoFn.StateParam(ARMED),
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
        states = (c0, c1, c2, c3, c4, c5, c6, c7)
        stored = [state.read() or b"" for state in states]
        held = [(packed[:1], unpack_elements(packed[1:])) for packed in buffer.read()]
        carried = dict(cell for kind, cells in held if kind == _CELLS for cell in cells)
        waiting = [element for kind, elements in held if kind == _ELEMENTS for element in elements]
        ready, early = _split(waiting, None if self.hold is None else now.micros)
        after, outputs = self.fold([carried.get(number, cell) for number, cell in enumerate(stored)], ready)
        for state, old, new in zip(states, stored, after, strict=True):
            if new is not old:
                state.write(new)
        buffer.clear()
        if self.hold is None:
            yield beam.pvalue.TaggedOutput("cells", (key, pack([(number, cell) for number, cell in enumerate(after) if cell])))
        elif early:
            buffer.add(_ELEMENTS + pack(early))
            due.set(Timestamp(micros=early[0][0]) + self.hold.total_seconds())
        else:
            armed.clear()
        yield from outputs


def _split(elements: Iterable[Element], until: int | None) -> tuple[list[Element], list[Element]]:
    """Elements in order: those due (time <= until, all where until is None) and the rest."""
    ordered = sorted(elements)
    if until is None:
        return ordered, []
    due = [element for element in ordered if element[0] <= until]
    return due, ordered[len(due) :]
