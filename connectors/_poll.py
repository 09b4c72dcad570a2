"""One poll of a source: ask, read in the sandbox, keep what is new. Nothing is sent and nothing stored here."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from email.utils import parsedate_to_datetime
from hashlib import blake2b
from typing import NamedTuple

from msgspec.structs import replace as changed

from connectors import _articles, _pacing
from connectors._addresses import endpoint
from connectors._connector import Connector, Cursor, Payload, Refusal, Request, connector
from connectors._hops import is_same_site
from connectors._http import FetchFailed, Http
from connectors._reader import SandboxReader
from connectors._retry_after import until_allowed
from connectors._sandbox import Sandbox
from connectors._sources import Source
from connectors._state import WINDOW, State
from schemas.errors import ReadError, UsageError
from schemas.records import DeadLetter, RawItem

PARSE_SECONDS, PARSE_BYTES = 5, 1 << 30
"""CPU time and address space of parsing a payload."""
DEADLINE = 30.0
"""Seconds of a poll."""
_PAGES = 20
_FULL_EVERY = 6 * 3_600.0
_MOVED_AFTER, _GONE_AFTER = 3, 3
_MESSAGE = 500


@asynccontextmanager
async def opened(clock: Callable[[], datetime], contact: str | None = None) -> AsyncIterator[tuple[Http, SandboxReader]]:
    """What fetches, telling servers whom to write to, and what parses."""
    with Sandbox(cpu_seconds=PARSE_SECONDS, memory_bytes=PARSE_BYTES) as sandbox:
        async with Http(_user_agent(contact), clock) as http:
            yield http, SandboxReader(sandbox)


def _user_agent(contact: str | None) -> str:
    return f"dijla/0.1 ({f'+{contact}; ' if contact else ''}feed collector)"


@dataclass(frozen=True, slots=True)
class Polled:
    """What a poll gave: the source's new state, the new records, and for whoever looks on: all items read and the last response."""

    state: State
    records: Sequence[RawItem | DeadLetter] = ()
    read: int = 0
    payload: Payload | None = None
    failure: FetchFailed | ReadError | None = None
    skipped: Mapping[str, str] = field(default_factory=dict)
    """Native id -> why it is not sent."""
    wait: float | None = None
    """Seconds in which the server takes no other request, where it said that this was the last one for now."""


class _Unreadable(ReadError):  # noqa: N818 - it names what happened
    """A payload of which nothing could be read."""

    def __init__(self, cause: ReadError, payload: Payload) -> None:
        super().__init__(str(cause))
        self.payload = payload


class _Pages(NamedTuple):
    payload: Payload
    records: Sequence[RawItem | DeadLetter]
    cursor: Cursor
    wait: float | None


async def poll(
    source: Source, state: State, http: Http, reader: SandboxReader, clock: Callable[[], datetime], *, luck: float, deadline: float = 30.0
) -> Polled:
    """Ask a source once, page by page. Failures are statuses, not exceptions. Raises UsageError where its options are wrong."""
    now, asks = clock().timestamp(), connector(source.type)
    moved, first = _asked(asks, source, state)
    if first is None:
        return Polled(changed(state, status="stream", polled_at=now))
    is_full = now - state.full_at >= _FULL_EVERY
    conditional = first if is_full else first._replace(headers={**first.headers, **_validators(state)})
    try:
        async with asyncio.timeout(deadline):
            pages = await _pages(asks, moved, conditional, state.cursor, http, reader, deadline)
    except TimeoutError:
        return _failed(source, state, now, FetchFailed("timeout", f"{source.id}: not read within {deadline:g} s"), luck)
    except (FetchFailed, ReadError) as failure:
        return _failed(source, state, now, failure, luck)
    if pages.payload.status == 304:
        known = changed(state, status="unchanged", message="", failures=0, gone=0, disabled=False, polled_at=now)
        return Polled(
            changed(known, next_at=_pacing.next_poll(now, source.interval.total_seconds(), known, pages.payload.headers, luck)),
            payload=pages.payload,
            wait=pages.wait,
        )
    polled = _succeeded(source, state, now, pages, luck, may_move=first.url == moved.url)
    if not source.full_text:
        return polled
    left = now + deadline - clock().timestamp()
    return replace(polled, records=await _articles.with_full_texts(polled.records, source, http, reader, seconds=left))


def _asked(asks: Connector, source: Source, state: State) -> tuple[Source, Request | None]:
    """The source where it has moved to, and what to ask there; as it is configured, where its connector makes nothing of the new address."""
    moved = _moved_source(source, state.url)
    try:
        return moved, asks.request(moved, state.cursor)
    except UsageError:
        if moved is source:
            raise
        return source, asks.request(source, state.cursor)


