"""When a server wants to be asked again, in every way that servers say it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors._retry_after import LONGEST, retry_after
from tests.connectors.fetching import NOW

EPOCH = NOW.timestamp()


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("120", 120), (" 1.5 ", 1.5), ("0", 0), ("99999999", LONGEST), ("Sun, 01 Mar 2026 12:00:30 GMT", 30), ("Sunday, 01-Mar-26 12:00:30 GMT", 30),
        ("Sun, 01 Mar 2026 15:00:30 +0300", 30), ("Sun Mar  1 12:00:30 2026", 30), ("Sun, 01 Mar 2026 11:00:00 GMT", 0), (str(int(EPOCH) + 60), 60),
        ("2026-03-01T12:01:00Z", 60), ("-5", None), ("nan", None), ("inf", None), ("soon", None), ("", None), ("9" * 5000, LONGEST), ("Sun, 99 Foo 2026", None),
    ],
)  # fmt: skip
def test_retry_after(value: str, seconds: float | None) -> None:
    assert retry_after(429, {"retry-after": value}, b"", NOW) == seconds


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"x-ratelimit-remaining": "0", "x-ratelimit-reset": "2026-03-01T12:05:00.000000Z"}, 300),
        ({"x-ratelimit-remaining": "0", "x-ratelimit-reset": str(int(EPOCH) + 90)}, 90),
        ({"x-ratelimit-remaining": "0", "x-ratelimit-reset": str(int(EPOCH) * 1000 + 90_000)}, 90),
        ({"x-ratelimit-remaining": "0.0", "x-ratelimit-reset": "417"}, 417),
        ({"x-rate-limit-remaining": "0", "x-rate-limit-reset": str(int(EPOCH) + 900)}, 900),
        ({"x-ratelimit-remaining": "12", "x-ratelimit-reset": "417"}, None),
        ({"x-ratelimit-reset": "417"}, 417),
        ({"x-ratelimit-remaining": "0"}, None),
        ({"retry-after": "3", "x-ratelimit-remaining": "0", "x-ratelimit-reset": "417"}, 3),
    ],
)
def test_rate_limits(headers: dict[str, str], seconds: float | None) -> None:
    assert retry_after(429, headers, b"", NOW) == seconds


def test_without_a_word_of_the_limit_only_429_means_it() -> None:
    assert retry_after(500, {"x-ratelimit-reset": "417"}, b"", NOW) is None


@pytest.mark.parametrize(
    ("body", "seconds"),
    [
        (b'{"parameters": {"retry_after": 37}}', 37), (b'{"parameters": {"retry_after": "x"}}', None), (b'{"parameters": 5}', None), (b"{", None),
        (b'{"parameters": {"retry_after": true}}', None), (b"[" * 100_000, None), (b'{"a":' * 60_000, None), (b"\xff{", None), (b"{\xff}", None), (b"", None),
    ],
)  # fmt: skip
def test_bodies(body: bytes, seconds: float | None) -> None:
    assert retry_after(429, {}, body, NOW) == seconds


@given(st.text(), st.text(), st.binary())
def test_nothing_makes_it_raise(value: str, reset: str, body: bytes) -> None:
    found = retry_after(429, {"retry-after": value, "x-ratelimit-reset": reset}, body, NOW)
    assert found is None or 0 <= found <= LONGEST
