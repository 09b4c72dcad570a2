"""When a server wants to be asked again: Retry-After, the bodies of bot APIs, rate limit headers.

Sources: https://www.rfc-editor.org/rfc/rfc9110#section-10.2.3, https://core.telegram.org/bots/api#responseparameters,
https://docs.joinmastodon.org/api/rate-limits/.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

LONGEST = 86_400.0
_EPOCH = 1e9
"""From here on a number is a moment, no duration."""
_LENGTH = 64
_LIMITS = (("x-ratelimit-remaining", "x-ratelimit-reset"), ("x-rate-limit-remaining", "x-rate-limit-reset"), ("ratelimit-remaining", "ratelimit-reset"))


def retry_after(status: int, headers: Mapping[str, str], body: bytes, now: datetime) -> float | None:
    """Seconds until the next request, 0 to a day; None where the server does not say, or nothing that can be read. Header names are in lower case."""
    found = _wait(headers.get("retry-after", ""), now)
    if found is None:
        found = _of_body(body)
    if found is None:
        found = _of_limit(status, headers, now)
    return None if found is None else min(max(found, 0.0), LONGEST)


def until_allowed(headers: Mapping[str, str], now: datetime) -> float | None:
    """Seconds until the server takes another request, 0 to a day, where an answer, be it a success, says that it was the last one for now."""
    found = _of_limit(200, headers, now)
    return None if found is None else min(max(found, 0.0), LONGEST)


def _of_body(body: bytes) -> float | None:
    if not body.lstrip().startswith(b"{"):
        return None
    try:
        answer: Any = json.loads(body)
    except (ValueError, RecursionError):
        return None
    parameters = answer.get("parameters")
    seconds = parameters.get("retry_after") if isinstance(parameters, dict) else None
    return _number(str(seconds))


def _of_limit(status: int, headers: Mapping[str, str], now: datetime) -> float | None:
    for remaining, reset in _LIMITS:
        left = _number(headers.get(remaining, ""))
        if reset in headers and (left == 0 or (left is None and status == 429)):
            return _wait(headers[reset], now)
    return None


def _wait(value: str, now: datetime) -> float | None:
    """Seconds from now on: given as such, as seconds or milliseconds since 1970, as an HTTP date or as ISO 8601."""
    seconds = _number(value)
    if seconds is None:
        moment = _moment(value.strip()[:_LENGTH])
        return None if moment is None else (moment - now).total_seconds()
    if seconds >= 1000 * _EPOCH:
        seconds /= 1000
    return seconds - now.timestamp() if seconds >= _EPOCH else seconds


def _number(text: str) -> float | None:
    try:
        found = float(text[:_LENGTH])
    except ValueError:
        return None
    return found if 0 <= found < float("inf") else None


def _moment(text: str) -> datetime | None:
    for read in (datetime.fromisoformat, parsedate_to_datetime):
        try:
            found = read(text)
        except (ValueError, OverflowError, IndexError, TypeError):
            continue
        return found if found.tzinfo else found.replace(tzinfo=UTC)
    return None
