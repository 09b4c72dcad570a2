"""Bytes of a stream over HTTP -> messages: a line each, or server-sent events.

Source: https://html.spec.whatwg.org/multipage/server-sent-events.html#event-stream-interpretation. Messages stay bytes: whoever parses them knows
what to do with damaged ones. What follows the last end of a message was cut off with the connection, and is none.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple, Protocol

from connectors._failure import FetchFailed

LARGEST = 1 << 20
"""Bytes of one message."""


class Message(NamedTuple):
    """One message; `event` is its name where the protocol gives one."""

    body: bytes
    event: str | None = None


class Framing(Protocol):
    """Keeps what of a message has come."""

    def feed(self, chunk: bytes) -> Iterator[Message]:
        """The messages that end in this chunk. Raises FetchFailed `too_large`."""


class Lines:
    """A message a line that is not empty."""

    def __init__(self, where: str) -> None:
        self._where, self._begun = where, bytearray()

    def feed(self, chunk: bytes) -> Iterator[Message]:
        """The messages that end in this chunk. Raises FetchFailed `too_large`."""
        return (Message(line) for line in self.lines(chunk) if line.strip())

    def lines(self, chunk: bytes) -> Iterator[bytes]:
        """The lines that end in this chunk, by LF or CRLF."""
        *ends, rest = chunk.split(b"\n")
        for end in ends:
            self._add(end)
            line = bytes(self._begun)
            self._begun.clear()
            yield line.removesuffix(b"\r")
        self._add(rest)

    def _add(self, part: bytes) -> None:
        self._begun += part
        if len(self._begun) > LARGEST:
            raise too_large(self._where)


class Events:
    """Server-sent events. Comments, ids and reconnection times say nothing that is needed here; the idle time is over bytes, whatever they say."""

    def __init__(self, where: str) -> None:
        self._where, self._lines = where, Lines(where)
        self._name: str | None = None
        self._data: list[bytes] = []
        self._size = 0

    def feed(self, chunk: bytes) -> Iterator[Message]:
        """The messages that end in this chunk. Raises FetchFailed `too_large`."""
        for line in self._lines.lines(chunk):
            if line:
                self._take(line)
                continue
            if self._data:
                yield Message(b"\n".join(self._data), self._name)
            self._name, self._data, self._size = None, [], 0

    def _take(self, line: bytes) -> None:
        field, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if field == b"event":
            self._name = value.decode("utf-8", "replace")
        elif field == b"data":
            self._size += len(value) + 1
            if self._size > LARGEST:
                raise too_large(self._where)
            self._data.append(value)


def too_large(where: str) -> FetchFailed:
    """Why a connection ends that gives a message of more than LARGEST bytes."""
    return FetchFailed("too_large", f"{where}: a message of more than {LARGEST:,} bytes; look at what this address gives")
