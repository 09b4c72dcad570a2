"""Items from spool files: what a replay slice, cut from an archive, holds."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import apache_beam as beam
from apache_beam.transforms.window import TimestampedValue
from apache_beam.utils.timestamp import Timestamp

from pipeline.payload import Payload
from pipeline.spool import read_spool


class ReadSpool(beam.PTransform[Any, Any]):
    """PBegin -> Payload: the encoded RawItems of one spool file, each at its logical time."""

    def __init__(self, file: Path) -> None:
        super().__init__()
        self.file = str(file)

    def expand(self, begin: beam.pvalue.PBegin) -> Any:
        """One read; the file is local, as the runner is."""
        return begin | beam.Create([self.file]) | "Read" >> beam.FlatMap(_read).with_output_types(Payload)


def _read(file: str) -> Iterator[Any]:
    for time, _, content in read_spool(Path(file)):
        yield TimestampedValue(Payload(content), Timestamp(micros=time))


class ReadState(beam.PTransform[Any, Any]):
    """PBegin -> (key, cells): the state that the slice before left in a file, nothing where there is no file."""

    def __init__(self, file: Path) -> None:
        super().__init__()
        self.file = str(file)

    def expand(self, begin: beam.pvalue.PBegin) -> Any:
        """One read."""
        return begin | beam.Create([self.file]) | "Read" >> beam.FlatMap(_read_state)


def _read_state(file: str) -> Iterator[Any]:
    if Path(file).exists():
        for key, _, cells in read_spool(Path(file)):
            yield key, cells
