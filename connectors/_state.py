"""What is remembered of a source, and of a host, from one poll to the next and over restarts."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import msgspec

from connectors._connector import Cursor

HOST = "host:"
"""What the keys of hosts begin with, where those of sources are their ids."""
WINDOW = 1_000
"""Items of the last payload that are remembered, so that each is sent once."""
_SILENCES, _LONGEST_SILENCES = 6.0, 1.5
_SHORTEST_SILENCE = 6 * 3_600.0


class State(msgspec.Struct, frozen=True, omit_defaults=True):
    """A source. Times are seconds since 1970. `window` maps items of the last payload to their content, as first digits of hashes."""

    cursor: Cursor = {}
    window: dict[str, str] = {}
    etag: str | None = None
    last_modified: str | None = None
    full_at: float = 0.0
    """When it was last asked without validators."""
    url: str | None = None
    """Where it has moved for good."""
    moving_to: str | None = None
    moving: int = 0
    gone: int = 0
    disabled: bool = False
    status: str = "new"
    message: str = ""
    failures: int = 0
    polled_at: float = 0.0
    next_at: float = 0.0
    item_at: float | None = None
    """When it last had something new."""
    habit: float | None = None
    """Seconds between two polls with something new, the latest counting most."""
    longest: float = 0.0
    """Seconds of its longest silence: a night, a weekend; half as long after each two weeks without another such."""

    def silent_for(self, now: datetime) -> timedelta | None:
        """Since its last news, None where it never had any."""
        return None if self.item_at is None else now - datetime.fromtimestamp(self.item_at, UTC)

    def is_stale(self, now: datetime) -> bool:
        """Whether it is silent beyond its own habit: six of its usual silences, and half as long again as its longest. Where none is known, never."""
        if self.item_at is None or self.habit is None:
            return False
        return now.timestamp() - self.item_at > max(_SHORTEST_SILENCE, _SILENCES * self.habit, _LONGEST_SILENCES * self.longest)


class Host(msgspec.Struct, frozen=True, omit_defaults=True):
    """A host that does not want to be asked before a time; it is that of all its sources."""

    not_before: float = 0.0
    failures: int = 0


def encode(state: State | Host) -> bytes:
    """As JSON, as it is stored."""
    return msgspec.json.encode(state)


def decode_state(stored: bytes) -> State:
    """A state of this or another version; what cannot be read any more is new."""
    try:
        return msgspec.json.decode(stored, type=State)
    except msgspec.DecodeError:
        return State()


def decode_host(stored: bytes) -> Host:
    """A host of this or another version."""
    try:
        return msgspec.json.decode(stored, type=Host)
    except msgspec.DecodeError:
        return Host()
