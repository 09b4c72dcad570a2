"""The collector: polls and follows sources for months, each at its own pace, and hands on what is new.

A task a source; one delivery at a time takes all that has come meanwhile. A source goes on when its records are acknowledged and
its state is stored with them.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections import defaultdict
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from typing import NamedTuple
from urllib.parse import urlsplit

from msgspec.structs import replace as changed

from connectors import _metrics, _pacing
from connectors._canary import canary
from connectors._connector import Cursor, Payload, Refusal, StreamConnector, Subscription, connector
from connectors._http import FetchFailed, Http
from connectors._outbox import Outbox
from connectors._poll import DEADLINE, Polled, opened, poll
from connectors._reader import SandboxReader
from connectors._sources import Source
from connectors._sources_file import unusable
from connectors._state import HOST, Host, State, decode_host, decode_state, encode
from connectors._stream import opened as opened_stream
from schemas.records import DeadLetter, RawItem

_AT_ONCE = 50
_SPREAD_SECONDS = 0.3
"""Between the first polls of two sources, so that a thousand do not begin in one moment."""
_STORED_EVERY = 900.0
"""Seconds after which a state is stored although nothing but its times has changed."""
_BATCH_SECONDS, _BATCH_MESSAGES = 1.0, 200
_RECONNECT_SECONDS = 1.0
"""Until the next connection after one that ended; doubled with each failure."""
_PARCEL_RECORDS = 1_000
"""From so many on, no more join a delivery: it must be written within a transaction's time."""
_UNSET = "no_secret"
"""Status of a source whose secret is not in the environment, or not what its connector needs."""
_log = logging.getLogger(__name__)


class _Parcel(NamedTuple):
    records: Sequence[RawItem | DeadLetter]
    states: Mapping[str, bytes]
    delivered: asyncio.Future[None]


