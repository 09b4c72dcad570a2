"""When a run whose inputs are nearly all bad is stopped."""

from __future__ import annotations

import pytest

from pipeline import metrics
from pipeline.failing import WINDOW_SECONDS, Failing


def judged(*totals: tuple[float, float, float]) -> str | None:
    """What is said of the last of these (seconds, read, failed)."""
    failing = Failing(0.9, 500)
    return [failing.judge_totals(*each) for each in totals][-1]


@pytest.mark.parametrize(("read", "failed", "stops"), [(500, 450, True), (500, 449, False), (499, 499, False), (10_000, 8_999, False), (0, 0, False)])
def test_it_takes_nine_in_ten_of_at_least_five_hundred(read: float, failed: float, stops: bool) -> None:
    assert (judged((0, 0, 0), (10, read, failed)) is not None) == stops


def test_what_is_said_has_the_counts_and_what_to_do() -> None:
    told = judged((0, 0, 0), (10, 1_200, 1_199)) or ""
    assert told.startswith("1,199 of the last 1,200 items became dead letters: the run stops")
    assert "dijla redrive --dry-run" in told


def test_only_the_last_minute_counts() -> None:
    """A good hour excuses no bad minute, and a bad one that is over stops nothing."""
    hour = [(minute * 60.0, minute * 10_000.0, 0.0) for minute in range(61)]
    assert judged(*hour, (3_660, 600_600, 590)) is not None
    assert judged((0, 0, 0), (1, 499, 499), (WINDOW_SECONDS + 2, 10_000, 499)) is None
    assert judged((0, 0, 0), (1, 400, 400), (WINDOW_SECONDS + 2, 800, 800)) is None


def test_a_sample_of_a_minute_ago_still_counts() -> None:
    assert judged((0, 0, 0), (WINDOW_SECONDS, 500, 500)) is not None


def test_it_judges_the_runs_own_counters() -> None:
    failing = Failing(0.9, 500)
    assert failing.judge(0) is None
    metrics.ITEMS_READ.labels(0).inc(600)
    metrics.failed("decode").inc(300)
    assert failing.judge(1) is None
    metrics.failed("tag").inc(250)
    assert "550 of the last 600" in (failing.judge(2) or "")
