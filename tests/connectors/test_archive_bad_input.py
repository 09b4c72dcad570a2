"""Bad input loses nothing: each file gives its items or says in a dead letter why not, and the rest goes on."""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
import zstandard
from archive_samples import NOW

from connectors import archive
from connectors._limits import Limits
from schemas.records import DeadLetter, RawItem

FEED = '<?xml version="1.0"?><rss version="2.0"><channel><title>sample</title>{}</channel></rss>'
ITEM = "<item><guid>1</guid><title>Rockets</title></item>"
SMALL = Limits(item_bytes=1000, document_bytes=5000, inflation_floor=20_000, inflation_ratio=1, depth=2, cpu_seconds=1)


def _read(path: Path, limits: Limits = SMALL) -> list[RawItem | DeadLetter]:
    return list(archive.read([path], now=NOW, limits=limits))


def _zip(members: dict[str, bytes]) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as opened:
        for name, data in members.items():
            opened.writestr(name, data)
    return file.getvalue()


REFUSED: dict[str, tuple[str, bytes, str]] = {
    "empty file": ("a.xml", b"", "is empty"),
    "blank lines": ("a.jsonl", b"\n\n", "holds no item"),
    "blank text": ("a.txt", b" \n", "holds no text"),
    "unknown kind": ("a.bin", b"\1\2", "no known kind"),
    "too large a text": ("a.txt", b"x" * 1001, "more than 1000 bytes"),
    "too large a line": ("a.jsonl", b'{"text": "' + b"x" * 1000 + b'"}', "over the limit of 1000"),
    "too large a message": ("a.mbox", b"From a\nSubject: b\n\n" + b"x\n" * 600, "over the size limit"),
    "too large a body": ("a.json", b'{"text": "' + b"x" * 1001 + b'"}', "over the limit of 1000"),
    "gzip bomb": ("a.jsonl.gz", gzip.compress(b"\n" * 30_000), "inflates to more than 20000 bytes"),
    "zstd bomb": ("a.jsonl.zst", zstandard.compress(b"\n" * 30_000), "inflates to more than 20000 bytes"),
    "zip bomb": ("a.zip", _zip({"a.jsonl": b"\n" * 30_000}), "inflates to more than 20000 bytes"),
    "nested zip": ("a.zip", _zip({"b.zip": _zip({"c.zip": _zip({"d.zip": _zip({"e.txt": b"x"})})})}), "more than 2 containers deep"),
    "cut zip": ("a.zip", _zip({"a.txt": b"x"})[:-9], "damaged zip"),
    "cut zstd": ("a.txt.zst", zstandard.compress(b"x" * 99)[:-3], "cut short"),
    "not gzip": ("a.txt.gz", b"\x1f\x8bnothing", "cut short"),
    "entity bomb": ("a.xml", FEED.replace("<rss", '<!DOCTYPE a [<!ENTITY b "c">]><rss').format(ITEM).encode(), "declares XML entities"),
    "hidden entities": ("a.xml", b'<!-- <a> --><!DOCTYPE a [<!ENTITY b "c">]><rss></rss>', "declares XML entities"),
    "no feed": ("a.xml", b"<a/>", "no feed"),
    "feed without entries": ("a.xml", FEED.format("").encode(), "without entries"),
    "foreign avro": ("a.avro", b"Obj\x01nothing", "as items in Avro"),
    "damaged warc": ("a.warc", b"WARC/1.0\r\nWARC-Type: response\r\n", "damaged WARC"),
    "mail without a text": ("a.eml", b"\xff\xfe", "no mail with a text"),
    "page without an article": ("a.html", b"<html><body></body></html>", "article"),
    "deep json": ("a.json", b"[" * 4000, "nested too deeply"),
    "event without a status": ("a.jsonl", b'{"event": "update", "payload": "{"}', "is not JSON"),
    "no text in any encoding": ("a.jsonl", b"\x89PNG\xff", "neither JSON nor UTF-8"),
    "no json": ("a.json", b"{", "is not JSON"),
}


@pytest.mark.parametrize(("name", "data", "says"), REFUSED.values(), ids=REFUSED)
def test_refused_file_is_a_dead_letter_that_says_why(tmp_path: Path, name: str, data: bytes, says: str) -> None:
    (tmp_path / name).write_bytes(data)
    (letter,) = _read(tmp_path / name)
    assert isinstance(letter, DeadLetter)
    assert says in letter.error_message
    assert letter.error_message.startswith(name)
    assert (letter.stage, letter.first_failed_at, letter.last_failed_at) == ("read", NOW, NOW)


HARMLESS: dict[str, tuple[str, bytes, str]] = {
    "character reference to a surrogate": ("a.xml", FEED.format("<item><title>A &#xD800; B</title></item>").encode(), "A \ufffd B"),
    "character reference beyond Unicode": ("a.xml", FEED.format("<item><title>&#9999999999;</title></item>").encode(), "\ufffd"),
    "NUL": ("a.xml", FEED.format("<item><title>A\0B</title></item>").encode(), "AB"),
    "deep nesting": ("a.xml", FEED.format("<b>" * 100 + ITEM).encode(), "Rockets"),
    "harmless doctype": ("a.xml", FEED.replace("<rss", '<!DOCTYPE rss PUBLIC "x" "y.dtd"><rss').format(ITEM).encode(), "Rockets"),
    "no ending": ("feed", FEED.format(ITEM).encode(), "Rockets"),
    "broken mail header": ("a.eml", b"From: <<\xff>\nSubject: Rockets\nDate: never\n\nBody", "Rockets"),
}


