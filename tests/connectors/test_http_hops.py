"""What each address on the way is told, and whether it may be private."""

from __future__ import annotations

from base64 import b64encode
from typing import Any

import pytest

from connectors import _hops
from connectors._connector import Request
from connectors._hops import Hop
from tests.connectors.fetching import a_source

URL = "https://feeds.sample.example/a"
SECRETS = {"authorization": "Bearer s", "cookie": "s", "if-none-match": '"v"', "accept": "text/xml"}
OWN = a_source(URL, headers={"X-Key": "s"})


def hop(url: str = URL, source: Any = OWN, bearer: str | None = None) -> Hop:
    return _hops.first(Request(url, SECRETS, secret_parts=("s3cret",)), source, bearer)


def test_the_source_itself_hears_all() -> None:
    assert hop().headers == {**SECRETS, "x-key": "s"}


def test_own_headers_are_for_the_own_host() -> None:
    assert "x-key" not in hop("https://articles.sample.example/a").headers
    assert "x-key" in hop("https://api.sample.example/a", a_source(None, headers={"X-Key": "s"})).headers


WITH_SECRETS = a_source(URL + "?a=%2F", secrets={"header.X-Api-Key": "SAMPLE_KEY", "query.token": "SAMPLE_TOKEN"})


@pytest.fixture
def _secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SAMPLE_KEY", "planted-key")
    monkeypatch.setenv("SAMPLE_TOKEN", "planted/token")


@pytest.mark.usefixtures("_secrets")
def test_secrets_go_with_each_request_to_the_source_s_own_site() -> None:
    first = hop(URL + "?a=%2F", WITH_SECRETS)

    assert first.headers["x-api-key"] == "planted-key"
    assert str(first.url) == URL + "?a=%2F&token=planted%2Ftoken"
    assert first.where == URL + "?a=%2F&token=***"
    assert hop(URL, WITH_SECRETS).next(301, b"/b", WITH_SECRETS).headers["x-api-key"] == "planted-key"


@pytest.mark.usefixtures("_secrets")
@pytest.mark.parametrize("url", ["http://feeds.sample.example/a", "https://feeds.sample.example:8443/a", "https://sample.example/a", "https://evil.example/a"])
def test_secrets_go_nowhere_else(url: str) -> None:
    asked = hop(url, WITH_SECRETS)
    led = hop(URL, WITH_SECRETS).next(302, url.encode(), WITH_SECRETS)

    for there in (asked, led):
        assert "x-api-key" not in there.headers
        assert str(there.url) == url


@pytest.mark.parametrize("location", ["/b", "?page=2", "https://FEEDS.sample.example/b", "https://feeds.sample.example:443/b"])
def test_the_same_site_hears_all(location: str) -> None:
    assert hop().next(302, location.encode(), OWN).headers == hop().headers


def test_the_same_host_by_tls_hears_all() -> None:
    first = hop("http://feeds.sample.example/a")
    assert first.next(301, URL.encode(), OWN).headers == first.headers


@pytest.mark.parametrize(
    "location",
    [
        "https://evil.example/", "//evil.example/", "https://sample.example/", "http://feeds.sample.example/", "https://feeds.sample.example:8443/",
        "https://feeds.sample.example@evil.example/", "https://feeds.sample.example.evil.example/",
    ],
)  # fmt: skip
def test_another_site_hears_validators_and_no_more(location: str) -> None:
    there = hop().next(301, location.encode(), OWN)
    assert there.headers == {"if-none-match": '"v"', "accept": "text/xml"}
    assert there.next(301, URL.encode(), OWN).headers == there.headers


def test_users_in_urls_and_tokens_are_authorizations() -> None:
    request = Request("https://user:p%40ss@feeds.sample.example/")
    first = _hops.first(request, OWN, None)
    assert first.headers["authorization"] == "Basic " + b64encode(b"user:p@ss").decode()
    assert "p%40ss" not in first.where
    assert _hops.first(Request(URL), OWN, "tok").next(302, b"https://user:p@evil.example/", OWN).headers == {}
    assert _hops.first(Request(URL), OWN, "tok").headers["authorization"] == "Bearer tok"


def test_private_ends_with_the_first_address_that_is_not_the_urls() -> None:
    own = a_source("http://10.0.0.1:8080/feed")
    first = hop("http://10.0.0.1:8080/feed", own)
    assert first.private
    assert first.next(301, b"/other", own).private
    away = first.next(301, b"http://10.0.0.1:9090/", own)
    assert not away.private
    assert not away.next(301, b"http://10.0.0.1:8080/feed", own).private


def test_locations_in_other_scripts_are_read() -> None:
    there = hop().next(301, "https://مثال.example/أخبار؟".encode(), OWN)
    assert str(there.url).startswith("https://xn--mgbh0fb.example/%D8%A3")
