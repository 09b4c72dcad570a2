"""Whom an item says it repeats: quoted and forwarded posts, the source of an RSS entry."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from connectors import _bluesky, _mastodon, _telegram, _x
from connectors._feeds import parse as parse_feed
from connectors._origin import Origin
from connectors._telegram_preview import parse as parse_preview
from schemas.records import RawItem

ORIGIN = Origin(source_id="sample.outlet-a", source_type="test", read_at=datetime(2020, 12, 20, tzinfo=UTC), publisher="Outlet A")
BLUESKY_QUOTE = {"uri": "at://did:plc:outletb/app.bsky.feed.post/1", "cid": "x"}


def credits_of(platform: Any, record: dict[str, Any]) -> list[str | None]:
    return [platform.fields(post).get("credit") for post in platform.split(record)]


def bluesky(embed: dict[str, Any]) -> dict[str, Any]:
    return {"uri": "at://did:plc:outleta/app.bsky.feed.post/9", "author": {"did": "did:plc:outleta"}, "record": {"text": "see this", "embed": embed}}


def mastodon(**given: Any) -> dict[str, Any]:
    return {"id": "1", "content": "<p>see this</p>", "account": {"acct": "outlet_a", "url": "https://social.example/@outlet_a"}, **given}


TWEET_V2 = {
    "data": [{"id": "1", "text": "see this", "author_id": "7", "created_at": "2020-12-20", "referenced_tweets": [{"type": "quoted", "id": "2"}]}],
    "includes": {"users": [{"id": "7", "username": "outlet_a"}, {"id": "8", "username": "outlet_b"}], "tweets": [{"id": "2", "text": "x", "author_id": "8"}]},
}
TWEET_V1 = {"id_str": "1", "full_text": "see this", "user": {"screen_name": "outlet_a"}, "quoted_status": {"user": {"screen_name": "outlet_b"}}}
TELEGRAM = {"message_id": 5, "chat": {"id": -1001, "username": "outlet_a"}, "text": "see this", "date": 1}


@pytest.mark.parametrize(
    ("platform", "record", "credit"),
    [
        (_bluesky, bluesky({"$type": "app.bsky.embed.record", "record": BLUESKY_QUOTE}), "did:plc:outletb"),
        (_bluesky, bluesky({"$type": "app.bsky.embed.recordWithMedia", "record": {"record": BLUESKY_QUOTE}, "media": {}}), "did:plc:outletb"),
        (_bluesky, bluesky({"$type": "app.bsky.embed.record", "record": {"uri": "at://did:plc:x/app.bsky.graph.list/1"}}), None),
        (_bluesky, bluesky({"$type": "app.bsky.embed.images"}), None),
        (_mastodon, mastodon(), None),
        (_mastodon, mastodon(quote={"state": "accepted", "quoted_status": mastodon(account={"url": "https://b.example/@b"})}), "https://b.example/@b"),
        (_x, TWEET_V2, "outlet_b"),
        (_x, {**TWEET_V2, "includes": {}}, None),
        (_x, TWEET_V1, "outlet_b"),
        (_telegram, TELEGRAM, None),
        (_telegram, {**TELEGRAM, "forward_origin": {"type": "channel", "chat": {"username": "outlet_b", "title": "B"}}}, "outlet_b"),
        (_telegram, {**TELEGRAM, "forward_origin": {"type": "hidden_user", "sender_user_name": "Somebody"}}, "Somebody"),
        (_telegram, {"id": 1, "type": "public_channel", "name": "A", "messages": [{"id": 2, "text": "x", "forwarded_from": "Outlet B"}]}, "Outlet B"),
    ],
)
def test_posts(platform: Any, record: dict[str, Any], credit: str | None) -> None:
    assert credits_of(platform, record) == [credit]


def test_a_feed_names_the_source_of_an_entry_beside_the_publisher_of_the_registry() -> None:
    feed = b"""<rss version="2.0"><channel><title>All news</title>
      <item><guid>1</guid><title>One</title><source url="https://outlet-b.example/rss">Outlet B</source></item>
      <item><guid>2</guid><title>Two</title></item></channel></rss>"""
    items = [item for item in parse_feed(feed, ORIGIN) if isinstance(item, RawItem)]
    assert [(item.publisher, item.credit) for item in items] == [("Outlet A", "Outlet B"), ("Outlet A", None)]


def test_a_forwarded_post_of_a_preview_page() -> None:
    page = """<section class="tgme_channel_history"></section><div class="tgme_widget_message" data-post="outlet_a/5">
      <div class="tgme_widget_message_forwarded_from">
      <a class="tgme_widget_message_forwarded_from_name" href="https://t.me/outlet_b/77">Outlet B</a></div>
      <div class="tgme_widget_message_text js-message_text">see this</div>
      <a class="tgme_widget_message_date" href="https://t.me/outlet_a/5"><time datetime="2020-12-20T18:00:00+00:00"></time></a></div>"""
    (item,) = parse_preview(page.encode(), ORIGIN)
    assert isinstance(item, RawItem)
    assert (item.publisher, item.credit) == ("Outlet A", "outlet_b")
