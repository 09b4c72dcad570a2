"""What a file holds, by its first bytes and its name."""

from __future__ import annotations

import pytest

from connectors._shapes import shape_of


@pytest.mark.parametrize(
    ("head", "name", "shape"),
    [
        (b"", "a.xml", "empty"),
        (b"\x1f\x8b\x08", "a.txt", "gz"),
        (b"\x28\xb5\x2f\xfd", "a", "zst"),
        (b"PK\x03\x04", "a.xml", "zip"),
        (b"<?xml version='1.0'?>\n<!-- <html> --> <rss>", "a.html", "feed"),
        (b"\xef\xbb\xbf\n<atom:feed>", "a.php", "feed"),
        (b"<!DOCTYPE html><rss>", "a.xml", "feed"),
        (b"<!DOCTYPE html><title>", "a.xml", "html"),
        (b"<HTML lang=ar>", "a", "html"),
        (b"<unknown/>", "a.xml", "feed"),
        (b"<unknown/>", "a", "unknown"),
        (b"<!-- never closed <rss>", "a", "unknown"),
        (b"<rss>", "a.txt", "text"),
        (b'{"a": 1}\n{"b": 2}\n', "a", "lines"),
        (b'{"a": 1,\n"b": 2}\n', "a", "json"),
        (b"window.YTD.tweets.part0 = [", "tweets.js", "json"),
        (b"From a@b.example Sun", "inbox", "mbox"),
        (b"Some words", "A.TXT", "text"),
        (b"Some words", "notes", "unknown"),
    ],
)
def test_shape(head: bytes, name: str, shape: str) -> None:
    assert shape_of(head, name) == shape
