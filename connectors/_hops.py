"""The addresses of a request, one after the other, and what each of them is told."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlencode

import httpx

from connectors._addresses import endpoint, may_be_private
from connectors._connector import Request
from connectors._failure import FetchFailed, brief
from connectors._sources import HEADER, QUERY, Source

MOST = 5
_PERMANENT = (301, 308)
REDIRECTS = (301, 302, 303, 307, 308)
_CARRIED = ("accept", "if-none-match", "if-modified-since")
"""What another host may know. Validators are the last host's: a feed behind a redirect is answered 304 too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hop:
    """One address. `private`: it may be one that is not public; `moved_to`: the last that only permanent redirects led to."""

    url: httpx.URL
    headers: Mapping[str, str]
    carried: Mapping[str, str]
    private: bool
    secrets: tuple[str, ...]
    is_permanent: bool = True
    moved_to: str | None = None
    redirects: tuple[str, ...] = ()

    @property
    def where(self) -> str:
        """The address as a message shows it."""
        return brief(str(self.url), self.secrets)

    def next(self, status: int, location: bytes, source: Source) -> Hop:
        """Where this one redirects to. Raises FetchFailed `redirects` where that is no place to go to."""
        url = self._target(location)
        if len(self.redirects) == MOST:
            raise FetchFailed(
                "redirects", f"{self.where}: is the address after {MOST} redirects, and redirects on: a loop; open the url in a browser", http_status=status
            )
        is_permanent = self.is_permanent and status in _PERMANENT
        return Hop(
            url=url,
            headers=self.headers if is_same_site(str(self.url), str(url)) else self.carried,
            carried=self.carried,
            private=self.private and may_be_private(str(url), source),
            secrets=self.secrets,
            is_permanent=is_permanent,
            moved_to=str(url) if is_permanent else self.moved_to,
            redirects=(*self.redirects, str(url)),
        )

    def _target(self, location: bytes) -> httpx.URL:
        try:
            return _checked(self.url.join(location.decode().strip()) if location else httpx.URL())
        except (UnicodeDecodeError, httpx.InvalidURL, ValueError):
            raise FetchFailed("redirects", f"{self.where}: redirects to no http or https address; open it in a browser") from None


def first(request: Request, source: Source, bearer: str | None) -> Hop:
    """The request itself, with the source's own headers where it goes to the source's own host, and its secrets where to its own site.

    Raises FetchFailed `malformed`.
    """
    secrets = (*request.secret_parts, *source.hidden(), bearer or "")
    try:
        url = _checked(httpx.URL(request.url))
    except (httpx.InvalidURL, ValueError):
        raise FetchFailed("malformed", f"{brief(request.url, secrets)}: is no http or https address") from None
    is_own = source.url is None or endpoint(source.url)[0] == endpoint(request.url)[0]
    own = {name.lower(): value for name, value in source.headers.items()} if is_own else {}
    if source.url is None or is_same_site(source.url, request.url):
        own |= {name.lower(): value for name, value in source.sent_secrets(HEADER).items()}
        url = _asking(url, source.sent_secrets(QUERY))
    asked = {name.lower(): value for name, value in request.headers.items()}
    return Hop(
        url=url,
        headers={**_authorization(url, bearer), **asked, **own},
        carried={name: asked[name] for name in _CARRIED if name in asked},
        private=may_be_private(request.url, source),
        secrets=secrets,
    )


def is_same_site(before: str, after: str) -> bool:
    """The same scheme, host and port; or the same host by TLS instead."""
    (host, port), (new_host, new_port) = endpoint(before), endpoint(after)
    scheme, new_scheme = (url.partition(":")[0].lower() for url in (before, after))
    return host == new_host and ((scheme, port) == (new_scheme, new_port) or (scheme, port, new_scheme, new_port) == ("http", 80, "https", 443))


def _asking(url: httpx.URL, parameters: Mapping[str, str]) -> httpx.URL:
    """With these parameters behind its own, which stay as they are written."""
    query = b"&".join(filter(None, (url.query, urlencode(parameters).encode())))
    return url.copy_with(query=query) if parameters else url


def _authorization(url: httpx.URL, bearer: str | None) -> dict[str, str]:
    if bearer:
        return {"authorization": f"Bearer {bearer}"}
    if url.userinfo:
        return {"authorization": "Basic " + b64encode(f"{url.username}:{url.password}".encode()).decode()}
    return {}


def _checked(url: httpx.URL) -> httpx.URL:
    if url.scheme not in ("http", "https") or not url.host:
        raise ValueError(url.scheme)
    return url.copy_with(fragment=None)
