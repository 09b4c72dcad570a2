"""Channels and playlists by their ids."""

from __future__ import annotations

import pytest

from connectors import youtube
from connectors._sources import Source, source_of
from schemas.errors import UsageError

CHANNEL, PLAYLIST = "UC0123456789abcdefghijkl", "PL0123456789abcdef"


def a_source(url: str | None = None, **options: object) -> Source:
    return source_of({"id": "sample.channel", "type": "youtube", "url": url, "options": options})


@pytest.mark.parametrize(("options", "query"), [({"channel": CHANNEL}, f"channel_id={CHANNEL}"), ({"playlist": PLAYLIST}, f"playlist_id={PLAYLIST}")])
def test_request_is_the_public_feed(options: dict[str, str], query: str) -> None:
    assert youtube.request(a_source(**options), {}).url == f"https://www.youtube.com/feeds/videos.xml?{query}"
    assert youtube.request(a_source("http://127.0.0.1:8/feeds", **options), {}).url == f"http://127.0.0.1:8/feeds?{query}"


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({}, "give one of options.channel and options.playlist"),
        ({"channel": CHANNEL, "playlist": PLAYLIST}, "give one of"),
        ({"channel": "@outlet"}, "handle"),
        ({"playlist": 5}, "no id of a playlist"),
        ({"chanel": CHANNEL}, r"options\.chanel"),
    ],
)
def test_wrong_option_is_named_with_its_source(options: dict[str, object], says: str) -> None:
    with pytest.raises(UsageError, match=says) as wrong:
        youtube.request(a_source(**options), {})
    assert "sample.channel" in str(wrong.value)
