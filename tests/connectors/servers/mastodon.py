"""A Mastodon server on 127.0.0.1: timelines by pages, and as streams of server-sent events.

Source: https://docs.joinmastodon.org/methods/timelines/ and /methods/streaming/.
"""

from __future__ import annotations

import json
import queue
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.connectors.servers.apis import Answer, Asked, Serving

TOKEN = "planted-user-token"
FIRST = 115_890_000_000_000_000
TOO_MANY = Answer(
    429,
    b'{"error":"Too many requests"}',
    {"x-ratelimit-limit": "300", "x-ratelimit-remaining": "0", "x-ratelimit-reset": "2026-09-21T12:03:05.000000Z"},
)


@dataclass
class Mastodon(Serving):
    """`posted` is the timeline, oldest first. `tell` speaks on the stream; None ends it."""

    posted: list[dict[str, Any]] = field(default_factory=list)
    is_open: bool = False
    """Whether it wants no token."""
    cuts: bool = False
    """Whether the stream hangs up within an event when there is no more to tell."""
    keep_alive: float = 0.05
    _events: queue.Queue[bytes | None] = field(default_factory=queue.Queue)

    def post(self, *numbers: int) -> None:
        self.posted += [a_status(number) for number in numbers]

    def tell(self, event: str, data: Any) -> None:
        self.tell_bytes(f"event: {event}\ndata: {data if isinstance(data, str) else json.dumps(data, ensure_ascii=False)}\n\n".encode())

    def tell_bytes(self, data: bytes) -> None:
        self._events.put(data)

    def end(self) -> None:
        self._events.put(None)

    def answer(self, asked: Asked) -> Answer:
        parts = urlsplit(asked.target)
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        if not self.is_open and asked.headers["authorization"] != f"Bearer {TOKEN}":
            return _problem(401, "The access token is invalid")
        if parts.path in ("/api/v1/streaming/public", "/api/v1/streaming/public/local", "/api/v1/streaming/hashtag"):
            return Answer(200, headers={"content-type": "text/event-stream"}, chunks=self._told, cut=self.cuts)
        if parts.path in ("/api/v1/timelines/public", "/api/v1/timelines/tag/baghdad", "/api/v1/accounts/77/statuses"):
            return self._page(parts.path, query)
        return _problem(404, "Record not found")

    def _page(self, path: str, query: dict[str, str]) -> Answer:
        limit = min(int(query.get("limit", "20")), 40)
        behind = [status for status in self.posted if int(status["id"]) > int(query.get("min_id", "0"))]
        page = behind[:limit] if "min_id" in query else behind[-limit:]
        link = {"link": f'<{self.url}{path}?min_id={page[-1]["id"]}>; rel="prev"'} if page else {}
        limits = {"x-ratelimit-limit": "300", "x-ratelimit-remaining": "299", "x-ratelimit-reset": "2026-09-21T12:05:00.000000Z"}
        return Answer(200, json.dumps(page[::-1]).encode(), {"content-type": "application/json; charset=utf-8", **link, **limits})

    def _told(self) -> Iterator[bytes]:
        yield b":)\n"
        while not self.stopped.is_set():
            try:
                data = self._events.get(timeout=self.keep_alive)
            except queue.Empty:
                data = b":thump\n"
            if data is None:
                return
            # An event need not come in one piece.
            yield data[:25]
            if data[25:]:
                yield data[25:]


def a_status(number: int, **more: Any) -> dict[str, Any]:
    """A status as the API gives it."""
    account = {"id": "77", "username": "sample_a", "acct": "sample_a", "display_name": "Sample outlet A", "url": "https://social.example/@sample_a"}
    return {
        "id": str(FIRST + number),
        "created_at": "2026-09-21T11:00:00.000Z",
        "edited_at": None,
        "sensitive": False,
        "spoiler_text": "",
        "visibility": "public",
        "language": "ar",
        "uri": f"https://social.example/users/sample_a/statuses/{FIRST + number}",
        "url": f"https://social.example/@sample_a/{FIRST + number}",
        "content": f"<p>خبر {number}</p>",
        "reblog": None,
        "account": account,
        **more,
    }


def _problem(status: int, error: str) -> Answer:
    return Answer(status, json.dumps({"error": error}).encode(), {"content-type": "application/json; charset=utf-8"})
