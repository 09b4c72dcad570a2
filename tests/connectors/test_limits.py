"""What a server says of its limits, on real sockets, and how the collector keeps to it: also where the answer was a success, and where a stream ends."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from datetime import timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest
from test_collect_streams import collect as followed
from test_collect_streams import kept, now

from connectors._file_outbox import states
from connectors._poll import opened, poll
from connectors._retry_after import until_allowed
from connectors._sources import Source, source_of
from connectors._state import HOST, State, decode_host, decode_state
from tests.connectors.servers.apis import Answer, Serving
from tests.connectors.servers.mastodon import TOKEN as MASTODON_TOKEN
from tests.connectors.servers.mastodon import Mastodon, a_status
from tests.connectors.servers.reddit import CLIENT, SECRET, Reddit
from tests.connectors.servers.x import DISCONNECT, TOKEN, X, a_post

HOUR = 3_600.0
SECRETS = {"SAMPLE_TOKEN": TOKEN, "SAMPLE_USER": MASTODON_TOKEN, "SAMPLE_ID": CLIENT, "SAMPLE_SECRET": SECRET}


@pytest.fixture(autouse=True)
def secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)


def source(kind: str, server: Serving, **given: Any) -> Source:
    return source_of({"id": f"sample.{kind}", "type": kind, "url": server.url, "allow_private": True, "interval": 10, **given})


def collect(asked: Source, folder: Path, until: Callable[[], bool]) -> State:
    """Collect until it is so and a moment longer; the source's state then."""
    asyncio.run(followed(asked, folder, until))
    return decode_state(states(folder)[asked.id])


def pause(folder: Path) -> float:
    """Seconds from now on in which the one host is left alone, as it is stored."""
    (host,) = (decode_host(stored) for name, stored in states(folder).items() if name.startswith(HOST))
    return host.not_before - now().timestamp()


def test_an_answer_that_is_the_last_for_now_says_so() -> None:
    moment = now()
    assert until_allowed({"x-rate-limit-remaining": "0", "x-rate-limit-reset": str(int(moment.timestamp()) + 60)}, moment) == pytest.approx(60, abs=1)
    assert until_allowed({"x-ratelimit-remaining": "0.0", "x-ratelimit-reset": "417"}, moment) == 417
    assert until_allowed({"x-ratelimit-remaining": "0", "x-ratelimit-reset": "9e9"}, moment) == 86_400
    for headers in ({}, {"x-ratelimit-remaining": "1", "x-ratelimit-reset": "417"}, {"x-ratelimit-remaining": "0"}, {"x-ratelimit-reset": "417"}):
        assert until_allowed(headers, moment) is None


@pytest.mark.parametrize("form", ["seconds", "date"])
def test_a_refusal_s_pause_is_kept(tmp_path: Path, form: str) -> None:
    with Mastodon(is_open=True).running() as server:
        wait = "3600" if form == "seconds" else format_datetime(now() + timedelta(hours=1), usegmt=True)
        server.faults.append(Answer(429, b"{}", {"retry-after": wait}))
        state = collect(source("mastodon", server), tmp_path, lambda: server.served >= 1)
        assert (state.status, server.served) == ("throttled", 1)
    assert HOUR - 60 < pause(tmp_path) < 1.2 * HOUR + 1, "never sooner, and not all at once"


def last_page(*statuses: dict[str, Any]) -> Answer:
    """Of Mastodon; the last one for an hour."""
    limits = {"x-ratelimit-limit": "300", "x-ratelimit-remaining": "0", "x-ratelimit-reset": (now() + timedelta(hours=1)).isoformat()}
    return Answer(200, json.dumps(statuses).encode(), {"content-type": "application/json", **limits})


def test_the_last_request_of_a_window_pauses_mastodon(tmp_path: Path) -> None:
    with Mastodon(is_open=True).running() as server:
        server.faults.append(last_page())
        state = collect(source("mastodon", server), tmp_path, lambda: server.served >= 1)
        assert (state.status, state.failures, server.served) == ("ok", 0, 1)
    assert HOUR - 60 < pause(tmp_path) <= HOUR


