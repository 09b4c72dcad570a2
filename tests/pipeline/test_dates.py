"""Publication dates as sources write them."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline import jalali
from pipeline.datafiles import DATA, read_family, read_toml
from pipeline.dates import Published, parse_published
from pipeline.folding import fold

EVENING = datetime(2020, 12, 20, 17, 30, tzinfo=UTC)
BAGHDAD, TEHRAN = "Asia/Baghdad", "Asia/Tehran"


_LEAP = {
    1370, 1375, 1379, 1383, 1387, 1391, 1395, 1399, 1403, 1408, 1412, 1416, 1420, 1424, 1428, 1432, 1436, 1441, 1445, 1449, 1453, 1457, 1461, 1465, 1469,
    1474, 1478,
}  # fmt: skip


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
        "Sun, 20 Dec 2020 20:30:00 (AST)",
        "Sun, 20 Dec 2020 20:30:00 +0300 (AST)",
        "Sun Dec 20 2020 20:30:00 GMT+0300 (Arabian Standard Time)",
        "Sun, 20 Dec 2020 20:30:00 +3",
        "Sun, 20 Dec 2020 20:30:00 +03",
        "Sun, 20 Dec 2020 20:30:00 +03:00",
        "Sun, 20 Dec 2020 20:30:00 (+03:00)",
        "2020-12-20 20:30:00 UTC+03:00",
        "2020-12-20 20:30:00 UTC +3",
        "2020-12-20 20:30:00 (GMT + 3)",
        "2020-12-20 21:00:00 +330",
        "2020-12-20 15:30:00 −0200",
        "1608485400000000",
        "1608485400.0",
        "20:30:00-20 December 2020",
        "20:30:00 2020-12-20",
        "الأحد 2020-12-20 20:30:00",
        "1442/05/05 - 2020/12/20 20:30:00",
        "20/12/2020 - 1442/05/05 20:30:00",
        "20 ديسمبر 2020 - 1442/05/05 20:30:00",
        "2020 Dec 20 20:30:00",
        "الأحد، 20 كانون الأول/ديسمبر 2020 - 08:30:00 مساءً",
        "الأحد ٢٠ كانون الأول ٢٠٢٠ ٢٠:٣٠:٠٠",
        "05 جمادى الأولى 1442 هـ الموافق 20 ديسمبر 2020م 8:30:00 م",
        "20 دجنبر 2020 17:30:00 (بتوقيت غرينتش)",
        "20/12/2020 20:30:00 بتوقيت بغداد",
        "یەکشەممە، ٢٠ی کانوونی یەکەمی ٢٠٢٠ ٢٠:٣٠:٠٠",
        "یەکشەممە 20ی کانونی یەکه‌م 2020 08:30:00 د.ن",
        "Yekşem, 20 Berfanbar 2020 20:30:00",
        "20'ê Berfanbarê 2020 20:30:00",
        "20 Kanûna Pêşîn 2020 20:30:00",
        "Pazar, 20 Aralık 2020 20:30:00",
        "20.12.2020 20:30:00 TSİ",
        "20 ARA 2020 20:30:00",
        "dim. 20 déc. 2020 à 20:30:00",
        "یکشنبه ۲۰ دسامبر ۲۰۲۰ - ۲۰:۳۰:۰۰",
        "یکشنبه ۳۰ آذر ۱۳۹۹ - ۲۰:۳۰:۰۰",
        "۳۰ آذر ۱۳۹۹ (20 December 2020) 20:30:00",
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
        ("mar. 2020-12-22", "day", datetime(2020, 12, 22)),
        ("mar. 3 mai 2022", "day", datetime(2022, 5, 3)),
        ("1er août 2021", "day", datetime(2021, 8, 1)),
        ("آذر ۱۳۹۹", "month", datetime(2020, 11, 21)),
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


def test_a_zone_that_the_source_keeps_is_its_own() -> None:
    assert read("Sun, 20 Dec 2020 19:30:00 IST", zone="Asia/Jerusalem").time == EVENING
    assert read("Sun, 20 Dec 2020 23:00:00 IST", zone=BAGHDAD).time == EVENING


@pytest.mark.parametrize("raw", ["Sun, 20 Dec 2020 20:30:00 XYZ", "2020-12-20 20:30:00 No/Where", "2020-12-20 20:30:00 +25"])
def test_a_zone_that_nobody_knows_is_the_sources_own(raw: str) -> None:
    assert read(raw) == Published(EVENING, "second", None)


@pytest.mark.parametrize(
    "raw", ["1399/09/30 21:00:00", "1399-9-30T21:00:00", "یکشنبه ۱۳۹۹/۰۹/۳۰ - ۲۱:۰۰:۰۰", "30/09/1399 21:00:00", "30 آذر 1399 09:00:00 ب.ظ"]
)
def test_a_jalali_date_of_iran_is_converted(raw: str) -> None:
    assert read(raw, zone=TEHRAN) == Published(EVENING, "second", None)


def test_digits_alone_are_jalali_only_where_irans_time_is_kept() -> None:
    assert read("1399/09/30", zone=BAGHDAD).repair == read("1399/09/30", zone=None).repair == "unreadable"


@pytest.mark.parametrize("raw", ["31 آذر 1399", "30 اسفند 1400", "30 آذر 2020", "30 آذر 99"])
def test_a_day_that_irans_calendar_has_not_is_unreadable(raw: str) -> None:
    assert read(raw, zone=TEHRAN).repair == "unreadable"


@pytest.mark.parametrize(
    ("year", "day"),
    [
        (1375, 20), (1376, 21), (1379, 20), (1380, 21), (1383, 20), (1387, 20), (1391, 20), (1395, 20), (1396, 21), (1399, 20), (1400, 21), (1403, 20),
        (1404, 21), (1405, 21), (1408, 20), (1409, 21), (1410, 21),
    ],
)  # fmt: skip
def test_irans_new_year_falls_on_its_day(year: int, day: int) -> None:
    assert jalali.gregorian(year, 1, 1) == date(year + 621, 3, day)


def test_irans_calendar_has_every_day_once() -> None:
    days = [
        jalali.gregorian(year, month, day)
        for year in range(1368, 1480)
        for month in range(1, 13)
        for day in range(1, 32 if month < 7 else 31 if month < 12 or year in _LEAP else 30)
    ]

    assert days == [days[0] + timedelta(days=passed) for passed in range(len(days))]


def test_no_name_is_of_two_months() -> None:
    tables = [*(table.get("months", {}) for table in read_family("languages").values()), *read_toml(DATA / "months.toml").values()]
    named = {(fold(name).text, month) for table in tables for name, month in table.items()}

    assert len({name for name, _ in named}) == len(named)
    assert all(1 <= month <= 12 for _, month in named)


@pytest.mark.parametrize("language", ["fa", "kmr", "tr", "jalali"])
def test_every_month_of_a_language_has_a_name(language: str) -> None:
    assert set(read_toml(DATA / "months.toml")[language].values()) == set(range(1, 13))


@pytest.mark.parametrize(
    "raw", ["منذ 5 دقائق", "5 minutes ago", "il y a 3 heures", "5 دقیقه پیش", "5 dakika önce", "پێش 5 خولەک", "5 جمادى الأولى 1442", "1442/5/5 20:30"]
)
def test_what_is_relative_or_hijri_is_unknown(raw: str) -> None:
    assert read(raw) == Published(repair="unreadable")


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
