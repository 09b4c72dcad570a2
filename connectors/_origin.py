"""Where a payload came from: what every parser needs to turn it into records."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from dataclasses import fields as dataclass_fields
from datetime import datetime
from functools import cached_property
from typing import Any

from connectors._text import Decoded
from schemas.errors import ReadError
from schemas.records import DeadLetter, HttpFacts, RawItem

DEAD_LETTER_BYTES = 64 * 1024


def content_hash(*parts: str | None) -> str:
    """First 32 hex digits of SHA-256 over the parts, NUL between them; None counts as empty."""
    return _hash("\0".join(part or "" for part in parts))


def item_id(source_id: str, native_id: str) -> str:
    """Stable id of an item: 32 hex digits over its source's id and its own id there."""
    return _hash(f"{source_id}\0{native_id}")


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()[:32]


@dataclass(frozen=True, kw_only=True)
class Origin:
    """Facts about a payload that the payload itself does not tell; `read_at` is the clock time given by the caller."""

    source_id: str
    source_type: str
    read_at: datetime
    mode: str = "live"
    publisher: str | None = None
    source_reliability: str = "F"
    time_zone: str | None = None
    fetched_at: datetime | None = None
    http: HttpFacts | None = None
    charset: str | None = None
    repairs: tuple[str, ...] = ()
    file: str | None = None
    url: str | None = None

    def item(self, native_id: str, **given: Any) -> RawItem:
        """A RawItem from here; `given` holds RawItem fields, and None there leaves what the origin says."""
        fields = {**self._fields, **{name: value for name, value in given.items() if value is not None}}
        return RawItem(item_id=item_id(fields["source_id"], native_id), native_id=native_id, **fields)

    @cached_property
    def _fields(self) -> dict[str, Any]:
        given = {field.name: getattr(self, field.name) for field in dataclass_fields(self) if field.name not in ("read_at", "file", "url")}
        return {**given, "archive_file": self.file}

    def inside(self, member: str) -> Origin:
        """The origin of a member of this container."""
        member = member.encode("utf-8", "replace").decode()
        return replace(self, source_id=f"{self.source_id}!/{member}", file=f"{self.file}!/{member}")

    def read_as(self, decoded: Decoded) -> Origin:
        """This origin, with the encoding that its bytes were read in."""
        return replace(self, charset=decoded.charset, repairs=(*self.repairs, *decoded.repairs))

    def dead_letter(self, error: ReadError, payload: bytes, *, position: int | None = None, size: int | None = None, sha256: str | None = None) -> DeadLetter:
        """A DeadLetter for `payload`; give `size` (-1 unknown) and `sha256` where payload is only the beginning."""
        where = self.file or self.source_id
        if position is not None:
            where += f", entry {position}"
        return DeadLetter(
            stage="read",
            error_class=type(error.__cause__ or error).__name__,
            error_message=f"{where}: {error}".encode("utf-8", "replace").decode(),
            payload=payload[:DEAD_LETTER_BYTES],
            payload_size=len(payload) if size is None else size,
            payload_sha256=hashlib.sha256(payload).hexdigest() if sha256 is None else sha256,
            payload_truncated=len(payload) > DEAD_LETTER_BYTES or size not in (None, len(payload)),
            file=self.file,
            position=position,
            first_failed_at=self.read_at,
            last_failed_at=self.read_at,
        )
