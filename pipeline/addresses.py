"""Canonical web addresses: one for each page, whatever dress it is asked for in. Pure."""

from __future__ import annotations

import re
from functools import cache
from urllib.parse import SplitResult, parse_qsl, urlencode, urlsplit

from courlan import normalize_url

from pipeline.datafiles import DATA, read_toml

_AMP_VIEWER = re.compile(r"^/amp/(?:s/)?(?P<page>[^/]+\.[^/]+/.*)$")
_AMP_CACHED = re.compile(r"^/(?:[a-z]/)+(?:s/)?(?P<page>[^/]+\.[^/]+/.*)$")
_AMP_PATH = re.compile(r"^/amp(?=/)|/amp(?:\.html)?/?$|\.amp(?=\.html$|$)", re.IGNORECASE)


def canonical_url(url: str | None) -> str | None:
    """The address without tracking parameters, AMP and mobile hosts, www, default port; always https. None where it is no http(s) address.

    It tells pages apart; it need not answer.
    """
    if not url or not url.lower().startswith(("http://", "https://")):
        return None
    try:
        parts = urlsplit(str(normalize_url(url)))
        if cached := _in_cache(parts):
            parts = urlsplit(f"https://{cached}?{parts.query}")
        host = _host(parts)
    except ValueError:
        return None
    path = _AMP_PATH.sub("", parts.path).rstrip("/")
    asked = [(name, value) for name, value in parse_qsl(parts.query, keep_blank_values=True) if not _data()["parameters"] & {name.lower(), f"{name}={value}"}]
    fragment = "" if parts.fragment.startswith(tuple(_data()["fragments"])) else parts.fragment
    return SplitResult("https", host, path, urlencode(asked), fragment).geturl()


def _in_cache(parts: SplitResult) -> str | None:
    """Host and path of the page that an AMP cache holds here."""
    host = parts.hostname or ""
    found = None
    if any(host == cache or host.endswith(f".{cache}") for cache in _data()["amp_caches"]):
        found = _AMP_CACHED.match(parts.path)
    elif re.fullmatch(r"(?:www\.)?google(?:\.\w{2,3}){1,2}", host):
        found = _AMP_VIEWER.match(parts.path)
    return found["page"] if found else None


def _host(parts: SplitResult) -> str:
    """The host without the labels that only name a dress; the last two stay. Raises ValueError for a port that is none."""
    labels = (parts.hostname or "").split(".")
    kept = [label for label in labels[:-2] if label not in _data()["host_labels"]]
    port = f":{parts.port}" if parts.port not in (None, 80, 443) else ""
    return ".".join([*kept, *labels[-2:]]) + port


@cache
def _data() -> dict[str, frozenset[str]]:
    return {name: frozenset(values) for name, values in read_toml(DATA / "addresses.toml").items()}
