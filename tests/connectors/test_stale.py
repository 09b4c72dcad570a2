"""A source that is silent beyond its own habit: learnt from its history, kept over restarts, shown to people and to Prometheus."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Iterable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from time import monotonic, sleep

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from servers.feeds import Feeds, feeds
from test_collect import sources_of
from test_poll import NOW as POLLED
from test_poll import answer, feed, polls

from connectors import _metrics
from connectors._collect import collecting
from connectors._file_outbox import FileOutbox, states
from connectors._metrics import REGISTRY
from connectors._pacing import with_news
from connectors._state import State, decode_state, encode
from pipeline.cli import main

HOUR, DAY = 3_600.0, 86_400.0
PAGE = Path(__file__).resolve().parents[2] / "docs" / "connectors.md"
GAPS = st.lists(st.floats(0, 60 * DAY), max_size=60)


def after(moments: Iterable[float]) -> State:
    """The state of a source that had news then, stored and read again after each."""
    state = State()
    for moment in moments:
        state = decode_state(encode(with_news(state, moment)))
    return state


def at(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def days_of_news(days: int) -> list[float]:
    """Each ten minutes from seven to eleven in the evening, nothing in the night."""
    return [day * DAY + 7 * HOUR + number * 600 for day in range(days) for number in range(16 * 6 + 1)]


def test_a_night_is_no_silence_for_a_source_that_sleeps() -> None:
    moments = days_of_news(10)
    state = after(moments)
    assert not state.is_stale(at(moments[-1] + 8 * HOUR)), "its night"
    assert not state.is_stale(at(moments[-1] + 11 * HOUR))
    assert state.is_stale(at(moments[-1] + 13 * HOUR)), "half as long again as its night"


def test_one_long_silence_is_forgotten_in_time() -> None:
    moments = [*days_of_news(5), *(moment + 20 * DAY for moment in days_of_news(60))]
    shortly_after, later = after(moments[:500]), after(moments)
    assert not shortly_after.is_stale(at((shortly_after.item_at or 0) + 2 * DAY))
    assert later.is_stale(at((later.item_at or 0) + 2 * DAY))


@given(GAPS, st.floats(0, 400 * DAY), st.floats(0, 400 * DAY))
def test_of_any_history(gaps: list[float], silence: float, more: float) -> None:
    moments = [1_600_000_000.0]
    for gap in gaps:
        moments.append(moments[-1] + gap)
    state = after(moments)
    now = moments[-1]
    if not gaps:
        assert not state.is_stale(at(now + silence)), "no habit is known"
        return
    seen = [later - earlier for earlier, later in pairwise(moments)]
    if state.is_stale(at(now + silence)):
        assert state.is_stale(at(now + silence + more)), "silence does not end by lasting"
        assert silence > min(seen), "it has never been silent for so short a time"
        assert silence > 6 * HOUR - 1
        assert silence > 1.49 * seen[-1], "it was silent for so long just now"
    assert state.is_stale(at(now + 6 * max(*seen, HOUR) + 1)), "six times its longest silence is too long"
    shifted = after(moment + 1_000_000 for moment in moments)
    assert shifted.habit == pytest.approx(state.habit, abs=1e-3), "a habit is made of silences alone"
    assert shifted.longest == pytest.approx(state.longest, abs=1e-3)


def test_a_clock_that_goes_back_is_no_silence() -> None:
    state = after([1_600_000_000.0, 1_599_990_000.0])
    assert (state.habit, state.longest) == (0.0, 0.0)


def test_the_habit_comes_from_polls_with_something_new() -> None:
    """News at the first, third and fourth of five polls, two hours apart; one is a 304, one says the same again."""
    answers = [answer(200, feed("a"), ETag='"x"'), answer(304), answer(200, feed("b")), answer(200, feed("c")), answer(200, feed("c"))]
    found, _ = polls(answers, states=lambda state: decode_state(encode(state)), every=timedelta(hours=2))
    state = found[-1].state
    assert state.item_at == (POLLED + timedelta(hours=6)).timestamp()
    assert (state.habit, state.longest) == (pytest.approx(3.4 * HOUR), pytest.approx(4 * HOUR, rel=1e-2))
    assert not state.is_stale(POLLED + timedelta(hours=6 + 20))
    assert state.is_stale(POLLED + timedelta(hours=6 + 21))


def stored(folder: Path, silent: timedelta) -> None:
    """What an earlier collector left of `sample.a`: hourly news, the last so long ago."""
    last = (datetime.now(UTC) - silent).timestamp()
    state = after(last - number * HOUR for number in reversed(range(10)))
    with closing(FileOutbox(folder, lambda: datetime.now(UTC))) as outbox:
        outbox.deliver([], {"sample.a": encode(replace(state, status="ok", polled_at=last, next_at=last))})


def shown(folder: Path, *options: str) -> str:
    (folder / "sources.toml").write_text('[[sources]]\nid = "sample.a"\ntype = "rss"\nurl = "https://outlet-a.example/feed"\n')
    found = CliRunner().invoke(main, ["sources", "--sources", str(folder / "sources.toml"), "--out", str(folder), *options])
    assert found.exit_code == 0, found.output
    return found.output


@pytest.mark.parametrize(("hours", "is_stale"), [(5, False), (7, True)])
def test_people_see_it(tmp_path: Path, hours: int, is_stale: bool) -> None:
    stored(tmp_path, timedelta(hours=hours))
    told = json.loads(shown(tmp_path, "--json"))
    assert (told["stale"], told["status"]) == (is_stale, "stale" if is_stale else "ok")
    assert told["silent_seconds"] == pytest.approx(hours * HOUR, abs=60)
    assert ("stale" in shown(tmp_path)) == is_stale


def metric() -> float | None:
    return REGISTRY.get_sample_value("dijla_source_stale", {"source": "sample.a"})


def test_prometheus_sees_it_from_the_start_until_there_is_news(tmp_path: Path) -> None:
    stored(tmp_path, timedelta(hours=7))
    served = Feeds()

    async def once() -> None:
        async with feeds(served):
            with closing(FileOutbox(tmp_path, lambda: datetime.now(UTC))) as outbox:
                async with collecting(sources_of(served, "a"), outbox, lambda: datetime.now(UTC)) as collector:
                    assert metric() == 1, "known from the restart on"
                    await collector.once(10)

    asyncio.run(once())
    assert metric() == 1, "an empty feed is no news"
    served.items["a"] = 1
    asyncio.run(once())
    assert metric() == 0
    assert decode_state(states(tmp_path)["sample.a"]).longest == pytest.approx(7 * HOUR, abs=60)


def test_silence_alone_makes_it_stale() -> None:
    """No poll tells: of a stream without messages there is none."""
    _metrics.known("sample.a", State(item_at=datetime.now(UTC).timestamp() - 6 * HOUR + 5, habit=1.0))
    assert metric() == 0
    end = monotonic() + 30
    while not metric():
        assert monotonic() < end
        sleep(0.1)


def test_the_page_lists_every_metric() -> None:
    rows = re.findall(r"^\| `(dijla_source_\w+)` \| (\w+) \| (.+) \|$", PAGE.read_text(encoding="utf8"), re.MULTILINE)
    ours = [metric for metric in REGISTRY.collect() if metric.name.startswith("dijla_")]
    assert rows == [(metric.name + ("_total" if metric.type == "counter" else ""), metric.type, metric.documentation) for metric in ours]
