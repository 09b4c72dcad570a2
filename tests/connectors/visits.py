"""Asking a connector's server as the machinery does, on real sockets: request, fetch, parse, the next page."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, NamedTuple

import httpx

from connectors._connector import Connector, Cursor, Parsed, Payload, Request, StreamConnector, TokenRequest, connector
from connectors._sources import Source, source_of
from schemas.records import DeadLetter, RawItem

NOW = datetime(2026, 9, 21, 12, 0, 5, tzinfo=UTC)


class Visit(NamedTuple):
    """The records of all pages, the cursor behind them, and how many pages it took."""

    records: list[RawItem | DeadLetter]
    cursor: Cursor
    pages: int

    @property
    def ids(self) -> list[str]:
        return [item.native_id for item in self.items]

    @property
    def items(self) -> list[RawItem]:
        return [record for record in self.records if isinstance(record, RawItem)]


def a_source(kind: str, url: str | None, *, secrets: dict[str, str] | None = None, **options: Any) -> Source:
    """A source of a server on loopback."""
    address = {} if url is None else {"url": url}
    return source_of({"id": f"sample.{kind}", "type": kind, **address, "allow_private": True, "secrets": secrets or {}, "options": options})


def visit(source: Source, cursor: Cursor, *, pages: int = 50) -> Visit:
    """Poll once. Raises httpx.HTTPError where the server does not answer with 200."""
    asks: Connector = connector(source.type)
    records: list[RawItem | DeadLetter] = []
    taken = 0
    with httpx.Client(follow_redirects=True, timeout=5) as client:
        for _ in range(pages):
            taken += 1
            request = asks.request(source, cursor)
            assert request
            parsed = asks.parse(_fetched(client, request, cursor), source)
            records += parsed.records
            cursor = parsed.cursor
            if not parsed.more:
                break
    return Visit(records, cursor, taken)


def follow(source: Source, cursor: Cursor) -> Iterator[Parsed]:
    """What each line of a stream gives, empty ones too. Raises httpx.HTTPError where the connection breaks."""
    asks = connector(source.type)
    assert isinstance(asks, StreamConnector)
    subscription = asks.subscribe(source, cursor)
    with httpx.Client(timeout=5) as client, client.stream("GET", subscription.url, headers=dict(subscription.headers)) as response:
        response.raise_for_status()
        rest = b""
        for chunk in response.iter_raw():
            *lines, rest = (rest + chunk).split(b"\n")
            for line in lines:
                parsed = asks.parse(Payload(body=line, url=subscription.url, fetched_at=NOW, cursor=cursor), source)
                cursor = parsed.cursor
                yield parsed


def _fetched(client: httpx.Client, request: Request, cursor: Cursor) -> Payload:
    headers = {**request.headers, **({"authorization": f"Bearer {_token(client, request.token)}"} if request.token else {})}
    response = client.request(request.method, request.url, headers=headers, content=request.body).raise_for_status()
    return Payload(body=response.content, url=str(response.url), fetched_at=NOW, cursor=cursor, status=response.status_code, headers=dict(response.headers))


def _token(client: httpx.Client, asked: TokenRequest) -> str:
    response = client.post(asked.url, auth=(asked.client_id, asked.client_secret), data={"grant_type": "client_credentials"})
    return str(response.raise_for_status().json()["access_token"])
