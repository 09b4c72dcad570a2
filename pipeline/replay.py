"""An archive through the whole pipeline, in this process: no broker, no account, bounded memory.

Items are sorted by logical time (on disk where they are many) and run in slices, the state carried from slice to slice.
Neither the order of the files nor the size of the slices changes a record. Nothing appears in the output folder before the
run is complete.
"""

from __future__ import annotations

import gc
import json
import shutil
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import apache_beam as beam
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.runners.portability.fn_api_runner.fn_runner import FnApiRunner
from apache_beam.runners.runner import PipelineResult

from pipeline.build import Sink, Source, build
from pipeline.fold import micros
from pipeline.metrics import JOINED, counts
from pipeline.normalise import first_seen
from pipeline.settings import Settings
from pipeline.sinks.avro_files import DEAD_LETTERS, EVENTS, REPORTS, WriteFiles, WriteState, write_files
from pipeline.sources.avro_files import ReadSpool, ReadState
from pipeline.spool import RUN_BYTES, Entry, Sorter, write_spool
from schemas import avro
from schemas.errors import UsageError, WriteError
from schemas.folder_lock import locked
from schemas.records import DeadLetter, RawItem

MANIFEST = "replay.json"
SLICE = "slice.avro"
FOLDERS = (REPORTS.folder, EVENTS.folder, DEAD_LETTERS.folder)
RESULTS = (*FOLDERS, MANIFEST)
OLD = "old"
_LETTERS_IN_MEMORY = 500


@dataclass(slots=True)
class Summary:
    """Counts of a replay: items read, those that were polled before, dead letters, slices, and the pipeline's own counters."""

    items: int = 0
    repeats: int = 0
    dead_letters: int = 0
    slices: int = 0
    counters: Counter[str] = field(default_factory=Counter)

    def as_json(self) -> dict[str, int]:
        """Plain counts by name."""
        return {"items": self.items, "repeats": self.repeats, "dead_letters": self.dead_letters, "slices": self.slices, **dict(sorted(self.counters.items()))}


def replay(
    records: Iterable[RawItem | DeadLetter],
    out: Path,
    settings: Settings,
    *,
    jsonl: bool = False,
    on_read: Callable[[int], None] = lambda items: None,
    on_done: Callable[[int, int], None] = lambda done, items: None,
) -> Summary:
    """Run all records through the pipeline into out/reports, out/events and out/dead-letters.

    on_read(items) and on_done(done, items) report progress. Raises UsageError where out holds something else, WriteError.
    """
    summary = Summary()
    with _workspace(out) as work:
        sorter = Sorter(work, RUN_BYTES)
        for entry in _entries(records, work, summary, jsonl):
            sorter.add(entry)
            on_read(summary.items)
        pipeline = _pipeline(work, settings, jsonl)
        done = 0
        for part in _slices(sorter.entries(), settings):
            write_spool(work / SLICE, part)
            _count(pipeline.run(), part, summary)
            done += len(part)
            on_done(done, summary.items)
        _publish(work, out, summary)
    return summary


def _check_out(out: Path) -> None:
    if any((out / folder).exists() for folder in FOLDERS) and not (out / MANIFEST).exists():
        raise UsageError(f"{out} holds records that no replay wrote: choose another folder for --out")


@contextmanager
def _workspace(out: Path) -> Iterator[Path]:
    """A folder beside the results, for one replay at a time; gone when it is over, a killed one's when the next begins."""
    work = out / ".replay"
    try:
        with locked(out):
            _clear(work, out)
            _check_out(out)
            try:
                for folder in FOLDERS:
                    (work / folder).mkdir(parents=True)
                yield work
            finally:
                _clear(work, out)
    except OSError as error:
        raise WriteError(f"{error.filename or out}: cannot be written: {error.strerror}; choose another --out") from error


def _entries(records: Iterable[RawItem | DeadLetter], work: Path, summary: Summary, jsonl: bool) -> Iterator[Entry]:
    """Items as spool entries; dead letters of the reading go straight to their folder."""
    letters: list[DeadLetter] = []
    for record in records:
        if isinstance(record, RawItem):
            summary.items += 1
            yield micros(first_seen(record)[0]), bytes.fromhex(record.item_id), avro.encode_single_object(record)
            continue
        summary.dead_letters += 1
        letters.append(record)
        if len(letters) >= _LETTERS_IN_MEMORY:
            write_files(letters, DEAD_LETTERS, work, jsonl=jsonl)
            letters = []
    write_files(letters, DEAD_LETTERS, work, jsonl=jsonl)


def _slices(entries: Iterable[Entry], settings: Settings) -> Iterator[list[Entry]]:
    """Entries in slices; two of one item and moment are never parted, as they are ordered by what they say only in a fold."""
    part: list[Entry] = []
    size = 0
    for entry in entries:
        if (len(part) >= settings.slice_items or size >= settings.slice_bytes) and entry[:2] != part[-1][:2]:
            yield part
            part, size = [], 0
        part.append(entry)
        size += len(entry[2])
    if part:
        yield part


def _pipeline(work: Path, settings: Settings, jsonl: bool) -> beam.Pipeline:
    """The graph that every slice runs through: built once, as building it takes as long as running a few hundred items."""
    stories, incidents = work / "stories.avro", work / "incidents.avro"

    def files(family: Any) -> WriteFiles:
        return WriteFiles(family, work, jsonl=jsonl)

    source = Source(ReadSpool(work / SLICE), ReadState(stories), ReadState(incidents))
    sink = Sink(files(REPORTS), files(EVENTS), WriteState(stories), WriteState(incidents))
    pipeline = beam.Pipeline(runner=FnApiRunner(), options=PipelineOptions([]))
    build(pipeline, source, sink, files(DEAD_LETTERS), settings)
    return pipeline


def _count(result: PipelineResult, part: Sequence[Entry], summary: Summary) -> None:
    """Add what a slice has done, once it is done."""
    result.wait_until_finish()
    # A finished run is a web of cycles, and the collector, seeing few new objects, would let some forty of them pile up.
    gc.collect()
    counters = counts(result)
    summary.dead_letters += counters.pop("dead_letters_written", 0)
    seen = sum(counters.get(name, 0) for name in (*JOINED.values(), "dead_letters_decode", "dead_letters_normalise"))
    summary.repeats += len(part) - seen
    summary.counters.update(counters)
    summary.slices += 1


def _publish(work: Path, out: Path, summary: Summary) -> None:
    """Put the finished folders in place of an earlier replay's; stopped half-way, _clear puts the earlier ones back."""
    (work / MANIFEST).write_text(json.dumps(summary.as_json(), indent=2) + "\n", encoding="utf8")
    old = work / OLD
    old.mkdir()
    for name in RESULTS:
        if (out / name).exists():
            (out / name).rename(old / name)
    for name in RESULTS:
        (work / name).rename(out / name)
    old.rename(work / "replaced")


def _clear(work: Path, out: Path) -> None:
    """Remove what a run leaves behind; results that it was about to replace go back to their place."""
    old = work / OLD
    if old.exists():
        for name in RESULTS:
            if (old / name).exists() or not (work / name).exists():
                _remove(out / name)
            if (old / name).exists():
                (old / name).rename(out / name)
    shutil.rmtree(work, ignore_errors=True)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