def test_the_last_request_of_a_window_pauses_reddit(tmp_path: Path) -> None:
    with Reddit(allowed=1).running() as server:
        server.post(1, "A post")
        options = {"options": {"subreddit": server.subreddit}, "secrets": {"client_id": "SAMPLE_ID", "client_secret": "SAMPLE_SECRET"}}
        state = collect(source("reddit", server, **options), tmp_path, lambda: server.served >= 2)
        assert (state.status, server.served) == ("ok", 2), "the token and a page"
    assert set(kept(tmp_path)[0]) == {"t3_1"}
    assert 417 - 60 < pause(tmp_path) <= 417


def test_a_gap_stops_at_the_limit_and_goes_on_behind_it() -> None:
    """Three pages of forty behind the cursor; the first one is the last request of its window."""
    with Mastodon(is_open=True).running() as server:
        server.post(*range(1, 121))
        asked = source("mastodon", server)
        first = [status for status in server.posted if int(status["id"]) <= int(server.posted[39]["id"])]
        server.faults.append(last_page(*first[::-1]))

        async def polls() -> list[tuple[int, float | None, State]]:
            found, state = [], State(cursor={"min_id": "1"})
            async with opened(now) as (http, reader):
                for _ in range(2):
                    polled = await poll(asked, state, http, reader, now, luck=0.5)
                    state = polled.state
                    found.append((len(polled.records), polled.wait, state))
            return found

        (read, wait, state), (rest, no_wait, end) = asyncio.run(polls())
    assert (read, state.cursor) == (40, {"min_id": server.posted[39]["id"]})
    assert wait == pytest.approx(HOUR, abs=60)
    assert (rest, no_wait, end.cursor) == (80, None, {"min_id": server.posted[-1]["id"]})


def test_a_gap_at_the_limit_opens_no_stream_until_the_reset(tmp_path: Path) -> None:
    with Mastodon().running() as server:
        server.faults += [Answer(200, headers={"content-type": "text/event-stream"}, chunks=lambda: silent(server)), last_page(a_status(1))]
        collect(source("mastodon", server, secrets={"token": "SAMPLE_USER"}), tmp_path, lambda: server.served >= 2)
        assert [asked.target.split("?")[0] for asked in server.asked] == ["/api/v1/streaming/public", "/api/v1/timelines/public"]
    assert pause(tmp_path) > HOUR - 60


def silent(server: Serving) -> Iterator[bytes]:
    while not server.stopped.wait(0.05):
        yield b":thump\n"


def x_source(server: X) -> Source:
    return source("x", server, secrets={"token": "SAMPLE_TOKEN"})


@pytest.mark.parametrize("message", [DISCONNECT, {"errors": [{"title": "operational-disconnect", "detail": "This stream has been disconnected."}]}])
def test_x_says_that_it_disconnects_and_is_asked_again(tmp_path: Path, caplog: pytest.LogCaptureFixture, message: dict[str, Any]) -> None:
    """It is a status, and no dead letter; what stands before and behind it is kept."""
    caplog.set_level("INFO")
    with X().running() as server:
        server.tell(a_post(1001, "before"))
        server.tell(message)
        server.end()
        server.tell(a_post(1002, "after"))
        state = collect(x_source(server), tmp_path, lambda: "1002" in kept(tmp_path)[0])
        assert (state.failures, server.served) == (0, 2)
    assert "source sample.x: disconnected is X saying: This stream has been disconnected" in caplog.text
    items, letters = kept(tmp_path)
    assert (dict(items), letters) == ({"1001": 1, "1002": 1}, [])


def test_x_that_disconnects_each_time_is_asked_ever_later(tmp_path: Path) -> None:
    with X().running() as server:
        for _ in range(10):
            server.tell(DISCONNECT)
            server.end()
        state = collect(x_source(server), tmp_path, lambda: server.served >= 3)
    assert state.status == "disconnected"
    assert 3 <= state.failures == server.served <= 4
    assert state.next_at > 0.9 * 2 ** (state.failures - 1) + state.polled_at
    assert kept(tmp_path) == ({}, [])


def test_the_last_connection_of_a_window_pauses_x(tmp_path: Path) -> None:
    with X().running() as server:
        server.limits = {"x-rate-limit-limit": "50", "x-rate-limit-remaining": "0", "x-rate-limit-reset": str(int(now().timestamp() + HOUR))}
        server.tell(a_post(1001, "one"))
        server.end()
        state = collect(x_source(server), tmp_path, lambda: "1001" in kept(tmp_path)[0])
        assert (state.status, server.served) == ("reconnecting", 1)
    assert HOUR - 60 < pause(tmp_path) <= HOUR