@pytest.mark.parametrize(("name", "data", "title"), HARMLESS.values(), ids=HARMLESS)
def test_odd_file_is_read(tmp_path: Path, name: str, data: bytes, title: str) -> None:
    (tmp_path / name).write_bytes(data)
    (item,) = _read(tmp_path / name)
    assert isinstance(item, RawItem)
    assert item.title == title


@pytest.mark.parametrize("limits", [SMALL, Limits(cpu_seconds=30, memory_bytes=80_000_000)], ids=["time", "memory"])
def test_parser_that_takes_too_much_is_ended_and_the_next_file_is_read(tmp_path: Path, limits: Limits) -> None:
    attributes = " ".join(f'a{number}="x"' for number in range(100_000))
    (tmp_path / "a.xml").write_text(f"<rss {attributes}>{ITEM * 100_000}</rss>")
    (tmp_path / "b.xml").write_text(FEED.format(ITEM))
    (tmp_path / "c.xml").write_text(FEED.format(ITEM))
    letter, *items = archive.read([tmp_path], now=NOW, limits=Limits(cpu_seconds=limits.cpu_seconds, memory_bytes=limits.memory_bytes))
    assert isinstance(letter, DeadLetter)
    assert letter.file == "a.xml"
    assert "parse" in letter.error_message
    assert [item.title for item in items if isinstance(item, RawItem)] == ["Rockets", "Rockets"]


def _broken_link(path: Path) -> None:
    path.symlink_to(path.parent / "nowhere")


def _endless_link(path: Path) -> None:
    path.symlink_to(path)


@pytest.mark.parametrize("make", [_broken_link, _endless_link, os.mkfifo], ids=["broken link", "endless link", "pipe"])
def test_unreadable_file_is_a_dead_letter_without_a_payload(tmp_path: Path, make: Callable[[Path], None]) -> None:
    make(tmp_path / "a.txt")
    (tmp_path / "b.txt").write_text("Rockets")
    letter, item = _read(tmp_path)
    assert isinstance(letter, DeadLetter)
    assert (letter.payload, letter.payload_size, letter.payload_sha256) == (b"", -1, "")
    assert isinstance(item, RawItem)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_forbidden_file_and_folder_are_dead_letters(tmp_path: Path) -> None:
    (tmp_path / "a.txt").touch(mode=0)
    (tmp_path / "b").mkdir(mode=0)
    assert [type(record) for record in _read(tmp_path)] == [DeadLetter, DeadLetter]


def test_path_that_does_not_exist_is_a_dead_letter(tmp_path: Path) -> None:
    (letter,) = _read(tmp_path / "gone.txt")
    assert isinstance(letter, DeadLetter)
    assert letter.file == "gone.txt"


def test_loop_of_folders_ends(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "loop").symlink_to(tmp_path)
    (tmp_path / "a" / "b.txt").write_text("Rockets")
    assert [item.source_id for item in _read(tmp_path) if isinstance(item, RawItem)] == ["a/b.txt"]


def test_name_that_is_no_unicode_becomes_printable(tmp_path: Path) -> None:
    (tmp_path / os.fsdecode(b"\xff.txt")).write_text("Rockets")
    (item,) = _read(tmp_path)
    assert isinstance(item, RawItem)
    assert item.source_id == "\ufffd.txt"


def test_large_payload_is_cut_and_described(tmp_path: Path) -> None:
    data = b"[" * 200_000
    (tmp_path / "a.jsonl").write_bytes(data)
    (tmp_path / "b.bin").write_bytes(b"\1" * 100_000)
    lines, unknown = _read(tmp_path, Limits())
    for letter, whole in ((lines, data), (unknown, b"\1" * 100_000)):
        assert isinstance(letter, DeadLetter)
        assert letter.payload == whole[: 64 * 1024]
        assert letter.payload_truncated
        assert (letter.payload_size, letter.payload_sha256) == (len(whole), hashlib.sha256(whole).hexdigest())


def test_what_stands_before_the_damage_is_read(tmp_path: Path) -> None:
    lines = b"".join(b'{"id": %d, "text": "x%s"}\n' % (number, hashlib.sha256(b"%d" % number).hexdigest().encode()) for number in range(5000))
    for name, data in {"a.jsonl.gz": gzip.compress(lines)[:-9], "b.jsonl.zst": zstandard.compress(lines)[:-9]}.items():
        (tmp_path / name).write_bytes(data)
        *items, last = _read(tmp_path / name, Limits())
        assert len([item for item in items if isinstance(item, RawItem)]) > 1000
        assert isinstance(last, DeadLetter)


def test_bad_entries_leave_the_others_alone(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_bytes(b'{"text": "a"}\n{"text"\n\xff\n[]\n5\n{"text": "b"}')
    records = _read(tmp_path)
    assert [record.body for record in records if isinstance(record, RawItem)] == ["a", "b"]
    assert [record.position for record in records if isinstance(record, DeadLetter)] == [1, 2, 4]


@pytest.mark.parametrize("depth", range(100, 1100, 50))
@pytest.mark.parametrize("name", ["a.json", "a.jsonl"])
def test_json_of_any_depth_is_one_dead_letter(tmp_path: Path, name: str, depth: int) -> None:
    (tmp_path / name).write_bytes(b'{"feed":[' * depth + b"]}" * depth)
    assert [type(record) for record in _read(tmp_path / name, Limits())] == [DeadLetter]
