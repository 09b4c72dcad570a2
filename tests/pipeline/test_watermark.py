"""The policy of the source's watermark, on the broker's clock: idle partitions do not pin it, a backlog does."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from pipeline.sources.watermark import SLACK, Watermark

SECOND = 1_000_000
NOON = 1_600_000_000 * SECOND
PARTITIONS = st.integers(0, 3)
STEPS = st.lists(
    st.tuples(PARTITIONS, st.integers(-5 * SECOND, 5 * SECOND), st.integers(-SECOND, 60 * SECOND), st.sets(PARTITIONS)),
    min_size=2,
)


def test_a_partition_with_more_to_read_holds_it_at_its_last_record() -> None:
    watermark = Watermark()
    watermark.seen(0, NOON - 3600 * SECOND, NOON, fresh=True)
    watermark.seen(1, NOON, NOON, fresh=True)
    assert watermark.reach([0], NOON) == NOON - 3600 * SECOND


def test_one_of_which_nothing_is_read_yet_holds_it_at_the_beginning() -> None:
    watermark = Watermark()
    watermark.seen(0, NOON, NOON, fresh=True)
    assert watermark.reach([0, 1], NOON + SECOND) == 0


def test_partitions_far_ahead_wait_for_those_with_more_to_read() -> None:
    watermark = Watermark()
    for partition, seconds in enumerate([0, 0.5, 3, 900]):
        watermark.seen(partition, NOON + int(seconds * SECOND), NOON, fresh=True)
    assert watermark.ahead([0, 1, 2, 3]) == {2, 3}
    assert watermark.ahead([1, 2, 3]) == {2, 3}
    assert watermark.ahead([2, 3]) == {3}, "those read to their end are waited for no more"
    assert watermark.ahead([3]) == watermark.ahead([]) == set()
    assert watermark.ahead([0, 1, 4]) == {0, 1}, "of one of which nothing is read yet it is not known how far behind it is"


def test_who_takes_over_knows_what_was_read_before() -> None:
    before = Watermark()
    before.seen(0, NOON, NOON, fresh=True)
    assert Watermark(before.last).reach([0], NOON) == NOON
    before.reach([], NOON + SECOND)
    assert Watermark(before.last, before.reached).newest == NOON + SECOND - SLACK


def test_idle_partitions_do_not_pin_it() -> None:
    watermark = Watermark()
    watermark.seen(0, NOON, NOON, fresh=True)
    assert watermark.reach([], NOON + 60 * SECOND) == NOON + 60 * SECOND - SLACK
    watermark.seen(1, NOON + 61 * SECOND, NOON + 61 * SECOND, fresh=True)
    assert watermark.reach([1], NOON + 61 * SECOND) == NOON + 61 * SECOND, "partition 0 has been silent for a minute"


def test_a_split_without_any_record_goes_on_too() -> None:
    assert Watermark().reach([], NOON) == NOON - SLACK


def test_a_broker_whose_clock_is_behind_is_not_idle() -> None:
    """Its records are a minute old when they come: so is everything on its way."""
    watermark = Watermark()
    for second in range(5):
        watermark.seen(0, NOON + second * SECOND, NOON + (second + 60) * SECOND + 20_000, fresh=True)
    assert watermark.reach([], NOON + 65 * SECOND) == NOON + 5 * SECOND - 20_000 - SLACK


def test_a_broker_whose_clock_is_ahead_is_followed() -> None:
    watermark = Watermark()
    watermark.seen(0, NOON + 60 * SECOND, NOON, fresh=True)
    assert watermark.reach([], NOON + 10 * SECOND) == NOON + 70 * SECOND - SLACK


def test_an_old_record_of_a_backlog_is_no_slow_broker() -> None:
    """Reading what is days old says nothing of the clock."""
    watermark = Watermark()
    watermark.seen(1, NOON - 86_400 * SECOND, NOON, fresh=False)
    assert watermark.reach([], NOON + SECOND) == NOON + SECOND - SLACK


def test_a_record_older_than_the_one_before_it_holds_nothing_back() -> None:
    """Times that producers set may go back within a partition."""
    watermark = Watermark()
    watermark.seen(0, NOON, NOON, fresh=True)
    watermark.seen(0, NOON - SECOND, NOON, fresh=True)
    assert watermark.reach([0], NOON) == NOON


def test_records_are_given_the_time_of_the_newest() -> None:
    watermark = Watermark()
    watermark.seen(0, NOON, NOON, fresh=True)
    assert watermark.newest == NOON
    watermark.seen(1, NOON - SECOND, NOON, fresh=True)
    assert watermark.newest == NOON, "never one before it, whatever the clocks of brokers do"
    watermark.reach([], NOON + 5 * SECOND)
    assert watermark.newest > NOON + SECOND, "nor one before the watermark"


@given(STEPS)
def test_nothing_comes_behind_the_watermark_or_before_what_was_read(steps: list[tuple[int, int, int, set[int]]]) -> None:
    watermark, now, before = Watermark(), NOON, 0
    for partition, delay, later, waiting in steps:
        now += later
        watermark.seen(partition, now - delay, now, fresh=True)
        assert watermark.newest >= max(before, watermark.reached, now - delay)
        before = watermark.newest
        watermark.reach(waiting, now)


@given(STEPS)
def test_it_never_goes_back(steps: list[tuple[int, int, int, set[int]]]) -> None:
    watermark, now, before = Watermark(), NOON, 0
    for partition, delay, later, waiting in steps:
        now += later
        watermark.seen(partition, now - delay, now, fresh=True)
        reached = watermark.reach(waiting, now)
        assert reached >= before
        before = reached
