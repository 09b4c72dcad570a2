"""A server that says back all it was told: in a refusal, a redirect, a body that is damaged, and in what each platform takes for its own."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit
from xml.sax.saxutils import escape

from tests.connectors.servers.apis import Answer, Asked, Serving
from tests.connectors.servers.mastodon import a_status
from tests.connectors.servers.reddit import TOKEN as BEARER
from tests.connectors.servers.telegram import CHAT
from tests.connectors.servers.x import a_post

MODES = ("401", "500", "moved", "away", "broken")


@dataclass
class Echo(Serving):
    """`mode`, one of MODES, is how it answers; `elsewhere` is where `away` redirects to."""

    mode: str = "401"
    elsewhere: str = ""

    def answer(self, asked: Asked) -> Answer:
        said = " ".join([asked.target, *asked.headers.values(), asked.body.decode()])
        back = {"x-echo": said, "x-url": self.url + asked.target}
        if self.mode.isdigit():
            return Answer(int(self.mode), json.dumps({"error": said, "ok": False, "description": said}).encode(), {**back, "content-type": "application/json"})
        if self.mode == "away":
            return Answer(302, headers={"location": self.elsewhere + asked.target})
        if self.mode == "broken":
            return Answer(200, b"\0{<" + said.encode(), back)
        if not asked.target.startswith("/again") and asked.method == "GET" and "/streaming/" not in asked.target:
            return Answer(301, said.encode(), {"location": "/again" + asked.target, **back})
        return _taken(asked, said, back)


def _taken(asked: Asked, said: str, back: dict[str, str]) -> Answer:
    """What its connector takes, with what was said wherever a text can stand, and something damaged beside it."""
    path = urlsplit(asked.target).path
    if path.endswith("access_token"):
        return Answer(200, json.dumps({"access_token": BEARER, "token_type": "bearer", "expires_in": 600}).encode(), back)
    if path.endswith("/getUpdates"):
        return _json({"ok": True, "result": [{"update_id": 1, "channel_post": _post(said)}, {"update_id": 2, "channel_post": {"text": said}}]}, back)
    if path.endswith("/search/stream"):
        return Answer(200, headers=back, chunks=lambda: iter([_line(a_post(1, said)), b'{"damaged ' + said.encode() + b"\r\n"]))
    if "/streaming/" in path:
        status = json.dumps(a_status(1, content=said))
        return Answer(200, headers=back, chunks=lambda: iter([f"event: update\ndata: {status}\n\nevent: update\ndata: {{{said}\n\n".encode()]))
    if "/timelines/" in path:
        return _json([a_status(2, content=said), {"id": "3", "content": said}], back)
    if path.endswith("/new"):
        post = {"name": "t3_a", "title": said, "selftext": said, "is_self": True, "author": said, "permalink": "/" + said}
        return _json({"kind": "Listing", "data": {"children": [{"kind": "t3", "data": post}, {"kind": "t3", "data": {"name": said}}]}}, back)
    text = escape(said)
    entry = f"<item><guid>{text}</guid><title>{text}</title><link>https://outlet-a.example/?{text}</link><description>{text}</description></item>"
    return Answer(200, f"<rss version='2.0'><channel><title>{text}</title>{entry}<item><category>{text}</category></item></channel></rss>".encode(), back)


def _post(text: str) -> dict[str, Any]:
    chat = {"id": CHAT, "title": text, "username": "sample_channel", "type": "channel"}
    return {"message_id": 1, "sender_chat": chat, "chat": chat, "date": 1_790_000_000, "text": text}


def _line(message: dict[str, Any]) -> bytes:
    return json.dumps(message).encode() + b"\r\n"


def _json(value: Any, headers: dict[str, str]) -> Answer:
    return Answer(200, json.dumps(value).encode(), {"content-type": "application/json", **headers})
