"""An article's page by itself, and behind a feed's entry."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from connectors import webpage
from connectors._connector import Payload, Refusal
from connectors._sources import source_of
from schemas.errors import ReadError, UsageError
from schemas.records import RawItem

PAGE = (Path(__file__).parent.parent / "samples" / "connectors" / "webpage" / "article.payload").read_bytes()
NOW = datetime(2026, 1, 2, tzinfo=UTC)
SOURCE = source_of({"id": "sample.outlet-a", "type": "rss", "url": "https://outlet-a.example/feed", "full_text": True})
ENTRY = RawItem(item_id="1" * 32, native_id="103", source_id=SOURCE.id, source_type="rss", title="As the feed says", body="Three rockets", published_raw="Thu")


def a_payload(body: bytes) -> Payload:
    return Payload(body=body, url="https://outlet-a.example/news/103", fetched_at=NOW, redirects=("https://outlet-a.example/?p=103",))


def test_full_text_takes_the_text_of_the_page_and_the_rest_of_the_feed() -> None:
    item = webpage.full_text(ENTRY, a_payload(PAGE), SOURCE)
    assert "police source" in item.body
    assert "Cookies" not in item.body
    assert (item.content_type, item.redirects) == ("text/plain", ("https://outlet-a.example/?p=103",))
    kept = {"body": "", "content_type": "", "redirects": (), "http": None, "charset": None, "repairs": ()}
    assert replace(item, **kept) == replace(ENTRY, **kept)


def test_full_text_of_a_title_in_html_stays_html() -> None:
    item = webpage.full_text(
        replace(ENTRY, title="A &amp; B", content_type="text/html"), a_payload(PAGE.replace(b"source said", b"source &lt;said&gt;")), SOURCE
    )
    assert (item.title, item.content_type) == ("A &amp; B", "text/html")
    assert "source &lt;said&gt;" in item.body


def test_page_with_less_than_the_summary_changes_nothing() -> None:
    entry = replace(ENTRY, body="A long summary. " * 100)
    assert webpage.full_text(entry, a_payload(PAGE), SOURCE) == entry


@pytest.mark.parametrize(("body", "status"), [(b" \n", "empty"), (b"{}", "no_html"), (b"%PDF-1.7", "no_html")])
def test_what_is_no_page_is_refused_by_a_word(body: bytes, status: str) -> None:
    with pytest.raises(Refusal) as refused:
        webpage.full_text(ENTRY, a_payload(body), SOURCE)
    assert refused.value.status == status


def test_page_without_an_article_is_an_error() -> None:
    with pytest.raises(ReadError, match="article"):
        webpage.full_text(ENTRY, a_payload(b"<html><body></body></html>"), SOURCE)


def test_request_needs_an_address() -> None:
    with pytest.raises(UsageError, match="needs an address"):
        webpage.request(SOURCE.model_copy(update={"url": None}), {})
