"""When elements are folded: the ticks of a stream, and what is ripe at one."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from itertools import groupby

from hypothesis import given
from hypothesis import strategies as st

from pipeline.done import FoldMarks
from pipeline.fold import Element, Listed, unpack_elements
from pipeline.fold_in_order import _FoldAtTicks, _ripe
from pipeline.packing import pack

HOLD = 100_000
Arrived = list[tuple[int, list[Element]]]
BATCHES = st.lists(
    st.tuples(st.integers(0, 9), st.lists(st.tuples(st.integers(0, 6), st.sampled_from([b"a", b"b", b"c"])), min_size=1, max_size=4)), max_size=8
)


def tick(arrival: int, hold: int = HOLD) -> int:
    return _FoldAtTicks(FoldMarks(), timedelta(microseconds=hold))._tick(arrival)


def ripe(batches: Sequence[tuple[int, list[Element]]], until: int) -> tuple[list[Element], Arrived]:
    ready, rest = _ripe(Listed(), [(arrival, pack(elements)) for arrival, elements in batches], until)
    return ready, [(arrival, unpack_elements(packed)) for arrival, packed in rest]


def test_ticks_stand_on_a_grid() -> None:
    assert [tick(arrival) for arrival in (0, 1, HOLD - 1, HOLD, HOLD + 1)] == [HOLD, 2 * HOLD, 2 * HOLD, 2 * HOLD, 3 * HOLD]
    assert tick(123_456, hold=0) == 123_456


def test_what_comes_from_a_fold_has_waited() -> None:
    behind = _FoldAtTicks(FoldMarks(), timedelta(microseconds=HOLD), behind_ticks=True)
    assert [behind._tick(arrival) for arrival in (0, 1, HOLD - 1, HOLD)] == [0, 2 * HOLD, 2 * HOLD, HOLD]


@given(st.integers(-(10**15), 10**15), st.integers(1, 10**7))
def test_an_element_waits_for_one_hold_at_least_and_less_than_two(arrival: int, hold: int) -> None:
    due = tick(arrival, hold)
    assert due % hold == 0
    assert arrival + hold <= due < arrival + 2 * hold
    assert arrival <= due - hold, "at its tick it is ripe"


def test_what_arrived_later_waits_unless_it_is_of_an_earlier_time() -> None:
    batches = [(1, [(5, b"first")]), (3, [(4, b"late"), (5, b"same"), (6, b"next")])]
    assert ripe(batches, 2) == ([(4, b"late"), (5, b"first"), (5, b"same")], [(3, [(6, b"next")])])
    assert ripe(batches, 3) == ([(4, b"late"), (5, b"first"), (5, b"same"), (6, b"next")], [])


def test_nothing_is_ripe_before_something_has_arrived() -> None:
    assert ripe([(3, [(1, b"a")])], 2) == ([], [(3, [(1, b"a")])])
    assert ripe([], 2) == ([], [])


@given(BATCHES, st.integers(-1, 10))
def test_what_is_ripe_and_the_rest_are_everything(batches: Arrived, until: int) -> None:
    ready, rest = ripe(batches, until)
    left = [element for _, elements in rest for element in elements]
    assert ready == sorted(ready)
    assert sorted(ready + left) == sorted(element for _, elements in batches for element in elements)
    assert {element for arrival, elements in batches if arrival <= until for element in elements} <= set(ready)
    assert all(arrival > until for arrival, _ in rest)
    assert not ready or all(time > ready[-1][0] for time, _ in left)


@given(BATCHES, st.integers(-1, 10))
def test_neither_order_nor_batches_matter(batches: Arrived, until: int) -> None:
    """Elements one by one, and all of an arrival in one batch: the same ones are ripe, and the same ones wait as long."""
    single = [(arrival, [element]) for arrival, elements in batches for element in elements]
    merged = [(arrival, [element for _, (element,) in group]) for arrival, group in groupby(sorted(single), key=lambda batch: batch[0])]
    outcomes = [ripe(given, until) for given in (batches, single[::-1], merged)]
    waiting = [sorted((arrival, element) for arrival, elements in rest for element in elements) for _, rest in outcomes]
    assert [ready for ready, _ in outcomes] == [outcomes[0][0]] * 3
    assert waiting == [waiting[0]] * 3


@given(BATCHES, st.lists(st.integers(0, 10), min_size=1).map(sorted))
def test_tick_after_tick_everything_is_folded_in_order_of_time(batches: Arrived, untils: list[int]) -> None:
    """What has not come is not known: each tick sees what arrived up to it and, as it may, a little of what came after."""
    folded: list[Element] = []
    rest: Arrived = batches
    for until in [*untils, 10]:
        ready, rest = ripe(rest, until)
        assert not folded or not ready or folded[-1][0] <= ready[0][0]
        folded += ready
    assert rest == []
