"""Normalise: plain text, honest times, hashes; nothing about odd input raises."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.normalise import UNKNOWN_TIME, first_seen, normalise, plain_text, text_hash
from schemas.records import KafkaPosition, RawItem

Make = Callable[..., RawItem]
BARE = RawItem(item_id="0" * 32, native_id="a", source_id="sample.a", source_type="test", mode="replay")


@given(st.text(st.characters()), st.text(st.characters()))
def test_plain_text_keeps_every_offset(title: str, body: str) -> None:
    text = plain_text(body, html=False)
    assert all(a == b or (b == "\ufffd" and (a == "\0" or "\ud800" <= a <= "\udfff")) for a, b in zip(body, text, strict=True))
    normalise(replace(BARE, title=title, body=body)).text.encode()


@given(st.text(st.characters()))
def test_html_never_raises(markup: str) -> None:
    report = normalise(replace(BARE, title=markup, body=markup, content_type="text/html", url=markup, published_raw=markup))
    report.text.encode()
    assert "\n" not in (report.title or "")


@pytest.mark.parametrize(
    ("markup", "text"),
    [
        ("<p>One.</p><p>Two &amp; three</p>", "One.\n\nTwo & three"),
        ("no markup at all", "no markup at all"),
        ("<script>alert(1)</script>seen", "seen"),
        ("بغداد<br>اليوم", "بغداد\nاليوم"),
    ],
)
def test_html_becomes_text(markup: str, text: str) -> None:
    assert plain_text(markup, html=True) == text


@pytest.mark.parametrize("content_type", ["text/plain", "text/html"])
def test_mojibake_is_put_right_and_recorded(content_type: str) -> None:
    odd, sound = "L\u00e2\u20ac\u2122arm\u00c3\u00a9e a d\u00c3\u00a9clar\u00c3\u00a9", "L’armée a déclaré"
    report = normalise(replace(BARE, title="Calme", body=f"<p>{odd}</p>" if content_type == "text/html" else odd, content_type=content_type))
    assert (report.title, report.text, report.repairs) == ("Calme", sound, ("mojibake_text",))
    assert report.content_hash == normalise(replace(BARE, title="Calme", body=sound)).content_hash
    assert normalise(replace(BARE, title=odd, body=sound)).repairs == ("mojibake_title",)
    assert normalise(replace(BARE, title=sound, body=sound)).repairs == ()


def test_markup_in_plain_text_is_text() -> None:
    assert plain_text("a < b &amp; c", html=False) == "a < b &amp; c"


def test_first_seen_is_when_it_was_fetched_else_changed_else_published() -> None:
    fetched = datetime(2020, 12, 21, 5, tzinfo=UTC)
    dated = replace(BARE, published_raw="2020-12-20T18:00:00Z", updated_raw="2020-12-21T04:40:00Z")
    assert first_seen(replace(dated, fetched_at=fetched)) == (fetched, "fetched")
    assert first_seen(dated) == (datetime(2020, 12, 21, 4, 40, tzinfo=UTC), "updated")
    assert first_seen(replace(dated, updated_raw="no date")) == (datetime(2020, 12, 20, 18, tzinfo=UTC), "published")
    assert first_seen(BARE) == (UNKNOWN_TIME, "unknown")


def test_a_rough_date_is_not_before_the_posts_it_quotes() -> None:
    body = "Words. Rockets seen over the city. pic.twitter.com/x1 – Somebody (@someone) 20 décembre 2020\n\nMore words."
    rough = replace(BARE, published_raw="2020-12", body=body)
    assert first_seen(rough) == (datetime(2020, 12, 20, tzinfo=UTC), "quoted_post")
    assert normalise(rough).published == datetime(2020, 12, 1, tzinfo=UTC)
    assert normalise(rough).published_precision == "month"
    assert first_seen(replace(rough, body="Words.")) == (datetime(2020, 12, 1, tzinfo=UTC), "published")


def test_the_text_hash_sees_words_only() -> None:
    text = "Several rockets were fired at the zone on Sunday"
    assert text_hash(None, text) == text_hash("", text.upper().replace(" ", " \n ") + " !")
    assert text_hash(None, text) != text_hash(None, text + " night")
    assert text_hash(None, "too short to tell") == ""


def test_an_edit_changes_the_content_hash(raw: Make) -> None:
    one, two = normalise(raw("a", "no casualties")), normalise(raw("a", "one soldier wounded"))
    assert one.item_id == two.item_id
    assert one.content_hash != two.content_hash
    assert normalise(raw("a", "no casualties", operation="delete")).content_hash != one.content_hash


def test_no_item_is_seen_after_the_broker_appended_it() -> None:
    """A collector's clock, or a feed's date, that runs ahead would order the item behind everything to come."""
    appended = datetime(2026, 11, 22, 12, tzinfo=UTC)
    on_topic = replace(BARE, kafka=KafkaPosition(topic="osint.raw", partition=3, offset=17, appended_at=appended))
    assert first_seen(replace(on_topic, fetched_at=datetime(2041, 1, 1, tzinfo=UTC))) == (appended, "appended")
    assert first_seen(replace(on_topic, published_raw="2041-01-01T00:00:00Z")) == (appended, "appended")
    fetched = datetime(2026, 11, 22, 11, 59, tzinfo=UTC)
    assert first_seen(replace(on_topic, fetched_at=fetched)) == (fetched, "fetched")
    assert normalise(on_topic).kafka == on_topic.kafka
