"""One connection to a stream, until it ends: a WebSocket, server-sent events, or a JSON value a line.

Source: https://www.rfc-editor.org/rfc/rfc6455. Streams over HTTP are Http's; a WebSocket goes through the same checks of addresses, headers and
answers. Reconnecting is the collector's.
"""

from __future__ import annotations

import ssl
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import ExitStack, aclosing, asynccontextmanager
from datetime import datetime
from typing import NamedTuple

import httpx
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosedError, ConnectionClosedOK, InvalidHandshake, InvalidStatus

from connectors import _addresses, _hops
from connectors._connector import Payload, Request, Subscription
from connectors._failure import FetchFailed, brief, cleared, without
from connectors._framing import LARGEST, Events, Framing, Lines, Message, too_large
from connectors._http import Http
from connectors._responses import facts, refusal
from connectors._retry_after import until_allowed
from connectors._sources import Source

_OPENING_SECONDS, _CLOSING_SECONDS = 30.0, 2.0
_TOO_BIG, _INTERNAL_ERROR = 1009, 1011
"""Close codes that the library sends: for a message over the cap, and for a ping that was not answered."""


async def messages(http: Http, subscription: Subscription, source: Source, now: Callable[[], datetime]) -> AsyncGenerator[Payload]:
    """Each message as it comes; ends where the server ends in good order. Raises FetchFailed: what Http raises, and too_large."""
    async with opened(http, subscription, source, now) as stream:
        async for payload in stream.messages:
            yield payload


class Opened(NamedTuple):
    """What a server tells; `wait`: seconds in which it takes no other connection, where it said that this was the last one for now."""

    messages: AsyncGenerator[Payload]
    wait: float | None = None


@asynccontextmanager
async def opened(http: Http, subscription: Subscription, source: Source, now: Callable[[], datetime]) -> AsyncIterator[Opened]:
    """A stream that the server has agreed to: what it tells from now on comes, however late it is asked for. Raises FetchFailed, as its messages do."""
    secrets = (*subscription.secret_parts, *source.hidden())
    where = brief(subscription.url, secrets)

    def told(message: Message) -> Payload:
        return Payload(body=cleared(message.body, secrets), event=message.event, url=where, fetched_at=now())

    if subscription.protocol == "websocket":
        connection = await _connected(http.user_agent, subscription, source, now)
        async with connection, aclosing(_received(connection, where, told)) as arriving:
            yield Opened(arriving)
    else:
        framing = Events(where) if subscription.protocol == "sse" else Lines(where)
        async with http.stream(subscription, source) as stream, aclosing(_framed(stream.chunks, framing, told)) as arriving:
            yield Opened(arriving, until_allowed(stream.headers, now()))


async def _framed(chunks: AsyncIterator[bytes], framing: Framing, told: Callable[[Message], Payload]) -> AsyncGenerator[Payload]:
    async for chunk in chunks:
        for message in framing.feed(chunk):
            yield told(message)


class _Connect(connect):
    """A redirect is an answer like another: the library would connect to wherever it leads, unchecked."""

    def process_redirect(self, exc: Exception) -> Exception:
        return exc


async def _connected(user_agent: str, subscription: Subscription, source: Source, now: Callable[[], datetime]) -> ClientConnection:
    url = httpx.URL(subscription.url)
    asked = Request(str(url.copy_with(scheme=url.scheme.replace("ws", "http", 1))), subscription.headers, secret_parts=subscription.secret_parts)
    hop = _hops.first(asked, source, None)
    with ExitStack() as stack:
        connection = await _addresses.connect(*_addresses.endpoint(asked.url), hop.private)
        stack.callback(connection.close)
        try:
            opened = await _Connect(
                str(hop.url.copy_with(scheme=url.scheme, userinfo=b"")),
                sock=connection,
                ssl=httpx.create_ssl_context() if hop.url.scheme == "https" else None,
                additional_headers=dict(hop.headers),
                user_agent_header=user_agent,
                max_size=LARGEST,
                open_timeout=_OPENING_SECONDS,
                close_timeout=_CLOSING_SECONDS,
                # A server with nothing to tell is alive as long as it answers pings.
                ping_interval=subscription.idle / 2,
                ping_timeout=subscription.idle / 2,
                proxy=None,
            )
        except InvalidStatus as error:
            raise _refusal(error, hop, now()) from None
        except TimeoutError:
            raise FetchFailed("timeout", f"{hop.where}: no answer within {_OPENING_SECONDS:g} s") from None
        except (InvalidHandshake, EOFError, OSError) as error:
            word = "tls" if isinstance(error, ssl.SSLError) else "unreachable"
            raise FetchFailed(word, f"{hop.where}: no WebSocket: {without(str(error), hop.secrets) or type(error).__name__}") from None
        stack.pop_all()
    return opened


def _refusal(error: InvalidStatus, hop: _hops.Hop, now: datetime) -> FetchFailed:
    answer = error.response
    headers = facts([(name.encode(), value.encode("latin-1", "replace")) for name, value in answer.headers.raw_items()], hop.secrets)
    failure = refusal(answer.status_code, headers, bytes(answer.body or b""), hop.where, now)
    return failure or FetchFailed("malformed", f"{hop.where}: is a page, and no WebSocket; correct the url", http_status=answer.status_code)


async def _received(connection: ClientConnection, where: str, told: Callable[[Message], Payload]) -> AsyncGenerator[Payload]:
    while True:
        try:
            # Bytes of texts too: one that is no UTF-8 is a damaged message, where the library would end the connection.
            body = await connection.recv(decode=False)
        except ConnectionClosedOK:
            return
        except ConnectionClosedError as error:
            raise _broken(error, where) from None
        yield told(Message(body))


def _broken(error: ConnectionClosedError, where: str) -> FetchFailed:
    code = error.sent.code if error.sent and not error.rcvd_then_sent else None
    if code == _TOO_BIG:
        return too_large(where)
    if code == _INTERNAL_ERROR:
        return FetchFailed("timeout", f"{where}: answered no ping")
    return FetchFailed("unreachable", f"{where}: the connection broke: {error}")
