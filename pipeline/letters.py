"""Dead letters taken up again: which ones, what their item was, and how often it has failed."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, NamedTuple

from schemas.kafka.delivery import Message
from schemas.records import DeadLetter
from schemas.wire import SINGLE_OBJECT, known_writers

ATTEMPTS = "attempts"
"""Header of a message that was put back: which attempt this is, in decimal. The first delivery has none."""
Headers = tuple[tuple[str, bytes], ...]


class Decision(NamedTuple):
    """What becomes of a dead letter that has failed `attempts` times: put back as `message`, parked, or left where it is; and why."""

    action: Literal["redrive", "park", "leave"]
    why: str = ""
    attempts: int = 1
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
        return Decision("leave", "does not fit the filter", letter.attempts)
    there = None
    if letter.topic == raw and letter.partition is not None and letter.offset is not None:
        there = fetch(letter.partition, letter.offset)
    origin = there if there and _same(letter, there.value or b"") else None
    attempts = max(letter.attempts, _attempt(origin.headers) if origin else 1)
    if attempts >= max_attempts:
        return Decision("park", f"failed {attempts} times", attempts)
    message = origin or _kept(letter, raw)
    if message is None:
        return Decision("park", _lost(letter, raw, there), attempts)
    return Decision("redrive", "", attempts, message._replace(headers=with_header(message.headers, ATTEMPTS, str(attempts + 1))))


def with_header(headers: Iterable[tuple[str, bytes]], name: str, value: str) -> Headers:
    """The headers with this one, in place of any of its name."""
    return (*((other, content) for other, content in headers if other != name), (name, value.encode()))


def _attempt(headers: Headers) -> int:
    value = dict(headers).get(ATTEMPTS, b"")
    return int(value) if value.isdigit() else 1


def _same(letter: DeadLetter, value: bytes) -> bool:
    """Stages behind the decoding hold the item encoded anew, or its report: it is known by its id then."""
    if hashlib.sha256(value).hexdigest() == letter.payload_sha256:
        return True
    item_id = _item_id(letter.payload)
    return item_id is not None and item_id == _item_id(value)


def _kept(letter: DeadLetter, raw: str) -> Message | None:
    """The message that the letter itself holds, whole: an item, or bytes that could not be decoded, whose key is not known."""
    kind = _kind(letter.payload)
    if letter.payload_truncated or kind not in ("RawItem", None) or (kind is None and letter.topic != raw):
        return None
    return Message(raw, _item_id(letter.payload), letter.payload)


def _lost(letter: DeadLetter, raw: str, there: Message | None) -> str:
    if letter.topic == raw:
        what = "is not what stands there now" if there else "is no longer on the topic"
        return f"{raw} partition {letter.partition} offset {letter.offset} {what}"
    if letter.topic:
        return f"came from {letter.topic}, not from {raw}"
    return f"came from {letter.file}: mend it there and publish it again" if letter.file else f"no message of {raw}, by all that it says"


def _kind(payload: bytes) -> str | None:
    """The record in single-object encoding that these bytes begin."""
    writer = known_writers().get(payload[2:10]) if payload[:2] == SINGLE_OBJECT else None
    return str(writer["name"]).rpartition(".")[2] if writer else None


def _item_id(payload: bytes) -> bytes | None:
    """The first field of a RawItem or a Report, 32 hex digits, also where the rest is cut off or damaged."""
    found = payload[11:43] if _kind(payload) in ("RawItem", "Report") and payload[10:11] == b"\x40" else b""
    return found if len(found) == 32 else None
