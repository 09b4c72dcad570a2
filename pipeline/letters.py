"""Dead letters taken up again: which ones, and what their item was."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, NamedTuple

from schemas.kafka.delivery import Message
from schemas.records import DeadLetter
from schemas.wire import SINGLE_OBJECT, known_writers


class Decision(NamedTuple):
    """What becomes of a dead letter: put back as `message`, parked, or left where it is; and why."""

    action: Literal["redrive", "park", "leave"]
    why: str = ""
    message: Message | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """Which dead letters: those that fit all that is given.

    `text` is part of the error's message, in any case of letters; `since` and `until` (aware) bound when it failed last.
    """

    stage: str | None = None
    error: str | None = None
    text: str | None = None
    since: datetime | None = None
    until: datetime | None = None

    def __call__(self, letter: DeadLetter) -> bool:
        """Is it one of them?"""
        return (
            self.stage in (None, letter.stage)
            and self.error in (None, letter.error_class)
            and (self.text is None or self.text.casefold() in letter.error_message.casefold())
            and (self.since is None or letter.last_failed_at >= self.since)
            and (self.until is None or letter.last_failed_at < self.until)
        )


def decide(letter: DeadLetter, selection: Selection, *, raw: str, max_attempts: int, fetch: Callable[[int, int], Message | None]) -> Decision:
    """What to do with a dead letter. `raw` is the raw topic; fetch(partition, offset) gives what stands there still."""
    if not selection(letter):
        return Decision("leave", "does not fit the filter")
    if letter.attempts >= max_attempts:
        return Decision("park", f"failed {letter.attempts} times")
    found = _original(letter, raw, fetch)
    return Decision("park", found) if isinstance(found, str) else Decision("redrive", message=found)


def _original(letter: DeadLetter, raw: str, fetch: Callable[[int, int], Message | None]) -> Message | str:
    """The message that failed, or why it cannot be had."""
    whole = not letter.payload_truncated
    kind = _kind(letter.payload)
    if whole and kind == "RawItem" and (item_id := _item_id(letter.payload)):
        return Message(raw, item_id, letter.payload)
    if letter.topic is None or letter.partition is None or letter.offset is None:
        return f"came from {letter.file}: mend it there and publish it again" if letter.file else f"no message of {raw}, by all that it says"
    if letter.topic != raw:
        return f"came from {letter.topic}, not from {raw}"
    found = fetch(letter.partition, letter.offset)
    if found is not None and _same(letter, found.value or b""):
        return found
    if whole and kind is None:
        return Message(raw, None, letter.payload)  # it could not be decoded: these are the bytes as they came
    what = "is no longer on the topic" if found is None else "is not what stands there now"
    return f"{raw} partition {letter.partition} offset {letter.offset} {what}"


def _same(letter: DeadLetter, value: bytes) -> bool:
    """Stages behind the decoding hold the item encoded anew, or its report: it is known by its id then."""
    if hashlib.sha256(value).hexdigest() == letter.payload_sha256:
        return True
    item_id = _item_id(letter.payload)
    return item_id is not None and item_id == _item_id(value)


def _kind(payload: bytes) -> str | None:
    """The record in single-object encoding that these bytes begin."""
    writer = known_writers().get(payload[2:10]) if payload[:2] == SINGLE_OBJECT else None
    return str(writer["name"]).rpartition(".")[2] if writer else None


def _item_id(payload: bytes) -> bytes | None:
    """The first field of a RawItem or a Report, 32 hex digits, also where the rest is cut off or damaged."""
    found = payload[11:43] if _kind(payload) in ("RawItem", "Report") and payload[10:11] == b"\x40" else b""
    return found if len(found) == 32 else None
