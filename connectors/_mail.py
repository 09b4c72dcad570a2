"""Mails -> items: .eml, and mbox split into its messages."""

from __future__ import annotations

from collections.abc import Iterator
from email import policy
from email.message import EmailMessage, Message
from email.parser import BytesParser
from email.utils import parseaddr
from typing import BinaryIO

from connectors._origin import Origin, content_hash
from connectors._text import decode
from schemas.errors import ReadError
from schemas.records import RawItem


def parse(data: bytes, origin: Origin, position: int = 0) -> list[RawItem]:
    """The item of one message: its plain text, else its HTML.

    Raises ReadError where it has no text. The email package may raise anything on broken headers: call it in a Sandbox.
    """
    message = BytesParser(policy=policy.default).parsebytes(data)
    part = message.get_body(("plain", "html"))
    if part is None or not message.keys():
        raise ReadError("is no mail with a text in it")
    subject, sender, date, native_id = (_header(message, name) for name in ("subject", "from", "date", "message-id"))
    raw = part.get_payload(decode=True)
    decoded = decode(raw if isinstance(raw, bytes) else b"", part.get_content_charset())
    name, address = parseaddr(sender or "")
    item = origin.read_as(decoded).item(
        native_id or content_hash(subject, decoded.text, date),
        title=subject,
        body=decoded.text.replace("\r\n", "\n"),
        content_type=part.get_content_type(),
        author=sender,
        publisher=origin.publisher or name or address or None,
        declared_language=_header(message, "content-language"),
        published_raw=date,
        archive_position=position,
    )
    return [item]


def messages(stream: BinaryIO, limit: int) -> Iterator[bytes]:
    """Messages of an mbox (RFC 4155), each cut behind `limit` bytes so that the reader sees that it is too long."""
    lines: list[bytes] = []
    size, blank = 0, True
    while line := stream.readline(limit):
        if blank and line.startswith(b"From "):
            if lines:
                yield b"".join(lines)
            lines, size = [], 0
        elif size <= limit:
            lines.append(line.removeprefix(b">") if line.lstrip(b">").startswith(b"From ") else line)
            size += len(line)
        blank = not line.strip()
    if lines:
        yield b"".join(lines)


def _header(message: Message | EmailMessage, name: str) -> str | None:
    value = message.get(name)
    return str(value).encode("utf-8", "replace").decode().strip() or None if value is not None else None
