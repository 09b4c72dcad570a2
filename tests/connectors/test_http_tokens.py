"""Bearer tokens by client credentials: asked for once, kept, renewed."""

from __future__ import annotations

import asyncio
import json
from base64 import b64decode
from collections.abc import Callable, Coroutine
from datetime import datetime, timedelta
from typing import Any

import pytest

from connectors._connector import Request, TokenRequest
from connectors._http import FetchFailed, Http
from tests.connectors.fetching import AGENT, NOW, a_source, failed
from tests.connectors.servers.hostile import Heard, Hostile, response


class Guarded(Hostile):
    """An API that takes its last token alone."""

    def __init__(self, given: dict[str, Any] | None = None) -> None:
        super().__init__(self._said)
        self.given, self.issued, self.revoked = given, 0, False
        self.now: datetime = NOW

    def _said(self, heard: Heard) -> list[bytes | float]:
        if heard.target == "/token":
            self.issued += 1
            given = {"access_token": f"tok-{self.issued}", "token_type": "bearer", "expires_in": 600} if self.given is None else self.given
            return [0.02, response(200, json.dumps(given).encode())]
        known = not self.revoked and heard.headers["authorization"] == f"Bearer tok-{self.issued}"
        return [response(200, b"{}") if known else response(401, b"no")]

    def run(self, act: Callable[[Callable[[], Coroutine[Any, Any, Any]]], Coroutine[Any, Any, None]]) -> None:
        async def whole() -> None:
            async with self.serving(), Http(AGENT, lambda: self.now) as client:
                asked = Request(f"{self.url}/new", token=TokenRequest(f"{self.url}/token", "us", "s3cret +/"))
                await act(lambda: client.fetch(asked, a_source(self.url), {}))

        asyncio.run(whole())


def test_a_token_is_asked_for_once_and_kept() -> None:
    server = Guarded()

    async def act(fetch: Callable[[], Coroutine[Any, Any, Any]]) -> None:
        await asyncio.gather(*(fetch() for _ in range(5)))
        await fetch()

    server.run(act)
    assert server.issued == 1
    asked = server.heard[0]
    assert (asked.method, asked.body, asked.headers["content-type"]) == ("POST", b"grant_type=client_credentials", "application/x-www-form-urlencoded")
    assert b64decode(asked.headers["authorization"].removeprefix("Basic ")) == b"us:s3cret+%2B%2F"


def test_a_token_is_renewed_before_it_expires() -> None:
    server = Guarded()

    async def act(fetch: Callable[[], Coroutine[Any, Any, Any]]) -> None:
        for seconds in (0, 539, 541):
            server.now = NOW + timedelta(seconds=seconds)
            await fetch()

    server.run(act)
    assert server.issued == 2


def test_a_token_that_is_not_taken_is_renewed_once() -> None:
    server = Guarded()

    async def act(fetch: Callable[[], Coroutine[Any, Any, Any]]) -> None:
        await fetch()
        server.issued += 1
        await fetch()
        assert server.issued == 3
        server.revoked = True
        with pytest.raises(FetchFailed) as caught:
            await fetch()
        assert (caught.value.status, caught.value.http_status) == ("forbidden", 401)

    server.run(act)
    assert server.issued == 4


@pytest.mark.parametrize("given", [{}, [], {"access_token": 7}, {"access_token": ""}, {"access_token": "a\r\nx: y"}, {"error": "s3cret +/"}])
def test_an_answer_without_a_token(given: Any) -> None:
    failure = failed(lambda: Guarded(given).run(lambda fetch: fetch()))
    assert failure.status == "malformed"
    assert "s3cret" not in str(failure)


@pytest.mark.parametrize("life", [None, "600", -1, 0, 1e400, True])
def test_a_life_that_is_none_is_an_hour_or_less(life: Any) -> None:
    server = Guarded({"access_token": "tok-1", "expires_in": life})

    async def act(fetch: Callable[[], Coroutine[Any, Any, Any]]) -> None:
        await fetch()
        assert server.issued == 1

    server.run(act)
