"""What is asked of Prism, on a real one."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import apache_beam as beam
from apache_beam.coders import VarIntCoder
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.testing.util import assert_that, equal_to
from apache_beam.transforms.userstate import BagStateSpec

from pipeline.prism import serving

ELEMENTS = range(12)
SLOW = 4
"""So many elements take long enough for Prism to look for progress twice and see none."""


class _Remember(beam.DoFn):
    SEEN = BagStateSpec("seen", VarIntCoder())

    def process(self, element: tuple[str, int], seen: Any = beam.DoFn.StateParam(SEEN)) -> Iterator[tuple[int, int]]:
        if element[1] < SLOW:
            time.sleep(0.4)
        before = len(list(seen.read()))
        seen.add(element[1])
        yield element[1], before


def test_a_slow_bundle_of_a_stateful_step_keeps_its_state() -> None:
    with serving([]) as options, beam.Pipeline(runner="PortableRunner", options=PipelineOptions([*options, "--streaming"])) as pipeline:
        elements = pipeline | beam.Create([0]) | beam.FlatMap(lambda _: [("key", number) for number in ELEMENTS]).with_output_types(tuple[str, int])
        found = elements | beam.Reshuffle() | beam.ParDo(_Remember())
        assert_that(found, equal_to([(number, number) for number in ELEMENTS]))
