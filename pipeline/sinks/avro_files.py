"""Records to Avro files named by day, each written whole and then renamed; JSON lines beside them where asked for."""

from __future__ import annotations

import hashlib
import io
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any, Generic, NamedTuple

import apache_beam as beam
import msgspec
from apache_beam.pvalue import PCollection
from apache_beam.transforms.combiners import ToList

from pipeline.fold import Cells, Element, Fold, Listed, Write, micros
from pipeline.fold_in_order import BatchByKey, FoldInOrder
from pipeline.metrics import written
from pipeline.packing import pack, unpacker
from pipeline.resume import Resume
from pipeline.spool import write_spool
from schemas import avro
from schemas.avro import RecordT
from schemas.errors import WriteError
from schemas.records import DeadLetter, Event, Report


class Family(NamedTuple, Generic[RecordT]):
    """One folder of files: what it holds, and the time and order of its records."""

    folder: str
    cls: type[RecordT]
    time: Callable[[RecordT], datetime]
    order: Callable[[RecordT], tuple[Any, ...]]


REPORTS = Family("reports", Report, lambda report: report.first_seen, lambda report: (report.first_seen, report.item_id, report.item_revision))
EVENTS = Family("events", Event, lambda event: event.last_seen, lambda event: (event.last_seen, event.event_id, event.revision))
DEAD_LETTERS = Family(
    "dead-letters",
    DeadLetter,
    lambda letter: letter.first_failed_at,
    lambda letter: (letter.file or "", letter.position or 0, letter.stage, letter.payload_sha256),
)


def write_files(records: Iterable[RecordT], family: Family[RecordT], out: Path, *, jsonl: bool = False) -> list[Path]:
    """Write records to out/FOLDER/DAY-TIME-HASH.avro, a file a day. Raises WriteError.

    Day and time are the first record's, in UTC. The hash is the content's: writing the same records again replaces the file by
    itself, so a bundle may be tried again.
    """
    days: dict[str, list[RecordT]] = {}
    for record in records:
        days.setdefault(f"{family.time(record):%Y-%m-%d}", []).append(record)
    files = []
    for _, of_day in sorted(days.items()):
        of_day.sort(key=family.order)
        content = _container(of_day, family.cls)
        name = f"{min(map(family.time, of_day)):%Y-%m-%d-%H%M%S}-{hashlib.blake2b(content, digest_size=4).hexdigest()}"
        files.append(_write_whole(out / family.folder / f"{name}.avro", content))
        if jsonl:
            lines = b"".join(msgspec.json.encode(avro.to_json(record)) + b"\n" for record in of_day)
            files.append(_write_whole(out / family.folder / f"{name}.jsonl", lines))
    return files


def read_files(out: Path, family: Family[RecordT]) -> Iterator[RecordT]:
    """The records of all files of a family, in the order of their names. Raises SchemaError, ReadError."""
    for file in sorted((out / family.folder).glob("*.avro")):
        yield from avro.read_container(file, family.cls)


def _container(records: Sequence[RecordT], cls: type[RecordT]) -> bytes:
    buffer = io.BytesIO()
    avro.write_container(buffer, records, cls)
    return buffer.getvalue()


def _write_whole(file: Path, content: bytes) -> Path:
    partial = file.with_name(f".{file.name}.partial")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        partial.write_bytes(content)
        os.replace(partial, file)
    except OSError as error:
        with suppress(OSError):
            partial.unlink(missing_ok=True)
        raise WriteError(f"{file}: cannot be written: {error.strerror}; free some room or choose another --out") from error
    return file


class WriteFiles(beam.PTransform[Any, Any]):
    """Records of one family -> files, one a day and bundle; with `every`, of a stream, one a day and stretch of the broker's time.

    `resume` says what an earlier run has written already.
    """

    def __init__(self, family: Family[Any], out: Path, *, jsonl: bool = False, every: timedelta | None = None, resume: Resume | None = None) -> None:
        super().__init__()
        self.family, self.every = family, every
        self.dofn = _WriteFiles(family, out, jsonl, resume)

    def expand(self, records: PCollection[Any]) -> Any:
        """One ParDo that writes at the end of each bundle, behind one that collects."""
        if self.every is None:
            return records | beam.ParDo(self.dofn)
        collected = records | "Send" >> BatchByKey(partial(_route, family=self.family)) | "Collect" >> FoldInOrder(Collect(self.family.cls), hold=self.every)
        return collected.outputs | "Write" >> beam.ParDo(self.dofn)


class Collect(Fold[None, list[Element]]):
    """Packed records -> the records, in order, when their time has come."""

    batches = Listed()

    def __init__(self, cls: type[Any]) -> None:
        self.cls = cls

    def restore(self, cells: Cells) -> None:
        """Nothing is remembered."""

    def dump(self, memory: None) -> Mapping[int, bytes]:
        """Nothing."""
        return {}

    def fold(self, memory: None, elements: Sequence[Element]) -> tuple[Sequence[Write], Iterator[Any]]:
        """All of them."""
        return (), map(unpacker(self.cls), (payload for _, payload in elements))


def _route(record: Any, family: Family[Any]) -> tuple[int, Element]:
    return 0, (micros(family.time(record)), pack(record))


class _WriteFiles(beam.DoFn):
    def __init__(self, family: Family[Any], out: Path, jsonl: bool, resume: Resume | None) -> None:
        self.family, self.out, self.jsonl, self.resume = family, out, jsonl, resume

    def setup(self) -> None:
        again = self.resume is not None and self.resume.rebuilt_from is not None and self.family.cls is Event
        self.there = {(event.event_id, event.content_hash, event.revision) for event in read_files(self.out, EVENTS)} if again else set()

    def start_bundle(self) -> None:
        self.records: list[Any] = []

    def process(self, record: Any) -> None:
        if not self._is_there(record):
            written(self.family.folder).inc()
            self.records.append(record)

    def finish_bundle(self) -> None:
        write_files(self.records, self.family, self.out, jsonl=self.jsonl)
        self.records = []

    def _is_there(self, record: Any) -> bool:
        if isinstance(record, Event):
            return (record.event_id, record.content_hash, record.revision) in self.there
        return self.resume is not None and self.resume.is_done(record)


class WriteState(beam.PTransform[Any, Any]):
    """(key, cells) -> one file, from which the next slice's ReadState takes them."""

    def __init__(self, file: Path) -> None:
        super().__init__()
        self.file = str(file)

    def expand(self, cells: PCollection[Any]) -> Any:
        """All cells of a slice together: one file, whole or not at all."""
        return cells | ToList() | "Write" >> beam.Map(_write_state, self.file)


def _write_state(states: list[tuple[int, bytes]], file: str) -> None:
    write_spool(Path(file), ((key, b"", cells) for key, cells in sorted(states)))
