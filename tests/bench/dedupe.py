"""Sharded Deduplicate beside Beam's own DeduplicatePerKey."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import apache_beam as beam
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.runners.portability.fn_api_runner.fn_runner import FnApiRunner
from apache_beam.transforms.deduplicate import DeduplicatePerKey

from pipeline.deduplicate import Deduplicate
from pipeline.normalise import normalise
from pipeline.packing import pack
from pipeline.settings import Settings
from schemas.records import Report
from tests.bench.samples import raw_items
from tests.bench.side_by_side import paired, seconds, show

ITEMS = 50_000
PER_KEY_ITEMS = 5_000
REPORTS: list[Report] = []
SHORT: list[Report] = []
"""The same with texts too short to be sampled."""


def _given(count: int, *, short: bool) -> list[Report]:
    return (SHORT if short else REPORTS)[:count]


def _run(count: int, step: Any, *, short: bool = False) -> None:
    with beam.Pipeline(runner=FnApiRunner(), options=PipelineOptions([])) as p:
        given = p | beam.Create([count]) | "Given" >> beam.FlatMap(_given, short=short)
        given | step | beam.combiners.Count.Globally()


class _Sharded(beam.PTransform[Any, Any]):
    def __init__(self, shards: int) -> None:
        super().__init__()
        self.shards = shards

    def expand(self, reports: Any) -> Any:
        return (reports | Deduplicate(Settings(shards=self.shards))).reports


def _keyed(report: Report) -> tuple[str, bytes]:
    return report.item_id, pack(report)


class _PerKey(beam.PTransform[Any, Any]):
    """The item-id layer alone: the least that Deduplicate does."""

    def expand(self, reports: Any) -> Any:
        keyed = reports | beam.Map(_keyed).with_output_types(tuple[str, bytes])
        return keyed | DeduplicatePerKey(event_time_duration=7 * 86_400)


def main() -> None:
    """Print the table and how the goals are met."""
    REPORTS[:] = [normalise(item) for item in raw_items(ITEMS)]
    SHORT[:] = [replace(report, text=" ".join(report.text.split()[:8])) for report in REPORTS]
    contenders = {
        "every layer, 64 shards": lambda: _run(ITEMS, _Sharded(64)),
        "every layer, 8 shards": lambda: _run(ITEMS, _Sharded(8)),
        "id, URL, text; 8 shards": lambda: _run(ITEMS, _Sharded(8), short=True),
        "nothing: the items alone": lambda: _run(ITEMS, beam.Map(lambda report: report)),
        "DeduplicatePerKey": lambda: _run(PER_KEY_ITEMS, _PerKey()),
    }
    taken = seconds(contenders, rounds=3)
    counts = dict.fromkeys(contenders, ITEMS) | {"DeduplicatePerKey": PER_KEY_ITEMS}
    show("Deduplicate, against the id alone", taken, counts)
    for name in list(contenders)[:3]:
        times = paired(taken[name], taken["DeduplicatePerKey"], lambda a, b: (b / PER_KEY_ITEMS) / (a / ITEMS))
        print(f"  {name}: {times:.1f} times DeduplicatePerKey (goal: 10), goal 20,000 elements a second")
