"""Publication dates as sources write them, read by our own rules: zones that mean what the source means, nothing invented."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta, timezone, tzinfo
from functools import cache, lru_cache
from typing import NamedTuple
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pipeline import jalali
from pipeline.datafiles import DATA, read_family, read_toml
from pipeline.folding import fold

EARLIEST, LATEST = 1990, 2100
"""Years in between are believed; others are Hijri years or mistakes."""

_LONGEST = 120
_WIDEST = timedelta(hours=14)
_ARABIA = timezone(timedelta(hours=3))
_IRAN = "Asia/Tehran"
_OFFSETS = {
    "z": 0, "ut": 0, "utc": 0, "gmt": 0, "غرينتش": 0, "جرينتش": 0, "wet": 0, "bst": 1, "west": 1, "cet": 1, "mez": 1, "cest": 2, "mesz": 2, "eet": 2,
    "sast": 2, "eest": 3, "idt": 3, "msk": 3, "trt": 3, "tsi": 3, "بغداد": 3, "irst": 3.5, "gst": 4, "irdt": 4.5, "aft": 4.5, "pkt": 5, "ist": 5.5,
    "est": -5, "edt": -4, "cst": -6, "cdt": -5, "mst": -7, "mdt": -6, "pst": -8, "pdt": -7,
}  # fmt: skip
_EVENING = ("pm", "p.m.", "م", "مساء", "ظهرا", "ب.ظ", "د.ن")
_HALVES = "|".join(re.escape(half) for half in (*_EVENING[::-1], "am", "a.m.", "صباحا", "ص", "ق.ظ", "پ.ن"))
_EPOCH = re.compile(r"(\d{9,10})(?:\.\d*)?|(\d{12,13})|(\d{15,16})")
_TIME = re.compile(rf"(?<![\d:])(\d{{1,2}})(?::(\d{{2}})(?::(\d{{2}})(?:[.,]\d+)?)?|h(\d{{2}})?(?=\s|$))(?:\s*({_HALVES})(?!\w))?(?![\d:])")
_ISO = re.compile(r"(\d{4})(?:[-/.](\d{1,2}))?(?!\d)")
_ISO_DAY = re.compile(r"(?<![\d/.-])(\d{4})[-/.](\d{1,2})[-/.](\d{1,2})(?!\d)")
_COMPACT = re.compile(r"(\d{4})(\d{2})(\d{2})(?:t?(\d{2})(\d{2})(\d{2})?(?:[.,]\d+)?)?(?=z|[+-]|\s|$)")
_DAY_FIRST = re.compile(r"(\d{1,2})[-/.](\d{1,2})[-/.](\d{4})")
_ISO_OTHER = re.compile(r"\d{4}-?w\d{2}(?:-?\d)?|\d{4}-\d{3}(?!\d)")
_FROM_GREENWICH = re.compile(r"\b(?:utc|gmt)\s*([+-])\s*")
_OFFSET = re.compile(r"([+-])(\d{1,2})(?::?(\d{2}))?\)?\s*(?:\([^()]*\)\s*)?(?:\d{4})?$")
_ZONE_NAME = re.compile(r"\b([^\W\d_]{1,8})\)?\.?\s*(?:\d{4})?$")
_IANA = re.compile(r"\b[A-Z][A-Za-z]+/[A-Z][A-Za-z_]+\b")
_DAY = re.compile(r"(?<![\d:])(\d{1,2})(?:st|nd|rd|th|er)?(?![\d:])")
_YEAR = re.compile(r"(?<![\d+])(?:1[3-9]|2[01])\d\d(?!\d)")
_SHORT_YEAR = re.compile(r"(?<![\d:])\d{2}(?![\d:])")


@dataclass(frozen=True, slots=True)
class Published:
    """When an item says it was published.

    `time` UTC, the start of the period where `precision` (second minute day month year unknown) is coarser; None: unknown.
    `repair`: zone_assumed, clamped_to_first_seen or unreadable.
    """

    time: datetime | None = None
    precision: str = "unknown"
    repair: str | None = None


def parse_published(raw: str, *, time_zone: str | None, first_seen: datetime | None) -> Published:
    """Reads a raw publication date; never raises.

    A date without a zone, or with one we do not know, is in the source's `time_zone` (an IANA name), else in UTC, which is a repair. One that
    lies after `first_seen` is clamped to it. A year before 1990 (a Hijri one, an empty clock) is unreadable, a Jalali one is converted.
    """
    if not raw.strip():
        return Published()
    try:
        read = _read(raw[:_LONGEST], _zone_named(time_zone))
    except (ValueError, OverflowError):
        return Published(repair="unreadable")
    if read.time is not None and first_seen is not None and read.time > first_seen:
        return replace(read, time=first_seen, repair="clamped_to_first_seen")
    return read


@lru_cache(maxsize=1024)  # one item's date is asked for when it is sorted, placed in time and normalised
def _read(raw: str, home: tzinfo | None) -> Published:
    text = fold(raw).text.strip().strip('"')
    if epoch := _EPOCH.fullmatch(text):
        return _believed(_from_epoch(epoch), "second", None)
    if compact := _COMPACT.match(text):
        stated, clock, rest = _numeric(*compact.group(1, 2, 3)), compact.group(4, 5, 6), text[compact.end() :]
    else:
        stated, rest = _calendar_day(text)
        clock, rest = _clock(rest)
    day = _gregorian(stated, home)
    hours, minutes, seconds = (int(part or 0) for part in clock)
    naive = datetime(day.year, day.month, day.day, hours, minutes, seconds)
    precision = stated.precision if clock[0] is None else "minute" if clock[2] is None else "second"
    zone, sure = _zone(raw, rest, home, naive)
    time = naive.replace(tzinfo=zone).astimezone(UTC)
    return _believed(time, precision, None if sure or clock[0] is None else "zone_assumed")


class _Day(NamedTuple):
    """A day as stated, in its own calendar, and the precision that was stated."""

    year: int
    month: int
    day: int
    precision: str
    is_jalali: bool = False


class _Month(NamedTuple):
    number: int
    is_jalali: bool


def _gregorian(stated: _Day, home: tzinfo | None) -> date:
    """Raises ValueError. Digits alone do not tell a Jalali year from a Hijri one: they are Jalali where Iran's time is kept."""
    if stated.is_jalali or (stated.year in jalali.YEARS and isinstance(home, ZoneInfo) and home.key == _IRAN):
        return jalali.gregorian(*stated[:3])
    return date(*stated[:3])


