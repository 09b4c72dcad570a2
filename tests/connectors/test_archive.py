"""The archive connector: order, ids, any bytes under any name, JSON lines there and back."""

from __future__ import annotations

import json
import tracemalloc
import zlib
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from archive_samples import NOW, SAMPLES, samples
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from connectors import archive
from connectors._json import loads
from connectors._origin import item_id
from connectors._shapes import ENDINGS
from schemas.records import DeadLetter, RawItem

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1)
LINES = st.fixed_dictionaries({"text": TEXTS}, optional=dict.fromkeys(("id", "source", "title", "published", "url", "language", "publisher"), TEXTS))


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    with TemporaryDirectory() as name:
        yield Path(name)


def test_folder_is_read_in_sorted_order_without_hidden_files_notes_and_dead_letters(tmp_path: Path) -> None:
    for name in ("b.txt", "a.txt", "c/a.txt", ".hidden.txt", "README.md", "LICENSE", ".git/a.txt", "c/README.txt", "dead-letters/a.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(name)
    found = list(archive.read([tmp_path], now=NOW))
    assert [item.source_id for item in found if isinstance(item, RawItem)] == ["a.txt", "b.txt", "c/a.txt"]
    assert len(found) == 3


def test_file_given_by_itself_goes_by_its_name_and_mode(tmp_path: Path) -> None:
    (tmp_path / "README.txt").write_text("date 2020-12-20 Rockets")
    (item,) = archive.read([tmp_path / "README.txt"], now=NOW, mode="backfill")
    assert isinstance(item, RawItem)
    assert (item.source_id, item.native_id, item.mode) == ("README.txt", "README.txt", "backfill")
    assert (item.published_raw, item.body) == ("2020-12-20", "Rockets")


def test_item_id_is_a_hash_of_source_and_native_id() -> None:
    assert item_id("sample.a", "1") == "a5d2288efc855b2f0403429f50eecbf2"
    assert item_id("sample.a", "1") != item_id("sample.a1", "")


def test_reading_twice_gives_the_same_records() -> None:
    assert list(archive.read([SAMPLES], now=NOW)) == list(archive.read([SAMPLES], now=NOW))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=40)
@given(ending=st.sampled_from(["", *ENDINGS]), data=st.binary() | st.sampled_from(samples()).flatmap(lambda path: _damaged(path.read_bytes())))
def test_any_bytes_under_any_ending_give_records(folder: Path, ending: str, data: bytes) -> None:
    path = folder / f"any{ending}"
    path.write_bytes(data)
    records = list(archive.read([path], now=NOW))
    assert records
    for record in records:
        assert isinstance(record, RawItem | DeadLetter)
        for field in fields(record):
            value = getattr(record, field.name)
            assert not isinstance(value, str) or value.encode().decode() == value


def _damaged(data: bytes) -> st.SearchStrategy[bytes]:
    places = st.integers(0, len(data))
    return st.builds(lambda start, end, middle: data[:start] + middle + data[end:], places, places, st.binary(max_size=8))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(lines=st.lists(LINES, min_size=1), ascii_only=st.booleans())
def test_json_lines_come_back_as_they_went(folder: Path, lines: list[dict[str, str]], ascii_only: bool) -> None:
    path = folder / "lines.jsonl"
    path.write_text("".join(json.dumps(line, ensure_ascii=ascii_only) + "\n" for line in lines), newline="")
    items = [item for item in archive.read([path], now=NOW) if isinstance(item, RawItem)]
    assert len(items) == len(lines)
    for position, (line, item) in enumerate(zip(lines, items, strict=True)):
        given_back = {"text": item.body, "title": item.title, "published": item.published_raw, "url": item.url}
        given_back |= {"language": item.declared_language, "publisher": item.publisher, "source": item.source_id, "id": item.native_id}
        assert {name: given_back[name] for name in line} == line
        assert item.archive_position == position


@given(st.text())
def test_lone_surrogates_in_json_become_replacement_characters_one_for_one(text: str) -> None:
    expected = "".join("\ufffd" if "\ud800" <= character <= "\udfff" else character for character in text)
    assert loads(json.dumps(text)) == json.loads(json.dumps(expected))


def test_json_lines_in_utf16_are_read(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"text": "صواريخ"}\n{"text": "b"}\n', encoding="utf-16")
    assert [item.body for item in archive.read([tmp_path], now=NOW) if isinstance(item, RawItem)] == ["صواريخ", "b"]


def test_original_is_kept_only_where_body_would_lose_something(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"text": "a"}\n{"text": "b", "mood": "tense"}\n')
    plain, rich = (item for item in archive.read([tmp_path], now=NOW) if isinstance(item, RawItem))
    assert plain.original == b""
    assert json.loads(zlib.decompress(rich.original)) == {"text": "b", "mood": "tense"}


def test_memory_does_not_grow_with_the_number_of_lines(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(b'{"id": "1", "text": "Three rockets were fired at the Green Zone."}\n' * 20_000)
    tracemalloc.start()
    count = sum(1 for _ in archive.read([path], now=NOW))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert count == 20_000
    assert peak < 1_000_000
