"""Sorting on disk: the same as in memory, whole files only."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.spool import Entry, Sorter, read_spool, write_spool
from schemas.errors import WriteError

ENTRIES = st.lists(st.tuples(st.integers(-(2**62), 2**62), st.binary(max_size=4), st.binary(max_size=50)), max_size=40)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(ENTRIES, st.integers(1, 3000))
def test_any_run_size_sorts_alike(tmp_path: Path, entries: list[Entry], run_bytes: int) -> None:
    sorter = Sorter(tmp_path, run_bytes)
    for entry in entries:
        sorter.add(entry)
    assert list(sorter.entries()) == sorted(entries)


def test_a_file_appears_whole_or_not_at_all(tmp_path: Path) -> None:
    write_spool(tmp_path / "a.avro", [(1, b"k", b"p")])
    assert list(read_spool(tmp_path / "a.avro")) == [(1, b"k", b"p")]
    with pytest.raises(WriteError, match="cannot be written"):
        write_spool(tmp_path / "no" / "folder.avro", [])
    assert [path.name for path in tmp_path.iterdir()] == ["a.avro"]
