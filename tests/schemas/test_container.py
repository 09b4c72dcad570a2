"""Container files: the same bytes every time, readable by plain fastavro, and clear about damage."""

from __future__ import annotations

import contextlib
import copy
import dataclasses
import io
from pathlib import Path
from typing import Any

import fastavro
import pytest

from schemas.avro import ContainerWriter, Record, definition, encode, read_container, schema, write_container
from schemas.errors import ReadError, SchemaError
from schemas.records import DeadLetter, RawItem

ITEM = RawItem(item_id="a1", native_id="post-1", source_id="sample.outlet-a", source_type="rss", body="Sirens over the river. " * 20)
ITEMS = [dataclasses.replace(ITEM, archive_position=number) for number in range(500)]


def container(codec: str = "deflate") -> bytes:
    file = io.BytesIO()
    write_container(file, ITEMS, RawItem, codec)
    return file.getvalue()


@pytest.mark.parametrize("codec", ["null", "deflate"])
def test_reads_back_and_is_the_same_twice(codec: str) -> None:
    data = container(codec)
    assert list(read_container(io.BytesIO(data), RawItem)) == ITEMS
    assert data == container(codec)


def test_plain_fastavro_reads_it() -> None:
    found = fastavro.reader(io.BytesIO(container()))
    assert [dict(record)["archive_position"] for record in found if isinstance(record, dict)] == list(range(500))
    assert isinstance(found.writer_schema, dict)
    assert found.writer_schema["doc"] == schema(RawItem)["doc"]


@pytest.mark.parametrize("codec", ["null", "deflate"])
def test_reads_what_plain_fastavro_wrote(codec: str) -> None:
    file = io.BytesIO()
    fastavro.writer(file, schema(RawItem), [dataclasses.asdict(item) | {"redirects": [], "repairs": []} for item in ITEMS], codec=codec)
    assert list(read_container(io.BytesIO(file.getvalue()), RawItem)) == ITEMS


def test_reads_an_older_schema() -> None:
    old = copy.deepcopy(definition(RawItem))
    old["fields"] = [field for field in old["fields"] if field["name"] not in ("mode", "repairs")]
    file = io.BytesIO()
    fastavro.writer(file, old, [dataclasses.asdict(item) | {"redirects": []} for item in ITEMS])
    assert list(read_container(io.BytesIO(file.getvalue()), RawItem)) == ITEMS


def test_blocks_leave_as_they_fill() -> None:
    file = io.BytesIO()
    with ContainerWriter(file, RawItem, "null") as writer:
        sizes = [file.tell()]
        for item in ITEMS:
            writer.append(item)
            sizes.append(file.tell())
    blocks = sum(len(encode(item)) for item in ITEMS) // 64_000
    assert len(set(sizes)) == 1 + blocks
    assert file.tell() > sizes[-1]
    assert not file.closed


class Pipe(io.BytesIO):
    """A file that can neither seek nor tell."""

    def seek(self, *_: Any) -> int:
        raise io.UnsupportedOperation

    tell = seek


def test_reads_a_stream_that_cannot_seek() -> None:
    assert list(read_container(Pipe(container()), RawItem)) == ITEMS


def test_nothing_appended_is_a_valid_empty_file() -> None:
    file = io.BytesIO()
    write_container(file, [], DeadLetter)
    assert list(read_container(io.BytesIO(file.getvalue()), DeadLetter)) == []


def test_reads_a_path_and_names_it(tmp_path: Path) -> None:
    path = tmp_path / "items.avro"
    path.write_bytes(container())
    assert list(read_container(path, RawItem)) == ITEMS
    path.write_bytes(b"not avro at all")
    with pytest.raises(SchemaError, match=r"items\.avro: after 0 records: not an Avro container file"):
        list(read_container(path, RawItem))
    with pytest.raises(ReadError, match=r"none\.avro: cannot be read"):
        list(read_container(tmp_path / "none.avro", RawItem))


def container_of_none() -> bytes:
    file = io.BytesIO()
    write_container(file, [], RawItem, "null")
    return file.getvalue()


def with_metadata(schema_json: bytes, codec: bytes = b"null") -> bytes:
    entries = [(b"avro.codec", codec), (b"avro.schema", schema_json)]
    return b"Obj\x01\x04" + b"".join(bytes([2 * len(key)]) + key + bytes([2 * len(value)]) + value for key, value in entries) + b"\x00" + bytes(16)


