"""Why a fetch failed, told without secrets."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import cache

from schemas.errors import DijlaError

_USER_INFO = re.compile(r"(?<=://)[^/?#]*@")
_TELLING = r"[^=&;?#]{0,40}(?:token|secret|passw|signature|credential|(?:api|access|auth|private)[_-]?key)[^=&;?#]{0,40}|key|sig|pass|pwd|auth"
_SECRET_PARAMETER = re.compile(rf"(?<=[?&;])({_TELLING})=[^&;#\s]+", re.IGNORECASE)
_SHORTEST = 8
"""Bytes of a secret that is looked for in bodies: a shorter one would be found within words."""
_SHOWN_LENGTH = 500


class FetchFailed(DijlaError):  # noqa: N818 - it names what happened
    """A source could not be fetched.

    `status` says why in a word: unreachable, dns, tls, timeout, too_large, refused_address, redirects, not_found, gone, forbidden, throttled,
    server_error, client_error, challenge, empty, malformed. `retry_after` is in seconds, a day at most; header names are in lower case.
    """

    def __init__(
        self, status: str, message: str, *, http_status: int | None = None, retry_after: float | None = None, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(message)
        self.status, self.http_status, self.retry_after, self.headers = status, http_status, retry_after, headers or {}


def without(text: str, secrets: Iterable[str]) -> str:
    """`text` with *** for each secret, each of its characters as it is or as URLs and JSON escape it."""
    given = sorted(filter(None, secrets), key=len, reverse=True)
    return re.sub("|".join(map(_spellings, given)), "***", text, flags=re.IGNORECASE) if given else text


def cleared(body: bytes, secrets: Iterable[str]) -> bytes:
    """A body as `without` gives a text; a secret of fewer than 8 bytes stays."""
    given = sorted((secret for secret in secrets if len(secret) >= _SHORTEST), key=len, reverse=True)
    return re.sub("|".join(map(_spellings, given)).encode(), b"***", body, flags=re.IGNORECASE) if given else body


@cache
def _spellings(secret: str) -> str:
    return "".join(f"(?:{re.escape(character)}|{_escaped(character)})" for character in secret)


def _escaped(character: str) -> str:
    if character == "/":
        return r"%2f|\\/"  # JSON may write it so
    return r"\+|%20" if character == " " else "".join(f"%{byte:02x}" for byte in character.encode())


def shown(url: str, secrets: Iterable[str] = ()) -> str:
    """A URL as people, records and logs may see it: without user, password, secrets, and parameters whose names say that they are secret.

    The whole of it: shorten it in messages.
    """
    return _SECRET_PARAMETER.sub(r"\1=***", without(_USER_INFO.sub("", url), secrets))


def secret_parameters(url: str) -> list[str]:
    """Names of parameters of a URL that are called like a secret, as access_token and key are."""
    return [found[1] for found in _SECRET_PARAMETER.finditer(url)]


def brief(url: str, secrets: Iterable[str] = ()) -> str:
    """A URL as a message shows it."""
    found = shown(url, secrets)
    return found if len(found) <= _SHOWN_LENGTH else found[:_SHOWN_LENGTH] + "..."
