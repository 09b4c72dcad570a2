"""What deduplication remembers, against a dict of dicts, and what is written of it."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from pipeline.fold import Cells, Write
from pipeline.seen import ENTRY, Seen
from tests.pipeline.conftest import written

CELLS, FIRST = 4, 3
Entry = tuple[bytes, int, int, int]
Fresh = dict[tuple[int, int], Entry]
"""(key, bucket) -> story, since, mark, revision."""

KEYS = st.one_of(st.integers(0, 12), st.sampled_from([2**63, 2**64 - 1]))
ENTRIES = st.tuples(
    st.binary(min_size=16, max_size=16) | st.just(bytes(16)), st.integers(-(2**63), 2**63 - 1), st.integers(0, 2**64 - 1), st.integers(0, 2**32 - 1)
)
FRESH = st.dictionaries(st.tuples(KEYS, st.integers(-3, 15)), ENTRIES, max_size=12)
ALL_KEYS = np.array([*range(14), 2**63, 2**64 - 1], dtype=np.uint64)


class Model:
    """The same in plain dicts: place in the ring -> (bucket, entries)."""

    def __init__(self) -> None:
        self.ring: dict[int, tuple[int, dict[int, Entry]]] = {}

    def remember(self, fresh: Fresh) -> None:
        for number in sorted({bucket for _, bucket in fresh}):
            entries = {key: entry for (key, bucket), entry in fresh.items() if bucket == number}
            held, known = self.ring.get(number % CELLS, (number, {}))
            if held <= number:
                self.ring[number % CELLS] = number, (known if held == number else {}) | entries

    def recall(self) -> dict[int, tuple[int, Entry]]:
        return {key: (number, entry) for number, entries in sorted(self.ring.values(), key=lambda bucket: bucket[0]) for key, entry in entries.items()}


def seen(most: int = 1_000) -> Seen:
    return Seen(FIRST, CELLS, most)


def remember(memory: Seen, fresh: Fresh) -> list[Write]:
    rows = sorted((key, bucket, *entry) for (key, bucket), entry in fresh.items())
    entries = np.array([(key, *entry) for key, _, *entry in rows], dtype=ENTRY)
    return memory.remember(np.array([bucket for _, bucket, *_ in rows], dtype=np.int64), entries)


def recalled(memory: Seen, keys: np.ndarray[tuple[int], np.dtype[np.uint64]] = ALL_KEYS) -> dict[int, tuple[int, Entry]]:
    known = memory.recall(keys)
    rows = zip(known.found.tolist(), known.buckets.tolist(), known.entries.tolist(), strict=True)
    return {key: (bucket, tuple(entry)) for found, bucket, (key, *entry) in rows if found}


def restored(cells: Cells) -> Seen:
    memory = seen()
    memory.restore(cells)
    return memory


@given(st.lists(FRESH, max_size=12))
def test_memory_model_and_what_is_written_agree_at_every_step(turns: list[Fresh]) -> None:
    memory, model = seen(), Model()
    cells: Cells = {}
    for fresh in turns:
        cells = written(cells, remember(memory, fresh))
        model.remember(fresh)
        assert recalled(memory) == model.recall()
        assert recalled(restored(cells)) == model.recall()
        assert recalled(restored({cell: [piece] for cell, piece in memory.dump().items()})) == model.recall()
        assert cells.keys() <= set(range(FIRST, FIRST + CELLS))


@given(st.lists(FRESH, max_size=8), st.lists(FRESH, max_size=4))
def test_a_restored_memory_goes_on_like_the_one_it_was(before: list[Fresh], after: list[Fresh]) -> None:
    memory = seen()
    cells: Cells = {}
    for fresh in before:
        cells = written(cells, remember(memory, fresh))
    again = restored(cells)
    for fresh in after:
        assert remember(again, fresh) == remember(memory, fresh)
        assert recalled(again) == recalled(memory)


def test_only_what_was_asked_for_is_recalled() -> None:
    entry = (b"s" * 16, 5, 7, 0)
    memory = seen()
    remember(memory, {(3, 1): entry, (5, 1): entry})
    assert recalled(memory, np.array([4, 5], dtype=np.uint64)) == {5: (1, entry)}
    assert recalled(memory, np.array([], dtype=np.uint64)) == {}
    assert recalled(seen()) == {}


def test_a_bucket_is_forgotten_when_its_place_is_taken_and_comes_back_no_more() -> None:
    old, new = (b"o" * 16, 0, 1, 0), (b"n" * 16, 0, 2, 1)
    memory = seen()
    remember(memory, {(1, 0): old})
    (write,) = remember(memory, {(2, CELLS): new})
    assert write.replace
    assert recalled(memory) == {2: (CELLS, new)}
    assert remember(memory, {(1, 0): old}) == []
    assert 1 not in recalled(memory)


def test_too_many_entries_cost_the_oldest_bucket() -> None:
    entry = (b"s" * 16, 0, 0, 0)
    memory, cells = seen(most=10), {}
    for bucket in (5, 6):
        cells = written(cells, remember(memory, {(key, bucket): entry for key in range(bucket * 10, bucket * 10 + 5)}))
    assert len(memory) == 10
    cells = written(cells, remember(memory, {(99, 6): entry}))
    assert len(memory) == 6
    assert recalled(memory).keys() == recalled(restored(cells)).keys()
    assert not any(cells[FIRST + 5 % CELLS]), "what is forgotten is not stored either"
    remember(memory, {(key, 6): entry for key in range(200, 230)})
    assert len(memory) > 10, "the newest bucket is never given up"
