"""Deduplicate: what is dropped, what joins which story, in any order, at any parallelism, in any slices."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import apache_beam as beam
import numpy as np
import pytest
from apache_beam.options.pipeline_options import PipelineOptions, StandardOptions
from apache_beam.runners.direct.direct_runner import BundleBasedDirectRunner
from apache_beam.runners.portability.fn_api_runner import FnApiRunner
from apache_beam.testing import test_stream
from apache_beam.testing.util import assert_that, equal_to
from apache_beam.transforms.window import TimestampedValue
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.deduplicate import Answer, Deduplicate, with_story
from pipeline.fold import Cells, micros, unpack_elements
from pipeline.near_duplicates import SAMPLED
from pipeline.references import ANSWER, NEAR, FoldReferences, _answer, refer
from pipeline.rows import Array, times
from pipeline.settings import Settings
from schemas.records import Report
from tests.pipeline.conftest import bare_report, written

Make = Callable[..., Report]
Seen = tuple[str, str, int, str | None, str]
COPY = "several rockets were fired at the fortified zone on sunday evening"
LONG = (
    "Officials in the capital said that several rockets had been fired at the fortified zone late in the evening, that sirens were heard on both "
    "banks of the river, and that part of the fire had been brought down. Residents spoke of windows that broke in a housing complex, of parked "
    "cars with holes in them, and of a long silence afterwards, while patrols closed two bridges and searched the fields from which it came."
)


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


TTL = timedelta(days=6)


def folding(*, shards: int = 1, most: int = 1_000_000) -> FoldReferences:
    return FoldReferences(ttl=TTL, near_ttl=timedelta(days=3), most=most, shards=shards)


def rows(reports: Sequence[Report]) -> Array:
    """The references of reports, in order."""
    return FoldReferences.batches.merged([refer(reports).rows.tobytes()])


def answers(cells: Cells, reports: Sequence[Report]) -> tuple[Cells, list[Any]]:
    """FoldReferences on one shard, restored from what was written, its answers unpacked and in order."""
    step = folding()
    writes, out = step.fold(step.restore(cells), rows(reports))
    packed = [payload for _, (_, batch) in out for _, payload in unpack_elements(batch)]
    found = np.concatenate([np.frombuffer(payload, ANSWER, offset=1) for payload in packed] or [np.empty(0, ANSWER)], dtype=ANSWER)
    return written(cells, writes), sorted(found.tolist())


def test_each_reference_is_answered_as_one_by_one_in_plain_dicts() -> None:
    """The rules in a loop, beside the arrays: hundreds of versions of few items, with gaps that forget."""
    chosen = random.Random(7)
    reports = [bare_report(chosen.choice("abcde"), chosen.choice("xyz"), chosen.choice([0, 1, 2, 3, 9, 10, 11, 30])) for _ in range(400)]
    asked = rows(reports)
    width = TTL // timedelta(microseconds=1) // 3
    known: dict[int, tuple[int, list[Any]]] = {}
    expected = []
    for row, time in zip(asked.tolist(), times(asked).tolist(), strict=True):
        stamped, item, _, content, layer, key, mark = row
        bucket, entry = known.get(key, (-99, None))
        news = entry is None or time // width - bucket >= 4
        if news:
            entry = [item, time, mark, 0]
        edited = layer == 0 and mark != entry[2]
        if edited:
            entry = [entry[0], entry[1], mark, entry[3] + 1]
        known[key] = time // width, entry
        expected.append((stamped, item, content, layer, *entry, layer == 0 and not news and not edited))
    step = folding()
    _, found = _answer(step.restore({}).exact, asked, width=width, cells=4)
    fields = ["time", "item", "content", "layer", "story", "since", "mark", "revision", "repeat"]
    assert sorted(found[fields].tolist()) == sorted(expected)
    assert {answer[-1] for answer in expected} == {True, False}


@settings(max_examples=30)
@given(st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from("xy"), st.integers(0, 30)), min_size=1, max_size=25), st.data())
def test_slices_change_no_answer(rows: list[tuple[str, str, int]], data: st.DataObject) -> None:
    """Folding in one go, or cut anywhere with the cells carried over, gives the same answers, past the TTL too."""
    reports = sorted((bare_report(*row) for row in rows), key=lambda r: (r.first_seen, r.item_id, r.content_hash))
    cut = data.draw(st.integers(0, len(reports)))
    while 0 < cut < len(reports) and _rank(reports[cut]) == _rank(reports[cut - 1]):
        cut += 1
    whole = answers({}, reports)[1]
    cells, first = answers({}, reports[:cut])
    second = answers(cells, reports[cut:])[1]
    assert sorted(first + second) == whole


def _rank(given: Report) -> tuple[Any, str]:
    return given.first_seen, given.item_id


def size(cells: Cells) -> int:
    return sum(len(piece) for pieces in cells.values() for piece in pieces)


def test_memory_falls_past_the_ttl() -> None:
    cells: Cells = {}
    sizes = []
    for day in range(60):
        cells, _ = answers(cells, [bare_report(f"{day}-{n}", f"{day}-{n}", day) for n in range(50)])
        sizes.append(size(cells))
    assert max(sizes[20:]) <= max(sizes[8:20]), "in the steady state, what expires makes room for what comes"
    for day in range(80, 90):
        cells, _ = answers(cells, [bare_report(str(day), str(day), day)])
    assert size(cells) < sizes[-1] / 10


def test_samples_of_texts_are_forgotten_sooner(report: Make) -> None:
    cells, _ = answers({}, [report("a", LONG)])
    full = size(cells)
    for day in range(1, 6):
        cells, _ = answers(cells, [bare_report(str(day), str(day), day)])
    cells, _ = answers(cells, [report("late", LONG.upper() + " and more", 60 * 24 * 6)])
    assert {cell for cell, pieces in cells.items() if any(pieces)} >= {0, 1, 2}
    assert sum(len(piece) for cell, pieces in cells.items() for piece in pieces if cell >= 4) < full * 2, "one of two is left"


def test_what_was_seen_again_is_remembered_again() -> None:
    cells: Cells = {}
    for day in (0, 5, 10, 15):
        cells, found = answers(cells, [bare_report("a", "x", day)])
    assert any(answer[-1] for answer in found), "polled every five days, still a repeat on day 15"
    _, found = answers(cells, [bare_report("a", "x", 40)])
    assert not any(answer[-1] for answer in found), "forgotten after 25 silent days"


def test_answers_that_say_nothing_are_one_row(report: Make) -> None:
    given = report("a", LONG, url="https://x.example/1")
    ((_, _, _, number, *_),) = answers({}, [given])[1]
    assert number == refer([given]).counts[0] == 3 + SAMPLED


def test_references_leave_out_what_a_report_has_not(report: Make) -> None:
    given = [report("a", "too short"), report("b", COPY, url="https://x.example/1"), report("c", LONG)]
    referred = refer(given)
    assert referred.counts == [1, 3, 2 + SAMPLED]
    assert referred.sampled == [0, 0, SAMPLED]
    assert np.bincount(referred.rows["layer"]).tolist() == [3, 1, 2, SAMPLED]


def test_a_report_that_nobody_knows_is_its_own_story(report: Make) -> None:
    given = report("a", COPY)
    assert with_story(given, []) is given
    assert micros(given.first_seen) == int(given.first_seen.timestamp()) * 1_000_000


def near(story: bytes, since: int, votes: int, mark: int = 0) -> list[Answer]:
    return [Answer(NEAR, story, since, mark, 0, False)] * votes


def test_the_oldest_story_with_votes_enough_is_joined(report: Make) -> None:
    given, other_source = report("a", LONG), 1
    assert with_story(given, near(b"o" * 16, 5, 3), sampled=12, mark=other_source).story_layer == "none"
    found = with_story(given, [*near(b"y" * 16, 9, 8), *near(b"o" * 16, 5, 4)], sampled=12, mark=other_source)
    assert (found.story_id, found.story_layer, found.story_score) == ((b"o" * 16).hex(), "near", 4 / 12)
    by_text = Answer(2, b"t" * 16, 7, 0, 0, False)
    assert with_story(given, [by_text, *near(b"o" * 16, 5, 4)], sampled=12, mark=other_source).story_layer == "near"
    assert with_story(given, [by_text, *near(b"o" * 16, 9, 9)], sampled=12, mark=other_source).story_layer == "text"


def test_other_numbers_or_the_same_outlet_take_more_votes(report: Make) -> None:
    given = report("a", LONG)
    other_numbers = 1 << 40 | 1 << 16 | 1
    for mark, other in ((1, 1), (other_numbers, 2)):
        assert with_story(given, near(b"o" * 16, 5, 10, other), sampled=12, mark=mark).story_layer == "none"
        assert with_story(given, near(b"o" * 16, 5, 11, other), sampled=12, mark=mark).story_layer == "near"
    assert with_story(given, near(b"o" * 16, 5, 4, 2), sampled=12, mark=1).story_layer == "near"


def test_copies_of_a_copy_are_all_of_the_first_story(report: Make) -> None:
    """An edited copy, a copy of that letter for letter, a lead of it: whatever layer finds them, the story is the oldest."""
    edited = LONG.replace("several", "many").replace("evening", "night").replace("officials", "officers")
    reports = [
        report("a", LONG, 0),
        report("b", edited, 1, source_id="sample.outlet-b"),
        report("c", edited, 2, source_id="sample.outlet-c"),
        report("d", " ".join(edited.split()[:45]), 3, source_id="sample.outlet-d"),
        report("e", "A wholly other account: " + " ".join(reversed(LONG.split())), 4, source_id="sample.outlet-e"),
    ]
    with beam.Pipeline(runner=FnApiRunner(), options=PipelineOptions([])) as p:
        out = p | beam.Create(reports) | "Deduplicate" >> Deduplicate(Settings(shards=5))
        stories = out.reports | beam.Map(lambda r: (r.native_id, r.story_id, r.story_layer))
        first = reports[0].item_id
        assert_that(stories, equal_to([("a", first, "none"), *((name, first, "near") for name in "bcd"), ("e", reports[4].item_id, "none")]))


def test_an_edit_of_a_copy_stays_in_its_story(report: Make) -> None:
    reports = [
        report("a", LONG, 0),
        report("b", LONG, 1, source_id="sample.outlet-b"),
        report("b", LONG + " More follows.", 2, source_id="sample.outlet-b"),
    ]
    with beam.Pipeline(runner=FnApiRunner(), options=PipelineOptions([])) as p:
        out = p | beam.Create(reports) | "Deduplicate" >> Deduplicate(Settings(shards=5))
        rows_ = out.reports | beam.Map(lambda r: (r.native_id, r.item_revision, r.story_id, r.story_layer))
        first = reports[0].item_id
        assert_that(rows_, equal_to([("a", 0, first, "none"), ("b", 0, first, "text"), ("b", 1, first, "near")]))
