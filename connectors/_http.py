"""Fetching over HTTP from servers that lie: checked addresses at every hop, caps while streaming, one deadline, failures with a status.

One client for all sources of a process, on httpcore's pools: httpx's own client logs whole URLs, raises on a Location that is none, and shares
cookies between sources. No proxy is taken from the environment; certificates of one's own are named by SSL_CERT_FILE or SSL_CERT_DIR.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator, Mapping
from contextlib import AsyncExitStack, aclosing, asynccontextmanager, contextmanager
from datetime import datetime
from types import TracebackType
from typing import NamedTuple, Self

import httpcore
import httpx

from connectors import _caps, _hops
from connectors._backend import CheckedBackend
from connectors._challenge import SIZE
from connectors._connector import Cursor, Payload, Request, Subscription
from connectors._failure import FetchFailed as FetchFailed
from connectors._failure import brief, cleared, shown, without
from connectors._responses import facts, refusal
from connectors._sources import Source
from connectors._tokens import Tokens

_OPENING_SECONDS = 30.0
_REASON_SECONDS = 5.0
_IDLE_CONNECTIONS, _IDLE_SECONDS = 10, 5.0
_DETAIL = 200

# It logs headers, with secrets in them.
logging.getLogger("httpcore").setLevel(logging.WARNING)


class Http:
    """The client. `now` gives the clock time, with a zone, for what came and for waits that servers give as moments."""

    def __init__(self, user_agent: str, now: Callable[[], datetime]) -> None:
        self.user_agent = user_agent
        self._now, self._tokens = now, Tokens(now)
        self._headers = {"user-agent": user_agent, "accept": "*/*", "accept-encoding": _caps.OFFERED}
        context = httpx.create_ssl_context()
        # A connection that was opened for a source with `allow_private` serves no other.
        self._pools = {
            allowed: httpcore.AsyncConnectionPool(
                ssl_context=context,
                max_connections=None,
                max_keepalive_connections=_IDLE_CONNECTIONS,
                keepalive_expiry=_IDLE_SECONDS,
                network_backend=CheckedBackend(allowed=allowed),
            )
            for allowed in (False, True)
        }

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        for pool in self._pools.values():
            await pool.aclose()

    async def fetch(self, request: Request, source: Source, cursor: Cursor, *, deadline: float = 30.0) -> Payload:
        """What a 2xx response or a 304 gives, all redirects and tokens within `deadline` seconds. Raises FetchFailed for everything else."""
        try:
            async with asyncio.timeout(deadline):
                return await self._fetched(request, source, cursor)
        except TimeoutError:
            raise FetchFailed("timeout", f"{brief(request.url, request.secret_parts)}: not read within {deadline:g} s") from None

    @asynccontextmanager
    async def stream(self, subscription: Subscription, source: Source) -> AsyncIterator[Stream]:
        """A 2xx response, its body as it comes. Raises FetchFailed, `timeout` after `subscription.idle` seconds without a byte."""
        asked = Request(subscription.url, {"accept-encoding": "identity", **subscription.headers}, secret_parts=subscription.secret_parts)
        async with AsyncExitStack() as stack:
            try:
                async with asyncio.timeout(_OPENING_SECONDS):
                    answer = await stack.enter_async_context(self._answer(asked, source, None))
                    if not answer.is_success:
                        raise await self._failure(answer)
            except TimeoutError:
                raise FetchFailed("timeout", f"{brief(asked.url, asked.secret_parts)}: no answer within {_OPENING_SECONDS:g} s") from None
            chunks = await stack.enter_async_context(aclosing(_alive(answer, subscription.idle)))
            yield Stream(chunks, answer.headers)

    async def _fetched(self, request: Request, source: Source, cursor: Cursor) -> Payload:
        if request.token is None:
            return await self._once(request, source, cursor, None)

        async def post(asked: Request) -> bytes:
            return (await self._once(asked, source, {}, None)).body

        bearer = await self._tokens.token(request.token, post)
        try:
            return await self._once(request, source, cursor, bearer)
        except FetchFailed as failure:
            if failure.http_status != 401:
                raise
        self._tokens.refused(request.token, bearer)
        return await self._once(request, source, cursor, await self._tokens.token(request.token, post))

    async def _once(self, request: Request, source: Source, cursor: Cursor, bearer: str | None) -> Payload:
        async with self._answer(request, source, bearer) as answer:
            if answer.status == 304:
                return self._payload(answer, b"", cursor)
            if not answer.is_success:
                raise await self._failure(answer)
            body = cleared(await _caps.whole(answer.chunks(), answer.coding, answer.hop.where), answer.hop.secrets)
        if failure := refusal(answer.status, answer.headers, body, answer.hop.where, self._now()):
            raise failure
        return self._payload(answer, body, cursor)

    def _payload(self, answer: _Answer, body: bytes, cursor: Cursor) -> Payload:
        hop = answer.hop
        return Payload(
            body=body,
            url=shown(str(hop.url), hop.secrets),
            fetched_at=self._now(),
            cursor=cursor,
            redirects=tuple(shown(url, hop.secrets) for url in hop.redirects),
            # An address with a secret in it is not for a state to keep.
            moved_to=hop.moved_to if hop.moved_to and shown(hop.moved_to, hop.secrets) == hop.moved_to else None,
            status=answer.status,
            headers=answer.headers,
        )

    async def _failure(self, answer: _Answer) -> FetchFailed:
        body = await _caps.beginning(answer.chunks(), answer.coding, SIZE, within=_REASON_SECONDS)
        failure = refusal(answer.status, answer.headers, body, answer.hop.where, self._now())
        assert failure
        return failure

    @asynccontextmanager
    async def _answer(self, request: Request, source: Source, bearer: str | None) -> AsyncIterator[_Answer]:
        """The response that the redirects lead to."""
        hop = _hops.first(request, source, bearer)
        while True:
            async with self._sent(request, hop) as response:
                if response.status not in _hops.REDIRECTS:
                    yield _Answer(hop, response, facts(response.headers, hop.secrets))
                    return
                if request.method == "POST":
                    raise FetchFailed("redirects", f"{hop.where}: redirects what was to be posted; correct the url", http_status=response.status)
                location = next((value for name, value in response.headers if name.lower() == b"location"), b"")
            hop = hop.next(response.status, location, source)

    @asynccontextmanager
    async def _sent(self, request: Request, hop: _hops.Hop) -> AsyncIterator[httpcore.Response]:
        url = httpcore.URL(scheme=hop.url.raw_scheme, host=hop.url.raw_host, port=hop.url.port, target=hop.url.raw_path)
        length = {"content-length": str(len(request.body))} if request.method == "POST" else {}
        headers = {"host": hop.url.netloc.decode("ascii"), **self._headers, **hop.headers, **length}
        asked = httpcore.Request(request.method, url, headers=[(name.encode(), _bytes(value)) for name, value in headers.items()], content=request.body)
        with _told(hop):
            response = await self._pools[hop.private].handle_async_request(asked)
        async with aclosing(response):
            yield response


class Stream(NamedTuple):
    """What a server tells, and the headers that it began with."""

    chunks: AsyncIterator[bytes]
    headers: Mapping[str, str]


class _Answer(NamedTuple):
    hop: _hops.Hop
    response: httpcore.Response
    headers: Mapping[str, str]

    @property
    def status(self) -> int:
        return self.response.status

    @property
    def is_success(self) -> bool:
        return 200 <= self.status < 300

    @property
    def coding(self) -> str:
        return self.headers.get("content-encoding", "")

    async def chunks(self) -> AsyncGenerator[bytes]:
        """The body as it is on the wire."""
        with _told(self.hop):
            async for chunk in self.response.aiter_stream():
                yield chunk


async def _alive(answer: _Answer, idle: float) -> AsyncGenerator[bytes]:
    inflater = _caps.Inflater(answer.coding, answer.hop.where)
    async with aclosing(answer.chunks()) as chunks:
        while True:
            try:
                async with asyncio.timeout(idle):
                    chunk = await anext(chunks, None)
            except TimeoutError:
                raise FetchFailed("timeout", f"{answer.hop.where}: sent nothing for {idle:g} s") from None
            if chunk is None:
                return
            for piece in inflater.feed(chunk):
                yield piece


@contextmanager
def _told(hop: _hops.Hop) -> Iterator[None]:
    """Errors of the libraries as FetchFailed, without their causes: those may show headers."""
    try:
        yield
    except httpcore.LocalProtocolError:
        raise FetchFailed("malformed", f"{hop.where}: cannot be asked: a header of the source holds what HTTP does not allow") from None
    except (httpcore.ProtocolError, httpcore.NetworkError, httpcore.TimeoutException, OSError) as error:
        raise FetchFailed(_word(error), f"{hop.where}: the exchange failed: {_detail(error, hop)}") from None


def _word(error: Exception) -> str:
    # httpcore hides the cause of an error, but gives it as the error's argument; what a server says wrong is h11's to find.
    cause = error.args[0] if error.args else None
    if isinstance(cause, ssl.SSLError):
        return "tls"
    return "malformed" if isinstance(error, httpcore.ProtocolError) and isinstance(cause, Exception) else "unreachable"


def _detail(error: Exception, hop: _hops.Hop) -> str:
    return without(str(error), hop.secrets)[:_DETAIL] or type(error).__name__


def _bytes(value: str) -> bytes:
    """Latin-1 where it fits: validators go back byte by byte as they came."""
    try:
        return value.encode("latin-1")
    except UnicodeEncodeError:
        return value.encode()
