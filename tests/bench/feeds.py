"""Parsing a feed into items against feedparser alone, sanitising off, on the same generated feeds."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from functools import partial
from html import escape

import feedparser

from connectors import rss
from connectors._connector import Payload
from connectors._sources import source_of
from tests.bench.samples import START, line
from tests.bench.side_by_side import paired, seconds, show

FEEDS, ENTRIES, ROUNDS = 8, 25, 31
SOURCE = source_of({"id": "sample.outlet-a", "type": "rss", "url": "https://outlet-a.example/feed"})
NOW = datetime(2026, 1, 2, tzinfo=UTC)


def rss_feed(number: int) -> bytes:
    """RSS 2.0 with a summary and the whole article in HTML, as blogs' software writes it."""
    entries = "".join(
        f"<item><title>{text[:60]}</title><link>https://outlet-a.example/{n}</link><guid isPermaLink='false'>item-{n}</guid>"
        f"<pubDate>{format_datetime(START + timedelta(minutes=n))}</pubDate><category>news</category><dc:creator>Desk</dc:creator>"
        f"<description><![CDATA[<p>{text}</p>]]></description><content:encoded><![CDATA[{_article(text)}]]></content:encoded></item>"
        for n, text in _texts(number)
    )
    spaces = "xmlns:dc='http://purl.org/dc/elements/1.1/' xmlns:content='http://purl.org/rss/1.0/modules/content/'"
    return f"<?xml version='1.0' encoding='UTF-8'?><rss version='2.0' {spaces}><channel><title>Outlet A</title>{entries}</channel></rss>".encode()


def atom_feed(number: int) -> bytes:
    """Atom 1.0 with escaped HTML."""
    entries = "".join(
        f"<entry><id>tag:outlet-a.example,2026:{n}</id><title>{text[:60]}</title><link href='https://outlet-a.example/{n}'/>"
        f"<published>{(START + timedelta(minutes=n)).isoformat()}</published><updated>{(START + timedelta(minutes=n + 5)).isoformat()}</updated>"
        f"<author><name>Desk</name></author><content type='html'>{escape(_article(text))}</content></entry>"
        for n, text in _texts(number)
    )
    return f"<?xml version='1.0'?><feed xmlns='http://www.w3.org/2005/Atom'><title>Outlet A</title>{entries}</feed>".encode()


def headlines(number: int) -> bytes:
    """RSS 2.0 with plain summaries: little to parse an entry."""
    entries = "".join(
        f"<item><title>{text[:60]}</title><link>https://outlet-a.example/{n}</link><guid>https://outlet-a.example/{n}</guid>"
        f"<pubDate>{format_datetime(START + timedelta(minutes=n))}</pubDate><description>{text}</description></item>"
        for n, text in _texts(number)
    )
    return f"<rss version='2.0'><channel><title>Outlet A</title><language>en</language>{entries}</channel></rss>".encode()


def _texts(number: int) -> list[tuple[int, str]]:
    return [(n, line(n)["text"]) for n in range(number * ENTRIES, (number + 1) * ENTRIES)]


def _article(text: str) -> str:
    return "".join(f"<p>{text} <a href='https://outlet-a.example/more?a=1&amp;b=2'>More</a></p>" for _ in range(8))


def _raw(feeds: list[bytes]) -> int:
    return sum(len(feedparser.parse(feed, sanitize_html=False, resolve_relative_uris=False).entries) for feed in feeds)


def _ours(payloads: list[Payload]) -> int:
    return sum(len(rss.parse(payload, SOURCE).records) for payload in payloads)


def main() -> None:
    """Print a table for each kind of feed and how the goal is met."""
    kinds: dict[str, Callable[[int], bytes]] = {"RSS with articles": rss_feed, "Atom with articles": atom_feed, "headlines": headlines}
    for kind, make in kinds.items():
        feeds = [make(number) for number in range(FEEDS)]
        payloads = [Payload(body=feed, url="https://outlet-a.example/feed", fetched_at=NOW) for feed in feeds]
        raw, ours = partial(_raw, feeds), partial(_ours, payloads)
        assert raw() == ours() == FEEDS * ENTRIES
        taken = seconds({"feedparser alone": raw, "connectors.rss": ours}, ROUNDS)
        show(f"{kind}: {FEEDS} feeds of {ENTRIES} entries, {len(feeds[0]):,} bytes each", taken, dict.fromkeys(taken, FEEDS * ENTRIES))
        ratio = paired(taken["feedparser alone"], taken["connectors.rss"], lambda a, b: a / b)
        print(f"  connectors.rss has {ratio:.2f} of feedparser's speed (goal: at least 0.90)")