def _moved_source(source: Source, url: str | None) -> Source:
    """The source where it has moved to; on another site it is trusted no more than any other, and gets none of the source's headers and secrets."""
    if url is None:
        return source
    own = source.url or ""
    trust = {"allow_private": source.allow_private and endpoint(url) == endpoint(own)}
    return source.model_copy(update={"url": url, **trust, **({} if is_same_site(own, url) else {"headers": {}, "secrets": {}})})


async def _pages(asks: Connector, source: Source, request: Request, cursor: Cursor, http: Http, reader: SandboxReader, deadline: float) -> _Pages:
    records: list[RawItem | DeadLetter] = []
    first: Payload | None = None
    wait: float | None = None
    for _ in range(_PAGES):
        payload = await http.fetch(request, source, cursor, deadline=deadline)
        first, wait = first or payload, until_allowed(payload.headers, payload.fetched_at)
        if payload.status == 304:
            break
        try:
            parsed = await reader.read(payload, source)
        except Refusal:
            raise
        except ReadError as error:
            raise _Unreadable(error, payload) from error
        records += parsed.records
        cursor = parsed.cursor
        following = asks.request(source, cursor) if parsed.more and wait is None else None
        if following is None:
            break
        request = following
    assert first is not None
    return _Pages(first, records, cursor, wait)


def _validators(state: State) -> dict[str, str]:
    found = {"if-none-match": state.etag, "if-modified-since": state.last_modified}
    return {name: value for name, value in found.items() if value}


def _succeeded(source: Source, state: State, now: float, pages: _Pages, luck: float, *, may_move: bool) -> Polled:
    headers = pages.payload.headers
    fresh, window, skipped = news(pages.records, state.window)
    after = changed(
        state,
        cursor=dict(pages.cursor),
        window=window,
        etag=headers.get("etag"),
        last_modified=_believed(headers.get("last-modified"), now),
        full_at=now,
        status="ok",
        message="",
        failures=0,
        gone=0,
        disabled=False,
        polled_at=now,
    )
    if may_move:
        after = _moved(after, pages.payload.moved_to)
    if fresh:
        after = _pacing.with_news(after, now)
    after = changed(after, next_at=_pacing.next_poll(now, source.interval.total_seconds(), after, headers, luck))
    return Polled(after, fresh, len(pages.records), pages.payload, None, skipped, pages.wait)


def news(records: Sequence[RawItem | DeadLetter], window: Mapping[str, str]) -> tuple[list[RawItem | DeadLetter], dict[str, str], dict[str, str]]:
    """The records that the last payload did not have, or had otherwise; the window of this one; and why the others are left out."""
    fresh: list[RawItem | DeadLetter] = []
    now: dict[str, str] = {}
    skipped: dict[str, str] = {}
    for record in records:
        key, content = _identity(record)
        if window.get(key) == content or now.get(key) == content:
            skipped[record.native_id if isinstance(record, RawItem) else key] = "was there the last time, and says the same"
        else:
            fresh.append(record)
        now[key] = content
    return fresh, dict(list(now.items())[-WINDOW:]), skipped


def _identity(record: RawItem | DeadLetter) -> tuple[str, str]:
    if isinstance(record, DeadLetter):
        return record.payload_sha256[:16], "dead"
    said = (record.operation, record.title, record.body, record.url, record.published_raw, record.updated_raw)
    return record.item_id[:16], blake2b(repr(said).encode("utf8", "replace"), digest_size=6).hexdigest()


def _believed(last_modified: str | None, now: float) -> str | None:
    """A validator from the future would be answered with 304 for ever."""
    try:
        return last_modified if last_modified and parsedate_to_datetime(last_modified).timestamp() <= now else None
    except (ValueError, OverflowError):
        return None


def _moved(state: State, to: str | None) -> State:
    """An address is adopted when it was given for good three times running."""
    if to is None:
        return changed(state, moving_to=None, moving=0)
    times = state.moving + 1 if to == state.moving_to else 1
    return changed(state, url=to, moving_to=None, moving=0) if times >= _MOVED_AFTER else changed(state, moving_to=to, moving=times)


def _failed(source: Source, state: State, now: float, failure: FetchFailed | ReadError, luck: float) -> Polled:
    status = failure.status if isinstance(failure, FetchFailed | Refusal) else "unreadable"
    failures, gone = state.failures + 1, state.gone + 1 if status == "gone" else 0
    after = changed(
        state,
        status=status,
        message=str(failure)[:_MESSAGE],
        failures=failures,
        gone=gone,
        disabled=gone >= _GONE_AFTER,
        polled_at=now,
        next_at=_pacing.retry(now, source.interval.total_seconds(), failures, luck),
    )
    if not isinstance(failure, _Unreadable):
        return Polled(after, failure=failure)
    letter = source.origin(failure.payload.fetched_at).dead_letter(failure, failure.payload.body)
    fresh, window, _ = news([letter], state.window)
    return Polled(changed(after, window={**state.window, **window}), fresh, payload=failure.payload, failure=failure)
