"""Iran's solar calendar (Jalali, Solar Hijri) as Gregorian days, by the 33-year cycle, which is the official calendar's from 1206 to 1498.

Source: https://en.wikipedia.org/wiki/Solar_Hijri_calendar and https://unicode-org.github.io/icu/userguide/datetime/calendar/.
"""

from __future__ import annotations

from datetime import date

YEARS = range(1300, 1499)
_BEFORE_FIRST = date(622, 3, 20).toordinal()
_MONTHS = (31,) * 6 + (30,) * 5


def gregorian(year: int, month: int, day: int) -> date:
    """The Gregorian date of a Jalali day. Raises ValueError where there is no such day, or the year is not one of YEARS."""
    if year not in YEARS or not 1 <= month <= 12 or not 1 <= day <= _length(year, month):
        raise ValueError(f"{year}/{month}/{day} is no day of the Jalali years {YEARS.start} to {YEARS.stop - 1}")
    return date.fromordinal(_BEFORE_FIRST + _days_before(year) + sum(_MONTHS[: month - 1]) + day)


def _days_before(year: int) -> int:
    return 365 * (year - 1) + (8 * year + 21) // 33


def _length(year: int, month: int) -> int:
    return _MONTHS[month - 1] if month < 12 else _days_before(year + 1) - _days_before(year) - sum(_MONTHS)
