"""X on loopback: the filtered stream of API v2, one connection an app, empty lines where there is nothing to tell."""

from __future__ import annotations

import json
import queue
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.connectors.servers.apis import Answer, Asked, Serving

TOKEN = "planted-bearer-token-of-an-app"
KEEP_ALIVE = b"\r\n"
DISCONNECT = {
    "errors": [
        {
            "title": "operational-disconnect",
            "disconnect_type": "UpstreamOperationalDisconnect",
            "detail": "This stream has been disconnected upstream for operational reasons.",
            "type": "https://api.x.com/2/problems/operational-disconnect",
        }
    ]
}
_TOO_MANY = {
    "title": "ConnectionException",
    "detail": "This stream is currently at the maximum allowed connection limit.",
    "connection_issue": "TooManyConnections",
    "type": "https://api.x.com/2/problems/streaming-connection",
}


@dataclass
class X(Serving):
    history: list[bytes] = field(default_factory=list)
    """What it told in the last minutes."""
    cuts: bool = False
    """Whether it hangs up within a message when there is no more to tell."""
    keep_alive: float = 0.05
    limits: dict[str, str] = field(default_factory=dict)
    """Headers of an opening that succeeds."""
    _lines: queue.Queue[bytes | None] = field(default_factory=queue.Queue)
    _connected: int = 0

    def tell(self, message: dict[str, Any]) -> None:
        self._lines.put(json.dumps(message).encode() + b"\r\n")

    def tell_bytes(self, data: bytes) -> None:
        self._lines.put(data)

    def end(self) -> None:
        self._lines.put(None)

    def answer(self, asked: Asked) -> Answer:
        parts = urlsplit(asked.target)
        if parts.path != "/2/tweets/search/stream":
            return Answer(404)
        if asked.headers["authorization"] != f"Bearer {TOKEN}":
            return _problem(401, {"title": "Unauthorized", "type": "about:blank", "status": 401, "detail": "Unauthorized"})
        if self._connected:
            return _problem(429, _TOO_MANY, {"x-rate-limit-limit": "50", "x-rate-limit-remaining": "0", "x-rate-limit-reset": "1790000900"})
        repeated = list(self.history) if "backfill_minutes" in parse_qs(parts.query) else []
        self._connected += 1
        return Answer(200, headers={"content-type": "application/json; charset=utf-8", **self.limits}, chunks=lambda: self._told(repeated), cut=self.cuts)

    def _told(self, repeated: list[bytes]) -> Iterator[bytes]:
        try:
            yield from repeated
            while not self.stopped.is_set():
                try:
                    line = self._lines.get(timeout=self.keep_alive)
                except queue.Empty:
                    line = KEEP_ALIVE
                if line is None:
                    return
                self.history += [line] if line.strip() else []
                # A message need not come in one piece.
                yield line[:40]
                if line[40:]:
                    yield line[40:]
        finally:
            self._connected -= 1


def a_post(number: int, text: str, *, edit_of: int | None = None, **more: Any) -> dict[str, Any]:
    """A line's message."""
    history = [str(edit_of), str(number)] if edit_of else [str(number)]
    data = {
        "id": str(number),
        "text": text,
        "author_id": "2244994945",
        "created_at": "2026-09-21T12:00:00.000Z",
        "edit_history_tweet_ids": history,
        "lang": "ar",
        **more,
    }
    return {
        "data": data,
        "includes": {"users": [{"id": "2244994945", "name": "Sample Outlet", "username": "sample_outlet"}]},
        "matching_rules": [{"id": "1166916266197536768", "tag": "baghdad"}],
    }


def _problem(status: int, problem: dict[str, Any], headers: dict[str, str] | None = None) -> Answer:
    return Answer(status, json.dumps(problem).encode(), {"content-type": "application/problem+json", **(headers or {})})
