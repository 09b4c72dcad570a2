"""Publication dates as sources write them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.dates import Published, parse_published

EVENING = datetime(2020, 12, 20, 17, 30, tzinfo=UTC)
BAGHDAD = "Asia/Baghdad"


def read(raw: str, zone: str | None = BAGHDAD) -> Published:
    return parse_published(raw, time_zone=zone, first_seen=None)


@pytest.mark.parametrize(
    "raw",
    [
        "Sun, 20 Dec 2020 20:30:00 +0300",
        "Sun, 20 Dec 2020 17:30:00 GMT",
        "Sun, 20 Dec 2020 20:30:00 AST",
        "20 Dec 20 17:30:00 UT",
        "Sun Dec 20 17:30:00 +0000 2020",
        "2020-12-20T17:30:00Z",
        "2020-12-20T20:30:00.123+03:00",
        "2020-12-20 20:30:00",
        "2020-12-20T20:30:00+03",
        "20201220T173000Z",
        "2020-12-20 20:30:00 GMT+3",
        "2020-12-20 20:30:00 Asia/Baghdad",
        "Sun, 20 Dec 2020 19:30:00 CEST",
        "1608485400",
        "1608485400000",
        "20 décembre 2020 à 20:30:00",
        "٢٠ ديسمبر ٢٠٢٠ 20:30:00",
        "December 20, 2020 8:30:00 PM",
    ],
)
def test_one_moment_in_many_spellings(raw: str) -> None:
    found = read(raw)

    assert found.time == EVENING
    assert (found.precision, found.repair) == ("second", None)


@pytest.mark.parametrize(
    ("raw", "precision", "start"),
    [
        ("2020", "year", datetime(2020, 1, 1)),
        ("2020-12", "month", datetime(2020, 12, 1)),
        ("décembre 2020", "month", datetime(2020, 12, 1)),
        ("2020-12-20", "day", datetime(2020, 12, 20)),
        ("20201220", "day", datetime(2020, 12, 20)),
        ("2020-W51-7", "day", datetime(2020, 12, 20)),
        ("2020-355", "day", datetime(2020, 12, 20)),
        ("20/12/2020", "day", datetime(2020, 12, 20)),
        ("12/20/2020", "day", datetime(2020, 12, 20)),
        ("20 كانون الأول 2020", "day", datetime(2020, 12, 20)),
        ("2020-12-20T20:30", "minute", datetime(2020, 12, 20, 20, 30)),
        ("20 décembre 2020 à 20h30", "minute", datetime(2020, 12, 20, 20, 30)),
    ],
)
def test_precision_is_what_was_stated(raw: str, precision: str, start: datetime) -> None:
    found = read(raw)

    assert found.precision == precision
    assert found.time == start.replace(tzinfo=UTC) - timedelta(hours=3)


def test_a_missing_zone_is_the_sources_own() -> None:
    assert read("2020-12-20 20:30:00").repair is None


def test_a_missing_zone_of_an_unknown_source_is_assumed_utc_and_says_so() -> None:
    assert read("2020-12-20 17:30:00", zone=None) == Published(EVENING, "second", "zone_assumed")
    assert read("2020-12-20 17:30:00 XYZ", zone=None).repair == "zone_assumed"
    assert read("2020-12-20 17:30:00", zone="No/Where").repair == "zone_assumed"


def test_a_day_needs_no_zone() -> None:
    assert read("2020-12-20", zone=None) == Published(datetime(2020, 12, 20, tzinfo=UTC), "day", None)


def test_ast_is_arabias_time_unless_the_source_keeps_another() -> None:
    assert read("Sun, 20 Dec 2020 20:30:00 AST", zone=None).time == EVENING
    assert read("Sun, 20 Dec 2020 13:30:00 AST", zone="America/Halifax").time == EVENING


@pytest.mark.parametrize("raw", ["5 Jumada 1442", "1442-05-05", "0001-01-01", "12/20", "soon", "2020-13-45", "32 December 2020", "0", "9" * 90])
def test_what_cannot_be_believed_is_unknown_and_kept_raw(raw: str) -> None:
    found = read(raw)

    assert (found.time, found.precision, found.repair) == (None, "unknown", "unreadable")


def test_no_date_at_all_is_no_repair() -> None:
    assert read("  ") == Published()


def test_a_claim_from_the_future_is_clamped() -> None:
    seen = EVENING - timedelta(hours=1)

    assert parse_published("2020-12-20T17:30:00Z", time_zone=None, first_seen=seen) == Published(seen, "second", "clamped_to_first_seen")
    assert parse_published("2020-12-20T16:00:00Z", time_zone=None, first_seen=seen).repair is None


@given(st.text(alphabet=st.characters()), st.sampled_from([None, BAGHDAD, "", "../etc", "\0"]))
def test_any_text_is_read_without_raising(raw: str, zone: str | None) -> None:
    found = parse_published(raw, time_zone=zone, first_seen=EVENING)

    assert found.time is None or found.time <= EVENING


@given(st.text(alphabet="0123456789:-+/TZ .,decGMTh", max_size=40))
def test_text_like_a_date_is_read_without_raising(raw: str) -> None:
    assert parse_published(raw, time_zone=None, first_seen=None).precision in ("second", "minute", "day", "month", "year", "unknown")


@given(st.datetimes(datetime(1990, 1, 2), datetime(2099, 12, 30)), st.sampled_from(["%Y-%m-%dT%H:%M:%SZ", "%d %b %Y %H:%M:%S GMT", "%Y%m%dT%H%M%SZ"]))
def test_a_moment_survives_being_written(moment: datetime, shape: str) -> None:
    assert read(moment.strftime(shape)).time == moment.replace(microsecond=0, tzinfo=UTC)
