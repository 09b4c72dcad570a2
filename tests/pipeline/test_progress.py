"""How far a run has come: when the reader waits, and for how long."""

from __future__ import annotations

import pytest

from pipeline import progress
from pipeline.progress import Progress

SECOND = 1_000_000


def reading(*, offset: int, seconds: float) -> Progress:
    """A run that has done 100 records up to second 10 of one partition, and has read up to an offset, appended so many seconds later."""
    here = Progress(in_flight=50, margin=SECOND)
    here.began(0, 0)
    here.done(0, 100, 10 * SECOND)
    here.read(0, offset, int((10 + seconds) * SECOND))
    return here


@pytest.mark.parametrize(
    ("offset", "seconds", "full"),
    [
        (150, 5, False),  # as many as may be in flight
        (151, 5, True),
        (151, 1, False),  # what the steps hold until the clock has moved on
        (100, 5, False),  # nothing is in flight
    ],
)
def test_the_reader_waits_when_too_much_is_in_flight_for_longer_than_the_steps_hold(offset: int, seconds: float, full: bool) -> None:
    assert reading(offset=offset, seconds=seconds).full() == full


def test_it_goes_on_when_what_was_read_is_done() -> None:
    here = reading(offset=200, seconds=5)
    assert here.full()
    here.done(0, 200, 15 * SECOND)
    assert not here.full()


def test_what_was_there_before_the_beginning_is_not_in_flight() -> None:
    here = Progress(in_flight=50, margin=0)
    here.began(0, 1_000_000)
    here.read(0, 1_000_010, SECOND)
    assert not here.full()


def test_all_partitions_count() -> None:
    here = reading(offset=130, seconds=5)
    assert not here.full()
    here.began(1, 7)
    here.read(1, 37, 12 * SECOND)
    assert here.full()


def test_a_reader_is_not_stopped_before_anything_is_done() -> None:
    """Nobody knows yet how long it takes: the steps need the watermark to go on, and with it the reader."""
    here = Progress(in_flight=50, margin=0)
    here.began(0, 0)
    here.read(0, 10_000, 100 * SECOND)
    assert not here.full()


@pytest.mark.parametrize(("seconds", "pause"), [(0, 0), (1, 0), (2, 0.25), (3, 0.5), (5, 1), (60, 1)])
def test_the_pause_grows_with_the_distance_up_to_a_second(seconds: float, pause: float) -> None:
    assert reading(offset=200, seconds=seconds).pause() == pause


def test_a_run_is_known_by_its_name_until_it_ends() -> None:
    here = Progress(in_flight=1, margin=0)
    progress.begin("a run", here)
    assert progress.of("a run") is here
    assert progress.of("another") is None
    progress.end("a run")
    progress.end("a run")
    assert progress.of("a run") is None
