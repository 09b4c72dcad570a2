"""What says the same twice, says it otherwise, or is gone: of each platform that is polled for a window, on real sockets."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest
from test_poll import NOW

from connectors._poll import opened, poll
from connectors._sources import source_of
from connectors._state import State
from schemas.records import RawItem
from tests.connectors.servers.apis import Answer, Asked, Serving

Posts = Sequence[tuple[str, str]]
"""Id and title of each, newest first."""


@dataclass
class Pages(Serving):
    """One page, whatever is asked for."""

    page: Answer = field(default_factory=lambda: Answer(404))

    def answer(self, asked: Asked) -> Answer:
        return self.page


def rss(posts: Posts) -> str:
    items = "".join(f"<item><guid>{key}</guid><title>{title}</title></item>" for key, title in posts)
    return f'<rss version="2.0"><channel><title>Sample</title>{items}</channel></rss>'


def atom(posts: Posts) -> str:
    entries = "".join(f"<entry><id>{key}</id><title>{title}</title><updated>2026-11-20T10:00:00Z</updated></entry>" for key, title in posts)
    return f'<feed xmlns="http://www.w3.org/2005/Atom"><title>Sample</title><id>sample</id>{entries}</feed>'


def json_feed(posts: Posts) -> str:
    items = [{"id": key, "title": title, "content_text": "Text."} for key, title in posts]
    return json.dumps({"version": "https://jsonfeed.org/version/1.1", "title": "Sample", "items": items})


def youtube(posts: Posts) -> str:
    entries = "".join(
        f"<entry><id>yt:video:{key}</id><yt:videoId>{key}</yt:videoId><title>{title}</title><published>2026-11-20T10:00:00+00:00</published>"
        f"<updated>2026-11-20T10:0{len(title) % 10}:00+00:00</updated></entry>"
        for key, title in posts
    )
    return f'<feed xmlns:yt="http://www.youtube.com/xml/schemas/2015" xmlns="http://www.w3.org/2005/Atom"><title>Sample</title>{entries}</feed>'


def webpage(posts: Posts) -> str:
    _, title = posts[0]
    text = f"{title}: " + " ".join(f"The council met for hour number {number} and spoke about street lamps." for number in range(20))
    return f"<!DOCTYPE html><html><head><title>{title}</title></head><body><article><h1>{title}</h1><p>{text}</p></article></body></html>"


def polled(kind: str, pages: Sequence[str], **given: Any) -> list[list[RawItem]]:
    """The new items of each page, one poll a page."""

    async def run(server: Pages) -> list[list[RawItem]]:
        source = source_of({"id": f"sample.{kind}", "type": kind, "url": f"{server.url}/page", "allow_private": True, **given})
        state, found = State(), []
        async with opened(lambda: NOW) as (http, reader):
            for page in pages:
                server.page = Answer(200, page.encode())
                outcome = await poll(source, state, http, reader, lambda: NOW, luck=0.5)
                assert outcome.failure is None
                state = outcome.state
                found.append([record for record in outcome.records if isinstance(record, RawItem)])
        return found

    with Pages().running() as server:
        return asyncio.run(run(server))


@pytest.mark.parametrize(
    ("kind", "written", "given"),
    [("rss", rss, {}), ("rss", atom, {}), ("rss", json_feed, {}), ("youtube", youtube, {"options": {"channel": "UC0123456789012345678901"}})],
    ids=["rss", "atom", "json_feed", "youtube"],
)
def test_a_duplicate_is_not_sent_an_edit_is_and_what_is_gone_is_not_told(kind: str, written: Callable[[Posts], str], given: dict[str, Any]) -> None:
    first, edited, second = ("a", "Two rockets"), ("a", "Three rockets"), ("b", "A fire")
    created, again, changed, more, less = polled(kind, [written(posts) for posts in ([first], [first], [edited], [second, edited], [second])], **given)
    assert [item.title for item in created] == ["Two rockets"]
    assert [(item.item_id, item.title) for item in changed] == [(created[0].item_id, "Three rockets")]
    assert [item.title for item in more] == ["A fire"]
    assert again == less == []


def test_a_page_is_sent_when_it_says_something_else() -> None:
    created, again, changed = polled("webpage", [webpage([("a", title)]) for title in ("Two rockets", "Two rockets", "Three rockets")])
    assert again == []
    assert [(item.item_id, item.title) for item in changed] == [(created[0].item_id, "Three rockets")]
