"""What the marks of bundles say is done."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from pipeline.done import Done, FoldMarks
from pipeline.packing import pack

Mark = tuple[int, int, int]
"""When it was appended, its partition, the next offset."""
MARKS = st.lists(st.tuples(st.integers(0, 100), st.integers(0, 3), st.integers(1, 50)), max_size=20)


def done(marks: Sequence[Mark]) -> list[Done]:
    fold = FoldMarks()
    writes, outputs = fold.fold(fold.restore({}), [(appended, pack((partition, following))) for appended, partition, following in sorted(marks)])
    assert writes == ()
    assert fold.dump(None) == {}
    return outputs


def test_the_furthest_mark_of_each_partition() -> None:
    assert done([(10, 0, 5), (30, 0, 9), (20, 1, 7)]) == [{0: 9, 1: 7}]


def test_an_offset_counts_not_a_time() -> None:
    assert done([(30, 0, 5), (10, 0, 9)]) == [{0: 9}]


def test_no_mark_says_nothing() -> None:
    assert done([]) == []


@given(MARKS)
def test_against_the_plain_maximum(marks: list[Mark]) -> None:
    wanted = {partition: max(following for _, other, following in marks if other == partition) for _, partition, _ in marks}
    assert done(marks) == ([wanted] if wanted else [])
