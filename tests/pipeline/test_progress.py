"""How far a run has come: when the reader waits, and for how long."""

from __future__ import annotations

import pytest

from pipeline import progress
from pipeline.progress import Progress

SECOND = 1_000_000


def reading(*, offset: int, watermark: float) -> Progress:
    """A run that has done 100 records of one partition, with the mark of a bundle at 120, appended at second 10, and has read up to an offset."""
    here = Progress(in_flight=50, margin=SECOND)
    here.began(0, 0)
    here.marked({0: 100}, 5 * SECOND)
    here.marked({0: 120}, 10 * SECOND)
    here.done(0, 100)
    here.read(0, offset)
    here.reached(0, int(watermark * SECOND))
    return here


@pytest.mark.parametrize(
    ("offset", "watermark", "full"),
    [
        (150, 15, False),  # as many as may be in flight
        (151, 15, True),
        (151, 11, False),  # the steps hold what was read until the clock has moved on
        (151, 11.1, True),
        (100, 15, False),  # nothing is in flight
    ],
)
def test_the_reader_waits_when_too_much_is_in_flight_that_nothing_holds(offset: int, watermark: float, full: bool) -> None:
    assert reading(offset=offset, watermark=watermark).full() == full


def test_it_goes_on_when_what_was_read_is_done() -> None:
    here = reading(offset=200, watermark=15)
    assert here.full()
    here.done(0, 200)
    assert not here.full()


def test_a_burst_is_read_until_the_clock_has_moved_on() -> None:
    """All that was read was appended within the margin: no step can go on before the reader does."""
    here = Progress(in_flight=50, margin=SECOND)
    here.began(0, 0)
    for offset in range(100, 1000, 100):
        here.read(0, offset)
        here.marked({0: offset}, offset * 1000)
        here.reached(0, offset * 1000)
        assert not here.full()
    here.reached(0, 100_000 + SECOND + 1)
    assert here.full()


def test_the_slowest_split_decides_what_is_ripe() -> None:
    here = reading(offset=200, watermark=15)
    here.reached(1, 11 * SECOND)
    assert not here.full()
    here.reached(1, 15 * SECOND)
    assert here.full()


def test_a_mark_waits_for_each_of_its_partitions() -> None:
    here = Progress(in_flight=50, margin=0)
    for partition in (0, 1):
        here.began(partition, 0)
        here.read(partition, 100)
    here.marked({0: 100, 1: 100}, SECOND)
    here.reached(0, 2 * SECOND)
    here.done(0, 100)
    assert here.full()
    here.done(1, 100)
    assert not here.full()


def test_a_reader_that_takes_over_takes_nothing_back() -> None:
    here = reading(offset=200, watermark=15)
    here.reached(0, 0)
    assert here.full()


def test_what_gives_nothing_is_known_by_split() -> None:
    here = Progress(in_flight=1, margin=0)
    assert here.given_up == []
    here.gave_up(1, {3})
    here.gave_up(0, {2, 0})
    assert here.given_up == [0, 2, 3]
    here.gave_up(0, set())
    assert here.given_up == [3]


def test_what_was_there_before_the_beginning_is_not_in_flight() -> None:
    here = Progress(in_flight=50, margin=0)
    here.began(0, 1_000_000)
    here.read(0, 1_000_010)
    here.marked({0: 1_000_005}, 1)
    here.reached(0, SECOND)
    assert not here.full()


def test_all_partitions_count() -> None:
    here = reading(offset=130, watermark=15)
    assert not here.full()
    here.began(1, 7)
    here.read(1, 37)
    assert here.full()


@pytest.mark.parametrize(("watermark", "pause"), [(10, 0), (11, 0), (12, 0.25), (13, 0.5), (15, 1), (60, 1)])
def test_the_pause_grows_with_the_time_that_a_ripe_mark_waits_up_to_a_second(watermark: float, pause: float) -> None:
    assert reading(offset=200, watermark=watermark).pause() == pause


def test_a_run_is_known_by_its_name_until_it_ends() -> None:
    here = Progress(in_flight=1, margin=0)
    progress.begin("a run", here)
    assert progress.of("a run") is here
    assert progress.of("another") is None
    progress.end("a run")
    progress.end("a run")
    assert progress.of("a run") is None