DATA = container("null")
HEADER = container_of_none()
DAMAGED: dict[str, tuple[bytes, str]] = {
    "empty": (b"", "not an Avro container file"),
    "header cut": (DATA[:40], "not an Avro container file, or damaged at its beginning"),
    "sync cut": (DATA[:-3], "cut short"),
    "block cut": (DATA[:-1000], r"after \d+ records: cut short"),
    "sync wrong": (DATA[:-1] + b"\x00", "sync marker"),
    "no schema": (with_metadata(b""), "damaged at its beginning: JSONDecodeError"),
    "schema of no record": (with_metadata(b'{"type":"map"}'), "not an Avro"),
    "schema of a number": (with_metadata(b'"int"'), "not an Avro record schema"),
    "foreign record": (
        with_metadata(b'{"type":"record","name":"A","fields":[]}') + b"\x02\x02x" + bytes(16),
        "hold A where dijla.RawItem is wanted",
    ),
    "unknown codec": (with_metadata(b'"int"', b"lzo"), "unknown codec 'lzo'"),
    "block begun": (DATA + b"\x80", "after 500 records: cut short"),
    "endless count": (HEADER + b"\x7e\x02x" + HEADER[-16:], "after 0 records: RawItem: the bytes do not fit the schema: cut short"),
    "negative count": (HEADER + b"\x01\x02x" + HEADER[-16:], "a block with more bytes than its records take"),
    "negative size": (HEADER + b"\x02\x01", "a length of -1"),
    "endless size": (HEADER + b"\x02" + b"\xfe" * 8 + b"\x01", r"a length of \d{17}"),
}


@pytest.mark.parametrize(("data", "message"), DAMAGED.values(), ids=DAMAGED.keys())
def test_damage_is_a_schema_error(data: bytes, message: str) -> None:
    with pytest.raises(SchemaError, match=message):
        list(read_container(io.BytesIO(data), RawItem))


@pytest.mark.parametrize("codec", ["null", "deflate"])
def test_any_cut_gives_whole_records_and_then_a_schema_error(codec: str) -> None:
    data = container(codec)
    for end in range(0, len(data) - 1, max(1, len(data) // 97)):
        found: list[Record] = []
        with contextlib.suppress(SchemaError):
            found.extend(read_container(io.BytesIO(data[:end]), RawItem))
        assert found == ITEMS[: len(found)]
    assert len(found) > 100


def test_a_damaged_compressed_block_is_a_schema_error() -> None:
    data = bytearray(container())
    data[-40:-30] = bytes(10)
    with pytest.raises(SchemaError, match="container: after"):
        list(read_container(io.BytesIO(bytes(data)), RawItem))


def test_a_block_that_is_too_large_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("schemas.container.MAX_READ_BYTES", 20_000)
    with pytest.raises(SchemaError, match=r"after 0 records: a length of \d+"):
        list(read_container(io.BytesIO(DATA), RawItem))


def test_a_record_of_another_class_is_refused() -> None:
    with pytest.raises(SchemaError, match="a str in a container of RawItem"):
        ContainerWriter(io.BytesIO(), RawItem).append("text")  # type: ignore[arg-type]
    with pytest.raises(SchemaError, match="unknown codec 'gzip'"):
        ContainerWriter(io.BytesIO(), RawItem, "gzip")


def test_an_error_inside_leaves_no_last_block() -> None:
    file = io.BytesIO()
    with pytest.raises(SchemaError, match="does not fit"):
        write_container(file, [ITEM, dataclasses.replace(ITEM, body="\ud800")], RawItem)
    assert list(read_container(io.BytesIO(file.getvalue()), RawItem)) == []


def test_a_refused_record_leaves_no_trace() -> None:
    file = io.BytesIO()
    with ContainerWriter(file, RawItem) as writer:
        writer.append(ITEM)
        with pytest.raises(SchemaError, match="surrogates"):
            writer.append(dataclasses.replace(ITEM, body="\ud800"))
        writer.append(ITEM)
    assert list(read_container(io.BytesIO(file.getvalue()), RawItem)) == [ITEM, ITEM]
