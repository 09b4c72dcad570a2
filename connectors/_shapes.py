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
_MARKUP = re.compile(
    rb"\A.{0,4}?\s*(?:<[?!][^<]*|<!--.*?-->|\s)*<(?P<root>html|(?:\w+:)?rss|(?:\w+:)?rdf|(?:\w+:)?feed)\b", re.IGNORECASE | re.DOTALL
)
_DOCTYPE_HTML = re.compile(rb"\A\W{0,4}<!doctype html", re.IGNORECASE)
_JSON = re.compile(rb"\A(?:\xef\xbb\xbf)?\s*(?:window\.YTD\.[\w.]+\s*=\s*)?[\[{]")
_LINES = re.compile(rb"\A(?:\xef\xbb\xbf)?\s*\{[^\n]*\}\s*\n\s*\{")
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
    match = _MARKUP.match(head)
    if _DOCTYPE_HTML.match(head) or (match and match["root"].lower() == b"html"):
        return "html"
    if match:
        return "feed"
    if head.startswith(b"From "):
        return "mbox"
    if _JSON.match(head):
        return "lines" if _LINES.match(head) else "json"
    return None
