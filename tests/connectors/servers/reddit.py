"""Reddit on loopback: a token for an app, a subreddit's listing, and an account's private feed."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit
from xml.sax.saxutils import escape

from tests.connectors.servers.apis import Answer, Asked, Serving

CLIENT, SECRET, TOKEN, FEED = "planted-client-id", "planted-client-secret", "planted-access-token", "planted-feed-token"
_ALPHABET = "0123456789abcdefghijklmnopqrstuvwxyz"


def base36(number: int) -> str:
    digits = ""
    while number:
        number, digit = divmod(number, 36)
        digits = _ALPHABET[digit] + digits
    return digits or "0"


@dataclass
class Reddit(Serving):
    subreddit: str = "SampleNews"
    posts: dict[int, dict[str, Any]] = field(default_factory=dict)
    allowed: int = 100
    """Requests left in this window of ten minutes."""

    def post(self, number: int, title: str, text: str = "", *, link: str | None = None, **more: Any) -> None:
        name = base36(number)
        path = f"/r/{self.subreddit}/comments/{name}/title/"
        self.posts[number] = {
            "subreddit": self.subreddit,
            "selftext": text,
            "selftext_html": f'<!-- SC_OFF --><div class="md"><p>{escape(text)}</p>\n</div><!-- SC_ON -->' if text else None,
            "title": title,
            "name": f"t3_{name}",
            "id": name,
            "author": "sample_user",
            "created_utc": 1_790_000_000.0 + number,
            "edited": False,
            "is_self": link is None,
            "url": link or f"https://www.reddit.com{path}",
            "permalink": path,
            "removed_by_category": None,
            **more,
        }

    def edit(self, number: int, text: str, *, at: float) -> None:
        self.posts[number] |= {"selftext": text, "edited": at}

    def remove(self, number: int) -> None:
        """By a moderator: the post stays in the listing, without its text."""
        self.posts[number] |= {"selftext": "[removed]", "removed_by_category": "moderator"}

    def answer(self, asked: Asked) -> Answer:
        parts = urlsplit(asked.target)
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        if parts.path == "/api/v1/access_token":
            return self._token(asked)
        if parts.path.endswith("/.rss"):
            return self._feed() if query.get("feed") == FEED else _json(403, {"message": "Forbidden", "error": 403})
        if asked.headers["authorization"] != f"bearer {TOKEN}" and asked.headers["authorization"] != f"Bearer {TOKEN}":
            return _json(401, {"message": "Unauthorized", "error": 401})
        if parts.path != f"/r/{self.subreddit}/new":
            return _json(403, {"reason": "private", "message": "Forbidden", "error": 403})
        self.allowed -= 1
        left = {"x-ratelimit-used": str(100 - self.allowed), "x-ratelimit-remaining": f"{max(self.allowed, 0)}.0", "x-ratelimit-reset": "417"}
        if self.allowed < 0:
            return _json(429, {"message": "Too Many Requests", "error": 429}, left)
        return _json(200, self._listing(query), left)

    def _token(self, asked: Asked) -> Answer:
        expected = "Basic " + base64.b64encode(f"{CLIENT}:{SECRET}".encode()).decode()
        if asked.method != "POST" or asked.headers["authorization"] != expected or b"grant_type=client_credentials" not in asked.body:
            return _json(401, {"message": "Unauthorized", "error": 401})
        return _json(200, {"access_token": TOKEN, "token_type": "bearer", "expires_in": 86400, "scope": "*"})

    def _listing(self, query: dict[str, str]) -> dict[str, Any]:
        after = int(query["after"].removeprefix("t3_"), 36) if "after" in query else None
        found = sorted((number for number in self.posts if after is None or number < after), reverse=True)
        shown = found[: int(query.get("limit", "25"))]
        return {
            "kind": "Listing",
            "data": {
                "after": f"t3_{base36(shown[-1])}" if len(shown) < len(found) else None,
                "before": None,
                "dist": len(shown),
                "modhash": None,
                "geo_filter": None,
                "children": [{"kind": "t3", "data": self.posts[number]} for number in shown],
            },
        }

    def _feed(self) -> Answer:
        entries = "".join(
            f'<entry><author><name>/u/{post["author"]}</name></author><content type="html">{escape(post["selftext_html"] or "")}</content>'
            f'<id>{post["name"]}</id><link href="https://www.reddit.com{post["permalink"]}" /><updated>2026-09-21T12:00:00+00:00</updated>'
            f"<published>2026-09-21T12:00:00+00:00</published><title>{escape(post['title'])}</title></entry>"
            for _, post in sorted(self.posts.items(), reverse=True)
        )
        page = f'<?xml version="1.0" encoding="UTF-8"?><feed xmlns="http://www.w3.org/2005/Atom"><title>newest</title>{entries}</feed>'
        return Answer(200, page.encode(), {"content-type": "application/atom+xml; charset=UTF-8"})


def _json(status: int, value: Any, headers: dict[str, str] | None = None) -> Answer:
    return Answer(status, json.dumps(value).encode(), {"content-type": "application/json; charset=UTF-8", **(headers or {})})
