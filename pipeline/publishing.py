"""An archive into a topic: every item in logical order, at a chosen speed, in bounded memory."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Protocol

from pipeline.fold import micros
from pipeline.normalise import UNKNOWN_TIME, first_seen
from pipeline.rebase import rebase
from pipeline.spool import RUN_BYTES, Entry, Sorter
from schemas import avro
from schemas.records import DeadLetter, RawItem

_SECOND = timedelta(seconds=1)
"""What dates are exact to: moved by whole seconds, they keep their intervals."""


class Sink(Protocol):
    """Where records are published: takes them in order, and has delivered all of them when flush returns."""

    def send(self, record: RawItem | DeadLetter) -> None:
        """Take one record; may wait."""

    def flush(self) -> None:
        """Wait until every record is acknowledged. Raises a DijlaError where one cannot be."""


@dataclass(slots=True)
class Published:
    """Counts: items sent, and dead letters of the reading."""

    items: int = 0
    dead_letters: int = 0


def publish(
    records: Iterable[RawItem | DeadLetter],
    sink: Sink,
    work: Path,
    *,
    rate: float | None = None,
    newest: datetime | None = None,
    on_read: Callable[[int], None] = lambda items: None,
    on_sent: Callable[[int, int], None] = lambda sent, items: None,
) -> Published:
    """Send all records: dead letters as they are met, items in the order in which a replay folds them.

    `work` is a folder for what does not fit in memory, `rate` the most items a second. Given `newest`, all times are moved so
    that the newest item is first seen then. on_read(items) and on_sent(sent, items) report progress.
    """
    done, read, latest = Published(), 0, UNKNOWN_TIME
    sorter = Sorter(work, RUN_BYTES)
    for record in records:
        if isinstance(record, DeadLetter):
            sink.send(record)
            done.dead_letters += 1
            continue
        read += 1
        latest = max(latest, first_seen(record)[0])
        sorter.add(_entry(record))
        on_read(read)
    shift = (newest - latest) // _SECOND * _SECOND if newest and latest > UNKNOWN_TIME else timedelta()
    for _, _, payload in paced(sorter.entries(), rate):
        item = avro.decode_single_object(payload, RawItem)
        sink.send(rebase(item, shift) if shift else item)
        done.items += 1
        on_sent(done.items, read)
    sink.flush()
    return done


def _entry(item: RawItem) -> Entry:
    """Sorted as a replay folds it: by time, and of two versions of one moment by their place in the archive."""
    position = item.kafka.offset if item.kafka else item.archive_position or 0
    return micros(first_seen(item)[0]), bytes.fromhex(item.item_id) + position.to_bytes(8, "big"), avro.encode_single_object(item)


def paced(entries: Iterable[Entry], rate: float | None) -> Iterator[Entry]:
    """The entries, at most `rate` of them a second."""
    started = time.monotonic()
    for number, entry in enumerate(entries):
        if rate is not None and (early := started + number / rate - time.monotonic()) > 0:
            time.sleep(early)
        yield entry
