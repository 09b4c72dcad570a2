"""Deduplicate: what is dropped, what joins which story, in any order, at any parallelism, in any slices."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import apache_beam as beam
import pytest
from apache_beam.options.pipeline_options import PipelineOptions, StandardOptions
from apache_beam.runners.direct.direct_runner import BundleBasedDirectRunner
from apache_beam.runners.portability.fn_api_runner import FnApiRunner
from apache_beam.testing import test_stream
from apache_beam.testing.util import assert_that, equal_to
from apache_beam.transforms.window import TimestampedValue
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.deduplicate import Deduplicate, FoldReferences, _route_references, judge, signatures, with_story
from pipeline.fold import Cells, micros, unpack_elements
from pipeline.settings import Settings
from schemas.records import Report
from tests.pipeline.conftest import bare_report, written

Make = Callable[..., Report]
Seen = tuple[str, str, int, str | None, str]
COPY = "several rockets were fired at the fortified zone on sunday evening"


def seen(report: Report) -> Seen:
    return report.native_id, report.text, report.item_revision, report.story_id, report.story_layer


def stream(make: Make) -> list[Report]:
    """A first telling, its re-poll, its edit, a copy by another outlet, another item under the same URL, and something else."""
    url = "https://outlet-a.example/1"
    return [
        make("a", COPY, 0, url=url),
        make("a", COPY, 5, url=url),
        make("a", COPY + " and one soldier was wounded", 9, url=url),
        make("b", COPY, 3, source_id="sample.outlet-b"),
        make("c", "a wholly different text that stands under the very same address", 4, url=f"{url}?utm_source=feed"),
        make("d", "the oil price rose again in the markets of the gulf today", 6),
    ]


def expected(reports: Sequence[Report]) -> list[Seen]:
    a, _, a_edit, b, c, d = reports
    return [
        (a.native_id, a.text, 0, a.item_id, "none"),
        (a.native_id, a_edit.text, 1, a.item_id, "edit"),
        (b.native_id, b.text, 0, a.item_id, "text"),
        (c.native_id, c.text, 0, a.item_id, "url"),
        (d.native_id, d.text, 0, d.item_id, "none"),
    ]


@pytest.mark.parametrize("shards", [1, 3, 64])
def test_repeats_are_dropped_and_stories_joined(report: Make, shards: int) -> None:
    reports = stream(report)
    with beam.Pipeline(runner=FnApiRunner(), options=PipelineOptions([])) as p:
        out = p | beam.Create(reports) | "Deduplicate" >> Deduplicate(Settings(shards=shards))
        assert_that(out.reports | beam.Map(seen), equal_to(expected(reports)))


def test_any_order_of_arrival_gives_the_same_stories(report: Make) -> None:
    reports = stream(report)
    with beam.Pipeline(runner=FnApiRunner(), options=PipelineOptions([])) as p:
        for turn in range(3):
            shuffled = random.Random(turn).sample(reports, len(reports))
            out = p | f"Create{turn}" >> beam.Create(shuffled) | f"Deduplicate{turn}" >> Deduplicate(Settings(shards=4))
            assert_that(out.reports | f"Seen{turn}" >> beam.Map(seen), equal_to(expected(reports)), label=f"Check{turn}")


def test_two_equal_items_of_one_moment_are_one(report: Make) -> None:
    twice = [report("a", COPY), report("a", COPY)]
    with beam.Pipeline(runner=FnApiRunner(), options=PipelineOptions([])) as p:
        out = p | beam.Create(twice) | "Deduplicate" >> Deduplicate(Settings(shards=2))
        assert_that(out.reports | beam.Map(seen), equal_to([("a", COPY, 0, twice[0].item_id, "none")]))


def live(tmp_path: Path, arriving: Any, hold: timedelta, *, arrivals: bool = False) -> list[Any]:
    """What a streaming run emits, in the order it does; with arrivals, a log of both. TestStream stands for the broker."""
    log = tmp_path / "log.jsonl"
    options = PipelineOptions([])
    options.view_as(StandardOptions).streaming = True
    with beam.Pipeline(runner=BundleBasedDirectRunner(), options=options) as p:
        given = p | arriving
        out = given | "Deduplicate" >> Deduplicate(Settings(shards=2, hold=hold))
        if arrivals:
            given | "Arrived" >> beam.Map(lambda r: _append(["arrived", r.native_id], log))
            out.reports | "Emitted" >> beam.Map(lambda r: _append(["emitted", r.native_id], log))
        else:
            out.reports | beam.Map(lambda r: _append(seen(r), log))
    return [json.loads(line) for line in log.read_text(encoding="utf8").splitlines()]


def _append(row: Sequence[Any], log: Path) -> None:
    with log.open("a", encoding="utf8") as out:
        out.write(json.dumps(row) + "\n")


def at(given: Report) -> TimestampedValue:
    return TimestampedValue(given, given.first_seen.timestamp())


def test_live_folds_in_logical_time_after_the_hold(report: Make, tmp_path: Path) -> None:
    """The copy arrives before the original: within the hold the older one still anchors the story."""
    reports = stream(report)
    a, b, d = reports[0], reports[3], reports[5]
    start = a.first_seen.timestamp()
    arriving = (
        test_stream.TestStream()
        .advance_watermark_to(start - 1)
        .add_elements([at(b)])
        .add_elements([at(a)])
        .advance_watermark_to(start + 2000)
        .add_elements([at(d)])  # late: behind the watermark
        .advance_watermark_to_infinity()
    )
    assert sorted(live(tmp_path, arriving, timedelta(seconds=300))) == [
        [a.native_id, a.text, 0, a.item_id, "none"],
        [b.native_id, b.text, 0, a.item_id, "text"],
        [d.native_id, d.text, 0, d.item_id, "none"],
    ]


def test_a_busy_key_does_not_push_its_timer_ahead(report: Make, tmp_path: Path) -> None:
    """One item a minute for half an hour, hold two minutes: the first are out long before the last comes in."""
    reports = [report(f"n{n}", f"bulletin number {n} of the evening, with its own words {n}", n) for n in range(30)]
    arriving = test_stream.TestStream().advance_watermark_to(reports[0].first_seen.timestamp() - 1)
    for bulletin in reports:
        arriving = arriving.add_elements([at(bulletin)]).advance_watermark_to(bulletin.first_seen.timestamp())
    log = live(tmp_path, arriving.advance_watermark_to_infinity(), timedelta(minutes=2), arrivals=True)
    assert len(log) == 60
    assert log.index(["emitted", "n0"]) < log.index(["arrived", "n10"])


def answers(cells: Cells, reports: Sequence[Report], ttl: timedelta) -> tuple[Cells, list[Any]]:
    """FoldReferences on one shard, restored from what was written, its answers unpacked and in order."""
    elements = sorted(element for given in reports for _, element in _route_references(given, 1))
    step = FoldReferences(ttl=ttl, shards=1)
    writes, out = step.fold(step.restore(cells), elements)
    return written(cells, writes), sorted(element for _, (_, packed) in out for element in unpack_elements(packed))


@settings(max_examples=30)
@given(st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from("xy"), st.integers(0, 30)), min_size=1, max_size=25), st.data())
def test_slices_change_no_answer(rows: list[tuple[str, str, int]], data: st.DataObject) -> None:
    """Folding in one go, or cut anywhere with the cells carried over, gives the same answers, past the TTL too."""
    reports = sorted((bare_report(*row) for row in rows), key=lambda r: (r.first_seen, r.item_id, r.content_hash))
    cut = data.draw(st.integers(0, len(reports)))
    while 0 < cut < len(reports) and _rank(reports[cut]) == _rank(reports[cut - 1]):
        cut += 1
    whole = answers({}, reports, timedelta(days=7))[1]
    cells, first = answers({}, reports[:cut], timedelta(days=7))
    second = answers(cells, reports[cut:], timedelta(days=7))[1]
    assert sorted(first + second) == whole


def _rank(given: Report) -> tuple[Any, str]:
    return given.first_seen, given.item_id


def size(cells: Cells) -> int:
    return sum(len(piece) for pieces in cells.values() for piece in pieces)


def test_memory_falls_past_the_ttl() -> None:
    ttl = timedelta(days=7)
    cells: Cells = {}
    sizes = []
    for day in range(40):
        cells, _ = answers(cells, [bare_report(f"{day}-{n}", f"{day}-{n}", day) for n in range(50)], ttl)
        sizes.append(size(cells))
    assert max(sizes[10:]) == min(sizes[10:]), "in the steady state, what expires makes room for what comes"
    cells, _ = answers(cells, [bare_report("late", "late", 80)], ttl)
    for day in range(81, 90):
        cells, _ = answers(cells, [bare_report(str(day), str(day), day)], ttl)
    assert size(cells) < sizes[-1] / 10


def test_what_was_seen_again_is_remembered_again() -> None:
    ttl = timedelta(days=7)
    cells: Cells = {}
    for day in (0, 6, 12, 18):
        cells, found = answers(cells, [bare_report("a", "x", day)], ttl)
        assert (b"A" in {payload[:1] for _, payload in found}) is True
    assert found[0][1][-1:] == b"\x01", "polled every six days, still a repeat on day 18"
    _, found = answers(cells, [bare_report("a", "x", 40)], ttl)
    assert found[0][1][-1:] == b"\x00", "forgotten after 22 silent days"


def test_judge_names_each_case() -> None:
    item, other = b"a" * 16, b"b" * 16
    _, first = judge(item, 1, 0, None)
    assert first == (item, 1, 0)
    assert judge(item, 1, 0, first)[0][-1:] == b"\x01"
    assert judge(item, 2, 0, first)[1] == (item, 2, 1)
    answer, kept = judge(other, 9, 1, first)
    assert kept == first
    assert item in answer
    assert answer[-1:] == b"\x00"


def test_signatures_leave_out_what_a_report_has_not(report: Make) -> None:
    assert [layer for layer, _ in signatures(report("a", "too short"))] == [0]
    assert [layer for layer, _ in signatures(report("a", COPY, url="https://x.example/1"))] == [0, 1, 2]


def test_a_report_that_nobody_knows_is_its_own_story(report: Make) -> None:
    given = report("a", COPY)
    own = bytes.fromhex(given.item_id)
    assert with_story(given, [(0, own, 0, False), (2, own, 0, False)]) is given
    assert micros(given.first_seen) == int(given.first_seen.timestamp()) * 1_000_000
