"""Bearer tokens by OAuth 2 client credentials, kept in memory until shortly before they expire.

Source: https://www.rfc-editor.org/rfc/rfc6749#section-4.4.
"""

from __future__ import annotations

import asyncio
import json
import re
from base64 import b64encode
from collections import defaultdict
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Any, NamedTuple
from urllib.parse import quote_plus

from connectors._connector import Request, TokenRequest
from connectors._failure import FetchFailed, brief

_EARLY = timedelta(seconds=60)
_LIFE, _LONGEST_LIFE = 3_600.0, 86_400.0
_TOKEN = re.compile(r"[A-Za-z0-9._~+/=-]{1,8192}")
"""What a bearer token may hold: https://www.rfc-editor.org/rfc/rfc6750#section-2.1."""


class _Kept(NamedTuple):
    token: str
    until: datetime


class Tokens:
    """The tokens of a process, one for each TokenRequest. `post` sends a request and gives the body of a 2xx answer, else raises FetchFailed."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        self._now = now
        self._kept: dict[TokenRequest, _Kept] = {}
        self._asking: defaultdict[TokenRequest, asyncio.Lock] = defaultdict(asyncio.Lock)

    async def token(self, wanted: TokenRequest, post: Callable[[Request], Awaitable[bytes]]) -> str:
        """A token that is still good. Raises FetchFailed."""
        async with self._asking[wanted]:
            kept = self._kept.get(wanted)
            if kept is None or self._now() >= kept.until:
                kept = self._kept[wanted] = self._read(await post(_request(wanted)), wanted)
            return kept.token

    def refused(self, wanted: TokenRequest, token: str) -> None:
        """Forget a token that the server did not take; one that was renewed meanwhile stays."""
        if (kept := self._kept.get(wanted)) and kept.token == token:
            del self._kept[wanted]

    def _read(self, body: bytes, wanted: TokenRequest) -> _Kept:
        try:
            answer: Any = json.loads(body)
        except (ValueError, RecursionError):
            answer = None
        token = answer.get("access_token") if isinstance(answer, dict) else None
        if not isinstance(token, str) or not _TOKEN.fullmatch(token):
            raise FetchFailed("malformed", f"{brief(wanted.url, (wanted.client_secret,))}: answers without an access token; check the address of the token")
        life = answer.get("expires_in")
        seconds = float(life) if isinstance(life, int | float) and 0 < life < _LONGEST_LIFE else _LIFE
        return _Kept(token, self._now() + timedelta(seconds=seconds) - min(_EARLY, timedelta(seconds=seconds / 2)))


def _request(wanted: TokenRequest) -> Request:
    credentials = f"{quote_plus(wanted.client_id)}:{quote_plus(wanted.client_secret)}"
    basic = b64encode(credentials.encode()).decode()
    return Request(
        wanted.url,
        {"authorization": f"Basic {basic}", "content-type": "application/x-www-form-urlencoded", "accept": "application/json"},
        "POST",
        b"grant_type=client_credentials",
        secret_parts=(wanted.client_secret, basic),
    )
