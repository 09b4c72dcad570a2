"""The graph: its labels are the upgrade contract; sources and sinks are handed in."""

from __future__ import annotations

import pickle
from datetime import timedelta
from pathlib import Path
from typing import Any

import apache_beam as beam
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.pipeline import PipelineVisitor
from apache_beam.runners.portability.fn_api_runner.fn_runner import FnApiRunner
from apache_beam.testing.util import assert_that, equal_to

from pipeline.build import Sink, Source, build
from pipeline.payload import Payload
from pipeline.settings import Settings
from schemas import avro
from schemas.records import RawItem

LABELS = Path(__file__).resolve().parents[1] / "golden" / "labels.txt"


class Given(beam.PTransform[Any, Any]):
    """Payloads from memory."""

    def __init__(self, payloads: list[bytes]) -> None:
        super().__init__()
        self.payloads = payloads

    def expand(self, begin: Any) -> Any:
        return begin | beam.Create(self.payloads) | beam.Map(Payload).with_output_types(Payload)


class Expect(beam.PTransform[Any, Any]):
    """A sink that holds records against what is expected."""

    def __init__(self, wanted: list[Any], seen: Any) -> None:
        super().__init__()
        self.wanted, self.seen = wanted, seen

    def expand(self, records: Any) -> Any:
        assert_that(records | beam.Map(self.seen), equal_to(self.wanted))
        return records


class Nowhere(beam.PTransform[Any, Any]):
    """A sink that keeps nothing."""

    def expand(self, records: Any) -> Any:
        return records | beam.Filter(lambda _: False)


def labels(p: beam.Pipeline) -> list[str]:
    """Full labels of all steps, in the order of the graph."""
    found: list[str] = []

    class Collect(PipelineVisitor):
        def visit_transform(self, transform_node: Any) -> None:
            found.append(transform_node.full_label)

    p.visit(Collect())
    return found


def test_the_step_labels_are_the_upgrade_contract() -> None:
    """A changed label loses the state of a running job: change the file only with a note in docs/decisions.md."""
    p = beam.Pipeline(runner=FnApiRunner(), options=PipelineOptions([]))
    build(p, Source(Given([])), Sink(Nowhere(), Nowhere()), Nowhere(), Settings(hold=timedelta(seconds=1)))
    ours = [label for label in labels(p) if not label.startswith(("Read/", "WriteReports/", "WriteEvents/", "WriteDeadLetters/"))]
    assert ours == LABELS.read_text(encoding="utf8").splitlines()


def test_records_go_where_they_are_sent(tmp_path: Path) -> None:
    items = [
        RawItem(item_id=f"{n:032x}", native_id=str(n), source_id="sample.a", source_type="test", body=text, published_raw="2020-12-20", mode="live")
        for n, text in enumerate(["Three rockets hit the Green Zone in Baghdad on Sunday.", "The bakery opened again."])
    ]
    payloads = [*map(avro.encode_single_object, items), b"no record at all"]
    with beam.Pipeline(runner=FnApiRunner(), options=PipelineOptions([])) as p:
        sink = Sink(
            Expect([("0", 1), ("1", 0)], lambda r: (r.native_id, len(r.events))),
            Expect([("rocket_mortar_attack", True)], lambda e: (e.type, e.alert)),
        )
        build(p, Source(Given(payloads)), sink, Expect([("decode", b"no record at all")], lambda d: (d.stage, d.payload)), Settings(shards=2))


def test_settings_and_steps_pickle_small() -> None:
    from pipeline.tag import Tag

    assert pickle.loads(pickle.dumps(Settings(shards=3))).shards == 3
    assert len(pickle.dumps(Tag())) < 2_000, "models are loaded by the worker, never sent to it"