def _calendar_day(text: str) -> tuple[_Day, str]:
    """The day that a text states, and the text without it. Raises ValueError."""
    if ordinal := _ISO_OTHER.match(text):
        found = datetime.strptime(ordinal[0], "%Y-%j").date() if "w" not in ordinal[0] else date.fromisoformat(ordinal[0].upper())
        return _Day(found.year, found.month, found.day, "day"), _without(text, ordinal)
    if iso := next((day for day in _ISO_DAY.finditer(text) if day[1][:2] in ("19", "20")), None):
        return _numeric(*iso.groups()), _without(text, iso)
    if numeric := _DAY_FIRST.search(text):
        first, second, year = numeric.groups()
        day, month = (second, first) if int(second) > 12 else (first, second)
        return _numeric(year, month, day), _without(text, numeric)
    if not _months()[0].search(text) and (other := _ISO_DAY.search(text) or _ISO.match(text)):
        return _numeric(*other.groups()), _without(text, other)
    return _named_day(text)


def _without(text: str, day: re.Match[str]) -> str:
    return text[: day.start()] + " " + text[day.end() :].lstrip("t")


def _numeric(year: str, month: str | None = None, day: str | None = None) -> _Day:
    return _Day(int(year), int(month or 1), int(day or 1), "day" if day else "month" if month else "year")


def _named_day(text: str) -> tuple[_Day, str]:
    """As in "Sun, 20 Dec 2020 17:30:00 +0300", "20 décembre 2020 à 21h30", "December 20, 2020", "30 آذر 1399"."""
    month, before, after = _month(text)
    year = _YEAR.search(after) or _YEAR.search(before)
    stated = list(_DAY.finditer(before))[-1:] or list(_DAY.finditer(after))[:1]
    if year is None and stated:
        year = _SHORT_YEAR.search(after, stated[0].end() if stated[0].string is after else 0)
    if year is None:
        raise ValueError("no year")
    number = int(year[0]) + (2000 if len(year[0]) == 2 else 0)
    rest = after.replace(year[0], " ", 1) if year.string is after else after
    if stated and stated[0].string is before:
        before = before[: stated[0].start()] + before[stated[0].end() :]
    day = _Day(number, month.number, int(stated[0][1]) if stated else 1, "day" if stated else "month", month.is_jalali)
    return day, f"{rest} {before}" if _TIME.search(before) else rest


