"""What deduplication remembers, against a dict of dicts, and what is written of it."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from pipeline.fold import CELLS, Cells
from pipeline.seen import Entry, Known, Seen
from tests.pipeline.conftest import written

Fresh = dict[int, dict[int, Entry]]

KEYS = st.one_of(st.integers(0, 12), st.sampled_from([2**63, 2**64 - 1]))
ENTRIES = st.tuples(st.binary(min_size=16, max_size=16) | st.just(bytes(16)), st.integers(0, 2**64 - 1), st.integers(0, 2**32 - 1))
FRESH = st.dictionaries(st.integers(-3, 25), st.dictionaries(KEYS, ENTRIES, min_size=1, max_size=6), max_size=4)
ALL_KEYS = [*range(14), 2**63, 2**64 - 1]


class Model:
    """The same in plain dicts: place in the ring -> (bucket, entries)."""

    def __init__(self) -> None:
        self.ring: dict[int, tuple[int, dict[int, Entry]]] = {}

    def remember(self, fresh: Fresh) -> None:
        for number, entries in sorted(fresh.items()):
            held, known = self.ring.get(number % CELLS, (number, {}))
            if held <= number:
                self.ring[number % CELLS] = number, (known if held == number else {}) | entries

    def recall(self) -> Known:
        return {key: (number, entry) for number, entries in sorted(self.ring.values(), key=lambda bucket: bucket[0]) for key, entry in entries.items()}


@given(st.lists(FRESH, max_size=12))
def test_memory_model_and_what_is_written_agree_at_every_step(turns: list[Fresh]) -> None:
    seen, model = Seen(), Model()
    cells: Cells = {}
    for fresh in turns:
        cells = written(cells, seen.remember(fresh))
        model.remember(fresh)
        assert seen.recall(ALL_KEYS) == model.recall()
        assert Seen.restore(cells).recall(ALL_KEYS) == model.recall()
        assert Seen.restore({cell: [piece] for cell, piece in seen.dump().items()}).recall(ALL_KEYS) == model.recall()


@given(st.lists(FRESH, max_size=8), st.lists(FRESH, max_size=4))
def test_a_restored_memory_goes_on_like_the_one_it_was(before: list[Fresh], after: list[Fresh]) -> None:
    seen = Seen()
    cells: Cells = {}
    for fresh in before:
        cells = written(cells, seen.remember(fresh))
    again = Seen.restore(cells)
    for fresh in after:
        assert again.remember(fresh) == seen.remember(fresh)
        assert again.recall(ALL_KEYS) == seen.recall(ALL_KEYS)


def test_only_what_was_asked_for_is_recalled() -> None:
    entry = (b"s" * 16, 7, 0)
    seen = Seen()
    seen.remember({1: {3: entry, 5: entry}})
    assert seen.recall([5, 5, 4]) == {5: (1, entry)}
    assert seen.recall([]) == {}
    assert Seen().recall([5]) == {}


def test_a_bucket_is_forgotten_when_its_place_is_taken_and_comes_back_no_more() -> None:
    old, new = (b"o" * 16, 1, 0), (b"n" * 16, 2, 1)
    seen = Seen()
    seen.remember({0: {1: old}})
    (write,) = seen.remember({CELLS: {2: new}})
    assert write.replace
    assert seen.recall([1, 2]) == {2: (CELLS, new)}
    assert seen.remember({0: {1: old}}) == []
    assert seen.recall([1]) == {}
