"""What a file holds: by its first bytes where they are plain, else by its ending, else by what its beginning looks like."""

from __future__ import annotations

import re

MAGIC = {
    b"\x1f\x8b": "gz",
    b"\x28\xb5\x2f\xfd": "zst",
    b"PK\x03\x04": "zip",
    b"PK\x05\x06": "zip",
    b"Obj\x01": "avro",
    b"WARC/": "warc",
}
ENDINGS = {
    ".txt": "text",
    ".html": "html",
    ".htm": "html",
    ".xml": "feed",
    ".rss": "feed",
    ".atom": "feed",
    ".rdf": "feed",
    ".json": "json",
    ".jsonl": "lines",
    ".ndjson": "lines",
    ".eml": "mail",
    ".mbox": "mbox",
    ".warc": "warc",
    ".avro": "avro",
    ".zip": "zip",
    ".gz": "gz",
    ".zst": "zst",
}
_NAME = re.compile(rb"<(?:\w+:)?(\w+)")
_JSON = re.compile(rb"(?:window\.YTD\.[\w.]+\s*=\s*)?[\[{]")
_FEED_ROOTS = (b"rss", b"rdf", b"feed")
_SPACE = b"\xef\xbb\xbf \t\r\n"
_HEAD = 4096


def shape_of(head: bytes, name: str) -> str:
    """The shape of a file named `name` that begins with `head`; "empty", or "unknown" where nothing tells."""
    if not head:
        return "empty"
    for magic, shape in MAGIC.items():
        if head.startswith(magic):
            return shape
    ending = next((shape for ending, shape in ENDINGS.items() if name.lower().endswith(ending)), None)
    if ending in ("feed", "html", None):
        return _by_content(head[:_HEAD]) or ending or "unknown"
    return ending


def _by_content(head: bytes) -> str | None:
    head = head.lstrip(_SPACE)
    if head.startswith(b"<"):
        return _markup(_root(head).lower(), head)
    if head.startswith(b"From "):
        return "mbox"
    if _JSON.match(head):
        return "lines" if _is_lines(head) else "json"
    return None


def _markup(root: bytes, head: bytes) -> str | None:
    if root in _FEED_ROOTS:
        return "feed"
    return "html" if root == b"html" or head[:14].lower() == b"<!doctype html" else None


def _root(head: bytes) -> bytes:
    """Name of the root element; empty where there is none yet."""
    at = 0
    while at >= 0:
        if match := _NAME.match(head, at):
            return match[1]
        if head.startswith(b"<!--", at):
            at = head.find(b"-->", at)
        at = head.find(b"<", at + 1) if at >= 0 else at
    return b""


def _is_lines(head: bytes) -> bool:
    first, _, rest = head.partition(b"\n")
    return first.rstrip().endswith(b"}") and rest.lstrip().startswith(b"{")