def _month(text: str) -> tuple[_Month, str, str]:
    """The month that a text names, by the longest name in it (of two the latter: a French "mar." is a Tuesday), and what stands on both sides.

    Raises ValueError.
    """
    written, months = _months()
    found = max(written.finditer(text), key=lambda name: (len(name[1]), name.start()), default=None)
    if found is None:
        raise ValueError("no month")
    return months[found[1]], text[: found.start()], text[found.end() :]


@cache
def _months() -> tuple[re.Pattern[str], Mapping[str, _Month]]:
    months = {name: _Month(number, False) for name, number in month_names()}
    months.update({name: _Month(number, True) for name, number in jalali_months().items()})
    longest_first = sorted(months, key=len, reverse=True)
    return re.compile(rf"(?<!\w)({'|'.join(map(re.escape, longest_first))})\.?(?!\w)"), months


@cache
def month_names() -> tuple[tuple[str, int], ...]:
    """Folded names of Gregorian months of every language with their numbers, longest first."""
    tables = [table.get("months", {}) for table in read_family("languages").values()]
    tables += [table for language, table in _written_months().items() if language != "jalali"]
    names = {fold(name).text: month for table in tables for name, month in table.items()}
    return tuple(sorted(names.items(), key=lambda pair: (-len(pair[0]), pair[0])))


@cache
def jalali_months() -> Mapping[str, int]:
    """Folded names of the months of Iran's solar calendar with their numbers."""
    return {fold(name).text: number for name, number in _written_months()["jalali"].items()}


@cache
def _written_months() -> Mapping[str, Mapping[str, int]]:
    return read_toml(DATA / "months.toml")


def _clock(text: str) -> tuple[tuple[str | None, str | None, str | None], str]:
    """Hours, minutes, seconds (None where not stated), and what stands behind them."""
    match = _TIME.search(text)
    if match is None:
        return (None, None, None), text
    hour, minute, second, french, half = match.groups()
    hours = int(hour) % 12 + (12 if half in _EVENING else 0) if half else int(hour)
    return (str(hours), minute or french or "0", second), text[match.end() :]


def _zone(raw: str, rest: str, home: tzinfo | None, local: datetime) -> tuple[tzinfo, bool]:
    """The zone that a date states, else the source's, and whether it is sure."""
    rest = _FROM_GREENWICH.sub(r"\1", rest.strip())
    if iana := _IANA.search(raw):
        stated = _zone_named(iana[0])
        return (stated, True) if stated else (home or UTC, home is not None)
    if (match := _OFFSET.search(rest)) and (offset := timedelta(hours=int(match[2]), minutes=int(match[3] or 0))) <= _WIDEST:
        return timezone(-offset if match[1] == "-" else offset), True
    name = match[1] if (match := _ZONE_NAME.search(rest)) else ""
    if home and name == (local.replace(tzinfo=home).tzname() or "").lower():
        return home, True
    if name == "ast":
        return _arabia_or_atlantic(home)
    if name in _OFFSETS:
        return timezone(timedelta(hours=_OFFSETS[name])), True
    return home or UTC, home is not None


def _arabia_or_atlantic(home: tzinfo | None) -> tuple[tzinfo, bool]:
    """AST: Arabia's time where the source keeps it or does not say, Atlantic time elsewhere."""
    if home is None:
        return _ARABIA, False
    keeps = datetime(2020, 1, 1, tzinfo=home).utcoffset() == timedelta(hours=3)
    return (_ARABIA if keeps else timezone(timedelta(hours=-4))), True


def _zone_named(name: str | None) -> tzinfo | None:
    try:
        return ZoneInfo(name) if name else None
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return None


def _from_epoch(match: re.Match[str]) -> datetime:
    seconds, millis, micros = match.groups()
    since = int(seconds) if seconds else int(millis) / 1e3 if millis else int(micros) / 1e6
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=since)


def _believed(time: datetime, precision: str, repair: str | None) -> Published:
    if not EARLIEST <= time.year < LATEST:
        return Published(repair="unreadable")
    return Published(time, precision, repair)
