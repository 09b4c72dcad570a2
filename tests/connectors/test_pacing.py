"""When a source is asked again."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from connectors._pacing import backed_off, next_poll, retry, with_news
from connectors._state import Host, State

NOW = 1_600_000_000.0
MINUTES = 60.0


@pytest.mark.parametrize(
    ("headers", "habit", "minutes"),
    [
        ({}, None, 5),
        ({"cache-control": "public, max-age=420"}, None, 7),
        ({"cache-control": "max-age=86400"}, None, 10),  # never more than twice the interval: alerts must not wait
        ({"cache-control": "max-age=0"}, None, 5),
        ({"cache-control": "s-maxage=600"}, None, 5),  # for shared caches only
        ({}, 28 * MINUTES, 7),
        ({}, 3 * 24 * 60 * MINUTES, 10),
        ({}, 1.0, 5),
    ],
)
def test_a_source_is_asked_at_its_interval_or_a_little_later(headers: dict[str, str], habit: float | None, minutes: float) -> None:
    assert next_poll(NOW, 5 * MINUTES, State(habit=habit), headers, 0.5) == pytest.approx(NOW + minutes * MINUTES)


def test_jitter_is_a_twentieth() -> None:
    assert next_poll(NOW, 100, State(), {}, 0.0) == pytest.approx(NOW + 95)
    assert next_poll(NOW, 100, State(), {}, 1.0) == pytest.approx(NOW + 105)


@pytest.mark.parametrize(("failures", "minutes"), [(1, 5), (2, 10), (3, 20), (7, 320), (8, 360), (1_000, 360)])
def test_a_source_that_fails_is_asked_ever_later_but_never_given_up(failures: int, minutes: float) -> None:
    assert retry(NOW, 5 * MINUTES, failures, 0.5) == pytest.approx(NOW + minutes * MINUTES)


def test_a_source_asked_once_a_day_is_not_asked_more_often_because_it_fails() -> None:
    assert retry(NOW, 86_400, 3, 0.5) == pytest.approx(NOW + 86_400)


@pytest.mark.parametrize(("before", "seconds"), [(0, 30), (1, 60), (6, 1_920), (7, 3_600), (5_000, 3_600)])
def test_a_host_that_fails_is_left_alone_ever_longer(before: int, seconds: float) -> None:
    host = backed_off(Host(failures=before), NOW, None, 0.0)
    assert host == Host(not_before=NOW + seconds, failures=before + 1)


def test_what_a_host_asks_for_is_given() -> None:
    assert backed_off(Host(failures=3), NOW, 7.0, 0.0).not_before == NOW + 7
    assert backed_off(Host(), NOW, 100.0, 0.99).not_before == pytest.approx(NOW + 119.8)  # never sooner


def test_the_habit_is_learnt_from_the_time_between_news() -> None:
    state = with_news(State(), NOW)
    assert (state.item_at, state.habit) == (NOW, None)
    state = with_news(state, NOW + 100)
    assert state.habit == 100
    state = with_news(state, NOW + 300)
    assert state.habit == pytest.approx(130)


def test_a_source_is_stale_beyond_its_own_habit_and_six_hours() -> None:
    from datetime import UTC, datetime

    def stale(habit: float | None, hours: float) -> bool:
        return State(item_at=NOW, habit=habit).is_stale(datetime.fromtimestamp(NOW + hours * 3_600, UTC))

    assert not stale(60, 5.9)
    assert stale(60, 6.1)
    assert not stale(2 * 3_600, 11)
    assert stale(2 * 3_600, 13)
    assert not stale(None, 1_000)
    assert not replace(State(), habit=60.0).is_stale(datetime.now(UTC)), "it never had news"
