"""Telegram on loopback: a channel, its public preview, and the Bot API of a bot that is its member."""

from __future__ import annotations

import html
import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.connectors.servers.apis import Answer, Asked, Serving

TOKEN = "123456:planted-TOKEN_of-a_bot"
CHAT = -1001234567890
PAGE = 20


@dataclass
class Post:
    text: str
    at: int
    edited_at: int | None = None
    extra: str = ""
    """Markup between the author and the text: a forward, a reply, a photo."""


@dataclass
class Telegram(Serving):
    name: str = "sample_channel"
    title: str = "قناة نموذج"
    has_preview: bool = True
    posts: dict[int, Post] = field(default_factory=dict)
    flood_seconds: int = 0
    _updates: list[dict[str, Any]] = field(default_factory=list)
    _next_update: int = 500

    def post(self, number: int, text: str, *, at: int = 1_790_000_000, extra: str = "") -> None:
        self.posts[number] = Post(text, at, extra=extra)
        self.tell("channel_post", number)

    def edit(self, number: int, text: str, *, at: int) -> None:
        self.posts[number] = Post(text, self.posts[number].at, at)
        self.tell("edited_channel_post", number)

    def delete(self, number: int) -> None:
        """Telegram tells bots nothing of it."""
        del self.posts[number]

    def tell(self, kind: str, number: int, **other: Any) -> None:
        post = self.posts[number]
        message = {
            "message_id": number,
            "sender_chat": {"id": CHAT, "title": self.title, "username": self.name, "type": "channel"},
            "chat": {"id": CHAT, "title": self.title, "username": self.name, "type": "channel"},
            "date": post.at,
            **({"edit_date": post.edited_at} if post.edited_at else {}),
            "text": post.text,
            **other,
        }
        self._updates.append({"update_id": self._next_update, kind: message})
        self._next_update += 1

    def answer(self, asked: Asked) -> Answer:
        parts = urlsplit(asked.target)
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        if parts.path.startswith("/bot"):
            return self._method(parts.path, query)
        if parts.path == f"/s/{self.name}":
            return (
                self._preview(int(query["before"]) if "before" in query else None) if self.has_preview else Answer(302, headers={"location": f"/{self.name}"})
            )
        return Answer(200, b'<html><body><div class="tgme_page"><a class="tgme_action_button_new">View in Telegram</a></div></body></html>', _HTML)

    def _method(self, path: str, query: dict[str, str]) -> Answer:
        if path != f"/bot{TOKEN}/getUpdates":
            return _failed(401, "Unauthorized")
        if self.flood_seconds:
            return _failed(429, f"Too Many Requests: retry after {self.flood_seconds}", parameters={"retry_after": self.flood_seconds})
        # An offset confirms all updates before it: they are forgotten.
        self._updates = [update for update in self._updates if update["update_id"] >= int(query.get("offset", "0"))]
        wanted = json.loads(query.get("allowed_updates", "[]"))
        found = [update for update in self._updates if not wanted or set(wanted) & update.keys()]
        return _json(200, {"ok": True, "result": found[: int(query.get("limit", "100"))]})

    def _preview(self, before: int | None) -> Answer:
        shown = sorted(number for number in self.posts if before is None or number < before)[-PAGE:]
        body = "\n".join(self._wrap(number, self.posts[number]) for number in shown)
        page = f"""<!DOCTYPE html>
<html><head><meta charset="utf-8"><title>{self.title} – Telegram</title></head>
<body class="widget_frame_base tgme_webpreview emoji_image thin_box_shadow tme_mode no_transitions">
<header class="tgme_header"><div class="tgme_channel_info"><div class="tgme_channel_info_header_title"><span dir="auto">{self.title}</span></div></div></header>
<main class="tgme_main"><section class="tgme_channel_history js-message_history">
{body}
</section></main></body></html>"""
        return Answer(200, page.encode(), _HTML)

    def _wrap(self, number: int, post: Post) -> str:
        at = datetime.fromtimestamp(post.at, UTC).isoformat()
        text = f'<div class="tgme_widget_message_text js-message_text before_footer" dir="auto">{_markup(post.text)}</div>' if post.text else ""
        edited = "edited &nbsp;" if post.edited_at else ""
        address = f"https://t.me/{self.name}"
        return f"""<div class="tgme_widget_message_wrap js-widget_message_wrap">
<div class="tgme_widget_message text_not_supported_wrap js-widget_message" data-post="{self.name}/{number}" data-view="{number * 7}">
<div class="tgme_widget_message_bubble"><div class="tgme_widget_message_author accent_color">
<a class="tgme_widget_message_owner_name" href="{address}"><span dir="auto">{self.title}</span></a></div>
{post.extra}{text}
<div class="tgme_widget_message_footer compact js-message_footer"><div class="tgme_widget_message_info short js-message_info">
<span class="tgme_widget_message_views">{self.served}K</span><span class="copyonly"> views</span>
<span class="tgme_widget_message_meta">{edited}<a class="tgme_widget_message_date" href="{address}/{number}"><time datetime="{at}" class="time">12:30</time></a>
</span></div></div></div></div></div>"""


_HTML = {"content-type": "text/html; charset=utf-8"}


def _markup(text: str) -> str:
    return html.escape(text).replace("\n", "<br/>") + '<span style="display: inline-block; width: 64px;"></span>'


def _failed(code: int, description: str, **more: Any) -> Answer:
    return _json(code, {"ok": False, "error_code": code, "description": description, **more})


def _json(status: int, value: Any) -> Answer:
    return Answer(status, json.dumps(value).encode(), {"content-type": "application/json"})
