"""What Beam adds to the pure functions, a chain of steps at a time; bytewax beside it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from functools import partial
from typing import Any

import apache_beam as beam
import bytewax.operators as op
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.runners.portability.fn_api_runner.fn_runner import FnApiRunner
from bytewax.dataflow import Dataflow
from bytewax.testing import TestingSink, TestingSource, run_main

from pipeline.build import Sink, Source, build
from pipeline.correlate import FoldReports, _route, concerns
from pipeline.decode import decode
from pipeline.deduplicate import Rejoin, _send
from pipeline.detect_language import with_language
from pipeline.fold import Element
from pipeline.normalise import normalise
from pipeline.payload import Payload
from pipeline.references import FoldReferences
from pipeline.settings import Settings
from pipeline.tag import load_tagger, with_events
from schemas import avro
from schemas.records import RawItem, Report
from tests.bench.samples import raw_items
from tests.bench.side_by_side import paired, seconds, show

ITEMS = 20_000
TTL = timedelta(days=7)


def deduplicated(drafts: list[Report]) -> list[Report]:
    """The deduplication's pure functions on one shard."""
    step, rejoin = FoldReferences(ttl=TTL, near_ttl=TTL, most=10_000_000, shards=1), Rejoin()
    sent = list(_send(drafts, 1))
    references = [packed for message in sent if isinstance(message, tuple) for _, (_, packed) in [message]]
    bodies = [packed for message in sent if not isinstance(message, tuple) for _, (_, packed) in [message.value]]
    _, answered = step.fold(step.restore({}), step.batches.merged(references))
    answers = [packed for _, (_, packed) in answered]
    return list(rejoin.fold(rejoin.restore({}), rejoin.batches.merged([*bodies, *answers]))[1])


def correlated(reports: list[Report]) -> list[Any]:
    """The correlation's pure functions."""
    elements: list[Element] = sorted(_route(report)[1] for report in reports if concerns(report))
    step = FoldReports(ttl=TTL)
    return list(step.fold(step.restore({}), elements)[1])


def plain(payloads: list[bytes]) -> tuple[int, int]:
    """The chain as a loop; reports and events are encoded, as the sinks do."""
    tagged = with_events(load_tagger())
    drafts = [normalise(decode(Payload(payload))) for payload in payloads]
    reports = [tagged(with_language(draft)) for draft in deduplicated(drafts)]
    events = correlated(reports)
    return len([avro.encode(report) for report in reports]), len([avro.encode(event) for event in events])


def _payloads(_: int) -> list[bytes]:
    return PAYLOADS


class Given(beam.PTransform[Any, Any]):
    """Payloads from memory: reading is not what is compared."""

    def expand(self, begin: Any) -> Any:
        return begin | beam.Create([0]) | beam.FlatMap(_payloads) | beam.Map(Payload).with_output_types(Payload)


class Encoded(beam.PTransform[Any, Any]):
    """Records encoded and let go: writing is not what is compared."""

    def expand(self, records: Any) -> Any:
        return records | beam.ParDo(_Encode())


class _Encode(beam.DoFn):
    def process(self, record: Any) -> None:
        avro.encode(record)


PAYLOADS: list[bytes] = []


def on_beam() -> Callable[[], object]:
    """The whole graph on the in-process runner, built once as replay does; the function runs a slice."""
    pipeline = beam.Pipeline(runner=FnApiRunner(), options=PipelineOptions([]))
    build(pipeline, Source(Given()), Sink(Encoded(), Encoded()), Encoded(), Settings(shards=8))
    return lambda: pipeline.run().wait_until_finish()


def on_bytewax(payloads: list[bytes]) -> None:
    """The same functions as a bytewax dataflow; its stateful steps get one batch, its sinks encoded records."""
    tagged = with_events(load_tagger())
    out: list[bytes] = []
    flow = Dataflow("chain")
    items = op.input("in", flow, TestingSource(payloads, batch_size=1000))
    drafts = op.map("normalise", op.map("decode", items, decode), normalise)
    collected = op.collect("all", op.key_on("one", drafts, lambda _: "0"), timeout=timedelta(hours=1), max_size=len(payloads))
    fresh = op.flat_map("deduplicate", op.key_rm("bare", collected), deduplicated)
    reports = op.map("tag", op.map("language", fresh, with_language), tagged)
    concerned = op.collect(
        "concerned", op.key_on("region", op.filter("concern", reports, concerns), lambda _: "0"), timeout=timedelta(hours=1), max_size=len(payloads)
    )
    events = op.flat_map("correlate", op.key_rm("bare2", concerned), correlated)
    op.output("out", op.merge("both", op.map("encode", reports, avro.encode), op.map("encode2", events, avro.encode)), TestingSink(out))
    run_main(flow)


def main() -> None:
    """Print the chain's table and how the goals are met."""
    items: Iterator[RawItem] = raw_items(ITEMS)
    PAYLOADS[:] = [avro.encode_single_object(item) for item in items]
    contenders = {"plain loop": partial(plain, PAYLOADS), "Beam, in process": on_beam(), "bytewax": partial(on_bytewax, PAYLOADS)}
    taken = seconds(contenders)
    show(f"Full chain, {ITEMS:,} short items", taken, dict.fromkeys(taken, ITEMS))
    overhead = paired(taken["Beam, in process"], taken["plain loop"], lambda a, b: (a - b) / ITEMS * 1e6)
    ratio = paired(taken["Beam, in process"], taken["bytewax"], lambda a, b: a / b)
    print(f"  Beam adds {overhead:.1f} us an item to the plain loop (goal: at most 60)")
    print(f"  Beam takes {ratio:.2f} of bytewax's time (goal: at most 1.10)")
