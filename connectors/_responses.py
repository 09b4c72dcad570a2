"""What a response says besides its body."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from connectors._challenge import challenger
from connectors._failure import FetchFailed, without
from connectors._retry_after import retry_after

_LONGEST_VALUE = 8 * 1024
_CONTROLS = dict.fromkeys((*range(32), 127))
_NOTHING = b"\0 \t\r\n\xef\xbb\xbf\xff\xfe"
_WORDS = {401: "forbidden", 403: "forbidden", 404: "not_found", 410: "gone", 429: "throttled", 451: "forbidden"}


def facts(raw: Sequence[tuple[bytes, bytes]], secrets: Iterable[str]) -> dict[str, str]:
    """Headers: names in lower case, values as Latin-1 (which gives back each byte), those of one name joined; without control characters and secrets.

    Cookies and values of more than 8 KiB are left out.
    """
    found: dict[str, str] = {}
    for name, value in raw:
        key, text = name.decode("latin-1").lower(), value.decode("latin-1").translate(_CONTROLS)
        if key != "set-cookie" and len(found.get(key, "")) + len(text) <= _LONGEST_VALUE:
            found[key] = f"{found[key]}, {text}" if key in found else text
    return {key: without(value, secrets) for key, value in found.items()}


def refusal(status: int, headers: Mapping[str, str], body: bytes, where: str, now: datetime) -> FetchFailed | None:
    """Why this is not what was asked for; None where it is. `body` may be a beginning where `status` is no success."""
    if service := challenger(status, headers, body):
        word, message = "challenge", f"{service} asks for a browser or a human (status {status}); ask the publisher for access, or for another address"
    elif 200 <= status < 300:
        if body.strip(_NOTHING):
            return None
        word, message = "empty", f"the body is empty (status {status})"
    else:
        word = _WORDS.get(status, "server_error" if status >= 500 else "redirects" if status < 400 else "client_error")
        message = f"status {status}"
    return FetchFailed(word, f"{where}: {message}", http_status=status, retry_after=retry_after(status, headers, body, now), headers=headers)
