"""What a connector is: functions without I/O. The machinery fetches, paces, keeps cursors and publishes.

A connector is a module with `request` and `parse`; one for a stream has `subscribe` too. It is found by the `type` of a source:
`connectors/TYPE.py`, else an entry point of that name in the group `dijla.connectors`.
"""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from importlib.metadata import entry_points
from typing import Any, Literal, NamedTuple, Protocol, cast, runtime_checkable

from connectors._sources import Source
from schemas.errors import ReadError, UsageError
from schemas.records import DeadLetter, RawItem

Cursor = Mapping[str, str]
"""What a connector wants back at its next request; {} the first time. No secret belongs here: cursors are stored and shown."""


class TokenRequest(NamedTuple):
    """Where a bearer token comes from: OAuth 2 client credentials. The machinery asks for one and keeps it in memory until it expires."""

    url: str
    client_id: str
    client_secret: str


class Request(NamedTuple):
    """One HTTP request. `secret_parts` are texts in the URL or headers that are never shown."""

    url: str
    headers: Mapping[str, str] = {}
    method: Literal["GET", "POST"] = "GET"
    body: bytes = b""
    token: TokenRequest | None = None
    secret_parts: tuple[str, ...] = ()


class Subscription(NamedTuple):
    """A stream to follow: a WebSocket, server-sent events, or JSON lines over HTTP. `idle` seconds without a byte mean that it is dead."""

    url: str
    protocol: Literal["websocket", "sse", "lines"]
    headers: Mapping[str, str] = {}
    idle: float = 60.0
    secret_parts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Payload:
    """What came: a response's body, or one message of a stream (`event`: its name where the protocol gives one). Header names are in lower case.

    `moved_to` is the last address that only permanent redirects led to.
    """

    body: bytes
    url: str
    fetched_at: datetime
    cursor: Cursor = field(default_factory=dict)
    redirects: tuple[str, ...] = ()
    moved_to: str | None = None
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    event: str | None = None


class Parsed(NamedTuple):
    """Records in the order of the source, oldest first, and the cursor behind them. `more`: ask again at once with this cursor, there is another page.

    `refusal` is the machinery's: a message of a stream that is none, but ends it.
    """

    records: Sequence[RawItem | DeadLetter]
    cursor: Cursor
    more: bool = False
    refusal: Refusal | None = None


class Connector(Protocol):
    """A module of connectors/, or of an entry point."""

    def request(self, source: Source, cursor: Cursor) -> Request | None:
        """What to ask for; None where the source is a stream with nothing to poll. Raises UsageError where the source's options are wrong."""

    def parse(self, payload: Payload, source: Source) -> Parsed:
        """Its items. Raises ReadError, and Refusal, which ends a stream; may raise anything on hostile bytes: it is called in a Sandbox."""


@runtime_checkable
class StreamConnector(Connector, Protocol):
    """A connector whose source tells by itself; what `request` gives, until there is no more, fills the gap before each connection."""

    def subscribe(self, source: Source, cursor: Cursor) -> Subscription | None:
        """What to follow from this cursor on; None where this source of the platform has no stream, and is polled."""


class Refusal(ReadError):  # noqa: N818 - it names what happened
    """The source answered, but not with what was asked for: `status` says it in a word (no_preview, html)."""

    def __init__(self, status: str, message: str) -> None:
        super().__init__(message)
        self.status = status

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.status, str(self))


@cache
def connector(kind: str) -> Connector:
    """The connector of a source type. Raises UsageError where there is none."""
    if kind.isidentifier() and not kind.startswith("_") and importlib.util.find_spec(f"connectors.{kind}"):
        module = importlib.import_module(f"connectors.{kind}")
    elif found := entry_points(group="dijla.connectors", name=kind):
        module = next(iter(found)).load()
    else:
        raise UsageError(f"there is no connector {kind!r}: neither connectors/{kind}.py nor an entry point of the group dijla.connectors")
    if not hasattr(module, "request") or not hasattr(module, "parse"):
        raise UsageError(f"{kind!r} is no connector that can be polled: it has no request and parse")
    return cast(Connector, module)
