"""Sorting what does not fit in memory: entries spooled to files in runs, read back merged."""

from __future__ import annotations

import heapq
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, cast

import fastavro

from schemas.errors import WriteError

Entry = tuple[int, bytes, bytes]
"""Logical time in microseconds, what orders entries of one time, payload."""

RUN_BYTES = 32_000_000
"""Payload bytes held in memory before a sorted run goes to a file."""

_SCHEMA: Any = fastavro.parse_schema(
    {
        "type": "record",
        "name": "Entry",
        "fields": [{"name": "time", "type": "long"}, {"name": "key", "type": "bytes"}, {"name": "payload", "type": "bytes"}],
    }
)


def write_spool(file: Path, entries: Iterable[Entry]) -> None:
    """Write entries to a file that appears whole or not at all. Raises WriteError."""
    partial = file.with_name(file.name + ".partial")
    try:
        with partial.open("wb") as out:
            fastavro.writer(out, _SCHEMA, ({"time": time, "key": key, "payload": payload} for time, key, payload in entries))
        os.replace(partial, file)
    except OSError as error:
        partial.unlink(missing_ok=True)
        raise WriteError(f"{file}: cannot be written: {error.strerror}; free some room or choose another --out") from error


def read_spool(file: Path) -> Iterator[Entry]:
    """The entries of a file that write_spool wrote, streaming."""
    with file.open("rb") as opened:
        for entry in cast(Iterable[dict[str, Any]], fastavro.reader(opened)):
            yield entry["time"], entry["key"], entry["payload"]


class Sorter:
    """Sorts any number of entries in bounded memory, with files in `folder`."""

    def __init__(self, folder: Path, run_bytes: int) -> None:
        self._folder, self._run_bytes = folder, run_bytes
        self._held: list[Entry] = []
        self._bytes = 0
        self._runs: list[Path] = []

    def add(self, entry: Entry) -> None:
        """Take one entry; spills a sorted run when enough have come together. Raises WriteError."""
        self._held.append(entry)
        self._bytes += len(entry[2]) + 200
        if self._bytes >= self._run_bytes:
            self._spill()

    def entries(self) -> Iterator[Entry]:
        """All entries in order."""
        if self._runs:
            self._spill()
            return heapq.merge(*map(read_spool, self._runs))
        return iter(sorted(self._held))

    def _spill(self) -> None:
        run = self._folder / f"run-{len(self._runs):05d}.avro"
        write_spool(run, sorted(self._held))
        self._runs.append(run)
        self._held, self._bytes = [], 0
