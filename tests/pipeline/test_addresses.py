"""Canonical addresses: one for each page."""

from __future__ import annotations

import pytest

from pipeline.addresses import canonical_url

PAGE = "https://outlet-a.example/news/1"


@pytest.mark.parametrize(
    "url",
    [
        "http://www.outlet-a.example/news/1/",
        "HTTPS://Outlet-A.example:443/news/1?utm_source=feed&fbclid=x",
        "https://m.outlet-a.example/news/1?m=1",
        "https://mobile.outlet-a.example/news/1?CMP=share&at_medium=RSS",
        "https://amp.outlet-a.example/news/1",
        "https://outlet-a.example/amp/news/1",
        "https://outlet-a.example/news/1/amp/",
        "https://outlet-a.example/news/1.amp",
        "https://outlet-a.example/news/1?outputType=amp",
        "https://outlet-a-example.cdn.ampproject.org/c/s/outlet-a.example/news/1",
        "https://outlet-a-example.cdn.ampproject.org/v/s/outlet-a.example/news/1?amp_js_v=0.1&usqp=x",
        "https://www.google.com/amp/s/amp.outlet-a.example/news/1",
        "https://outlet-a.example/news/1#xtor=RSS-3",
        "https://outlet-a.example/news/1#:~:text=rockets",
    ],
)
def test_one_page_in_many_dresses(url: str) -> None:
    assert canonical_url(url) == PAGE


@pytest.mark.parametrize(
    ("url", "canonical"),
    [
        ("https://outlet-a.example/news/1?id=2", f"{PAGE}?id=2"),
        ("https://outlet-a.example/news/1?m=202012", f"{PAGE}?m=202012"),
        ("https://outlet-a.example/news/1#post-7", f"{PAGE}#post-7"),
        ("https://outlet-a.example:8443/news/1", "https://outlet-a.example:8443/news/1"),
        ("https://ar.m.wiki.example/a", "https://ar.wiki.example/a"),
        ("https://m.example/a", "https://m.example/a"),
        ("https://outlet-a.example/amplifier", "https://outlet-a.example/amplifier"),
        ("https://www.google.com/search?q=amp", "https://google.com/search?q=amp"),
        ("https://xn--mgbc.example/\u0627", "https://\u0627\u0628.example/%D8%A7"),
    ],
)
def test_what_tells_pages_apart_is_kept(url: str, canonical: str) -> None:
    assert canonical_url(url) == canonical


@pytest.mark.parametrize("url", ["ftp://outlet-a.example/1", "javascript:alert(1)", "http://[::1", "https://outlet-a.example:x/", "", None])
def test_what_is_no_web_address_has_none(url: str | None) -> None:
    assert canonical_url(url) is None


def test_a_canonical_address_is_its_own() -> None:
    for url in (PAGE, f"{PAGE}?id=2", f"{PAGE}?a=%20b&c=", "https://outlet-a.example"):
        assert canonical_url(canonical_url(url)) == canonical_url(url)
