"""When to ask again: pure functions of what happened. Times are seconds since 1970, `luck` is a random number in [0, 1)."""

from __future__ import annotations

import re
from collections.abc import Mapping

import msgspec

from connectors._state import Host, State

_SLOWEST = 2.0
"""Times the interval of a source, that a source with few news is looked at later: alerts must not wait for a lazy feed."""
_JITTER = 0.05
_HOST_FIRST, _HOST_LONGEST = 30.0, 3_600.0
_SOURCE_LONGEST = 6 * 3_600.0
_HABIT_WEIGHT = 0.3
_HALF_FORGOTTEN = 14 * 86_400.0
_MAX_AGE = re.compile(r"(?:^|[,\s])max-age\s*=\s*(\d{1,9})")
HOST_FAULTS = frozenset({"throttled", "server_error", "unreachable", "timeout", "tls", "dns", "challenge"})
"""What says something of the host rather than of one address on it."""


def next_poll(now: float, interval: float, state: State, headers: Mapping[str, str], luck: float) -> float:
    """After a success: the interval; up to twice, where the server or the source's habit say that nothing new is to be had."""
    age = _MAX_AGE.search(headers.get("cache-control", "").lower())
    wanted = max(float(age[1]) if age else 0.0, (state.habit or 0.0) / 4)
    return now + min(max(interval, wanted), _SLOWEST * interval) * _spread(luck)


def retry(now: float, interval: float, failures: int, luck: float) -> float:
    """After so many failures in a row of a source: ever later, up to six hours. Never given up."""
    return now + min(interval * 2.0 ** min(failures - 1, 16), max(interval, _SOURCE_LONGEST)) * _spread(luck)


def backed_off(host: Host, now: float, retry_after: float | None, luck: float) -> Host:
    """A host that failed once more: what it asks for, else 30 s doubled by each failure, up to an hour."""
    failures = host.failures + 1
    wait = min(_HOST_FIRST * 2.0 ** min(failures - 1, 16), _HOST_LONGEST)
    return Host(not_before=now + (retry_after if retry_after is not None else wait) * (1 + luck / 5), failures=failures)


def with_news(state: State, now: float) -> State:
    """A state whose source has just had news: its habit learns from the time since the last."""
    if state.item_at is None:
        return msgspec.structs.replace(state, item_at=now)
    gap = max(0.0, now - state.item_at)
    habit = gap if state.habit is None else state.habit + _HABIT_WEIGHT * (gap - state.habit)
    longest = max(gap, state.longest * 0.5 ** (gap / _HALF_FORGOTTEN))
    return msgspec.structs.replace(state, item_at=now, habit=habit, longest=longest)


def _spread(luck: float) -> float:
    return 1 - _JITTER + 2 * _JITTER * luck