class Collector:
    """Sources, and where their items go. For one event loop; `clock` gives aware datetimes."""

    def __init__(self, sources: Sequence[Source], outbox: Outbox, http: Http, reader: SandboxReader, clock: Callable[[], datetime]) -> None:
        """A source whose secret is not there is set aside. Raises UsageError where a source has no connector, or its options are wrong."""
        self._outbox, self._http, self._reader, self._clock = outbox, http, reader, clock
        self.states = {source.id: decode_state(outbox.states.get(source.id, b"{}")) for source in sources}
        self._set_aside = {source.id: why for source in sources if (why := unusable(source))}
        self._sources = sources = [source for source in sources if source.id not in self._set_aside]
        for name, why in self._set_aside.items():
            self.states[name] = changed(self.states[name], status=_UNSET, message=why, failures=1, next_at=0.0)
        for name, state in self.states.items():
            _metrics.known(name, state)
        self._hosts = {name: decode_host(stored) for name, stored in outbox.states.items() if name.startswith(HOST)}
        self._stored = dict.fromkeys(self.states, 0.0)
        self._slots = asyncio.Semaphore(_AT_ONCE)
        self._turns: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._parcels: asyncio.Queue[_Parcel] = asyncio.Queue()
        self._stop = asyncio.Event()
        self._host = {source.id: _host(source) for source in sources}
        self._streams = {source.id: _subscription(source, {}) is not None for source in sources}

    def stop(self) -> None:
        """Come to an end: what was fetched is delivered."""
        self._stop.set()

    async def run(self, canaries: timedelta | None = None) -> None:
        """Until `stop`, with a canary each so often. Raises what the outbox raises where it cannot go on."""
        async with asyncio.TaskGroup() as group:
            delivering = group.create_task(self._deliver())
            await self._store_set_aside()
            following = [group.create_task(self._follow(source)) for source in self._sources]
            if canaries:
                following.append(group.create_task(self._send_canaries(canaries.total_seconds())))
            await asyncio.gather(*following)
            delivering.cancel()

    async def once(self, deadline: float) -> dict[str, Polled]:
        """Poll each source once, whatever its back-off; what each gave. A stream with nothing to poll is passed over."""
        async with asyncio.TaskGroup() as group:
            delivering = group.create_task(self._deliver())
            await self._store_set_aside()
            pollable = [source for source in self._sources if connector(source.type).request(source, {}) is not None]
            polls = {source.id: group.create_task(self._poll(source, deadline)) for source in pollable}
            found = {name: await task for name, task in polls.items()}
            delivering.cancel()
        return found | {name: Polled(self.states[name], failure=FetchFailed(_UNSET, why)) for name, why in self._set_aside.items()}

    async def _store_set_aside(self) -> None:
        """So that it is seen: these are not collected."""
        for name, why in self._set_aside.items():
            _log.warning("source %s: %s %s", name, _UNSET, why)
        if self._set_aside:
            await self._acknowledged([], {name: encode(self.states[name]) for name in self._set_aside})

    async def _follow(self, source: Source) -> None:
        state = self.states[source.id]
        first = self._clock().timestamp() + random.random() * min(source.interval.total_seconds(), _SPREAD_SECONDS * len(self._sources))  # noqa: S311 - pacing
        await self._until(state.next_at or (first if len(self._sources) > 1 else 0.0))
        while not self._stop.is_set() and not self.states[source.id].disabled:
            host = self._host[source.id]
            await self._until(self._hosts.get(host, Host()).not_before)
            if self._stop.is_set():
                break
            if self._streams[source.id]:
                await self._stream(source)
            else:
                await self._poll(source, DEADLINE)
            await self._until(max(self.states[source.id].next_at, self._hosts.get(host, Host()).not_before))

    async def _send_canaries(self, every: float) -> None:
        while not self._stop.is_set():
            now = self._clock()
            await self._acknowledged([canary(now)], {})
            await self._until(now.timestamp() + every)

    async def _poll(self, source: Source, deadline: float) -> Polled:
        host = self._host[source.id]
        async with self._turns[host], self._slots:
            polled = await poll(source, self.states[source.id], self._http, self._reader, self._clock, luck=_luck(), deadline=deadline)
        self._judge_host(host, polled.failure if isinstance(polled.failure, FetchFailed) else None, polled.wait)
        await self._hand_over(source, polled.state, polled.records)
        return polled

    async def _stream(self, source: Source) -> None:
        """One connection: the gap, then what comes, until it ends."""
        host = self._host[source.id]
        subscription = _subscription(source, self.states[source.id].cursor)
        assert subscription
        failure: FetchFailed | Refusal | None = None
        try:
            async with opened_stream(self._http, subscription, source, self._clock) as stream:
                self._judge_host(host, None, stream.wait)
                # Behind the opening: what is posted between the last page and the stream would be lost.
                if not await self._fill_gap(source):
                    return
                async with aclosing(self._batches(stream.messages)) as batches:
                    async for batch in batches:
                        await self._take(source, batch)
        except FetchFailed as error:
            failure = error
            self._judge_host(host, error)
        except Refusal as refusal:
            failure = refusal
        state, now = self.states[source.id], self._clock().timestamp()
        status, failures = (failure.status, state.failures + 1) if failure else ("reconnecting", 0)
        again = _pacing.retry(now, _RECONNECT_SECONDS, max(failures, 1), _luck())
        await self._hand_over(source, changed(state, status=status, message=str(failure or ""), failures=failures, next_at=again), ())

    async def _fill_gap(self, source: Source) -> bool:
        """Poll until nothing is new; whether that went well, and the host takes more requests."""
        asks, before, host = connector(source.type), None, self._host[source.id]
        while before != self.states[source.id].cursor and not self._stop.is_set():
            if before is not None and self._hosts.get(host, Host()).not_before > self._clock().timestamp():
                return False
            before = self.states[source.id].cursor
            if asks.request(source, before) is not None and (await self._poll(source, DEADLINE)).failure:
                return False
        return True

    async def _take(self, source: Source, batch: Sequence[Payload]) -> None:
        """The messages of a moment, parsed and delivered. Raises Refusal where one of them ends the stream."""
        state = self.states[source.id]
        records: list[RawItem | DeadLetter] = []
        cursor, refusal = state.cursor, None
        for parsed in await self._reader.read_all([replace(payload, cursor=cursor) for payload in batch], source):
            records += parsed.records
            cursor, refusal = parsed.cursor, refusal or parsed.refusal
        if refusal and not records:
            raise refusal
        now = self._clock().timestamp()
        after = changed(state, cursor=dict(cursor), status="ok", message="", failures=0, polled_at=now)
        await self._hand_over(source, _pacing.with_news(after, now) if records else after, records)
        if refusal:
            raise refusal

    async def _batches(self, stream: AsyncGenerator[Payload]) -> AsyncGenerator[list[Payload]]:
        """What comes within a second of the first; ends with the stream, and when the collector stops."""
        arriving = asyncio.ensure_future(anext(stream, None))
        stopping = asyncio.ensure_future(self._stop.wait())
        try:
            while not self._stop.is_set():
                batch: list[Payload] = []
                await asyncio.wait({arriving, stopping}, return_when=asyncio.FIRST_COMPLETED)
                end = asyncio.get_running_loop().time() + _BATCH_SECONDS
                while arriving.done() and len(batch) < _BATCH_MESSAGES:
                    try:
                        payload = arriving.result()
                    except FetchFailed:
                        if batch:
                            yield batch
                        raise
                    if payload is None:
                        if batch:
                            yield batch
                        return
                    batch.append(payload)
                    arriving = asyncio.ensure_future(anext(stream, None))
                    await asyncio.wait({arriving, stopping}, timeout=max(0.0, end - asyncio.get_running_loop().time()), return_when=asyncio.FIRST_COMPLETED)
                if batch:
                    yield batch
        finally:
            stopping.cancel()
            arriving.cancel()
            await asyncio.gather(arriving, stopping, return_exceptions=True)
            await stream.aclose()

    def _judge_host(self, name: str, failure: FetchFailed | None, wait: float | None = None) -> None:
        """Note what became of a request: `wait` is for how long a host takes no more, although it answered."""
        now = self._clock().timestamp()
        if failure and failure.status in _pacing.HOST_FAULTS:
            self._hosts[name] = _pacing.backed_off(self._hosts.get(name, Host()), now, failure.retry_after, _luck())
        elif not failure and wait:
            self._hosts[name] = Host(not_before=now + wait)
        elif not failure and name in self._hosts:
            self._hosts[name] = Host()

    async def _hand_over(self, source: Source, state: State, records: Sequence[RawItem | DeadLetter]) -> None:
        """Return when the records are acknowledged and the state is stored."""
        before, self.states[source.id] = self.states[source.id], state
        _metrics.polled(source.id, state, records)
        if state.status != before.status:
            _log.log(logging.INFO if state.failures == 0 else logging.WARNING, "source %s: %s", source.id, f"{state.status} {state.message}".rstrip())
        now = self._clock().timestamp()
        if not records and _same(before, state) and now - self._stored[source.id] < _STORED_EVERY:
            return
        self._stored[source.id] = now
        host = self._host[source.id]
        hosts = {host: encode(self._hosts[host])} if host in self._hosts else {}
        await self._acknowledged(records, {source.id: encode(state), **hosts})

    async def _acknowledged(self, records: Sequence[RawItem | DeadLetter], states: Mapping[str, bytes]) -> None:
        parcel = _Parcel(records, states, asyncio.get_running_loop().create_future())
        await self._parcels.put(parcel)
        await parcel.delivered

    async def _deliver(self) -> None:
        while True:
            parcels = [await self._parcels.get()]
            while not self._parcels.empty() and sum(len(parcel.records) for parcel in parcels) < _PARCEL_RECORDS:
                parcels.append(self._parcels.get_nowait())
            records = [record for parcel in parcels for record in parcel.records]
            states = {name: stored for parcel in parcels for name, stored in parcel.states.items()}
            await asyncio.to_thread(self._outbox.deliver, records, states)
            for parcel in parcels:
                parcel.delivered.set_result(None)

    async def _until(self, moment: float) -> None:
        """Sleep until then, or until the collector stops."""
        wait = moment - self._clock().timestamp()
        if wait > 0:
            try:
                await asyncio.wait_for(self._stop.wait(), wait)
            except TimeoutError:
                return


@asynccontextmanager
async def collecting(sources: Sequence[Source], outbox: Outbox, clock: Callable[[], datetime], contact: str | None = None) -> AsyncIterator[Collector]:
    """A collector; `contact` is for the owners of servers. Raises UsageError."""
    async with opened(clock, contact) as (http, reader):
        yield Collector(sources, outbox, http, reader, clock)


def _subscription(source: Source, cursor: Cursor) -> Subscription | None:
    """What to follow, None where the source is polled. Raises UsageError."""
    asks = connector(source.type)
    return asks.subscribe(source, cursor) if isinstance(asks, StreamConnector) else None


def _host(source: Source) -> str:
    """The key of the host that a source is asked at. Raises UsageError."""
    asked = connector(source.type).request(source, {}) or _subscription(source, {})
    return HOST + (urlsplit(asked.url).netloc.rpartition("@")[2].lower() if asked else source.id)


def _same(before: State, after: State) -> bool:
    """Whether only times have changed."""
    return changed(before, polled_at=0.0, next_at=0.0, full_at=0.0) == changed(after, polled_at=0.0, next_at=0.0, full_at=0.0)


def _luck() -> float:
    return random.random()  # noqa: S311 - jitter
